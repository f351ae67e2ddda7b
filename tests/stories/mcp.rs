//! Eight copies of one MCP server (`client/examples/whoami.rs`), started by the official SDK: one login, one refresh, one report.

use std::collections::BTreeSet;
use std::time::Duration;

use mcp_authd_client::Need;
use mcp_authd_tests::daemon::{Account, Config, Daemon};
use mcp_authd_tests::mcp_hosts::{McpHosts, StdioServer, ToolAnswer};
use mcp_authd_tests::programs::{account_is, logged_in, program, token, token_ended, tool};
use mcp_authd_tests::real_idp::RealIdp;
use mcp_authd_tests::server::{At, AuthorizationServer, Commit, Misbehaviour, Settings};
use mcp_authd_tests::skip::skipped;
use mcp_authd_tests::{person, sentinel};
use serde_json::json;

use crate::real_server;

const COPIES: usize = 8;

/// Long enough for a login and eight calls, short enough to be waited for.
const FIRST_LIFE: Duration = Duration::from_secs(10);
const LONG: Duration = Duration::from_secs(3600);

async fn daemon_at(server: &AuthorizationServer) -> Daemon {
    let account = Account::at("work", server.issuer()).scopes(["mcp:read"]).resource(&server.resource());
    Daemon::start(Config::new().account(account)).await
}

async fn whoami(copies: usize, resource: &str, daemon: &Daemon) -> Option<McpHosts> {
    let started = McpHosts::start(copies, &StdioServer::example("whoami", resource, daemon)).await;
    started.map_err(|reason| skipped("an MCP server under the official SDK", &reason)).ok()
}

/// Page and code of the one prompt that all of them show; each answer is an error, and says so to people and to programs.
fn one_prompt(answers: &[ToolAnswer]) -> (String, String) {
    let prompts: BTreeSet<(String, String)> = answers
        .iter()
        .map(|answer| {
            let prompt = &answer.meta["mcp-authd/sign-in"];
            let member = |name: &str| prompt[name].as_str().unwrap_or_else(|| panic!("{name} is missing: {answer:?}")).to_owned();
            let (page, code) = (member("verification_uri"), member("user_code"));
            assert!(answer.is_error, "{answer:?}");
            for part in [&format!("open      {page}\n"), &format!("code      {code}\n"), "time left ", "call this tool again"] {
                assert!(answer.text.contains(part), "{part:?} is missing: {}", answer.text);
            }
            assert!(prompt["expires_in"].as_u64().is_some_and(|left| left > 0), "{prompt}");
            (page, code)
        })
        .collect();
    assert_eq!(prompts.len(), 1, "one login, one code: {answers:#?}");
    prompts.into_iter().next().unwrap()
}

fn assert_all_work(answers: &[ToolAnswer]) {
    assert_eq!(answers.len(), COPIES);
    for answer in answers {
        assert!(!answer.is_error && answer.text.contains("\"sub\":\"alice\""), "{answer:?}");
    }
}

/// Flagged, with these words, and without a token.
fn assert_error(answer: &ToolAnswer, words: &[&str]) {
    assert!(answer.is_error, "{answer:?}");
    for words in words {
        assert!(answer.text.contains(words), "{words:?} is missing: {}", answer.text);
    }
    assert!(sentinel::in_bytes(answer.text.as_bytes()).is_none(), "an error holds a secret");
}

/// All that the copies said beside the protocol was said on standard error, and it holds no secret.
async fn assert_only_the_protocol_was_spoken(hosts: &mut McpHosts) {
    assert_eq!(hosts.strange_lines().await, Vec::<String>::new());
    let logs = hosts.logs().await;
    assert!(!logs.is_empty(), "the servers log to standard error");
    assert!(sentinel::in_bytes(logs.as_bytes()).is_none(), "a log holds a secret");
}

#[tokio::test]
async fn eight_copies_share_one_login_one_refresh_and_one_report() {
    // given eight copies and no credentials: tools are listed, and nobody is asked to log in
    let server = AuthorizationServer::start(Settings { access_token_life: FIRST_LIFE, ..Settings::default() });
    let daemon = daemon_at(&server).await;
    let Some(mut hosts) = whoami(COPIES, &server.resource(), &daemon).await else { return };
    assert_eq!(hosts.list_each().await, vec![["slow", "whoami"]; COPIES]);
    assert_eq!(server.counts().device_authorizations, 0);

    // when each is called, twice: every call is answered with the same prompt, though nobody has approved anything
    let (page, code) = one_prompt(&hosts.call_each("whoami").await);
    assert_eq!(one_prompt(&hosts.call_each("whoami").await), (page.clone(), code.clone()));
    let counts = server.counts();
    assert_eq!((counts.device_authorizations, counts.approvals, counts.resource_refused), (1, 0, 0));

    // then one approval serves them all. (The server holds every refresh from now on, and gives long-lived tokens.)
    server.script(At::Refresh, Misbehaviour::Hold(Commit::Before));
    person::approve(&page, &code).await.unwrap();
    account_is(&tool(&daemon), "work", |status| status.grant.is_some() && status.sign_in.is_none()).await;
    server.change(|settings| settings.access_token_life = LONG);
    assert_all_work(&hosts.call_each("whoami").await);
    let counts = server.counts();
    assert_eq!((counts.device_authorizations, counts.grants_started, counts.resource_served), (1, 1, 8));

    // when the token has ended: one refresh serves them all
    token_ended(&daemon, "work").await;
    let calls = hosts.begin_each("whoami").await;
    server.wait_for(|counts| counts.held == 1).await;
    server.release();
    assert_all_work(&hosts.finish(calls).await);
    assert_eq!((server.counts().refreshes, server.counts().resource_served), (1, 16));

    // when the server kills the token: all eight see the 401, and one refresh serves them all
    let killed = token(program(&daemon).token(Need::account("work")).await.unwrap());
    let refused = server.counts().resource_refused;
    server.script(At::Refresh, Misbehaviour::Hold(Commit::Before));
    assert!(server.revoke_access_token(killed.expose()));
    let calls = hosts.begin_each("whoami").await;
    server.wait_for(move |counts| counts.held == 1 && counts.resource_refused == refused + 8).await;
    server.release();
    assert_all_work(&hosts.finish(calls).await);

    // then nothing was asked twice
    let counts = server.counts();
    assert_eq!((counts.refreshes, counts.refreshes_ok(), counts.resource_refused), (2, 2, refused + 8));
    assert_eq!((counts.device_authorizations, counts.approvals, counts.resource_served), (1, 1, 24));
    counts.assert_no_race_was_lost();
    assert_only_the_protocol_was_spoken(&mut hosts).await;
}

#[tokio::test]
async fn a_fresh_token_that_is_rejected_as_well_is_an_error_and_no_loop() {
    // given a resource that rejects every token
    let server = AuthorizationServer::start(Settings::default());
    let daemon = daemon_at(&server).await;
    logged_in(&daemon, "work").await;
    let Some(mut hosts) = whoami(1, &server.resource(), &daemon).await else { return };
    server.always(At::Resource, Misbehaviour::status(401));

    // when a tool is called: the call is made twice, with two tokens, and then it fails
    assert_error(&hosts.call(0, "whoami", json!({})).await, &["rejected", "fresh one", "authctl status"]);
    assert_eq!((server.counts().resource_refused, server.counts().refreshes), (2, 1));

    // when it is called again: the call is made once, and the daemon says that another token would not help
    assert_error(&hosts.call(0, "whoami", json!({})).await, &["rejects even a fresh token", "Next: ", "authctl"]);
    assert_eq!((server.counts().resource_refused, server.counts().refreshes), (3, 1));

    // then the server is mended, and so is the tool
    server.behave();
    assert!(!hosts.call(0, "whoami", json!({})).await.is_error);
}

#[tokio::test]
async fn a_resource_or_a_daemon_that_is_down_is_an_error_and_passes() {
    let server = AuthorizationServer::start(Settings::default());
    let mut daemon = daemon_at(&server).await;
    logged_in(&daemon, "work").await;
    let Some(mut hosts) = whoami(1, &server.resource(), &daemon).await else { return };

    // when the resource is down
    server.go_down().await;
    assert_error(&hosts.call(0, "whoami", json!({})).await, &["error sending request", "Connection refused"]);
    server.come_back().await;
    assert!(!hosts.call(0, "whoami", json!({})).await.is_error);

    // when it fails with something that is no 401
    server.script(At::Resource, Misbehaviour::status(503));
    assert_error(&hosts.call(0, "whoami", json!({})).await, &["503 Service Unavailable"]);

    // when the daemon is away
    daemon.kill();
    assert_error(&hosts.call(0, "whoami", json!({})).await, &["mcp-authd is not running", "start"]);
    daemon.start_again().await;
    assert!(!hosts.call(0, "whoami", json!({})).await.is_error);
    assert_eq!(server.counts().refreshes, 0);
    assert_only_the_protocol_was_spoken(&mut hosts).await;
}

#[tokio::test]
async fn a_resource_without_an_account_is_an_error_that_names_the_next_step() {
    let server = AuthorizationServer::start(Settings::default());
    let daemon = daemon_at(&server).await;
    let Some(mut hosts) = whoami(1, "https://elsewhere.example/mcp", &daemon).await else { return };
    assert_error(&hosts.call(0, "whoami", json!({})).await, &["Next: see the accounts with: authctl status"]);
    assert_eq!(server.counts().device_authorizations, 0);
}

#[tokio::test]
async fn a_slow_call_holds_up_no_other_and_is_repeated_after_a_401() {
    // given a slow call that has arrived
    let server = AuthorizationServer::start(Settings::default());
    let daemon = daemon_at(&server).await;
    logged_in(&daemon, "work").await;
    let Some(mut hosts) = whoami(1, &server.resource(), &daemon).await else { return };
    server.script(At::Resource, Misbehaviour::Hold(Commit::Before));
    let slow = hosts.begin(0, "slow", json!({ "seconds": 1 })).await;
    server.wait_for(|counts| counts.held == 1).await;

    // when others are made meanwhile, they are served
    assert!(!hosts.call(0, "whoami", json!({})).await.is_error);

    // when its token is killed before its answer, it is made once more
    let killed = token(program(&daemon).token(Need::account("work")).await.unwrap());
    assert!(server.revoke_access_token(killed.expose()));
    server.release();
    let answer = hosts.tool_answer(slow).await;
    assert!(!answer.is_error && answer.text.contains("alice"), "{answer:?}");
    assert_eq!((server.counts().refreshes, server.counts().resource_refused), (1, 1));

    // then the second one has taken its second
    let log = server.log();
    let slow = log.iter().rfind(|asked| asked.parameters == ["seconds"]).unwrap();
    assert!(slow.decided.unwrap() - slow.arrived >= Duration::from_secs(1));
}

#[tokio::test]
async fn a_line_that_is_no_message_is_noticed() {
    let server = AuthorizationServer::start(Settings::default());
    let daemon = daemon_at(&server).await;
    let talkative = StdioServer::example("whoami", &server.resource(), &daemon).behind("echo 'ready to serve'; exec \"$@\"");
    let started = McpHosts::start(1, &talkative).await;
    let Ok(mut hosts) = started.map_err(|reason| skipped("a server that talks beside the protocol", &reason)) else { return };
    assert_eq!(hosts.strange_lines().await.len(), 1);
}

#[tokio::test]
async fn eight_copies_share_one_login_and_one_report_at_a_certified_server() {
    let started = RealIdp::start_with(&["--poll-interval", "1"]).await;
    let Ok(idp) = started.map_err(|reason| skipped("eight MCP servers at a certified server", &reason)) else { return };

    // given eight copies that show one code, and a person who approves it
    let account = real_server::account("work", &idp).scopes(["mcp:read"]).resource(idp.resource());
    let daemon = Daemon::start(Config::new().account(account)).await;
    let Some(mut hosts) = whoami(COPIES, idp.resource(), &daemon).await else { return };
    hosts.list_each().await;
    assert_eq!(idp.count("/device_codes_issued").await.unwrap(), 0);
    let (_page, code) = one_prompt(&hosts.call_each("whoami").await);
    idp.approve(&code, "alice").await.unwrap();
    account_is(&tool(&daemon), "work", |status| status.grant.is_some() && status.sign_in.is_none()).await;
    assert_all_work(&hosts.call_each("whoami").await);

    // when the server's clock has passed the token's end, which the daemon cannot know
    idp.advance(Duration::from_secs(2 * 3600)).await.unwrap();
    assert_all_work(&hosts.call_each("whoami").await);

    // then one login and one refresh were enough
    assert_eq!(idp.count("/device_codes_issued").await.unwrap(), 1);
    assert_eq!(idp.count("/token/refresh_token/ok").await.unwrap(), 1);
    assert_eq!(idp.count("/refresh_reuses_detected").await.unwrap(), 0);
    assert_only_the_protocol_was_spoken(&mut hosts).await;
}
