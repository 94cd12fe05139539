//! A port for the people and programs that watch over the tool: metrics, health and a status page. It only tells.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::rand;
use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{self, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;

use super::clock::stopped;

/// Those who watch are few; more of them wait.
const MOST: usize = 256;
/// Who says nothing for so long makes room for others.
const HEAD: Duration = Duration::from_secs(2);
/// A connection lives so long at most.
const PATIENCE: Duration = Duration::from_secs(10);
const FROM_TOKEN: &str = "Bearer ";

/// What is told; each is asked anew for every request.
pub struct Pages {
    /// OpenMetrics text.
    pub metrics: Box<dyn Fn() -> String + Send + Sync>,
    /// Why all is not well, in words.
    pub health: Box<dyn Fn() -> Result<(), String> + Send + Sync>,
    /// HTML, for those who have the token: it names users and devices.
    pub status: Box<dyn Fn() -> String + Send + Sync>,
}

/// What opens the status page.
#[derive(Clone)]
pub struct Token(String);

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token")
    }
}

impl Token {
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// 128 random bits.
    ///
    /// # Errors
    /// The operating system gives no randomness.
    pub fn random() -> std::io::Result<Self> {
        let mut bytes = [0; 16];
        rand::fill(&mut bytes).map_err(|_| std::io::Error::other("no randomness is to be had"))?;
        Ok(Self(bytes.iter().map(|byte| format!("{byte:02x}")).collect()))
    }

    pub fn text(&self) -> &str {
        &self.0
    }

    /// In constant time, so that it cannot be guessed letter by letter.
    fn opens(&self, shown: &str) -> bool {
        verify_slices_are_equal(self.0.as_bytes(), shown.as_bytes()).is_ok()
    }
}

/// Answers until `stop` turns true.
pub async fn watch_port(listener: TcpListener, pages: Pages, token: Token, mut stop: watch::Receiver<bool>) {
    let shared = Arc::new((pages, token));
    let room = Arc::new(Semaphore::new(MOST));
    loop {
        let Ok(permit) = Arc::clone(&room).acquire_owned().await else { return };
        let stream = tokio::select! {
            () = stopped(&mut stop) => return,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::error!("cannot accept on the admin port: {error}");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            },
        };
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            let _ = timeout(PATIENCE, converse(stream, shared)).await;
            drop(permit);
        });
    }
}

async fn converse(stream: TcpStream, shared: Arc<(Pages, Token)>) {
    let service = service_fn(move |request: Request<hyper::body::Incoming>| {
        let answer = answer(&request, &shared.0, &shared.1);
        async move { Ok::<_, Infallible>(answer) }
    });
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(HEAD).max_buf_size(16 << 10);
    if let Err(error) = server.serve_connection(TokioIo::new(stream), service).await {
        tracing::debug!("admin connection ended: {error}");
    }
}

fn answer<B>(request: &Request<B>, pages: &Pages, token: &Token) -> Response<Full<Bytes>> {
    const TEXT: &str = "text/plain; charset=utf-8";
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return page(StatusCode::METHOD_NOT_ALLOWED, TEXT, "only GET is answered here\n".to_owned());
    }
    match request.uri().path() {
        "/metrics" => {
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            page(StatusCode::OK, kind, (pages.metrics)())
        }
        "/healthz" => match (pages.health)() {
            Ok(()) => page(StatusCode::OK, TEXT, "ok\n".to_owned()),
            Err(why) => page(StatusCode::SERVICE_UNAVAILABLE, TEXT, format!("{why}\n")),
        },
        "/status" if shown_token(request).is_some_and(|shown| token.opens(&shown)) => {
            page(StatusCode::OK, "text/html; charset=utf-8", (pages.status)())
        }
        "/status" => {
            let words = "the token is missing or wrong: use the address that was printed at the start\n";
            page(StatusCode::UNAUTHORIZED, TEXT, words.to_owned())
        }
        _ => page(StatusCode::NOT_FOUND, TEXT, "there are /metrics, /healthz and /status\n".to_owned()),
    }
}

/// From `?token=` or as a bearer token.
fn shown_token<B>(request: &Request<B>) -> Option<String> {
    let query = request.uri().query().unwrap_or_default();
    let from_query = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "token");
    let bearer = || {
        let value = request.headers().get(header::AUTHORIZATION)?.to_str().ok()?;
        value.strip_prefix(FROM_TOKEN).map(str::to_owned)
    };
    from_query.map(|(_, value)| value.into_owned()).or_else(bearer)
}

fn page(status: StatusCode, kind: &'static str, text: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, kind),
        (header::CACHE_CONTROL, "no-store"),
        // Nothing on the page asks for anything, and its address holds the token.
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
        ),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(method: &str, target: &str, bearer: Option<&str>) -> (u16, String) {
        let pages = Pages {
            metrics: Box::new(|| "m 1\n# EOF\n".to_owned()),
            health: Box::new(|| Err("recording is lossy".to_owned())),
            status: Box::new(|| "<html>".to_owned()),
        };
        let mut request = Request::builder().method(method).uri(target);
        if let Some(bearer) = bearer {
            request = request.header("Authorization", format!("Bearer {bearer}"));
        }
        let response = answer(&request.body(()).unwrap(), &pages, &Token::new("secret".to_owned()));
        let kind = response.headers()["content-type"].to_str().unwrap().to_owned();
        (response.status().as_u16(), kind)
    }

    #[test]
    fn the_status_page_is_for_those_with_the_token_and_nothing_can_be_changed() {
        for (method, target, bearer, status) in [
            ("GET", "/metrics", None, 200),
            ("HEAD", "/metrics", None, 200),
            ("GET", "/healthz", None, 503),
            ("GET", "/status", None, 401),
            ("GET", "/status?token=secre", None, 401),
            ("GET", "/status?token=", None, 401),
            ("GET", "/status", Some("other"), 401),
            ("GET", "/status?token=secret", None, 200),
            ("GET", "/status", Some("secret"), 200),
            ("POST", "/status?token=secret", None, 405),
            ("GET", "/", None, 404),
        ] {
            assert_eq!(asked(method, target, bearer).0, status, "{method} {target} {bearer:?}");
        }
        assert!(asked("GET", "/status?token=secret", None).1.starts_with("text/html"));
    }

    #[test]
    fn tokens_differ_and_are_not_shown() {
        let (one, other) = (Token::random().unwrap(), Token::random().unwrap());
        assert!(one.text() != other.text() && one.text().len() == 32);
        assert_eq!(format!("{one:?}"), "Token");
    }
}
