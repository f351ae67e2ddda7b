//! Twenty daemons at once: one owner, whoever else is started (B15).

use std::collections::BTreeSet;
use std::process::{Output, Stdio};
use std::time::Duration;

use mcp_authd_client::Token;
use mcp_authd_tests::daemon::Daemon;
use mcp_authd_tests::programs::{look, program, token, tool};
use mcp_authd_tests::server::Settings;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::task::JoinSet;

use super::logged_in::Machine;
use crate::effort::{figures, rounds};

const MANY: usize = 20;
/// The code of a daemon that gives way (`EX_TEMPFAIL`).
const GIVES_WAY: Option<i32> = Some(75);
/// Far longer than giving way takes.
const WATCHDOG: Duration = Duration::from_secs(60);
const LOOK_AGAIN: Duration = Duration::from_millis(1);

type Crowd = JoinSet<(u32, Output)>;

/// So many, started as programs start them. Their pids.
fn many(daemon: &Daemon, crowd: &mut Crowd) -> BTreeSet<u32> {
    let mut pids = BTreeSet::new();
    for _ in 0..MANY {
        let mut command = daemon.program("mcp-authd");
        command.arg("--unless-stopped").env("MCP_AUTHD_LOG", "info").stdin(Stdio::null()).stdout(Stdio::null());
        let child = command.stderr(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
        let pid = child.id().unwrap();
        pids.insert(pid);
        crowd.spawn(async move { (pid, child.wait_with_output().await.unwrap()) });
    }
    pids
}

fn assert_gave_way(ended: &Output, owner: u32) {
    let told = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), GIVES_WAY, "{told}");
    let last = told.lines().last().unwrap_or_default();
    assert!(last.contains(&format!("(pid {owner})")), "it names pid {owner}: {last}");
}

/// Twenty at once where none runs: its pid, when one is left and serves.
async fn one_of_many(daemon: &Daemon, crowd: &mut Crowd, known: &Token) -> u32 {
    let mut pids = many(daemon, crowd);
    let mut gave_way = Vec::with_capacity(MANY);
    while pids.len() > 1 {
        let ended = tokio::time::timeout(WATCHDOG, crowd.join_next()).await;
        let (pid, ended) = ended.unwrap_or_else(|_| panic!("{} go on, and only one may", pids.len())).unwrap().unwrap();
        pids.remove(&pid);
        gave_way.push(ended);
    }
    let owner = pids.pop_first().expect("one is left");
    gave_way.iter().for_each(|ended| assert_gave_way(ended, owner));
    while tool(daemon).status().await.is_err() {
        assert!(crowd.try_join_next().is_none(), "the last one ended, too");
        // law: sleep: it may be about to bind still, and a path cannot be waited for
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    assert_eq!(tool(daemon).status().await.unwrap().pid, i64::from(owner));
    assert_eq!(token(look(&program(daemon), "account-0").await).sha256(), known.sha256());
    owner
}

/// Twenty more at once while it serves. How many calls were answered meanwhile: all.
async fn many_more(daemon: &Daemon, owner: u32, known: &Token) -> usize {
    let standing = program(daemon);
    let mut crowd = Crowd::new();
    many(daemon, &mut crowd);
    let mut answered = 0;
    while !crowd.is_empty() {
        for client in [&standing, &program(daemon)] {
            assert_eq!(token(look(client, "account-0").await).sha256(), known.sha256());
            answered += 1;
        }
        while let Some(ended) = crowd.try_join_next() {
            assert_gave_way(&ended.unwrap().1, owner);
        }
    }
    assert_eq!(tool(daemon).status().await.unwrap().pid, i64::from(owner));
    answered
}

#[tokio::test]
async fn b15_of_twenty_daemons_at_once_one_serves_and_nobody_is_interrupted() {
    let (mut machine, tokens) = Machine::with(1, Settings::default()).await;
    machine.daemon.stop().await;
    let (rounds, mut answered) = (rounds(100, 4), 0);
    for round in 0..rounds {
        let mut crowd = Crowd::new();
        let owner = one_of_many(&machine.daemon, &mut crowd, &tokens[0]).await;
        answered += many_more(&machine.daemon, owner, &tokens[0]).await;
        // Every other one is killed, and leaves its sockets and locks to the next twenty.
        let signal = if round % 2 == 0 { Signal::SIGKILL } else { Signal::SIGTERM };
        kill(Pid::from_raw(i32::try_from(owner).unwrap()), signal).unwrap();
        let (pid, ended) = crowd.join_next().await.unwrap().unwrap();
        assert_eq!((pid, ended.status.success()), (owner, signal == Signal::SIGTERM));
    }
    assert_eq!(machine.server.counts().refreshes, 0);
    let others = rounds * (2 * MANY - 1);
    figures(
        "b15",
        format!(
            "{rounds} rounds: 1 served each time, {others} others left with 75 and its pid, {answered} calls answered meanwhile"
        ),
    );
}
