//! Folders that are deleted under a daemon that serves: its memory goes on, and they come back (B11).

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::time::{Duration, Instant};

use mcp_authd_client::status::Health;
use mcp_authd_tests::programs::{look, program, token, tool};
use mcp_authd_tests::server::Settings;
use tokio::task::JoinSet;

use super::logged_in::{Machine, mode_of, records, sockets};
use crate::effort::{figures, rounds};

/// Daemons at once.
const LANES: usize = 6;
/// Ten times what a loss may last.
const WATCHDOG: Duration = Duration::from_secs(300);
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Which folders go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Gone {
    Records,
    Sockets,
    Both,
}

const EACH: [Gone; 3] = [Gone::Records, Gone::Sockets, Gone::Both];

/// As `rm -rf`: what is written meanwhile goes, too.
fn delete(folder: &Path) {
    while let Err(error) = fs::remove_dir_all(folder) {
        assert_eq!(error.kind(), ErrorKind::DirectoryNotEmpty);
    }
}

/// One daemon whose folders are deleted. How long its sockets were gone, where they were.
async fn back_after(gone: Gone) -> Option<Duration> {
    // given an account that is logged in, and a program on a standing connection
    let (mut machine, first) = Machine::with(1, Settings::default()).await;
    let daemon = &machine.daemon;
    let standing = program(daemon);
    let _there = token(look(&standing, "account-0").await);
    let (state, run) = (records(daemon), sockets(daemon));

    // when
    if gone != Gone::Sockets {
        delete(&state);
    }
    if gone != Gone::Records {
        delete(&run);
    }
    let lost = Instant::now();

    // then memory serves, and the next save makes the folder anew, private
    assert_eq!(token(look(&standing, "account-0").await).sha256(), first[0].sha256(), "{gone:?}");
    let second = token(standing.report_rejected(&first[0]).await.unwrap());
    assert_eq!((mode_of(&state), mode_of(&state.join("grant-account-0.sealed"))), (0o700, 0o600), "{gone:?}");

    // and the sockets come back by themselves, private
    let mut back = None;
    if gone != Gone::Records {
        let coming = async {
            while tool(daemon).status().await.is_err() || program(daemon).accounts().await.is_err() {
                assert_eq!(token(look(&standing, "account-0").await).sha256(), second.sha256(), "{gone:?}");
                // law: sleep: the daemon looks every ten seconds, and a path cannot be waited for
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        };
        tokio::time::timeout(WATCHDOG, coming).await.expect("the sockets come back");
        back = Some(lost.elapsed());
        for socket in [daemon.tokens_socket(), daemon.admin_socket()] {
            assert_eq!((mode_of(&run), mode_of(&socket)), (0o700, 0o600), "{gone:?}");
        }
    }
    machine.all_are(|status| status.health == Health::Good).await;

    // and nothing is lost by a kill
    machine.daemon.kill();
    machine.daemon.start_again().await;
    machine.assert_serves(&[second], "after a kill").await;
    let counts = machine.server.counts();
    counts.assert_no_race_was_lost();
    assert_eq!((counts.refreshes, counts.device_authorizations), (1, 1), "{gone:?}");
    back
}

#[tokio::test]
async fn b11_folders_that_are_deleted_come_back_and_memory_serves_meanwhile() {
    let mut left: Vec<Gone> = (0..rounds(60, EACH.len())).map(|round| EACH[round % EACH.len()]).collect();
    let (deleted, mut running, mut back) = (left.len(), JoinSet::new(), Vec::new());
    loop {
        while running.len() < LANES
            && let Some(gone) = left.pop()
        {
            running.spawn(back_after(gone));
        }
        match running.join_next().await {
            Some(Ok(after)) => back.extend(after),
            Some(Err(failed)) => std::panic::resume_unwind(failed.into_panic()),
            None => break,
        }
    }
    back.sort_unstable();
    let (sockets, median, last) = (back.len(), back[back.len() / 2], back[back.len() - 1]);
    figures(
        "b11",
        format!(
            "{deleted} times folders deleted, 0 logins lost; \
             {sockets} times the sockets were back after {median:.1?} (median), {last:.1?} at most"
        ),
    );
}
