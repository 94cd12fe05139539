//! Every shape of message once directly and once through the proxy: both ends must see the same bytes.
//!
//! What is allowed to differ is what the architecture's table of the wire says: chunk boundaries and extensions, folded
//! lines. Everything else is compared byte for byte.

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::wire::{Bench, Server, read_all, read_until, settings, text};

/// A request, and the bytes that it ends with.
struct Asked {
    bytes: Vec<u8>,
    end: &'static str,
    head: bool,
    old: bool,
}

/// An answer; `end` is absent where the connection's close ends it.
struct Answered {
    bytes: Vec<u8>,
    end: Option<&'static str>,
    chunked: bool,
}

const HEADERS: &[&[u8]] = &[
    b"",
    b"User-Agent: ENROLLClient\r\nACCEPT-encoding: identity\r\nx-lower: 1\r\nX-UPPER: 2\r\n",
    b"X-Twice: 1\r\nX-Between: b\r\nX-Twice: 2\r\nx-twice: 2\r\n",
    b"X-Blank:\r\nX-Wide:    both sides   \r\nX-Tab:\ttab\t\r\n",
    b"X-Bytes: \xE9t\xE9 \xF0\x9F\x92\xA1\r\nX-Symbols: \"a\",(b);c=d|{e}\r\n",
    b"Cookie: a=1; b=2\r\nCookie: c=3\r\nAuthorization: Basic YTpi\r\nPragma: no-cache\r\n",
    b"Date: Thu, 01 Jan 1970 00:00:00 GMT\r\nVia: 1.1 front\r\nX-Forwarded-For: 192.0.2.1\r\nTE: trailers\r\n",
];

fn requests() -> Vec<Asked> {
    let mut found = Vec::new();
    let starts = [
        ("GET", "/"),
        ("HEAD", "/EnrollmentServer/Discovery.svc"),
        ("OPTIONS", "*"),
        ("DELETE", "/a%2Fb/../c;d?e=f&g=%00#h"),
        ("POST", "/EnrollmentServer/Policy.svc?client-request-id=7F|{}\"<>^`"),
        ("PROPFIND", "http://a.example/absolute?x"),
    ];
    let bodies: [(&[u8], &str); 5] = [
        (b"\r\n", "\r\n\r\n"),
        (b"Content-Length: 0\r\n\r\n", "\r\n\r\n"),
        (b"content-length: 8\r\n\r\n\0\xFF<a/>\r\n", "<a/>\r\n"),
        (b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", "0\r\n\r\n"),
        (
            b"Transfer-Encoding: Chunked\r\nTrailer: X-T\r\n\r\n5\r\nabcde\r\n0\r\nX-t: last\r\n\r\n",
            "X-t: last\r\n\r\n",
        ),
    ];
    for (number, (method, target)) in starts.iter().enumerate() {
        for (version, old) in [("HTTP/1.1", false), ("HTTP/1.0", true)] {
            for (at, (body, end)) in bodies.iter().enumerate() {
                // Chunks are HTTP/1.1's; a body on GET and HEAD is nobody's affair.
                if at > 1 && (old || number < 2) {
                    continue;
                }
                let headers = HEADERS[(number + at) % HEADERS.len()];
                let start = format!("{method} {target} {version}\r\nhOsT: a.example\r\n");
                let bytes = [start.as_bytes(), headers, body].concat();
                found.push(Asked { bytes, end, head: *method == "HEAD", old });
            }
        }
    }
    found
}

fn answers(head: bool) -> Vec<Answered> {
    let mut found = Vec::new();
    let bodies: [(&str, &[u8], Option<&str>, bool); 6] = [
        ("200 OK", b"Content-Length: 5\r\n\r\n\0\xFFabc", Some("abc"), false),
        ("200 Fine  indeed", b"content-LENGTH: 0\r\n\r\n", Some("\r\n\r\n"), false),
        (
            "500 ",
            b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n1\r\nd\r\n0\r\nX-After: 1\r\n\r\n",
            Some("X-After: 1\r\n\r\n"),
            true,
        ),
        ("204 No Content", b"\r\n", Some("\r\n\r\n"), false),
        ("304 Not Modified", b"ETag: \"a\"\r\nContent-Length: 77\r\n\r\n", Some("\r\n\r\n"), false),
        (
            "401 Unauthorized",
            b"WWW-Authenticate: Basic realm=\"a\"\r\nConnection: close\r\n\r\nto the end",
            None,
            false,
        ),
    ];
    for (at, (status, body, end, chunked)) in bodies.into_iter().enumerate() {
        for (version, headers) in [("HTTP/1.1", HEADERS[at]), ("HTTP/1.1", HEADERS[(at + 3) % HEADERS.len()])]
        {
            let start = format!("{version} {status}\r\nserver: S\r\nSet-Cookie: a=1\r\nset-cookie: b=2\r\n");
            let mut bytes = [start.as_bytes(), headers, body].concat();
            let mut end = end;
            if head {
                // Its head is all of an answer to HEAD, whatever the head says.
                let over = bytes.windows(4).position(|w| w == b"\r\n\r\n").unwrap() + 4;
                bytes.truncate(over);
                end = end.map(|_| "\r\n\r\n");
            }
            found.push(Answered { bytes, end, chunked });
        }
    }
    found
}

/// Asks on this connection; yields what the server got, and what the device got.
async fn exchange<S>(mut device: S, server: &Server, asked: &Asked, answered: &Answered) -> (Vec<u8>, Vec<u8>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    device.write_all(&asked.bytes).await.unwrap();
    let (got, kept) = server.serve_once(asked.end, &answered.bytes).await;
    let answer = match answered.end {
        // What a chunked answer of an HTTP/1.0 device becomes ends with the close, too.
        Some(end) if !(asked.old && answered.chunked) => read_until(&mut device, end).await,
        _ => {
            drop(kept);
            read_all(&mut device).await
        }
    };
    (got, answer)
}

/// The head, and the body with its chunks joined.
fn joined(message: &[u8]) -> (String, Vec<u8>) {
    let over = message.windows(4).position(|w| w == b"\r\n\r\n").unwrap() + 4;
    let (head, body) = message.split_at(over);
    let head = head.iter().map(|b| char::from(*b)).collect::<String>();
    if !head.to_ascii_lowercase().contains("\r\ntransfer-encoding: chunked") {
        return (head, body.to_vec());
    }
    let (mut out, mut rest) = (Vec::new(), body);
    while let Some(line) = rest.windows(2).position(|w| w == b"\r\n") {
        let size = text(&rest[..line]);
        let size = usize::from_str_radix(size.split(';').next().unwrap(), 16).unwrap();
        rest = &rest[line + 2..];
        if size == 0 {
            break;
        }
        out.extend_from_slice(&rest[..size]);
        rest = &rest[size + 2..];
    }
    // The trailers, as they are spelled.
    out.extend_from_slice(rest);
    (head, out)
}

#[tokio::test]
async fn both_ends_see_the_same_directly_and_through_the_proxy() {
    let server = Server::start().await;
    let mut compared = 0;
    for asked in requests() {
        for answered in answers(asked.head) {
            let words = format!("{}\n----\n{}", text(&asked.bytes), text(&answered.bytes));
            let straight = TcpStream::connect(server.address).await.unwrap();
            let (got, answer) = exchange(straight, &server, &asked, &answered).await;
            assert_eq!(got, asked.bytes, "{words}");
            // Each its own proxy: none goes over a connection that the server has closed after the last one.
            let bench = Bench::start(settings(server.address)).await;
            let (proxied, delivered) = exchange(bench.connect().await, &server, &asked, &answered).await;
            assert_eq!(joined(&proxied), joined(&got), "the server's side of\n{words}");
            if asked.old && answered.chunked && !asked.head {
                // The one translation: HTTP/1.0 knows no chunks.
                let (head, body) = joined(&delivered);
                assert!(!head.to_ascii_lowercase().contains("transfer-encoding"), "{head}");
                assert_eq!(body, b"abcd", "{words}");
            } else {
                assert_eq!(joined(&delivered), joined(&answer), "the device's side of\n{words}");
            }
            compared += 1;
            bench.stop().await;
        }
    }
    assert!(compared >= 400, "{compared}");
}
