//! `replay`: the devices of a capture enroll again at another server.

use std::collections::BTreeMap;
use std::io::{IsTerminal as _, Write as _};
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, Result, anyhow, bail};

use super::diff::{ending, told};
use super::enroll::read;
use super::inputs::{Inputs, stories};
use super::live::redactor;
use super::output::{Exit, Output};
use super::slice::Chosen;
use crate::cli::{Bodies, LoginArgs, Redact, ReplayArgs, ReplayIdentity, ReplayPace, TargetArgs};
use crate::compare::{Expectation, Pair, Pattern, Story, compare, met};
use crate::enrollment::Flow;
use crate::net::now;
use crate::redact::Redactor;
use crate::replay::{Identity, Job, Login, Means, Pace, Plan, Replayed, keys, run};
use crate::report::comparison::{self, Compared};
use crate::rules::Profile;
use crate::sim::{Address, Holder, KeyKind, Trust};

pub fn replay(args: &ReplayArgs, out: Output) -> Result<Exit> {
    if args.comparing.explain_noise {
        out.print(&comparison::noise());
        return Ok(Exit::Good);
    }
    let expectations = expectations(args)?;
    let target = Target::of(&args.target, out)?;
    let chosen = Chosen { ids: &args.enrollment, devices: &args.device };
    let stories = chosen.of(stories(&Inputs::of(&args.captures)?, args.comparing.profile)?)?;
    if let Some(path) = args.capture.as_ref().filter(|path| path.exists()) {
        bail!(
            "{} is there already, and is left as it is; choose another place with --capture",
            path.display()
        );
    }
    let logins = Logins::of(&args.logins)?;
    let run = Run { title: "replay", expectations: &expectations, ignore: &args.comparing.ignore };
    let copies = usize::from(args.copies);
    let replay = replayed(&stories, &target, &logins, copies, args.comparing.profile, out)?;
    if let Some(path) = &args.capture {
        record(path, &replay, &target.redactor(out))
            .with_context(|| format!("could not write {}", path.display()))?;
    }
    let compared = run.compared(&stories, &replay);
    out.print(&told(&compared, &args.comparing, out));
    if let Some(left) = replay.iter().find(|replayed| replayed.story.is_none()) {
        out.note(&format!("error: not everything could be replayed: {}", left.ended));
        return Ok(Exit::Failed);
    }
    Ok(ending(&compared, args.comparing.fail_on))
}

fn expectations(args: &ReplayArgs) -> Result<Vec<Expectation>> {
    let fixed = args.expect_fixed.iter().map(|rule| {
        format!("fixed:{rule}").parse().map_err(|words: String| anyhow!("--expect-fixed: {words}"))
    });
    fixed.chain(args.expect.iter().map(|expectation| Ok(*expectation))).collect()
}

/// Where a replay goes.
pub(super) struct Target<'a> {
    args: &'a TargetArgs,
    to: Address,
    trust: Trust,
}

impl<'a> Target<'a> {
    /// Asks before a server that is not on this machine.
    pub(super) fn of(args: &'a TargetArgs, out: Output) -> Result<Self> {
        let Some(url) = &args.to else { bail!("--to URL is wanted: a replay goes nowhere by itself") };
        let Some(to) = Address::parse(url) else {
            bail!("--to {url}: an absolute URL is wanted, for instance https://mdm.contoso.com");
        };
        let trust = match &args.ca {
            Some(path) => {
                let pem = read(path).with_context(|| format!("could not read {}", path.display()))?;
                Trust::from_pem(&pem).with_context(|| format!("{}", path.display()))?
            }
            None => Trust::System,
        };
        let target = Self { args, to, trust };
        if !is_local(&target.to, args.connect) && !args.yes {
            target.ask(out)?;
        }
        Ok(target)
    }

    fn ask(&self, out: Output) -> Result<()> {
        let whom = match self.args.connect {
            Some(address) => format!("{} (connected to at {address})", self.to.origin()),
            None => self.to.origin(),
        };
        confirmed(&format!("{whom} is not on this machine, and devices will enroll there."), out)
    }

    fn redactor(&self, out: Output) -> Redactor {
        redactor(Redact::Secrets, Bodies::Enrollment, out)
    }

    fn means(&self, profile: Profile, out: Output) -> Means {
        let args = self.args;
        Means {
            to: self.to.clone(),
            connect: args.connect,
            trust: self.trust.clone(),
            patience: args.timeout,
            allowed: args.allow_host.clone(),
            identity: match args.identity {
                ReplayIdentity::Fresh => Identity::Fresh,
                ReplayIdentity::Recorded => Identity::Recorded,
            },
            pace: match args.pace {
                ReplayPace::AtOnce => Pace::AtOnce,
                ReplayPace::Times(times) => Pace::Recorded(times),
            },
            parallel: usize::from(args.parallel),
            redactor: self.redactor(out),
            profile,
            // Every run has other devices.
            seed: now().0.to_be_bytes().to_vec(),
            clock: now,
        }
    }
}

/// Whether what is sent stays on this machine.
pub(super) fn is_local(to: &Address, connect: Option<SocketAddr>) -> bool {
    match connect {
        Some(address) => address.ip().is_loopback(),
        None => to.host == "localhost" || to.host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback()),
    }
}

/// Asks before what cannot be taken back.
pub(super) fn confirmed(what: &str, out: Output) -> Result<()> {
    if !std::io::stdin().is_terminal() {
        bail!("{what} If that is meant, add --yes");
    }
    let mut asking = std::io::stderr();
    let _ = write!(asking, "{what} Go on? [y/N] ").and_then(|()| asking.flush());
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).context("could not read the answer")?;
    if !["y", "yes"].contains(&answer.trim().to_ascii_lowercase().as_str()) {
        bail!("nothing was sent");
    }
    out.note("");
    Ok(())
}

/// What devices have to show in this run.
pub(super) struct Logins {
    everybody: Login,
    /// By the recorded user, in lower case.
    by_user: BTreeMap<String, Login>,
    token_command: Option<String>,
    password_command: Option<String>,
}

impl Logins {
    pub(super) fn of(args: &LoginArgs) -> Result<Self> {
        let reading = |path: &Path| read(path).with_context(|| format!("could not read {}", path.display()));
        let password = match &args.password_env {
            Some(name) => Some(std::env::var(name).map_err(|_| {
                anyhow!("--password-env {name}: there is no such variable, or it is not text")
            })?),
            None => None,
        };
        let token = args.token_file.as_deref().map(reading).transpose()?;
        let certificate = match &args.certificate {
            Some(path) => {
                Some(Holder::from_pem(&reading(path)?).with_context(|| format!("{}", path.display()))?)
            }
            None => None,
        };
        let everybody = Login {
            user: args.user.clone(),
            password,
            token: token.map(|token| token.trim().to_owned()),
            certificate,
        };
        let mut by_user = BTreeMap::new();
        if let Some(path) = &args.logins {
            for (number, line) in reading(path)?.lines().enumerate() {
                let words: Vec<_> = line.split_whitespace().collect();
                let (recorded, user, password) = match words.as_slice() {
                    [] => continue,
                    [first, ..] if first.starts_with('#') => continue,
                    [recorded, password] => (recorded, None, password),
                    [recorded, user, password] => (recorded, Some((*user).to_owned()), password),
                    _ => bail!(
                        "{}: line {}: RECORDED-USER PASSWORD or RECORDED-USER USER PASSWORD is wanted",
                        path.display(),
                        number + 1
                    ),
                };
                let login = Login { user, password: Some((*password).to_owned()), ..everybody.clone() };
                by_user.insert(recorded.to_lowercase(), login);
            }
        }
        let (token_command, password_command) = (args.token_command.clone(), args.password_command.clone());
        Ok(Self { everybody, by_user, token_command, password_command })
    }

    /// Tokens and passwords are fetched for those who show one.
    fn for_plan(&self, plan: &Plan) -> Result<Login> {
        let recorded = plan.user.as_deref().unwrap_or_default();
        let mut login = self.by_user.get(&recorded.to_lowercase()).unwrap_or(&self.everybody).clone();
        let user = login.user.clone().unwrap_or_else(|| recorded.to_owned());
        let user = [("ENROLLSCOPE_USER", user.as_str())];
        if let (Some(command), Flow::Federated | Flow::Entra) = (&self.token_command, plan.flow) {
            login.token = Some(printed(command, &user).context("--token-command")?);
        }
        if let (Some(command), Flow::OnPremise | Flow::Federated) = (&self.password_command, plan.flow) {
            login.password = Some(printed(command, &user).context("--password-command")?);
        }
        Ok(login)
    }
}

/// What a command prints; what it says on stderr is shown.
fn printed(command: &str, variables: &[(&str, &str)]) -> Result<String> {
    let output = shell(command, variables).stderr(std::process::Stdio::inherit()).output();
    let output = output.with_context(|| format!("could not run `{command}`"))?;
    if !output.status.success() {
        bail!("`{command}` ends with {}", output.status);
    }
    let text = String::from_utf8(output.stdout).map_err(|_| anyhow!("`{command}` prints what is no text"))?;
    match text.trim() {
        "" => bail!("`{command}` prints nothing"),
        token => Ok(token.to_owned()),
    }
}

/// As the system's shell understands it.
pub(super) fn shell(command: &str, variables: &[(&str, &str)]) -> Command {
    let mut shell = if cfg!(windows) { Command::new("cmd") } else { Command::new("sh") };
    shell.arg(if cfg!(windows) { "/C" } else { "-c" }).arg(command).envs(variables.iter().copied());
    shell
}

/// Replays the stories, and says on stderr how each ends.
pub(super) fn replayed(
    stories: &[Story],
    target: &Target<'_>,
    logins: &Logins,
    copies: usize,
    profile: Profile,
    out: Output,
) -> Result<Vec<Replayed>> {
    let mut jobs = Vec::with_capacity(stories.len());
    for story in stories {
        let plan = Plan::of(story).map_err(|why| anyhow!("{}: {why}", story.label()))?;
        let login = logins.for_plan(&plan)?;
        jobs.push(Job { plan, login });
    }
    let kinds: Vec<KeyKind> = match target.args.identity {
        ReplayIdentity::Fresh => {
            jobs.iter().flat_map(|job| std::iter::repeat_n(job.plan.key, copies)).collect()
        }
        // The recorded request is sent; one key is for what a device needs to have.
        ReplayIdentity::Recorded => vec![KeyKind::default()],
    };
    if kinds.len() > 50 {
        out.note(&format!("making {} keys", kinds.len()));
    }
    let begun = Instant::now();
    let keys = keys(&kinds)?;
    if kinds.len() > 50 {
        out.note(&format!("made {} keys in {:.1} s", keys.len(), begun.elapsed().as_secs_f64()));
    }
    let runtime = tokio::runtime::Runtime::new().context("could not start the network's threads")?;
    let labels: Vec<String> = jobs.iter().map(|job| job.plan.label.clone()).collect();
    let seen = |replayed: &Replayed| {
        let label = labels.get(replayed.job).map_or("", String::as_str);
        let outcome = replayed.story.as_ref().map_or("", |story| story.enrollment.outcome.word());
        out.note(&crate::report::clean(&format!("{label}: {outcome} {}", replayed.ended)));
    };
    Ok(runtime.block_on(run(jobs, copies, keys, target.means(profile, out), seen))?)
}

/// What is asked of a replay.
pub(super) struct Run<'a> {
    pub(super) title: &'a str,
    pub(super) expectations: &'a [Expectation],
    pub(super) ignore: &'a [Pattern],
}

impl Run<'_> {
    pub(super) fn compared(&self, stories: &[Story], replayed: &[Replayed]) -> Compared {
        let pairs: Vec<Pair<'_>> = replayed
            .iter()
            .map(|replayed| Pair { first: stories.get(replayed.job), second: replayed.story.as_ref() })
            .collect();
        let mut comparison = compare(&pairs, true, self.ignore);
        let copies = replayed.iter().any(|replayed| replayed.copy > 1);
        for (pairing, replayed) in comparison.pairings.iter_mut().zip(replayed) {
            if replayed.story.is_none() {
                // Nothing can be said of what was not tried.
                pairing.exchanges.clear();
            }
            if copies {
                pairing.label = format!("{} copy {}", pairing.label, replayed.copy);
            }
            pairing.ended = Some(replayed.ended.clone());
            pairing.notes = replayed.notes.iter().cloned().collect();
        }
        let expectations =
            self.expectations.iter().map(|expectation| (*expectation, met(expectation, &pairs))).collect();
        let sides = ("recorded".to_owned(), "now".to_owned());
        Compared { title: self.title.to_owned(), sides, comparison, expectations, aside: None }
    }
}

/// Writes what was said, in the order of time, as a capture.
/// In the order in which they were sent.
fn record(path: &Path, replayed: &[Replayed], redactor: &Redactor) -> Result<()> {
    let stories = replayed.iter().filter_map(|replayed| replayed.story.as_ref());
    let mut exchanges: Vec<_> =
        stories.flat_map(|story| &story.exchanges).map(|told| Arc::clone(&told.exchange)).collect();
    exchanges.sort_by_key(|exchange| exchange.request.at);
    super::doctor::record(path, &exchanges, redactor)
}
