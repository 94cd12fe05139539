//! The verdict of an enrollment: what happened, who has to act, what the user sees.

use super::hresult::hresult;
use crate::enrollment::{Cause, Enrollment, Flow, Outcome, Stage};
use crate::event::Time;
use crate::rules::{Subject, fault_owner};

/// The longest verdict, in characters.
const LONGEST: usize = 160;

/// Sets sentence, owner and code from how things stand.
pub fn judge(enrollment: &mut Enrollment) {
    let (sentence, owner, code) = match (enrollment.outcome, &enrollment.cause) {
        (Outcome::Enrolled, _) if enrollment.flow == Flow::Renewal => {
            ("Renewed; the new certificate was delivered".to_owned(), None, None)
        }
        (Outcome::Enrolled, _) if enrollment.stage == Some(Stage::FirstSync) => {
            ("Enrolled; the first management session has begun".to_owned(), None, None)
        }
        (Outcome::Enrolled, _) if enrollment.signs.unsynced => {
            let sentence = "Enrolled, and no management session came: is ADDR of the document at a host that comes by here?";
            (sentence.to_owned(), Some(Subject::Network), None)
        }
        (Outcome::Enrolled, _) => {
            ("Enrolled; the certificate and the settings were delivered".to_owned(), None, None)
        }
        (Outcome::Failed, cause) => failed(enrollment, cause),
        (Outcome::Stalled, _) => stalled(enrollment),
        (Outcome::InProgress, Cause::Finding { rule, found, hresult, subject }) => {
            (finding(rule, found), Some(*subject), *hresult)
        }
        (Outcome::InProgress, Cause::NoAnswer(_)) => {
            (format!("No answer {}; the device may try again", at(enrollment)), Some(Subject::Server), None)
        }
        (Outcome::InProgress, _) => (waiting(enrollment), None, None),
    };
    enrollment.verdict = shorten(sentence);
    enrollment.owner = owner;
    enrollment.hresult = code;
}

fn failed(enrollment: &Enrollment, cause: &Cause) -> (String, Option<Subject>, Option<u32>) {
    match cause {
        Cause::Fault { word, reason, hresult: code } => {
            let meaning = code.and_then(hresult).map(|(_, meaning)| meaning);
            let why = meaning.unwrap_or_else(|| reason.clone());
            let code_text = code.map(|c| format!(" (0x{c:08X})")).unwrap_or_default();
            (
                format!("The server declined {}: {word}, {why}{code_text}", at(enrollment)),
                Some(fault_owner(word)),
                *code,
            )
        }
        Cause::TermsRefused { said, by_user: true } => {
            (format!("The user did not accept the terms of use ({said})"), Some(Subject::Identity), None)
        }
        Cause::TermsRefused { said, by_user: false } => {
            (format!("The terms of use ended with an error: {said}"), Some(Subject::Server), None)
        }
        Cause::Status(status) => {
            let code = 0x8019_0000 | u32::from(*status);
            let sentence =
                format!("HTTP {status} without a fault {}; the device shows 0x{code:08X}", at(enrollment));
            (sentence, Some(Subject::Server), Some(code))
        }
        Cause::NoAnswer(Some(why)) => (
            format!("The server gave no answer {}: {why}", at(enrollment)),
            Some(Subject::Server),
            Some(0x8019_01F6),
        ),
        Cause::NoAnswer(None) => (
            format!("The exchange broke off {}, and the device did not try again", at(enrollment)),
            Some(Subject::Network),
            None,
        ),
        Cause::Finding { rule, found, hresult: code, subject } => {
            (finding(rule, found), Some(*subject), *code)
        }
        Cause::None => (format!("The enrollment ended {}", at(enrollment)), None, None),
    }
}

fn finding(rule: &crate::rules::Rule, found: &str) -> String {
    let name = rule.name.replace('-', " ");
    let found: String = found.chars().take(60).collect();
    format!("{}: {name} ({found})", rule.id)
}

/// Silence is a verdict too: what was expected, and what to check first.
fn stalled(enrollment: &Enrollment) -> (String, Option<Subject>, Option<u32>) {
    let several = if enrollment.threads > 1 {
        format!(" ({} devices or attempts)", enrollment.threads)
    } else {
        String::new()
    };
    let (next, check, owner) = match enrollment.stage {
        Some(Stage::Terms) => (
            "no Discover after the terms of use",
            "did the user accept them? does their redirect lead back to the device?",
            Subject::Device,
        ),
        Some(Stage::SignIn) if enrollment.signs.has_token => (
            "a token was handed over, and no policy request came",
            "can the device reach and trust the policy service?",
            Subject::Device,
        ),
        Some(Stage::SignIn) => (
            "the page was fetched, and no token came",
            "did the user sign in? does the last page post wresult to appru?",
            Subject::Device,
        ),
        Some(Stage::Discovery) if enrollment.auth.is_none() => (
            "no Discover after the probe",
            "the user may be asked for the address, or the device distrusts TLS",
            Subject::Device,
        ),
        Some(Stage::Discovery) if enrollment.flow == Flow::Federated => (
            "no sign-in, or it went past us",
            "can the browser window reach AuthenticationServiceUrl? did the user cancel?",
            Subject::Device,
        ),
        Some(Stage::Discovery) => (
            "no policy request",
            "can the device reach and trust the advertised addresses? did the user cancel?",
            Subject::Device,
        ),
        Some(Stage::Policy) => (
            "no certificate request",
            "could the device make its key? look at TPM, key length and providers",
            Subject::Device,
        ),
        _ => ("nothing more", "look at the device's event log", Subject::Device),
    };
    (format!("Stuck {}{several}: {next}; {check}", at(enrollment)), Some(owner), None)
}

/// The verdict as it is told at `now`: of who is stuck also for how long.
pub fn told(enrollment: &Enrollment, now: Time) -> String {
    let stuck = format!("Stuck {}", at(enrollment));
    match enrollment.verdict.strip_prefix(&stuck) {
        // Not if it is told already.
        Some(rest) if enrollment.outcome == Outcome::Stalled && !rest.starts_with(" for ") => {
            shorten(format!("{stuck} for {}{rest}", span(enrollment.silent_for(now))))
        }
        _ => enrollment.verdict.clone(),
    }
}

/// `45 s`, `4 min 10 s`, `3 h 5 min`, `2 days`
fn span(millis: i64) -> String {
    let seconds = millis.max(0) / 1000;
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match (minutes, hours, days) {
        (0, ..) => format!("{seconds} s"),
        (_, 0, _) => format!("{minutes} min {} s", seconds % 60),
        (.., 0) => format!("{hours} h {} min", minutes % 60),
        (.., 1) => format!("a day and {} h", hours % 24),
        _ => format!("{days} days"),
    }
}

fn waiting(enrollment: &Enrollment) -> String {
    match enrollment.stage {
        None => "Connected".to_owned(),
        Some(Stage::Discovery) if enrollment.auth.is_none() => "Waiting for Discover".to_owned(),
        Some(Stage::Terms) => "Waiting for Discover after the terms of use".to_owned(),
        Some(Stage::Discovery) if enrollment.flow == Flow::Federated => {
            "Waiting for the sign-in page".to_owned()
        }
        Some(Stage::SignIn) => "Waiting for the user to sign in".to_owned(),
        Some(Stage::Discovery) => "Waiting for the policy request".to_owned(),
        Some(Stage::Policy) => "Waiting for the certificate request".to_owned(),
        Some(Stage::Certificate) => "Waiting for the certificate".to_owned(),
        Some(Stage::Configuration | Stage::FirstSync) => {
            "Waiting for the first management session".to_owned()
        }
    }
}

fn at(enrollment: &Enrollment) -> String {
    enrollment.stage.map(|stage| format!("at {}", stage.title())).unwrap_or_default()
}

fn shorten(sentence: String) -> String {
    if sentence.chars().count() <= LONGEST {
        return sentence;
    }
    let mut short: String = sentence.chars().take(LONGEST - 1).collect();
    short.push('…');
    short
}
