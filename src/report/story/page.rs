//! One HTML file: nothing is fetched, it reads without its script, and prints.

use std::fmt::Write as _;

use super::{
    Report, about, correlation, decoded, drawing, excerpt, exchange, remedy, stage, text, troubles, why,
};
use crate::compare::{Story, Told};
use crate::diagnosis::{common, on_device, reasons};
use crate::enrollment::Outcome;
use crate::rules::{Finding, Level};

/// The whole page.
pub fn page(report: &Report<'_>) -> String {
    let mut out = format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\">\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; \
         script-src 'unsafe-inline'\"><title>Enrollments</title><style>{STYLE}</style></head>\n<body><header><h1>Enrollments</h1>\
         <p>{}</p></header>\n<main>",
        text(&about(report))
    );
    summary(&mut out, report);
    for (number, story) in report.stories.iter().enumerate() {
        one(&mut out, number, story);
    }
    loose(&mut out, report.loose);
    environment(&mut out, report);
    let _ = write!(out, "</main>\n<script>{SCRIPT}</script></body></html>\n");
    out
}

fn summary(out: &mut String, report: &Report<'_>) {
    let count = |outcome| report.stories.iter().filter(|story| story.enrollment.outcome == outcome).count();
    let outcomes = [Outcome::Enrolled, Outcome::Failed, Outcome::Stalled, Outcome::InProgress];
    let counts: Vec<_> =
        outcomes.iter().map(|outcome| format!("<b>{}</b> {}", count(*outcome), outcome.word())).collect();
    let _ = write!(out, "<section id=\"summary\"><h2>Summary</h2><p>{}</p>", counts.join(" · "));
    let troubles = troubles(report.stories);
    if !troubles.is_empty() {
        out.push_str(
            "<h3>What is wrong</h3><table><thead><tr><th>how many</th><th>what</th></tr></thead><tbody>",
        );
        for (words, stories) in &troubles {
            let _ = write!(out, "<tr><td>{}</td><td>{}</td></tr>", stories.len(), text(words));
        }
        out.push_str("</tbody></table>");
    }
    if !report.refused.is_empty() {
        out.push_str("<h3>Connections that came to nothing</h3><ul>");
        for (cause, certainty, count) in report.refused {
            let words = format!("{count} × {}: {} → {}", certainty.word(), cause.cause, cause.remedy);
            let _ = write!(out, "<li>{}</li>", text(&words));
        }
        out.push_str("</ul>");
    }
    let common = common(report.stories.iter().map(|story| &story.enrollment));
    if !common.is_empty() {
        out.push_str("<h3>What the failed ones have in common</h3><ul>");
        for shared in &common {
            let _ = write!(out, "<li>{}</li>", text(&shared.words()));
        }
        out.push_str("</ul>");
    }
    out.push_str("<h3>Devices</h3><table><thead><tr><th>who</th><th>outcome</th><th>what happened</th></tr></thead><tbody>");
    for (number, story) in report.stories.iter().enumerate() {
        let e = &story.enrollment;
        let _ = write!(
            out,
            "<tr><td><a href=\"#d{number}\">{}</a></td><td class=\"{outcome}\">{outcome}</td><td>{}</td></tr>",
            text(&story.label()),
            text(&e.verdict),
            outcome = e.outcome.word()
        );
    }
    out.push_str("</tbody></table></section>\n");
}

fn one(out: &mut String, number: usize, story: &Story) {
    let e = &story.enrollment;
    let open = if matches!(e.outcome, Outcome::Failed | Outcome::Stalled) { " open" } else { "" };
    let _ = write!(
        out,
        "<details class=\"device\" id=\"d{number}\"{open}><summary><h2>{}</h2> <span class=\"{outcome}\">{outcome}{}</span> {}\
         </summary>",
        text(&story.label()),
        text(&stage(story)),
        text(&e.verdict),
        outcome = e.outcome.word(),
    );
    if let Some(device) = on_device(e) {
        let _ = write!(out, "<p>On the device: {}</p>", text(&device.words()));
    }
    let reasons = reasons(e);
    if !reasons.is_empty() {
        out.push_str("<h3>Causes</h3><ol>");
        for reason in &reasons {
            let (cause, remedy) = reason.words();
            let owner = reason.entry.owner.word();
            let _ = write!(out, "<li>{}<br>→ {} ({owner} has to act)</li>", text(&cause), text(remedy));
        }
        out.push_str("</ol>");
    }
    let _ = write!(
        out,
        "<h3>What was said</h3>{}<h3>How long it took</h3>{}",
        drawing::sequence(story),
        drawing::waterfall(story)
    );
    out.push_str("<details><summary>As a table</summary><table><thead><tr><th>time</th><th>request</th><th>answer</th></tr></thead><tbody>");
    for told in &story.exchanges {
        let (time, request, answer) = exchange(told);
        let _ = write!(out, "<tr><td>{time}</td><td>{}</td><td>{}</td></tr>", text(&request), text(&answer));
    }
    out.push_str("</tbody></table></details>");
    let all =
        || story.exchanges.iter().flat_map(|told| told.findings.iter().map(move |finding| (told, finding)));
    if all().next().is_some() {
        out.push_str("<h3>Findings</h3>");
    }
    for level in [Level::Error, Level::Warning, Level::Info] {
        for (told, found) in all().filter(|(_, finding)| finding.level == level) {
            finding(out, told, found);
        }
    }
    let _ = write!(
        out,
        "<details><summary>Certificates, settings, device</summary><dl>{}</dl></details>",
        decoded::facts(story)
    );
    let policy = decoded::policy(story);
    if !policy.is_empty() {
        let _ = write!(out, "<details><summary>The enrollment policy</summary><dl>{policy}</dl></details>");
    }
    let ids = correlation(story);
    if !ids.is_empty() {
        out.push_str("<details><summary>To be found in logs</summary><dl>");
        for (name, id) in ids {
            let _ = write!(out, "<dt>{}</dt><dd><code>{}</code></dd>", text(&name), text(&id));
        }
        out.push_str("</dl></details>");
    }
    out.push_str("</details>\n");
}

/// Messages that are of no enrollment, as far as there is something to say of them.
fn loose(out: &mut String, exchanges: &[Told]) {
    let found: Vec<_> = exchanges.iter().filter(|told| !told.findings.is_empty()).collect();
    if found.is_empty() {
        return;
    }
    out.push_str("<section><h2>Outside any enrollment</h2>");
    for told in found {
        let (time, request, answer) = exchange(told);
        let _ = write!(out, "<h3>{time} {}, {}</h3>", text(&request), text(&answer));
        told.findings.iter().for_each(|found| finding(out, told, found));
    }
    out.push_str("</section>");
}

fn finding(out: &mut String, told: &Told, finding: &Finding) {
    let code =
        finding.hresult.map(|code| format!(" The user sees 0x{code:08X} ({}).", finding.rule.basis().word()));
    let _ = write!(
        out,
        "<div class=\"finding {level}\"><h4>{level} {} {}</h4><dl><dt>at</dt><dd>{}</dd><dt>found</dt><dd>{}</dd>\
         <dt>expected</dt><dd>{}</dd><dt>why</dt><dd>{}</dd><dt>so</dt><dd>{}{}</dd><dt>remedy</dt><dd>{}</dd></dl>{}</div>",
        finding.rule.id,
        finding.rule.name,
        text(&finding.path),
        text(&finding.found),
        text(&finding.expected),
        text(&why(finding)),
        text(finding.rule.consequence),
        code.unwrap_or_default(),
        text(&remedy(finding)),
        excerpt::excerpt(told, finding).unwrap_or_default(),
        level = finding.level.word(),
    );
}

fn environment(out: &mut String, report: &Report<'_>) {
    let _ = write!(out, "<section id=\"environment\"><h2>Made of</h2><p>{}</p>", text(&about(report)));
    if !report.inputs.is_empty() {
        out.push_str("<ul>");
        for input in report.inputs {
            let _ = write!(out, "<li>{}</li>", text(input));
        }
        out.push_str("</ul>");
    }
    out.push_str("</section>");
}

const STYLE: &str = "\
:root{color-scheme:light dark;--line:#8886;--bad:#b3261e;--good:#1b7a34;--warn:#8a5a00;--soft:#8882}\
@media(prefers-color-scheme:dark){:root{--bad:#ff8a80;--good:#7bd88f;--warn:#ffc66d}}\
body{font:15px/1.5 system-ui,sans-serif;max-width:62em;margin:2em auto;padding:0 1em}\
h1{font-size:1.5em;margin:0}h2{font-size:1.15em;margin:.3em 0}h3{font-size:1em;margin:1.2em 0 .3em}h4{margin:0 0 .3em}\
summary{cursor:pointer}summary h2{display:inline}.device{border-top:1px solid var(--line);padding:.6em 0}\
table{border-collapse:collapse;width:100%}th,td{text-align:left;vertical-align:top;padding:.25em .7em .25em 0;border-bottom:1px solid var(--line)}\
dl{display:grid;grid-template-columns:max-content 1fr;gap:.1em 1em;margin:.3em 0}dt{opacity:.75}dd{margin:0;overflow-wrap:anywhere}\
.finding{border-left:4px solid var(--line);padding:.3em 0 .3em 1em;margin:.8em 0;break-inside:avoid}\
.finding.error{border-color:var(--bad)}.finding.warning{border-color:var(--warn)}\
.failed,.stalled{color:var(--bad)}.enrolled{color:var(--good)}\
pre{background:var(--soft);padding:.6em;white-space:pre-wrap;overflow-wrap:anywhere;font-size:.85em}mark{background:#ffd54f;color:#000}\
svg{width:100%;height:auto;font:12px system-ui,sans-serif}svg text{fill:currentColor}\
.life{stroke:var(--line)}.arrow{fill:none;stroke:currentColor}text.arrow{stroke:none;fill:currentColor}\
.arrow.bad{stroke:var(--bad)}text.arrow.bad{stroke:none;fill:var(--bad)}.time{opacity:.7}.who{font-weight:bold}\
.bar{fill:#5b8def}.bar.bad{fill:var(--bad)}#tools{margin:1em 0;display:flex;gap:.6em}#tools input{flex:1;font:inherit;padding:.2em .5em}\
@media print{@page{size:A4;margin:15mm}body{margin:0;max-width:none}#tools{display:none}.device{break-before:page}}";

/// Folds, and filters by words; without it everything is there, too.
const SCRIPT: &str = "\
(()=>{const devices=[...document.querySelectorAll('details.device')];\
const tools=document.createElement('div');tools.id='tools';\
const input=document.createElement('input');input.type='search';input.placeholder='Only devices with these words';\
input.setAttribute('aria-label',input.placeholder);\
input.addEventListener('input',()=>{const words=input.value.toLowerCase().split(/\\s+/).filter(Boolean);\
for(const d of devices){const t=d.textContent.toLowerCase();d.hidden=!words.every(w=>t.includes(w))}});\
const button=(label,open)=>{const b=document.createElement('button');b.type='button';b.textContent=label;\
b.addEventListener('click',()=>devices.forEach(d=>{d.open=open}));return b};\
tools.append(input,button('Open all',true),button('Close all',false));\
document.getElementById('summary').after(tools);\
const show=()=>{const d=document.getElementById(location.hash.slice(1));if(d&&d.tagName==='DETAILS')d.open=true};\
addEventListener('hashchange',show);show();\
addEventListener('beforeprint',()=>devices.forEach(d=>{d.open=true}))})();";
