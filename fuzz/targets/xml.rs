//! Any bytes as XML: the tree, every place in it, the canonical forms, and what the message is.
#![no_main]

use enrollscope::event::{Body, Side};
use enrollscope::message::read_body;
use enrollscope::xml::{Canonical, Document, Form};
use enrollscope_fuzz::write;
use libfuzzer_sys::fuzz_target;

fuzz_target!(init: write("xml"), |data: &[u8]| {
    let document = Document::read(data);
    let length = document.source().text().len();
    for element in document.elements().take(200) {
        let spans = [element.span(), element.start(), element.content(), element.text_span()];
        assert!(spans.iter().all(|span| span.start <= span.end && span.end <= length), "{spans:?}");
        let _ = (element.path(), element.text(), element.is_nil(), element.nodes(), element.hidden_spans());
        for attribute in element.attributes() {
            let _ = (attribute.value(), attribute.namespace().uri());
            assert!(document.source().text().get(attribute.span()).is_some());
        }
    }
    for form in [Form::Inclusive, Form::Exclusive(&[])] {
        // Canonical text is XML, and its own canonical form.
        let Some(canonical) = Canonical::document(&document, None, form) else { continue };
        let again = Document::read(&canonical);
        if again.defects().is_empty() && canonical.len() < enrollscope::xml::MAX_TEXT {
            assert_eq!(Canonical::document(&again, None, form).as_ref(), Some(&canonical));
        }
        if let Some(element) = document.elements().last() {
            let _ = Canonical::element_of(element, form);
        }
    }
    for side in [Side::Request, Side::Response] {
        let _ = read_body(&Body::full(data.to_vec()), &[], side);
    }
});
