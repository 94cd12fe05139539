//! `demo`: everything on this machine: the reference server, a fleet of devices, the proxy between, the dashboard.

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;
use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use super::fleet::{Ending, Member, Story, fleet};
use super::granting::granting;
use super::live::{self, Judged};
use super::look::theme;
use super::output::{Exit, Output};
use super::proxy::{Wire, announce, interrupted, workers};
use crate::cli::{Bodies, DemoArgs, RecordingArgs, Redact, RotationArgs};
use crate::dashboard::Status;
use crate::engine::Engine;
use crate::enrollment::{Deadlines, Enrollment, EnrollmentId, Flow};
use crate::filter::Saved;
use crate::net::{self, Fronts, Identity, Origin, Served, now};
use crate::proxy::{Forwarded, Limits, ListenerSettings, PlainHttp, Proxy, Settings, SiteSettings};
use crate::rules::{Finding, Golden, Profile, Step};
use crate::sim::{
    self, Accounts, Address, Authority, Device, Holder, Key, Live, Options, Pace, Proof, Provision, Server,
    Trust, entra_token,
};
use crate::sink::Segments;
use crate::terminal;

const DISCOVERY_HOST: &str = "enterpriseenrollment.contoso.example";
const SERVER_HOST: &str = "mdm.contoso.example";
const PASSWORD: &str = "correct-horse-7";
/// Devices that enroll at the same time without a pace.
const AT_ONCE: usize = 8;
/// Silence is called by its name sooner than in the field, so that a person sees it happen.
const DEADLINES: Deadlines = Deadlines {
    probe: 20_000,
    discovery: 20_000,
    sign_in: 20_000,
    policy: 20_000,
    retry: 10_000,
    first_sync: 60_000,
};

pub fn demo(args: &DemoArgs, saved: &Saved, out: Output) -> Result<Exit> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers())
        .enable_all()
        .build()
        .context("could not start the network's threads")?;
    let members = fleet(args.devices, args.seed);
    let keys = Key::pool(keys_needed(&members)).context("could not make the devices' keys")?;
    let (journal, receiver) = crate::sink::Journal::new();
    let (stop, stopped) = watch::channel(false);
    let stage =
        runtime.block_on(Stage::build(&members, &keys, args.seed, journal.clone(), stopped.clone()))?;
    let recording = RecordingArgs {
        capture: args.capture.clone(),
        no_capture: false,
        rotation: RotationArgs::default(),
        redact: Redact::Secrets,
        record_bodies: Bodies::Enrollment,
    };
    let record = live::record(&recording, journal, receiver, args.capture.is_some(), out)?;
    let Stage { proxy, trust, port, identities } = stage;
    let addresses = proxy.addresses();
    let headless = args.headless || !std::io::stdout().is_terminal();
    let running = runtime.spawn(proxy.run(stopped));
    let engine = Engine::new(Profile::Field, DEADLINES);
    let cast =
        Cast { members: members.clone(), keys, identities, trust, port, seed: args.seed, paced: !headless };
    let playing = runtime.spawn(cast.play());
    let live::Record { journal, writer, feed, path, redaction } = record;
    let recorder = Arc::clone(writer.status());
    let limit = args.duration;
    let wire = Wire { runtime, running, stop, journal, writer };
    if headless {
        announce(&addresses, None, out)?;
        let (seen, judging) = live::judge(feed, engine, Some(600_000), |_| {})?;
        let ending = std::thread::spawn(move || {
            wire.end_when(async {
                tokio::select! {
                    _ = playing => {}
                    () = interrupted() => {}
                    () = after(limit) => {}
                }
            })
        });
        let judgement = Judgement::collect(seen);
        let _ = judging.join();
        if let Ok(recording) = ending.join() {
            live::farewell(&recording, path.as_ref(), out);
        }
        return Ok(summary(&members, &judgement, out));
    }
    let (updates, judging) =
        terminal::follow(feed, engine, |_| {}).context("could not start the engine's thread")?;
    let asked = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&asked);
    wire.runtime.spawn(async move {
        tokio::select! {
            () = interrupted() => {}
            () = after(limit) => {}
        }
        flag.store(true, Ordering::Relaxed);
    });
    let about = Status {
        title: "demo".to_owned(),
        subject: format!("{} simulated devices and a server", members.len()),
        listeners: addresses,
        recording: None,
        read: None,
        started: Some(now()),
        redaction: "secrets".to_owned(),
        warnings: Vec::new(),
        filters: saved.clone(),
        live: true,
    };
    let status = move || Status { recording: Some(recorder.read()), ..about.clone() };
    let options = terminal::Options {
        expected: Vec::new(),
        theme: theme(args.look, out),
        grant: granting(redaction, Profile::Field),
        capture: path.clone().map(Segments::Growing),
        stop: asked,
    };
    let shown = terminal::run(updates, status, &options);
    playing.abort();
    let recording = wire.end_when(std::future::ready(()));
    let _ = judging.join();
    shown.context("the terminal failed")?;
    live::farewell(&recording, path.as_ref(), out);
    Ok(Exit::Good)
}

/// Never, without a limit.
async fn after(limit: Option<Duration>) {
    match limit {
        Some(limit) => tokio::time::sleep(limit).await,
        None => std::future::pending().await,
    }
}

/// A second device of a user needs a key of its own, and so do a certificate from before and a renewed one.
fn keys_needed(members: &[Member]) -> usize {
    members.len() + members.iter().filter(|m| m.story.needs_two_keys()).count()
}

/// A member's second key, behind those that every member has.
fn second_key<'k>(members: &[Member], keys: &'k [Arc<Key>], member: &Member) -> Option<&'k Arc<Key>> {
    let before = members.iter().filter(|m| m.number < member.number && m.story.needs_two_keys()).count();
    keys.get(members.len() + before)
}

/// Server and proxy, before the devices come.
struct Stage {
    proxy: Proxy,
    trust: Trust,
    port: SocketAddr,
    /// What devices with a certificate from before have, by member.
    identities: BTreeMap<u32, Holder>,
}

impl Stage {
    async fn build(
        members: &[Member],
        pool: &[Arc<Key>],
        seed: u64,
        journal: crate::sink::Journal,
        mut stopped: watch::Receiver<bool>,
    ) -> Result<Self> {
        let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let listener = TcpListener::bind(loopback).await.context("could not listen on loopback")?;
        let server_port = listener.local_addr().context("could not learn the server's port")?;
        // One key for all that ends TLS here: this is a play, and keys take time.
        let mut keys = Key::pool(2)?.into_iter();
        let (Some(root), Some(leaf)) = (keys.next(), keys.next()) else { anyhow::bail!("no keys were made") };
        let root = Arc::into_inner(root).context("the root's key is in use")?;
        let authority = Authority::new("enrollscope demo", root, now())?;
        let names = [DISCOVERY_HOST.to_owned(), SERVER_HOST.to_owned()];
        let certificate = authority.server_certificate(&names, &leaf, now())?;
        let identity = Identity::new(authority.chain(&certificate), leaf.private())?;
        let trusted = net::Trust::with_certificates(authority.chain(&certificate).split_off(1), false)?;
        let trust = Trust::from_pem(&authority.root_pem())?;

        let upstream: Origin = format!("https://{SERVER_HOST}:{}", server_port.port()).parse()?;
        let settings = Settings {
            listeners: vec![ListenerSettings { address: loopback, secure: true }],
            served: Some(Served::new(vec![identity], false)?),
            routes: Vec::new(),
            default: Some(SiteSettings {
                upstream_address: Some(server_port),
                ..SiteSettings::new(upstream, Some(trusted))
            }),
            plain_http: PlainHttp::default(),
            limits: Limits::default(),
            fronts: Fronts::default(),
            forwarded: Forwarded::Off,
        };
        let proxy = Proxy::bind(settings, journal).await?;
        let address = proxy.addresses().first().cloned().unwrap_or_default();
        let port = Address::parse(&address).context("the proxy has no address")?.port;

        let mut settings = sim::Settings {
            accounts: Accounts::Password(PASSWORD.to_owned()),
            device_cap: 1,
            provider: "ContosoMDM".to_owned(),
            seed,
            ..sim::Settings::new(&format!("https://{SERVER_HOST}:{port}"))
        };
        for member in members {
            if let Some(edit) = member.story.edit() {
                settings.misbehave_for.insert(member.user.clone(), edit);
            }
            if let Some(auth) = member.story.auth() {
                settings.auth_for.insert(member.user.clone(), auth);
            }
        }
        let mut identities = BTreeMap::new();
        for member in members.iter().filter(|m| m.story == Story::Healthy(Flow::Certificate)) {
            if let Some(key) = second_key(members, pool, member) {
                let certificate = authority.issue(&member.user, &key.public(), now(), None)?.client;
                identities.insert(member.number, Holder { certificate, key: Arc::clone(key) });
            }
        }
        let server =
            Live::new(Server::new(settings, authority), now, |_, _, _| {}).with_tls(&names, &leaf)?;
        tokio::spawn(async move {
            let stop = async move {
                let _ = stopped.wait_for(|stop| *stop).await;
            };
            sim::serve(Arc::new(server), listener, stop).await;
        });
        let port = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        Ok(Self { proxy, trust, port, identities })
    }
}

/// The devices and how they go about it.
struct Cast {
    members: Vec<Member>,
    keys: Vec<Arc<Key>>,
    identities: BTreeMap<u32, Holder>,
    trust: Trust,
    port: SocketAddr,
    seed: u64,
    paced: bool,
}

impl Cast {
    async fn play(self) {
        let gate = Arc::new(Semaphore::new(if self.paced { Semaphore::MAX_PERMITS } else { AT_ONCE }));
        let cast = Arc::new(self);
        let mut playing = JoinSet::new();
        for index in 0..cast.members.len() {
            let (cast, gate) = (Arc::clone(&cast), Arc::clone(&gate));
            playing.spawn(async move {
                let Ok(_permit) = gate.acquire().await else { return };
                let Some(member) = cast.members.get(index) else { return };
                if cast.paced {
                    tokio::time::sleep(Duration::from_millis(1_700 * u64::from(member.number))).await;
                }
                cast.enroll(member).await;
            });
        }
        while playing.join_next().await.is_some() {}
    }

    async fn enroll(&self, member: &Member) {
        let index = usize::try_from(member.number).unwrap_or_default();
        let Some(key) = self.keys.get(index) else { return };
        let second = second_key(&self.members, &self.keys, member);
        let proof = match member.story {
            Story::Healthy(Flow::Entra) => {
                let audience = format!("https://{SERVER_HOST}:{}", self.port.port());
                let Ok(token) = entra_token((&member.user, &member.user), &audience, now(), key) else {
                    return;
                };
                Proof::Entra(token)
            }
            Story::Healthy(Flow::Certificate) => match self.identities.get(&member.number) {
                Some(holder) => Proof::Certificate(holder.clone()),
                None => return,
            },
            _ => Proof::Password,
        };
        if let (Story::SecondDevice, Some(other)) = (member.story, second) {
            // The device that the user has already.
            self.device(member, member.number + 100_000, other, Proof::Password).await;
        }
        let provision = self.device(member, member.number, key, proof).await;
        if let (Story::Healthy(Flow::Renewal), Some(provision), Some(new)) = (member.story, provision, second)
        {
            let holder = Holder { certificate: provision.certificate, key: Arc::clone(key) };
            self.device(member, member.number, new, Proof::Renewal(holder)).await;
        }
    }

    /// One device's way, and what it got.
    async fn device(&self, member: &Member, number: u32, key: &Arc<Key>, proof: Proof) -> Option<Provision> {
        let story = member.story;
        let password = if story == Story::WrongPassword { "Password1" } else { PASSWORD };
        let profile = sim::Profile::numbered(self.seed, number, &member.user, password);
        // Entra knows the server's address; everybody else looks where their mail domain says.
        let (profile, host) = match proof {
            Proof::Entra(_) => (profile.suiting(Golden::Entra), SERVER_HOST),
            Proof::Certificate(_) => (profile.suiting(Golden::Certificate), DISCOVERY_HOST),
            Proof::Password | Proof::Renewal(_) => (profile, DISCOVERY_HOST),
        };
        let device = Device { proof, ..Device::new(profile, Arc::clone(key)) };
        let server = Address::parse(&format!("https://{host}:{}", self.port.port()))?;
        let trust = if story == Story::Distrusts { Trust::Nobody } else { self.trust.clone() };
        let pace = self.paced.then(|| {
            let seed = u64::from(number).wrapping_mul(2_654_435_761).wrapping_add(self.seed);
            Pace::new(move |step| {
                let salt = match step {
                    Step::Probe | Step::Terms => 0,
                    Step::Discover => 1,
                    Step::SignIn | Step::Password => 5,
                    Step::Policies => 2,
                    Step::Token => 3,
                    Step::Sync => 4,
                };
                let millis = 600 + (seed >> (salt * 3)) % 1_900;
                tokio::time::sleep(Duration::from_millis(if salt == 0 { 0 } else { millis }))
            })
        });
        let options = Options {
            connect: Some(self.port),
            stop_after: (story == Story::StopsAfterDiscovery).then_some(Step::Discover),
            sync: true,
            pace,
            ..Options::new(server, trust, now)
        };
        // How it ended is what the engine says: the device's own word would prove nothing about the tool.
        sim::enroll(&device, &options, |_| {}).await.ok()?.provision
    }
}

/// What the engine made of it all.
#[derive(Default)]
struct Judgement {
    enrollments: BTreeMap<EnrollmentId, Enrollment>,
    findings: Vec<(Option<EnrollmentId>, Finding)>,
    exchanges: u64,
}

impl Judgement {
    fn collect(seen: Receiver<Judged>) -> Self {
        let mut all = Self::default();
        for (observation, _) in seen {
            all.exchanges += u64::from(observation.request.is_some());
            for (gone, _) in &observation.gone {
                all.enrollments.remove(gone);
            }
            for enrollment in observation.changed {
                all.enrollments.insert(enrollment.id, enrollment);
            }
            all.findings.extend(observation.findings.into_iter().map(|f| (observation.enrollment, f)));
        }
        all
    }

    fn of_user<'s>(&'s self, user: &'s str) -> impl Iterator<Item = &'s Enrollment> {
        self.enrollments.values().filter(move |e| e.user.as_deref() == Some(user))
    }

    /// The enrollment that shows the ending, if there is one.
    fn shows(&self, user: &str, ending: Ending) -> Option<String> {
        let Ending::Enrollment { outcome, flow, code, rule } = ending else {
            let refused = self.findings.iter().find(|(_, f)| f.rule.id == "TLS-001");
            return refused.map(|(_, f)| format!("{}: {}", f.rule.id, f.found));
        };
        let fits = |e: &&Enrollment| {
            let found = |id| self.findings.iter().any(|(of, f)| *of == Some(e.id) && f.rule.id == id);
            e.outcome == outcome
                && e.flow == flow
                && (code.is_none() || e.hresult == code)
                && rule.is_none_or(found)
        };
        self.of_user(user).find(fits).map(|e| e.verdict.clone())
    }
}

fn summary(members: &[Member], result: &Judgement, out: Output) -> Exit {
    let mut bad = 0;
    for member in members {
        let shown = result.shows(&member.user, member.story.ending());
        bad += u32::from(shown.is_none());
        let seen = || {
            result
                .of_user(&member.user)
                .map(|e| format!("{}: {}", e.outcome.word(), e.verdict))
                .collect::<Vec<_>>()
        };
        let (mark, text) = match shown {
            Some(verdict) => ("ok", verdict),
            None => ("NOT", format!("seen instead: {}", seen().join("; "))),
        };
        out.print(&format!("{mark:<4}{:<26} {:<28} {text}\n", member.user, member.story.name()));
    }
    out.print(&format!(
        "\n{} devices, {} exchanges: {} ended as their stories say, {bad} did not\n",
        members.len(),
        result.exchanges,
        members.len() - usize::try_from(bad).unwrap_or_default()
    ));
    if bad == 0 { Exit::Good } else { Exit::Found }
}
