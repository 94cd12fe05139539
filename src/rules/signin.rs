//! Rules on the way to a token: the sign-in page, the page that hands the token over (MS-MDE2 3.2), and Entra's terms of
//! use.

use super::check::{Check, Verdict};
use super::rule::{Change, Example, Golden, Part, Rule, Severity, Step, Subject};
use super::spec::{Cite, Spec};
use crate::event::{Side, header};

const fn page(at: &'static str, change: Change) -> Example {
    Example::response(Step::Password, at, change).on(Golden::Federated)
}

const fn answer(part: Part, change: Change) -> Example {
    Example::part(Step::Password, Side::Response, part, change).on(Golden::Federated)
}

const fn target(target: &'static str) -> Example {
    Example::part(Step::SignIn, Side::Request, Part::Target, Change::Set(target)).on(Golden::Federated)
}

const fn terms(change: Change) -> Example {
    Example::part(Step::Terms, Side::Response, Part::Header("Location"), change).on(Golden::Entra)
}

pub(super) static RULES: &[Rule] = &[
    Rule {
        id: "AUTH-002",
        name: "no-app-address",
        severity: Severity::LETTER,
        subject: Subject::Device,
        requirement: "The request for the sign-in page has the parameter appru.",
        cites: &[Cite::must(
            Spec::MsMde2,
            "3.2",
            "AuthenticationServiceUrl?appru=<appid>&login_hint=<User Principal Name>",
        )],
        consequence: "The page cannot know where to hand the token to.",
        remedy: "Look at what made the request, and whether a redirect before the page lost its query.",
        hresult: Some(0x8018_000F),
        check: Check::SignInRequest(|request, cx| {
            let present = request.appru.as_ref().is_some_and(|appru| !appru.is_empty());
            Verdict::check(present, || cx.fail_head("target", "appru=ms-app://…", "absent"))
        }),
        needs: &[],
        examples: &[
            target("/EnrollmentServer/Authentication?login_hint=anna%40contoso.example")
        ],
        since: "0.1.0",
    },
    Rule {
        id: "AUTH-003",
        name: "app-address-of-other-scheme",
        severity: Severity::LETTER,
        subject: Subject::Device,
        requirement: "The parameter appru is of the form ms-app://string.",
        cites: &[Cite::must(Spec::MsMde2, "3.2", "<appid> is of the form ms-app://string")],
        consequence: "No Windows device listens there, so that the token goes elsewhere or nowhere.",
        remedy: "Look at what made the request: a browser, a test tool, or somebody who wants the token.",
        hresult: None,
        check: Check::SignInRequest(|request, cx| {
            let Some(appru) = request.appru.as_ref().filter(|appru| !appru.is_empty()) else {
                return Verdict::Skip;
            };
            let fits = appru.to_ascii_lowercase().starts_with("ms-app://") && appru.len() > "ms-app://".len();
            Verdict::check(fits, || cx.fail_head("target", "appru=ms-app://…", appru.clone()))
        }),
        needs: &[],
        examples: &[target(
            "/EnrollmentServer/Authentication?appru=https%3A%2F%2Fapp.example&login_hint=anna%40contoso.example",
        )],
        since: "0.1.0",
    },
    Rule {
        id: "AUTH-004",
        name: "other-login-hint",
        severity: Severity::INFO,
        subject: Subject::Device,
        requirement: "The parameter login_hint is the address that Discover had.",
        cites: &[Cite::should(
            Spec::MsMde2,
            "3.2",
            "The value of this attribute serves as a hint that can be used by the STS as part of the authentication.",
        )],
        consequence: "None by itself: two devices may have been taken for one, or another user signs in.",
        remedy: "Compare address and time of the two requests.",
        hresult: None,
        check: Check::SignInRequest(|request, cx| {
            let email = cx.earlier.offer.as_ref().map(|offer| offer.email.as_str()).filter(|e| !e.is_empty());
            let hint = request.login_hint.as_deref().filter(|hint| !hint.is_empty());
            let (Some(email), Some(hint)) = (email, hint) else { return Verdict::Skip };
            Verdict::check(hint.eq_ignore_ascii_case(email), || cx.fail_head("target", email, hint))
        }),
        needs: &[],
        examples: &[target(
            "/EnrollmentServer/Authentication?appru=ms-app%3A%2F%2Fwindows.immersivecontrolpanel&login_hint=ben%40contoso.example",
        )],
        since: "0.1.0",
    },
    Rule {
        id: "AUTH-008",
        name: "sign-in-page-wants-windows-authentication",
        severity: Severity::WARNING,
        subject: Subject::Identity,
        requirement: "The sign-in page asks in the page itself, and not by HTTP authentication.",
        cites: &[Cite::observed(
            Spec::MsDocs,
            "Federated authentication device enrollment",
            "The browser window does not support Windows Integrated Authentication.",
        )],
        consequence: "The user sees an empty or refused page and cannot sign in.",
        remedy: "Use forms authentication on this address.",
        hresult: Some(0x8018_000F),
        check: Check::SignInAnswer(|response, cx| {
            if response.status != 401 {
                return Verdict::Pass;
            }
            let asked = header(&response.headers, "WWW-Authenticate").map(|h| h.text().into_owned());
            cx.fail_head("status", "a page", format!("401 {}", asked.unwrap_or_default()))
        }),
        needs: &[],
        examples: &[answer(Part::Status, Change::Set("401"))],
        since: "0.1.0",
    },
    Rule {
        id: "AUTH-013",
        name: "sign-in-page-is-no-page",
        severity: Severity::WARNING,
        subject: Subject::Identity,
        requirement: "The sign-in page is answered with 200 and text/html, or with a redirect.",
        cites: &[Cite::should(Spec::MsMde2, "3.2", "Content-Type: text/html; charset=UTF-8")],
        consequence: "The browser window shows no form, and the user cannot sign in.",
        remedy: "See what answers at AuthenticationServiceUrl.",
        hresult: Some(0x8018_000F),
        check: Check::SignInAnswer(|response, cx| {
            if !(200..300).contains(&response.status) {
                let moves = (300..400).contains(&response.status);
                let status = response.status.to_string();
                return Verdict::check(moves, || cx.fail_head("status", "200 or a redirect", status));
            }
            let kind = header(&response.headers, "Content-Type").map(|h| h.text().to_ascii_lowercase());
            let html = kind.as_ref().is_some_and(|k| k.contains("html"));
            let found = kind.unwrap_or_else(|| "absent".to_owned());
            Verdict::check(html, || cx.fail_head("Content-Type", "text/html", found))
        }),
        needs: &["AUTH-008"],
        examples: &[
            answer(Part::Header("Content-Type"), Change::Set("application/json")),
            answer(Part::Status, Change::Set("503")),
        ],
        since: "0.1.0",
    },
    Rule {
        id: "AUTH-005",
        name: "token-goes-elsewhere",
        severity: Severity::ERROR,
        subject: Subject::Identity,
        requirement: "The page's form posts the token to exactly the address that appru named.",
        cites: &[Cite::must(
            Spec::MsMde2,
            "3.2",
            "The STS has to send a POST to a redirect URL of the form ms-app://string",
        )],
        consequence: "The token does not reach the device, and the user stays on the page.",
        remedy: "Use the parameter appru of the request as the form's action, and the method POST; it differs by Windows release and in the first-run set-up.",
        hresult: Some(0x8018_000F),
        check: Check::TokenPage(|page, cx| {
            let Some(form) = page.token_form() else { return Verdict::Skip };
            let Some(sign_in) = &cx.earlier.sign_in else { return Verdict::Skip };
            let action = form.action.as_ref().map_or("", |a| a.value.trim());
            if action != sign_in.appru {
                let span = form.action.as_ref().map_or(&form.start, |a| &a.span);
                let expected = if sign_in.appru.is_empty() { "the address of appru" } else { &sign_in.appru };
                return cx.fail_page(page, ("form/@action", span), expected, action);
            }
            let method = form.method.as_ref().map_or("", |m| m.value.as_str());
            Verdict::check(method.eq_ignore_ascii_case("post"), || {
                let span = form.method.as_ref().map_or(&form.start, |m| &m.span);
                cx.fail_page(page, ("form/@method", span), "post", if method.is_empty() { "absent" } else { method })
            })
        }),
        needs: &[],
        examples: &[
            page("…/body/form/@action", Change::Set("ms-app://windows.other")),
            page("…/body/form/@method", Change::Set("get")),
        ],
        since: "0.1.0",
    },
    Rule {
        id: "AUTH-006",
        name: "no-token-on-the-page",
        severity: Severity::ERROR,
        subject: Subject::Identity,
        requirement: "The form has an input named wresult that holds the token.",
        cites: &[
            Cite::must(
                Spec::MsMde2,
                "3.2",
                "The security token in wresult is later passed back in <wsse:BinarySecurityToken>",
            ),
            Cite::observed(Spec::Field, "", "Devices fail with \"Failed to get token from STS\"."),
        ],
        consequence: "The device gets no token and stops after the sign-in.",
        remedy: "Name the input wresult, in lower case, and put the token into its value.",
        hresult: Some(0x8018_000F),
        check: Check::TokenPage(|page, cx| {
            let Some(form) = page.token_form() else { return Verdict::Skip };
            let Some(input) = form.wresult() else {
                let names: Vec<_> = form.inputs.iter().map(|i| i.name.as_str()).collect();
                return cx.fail_page(page, ("form", &form.start), "an input wresult", names.join(", "));
            };
            let filled = input.value.as_ref().is_some_and(|v| !v.value.trim().is_empty());
            Verdict::check(filled, || cx.fail_page(page, ("form/input[wresult]", &input.start), "a token", "empty"))
        }),
        needs: &[],
        examples: &[
            page("…/body/form/input[wresult]/@name", Change::Set("wResult")),
            page("…/body/form/input[wresult]/@value", Change::Set("")).also(&["AUTH-009"]),
        ],
        since: "0.1.0",
    },
    Rule {
        id: "AUTH-007",
        name: "page-does-not-submit-itself",
        severity: Severity::WARNING,
        subject: Subject::Identity,
        requirement: "The page submits its form by itself, and no Content-Security-Policy keeps it from that.",
        cites: &[Cite::observed(
            Spec::MsDocs,
            "Federated authentication device enrollment",
            "The page has a script that submits the form as soon as it is loaded.",
        )],
        consequence: "The user has to press a button, or the browser refuses to send the form to the device.",
        remedy: "Add the script, and allow it and form-action ms-app: in the policy of this page.",
        hresult: None,
        check: Check::TokenPage(|page, cx| {
            let Some(form) = page.token_form() else { return Verdict::Skip };
            let headers = cx.exchange.response.as_ref().map(|r| &r.headers[..]).unwrap_or_default();
            if let Some(policy) = header(headers, "Content-Security-Policy") {
                let policy = policy.text().to_ascii_lowercase();
                if blocks(&policy, "form-action", "ms-app:") || blocks(&policy, "script-src", "'unsafe-inline'") {
                    return cx.fail_head("Content-Security-Policy", "form-action ms-app:", policy);
                }
            }
            Verdict::check(page.scripted, || {
                cx.fail_page(page, ("form", &form.start), "a script that submits the form", "none")
            })
        }),
        needs: &[],
        examples: &[
            page("…/body/script", Change::Delete),
            answer(Part::Header("Content-Security-Policy"), Change::Set("default-src 'self'; form-action 'self'")),
        ],
        since: "0.1.0",
    },
    Rule {
        id: "ENTRA-002",
        name: "terms-lead-nowhere",
        severity: Severity::WARNING,
        subject: Subject::Server,
        requirement: "The terms of use end with a redirect to redirect_uri with IsAccepted and OpaqueBlob, or with error.",
        cites: &[Cite::observed(
            Spec::MsDocs,
            "Microsoft Entra integration with MDM",
            "The page redirects to redirect_uri with IsAccepted=true and an optional OpaqueBlob, or with error and error_description.",
        )],
        consequence: "The set-up window stays open, and the device never begins to enroll.",
        remedy: "Redirect to exactly the redirect_uri of the request, with the parameters that Entra expects.",
        hresult: None,
        check: Check::TermsAnswer(|answer, cx| {
            // A page that the user has to read first is no end.
            let Some(answer) = answer else {
                let page = cx.exchange.response.as_ref().is_some_and(|r| r.status == 200);
                return if page { Verdict::Skip } else { cx.fail_head("status", "a page or a redirect", "neither") };
            };
            let asked = cx.earlier.terms.as_ref().map(|terms| terms.redirect_uri.as_str()).unwrap_or_default();
            if !answer.location.eq_ignore_ascii_case(asked.split('?').next().unwrap_or_default()) {
                return cx.fail_head("Location", asked, answer.location.clone());
            }
            let said = answer.error.is_some() || answer.is_accepted.is_some();
            Verdict::check(said, || cx.fail_head("Location", "IsAccepted or error", "neither"))
        }),
        needs: &[],
        examples: &[
            terms(Change::Set("ms-appx-web://Microsoft.AAD.BrokerPlugin")).also(&["ENTRA-006"]),
            terms(Change::Set("https://mdm.contoso.example/done?IsAccepted=true")).also(&["ENTRA-006"]),
        ],
        since: "0.1.0",
    },
    Rule {
        id: "ENTRA-010",
        name: "terms-refused",
        // A refusal is a decision, and breaks no rule.
        severity: Severity::INFO,
        subject: Subject::Server,
        requirement: "The terms of use end without error.",
        cites: &[Cite::observed(
            Spec::MsDocs,
            "Microsoft Entra integration with MDM",
            "With error=invalid_request, unauthorized_client, access_denied or server_error the enrollment ends.",
        )],
        consequence: "The device does not begin to enroll; the user sees the error of the join.",
        remedy: "Go by the error: access_denied is the user's decision, else the token or its audience does not suit.",
        hresult: None,
        check: Check::TermsAnswer(|answer, cx| {
            let Some(answer) = answer else { return Verdict::Skip };
            let Some((found, user)) = answer.refusal() else { return Verdict::Pass };
            let verdict = cx.fail_head("Location", "IsAccepted=true", found);
            if user { verdict.with_subject(Subject::Identity) } else { verdict }
        }),
        needs: &["ENTRA-002"],
        examples: &[
            terms(Change::Set(
                "ms-appx-web://Microsoft.AAD.BrokerPlugin?error=unauthorized_client&error_description=unknown+tenant",
            ))
            .also(&["ENTRA-006"]),
            terms(Change::Set("ms-appx-web://Microsoft.AAD.BrokerPlugin?IsAccepted=false")).also(&["ENTRA-006"]),
        ],
        since: "0.1.0",
    },
];

/// Whether the policy has the directive and does not list the source.
fn blocks(policy: &str, directive: &str, source: &str) -> bool {
    let mut directives = policy.split(';').map(str::trim);
    let found = directives.find_map(|d| d.strip_prefix(directive));
    found.is_some_and(|sources| !sources.split_ascii_whitespace().any(|s| s == source || s == "*"))
}
