//! An HTTP/2 connection to the server, which carries many exchanges of one device at once.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use bytes::Bytes;
use h2::client::{Builder, SendRequest};
use h2::{Reason, RecvStream};
use hyper::http::{Request, Response};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::inbound::in_words;
use super::pump::{break_off, pump};
use super::rescue::{Kind, Trouble};
use super::tap::{Tapped, To};
use crate::event::Upstream;
use crate::net::LONGEST_HEAD;

/// What a server may send ahead, on one stream and on all: so much waits here for a device that does not read.
const STREAM_WINDOW: u32 = 128 << 10;
const CONNECTION_WINDOW: u32 = 512 << 10;

#[derive(Clone, Debug)]
pub(super) struct Trunk {
    sender: SendRequest<Bytes>,
    pub(super) facts: Upstream,
    /// Why it is over, once it is.
    over: watch::Receiver<Option<String>>,
    /// Besides the berth, each exchange on it has one.
    sharers: Arc<()>,
    used: Instant,
}

/// A request's body on its way; it stops when nobody waits for the answer any more.
#[derive(Debug)]
pub(super) struct Sending(JoinHandle<()>);

impl Drop for Sending {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The server's answer, while it may still read the request.
pub(super) struct Answer {
    pub(super) response: Response<RecvStream>,
    /// Statuses of interim responses that came before.
    pub(super) interim: Vec<u16>,
    pub(super) sending: Option<Sending>,
}

impl Trunk {
    pub(super) async fn open<S>(stream: S, facts: Upstream, patience: Duration) -> Result<Self, Trouble>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let mut builder = Builder::new();
        builder
            .enable_push(false)
            .initial_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_header_list_size(u32::try_from(LONGEST_HEAD).unwrap_or(u32::MAX));
        let (sender, connection) = timeout(patience, builder.handshake(stream))
            .await
            .map_err(|_| Trouble::new(Kind::Timeout, format!("HTTP/2 did not begin within {patience:?}")))?
            .map_err(|error| Trouble::new(Kind::ClosedEarly, in_words(&error)))?;
        let (ending, over) = watch::channel(None);
        tokio::spawn(async move {
            let words = match connection.await {
                Ok(()) => "it closed the connection".to_owned(),
                Err(error) => in_words(&error),
            };
            tracing::debug!("upstream connection ended: {words}");
            ending.send_replace(Some(words));
        });
        Ok(Self { sender, facts, over, sharers: Arc::default(), used: Instant::now() })
    }

    pub(super) fn is_usable(&self, longest_idle: Duration) -> bool {
        let busy = Arc::strong_count(&self.sharers) > 1;
        (busy || self.used.elapsed() < longest_idle) && self.over.borrow().is_none()
    }

    /// For one more exchange.
    pub(super) fn share(&mut self) -> Self {
        self.used = Instant::now();
        let facts = Upstream { reused: true, ..self.facts.clone() };
        Self { facts, ..self.clone() }
    }

    pub(super) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.sharers, &other.sharers)
    }

    /// Resolves to why the connection is over.
    pub(super) fn over(&self) -> watch::Receiver<Option<String>> {
        self.over.clone()
    }

    /// The connection takes requests; what it says in its GOAWAY has been heard.
    pub(super) async fn is_ready(&mut self) -> bool {
        // As with links: the runtime looks at its sockets between two turns.
        tokio::task::yield_now().await;
        tokio::task::yield_now().await;
        poll_fn(|cx| self.sender.poll_ready(cx)).await.is_ok()
    }

    /// Sends the request; the future ends with the answer's head.
    pub(super) async fn send(
        &mut self,
        request: Request<()>,
        mut body: Tapped,
        patience: Duration,
    ) -> Result<Answer, h2::Error> {
        body.send_to(To::Http2);
        let empty = body.is_empty() && !body.has_trailers();
        let (mut response, mut stream) = self.sender.send_request(request, empty)?;
        let sending = (!empty).then(|| {
            Sending(tokio::spawn(async move {
                if let Err(stopped) = pump(&mut body, &mut stream, patience).await {
                    break_off(&mut stream, &stopped.why);
                }
            }))
        });
        let mut interim = Vec::new();
        let response = poll_fn(|cx| {
            while let Poll::Ready(Some(Ok(response))) = response.poll_informational(cx) {
                interim.push(response.status().as_u16());
            }
            std::pin::Pin::new(&mut response).poll(cx)
        });
        let response = response.await?;
        Ok(Answer { response, interim, sending })
    }
}

/// The server's way of saying that the device should do something else.
pub(super) fn passes(error: &h2::Error) -> Option<Reason> {
    let told = [Reason::HTTP_1_1_REQUIRED, Reason::REFUSED_STREAM];
    error.reason().filter(|reason| error.is_remote() && error.is_reset() && told.contains(reason))
}
