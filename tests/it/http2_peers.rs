//! A server and a device that speak HTTP/2, for tests that look at each stream.

use std::future::{pending, poll_fn};
use std::sync::Arc;

use bytes::Bytes;
use enrollscope::event::{Delivery, Exchange};
use enrollscope::net::{ALPN, Origin, with_http2};
use enrollscope::proxy::{Settings, SiteSettings};
use h2::client::{ResponseFuture, SendRequest};
use h2::server::SendResponse;
use h2::{Reason as Code, RecvStream, SendStream};
use hyper::http::{HeaderMap, Request, Response};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;

use crate::wire::{Authority, Bench, NAME, Server, served, settings, trust, within};
/// What a server saw of one request.
pub struct Got {
    pub head: Request<()>,
    pub body: Bytes,
    pub trailers: Option<HeaderMap>,
}

/// An HTTP/2 server whose answer the path decides.
pub struct Origin2 {
    pub address: std::net::SocketAddr,
    pub got: mpsc::UnboundedReceiver<Got>,
    /// Lets `/wait` answer.
    pub go: Arc<Notify>,
    /// Ends the connections with GOAWAY.
    pub leave: Arc<Notify>,
}

impl Origin2 {
    pub async fn start(authority: &Authority) -> Self {
        let mut tls = served(authority);
        tls.config = with_http2(&tls.config);
        let server = Server::start_tls(tls).await;
        let address = server.address;
        let (sender, got) = mpsc::unbounded_channel();
        let (go, leave) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (going, leaving) = (Arc::clone(&go), Arc::clone(&leave));
        tokio::spawn(async move {
            loop {
                let Some(stream) = server.try_accept().await else { continue };
                let (sender, go, leave) = (sender.clone(), Arc::clone(&going), Arc::clone(&leaving));
                tokio::spawn(async move {
                    // A probe says nothing after its handshake.
                    let Ok(mut connection) = h2::server::handshake(stream).await else { return };
                    loop {
                        tokio::select! {
                            accepted = connection.accept() => match accepted {
                                Some(Ok((request, respond))) => {
                                    tokio::spawn(answer(request, respond, sender.clone(), Arc::clone(&go)));
                                }
                                Some(Err(_)) | None => return,
                            },
                            () = leave.notified() => connection.abrupt_shutdown(Code::INTERNAL_ERROR),
                        }
                    }
                });
            }
        });
        Self { address, got, go, leave }
    }

    pub async fn got(&mut self) -> Got {
        within(self.got.recv()).await.unwrap()
    }
}

pub async fn answer(
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    seen: mpsc::UnboundedSender<Got>,
    go: Arc<Notify>,
) {
    let (parts, mut body) = request.into_parts();
    let path = parts.uri.path().to_owned();
    if path == "/refuse" {
        return respond.send_reset(Code::HTTP_1_1_REQUIRED);
    }
    let mut whole = Vec::new();
    while let Some(data) = body.data().await {
        let Ok(data) = data else { return };
        let _ = body.flow_control().release_capacity(data.len());
        whole.extend_from_slice(&data);
    }
    let trailers = body.trailers().await.unwrap_or_default();
    let whole = Bytes::from(whole);
    let _ = seen.send(Got {
        head: Request::from_parts(parts, ()),
        body: whole.clone(),
        trailers: trailers.clone(),
    });
    let mut head = Response::builder().header("content-type", "application/soap+xml");
    match path.as_str() {
        "/short" => head = head.header("content-length", "10"),
        "/long" => head = head.header("content-length", "2"),
        "/ntlm" => head = head.status(401).header("www-authenticate", "NTLM"),
        "/length" => head = head.header("content-length", whole.len()),
        "/wait" => go.notified().await,
        _ => {}
    }
    let mut stream = respond.send_response(head.body(()).unwrap(), false).unwrap();
    match path.as_str() {
        "/cut" => {
            send(&mut stream, Bytes::from_static(b"hello"), false).await;
            go.notified().await;
            stream.send_reset(Code::ENHANCE_YOUR_CALM);
        }
        "/short" | "/long" => send(&mut stream, Bytes::from_static(b"abc"), true).await,
        "/pour" => while send_some(&mut stream, Bytes::from(vec![b'x'; 16 << 10]), false).await {},
        "/stay" => {
            send(&mut stream, Bytes::from_static(b"hello"), false).await;
            pending::<()>().await;
        }
        _ if trailers.is_some() => {
            send(&mut stream, whole, false).await;
            stream.send_trailers(trailers.unwrap()).unwrap();
        }
        _ => send(&mut stream, whole, true).await,
    }
}

pub async fn send(stream: &mut SendStream<Bytes>, data: Bytes, end: bool) {
    send_some(stream, data, end).await;
}

/// False: nobody takes it any more.
pub async fn send_some(stream: &mut SendStream<Bytes>, mut data: Bytes, end: bool) -> bool {
    if data.is_empty() && end {
        return stream.send_data(data, true).is_ok();
    }
    while !data.is_empty() {
        stream.reserve_capacity(data.len());
        while stream.capacity() == 0 {
            match poll_fn(|cx| stream.poll_capacity(cx)).await {
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return false,
            }
        }
        let piece = data.split_to(stream.capacity().min(data.len()));
        if stream.send_data(piece, end && data.is_empty()).is_err() {
            return false;
        }
    }
    true
}

pub fn behind(authority: &Authority, upstream: std::net::SocketAddr) -> Settings {
    let mut settings = settings(upstream);
    (settings.listeners[0].secure, settings.served) = (true, Some(served(authority)));
    let origin = Origin { secure: true, host: NAME.into(), port: 443 };
    settings.default = Some(SiteSettings {
        upstream_address: Some(upstream),
        http2: true,
        ..SiteSettings::new(origin, Some(trust(authority)))
    });
    settings
}

/// A device that offers both, and has a connection with what was agreed.
pub async fn offer_both(bench: &Bench, authority: &Authority) -> (crate::wire::Boxed, Option<Vec<u8>>) {
    let mut config = authority.client();
    Arc::make_mut(&mut config).alpn_protocols = ALPN.map(<[u8]>::to_vec).to_vec();
    let stream = bench.connect_as(NAME, config).await.unwrap();
    let agreed = stream.get_ref().1.alpn_protocol().map(<[u8]>::to_vec);
    (Box::new(stream), agreed)
}

/// Connects until HTTP/2 is agreed: what the server speaks is found out beside the first connection.
pub async fn device(bench: &Bench, authority: &Authority) -> Device {
    let stream = within(async {
        loop {
            let (stream, agreed) = offer_both(bench, authority).await;
            if agreed.as_deref() == Some(b"h2") {
                return stream;
            }
        }
    });
    let (sender, connection) = h2::client::handshake(stream.await).await.unwrap();
    Device { sender, connection: tokio::spawn(connection) }
}

pub struct Device {
    pub sender: SendRequest<Bytes>,
    pub connection: JoinHandle<Result<(), h2::Error>>,
}

impl Device {
    pub async fn ask(&mut self, request: Request<()>, end: bool) -> (ResponseFuture, SendStream<Bytes>) {
        let mut sender = within(self.sender.clone().ready()).await.unwrap();
        sender.send_request(request, end).unwrap()
    }

    pub async fn post(&mut self, path: &str, body: &'static [u8]) -> Result<Answer, h2::Error> {
        let (response, mut stream) = self.ask(request(path), body.is_empty()).await;
        if !body.is_empty() {
            send(&mut stream, Bytes::from_static(body), true).await;
        }
        read(response).await
    }
}

pub fn request(path: &str) -> Request<()> {
    Request::post(format!("https://{NAME}{path}"))
        .header("content-type", "application/soap+xml")
        .body(())
        .unwrap()
}

pub struct Answer {
    pub head: Response<()>,
    pub body: Bytes,
    pub trailers: Option<HeaderMap>,
}

pub async fn read(response: ResponseFuture) -> Result<Answer, h2::Error> {
    let (parts, mut body) = within(response).await?.into_parts();
    let mut whole = Vec::new();
    while let Some(data) = within(body.data()).await {
        let data = data?;
        let _ = body.flow_control().release_capacity(data.len());
        whole.extend_from_slice(&data);
    }
    let trailers = within(body.trailers()).await?;
    Ok(Answer { head: Response::from_parts(parts, ()), body: Bytes::from(whole), trailers })
}

pub async fn exchange_and_end(bench: &mut Bench) -> (Exchange, Delivery, u64) {
    let exchange = bench.exchange().await;
    let (delivery, sent) = bench.end().await;
    (exchange, delivery, sent)
}

pub fn changes(exchange: &Exchange) -> Vec<&str> {
    exchange.changes.iter().map(|change| change.what.as_str()).collect()
}
