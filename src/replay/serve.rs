//! A recorded server: the answers of a capture, given to devices that are there now.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use thiserror::Error;

use super::answer::{Guest, answer};
use crate::compare::{Story, Told};
use crate::enrollment::{Flow, Outcome};
use crate::event::{Exchange, ExchangeId, Header, Request, Response, Time, header};
use crate::message::{AuthPolicy, Content, Jwt, Kind, Message, read_request};
use crate::sim::{
    Address, Answered, Answering, Answers, Authority, CaError, Client, Key, KeyError, Trust, fault_answer,
    probe_answer, sign_in_page, sync_answer,
};

/// How the recorded answers are given.
pub struct Serving {
    /// This enrollment for everybody; by default each device gets the one that suits it.
    pub only: Option<usize>,
    /// The recorded bytes, with nothing of this run in them.
    pub as_recorded: bool,
    /// The origin that answers lead to; by default the one that the device asks.
    pub public: Option<Address>,
    pub on_miss: OnMiss,
}

/// What is done where the recording has no answer.
pub enum OnMiss {
    /// A SOAP fault that says so.
    Fault,
    /// A real server is asked, and `seen` gets what it says.
    Upstream { server: Address, trust: Trust, patience: Duration, seen: Box<dyn Fn(Exchange) + Send + Sync> },
}

/// The server of a recording.
pub struct Recorded {
    stories: Vec<Story>,
    serving: Serving,
    direct: Authority,
    /// Issues by way of an authority in between, for recordings that have one.
    indirect: Authority,
    visits: Mutex<Visits>,
    /// Hears which enrollment a device is served from.
    chosen: Box<dyn Fn(&str) + Send + Sync>,
}

#[derive(Default)]
struct Visits {
    /// The latest visit of each address, and of each user there.
    latest: HashMap<(IpAddr, Option<String>), Visit>,
    /// How many devices were served "in turn".
    turns: usize,
}

/// A device that is being served.
#[derive(Clone, Debug)]
struct Visit {
    story: usize,
    /// How many requests of each kind were answered.
    answered: HashMap<(Kind, String), usize>,
    /// It has its certificate: whoever begins again is another device, or the same once more.
    done: bool,
}

/// Why a recording cannot be served.
#[derive(Debug, Error)]
pub enum ServeError {
    #[error("the throw-away authority's key: {0}")]
    Key(#[from] KeyError),
    #[error("the throw-away authority: {0}")]
    Authority(#[from] CaError),
}

/// Visitors whose visits are remembered; beyond it all are forgotten.
const MOST_VISITS: usize = 20_000;

impl Recorded {
    /// The throw-away authority is called `name`; `chosen` hears in words which enrollment a device is served from.
    ///
    /// # Errors
    /// No authority can be made.
    pub fn new(
        stories: Vec<Story>,
        serving: Serving,
        name: &str,
        now: Time,
        chosen: impl Fn(&str) + Send + Sync + 'static,
    ) -> Result<Self, ServeError> {
        let key = Key::generate()?;
        let pem = key.to_pem();
        Ok(Self {
            stories,
            serving,
            direct: Authority::new(name, key, now)?,
            indirect: Authority::new(name, Key::from_pem(&pem)?, now)?.through_intermediate(),
            visits: Mutex::default(),
            chosen: Box::new(chosen),
        })
    }

    fn visits(&self) -> MutexGuard<'_, Visits> {
        // A panic elsewhere leaves a map that is still a map.
        self.visits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The recorded answer, and the enrollment that it is of.
    fn recorded(&self, peer: IpAddr, request: &Request, message: &Message) -> Option<(&Story, &Told)> {
        if message.kind == Kind::DiscoveryProbe {
            return self.probed();
        }
        let user = user_of(request, message);
        let mut visits = self.visits();
        if visits.latest.len() > MOST_VISITS {
            visits.latest.clear();
        }
        let named = (peer, user.clone());
        let known = visits.latest.get(&named).or_else(|| visits.latest.get(&(peer, None)));
        let begins = matches!(message.kind, Kind::DiscoverRequest | Kind::TermsOfUse);
        let goes_on = known.filter(|visit| !begins || !visit.done && visits.latest.contains_key(&named));
        let mut visit = match goes_on {
            Some(visit) => visit.clone(),
            None => {
                let (story, why) = self.choose(user.as_deref(), message, &mut visits.turns);
                self.tell(peer, user.as_deref(), story, why);
                Visit { story, answered: HashMap::new(), done: false }
            }
        };
        if let Some(other) = self.reconsidered(&visit, message) {
            visit.story = other;
            self.tell(peer, user.as_deref(), other, "it suits what is asked");
        }
        let story = self.stories.get(visit.story)?;
        let of_kind = |told: &&Told| {
            told.request == message.kind
                && told.exchange.request.method == request.method
                && told.exchange.response.as_ref().is_some_and(|response| !response.is_in_place())
        };
        let all: Vec<_> = story.exchanges.iter().filter(of_kind).collect();
        let count = visit.answered.entry((message.kind, request.method.clone())).or_default();
        let told = all.get(*count).or(all.last()).copied();
        *count += 1;
        visit.done |= message.kind == Kind::SecurityTokenRequest;
        visits.latest.insert((peer, None), visit.clone());
        visits.latest.insert(named, visit);
        Some((story, told?))
    }

    /// A probe has no user, and must not decide what the device behind it is served from: any answer will do.
    fn probed(&self) -> Option<(&Story, &Told)> {
        let only = self.serving.only.and_then(|only| self.stories.get(only));
        let all = only.into_iter().chain(&self.stories);
        let answered = |told: &&Told| told.request == Kind::DiscoveryProbe && told.is_answered_well();
        all.filter_map(|story| Some((story, story.exchanges.iter().find(answered)?))).next()
    }

    /// The enrollment that was named; else the same user's; else the first that ended well; else one after the other.
    fn choose(&self, user: Option<&str>, message: &Message, turns: &mut usize) -> (usize, &'static str) {
        if let Some(only) = self.serving.only {
            return (only, "as told");
        }
        let same = |story: &Story| {
            let recorded = story.enrollment.user.as_deref();
            user.zip(recorded).is_some_and(|(one, other)| one.eq_ignore_ascii_case(other))
        };
        let enrolled = |story: &Story| story.enrollment.outcome == Outcome::Enrolled;
        // Of several the first that answers such a message best.
        let best = |wanted: &dyn Fn(&Story) -> bool| {
            let all = self.stories.iter().enumerate().filter(|(_, story)| wanted(story));
            all.min_by_key(|(_, story)| misfit(story, message)).map(|(at, _)| at)
        };
        if let Some(at) = best(&same) {
            return (at, "the same user");
        }
        if let Some(at) = best(&enrolled) {
            return (at, "the first that enrolled");
        }
        let at = *turns % self.stories.len().max(1);
        *turns += 1;
        (at, "in turn")
    }

    /// A renewal begins as an enrollment does: only the request for a certificate tells which it is.
    fn reconsidered(&self, visit: &Visit, message: &Message) -> Option<usize> {
        let Content::TokenRequest(token) = &message.content else { return None };
        let suits = |story: &Story| (story.enrollment.flow == Flow::Renewal) == token.is_renewal();
        let now = self.stories.get(visit.story)?;
        if self.serving.only.is_some() || suits(now) {
            return None;
        }
        let position =
            |wanted: &dyn Fn(&Story) -> bool| self.stories.iter().position(|s| suits(s) && wanted(s));
        position(&|story| story.enrollment.user == now.enrollment.user)
            .or_else(|| position(&|story| story.enrollment.outcome == Outcome::Enrolled))
    }

    fn tell(&self, peer: IpAddr, user: Option<&str>, story: usize, why: &str) {
        let Some(story) = self.stories.get(story) else { return };
        let who = user.map(|user| format!(" {user}")).unwrap_or_default();
        (self.chosen)(&format!("{peer}{who} is served from {} ({why})", story.label()));
    }

    async fn miss(&self, request: &Request, message: &Message, now: Time) -> Response {
        if message.kind == Kind::ManagementSync {
            let url = asked(request)
                .map_or_else(|| request.target.clone(), |own| own.at(&request.target).to_string());
            return sync_answer(message, url.split('?').next().unwrap_or_default(), now);
        }
        if message.kind == Kind::DiscoveryProbe {
            return probe_answer(now);
        }
        match &self.serving.on_miss {
            OnMiss::Fault => self.fault(request, message, now),
            OnMiss::Upstream { server, trust, patience, seen } => {
                match ask(request, server, trust, *patience, now).await {
                    Ok(exchange) => {
                        let answer = exchange.response.clone();
                        seen(exchange);
                        answer.unwrap_or_else(|| self.fault(request, message, now))
                    }
                    Err(why) => {
                        let words = format!("the real server gives no answer either: {why}");
                        fault_answer(request, message, &words, now)
                    }
                }
            }
        }
    }

    fn fault(&self, request: &Request, message: &Message, now: Time) -> Response {
        let words = format!("this recording has no answer to {} ({})", message.kind.word(), request.target);
        fault_answer(request, message, &words, now)
    }
}

impl Answers for Recorded {
    fn answer<'a>(&'a self, peer: SocketAddr, request: &'a Request, now: Time) -> Answering<'a> {
        Box::pin(async move {
            let message = read_request(request);
            let Some((story, told)) = self.recorded(peer.ip(), request, &message) else {
                return self.miss(request, &message, now).await;
            };
            let Some(recorded) = told.exchange.response.as_ref() else {
                return self.miss(request, &message, now).await;
            };
            if recorded.body.bytes.is_empty() && recorded.body.length > 0 {
                // Only its head was recorded.
                if message.kind == Kind::AuthPage {
                    return sign_in_page(request, now);
                }
                return self.miss(request, &message, now).await;
            }
            if self.serving.as_recorded {
                return Response { at: now, ..recorded.clone() };
            }
            let own = self.serving.public.clone().or_else(|| asked(request));
            let authorities = (&self.direct, &self.indirect);
            answer(&Guest { request, message: &message, story, told, own, authorities, now }, recorded)
        })
    }

    fn authority(&self) -> &Authority {
        &self.direct
    }
}

/// How ill the story's answers suit a device that begins with that message; the lower the better.
fn misfit(story: &Story, message: &Message) -> u8 {
    let has = |kind| story.exchanges.iter().any(|told| told.request == kind);
    // A device that does not offer the recorded way to prove who its user is would turn back.
    let offers = match (&message.content, story.enrollment.auth) {
        (Content::DiscoverRequest(discover), Some(auth)) => {
            discover.offered.iter().any(|offered| AuthPolicy::parse_any_case(&offered.value) == Some(auth))
        }
        _ => true,
    };
    // Who comes without a token of Entra's, and without a certificate to renew, is not answered as if they had one.
    let otherwise = match story.enrollment.flow {
        Flow::Entra => message.kind != Kind::TermsOfUse,
        Flow::Renewal => true,
        Flow::OnPremise | Flow::Federated | Flow::Certificate => false,
    };
    4 * u8::from(!has(message.kind)) + 2 * u8::from(!offers) + u8::from(otherwise)
}

/// The origin that the device speaks to: we are always behind TLS here.
fn asked(request: &Request) -> Option<Address> {
    let host = header(&request.headers, "Host")?;
    Address::parse(&format!("https://{}/", host.text().trim()))
}

fn user_of(request: &Request, message: &Message) -> Option<String> {
    let user = match &message.content {
        Content::DiscoverRequest(discover) => discover.email.as_ref().map(|email| email.value.to_lowercase()),
        Content::TermsRequest(_) => {
            let bearer = header(&request.headers, "Authorization").map(|field| field.text().into_owned());
            let token = bearer.as_deref().and_then(|value| value.strip_prefix("Bearer ")).and_then(Jwt::read);
            token.and_then(|token| token.user().map(str::to_lowercase))
        }
        Content::SignInRequest(asked) => asked.login_hint.as_ref().map(|hint| hint.to_lowercase()),
        _ => {
            let credential = message.soap.as_ref().map(|soap| &soap.credential);
            credential.and_then(|c| c.user()).map(|user| user.value.to_lowercase())
        }
    };
    user.filter(|user| !user.is_empty())
}

async fn ask(
    request: &Request,
    server: &Address,
    trust: &Trust,
    patience: Duration,
    now: Time,
) -> Result<Exchange, crate::sim::ClientError> {
    let mut client = Client::new(trust, None, None, patience)?;
    let mut asking = Request { at: now, ..request.clone() };
    for field in asking.headers.iter_mut().filter(|field| field.name.eq_ignore_ascii_case("Host")) {
        field.value = Bytes::from(server.authority());
    }
    // Bodies were gathered: their length is known.
    asking.headers.retain(|field| {
        !["transfer-encoding", "content-length"].contains(&&*field.name.to_ascii_lowercase())
    });
    if !asking.body.bytes.is_empty() {
        asking.headers.push(Header::new("Content-Length", asking.body.bytes.len().to_string()));
    }
    let Answered { response, upstream } = client.exchange(&server.at(&request.target), &asking).await?;
    Ok(Exchange {
        id: ExchangeId(uuid::Uuid::now_v7().to_string().into()),
        request: asking,
        response: Some(response),
        upstream: Some(upstream),
        ..Exchange::default()
    })
}
