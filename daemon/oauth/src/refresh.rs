//! Spending a refresh token (RFC 6749, section 6): one request, and what its answer comes to.
//!
//! Must never: send twice (I1), or call an outcome known that is not (D56).

use std::convert::Infallible;
use std::sync::Arc;

use crate::client_authentication::{ClientAuthentication, Post};
use crate::flow::{Flow, Input, Step};
use crate::http::{AnswerLost, HttpAnswer, HttpRequest, Patience, Undelivered};
use crate::profile::{ErrorWords, Profile};
use crate::secret::RefreshToken;
use crate::time::Now;
use crate::token::{Binding, ErrorAnswer, OutcomeUnknown, RefreshOutcome};
use crate::wire::error_answer::{RawError, Sent};
use crate::wire::token_answer::{self, TokenAnswer};
use crate::wire::{NoErrorCode, StatusClass, is_web_page, repeated, retry_after};

/// The `error` that stands in an [`ErrorAnswer`] where the token endpoint answered with a redirect. No server sends it: it is ours.
///
/// A redirect is never followed (D5); it comes as [`RefreshOutcome::Configuration`], because only another endpoint helps.
pub const REDIRECTED: &str = "redirected";

/// The `error` that stands in an [`ErrorAnswer`] where a status alone ended the grant, as its profile says. No server sends it:
/// it is ours.
pub const REFUSED_BY_STATUS: &str = "refused_by_status";

/// One refresh.
#[derive(Debug)]
pub struct RefreshFlow {
    client: ClientAuthentication,
    binding: Binding,
    profile: Arc<Profile>,
    state: State,
}

#[derive(Debug)]
enum State {
    New(RefreshToken),
    Sent { requested_at: Now, secrets: Sent },
}

impl RefreshFlow {
    /// A refresh of this grant, where it came from (P14).
    #[must_use]
    pub fn new(refresh_token: RefreshToken, binding: Binding, client: ClientAuthentication) -> Self {
        Self { client, binding, profile: Arc::default(), state: State::New(refresh_token) }
    }

    /// The same, as this provider wants it.
    #[must_use]
    pub fn by(self, profile: Arc<Profile>) -> Self {
        Self { profile, ..self }
    }
}

impl Flow for RefreshFlow {
    type Prompt = Infallible;
    type Output = RefreshOutcome;

    fn handle(self, input: Input, now: Now) -> Step<Self> {
        let Self { client, binding, profile, state } = self;
        let (requested_at, secrets) = match state {
            State::New(refresh_token) => {
                let request = request(&refresh_token, &binding, &client, &profile);
                let secrets = client.sent(&binding.client_id, Some(refresh_token.expose()));
                return Step::Send(request, Self { client, binding, profile, state: State::Sent { requested_at: now, secrets } });
            }
            State::Sent { requested_at, secrets } => (requested_at, secrets),
        };
        let errors = &profile.errors;
        let by = profile.understood(&profile.refresh);
        Step::Done(match input {
            Input::Answered(Ok(answer)) => match token_answer::read_by(&answer, &binding, requested_at, by) {
                TokenAnswer::Success(success) => RefreshOutcome::Success(repeated::left_out(success, &secrets)),
                TokenAnswer::Error(error, _) if is_dead_grant(&error, answer.status, errors) => {
                    RefreshOutcome::DeadGrant(error.shown(answer.status, &secrets))
                }
                TokenAnswer::Error(error, _) => refused(&error, &secrets, &answer, now),
                TokenAnswer::UnreadableSuccess(why) => RefreshOutcome::OutcomeUnknown(OutcomeUnknown::Unreadable(why)),
                TokenAnswer::NoErrorCode(NoErrorCode::Redirect) => RefreshOutcome::Configuration(redirected(answer.status)),
                // A web page may have come from anything on the way (P15): it ends nothing.
                TokenAnswer::NoErrorCode(_) if errors.ends_the_grant(answer.status) && !is_web_page(&answer) => {
                    RefreshOutcome::DeadGrant(refused_by_status(answer.status))
                }
                TokenAnswer::NoErrorCode(_) => later(&answer, now),
            },
            Input::Answered(Err(Undelivered::NothingSent(why))) => RefreshOutcome::NothingSent(why),
            Input::Answered(Err(Undelivered::AnswerLost(how))) => RefreshOutcome::OutcomeUnknown(OutcomeUnknown::AnswerLost(how)),
            // Sent, and called again without an answer: nobody knows what became of it, and it must not be sent again.
            Input::Begin | Input::Resumed => RefreshOutcome::OutcomeUnknown(OutcomeUnknown::AnswerLost(AnswerLost::Interrupted)),
        })
    }
}

fn request(refresh_token: &RefreshToken, binding: &Binding, client: &ClientAuthentication, profile: &Profile) -> HttpRequest {
    let mut parameters = vec![("grant_type", "refresh_token"), ("refresh_token", refresh_token.expose())];
    // D36: as at the login, byte for byte. No `scope`: the refresh keeps what was granted (RFC 6749, section 6).
    if let Some(resource) = profile.sent_resource(binding) {
        parameters.push(("resource", resource.as_str()));
    }
    if let Some(redirect_uri) = profile.refresh_redirect_uri() {
        parameters.push(("redirect_uri", redirect_uri));
    }
    Post { endpoint: &binding.token_endpoint, client_id: &binding.client_id, parameters, patience: Patience::Spending }
        .shaped_by(&profile.refresh.request, client)
}

/// D45, D47: a word that is known, or that the provider means so; a status only where nobody knows the word.
fn is_dead_grant(error: &RawError, status: u16, errors: &ErrorWords) -> bool {
    error.is_dead_grant()
        || errors.is_dead_grant(error.code())
        || (error.code() == "unauthorized_client" && error.blames_the_refresh_token())
        || (errors.ends_the_grant(status) && !error.is_configuration() && !error.may_pass())
}

/// D46-D49: known codes decide, whatever the status; the status decides about the others.
fn refused(error: &RawError, secrets: &Sent, answer: &HttpAnswer, now: Now) -> RefreshOutcome {
    let shown = || error.shown(answer.status, secrets);
    if error.is_configuration() {
        RefreshOutcome::Configuration(shown())
    } else if error.may_pass() || StatusClass::of(answer.status) == StatusClass::Later {
        later(answer, now)
    } else {
        RefreshOutcome::UnknownError(shown())
    }
}

fn later(answer: &HttpAnswer, now: Now) -> RefreshOutcome {
    RefreshOutcome::Later { retry_after: retry_after::read(answer, now), status: answer.status }
}

fn refused_by_status(status: u16) -> ErrorAnswer {
    let description = "the token endpoint refused the refresh with no more than a status, which ends the grant at this provider";
    ErrorAnswer { error: REFUSED_BY_STATUS.to_owned(), description: Some(description.to_owned()), status }
}

fn redirected(status: u16) -> ErrorAnswer {
    let description =
        "the token endpoint answered with a redirect, which is never followed; configure the endpoint it has moved to";
    ErrorAnswer { error: REDIRECTED.to_owned(), description: Some(description.to_owned()), status }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
    use super::*;
    use crate::endpoint::{Endpoint, Loopback};
    use crate::http::{Method, NothingSent};
    use crate::misbehaved::ServerMisbehaved;
    use crate::secret::ClientSecret;
    use crate::terms::{ClientId, Resource};
    use crate::time::{Instant, WallTime};
    use crate::wire::tests::answer;
    use proptest::prelude::*;
    use std::time::Duration;

    const SENT: Now = Now { instant: Instant::from_millis(1_000), wall: WallTime::from_millis(1_445_412_480_000) };
    const ANSWERED: Now = Now { instant: Instant::from_millis(4_000), wall: WallTime::from_millis(1_445_412_483_000) };

    fn begin(client: ClientAuthentication) -> (HttpRequest, RefreshFlow) {
        let binding = Binding {
            issuer: None,
            token_endpoint: Endpoint::parse("https://as.example/token?t=1", Loopback::Refused).unwrap(),
            revocation_endpoint: None,
            client_id: ClientId::new("me"),
            resource: Some(Resource::new("https://Mcp.example/a b")),
        };
        match RefreshFlow::new(RefreshToken::new("SNTL_RT_012345678"), binding, client).handle(Input::Begin, SENT) {
            Step::Send(request, flow) => (request, flow),
            other => panic!("{other:?}"),
        }
    }

    fn outcome(result: Result<HttpAnswer, Undelivered>) -> RefreshOutcome {
        let (_, flow) = begin(ClientAuthentication::Public);
        match flow.handle(Input::Answered(result), ANSWERED) {
            Step::Done(outcome) => outcome,
            other => panic!("{other:?}"),
        }
    }

    fn of(status: u16, body: impl AsRef<[u8]>) -> RefreshOutcome {
        outcome(Ok(answer(status, body)))
    }

    /// The outcome in a word.
    fn word(outcome: &RefreshOutcome) -> &'static str {
        match outcome {
            RefreshOutcome::Success(_) => "success",
            RefreshOutcome::DeadGrant(_) => "dead",
            RefreshOutcome::Configuration(_) => "configuration",
            RefreshOutcome::NotAuthenticated(_) => "not authenticated",
            RefreshOutcome::UnknownError(_) => "unknown error",
            RefreshOutcome::Later { .. } => "later",
            RefreshOutcome::NothingSent(_) => "nothing sent",
            RefreshOutcome::OutcomeUnknown(_) => "outcome unknown",
        }
    }

    #[test]
    fn d36_d51_one_patient_request_carries_the_resource_and_no_scope() {
        let (request, _) = begin(ClientAuthentication::Public);
        assert_eq!(request.endpoint.as_str(), "https://as.example/token?t=1");
        assert_eq!(request.patience, Patience::Spending);
        let Method::PostForm(body) = request.method else { panic!("not a POST") };
        let wanted =
            "grant_type=refresh_token&refresh_token=SNTL_RT_012345678&resource=https%3A%2F%2FMcp.example%2Fa+b&client_id=me";
        assert_eq!(body.expose(), wanted);
    }

    #[test]
    fn d43_a_success_counts_from_when_the_request_was_sent() {
        let RefreshOutcome::Success(success) =
            of(200, r#"{"access_token":"SNTL_AT","refresh_token":"SNTL_RT2","expires_in":60}"#)
        else {
            panic!("no success")
        };
        assert_eq!(success.refresh_token.unwrap().expose(), "SNTL_RT2");
        assert_eq!(success.token.unwrap().requested_at, SENT);
    }

    #[test]
    fn d43_d44_a_bad_success_is_a_success_with_what_is_readable() {
        for (body, refresh_token, why) in [
            (r#"{"token_type":"DPoP","access_token":"a","refresh_token":"r"}"#, Some("r"), ServerMisbehaved::TokenType("DPoP")),
            (r#"{"refresh_token":"r"}"#, Some("r"), ServerMisbehaved::NoToken),
            ("{}", None, ServerMisbehaved::NoToken),
            ("access_token=a&access_token=b", None, ServerMisbehaved::DuplicateMember),
        ] {
            let RefreshOutcome::Success(success) = of(200, body) else { panic!("no success: {body}") };
            assert_eq!(success.refresh_token.as_ref().map(RefreshToken::expose), refresh_token, "{body}");
            assert_eq!(success.token, Err(why), "{body}");
        }
    }

    #[test]
    fn d45_to_d49_errors_are_told_apart_by_their_code_whatever_the_status() {
        for (code, wanted) in [
            ("invalid_grant", "dead"),
            ("bad_refresh_token", "dead"),
            ("refresh_token_not_found", "dead"),
            ("invalid_refresh_token", "dead"),
            ("invalid_client", "configuration"),
            ("invalid_scope", "configuration"),
            ("invalid_target", "configuration"),
            ("unauthorized_client", "configuration"),
            ("unsupported_grant_type", "configuration"),
            ("invalid_request", "configuration"),
            ("temporarily_unavailable", "later"),
            ("server_error", "later"),
            ("slow_down", "later"),
        ] {
            for status in [200, 400, 401, 403, 429, 500] {
                assert_eq!(word(&of(status, format!(r#"{{"error":"{code}"}}"#))), wanted, "{code} {status}");
                assert_eq!(word(&of(status, format!("error={code}"))), wanted, "{code} {status} as a form");
            }
        }
        assert_eq!(word(&of(400, r#"{"error_code":"refresh_token_not_found","msg":"x"}"#)), "dead");
    }

    #[test]
    fn d45_atlassian_calls_a_dead_refresh_token_an_unauthorized_client() {
        let said = |text: &str| {
            let body = serde_json::json!({ "error": "unauthorized_client", "error_description": text });
            word(&of(403, body.to_string()))
        };
        assert_eq!(said("refresh_token is invalid"), "dead");
        assert_eq!(said("the client may not use the grant type refresh_token"), "configuration");
    }

    #[test]
    fn d49_an_unknown_error_is_unknown_unless_the_status_says_later() {
        for (status, wanted) in
            [(200, "unknown error"), (400, "unknown error"), (401, "unknown error"), (429, "later"), (503, "later")]
        {
            assert_eq!(word(&of(status, r#"{"error":"grant_not_found_today"}"#)), wanted, "{status}");
        }
    }

    #[test]
    fn d48_a_complete_answer_without_a_code_means_later() {
        for (status, body) in [
            (408, ""),
            (425, ""),
            (429, "{}"),
            (500, "x"),
            (502, "<html>"),
            (404, "<html>"),
            (401, "{}"),
            (400, "{\"err"),
            (700, ""),
        ] {
            assert_eq!(of(status, body), RefreshOutcome::Later { retry_after: None, status }, "{status} {body}");
        }
    }

    #[test]
    fn d48_the_servers_wish_is_told_in_seconds_or_by_date_for_at_most_an_hour() {
        for (header, seconds) in
            [("7", Some(7)), ("86400", Some(3600)), ("-1", None), ("Wed, 21 Oct 2015 07:28:33 GMT", Some(30))]
        {
            let mut busy = answer(503, "");
            busy.retry_after = Some(header.to_owned());
            let retry_after = seconds.map(Duration::from_secs);
            assert_eq!(outcome(Ok(busy)), RefreshOutcome::Later { retry_after, status: 503 }, "{header}");
        }
    }

    #[test]
    fn d56_a_success_status_without_a_readable_answer_leaves_the_outcome_unknown() {
        for (body, why) in [
            ("<html>hotel</html>", ServerMisbehaved::WebPage),
            ("", ServerMisbehaved::NotAnObject),
            ("[]", ServerMisbehaved::NotAnObject),
            ("OK", ServerMisbehaved::NotAnObject),
            (r#"{"access_token":"a","refresh_tok"#, ServerMisbehaved::BrokenJson),
        ] {
            assert_eq!(of(200, body), RefreshOutcome::OutcomeUnknown(OutcomeUnknown::Unreadable(why)), "{body}");
        }
    }

    #[test]
    fn d48_d56_what_was_never_sent_and_what_was_lost_are_told_apart() {
        let nothing = Err(Undelivered::NothingSent(NothingSent::NotVerified));
        assert_eq!(outcome(nothing), RefreshOutcome::NothingSent(NothingSent::NotVerified));
        let lost = AnswerLost::TooLarge(9);
        let unknown = RefreshOutcome::OutcomeUnknown(OutcomeUnknown::AnswerLost(lost));
        assert_eq!(outcome(Err(Undelivered::AnswerLost(lost))), unknown);
    }

    #[test]
    fn i1_called_again_without_an_answer_it_never_sends_again() {
        for input in [Input::Begin, Input::Resumed] {
            let (_, flow) = begin(ClientAuthentication::Public);
            assert!(matches!(flow.handle(input, ANSWERED), Step::Done(RefreshOutcome::OutcomeUnknown(_))));
        }
    }

    #[test]
    fn d5_a_redirect_is_a_matter_of_configuration_and_is_never_followed() {
        for status in [301, 302, 303, 307, 308] {
            let RefreshOutcome::Configuration(error) = of(status, r#"{"error":"invalid_grant"}"#) else { panic!("{status}") };
            assert_eq!((error.error.as_str(), error.status), (REDIRECTED, status));
        }
    }

    #[test]
    fn d61_no_outcome_echoes_what_was_sent() {
        let client = || ClientAuthentication::ClientSecretBasic(ClientSecret::new("SNTL_CS_012345678"));
        let header = begin(client()).0.authorization.unwrap();
        for echo in ["SNTL_RT_012345678", "SNTL_CS_012345678", header.expose(), "..012345678.."] {
            let (request, flow) = begin(client());
            let shown = format!("{request:?} {flow:?}");
            assert!(!shown.contains("SNTL"), "{shown}");
            let body = serde_json::json!({ "error": "invalid_grant", "error_description": format!("bad {echo}") });
            let step = flow.handle(Input::Answered(Ok(answer(400, body.to_string()))), ANSWERED);
            let Step::Done(RefreshOutcome::DeadGrant(error)) = &step else { panic!("{step:?}") };
            assert_eq!(error.description, None, "{echo}");
        }
    }

    proptest! {
        #[test]
        fn every_answer_has_one_outcome_and_none_shows_a_secret(status in any::<u16>(), body in any::<Vec<u8>>(), text in "\\PC{0,20}") {
            let _ = of(status, body);
            let body = serde_json::json!({ "error": format!("{text}SNTL_RT_012345678"), "error_description": format!("SNTL_RT_012345678{text}") });
            let shown = format!("{:?}", of(status, body.to_string()));
            prop_assert!(!shown.contains("SNTL"), "{}", shown);
        }
    }
}
