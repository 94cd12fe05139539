//! Recorded devices enroll again: in the order of their messages, with what the server answers now.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::plan::{Identity, Names, Plan};
use super::recast::{Cast, Notes, recast};
use crate::compare::{Stories, Story};
use crate::engine::Engine;
use crate::enrollment::{Deadlines, Flow};
use crate::event::{Event, Exchange, Request, Time};
use crate::message::{Content, read_request};
use crate::net::HostPattern;
use crate::redact::Redactor;
use crate::rules::{Profile, Step};
use crate::sim::{
    Address, Answered, Client, ClientError, Course, Device, Holder, Key, KeyError, KeyKind, Planned, Proof,
    Trust, said,
};

/// After the last message so much time passes for the judgement, in milliseconds: who is silent for so long has stopped.
const SILENCE: i64 = 15 * 60_000;

/// How a replay goes about it.
pub struct Means {
    /// The server's origin, or the whole URL of its discovery service.
    pub to: Address,
    /// Where every connection goes, whatever the URL's host is.
    pub connect: Option<SocketAddr>,
    pub trust: Trust,
    /// How long a device waits for an answer.
    pub patience: Duration,
    /// Hosts that the server may send devices to, besides its own and this machine.
    pub allowed: Vec<HostPattern>,
    pub identity: Identity,
    pub pace: Pace,
    /// So many devices enroll at the same time.
    pub parallel: usize,
    pub redactor: Redactor,
    pub profile: Profile,
    /// Decides the devices' new ids.
    pub seed: Vec<u8>,
    pub clock: fn() -> Time,
}

/// When messages are sent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// As soon as the answer before is there.
    AtOnce,
    /// At the distances of the recording, so many times faster.
    Recorded(f64),
}

/// What a device has to show in this run.
#[derive(Clone, Debug, Default)]
pub struct Login {
    /// Absent: the recorded one.
    pub user: Option<String>,
    /// Absent: what the recording has.
    pub password: Option<String>,
    /// What a sign-in page or Entra would give.
    pub token: Option<String>,
    /// To enroll with, or to renew.
    pub certificate: Option<Holder>,
}

/// One enrollment to replay.
#[derive(Clone, Debug)]
pub struct Job {
    pub plan: Plan,
    pub login: Login,
}

/// What came of one enrollment.
#[derive(Clone, Debug)]
pub struct Replayed {
    /// Which of the jobs.
    pub job: usize,
    /// Which of the copies, from 1.
    pub copy: usize,
    /// Absent: not a message was sent.
    pub story: Option<Story>,
    /// How it ended for the device, in words.
    pub ended: String,
    /// What could not be as it was.
    pub notes: BTreeSet<String>,
}

/// The keys for all devices, made with all cores before a clock is running.
///
/// # Errors
/// A key cannot be made.
pub fn keys(kinds: &[KeyKind]) -> Result<Vec<Arc<Key>>, KeyError> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let share = kinds.len().div_ceil(threads).max(1);
    std::thread::scope(|scope| {
        let made: Vec<_> = kinds
            .chunks(share)
            .map(|kinds| scope.spawn(|| kinds.iter().map(|kind| Key::of_kind(*kind).map(Arc::new)).collect()))
            .collect();
        let mut keys: Vec<Arc<Key>> = Vec::with_capacity(kinds.len());
        for made in made {
            let made: Result<Vec<_>, KeyError> = made.join().unwrap_or(Err(KeyError::NoKey));
            keys.extend(made?);
        }
        Ok(keys)
    })
}

/// Replays every job `copies` times; `keys` has one for each, job by job. `seen` hears of each as it ends; the result
/// is in the order of jobs and copies.
///
/// # Errors
/// The trust cannot be used at all; what servers and networks do is told of each enrollment.
pub async fn run(
    jobs: Vec<Job>,
    copies: usize,
    keys: Vec<Arc<Key>>,
    means: Means,
    mut seen: impl FnMut(&Replayed),
) -> Result<Vec<Replayed>, ClientError> {
    // Tried once, so that one word says what is wrong with it.
    Client::new(&means.trust, None, None, means.patience)?;
    let plans: Vec<Plan> = jobs.iter().map(|job| job.plan.clone()).collect();
    let before: Vec<Option<usize>> = plans.iter().map(|plan| plan.renews_of(&plans)).collect();
    let began = plans.iter().map(|plan| plan.began).min().unwrap_or_default();
    let stage = Arc::new(Stage {
        permits: Semaphore::new(means.parallel.max(1)),
        jobs,
        keys,
        copies,
        means,
        recording_began: began,
        began: Instant::now(),
    });
    let mut running = JoinSet::new();
    for copy in 0..copies {
        for (first, _) in before.iter().enumerate().filter(|(_, before)| before.is_none()) {
            // What renews a certificate comes after what brought it.
            let follows = before.iter().enumerate().filter(|(_, b)| **b == Some(first)).map(|(job, _)| job);
            let chain: Vec<usize> = std::iter::once(first).chain(follows).collect();
            running.spawn(Arc::clone(&stage).chain(chain, copy));
        }
    }
    let mut all = Vec::new();
    while let Some(ended) = running.join_next().await {
        let ended = ended.unwrap_or_default();
        ended.iter().for_each(&mut seen);
        all.extend(ended);
    }
    all.sort_by_key(|replayed| (replayed.job, replayed.copy));
    Ok(all)
}

struct Stage {
    jobs: Vec<Job>,
    copies: usize,
    keys: Vec<Arc<Key>>,
    means: Means,
    permits: Semaphore,
    recording_began: Time,
    began: Instant,
}

impl Stage {
    /// One device's enrollment, and what it does afterwards with the certificate.
    async fn chain(self: Arc<Self>, jobs: Vec<usize>, copy: usize) -> Vec<Replayed> {
        let mut holder = None;
        let mut ended = Vec::new();
        for index in jobs {
            let Some(job) = self.jobs.get(index) else { continue };
            if let Pace::Recorded(times) = self.means.pace {
                self.wait_for(job.plan.began, times).await;
            }
            let Ok(_permit) = self.permits.acquire().await else { continue };
            let key = self.keys.get(index * self.copies + copy).or(self.keys.first());
            let Some(key) = key else { continue };
            let obtained = job.login.certificate.clone().or_else(|| holder.clone());
            let (replayed, provision) = self.enroll((index, job), copy, key, obtained).await;
            holder = provision.or(holder);
            ended.push(replayed);
        }
        ended
    }

    async fn wait_for(&self, recorded: Time, times: f64) {
        let offset = recorded.since(self.recording_began).max(0);
        let due = Duration::from_millis(u64::try_from(offset).unwrap_or_default()).div_f64(times.max(1e-6));
        tokio::time::sleep(due.saturating_sub(self.began.elapsed())).await;
    }

    async fn enroll(
        &self,
        (index, job): (usize, &Job),
        copy: usize,
        key: &Arc<Key>,
        holder: Option<Holder>,
    ) -> (Replayed, Option<Holder>) {
        let means = &self.means;
        let plan = &job.plan;
        let mut seed = means.seed.clone();
        seed.extend((copy as u64).to_be_bytes());
        let names = match means.identity {
            Identity::Fresh => Names::fresh(&plan.profile, &seed),
            Identity::Recorded => Names::default(),
        };
        let mut notes: Notes = plan.notes.iter().cloned().collect();
        if plan.flow == Flow::OnPremise && job.login.password.is_none() {
            let words = "no password is given: the recorded one is sent, a placeholder if it was redacted";
            notes.insert(words.to_owned());
        }
        let blank =
            |ended: String, notes: Notes| Replayed { job: index, copy: copy + 1, story: None, ended, notes };
        let device = match device(job, &names, key, holder) {
            Ok(device) => device,
            Err(why) => return (blank(format!("not replayed: {why}"), notes), None),
        };
        let held = match &device.proof {
            Proof::Renewal(holder) => Some(holder),
            Proof::Password | Proof::Entra(_) | Proof::Certificate(_) => None,
        };
        let client = match Client::new(&means.trust, held, means.connect, means.patience) {
            Ok(client) => client,
            Err(error) => return (blank(format!("not replayed: {error}"), notes), None),
        };
        let mut attempt = Attempt {
            stage: self,
            job,
            cast: Cast {
                identity: means.identity,
                names: &names,
                device: &device,
                other_user: job.login.user.is_some(),
                has_password: job.login.password.is_some(),
                seed: &seed,
            },
            client,
            connection: format!("r{}.{}", plan.id.0, copy + 1),
            exchanges: Vec::new(),
        };
        let (ended, certificate) = attempt.run(&mut notes).await;
        let story = judged(attempt.exchanges, means.profile);
        let holder = certificate.map(|certificate| Holder { certificate, key: Arc::clone(key) });
        (Replayed { story, ..blank(ended, notes) }, holder)
    }
}

/// Who enrolls this time.
fn device(job: &Job, names: &Names, key: &Arc<Key>, holder: Option<Holder>) -> Result<Device, &'static str> {
    let Job { plan, login } = job;
    let mut profile = plan.profile.clone();
    profile.device_id = names.of(&profile.device_id);
    profile.hardware_id = names.of(&profile.hardware_id);
    profile.container = names.of(&profile.container);
    profile.macs = profile.macs.iter().map(|mac| names.of(mac)).collect();
    if let Some(user) = &login.user {
        profile.user.clone_from(user);
    }
    profile.password = login.password.clone().unwrap_or_default();
    let proof = match plan.flow {
        Flow::OnPremise | Flow::Federated => Proof::Password,
        Flow::Entra => Proof::Entra(
            login.token.clone().ok_or("an Entra token is needed: give --token-file or --token-command")?,
        ),
        Flow::Certificate => Proof::Certificate(
            holder.ok_or("it enrolls with a certificate: give --certificate FILE, with its key")?,
        ),
        Flow::Renewal => Proof::Renewal(holder.ok_or(
            "it renews a certificate that this replay did not obtain: replay its enrollment, too, or give --certificate FILE",
        )?),
    };
    Ok(Device { proof, ..Device::new(profile, Arc::clone(key)) })
}

/// The judgement of one enrollment by itself: there is nobody that it could be taken for.
fn judged(exchanges: Vec<Arc<Exchange>>, profile: Profile) -> Option<Story> {
    let mut engine = Engine::new(profile, Deadlines::default());
    let mut stories = Stories::default();
    let last = exchanges.last().map(|e| e.response.as_ref().map_or(e.request.at, |r| r.at))?;
    for exchange in exchanges {
        stories.add(engine.observe(Event::Exchange(exchange)));
    }
    stories.add(engine.observe(Event::Tick(last.plus_millis(SILENCE))));
    let mut stories = stories.finish();
    stories.sort_by_key(|story| std::cmp::Reverse(story.exchanges.len()));
    let mut stories = stories.into_iter();
    let mut story = stories.next()?;
    story.exchanges.extend(stories.flat_map(|other| other.exchanges));
    story.exchanges.sort_by_key(|told| told.exchange.seq);
    Some(story)
}

struct Attempt<'a> {
    stage: &'a Stage,
    job: &'a Job,
    cast: Cast<'a>,
    client: Client,
    connection: String,
    exchanges: Vec<Arc<Exchange>>,
}

impl Attempt<'_> {
    /// How it ended, in words, and the certificate.
    async fn run(&mut self, notes: &mut Notes) -> (String, Option<bytes::Bytes>) {
        let (plan, device) = (&self.job.plan, self.cast.device);
        let mut course = Course::new(device, &self.stage.means.to, plan.takes(Step::Sync));
        if let Some((first @ (Step::Terms | Step::Probe | Step::Discover), _)) = plan.steps.first() {
            course.resume_at(*first);
        }
        if let Some(token) = self.job.login.token.as_ref().filter(|_| plan.flow != Flow::Entra) {
            course.hold_token(token);
        }
        let mut attempts: BTreeMap<Step, usize> = BTreeMap::new();
        let mut ended = "it did all that it had to do".to_owned();
        while let Some(planned) = course.next((self.stage.means.clock)()) {
            let planned = match planned {
                Ok(planned) => planned,
                Err(why) => {
                    ended = why.reason;
                    break;
                }
            };
            let step = planned.step;
            let attempt = attempts.entry(step).or_default();
            let answered = self.step(planned, *attempt, &mut course, notes).await;
            let failed = match answered {
                Ok(()) => {
                    *attempt += 1;
                    continue;
                }
                Err(Stop::Never(why)) => {
                    ended = why;
                    break;
                }
                Err(Stop::GaveUp(why)) => why,
            };
            // As often as it was recorded, and no oftener.
            match plan.tries_again_with(step, *attempt) {
                Some(again) => course.resume_at(again),
                None => {
                    ended = failed;
                    break;
                }
            }
            *attempt += 1;
        }
        (ended, course.provision().map(|provision| provision.certificate.clone()))
    }

    async fn step(
        &mut self,
        planned: Planned,
        attempt: usize,
        course: &mut Course<'_>,
        notes: &mut Notes,
    ) -> Result<(), Stop> {
        let Planned { step, to, request: made } = planned;
        let means = &self.stage.means;
        if !to.stays_with(&means.to, means.connect, &means.allowed) {
            return Err(Stop::Never(format!(
                "the server sends the device to {}, which is neither the server's own host nor this machine: allow it \
                 with --allow-host {}, or lead it with --connect ADDR:PORT",
                to.origin(),
                to.host
            )));
        }
        let recorded = self.job.plan.recorded(step, attempt).cloned();
        let request = match &recorded {
            // Pages and management sessions are no messages of the protocol: what was said there is of that session.
            Some(recorded) if !matches!(step, Step::SignIn | Step::Password | Step::Sync | Step::Terms) => {
                if let (Pace::Recorded(times), true) =
                    (means.pace, recorded.request.at >= self.job.plan.began)
                {
                    self.stage.wait_for(recorded.request.at, times).await;
                }
                self.recast(step, &recorded.request, made, &to, course, notes)?
            }
            Some(_) => made,
            None => {
                notes.insert(format!("{}: not recorded; a simulated device's message is sent", words(step)));
                made
            }
        };
        let (exchange, judged) = self.exchange(&to, request, course).await;
        let mut exchange = exchange;
        means.redactor.exchange(&mut exchange);
        self.exchanges.push(Arc::new(exchange));
        judged
    }

    fn recast(
        &self,
        step: Step,
        recorded: &Request,
        made: Request,
        to: &Address,
        course: &mut Course<'_>,
        notes: &mut Notes,
    ) -> Result<Request, Stop> {
        let failed = |_| Stop::Never("the device's key cannot sign".to_owned());
        let request = recast(recorded, made, to, &self.cast, notes).map_err(failed)?;
        if step == Step::Token
            && self.cast.identity == Identity::Recorded
            && let Content::TokenRequest(token) = read_request(&request).content
            && let Some(csr) = &token.csr
        {
            course.expect_key(&csr.key_hash);
            notes.insert(
                "the certificate is asked for with the recorded key, which nobody here has".to_owned(),
            );
        }
        Ok(request)
    }

    async fn exchange(
        &mut self,
        to: &Address,
        request: Request,
        course: &mut Course<'_>,
    ) -> (Exchange, Result<(), Stop>) {
        let started = Instant::now();
        let request = Request { at: (self.stage.means.clock)(), ..request };
        let result = self.client.exchange(to, &request).await;
        let seq = self.exchanges.len() as u64 + 1;
        let came = result.as_ref().map_err(|error| error as &dyn std::fmt::Display);
        let exchange = said(seq, &self.connection, to, request, started.elapsed(), came);
        let judged = match &result {
            Ok(Answered { response, .. }) => course.take(response).map(drop).map_err(|why| why.reason),
            Err(error) => Err(error.to_string()),
        };
        (exchange, judged.map_err(Stop::GaveUp))
    }
}

/// Why a device does not go on.
enum Stop {
    /// It may try again, if the recorded one did.
    GaveUp(String),
    Never(String),
}

fn words(step: Step) -> &'static str {
    match step {
        Step::Terms => "terms of use",
        Step::Probe => "probe",
        Step::Discover => "discovery",
        Step::SignIn | Step::Password => "sign-in",
        Step::Policies => "policy",
        Step::Token => "certificate",
        Step::Sync => "first sync",
    }
}
