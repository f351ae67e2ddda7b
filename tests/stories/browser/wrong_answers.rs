//! What comes back through the browser is not what it should be: another server's, another login's, a refusal, too much at once.

use mcp_authd_client::status::SignInEnd;
use mcp_authd_client::{Reason, SignIn};
use mcp_authd_tests::daemon::Daemon;
use mcp_authd_tests::person::in_browser::{self, Seen};
use mcp_authd_tests::programs::{a_token, program, prompt, prompted, tool, url, watched};
use mcp_authd_tests::server::{AuthorizationResponses, IssParameter, IssPromise, Settings};
use url::Url;

use super::{daemon_at, listens_only_at, never, port_of, refused, stops_listening, subject_of, work};

/// The login that waits is still this one.
async fn still_waits(daemon: &Daemon, shown: &SignIn) {
    let waits = prompt(program(daemon).token(never()).await.unwrap());
    assert_eq!((&waits.id, &waits.how), (&shown.id, &shown.how));
    listens_only_at(daemon, port_of(shown)).await;
}

/// The location with a parameter's value replaced.
fn with(location: &Url, name: &str, value: &str) -> Url {
    let pairs: Vec<(String, String)> = location.query_pairs().into_owned().collect();
    let mut changed = location.clone();
    let replaced = |(found, old): &(String, String)| if found == name { value.to_owned() } else { old.clone() };
    changed.query_pairs_mut().clear().extend_pairs(pairs.iter().map(|pair| (pair.0.clone(), replaced(pair))));
    changed
}

async fn an_answer_that_names_no_or_another_server_ends_the_login(promise: IssPromise, iss: IssParameter, said: &str) {
    // given a server whose answers do not carry its own name
    let settings = Settings { iss_promise: promise, iss, ..Settings::in_browser() };
    let (server, daemon) = daemon_at(settings).await;
    let shown = prompt(program(&daemon).token(work()).await.unwrap());

    // when the person approves
    let seen = in_browser::approve(&url(&shown)).await.unwrap();
    assert_eq!(seen.status(), 200, "the page does not say how it ended: {seen:?}");

    // then the login is over with the rule that was broken, and no code was sent anywhere
    let over = refused(&daemon, SignInEnd::Failed).await;
    assert!(over.message.contains(said) && over.message.contains("RFC 9207"), "{over:?}");
    assert_eq!((over.reason, server.counts().exchanges), (Reason::Configuration, 0));
    stops_listening(&daemon, port_of(&shown)).await;
}

#[tokio::test]
async fn p20_an_answer_in_the_name_of_another_server_ends_the_login() {
    let other = || IssParameter::Other("https://evil.example".to_owned());
    let said = "comes from \"https://evil.example\", not from the server that was asked";
    an_answer_that_names_no_or_another_server_ends_the_login(IssPromise::Given, other(), said).await;
    // Also where nothing was promised.
    an_answer_that_names_no_or_another_server_ends_the_login(IssPromise::Withheld, other(), said).await;
}

#[tokio::test]
async fn d27_an_answer_without_the_name_that_was_promised_ends_the_login() {
    let said = "does not name its server, which the server's metadata promises";
    an_answer_that_names_no_or_another_server_ends_the_login(IssPromise::Given, IssParameter::Missing, said).await;
}

#[tokio::test]
async fn d27_an_answer_with_a_name_that_was_not_promised_but_is_right_counts_and_so_does_none() {
    for iss in [IssParameter::Own, IssParameter::Missing] {
        let (server, daemon) = daemon_at(Settings { iss_promise: IssPromise::Withheld, iss, ..Settings::in_browser() }).await;
        in_browser::approve(&url(&prompted(&daemon, "work").await)).await.unwrap();
        let token = watched(&mut program(&daemon).watch(work()), a_token).await;
        assert_eq!(subject_of(&server, &token).await, "alice");
    }
}

#[tokio::test]
async fn d26_an_answer_with_another_state_changes_nothing_and_the_right_one_counts_afterwards() {
    // given what a browser is to bring
    let (server, daemon) = daemon_at(Settings::in_browser()).await;
    let shown = prompt(program(&daemon).token(work()).await.unwrap());
    let back = in_browser::answer("approve", &url(&shown), &[]).await.unwrap();

    // when others come first: a changed state, none, a code of somebody else under a guessed one
    let guessed = "0123456789012345678901234567890123456789012";
    for wrong in [with(&back, "state", guessed), with(&back, "state", ""), with(&with(&back, "state", guessed), "code", "x")] {
        let seen = in_browser::follow(&wrong).await.unwrap();
        assert_eq!((seen.status(), seen.text.lines().next()), (400, Some("No login waits for this address")), "{seen:?}");
    }

    // then the login goes on, nothing was traded in, and its own answer counts
    still_waits(&daemon, &shown).await;
    assert_eq!(server.counts().exchanges, 0);
    assert_eq!(in_browser::follow(&back).await.unwrap().status(), 200);
    watched(&mut program(&daemon).watch(work()), a_token).await;
    assert_eq!((server.counts().exchanges, server.counts().codes_redeemed), (1, 1));
    stops_listening(&daemon, port_of(&shown)).await;
}

#[tokio::test]
async fn d28_an_answer_with_a_code_and_an_error_at_once_or_with_two_codes_changes_nothing() {
    let (server, daemon) = daemon_at(Settings::in_browser()).await;
    let shown = prompted(&daemon, "work").await;
    let back = in_browser::answer("approve", &url(&shown), &[]).await.unwrap();
    for more in ["&error=access_denied", "&code=another", "&iss=https%3A%2F%2Fevil.example"] {
        let seen = in_browser::follow(&Url::parse(&format!("{back}{more}")).unwrap()).await.unwrap();
        assert_eq!(seen.status(), 400, "{more}");
        still_waits(&daemon, &shown).await;
    }
    assert_eq!(in_browser::follow(&back).await.unwrap().status(), 200);
    watched(&mut program(&daemon).watch(work()), a_token).await;
    assert_eq!(server.counts().exchanges, 1);
}

/// At a server whose answer never counts: the login waits on, until the person ends it.
async fn the_login_waits_until_it_is_cancelled(responses: AuthorizationResponses, seen: impl FnOnce(anyhow::Result<Seen>)) {
    let (server, daemon) = daemon_at(Settings { responses, ..Settings::in_browser() }).await;
    let shown = prompt(program(&daemon).token(work()).await.unwrap());
    seen(in_browser::approve(&url(&shown)).await);
    still_waits(&daemon, &shown).await;
    let status = tool(&daemon).cancel_sign_in(Some("work".to_owned())).await.unwrap();
    assert_eq!((status.sign_in, status.last_sign_in_end), (None, Some(SignInEnd::Cancelled)));
    assert_eq!(refused(&daemon, SignInEnd::Cancelled).await.reason, Reason::Denied);
    assert_eq!(server.counts().exchanges, 0);
    stops_listening(&daemon, port_of(&shown)).await;
}

#[tokio::test]
async fn d28_a_server_that_always_sends_both_leaves_a_login_that_can_be_cancelled() {
    let page = |seen: anyhow::Result<Seen>| assert_eq!(seen.unwrap().status(), 400);
    the_login_waits_until_it_is_cancelled(AuthorizationResponses::CodeAndError, page).await;
}

#[tokio::test]
async fn d26_a_server_that_changes_the_state_leaves_a_login_that_can_be_cancelled() {
    let page = |seen: anyhow::Result<Seen>| assert_eq!(seen.unwrap().status(), 400);
    the_login_waits_until_it_is_cancelled(AuthorizationResponses::OtherState, page).await;
}

#[tokio::test]
async fn an_error_that_never_comes_back_leaves_a_login_that_can_be_cancelled() {
    let never = |seen: anyhow::Result<Seen>| assert!(seen.unwrap_err().to_string().contains("not sent back"));
    the_login_waits_until_it_is_cancelled(AuthorizationResponses::None, never).await;
}

#[tokio::test]
async fn who_denies_in_the_browser_ends_the_login_and_only_the_person_begins_another() {
    // given
    let (server, daemon) = daemon_at(Settings::in_browser()).await;
    let shown = prompt(program(&daemon).token(work()).await.unwrap());

    // when
    let seen = in_browser::deny(&url(&shown)).await.unwrap();

    // then
    assert_eq!(seen.status(), 200, "{seen:?}");
    let over = refused(&daemon, SignInEnd::Denied).await;
    assert_eq!((over.reason, over.next_step.as_str()), (Reason::Denied, "authctl login work"));
    stops_listening(&daemon, port_of(&shown)).await;
    in_browser::approve(&url(&prompted(&daemon, "work").await)).await.unwrap();
    watched(&mut program(&daemon).watch(work()), a_token).await;
    assert_eq!((server.counts().authorizations_started, server.counts().exchanges), (2, 1));
}

#[tokio::test]
async fn an_error_that_the_browser_brings_ends_the_login_with_its_word() {
    for (error, reason) in [
        ("invalid_scope", Reason::Configuration),
        ("unauthorized_client", Reason::Configuration),
        ("server_error", Reason::Unavailable),
    ] {
        let responses = AuthorizationResponses::Error(error);
        let (server, daemon) = daemon_at(Settings { responses, ..Settings::in_browser() }).await;
        let shown = prompted(&daemon, "work").await;
        in_browser::approve(&url(&shown)).await.unwrap();
        let over = refused(&daemon, SignInEnd::Failed).await;
        assert_eq!(over.reason, reason, "{over:?}");
        assert!(over.message.contains(error) || reason == Reason::Unavailable, "{over:?}");
        assert_eq!(server.counts().exchanges, 0);
        stops_listening(&daemon, port_of(&shown)).await;
    }
}
