//! One login for all: whoever asks while it waits is told the same code, and nobody's going away ends it.

use std::collections::BTreeSet;
use std::time::Duration;

use mcp_authd_client::admin::StartSignIn;
use mcp_authd_client::status::SignInEnd;
use mcp_authd_client::{Answer, Need, Purpose, Reason, Request, SignIn, SignInMode};
use mcp_authd_tests::daemon::{Account, Config, Daemon};
use mcp_authd_tests::programs::{
    Crowd, a_prompt, a_refusal, a_token, account_is, approve, code, deny, program, prompt, prompted, refusal, token, tool,
    watched,
};
use mcp_authd_tests::server::{At, AuthorizationServer, Commit, Misbehaviour, Settings};

async fn daemon_at(server: &AuthorizationServer) -> Daemon {
    Daemon::start(Config::new().account(Account::at("work", server.issuer()).scopes(["mcp:read"]))).await
}

/// For a thousand callers: at trace every call costs some fifty kilobytes of log.
async fn quieter_daemon_at(server: &AuthorizationServer) -> Daemon {
    let account = Account::at("work", server.issuer()).scopes(["mcp:read"]);
    Daemon::start(Config::new().account(account).environment("MCP_AUTHD_LOG", "debug")).await
}

fn work() -> Need {
    Need::account("work")
}

fn mode(mode: SignInMode) -> Request {
    Request::new(work()).sign_in(mode)
}

/// The one prompt that all of them were answered with.
fn one_prompt(answers: Vec<Answer>) -> SignIn {
    let prompts: Vec<SignIn> = answers.into_iter().map(prompt).collect();
    let different: BTreeSet<(&str, &str)> = prompts.iter().map(|prompt| (prompt.id.as_str(), code(prompt))).collect();
    assert_eq!(different.len(), 1, "one login, one code");
    prompts.into_iter().next().unwrap()
}

fn different_tokens(answers: Vec<Answer>) -> BTreeSet<String> {
    answers.into_iter().map(|answer| token(answer).expose().to_owned()).collect()
}

async fn callers_without_credentials_share_one_login(programs: usize, calls_each: usize) {
    // given
    let server = AuthorizationServer::start(Settings::default());
    let daemon = quieter_daemon_at(&server).await;
    let crowd = Crowd::of(programs, &daemon);

    // when all ask at once: all are answered, and nobody has approved anything
    let answers = crowd.ask(calls_each, work()).await;
    assert_eq!(answers.len(), programs * calls_each);
    let shown = one_prompt(answers);
    assert_eq!((server.counts().device_authorizations, server.counts().approvals), (1, 0));

    // then one approval serves all: those who watch, and those who ask again
    let mut watches = crowd.watch(&work());
    for watch in &mut watches {
        assert_eq!(code(&watched(watch, a_prompt).await), code(&shown));
    }
    approve(&shown).await;
    for watch in &mut watches {
        watched(watch, a_token).await;
    }
    assert_eq!(different_tokens(crowd.ask(calls_each, work()).await).len(), 1);
    let counts = server.counts();
    assert_eq!((counts.device_authorizations, counts.approvals, counts.grants_started, counts.refreshes), (1, 1, 1, 0));
}

#[tokio::test]
async fn one_caller_without_credentials_is_told_a_code_at_once_and_served_after_one_approval() {
    callers_without_credentials_share_one_login(1, 1).await;
}

#[tokio::test]
async fn twenty_callers_without_credentials_share_one_login() {
    callers_without_credentials_share_one_login(20, 1).await;
}

#[tokio::test]
async fn a_thousand_callers_without_credentials_share_one_login() {
    callers_without_credentials_share_one_login(20, 50).await;
}

#[tokio::test]
async fn callers_that_come_before_the_code_share_the_one_login_that_it_belongs_to() {
    // given a server that takes its time with the code
    let server = AuthorizationServer::start(Settings::default());
    let daemon = quieter_daemon_at(&server).await;
    server.script(At::DeviceAuthorization, Misbehaviour::Hold(Commit::Before));

    // when all have asked before the code is there
    let crowd = Crowd::of(20, &daemon);
    let mut calls = crowd.begin(50, work());
    server.wait_for(|counts| counts.held == 1).await;
    calls.taken().await;
    assert_eq!(calls.open(), 1000);
    server.release();

    // then
    one_prompt(calls.answers().await);
    assert_eq!(server.counts().device_authorizations, 1);
}

#[tokio::test]
async fn a_caller_that_gives_up_ends_only_its_own_waiting() {
    // given a caller that gives up before the code is there, and one that gives up before the person has answered
    let server = AuthorizationServer::start(Settings::default());
    let daemon = daemon_at(&server).await;
    server.script(At::DeviceAuthorization, Misbehaviour::Hold(Commit::Before));
    let (first, second, third) = (program(&daemon), program(&daemon), program(&daemon));
    let giving_up = tokio::spawn(async move { first.token(work()).await });
    server.wait_for(|counts| counts.held == 1).await;
    giving_up.abort();
    assert!(giving_up.await.unwrap_err().is_cancelled());
    server.release();
    let shown = account_is(&tool(&daemon), "work", |status| status.sign_in.is_some()).await.sign_in.unwrap();
    let giving_up = tokio::spawn(async move { second.token(mode(SignInMode::StartAndWait)).await });
    server.wait_for(|counts| counts.polls >= 1).await;
    giving_up.abort();
    assert!(giving_up.await.unwrap_err().is_cancelled());

    // when the person approves, and nobody waits
    approve(&shown).await;
    server.wait_for(|counts| counts.grants_started == 1).await;

    // then the result is kept for the next caller
    let answer = watched(&mut third.watch(work()), a_token).await;
    assert_eq!(token(third.token(work()).await.unwrap()).expose(), answer.expose());
    assert_eq!((server.counts().device_authorizations, server.counts().grants_started), (1, 1));
}

#[tokio::test]
async fn a_denied_login_is_answered_by_no_other_prompt_until_the_person_begins_one() {
    // given
    let server = AuthorizationServer::start(Settings::default());
    let mut daemon = daemon_at(&server).await;
    let crowd = Crowd::of(20, &daemon);
    let shown = one_prompt(crowd.ask(1, work()).await);
    let waiting = crowd.begin(1, mode(SignInMode::StartAndWait));

    // when
    deny(&shown).await;

    // then those who waited and those who come later are refused, after a restart too
    let mut refused = waiting.answers().await;
    refused.extend(crowd.ask(5, work()).await);
    assert!(daemon.restart().await.success());
    refused.extend(crowd.ask(1, work()).await);
    refused.extend(crowd.ask(1, mode(SignInMode::StartAndWait)).await);
    assert!(refused.into_iter().map(refusal).all(|refusal| refusal.reason == Reason::Denied));
    assert_eq!(server.counts().device_authorizations, 1);

    // and only the person begins another
    let again = prompted(&daemon, "work").await;
    assert_ne!(code(&again), code(&shown));
    assert_eq!(code(&one_prompt(crowd.ask(1, work()).await)), code(&again));
    approve(&again).await;
    watched(&mut program(&daemon).watch(work()), a_token).await;
    assert_eq!(server.counts().device_authorizations, 2);
}

#[tokio::test]
async fn callers_that_wait_are_answered_when_the_login_ends() {
    // given
    let server = AuthorizationServer::start(Settings::default());
    let daemon = daemon_at(&server).await;
    let crowd = Crowd::of(20, &daemon);
    let mut waiting = crowd.begin(1, mode(SignInMode::StartAndWait));
    waiting.taken().await;
    let shown = account_is(&tool(&daemon), "work", |status| status.sign_in.is_some()).await.sign_in.unwrap();
    assert_eq!(waiting.open(), 20);

    // when
    approve(&shown).await;

    // then
    assert_eq!(different_tokens(waiting.answers().await).len(), 1);
    assert_eq!(server.counts().device_authorizations, 1);
}

#[tokio::test]
async fn a_caller_that_waits_longer_than_it_wanted_gets_the_prompt() {
    // given
    let server = AuthorizationServer::start(Settings::default());
    let daemon = daemon_at(&server).await;

    // when nobody answers within the caller's own time
    let request = mode(SignInMode::StartAndWait).max_wait(Duration::from_millis(500));
    let answer = program(&daemon).token(request).await.unwrap();

    // then it can show what it waits for, and the login goes on
    let shown = prompt(answer);
    assert_eq!(code(&prompt(program(&daemon).token(work()).await.unwrap())), code(&shown));
    assert_eq!(server.counts().device_authorizations, 1);
}

#[tokio::test]
async fn a_cancelled_login_ends_for_all_and_what_the_person_approves_then_is_nobodys() {
    // given a login that 20 programs wait for
    let server = AuthorizationServer::start(Settings::default());
    let daemon = daemon_at(&server).await;
    let crowd = Crowd::of(20, &daemon);
    let mut waiting = crowd.begin(1, mode(SignInMode::StartAndWait));
    waiting.taken().await;
    let shown = account_is(&tool(&daemon), "work", |status| status.sign_in.is_some()).await.sign_in.unwrap();

    // when the person cancels it
    let status = tool(&daemon).cancel_sign_in(Some("work".to_owned())).await.unwrap();

    // then it is over for all, and no program begins another
    assert_eq!((status.sign_in, status.last_sign_in_end), (None, Some(SignInEnd::Cancelled)));
    let mut refused = waiting.answers().await;
    refused.extend(crowd.ask(1, work()).await);
    assert!(refused.into_iter().map(refusal).all(|refusal| refusal.reason == Reason::Denied));
    assert_eq!(server.counts().device_authorizations, 1);

    // and its code is polled for no longer: the next login, which takes longer than a poll, is the only one that is paid out
    approve(&shown).await;
    approve(&prompted(&daemon, "work").await).await;
    watched(&mut program(&daemon).watch(work()), a_token).await;
    assert_eq!((server.counts().approvals, server.counts().grants_started), (2, 1));
}

#[tokio::test]
async fn a_cancelled_login_leaves_the_credential_as_it_was() {
    // given an account that serves, and a login that the person has begun all the same
    let server = AuthorizationServer::start(Settings::default());
    let daemon = daemon_at(&server).await;
    approve(&prompted(&daemon, "work").await).await;
    let held = watched(&mut program(&daemon).watch(work()), a_token).await;
    let start = StartSignIn { account: Some("work".to_owned()), again: true, replace: false };
    let status = tool(&daemon).start_sign_in(start).await.unwrap();
    assert_eq!(status.sign_in.unwrap().purpose, Purpose::Again);

    // when
    tool(&daemon).cancel_sign_in(Some("work".to_owned())).await.unwrap();

    // then
    assert_eq!(token(program(&daemon).token(work()).await.unwrap()).expose(), held.expose());
    assert_eq!(server.counts().refreshes, 0);
}

#[tokio::test]
async fn after_three_unanswered_logins_programs_begin_no_other_but_the_person_may() {
    // given codes that end before anybody answers them
    let server = AuthorizationServer::start(Settings { device_code_life: Duration::from_secs(2), ..Settings::default() });
    let mut daemon = daemon_at(&server).await;
    let program = program(&daemon);
    let mut codes = BTreeSet::new();
    for _ in 0..3 {
        let shown = prompt(program.token(work()).await.unwrap());
        assert!(codes.insert(code(&shown).to_owned()), "each login has a code of its own");
        let over = watched(&mut program.watch(work()), a_refusal).await;
        assert_eq!(over.reason, Reason::LoginRequired);
    }

    // when programs ask again, before and after a restart
    let mut refused = Crowd::of(20, &daemon).ask(1, work()).await;
    assert!(daemon.restart().await.success());
    refused.extend(Crowd::of(20, &daemon).ask(1, mode(SignInMode::StartAndWait)).await);

    // then
    for refusal in refused.into_iter().map(refusal) {
        assert_eq!(refusal.reason, Reason::TooManyPrompts);
        assert!(refusal.next_step.contains("authctl login work"), "{}", refusal.next_step);
    }
    assert_eq!(server.counts().device_authorizations, 3);
    server.change(|settings| settings.device_code_life = Duration::from_secs(600));
    approve(&prompted(&daemon, "work").await).await;
    watched(&mut program.watch(work()), a_token).await;
}

#[tokio::test]
async fn a_call_that_may_not_begin_a_login_begins_none() {
    // given
    let server = AuthorizationServer::start(Settings::default());
    let daemon = daemon_at(&server).await;
    let crowd = Crowd::of(20, &daemon);

    // when
    let answers = crowd.ask(5, mode(SignInMode::Never)).await;

    // then it is told what is missing, and the authorization server has heard nothing
    for refusal in answers.into_iter().map(refusal) {
        assert_eq!(refusal.reason, Reason::LoginRequired);
        assert!(refusal.next_step.contains("authctl login work"), "{}", refusal.next_step);
    }
    assert!(server.log().is_empty());

    // and it is told the code of a login that somebody else has begun
    let shown = prompted(&daemon, "work").await;
    assert_eq!(code(&one_prompt(crowd.ask(1, mode(SignInMode::Never)).await)), code(&shown));
}

#[tokio::test]
async fn a_watch_tells_first_the_present_state_then_the_prompt_then_the_token() {
    // given
    let server = AuthorizationServer::start(Settings::default());
    let daemon = daemon_at(&server).await;
    let mut watch = program(&daemon).watch(work());

    // first the present state; a watch begins no login
    watch.changed().await.unwrap();
    assert_eq!(refusal(watch.token().unwrap()).reason, Reason::LoginRequired);
    assert_eq!(server.counts().device_authorizations, 0);

    // then the prompt that somebody else's call has begun
    let shown = prompt(program(&daemon).token(work()).await.unwrap());
    watch.changed().await.unwrap();
    assert_eq!(code(&prompt(watch.token().unwrap())), code(&shown));

    // then the token
    approve(&shown).await;
    watch.changed().await.unwrap();
    let watched = token(watch.token().unwrap());
    assert_eq!(watched.expose(), token(program(&daemon).token(work()).await.unwrap()).expose());
    assert_eq!(server.counts().device_authorizations, 1);
}
