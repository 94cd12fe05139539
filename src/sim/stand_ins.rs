//! Answers that stand in for those that nobody has: to the first message of a management session, and to what is not
//! known.

use super::answers::{self, Detail, Refusal};
use super::server::respond;
use super::text::{SOAP_TYPE, SYNC_TYPE, headers, uuid};
use crate::event::{Request, Response, Time};
use crate::message::Message;

/// Every command of the first management message is well; `url` is the management server's.
pub(crate) fn sync_answer(message: &Message, url: &str, now: Time) -> Response {
    let source = message
        .document
        .as_ref()
        .and_then(|d| d.root()?.child("SyncHdr")?.child("Source")?.child("LocURI"))
        .map(|e| e.text().trim().to_owned())
        .unwrap_or_default();
    let text = answers::sync_response(url, &source);
    let kind = ("Content-Type", SYNC_TYPE.to_owned());
    respond(now, 200, headers([kind, ("Content-Length", text.len().to_string())]), &text)
}

/// There is a server.
pub(crate) fn probe_answer(now: Time) -> Response {
    respond(now, 200, headers([("Content-Length", "0".to_owned())]), "")
}

/// In words why there is no answer: as a SOAP fault to a SOAP message, else with 404.
pub(crate) fn fault_answer(request: &Request, message: &Message, words: &str, now: Time) -> Response {
    let told = ("X-Enrollscope-Error", words.to_owned());
    let Some(soap) = &message.soap else {
        let text = format!("{words}\n");
        let kind = ("Content-Type", "text/plain; charset=utf-8".to_owned());
        return respond(now, 404, headers([kind, ("Content-Length", text.len().to_string()), told]), &text);
    };
    let relates_to = soap.message_id.as_ref().map_or("", |id| id.value.as_str());
    let trace_id = uuid(&[request.target.as_bytes(), &now.0.to_be_bytes()]).to_string();
    let refusal =
        Refusal { subcode: "s:EnrollmentServer", reason: words, detail: Detail::None, trace_id: &trace_id };
    let text = answers::fault(relates_to, &refusal);
    let kind = ("Content-Type", SOAP_TYPE.to_owned());
    respond(now, 500, headers([kind, ("Content-Length", text.len().to_string()), told]), &text)
}
