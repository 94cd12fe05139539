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
