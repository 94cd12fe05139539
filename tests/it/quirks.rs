//! What real devices and working servers are known to do against the letter: none of it is an error under `field`.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use enrollscope::engine::Engine;
use enrollscope::enrollment::Deadlines;
use enrollscope::event::{Body, Event, Exchange, Framing, Side, Version};
use enrollscope::message::Kind;
use enrollscope::rules::{Golden, Level, Profile, Step};
use enrollscope::sim::golden;

use crate::scene::{Scene, compress, example, recorded, replace, step_of};

/// A name, the recording to start from, and what is done to it.
type Quirk = (&'static str, Golden, fn(&mut Scene));

const QUIRKS: &[Quirk] = &[
    ("policy and certificate over HTTP/2", Golden::OnPremise, |s| {
        for step in [Step::Policies, Step::Token] {
            s.headers(step, Side::Response, |headers| headers.retain(|h| h.name != "Content-Length"));
            s.response(step, |response| response.body.framing = Framing::H2);
        }
    }),
    ("HTTP/2 from the device, chunks from a server behind it", Golden::OnPremise, |s| {
        for step in [Step::Discover, Step::Policies, Step::Token] {
            s.exchange(step).request.version = Version::Http2;
            s.headers(step, Side::Response, |headers| headers.retain(|h| h.name != "Content-Length"));
            s.response(step, |response| response.body.framing = Framing::Chunked);
        }
    }),
    ("no probe, as when a discovery address was typed", Golden::OnPremise, |s| {
        s.0.retain(|event| step_of(event) != Some(Step::Probe));
    }),
    ("a server that knows no GET on discovery", Golden::OnPremise, |s| {
        s.response(Step::Probe, |response| response.status = 405);
    }),
    ("a probe answered with a page", Golden::OnPremise, |s| {
        s.header(Step::Probe, Side::Response, "Content-Type", "text/html");
        s.response(Step::Probe, |response| response.body = Body::full("https://mdm.contoso.example"));
    }),
    ("other names of the client", Golden::OnPremise, |s| {
        s.header(Step::Discover, Side::Request, "User-Agent", "Windows Phone 8 Enrollment Client");
        s.header(Step::Policies, Side::Request, "User-Agent", "Go-http-client/1.1");
        s.header(Step::Token, Side::Request, "User-Agent", "python-requests/2.31.0");
    }),
    ("a program without Content-Type, with a line break first", Golden::OnPremise, |s| {
        for step in [Step::Discover, Step::Policies, Step::Token] {
            s.headers(step, Side::Request, |headers| headers.retain(|h| h.name != "Content-Type"));
            s.text(step, Side::Request, "<s:Envelope ", "\n    <s:Envelope ");
        }
    }),
    ("answers that start with white space", Golden::OnPremise, |s| {
        for step in [Step::Discover, Step::Policies, Step::Token] {
            s.text(step, Side::Response, "<s:Envelope ", "\n\t\t<s:Envelope ");
        }
    }),
    ("answers of other types", Golden::OnPremise, |s| {
        s.header(Step::Discover, Side::Response, "Content-Type", "application/soap+xml");
        s.header(Step::Policies, Side::Response, "Content-Type", "text/html");
        s.header(Step::Token, Side::Response, "Content-Type", "text/plain");
    }),
    ("a fault with the status 200", Golden::Refused, |s| {
        s.response(Step::Token, |response| response.status = 200);
    }),
    ("a tunnel asks for gzip, and the server compresses", Golden::OnPremise, |s| {
        s.header(Step::Token, Side::Request, "Accept-Encoding", "gzip");
        s.header(Step::Token, Side::Request, "X-Forwarded-For", "203.0.113.7");
        s.header(Step::Token, Side::Request, "X-Forwarded-Proto", "https");
        s.response(Step::Token, compress);
    }),
    ("compressed although nobody asked", Golden::OnPremise, |s| s.response(Step::Policies, compress)),
    ("a host with its port", Golden::OnPremise, |s| {
        s.header(Step::Policies, Side::Request, "Host", "mdm.contoso.example:443");
    }),
    ("100-continue", Golden::OnPremise, |s| {
        s.header(Step::Token, Side::Request, "Expect", "100-continue");
    }),
    ("paths in other case, with a query", Golden::OnPremise, |s| {
        s.text(
            Step::Discover,
            Side::Response,
            "/EnrollmentServer/Enrollment.svc<",
            "/ENROLLMENTSERVER/ENROLLMENT.SVC?client-request-id=7f1c<",
        );
    }),
    ("two devices with the same MessageIDs, one after the other", Golden::OnPremise, |s| {
        s.0.extend(golden::on_premise(7));
    }),
    ("a blank in the MessageID, line breaks in the Action", Golden::OnPremise, |s| {
        s.text(Step::Discover, Side::Request, "<a:MessageID>urn:uuid:", "<a:MessageID>urn:uuid: ");
        s.text(
            Step::Policies,
            Side::Response,
            "GetPoliciesResponse</a:Action>",
            "GetPoliciesResponse\n\t</a:Action>",
        );
    }),
    ("RelatesTo of another message", Golden::Refused, |s| {
        s.text(
            Step::Token,
            Side::Response,
            "<a:RelatesTo>urn:uuid:0d5a1441-5891-453b-becf-a2e5f6ea3749",
            "<a:RelatesTo>invalid_message_id",
        );
    }),
    ("To in capitals and with the port", Golden::OnPremise, |s| {
        let to = "https://mdm.contoso.example/EnrollmentServer/Policy.svc</a:To>";
        s.text(
            Step::Policies,
            Side::Request,
            to,
            "https://MDM.Contoso.example:443/EnrollmentServer/Policy.svc</a:To>",
        );
    }),
    ("mustUnderstand in no namespace", Golden::OnPremise, |s| {
        for step in [Step::Discover, Step::Policies, Step::Token] {
            s.text(step, Side::Response, "s:mustUnderstand=\"1\"", "mustUnderstand=\"1\"");
        }
    }),
    ("an Action in no namespace", Golden::OnPremise, |s| {
        s.text(
            Step::Discover,
            Side::Response,
            "<a:Action s:mustUnderstand=\"1\">",
            "<Action mustUnderstand=\"1\">",
        );
        s.text(Step::Discover, Side::Response, "</a:Action>", "</Action>");
    }),
    ("an undeclared prefix on the policy answer", Golden::OnPremise, |s| {
        s.text(Step::Policies, Side::Response, "<GetPoliciesResponse ", "<xcep:GetPoliciesResponse ");
        s.text(Step::Policies, Side::Response, "</GetPoliciesResponse>", "</xcep:GetPoliciesResponse>");
    }),
    ("a policy answer that is not well-formed", Golden::OnPremise, |s| {
        s.text(
            Step::Policies,
            Side::Response,
            "algorithmOIDReference xsi:nil",
            "algorithmOIDReferencexsi:nil",
        );
    }),
    ("a fault in small letters", Golden::Refused, |s| {
        for (from, to) in [
            ("s:Fault>", "s:fault>"),
            ("s:Code>", "s:code>"),
            ("s:Value>", "s:value>"),
            ("s:Subcode>", "s:subcode>"),
            ("s:Reason>", "s:reason>"),
            ("s:Text xml:lang=\"en-US\"", "s:text xml:lang=\"en-us\""),
            ("s:Text>", "s:text>"),
            ("s:Receiver", "s:receiver"),
            ("s:Authorization", "s:authorization"),
        ] {
            s.text(Step::Token, Side::Response, from, to);
        }
    }),
    ("the specification's sample of a fault, all in small letters", Golden::Refused, |s| {
        let sample = example("mde2-fault-devicecapreached-detail-lowercased-as-printed.xml");
        s.response(Step::Token, |response| {
            replace(&mut response.headers, &mut response.body, sample.clone())
        });
    }),
    ("a fault without a header", Golden::Refused, |s| {
        s.part(Step::Token, Side::Response, "<s:Header>", "</s:Header>", "");
    }),
    ("subcodes of the server's own", Golden::Refused, |s| {
        s.text(Step::Token, Side::Response, "s:Authorization", "a:invalidsecurity");
    }),
    ("an ActivityId in no namespace and of no use", Golden::OnPremise, |s| {
        s.text(
            Step::Discover,
            Side::Response,
            "<s:Header>",
            "<s:Header><ActivityId CorrelationId=\"1\">00000000-0000-0000-0000-000000000000</ActivityId>",
        );
    }),
    ("other prefixes", Golden::OnPremise, |s| {
        for step in [Step::Discover, Step::Policies, Step::Token] {
            for (from, to) in [
                ("xmlns:s=", "xmlns:ns0="),
                ("xmlns:a=", "xmlns:ns1="),
                ("<s:", "<ns0:"),
                ("</s:", "</ns0:"),
                (" s:mustUnderstand", " ns0:mustUnderstand"),
                ("<a:", "<ns1:"),
                ("</a:", "</ns1:"),
            ] {
                s.text(step, Side::Response, from, to);
            }
        }
    }),
    ("prefixes of WCF for nil", Golden::OnPremise, |s| {
        s.text(
            Step::Policies,
            Side::Response,
            "<cAs xsi:nil=\"true\"/>",
            "<cAs p6:nil=\"true\" xmlns:p6=\"http://www.w3.org/2001/XMLSchema-instance\"/>",
        );
    }),
    ("the discovery namespace with a slash in the request", Golden::OnPremise, |s| {
        s.text(
            Step::Discover,
            Side::Request,
            "<Discover xmlns=\"http://schemas.microsoft.com/windows/management/2012/01/enrollment\"",
            "<Discover xmlns=\"http://schemas.microsoft.com/windows/management/2012/01/enrollment/\"",
        );
    }),
    ("an empty e-mail address, and an old version by the manifest", Golden::OnPremise, |s| {
        s.part(
            Step::Discover,
            Side::Request,
            "<EmailAddress>",
            "</EmailAddress>",
            "<EmailAddress></EmailAddress>",
        );
        s.text(Step::Discover, Side::Request, ">10.0.26100.4061<", ">6.2.9200.2965<");
    }),
    ("the RequestVersion of Windows 11 25H2", Golden::OnPremise, |s| {
        s.text(Step::Discover, Side::Request, ">7.0<", ">9.0<");
    }),
    ("an EnrollmentVersion of 3.0", Golden::OnPremise, |s| {
        s.text(Step::Discover, Side::Response, ">4.0<", ">3.0<");
    }),
    ("an Entra token although on-premise was chosen, in URL-safe base64", Golden::OnPremise, |s| {
        let jwt = "eyJhbGciOiJSUzI1NiJ9.eyJ1cG4iOiJhbm5hQGNvbnRvc28uZXhhbXBsZSJ9.c2ln";
        let token = format!(
            "<wsse:BinarySecurityToken ValueType=\"urn:ietf:params:oauth:token-type:jwt\" EncodingType=\"{}\">{}\
             </wsse:BinarySecurityToken></wsse:Security>",
            "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd#base64binary",
            URL_SAFE_NO_PAD.encode(jwt),
        );
        for step in [Step::Policies, Step::Token] {
            s.part(step, Side::Request, "<wsse:UsernameToken ", "</wsse:Security>", &token);
        }
    }),
    ("a client that tells its TPM to the policy service", Golden::OnPremise, |s| {
        s.text(
            Step::Policies,
            Side::Request,
            "</client>",
            "<TPMManufacturer>INTC</TPMManufacturer><TPMFirmwareVersion>1.2</TPMFirmwareVersion></client>",
        );
    }),
    ("a policy of three fields only", Golden::OnPremise, |s| {
        let policy = "<response><policies><policy><attributes><policySchema>3</policySchema><privateKeyAttributes>\
                      <minimalKeyLength>2048</minimalKeyLength></privateKeyAttributes>\
                      <hashAlgorithmOIDReference>0</hashAlgorithmOIDReference></attributes></policy></policies>\
                      </response>";
        s.part(Step::Policies, Side::Response, "<response>", "</response>", policy);
        s.part(Step::Policies, Side::Response, "</response><cAs", "/>", "</response>");
    }),
    ("a policy answer in which everything is nil", Golden::OnPremise, |s| {
        s.part(Step::Policies, Side::Response, "<response>", "</response>", "<response xsi:nil=\"true\"/>");
        s.part(Step::Policies, Side::Response, "<oIDs>", "</oIDs>", "<oIDs xsi:nil=\"true\"/>");
    }),
    ("no policyID, and a provider beside the list", Golden::OnPremise, |s| {
        s.text(Step::Policies, Side::Response, "<policyID/>", "");
        s.text(
            Step::Policies,
            Side::Response,
            "<cryptoProviders>",
            "<provider>Any</provider><cryptoProviders>",
        );
    }),
    ("a policy answer of a certificate service, with prefixes of its own", Golden::OnPremise, |s| {
        let answer = example("xcep-adcs-getpoliciesresponse-completed.xml");
        s.response(Step::Policies, |response| replace(&mut response.headers, &mut response.body, answer));
    }),
    ("base64 over lines, and with &#xD;", Golden::OnPremise, |s| {
        for side in [Side::Request, Side::Response] {
            let token = s.token(side);
            let lines: Vec<_> = token.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
            s.text(Step::Token, side, &token, &lines.join("&#xD;\n"));
        }
    }),
    ("the same MAC twice, NotInOobe false, other items", Golden::OnPremise, |s| {
        let item = |name: &str, value: &str| {
            format!("<ac:ContextItem Name=\"{name}\"><ac:Value>{value}</ac:Value></ac:ContextItem>")
        };
        let more = [
            item("MAC", "00-15-5D-00-00-00"),
            item("MAC", "00-15-5D-00-00-00"),
            item("EnrollmentData", "null"),
            item("AzVMIAMExtensionJoin", "false"),
            item("DomainName", "contoso.example"),
            item("BulkAADJ", "true"),
            item("SomethingNew", "42"),
        ];
        s.text(
            Step::Token,
            Side::Request,
            "</ac:AdditionalContext>",
            &format!("{}</ac:AdditionalContext>", more.concat()),
        );
        s.text(
            Step::Token,
            Side::Request,
            "Name=\"NotInOobe\"><ac:Value>true",
            "Name=\"NotInOobe\"><ac:Value>false",
        );
    }),
    ("ids in other forms", Golden::OnPremise, |s| {
        s.part(
            Step::Token,
            Side::Request,
            "Name=\"DeviceID\"><ac:Value>",
            "</ac:Value>",
            "Name=\"DeviceID\"><ac:Value>None</ac:Value>",
        );
        let zeros = format!("Name=\"HWDevID\"><ac:Value>{}</ac:Value>", "0".repeat(64));
        s.part(Step::Token, Side::Request, "Name=\"HWDevID\"><ac:Value>", "</ac:Value>", &zeros);
    }),
    ("a dashed device id in small letters", Golden::OnPremise, |s| {
        let id = "Name=\"DeviceID\"><ac:Value>7a5e0d50-f0b8-4c0f-a1b0-b1f6b3e4c001</ac:Value>";
        s.part(Step::Token, Side::Request, "Name=\"DeviceID\"><ac:Value>", "</ac:Value>", id);
    }),
    ("an enrollment of the type Lite", Golden::OnPremise, |s| {
        s.text(Step::Token, Side::Request, "<ac:Value>Full<", "<ac:Value>Lite<");
    }),
    ("a Timestamp of 2018", Golden::DeviceContext, |s| {
        s.part(
            Step::Token,
            Side::Response,
            "<u:Created>",
            "</u:Created>",
            "<u:Created>2018-11-30T00:32:59.420Z</u:Created>",
        );
        s.part(
            Step::Token,
            Side::Response,
            "<u:Expires>",
            "</u:Expires>",
            "<u:Expires>2018-12-30T00:37:59.420Z</u:Expires>",
        );
    }),
    ("no renewal settings", Golden::OnPremise, |s| {
        s.document("<characteristic type=\"WSTEP\">", "</characteristic></characteristic>", "");
    }),
    ("a blank in the provider's name, ServerList, the role of older documents", Golden::OnPremise, |s| {
        s.document("<parm name=\"PROVIDER-ID\"", "/>", "<parm name=\"PROVIDER-ID\" value=\"DEMO MDM\"/>");
        s.document("<characteristic type=\"ContosoMDM\">", "", "<characteristic type=\"DEMO MDM\">");
        s.document(
            "<parm name=\"CONNRETRYFREQ\"",
            "/>",
            "<parm name=\"ServerList\" value=\"https://mdm.contoso.example/ServerList.svc\"/><parm name=\"ROLE\" value=\"4294967295\"/>",
        );
    }),
    ("the word nonce as the nonce", Golden::OnPremise, |s| {
        s.document("<parm name=\"AAUTHDATA\"", "/>", "<parm name=\"AAUTHDATA\" value=\"nonce\"/>");
    }),
    ("the certificate in My/System, searched for in My/User", Golden::DeviceContext, |s| {
        s.document("My%5CSystem", "", "My%5CUser");
    }),
    ("leftovers of the first version, its key container with values", Golden::OnPremise, |s| {
        s.document(
            "<characteristic type=\"PrivateKeyContainer\"/>",
            "",
            "<characteristic type=\"PrivateKeyContainer\"><parm name=\"KeySpec\" value=\"2\"/><parm name=\"ContainerName\" \
             value=\"ConfigMgrEnrollment\"/><parm name=\"ProviderType\" value=\"1\"/></characteristic>",
        );
        s.document(
            "<characteristic type=\"DMClient\">",
            "",
            "<characteristic type=\"Registry\"><characteristic type=\"HKLM\\Security\\MachineEnrollment\"><parm \
             name=\"RenewalPeriod\" value=\"363\" datatype=\"integer\"/></characteristic></characteristic>\
             <characteristic type=\"DMClient\">",
        );
        s.document(
            "<parm name=\"CONNRETRYFREQ\"",
            "/>",
            "<parm name=\"CRLCheck\" value=\"0\"/><parm name=\"SSPHyperlink\" value=\"http://a.example\"/>",
        );
    }),
    ("a second poll that is quicker than the first", Golden::OnPremise, |s| {
        s.document(
            "<parm name=\"IntervalForSecondSetOfRetries\"",
            "/>",
            "<parm name=\"IntervalForSecondSetOfRetries\" value=\"3\" datatype=\"integer\"/>",
        );
    }),
    ("a request that is sent again after its connection broke", Golden::OnPremise, |s| {
        let at = s.at(Step::Token);
        let Event::Exchange(exchange) = &s.0[at] else { panic!() };
        let broken = Exchange { response: None, upstream: None, ..Exchange::clone(exchange) };
        s.0.insert(at, Event::Exchange(Arc::new(broken)));
    }),
    ("a published real enrollment of Windows 10", Golden::OnPremise, |s| {
        s.0 = vec![
            recorded("discover-req.xml", "discover-resp.asprinted.txt", 0),
            recorded("getpolicies-req.xml", "getpolicies-resp.asprinted.txt", 1),
            recorded("rst-req.xml", "rstrc-resp.asprinted.txt", 2),
        ];
    }),
    ("a document for application management", Golden::OnPremise, |s| {
        s.whole_document(&example("mde2-provisioningdoc-mam.xml"));
    }),
    ("the published document for a user", Golden::OnPremise, |s| {
        s.published_document("mde2-provisioningdoc-user-context.xml");
    }),
    ("the published document for a device", Golden::DeviceContext, |s| {
        s.published_document("mde2-provisioningdoc-device-context.xml");
    }),
    ("an authority's answers to Windows' own certificate enrollment", Golden::OnPremise, |s| {
        for (request, response) in [
            ("wstep-spec-4.1.1.1-issue-request.xml", "wstep-spec-4.1.1.2-issue-response.xml"),
            ("wstep-spec-4.1.2.1-ket-request.xml", "wstep-spec-4.1.2.2-ket-response.xml"),
            ("wstep-spec-4.1.5.1-renewal-request.xml", "wstep-spec-4.1.5.2-renewal-response.xml"),
        ] {
            let mut one = s.exchange(Step::Token).clone();
            one.request.body = Body::full(example(request));
            if let Some(answer) = &mut one.response {
                answer.body = Body::full(example(response));
            }
            s.0.push(Event::Exchange(Arc::new(one)));
        }
    }),
    ("the published document of the first version", Golden::OnPremise, |s| {
        s.published_document("mde1-provisioningdoc.xml");
    }),
];

#[test]
fn what_real_devices_and_servers_do_is_no_error() {
    let mut wrong = Vec::new();
    for (name, start, how) in QUIRKS {
        let mut scene = Scene(golden::of(*start));
        how(&mut scene);
        assert!(scene.0 != golden::of(*start), "{name}: nothing was changed");
        let mut engine = Engine::new(Profile::Field, Deadlines::default());
        let seen: Vec<_> = scene.0.into_iter().map(|event| engine.observe(event)).collect();
        // What was no longer read could not be wrong.
        let read = [Kind::SecurityTokenResponse, Kind::Fault].map(Some);
        assert!(seen.iter().any(|o| read.contains(&o.response)), "{name}: the last answer was not read");
        for finding in seen.iter().flat_map(|o| &o.findings).filter(|f| f.level == Level::Error) {
            wrong.push(format!("{name}: {} at {}: {}", finding.rule.id, finding.path, finding.found));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
