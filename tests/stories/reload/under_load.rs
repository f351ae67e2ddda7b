//! A hundred reloads under a hundred calls a second: nobody's call fails, and nobody who watches sees anything but a token.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mcp_authd_client::{Answer, CallError, Client, Need};
use mcp_authd_proto::v1;
use mcp_authd_proto::v1::admin_client::AdminClient;
use mcp_authd_proto::v1::reload_response::Outcome;
use mcp_authd_tests::daemon::{Account, Config, Daemon};
use mcp_authd_tests::programs::{a_token, program, watched};
use mcp_authd_tests::server::{AuthorizationServer, Settings};
use tokio::task::JoinSet;

use super::account;
use crate::logged_in::log_in;
use mcp_authd_tests::bare::channel;

const RELOADS: usize = 100;
const CALLS_A_SECOND: u32 = 100;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_reloads_under_a_hundred_calls_a_second_fail_no_call() {
    // given two accounts that are logged in, and programs that ask steadily; one watches
    let server = AuthorizationServer::start(Settings::default());
    let daemon = Daemon::start(variant(&server, 0).environment("MCP_AUTHD_LOG", "info")).await;
    let client = program(&daemon);
    let tokens = [log_in(&client, &server, "work").await, log_in(&client, &server, "home").await];
    let mut watch = client.watch(Need::account("work"));
    watched(&mut watch, a_token).await;
    let over = Arc::new(AtomicBool::new(false));
    let load = tokio::spawn(steady_load(client, Arc::clone(&over)));

    // when the file is another one each time, and is read again each time
    let mut admin = AdminClient::new(channel(daemon.admin_socket()).await);
    let (mut added, mut removed, mut changed) = (0, 0, 0);
    let mut pace = tokio::time::interval(Duration::from_millis(20));
    for round in 1..=RELOADS {
        pace.tick().await;
        daemon.write_config(&variant(&server, round));
        let answer = admin.reload(v1::ReloadRequest {}).await.unwrap().into_inner();
        let Some(Outcome::Reloaded(done)) = answer.outcome else { panic!("round {round}: {answer:?}") };
        assert!(done.signed_out.is_empty() && done.unchanged.contains(&"home".to_owned()), "round {round}: {done:?}");
        assert!(watch.token().map(a_token).unwrap().is_some(), "round {round}: who watches has lost its token");
        added += done.added.len();
        removed += done.removed.len();
        changed += done.changed.len();
    }

    // then every call got the token that stood there before
    over.store(true, Ordering::Relaxed);
    let answers = load.await.unwrap();
    let served = |answer: &Result<Answer, CallError>| matches!(answer, Ok(Answer::UseToken(token)) if tokens.iter().any(|held| held.sha256() == token.sha256()));
    let failed: Vec<_> = answers.iter().filter(|answer| !served(answer)).collect();
    say(&format!(
        "{RELOADS} reloads ({added} accounts added, {removed} removed, {changed} changed) under {} calls at {CALLS_A_SECOND} a \
         second: {} failed",
        answers.len(),
        failed.len()
    ));
    assert!(failed.is_empty(), "{failed:?}");
    assert!(answers.len() >= RELOADS, "there was a load: {}", answers.len());
    assert!(added >= 30 && removed >= 30 && changed >= 60, "the reloads changed something");
    assert_eq!((server.counts().device_authorizations, server.counts().refreshes), (2, 0));
}

/// `home` as ever, `work` with other scopes each time, and a third that comes and goes.
fn variant(server: &AuthorizationServer, round: usize) -> Config {
    let scopes: &[&str] = if round.is_multiple_of(2) { &["mcp:read"] } else { &["mcp:read", "mcp:write"] };
    let work = Account::at("work", server.issuer()).scopes(scopes.iter().copied());
    let config = Config::new().account(account("home", server)).account(work);
    if round.is_multiple_of(3) { config.account(account("passing", server)) } else { config }
}

/// One call each hundredth of a second, whether the one before has been answered or not, to the two accounts in turn.
async fn steady_load(client: Client, over: Arc<AtomicBool>) -> Vec<Result<Answer, CallError>> {
    let mut pace = tokio::time::interval(Duration::from_secs(1) / CALLS_A_SECOND);
    let mut calls = JoinSet::new();
    for name in ["work", "home"].into_iter().cycle() {
        if over.load(Ordering::Relaxed) {
            break;
        }
        pace.tick().await;
        let client = client.clone();
        calls.spawn(async move { client.token(Need::account(name)).await });
    }
    calls.join_all().await
}

/// Past the runner's capture: the figures are what people want to see.
fn say(figures: &str) {
    use std::io::Write as _;
    let _no_matter = writeln!(std::io::stderr().lock(), "FIGURES: {figures}");
}
