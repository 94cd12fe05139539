//! What is read, what is found broken, and where.

use super::*;
use DefectKind as D;

fn kinds(text: &str) -> Vec<DefectKind> {
    Document::read(text.as_bytes()).defects().iter().map(|d| d.kind).collect()
}

#[test]
fn a_tree_keeps_names_namespaces_values_and_spans() {
    let text = r#"<s:E xmlns:s="urn:s" xmlns="urn:d"><a s:n="x&amp;y">1&lt;2<![CDATA[<3]]></a><a/><b>  t </b></s:E>"#;
    let document = Document::read(text.as_bytes());
    assert_eq!(document.defects(), &[]);
    let root = document.root().unwrap();
    assert_eq!((root.local(), root.namespace().uri()), ("E", "urn:s"));
    let a = root.child("a").unwrap();
    assert_eq!((a.namespace().uri(), a.text().as_ref(), a.path().as_str()), ("urn:d", "1<2<3", "E/a[1]"));
    let attribute = a.attribute("n").unwrap();
    assert_eq!((attribute.value().as_ref(), attribute.namespace().uri()), ("x&y", "urn:s"));
    assert_eq!(&text[attribute.span()], "x&amp;y");
    let b = root.child("b").unwrap();
    assert_eq!((&text[b.text_span()], &text[b.span()]), ("t", "<b>  t </b>"));
    assert_eq!(root.descendants().map(|e| e.local()).collect::<Vec<_>>(), ["a", "a", "b"]);
}

#[test]
fn each_defect_is_found_at_its_place_and_reading_goes_on() {
    let cases: &[(&str, &[DefectKind], &str)] = &[
        ("", &[D::Empty], ""),
        ("  \r\n", &[D::Empty], ""),
        ("no xml", &[D::TextOutsideRoot, D::NoElement], "n"),
        ("<a>", &[D::Unclosed], "<a>"),
        ("<a/><b/>", &[D::SecondRoot], "<b/>"),
        ("x<a/>", &[D::TextOutsideRoot], "x"),
        ("<a>\u{1}</a>", &[D::ControlCharacter], "\u{1}"),
        ("<a>]]></a>", &[D::CdataEndInText], "]]>"),
        ("<a b='<'/>", &[D::LessThanInAttribute], "<"),
        ("<1a/>", &[D::BadName], "1a"),
        ("<p:a/>", &[D::UndeclaredPrefix], "p"),
        ("<a>&who;</a>", &[D::UndefinedEntity], "&who;"),
        ("<a b='&who;'/>", &[D::UndefinedEntity], "&"),
        ("<a b='x&y=1'/>", &[D::BareAmpersand], "&"),
        ("<a b='1' b='2'/>", &[D::DuplicateAttribute], "b"),
        ("<a b=1/>", &[D::BadAttribute], "1"),
        ("<!DOCTYPE a [<!ENTITY x 'boom'>]><a>&x;</a>", &[D::DocumentType, D::UndefinedEntity], "<!DOCTYPE"),
        ("<a><!— typo --><b/></a>", &[D::BadComment], "<!— typo -->"),
        ("<a><!-- x -- y --><b/></a>", &[D::BadComment], "<!-- x -- y -->"),
        ("<a><b></a>", &[D::Unclosed], "<b>"),
        ("<a></b></a>", &[D::MismatchedEnd], "</b>"),
        ("</a>", &[D::NoElement, D::UnexpectedEnd], ""),
        ("\n<?xml version='1.0'?><a/>", &[D::MisplacedDeclaration], "<?xml"),
        ("<?xml version='1.0' encoding='koi8-r'?><a/>", &[D::UndecodedEncoding], "<?xml"),
        ("<a>x & y</a>", &[D::BareAmpersand], "&"),
        ("<a", &[D::Syntax, D::NoElement], "<a"),
    ];
    for (text, expected, at) in cases {
        let document = Document::read(text.as_bytes());
        let mut found: Vec<_> = document.defects().to_vec();
        assert_eq!(
            kinds(text).iter().collect::<std::collections::BTreeSet<_>>(),
            expected.iter().collect::<std::collections::BTreeSet<_>>(),
            "{text}"
        );
        found.retain(|d| !d.span.is_empty());
        if let Some(first) = found.first() {
            assert!(text[first.span.start..].starts_with(at), "{text}: {:?}", found);
        }
    }
    let after = Document::read("<a><!— x --><b>1</b></a>".as_bytes());
    assert_eq!(after.root().unwrap().child("b").unwrap().text(), "1");
}

#[test]
fn a_lost_blank_does_not_hide_what_follows() {
    let text = r#"<k><n>2048</n><algorithmOIDReferencexsi:nil="true"/><h>1</h></k>"#;
    let document = Document::read(text.as_bytes());
    assert!(!document.defects().is_empty());
    let root = document.root().unwrap();
    assert_eq!(root.child("n").unwrap().text(), "2048");
    assert_eq!(root.child("h").unwrap().text(), "1");
}

#[test]
fn offsets_map_back_to_raw_bytes_in_every_encoding() {
    let text = "<a>\n é<b>x</b></a>";
    let utf16 = |unit: fn(u16) -> [u8; 2], mark: [u8; 2]| {
        mark.into_iter().chain(text.encode_utf16().flat_map(unit)).collect::<Vec<u8>>()
    };
    let cases: [(Vec<u8>, u64, u64); 5] = [
        (text.as_bytes().to_vec(), 7, 8),
        ([b"\xEF\xBB\xBF", text.as_bytes()].concat(), 10, 8),
        (utf16(u16::to_le_bytes, [0xFF, 0xFE]), 14, 16),
        (utf16(u16::to_be_bytes, [0xFE, 0xFF]), 14, 16),
        (b"<a>\n \xE9<b>x</b></a>".to_vec(), 6, 8),
    ];
    for (raw, offset, length) in cases {
        let document = Document::read(&raw);
        let b = document.root().unwrap().child("b").unwrap();
        let place = document.source().place(b.span());
        assert_eq!(place, Place { line: 2, column: 3, offset, length }, "{raw:?}");
    }
    assert_eq!(kinds("\u{FEFF}<a/>"), []);
    let twice = Document::read("\u{FEFF}\u{FEFF}<a/>".as_bytes());
    assert_eq!(twice.source().place(twice.root().unwrap().span()).offset, 6);
}

#[test]
fn limits_are_defects_and_never_hang() {
    let deep = "<a>".repeat(100) + &"</a>".repeat(100);
    assert_eq!(kinds(&deep), [D::TooDeep]);
    let wide = format!("<a {}/>", (0..1000).map(|i| format!("b{i}='1' ")).collect::<String>());
    assert_eq!(kinds(&wide), [D::TooManyAttributes]);
    let spaces =
        format!("<a>{}</a>", (0..500).map(|i| format!("<b xmlns:n{i}='urn:{i}'/>")).collect::<String>());
    assert!(kinds(&spaces).iter().all(|k| *k == D::TooManyNamespaces || *k == D::TooManyDefects));
    assert!(kinds(&format!("<a>{}</a>", "<b/>".repeat(MAX_NODES))).contains(&D::TooManyNodes));
    let long = format!("<a>{}</a>", "x".repeat(MAX_TEXT));
    assert_eq!(kinds(&long), [D::Truncated]);
    // What the cut breaks is no mistake of the text's.
    for (start, piece) in
        [("<a><!--", "x"), ("<a><![CDATA[", "x"), ("<c><a b='", "x"), ("<a>", "é"), ("<a>.", "é")]
    {
        assert_eq!(kinds(&(start.to_owned() + &piece.repeat(MAX_TEXT))), [D::Truncated], "{start}");
    }
    assert!(kinds(&"<!—".repeat(10_000)).len() <= MAX_DEFECTS + 1);
    assert!(kinds(&"<".repeat(10_000)).len() <= MAX_DEFECTS + 1);
}

proptest::proptest! {
    #[test]
    fn any_bytes_give_a_document_with_spans_inside_it(raw in proptest::collection::vec(0_u8..=255, 0..200)) {
        let document = Document::read(&raw);
        for element in document.elements() {
            let place = document.source().place(element.span());
            proptest::prop_assert!(place.offset + place.length <= raw.len() as u64);
            let _ = (element.path(), element.text(), element.text_span());
        }
    }

    #[test]
    fn near_xml_never_panics(text in "(<[a-c!?/:]{0,3}[ ='\"a-c&;]{0,6}/?>|[a-c&;\\]>]{0,4}|<!--|-->|<!\\[CDATA\\[){0,20}") {
        let document = Document::read(text.as_bytes());
        for defect in document.defects() {
            let _ = document.source().place(defect.span.clone());
        }
    }
}
