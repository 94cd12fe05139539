//! Reads a flow file: one flow at a time, of which no more is held than is used.

use std::io::BufRead;

use super::VERSION;
use super::events::Conversation;
use super::netstring::{Stream, Value};
use crate::capture::Imported;
use crate::event::Event;

/// What a part of a flow other than a body may have, in bytes: heads, certificates, facts of connections.
const LARGEST_PART: u64 = 1 << 20;

/// So much of a body is kept, as of those that the proxy sees.
const KEPT: u64 = 1 << 20;

/// Hands on each flow's exchange, in the order of the file and numbered from 1, and before it its connection if it is
/// the first on that.
///
/// # Errors
/// It is no flow file, or a broken one, or of another version; what was handed on until then is good.
pub fn read(input: impl BufRead, mut each: impl FnMut(Event)) -> Result<Imported, String> {
    let (mut stream, mut seen) = (Stream::new(input), 0_u64);
    let mut conversation = Conversation::default();
    loop {
        let flow = match stream.begin() {
            Ok(None) if seen == 0 => return Err("no flow file: it is empty".to_owned()),
            Ok(None) => return Ok(conversation.imported),
            Ok(Some(end)) => flow(&mut stream, end),
            Err(words) => Err(words),
        };
        let flow = flow.map_err(|words| {
            format!("no flow file of mitmproxy, or a broken one: {words}, after {seen} whole flows")
        })?;
        seen += 1;
        is_of_our_version(&flow).map_err(|words| format!("flow {seen} {words}"))?;
        conversation.flow(&flow, &mut each);
    }
}

/// A flow's parts as they are in the file. The version may come last, so nothing is made of them before.
#[derive(Default)]
pub(super) struct Flow {
    parts: Vec<(String, Part)>,
    pub(super) request: Option<Message>,
    pub(super) response: Option<Message>,
    /// There are messages of a WebSocket.
    pub(super) websocket: bool,
}

struct Part {
    data: Vec<u8>,
    tag: u8,
}

/// A request or an answer.
#[derive(Default)]
pub(super) struct Message {
    parts: Vec<(String, Part)>,
    /// What was kept of the body; `None` if the file has none.
    pub(super) content: Option<Vec<u8>>,
    /// All that the file has of it.
    pub(super) length: u64,
}

impl Flow {
    /// A part, if it can be read.
    pub(super) fn part(&self, key: &str) -> Option<Value<'_>> {
        find(&self.parts, key)
    }
}

impl Message {
    pub(super) fn part(&self, key: &str) -> Option<Value<'_>> {
        find(&self.parts, key)
    }
}

fn find<'a>(parts: &'a [(String, Part)], key: &str) -> Option<Value<'a>> {
    let (_, part) = parts.iter().find(|(name, _)| name == key)?;
    Value::of(&part.data, part.tag)
}

fn flow(stream: &mut Stream<impl BufRead>, end: u64) -> Result<Flow, String> {
    let mut flow = Flow::default();
    while let Some((key, until)) = stream.member(end)? {
        match key.as_str() {
            "request" => flow.request = message(stream, until)?,
            "response" => flow.response = message(stream, until)?,
            "version" | "type" | "error" | "client_conn" | "server_conn" => {
                flow.parts.push((key, part(stream, until)?));
            }
            "websocket" => {
                stream.data(until, 0)?;
                flow.websocket = stream.tag()? != b'~';
            }
            _ => {
                stream.data(until, 0)?;
                stream.tag()?;
            }
        }
    }
    stream.end_of_dictionary()?;
    Ok(flow)
}

/// `None` stands for a message that there was none of.
fn message(stream: &mut Stream<impl BufRead>, end: u64) -> Result<Option<Message>, String> {
    if stream.at == end {
        return match stream.tag()? {
            b'~' => Ok(None),
            _ => Ok(Some(Message::default())),
        };
    }
    let mut message = Message::default();
    while let Some((key, until)) = stream.member(end)? {
        match key.as_str() {
            "content" => {
                message.length = until.saturating_sub(stream.at);
                let data = stream.data(until, KEPT)?;
                message.content = (stream.tag()? != b'~').then_some(data);
            }
            "headers" | "trailers" | "timestamp_start" | "timestamp_end" | "http_version" | "host"
            | "port" | "method" | "scheme" | "authority" | "path" | "status_code" | "reason" => {
                message.parts.push((key, part(stream, until)?));
            }
            _ => {
                stream.data(until, 0)?;
                stream.tag()?;
            }
        }
    }
    stream.end_of_dictionary()?;
    Ok(Some(message))
}

fn part(stream: &mut Stream<impl BufRead>, until: u64) -> Result<Part, String> {
    if until.saturating_sub(stream.at) > LARGEST_PART {
        return Err(stream.wrong("a part of a flow is too large"));
    }
    let data = stream.data(until, LARGEST_PART)?;
    Ok(Part { data, tag: stream.tag()? })
}

fn is_of_our_version(flow: &Flow) -> Result<(), String> {
    let convert = "convert the file with a current mitmproxy: mitmdump -n -r OLD -w NEW";
    match flow.part("version") {
        Some(Value::Int(VERSION)) => Ok(()),
        Some(Value::Int(version)) if version > VERSION => Err(format!(
            "is of format version {version}, and the newest that this enrollscope reads is {VERSION}; \
             take a newer enrollscope, or HAR: mitmdump -n -r FILE --set hardump=NEW.har"
        )),
        Some(Value::Int(version)) => Err(format!(
            "is of format version {version}, and the oldest that is read is {VERSION}; {convert}"
        )),
        Some(Value::List(_)) => {
            Err(format!("is of a version before 1.0, and the oldest that is read is {VERSION}; {convert}"))
        }
        _ => Err("has no format version: it is no flow of mitmproxy".to_owned()),
    }
}
