//! Records that may not be written: before the start, and from one moment on (B9).

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use mcp_authd_client::Reason;
use mcp_authd_tests::programs::program;
use mcp_authd_tests::server::Settings;
use mcp_authd_tests::skip::{Skip, skipped};

use super::logged_in::{Machine, records, refused};
use super::mounts::Mounted;
use crate::effort::{figures, rounds};

const ACCOUNTS: usize = 4;
/// Ten times what a recovery may take.
const WATCHDOG: Duration = Duration::from_secs(300);

/// A folder that takes no new file: mounted so by root, whom no mode stops; by its mode for anybody else.
enum ReadOnly {
    Mounted(Mounted),
    Mode(PathBuf),
}

impl ReadOnly {
    fn from_now_on(folder: &Path) -> Result<Self, Skip> {
        if nix::unistd::geteuid().is_root() {
            return Mounted::read_only(folder).map(Self::Mounted);
        }
        fs::set_permissions(folder, fs::Permissions::from_mode(0o500)).unwrap();
        Ok(Self::Mode(folder.to_owned()))
    }

    fn end(self) {
        match self {
            Self::Mounted(mounted) => drop(mounted),
            Self::Mode(folder) => fs::set_permissions(folder, fs::Permissions::from_mode(0o700)).unwrap(),
        }
    }
}

/// One daemon under which its records become read-only, and that is started on such. How long it took to be well again.
async fn well_again_after() -> Result<Duration, Skip> {
    // given accounts that are logged in, and a folder that becomes read-only
    let (mut machine, tokens) = Machine::with(ACCOUNTS, Settings::default()).await;
    let folder = records(&machine.daemon);
    let read_only = ReadOnly::from_now_on(&folder)?;

    // when refreshes are wanted, then none is sent, and the living tokens are served
    for token in &tokens {
        let refusal = refused(program(&machine.daemon).report_rejected(token).await.unwrap());
        assert_eq!(refusal.reason, Reason::NotSaved);
    }
    machine.assert_serves(&tokens, "on a read-only folder").await;
    machine.all_tell_that_they_are_not_saved().await;
    assert_eq!(machine.server.counts().refreshes, 0);

    // when it can be written again, then each is refreshed once, by itself
    read_only.end();
    let writable = Instant::now();
    let well = machine.all_are_refreshed();
    tokio::time::timeout(WATCHDOG, well).await.expect("they are well again in the end");
    let took = writable.elapsed();
    let new = machine.tokens().await;
    machine.assert_accepted(&new, "after it could be written").await;

    // and a start on a read-only folder is refused, in one line that names it
    machine.daemon.stop().await;
    let read_only = ReadOnly::from_now_on(&folder)?;
    let before = machine.daemon.logs().len();
    machine.daemon.launch();
    assert_eq!(machine.daemon.exited().await.code(), Some(1));
    let logs = machine.daemon.logs();
    let told: Vec<&str> = logs[before..].lines().filter(|line| line.starts_with("mcp-authd: ")).collect();
    assert!(told.len() == 1 && told[0].contains(folder.to_str().unwrap()), "{told:?}");
    read_only.end();
    machine.daemon.start_again().await;
    machine.assert_serves(&new, "after it could be written").await;
    let counts = machine.server.counts();
    counts.assert_no_race_was_lost();
    assert_eq!(counts.refreshes, ACCOUNTS as u64);
    Ok(took)
}

#[tokio::test]
async fn b9_nothing_is_spent_while_the_records_are_read_only_and_no_daemon_starts_on_them() {
    let rounds = rounds(12, 1);
    let mut took = Vec::with_capacity(rounds);
    for _ in 0..rounds {
        match well_again_after().await {
            Ok(after) => took.push(after),
            Err(skip) => return skipped("b9: records that may not be written", &skip),
        }
    }
    took.sort_unstable();
    let (median, last) = (took[rounds / 2], took[rounds - 1]);
    figures(
        "b9",
        format!(
            "{rounds} times read-only, 0 requests, {rounds} starts refused; \
             well again after {median:.1?} (median), {last:.1?} at most"
        ),
    );
}
