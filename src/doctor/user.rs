//! With a user: sign-in and policy, and, where that was asked for, a real enrollment.

use super::order::Judged;
use super::run::{Examination, Login, Progress};
use super::services::{failed, readdressed};
use super::visit::{Visit, engine};
use crate::report::preflight::Status;
use crate::rules::Step;
use crate::sim::{Address, Course, Planned};

const NO_SUCH_STEP: &str = "this server has no such step";
const STEPS: [&str; 4] = ["sign-in", "policy", "enrollment", "first-sync"];

impl<S: FnMut(Progress<'_>)> Examination<'_, S> {
    pub(super) async fn user(&mut self, discovery: &Address) {
        let why = match &self.means.login {
            None => "no user was given (--user)",
            Some(_) if self.visitor.unbelieved => {
                "no password goes to a server whose certificate is not believed"
            }
            Some(Login { password: None, token: None, .. }) => {
                "neither a password (ENROLLSCOPE_PASSWORD, or --password-env) nor a token (--token-file) was given"
            }
            Some(login) => return self.enroll(discovery, login.token.clone()).await,
        };
        for id in STEPS {
            self.skip(id, why);
        }
    }

    async fn enroll(&mut self, discovery: &Address, token: Option<String>) {
        let Some(device) = self.device() else { return };
        let mut course = Course::new(&device, discovery, true);
        course.resume_at(Step::Discover);
        if let Some(token) = &token {
            course.hold_token(token);
        }
        let mut engine = engine();
        let mut stopped = None;
        while let Some(planned) = course.next(self.now()) {
            let Ok(Planned { step, to, request }) = planned else { break };
            let id = match step {
                Step::Terms | Step::Probe | Step::Discover => None,
                Step::SignIn | Step::Password => Some("sign-in"),
                Step::Policies => Some("policy"),
                Step::Token => Some("enrollment"),
                Step::Sync => Some("first-sync"),
            };
            if step >= Step::Token && self.means.enroll.is_none() {
                stopped = Some("nothing is enrolled without --enroll");
                break;
            }
            let secret = matches!(step, Step::Password | Step::Policies | Step::Token);
            if let Some(id) = id.filter(|_| secret && !self.means.trusts(&to)) {
                let why = format!(
                    "the server has the password sent to {}, which is neither its own host nor below the domain: allow it \
                     with --allow-host {}",
                    to.origin(),
                    to.host
                );
                self.skip(id, &why);
                stopped = Some("the step before it was not taken");
                break;
            }
            // The page comes before what is typed into it: both are one step.
            if let Some(id) = id {
                self.skip_before(id);
            }
            let begun = id.map(|id| self.begin(id));
            let visit = match step {
                Step::SignIn => {
                    let way = self
                        .visitor
                        .follow(&to.at(&request.target), &mut engine, |to| readdressed(&request, to))
                        .await;
                    way.visit
                }
                _ => self.visitor.visit(&to, request, &mut engine).await,
            };
            let judged = match visit {
                Visit { answer: Err(trouble), .. } => failed("", &trouble),
                Visit { answer: Ok(response), findings } => match course.take(&response) {
                    Ok(words) => Judged::of_findings(words, &findings),
                    Err(why) => Judged::of_findings(why.reason, &findings)
                        .or_fail(match step {
                            Step::SignIn | Step::Password => "Sign in with a browser and give what its page hands over with --token-file: no program can fill in a page that it does not know.",
                            _ => "See what the server's log says of this user; `enrollscope explain` knows the code.",
                        })
                        .or_code(why.hresult),
                },
            };
            let failed = matches!(judged.status, Status::Fail | Status::Skip);
            if let Some(begun) = begun
                && (failed || step != Step::SignIn || course.is_signed_in())
            {
                self.end(begun, judged);
            }
            if failed {
                stopped = Some("the step before it failed");
                break;
            }
        }
        for id in STEPS {
            if !self.has(id) {
                self.skip(id, stopped.unwrap_or(NO_SUCH_STEP));
            }
        }
    }

    fn skip_before(&mut self, id: &str) {
        for before in STEPS.into_iter().take_while(|step| *step != id) {
            if !self.has(before) {
                self.skip(before, NO_SUCH_STEP);
            }
        }
    }
}
