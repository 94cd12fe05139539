//! The answer's way to the device: copied as it streams, its last bytes held back until the exchange is on file.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame};
use hyper::{HeaderMap, Response, Version};
use tokio::sync::oneshot;

use super::connection::Session;
use super::draft::Draft;
use super::from_server::FromServer;
use super::inbound::{Broken, to_map};
use crate::event::{self, Side};
use crate::net::{Departing, Extent};
use crate::sink::{Filed, Journal};

/// An answer that is ready to be sent.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) head: Bytes,
    /// How its body is framed on the way to the device.
    pub(super) extent: Extent,
    pub(super) keep_alive: bool,
    pub(super) source: Source,
    pub(super) response: event::Response,
}

#[derive(Debug)]
pub(super) enum Source {
    /// The server's body; the link goes back to the pool when it has ended well.
    Server(Box<FromServer>),
    /// Ours; `given` once it was handed to the connection.
    Made { body: Bytes, given: bool },
}

/// Sends the reply over HTTP/1.
pub(super) async fn deliver(session: &Arc<Session>, draft: Draft, reply: Reply) -> Response<Held> {
    let (head, keep_alive) = (reply.head.clone(), reply.keep_alive);
    let held = hold(session, draft, reply, None, |extent| {
        session.leg().depart(Departing { head, extent, is_head: false });
    });
    let held = held.await;
    stand_in(held.extent, keep_alive, held)
}

/// The reply's body, whose end waits; with no body to hold back, its head waits for the record. `stream` is the number
/// of an HTTP/2 stream.
pub(super) async fn hold(
    session: &Arc<Session>,
    mut draft: Draft,
    reply: Reply,
    stream: Option<u32>,
    depart: impl FnOnce(Extent),
) -> Held {
    draft.exchange.response = Some(reply.response);
    // An answer of ours to HEAD tells of a body, and has none.
    let is_head = draft.exchange.request.method == "HEAD";
    let extent = if is_head { Extent::None } else { reply.extent };
    let source = match reply.source {
        Source::Made { .. } if is_head => Source::Made { body: Bytes::new(), given: true },
        source => source,
    };
    depart(extent);
    let mut held = Held {
        session: Arc::clone(session),
        draft: Some(draft),
        source,
        extent,
        stream,
        kept: None,
        trailers: None,
        state: State::Streaming,
    };
    if matches!(extent, Extent::None | Extent::Length(0)) {
        held.finish_alone().await;
    }
    held
}

/// What hyper is told: the framing, and whether the connection goes on. The wire puts the exact head in its place.
fn stand_in(extent: Extent, keep_alive: bool, held: Held) -> Response<Held> {
    let over = held.is_end_stream();
    let mut response = Response::new(held);
    let headers = response.headers_mut();
    match extent {
        _ if over => {}
        Extent::None | Extent::Frames(_) => {}
        Extent::Length(length) => {
            headers.insert(hyper::header::CONTENT_LENGTH, length.into());
        }
        Extent::Chunked => {
            headers
                .insert(hyper::header::TRANSFER_ENCODING, hyper::header::HeaderValue::from_static("chunked"));
        }
        // Hyper closes after an answer of HTTP/1.0 without a length.
        Extent::Close => *response.version_mut() = Version::HTTP_10,
    }
    if !keep_alive {
        let close = hyper::header::HeaderValue::from_static("close");
        response.headers_mut().insert(hyper::header::CONNECTION, close);
    }
    response
}

/// An answer's body whose end waits.
pub(super) struct Held {
    session: Arc<Session>,
    draft: Option<Draft>,
    source: Source,
    extent: Extent,
    /// The HTTP/2 stream that it goes out on.
    stream: Option<u32>,
    /// All of the body is here but its end, which a frame will tell.
    kept: Option<Bytes>,
    /// For HTTP/2 they are the last frame.
    trailers: Option<HeaderMap>,
    state: State,
}

enum State {
    Streaming,
    /// The exchange is handed over; this is what goes out when it is on file.
    Waiting {
        last: Option<Bytes>,
        wait: Pin<Box<dyn Future<Output = ()> + Send>>,
    },
    Over,
}

impl Held {
    /// Files an exchange without a body on its way, and waits for it.
    async fn finish_alone(&mut self) {
        self.end_of_source();
        let wait = self.file();
        wait.await;
        self.over();
    }

    /// The server's part is done: its connection is free for the next exchange.
    fn end_of_source(&mut self) {
        let Source::Server(server) = &mut self.source else { return };
        let Some(end) = server.finish().filter(|end| !end.raw_trailers.is_empty()) else { return };
        if self.stream.is_some() {
            self.trailers = Some(to_map(&end.trailers));
        } else if self.extent.in_http1() == Extent::Chunked {
            self.session.leg().add_trailers(end.raw_trailers.clone());
        }
    }

    /// Hands the exchange over; the future ends when it is on file, or has waited long enough.
    fn file(&mut self) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let Some(draft) = &mut self.draft else { return Box::pin(std::future::ready(())) };
        if draft.is_forgotten() {
            return Box::pin(std::future::ready(()));
        }
        let headers = draft.exchange.response.as_ref().map(|r| r.headers.clone()).unwrap_or_default();
        let body = match &self.source {
            Source::Server(server) => {
                if self.extent == Extent::Chunked
                    && let Some(detail) = server.copied.chunk_changes()
                {
                    draft.change(Side::Response, "chunk-boundaries", detail);
                }
                draft.exchange.changes.extend(server.copied.not_kept(Side::Response));
                server.copied.body(&headers)
            }
            Source::Made { body, .. } => event::Body::full(body.clone()),
        };
        let filed = draft.file(Some(body));
        Box::pin(on_file(filed, self.session.journal().clone(), self.session.limits().hold_back))
    }

    /// The answer broke off before its end.
    fn cut(&mut self, broken: &Broken) {
        let upstream = self.draft.as_mut().and_then(|draft| draft.exchange.upstream.as_mut());
        if let (Some(upstream), Some(words)) = (upstream, broken.in_words()) {
            upstream.error = Some(words);
        }
        // Nobody waits for this record: there are no last bytes to hold back.
        drop(self.file());
        self.state = State::Over;
        if let Some(draft) = self.draft.take() {
            draft.cut();
        }
    }

    fn over(&mut self) {
        self.state = State::Over;
        let spent = std::mem::replace(&mut self.source, Source::Made { body: Bytes::new(), given: true });
        if let Source::Server(server) = spent
            && server.reusable
        {
            self.session.give_back(&server.site, server.carrier);
        }
        // On a stream, the last frame is still to be sent.
        if self.stream.is_none() {
            self.delivered();
        }
    }

    /// The last bytes are given to the connection.
    pub(super) fn delivered(&mut self) {
        if let Some(draft) = self.draft.take() {
            if draft.is_forgotten() { drop(draft) } else { draft.deliver(self.stream) }
        }
    }

    /// So many bytes were handed out, and the connection did not take them.
    pub(super) fn take_back(&mut self, bytes: usize) {
        if let Some(draft) = &mut self.draft {
            draft.sent = draft.sent.saturating_sub(bytes as u64);
        }
    }

    /// How the head looks that goes before.
    pub(super) fn response(&self) -> Option<&event::Response> {
        self.draft.as_ref()?.exchange.response.as_ref()
    }

    /// The next piece from where the answer comes from.
    fn poll_source(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Broken>>> {
        match &mut self.source {
            Source::Made { given: true, .. } => Poll::Ready(None),
            Source::Made { body, given } => {
                *given = true;
                Poll::Ready((!body.is_empty()).then(|| Ok(body.clone())))
            }
            Source::Server(server) => server.poll_data(cx),
        }
    }
}

impl Body for Held {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let this = self.get_mut();
        loop {
            match &mut this.state {
                State::Over => return Poll::Ready(this.trailers.take().map(|map| Ok(Frame::trailers(map)))),
                State::Waiting { last, wait } => {
                    ready!(wait.as_mut().poll(cx));
                    let last = last.take();
                    this.count(last.as_ref());
                    this.over();
                    if let Some(data) = last {
                        return Poll::Ready(Some(Ok(Frame::data(data))));
                    }
                }
                State::Streaming => match ready!(this.poll_source(cx)) {
                    Some(Ok(data)) if this.completes(&data) && this.ends_with_frame() => {
                        this.kept = Some(data);
                    }
                    Some(Ok(data)) if this.completes(&data) => this.hold(Some(data)),
                    Some(Ok(data)) if data.is_empty() => {}
                    Some(Ok(data)) => {
                        this.count(Some(&data));
                        return Poll::Ready(Some(Ok(Frame::data(data))));
                    }
                    None => {
                        let last = this.kept.take();
                        this.hold(last);
                    }
                    Some(Err(error)) => {
                        this.cut(&error);
                        return Poll::Ready(Some(Err(error)));
                    }
                },
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.state, State::Over) && self.trailers.is_none()
    }
}

impl Held {
    fn sent(&self) -> u64 {
        self.draft.as_ref().map_or(0, |draft| draft.sent)
    }

    /// With these bytes the device has the whole body.
    fn completes(&self, data: &Bytes) -> bool {
        let sent = self.sent() + data.len() as u64;
        !data.is_empty()
            && matches!(self.extent, Extent::Length(all) | Extent::Frames(Some(all)) if all == sent)
    }

    fn ends_with_frame(&self) -> bool {
        matches!(&self.source, Source::Server(server) if server.ends_with_frame())
    }

    fn count(&mut self, data: Option<&Bytes>) {
        if let (Some(draft), Some(data)) = (&mut self.draft, data) {
            draft.sent += data.len() as u64;
        }
    }

    fn hold(&mut self, last: Option<Bytes>) {
        self.end_of_source();
        let wait = self.file();
        self.state = State::Waiting { last, wait };
    }
}

impl Drop for Held {
    /// The device went away in the middle: what was seen of the answer is filed.
    fn drop(&mut self) {
        if matches!(self.state, State::Streaming) {
            drop(self.file());
        }
    }
}

impl std::fmt::Debug for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Held").field("extent", &self.extent).finish_non_exhaustive()
    }
}

/// Ends when the exchange is on file; a writer that is slow or gone stops no traffic.
async fn on_file(filed: oneshot::Receiver<Filed>, journal: Journal, patience: Duration) {
    // An outcome other than written, or none because the writer is gone, is counted where it comes about.
    if tokio::time::timeout(patience, filed).await.is_err() {
        journal.counts().late.fetch_add(1, Ordering::Relaxed);
    }
}
