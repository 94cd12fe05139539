//! Flow files: one that mitmproxy wrote, and what can be wrong with one.

use proptest::prelude::*;

use super::{is_one, read};
use crate::capture::Imported;
use crate::event::{Connection, Event, Exchange, Framing, Version};

const WRITTEN: &[u8] = include_bytes!("../../../tests/data/foreign/mitmproxy-21.flow");

fn events(file: &[u8]) -> (Result<Imported, String>, Vec<Exchange>, Vec<Connection>) {
    let (mut exchanges, mut connections) = (Vec::new(), Vec::new());
    let imported = read(file, |event| match event {
        Event::Exchange(exchange) => exchanges.push((*exchange).clone()),
        Event::Connection(connection) => connections.push((*connection).clone()),
        other => panic!("{other:?}"),
    });
    (imported, exchanges, connections)
}

/// One netstring.
fn typed(data: impl AsRef<[u8]>, tag: char) -> Vec<u8> {
    let data = data.as_ref();
    [format!("{}:", data.len()).as_bytes(), data, &[tag as u8]].concat()
}

fn dictionary(members: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let members: Vec<_> = members.iter().flat_map(|(key, value)| [typed(key, ';'), value.clone()]).collect();
    typed(members.concat(), '}')
}

fn flow_with(content: &[u8]) -> Vec<u8> {
    let text = |text: &str| typed(text, ',');
    let request = dictionary(&[
        ("method", text("POST")),
        ("path", text("/")),
        ("headers", typed(typed([text("Host"), text(" h ")].concat(), ']'), ']')),
        ("content", typed(content, ',')),
        ("timestamp_start", typed("17e8", '^')),
    ]);
    dictionary(&[
        ("request", request),
        ("response", typed("", '~')),
        ("type", typed("http", ';')),
        ("version", typed("21", '#')),
    ])
}

fn replaced(from: &str, to: &str) -> Vec<u8> {
    let at = WRITTEN.windows(from.len()).position(|window| window == from.as_bytes()).unwrap();
    [&WRITTEN[..at], to.as_bytes(), &WRITTEN[at + from.len()..]].concat()
}

#[test]
fn what_mitmproxy_has_of_an_exchange_is_taken_over() {
    assert!(is_one(WRITTEN));
    let (imported, exchanges, connections) = events(WRITTEN);
    let imported = imported.unwrap();
    assert_eq!((imported.exchanges, exchanges.len(), connections.len()), (6, 6, 5));
    let lost: Vec<_> = imported.lost.iter().map(|(what, count)| (&what[..12], *count)).collect();
    let expected = ["bodies that ", "flows of DNS", "flows of TCP", "flows of UDP", "messages of "];
    assert_eq!(lost, expected.map(|what| (what, 1)));

    let [first, second, h2, bodiless, broken, _] = &exchanges[..] else { panic!() };
    let head: Vec<_> = first.request.headers.iter().map(|h| (h.name.as_str(), &h.value[..])).collect();
    assert_eq!(
        head[..3],
        [("Host", &b"mdm.example"[..]), ("SOAPAction", b""), ("content-TYPE", b"application/soap+xml")]
    );
    assert_eq!(head[3], ("X-Odd", &b"\xff\xfe"[..]));
    assert_eq!(first.request.target, "/EnrollmentServer/Discovery.svc?x=1");
    assert_eq!((first.request.body.framing, first.request.body.length), (Framing::Length, 63));
    let answer = first.response.as_ref().unwrap();
    assert_eq!((answer.status, answer.reason.as_str(), answer.body.framing), (200, "Fine", Framing::Chunked));
    assert_eq!(answer.at.since(first.request.at), 250);
    let timing = &first.timing;
    assert_eq!(
        (timing.connect, timing.tls, timing.send, timing.receive),
        (Some(10_000), Some(25_000), Some(2_000), Some(10_000))
    );
    let upstream = first.upstream.as_ref().unwrap();
    assert_eq!(
        (upstream.origin.as_str(), upstream.address.as_deref()),
        ("https://mdm.example:443", Some("198.51.100.9:443"))
    );
    assert_eq!(upstream.tls.as_ref().unwrap().version, "TLSv1.3");
    assert!(upstream.chain.len() == 1 && upstream.chain[0].starts_with(&[0x30, 0x82]));

    assert_eq!(second.response.as_ref().unwrap().body.trailers.len(), 1);
    assert!(second.upstream.as_ref().unwrap().reused && second.timing.connect.is_none());
    assert_eq!((h2.request.version, h2.request.headers[0].name.as_str()), (Version::Http2, "host"));
    let withheld = &bodiless.response.as_ref().unwrap().body;
    assert!(withheld.withheld.is_some() && withheld.length == 5_000_000 && withheld.bytes.is_empty());
    assert!(broken.response.is_none());
    assert_eq!(broken.upstream.as_ref().unwrap().error.as_deref(), Some("server closed connection"));

    let device = &connections[0];
    assert_eq!(
        (device.peer.as_str(), device.listener.as_str()),
        ("192.0.2.7:50001", "https://192.0.2.1:443")
    );
    assert_eq!((device.sni.as_deref(), device.chain.len()), (Some("mdm.example"), 1));
    assert_eq!(first.connection, second.connection);
    assert_eq!(first.connection.as_ref(), Some(&device.id));
}

#[test]
fn other_versions_are_refused_with_what_to_do() {
    for (version, expected) in [
        (
            "7:version;2:20#",
            "the oldest that is read is 21; convert the file with a current mitmproxy: mitmdump",
        ),
        ("7:version;2:22#", "the newest that this enrollscope reads is 21; take a newer enrollscope, or HAR"),
        ("7:version;2:2x#", "it is no flow of mitmproxy"),
    ] {
        let error = events(&replaced("7:version;2:21#", version)).0.unwrap_err();
        assert!(error.starts_with("flow 1 ") && error.contains(expected), "{error}");
    }
    let old = typed([typed("version", ','), typed(typed("0", '#'), ']')].concat(), '}');
    assert!(is_one(&old));
    assert!(read(&old[..], |_| {}).unwrap_err().contains("before 1.0"));
}

#[test]
fn a_file_that_is_cut_off_says_where() {
    for cut in (1..WRITTEN.len()).step_by(7) {
        let (imported, exchanges, _) = events(&WRITTEN[..cut]);
        let Err(error) = imported else { panic!("cut at {cut}: {imported:?}") };
        assert!(
            error.contains("ends in the middle of a flow") && error.contains(&format!("at byte {cut}")),
            "{error}"
        );
        assert!(exchanges.len() < 7);
    }
    assert!(read(&b""[..], |_| {}).unwrap_err().contains("empty"));
}

#[test]
fn lies_about_lengths_cost_nothing() {
    let deep = "1:".repeat(100_000);
    for (file, expected) in [
        ("999999999999:", "in the middle"),
        ("9999999999999:", "length of a netstring"),
        ("20:7:request;99999999:a", "longer than what is around it"),
        ("30:7:request;17:7:content;900000:", "longer than what is around it"),
        ("x", "length of a netstring"),
        ("12:300:", "longer"),
        (deep.as_str(), "longer"),
    ] {
        let error = read(file.as_bytes(), |_| {}).unwrap_err();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn of_a_long_body_the_beginning_is_kept() {
    let (imported, exchanges, _) = events(&flow_with(&vec![b'x'; 5 << 20]));
    assert_eq!(imported.unwrap().lost.len(), 1);
    let body = &exchanges[0].request.body;
    assert_eq!((body.bytes.len(), body.length), (1 << 20, 5 << 20));
    assert!(body.is_partial());
    assert_eq!(exchanges[0].request.headers[0].text(), "h");
}

#[test]
fn a_part_that_is_no_headers_is_told_as_lost() {
    let flow = String::from_utf8(flow_with(b"")).unwrap().replace("Host,", "Host!");
    let (imported, exchanges, _) = events(flow.as_bytes());
    assert_eq!((imported.unwrap().lost.len(), exchanges.len()), (1, 0));
}

proptest! {
    #[test]
    fn bytes_that_are_overwritten_break_nothing(at in 0..WRITTEN.len(), by in proptest::collection::vec(any::<u8>(), 1..20)) {
        let mut file = WRITTEN.to_vec();
        for (place, byte) in file[at..].iter_mut().zip(&by) {
            *place = *byte;
        }
        let (_, exchanges, _) = events(&file);
        prop_assert!(exchanges.len() <= 6);
    }

    #[test]
    fn anything_is_read_without_a_panic(file in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = is_one(&file);
        let _ = events(&file);
    }
}
