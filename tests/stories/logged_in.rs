//! Beginnings that several stories share: an account that is logged in, and a program that does as a refusal says.
//!
//! Must never: assert what a story is about.

use std::time::Duration;

use mcp_authd_client::{Answer, Client, How, Need, Refusal, Request, SignIn, SignInMode, Token};
use mcp_authd_tests::daemon::{Account, Config, Daemon};
pub(crate) use mcp_authd_tests::programs::look;
use mcp_authd_tests::programs::program;
use mcp_authd_tests::server::{AuthorizationServer, Settings};

/// Never met by a program that is answered in the end.
const PATIENCE: usize = 40;

/// A daemon with one account, `work`, at a server with these habits.
pub(crate) async fn daemon_at(settings: Settings) -> (AuthorizationServer, Daemon) {
    let server = AuthorizationServer::start(settings);
    let daemon = Daemon::start(Config::new().account(Account::at("work", server.issuer()).scopes(["mcp:read"]))).await;
    (server, daemon)
}

/// The same, logged in: with the first token.
pub(crate) async fn logged_in_at(settings: Settings) -> (AuthorizationServer, Daemon, Token) {
    let (server, daemon) = daemon_at(settings).await;
    let token = log_in(&program(&daemon), &server, "work").await;
    (server, daemon, token)
}

/// Logs in to an account: asks, approves, waits for the token. What the token is asked for again never begins a login.
pub(crate) async fn log_in(program: &Client, server: &AuthorizationServer, account: &str) -> Token {
    let prompt = prompt(program.token(Need::account(account)).await.unwrap());
    server.approve(&user_code(&prompt)).unwrap();
    let waiting = Request::new(Need::account(account)).sign_in(SignInMode::StartAndWait);
    used(program.token(waiting).await.unwrap());
    used(look(program, account).await)
}

/// Reports a token as rejected, and does as the refusals say, until there is another answer.
pub(crate) async fn insist(program: &Client, rejected: &Token) -> Answer {
    as_told(async || program.report_rejected(rejected).await.unwrap()).await
}

/// Asks without beginning a login, and does as the refusals say, until there is another answer.
pub(crate) async fn ask_until_answered(program: &Client, account: &str) -> Answer {
    as_told(async || look(program, account).await).await
}

/// A well-behaved program: told to try later, it waits so long, and asks again.
pub(crate) async fn as_told(ask: impl AsyncFn() -> Answer) -> Answer {
    for _ in 0..PATIENCE {
        match ask().await {
            Answer::TryLater(refusal) => {
                let wait = refusal.retry_after.unwrap_or(Duration::from_secs(1));
                // law: sleep: it is what the refusal tells the program to do
                tokio::time::sleep(wait).await;
            }
            other => return other,
        }
    }
    panic!("told to try later {PATIENCE} times")
}

/// Waits until a token is over. Only the daemon's own clock ends it there.
pub(crate) async fn outlive(token: &Token) {
    while let Some(left) = token.remaining().filter(|left| !left.is_zero()) {
        // law: sleep: the token's life has to pass
        tokio::time::sleep(left).await;
    }
}

pub(crate) fn used(answer: Answer) -> Token {
    let Answer::UseToken(token) = answer else { panic!("no token: {answer:?}") };
    token
}

pub(crate) fn prompt(answer: Answer) -> SignIn {
    let Answer::ShowSignIn(prompt) = answer else { panic!("no prompt: {answer:?}") };
    prompt
}

pub(crate) fn refused(answer: Answer) -> Refusal {
    let (Answer::TryLater(refusal) | Answer::GiveUp(refusal)) = answer else { panic!("no refusal: {answer:?}") };
    assert_helps(&refusal);
    refusal
}

/// A sentence, and a next step that names a command.
pub(crate) fn assert_helps(refusal: &Refusal) {
    let Refusal { message, next_step, .. } = refusal;
    assert!(message.len() > 20 && message.ends_with('.') && !message.contains('\n'), "no sentence: {refusal:?}");
    assert!(next_step.contains("authctl "), "the next step names no command: {refusal:?}");
}

pub(crate) fn user_code(prompt: &SignIn) -> String {
    let How::Device { user_code, .. } = &prompt.how else { panic!("no device login: {prompt:?}") };
    user_code.clone()
}
