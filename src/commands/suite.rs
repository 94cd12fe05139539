//! `suite`: cases of recorded enrollments in a directory, each with what a replay of it must show.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow, bail};
use serde::{Deserialize, Serialize};

use super::diff::ending;
use super::inputs::{Inputs, stories};
use super::output::{Exit, Output};
use super::replay::{Logins, Run, Target, replayed, shell};
use super::slice::{Chosen, slice, write};
use crate::cli::{
    ComparisonFormat, FailOnDifference, SuiteAddArgs, SuiteCommand, SuiteMinimiseArgs, SuiteRunArgs,
};
use crate::compare::{Comparison, Expectation, can_be_met};
use crate::replay::minimised;
use crate::report::comparison::{self, Aside, Compared};
use crate::rules::Profile;

/// The case's own file, for people to read and change.
const MANIFEST: &str = "case.toml";

pub fn suite(command: &SuiteCommand, out: Output) -> Result<Exit> {
    match command {
        SuiteCommand::Add(args) => add(args, out),
        SuiteCommand::Run(args) => run(args, out),
        SuiteCommand::Minimise(args) => minimise(args, out),
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    /// The file that is replayed, beside this one.
    capture: String,
    expect: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ticket: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<String>,
}

impl Manifest {
    fn read(case: &Path) -> Result<Self> {
        let path = case.join(MANIFEST);
        let text =
            super::enroll::read(&path).with_context(|| format!("could not read {}", path.display()))?;
        let manifest: Self = toml::from_str(&text).map_err(|error| anyhow!("{}: {error}", path.display()))?;
        // What lies elsewhere is no part of the case.
        if Path::new(&manifest.capture).components().count() != 1 || manifest.capture.contains("..") {
            bail!("{}: capture: the name of a file beside it is wanted", path.display());
        }
        manifest.expectations().with_context(|| path.display().to_string())?;
        manifest.expiry().with_context(|| path.display().to_string())?;
        Ok(manifest)
    }

    fn write(&self, case: &Path) -> Result<()> {
        let path = case.join(MANIFEST);
        let text = toml::to_string(self).context("could not write the case down")?;
        fs::write(&path, text).with_context(|| format!("could not write {}", path.display()))
    }

    fn expectations(&self) -> Result<Vec<Expectation>> {
        let parse = |text: &String| text.parse().map_err(|words: String| anyhow!("expect: {words}"));
        self.expect.iter().map(parse).collect()
    }

    fn expiry(&self) -> Result<Option<jiff::civil::Date>> {
        let parse =
            |text: &String| text.parse().map_err(|_| anyhow!("expires: {text} is no day like 2027-03-31"));
        self.expires.as_ref().map(parse).transpose()
    }
}

fn add(args: &SuiteAddArgs, out: Output) -> Result<Exit> {
    let chosen = Chosen { ids: &args.enrollment, devices: &args.device };
    let part =
        slice(&Inputs::of(&args.captures)?, Profile::Field, |stories| chosen.of(stories), |event, _| event)?;
    for expectation in &args.expect {
        if !can_be_met(expectation, &part.stories) {
            bail!(
                "--expect {expectation}: the recording has no answer that breaks this rule, so that no replay can show it \
                 mended; `enrollscope check` says which it breaks"
            );
        }
    }
    let name = args.name.clone().or_else(|| args.ticket.clone()).or_else(|| {
        let first = args.captures.first()?.file_name()?.to_string_lossy().into_owned();
        Some(first.split('.').next()?.to_owned())
    });
    let name = plain_name(&name.unwrap_or_default());
    if name.is_empty() {
        bail!("--name NAME is wanted: the case has nothing that it could be called by");
    }
    let case = args.dir.join(&name);
    if case.exists() {
        bail!("{} is there already, and is left as it is; choose another --name", case.display());
    }
    fs::create_dir_all(&case).with_context(|| format!("could not make {}", case.display()))?;
    write(&case.join("capture.jsonl"), &part.header, &part.events)?;
    let manifest = Manifest {
        capture: "capture.jsonl".to_owned(),
        expect: args.expect.iter().map(ToString::to_string).collect(),
        ticket: args.ticket.clone(),
        expires: args.expires.map(|day| day.to_string()),
    };
    manifest.write(&case)?;
    let exchanges: usize = part.stories.iter().map(|story| story.exchanges.len()).sum();
    out.print(&format!("{}: {} enrollments, {exchanges} exchanges\n", case.display(), part.stories.len()));
    Ok(part.ending(out))
}

/// Of a name what every file system takes.
fn plain_name(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '-' };
    name.chars().map(plain).collect::<String>().trim_matches(['.', '-']).to_owned()
}

fn run(args: &SuiteRunArgs, out: Output) -> Result<Exit> {
    let cases = cases(&args.dir)?;
    for name in &args.only {
        if !cases.iter().any(|case| is_called(case, name)) {
            bail!("--only {name}: there is no such case in {}", args.dir.display());
        }
    }
    let chosen: Vec<_> = cases
        .into_iter()
        .filter(|case| args.only.is_empty() || args.only.iter().any(|name| is_called(case, name)))
        .collect();
    let target = Target::of(&args.target, out)?;
    let logins = Logins::of(&args.logins)?;
    let mut results = Vec::with_capacity(chosen.len());
    for case in &chosen {
        results.push(one(case, args, &target, &logins, out));
    }
    if let Some(path) = &args.junit {
        fs::write(path, comparison::junit(&results, false))
            .with_context(|| format!("could not write {}", path.display()))?;
    }
    out.print(&told(&results, args.format, out));
    let failed = |result: &Compared| matches!(result.aside, Some(Aside::Failed(_)));
    let bad = |result: &Compared| ending(result, FailOnDifference::Worse) == Exit::Found;
    Ok(if results.iter().any(failed) {
        Exit::Failed
    } else if results.iter().any(bad) {
        Exit::Found
    } else {
        Exit::Good
    })
}

/// The directories with a manifest, in the order of their names.
fn cases(dir: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(dir).with_context(|| format!("could not list {}", dir.display()))?;
    let paths = entries.filter_map(|entry| entry.ok().map(|entry| entry.path()));
    let mut cases: Vec<_> = paths.filter(|path| path.join(MANIFEST).is_file()).collect();
    cases.sort();
    if cases.is_empty() {
        bail!("{}: there is no case in it; `enrollscope suite add` makes one", dir.display());
    }
    Ok(cases)
}

fn is_called(case: &Path, name: &str) -> bool {
    case.file_name().is_some_and(|own| own == name)
}

fn one(case: &Path, args: &SuiteRunArgs, target: &Target<'_>, logins: &Logins, out: Output) -> Compared {
    let name = case.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let aside = |aside: Aside| Compared {
        title: name.clone(),
        sides: ("recorded".to_owned(), "now".to_owned()),
        comparison: Comparison::default(),
        expectations: Vec::new(),
        aside: Some(aside),
    };
    let today = jiff::Zoned::now().date();
    let manifest = match Manifest::read(case) {
        Ok(manifest) => manifest,
        Err(error) => return aside(Aside::Failed(format!("{error:#}"))),
    };
    match manifest.expiry() {
        Ok(Some(day)) if day <= today => {
            return aside(Aside::Skipped(format!("it expired on {day}: renew it, or remove its directory")));
        }
        Ok(_) | Err(_) => {}
    }
    out.note(&format!("== {name}"));
    let tried = tried(case, &name, &manifest, args, target, logins, out);
    tried.unwrap_or_else(|error| aside(Aside::Failed(format!("{error:#}"))))
}

fn tried(
    case: &Path,
    name: &str,
    manifest: &Manifest,
    args: &SuiteRunArgs,
    target: &Target<'_>,
    logins: &Logins,
    out: Output,
) -> Result<Compared> {
    let stories = stories(&Inputs::of(&[case.join(&manifest.capture)])?, Profile::Field)?;
    if stories.is_empty() {
        bail!("there is no enrollment in {}", manifest.capture);
    }
    let users: Vec<_> = stories.iter().filter_map(|story| story.enrollment.user.as_deref()).collect();
    let users = users.join(",");
    let variables = [
        ("ENROLLSCOPE_CASE", name),
        ("ENROLLSCOPE_TICKET", manifest.ticket.as_deref().unwrap_or_default()),
        ("ENROLLSCOPE_USERS", &users),
        ("ENROLLSCOPE_TO", args.target.to.as_deref().unwrap_or_default()),
    ];
    let before = hook("--before", args.before.as_deref(), &variables);
    let replay = before.and_then(|()| replayed(&stories, target, logins, 1, Profile::Field, out));
    // Whatever came of it: half of what `--before` does may be done.
    let after = hook("--after", args.after.as_deref(), &variables);
    let replay = replay?;
    after?;
    if let Some(left) = replay.iter().find(|replayed| replayed.story.is_none()) {
        bail!("{}", left.ended);
    }
    let expectations = manifest.expectations()?;
    let run = Run { title: name, expectations: &expectations, ignore: &args.ignore };
    Ok(run.compared(&stories, &replay))
}

/// Prepares the server's state, or puts it back; what it prints goes to stderr.
fn hook(option: &str, command: Option<&str>, variables: &[(&str, &str)]) -> Result<()> {
    let Some(command) = command else { return Ok(()) };
    let output = shell(command, variables).stderr(std::process::Stdio::inherit()).output();
    let output = output.with_context(|| format!("{option}: could not run `{command}`"))?;
    if !output.status.success() {
        bail!("{option}: `{command}` ends with {}", output.status);
    }
    Ok(())
}

fn told(results: &[Compared], format: ComparisonFormat, out: Output) -> String {
    match format {
        ComparisonFormat::Human => {
            let lines = results.iter().map(|result| comparison::case(result, out.colour()));
            lines.chain(std::iter::once(summary(results))).collect()
        }
        ComparisonFormat::Json => {
            let all: Vec<_> = results.iter().map(comparison::json).collect();
            format!("{:#}\n", serde_json::json!({ "cases": all }))
        }
        ComparisonFormat::Junit => comparison::junit(results, false),
        ComparisonFormat::Markdown => results.iter().map(comparison::markdown).collect(),
    }
}

fn summary(results: &[Compared]) -> String {
    let count = |wanted: &dyn Fn(&Compared) -> bool| results.iter().filter(|result| wanted(result)).count();
    let skipped = count(&|result| matches!(result.aside, Some(Aside::Skipped(_))));
    let failed = count(&|result| matches!(result.aside, Some(Aside::Failed(_))));
    let bad =
        count(&|result| result.aside.is_none() && ending(result, FailOnDifference::Worse) == Exit::Found);
    let good = results.len() - skipped - failed - bad;
    let cases = if results.len() == 1 { "1 case".to_owned() } else { format!("{} cases", results.len()) };
    format!("{cases}: {good} as expected, {bad} not, {failed} could not be replayed, {skipped} skipped\n")
}

fn minimise(args: &SuiteMinimiseArgs, out: Output) -> Result<Exit> {
    let mut manifest = Manifest::read(&args.case)?;
    let from = args.case.join(&manifest.capture);
    let part = slice(&Inputs::of(&[from])?, Profile::Field, Ok, |event, _| event)?;
    let count = |events: &[crate::event::Event]| {
        events.iter().filter(|event| matches!(event, crate::event::Event::Exchange(_))).count()
    };
    let expectations = manifest.expectations()?;
    if let Some(never) = expectations.iter().find(|e| !can_be_met(e, &part.stories)) {
        bail!(
            "{}: {never} cannot be met: the recording has no answer that breaks this rule",
            args.case.display()
        );
    }
    let small = minimised(&part.events, &expectations);
    let (before, after) = (count(&part.events), count(&small));
    if after == 0 {
        bail!("{}: what it expects needs none of its exchanges; nothing was changed", args.case.display());
    }
    if after == before {
        out.print(&format!("{}: nothing can go, all {before} exchanges are needed\n", args.case.display()));
        return Ok(Exit::Good);
    }
    let to = "minimised.jsonl";
    let path = args.case.join(to);
    if path.exists() {
        bail!("{} is there already, and is left as it is; remove it first", path.display());
    }
    write(&path, &part.header, &small)?;
    let whole = std::mem::replace(&mut manifest.capture, to.to_owned());
    manifest.write(&args.case)?;
    out.print(&format!(
        "{}: {after} of {before} exchanges are left, in {to}; {whole} is as it was\n",
        args.case.display()
    ));
    Ok(Exit::Good)
}
