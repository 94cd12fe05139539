//! Which heads pass, byte for byte, and which are refused.

use super::*;

fn status_of(head: &str) -> Result<Extent, (u16, String)> {
    Head::request(head.as_bytes()).map(|h| h.extent).map_err(|r| (r.status, r.what))
}

#[test]
fn heads_that_could_be_read_in_two_ways_are_refused() {
    let table: &[(&str, u16, &str)] = &[
        ("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", 400, "both"),
        ("Content-Length: 5\r\nContent-Length: 6\r\n", 400, "differ"),
        ("Content-Length: 5, 6\r\n", 400, "differ"),
        ("Content-Length: 5, 5\r\n", 400, "a list of lengths"),
        ("Content-Length: 5,5\r\nContent-Length: 5\r\n", 400, "a list of lengths"),
        ("Content-Length: +5\r\n", 400, "no number"),
        ("Content-Length: 0x5\r\n", 400, "no number"),
        ("Content-Length: -1\r\n", 400, "no number"),
        ("Content-Length:\r\n", 400, "no number"),
        ("Content-Length: 99999999999999999999\r\n", 400, "no number"),
        ("Content-Length : 5\r\n", 400, "blank between"),
        ("Transfer-Encoding : chunked\r\n", 400, "blank between"),
        ("Transfer-Encoding: chunked, gzip\r\n", 400, "does not end with chunked"),
        ("Transfer-Encoding: xchunked\r\n", 400, "does not end with chunked"),
        ("Transfer-Encoding:\r\n", 400, "does not end with chunked"),
        ("Transfer-Encoding: chunked, chunked\r\n", 400, "more than once"),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", 400, "more than once"),
        ("X: a\rb\r\n", 400, "bare CR"),
        ("X: a\nY: b\r\n", 400, "bare LF"),
        ("X: a\0b\r\n", 400, "NUL"),
        ("X: a\u{1}b\r\n", 400, "control"),
        ("X Y: a\r\n", 400, "name"),
        ("Host: second\r\n", 400, "more than one Host"),
        ("Transfer-Encoding: identity\r\n", 400, "does not end with chunked"),
    ];
    for (lines, status, what) in table {
        let head = format!("POST / HTTP/1.1\r\nHost: mdm.example\r\n{lines}\r\n");
        let (got, said) = status_of(&head).expect_err(lines);
        assert_eq!(got, *status, "{lines:?}");
        assert!(said.contains(what), "{lines:?}: {said}");
    }
    let odd: &[(&str, u16)] = &[
        ("GET / HTTP/1.1\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400),
        ("GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
        ("GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        ("nonsense\r\n\r\n", 400),
    ];
    for (head, status) in odd {
        assert_eq!(status_of(head).expect_err(head).0, *status, "{head:?}");
    }
}

#[test]
fn more_headers_than_anybody_sends_are_refused() {
    let many = "X: y\r\n".repeat(MOST_HEADERS + 1);
    assert_eq!(status_of(&format!("GET / HTTP/1.1\r\nHost: a\r\n{many}\r\n")).expect_err("many").0, 431);
}

#[test]
fn lawful_heads_keep_their_bytes() {
    let table: &[(&str, Extent)] = &[
        ("GET /x HTTP/1.1\r\nhOST: a:443\r\n\r\n", Extent::None),
        ("GET /x HTTP/1.0\r\n\r\n", Extent::None),
        ("POST /x?a=|{} HTTP/1.1\r\nHost: a\r\nContent-length:5\r\n\r\n", Extent::Length(5)),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n", Extent::Length(5)),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, Chunked\r\n\r\n", Extent::Chunked),
        ("POST / HTTP/1.1\r\nHost:\r\nX:\t two  blanks \r\nX-\u{e9}mpty: \u{e9}\r\n\r\n", Extent::None),
    ];
    for (text, extent) in table {
        // A header name is ASCII; only values may carry more.
        let text = text.replace("X-\u{e9}mpty", "X-Empty");
        let head = Head::request(text.as_bytes()).expect(&text);
        assert_eq!(head.extent, *extent, "{text:?}");
        assert_eq!(head.edited(&[]), text.as_bytes());
    }
}

#[test]
fn folded_lines_are_joined_and_never_hide_framing() {
    let head = Head::request(b"GET / HTTP/1.1\r\nHost: a\r\nX: one\r\n\ttwo\r\n\r\n").expect("folded");
    assert!(head.folded);
    assert_eq!(head.header("x").map(|h| h.text().into_owned()), Some("one  \ttwo".to_owned()));
    assert_eq!(&head.raw()[..], b"GET / HTTP/1.1\r\nHost: a\r\nX: one  \ttwo\r\n\r\n");
    assert!(status_of("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n chunked\r\n\r\n").is_ok());
}

#[test]
fn edits_touch_nothing_else() {
    let head = Head::request(b"GET / HTTP/1.1\r\nhost:  a\r\nX:1\r\nUpgrade: h2c\r\n\r\n").expect("head");
    let edits = [
        Edit::Value { header: 0, value: Bytes::from_static(b"longer.example") },
        Edit::Remove { header: 2 },
        Edit::Append { name: "Via".into(), value: "us".into() },
    ];
    assert_eq!(
        &head.edited(&edits)[..],
        b"GET / HTTP/1.1\r\nhost:  longer.example\r\nX:1\r\nVia: us\r\n\r\n"
    );
    let names: Vec<String> = head.edited_headers(&edits).into_iter().map(|h| h.name).collect();
    assert_eq!(names, ["host", "X", "Via"]);
}

#[test]
fn a_response_ends_where_its_head_says() {
    let check = |lines: &str, to_head: bool, expected: Extent| {
        let head = Head::response(format!("HTTP/1.1 {lines}\r\n\r\n").as_bytes(), to_head).expect(lines);
        assert_eq!(head.extent, expected, "{lines:?}");
    };
    check("200 OK\r\nContent-Length: 7", false, Extent::Length(7));
    check("200 OK\r\nContent-Length: 7", true, Extent::None);
    check("200 OK", false, Extent::Close);
    check("200", false, Extent::Close);
    check("204 No Content", false, Extent::None);
    check("304 Not Modified\r\nContent-Length: 7", false, Extent::None);
    check("200 OK\r\ntransfer-encoding: chunked", false, Extent::Chunked);
    check("200 OK\r\ntransfer-encoding: gzip", false, Extent::Close);
    check("200 OK\r\nContent-Length: 7, 7", false, Extent::Length(7));
    let both = b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert_eq!(
        Head::response(both, false).expect_err("both").what,
        "both Content-Length and Transfer-Encoding"
    );
    assert!(Head::response(b"SSH-2.0-OpenSSH\r\n\r\n", false).is_err());
}

#[test]
fn the_end_of_a_head_is_found_with_any_line_end() {
    assert_eq!(find_end(b"GET / HTTP/1.1\r\n\r\nrest", 0), Some(18));
    assert_eq!(find_end(b"GET / HTTP/1.1\n\nrest", 0), Some(16));
    assert_eq!(find_end(b"GET / HTTP/1.1\r\n\r", 0), None);
    assert_eq!(find_end(b"GET / HTTP/1.1\r\n\r\n", 17), Some(18));
}
