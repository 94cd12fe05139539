//! Whom to tell, and of what.

use std::convert::Infallible;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::values::patience;
use crate::alert::FailureRate;

/// Where alerts go.
#[derive(Debug, Args)]
#[command(next_help_heading = "Alerts")]
pub struct NotifyArgs {
    /// Post alerts to this webhook. Its address is a secret: the configuration file or the environment is a better place
    /// than the command line (may be given several times)
    #[arg(long, value_name = "URL")]
    pub notify: Vec<SecretUrl>,
    /// What the webhooks read; by default their hosts tell: Slack and Teams are known, all others get JSON
    #[arg(long, value_name = "SHAPE")]
    pub notify_as: Option<NotifyAs>,
    /// A further authority to trust for the webhooks' certificates, PEM
    #[arg(long, value_name = "FILE")]
    pub notify_ca: Option<PathBuf>,
    /// Start this program for each alert, with the alert as JSON on its standard input; program and arguments stand apart
    /// by blanks, quotes keep them together, and there is no shell (may be given several times)
    #[arg(long, value_name = "CMD")]
    pub exec: Vec<String>,
}

/// What they are about.
#[derive(Debug, Args)]
#[command(next_help_heading = "Alerts")]
pub struct AlertArgs {
    #[command(flatten)]
    pub notify: NotifyArgs,
    /// Alert when so many of the enrollments that ended failed or got stuck: PERCENT, or with the least number of ends and
    /// the time within which they count; or off
    #[arg(long, value_name = "PERCENT[,ENDS[,DUR]]", default_value = "50%,5,30m")]
    pub alert_failures: Failures,
    /// Alert when devices of the --expect list have not enrolled so long after the start; or off
    #[arg(long, value_name = "DUR", default_value = "24h")]
    pub alert_overdue: Overdue,
}

/// One test alert.
#[derive(Debug, Args)]
pub struct AlertTestArgs {
    #[command(flatten)]
    pub notify: NotifyArgs,
}

/// An address that nothing prints. Whether it is one is said later: what the command line's reader refuses, it prints.
#[derive(Clone)]
pub struct SecretUrl(pub String);

impl fmt::Debug for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretUrl")
    }
}

impl FromStr for SecretUrl {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum NotifyAs {
    /// The alert's fields, for programs
    Json,
    /// A message with an Adaptive Card, for a workflow of Microsoft Teams
    Teams,
    /// A text with blocks
    Slack,
}

/// `50%,5,30m`, or `off`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failures(pub Option<FailureRate>);

/// `24h`, or `off`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overdue(pub Option<Duration>);

impl FromStr for Failures {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "off" {
            return Ok(Self(None));
        }
        let mut rate = FailureRate::default();
        let mut parts = text.split(',').map(str::trim);
        let percent = parts.next().unwrap_or_default();
        let percent = percent.strip_suffix('%').unwrap_or(percent).trim();
        rate.percent = percent
            .parse()
            .ok()
            .filter(|percent| (1..=100).contains(percent))
            .ok_or("1% to 100%, like 50%,5,30m, or off")?;
        if let Some(least) = parts.next() {
            rate.least = least
                .parse()
                .ok()
                .filter(|least| (1..=10_000).contains(least))
                .ok_or("behind the percentage: how many have to end, 1 to 10000, like 50%,5,30m")?;
        }
        if let Some(window) = parts.next() {
            rate.window = i64::try_from(patience(window)?.as_millis()).unwrap_or(i64::MAX);
        }
        match parts.next() {
            None => Ok(Self(Some(rate))),
            Some(_) => Err("at most three parts, like 50%,5,30m".to_owned()),
        }
    }
}

impl FromStr for Overdue {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "off" {
            return Ok(Self(None));
        }
        patience(text).map(|patience| Self(Some(patience)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read() {
        let rate = |percent, least, window| Ok(Failures(Some(FailureRate { percent, least, window })));
        for (text, expected) in [
            ("off", Ok(Failures(None))),
            ("50%,5,30m", rate(50, 5, 1_800_000)),
            ("20", rate(20, 5, 1_800_000)),
            ("100%, 1", rate(100, 1, 1_800_000)),
            ("0%", Err("1% to 100%")),
            ("101%", Err("1% to 100%")),
            ("50%,0", Err("how many have to end")),
            ("50%,5,soon", Err("a number with ms")),
            ("50%,5,30m,1", Err("at most three parts")),
        ] {
            match (text.parse::<Failures>(), expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{text}"),
                (Err(error), Err(words)) => assert!(error.contains(words), "{text}: {error}"),
                (found, _) => panic!("{text}: {found:?}"),
            }
        }
        assert_eq!(FailureRate::default(), "50%,5,30m".parse::<Failures>().unwrap().0.unwrap());
        assert_eq!("90m".parse(), Ok(Overdue(Some(Duration::from_secs(5400)))));
        assert!("0s".parse::<Overdue>().is_err());
    }

    #[test]
    fn an_address_is_not_printed() {
        assert_eq!(format!("{:?}", SecretUrl("https://a/secret".to_owned())), "SecretUrl");
    }
}
