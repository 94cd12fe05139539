//! `explain`, with the real binary.

use crate::binary::Place;

#[test]
fn codes_are_explained_for_people_and_for_programs() {
    let place = Place::new();
    let ran = place.run(&["explain", "0x80180013"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    for words in ["MENROLL_E_DEVICECAPREACHED", "who acts", "remedy", "sources"] {
        assert!(ran.out.contains(words), "{words}: {ran:?}");
    }
    for form in ["-2145910765", "2149056531", "s:DeviceCapReached", "hr 0x80180013"] {
        assert!(place.run(&["explain", form]).out.contains("MENROLL_E_DEVICECAPREACHED"), "{form}");
    }
    let told = place.run(&["explain", "--format", "json", "0x80180013 and 0x80180abc"]).json();
    let [known, unknown] = told.as_array().unwrap().as_slice() else { panic!("{told}") };
    for (field, value) in [
        ("input", "0x80180013"),
        ("code", "0x80180013"),
        ("symbol", "MENROLL_E_DEVICECAPREACHED"),
        ("platform", "windows"),
        ("stage", "certificate"),
        ("owner", "identity"),
    ] {
        assert_eq!(known[field], value, "{field}");
    }
    assert!(known["known"] == true && known["causes"][0]["remedy"] == known["remedy"]);
    assert!(known["meaning"].is_string() && known["sources"].is_array());
    assert!(unknown["known"] == false && unknown["symbol"].is_null() && unknown["parts"]["facility"] == 24);
    // Every field is there, whatever is known.
    let fields = |value: &serde_json::Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let sorted = |mut fields: Vec<String>| {
        fields.sort();
        fields
    };
    assert_eq!(sorted(fields(known)), sorted(fields(unknown)));
}

#[test]
fn a_log_on_standard_input_is_searched() {
    let place = Place::new();
    let log = "first\nAuto MDM Enroll: Failed (0x8018002b)\nMENROLL_E_MDM_NOT_CONFIGURED\nhr = 0x80070005\n";
    let wide: Vec<u8> =
        [0xFF, 0xFE].into_iter().chain(log.encode_utf16().flat_map(u16::to_le_bytes)).collect();
    for bytes in [log.as_bytes(), &wide] {
        let ran = place.run_with(&["explain"], &[], bytes);
        assert_eq!(ran.code, 0, "{ran:?}");
        assert!(ran.out.starts_with("line 2, 3 times: Auto MDM Enroll: Failed\n"), "{ran:?}");
        assert!(ran.out.contains("line 4: 0x80070005\n") && ran.out.contains("access is denied"), "{ran:?}");
    }
    for (text, code) in [("nothing to see here", 1), ("", 1), ("0x80070005", 0)] {
        assert_eq!(place.run_with(&["explain"], &[], text.as_bytes()).code, code, "{text}");
    }
    assert_eq!(place.run_with(&["explain"], &[], &[0xFF; 3 << 20]).code, 1);
}

#[test]
fn what_is_known_is_listed_and_users_add_to_it() {
    let place = Place::new();
    let all = place.run(&["explain", "--list"]);
    let policy = place.run(&["explain", "--list", "--stage", "policy", "--platform", "windows"]);
    assert!(all.out.lines().count() > 150 && policy.out.lines().count() < 20, "{policy:?}");
    assert!(policy.out.contains("0x80180027") && !policy.out.contains("0x80180013"));
    place.put(
        "own.toml",
        "[[entry]]\nid = \"proxy-17\"\ncodes = [\"0x80180013\"]\nnames = [\"PROXY17\"]\nplatform = \"windows\"\n\
         stage = \"network\"\nraised_by = \"network\"\nmeaning = \"Call 17.\"\nwire = \"-\"\nowner = \"network\"\nsources = []\n",
    );
    let own = |text: &str| place.run(&["explain", "--knowledge", "own.toml", text]);
    assert!(own("PROXY17").out.contains("Call 17."));
    let both = own("0x80180013").out;
    assert!(both.find("Call 17.").unwrap() < both.find("MENROLL_E_DEVICECAPREACHED").unwrap(), "{both}");
    place.put("broken.toml", "[[entry]]\nid = 7\n");
    place.run(&["explain", "--knowledge", "broken.toml", "1"]).refused("line 2");
    place.run(&["explain", "--knowledge", "none.toml", "1"]).refused("none.toml");
    place.run(&["explain", "--platform", "amiga", "1"]).refused("windows-client");
}

#[test]
fn options_stand_anywhere_and_what_is_none_is_refused() {
    let place = Place::new();
    assert!(place.run(&["explain", "0x80180013", "--format", "json"]).json()[0]["known"] == true);
    assert_eq!(place.run(&["explain", "0x80180013", "--platform", "ios"]).code, 1);
    place.run(&["explain", "0x80180013", "--nonsense"]).refused("--nonsense");
    assert_eq!(place.run(&["explain", "-2145910765"]).code, 0);
    place.run(&["explain", "--knowledge", "/dev/zero", "1"]).refused("longer than");
}

#[test]
fn codes_are_found_however_logs_spell_them() {
    let place = Place::new();
    for text in [
        "error \u{1b}[31m0x80180013\u{1b}[0m end",
        "failed hr0x80180013",
        "error_0x80180013",
        "x80180013",
        "0x80180013L",
        "80180013h",
        "&H80180013",
    ] {
        let ran = place.run_with(&["explain"], &[], text.as_bytes());
        assert!(ran.code == 0 && ran.out.contains("MENROLL_E_DEVICECAPREACHED"), "{text:?}: {ran:?}");
    }
    for (status, symbol) in [("404", "0x80190194"), ("500", "0x801901F4")] {
        assert!(place.run(&["explain", status]).out.contains(symbol), "{status}");
    }
}

#[test]
fn a_question_in_plain_words_is_led_on() {
    let place = Place::new();
    for (question, name) in [
        ("device limit reached", "MENROLL_E_DEVICECAPREACHED"),
        ("too many devices", "MENROLL_E_DEVICECAPREACHED"),
        ("the user has no licence", "MENROLL_E_USERLICENSE"),
        ("the user is not licensed", "MENROLL_E_USERLICENSE"),
        ("certificate not trusted", "MENROLL_E_INVALIDSSLCERT"),
        ("device is already enrolled", "MENROLL_E_DEVICE_ALREADY_ENROLLED"),
    ] {
        let ran = place.run(&["explain", question]);
        assert!(
            ran.code == 1 && ran.out.contains("is not known") && ran.out.contains(name),
            "{question}: {ran:?}"
        );
    }
    assert!(place.run(&["explain", "xyzzy plugh"]).out.is_empty());
}

#[test]
fn nothing_of_somebodys_own_entries_steers_the_terminal() {
    let place = Place::new();
    place.put(
        "own.toml",
        "[[entry]]\nid = \"x\"\ncodes = [\"0x80180013\"]\nnames = [\"A\\u001b[2J\"]\nplatform = \"windows\"\n\
         stage = \"network\"\nraised_by = \"network\"\nmeaning = \"b\\u001b]0;x\\u0007 \\u202e\"\nwire = \"-\"\n\
         owner = \"network\"\nsources = [\"c\\u001b[2J\"]\n",
    );
    place.put("broken.toml", "[[entry]]\nid = \u{1b}[2J\u{202e}\n");
    for file in ["own.toml", "broken.toml"] {
        let ran = place.run(&["explain", "--knowledge", file, "0x80180013"]);
        let said = ran.out + &ran.err;
        assert!(!said.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{said:?}");
    }
}
