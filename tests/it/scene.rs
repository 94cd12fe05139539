//! A recording that tests change in one place, and documents to put into it.

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use enrollscope::event::{Body, Event, Exchange, Header, Request, Response, Side, Time};
use enrollscope::message::{Kind, decode_base64, read_request};
use enrollscope::rules::Step;

/// A recording that is being changed.
pub struct Scene(pub Vec<Event>);

impl Scene {
    pub fn at(&self, step: Step) -> usize {
        self.0.iter().position(|event| step_of(event) == Some(step)).unwrap()
    }

    pub fn exchange(&mut self, step: Step) -> &mut Exchange {
        let at = self.at(step);
        let Event::Exchange(exchange) = &mut self.0[at] else { panic!() };
        Arc::make_mut(exchange)
    }

    pub fn response(&mut self, step: Step, change: impl FnOnce(&mut Response)) {
        change(self.exchange(step).response.as_mut().unwrap());
    }

    pub fn headers(&mut self, step: Step, side: Side, change: impl FnOnce(&mut Vec<Header>)) {
        change(parts(self.exchange(step), side).0);
    }

    pub fn header(&mut self, step: Step, side: Side, name: &str, value: &'static str) {
        self.headers(step, side, |headers| {
            headers.retain(|h| !h.name.eq_ignore_ascii_case(name));
            headers.push(Header::new(name, value));
        });
    }

    pub fn body(&mut self, step: Step, side: Side) -> String {
        String::from_utf8(parts(self.exchange(step), side).1.bytes.to_vec()).unwrap()
    }

    /// Every occurrence of a text in a body becomes another one; there must be one.
    pub fn text(&mut self, step: Step, side: Side, from: &str, to: &str) {
        let text = self.body(step, side);
        assert!(text.contains(from), "{step:?} {side:?} has no {from}");
        let (headers, body) = parts(self.exchange(step), side);
        replace(headers, body, text.replace(from, to));
    }

    /// From the first `start` to the next `end`, both included, becomes another text.
    pub fn part(&mut self, step: Step, side: Side, start: &str, end: &str, to: &str) {
        let text = cut(&self.body(step, side), start, end, to);
        let (headers, body) = parts(self.exchange(step), side);
        replace(headers, body, text);
    }

    /// The base64 of the token in the body.
    pub fn token(&mut self, side: Side) -> String {
        let text = self.body(Step::Token, side);
        let text = &text[text.find("Body>").unwrap()..];
        let start = text.find("BinarySecurityToken ").unwrap();
        let start = start + text[start..].find('>').unwrap() + 1;
        text[start..start + text[start..].find('<').unwrap()].trim().to_owned()
    }

    /// The same as [`Self::part`] in the provisioning document.
    pub fn document(&mut self, start: &str, end: &str, to: &str) {
        let token = self.token(Side::Response);
        let document = String::from_utf8(decode_base64(&token).unwrap()).unwrap();
        self.text(Step::Token, Side::Response, &token, &STANDARD.encode(cut(&document, start, end, to)));
    }

    pub fn whole_document(&mut self, document: &str) {
        let token = self.token(Side::Response);
        self.text(Step::Token, Side::Response, &token, &STANDARD.encode(document));
    }

    /// A document of the specifications with its placeholders filled in by the golden's certificates, its ampersands
    /// escaped and its comments mended: as printed it is not well-formed.
    pub fn published_document(&mut self, name: &str) {
        let token = self.token(Side::Response);
        let own = String::from_utf8(decode_base64(&token).unwrap()).unwrap();
        let nodes: Vec<_> = own
            .split("<characteristic type=\"")
            .skip(1)
            .filter(|n| n.contains("EncodedCertificate"))
            .collect();
        let node = |at: usize| {
            let (thumbprint, rest) = nodes[at].split_once('"').unwrap();
            let value =
                rest.split("EncodedCertificate\" value=\"").nth(1).unwrap().split('"').next().unwrap();
            (thumbprint.to_owned(), value.to_owned())
        };
        let (root, client) = (node(0), node(nodes.len() - 1));
        let text = example(name).replace("&Stores", "&amp;Stores");
        let mut lines: Vec<String> = Vec::new();
        let mut in_my = false;
        for line in text.lines().filter(|line| !line.contains("<!—")) {
            in_my |= line.contains("type=\"My\"");
            let (thumbprint, value) = if in_my { &client } else { &root };
            let kind =
                line.trim().strip_prefix("<characteristic type=\"").and_then(|l| l.strip_suffix("\">"));
            let is_thumbprint =
                kind.is_some_and(|k| k.len() == 40 && k.bytes().all(|b| b.is_ascii_hexdigit()));
            lines.push(match () {
                () if line.contains("EncodedCertificate") => {
                    format!("<parm name=\"EncodedCertificate\" value=\"{value}\"/>")
                }
                () if is_thumbprint => format!("<characteristic type=\"{thumbprint}\">"),
                () => line.to_owned(),
            });
        }
        self.whole_document(&lines.join("\n"));
    }
}

pub fn parts(exchange: &mut Exchange, side: Side) -> (&mut Vec<Header>, &mut Body) {
    match side {
        Side::Request => (&mut exchange.request.headers, &mut exchange.request.body),
        Side::Response => {
            let response = exchange.response.as_mut().unwrap();
            (&mut response.headers, &mut response.body)
        }
    }
}

pub fn replace(headers: &mut [Header], body: &mut Body, text: String) {
    for header in headers.iter_mut().filter(|h| h.name == "Content-Length") {
        header.value = text.len().to_string().into();
    }
    body.length = text.len() as u64;
    body.bytes = text.into();
}

pub fn cut(text: &str, start: &str, end: &str, to: &str) -> String {
    let from = text.find(start).unwrap_or_else(|| panic!("no {start}"));
    let inside = from + start.len();
    let until = inside + text[inside..].find(end).unwrap_or_else(|| panic!("no {end}")) + end.len();
    format!("{}{to}{}", &text[..from], &text[until..])
}

pub fn compress(response: &mut Response) {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(&response.body.bytes).unwrap();
    let bytes = encoder.finish().unwrap();
    response.headers.retain(|h| h.name != "Content-Length");
    response.headers.push(Header::new("Content-Length", bytes.len().to_string()));
    response.headers.push(Header::new("Content-Encoding", "gzip"));
    response.body = Body { encoding: Some("gzip".to_owned()), ..Body::full(bytes) };
}

pub fn step_of(event: &Event) -> Option<Step> {
    let Event::Exchange(exchange) = event else { return None };
    match read_request(&exchange.request).kind {
        Kind::DiscoveryProbe => Some(Step::Probe),
        Kind::DiscoverRequest => Some(Step::Discover),
        Kind::GetPoliciesRequest => Some(Step::Policies),
        Kind::SecurityTokenRequest => Some(Step::Token),
        Kind::ManagementSync => Some(Step::Sync),
        _ => None,
    }
}

pub fn data(folder: &str, name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(folder).join(name);
    std::fs::read_to_string(path).unwrap()
}

pub fn example(name: &str) -> String {
    data("examples", name)
}

/// An exchange of the real enrollment, at a time when its certificate was valid.
pub fn recorded(request: &str, response: &str, second: i64) -> Event {
    let answer = data("real", response);
    let answer = answer.split_once("\r\n\r\n").or_else(|| answer.split_once("\n\n")).unwrap().1.to_owned();
    let at = Time(1_675_000_000_000).plus_millis(second * 1_000);
    let kind = || Header::new("Content-Type", "application/soap+xml; charset=utf-8");
    Event::Exchange(Arc::new(Exchange {
        seq: second.unsigned_abs() + 1,
        request: Request {
            at,
            method: "POST".to_owned(),
            target: "/EnrollmentServer/Enrollment.svc".to_owned(),
            headers: vec![kind(), Header::new("User-Agent", "ENROLLClient")],
            body: Body::full(data("real", request)),
            ..Request::default()
        },
        response: Some(Response {
            at: at.plus_millis(20),
            status: 200,
            headers: vec![kind()],
            body: Body::full(answer),
            ..Response::default()
        }),
        ..Exchange::default()
    }))
}
