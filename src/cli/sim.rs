//! The two ends to try things with: the reference server, and one simulated device.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::args::Format;
use super::values::enrollment_version;
use crate::net::Origin;

#[derive(Debug, Args)]
pub struct ServerArgs {
    /// Where to listen (port 0: any free one)
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:8443")]
    pub listen: SocketAddr,
    /// How users sign in; Entra tokens and renewals are accepted with all of them
    #[arg(long, value_name = "AUTH", default_value = "on-premise")]
    pub auth: ServerAuth,
    /// The environment variable that holds the only password that is right; without it any is, but an empty one
    #[arg(long, value_name = "VARIABLE", default_value = "ENROLLSCOPE_PASSWORD")]
    pub password_env: String,
    /// Up to which EnrollmentVersion it answers, 3.0 to 9.0; above 4.0 federated devices attest their keys
    #[arg(long, value_name = "N", default_value = "4.0", value_parser = enrollment_version)]
    pub enrollment_version: f64,
    /// Answer with all that a policy can say (attestation above version 4.0), instead of the little that devices need
    #[arg(long)]
    pub full_policy: bool,
    /// The origin to advertise; by default the listener's own
    #[arg(long, value_name = "URL")]
    pub public_url: Option<Origin>,
    /// Host names for the certificate, besides localhost
    #[arg(long, value_name = "NAME")]
    pub host: Vec<String>,
    /// Renew only for devices whose certificate a front end (`proxy`, for instance) hands on in Client-Cert; whoever
    /// can reach the port can forge that
    #[arg(long)]
    pub require_client_cert: bool,
    /// Break this rule in every answer
    #[arg(long = "break", value_name = "RULE")]
    pub break_rule: Option<String>,
    /// Write the certificate authority to this file, PEM, for the device or the proxy to trust
    #[arg(long, value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
    /// Write a certificate with its key to this file, PEM, for `enroll --identity`
    #[arg(long, value_name = "FILE")]
    pub identity_file: Option<PathBuf>,
    /// Write the listening address to this file once connections are accepted
    #[arg(long, value_name = "FILE")]
    pub ready_file: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ServerAuth {
    /// With user name and password, in the messages themselves
    OnPremise,
    /// On a page of the server's, which hands over a token
    Federated,
    /// With a certificate that the device was given before; it signs the messages
    Certificate,
}

#[derive(Debug, Args)]
pub struct EnrollArgs {
    /// The origin, or the discovery service's URL
    #[arg(long, value_name = "URL")]
    pub server: String,
    /// Who enrolls
    #[arg(long, value_name = "USER", default_value = "anna@contoso.example")]
    pub user: String,
    /// The environment variable that holds the password
    #[arg(long, value_name = "VARIABLE", default_value = "ENROLLSCOPE_PASSWORD")]
    pub password_env: String,
    /// With a token as Entra ID issues them, made up here: terms of use first, then the token
    #[arg(long)]
    pub entra: bool,
    /// For whom the made-up token is; by default --server's origin
    #[arg(long, value_name = "URL", requires = "entra")]
    pub audience: Option<Origin>,
    /// With this Entra ID token, a JWT in a file
    #[arg(long, value_name = "FILE", conflicts_with = "entra")]
    pub token_file: Option<PathBuf>,
    /// With this certificate and its key, PEM (certificate authentication)
    #[arg(long, value_name = "FILE", conflicts_with_all = ["entra", "token_file"])]
    pub identity: Option<PathBuf>,
    /// Renew this certificate, PEM with its key, as --keep wrote it
    #[arg(long, value_name = "FILE", conflicts_with_all = ["entra", "token_file", "identity"])]
    pub renew: Option<PathBuf>,
    /// Write the device's new certificate with its key to this file, PEM
    #[arg(long, value_name = "FILE")]
    pub keep: Option<PathBuf>,
    /// A further authority to trust, PEM
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// Connect here, whatever the names resolve to
    #[arg(long, value_name = "ADDR:PORT")]
    pub connect: Option<SocketAddr>,
    /// Break this rule in the request that it is about
    #[arg(long = "break", value_name = "RULE")]
    pub break_rule: Option<String>,
    /// Be like the first device in this capture or message file: Windows version, edition, context items
    #[arg(long, value_name = "FILE")]
    pub profile_of: Option<PathBuf>,
    /// Be this kind of device
    #[arg(long, value_name = "SHAPE", conflicts_with = "profile_of")]
    pub shape: Option<DeviceShape>,
    /// For people, or for programs
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    pub format: Format,
}

/// Windows as it is in the field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DeviceShape {
    /// Windows 10 22H2
    #[value(name = "windows-10")]
    Windows10,
    /// Windows 11 23H2
    #[value(name = "windows-11-23h2")]
    Windows11H23,
    /// Windows 11 24H2
    #[value(name = "windows-11-24h2")]
    Windows11H24,
    /// Windows 11 25H2, which asks for version 9.0
    #[value(name = "windows-11-25h2")]
    Windows11H25,
    /// A program enrolls the device: Discover names nobody, and an older Windows
    Programmatic,
    /// Windows Autopilot: the device enrolls while it is set up, and nobody is signed in
    Autopilot,
}
