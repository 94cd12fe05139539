//! Rules on the private key that a policy asks for (MS-XCEP 3.1.4.1.3.20).

use super::check::{Check, Verdict};
use super::policy::{each, is_elliptic};
use super::rule::{Change, Example, Rule, Severity, Step, Subject};
use super::schema::breaches;
use super::spec::{Cite, Spec};

macro_rules! at {
    ($name:literal) => {
        concat!("Envelope/Body/GetPoliciesResponse/response/policies/policy/attributes/", $name)
    };
}

pub(super) static RULES: &[Rule] = &[
    Rule {
        id: "XCEP-KEY-002",
        name: "key-longer-than-tpm",
        severity: Severity::INFO,
        subject: Subject::Server,
        requirement: "A key that the TPM is to make is not longer than TPMs commonly can: RSA of 2048 bits.",
        cites: &[Cite::observed(Spec::Field, "", "TPMs commonly stop at RSA of 2048 bits.")],
        consequence: "The device makes its key in software, or fails with 0x80180027 where only the TPM is named.",
        remedy: "Set minimalKeyLength to 2048, or name Microsoft Software Key Storage Provider first.",
        hresult: None,
        check: Check::GetPoliciesResponse(|m, cx| {
            each(m, cx, |policy, _, cx| {
                let first = policy.providers.first();
                let (Some(length), Some(TPM)) = (&policy.minimal_key_length, first.map(|f| f.value.as_str()))
                else {
                    return Verdict::Skip;
                };
                let algorithm = policy.algorithm_oid_reference.as_ref().and_then(|r| m.dotted(r));
                if algorithm.is_some_and(is_elliptic) {
                    return Verdict::Skip;
                }
                let long = length.number::<u32>().is_some_and(|bits| bits > 2048);
                Verdict::check(!long, || cx.fail(&length.spot, "2048", length.value.clone()))
            })
        }),
        needs: &["POL-RSP-001"],
        examples: &[Example::response(
            Step::Policies,
            at!("privateKeyAttributes/minimalKeyLength"),
            Change::Set("4096"),
        )
        .also(&["CSR-002"])],
        since: "0.1.0",
    },
    Rule {
        id: "XCEP-KEY-003",
        name: "unknown-key-spec",
        severity: Severity::WARNING,
        subject: Subject::Server,
        requirement: "keySpec is nil, 1 (key exchange) or 2 (signature).",
        cites: &[Cite::should(
            Spec::MsXcep,
            "3.1.4.1.3.20",
            "This element has identical semantics for the <pKIDefaultKeySpec> attribute",
        )],
        consequence: "Clients that use it cannot make the key; Windows' enrollment does not look.",
        remedy: "Send 1, 2 or nil.",
        hresult: None,
        check: Check::GetPoliciesResponse(|m, cx| {
            let mut evidence = breaches(cx, "XCEP-KEY-003");
            let given = m.policies.iter().filter_map(|p| p.key_spec.as_ref());
            let other = given.filter(|f| f.number::<u32>().is_some_and(|n| !matches!(n, 1 | 2)));
            evidence.extend(other.map(|f| cx.evidence(&f.spot, "nil, 1 or 2", f.value.clone())));
            Verdict::from_evidence(evidence)
        }),
        needs: &["POL-RSP-001"],
        examples: &[
            Example::response(Step::Policies, at!("privateKeyAttributes/keySpec"), Change::Set("3")).full(),
            Example::response(
                Step::Policies,
                at!("privateKeyAttributes/keySpec"),
                Change::Set("AT_SIGNATURE"),
            )
            .full(),
        ],
        since: "0.1.0",
    },
    Rule {
        id: "XCEP-KEY-004",
        name: "provider-list-empty",
        severity: Severity::LETTER,
        subject: Subject::Server,
        requirement: "cryptoProviders is nil, or names at least one provider.",
        cites: &[Cite::must(
            Spec::MsXcep,
            "3.1.4.1.3.20",
            "If there are no cryptographic providers to be specified, the <cryptoProviders> element MUST be nil.",
        )],
        consequence: "Windows takes its own provider; strict clients decline the answer.",
        remedy: "Send xsi:nil=\"true\", or name a provider.",
        hresult: None,
        check: Check::GetPoliciesResponse(|m, cx| {
            let mut evidence = breaches(cx, "XCEP-KEY-004");
            let empty = m.policies.iter().flat_map(|p| &p.providers).filter(|f| f.is_empty());
            evidence.extend(empty.map(|f| cx.evidence(&f.spot, "a provider's name", "empty")));
            Verdict::from_evidence(evidence)
        }),
        needs: &["POL-RSP-001"],
        examples: &[Example::response(
            Step::Policies,
            at!("privateKeyAttributes/cryptoProviders"),
            Change::Set(""),
        )],
        since: "0.1.0",
    },
    Rule {
        id: "XCEP-KEY-007",
        name: "permissions-no-sddl",
        severity: Severity::WARNING,
        subject: Subject::Server,
        requirement: "permissions is nil or a security descriptor as text (SDDL).",
        cites: &[Cite::should(
            Spec::MsXcep,
            "3.1.4.1.3.20",
            "Used to specify a Security Descriptor Definition Language (SDDL) representation of the permissions",
        )],
        consequence: "Clients that use it cannot protect the key, or make none.",
        remedy: "Write it like D:P(A;;GA;;;BA)(A;;GA;;;SY), or send nil.",
        hresult: None,
        check: Check::GetPoliciesResponse(|m, cx| {
            each(m, cx, |policy, _, cx| match policy.permissions.as_ref().filter(|f| f.is_given()) {
                None => Verdict::Skip,
                Some(field) => Verdict::check(is_sddl(&field.value), || {
                    cx.fail(&field.spot, "like D:P(A;;GA;;;SY)", field.value.clone())
                }),
            })
        }),
        needs: &["POL-RSP-001"],
        examples: &[Example::response(
            Step::Policies,
            at!("privateKeyAttributes/permissions"),
            Change::Set("Everyone"),
        )
        .full()],
        since: "0.1.0",
    },
];

const TPM: &str = "Microsoft Platform Crypto Provider";

/// A security descriptor's text: `O:…G:…D:…(…)S:…(…)`, each part at most once, each entry of six parts or more.
fn is_sddl(text: &str) -> bool {
    let mut rest = text.trim();
    let mut parts = String::new();
    while !rest.is_empty() {
        let Some((part, after)) = rest.split_once(':') else { return false };
        if !matches!(part, "O" | "G" | "D" | "S") || parts.contains(part) {
            return false;
        }
        parts.push_str(part);
        let end = match part {
            "O" | "G" => after.find(':').map_or(after.len(), |colon| colon.saturating_sub(1)),
            _ => match entries_end(after) {
                Some(end) => end,
                None => return false,
            },
        };
        rest = after.get(end..).unwrap_or_default();
    }
    !parts.is_empty()
}

/// Where the flags and the parenthesised entries of a list end.
fn entries_end(text: &str) -> Option<usize> {
    let flags = text.find(|c: char| !c.is_ascii_uppercase()).unwrap_or(text.len());
    // What follows the flags is an entry, or the next part: then the last letter was that part's name.
    let names_next = text.get(flags..).is_some_and(|t| t.starts_with(':'));
    let mut end = if names_next { flags.checked_sub(1)? } else { flags };
    while let Some(entry) = text.get(end..).and_then(|t| t.strip_prefix('(')) {
        let length = entry.find(')')?;
        if entry.get(..length)?.matches(';').count() < 5 {
            return None;
        }
        end += length + 2;
    }
    Some(end)
}

#[cfg(test)]
mod tests {
    use super::is_sddl;

    #[test]
    fn security_descriptors_are_told_from_words() {
        for good in ["D:P(A;;GA;;;BA)(A;;GA;;;SY)", "O:BAG:SYD:(A;;GA;;;BA)S:AI", "D:", "O:S-1-5-32-544"] {
            assert!(is_sddl(good), "{good}");
        }
        for bad in ["", "everyone", "D:(A;;GA)", "D:(A;;GA;;;BA", "D:D:", "D::", "X:BA"] {
            assert!(!is_sddl(bad), "{bad}");
        }
    }
}
