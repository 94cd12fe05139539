//! Sessions of Fiddler.

use proptest::prelude::*;

use super::{Conversation, Part, Piece, Session, part};
use crate::capture::Imported;
use crate::event::{Connection, Event, Exchange, Framing};

const FACTS: &str = r#"<?xml version="1.0" encoding="utf-8"?>
<Session SID="7" BitFlags="59">
  <SessionTimers ClientConnected="2026-11-20T09:00:00.1234567+01:00" ClientBeginRequest="2026-11-20T09:00:01.0000000+01:00"
    GotRequestHeaders="0001-01-01T00:00:00" ClientDoneRequest="2026-11-20T09:00:01.0020000+01:00" GatewayTime="0" DNSTime="3"
    TCPConnectTime="11" HTTPSHandshakeTime="25" ServerBeginResponse="2026-11-20T09:00:01.2500000+01:00"
    ServerDoneResponse="2026-11-20T09:00:01.2600000+01:00" ClientDoneResponse="0001-01-01T00:00:00" />
  <PipeInfo CltReuse="true" Reused="true" />
  <SessionFlags>
    <SessionFlag N="x-clientIP" V="::ffff:192.0.2.7" />
    <SessionFlag N="x-clientport" V="50001" />
    <SessionFlag N="x-hostIP" V="198.51.100.9" />
  </SessionFlags>
</Session>"#;

const REQUEST: &str = "POST https://mdm.example/EnrollmentServer/Discovery.svc?x=1 HTTP/1.1\r\nHost: mdm.example\r\n\
                       SOAPAction: \r\ncontent-TYPE: application/soap+xml\r\nContent-Length: 4\r\n\r\n<a/>";

const ANSWER: &str =
    "HTTP/1.1 200 Fine\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n<b/\r\n1;x=y\r\n>\r\n0\r\nX-T: 1\r\n\r\n";

fn piece(text: &str) -> Option<Piece> {
    Some(Piece { bytes: text.as_bytes().to_vec(), more: false })
}

fn events(sessions: Vec<Session>) -> (Imported, Vec<Exchange>, Vec<Connection>) {
    let (mut exchanges, mut connections) = (Vec::new(), Vec::new());
    let mut conversation = Conversation::default();
    for session in sessions {
        conversation.session(session, |event| match event {
            Event::Exchange(exchange) => exchanges.push((*exchange).clone()),
            Event::Connection(connection) => connections.push((*connection).clone()),
            other => panic!("{other:?}"),
        });
    }
    (conversation.finish(), exchanges, connections)
}

#[test]
fn what_fiddler_has_of_an_exchange_is_taken_over() {
    let session =
        || Session { request: piece(REQUEST), response: piece(ANSWER), facts: piece(FACTS), messages: false };
    let (imported, exchanges, connections) = events(vec![session(), session()]);
    assert_eq!((imported.exchanges, imported.lost.len(), connections.len()), (2, 0, 1));
    let exchange = &exchanges[0];
    let request = &exchange.request;
    assert_eq!(request.at.to_string(), "2026-11-20T08:00:01.000Z");
    // The device was in a tunnel, and its request line had no more than this.
    assert_eq!(request.target, "/EnrollmentServer/Discovery.svc?x=1");
    let names: Vec<_> = request.headers.iter().map(|h| h.name.as_str()).collect();
    assert_eq!(names, ["Host", "SOAPAction", "content-TYPE", "Content-Length"]);
    let answer = exchange.response.as_ref().unwrap();
    assert_eq!((answer.status, answer.reason.as_str(), &answer.body.bytes[..]), (200, "Fine", &b"<b/>"[..]));
    assert_eq!(
        (answer.body.framing, answer.body.trailers.len(), answer.body.cut),
        (Framing::Chunked, 1, false)
    );
    assert_eq!(answer.at.since(request.at), 250);
    let timing = &exchange.timing;
    assert_eq!(
        (timing.dns, timing.connect, timing.send, timing.wait),
        (Some(3000), Some(11_000), Some(2000), Some(248_000))
    );
    let upstream = exchange.upstream.as_ref().unwrap();
    assert_eq!(upstream.origin, "https://mdm.example:443");
    assert_eq!((upstream.address.as_deref(), upstream.reused), (Some("198.51.100.9:443"), true));
    assert_eq!(connections[0].peer, "192.0.2.7:50001");
    assert_eq!(connections[0].at.to_string(), "2026-11-20T08:00:00.123Z");
    assert!(exchanges.iter().all(|exchange| exchange.connection.as_ref() == Some(&connections[0].id)));
}

#[test]
fn what_is_missing_is_told() {
    let only = |request: &str| Session { request: piece(request), facts: piece(FACTS), ..Session::default() };
    for (session, exchanges, expected) in [
        (Session { response: piece(ANSWER), ..Session::default() }, 0, "sessions without a request"),
        (only(""), 0, "sessions without a request"),
        (only("nothing of HTTP"), 0, "sessions whose request is no HTTP"),
        (only(ANSWER), 0, "sessions whose request is no HTTP"),
        (only("CONNECT mdm.example:443 HTTP/1.1\r\n\r\n"), 0, "tunnels"),
        (Session { response: piece("<html>"), ..only(REQUEST) }, 0, "sessions whose answer is no HTTP"),
        (Session { messages: true, ..only(REQUEST) }, 1, "messages of WebSockets"),
        (Session { facts: None, ..only(REQUEST) }, 1, "times of sessions"),
        (Session { facts: piece("<Session>"), ..only(REQUEST) }, 1, "times of sessions"),
    ] {
        let (imported, found, _) = events(vec![session]);
        assert_eq!((imported.exchanges, found.len()), (exchanges, found.len()), "{expected}");
        let lost: Vec<_> = imported.lost.keys().collect();
        assert!(lost.len() == 1 && lost[0].starts_with(expected), "{expected}: {lost:?}");
    }
    // No answer is no loss.
    let (imported, found, _) = events(vec![only(REQUEST)]);
    assert!(imported.lost.is_empty() && found[0].response.is_none() && found[0].upstream.is_none());
}

#[test]
fn a_body_that_ends_early_or_is_long_is_told_as_such() {
    let answer = |text: &str, more| {
        let response = Some(Piece { bytes: text.as_bytes().to_vec(), more });
        let session = Session { request: piece(REQUEST), response, facts: piece(FACTS), messages: false };
        let (imported, exchanges, _) = events(vec![session]);
        (imported.lost.len(), exchanges[0].response.as_ref().unwrap().body.clone())
    };
    let (lost, body) = answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n<b/", false);
    assert_eq!((lost, &body.bytes[..], body.cut), (0, &b"<b/"[..], true));
    let long = format!("HTTP/1.1 200 OK\r\nContent-Length: 5000000\r\n\r\n{}", "x".repeat((1 << 20) + 100));
    let (lost, body) = answer(&long, true);
    assert_eq!((lost, body.bytes.len(), body.length), (1, 1 << 20, 5_000_000));
    assert!(body.is_partial());
    let (lost, body) = answer(&long.replace("Content-Length: 5000000\r\n", ""), true);
    assert_eq!((lost, body.framing), (1, Framing::Close));
    assert!(body.is_partial());
}

#[test]
fn names_say_of_which_session_a_file_is_and_are_no_paths() {
    for (name, expected) in [
        ("raw/1_c.txt", Some((1, Part::Request))),
        ("raw\\0012_s.txt", Some((12, Part::Response))),
        ("raw/3_m.xml", Some((3, Part::Facts))),
        ("raw/3_w.txt", Some((3, Part::Messages))),
        ("raw/../1_c.txt", None),
        ("../raw/1_c.txt", None),
        ("/raw/1_c.txt", None),
        ("raw/_c.txt", None),
        ("raw/+1_c.txt", None),
        ("raw/99999999999999999999_c.txt", None),
        ("_index.htm", None),
    ] {
        assert_eq!(part(name.as_bytes()), expected, "{name}");
    }
}

proptest! {
    #[test]
    fn any_files_are_read_without_a_panic(
        request in proptest::collection::vec(any::<u8>(), 0..200),
        head in 0..ANSWER.len(),
        rest in proptest::collection::vec(any::<u8>(), 0..40),
        cut in 0..FACTS.len(),
        more in any::<bool>(),
    ) {
        let response = Some(Piece { bytes: [&ANSWER.as_bytes()[..head], &rest].concat(), more });
        let facts = piece(&FACTS[..cut]);
        events(vec![
            Session { request: Some(Piece { bytes: request, more }), ..Session::default() },
            Session { request: piece(REQUEST), response, facts, messages: false },
        ]);
    }
}
