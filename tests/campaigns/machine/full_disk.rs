//! A disk without room before a refresh: what cannot be saved is not spent (B7).

use std::time::{Duration, Instant};

use mcp_authd_client::Reason;
use mcp_authd_tests::programs::program;
use mcp_authd_tests::server::Settings;
use mcp_authd_tests::skip::{Skip, skipped};

use super::logged_in::{Machine, records, refused};
use super::mounts::{Filling, Mounted};
use crate::effort::{figures, rounds};

const ACCOUNTS: usize = 8;
const REPORTS_EACH: usize = 5;
/// Ten times what a recovery may take.
const WATCHDOG: Duration = Duration::from_secs(300);

/// How long the accounts took to be well again after the disk had room.
async fn well_again_after() -> Result<Duration, Skip> {
    // given accounts that are logged in, and a disk that is full from then on
    let mut machine = Machine::prepare(ACCOUNTS, Settings::default());
    let place = records(&machine.daemon);
    let _disk = Mounted::small_disk(&place)?;
    machine.daemon.start_again().await;
    let tokens = machine.log_in().await;
    let filling = Filling::of(&place);

    // when refreshes are wanted, then none is sent, and the living tokens are served
    let program = program(&machine.daemon);
    for _ in 0..REPORTS_EACH {
        for token in &tokens {
            let refusal = refused(program.report_rejected(token).await.unwrap());
            assert!(refusal.reason == Reason::NotSaved && refusal.retry_after.is_some(), "{refusal:?}");
        }
        machine.assert_serves(&tokens, "on a full disk").await;
    }
    machine.all_tell_that_they_are_not_saved().await;
    let shown = machine.daemon.program("authctl").arg("status").output().await.unwrap();
    assert_eq!(shown.status.code(), Some(4), "{}", String::from_utf8_lossy(&shown.stdout));
    assert_eq!(machine.server.counts().refreshes, 0);

    // when there is room, then each is refreshed once, by itself
    let process = machine.daemon.pid();
    filling.remove();
    let room = Instant::now();
    let well = machine.all_are_refreshed();
    tokio::time::timeout(WATCHDOG, well).await.expect("they are well again in the end");
    let took = room.elapsed();
    let new = machine.tokens().await;
    machine.assert_accepted(&new, "after the disk had room").await;
    let counts = machine.server.counts();
    counts.assert_no_race_was_lost();
    assert_eq!((counts.refreshes, machine.daemon.pid()), (ACCOUNTS as u64, process));
    machine.daemon.assert_no_secret_in_clear();
    Ok(took)
}

#[tokio::test]
async fn b7_no_refresh_is_sent_on_a_full_disk_and_all_are_well_again_when_it_has_room() {
    let rounds = rounds(12, 1);
    let mut took = Vec::with_capacity(rounds);
    for _ in 0..rounds {
        match well_again_after().await {
            Ok(after) => took.push(after),
            Err(skip) => return skipped("b7: a full disk before a refresh", &skip),
        }
    }
    took.sort_unstable();
    let (asked, median, last) = (rounds * ACCOUNTS * REPORTS_EACH, took[rounds / 2], took[rounds - 1]);
    figures(
        "b7",
        format!(
            "{asked} refreshes wanted on {rounds} full disks, 0 requests; \
             well again after {median:.1?} (median), {last:.1?} at most"
        ),
    );
}
