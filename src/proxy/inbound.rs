//! A body as it comes in, of either version of HTTP, and how it can break off.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use h2::{Reason, RecvStream};
use hyper::HeaderMap;
use hyper::body::{Body, Incoming};
use tokio::sync::watch;
use tokio::time::{Instant, Sleep};

use crate::event::Header;
use crate::net::{Ended, Leg, fields};

#[derive(Debug)]
pub(super) enum Inbound {
    Http1(Incoming),
    Http2(Box<Stream>),
}

/// A stream's data, with an end to patience.
pub(super) struct Stream {
    stream: RecvStream,
    patience: Duration,
    deadline: Pin<Box<Sleep>>,
    trailers: Option<HeaderMap>,
    /// The connection that it is on knows better why it broke.
    over: Option<watch::Receiver<Option<String>>>,
    lost: Option<Pin<Box<dyn Future<Output = Broken> + Send>>>,
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream").field("stream", &self.stream).finish_non_exhaustive()
    }
}

/// Why a body does not come to its end.
#[derive(Debug)]
pub(super) enum Broken {
    Http1(hyper::Error),
    Http2(h2::Error),
    /// The connection is gone, for this reason.
    Lost(String),
    /// Nothing more came for so long.
    Silent(Duration),
}

impl Inbound {
    pub(super) fn http2(stream: RecvStream, patience: Duration) -> Self {
        let deadline = Box::pin(tokio::time::sleep(patience));
        Self::Http2(Box::new(Stream { stream, patience, deadline, trailers: None, over: None, lost: None }))
    }

    /// The same, on a connection that tells why it is over.
    pub(super) fn on(self, over: watch::Receiver<Option<String>>) -> Self {
        match self {
            Self::Http1(_) => self,
            Self::Http2(mut stream) => {
                stream.over = Some(over);
                Self::Http2(stream)
            }
        }
    }

    /// The next piece; none at the end.
    pub(super) fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Broken>>> {
        match self {
            Self::Http1(body) => loop {
                return Poll::Ready(match ready!(Pin::new(&mut *body).poll_frame(cx)) {
                    // Trailers go out as they were spelled, once the body has ended.
                    Some(Ok(frame)) => match frame.into_data() {
                        Ok(data) => Some(Ok(data)),
                        Err(_) => continue,
                    },
                    Some(Err(error)) => Some(Err(Broken::Http1(error))),
                    None => None,
                });
            },
            Self::Http2(stream) => stream.poll_data(cx),
        }
    }

    /// What its end brought; the leg keeps it for HTTP/1.
    pub(super) fn take_ended(&mut self, leg: Option<&Leg>) -> Option<Ended> {
        match self {
            Self::Http1(_) => leg?.take_ended(),
            Self::Http2(stream) => Some(ended(&stream.trailers.take()?)),
        }
    }
}

impl Stream {
    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Broken>>> {
        if let Some(lost) = &mut self.lost {
            return lost.as_mut().poll(cx).map(|broken| Some(Err(broken)));
        }
        let data = match self.stream.poll_data(cx) {
            Poll::Ready(None) => match self.stream.poll_trailers(cx) {
                Poll::Ready(Ok(trailers)) => {
                    self.trailers = trailers;
                    return Poll::Ready(None);
                }
                Poll::Ready(Err(error)) => Err(error),
                Poll::Pending => return self.poll_silence(cx),
            },
            Poll::Ready(Some(data)) => data,
            Poll::Pending => return self.poll_silence(cx),
        };
        self.deadline.as_mut().reset(Instant::now() + self.patience);
        // It is asked for when the other side has room: what has been taken may be replaced.
        let data = data.and_then(|data| {
            self.stream.flow_control().release_capacity(data.len())?;
            Ok(data)
        });
        match data {
            Ok(data) => Poll::Ready(Some(Ok(data))),
            Err(error) => match self.over.take().filter(|_| error.is_io()) {
                Some(over) => {
                    self.lost = Some(Box::pin(why_lost(over, error)));
                    self.poll_data(cx)
                }
                None => Poll::Ready(Some(Err(Broken::Http2(error)))),
            },
        }
    }

    fn poll_silence<T>(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<T, Broken>>> {
        ready!(self.deadline.as_mut().poll(cx));
        Poll::Ready(Some(Err(Broken::Silent(self.patience))))
    }
}

async fn why_lost(mut over: watch::Receiver<Option<String>>, error: h2::Error) -> Broken {
    match over.wait_for(Option::is_some).await {
        Ok(words) => words.clone().map_or(Broken::Http2(error), Broken::Lost),
        Err(_) => Broken::Http2(error),
    }
}

/// Trailers, also as HTTP/1.1 spells them.
fn ended(trailers: &HeaderMap) -> Ended {
    let trailers = fields(trailers);
    let mut raw_trailers = Vec::new();
    for Header { name, value } in &trailers {
        raw_trailers.extend_from_slice(&[name.as_bytes(), b": ", value, b"\r\n"].concat());
    }
    Ended { trailers, raw_trailers, ..Ended::default() }
}

/// Fields as h2 sends them; what cannot be one is left out.
pub(super) fn to_map<'h>(headers: impl IntoIterator<Item = &'h Header>) -> HeaderMap {
    let mut map = HeaderMap::new();
    for Header { name, value } in headers {
        if let (Ok(name), Ok(value)) = (
            hyper::header::HeaderName::from_bytes(name.as_bytes()),
            hyper::header::HeaderValue::from_maybe_shared(value.clone()),
        ) {
            map.append(name, value);
        }
    }
    map
}

impl Broken {
    /// The code that tells the other side.
    pub(super) fn reason(&self) -> Reason {
        match self {
            Self::Http2(error) if error.is_remote() && error.is_reset() => {
                error.reason().unwrap_or(Reason::INTERNAL_ERROR)
            }
            Self::Http1(_) | Self::Http2(_) | Self::Lost(_) | Self::Silent(_) => Reason::INTERNAL_ERROR,
        }
    }

    /// For the record; HTTP/1's causes are known to its connection.
    pub(super) fn in_words(&self) -> Option<String> {
        match self {
            Self::Http1(_) => None,
            Self::Http2(error) => Some(in_words(error)),
            Self::Lost(words) => Some(words.clone()),
            Self::Silent(patience) => Some(format!("nothing more of a body came for {patience:?}")),
        }
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http1(error) => write!(f, "{error}"),
            Self::Http2(error) => f.write_str(&in_words(error)),
            Self::Lost(words) => f.write_str(words),
            Self::Silent(patience) => write!(f, "nothing more came for {patience:?}"),
        }
    }
}

impl std::error::Error for Broken {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Http1(error) => Some(error),
            Self::Http2(error) => Some(error),
            Self::Lost(_) | Self::Silent(_) => None,
        }
    }
}

/// What an HTTP/2 peer did, in words that follow "it".
pub(super) fn in_words(error: &h2::Error) -> String {
    let code = error.reason().map_or_else(|| "no code".to_owned(), |reason| format!("{reason:?}"));
    match (error.is_go_away(), error.is_reset()) {
        (true, _) if error.is_remote() => format!("it ended the connection with GOAWAY ({code})"),
        (true, _) => format!("it broke the rules of HTTP/2 ({code}), and the connection was ended"),
        (_, true) if error.is_remote() => format!("it reset the stream with RST_STREAM ({code})"),
        (_, true) => format!(
            "it broke the rules of HTTP/2 on the stream ({code}): a Content-Length that is not kept, or fields that must not be"
        ),
        (false, false) => match error.get_io() {
            Some(io) => format!("the connection broke ({io})"),
            None => format!("HTTP/2 with it ended ({error})"),
        },
    }
}
