//! A device's connection that speaks HTTP/2: each of its streams is one exchange.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use bytes::Bytes;
use h2::RecvStream;
use h2::server::{Builder, Connection as Streams, SendResponse};
use hyper::StatusCode;
use hyper::body::Body as _;
use hyper::http::{Request, Response};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::connection::{Session, Shared};
use super::deliver::{Held, Reply, Source, hold};
use super::draft::Draft;
use super::forward;
use super::inbound::{Inbound, in_words, to_map};
use super::pump::{break_off, pump};
use super::versions::response_for_http2;
use crate::event::{Connection, ConnectionEvent, Reason, Sent};
use crate::net::{Arrived, Extent, Frames, Head, LONGEST_HEAD, now, stopped};

/// So many exchanges at once on one connection.
const MOST_STREAMS: u32 = 64;
/// What a device may send ahead, on one stream and on all.
const STREAM_WINDOW: u32 = 64 << 10;
const CONNECTION_WINDOW: u32 = 256 << 10;
/// Answers that wait for a device to take them, per stream.
const SEND_BUFFER: usize = 64 << 10;
/// Streams that a device opens and resets at once, before it is told to calm down.
const MOST_RESET: usize = 32;
/// Streams that we had to reset because of what came on them.
const MOST_ERRORS: usize = 128;
/// Exchanges whose connection is gone see that, and end.
const FAREWELL: Duration = Duration::from_secs(1);

pub(super) async fn converse<S>(
    shared: &Arc<Shared>,
    stream: S,
    event: Connection,
    mut stop: watch::Receiver<bool>,
) where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let opened = ConnectionEvent::Opened;
    shared.run.journal.connection(Connection { at: now(), event: opened, ..event.clone() });
    let session = Arc::new(Session::new(shared, &event));
    let (patience, leg) = (shared.limits.device(), Arc::clone(session.leg()));
    let frames = Frames::new(stream, patience, leg, Arc::clone(session.streams()));
    let fault = match timeout(shared.limits.head, builder().handshake(frames)).await {
        Ok(Ok(connection)) => serve(&session, connection, &mut stop).await,
        Ok(Err(error)) => fault(&error),
        Err(_) => Some(Reason::Timeout(format!("HTTP/2 did not begin within {:?}", shared.limits.head))),
    };
    session.settle_streams(true);
    let (closed, reason) = (ConnectionEvent::Closed, Some(fault.unwrap_or_else(|| session.reason())));
    shared.run.journal.connection(Connection { at: now(), event: closed, reason, ..event });
}

fn builder() -> Builder {
    let mut builder = Builder::new();
    builder
        .max_concurrent_streams(MOST_STREAMS)
        .max_header_list_size(u32::try_from(LONGEST_HEAD).unwrap_or(u32::MAX))
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buffer_size(SEND_BUFFER)
        .max_pending_accept_reset_streams(MOST_RESET)
        .max_local_error_reset_streams(Some(MOST_ERRORS));
    builder
}

/// Answers streams until the connection is over; yields what the device did wrong to end it.
async fn serve<S>(
    session: &Arc<Session>,
    mut connection: Streams<S, Bytes>,
    stop: &mut watch::Receiver<bool>,
) -> Option<Reason>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut open = JoinSet::new();
    let mut stopping = false;
    let fault = loop {
        let turn = poll_fn(|cx| {
            let accepted = connection.poll_accept(cx);
            session.settle_streams(false);
            accepted
        });
        tokio::select! {
            accepted = turn => match accepted {
                Some(Ok((request, respond))) => {
                    session.leg().open();
                    session.streams().accept(respond.stream_id().as_u32());
                    open.spawn(answer(Arc::clone(session), request, respond));
                }
                Some(Err(error)) => break fault(&error),
                None => break None,
            },
            // The connection looks again whether it has become idle.
            Some(_) = open.join_next() => {}
            () = stopped(stop), if !stopping => {
                stopping = true;
                connection.graceful_shutdown();
            }
        }
    };
    drop(connection);
    let all = async { while open.join_next().await.is_some() {} };
    if timeout(FAREWELL, all).await.is_err() {
        open.shutdown().await;
    }
    fault
}

/// Only what h2 itself takes offence at; all else is known to the connection's stream.
fn fault(error: &h2::Error) -> Option<Reason> {
    (error.is_library() && error.is_go_away()).then(|| Reason::BadHead(in_words(error)))
}

/// One stream, from its request to the last byte of its answer.
async fn answer(session: Arc<Session>, request: Request<RecvStream>, mut respond: SendResponse<Bytes>) {
    let (parts, body) = request.into_parts();
    let head = Head::of_http2_request(&parts, body.is_end_stream());
    if head.as_ref().is_ok_and(|head| head.lists("expect", "100-continue")) {
        let mut interim = Response::new(());
        *interim.status_mut() = StatusCode::CONTINUE;
        // If it cannot be sent, neither can the answer.
        let _ = respond.send_informational(interim);
    }
    let arrived = Arrived { head, at: now(), first_byte: Instant::now() };
    let body = Inbound::http2(body, session.limits().device_idle);
    let replied = {
        let mut replying = pin!(forward::reply(&session, arrived, body));
        // A device that resets its stream waits for nothing more.
        poll_fn(|cx| match respond.poll_reset(cx) {
            Poll::Ready(_) => Poll::Ready(None),
            Poll::Pending => replying.as_mut().poll(cx).map(Some),
        })
        .await
    };
    if let Some((draft, reply)) = replied {
        deliver(&session, draft, reply, respond).await;
        session.settle_streams(false);
    }
}

async fn deliver(
    session: &Arc<Session>,
    mut draft: Draft,
    mut reply: Reply,
    mut respond: SendResponse<Bytes>,
) {
    if let Some(reason) = draft.reset {
        let filed = draft.file(None);
        // Like an answer's last bytes, it waits for the record.
        let _ = timeout(session.limits().hold_back, filed).await;
        draft.cut();
        respond.send_reset(reason);
        return;
    }
    let made = matches!(reply.source, Source::Made { .. });
    response_for_http2(&mut draft, &mut reply.response, made);
    reply.extent = in_http2(reply.extent);
    let stream = respond.stream_id().as_u32();
    let mut held = hold(session, draft, reply, Some(stream), |_| {}).await;
    let over = held.is_end_stream();
    let Some(head) = head(&held) else { return };
    // It fails if the device has reset the stream in the meantime.
    let Ok(mut stream) = respond.send_response(head, over) else { return };
    if over {
        return held.delivered();
    }
    match pump(&mut held, &mut stream, session.limits().stalled_write).await {
        Ok(()) => held.delivered(),
        Err(stopped) => {
            held.take_back(stopped.left);
            break_off(&mut stream, &stopped.why);
        }
    }
}

fn in_http2(extent: Extent) -> Extent {
    match extent {
        Extent::Length(length) => Extent::Frames(Some(length)),
        Extent::Chunked | Extent::Close => Extent::Frames(None),
        Extent::None | Extent::Frames(_) => extent,
    }
}

/// The head that h2 sends.
fn head(held: &Held) -> Option<Response<()>> {
    let response = held.response()?;
    let headers = match response.sent.as_deref() {
        Some(Sent { headers: Some(headers), .. }) => headers,
        Some(Sent { headers: None, .. }) | None => &response.headers,
    };
    let mut head = Response::new(());
    *head.status_mut() = StatusCode::from_u16(response.status).ok()?;
    *head.headers_mut() = to_map(headers);
    Some(head)
}
