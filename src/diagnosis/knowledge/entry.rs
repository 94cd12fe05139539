//! One entry of a data file.

use serde::Deserialize;
use serde::de::{Deserializer, Error as _};

use crate::rules::Subject;

/// An error, or a condition that has no code of its own.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Of its own, for links; never changed.
    pub id: String,
    /// Several where published tables disagree, or where two layers write the same number.
    pub codes: Vec<Code>,
    /// Symbols, subcodes of faults, types of errors; the usual one first.
    pub names: Vec<String>,
    /// What the user reads on the screen.
    #[serde(default)]
    pub says: Vec<String>,
    pub platform: Platform,
    pub stage: Whereabouts,
    pub raised_by: Source,
    /// As a clause, for sentences.
    #[serde(default)]
    pub short: Option<String>,
    pub meaning: String,
    /// What of it is seen between device and server.
    pub wire: String,
    #[serde(deserialize_with = "subject")]
    pub owner: Subject,
    /// Whether it may pass by trying again.
    #[serde(default)]
    pub retry: Option<bool>,
    /// The Windows from which on there is such a code.
    #[serde(default)]
    pub since: Option<String>,
    /// The code that the user sees of a condition without one.
    #[serde(default)]
    pub shows: Option<Code>,
    /// Rules that find it.
    #[serde(default)]
    pub rules: Vec<String>,
    /// Where published tables disagree.
    #[serde(default)]
    pub differs: Option<String>,
    pub sources: Vec<String>,
    /// In the order of their likelihood.
    #[serde(default, rename = "cause")]
    pub causes: Vec<Cause>,
}

impl Entry {
    /// What it is called.
    pub fn name(&self) -> &str {
        self.names.first().map_or(&self.id, String::as_str)
    }

    /// Its meaning as a clause.
    pub fn clause(&self) -> &str {
        self.short.as_deref().unwrap_or(&self.meaning).trim_end_matches('.')
    }
}

/// One reason for an error, and what helps then.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cause {
    /// Of those that a diagnosis comes to.
    #[serde(default)]
    pub id: Option<String>,
    pub cause: String,
    pub remedy: String,
    #[serde(default)]
    pub products: Products,
    /// `reported` where nobody has confirmed it.
    #[serde(default)]
    pub confidence: Option<Confidence>,
}

/// The remedy in the words of a product.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Products {
    pub intune: Option<String>,
    pub fleet: Option<String>,
    pub on_premise: Option<String>,
}

impl Products {
    /// Name of the product and remedy.
    pub fn all(&self) -> impl Iterator<Item = (&'static str, &str)> {
        [("Intune", &self.intune), ("Fleet", &self.fleet), ("on-premise", &self.on_premise)]
            .into_iter()
            .filter_map(|(name, words)| Some((name, words.as_deref()?)))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Confidence {
    Reported,
}

/// A code as it is published: `0x80180013`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Code(pub u32);

impl TryFrom<String> for Code {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let digits = text.strip_prefix("0x").filter(|digits| digits.len() <= 8);
        let code = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        code.map(Self).ok_or_else(|| format!("{text:?} is no code such as \"0x80180013\""))
    }
}

macro_rules! words {
    ($(#[$about:meta])* $name:ident: $($(#[$each:meta])* $variant:ident = $word:literal, $title:literal;)+) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
        pub enum $name {
            $($(#[$each])* #[serde(rename = $word)] $variant,)+
        }

        impl $name {
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// As files and flags spell it.
            pub fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            /// As people read it.
            pub fn title(self) -> &'static str {
                match self { $(Self::$variant => $title),+ }
            }
        }
    };
}

words! {
    /// Whose device, or which client, shows it.
    Platform:
    Windows = "windows", "Windows";
    Windows8 = "windows-8", "Windows 8";
    WindowsClient = "windows-client", "Windows, Intune PC client";
    Ios = "ios", "iOS, iPadOS";
    Macos = "macos", "macOS";
    Android = "android", "Android";
}

words! {
    /// When it is met.
    Whereabouts:
    Any = "any", "any step";
    Local = "local", "on the device";
    Network = "network", "on the network";
    Terms = "terms", "Terms of use";
    Discovery = "discovery", "Discovery";
    SignIn = "sign-in", "Sign-in";
    Policy = "policy", "Enrollment policy (XCEP)";
    Certificate = "certificate", "Certificate (WSTEP)";
    Configuration = "configuration", "DM client configuration";
    FirstSync = "first-sync", "First sync";
    Renewal = "renewal", "Renewal";
}

words! {
    /// Who says so.
    Source:
    Device = "device", "the device";
    Server = "server", "the server";
    SignIn = "sign-in", "the identity provider, or the device's library for it";
    Network = "network", "something between device and server";
}

fn subject<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Subject, D::Error> {
    let word = String::deserialize(deserializer)?;
    Subject::parse(&word).ok_or_else(|| D::Error::custom(format!("nobody is called {word:?}")))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    entry: Vec<Entry>,
}

/// The entries of a data file.
pub(super) fn parse(text: &str) -> Result<Vec<Entry>, String> {
    toml::from_str::<File>(text).map(|file| file.entry).map_err(|error| error.to_string())
}
