//! Sessions as events: what Fiddler has of an exchange, in our words.

use std::collections::HashMap;
use std::sync::Arc;

use super::facts::Facts;
use crate::capture::message_file::MessageFile;
use crate::capture::{Imported, url};
use crate::event::{
    Body, Connection, ConnectionId, Event, Exchange, ExchangeId, Framing, Header, Request, Response, Time,
    Upstream, Version, header,
};

/// The files of a session, as far as they are there.
#[derive(Debug, Default)]
pub struct Session {
    pub request: Option<Piece>,
    pub response: Option<Piece>,
    pub facts: Option<Piece>,
    /// There are messages of a WebSocket, or of gRPC.
    pub messages: bool,
}

/// A file's beginning.
#[derive(Debug, Default)]
pub struct Piece {
    pub bytes: Vec<u8>,
    /// There is more of it.
    pub more: bool,
}

/// What came so far, and on which connections.
#[derive(Debug, Default)]
pub struct Conversation {
    imported: Imported,
    /// By the device's address.
    devices: HashMap<String, ConnectionId>,
    last: Time,
}

impl Conversation {
    /// Hands on the exchange of a session, and before it its connection if it is the first on that.
    pub fn session(&mut self, session: Session, mut each: impl FnMut(Event)) {
        let facts = session.facts.as_ref().map(|piece| Facts::read(&piece.bytes)).unwrap_or_default();
        if session.messages {
            self.imported.lose("messages of WebSockets and gRPC: the request that opened them is there");
        }
        let Some(piece) = session.request.filter(|piece| !piece.bytes.is_empty()) else {
            return self.imported.lose("sessions without a request");
        };
        let Some(MessageFile::Request(request)) = MessageFile::http(&piece.bytes) else {
            return self.imported.lose("sessions whose request is no HTTP");
        };
        if request.method == "CONNECT" {
            return self
                .imported
                .lose("tunnels (CONNECT): what was read inside them are sessions of their own");
        }
        let response = match session.response.filter(|piece| !piece.bytes.is_empty()) {
            None => None,
            Some(answer) => match MessageFile::http(&answer.bytes) {
                Some(MessageFile::Response(response)) => Some((response, answer.more)),
                Some(MessageFile::Request(_)) | None => {
                    return self.imported.lose("sessions whose answer is no HTTP");
                }
            },
        };
        let at = facts.time("ClientBeginRequest").or_else(|| facts.time("ClientConnected"));
        if at.is_none() {
            self.imported.lose("times of sessions, which have that of the one before them");
        }
        let at = at.unwrap_or(self.last);
        self.last = at;
        let timing = facts.timing();
        let (request, upstream) = self.request(request, piece.more, at, &facts);
        let response = response.map(|(response, more)| {
            let at = facts.time("ServerBeginResponse").filter(|answered| *answered >= at).unwrap_or(at);
            self.response(response, more, at)
        });
        let connection = self.device(&facts, at, &mut each);
        let mut exchange = Exchange {
            connection,
            upstream: response.as_ref().and(upstream),
            request,
            response,
            timing,
            ..Exchange::default()
        };
        exchange.id = ExchangeId(format!("s{}", self.imported.exchanges + 1).into());
        self.imported.number(&mut exchange);
        each(Event::Exchange(Arc::new(exchange)));
    }

    /// Tells what of the archive is in no session.
    pub fn lose(&mut self, what: &'static str) {
        self.imported.lose(what);
    }

    /// What became of the archive.
    pub fn finish(self) -> Imported {
        self.imported
    }

    /// Fiddler writes whole addresses into the request line, whatever the device has sent.
    fn request(
        &mut self,
        mut request: Request,
        more: bool,
        at: Time,
        facts: &Facts,
    ) -> (Request, Option<Upstream>) {
        request.at = at;
        let mut upstream = None;
        if let Some((origin, authority, target)) = url::parts(&request.target) {
            if header(&request.headers, "host").is_none() && request.version == Version::Http2 {
                request.headers.insert(0, Header::new("host", authority));
            }
            request.target = target;
            let port = origin.rsplit_once(':').map(|(_, port)| port.to_owned());
            let address = facts.address("x-hostip", port.as_deref());
            // Whether its certificate was looked at is not in the file.
            upstream = Some(Upstream {
                origin,
                address,
                reused: facts.reused,
                verified: true,
                ..Upstream::default()
            });
        }
        self.body(&mut request.body, &request.headers, request.version, more);
        (request, upstream)
    }

    fn response(&mut self, mut response: Response, more: bool, at: Time) -> Response {
        response.at = at;
        self.body(&mut response.body, &response.headers, response.version, more);
        let told = header(&response.headers, "content-length").is_some();
        if response.body.framing == Framing::Length && !told {
            response.body.framing = Framing::Close;
        }
        response
    }

    fn body(&mut self, body: &mut Body, headers: &[Header], version: Version, more: bool) {
        let encoding = body.encoding.take().map(|encoding| encoding.trim().to_ascii_lowercase());
        body.encoding = encoding.filter(|encoding| !encoding.is_empty() && encoding != "identity");
        if version == Version::Http2 && !body.bytes.is_empty() {
            body.framing = Framing::H2;
        }
        if more || body.bytes.len() > KEPT {
            body.bytes = body.bytes.slice(..body.bytes.len().min(KEPT));
            let told = header(headers, "content-length").and_then(|h| h.text().trim().parse::<u64>().ok());
            // Not less than what is there, and at least a byte more than what is kept.
            body.length = told.unwrap_or(0).max(body.length).max(body.bytes.len() as u64 + 1);
            self.imported.lose("what bodies have behind their first MiB");
        }
    }

    /// The connection that sessions of one address share.
    fn device(&mut self, facts: &Facts, at: Time, each: &mut impl FnMut(Event)) -> Option<ConnectionId> {
        let peer = facts.address("x-clientip", Some(facts.flag("x-clientport")?))?;
        if let Some(id) = self.devices.get(&peer) {
            return Some(id.clone());
        }
        let id = ConnectionId(format!("c{}", self.devices.len() + 1).into());
        self.devices.insert(peer.clone(), id.clone());
        let at = facts.time("ClientConnected").filter(|begun| *begun <= at).unwrap_or(at);
        each(Event::Connection(Arc::new(Connection { id: id.clone(), at, peer, ..Connection::default() })));
        Some(id)
    }
}

/// So much of a body is kept, as of those that the proxy sees.
const KEPT: usize = 1 << 20;
