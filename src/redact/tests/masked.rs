//! Names, shapes and places that tell a secret, and what a placeholder keeps.

use super::*;

#[test]
fn secrets_are_masked_wherever_a_name_says_that_they_are() {
    let cases = [
        format!("<o:Password x:Type='t'>{SECRET}</o:Password>"),
        format!("<Password>\n  {SECRET}\n</Password>"),
        format!("<password><![CDATA[{SECRET}]]></password>"),
        format!("<Password>{SECRET}"),
        format!("<a><Password>{SECRET}<b></a>"),
        format!("<Password {SECRET}"),
        format!("<parm name=\"AAUTHSECRET\" value=\"{SECRET}\"/>"),
        format!("<parm value='{SECRET}' name='AAUTHSECRET'/>"),
        format!("<parm name=\"AAUTHDATA\" value=\"{SECRET}"),
        format!("<parm name=\"AAUTHSECRET\" value = \"{SECRET}\" & broken"),
        format!("<input type=hidden name=\"wresult\" value=\"{SECRET}\">"),
        format!("wresult={SECRET}&x=1"),
        format!(
            "<Envelope><Header><Security><BinarySecurityToken>{SECRET}</BinarySecurityToken></Security></Header></Envelope>"
        ),
        format!("<Envelope><Header><Security><BinarySecurityToken a='1'>{SECRET}"),
        format!("<x><ContextItem Name='EnrollmentData'><Value>{SECRET}</Value></ContextItem></x>"),
        format!("<Password>{SECRET}</Password><other>see {SECRET}, or {}</other>", STANDARD.encode(SECRET)),
    ];
    for text in cases {
        let masked = redactor().text(text.as_bytes());
        assert!(!appears(&masked, SECRET), "{}", String::from_utf8_lossy(&masked));
        assert_eq!(masked.len(), text.len(), "{text}");
        // The shape is the same: what a parser finds wrong, and where.
        let (before, after) = (Document::read(text.as_bytes()), Document::read(&masked));
        assert_eq!(before.defects(), after.defects(), "{text}");
    }
}

#[test]
fn secrets_are_found_in_unusual_clothes() {
    let decimal: String = SECRET.bytes().map(|b| format!("&#{b};")).collect();
    let hex: String = SECRET.bytes().map(|b| format!("&#x{b:X};")).collect();
    let cases = [
        (format!("<Password>{decimal}</Password><other>{SECRET}</other>"), [decimal.as_str(), SECRET]),
        (format!("<Password>{hex}</Password>"), [hex.as_str(), SECRET]),
        (format!("<a><Password>{hex}</a>"), [hex.as_str(), SECRET]),
        (format!("<Password Value=\"{SECRET}\"/>"), [SECRET, SECRET]),
        (format!("<Password><!--{SECRET}--></Password>"), [SECRET, SECRET]),
        (format!("<Password><!--{SECRET}--></Passwort>"), [SECRET, SECRET]),
        (format!("<!DOCTYPE a [<!ENTITY p \"{SECRET}\">]><Password>&p;</Password>"), [SECRET, SECRET]),
    ];
    for (text, gone) in cases {
        let masked = String::from_utf8(redactor().text(text.as_bytes())).unwrap();
        assert!(gone.iter().all(|secret| !masked.contains(secret)), "{masked}");
        assert_eq!(masked.len(), text.len(), "{text}");
        let (before, after) = (Document::read(text.as_bytes()), Document::read(masked.as_bytes()));
        assert_eq!(before.defects(), after.defects(), "{text}");
    }
    let kept = "<Password Type=\"urn:text\" xmlns:x=\"urn:x\">&amp;</Password>";
    assert_eq!(redactor().text(kept.as_bytes()), kept.as_bytes());
}

#[test]
fn user_and_password_in_an_address_are_masked() {
    let mut exchange = Exchange {
        request: Request {
            method: "GET".to_owned(),
            target: format!("http://user:{SECRET}@mdm.example/x"),
            headers: vec![Header::new("Host", format!("user:{SECRET}@mdm.example"))],
            ..Request::default()
        },
        response: Some(Response {
            status: 400,
            from: crate::event::From::Enrollscope,
            body: Body::full(format!("the Host header `user:{SECRET}@mdm.example` names no host")),
            ..Response::default()
        }),
        ..Exchange::default()
    };
    redactor().exchange(&mut exchange);
    assert!(!appears(format!("{exchange:?}").as_bytes(), SECRET), "{exchange:?}");
    assert!(exchange.request.target.ends_with("@mdm.example/x"));
}

#[test]
fn equal_secrets_have_equal_placeholders_of_their_own_shape() {
    let key = Key::new(&[7; 32]);
    assert_eq!(key.mask(b"abc DEF-123"), key.mask(b"abc DEF-123"));
    assert_ne!(key.mask(b"secret1"), key.mask(b"secret2"));
    assert_ne!(key.mask(b"secret1"), Key::new(&[8; 32]).mask(b"secret1"));
    let masked = key.mask(b"  Ab3 ");
    assert_eq!((masked.len(), &masked[..2], masked[5]), (6, &b"  "[..], b' '));
    assert!(masked[2].is_ascii_uppercase() && masked[3].is_ascii_lowercase() && masked[4].is_ascii_digit());
    assert_eq!(key.mask(b"").len(), 0);
}

#[test]
fn a_document_inside_base64_is_redacted_in_place() {
    let inner =
        format!("<wap-provisioningdoc><parm name=\"AAUTHSECRET\" value=\"{SECRET}\"/></wap-provisioningdoc>");
    let lines: Vec<_> = STANDARD
        .encode(&inner)
        .as_bytes()
        .chunks(64)
        .map(|c| String::from_utf8_lossy(c).into_owned())
        .collect();
    let body = format!(
        "<Envelope><Body><BinarySecurityToken>\n{}\n</BinarySecurityToken></Body></Envelope>",
        lines.join("\r\n")
    );
    let masked = redactor().text(body.as_bytes());
    let text = String::from_utf8(masked).unwrap();
    assert_eq!(text.len(), body.len());
    assert_eq!(text.matches("\r\n").count(), body.matches("\r\n").count());
    let document = Document::read(text.as_bytes());
    let token = document.root().unwrap().descendant("BinarySecurityToken").unwrap().text().into_owned();
    let inner = crate::message::decode_base64(&token).unwrap();
    assert!(inner.starts_with(b"<wap-provisioningdoc><parm name=\"AAUTHSECRET\" value=\""));
    assert!(!appears(&inner, SECRET));
}

#[test]
fn utf_16_and_compressed_bodies_are_redacted_too() {
    let text = format!("<Password>{SECRET}</Password>");
    let utf16: Vec<u8> =
        [0xFF, 0xFE].into_iter().chain(text.encode_utf16().flat_map(u16::to_le_bytes)).collect();
    let masked = redactor().text(&utf16);
    assert_eq!(masked.len(), utf16.len());
    let flat: Vec<u8> = masked.iter().copied().filter(|b| *b != 0).collect();
    assert!(!appears(&flat, SECRET));

    use std::io::Write as _;
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let discover = format!(
        "<Envelope><Header><Security><Password>{SECRET}</Password></Security></Header><Body><Discover/></Body></Envelope>"
    );
    gzip.write_all(discover.as_bytes()).unwrap();
    let body = Body { encoding: Some("gzip".to_owned()), ..Body::full(gzip.finish().unwrap()) };
    let mut exchange = Exchange {
        request: Request { method: "POST".to_owned(), body, ..Request::default() },
        ..Exchange::default()
    };
    redactor().exchange(&mut exchange);
    assert!(exchange.request.body.decoded && exchange.request.body.bytes.starts_with(b"<Envelope>"));
    assert!(!appears(&exchange.request.body.bytes, SECRET));
}

#[test]
fn heads_and_targets_lose_their_secrets_and_keep_their_names() {
    let mut exchange = Exchange {
        request: Request {
            method: "GET".to_owned(),
            target: format!("/EnrollmentServer/Discovery.svc?access_token={SECRET}&api=1"),
            headers: vec![
                Header::new("Authorization", format!("Bearer {SECRET}")),
                Header::new("Cookie", format!("session={SECRET}")),
                Header::new("X-Note", format!("it was {SECRET}")),
            ],
            ..Request::default()
        },
        response: Some(Response {
            status: 302,
            headers: vec![Header::new("Location", format!("https://a.example/?code={SECRET}"))],
            ..Response::default()
        }),
        ..Exchange::default()
    };
    redactor().exchange(&mut exchange);
    let all = format!("{exchange:?}");
    assert!(!appears(all.as_bytes(), SECRET), "{all}");
    assert!(exchange.request.headers[0].value.starts_with(b"Bearer "));
    assert!(exchange.request.headers[1].value.starts_with(b"session="));
    assert!(exchange.request.target.ends_with("&api=1"));
}

#[test]
fn bodies_of_management_sessions_and_of_unknown_kinds_are_withheld() {
    let sync = "<SyncML xmlns='SYNCML:SYNCML1.2'><Cred>x</Cred></SyncML>";
    let mut exchange = Exchange {
        request: Request { method: "POST".to_owned(), body: Body::full(sync), ..Request::default() },
        response: Some(Response { status: 200, body: Body::full("anything"), ..Response::default() }),
        ..Exchange::default()
    };
    redactor().exchange(&mut exchange);
    let response = exchange.response.unwrap();
    for body in [&exchange.request.body, &response.body] {
        assert_eq!((body.bytes.clone(), body.withheld.as_deref()), (Bytes::new(), Some("management-sync")));
    }
    assert_eq!(exchange.request.body.length, sync.len() as u64);
    assert_eq!(crate::message::read_request(&exchange.request).kind, crate::message::Kind::ManagementSync);
}

proptest::proptest! {
    #[test]
    fn any_text_keeps_its_length_and_its_defects(text in "(<(/)?(Password|a|parm name=\"AAUTHSECRET\" value=\"?)>?|[a-z&;]{0,8}|\"|'|<!--|-->){0,12}") {
        let masked = redactor().text(text.as_bytes());
        proptest::prop_assert_eq!(masked.len(), text.len());
        // Names inside quotes that never end may become equal or different: those alone may change.
        let kinds = |bytes: &[u8]| {
            let document = Document::read(bytes);
            let counted = document.defects().iter().filter(|d| d.kind != crate::xml::DefectKind::DuplicateAttribute);
            counted.map(|d| (d.kind, d.span.clone())).collect::<Vec<_>>()
        };
        proptest::prop_assert_eq!(kinds(text.as_bytes()), kinds(&masked));
    }
}

/// Written otherwise than we write them: padded, which the form of a JSON Web Token does not know.
#[test]
fn a_token_that_is_oddly_written_keeps_its_length() {
    let part = |text: &str| base64::engine::general_purpose::URL_SAFE.encode(text);
    let jwt = format!("{}.{}.c2lnbmF0dXJl", part("{\"alg\":\"RS256\"}"), part("{\"upn\":\"ab@b.example\"}"));
    assert!(jwt.contains('='));
    for token in [jwt.clone(), STANDARD.encode(&jwt), format!(" {jwt}\n"), jwt.replace('=', "")] {
        let text = format!("<wsse:Password>{token}</wsse:Password>");
        assert_eq!(redactor().text(text.as_bytes()).len(), text.len(), "{token}");
    }
}

/// A server's error text often has the token that it did not like, without the base64 around it.
#[test]
fn a_wrapped_token_is_known_without_its_wrapping() {
    let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let jwt =
        format!("{}.{}.{}", part("{\"alg\":\"RS256\"}"), part("{\"upn\":\"a@b.example\"}"), part(SECRET));
    for token in [jwt, format!("opaque {SECRET} of ours")] {
        let header = format!(
            "<s:Envelope xmlns:s=\"s\"><s:Header><Security><BinarySecurityToken>{}</BinarySecurityToken></Security>\
             </s:Header><s:Body/></s:Envelope>",
            STANDARD.encode(&token)
        );
        let mut exchange = Exchange {
            request: Request { body: Body::full(header), ..Request::default() },
            response: Some(Response {
                body: Body::full(format!("<Text>IDX10223: token: '{token}'</Text>")),
                ..Response::default()
            }),
            ..Exchange::default()
        };
        redactor().exchange(&mut exchange);
        let answer = exchange.response.unwrap().body.bytes;
        let secret = token.rsplit('.').next().unwrap();
        assert!(!appears(&answer, secret), "{}", String::from_utf8_lossy(&answer));
    }
}
