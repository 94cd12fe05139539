//! Events for tests: some with every member filled, and arbitrary ones.

use std::collections::BTreeMap;

use bytes::Bytes;
use proptest::collection::{btree_map, vec};
use proptest::option::of;
use proptest::prelude::*;

use crate::event::{
    Body, Change, Connection, ConnectionEvent, ConnectionId, Delivery, End, Exchange, ExchangeId, Framing,
    From, Front, Header, Offered, Reason, Relay, Request, Response, Sent, Side, Time, Timing, Tls, Upstream,
    Version,
};

/// 2026-11-20T21:16:29.000Z
pub(crate) const START: Time = Time(1_795_209_389_000);

/// An exchange in which every member has something to say.
pub(crate) fn full_exchange() -> Exchange {
    let body = Body {
        bytes: Bytes::from_static("<s:Envelope>ü\u{0}\"\\</s:Envelope>".as_bytes()),
        length: 400,
        framing: Framing::Chunked,
        encoding: Some("gzip".to_owned()),
        decoded: true,
        trailers: vec![Header::new("X-Trailer", "1")],
        cut: true,
        withheld: Some("redaction failed".to_owned()),
    };
    let sent = Sent {
        target: Some("/other".to_owned()),
        headers: Some(vec![Header::new("Host", "mdm.example")]),
        body: Some(Bytes::from_static(b"\xff\xfe")),
    };
    Exchange {
        seq: 7,
        id: ExchangeId("01936f4e-6a3b-7000-8000-000000000007".into()),
        connection: Some(ConnectionId("c1".into())),
        front: Some(Box::new(Front {
            address: Some("198.51.100.7".to_owned()),
            secure: Some(true),
            host: Some("mdm.example".to_owned()),
            client_certificate: vec![Bytes::from_static(b"\x30\x80")],
        })),
        request: Request {
            at: START,
            method: "POST".to_owned(),
            target: "/EnrollmentServer/Discovery.svc".to_owned(),
            version: Version::Http11,
            headers: vec![
                Header::new("Host", "enterpriseenrollment.example"),
                Header::new("X-Odd", Bytes::from_static(b"\xe9t\xe9")),
            ],
            body: body.clone(),
            sent: Some(Box::new(sent.clone())),
        },
        response: Some(Response {
            at: START.plus_millis(31),
            status: 200,
            reason: "OK".to_owned(),
            version: Version::Http11,
            from: From::Upstream,
            headers: vec![Header::new("Content-Type", "application/soap+xml; charset=utf-8")],
            body: Body { bytes: Bytes::from_static(b"\x1f\x8b\x08\x00\xff"), ..body },
            sent: Some(Box::new(sent)),
        }),
        upstream: Some(Upstream {
            origin: "https://mdm.example:443".to_owned(),
            address: Some("192.0.2.7:443".to_owned()),
            reused: true,
            alpn: Some("http/1.1".to_owned()),
            tls: Some(tls()),
            chain: vec![Bytes::from_static(b"\x30\x82"), Bytes::from_static(b"\x30\x81")],
            verified: true,
            asked_client_certificate: true,
            error: Some("the answer broke off after 12 of 400 bytes".to_owned()),
        }),
        timing: Timing {
            dns: Some(1),
            connect: Some(2),
            tls: Some(3),
            send: Some(4),
            wait: Some(5),
            receive: Some(6),
        },
        facts: BTreeMap::from([("xml-signature".to_owned(), "valid".to_owned())]),
        changes: vec![Change {
            side: Side::Response,
            what: "rewrite".to_owned(),
            detail: "body: https://mdm.example became https://proxy.example".to_owned(),
        }],
        delivery: Delivery::Pending,
    }
}

/// The same for a connection.
pub(crate) fn full_connection() -> Connection {
    Connection {
        id: ConnectionId("c1".into()),
        at: START,
        event: ConnectionEvent::Failed,
        peer: "[2001:db8::1]:50123".to_owned(),
        via: Some("10.0.0.2:40000".to_owned()),
        listener: "https://0.0.0.0:443".to_owned(),
        sni: Some("enterpriseenrollment.example".to_owned()),
        alpn: Some("http/1.1".to_owned()),
        offered: Some(Offered {
            versions: vec!["TLSv1.2".to_owned(), "0x7f17".to_owned()],
            ciphers: vec![0x1301, 0xc02f],
            alpn: vec!["h2".to_owned(), "http/1.1".to_owned()],
        }),
        tls: Some(tls()),
        chain: vec![Bytes::from_static(b"\x30\x82")],
        asked_client_certificate: true,
        client_certificate: vec![Bytes::from_static(b"\x30\x80")],
        passthrough: Some(Relay { target: "192.0.2.9:443".to_owned(), up: 517, down: 4_096 }),
        reason: Some(Reason::Alert("unknown_ca".to_owned())),
    }
}

/// A small one, as they are by the thousand; `n` tells them apart.
pub(crate) fn exchange(n: u64) -> Exchange {
    let at = START.plus_millis(n.cast_signed() * 1_000);
    Exchange {
        id: ExchangeId(format!("id-{n}").into()),
        request: Request {
            at,
            method: "POST".to_owned(),
            target: format!("/{n}"),
            body: Body::full("<a/>"),
            ..Default::default()
        },
        response: Some(Response { at, status: 200, body: Body::full("<b/>"), ..Default::default() }),
        ..Default::default()
    }
}

fn tls() -> Tls {
    Tls { version: "TLSv1.3".to_owned(), cipher: "TLS_AES_128_GCM_SHA256".to_owned() }
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z]{0,8}", any::<String>()]
}

fn bytes() -> impl Strategy<Value = Bytes> {
    prop_oneof![vec(any::<u8>(), 0..40).prop_map(Bytes::from), text().prop_map(Bytes::from)]
}

fn time() -> impl Strategy<Value = Time> {
    (-62_135_596_800_000_i64..253_402_300_799_000).prop_map(Time)
}

fn version() -> impl Strategy<Value = Version> {
    prop::sample::select(vec![Version::Http10, Version::Http11, Version::Http2])
}

fn headers() -> impl Strategy<Value = Vec<Header>> {
    vec((text(), bytes()).prop_map(|(name, value)| Header { name, value }), 0..4)
}

fn body() -> impl Strategy<Value = Body> {
    use Framing::{Chunked, Close, H2, Length, None};
    let framing = prop::sample::select(vec![Length, Chunked, Close, H2, None]);
    let marks = (any::<bool>(), any::<bool>(), of(text()));
    (bytes(), any::<u64>(), framing, of(text()), headers(), marks).prop_map(
        |(bytes, length, framing, encoding, trailers, (decoded, cut, withheld))| Body {
            bytes,
            length,
            framing,
            encoding,
            decoded,
            trailers,
            cut,
            withheld,
        },
    )
}

fn sent() -> impl Strategy<Value = Option<Box<Sent>>> {
    let sent = (of(text()), of(headers()), of(bytes()));
    of(sent.prop_map(|(target, headers, body)| Box::new(Sent { target, headers, body })))
}

fn request() -> impl Strategy<Value = Request> {
    (time(), text(), text(), version(), headers(), body(), sent()).prop_map(
        |(at, method, target, version, headers, body, sent)| Request {
            at,
            method,
            target,
            version,
            headers,
            body,
            sent,
        },
    )
}

fn response() -> impl Strategy<Value = Response> {
    let from = prop::sample::select(vec![From::Upstream, From::Enrollscope]);
    (time(), any::<u16>(), text(), version(), from, headers(), body(), sent()).prop_map(
        |(at, status, reason, version, from, headers, body, sent)| Response {
            at,
            status,
            reason,
            version,
            from,
            headers,
            body,
            sent,
        },
    )
}

fn any_tls() -> impl Strategy<Value = Option<Tls>> {
    of((text(), text()).prop_map(|(version, cipher)| Tls { version, cipher }))
}

fn upstream() -> impl Strategy<Value = Upstream> {
    let flags = (any::<bool>(), any::<bool>(), any::<bool>());
    (text(), of(text()), flags, of(text()), any_tls(), vec(bytes(), 0..3), of(text())).prop_map(
        |(origin, address, (reused, verified, asked_client_certificate), alpn, tls, chain, error)| Upstream {
            origin,
            address,
            reused,
            alpn,
            tls,
            chain,
            verified,
            asked_client_certificate,
            error,
        },
    )
}

fn timing() -> impl Strategy<Value = Timing> {
    let step = || of(any::<u64>());
    (step(), step(), step(), step(), step(), step()).prop_map(|(dns, connect, tls, send, wait, receive)| {
        Timing { dns, connect, tls, send, wait, receive }
    })
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let side = prop::sample::select(vec![Side::Request, Side::Response]);
    vec((side, text(), text()).prop_map(|(side, what, detail)| Change { side, what, detail }), 0..3)
}

fn delivery() -> impl Strategy<Value = Delivery> {
    use Delivery::{Complete, Cut, Pending, Reset};
    prop::sample::select(vec![Pending, Complete, Cut, Reset])
}

pub(crate) fn any_exchange() -> impl Strategy<Value = Exchange> {
    let front = (of(text()), of(any::<bool>()), of(text()), vec(bytes(), 0..2));
    let front = front.prop_map(|(address, secure, host, client_certificate)| {
        Box::new(Front { address, secure, host, client_certificate })
    });
    let names = (any::<u64>(), text(), of(text()), of(front));
    let facts = btree_map(text(), text(), 0..3);
    (names, request(), of(response()), of(upstream()), timing(), facts, changes(), delivery()).prop_map(
        |((seq, id, connection, front), request, response, upstream, timing, facts, changes, delivery)| {
            Exchange {
                seq,
                id: ExchangeId(id.into()),
                connection: connection.map(|id| ConnectionId(id.into())),
                front,
                request,
                response,
                upstream,
                timing,
                facts,
                changes,
                delivery,
            }
        },
    )
}

fn reason() -> impl Strategy<Value = Reason> {
    prop_oneof![
        text().prop_map(Reason::Alert),
        Just(Reason::SilentAfterCertificate),
        Just(Reason::ClosedInHandshake),
        text().prop_map(Reason::Refused),
        Just(Reason::PlainHttp),
        Just(Reason::Garbage),
        text().prop_map(Reason::BadHead),
        text().prop_map(Reason::Timeout),
        Just(Reason::ClosedByDevice),
        Just(Reason::Reset),
        Just(Reason::ClosedByUs),
        Just(Reason::ClosedByServer),
        text().prop_map(Reason::Unwanted),
    ]
}

pub(crate) fn any_connection() -> impl Strategy<Value = Connection> {
    use ConnectionEvent::{Closed, Failed, Opened};
    let event = prop::sample::select(vec![Opened, Failed, Closed]);
    let offered = (vec(text(), 0..3), vec(any::<u16>(), 0..5), vec(text(), 0..3))
        .prop_map(|(versions, ciphers, alpn)| Offered { versions, ciphers, alpn });
    let ends = (text(), of(text()), text(), of(text()), of(text()));
    let relay =
        (text(), any::<u64>(), any::<u64>()).prop_map(|(target, up, down)| Relay { target, up, down });
    let certificates = (vec(bytes(), 0..3), any::<bool>(), vec(bytes(), 0..3), of(relay));
    (text(), time(), event, ends, of(offered), any_tls(), certificates, of(reason())).prop_map(
        |(
            id,
            at,
            event,
            (peer, via, listener, sni, alpn),
            offered,
            tls,
            (chain, asked_client_certificate, client_certificate, passthrough),
            reason,
        )| {
            Connection {
                id: ConnectionId(id.into()),
                at,
                event,
                peer,
                via,
                listener,
                sni,
                alpn,
                offered,
                tls,
                chain,
                asked_client_certificate,
                client_certificate,
                passthrough,
                reason,
            }
        },
    )
}

pub(crate) fn any_end() -> impl Strategy<Value = End> {
    (any::<u64>(), delivery(), any::<u64>(), time()).prop_map(|(of, delivery, sent, at)| End {
        of,
        delivery,
        sent,
        at,
    })
}
