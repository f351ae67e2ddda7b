//! A device authorization endpoint that answers wrong: the program is told why, the person may always try again, no prompt is made
//! of nonsense (D16-D19).

use std::time::Duration;

use mcp_authd_client::admin::StartSignIn;
use mcp_authd_client::status::Health;
use mcp_authd_client::{How, Need, Reason, Request, SignInMode};
use mcp_authd_tests::server::{At, AuthorizationServer, Commit, Misbehaviour, Settings, Spoilt};
use serde_json::json;

use super::{Case, Stage, play};
use crate::logged_in::{prompt, refused, used, user_code};

fn case<T>(name: &'static str, about: T) -> Case<T> {
    Case { name, settings: Settings::default(), about }
}

fn status(code: u16, retry_after: Option<&str>, body: &str) -> Misbehaviour {
    Misbehaviour::Status { code, retry_after: retry_after.map(str::to_owned), body: body.to_owned() }
}

#[tokio::test]
async fn a_login_that_cannot_begin_now_begins_later_by_itself_when_a_program_asks_again() {
    const PAGE: &str = "<!doctype html><title>Bad gateway</title>";
    let none = Duration::ZERO;
    let cases = vec![
        case("status-500", (Misbehaviour::status(500), none)),
        case("status-503-and-3-seconds", (status(503, Some("3"), "{}"), Duration::from_secs(3))),
        case("status-429-and-3-seconds", (status(429, Some("3"), "{}"), Duration::from_secs(3))),
        case("web-page-with-200", (Misbehaviour::Html, none)),
        case("web-page-with-502", (status(502, None, PAGE), none)),
        case("temporarily-unavailable", (Misbehaviour::Error("temporarily_unavailable"), none)),
        case("dropped", (Misbehaviour::Drop(Commit::Before), none)),
        case("dropped-after-the-code-was-made", (Misbehaviour::Drop(Commit::After), none)),
        case("truncated", (Misbehaviour::Truncate, none)),
    ];
    play(cases, async |stage: Stage, (fault, wish): (Misbehaviour, Duration)| {
        let Stage { program, server, name, .. } = &stage;
        server.script(At::DeviceAuthorization, fault);

        // when a program begins a login, it is told to wait
        let refusal = refused(program.token(Need::account(*name)).await.unwrap());
        assert_eq!(refusal.reason, Reason::Unavailable);
        assert!(refusal.retry_after.is_some_and(|wait| wait + Duration::from_millis(500) >= wish), "{refusal:?}");
        // and no call shortens the wait
        assert_eq!(refused(program.token(Need::account(*name)).await.unwrap()).reason, Reason::Unavailable);
        assert_eq!(server.counts().device_authorizations, 1);
        let account = stage.account().await;
        assert!(account.health == Health::Degraded && account.sign_in.is_none(), "{account:?}");

        // then the login begins when it has waited
        let asked = crate::logged_in::as_told(async || program.token(Need::account(*name)).await.unwrap()).await;
        server.approve(&user_code(&prompt(asked))).unwrap();
        server.wait_for(|counts| counts.grants_started == 1).await;
        let received = stage.received(At::DeviceAuthorization);
        assert_eq!(received.len(), 2);
        assert!(received[1].arrived - received[0].arrived >= wish, "{received:#?}");
    })
    .await;
}

#[tokio::test]
async fn a_login_that_the_server_refuses_says_why_holds_programs_back_and_lets_the_person_try_again() {
    let cases = vec![
        case("invalid-client", (Misbehaviour::Error("invalid_client"), "invalid_client")),
        case("unauthorized-client", (Misbehaviour::Error("unauthorized_client"), "unauthorized_client")),
        case("invalid-scope-with-200", (Misbehaviour::ErrorWith200("invalid_scope"), "invalid_scope")),
        case("unknown-error", (Misbehaviour::Error("mercury_retrograde"), "mercury_retrograde")),
        case("an-error-that-echoes", (Misbehaviour::EchoSecrets { status: 400, error: "invalid_request" }, "invalid_request")),
        case("garbage", (Misbehaviour::Garbage, "cut off or broken")),
        case("not-found", (status(404, None, "{}"), "device")),
        case("redirect", (Misbehaviour::Redirect("http://127.0.0.1:1/".to_owned()), "redirect")),
        case("no-device-code", (Misbehaviour::Spoil(vec![Spoilt::Without("device_code")]), "device_code")),
        case("no-user-code", (Misbehaviour::Spoil(vec![Spoilt::Without("user_code")]), "user_code")),
        case("device-code-twice", (Misbehaviour::Spoil(vec![Spoilt::Twice("device_code", json!("x"))]), "twice")),
        case("page-without-tls", (with_page("http://login.example/device"), "verification_uri")),
        case("page-with-javascript", (with_page("javascript:alert(1)"), "verification_uri")),
        case("page-that-is-an-option", (with_page("--flag"), "verification_uri")),
        case("page-with-an-escape", (with_page("https://login.example/\u{1b}[2J"), "verification_uri")),
    ];
    play(cases, async |stage: Stage, (fault, word): (Misbehaviour, &str)| {
        let Stage { program, server, name, .. } = &stage;
        server.script(At::DeviceAuthorization, fault);

        let refusal = refused(program.token(Need::account(*name)).await.unwrap());
        assert_eq!(refusal.reason, Reason::Configuration);
        assert!(refusal.message.contains(word), "{word:?} is not in {refusal:?}");
        for _ in 0..3 {
            assert_eq!(refused(program.token(Need::account(*name)).await.unwrap()).reason, Reason::Configuration);
        }
        assert_eq!(server.counts().device_authorizations, 1, "programs are held back");
        let account = stage.account().await;
        assert!(account.health == Health::Degraded && account.sign_in.is_none(), "{account:?}");
        assert!(account.message.is_some_and(|message| message.contains(word)) && account.next_step.is_some());

        // when the person tries again, the server is asked again
        let order = StartSignIn { account: Some((*name).to_owned()), again: false, replace: false };
        let begun = stage.tool.start_sign_in(order).await.unwrap();
        server.approve(&user_code(&begun.sign_in.expect("a prompt"))).unwrap();
        let waiting = Request::new(Need::account(*name)).sign_in(SignInMode::StartAndWait);
        used(program.token(waiting).await.unwrap());
        assert_eq!(stage.account().await.health, Health::Good);
    })
    .await;
}

fn with_page(uri: &str) -> Misbehaviour {
    Misbehaviour::Spoil(vec![Spoilt::With("verification_uri", json!(uri))])
}

#[tokio::test]
async fn an_odd_prompt_that_can_be_used_is_shown_clean() {
    let forged = "SNTL-AB\u{1b}[2J\u{202e}CD";
    let cases = vec![
        case("verification-url", vec![Spoilt::Renamed("verification_uri", "verification_url")]),
        case("no-complete-uri", vec![Spoilt::Without("verification_uri_complete")]),
        case("complete-uri-of-another-kind", vec![Spoilt::With("verification_uri_complete", json!("javascript:alert(1)"))]),
        case("numbers-as-strings", vec![Spoilt::NumbersAsStrings]),
        case("form-encoded", vec![Spoilt::FormEncoded]),
        case("json-called-html", vec![Spoilt::ContentType("text/html")]),
        case("no-interval-and-no-end", vec![Spoilt::Without("interval"), Spoilt::Without("expires_in")]),
        case("code-with-escapes", vec![Spoilt::With("user_code", json!(forged))]),
    ];
    play(cases, async |stage: Stage, spoilt| {
        let Stage { program, server, name, .. } = &stage;
        server.change(|settings| settings.device_answers = spoilt);

        let shown = prompt(program.token(Need::account(*name)).await.unwrap());
        let How::Device { user_code, verification_uri, verification_uri_complete } = &shown.how else { panic!("{shown:?}") };
        let all = [user_code, verification_uri, verification_uri_complete.as_ref().unwrap_or(verification_uri), &shown.message];
        for text in all {
            assert!(!text.chars().any(|c| c.is_control() && c != '\n' || c == '\u{202e}'), "{text:?}");
        }
        assert!(verification_uri.starts_with(server.issuer()) && user_code.starts_with("SNTL-"), "{verification_uri}");
        assert!(verification_uri_complete.as_ref().is_none_or(|uri| uri.starts_with(server.issuer())));
        assert!(shown.message.contains(user_code.as_str()) && shown.message.contains(verification_uri.as_str()), "D20");
        // D15: without an end of its own it ends in ten minutes.
        assert!(shown.expires_in.is_some_and(|left| left > Duration::from_secs(540) && left <= Duration::from_secs(600)));
    })
    .await;
}

#[tokio::test]
async fn a_server_that_hangs_at_the_beginning_of_a_login_holds_up_nobody_beyond_his_own_deadline() {
    play(vec![case("hangs", ())], async |stage: Stage, ()| {
        let Stage { program, server, name, .. } = &stage;
        server.script(At::DeviceAuthorization, Misbehaviour::Hang);

        let impatient = Request::new(Need::account(*name)).max_wait(Duration::from_millis(300));
        for _ in 0..3 {
            assert_eq!(refused(program.token(impatient.clone()).await.unwrap()).reason, Reason::Unavailable);
        }
        let held = server.wait_for(|counts| counts.held == 1).await;
        assert_eq!(held.device_authorizations, 1, "one request for all");

        // when the server gives it up, the next program that has waited begins anew
        server.release();
        let asked = crate::logged_in::as_told(async || program.token(Need::account(*name)).await.unwrap()).await;
        server.approve(&user_code(&prompt(asked))).unwrap();
        server.wait_for(|counts| counts.grants_started == 1).await;
    })
    .await;
}

#[tokio::test]
async fn a_server_that_is_not_there_is_no_prompt_and_does_not_count_as_one() {
    play(vec![case("not-there", ())], async |stage: Stage, ()| {
        let Stage { program, server, name, .. } = &stage;
        server.go_down().await;
        // More often than programs may begin logins that nobody answers (P18).
        for _ in 0..5 {
            let refusal = refused(program.token(Need::account(*name)).await.unwrap());
            assert_eq!(refusal.reason, Reason::Unavailable);
            assert!(refusal.message.contains("no connection"), "{refusal:?}");
        }
        server.come_back().await;
        let asked = crate::logged_in::as_told(async || program.token(Need::account(*name)).await.unwrap()).await;
        prompt(asked);
    })
    .await;
}

#[tokio::test]
async fn a_redirected_login_reaches_no_second_host() {
    let second = AuthorizationServer::start(Settings::default());
    let cases = vec![case("redirected", second.device_authorization_endpoint())];
    play(cases, async |stage: Stage, elsewhere| {
        let Stage { program, server, name, .. } = &stage;
        server.script(At::DeviceAuthorization, Misbehaviour::Redirect(elsewhere));
        assert_eq!(refused(program.token(Need::account(*name)).await.unwrap()).reason, Reason::Configuration);
    })
    .await;
    assert!(second.log().is_empty(), "it was sent something: {:#?}", second.log());
}
