//! A small fleet as events, made of a real enrollment's messages: one device each for what can become of one.

use std::path::Path;
use std::sync::Arc;

use super::event::{
    Body, Connection, ConnectionEvent, ConnectionId, Delivery, Event, Exchange, ExchangeId, From, Header,
    Offered, Reason, Request, Response, Time, Timing, Tls, Upstream,
};

/// 2023-01-29T13:46:40.000Z: the certificate that was issued then is valid.
pub(super) const START: Time = Time(1_675_000_000_000);

/// A user name that would like to steer the terminal.
pub(super) const HOSTILE: &str = "eve\u{1b}[2J\u{202e}evil\u{9b}\u{0}\n@contoso.example";

#[derive(Default)]
pub(super) struct Fleet {
    pub(super) events: Vec<Event>,
    exchanges: u64,
    connections: u64,
    now: i64,
}

fn real(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/real").join(name);
    let text = std::fs::read_to_string(path).unwrap();
    match text.split_once("\r\n\r\n").or_else(|| text.split_once("\n\n")) {
        Some((head, body)) if head.starts_with("HTTP/") => body.to_owned(),
        _ => text,
    }
}

const FAULT: &str = r#"<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:a="http://www.w3.org/2005/08/addressing"><s:Header><a:Action s:mustUnderstand="1">http://schemas.microsoft.com/windows/pki/2009/01/enrollment/rstrc/wstep</a:Action><a:RelatesTo>urn:uuid:0d5a1441-5891-453b-becf-a2e5f6ea3749</a:RelatesTo></s:Header><s:Body><s:Fault><s:Code><s:Value>s:Receiver</s:Value><s:Subcode><s:Value>s:Authorization</s:Value></s:Subcode></s:Code><s:Reason><s:Text xml:lang="en-us">The user has too many devices</s:Text></s:Reason><s:Detail><DeviceEnrollmentServiceError xmlns="http://schemas.microsoft.com/windows/pki/2009/01/enrollment"><ErrorType>DeviceCapReached</ErrorType><Message>Device cap reached</Message><TraceId>7f1c</TraceId></DeviceEnrollmentServiceError></s:Detail></s:Fault></s:Body></s:Envelope>"#;

/// How the messages are to be changed: each text becomes another.
type Edits<'e> = &'e [(&'e str, &'e str)];

/// Status, body, and after how many milliseconds.
type Answer = (u16, String, i64);

impl Fleet {
    /// All kinds of fates, one after the other; the last device is still at it.
    pub(super) fn of_all_fates() -> Self {
        let mut fleet = Self { now: START.0, ..Self::default() };
        let anna: Edits<'_> = &[
            ("demo@fleetdm.ngrok.io", "anna@contoso.example"),
            ("demio", "anna@contoso.example"),
            // A blank got lost when the recording was published.
            ("Referencexsi:nil", "Reference xsi:nil"),
        ];
        let c = fleet.connect("198.51.100.23");
        fleet.discover(&c, anna);
        fleet.policies(&c, anna);
        fleet.token(&c, anna, None);
        fleet.sync(&c);
        for _ in 0..3 {
            fleet.refuse("203.0.113.9", Reason::Alert("unknown_ca".to_owned()));
            fleet.wait(2_000);
        }
        let bert: Edits<'_> = &[
            ("demo@fleetdm.ngrok.io", "bert@contoso.example"),
            ("demio", "bert@contoso.example"),
            ("B5B954E81FBCB94EB79BD08BE625F4EE", "0A0B0C0D0E0F00010203040506070809"),
            ("DESKTOP-28FGAI6", "LAPTOP-BERT"),
        ];
        let c = fleet.connect("198.51.100.24");
        fleet.discover(&c, bert);
        fleet.policies(&c, bert);
        fleet.token(&c, bert, Some((500, FAULT)));
        fleet.wait(20_000);
        fleet.discover(&c, bert);
        fleet.policies(&c, bert);
        fleet.token(&c, bert, Some((500, FAULT)));
        let carla: Edits<'_> = &[
            ("demo@fleetdm.ngrok.io", "carla.with.a.very.long.name@subsidiary.contoso.example"),
            ("<AuthPolicy>OnPremise</AuthPolicy>", "<AuthPolicy>onpremise</AuthPolicy>"),
            ("<AuthPolicy>Federated</AuthPolicy>", "<AuthPolicy>federated</AuthPolicy>"),
        ];
        let c = fleet.connect("198.51.100.25");
        fleet.discover(&c, carla);
        let c = fleet.connect("198.51.100.26");
        let dora: Edits<'_> =
            &[("demo@fleetdm.ngrok.io", "dora@contoso.example"), ("demio", "dora@contoso.example")];
        fleet.discover(&c, dora);
        let c = fleet.connect("192.0.2.200");
        fleet.stray(&c);
        fleet.wait(330_000);
        let c = fleet.connect("198.51.100.27");
        let eve: Edits<'_> = &[("demo@fleetdm.ngrok.io", HOSTILE), ("demio", HOSTILE)];
        fleet.discover(&c, eve);
        let c = fleet.connect("198.51.100.28");
        let wide: Edits<'_> =
            &[("demo@fleetdm.ngrok.io", "田中@株式会社.example"), ("demio", "田中@株式会社.example")];
        fleet.discover(&c, wide);
        fleet.policies(&c, wide);
        fleet.wait(12_000);
        fleet
    }

    fn wait(&mut self, millis: i64) {
        let before = self.now;
        self.now += millis;
        // The engine's clock, as a live feed or a capture gives it.
        let ticks = (before / 5_000 + 1..=self.now / 5_000).map(|n| Event::Tick(Time(n * 5_000)));
        self.events.extend(ticks);
    }

    fn connection(&mut self, address: &str) -> Connection {
        self.connections += 1;
        Connection {
            id: ConnectionId(format!("c{}", self.connections).into()),
            at: Time(self.now),
            peer: format!("{address}:{}", 50_000 + self.connections),
            listener: "https://0.0.0.0:443".to_owned(),
            sni: Some("enterpriseenrollment.contoso.example".to_owned()),
            alpn: Some("http/1.1".to_owned()),
            offered: Some(Offered {
                versions: vec!["TLSv1.3".to_owned(), "TLSv1.2".to_owned()],
                ciphers: vec![0x1301, 0xc02f],
                alpn: vec!["http/1.1".to_owned()],
            }),
            tls: Some(tls()),
            ..Connection::default()
        }
    }

    pub(super) fn connect(&mut self, address: &str) -> ConnectionId {
        self.wait(1_000);
        let connection = self.connection(address);
        let id = connection.id.clone();
        self.events.push(Event::Connection(Arc::new(connection)));
        id
    }

    pub(super) fn refuse(&mut self, address: &str, reason: Reason) {
        let connection = Connection {
            event: ConnectionEvent::Failed,
            tls: None,
            reason: Some(reason),
            ..self.connection(address)
        };
        self.events.push(Event::Connection(Arc::new(connection)));
    }

    pub(super) fn discover(&mut self, c: &ConnectionId, edits: Edits<'_>) {
        let path = "/EnrollmentServer/Discovery.svc";
        self.exchange(c, ("GET", path), String::new(), (200, String::new(), 4));
        let (request, response) = (real("discover-req.xml"), real("discover-resp.asprinted.txt"));
        self.exchange(c, ("POST", path), edit(&request, edits), (200, edit(&response, edits), 31));
    }

    pub(super) fn policies(&mut self, c: &ConnectionId, edits: Edits<'_>) {
        let (request, response) = (real("getpolicies-req.xml"), real("getpolicies-resp.asprinted.txt"));
        let path = "/EnrollmentServer/Policy.svc";
        self.exchange(c, ("POST", path), edit(&request, edits), (200, edit(&response, edits), 118));
    }

    pub(super) fn token(&mut self, c: &ConnectionId, edits: Edits<'_>, instead: Option<(u16, &str)>) {
        let request = real("rst-req.xml");
        let (status, response) = match instead {
            Some((status, body)) => (status, body.to_owned()),
            None => (200, real("rstrc-resp.asprinted.txt")),
        };
        self.wait(1_400);
        let path = "/EnrollmentServer/Enrollment.svc";
        self.exchange(c, ("POST", path), edit(&request, edits), (status, edit(&response, edits), 1_250));
    }

    pub(super) fn sync(&mut self, c: &ConnectionId) {
        self.wait(9_000);
        let (request, response) = (real("syncml1-req.xml"), real("syncml1-resp.asprinted.txt"));
        self.exchange(c, ("POST", "/ManagementServer/MDM.svc"), request, (200, response, 52));
    }

    fn stray(&mut self, c: &ConnectionId) {
        self.exchange(c, ("GET", "/favicon.ico"), String::new(), (404, "not here".to_owned(), 3));
    }

    fn exchange(
        &mut self,
        c: &ConnectionId,
        (method, target): (&str, &str),
        request: String,
        (status, response, millis): Answer,
    ) {
        self.wait(80);
        self.exchanges += 1;
        let at = Time(self.now);
        let sync = target.starts_with("/Management");
        let kind = match (sync, target.ends_with(".ico")) {
            (true, _) => "application/vnd.syncml.dm+xml",
            (_, true) => "text/plain",
            _ => "application/soap+xml; charset=utf-8",
        };
        let agent = match (sync, kind) {
            (true, _) => "MSFT OMA DM Client/1.2.0.1",
            (_, "text/plain") => "Mozilla/5.0",
            _ => "ENROLLClient",
        };
        let headers = |body: &str| {
            let mut headers = Vec::new();
            if !body.is_empty() {
                headers.push(Header::new("Content-Type", kind));
            }
            headers.push(Header::new("Content-Length", body.len().to_string()));
            headers
        };
        let mut request_headers = vec![
            Header::new("Host", "enterpriseenrollment.contoso.example"),
            Header::new("User-Agent", agent),
        ];
        request_headers.extend(headers(&request));
        self.now += millis;
        let exchange = Exchange {
            seq: self.exchanges,
            id: ExchangeId(format!("01936f4e-6a3b-7000-8000-{:012}", self.exchanges).into()),
            connection: Some(c.clone()),
            request: Request {
                at,
                method: method.to_owned(),
                target: target.to_owned(),
                headers: request_headers,
                body: Body::full(request),
                ..Request::default()
            },
            response: Some(Response {
                at: Time(self.now),
                status,
                reason: if status == 200 { "OK" } else { "Not OK" }.to_owned(),
                from: From::Upstream,
                headers: headers(&response),
                body: Body::full(response),
                ..Response::default()
            }),
            upstream: Some(Upstream {
                origin: "https://mdm.contoso.example:443".to_owned(),
                address: Some("192.0.2.7:443".to_owned()),
                tls: Some(tls()),
                verified: true,
                ..Upstream::default()
            }),
            timing: Timing {
                connect: Some(1_210),
                tls: Some(5_300),
                wait: Some(millis.unsigned_abs() * 900),
                ..Timing::default()
            },
            delivery: Delivery::Complete,
            ..Exchange::default()
        };
        self.events.push(Event::Exchange(Arc::new(exchange)));
    }
}

fn tls() -> Tls {
    Tls { version: "TLSv1.3".to_owned(), cipher: "TLS_AES_128_GCM_SHA256".to_owned() }
}

fn edit(text: &str, edits: Edits<'_>) -> String {
    let ours = "enterpriseenrollment.contoso.example";
    let text = text.replace("EnterpriseEnrollment.fleetdm.ngrok.io:443", ours);
    let text = text.replace("windows.fleetdm.ngrok.io", ours);
    edits.iter().fold(text, |text, (from, to)| text.replace(from, to))
}
