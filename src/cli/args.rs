//! Commands and their options.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::builder::FalseyValueParser;
use clap::{ArgAction, Args, CommandFactory as _, Parser, Subcommand, ValueEnum};

use ipnet::IpNet;

use super::alert::{AlertArgs, AlertTestArgs};
use super::bundle::BundleCommand;
use super::conform::ConformArgs;
use super::doctor::DoctorArgs;
use super::explain::ExplainArgs;
use super::limits::LimitsArgs;
use super::look::LookArgs;
use super::redact::RedactArgs;
use super::replay::{DiffArgs, ReplayArgs, ServeArgs};
use super::rotation::RotationArgs;
use super::sim::{EnrollArgs, ServerArgs};
use super::suite::SuiteCommand;
use super::transfer::{ExportArgs, ImportArgs};
use super::values::{duration, network, profile};
use crate::filter::{Filter, FilterError, Saved};
use crate::net::{CertificateHeader, HostPattern, HostPatternError, Origin, OriginError, PASSWORD_VARIABLE};
use crate::rules::{Profile, VERSION};

/// See what Windows devices and an enrollment server say to each other, and what is wrong with it.
#[derive(Debug, Parser)]
#[command(name = "enrollscope", max_term_width = 110)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
    /// A configuration file; flags and ENROLLSCOPE_* variables win over it
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Colours on the terminal (NO_COLOR is honoured)
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub color: When,
}

#[derive(Debug, Subcommand)]
#[expect(clippy::large_enum_variant, reason = "there is one, for as long as the program runs")]
pub enum Command {
    /// A whole fleet on this machine: server, devices healthy and broken, the proxy between, the dashboard
    Demo(DemoArgs),
    /// Stand between devices and an enrollment server: forward, record, judge, show
    Proxy(ProxyArgs),
    /// Send one test alert to --notify and --exec, or to those of the proxy's configuration (--config)
    AlertTest(AlertTestArgs),
    /// The dashboard on a recording
    Open(OpenArgs),
    /// Judge captures, directories of messages and single messages
    Check(CheckArgs),
    /// Have the devices of a capture enroll again at another server, and compare what comes of it
    Replay(ReplayArgs),
    /// Give devices the answers of a capture, without its server
    Serve(ServeArgs),
    /// A regression suite of recorded enrollments
    #[command(subcommand)]
    Suite(SuiteCommand),
    /// Compare two captures, or two enrollments (CAPTURE#e12)
    Diff(DiffArgs),
    /// A preflight: is everything there that a device needs, from DNS to the enrollment service?
    Doctor(DoctorArgs),
    /// Is a server fit for all kinds of devices and their misbehaviour? A matrix, with a grade
    Conform(ConformArgs),
    /// What an error code means, where it comes from, and what helps
    Explain(ExplainArgs),
    /// The rules: all of them, or one with its source, consequence and remedy
    Rules(RulesArgs),
    /// The reference enrollment server, for tests and demonstrations
    Server(ServerArgs),
    /// One simulated device enrolls, step by step
    Enroll(EnrollArgs),
    /// The local certificate authority: make, show, export, install, remove, and a page for test devices (kit)
    #[command(subcommand)]
    Certs(CertsCommand),
    /// Save everything readable of a damaged capture into a new file
    Repair(RepairArgs),
    /// Make one file for whoever is to help: a part of a capture without identities, with a report
    Bundle(BundleCommand),
    /// Make a capture with less in it: without secrets, or without anybody's identity
    Redact(RedactArgs),
    /// Make a capture of a recording of another tool (HAR, mitmproxy, Fiddler)
    Import(ImportArgs),
    /// Write captures in the format of other tools (HAR)
    Export(ExportArgs),
    /// The configuration file
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Completions for a shell
    Completions { shell: clap_complete::Shell },
    /// The manual page, as roff
    Man,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum When {
    Auto,
    Always,
    Never,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Human,
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CheckFormat {
    Human,
    Json,
    Junit,
    Markdown,
    Html,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FailOn {
    Error,
    Warning,
    Never,
}

/// What is taken out of what is recorded and shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Redact {
    /// Passwords, tokens, keys and cookies
    Secrets,
    /// These, and who it is about: users, devices, hosts and addresses become pseudonyms
    Identities,
    /// Nothing at all: captures then hold passwords
    None,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Http2 {
    /// Offered to devices once their server was seen to choose it
    Auto,
    /// HTTP/1.1 only, on both sides
    Off,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Bodies {
    /// Enrollment messages; of management sessions and everything else head and length only
    Enrollment,
    /// Everything, also what no redactor knows
    All,
}

/// What is done with requests on plain HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PlainHttp {
    /// To the server, as with HTTPS
    Forward,
    /// Answer 302 with the https address
    Redirect,
}

/// When a device is asked for a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ClientCertificates {
    /// Once the server was seen to ask for one in its TLS handshake
    Auto,
    /// Always; a device without one is served, too
    Ask,
    Never,
}

/// Options of `proxy` that count at its start only; all others are taken over from a configuration file that changes.
pub const START_ONLY: &[&str] = &[
    "listen",
    "listen-http",
    "capture",
    "no-capture",
    "rotate-size",
    "rotate-every",
    "keep-files",
    "keep-bytes",
    "redact",
    "record-bodies",
    "headless",
    "theme",
    "ascii",
    "format",
    "max-connections",
    "body-memory",
    "admin",
    "admin-token-file",
    "ready-file",
    "log",
    "log-format",
    "profile",
    "fail-on",
    "expect",
    "notify",
    "notify-as",
    "notify-ca",
    "exec",
    "alert-failures",
    "alert-overdue",
];

#[derive(Debug, Args)]
pub struct ProxyArgs {
    /// The enrollment server's origin, for instance https://mdm.internal.example; takes every name without a route
    #[arg(long, alias = "server", value_name = "URL")]
    pub upstream: Option<Origin>,
    /// Forward this public name to a server of its own; *.NAME is every name below (may be given several times)
    #[arg(long, value_name = "NAME=URL")]
    pub route: Vec<RouteFlag>,
    /// Forward this name's TLS untouched, to that address or where the name resolves to; so, unless they have a
    /// route, manage.microsoft.com and dm.microsoft.com with all below are (may be given several times)
    #[arg(long, value_name = "NAME[=ADDR:PORT]")]
    pub passthrough: Vec<PassthroughFlag>,
    #[command(flatten)]
    pub expect: ExpectArgs,
    /// Refuse this name's connections (may be given several times)
    #[arg(long, value_name = "NAME")]
    pub refuse: Vec<HostPattern>,
    /// Where to accept HTTPS (port 0: any free one)
    #[arg(long, value_name = "ADDR:PORT")]
    pub listen: Vec<SocketAddr>,
    /// Where to accept plain HTTP, for instance behind a front end that ends TLS
    #[arg(long, value_name = "ADDR:PORT")]
    pub listen_http: Vec<SocketAddr>,
    /// What plain HTTP is for: forward it, or redirect to the https address of the same host. The local authority's
    /// certificate is at /ca.cer, where there is one
    #[arg(long, value_name = "WHAT", default_value = "forward")]
    pub plain_http: PlainHttp,
    /// The certificate for devices, PEM, leaf first with its chain; without it the local authority makes one. Changed
    /// files are taken over while the proxy runs
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// Its private key, PEM, not encrypted
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// The certificate for devices with its key and chain in one PFX (PKCS#12) file
    #[arg(long, value_name = "FILE", conflicts_with = "tls_cert")]
    pub tls_pfx: Option<PathBuf>,
    /// The environment variable that holds the PFX file's password
    #[arg(long, value_name = "VARIABLE", default_value = PASSWORD_VARIABLE)]
    pub tls_pfx_password_env: String,
    /// A host name that devices use, for the local authority's certificates (may be given several times)
    #[arg(long, value_name = "NAME")]
    pub host: Vec<String>,
    /// Where the local authority's key and certificate are kept
    #[arg(long, value_name = "DIR", default_value = "certs")]
    pub certs: PathBuf,
    /// A further authority to trust for the servers' certificates, PEM
    #[arg(long, value_name = "FILE")]
    pub upstream_ca: Option<PathBuf>,
    /// Connect to --upstream at this address instead of the one its name resolves to
    #[arg(long, value_name = "ADDR:PORT", requires = "upstream")]
    pub upstream_connect: Option<SocketAddr>,
    /// Go on although the server's certificate cannot be verified (shown red all the time)
    #[arg(long)]
    pub upstream_insecure: bool,
    /// Our own certificate with its key, PEM, for servers that ask who we are
    #[arg(long, value_name = "FILE")]
    pub upstream_identity: Option<PathBuf>,
    /// Whether devices are asked for a certificate, which is handed on in a header. Say never for names where users
    /// sign in: their browsers would show a choice of certificates
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub client_certificates: ClientCertificates,
    /// The header that tells the server of a device's certificate: rfc9440 (Client-Cert), nginx:NAME (PEM,
    /// percent-encoded), envoy (X-Forwarded-Client-Cert) or none
    #[arg(long, value_name = "FORM", default_value = "rfc9440")]
    pub client_certificate_header: CertificateHeader,
    /// Whether devices may have HTTP/2: where their server speaks it, or never
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub http2: Http2,
    /// Put our own address into discovery answers, so that the device stays with us
    #[arg(long)]
    pub rewrite: bool,
    /// Have devices that enroll managed through enrollscope, too: its address goes into the provisioning document, and
    /// stays on the device until it is unenrolled
    #[arg(long, requires = "rewrite")]
    pub rewrite_management: bool,
    /// Our own origin as devices see it, for --rewrite; by default what the device's Host says
    #[arg(long, value_name = "URL", requires = "rewrite")]
    pub public_url: Option<Origin>,
    #[command(flatten)]
    pub recording: RecordingArgs,
    /// No dashboard: one line per exchange (so it is, too, when stdout is no terminal)
    #[arg(long)]
    pub headless: bool,
    #[command(flatten)]
    pub look: LookArgs,
    /// The form of the lines without a dashboard: for people, or for programs
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    pub format: Format,
    /// Believe what front ends in this network say of devices: X-Forwarded-*, Forwarded, Client-Cert, PROXY protocol
    #[arg(long, value_name = "CIDR", value_parser = network)]
    pub trusted_front: Vec<IpNet>,
    /// Tell the server of the device in X-Forwarded-For, -Proto and -Host
    #[arg(long, value_name = "HOW", default_value = "off")]
    pub forwarded: ForwardedMode,
    #[command(flatten)]
    pub limits: LimitsArgs,
    /// Where to tell /metrics (Prometheus), /healthz and /status, for instance 127.0.0.1:9180
    #[arg(long, value_name = "ADDR:PORT")]
    pub admin: Option<SocketAddr>,
    /// The token that opens /status, in a file; by default a new one is printed at the start
    #[arg(long, value_name = "FILE", requires = "admin")]
    pub admin_token_file: Option<PathBuf>,
    /// Write the listening addresses to this file once connections are accepted
    #[arg(long, value_name = "FILE")]
    pub ready_file: Option<PathBuf>,
    /// Write the log to this file
    #[arg(long, value_name = "FILE")]
    pub log: Option<PathBuf>,
    /// The form of the log
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    pub log_format: Format,
    /// Which severities count: what stops devices, or the letter of the specification
    #[arg(long, value_name = "PROFILE", default_value = "field", value_parser = profile)]
    pub profile: Profile,
    /// End with exit code 1 when there were findings of this severity
    #[arg(long, value_name = "SEVERITY", default_value = "never")]
    pub fail_on: FailOn,
    #[command(flatten)]
    pub alerts: AlertArgs,
}

/// `NAME=URL`
#[derive(Clone, Debug)]
pub struct RouteFlag {
    pub name: HostPattern,
    pub upstream: Origin,
}

/// `NAME` or `NAME=ADDR:PORT`
#[derive(Clone, Debug)]
pub struct PassthroughFlag {
    pub name: HostPattern,
    pub target: Option<SocketAddr>,
}

impl FromStr for RouteFlag {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, upstream) =
            text.split_once('=').ok_or("NAME=URL is wanted, like enroll.contoso.com=https://mdm")?;
        let name = name.parse().map_err(|e: HostPatternError| e.to_string())?;
        Ok(Self { name, upstream: upstream.parse().map_err(|e: OriginError| e.to_string())? })
    }
}

impl FromStr for PassthroughFlag {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, target) = text.split_once('=').map_or((text, None), |(name, target)| (name, Some(target)));
        let name = name.parse().map_err(|e: HostPatternError| e.to_string())?;
        let target = target.map(|target| target.parse().map_err(|_| format!("{target:?} is no ADDR:PORT")));
        Ok(Self { name, target: target.transpose()? })
    }
}

/// What becomes of headers that tell of the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ForwardedMode {
    /// They pass as they come; the server sees one address for all devices
    Off,
    /// The device is added behind what came
    Append,
    /// What came is taken out, and the device told
    Replace,
}

#[derive(Debug, Args)]
pub struct RecordingArgs {
    /// Record to this file or directory (default: captures/, else the state directory)
    #[arg(long, value_name = "PATH")]
    pub capture: Option<PathBuf>,
    /// Do not record
    #[arg(long, conflicts_with = "capture")]
    pub no_capture: bool,
    #[command(flatten)]
    pub rotation: RotationArgs,
    /// What is taken out before recording, judging and showing
    #[arg(long, value_name = "LEVEL", default_value = "secrets")]
    pub redact: Redact,
    /// Which bodies are kept
    #[arg(long, value_name = "WHICH", default_value = "enrollment")]
    pub record_bodies: Bodies,
}

#[derive(Debug, Args)]
pub struct DemoArgs {
    /// No dashboard and no pace: run through, print a summary, end
    #[arg(long)]
    pub headless: bool,
    /// How many devices enroll
    #[arg(long, value_name = "N", default_value_t = 24, value_parser = clap::value_parser!(u32).range(1..=2000))]
    pub devices: u32,
    /// Decides names, order and pace
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Record to this file (the demo does not record otherwise)
    #[arg(long, value_name = "FILE")]
    pub capture: Option<PathBuf>,
    /// End after so long, for instance 90s or 5m
    #[arg(long = "for", value_name = "DUR", value_parser = duration)]
    pub duration: Option<Duration>,
    #[command(flatten)]
    pub look: LookArgs,
}

#[derive(Debug, Args)]
pub struct OpenArgs {
    /// The captures to show, with their segments, packed or not; directories of them, or - for standard input
    #[arg(required = true, value_name = "CAPTURE")]
    pub captures: Vec<PathBuf>,
    #[command(flatten)]
    pub expect: ExpectArgs,
    /// Which severities count: what stops devices, or the letter of the specification
    #[arg(long, value_name = "PROFILE", default_value = "field", value_parser = profile)]
    pub profile: Profile,
    #[command(flatten)]
    pub look: LookArgs,
}

#[derive(Debug, Args)]
pub struct ExpectArgs {
    /// A list of devices that are to come (CSV with headings: device name, UPN, DeviceID, MAC, HWDevID): how far each
    /// came, and what to look at for those that did not; `check` ends with exit code 1 unless all have enrolled
    #[arg(long, value_name = "FILE")]
    pub expect: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct FilterArgs {
    /// Only enrollments that this fits, as in the dashboard: `stage:certificate & outcome:failed`, `user:anna`,
    /// `rule:CSR-004`, `status>=400`, `~b DeviceCapReached`, `age<10m`, or words (its help, `?`, lists all); `@NAME` is
    /// one that is saved in the configuration file
    #[arg(long, value_name = "FILTER")]
    pub filter: Option<String>,
}

impl FilterArgs {
    /// Not while the command line is parsed: what is saved is in the file that it names.
    pub fn read(&self, saved: &Saved) -> Result<Filter, FilterError> {
        Filter::read(self.filter.as_deref().unwrap_or_default(), saved)
    }
}

#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Captures, HAR, SAZ and mitmproxy flow files, directories, message files (XML or raw HTTP), packed or not, or - for the standard input
    #[arg(required = true, value_name = "INPUT")]
    pub inputs: Vec<PathBuf>,
    /// For people, for programs, for build servers, for issue trackers, or a page to send
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    pub format: CheckFormat,
    /// Which severities count: what stops devices, or the letter of the specification
    #[arg(long, value_name = "PROFILE", default_value = "field", value_parser = profile)]
    pub profile: Profile,
    /// From which severity on the exit code is 1
    #[arg(long, value_name = "SEVERITY", default_value = "error")]
    pub fail_on: FailOn,
    /// Leave out this rule's findings (id or name; may be given several times)
    #[arg(long, value_name = "RULE")]
    pub allow: Vec<String>,
    #[command(flatten)]
    pub filter: FilterArgs,
    #[command(flatten)]
    pub expect: ExpectArgs,
}

#[derive(Debug, Args)]
pub struct RulesArgs {
    /// A rule's id or name
    pub id: Option<String>,
    /// For people, or for programs
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    pub format: Format,
}

#[derive(Debug, Subcommand)]
pub enum CertsCommand {
    /// Make the local authority, if there is none
    Make(CertsArgs),
    /// What it is, how long it is valid, its fingerprints
    Show(CertsArgs),
    /// Its certificate as PEM on stdout
    Export(CertsArgs),
    /// How to have a Windows device trust it
    Install(CertsArgs),
    /// One page for a test device: trust, hosts file, firewall, enrollment link, and how to undo each of them
    Kit {
        #[command(flatten)]
        certs: CertsArgs,
        /// Where the device reaches this machine
        #[arg(long, value_name = "IP")]
        address: Option<IpAddr>,
        /// Write it to this file
        #[arg(long, short, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// How to have a Windows device forget it, and delete it here with --delete
    Remove {
        #[command(flatten)]
        certs: CertsArgs,
        /// Delete the authority's key and certificate on this machine
        #[arg(long)]
        delete: bool,
    },
}

#[derive(Debug, Args)]
pub struct CertsArgs {
    /// Where the local authority's key and certificate are kept
    #[arg(long, value_name = "DIR", default_value = "certs")]
    pub certs: PathBuf,
    /// A host name that devices use (may be given several times)
    #[arg(long, value_name = "NAME")]
    pub host: Vec<String>,
}

#[derive(Debug, Args)]
pub struct RepairArgs {
    /// The damaged capture; it is not changed
    pub input: PathBuf,
    /// The new file (default: NAME.repaired.jsonl beside it)
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Read a configuration file and say what is wrong with it
    Check { file: PathBuf },
    /// What can stand in it, as a commented file
    Schema,
}

/// The command line's definition; every option has an environment variable: `--upstream-ca` is
/// `ENROLLSCOPE_UPSTREAM_CA`.
pub fn command() -> clap::Command {
    fn with_variables(command: clap::Command) -> clap::Command {
        command.mut_subcommands(with_variables).mut_args(|argument| {
            let Some(long) = argument.get_long() else { return argument };
            let variable = format!("ENROLLSCOPE_{}", long.replace('-', "_").to_uppercase());
            let is_flag = matches!(argument.get_action(), ArgAction::SetTrue);
            // clap wants names that live as long as the program; there are some dozens, made once.
            let argument = argument.env(&*variable.leak()).hide_env(true);
            if is_flag { argument.value_parser(FalseyValueParser::new()) } else { argument }
        })
    }
    with_variables(Cli::command())
        .version(&*format!("{} (rules {VERSION})", env!("CARGO_PKG_VERSION")).leak())
        .after_help("Every option --some-name can be given as ENROLLSCOPE_SOME_NAME in the environment, too.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definitions_fit_together() {
        command().debug_assert();
    }
}
