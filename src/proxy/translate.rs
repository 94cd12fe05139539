//! Applies `--rewrite` to messages on their way: which ones, how they are framed afterwards, and what is noted.

use std::io::Read;

use bytes::Bytes;

use super::connection::Session;
use super::draft::Draft;
use super::from_server::FromServer;
use super::rescue::{Kind, Trouble};
use super::rewrite::{Names, Rewritten};
use super::sites::Site;
use super::tap::Tapped;
use crate::event::{Front, Side};
use crate::net::{Edit, Extent, Head, Origin};

/// Nobody packs more into an answer that is worth rewriting.
const MOST_DECODED: u64 = 4 << 20;

/// The names of servers, theirs and ours.
#[derive(Clone, Debug)]
pub(super) struct Translation {
    /// How devices call the one that this request is for.
    public: Origin,
    upstream: Origin,
    /// From the servers' to ours, of all that have both.
    outwards: Names,
    /// The management address is changed, too.
    management: bool,
}

/// What is changed about a message.
#[derive(Debug, Default)]
pub(super) struct Changed {
    pub(super) edits: Vec<Edit>,
    /// The new body.
    pub(super) body: Option<Bytes>,
}

impl Changed {
    /// The framing of the message after the change.
    pub(super) fn extent(&self, before: Extent) -> Extent {
        match (&self.body, before) {
            (Some(body), Extent::Length(_)) => Extent::Length(body.len() as u64),
            (Some(body), Extent::Frames(Some(_))) => Extent::Frames(Some(body.len() as u64)),
            (_, before) => before,
        }
    }
}

impl Translation {
    /// Absent unless it was asked for, and the device's name for us is known and another one than the server's.
    pub(super) fn of(session: &Session, site: &Site, request: &Head, front: Option<&Front>) -> Option<Self> {
        let settings = &site.settings;
        if !settings.rewrite {
            return None;
        }
        let upstream = settings.upstream.clone();
        // A front end that ends TLS knows how the device called it.
        let secure = front.and_then(|front| front.secure).unwrap_or(session.is_secure());
        let host = || Some(request.header("host")?.text().into_owned());
        let host = front.and_then(|front| front.host.clone()).or_else(host);
        let public = settings.public.clone().or_else(|| Origin::from_authority(secure, host.as_deref()?))?;
        let own = (upstream.clone(), public.clone());
        let outwards = Names::new([own].into_iter().chain(session.sites().counterparts(&public)));
        let management = settings.rewrite_management;
        (!outwards.is_empty()).then_some(Self { public, upstream, outwards, management })
    }

    /// `Host` and the addressing header name the server again.
    pub(super) async fn request(
        &self,
        draft: &mut Draft,
        head: &Head,
        body: &mut Tapped,
    ) -> Result<Changed, Trouble> {
        let mut changed = Changed::default();
        for header in head.positions("host") {
            let value = head.headers.get(header).map(|h| h.text().into_owned()).unwrap_or_default();
            if Origin::from_authority(self.public.secure, &value).as_ref() == Some(&self.public) {
                let sent = self.upstream.authority();
                draft.change(Side::Request, "rewrite", format!("Host: {value} became {sent}"));
                changed.edits.push(Edit::Value { header, value: Bytes::from(sent) });
            }
        }
        if !is_readable(head, draft.kept_body()) || head.header("content-encoding").is_some() {
            return Ok(changed);
        }
        let gathered = body.gather(draft.kept_body()).await;
        let whole = gathered
            .map_err(|error| Trouble::new(Kind::Request, format!("the request's body broke off: {error}")))?;
        let Some(whole) = whole else { return Ok(changed) };
        let inwards = Names::new([(self.public.clone(), self.upstream.clone())]);
        let rewritten = unharmed(|| inwards.addressing(&whole));
        if let Some(new) = note(draft, Side::Request, rewritten) {
            set_length(head, &mut changed.edits, new.len());
            body.replace(new.clone());
            changed.body = Some(new);
        }
        Ok(changed)
    }

    /// Service URLs and redirects that name the server name us.
    pub(super) async fn response(&self, draft: &mut Draft, head: &Head, server: &mut FromServer) -> Changed {
        let mut changed = Changed::default();
        for header in head.positions("location") {
            let value = head.headers.get(header).map(|h| h.text().into_owned()).unwrap_or_default();
            if let Some((new, detail)) = self.outwards.url(&value) {
                draft.change(Side::Response, "rewrite", format!("Location: {detail}"));
                changed.edits.push(Edit::Value { header, value: Bytes::from(new) });
            }
        }
        let coding = head.header("content-encoding").map(|h| h.text().trim().to_ascii_lowercase());
        let packed = match coding.as_deref() {
            None | Some("" | "identity") => false,
            Some("gzip" | "x-gzip") => true,
            Some(_) => return changed,
        };
        if !is_readable(head, draft.kept_body()) {
            return changed;
        }
        let Some(whole) = server.gather(draft.kept_body()).await else { return changed };
        let Some(text) = (if packed { unpack(&whole) } else { Some(whole.to_vec()) }) else { return changed };
        let (names, management) = (&self.outwards, self.management);
        let is_page = is_of_type(head, "html");
        let rewritten = unharmed(|| {
            if is_page {
                return names.page(&text);
            }
            names.discovery(&text).or_else(|| if management { names.management(&text) } else { None })
        });
        if let Some(new) = note(draft, Side::Response, rewritten) {
            if packed {
                draft.change(Side::Response, "rewrite", "the answer was sent on without its gzip coding");
                changed
                    .edits
                    .extend(head.positions("content-encoding").map(|header| Edit::Remove { header }));
            }
            set_length(head, &mut changed.edits, new.len());
            server.replace(new.clone());
            changed.body = Some(new);
        }
        changed
    }
}

fn is_of_type(head: &Head, word: &str) -> bool {
    head.header("content-type").is_some_and(|h| h.text().to_ascii_lowercase().contains(word))
}

/// A message or page that is short enough to be read before it is sent on.
fn is_readable(head: &Head, limit: usize) -> bool {
    let text = is_of_type(head, "xml") || is_of_type(head, "html");
    let short = match head.extent {
        Extent::None | Extent::Length(0) | Extent::Frames(Some(0)) => false,
        Extent::Length(length) | Extent::Frames(Some(length)) => length <= limit as u64,
        Extent::Chunked | Extent::Close | Extent::Frames(None) => true,
    };
    text && short
}

/// Reading a body must never cost the exchange.
fn unharmed(rewrite: impl FnOnce() -> Option<Rewritten> + std::panic::UnwindSafe) -> Option<Rewritten> {
    std::panic::catch_unwind(rewrite).unwrap_or_else(|_| {
        tracing::error!("a body that was to be rewritten could not be read; it passes as it is");
        None
    })
}

fn note(draft: &mut Draft, side: Side, rewritten: Option<Rewritten>) -> Option<Bytes> {
    let Rewritten { body, details } = rewritten?;
    for detail in details {
        draft.change(side, "rewrite", detail);
    }
    Some(Bytes::from(body))
}

fn set_length(head: &Head, edits: &mut Vec<Edit>, length: usize) {
    let value = Bytes::from(length.to_string());
    edits.extend(head.positions("content-length").map(|header| Edit::Value { header, value: value.clone() }));
}

fn unpack(packed: &[u8]) -> Option<Vec<u8>> {
    let mut text = Vec::new();
    let mut decoder = flate2::read::MultiGzDecoder::new(packed).take(MOST_DECODED + 1);
    decoder.read_to_end(&mut text).ok()?;
    (text.len() as u64 <= MOST_DECODED).then_some(text)
}
