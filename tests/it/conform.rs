//! `conform`, with the real binary, against reference servers that are right and that break a rule.

use serde_json::Value;

use crate::binary::{Place, Ran, Running};

const SECRET: (&str, &str) = ("ENROLLSCOPE_PASSWORD", "right");

/// A reference server that knows its password; its URL.
fn server(place: &Place, name: &str, more: &[&str]) -> (Running, String) {
    let ca = format!("{name}.pem");
    let args = [&["server", "--listen", "127.0.0.1:0", "--ca-file", &ca], more].concat();
    let running = place.listen_with(&args, &[SECRET], 1);
    let url = format!("https://localhost:{}", running.addresses[0].port());
    (running, url)
}

fn conform(place: &Place, (name, url): (&str, &str), more: &[&str]) -> Ran {
    let ca = format!("{name}.pem");
    place.run_with(&[&["conform", "--server", url, "--ca", &ca], more].concat(), &[SECRET], b"")
}

fn cells(told: &Value, status: &str) -> Vec<String> {
    let cells = told["cells"].as_array().unwrap().iter().filter(|cell| cell["status"] == status);
    cells.map(|cell| cell["id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_good_server_is_fit_for_every_device_in_every_way() {
    let place = Place::new();
    let (running, url) = server(&place, "good", &["--identity-file", "id.pem"]);
    let ran = conform(&place, ("good", &url), &["--entra", "--format", "json"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let told = ran.json();
    assert_eq!(told["grade"], "A", "{told:#}");
    // 6 shapes; 7 cases with a password and 8 with a token.
    assert_eq!(cells(&told, "pass").len(), 90);
    for (id, words) in [
        ("password/wrong-password/windows-10", "Authentication"),
        ("entra/expired-token/autopilot", "stopped at"),
        ("entra/foreign-token/programmatic", "stopped at"),
        ("password/empty-post/windows-11-25h2", "discovery 500, policy 500, certificate 500"),
        ("password/retry-after-drop/windows-11-24h2", "enrolled"),
    ] {
        let cell = told["cells"].as_array().unwrap().iter().find(|cell| cell["id"] == id).unwrap();
        assert!(cell["found"].as_str().unwrap().contains(words), "{cell}");
    }
    let again = conform(&place, ("good", &url), &["--entra", "--format", "json"]).json();
    let without_times = |told: &Value| {
        let mut told = told.clone();
        for cell in told["cells"].as_array_mut().unwrap() {
            cell["ms"] = Value::Null;
        }
        told
    };
    assert_eq!(without_times(&told), without_times(&again));
    drop(running);
    let (_running, url) =
        server(&place, "certificates", &["--auth", "certificate", "--identity-file", "id.pem"]);
    // Whoever the certificate is for may have 20 devices there.
    let more = ["--identity", "id.pem", "--only", "certificate/healthy", "--only", "certificate/foreign"];
    let more = [&more[..], &["--format", "json"]].concat();
    let told = conform(&place, ("certificates", &url), &more).json();
    assert_eq!((told["grade"].as_str(), cells(&told, "pass").len()), (Some("A"), 12), "{told:#}");
}

#[test]
fn what_a_server_gets_wrong_is_graded_and_counts_once_it_is_new() {
    let place = Place::new();
    let (running, url) = server(&place, "broken", &["--break", "PROV-CS-003"]);
    let only = ["--only", "healthy"];
    let ran = conform(&place, ("broken", &url), &only);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.out.contains("password: healthy                 ✖  ✖  ✖  ✖  ✖  ✔"), "{}", ran.out);
    assert!(
        ran.out.contains("fail  password: healthy (windows-10, ") && ran.out.contains("PROV-CS-003"),
        "{}",
        ran.out
    );
    assert!(
        ran.out.ends_with("grade D\n  healthy: PROV-CS-003 thumbprint-of-another-certificate (5 cells)\n"),
        "{}",
        ran.out
    );
    let json = conform(&place, ("broken", &url), &[&only[..], &["--format", "json"]].concat());
    place.put("before.json", &json.out);
    let baseline = ["--only", "healthy", "--baseline", "before.json"];
    let same = conform(&place, ("broken", &url), &baseline);
    assert!(same.code == 0 && same.out.contains("nothing new since the baseline"), "{same:?}");
    drop(running);
    let (_running, url) = server(&place, "worse", &["--break", "HTTP-001"]);
    let worse = conform(&place, ("worse", &url), &baseline);
    assert!(worse.code == 1 && worse.out.contains("password/healthy/windows-10 HTTP-001"), "{worse:?}");
    let junit = conform(&place, ("worse", &url), &[&baseline[..], &["--format", "junit"]].concat()).out;
    assert!(junit.contains("failures=\"6\"") && junit.contains("type=\"new\""), "{junit}");
    let markdown = conform(&place, ("worse", &url), &[&only[..], &["--format", "markdown"]].concat()).out;
    assert!(
        markdown.contains("| password: healthy | ✖ | ✖ |") && markdown.contains(": grade F"),
        "{markdown}"
    );
}

#[test]
fn a_server_that_lets_everybody_in_is_told_so() {
    let place = Place::new();
    let args = ["server", "--listen", "127.0.0.1:0", "--ca-file", "open.pem"];
    let running = place.listen(&args, 1);
    let url = format!("https://localhost:{}", running.addresses[0].port());
    let ran = conform(&place, ("open", &url), &["--only", "windows-10"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.out.ends_with("grade C\n  wrong-password: enrolled all the same (1 cell)\n"), "{}", ran.out);
    // All of one user: at the cap nothing can be said.
    let told = conform(&place, ("open", &url), &["--user", "one@contoso.example", "--format", "json"]).json();
    assert!(!cells(&told, "skip").is_empty(), "{told:#}");
}

#[test]
fn what_cannot_be_tried_is_said() {
    let place = Place::new();
    let run = |args: &[&str]| place.run_with(&[&["conform", "--server"], args].concat(), &[SECRET], b"");
    run(&["mdm.example"]).refused("absolute URL");
    run(&["https://mdm.example"]).refused("--yes");
    run(&["https://localhost:1", "--only", "nonsense"]).refused("nothing to try");
    place.put("no.json", "{}");
    run(&["https://localhost:1", "--baseline", "no.json"]).refused("conform --format json");
    run(&["https://localhost:1", "--only", "healthy/windows-10"]).refused("the server gives no answer");
    run(&["https://localhost:99999"]).refused("absolute URL");
    run(&["https://localhost:1", "--baseline", "/dev/zero"]).refused("longer than");
    // As PowerShell writes it.
    let wide: Vec<u8> =
        [0xFF, 0xFE].into_iter().chain("{}".encode_utf16().flat_map(u16::to_le_bytes)).collect();
    place.put("wide.json", wide);
    run(&["https://localhost:1", "--baseline", "wide.json"]).refused("missing field");
}
