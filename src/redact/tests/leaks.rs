//! Secrets in the places, the spellings and the wrappings in which somebody once got one through.

use base64::engine::general_purpose::STANDARD_NO_PAD;

use super::*;

/// A document as servers provision it, with the secret in the parm of that name.
fn document(name: &str) -> String {
    format!(
        "<wap-provisioningdoc version=\"1.1\"><characteristic type=\"APPLICATION\"><parm name=\"{name}\" \
         value=\"{SECRET}\"/></characteristic></wap-provisioningdoc>"
    )
}

/// The text, and everything that base64, UTF-16, XML and URL spell in it, however it is broken up.
fn unwrapped(text: &[u8]) -> Vec<u8> {
    let mut all = text.to_vec();
    let mut layer = text.to_vec();
    for _ in 0..4 {
        let mut plain = String::from_utf8_lossy(&layer).replace('\0', "");
        for (mark, end) in [("<!--", "-->"), ("<?", "?>"), ("<x", "/>")] {
            while let Some(at) = plain.find(mark) {
                let Some(close) = plain[at..].find(end) else { break };
                plain.replace_range(at..at + close + end.len(), "");
            }
        }
        for (from, to) in [
            ("<![CDATA[", ""),
            ("]]>", ""),
            ("&#xD;", ""),
            ("&#13;", ""),
            ("&#x65;", "e"),
            ("&lt;", "<"),
            ("&gt;", ">"),
            ("&quot;", "\""),
            ("&amp;", "&"),
            ("%3D", "="),
            ("%26", "&"),
            ("%2E", "."),
        ] {
            plain = plain.replace(from, to);
        }
        all.extend(plain.bytes());
        let is_letter = |c: char| c.is_ascii_alphanumeric() || "+/-_".contains(c);
        let dense: String = plain.chars().filter(|c| !"\r\n".contains(*c)).collect();
        let raw = String::from_utf8_lossy(&layer).into_owned();
        layer = [raw, dense]
            .iter()
            .flat_map(|text| text.split(|c: char| !is_letter(c)))
            .filter(|run| run.len() >= 20)
            .flat_map(|run| (0..4).map(move |from| run[from..].replace('-', "+").replace('_', "/")))
            .flat_map(|run| {
                let cut = || STANDARD_NO_PAD.decode(&run[..run.len() / 4 * 4]).unwrap_or_default();
                [STANDARD_NO_PAD.decode(&run).unwrap_or_else(|_| cut()), b"\n".to_vec()].concat()
            })
            .collect();
        all.extend(&layer);
    }
    all
}

fn gone(what: &str, text: &[u8]) {
    let masked = redactor().text(text);
    let all = unwrapped(&masked);
    assert!(appears(&unwrapped(text), SECRET), "{what}: not planted: {}", String::from_utf8_lossy(text));
    assert!(!appears(&all, SECRET), "{what}: {}", String::from_utf8_lossy(&masked));
    assert_eq!(masked.len(), text.len(), "{what}");
    let (before, after) = (Document::read(text), Document::read(&masked));
    assert_eq!(before.defects(), after.defects(), "{what}");
}

fn in_lines(text: &str, end: &str) -> String {
    let lines: Vec<_> = text.as_bytes().chunks(76).map(|c| String::from_utf8_lossy(c).into_owned()).collect();
    lines.join(end)
}

fn utf16(text: &str, unit: fn(u16) -> [u8; 2]) -> Vec<u8> {
    text.encode_utf16().flat_map(unit).collect()
}

#[test]
fn base64_is_opened_however_it_is_broken_up() {
    let token = STANDARD.encode(document("AAUTHSECRET"));
    for (what, text) in [
        ("references", in_lines(&token, "&#xD;\n")),
        ("decimal references", in_lines(&token, "&#13;\r\n")),
        ("comments", in_lines(&token, "<!-- -->")),
        ("long comments", in_lines(&token, &format!("<!--{}-->", "A".repeat(80)))),
        ("an instruction", in_lines(&token, "<?x y?>")),
        ("data sections", format!("<![CDATA[{}]]>", in_lines(&token, "]]><![CDATA["))),
        ("a data section", format!("{}<![CDATA[{}]]>{}", &token[..70], &token[70..99], &token[99..])),
        ("a letter as a number", token.replace('e', "&#x65;")),
        ("a name before it", format!("token={token}")),
        ("twice", format!("{0}{0}", STANDARD.encode(document("AAUTHSECRET") + " "))),
        ("words before it", format!("the token is {token} and that is all")),
        ("lines behind words", format!("see below\n{}", in_lines(&token, "\n"))),
        ("elements", format!("{}<x/>{}", &token[..71], &token[71..])),
        ("UTF-16", STANDARD.encode(utf16(&document("AAUTHSECRET"), u16::to_le_bytes))),
        ("UTF-16, the other way", STANDARD.encode(utf16(&document("AAUTHSECRET"), u16::to_be_bytes))),
        ("escaped twice", STANDARD.encode(document("A").replace("\"A\"", "\"AAUTH&#83;ECRET\""))),
    ] {
        let body =
            format!("<Envelope><Body><BinarySecurityToken>{text}</BinarySecurityToken></Body></Envelope>");
        gone(what, body.as_bytes());
    }
    let inside = format!("<a>QUJD<!--{token}-->QUJD</a>");
    gone("inside a comment", inside.as_bytes());
    gone("a text in UTF-16", &utf16(&document("AAUTHSECRET"), u16::to_le_bytes));
}

#[test]
fn equal_secrets_stay_equal_however_they_are_written() {
    let plain = format!("<Body><Token>{}</Token></Body>", STANDARD.encode(document("AAUTHSECRET")));
    let masked = String::from_utf8(redactor().text(plain.as_bytes())).unwrap();
    for (from, to) in [("bWU", "b&#87;U"), ("bWU", "b<!-- -->WU"), ("bWU", "b&#xD;WU")] {
        let at = plain.find(from).unwrap();
        let broken = format!("{}{to}{}", &plain[..at], &plain[at + from.len()..]);
        let expected = format!("{}{to}{}", &masked[..at], &masked[at + from.len()..]);
        assert_eq!(String::from_utf8(redactor().text(broken.as_bytes())).unwrap(), expected);
    }
}

#[test]
fn every_parm_that_is_a_key_or_a_password_is_masked() {
    for name in [
        "PFXCertPassword",
        "PFXCertBlob",
        "Challenge",
        "keyMaterial",
        "sharedKey",
        "ProxyPassword",
        "PXAUTH-PW",
        "AUTHSECRET",
        "SharedSecret",
        "L2tpPsk",
        "PreSharedKey",
        "Passphrase",
        "NetworkPassword",
        "api_key",
        "AuthToken",
        "SMTPALTPASSWORD",
        "aauthsecret",
        "AAUTH&#83;ECRET",
        " AAUTHSECRET ",
    ] {
        gone(name, document(name).as_bytes());
        gone(name, document(name).replace("value", "VALUE").replace("name", "Name").as_bytes());
        gone(name, STANDARD.encode(document(name)).as_bytes());
    }
    for name in
        ["PFXCertPasswordEncryptionType", "PasswordMinLength", "KeySpec", "SubjectName", "ContainerName"]
    {
        assert_eq!(redactor().text(document(name).as_bytes()), document(name).as_bytes(), "{name}");
    }
}

#[test]
fn a_profile_inside_a_parm_is_a_text_of_its_own() {
    let profile = format!(
        "<WLANProfile><name>Office</name><sharedKey><keyType>passPhrase</keyType><protected>false</protected>\
         <keyMaterial>{SECRET}</keyMaterial></sharedKey></WLANProfile>"
    );
    let escape = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    for (what, value) in [
        ("escaped", escape(&profile)),
        ("escaped twice", escape(&escape(&profile))),
        ("base64", STANDARD.encode(&profile)),
        ("base64 of escaped", STANDARD.encode(escape(&profile))),
    ] {
        let text = format!("<a><parm name=\"WlanXml\" value=\"{value}\"/><b>{value}</b></a>");
        gone(what, text.as_bytes());
    }
    gone("data", format!("<a><Data><![CDATA[{profile}]]></Data></a>").as_bytes());
    let vpn = format!("<a><Data>{}</Data></a>", escape(&format!("<Eap><Password>{SECRET}</Password></Eap>")));
    gone("an element inside a text", vpn.as_bytes());
    // An error text that names an element has not begun one.
    let quoted = "<a><Text>&lt;Password&gt; is missing</Text><b>0x80180014</b></a>";
    assert!(redactor().text(quoted.as_bytes()).ends_with(b"</Text><b>0x80180014</b></a>"));
}

#[test]
fn what_nobody_knows_in_a_security_header_is_a_secret() {
    let envelope = |security: &str| {
        format!(
            "<s:Envelope xmlns:s='s'><s:Header><Security>{security}</Security></s:Header><s:Body/></s:Envelope>"
        )
    };
    for security in [
        format!("<saml:Assertion xmlns:saml='a' ID='x'><saml:Sig>{SECRET}</saml:Sig></saml:Assertion>"),
        format!("<KerberosToken Value='{SECRET}'/>"),
        format!("<Cookie>{SECRET}</Cookie>"),
        format!("<DerivedKey><Label>{SECRET}</Label></DerivedKey>"),
        format!("stray {SECRET}"),
        format!("<UsernameToken><Username>u</Username><Pin>{SECRET}</Pin></UsernameToken>"),
        format!("<BinarySecurityToken>{SECRET}</BinarySecurityToken>"),
        format!("<Signature><KeyInfo><Assertion>{SECRET}</Assertion></KeyInfo></Signature>"),
    ] {
        gone(&security, envelope(&security).as_bytes());
    }
    let kept = envelope(
        "<u:Timestamp xmlns:u='u'><u:Created>2026-01-01T00:00:00Z</u:Created></u:Timestamp>\
         <UsernameToken><Username>user@example</Username></UsernameToken>\
         <Signature><SignedInfo><DigestValue>QUJD</DigestValue></SignedInfo></Signature>",
    );
    assert_eq!(String::from_utf8(redactor().text(kept.as_bytes())).unwrap(), kept);
}

#[test]
fn a_context_item_hands_its_value_over_in_any_way() {
    for item in [
        format!("<ac:ContextItem Name=\"EnrollmentData\">{SECRET}</ac:ContextItem>"),
        format!("<ac:ContextItem NAME='EnrollmentData'><ac:Text>{SECRET}</ac:Text></ac:ContextItem>"),
        format!("<ac:ContextItem Name='EnrollmentData' Value='{SECRET}'/>"),
        format!("<ac:ContextItem Name='Enrollment&#68;ata'><![CDATA[{SECRET}]]></ac:ContextItem>"),
        format!("<ac:ContextItem Name='EnrollmentData'><ac:Value>{SECRET}"),
        format!("<ac:ContextItem Name='EnrollmentData'>{SECRET}"),
    ] {
        gone(&item, format!("<a xmlns:ac='a'>{item}").as_bytes());
        // Deeper than is read: only the bytes are left to go by.
        if !item.contains("&#") {
            gone(&item, format!("<a xmlns:ac='a'>{}{item}", "<b>".repeat(70)).as_bytes());
        }
    }
}

#[test]
fn a_page_hands_over_in_any_way() {
    for part in [
        format!("<textarea name=wresult>{SECRET}</textarea>"),
        format!("<textarea name=t>{SECRET}</textarea>"),
        format!("<script>var t = '{SECRET}'; go(t);</script>"),
        format!("<script>location = \"ms-app://x?t={SECRET}\"</script>"),
        format!("<a href=\"ms-app://x?t={SECRET}\">go on</a>"),
        format!("<a href=\"ms-app://x#t={SECRET}\">go on</a>"),
        format!("<meta http-equiv=refresh content=\"0;url=ms-app://x?t={SECRET}\">"),
        format!("<form action=\"ms-app://x?t={SECRET}\"></form>"),
        format!("<body onload=\"go('{SECRET}')\">"),
        format!("<div data-token=\"{SECRET}\"></div>"),
        format!("<input type=hidden value='{SECRET}'>"),
    ] {
        let text = format!("<html><form action=\"ms-app://windows\"></form>{part}</html>");
        let masked = redactor().text(text.as_bytes());
        assert!(!appears(&masked, SECRET), "{}", String::from_utf8_lossy(&masked));
        assert_eq!(masked.len(), text.len(), "{part}");
    }
}

fn jwt() -> String {
    let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
    format!(
        "{}.{}.{}",
        part("{\"alg\":\"RS256\"}"),
        part("{\"aud\":\"urn:x\",\"upn\":\"a@b.example\"}"),
        part(SECRET)
    )
}

#[test]
fn a_json_web_token_is_known_by_its_shape_anywhere() {
    let encrypted = format!(
        "{}.{}.aXY.{}.dGFn",
        jwt().split('.').next().unwrap(),
        jwt().len(),
        URL_SAFE_NO_PAD.encode(SECRET)
    );
    let spaced =
        format!("{}{}", URL_SAFE_NO_PAD.encode("{ \"alg\":\"RS256\"}"), &jwt()[jwt().find('.').unwrap()..]);
    for token in [jwt(), encrypted, spaced] {
        for (what, text) in [
            ("alone", token.clone()),
            ("an error", format!("<Text>IDX10223: '{token}' has expired.</Text>")),
            ("JSON", format!("{{\"x\":\"{token}\"}}")),
            ("a word", format!("x_{token}")),
            ("base64", STANDARD.encode(&token)),
            ("base64 of base64", STANDARD.encode(STANDARD.encode(&token))),
            ("a URL", format!("https://x/?state=1%26x%3D{}", token.replace('.', "%2E"))),
            ("comment", format!("<a><!-- {token} --></a>")),
        ] {
            gone(what, text.as_bytes());
        }
    }
    let masked = String::from_utf8(redactor().text(format!("token: {}.", jwt()).as_bytes())).unwrap();
    let token = masked.strip_prefix("token: ").unwrap().strip_suffix('.').unwrap();
    assert_eq!(crate::message::Jwt::read(token).unwrap().user(), Some("a@b.example"));
    // Equal with one that a header's name tells.
    let mut exchange = Exchange::default();
    exchange.request.headers =
        vec![Header::new("Authorization", format!("Bearer {}", jwt())), Header::new("X-Y", jwt())];
    redactor().exchange(&mut exchange);
    let [bearer, other] = &exchange.request.headers[..] else { unreachable!() };
    assert_eq!(bearer.value.strip_prefix(b"Bearer ").unwrap(), &other.value);
}

#[test]
fn every_part_of_an_exchange_is_searched_for_tokens() {
    let mut exchange = Exchange {
        request: Request { target: format!("/x/{}", jwt()), ..Request::default() },
        response: Some(Response { reason: format!("No {}", jwt()), ..Response::default() }),
        ..Exchange::default()
    };
    exchange.request.body.trailers = vec![Header::new("X-A", jwt())];
    exchange.request.sent = Some(Box::new(crate::event::Sent {
        body: Some(Bytes::from(jwt())),
        ..crate::event::Sent::default()
    }));
    let response = exchange.response.as_mut().unwrap();
    response.headers = vec![Header::new("X-B", STANDARD.encode(jwt()))];
    response.body.trailers = vec![Header::new("X-C", jwt())];
    redactor().exchange(&mut exchange);
    let all = format!("{exchange:?}");
    let signature = URL_SAFE_NO_PAD.encode(SECRET);
    assert!(!appears(&unwrapped(all.as_bytes()), SECRET) && !all.contains(&signature), "{all}");
}

#[test]
fn headers_are_secrets_by_what_their_names_say() {
    for name in [
        "X-MS-TOKEN-AAD-ACCESS-TOKEN",
        "X-MS-TOKEN-AAD-ID-TOKEN",
        "Cf-Access-Jwt-Assertion",
        "Token",
        "X-Amzn-Oidc-Data",
        "X-Amzn-Oidc-Accesstoken",
        "X-Forwarded-Access-Token",
        "X-Auth-Request-Access-Token",
        "X-ID-Token",
        "Ocp-Apim-Subscription-Key",
        "x-functions-key",
        "X-Session-Id",
        "X-Vault-Secret",
        "X-Auth",
        "Cookie2",
        "MDM-Signature",
    ] {
        let mut exchange = Exchange::default();
        exchange.request.headers = vec![
            Header::new(name, SECRET),
            Header::new(name, format!("{SECRET} second")),
            Header::new(name, format!("a {SECRET}")),
        ];
        redactor().exchange(&mut exchange);
        assert!(!appears(format!("{exchange:?}").as_bytes(), SECRET), "{name}");
    }
    // All that rules read, and others of enrollments.
    for name in [
        "Content-Type",
        "Content-Length",
        "Content-Encoding",
        "Content-Security-Policy",
        "Location",
        "Host",
        "WWW-Authenticate",
        "Proxy-Authenticate",
        "User-Agent",
        "Transfer-Encoding",
        "Accept-Encoding",
        "SOAPAction",
        "Access-Control-Allow-Credentials",
        "MS-CV",
        "X-Powered-By",
        "X-Request-Id",
        "Date",
        "ETag",
    ] {
        let mut exchange = Exchange::default();
        exchange.request.headers = vec![Header::new(name, "some value")];
        redactor().exchange(&mut exchange);
        assert_eq!(exchange.request.headers[0].value, "some value", "{name}");
    }
}

#[test]
fn parameters_are_secrets_by_what_their_names_say() {
    let names = [
        "refresh_token",
        "SAMLResponse",
        "client_assertion",
        "id_token_hint",
        "api_key",
        "code_verifier",
        "acc%65ss_token",
        "X-Amz-Signature",
        "PASSWORD",
        "sessionid",
    ];
    let value: String = form_urlencoded::byte_serialize(SECRET.as_bytes()).collect();
    for name in names {
        for (what, text) in [
            ("query", format!("https://x.example/y?a=1&{name}={value}")),
            ("fragment", format!("https://x.example/y#{name}={value}")),
            ("relative", format!("/y?{name}={value}&b=2")),
            ("nested", format!("/y?u=https%3A%2F%2Fx%2F%3F{name}%3D{}%26c%3D1", value.replace('%', "%25"))),
        ] {
            let mut exchange = Exchange {
                request: Request { target: text.clone(), ..Request::default() },
                ..Exchange::default()
            };
            exchange.request.headers =
                vec![Header::new("Location", text.clone()), Header::new("Referer", text.clone())];
            redactor().exchange(&mut exchange);
            let all = format!("{exchange:?}").replace("%25", "%");
            assert!(!appears(all.as_bytes(), SECRET) && !all.contains(&value), "{what} {name}: {all}");
        }
        let form = redactor().text(format!("a=1&{name}={value}&b=2").as_bytes());
        assert!(form.ends_with(b"&b=2"));
        assert!(!appears(&form, SECRET), "{}", String::from_utf8_lossy(&form));
    }
    for kept in [
        "/x?api-version=1.0&client-request-id=2&mode=azureadjoin",
        "/auth?appru=ms-app%3a%2f%2fx&login_hint=a%40b",
    ] {
        let mut target = Exchange {
            request: Request { target: kept.to_owned(), ..Request::default() },
            ..Exchange::default()
        };
        redactor().exchange(&mut target);
        assert_eq!(target.request.target, kept);
    }
}

#[test]
fn a_flood_of_secrets_hides_none_of_them() {
    let flood: String = (0..200).map(|n| format!("<Password>dummy{n}dummy</Password>")).collect();
    for dummies in ["", flood.as_str()] {
        let soap = "<s:Envelope xmlns:s=\"http://www.w3.org/2003/05/soap-envelope\"><s:Body><Discover>";
        let text = format!(
            "{soap}{dummies}<Password>{SECRET}</Password><a>{SECRET}</a></Discover></s:Body></s:Envelope>"
        );
        let mut exchange = Exchange {
            request: Request { body: Body::full(text), ..Request::default() },
            ..Exchange::default()
        };
        redactor().exchange(&mut exchange);
        let body = exchange.request.body;
        assert!(!appears(&body.bytes, SECRET), "{}", String::from_utf8_lossy(&body.bytes));
        assert_eq!(body.withheld.is_some(), !dummies.is_empty());
    }
}

proptest::proptest! {
    /// What comes behind a secret that is whole does not save it.
    #[test]
    fn nothing_behind_it_saves_a_secret(
        rest in "(<(/)?(Password|a|parm name=\"Challenge\" value=\"?|!--|!\\[CDATA\\[)>?|-->|\\]\\]>|&(amp|lt|#65);|eyJ|=|&|%41|\"|'|[a-zA-Z.]{0,40}){0,12}"
    ) {
        let token = STANDARD.encode(document("AAUTHSECRET")).replacen('P', "&#80;", 1);
        let profile = format!("<b c=\"&lt;sharedKey&gt;{SECRET}&lt;/sharedKey&gt;\"/>");
        let text = format!("<a><Password>{SECRET}</Password>{profile}<t>{token}</t>{}</a>{rest}", jwt());
        let masked = redactor().text(text.as_bytes());
        proptest::prop_assert_eq!(masked.len(), text.len());
        let all = String::from_utf8_lossy(&masked).replace("&#80;", "P");
        proptest::prop_assert!(!appears(&unwrapped(all.as_bytes()), SECRET), "{}", all);
    }
}
