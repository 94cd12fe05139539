//! What the server says: discovery in its forms, and what its answer leads to, all without a user.

use super::order::Judged;
use super::run::{Examination, Progress};
use super::visit::{Trouble, Visit, Way, engine};
use crate::event::{Request, Response, Side, Time, header};
use crate::message::{AuthPolicy, Content, read_response};
use crate::rules::{Change, Edit, Part, Step};
use crate::sim::{Address, Course, Device, Gained, Planned, edit_request};

/// The highest that [MS-MDE2] 2.2.9.1 has, and all below it that a device may ask with.
const VERSIONS: [&str; 7] = ["3.0", "4.0", "5.0", "6.0", "7.0", "8.0", "9.0"];

/// Windows and tokens bear so much, in milliseconds.
const SKEW: i64 = 300_000;
const SOME_SKEW: i64 = 60_000;

/// AD FS lists what it has switched on there ([MS-ADFSWAP] names its paths).
const ADFS: &str = "/adfs/";
const ADFS_METADATA: &str = "/adfs/services/trust/mex";
const USERNAME_MIXED: &str = "/adfs/services/trust/13/usernamemixed";

impl<S: FnMut(Progress<'_>)> Examination<'_, S> {
    pub(super) async fn services(&mut self) {
        let Some(mut device) = self.device() else {
            self.stop("no key can be made");
            return;
        };
        device.profile.user.clone_from(&self.means.target.user);
        let discovery = self.probe(&device).await;
        let found = self.discover(&device, &discovery).await;
        if self.visitor.exchanges.last().is_some_and(|last| last.response.is_some()) {
            self.versions_asked(&device, &discovery).await;
            self.policies_asked(&device, &discovery).await;
        } else {
            for id in ["discovery-versions", "discovery-policies"] {
                self.skip(id, "discovery was not answered");
            }
        }
        if let Some(found) = &found {
            self.sign_in_page(&device, found).await;
            self.endpoints(&device, found).await;
        } else {
            self.stop("discovery leads nowhere");
        }
        let begun = self.begin("framing");
        let framing = std::mem::take(&mut self.visitor.framing);
        let judged =
            match self.visitor.exchanges.iter().filter(|exchange| exchange.response.is_some()).count() {
                0 => Judged::skip("there was no answer to look at"),
                count => Judged::of_findings(format!("{count} answers looked at"), &framing),
            };
        self.end(begun, judged);
        if found.is_some() {
            self.user(&discovery).await;
        }
    }

    /// Where discovery is asked: the GET may be sent on. Where it is not answered, the POST still may be.
    async fn probe(&mut self, device: &Device) -> Address {
        let to = self.means.target.discovery.clone();
        let begun = self.begin("discovery-get");
        let now = self.now();
        let way = self.visitor.follow(&to, &mut engine(), |to| device.probe(to, now)).await;
        let clock = way.visit.answer.as_ref().ok().map(|response| clock(response, self.now()));
        let answered = way.visit.answer.is_ok();
        let (hops, last) = (told(&way), way.last.clone());
        let judged = match &way.visit {
            Visit { answer: Err(trouble), .. } => failed(&hops, trouble),
            Visit { answer: Ok(response), findings } => {
                let words = format!("{hops}{}", response.status);
                match response.status {
                    // Whatever the engine says of it: a device that was given an address does not ask in this way.
                    400.. => Judged::of_findings(words, findings)
                        .or_warn("Answer the GET with 200 and no body: devices that look for the server by the user's domain ask so first."),
                    _ => Judged::of_findings(words, findings),
                }
            }
        };
        self.end(begun, judged);
        match clock {
            Some(judged) => {
                let begun = self.begin("clock");
                self.end(begun, judged);
            }
            None => self.skip("clock", "there is no answer whose Date could be read"),
        }
        if answered { last } else { to }
    }

    /// What a device gets out of the answer; `None` where that is nothing.
    async fn discover(&mut self, device: &Device, to: &Address) -> Option<Found> {
        let begun = self.begin("discovery");
        let mut course = Course::new(device, to, false);
        course.resume_at(Step::Discover);
        let Some(Ok(Planned { request, .. })) = course.next(self.now()) else { return None };
        let visit = self.visitor.visit(to, request, &mut engine()).await;
        let (judged, found) = match visit {
            Visit { answer: Err(trouble), .. } => (failed("", &trouble), None),
            Visit { answer: Ok(response), findings } => {
                let found = Found::read(&response);
                match course.take(&response) {
                    Ok(words) => {
                        (Judged::of_findings(format!("{}: {words}", response.status), &findings), found)
                    }
                    Err(why) => {
                        let judged = Judged::of_findings(format!("{}: {}", response.status, why.reason), &findings)
                            .or_fail("Answer discovery as the rules say: `enrollscope rules` lists them, and the reference server (`enrollscope server`) shows one that works.")
                            .or_code(why.hresult);
                        (judged, found)
                    }
                }
            }
        };
        self.end(begun, judged);
        found
    }

    async fn versions_asked(&mut self, device: &Device, to: &Address) {
        let begun = self.begin("discovery-versions");
        let mut answers = Vec::new();
        for version in VERSIONS {
            let mut device = device.clone();
            version.clone_into(&mut device.profile.request_version);
            let request = device.discover(to, self.now());
            answers.push((version, self.answered(to, request, &["OnPremise", "Federated"]).await));
        }
        self.end(begun, Judged::of_answers(&answers));
    }

    async fn policies_asked(&mut self, device: &Device, to: &Address) {
        let begun = self.begin("discovery-policies");
        let mut answers = Vec::new();
        for policy in ["OnPremise", "Federated", "Certificate"] {
            let request = device.discover_offering(&[policy], to, self.now());
            answers.push((policy, self.answered(to, request, &[policy]).await));
        }
        // A server need not have all of them: one is enough.
        let judged = if answers.iter().any(|(_, answer)| answer.is_ok()) {
            Judged::pass(words(&answers))
        } else {
            Judged::of_answers(&answers)
        };
        self.end(begun, judged);
    }

    /// What is chosen, or how it is refused.
    async fn answered(&mut self, to: &Address, request: Request, offered: &[&str]) -> Result<String, String> {
        let Visit { answer, findings } = self.visitor.visit(to, request, &mut engine()).await;
        let response = answer.map_err(|trouble| trouble.words)?;
        let message = read_response(&response);
        let worst = findings.iter().find(|finding| finding.level == crate::rules::Level::Error);
        match (&message.content, worst) {
            (Content::DiscoverResponse(found), None) => {
                let policy = found.auth_policy.as_ref().map_or("no AuthPolicy", |policy| &policy.value);
                if offered.contains(&policy) {
                    Ok(policy.to_owned())
                } else {
                    Err(format!("{policy}, which was not offered"))
                }
            }
            (Content::Fault(fault), _) => Err(format!("refused with {}", fault.word().unwrap_or("a fault"))),
            (_, Some(worst)) => Err(format!("{} {}: {}", worst.rule.id, worst.rule.name, worst.found)),
            (_, None) => Err(format!("{} without an answer to discovery", response.status)),
        }
    }

    /// Nobody asks for anything, and has to be refused in the way that devices understand.
    async fn endpoints(&mut self, device: &Device, found: &Found) {
        let mut nobody = device.clone();
        nobody.profile.user.clear();
        nobody.profile.password.clear();
        let begun = self.begin("policy-endpoint");
        let judged = match &found.policy {
            None => Judged::skip("discovery names none, so that devices go on without a policy"),
            Some(to) => match nobody.get_policies(to, None, self.now()) {
                Ok(request) => self.refused(to, request).await,
                Err(_) => Judged::skip("the key cannot sign"),
            },
        };
        self.end(begun, judged);
        let begun = self.begin("enrollment-endpoint");
        let judged = match &found.enrollment {
            None => Judged::fail(match &found.unusable {
                Some(url) => format!("discovery names {url}, which is no address that a device follows"),
                None => "discovery names none".to_owned(),
            })
            .remedy("Have discovery name the https address of the enrollment service.")
            .code(0x8018_0006),
            Some(to) => match nobody.request_token(to, Gained::default(), self.now()) {
                // Without the request for a certificate, whatever the server makes of nobody.
                Ok(request) => self.refused(to, edit_request(&NO_REQUEST, request)).await,
                Err(_) => Judged::skip("the key cannot sign"),
            },
        };
        self.end(begun, judged);
    }

    async fn refused(&mut self, to: &Address, request: Request) -> Judged {
        let Visit { answer, findings } = self.visitor.visit(to, request, &mut engine()).await;
        let response = match answer {
            Ok(response) => response,
            Err(trouble) => return failed(&format!("{to}: "), &trouble),
        };
        let message = read_response(&response);
        let status = response.status;
        let code = |status: u16| 0x8019_0000 | u32::from(status);
        match &message.content {
            Content::Fault(fault) => {
                let word = fault.word().unwrap_or("a fault");
                Judged::of_findings(format!("{to} refuses a request without a user with {word}, as it should"), &findings)
            }
            Content::TokenResponse(_) => {
                Judged::fail(format!("{to} enrolls whoever asks, without a user")).remedy(
                    "Have the enrollment service check who asks before anything else.",
                )
            }
            Content::GetPoliciesResponse(_) => Judged::warn(format!("{to} gives its policy to nobody in particular"))
                .remedy("Have the policy service check who asks: a wrong password is told here, before the device makes its key."),
            _ if status == 401 || status == 403 => {
                Judged::warn(format!("{to} refuses a request without a user with {status}, and not with a SOAP fault"))
                    .remedy("Refuse with a SOAP fault (s:Authentication): the user sees an HTTP status instead of a reason.")
                    .code(code(status))
            }
            _ => Judged::of_findings(format!("{to} answers {status} without SOAP"), &findings)
                .or_fail("Have the service of this name answer there; as it is, devices stop.")
                .or_code(Some(code(status))),
        }
    }

    /// What the browser window of a federated device opens.
    async fn sign_in_page(&mut self, device: &Device, found: &Found) {
        let Some(to) = found.authentication.as_ref().filter(|_| found.auth == Some(AuthPolicy::Federated))
        else {
            self.skip("sign-in-page", "the server chooses no sign-in page");
            self.skip("ws-trust", "no AD FS is named");
            return;
        };
        let begun = self.begin("sign-in-page");
        let now = self.now();
        let first = device.sign_in(to, now);
        let way =
            self.visitor.follow(&to.at(&first.target), &mut engine(), |to| readdressed(&first, to)).await;
        let hops = told(&way);
        let judged = match &way.visit.answer {
            Err(trouble) => failed(&hops, trouble),
            Ok(response) => {
                let kind = header(&response.headers, "Content-Type").map(|h| h.text().into_owned());
                let page = kind.is_some_and(|kind| kind.to_ascii_lowercase().starts_with("text/html"));
                let words = format!("{hops}{} from {}", response.status, way.last.origin());
                if response.status == 200 && page {
                    Judged::of_findings(words, &way.visit.findings)
                } else {
                    Judged::of_findings(
                        format!("{words}, which is no page to sign in on"),
                        &way.visit.findings,
                    )
                    .or_fail("Have AuthenticationServiceUrl lead to an HTML page (MS-MDE2 3.2).")
                    .or_code(Some(0x8018_000F))
                }
            }
        };
        self.end(begun, judged);
        match [to, &way.last].into_iter().find(|at| at.target.to_ascii_lowercase().starts_with(ADFS)) {
            Some(at) => self.ws_trust(&at.at(ADFS_METADATA), &first).await,
            None => self.skip("ws-trust", "no AD FS is named"),
        }
    }

    /// Devices that join by themselves sign in at AD FS without a page.
    async fn ws_trust(&mut self, to: &Address, like: &Request) {
        let begun = self.begin("ws-trust");
        let Visit { answer, .. } = self.visitor.visit(to, readdressed(like, to), &mut engine()).await;
        let judged = match answer {
            Err(trouble) => failed(&format!("{to}: "), &trouble),
            Ok(response) if response.status != 200 => Judged::warn(format!(
                "{to} answers {}, so what is switched on cannot be told",
                response.status
            ))
            .remedy("Switch the metadata exchange endpoint of AD FS on, and publish it by its proxy."),
            Ok(response) => {
                let text = String::from_utf8_lossy(&response.body.bytes).to_ascii_lowercase();
                if text.contains(USERNAME_MIXED) {
                    Judged::pass(format!("{USERNAME_MIXED} is switched on"))
                } else {
                    Judged::fail(format!("{USERNAME_MIXED} is not among what AD FS has switched on"))
                        .remedy("On the AD FS server: Enable-AdfsEndpoint -TargetAddressPath /adfs/services/trust/13/UsernameMixed, and on its proxy Set-AdfsEndpoint … -Proxy $true; then restart the service.")
                }
            }
        };
        self.end(begun, judged);
    }
}

/// The request for a certificate is left out.
const NO_REQUEST: Edit = Edit::Message {
    step: Step::Token,
    side: Side::Request,
    part: Part::Body,
    at: "Envelope/Body/RequestSecurityToken/BinarySecurityToken",
    change: Change::Set(""),
};

/// What a discovery answer names.
pub(super) struct Found {
    auth: Option<AuthPolicy>,
    policy: Option<Address>,
    enrollment: Option<Address>,
    authentication: Option<Address>,
    /// What is given as the enrollment service's address and is none.
    unusable: Option<String>,
}

impl Found {
    fn read(response: &Response) -> Option<Self> {
        let message = read_response(response);
        let Content::DiscoverResponse(found) = &message.content else { return None };
        let url = |field: &Option<crate::message::Field>| Address::parse(&field.as_ref()?.value);
        Some(Self {
            auth: found.auth_policy.as_ref().and_then(|policy| AuthPolicy::parse_any_case(&policy.value)),
            policy: url(&found.policy_url),
            enrollment: url(&found.enrollment_url),
            authentication: url(&found.authentication_url),
            unusable: found
                .enrollment_url
                .as_ref()
                .filter(|field| !field.value.is_empty())
                .map(|field| field.value.chars().take(120).collect()),
        })
    }
}

/// The same request to where a redirect leads.
pub(super) fn readdressed(request: &Request, to: &Address) -> Request {
    let mut request = Request { target: to.target.clone(), ..request.clone() };
    for header in request.headers.iter_mut().filter(|h| h.name.eq_ignore_ascii_case("host")) {
        header.value = to.authority().into();
    }
    request
}

/// `302 to https://…, `
fn told(way: &Way) -> String {
    way.hops.iter().map(|(_, status, to)| format!("{status} to {to}, ")).collect()
}

pub(super) fn failed(before: &str, trouble: &Trouble) -> Judged {
    let words = format!("{before}{}", trouble.words);
    let judged = if trouble.untried { Judged::skip(words) } else { Judged::fail(words) };
    match trouble.remedy {
        Some(remedy) => judged.remedy(remedy),
        None => judged.remedy("Look at what answers there, and at its log; then run this again."),
    }
    .code(trouble.hresult)
}

/// `3.0 and 4.0: Federated; 9.0: refused with …`
fn words(answers: &[(&str, Result<String, String>)]) -> String {
    let mut groups: Vec<(Vec<&str>, &str)> = Vec::new();
    for (asked, answer) in answers {
        let (Ok(words) | Err(words)) = answer;
        match groups.iter_mut().find(|(_, known)| known == words) {
            Some((group, _)) => group.push(asked),
            None => groups.push((vec![asked], words)),
        }
    }
    let told: Vec<_> = groups.iter().map(|(asked, words)| format!("{}: {words}", asked.join(", "))).collect();
    told.join("; ")
}

impl Judged {
    fn of_answers(answers: &[(&str, Result<String, String>)]) -> Self {
        let good = answers.iter().filter(|(_, answer)| answer.is_ok()).count();
        let remedy = "Answer all of them, with the highest version that the server knows: Windows does not try a lower one.";
        match good {
            0 => Self::fail(words(answers)).remedy(remedy).code(0x8018_0001),
            _ if good == answers.len() => Self::pass(words(answers)),
            _ => Self::warn(words(answers)).remedy(remedy),
        }
    }
}

/// Two clocks: the server's and this machine's.
fn clock(response: &Response, now: Time) -> Judged {
    let date = header(&response.headers, "Date").map(|date| date.text().into_owned());
    let Some(date) = date else { return Judged::skip("the answer has no Date") };
    let shown: String = date.chars().take(60).collect();
    let Some(at) = http_date(&date) else {
        return Judged::warn(format!("Date is `{shown}`, which is no HTTP date"))
            .remedy("Have the server write Date as RFC 9110 5.6.7 has it.");
    };
    let off = at.since(now);
    let words = match off.abs() {
        // It tells whole seconds.
        ..2_000 => "the server's clock and this machine's agree".to_owned(),
        apart => format!(
            "the server's clock is {} s {} this machine's",
            apart / 1000,
            if off > 0 { "ahead of" } else { "behind" }
        ),
    };
    let remedy = "Set the clock that is wrong: the server's, or this machine's. Tokens and signatures are refused when devices and servers disagree.";
    if off.abs() < SOME_SKEW {
        Judged::pass(words)
    } else if off.abs() < SKEW {
        Judged::warn(words).remedy(remedy)
    } else {
        Judged::fail(words).remedy(remedy).code(0x8018_0007)
    }
}

/// RFC 9110 5.6.7, the form that is written today.
fn http_date(text: &str) -> Option<Time> {
    let time = jiff::fmt::rfc2822::parse(text.trim()).ok()?;
    Some(Time(time.timestamp().as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_that_are_alike_are_told_once() {
        let ok = |words: &str| Ok(words.to_owned());
        let answers = [
            ("3.0", ok("OnPremise")),
            ("4.0", ok("OnPremise")),
            ("9.0", Err("refused with a fault".to_owned())),
        ];
        assert_eq!(words(&answers), "3.0, 4.0: OnPremise; 9.0: refused with a fault");
    }

    #[test]
    fn clocks_are_compared() {
        let now = Time::parse("2026-11-28T12:00:00.500Z").unwrap();
        let with = |date: &str| {
            let headers = vec![crate::event::Header::new("Date", date.to_owned())];
            clock(&Response { headers, ..Response::default() }, now).status.word()
        };
        assert_eq!(with("Sat, 28 Nov 2026 12:00:00 GMT"), "pass");
        assert_eq!(with("Sat, 28 Nov 2026 12:02:00 GMT"), "warn");
        assert_eq!(with("Sat, 28 Nov 2026 11:00:00 GMT"), "fail");
        assert_eq!(with("today"), "warn");
    }
}
