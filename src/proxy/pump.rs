//! Sends a body on an HTTP/2 stream: as fast as the other side takes it, and to the end that it has.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use h2::{Reason, SendStream};
use hyper::body::{Body, Frame};
use tokio::time::timeout;

use super::inbound::Broken;

/// Why a body was not sent to its end, and how much of what was taken from it is left.
#[derive(Debug)]
pub(super) struct Stopped {
    pub(super) why: Why,
    pub(super) left: usize,
}

#[derive(Debug)]
pub(super) enum Why {
    /// The other side has reset the stream, or its connection is gone.
    Gone,
    /// The other side takes nothing.
    Stalled,
    /// The body itself broke off.
    Broken(Broken),
}

pub(super) async fn pump<B>(
    body: &mut B,
    stream: &mut SendStream<Bytes>,
    patience: Duration,
) -> Result<(), Stopped>
where
    B: Body<Data = Bytes, Error = Broken> + Unpin,
{
    loop {
        let frame = poll_fn(|cx| match stream.poll_reset(cx) {
            Poll::Ready(_) => Poll::Ready(Err(Stopped { why: Why::Gone, left: 0 })),
            Poll::Pending => Pin::new(&mut *body).poll_frame(cx).map(Ok),
        });
        let frame = match frame.await? {
            None => return send(stream, Bytes::new(), true),
            Some(Err(broken)) => return Err(Stopped { why: Why::Broken(broken), left: 0 }),
            Some(Ok(frame)) => frame,
        };
        match frame.into_data() {
            Ok(data) => {
                let last = body.is_end_stream();
                send_data(stream, data, last, patience).await?;
                if last {
                    return Ok(());
                }
            }
            Err(frame) => return send_trailers(stream, frame),
        }
    }
}

async fn send_data(
    stream: &mut SendStream<Bytes>,
    mut data: Bytes,
    last: bool,
    patience: Duration,
) -> Result<(), Stopped> {
    if data.is_empty() {
        return if last { send(stream, data, true) } else { Ok(()) };
    }
    while !data.is_empty() {
        let stopped = |why| Stopped { why, left: data.len() };
        stream.reserve_capacity(data.len());
        let mut room = stream.capacity();
        while room == 0 {
            room = match timeout(patience, poll_fn(|cx| stream.poll_capacity(cx))).await {
                Ok(Some(Ok(room))) => room,
                Ok(Some(Err(_)) | None) => return Err(stopped(Why::Gone)),
                Err(_) => return Err(stopped(Why::Stalled)),
            };
        }
        let piece = data.split_to(room.min(data.len()));
        let over = data.is_empty();
        send(stream, piece, over && last)?;
    }
    Ok(())
}

fn send(stream: &mut SendStream<Bytes>, data: Bytes, last: bool) -> Result<(), Stopped> {
    let left = data.len();
    stream.send_data(data, last).map_err(|_| Stopped { why: Why::Gone, left })
}

fn send_trailers(stream: &mut SendStream<Bytes>, frame: Frame<Bytes>) -> Result<(), Stopped> {
    let trailers = frame.into_trailers().unwrap_or_default();
    stream.send_trailers(trailers).map_err(|_| Stopped { why: Why::Gone, left: 0 })
}

/// The stream ends without its end.
pub(super) fn break_off(stream: &mut SendStream<Bytes>, why: &Why) {
    match why {
        Why::Gone => {}
        Why::Stalled => stream.send_reset(Reason::CANCEL),
        Why::Broken(broken) => stream.send_reset(broken.reason()),
    }
}
