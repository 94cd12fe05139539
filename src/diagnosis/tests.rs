//! What is found in texts.

use proptest::prelude::*;

use super::{Explanation, Knowledge, Parts, explain};

fn one(text: &str) -> Explanation<'static> {
    let mut found = explain(text, Knowledge::built_in());
    assert_eq!(found.len(), 1, "{text}: {found:?}");
    found.remove(0)
}

#[test]
fn a_code_is_known_in_every_form_that_people_paste() {
    for (text, id) in [
        ("0x80180013", "device-cap"),
        ("0X80180013", "device-cap"),
        ("80180013", "device-cap"),
        ("-2145910765", "device-cap"),
        ("2149056531", "device-cap"),
        ("0xFFFFFFFF80180013", "device-cap"),
        ("menroll_e_devicecapreached", "device-cap"),
        ("DeviceCapReached", "device-cap"),
        ("0x80180002b", "mdm-not-configured"),
        ("80180002B", "mdm-not-configured"),
        ("2149056555", "mdm-not-configured"),
        ("0x80180031", "mdm-not-configured"),
        ("0x801c003", "join-not-authorized"),
        ("hr 0x8007064c", "client-machine-already-enrolled"),
        ("MENROLL_E_USERLICENSE", "user-licence"),
        ("s:Authorization", "authorization"),
        ("Authorization", "authorization"),
        ("CAA30194", "automatic-enrollment-failed"),
        ("0xCAA30194", "automatic-enrollment-failed"),
        ("0x801901F4", "http-500"),
        ("HTTP/1.1 500", "http-500"),
        ("0x80192EE7", "name-not-resolved"),
        ("2149134055", "name-not-resolved"),
        ("0xAB2", "client-vbscript-custom-action"),
        ("tou:access_denied", "terms-denied"),
        ("OOBEIDPS", "oobeidps"),
        ("Unknown Win32 Error code: 0x8018002b", "mdm-not-configured"),
        ("your organization does not support this version of windows", "device-not-supported"),
    ] {
        let explanation = one(text);
        let ids: Vec<_> = explanation.entries.iter().map(|entry| entry.id.as_str()).collect();
        assert_eq!(ids.first(), Some(&id), "{text}: {ids:?}");
    }
}

#[test]
fn what_is_not_known_is_taken_apart_or_compared() {
    let unknown = one("0x80181234");
    assert!(!unknown.is_known());
    let parts = unknown.parts().unwrap();
    assert_eq!((parts.failure, parts.facility, parts.low), (true, 24, 0x1234));
    for (code, words) in [
        (0x8019_01A2, "HTTP status 418"),
        (0x8007_0005, "access is denied"),
        (0x8007_2F7D, "WinHTTP error 12157"),
        (0x800B_0109, "root is not trusted"),
        (0x8009_4011, "CERTSRV_E_ENROLL_DENIED"),
    ] {
        assert!(Parts::of(code).says.unwrap().contains(words), "{code:X}");
    }
    let nearest = |text| one(text).near.first().map(|entry| entry.id.clone());
    assert_eq!(nearest("MENROLL_E_USERLICENCE").as_deref(), Some("user-licence"));
    assert_eq!(nearest("DeviceCapReach").as_deref(), Some("device-cap"));
    assert_eq!(one("PROV-CS-03").near_rules[0].id, "PROV-CS-003");
    assert!(explain("nothing of the kind", Knowledge::built_in()).is_empty());
}

#[test]
fn a_rule_is_explained_with_what_users_see_of_it() {
    let rule = one("prov-dm-001");
    assert_eq!(rule.rule.unwrap().id, "PROV-DM-001");
    assert_eq!(rule.entries[0].id, "provider-id");
}

#[test]
fn a_log_is_told_by_its_codes_in_their_order_and_nothing_else() {
    let log = "2026-11-28 09:12:44 session 1764321164 started by 0x7FFE1234ABCD, thread 0x00001A2B\n\
               Auto MDM Enroll: Failed (Unknown Win32 Error code: 0x8018002b)\n\
               retry: authentication required; Authorization: Bearer …\n\
               MDM Enroll: OMA-DM message failed, hr=-2145910765, then 0x80180013 again\n\
               The user's access was checked with error 0x80070005. Build 26100200, deadbeef\n\
               fault s:Receiver a:InternalServiceFault\n";
    let found = explain(log, Knowledge::built_in());
    let told: Vec<_> = found.iter().map(|e| (e.line, e.times, e.code.unwrap())).collect();
    let wanted = [(2, 2, 0x8018_002B), (4, 2, 0x8018_0013), (5, 1, 0x8007_0005), (6, 1, 0x8018_0006)];
    assert_eq!(told, wanted);
}

#[test]
fn millions_of_codes_are_counted_and_hundreds_told() {
    let text: String = (0..200_000).map(|n| format!("0x8007{:04X} ", n % 0x10000)).collect();
    let found = explain(&text, Knowledge::built_in());
    assert_eq!(found.len(), 500);
    assert!(found.iter().all(|explanation| explanation.times >= 3));
}

proptest! {
    #[test]
    fn whatever_the_text_its_explanations_are_of_it(text in "[0-9a-fA-Fx:_\\-\\. \nMENROLL_HTPsä]{0,200}") {
        for explanation in explain(&text, Knowledge::built_in()) {
            prop_assert!(text.contains(&explanation.input));
            prop_assert!(explanation.line <= 1 + text.matches('\n').count());
        }
    }
}
