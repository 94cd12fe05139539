//! The names that can be asked for.

/// What an enrollment, or one of its exchanges, is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    User,
    Device,
    Id,
    Stage,
    Outcome,
    Owner,
    Verdict,
    Code,
    Auth,
    Build,
    Host,
    Address,
    Errors,
    Warnings,
    Exchanges,
    Age,
    Since,
    Rule,
    Status,
    Message,
}

/// How a field is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Its text has these letters in it, in any case; with `=` it is the whole text.
    Text,
    /// It is one of a few words, or begins so.
    Word,
    Number,
    /// Time until now: `90s`, `10m`, `2h`, `3d`.
    Span,
}

/// Each name, what it stands for, and what is said of it.
pub const FIELDS: &[(&str, &str)] = &[
    ("user", "the user's name has these letters in it"),
    ("device", "the device's name or DeviceID has"),
    ("id", "the enrollment's id here: e12"),
    ("stage", "the last step: terms, discovery, sign-in, policy, certificate, configuration, first-sync"),
    ("outcome", "enrolled, failed, stalled (or stuck), in-progress"),
    ("owner", "who has to act: device, server, network, front-end, identity, enrollscope"),
    ("verdict", "the verdict has"),
    ("code", "the code that the user sees: 0x80180013"),
    ("auth", "how it enrolls: on-premise, federated, entra, certificate, renewal"),
    ("build", "the version of Windows has"),
    ("host", "the host that it asked for has"),
    ("address", "its address begins with"),
    ("errors", "how many findings are errors"),
    ("warnings", "how many are warnings"),
    ("exchanges", "how many exchanges there are"),
    ("age", "how long ago it began: age<10m"),
    ("since", "how long ago it was last heard of: since>5m"),
    ("rule", "a rule that was broken, by id or name, or how it begins"),
    ("status", "an HTTP status of one of its answers: status>=400"),
    ("message", "a kind of message: security-token-request"),
];

impl Field {
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "user" => Self::User,
            "device" => Self::Device,
            "id" => Self::Id,
            "stage" => Self::Stage,
            "outcome" => Self::Outcome,
            "owner" => Self::Owner,
            "verdict" => Self::Verdict,
            "code" => Self::Code,
            "auth" => Self::Auth,
            "build" => Self::Build,
            "host" => Self::Host,
            "address" => Self::Address,
            "errors" => Self::Errors,
            "warnings" => Self::Warnings,
            "exchanges" => Self::Exchanges,
            "age" => Self::Age,
            "since" => Self::Since,
            "rule" => Self::Rule,
            "status" => Self::Status,
            "message" => Self::Message,
            _ => return None,
        })
    }

    pub(super) fn kind(self) -> Kind {
        match self {
            Self::User | Self::Device | Self::Verdict | Self::Code | Self::Build | Self::Host => Kind::Text,
            Self::Id
            | Self::Stage
            | Self::Outcome
            | Self::Owner
            | Self::Auth
            | Self::Address
            | Self::Rule
            | Self::Message => Kind::Word,
            Self::Errors | Self::Warnings | Self::Exchanges | Self::Status => Kind::Number,
            Self::Age | Self::Since => Kind::Span,
        }
    }

    /// It is of exchanges, and of enrollments by what they said.
    pub(super) fn is_of_messages(self) -> bool {
        matches!(self, Self::Rule | Self::Status | Self::Message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_a_field() {
        for (name, words) in FIELDS {
            assert!(Field::named(name).is_some() && !words.is_empty(), "{name}");
        }
    }
}
