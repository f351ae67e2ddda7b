//! One owner of the store and of its sockets, whatever is started, killed or deleted (B11, B15, B16).

use std::fs;
use std::os::unix::fs::FileTypeExt as _;
use std::process::{Output, Stdio};
use std::time::Duration;

use mcp_authd_client::{Answer, Need};
use mcp_authd_tests::daemon::{Account, Config, Daemon};
use mcp_authd_tests::programs::{program, tool};
use mcp_authd_tests::server::{AuthorizationServer, Settings};
use tokio::process::Child;
use tokio::task::JoinSet;

use super::runtime;
use crate::logged_in::{logged_in_at, look, used};

const MANY: usize = 20;
/// Ten times what a loss may last (B11), so that only a socket that never comes back meets it.
const WATCHDOG: Duration = Duration::from_secs(300);

fn another(daemon: &Daemon) -> Child {
    let mut command = daemon.program("mcp-authd");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true).spawn().unwrap()
}

fn assert_gave_way(ended: &Output, owner: u32) {
    let told = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(75), "{told}");
    let last = told.lines().last().unwrap_or_default();
    assert!(
        last.contains(&format!("(pid {owner})")) && last.contains("authctl"),
        "it names pid {owner} and what to type: {last}"
    );
}

#[tokio::test]
async fn of_twenty_daemons_at_once_exactly_one_serves_and_the_others_name_it() {
    // given twenty that are started at once in empty directories
    let server = AuthorizationServer::start(Settings::default());
    let daemon = Daemon::prepare(Config::new().account(Account::at("work", server.issuer())));
    let mut running = JoinSet::new();
    let mut pids = Vec::new();
    for _ in 0..MANY {
        let child = another(&daemon);
        pids.push(child.id().unwrap());
        running.spawn(async move { (child.id().unwrap(), child.wait_with_output().await.unwrap()) });
    }

    // when all but one have ended
    let mut gave_way = Vec::new();
    while gave_way.len() < MANY - 1 {
        gave_way.push(running.join_next().await.unwrap().unwrap());
    }

    // then that one serves, and the others have named it
    pids.retain(|pid| gave_way.iter().all(|(gone, _)| gone != pid));
    let owner = pids[0];
    gave_way.iter().for_each(|(_, ended)| assert_gave_way(ended, owner));
    let status = loop {
        match tool(&daemon).status().await {
            Ok(status) => break status,
            Err(_) => {
                // law: sleep: it may be about to bind still, and a path cannot be waited for
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        }
    };
    assert_eq!(status.pid, i64::from(owner));
    assert!(matches!(program(&daemon).token(Need::account("work")).await.unwrap(), Answer::ShowSignIn(_)));
    tool(&daemon).stop().await.unwrap();
    let (_, ended) = running.join_next().await.unwrap().unwrap();
    assert!(ended.status.success(), "{ended:?}");
}

#[tokio::test]
async fn a_daemon_that_serves_goes_on_uninterrupted_while_twenty_others_try() {
    // given a daemon that serves a program on a standing connection
    let (_server, daemon, token) = logged_in_at(Settings::default()).await;
    let standing = program(&daemon);
    let mut others = JoinSet::new();
    for _ in 0..MANY {
        let child = another(&daemon);
        others.spawn(async move { child.wait_with_output().await.unwrap() });
    }

    // when the others come and go, then every call on it and on new connections is answered
    let mut served = 0;
    while !others.is_empty() {
        for client in [&standing, &program(&daemon)] {
            assert_eq!(used(look(client, "work").await).sha256(), token.sha256());
            served += 1;
        }
        while let Some(ended) = others.try_join_next() {
            assert_gave_way(&ended.unwrap(), daemon.pid());
        }
    }
    assert!(served > 0);
    assert_eq!(tool(&daemon).status().await.unwrap().pid, i64::from(daemon.pid()));
}

#[tokio::test]
async fn a_socket_that_a_killed_daemon_left_is_bound_again() {
    let (server, mut daemon, token) = logged_in_at(Settings::default()).await;
    for _ in 0..3 {
        daemon.kill();
        let left = fs::symlink_metadata(daemon.tokens_socket()).unwrap();
        assert!(left.file_type().is_socket(), "nothing was tidied up");
        let shown = daemon.program("authctl").arg("status").output().await.unwrap();
        assert_eq!(shown.status.code(), Some(6), "a stale socket is no daemon");
        daemon.start_again().await;
        assert_eq!(used(look(&program(&daemon), "work").await).sha256(), token.sha256());
    }
    // A daemon that leaves on its own takes its sockets along.
    daemon.stop().await;
    assert!(!daemon.tokens_socket().exists() && !daemon.admin_socket().exists());
    assert_eq!(server.counts().refreshes, 0);
}

#[tokio::test]
async fn a_live_daemons_socket_is_never_taken_by_another_even_without_its_lock_file() {
    let (_server, daemon, token) = logged_in_at(Settings::default()).await;
    // Another state folder: the lock of the store is free there, the lock beside the sockets is not.
    let mut other = daemon.program("mcp-authd");
    other.env("XDG_STATE_HOME", daemon.dirs().home().join("state")).env("XDG_DATA_HOME", daemon.dirs().home().join("data"));
    let ended = other.stdin(Stdio::null()).output().await.unwrap();
    let told = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert!(!ended.status.success(), "{told}");
    assert!(told.lines().last().unwrap_or_default().contains(&format!("(pid {})", daemon.pid())), "{told}");
    assert_eq!(used(look(&program(&daemon), "work").await).sha256(), token.sha256());
}

#[tokio::test]
async fn sockets_whose_folder_is_deleted_come_back_and_standing_connections_go_on() {
    // given a program on a standing connection, and a folder that is deleted under the daemon
    let (_server, daemon, token) = logged_in_at(Settings::default()).await;
    let standing = program(&daemon);
    used(look(&standing, "work").await);
    fs::remove_dir_all(runtime(&daemon)).unwrap();

    // then the connection serves on, and the sockets come back by themselves
    let coming_back = async {
        loop {
            assert_eq!(used(look(&standing, "work").await).sha256(), token.sha256());
            if tool(&daemon).status().await.is_ok() && program(&daemon).accounts().await.is_ok() {
                return;
            }
            // law: sleep: the daemon looks every ten seconds, and a path cannot be waited for
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(WATCHDOG, coming_back).await.expect("the sockets never come back");
    assert_eq!(used(look(&program(&daemon), "work").await).sha256(), token.sha256());
    assert!(daemon.logs().contains("the socket was lost and is bound again"));
}
