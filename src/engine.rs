//! Event in, observation out: the one judgement that the proxy, `check`, `open` and every test share. No clock, no I/O;
//! the same events give the same observations, everywhere, on every run.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::cell::Cell;
use std::collections::{HashMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::diagnosis;
use crate::dialogue::Dialogue;
use crate::enrollment::{
    Cause, Correlator, Deadlines, Ending, Enrollment, EnrollmentId, Flow, Link, Noticed, Placement, Traits,
};
use crate::event::{
    Body, Connection, ConnectionEvent, ConnectionId, Delivery, Event, Exchange, ExchangeId, Side, Time,
    header,
};
use crate::message::certificate::{Certificate, algorithm_name};
use crate::message::{
    AuthPolicy, Content, Credential, Jwt, Kind, Message, Provisioning, Within, read_answer, read_body,
    read_request, token_hash,
};
use crate::redact::HIDDEN_FACT;
use crate::rules::{
    self, Context, Evidence, Finding, MAX_EVIDENCE, MAX_LOCATED, PANIC, Profile, Rule, Verdict,
};

/// Device connections whose facts are kept; beyond it the oldest are forgotten.
const MAX_CONNECTIONS: usize = 20_000;

/// Exchanges whose delivery is awaited; the word comes within seconds.
const MAX_DELIVERING: usize = 4096;

/// Judges events in their order. One thread owns it; a copy judges on from the same state.
#[derive(Clone, Debug, Default)]
pub struct Engine {
    profile: Profile,
    deadlines: Deadlines,
    correlator: Correlator,
    connections: HashMap<ConnectionId, Arc<Connection>>,
    connection_order: VecDeque<ConnectionId>,
    /// The latest exchanges by `seq`, for the word on how their delivery ended.
    delivering: VecDeque<(u64, EnrollmentId)>,
    now: Time,
}

/// All there is to know about one event; the only thing that presentation ever sees.
#[derive(Clone, Debug)]
pub struct Observation {
    pub event: Event,
    /// What the exchange's messages are.
    pub request: Option<Kind>,
    pub response: Option<Kind>,
    pub enrollment: Option<EnrollmentId>,
    pub link: Option<Link>,
    /// By rule in the catalogue's order, then by place.
    pub findings: Vec<Finding>,
    /// Rules that were applied and held: a rule that only skips has proved nothing.
    pub passed: Vec<&'static Rule>,
    /// Enrollments as they stand now, where something changed.
    pub changed: Vec<Enrollment>,
    /// Earlier exchanges that belong to another enrollment now.
    pub moved: Vec<(ExchangeId, EnrollmentId, Link)>,
    /// Enrollments that merged into another.
    pub gone: Vec<(EnrollmentId, EnrollmentId)>,
}

impl Engine {
    pub fn new(profile: Profile, deadlines: Deadlines) -> Self {
        Self { profile, deadlines, ..Self::default() }
    }

    /// All enrollments that are remembered, oldest first.
    pub fn enrollments(&self) -> impl Iterator<Item = &Enrollment> {
        self.correlator.enrollments()
    }

    /// Never fails: a panic on the way becomes a finding about the tool.
    pub fn observe(&mut self, event: Event) -> Observation {
        let copy = event.clone();
        catch_unwind(AssertUnwindSafe(|| self.observe_unguarded(event))).unwrap_or_else(|_| {
            let mut seen = Observation::of(copy);
            seen.findings.push(self.panicked("the engine"));
            seen
        })
    }

    fn observe_unguarded(&mut self, event: Event) -> Observation {
        self.now = self.now.max(event.at());
        match event {
            Event::Exchange(ref exchange) => {
                let exchange = Arc::clone(exchange);
                self.exchange(Observation::of(event), &exchange)
            }
            Event::Connection(ref connection) => {
                let connection = Arc::clone(connection);
                let mut seen = Observation::of(event);
                self.connection(&mut seen, connection);
                seen
            }
            Event::Session { .. } => {
                self.connections.clear();
                self.connection_order.clear();
                self.correlator.forget_connections();
                Observation::of(event)
            }
            Event::Gap { .. } => {
                self.correlator.gap();
                Observation::of(event)
            }
            Event::Tick(now) => {
                let mut seen = Observation::of(event);
                for id in self.correlator.tick(now, &self.deadlines) {
                    seen.changed.extend(self.settled(id));
                }
                seen
            }
            Event::End(ref end) => {
                let (of, delivery) = (end.of, end.delivery);
                let mut seen = Observation::of(event);
                seen.changed.extend(self.delivered(of, delivery));
                seen
            }
        }
    }

    /// An answer that the device did not get in full is none.
    fn delivered(&mut self, seq: u64, delivery: Delivery) -> Option<Enrollment> {
        let place = self.delivering.iter().position(|(of, _)| *of == seq)?;
        let (_, enrollment) = self.delivering.remove(place)?;
        match delivery {
            Delivery::Cut | Delivery::Reset => {
                self.correlator.undelivered(enrollment, self.now, &self.deadlines);
                self.settled(enrollment)
            }
            Delivery::Complete | Delivery::Pending => None,
        }
    }

    fn connection(&mut self, seen: &mut Observation, connection: Arc<Connection>) {
        match connection.event {
            ConnectionEvent::Opened => {
                if self.connections.insert(connection.id.clone(), Arc::clone(&connection)).is_none() {
                    self.connection_order.push_back(connection.id.clone());
                }
                while self.connection_order.len() > MAX_CONNECTIONS {
                    if let Some(oldest) = self.connection_order.pop_front() {
                        self.connections.remove(&oldest);
                    }
                }
            }
            ConnectionEvent::Failed => {}
            ConnectionEvent::Closed => {
                self.correlator.close(&connection.id);
                self.connections.remove(&connection.id);
                self.connection_order.retain(|id| *id != connection.id);
            }
        }
        for rule in rules::all() {
            let rules::Check::Connection(check) = rule.check else { continue };
            match check(&connection) {
                Verdict::Skip => {}
                Verdict::Pass => seen.passed.push(rule),
                Verdict::Fail(evidence) => {
                    let findings = evidence
                        .into_iter()
                        .take(MAX_EVIDENCE)
                        .map(|e| Finding::new(rule, self.profile, None, e));
                    seen.findings.extend(findings);
                }
            }
        }
    }

    fn exchange(&mut self, mut seen: Observation, exchange: &Arc<Exchange>) -> Observation {
        #[cfg(test)]
        assert_ne!(exchange.request.target, tests::PANICS, "a fault, injected");
        let request = read_request(&exchange.request);
        let response = exchange.response.as_ref().map(|response| read_answer(&request, response));
        seen.request = Some(request.kind);
        seen.response = Some(response.as_ref().map_or(Kind::None, |r| r.kind));

        let connection = exchange.connection.as_ref().and_then(|id| self.connections.get(id)).cloned();
        let traits = traits(exchange, &request, response.as_ref(), connection.as_deref());
        let placement = self.correlator.place(&traits);

        // Several candidates for what was said earlier: a rule speaks only if it says the same for all.
        let nothing = Dialogue::default();
        let mut earlier = placement.as_ref().map(|p| self.correlator.candidates(p)).unwrap_or_default();
        earlier.dedup();
        if earlier.is_empty() {
            earlier.push(&nothing);
        }
        for message in [Some(&request), response.as_ref()].into_iter().flatten() {
            let places = Cell::new(0);
            let base = Context {
                places: &places,
                exchange,
                message,
                request: &request,
                earlier: &nothing,
                connection: connection.as_deref(),
            };
            // The response's rules see what the request of the same exchange said, too.
            let with_request: Vec<Dialogue>;
            let candidates: Vec<&Dialogue> = match message.side {
                Side::Request => earlier.clone(),
                Side::Response => {
                    with_request = earlier.iter().map(|d| joined(d, &request)).collect();
                    with_request.iter().collect()
                }
            };
            // Each candidate its own: what one verdict costs must not make another differ.
            let places = vec![Cell::new(MAX_LOCATED); candidates.len()];
            let contexts: Vec<_> = candidates
                .iter()
                .zip(&places)
                .map(|(earlier, places)| Context { earlier, places, ..base })
                .collect();
            judge(self.profile, message, &contexts, &mut seen);
        }
        if let Some(placement) = placement {
            let messages = (&request, response.as_ref());
            let known = (traits.token, connection.as_deref());
            self.conclude(&mut seen, exchange, messages, &placement, known);
        }
        seen
    }

    /// The messages join the dialogue, and the enrollment moves.
    fn conclude(
        &mut self,
        seen: &mut Observation,
        exchange: &Exchange,
        (request, response): (&Message, Option<&Message>),
        placement: &Placement,
        (token, connection): (Option<String>, Option<&Connection>),
    ) {
        if let Some(dialogue) = self.correlator.dialogue(placement) {
            dialogue.join(request);
            if let Some(response) = response {
                // Where we changed the answer, the device goes by what it got.
                let sent = exchange.response.as_ref().and_then(|r| r.sent.as_deref()?.body.clone());
                match sent {
                    Some(body) => dialogue.join(&read_body(&Body::full(body), &[], Side::Response)),
                    None => dialogue.join(response),
                }
            }
            let once = seen.findings.iter().filter(|f| matches!(f.rule.check, rules::Check::Once(_)));
            dialogue.told.extend(once.map(|finding| finding.rule.id));
        }
        let answered = exchange.response.as_ref();
        let ours = answered.filter(|r| r.is_in_place());
        let provisioning = response.and_then(Message::provisioning);
        let issued = provisioning.and_then(|p| p.client_certificate()).and_then(|c| c.certificate.as_ref());
        let ending = Ending {
            response: response.map(|r| r.kind),
            status: answered.map(|r| r.status),
            posted: exchange.request.method == "POST",
            unanswered: answered.is_none() && exchange.request.at.0 != 0,
            ours: ours.map(|_| exchange.upstream.as_ref().and_then(|u| u.error.clone())),
            auth: response.and_then(auth_of),
            flow: flow_of(request),
            token: token.or_else(|| handed_over(response?)),
            fault: response.and_then(fault_of),
            provisioned: provisioning.is_some(),
            issued: issued.map(|c| c.thumbprint.clone()),
            findings: &seen.findings,
            noticed: noticed(exchange, (request, response), connection),
        };
        let at = answered.map_or(exchange.request.at, |r| r.at).max(self.now);
        self.correlator.finish(placement, &ending, at, &self.deadlines);
        if exchange.seq != 0 {
            self.delivering.push_back((exchange.seq, placement.enrollment));
            while self.delivering.len() > MAX_DELIVERING {
                self.delivering.pop_front();
            }
        }
        seen.enrollment = Some(placement.enrollment);
        seen.link = Some(placement.link);
        seen.moved.clone_from(&placement.moved);
        seen.gone.clone_from(&placement.gone);
        let mut touched: Vec<_> = placement.moved.iter().map(|(_, id, _)| *id).collect();
        touched.extend(placement.touched);
        touched.push(placement.enrollment);
        touched.sort_unstable();
        touched.dedup();
        for id in touched {
            seen.changed.extend(self.settled(id));
        }
    }

    /// The enrollment with its verdict of now.
    fn settled(&mut self, id: EnrollmentId) -> Option<Enrollment> {
        self.correlator.set_verdict(id, diagnosis::judge);
        self.correlator.enrollment(id).cloned()
    }

    fn panicked(&self, what: &str) -> Finding {
        Finding::new(&PANIC, self.profile, None, panic_evidence(what))
    }
}

impl Observation {
    fn of(event: Event) -> Self {
        Self {
            event,
            request: None,
            response: None,
            enrollment: None,
            link: None,
            findings: Vec::new(),
            passed: Vec::new(),
            changed: Vec::new(),
            moved: Vec::new(),
            gone: Vec::new(),
        }
    }
}

/// Applies every rule to one message, for each candidate of what was said earlier.
fn judge(profile: Profile, message: &Message, contexts: &[Context<'_>], seen: &mut Observation) {
    let mut failed: Vec<(&'static Rule, Vec<Evidence>)> = Vec::new();
    let hidden = contexts.iter().any(|context| context.exchange.facts.contains_key(HIDDEN_FACT));
    for rule in rules::concerning(message.side, message.kind) {
        if hidden && rules::NEED_IDENTITIES.contains(&rule.id) {
            continue;
        }
        let mut verdicts = contexts.iter().map(|context| {
            catch_unwind(AssertUnwindSafe(|| rule.run(message, context))).unwrap_or_else(|_| {
                seen.findings.push(Finding::new(
                    &PANIC,
                    profile,
                    Some(message.side),
                    panic_evidence(rule.id),
                ));
                Verdict::Skip
            })
        });
        let Some(first) = verdicts.next() else { continue };
        if verdicts.any(|other| other != first) {
            continue; // It depends on which of them it was: say nothing.
        }
        match first {
            Verdict::Skip => {}
            Verdict::Pass => seen.passed.push(rule),
            Verdict::Fail(evidence) => failed.push((rule, evidence)),
        }
    }
    // One fault gives one finding: what needs a rule that failed is not judged.
    let broken: Vec<_> = failed.iter().map(|(rule, _)| rule.id).collect();
    for (rule, evidence) in failed {
        if !rule.needs.iter().any(|need| broken.contains(need)) {
            let findings = evidence
                .into_iter()
                .take(MAX_EVIDENCE)
                .map(|e| Finding::new(rule, profile, Some(message.side), e));
            seen.findings.extend(findings);
        }
    }
}

fn panic_evidence(what: &str) -> Evidence {
    Evidence {
        within: Within::Body,
        path: String::new(),
        place: None,
        outer_offset: None,
        expected: "a verdict".to_owned(),
        found: format!("a panic in {what}"),
        hresult: None,
        subject: None,
    }
}

fn joined(earlier: &Dialogue, request: &Message) -> Dialogue {
    let mut dialogue = earlier.clone();
    dialogue.join(request);
    dialogue
}

fn traits(
    exchange: &Exchange,
    request: &Message,
    response: Option<&Message>,
    connection: Option<&Connection>,
) -> Traits {
    let front = exchange.front.as_deref();
    let host = front
        .and_then(|front| front.host.clone())
        .or_else(|| header(&exchange.request.headers, "Host").map(|h| h.text().into_owned()))
        .unwrap_or_default()
        .to_ascii_lowercase();
    let known = |kind: Kind| !matches!(kind, Kind::Other | Kind::None | Kind::NotHttp);
    // A response file without its request still belongs to a step.
    let kind = Some(request.kind).filter(|k| known(*k)).or(response.map(|r| r.kind).filter(|k| known(*k)));
    let mut traits = Traits {
        id: exchange.id.clone(),
        at: exchange.request.at,
        kind,
        connection: exchange.connection.clone(),
        address: front
            .and_then(|front| front.address.clone())
            .or_else(|| connection.map(|c| c.address().to_owned()))
            .unwrap_or_default(),
        host: host.strip_suffix(":443").unwrap_or(&host).to_owned(),
        client_certificate: front
            .and_then(|front| front.client_certificate.first())
            .or_else(|| connection.and_then(|c| c.client_certificate.first()))
            .and_then(|der| Certificate::read(der))
            .map(|c| c.thumbprint),
        ..Traits::default()
    };
    let text =
        |field: Option<&crate::message::Field>| field.map(|f| f.value.clone()).filter(|v| !v.is_empty());
    let credential = request.soap.as_ref().map(|soap| &soap.credential);
    traits.user = text(credential.and_then(|c| c.user()));
    if let Some(Credential::Token(token)) = credential {
        traits.token.clone_from(&token.content_hash);
        traits.user = token.jwt.as_ref().and_then(Jwt::user).map(str::to_owned);
    }
    traits.auth = match credential {
        // A renewal shows an empty one, whatever was chosen.
        Some(Credential::UsernameToken(token))
            if token.password.as_ref().is_some_and(|p| !p.is_empty() || p.padded) =>
        {
            Some(AuthPolicy::OnPremise)
        }
        // A device with an Entra token shows it in any case.
        Some(Credential::Token(token)) if token.jwt.is_none() => Some(AuthPolicy::Federated),
        Some(Credential::Certificate(signed)) => {
            let name = signed.certificate.as_ref().and_then(|c| c.subject.common_name());
            traits.user = name.filter(|name| name.contains('@')).map(str::to_owned);
            Some(AuthPolicy::Certificate)
        }
        _ => None,
    };
    match &request.content {
        Content::SignInRequest(page) => traits.user = page.login_hint.clone().filter(|hint| !hint.is_empty()),
        Content::TermsRequest(_) => {
            traits.user = bearer(exchange).and_then(|jwt| jwt.user().map(str::to_owned))
        }
        Content::DiscoverRequest(discover) => traits.user = text(discover.email.as_ref()),
        Content::TokenRequest(token) => {
            traits.device_id = token.device_id().map(str::to_owned);
            traits.device_name = text(token.item("DeviceName"));
            traits.os_version = text(token.item("OSVersion"));
            traits.key_hash = token.csr.as_ref().map(|csr| csr.key_hash.clone());
            // The certificate request names the device when the context items do not.
            let from_csr =
                || token.csr.as_ref().and_then(|csr| csr.device_id().or(Some(csr.key_hash.clone())));
            traits.device_id = traits.device_id.or_else(from_csr);
        }
        _ => {}
    }
    traits
}

/// More network cards are not told apart.
const MOST_MACS: usize = 8;

/// What of an exchange tells causes apart later.
fn noticed(
    exchange: &Exchange,
    (request, response): (&Message, Option<&Message>),
    connection: Option<&Connection>,
) -> Noticed {
    let text = |field: Option<&crate::message::Field>| field.map(|field| field.value.clone());
    let (id, http) = (exchange.id.clone(), exchange.request.version);
    let mut noticed = Noticed { exchange: id, http, ..Noticed::default() };
    match &request.content {
        Content::DiscoverRequest(discover) => {
            noticed.request_version = text(discover.version.as_ref());
            noticed.os_edition = text(discover.os_edition.as_ref());
        }
        Content::TokenRequest(token) => {
            noticed.os_edition = text(token.item("OSEdition"));
            let item = |name| text(token.item(name)).filter(|value| value.len() <= LONGEST_TRAIT);
            noticed.traits.extend(item("EnrollmentType").map(|kind| ("EnrollmentType", kind)));
            noticed.traits.extend(item("NotInOobe").map(|word| ("NotInOobe", word)));
            if let Some(csr) = &token.csr {
                let (key, hash) = (csr.key.words(), algorithm_name(&csr.signature_algorithm).to_owned());
                noticed.traits.extend([("key", key), ("request signed with", hash)]);
            }
            noticed.hardware_id = text(token.item("HWDevID"));
            noticed.macs = token
                .items
                .iter()
                .filter(|item| item.name == "MAC")
                .filter_map(|item| text(item.value.as_ref()))
                .take(MOST_MACS)
                .collect();
        }
        _ => {}
    }
    let tls = connection.and_then(|connection| connection.tls.as_ref());
    noticed.traits.extend(tls.map(|tls| ("TLS of the device", tls.version.clone())));
    if let Some(upstream) = &exchange.upstream {
        noticed.traits.extend(upstream.tls.as_ref().map(|tls| ("TLS to the server", tls.version.clone())));
        noticed.traits.extend(upstream.address.clone().map(|node| ("server node", node)));
    }
    noticed.has_token = response.is_some_and(|response| response.kind == Kind::TokenPage);
    noticed.poll = response.and_then(Message::provisioning).and_then(first_interval);
    noticed
}

/// A longer value is no word of the protocol, in bytes.
const LONGEST_TRAIT: usize = 64;

/// After so many minutes a new device comes again.
fn first_interval(document: &Provisioning) -> Option<u32> {
    let provider = document.providers().into_iter().next()?;
    let interval = provider.child("Poll")?.parm("IntervalForFirstSetOfRetries")?;
    interval.value.trim().parse().ok().filter(|minutes| *minutes > 0)
}

/// The claims of an Authorization header; nobody has verified them.
fn bearer(exchange: &Exchange) -> Option<Jwt> {
    let value = header(&exchange.request.headers, "Authorization")?.text().into_owned();
    Jwt::read(value.split_once(' ')?.1)
}

/// What a request tells of the way that its enrollment takes.
fn flow_of(request: &Message) -> Option<Flow> {
    let renewal = match &request.content {
        Content::TokenRequest(token) => token.is_renewal(),
        _ => false,
    };
    match request.soap.as_ref().map(|soap| &soap.credential) {
        _ if renewal => Some(Flow::Renewal),
        _ if request.kind == Kind::TermsOfUse => Some(Flow::Entra),
        Some(Credential::Token(token)) if token.jwt.is_some() => Some(Flow::Entra),
        Some(Credential::Token(_)) => Some(Flow::Federated),
        Some(Credential::Certificate(_)) => Some(Flow::Certificate),
        _ => None,
    }
}

/// The token that a sign-in page gives to the device.
fn handed_over(response: &Message) -> Option<String> {
    let Content::TokenPage(page) = &response.content else { return None };
    Some(token_hash(page.token_form()?.wresult()?.value.as_ref()?.value.as_bytes()))
}

fn auth_of(response: &Message) -> Option<AuthPolicy> {
    match &response.content {
        Content::DiscoverResponse(answer) => AuthPolicy::parse_any_case(&answer.auth_policy.as_ref()?.value),
        _ => None,
    }
}

fn fault_of(response: &Message) -> Option<Cause> {
    match &response.content {
        Content::Fault(fault) => Some(Cause::Fault {
            word: fault.word().unwrap_or("a fault").to_owned(),
            reason: fault.reason.as_ref().map(|f| f.value.clone()).unwrap_or_default(),
            hresult: fault.hresult(),
        }),
        Content::TermsAnswer(answer) => {
            answer.refusal().map(|(said, by_user)| Cause::TermsRefused { said, by_user })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Request;

    /// An exchange with this target makes the engine panic, in tests.
    pub(super) const PANICS: &str = "/panics";

    fn exchange(target: &str) -> Event {
        let request = Request { method: "GET".to_owned(), target: target.to_owned(), ..Request::default() };
        Event::Exchange(Arc::new(Exchange { request, ..Exchange::default() }))
    }

    #[test]
    fn a_panic_becomes_a_finding_about_the_tool_and_judging_goes_on() {
        let mut engine = Engine::new(Profile::Field, Deadlines::default());
        let seen = engine.observe(exchange(PANICS));
        let [finding] = &seen.findings[..] else { panic!("{:?}", seen.findings) };
        assert_eq!((finding.rule.id, finding.rule.subject.word()), ("OWN-000", "enrollscope"));
        let next = engine.observe(exchange("/EnrollmentServer/Discovery.svc"));
        assert_eq!(next.request, Some(Kind::DiscoveryProbe));
    }
}
