//! How much memory the daemon holds when nothing happens, and what calls leave behind in it: nothing. More of that, in figures, is
//! told by `tests/bench`.

use std::path::Path;

use mcp_authd_client::{Answer, Client, Need, Request, SignInMode};
use mcp_authd_tests::daemon::{Account, Config, Daemon};
use mcp_authd_tests::programs::{logged_in, program, until};
use mcp_authd_tests::server::{AuthorizationServer, Settings};
use tokio::task::JoinSet;

const PROGRAMS: u32 = 100;
const CALLS: u32 = 10_000;
/// A third of a kilobyte for each call would be more.
const MORE_AT_MOST: u64 = 3 << 20;
/// In bytes. The promise, of a released program; 9.5 million if the pages of its start stayed.
const RELEASED: u64 = 8_000_000;
/// One with the means to debug it is larger: 21 million if those pages stayed, 12 else.
const DEBUGGED: u64 = 15_000_000;

async fn calls(programs: u32, calls: u32, daemon: &Daemon) {
    let mut all = JoinSet::new();
    for _ in 0..programs {
        let client: Client = program(daemon);
        all.spawn(async move {
            for _ in 0..calls / programs {
                let request = Request::new(Need::account("work")).sign_in(SignInMode::Never);
                assert!(matches!(client.token(request).await, Ok(Answer::UseToken(_))));
            }
        });
    }
    while let Some(ended) = all.join_next().await {
        ended.unwrap();
    }
}

/// In bytes.
fn resident(daemon: &Daemon) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", daemon.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches("kB").trim().parse::<u64>().unwrap() * 1024
}

fn at_most(program: &Path) -> u64 {
    let released = program.parent().is_some_and(|folder| folder.ends_with("release"));
    if released { RELEASED } else { DEBUGGED }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn ten_thousand_calls_and_a_calm_after_its_start_the_daemon_holds_as_little_as_promised() {
    let server = AuthorizationServer::start(Settings::default());
    let config = Config::new().account(Account::at("work", server.issuer()).scopes(["mcp:read"]));
    let daemon = Daemon::start(config.environment("MCP_AUTHD_LOG", "info")).await;
    logged_in(&daemon, "work").await;
    // given what it holds when it has served a crowd once: buffers that live for ever have grown by then
    calls(PROGRAMS, PROGRAMS, &daemon).await;
    let at_most = at_most(&std::fs::read_link(format!("/proc/{}/exe", daemon.pid())).unwrap());
    until("it holds no more than promised", || resident(&daemon) <= at_most).await;
    let before = resident(&daemon);

    calls(PROGRAMS, CALLS, &daemon).await;

    // when they have gone, and memory has been given back a while later
    until("it holds hardly more than before", || resident(&daemon) <= at_most.min(before + MORE_AT_MOST)).await;
    assert_eq!((server.counts().device_authorizations, server.counts().refreshes), (1, 0));
}
