//! What differs between any two runs, and says nothing about the server.

use std::fmt;
use std::str::FromStr;

/// Differences at these places are not told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Noise {
    pub name: &'static str,
    /// Why it differs from run to run.
    pub why: &'static str,
    /// As [`Pattern`] reads them.
    pub places: &'static [&'static str],
}

/// The rules that always apply.
pub const BUILT_IN: &[Noise] = &[
    Noise {
        name: "time",
        why: "each answer is made at another time",
        places: &[
            "header:date",
            "header:expires",
            "header:last-modified",
            "Timestamp/Created",
            "Timestamp/Expires",
        ],
    },
    Noise {
        name: "message-ids",
        why: "devices and servers number their messages anew; that an answer relates to its request is a rule",
        places: &["Header/MessageID", "Header/RelatesTo", "@Id"],
    },
    Noise {
        name: "trace-ids",
        why: "servers number requests for their logs",
        places: &[
            "Header/ActivityId",
            "Header/ActivityId/@CorrelationId",
            "TraceId",
            "RequestID",
            "header:request-id",
            "header:client-request-id",
            "header:x-request-id",
            "header:x-correlation-id",
            "header:x-ms-request-id",
            "header:x-ms-correlation-request-id",
            "header:traceparent",
            "header:tracestate",
            "header:x-amzn-trace-id",
            "header:cf-ray",
        ],
    },
    Noise {
        name: "lengths",
        why: "they follow from what is in the body",
        places: &["header:content-length", "header:etag"],
    },
    Noise {
        name: "connections",
        why: "they are the business of whoever is in between",
        places: &[
            "header:connection",
            "header:keep-alive",
            "header:host",
            "header:via",
            "header:alt-svc",
            "header:x-forwarded-for",
            "header:x-forwarded-proto",
            "header:x-forwarded-host",
            "header:forwarded",
        ],
    },
    Noise {
        name: "cookies",
        why: "each session has its own",
        places: &["header:set-cookie", "header:cookie"],
    },
    Noise {
        name: "credentials",
        why: "another run has other passwords, tokens and nonces",
        places: &[
            "header:authorization",
            "UsernameToken/Password",
            "Security/BinarySecurityToken",
            "Signature/SignedInfo/Reference/DigestValue",
            "Signature/SignatureValue",
            "parm[AAUTHSECRET]",
            "parm[AAUTHDATA]",
            "EnrollmentData",
        ],
    },
    Noise {
        name: "device-records",
        why: "the server keeps a record of each device, and names it as it likes",
        places: &["parm[EntDMID]", "parm[SSLCLIENTCERTSEARCHCRITERIA]", "parm[AAUTHNAME]"],
    },
    Noise {
        name: "keys",
        why: "a replayed device has a new key, and its certificate is issued anew",
        places: &[
            "csr/key hash",
            "certificate/serial",
            "certificate/key hash",
            "certificate/from",
            "certificate/until",
        ],
    },
];

/// A place, or the end of one: `header:x-build`, `NextUpdateHours`, `Fault/Reason/Text`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(String);

impl FromStr for Pattern {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim().trim_start_matches('/');
        match text {
            "" => Err("a place is wanted, for instance header:x-build or NextUpdateHours"),
            text => Ok(Self(text.to_owned())),
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether differences at the place are noise, by a built-in rule or by one of these.
pub(super) fn is_noise(place: &str, further: &[Pattern]) -> bool {
    let built_in = BUILT_IN.iter().flat_map(|noise| noise.places.iter().copied());
    built_in.chain(further.iter().map(|pattern| pattern.0.as_str())).any(|pattern| ends_with(place, pattern))
}

/// The place ends with the pattern's steps; a step's number does not count, where the pattern has none.
fn ends_with(place: &str, pattern: &str) -> bool {
    let mut steps = place.rsplit('/');
    pattern.rsplit('/').all(|wanted| {
        steps.next().is_some_and(|step| {
            step.eq_ignore_ascii_case(wanted) || unnumbered(step).eq_ignore_ascii_case(wanted)
        })
    })
}

fn unnumbered(step: &str) -> &str {
    let numbered = step.strip_suffix(']').and_then(|step| step.rsplit_once('['));
    match numbered {
        Some((name, number)) if number.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => step,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_known_by_its_end() {
        for (place, noise) in [
            ("header:Date", true),
            ("Envelope/Header/RelatesTo", true),
            ("Envelope/Body/RelatesTo", false),
            ("Envelope/Header/Security/BinarySecurityToken[2]", true),
            ("Envelope/Body/X/RequestedSecurityToken/BinarySecurityToken", false),
            ("token/parm[AAUTHDATA]", true),
            ("header:content-type", false),
            ("Envelope/Body/PolicyOID", false),
        ] {
            assert_eq!(is_noise(place, &[]), noise, "{place}");
        }
        let own: Pattern = "policyoid".parse().unwrap();
        assert!(is_noise("Envelope/Body/PolicyOID", &[own]));
        assert!("/".parse::<Pattern>().is_err());
    }

    #[test]
    fn every_rule_says_why() {
        for noise in BUILT_IN {
            assert!(!noise.places.is_empty() && !noise.why.ends_with('.'), "{}", noise.name);
        }
    }
}
