//! An example's edit in words.

use crate::diagnosis::hresult;
use crate::event::Side;
use crate::rules::{Change, Edit, Example, Part, Rule, Step, Subject};

/// The edit in one sentence, without a full stop.
pub fn describe(example: &Example) -> String {
    let words = edit(&example.edit);
    let mut letters = words.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

fn edit(edit: &Edit) -> String {
    match *edit {
        Edit::Several(edits) => several(edits),
        Edit::Stop(step) => format!("the device stops before it sends {}", of(step, Side::Request)),
        Edit::Drop(step) => format!("{} is not seen", of(step, Side::Request)),
        Edit::Connection(what) => connection(what),
        Edit::Own(what) => own(what).to_owned(),
        Edit::Message { step, side, part, at, change } => {
            format!("in {}, {} {}", of(step, side), place(part, at), changed(part, at, change))
        }
    }
}

/// So many changes are told; the diff shows all of them.
const MOST: usize = 3;

/// Changes of one message name it once.
fn several(edits: &[Edit]) -> String {
    let mut out = String::new();
    let mut last = None;
    for (index, one) in edits.iter().enumerate() {
        if index == MOST {
            out.push_str(", and more of this kind");
            break;
        }
        let words = edit(one);
        let about = match *one {
            Edit::Message { step, side, .. } => Some((step, side)),
            _ => None,
        };
        let words = match about.filter(|_| last == about) {
            Some((step, side)) => words.replacen(&format!("in {}, ", of(step, side)), "", 1),
            None => words,
        };
        if !out.is_empty() {
            out.push_str(", and ");
        }
        out.push_str(&words);
        last = about;
    }
    out
}

fn place(part: Part, at: &str) -> String {
    match part {
        Part::Body if at.is_empty() => "the body".to_owned(),
        Part::Body => format!("`{}`", end(at)),
        Part::Header(name) => format!("the header `{name}`"),
        Part::Target => "the target".to_owned(),
        Part::Status => "the status".to_owned(),
        Part::Framing => "the framing".to_owned(),
        Part::Provisioning if at.is_empty() => "the provisioning document".to_owned(),
        Part::Provisioning => format!("`{}` of the provisioning document", end(at)),
        Part::Csr => "the certificate request".to_owned(),
        Part::Certificate => "the issued certificate".to_owned(),
    }
}

/// The path's last two elements; the whole of it can be looked up in the example itself.
fn end(path: &str) -> &str {
    let path = path.strip_prefix("…/").unwrap_or(path);
    path.rmatch_indices('/')
        .filter(|(at, _)| path.get(at + 1..at + 2) != Some("@"))
        .nth(1)
        .map_or(path, |(at, _)| path.get(at + 1..).unwrap_or(path))
}

fn changed(part: Part, at: &str, change: Change) -> String {
    let whole = at.is_empty() && matches!(part, Part::Body | Part::Provisioning);
    match change {
        Change::Rename(start) if whole => format!("starts with `{start}`"),
        Change::Corrupt if whole => "lacks its end tag".to_owned(),
        Change::Corrupt if part == Part::Csr => "has another last byte".to_owned(),
        Change::Delete if part == Part::Csr => "is cut in half".to_owned(),
        Change::Insert(_) if part == Part::Csr => "has more bytes behind it".to_owned(),
        Change::Set("") => "is empty".to_owned(),
        Change::Set(value) if value.chars().count() > 60 => "says something else".to_owned(),
        Change::Set(value) => format!("is `{}`", value.replace('\n', "↵")),
        Change::Delete => "is missing".to_owned(),
        Change::Duplicate => "is there twice".to_owned(),
        Change::Insert(xml) if xml.chars().count() > 60 => "has something more in it".to_owned(),
        Change::Insert(xml) => format!("has `{}` in it", xml.replace('\n', "↵")),
        Change::MoveBefore(sibling) => format!("stands before `{sibling}`"),
        Change::Rename(name) => format!("is called `{name}`"),
        Change::Corrupt => "is damaged".to_owned(),
        Change::Variant(name) => variant(name).to_owned(),
    }
}

/// What the simulated device or authority makes differently from the start.
fn variant(name: &'static str) -> &'static str {
    match name {
        "other-key" => "is for another key than the request's",
        "expired" => "has expired",
        "not-yet-valid" => "is not valid yet",
        "no-client-auth" => "is for servers only",
        "leaf-in-root" => "comes with an intermediate in the place of the root",
        "other-authority" => "comes with the root of another authority",
        "short-lived" => "ends in a month",
        "weak-hash" => "is signed with MD5",
        "two-values" => "has an attribute with two values",
        "server-auth" => "asks for a server's certificate",
        "long-name" => "has a common name of more than 64 characters",
        "other-device" => "names another device in its own extension",
        "elliptic-key" => "has a key on an elliptic curve",
        "small-exponent" => "has an RSA key with the public exponent 3",
        "no-renewal-attribute" => "does not name the certificate that it is to replace",
        "other-content" => "calls its content something else than data",
        "changed-content" => "is not what was signed",
        "no-certificate" => "lacks the signer's certificate",
        "other-holder" => "is signed by somebody else",
        "wrapped" => "is broken into lines",
        other => other,
    }
}

fn connection(what: &str) -> String {
    if let Some(host) = what.strip_prefix("sni=") {
        return format!("the device asks for `{host}`, which the certificate does not name");
    }
    match what {
        "silent" => {
            "the device closes the connection after it has seen the certificate, without an alert".to_owned()
        }
        "plain-http" => "the device speaks plain HTTP to the TLS listener".to_owned(),
        "refused" => "the listener refuses the handshake: there is no TLS version in common".to_owned(),
        "late" => "the device connects twenty years later, when the certificate has long expired".to_owned(),
        "client-certificate" => "the device shows a client certificate".to_owned(),
        "no-client-certificate" => "the device shows no client certificate".to_owned(),
        "not-asked" => {
            "the server asks for client certificates, and enrollscope did not ask the device".to_owned()
        }
        "in-the-clear" => "the device comes to the listener for plain HTTP".to_owned(),
        "tls-in-front" => "a front end ends the device's TLS and passes on HTTP".to_owned(),
        alert => format!("the device ends the TLS handshake with the alert `{alert}`"),
    }
}

/// What the tool itself does or meets, on the exchange in which the device discovers.
fn own(what: &'static str) -> &'static str {
    match what {
        "unverified" => "the server's certificate was not verified",
        "unreachable" => "the server refuses the connection, and enrollscope answers 502",
        "rewritten" => "enrollscope puts its own address into the discovery answer",
        "cut" => "the answer ends before it is complete",
        "compressed" => "the answer is compressed with gzip, which the device did not ask for",
        "error-page" => "an HTML page with the status 500 is answered instead of a SOAP fault",
        "newer-tls" => "the server chooses a cipher that the device does not offer",
        "long" => "the answer has 1 MiB of blanks behind it",
        "slow" => "the answer begins after 45 seconds",
        "certificate-in-header" => {
            "the server asks for the device's certificate in TLS, and gets it in a header"
        }
        "version" => "the request comes as HTTP/2 and goes to the server as HTTP/1.1",
        "joined" => "the server answers a request of HTTP/1.0 with chunks, and enrollscope joins them",
        "chunk-boundaries" => "the answer's chunks are cut otherwise than the server sent them",
        "folded-line" => "a header of the request is folded over lines, and enrollscope joins it",
        "100-continue" => "the device expects 100 Continue, and enrollscope says it",
        "one-address" => "devices at two addresses reach the server from enrollscope's",
        other => other,
    }
}

/// A message of an enrollment, as people call it.
pub(super) fn of(step: Step, side: Side) -> &'static str {
    match (step, side) {
        (Step::Terms, Side::Request) => "Entra's request for the terms of use",
        (Step::Terms, Side::Response) => "the answer with the terms of use",
        (Step::Probe, Side::Request) => "the discovery probe",
        (Step::Probe, Side::Response) => "the answer to the discovery probe",
        (Step::Discover, Side::Request) => "Discover",
        (Step::Discover, Side::Response) => "the answer to Discover",
        (Step::SignIn, Side::Request) => "the request for the sign-in page",
        (Step::SignIn, Side::Response) => "the answer with the sign-in page",
        (Step::Password, Side::Request) => "the user's sign-in",
        (Step::Password, Side::Response) => "the page with the token",
        (Step::Policies, Side::Request) => "GetPolicies",
        (Step::Policies, Side::Response) => "the answer to GetPolicies",
        (Step::Token, Side::Request) => "RequestSecurityToken",
        (Step::Token, Side::Response) => "the answer to RequestSecurityToken",
        (Step::Sync, Side::Request) => "the first management session",
        (Step::Sync, Side::Response) => "the answer in the first management session",
    }
}

/// `warning`, or `warning; strict: error`.
pub(super) fn severity(rule: &Rule) -> String {
    match (rule.severity.field.word(), rule.severity.strict.word()) {
        (field, strict) if field == strict => field.to_owned(),
        (field, strict) => format!("{field}; strict: {strict}"),
    }
}

/// Who has to act.
pub(in crate::report) fn who(subject: Subject) -> &'static str {
    match subject {
        Subject::Device => "the device, or the program that enrolls in its place",
        Subject::Server => "the enrollment server",
        Subject::Network => "the network between device and server",
        Subject::FrontEnd => "what stands before the server: its certificate, its proxy, its load balancer",
        Subject::Identity => "the identity provider: sign-in, accounts, licences, settings of the tenant",
        Subject::Enrollscope => "whoever runs enrollscope",
    }
}

/// What a code is called, and what that means: ` NAME: meaning`; empty when nobody knows.
pub(super) fn code(code: u32) -> String {
    match hresult(code) {
        Some((status, _)) if status.starts_with("HTTP") => format!(" ({status})"),
        Some((symbol, meaning)) => format!(" {symbol}: {meaning}"),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_keeps_its_last_two_elements() {
        for (path, wanted) in [
            ("Envelope/Body/Discover/request", "Discover/request"),
            ("…/a/b/@c", "a/b/@c"),
            ("a/b/c/@d", "b/c/@d"),
            ("a", "a"),
        ] {
            assert_eq!(end(path), wanted);
        }
    }

    #[test]
    fn changes_of_one_message_name_it_once() {
        const ONE: Edit = Edit::Message {
            step: Step::Discover,
            side: Side::Request,
            part: Part::Body,
            at: "a/b",
            change: Change::Delete,
        };
        assert_eq!(edit(&ONE), "in Discover, `a/b` is missing");
        assert_eq!(edit(&Edit::Several(&[ONE, ONE])), "in Discover, `a/b` is missing, and `a/b` is missing");
        assert!(edit(&Edit::Several(&[ONE; 9])).ends_with(", and more of this kind"));
    }
}
