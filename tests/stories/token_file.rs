//! Accounts whose token stands in a file that somebody else keeps: served, followed, refused with what to do, never logged in to.

use std::time::Duration;

use mcp_authd_client::status::Health;
use mcp_authd_client::{Answer, CallError, Client, Need, Reason, Refusal, Request, SignInMode};
use mcp_authd_tests::daemon::{Account, Config, Daemon};
use mcp_authd_tests::programs::{a_token, program, tool, watched};

use crate::logged_in::{look, refused, used};
use crate::written::Written;

const FIRST: &str = "SNTL_AT_static.first-1";
const SECOND: &str = "SNTL_AT_static.second-2";

async fn daemon_of(file: &Written) -> (Daemon, Client) {
    let daemon = Daemon::start(Config::new().account(Account::from_file("ci", &file.path()))).await;
    let program = program(&daemon);
    (daemon, program)
}

fn names_the_file(refusal: &Refusal, file: &Written) -> bool {
    let path = file.path();
    let path = path.to_str().unwrap();
    refusal.message.contains(path) || refusal.next_step.contains(path)
}

/// Asks until the answer is so: the last look at the file may be a second old.
async fn answered(program: &Client, so: impl Fn(&Answer) -> bool) -> Answer {
    loop {
        let answer = look(program, "ci").await;
        if so(&answer) {
            return answer;
        }
        // law: sleep: a call within a second of the last look is answered from memory
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn a_token_in_a_file_is_served_without_a_login_and_covers_what_it_is_said_to() {
    // given two accounts with the same file: one says what it covers
    let file = Written::holding(&format!("{FIRST}\n"));
    let config = Config::new()
        .account(Account::from_file("ci", &file.path()))
        .account(Account::from_file("read", &file.path()).scopes(["mcp:read"]).resource("http://127.0.0.1:1/mcp"));
    let daemon = Daemon::start(config).await;
    let program = program(&daemon);

    // then it is served as it stands there, and nobody knows how long it lives
    let token = used(program.token(Need::account("ci")).await.unwrap());
    assert_eq!((token.expose(), token.remaining()), (FIRST, None));
    assert_eq!(used(program.token(Need::resource("http://127.0.0.1:1/mcp")).await.unwrap()).expose(), FIRST);

    // and scopes are a question: what nobody knows is taken to cover everything
    let wants = |account, scope| program.token(Need::account(account).scope(scope));
    assert_eq!(used(wants("ci", "mcp:write").await.unwrap()).expose(), FIRST);
    assert_eq!(used(wants("read", "mcp:read").await.unwrap()).expose(), FIRST);
    let refusal = refused(wants("read", "mcp:write").await.unwrap());
    assert!(refusal.reason == Reason::InsufficientScope && refusal.message.contains("mcp:write"), "{refusal:?}");
    for account in tool(&daemon).status().await.unwrap().accounts {
        assert_eq!((account.health, account.token_file.as_deref()), (Health::Good, file.path().to_str()));
    }
}

#[tokio::test]
async fn a_new_token_in_the_file_is_served_and_pushed_to_whoever_watches() {
    let file = Written::holding(FIRST);
    let (_daemon, program) = daemon_of(&file).await;
    let mut watch = program.watch(Need::account("ci"));
    assert_eq!(watched(&mut watch, a_token).await.expose(), FIRST);

    // when the file is replaced, then the watcher gets the new one by itself
    file.write(SECOND);
    let new = watched(&mut watch, |answer| a_token(answer).filter(|token| token.expose() != FIRST)).await;
    assert_eq!(new.expose(), SECOND);

    // and whoever asks gets it too, and back again
    assert_eq!(used(look(&program, "ci").await).expose(), SECOND);
    file.write(FIRST);
    answered(&program, |answer| matches!(answer, Answer::UseToken(token) if token.expose() == FIRST)).await;
}

#[tokio::test]
async fn a_rejected_token_is_looked_up_again_at_once_and_only_a_new_one_is_answered() {
    // given a token that its server rejects
    let file = Written::holding(FIRST);
    let (_daemon, program) = daemon_of(&file).await;
    let first = used(program.token(Need::account("ci")).await.unwrap());

    // then the file is named as the place for a new one
    let refusal = refused(program.report_rejected(&first).await.unwrap());
    assert_eq!(refusal.reason, Reason::TokenRejected);
    assert!(names_the_file(&refusal, &file), "{refusal:?}");

    // when it stands there, then the next report is answered with it: no look is too young for that
    file.write(SECOND);
    assert_eq!(used(program.report_rejected(&first).await.unwrap()).expose(), SECOND);
    // and a late report of the old one changes nothing
    assert_eq!(used(program.report_rejected(&first).await.unwrap()).expose(), SECOND);
}

#[tokio::test]
async fn a_file_that_does_not_hold_is_refused_with_what_to_type_and_mended_without_a_reload() {
    let file = Written::nothing();
    let (daemon, program) = daemon_of(&file).await;
    type Damage = fn(&Written);
    let damages: [(&str, Damage, &str); 7] = [
        ("missing", |_| {}, "is missing"),
        ("loose", |file| file.set_mode(0o644), "chmod 600"),
        ("empty", |file| file.write("\n"), "is empty"),
        ("too long", |file| file.write(&"a".repeat(17_000)), "longer than 16384 bytes"),
        ("two tokens", |file| file.write("SNTL_AT_a\nSNTL_AT_b\n"), "no bearer token"),
        ("a header", |file| file.write("Bearer SNTL_AT_a"), "no bearer token"),
        ("JSON", |file| file.write("{\"access_token\":\"SNTL_AT_a\"}"), "no bearer token"),
    ];
    for (case, damage, told) in damages {
        damage(&file);

        // then a program is told the file, the reason and what to do, and the person sees the same
        let refusal = refused(answered(&program, |answer| !matches!(answer, Answer::UseToken(_))).await);
        assert_eq!(refusal.reason, Reason::Configuration, "{case}");
        assert!(refusal.message.contains(told) && names_the_file(&refusal, &file), "{case}: {refusal:?}");
        let status = tool(&daemon).status().await.unwrap().accounts.remove(0);
        assert_eq!(status.health, Health::Degraded, "{case}");
        assert!(status.message.unwrap().contains(told) && status.next_step.is_some(), "{case}");

        // and once it is mended it is served
        file.write(FIRST);
        answered(&program, |answer| matches!(answer, Answer::UseToken(_))).await;
    }
}

#[tokio::test]
async fn nobody_logs_in_or_out_where_somebody_else_keeps_the_token() {
    let file = Written::holding(FIRST);
    let (daemon, program) = daemon_of(&file).await;
    let tool = tool(&daemon);
    let start = mcp_authd_client::admin::StartSignIn { account: Some("ci".to_owned()), again: true, replace: false };
    for told in [
        tool.start_sign_in(start).await.map(drop),
        tool.cancel_sign_in(Some("ci".to_owned())).await.map(drop),
        tool.sign_out(Some("ci".to_owned())).await.map(drop),
    ] {
        let Err(CallError::Refused { message }) = told else { panic!("not refused: {told:?}") };
        assert!(message.contains("kept by somebody else") && message.contains(file.path().to_str().unwrap()), "{message}");
    }
    // and the token is as it was, in the file too
    let waits = Request::new(Need::account("ci")).sign_in(SignInMode::StartAndWait);
    assert_eq!(used(program.token(waits).await.unwrap()).expose(), FIRST);
    assert_eq!(std::fs::read_to_string(file.path()).unwrap(), FIRST);
}
