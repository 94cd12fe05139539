//! A policy in words, for whoever reads it: object identifiers by name, flags and times as people say them.

use super::certificate::{Certificate, digest_of};
use super::field::Field;
use super::flags::FlagSet;
use super::oids;
use super::policy::{GetPoliciesResponse, Oid};
use super::template::Policy;

/// Labels and values; where there is no label, it is that of the one before.
type Told = Vec<(String, String)>;

impl GetPoliciesResponse {
    /// Policies, authorities and object identifiers, in this order.
    pub fn told(&self) -> Vec<(String, String)> {
        let mut told = Vec::new();
        self.policies.iter().for_each(|policy| self.tell_policy(policy, &mut told));
        for issuer in &self.issuers {
            let certificate = issuer.read.as_deref().map(Certificate::describe);
            tell(&mut told, "authority", certificate.unwrap_or_else(|| "no certificate".to_owned()));
            for uri in &issuer.uris {
                let how = uri.authentication_name().unwrap_or("unknown sign-in");
                let only =
                    if uri.renewal_only.as_ref().is_some_and(Field::is_true) { ", renewals" } else { "" };
                tell(&mut told, "", format!("{} ({how}{only})", text(uri.uri.as_ref())));
            }
        }
        self.oids
            .iter()
            .for_each(|oid| told.push((format!("oid {}", text(oid.reference.as_ref())), oid.told())));
        told
    }

    fn tell_policy(&self, policy: &Policy, told: &mut Told) {
        for (label, field) in [
            ("policy", &policy.common_name),
            ("schema", &policy.schema),
            ("key length", &policy.minimal_key_length),
        ] {
            if let Some(field) = field {
                tell(told, label, if field.nil { "nil" } else { &field.value });
            }
        }
        for (label, reference, name) in [
            ("hash", &policy.hash_oid_reference, digest_name as fn(&str) -> Option<&'static str>),
            ("key algorithm", &policy.algorithm_oid_reference, |oid| Some(oids::known(oid)?.name)),
        ] {
            let Some(reference) = reference.as_ref().filter(|reference| !reference.nil) else { continue };
            let oid = self.dotted(reference);
            let name = oid.and_then(name).unwrap_or("not understood");
            tell(
                told,
                label,
                format!("{name} ({}, reference {})", oid.unwrap_or("dangling"), reference.value),
            );
        }
        policy.providers.iter().for_each(|provider| tell(told, "provider", &provider.value));
        if let Some(behavior) = policy.attestation_behavior() {
            tell(told, "attestation", &behavior.value);
        }
        for (label, set, field) in [
            ("key flags", FlagSet::PrivateKey, &policy.private_key_flags),
            ("name flags", FlagSet::SubjectName, &policy.subject_name_flags),
            ("enroll flags", FlagSet::Enrollment, &policy.enrollment_flags),
            ("flags", FlagSet::General, &policy.general_flags),
        ] {
            if let Some(value) = field.as_ref().and_then(Field::number) {
                tell(told, label, set.describe(value));
            }
        }
        for (label, field) in [("validity", &policy.validity), ("renewal", &policy.renewal)] {
            if let Some(field) = field {
                tell(told, label, lasting(&field.value));
            }
        }
    }
}

impl Oid {
    /// `2.16.840.1.101.3.4.2.1 = SHA-256 (hash: szOID_NIST_sha256)`
    fn told(&self) -> String {
        let dotted = text(self.value.as_ref());
        let known = oids::known(dotted).map_or(String::new(), |known| format!(" = {}", known.name));
        let group = self.group.as_ref().and_then(|group| oids::Group::of(&group.value));
        let group = group.map_or("?", oids::Group::name);
        format!("{dotted}{known} ({group}: {})", text(self.name.as_ref()))
    }
}

fn tell(told: &mut Told, label: &str, value: impl Into<String>) {
    told.push((label.to_owned(), value.into()));
}

fn text(field: Option<&Field>) -> &str {
    field.map_or("", |field| &field.value)
}

/// Signature algorithms have a hash in them, which is what counts.
fn digest_name(oid: &str) -> Option<&'static str> {
    digest_of(oid).map(|digest| digest.name())
}

/// Seconds, and in days where there are some.
fn lasting(seconds: &str) -> String {
    match seconds.parse::<i64>().map(|seconds| seconds / 86_400) {
        Ok(1) => format!("1 day ({seconds} s)"),
        Ok(days @ 2..) => format!("{days} days ({seconds} s)"),
        Ok(_) => format!("{seconds} s"),
        Err(_) => seconds.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_as_people_say_them() {
        for (seconds, told) in [
            ("31536000", "365 days (31536000 s)"),
            ("86400", "1 day (86400 s)"),
            ("3600", "3600 s"),
            ("-7", "-7 s"),
            ("soon", "soon"),
        ] {
            assert_eq!(lasting(seconds), told);
        }
    }
}
