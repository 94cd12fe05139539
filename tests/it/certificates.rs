//! Certificates from files: PEM and PFX, per name, exchanged while devices are connected, warned of in time.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use enrollscope::event::Time;
use enrollscope::net::{CertificateFiles, Keeper, LocalCa, Planned, Served, now};
use tokio::io::AsyncWriteExt;

use crate::wire::{Authority, Bench, Server, read_until, settings};

const FIRST: &str = "first.example";
const SECOND: &str = "second.example";

struct Files {
    dir: tempfile::TempDir,
}

impl Files {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn pem(&self, name: &str) -> CertificateFiles {
        CertificateFiles::Pem {
            certificate: self.path(&format!("{name}.pem")),
            key: self.path(&format!("{name}.key")),
        }
    }

    fn put(&self, name: &str, (certificate, key): &(String, String)) {
        fs::write(self.path(&format!("{name}.pem")), certificate).unwrap();
        fs::write(self.path(&format!("{name}.key")), key).unwrap();
    }
}

fn planned(files: CertificateFiles, names: &[&str]) -> Planned {
    Planned { files, names: names.iter().map(|name| name.parse().unwrap()).collect() }
}

fn leaf(served: &Served, name: &str) -> Option<Vec<u8>> {
    served.chain(Some(name)).first().map(|leaf| leaf.to_vec())
}

#[test]
fn a_name_gets_the_certificate_that_is_configured_for_it() {
    let (files, authority) = (Files::new(), Authority::new());
    files.put("given", &authority.pem("*.example", None));
    files.put("own", &authority.pem(SECOND, None));
    let own = || planned(files.pem("own"), &[SECOND, "*.b.example"]);
    let keeper = Keeper::open(vec![planned(files.pem("given"), &[]), own()], None, true, now()).unwrap();
    let served = keeper.served();
    let (given, second) = (leaf(served, FIRST), leaf(served, SECOND));
    assert!(given.is_some() && second.is_some() && given != second);
    for (name, expected) in [("SECOND.example.", &second), ("a.b.example", &second), ("x.test", &given)] {
        assert_eq!(leaf(served, name), *expected, "{name}");
    }
    // Only the one name: others are not answered.
    let keeper = Keeper::open(vec![own()], None, false, now()).unwrap();
    assert_eq!(leaf(keeper.served(), FIRST), None);
    assert_eq!(keeper.alarms(), Vec::<String>::new());
    // A certificate for somebody else is served as asked, and told.
    let keeper = Keeper::open(vec![planned(files.pem("own"), &[FIRST])], None, false, now()).unwrap();
    assert_eq!(leaf(keeper.served(), FIRST), second);
    assert!(keeper.alarms()[0].contains("own.pem is not for first.example"));
}

#[test]
fn changed_files_are_taken_over_and_bad_ones_are_told_and_not_taken() {
    let (files, authority) = (Files::new(), Authority::new());
    let (before, after, third) =
        (authority.pem(FIRST, None), authority.pem(FIRST, None), authority.pem(FIRST, None));
    files.put("a", &before);
    let mut keeper = Keeper::open(vec![planned(files.pem("a"), &[FIRST])], None, false, now()).unwrap();
    let served = keeper.served().clone();
    let old = leaf(&served, FIRST);
    keeper.poll(now());
    assert_eq!(leaf(&served, FIRST), old);

    // The certificate first, its key a moment later: nobody is alarmed in between.
    fs::write(files.path("a.pem"), &after.0).unwrap();
    keeper.poll(now());
    assert_eq!((leaf(&served, FIRST), keeper.alarms().len()), (old.clone(), 0));
    fs::write(files.path("a.key"), &after.1).unwrap();
    keeper.poll(now());
    let new = leaf(&served, FIRST);
    assert!(new.is_some() && new != old && keeper.alarms().is_empty());

    // A key of another certificate, and nothing comes after it.
    fs::write(files.path("a.key"), &third.1).unwrap();
    keeper.poll(now());
    keeper.poll(now());
    let told = keeper.alarms();
    assert!(told.len() == 1 && told[0].contains("does not belong"), "{told:?}");
    assert!(told[0].contains("a.pem is not taken, the old one is served"), "{told:?}");
    for (name, text) in [("a.pem", "no certificate"), ("a.key", "no key")] {
        fs::write(files.path(name), text).unwrap();
        keeper.poll(now());
    }
    fs::remove_file(files.path("a.key")).unwrap();
    keeper.poll(now());
    assert!(keeper.alarms()[0].contains("cannot read"), "{:?}", keeper.alarms());
    assert_eq!(leaf(&served, FIRST), new);

    // What is good again is taken, and the alarm ends.
    files.put("a", &third);
    keeper.poll(now());
    assert!(leaf(&served, FIRST) != new && keeper.alarms().is_empty());
}

#[test]
fn a_pfx_that_openssl_or_windows_has_written_is_served() {
    let (files, authority) = (Files::new(), Authority::new());
    let (certificate, key) = authority.pem(FIRST, None);
    files.put("a", &(certificate, key));
    let modern: &[&str] = &[];
    // What Windows exported until a few years ago: 3DES for the key, RC2 for the certificates, SHA-1.
    let legacy: &[&str] = &["-keypbe", "PBE-SHA1-3DES", "-certpbe", "PBE-SHA1-3DES", "-macalg", "sha1"];
    for (name, arguments) in [("modern", modern), ("legacy", legacy)] {
        let path = files.path(&format!("{name}.pfx"));
        let made = std::process::Command::new("openssl")
            .args(["pkcs12", "-export", "-passout", "pass:", "-out"])
            .arg(&path)
            .arg("-in")
            .arg(files.path("a.pem"))
            .arg("-inkey")
            .arg(files.path("a.key"))
            .args(arguments)
            .output();
        // Files of both kinds that we wrote ourselves are read in src/net/files.rs; this needs the program.
        let Ok(made) = made else { return };
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let pfx = CertificateFiles::Pfx { file: path, variable: "ENROLLSCOPE_TEST_IS_NOT_SET".to_owned() };
        let keeper = Keeper::open(vec![planned(pfx, &[FIRST])], None, false, now()).unwrap();
        assert_eq!(keeper.served().chain(Some(FIRST)).len(), 2, "{name}");
        assert_eq!(keeper.alarms(), Vec::<String>::new());
    }
}

#[test]
fn expiry_is_told_two_weeks_ahead_and_that_of_the_local_authority_three_days() {
    let (files, authority) = (Files::new(), Authority::new());
    files.put("a", &authority.pem(FIRST, Some((2030, 6, 15))));
    let at = |text: &str| Time::parse(text).unwrap();
    let mut keeper =
        Keeper::open(vec![planned(files.pem("a"), &[])], None, true, at("2030-05-01T00:00:00Z")).unwrap();
    for (time, words) in [
        ("2030-05-31T00:00:00Z", None),
        ("2030-06-02T00:00:00Z", Some("a.pem expires on 2030-06-15, in 13 days: renew it")),
        ("2030-06-15T00:00:01Z", Some("a.pem has expired on 2030-06-15")),
    ] {
        keeper.poll(at(time));
        let told = keeper.alarms();
        assert!(told.len() == usize::from(words.is_some()), "{told:?}");
        assert!(words.is_none_or(|words| told[0].contains(words)), "{told:?}");
    }

    let start = at("2030-01-01T00:00:00Z");
    let ca = LocalCa::open_or_make(files.dir.path(), &[FIRST.to_owned()], start).unwrap();
    let mut keeper = Keeper::open(Vec::new(), Some(&ca), false, start).unwrap();
    keeper.poll(at("2030-01-28T00:00:00Z"));
    assert!(keeper.alarms().is_empty());
    keeper.poll(at("2030-01-29T00:00:00Z"));
    assert!(keeper.alarms()[0].contains("local authority expires on 2030-01-31"));
}

#[test]
fn keys_are_in_no_debug_text() {
    let (files, authority) = (Files::new(), Authority::new());
    let pem = authority.pem(FIRST, None);
    files.put("a", &pem);
    let keeper = Keeper::open(vec![planned(files.pem("a"), &[FIRST])], None, false, now()).unwrap();
    let ca = LocalCa::open_or_make(files.dir.path(), &[FIRST.to_owned()], now()).unwrap();
    let shown = format!("{keeper:?} {ca:?} {:?} {:?}", keeper.served(), files.pem("a"));
    // A derived Debug would show bytes as numbers: 0x30, 0x81 or 0x82 begins every key.
    for secret in ["[48, 129", "[48, 130, 4", "PRIVATE", pem.1.lines().nth(1).unwrap()] {
        let shown = shown.replace(&format!("{:?}", ca.certificate()), "");
        assert!(!shown.contains(secret), "{secret}: {shown}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_certificate_is_served_without_losing_a_connection() {
    let (files, authority) = (Files::new(), Authority::new());
    let pems = [authority.pem(crate::wire::NAME, None), authority.pem(crate::wire::NAME, None)];
    files.put("a", &pems[0]);
    let mut keeper = Keeper::open(vec![planned(files.pem("a"), &[])], None, true, now()).unwrap();
    let served = keeper.served().clone();
    let old = leaf(&served, crate::wire::NAME);
    let server = Server::start().await;
    let mut settings = settings(server.address);
    (settings.listeners[0].secure, settings.served) = (true, Some(served.clone()));
    let bench = Bench::start(settings).await;

    // A server that answers for ever, a device that was there before, and others that come and go all the time.
    let serving = tokio::spawn(async move {
        loop {
            let mut stream = server.accept().await;
            tokio::spawn(async move {
                loop {
                    read_until(&mut stream, "\r\n\r\n").await;
                    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await.unwrap();
                }
            });
        }
    });
    let exchange = async |device: &mut tokio_rustls::client::TlsStream<tokio::net::TcpStream>| {
        device.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
        read_until(device, "ok").await;
    };
    let mut early = bench.connect_as(crate::wire::NAME, authority.client()).await.unwrap();
    exchange(&mut early).await;
    let (done, new) = (AtomicBool::new(false), AtomicU64::new(0));
    let coming = async {
        while !done.load(Ordering::SeqCst) || new.load(Ordering::SeqCst) == 0 {
            let mut device = bench.connect_as(crate::wire::NAME, authority.client()).await.unwrap();
            let shown = device.get_ref().1.peer_certificates().unwrap()[0].to_vec();
            new.fetch_add(u64::from(Some(shown) != old), Ordering::SeqCst);
            exchange(&mut device).await;
        }
    };
    let changing = async {
        files.put("a", &pems[1]);
        keeper.poll(now());
        exchange(&mut early).await;
        done.store(true, Ordering::SeqCst);
    };
    tokio::join!(coming, changing);
    serving.abort();
    bench.stop().await;
}
