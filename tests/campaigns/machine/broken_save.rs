//! The disk fails when a new token is to be saved, at a server that takes the old one for stolen (B8).

use std::fmt;
use std::fs;
use std::time::{Duration, Instant, SystemTime};

use mcp_authd_client::status::Health;
use mcp_authd_client::{Answer, Client, Reason, Token};
use mcp_authd_tests::daemon::Daemon;
use mcp_authd_tests::programs::{program, token, until};
use mcp_authd_tests::server::{At, Commit, Misbehaviour, Settings};
use mcp_authd_tests::skip::{Skip, skipped};
use tokio::task::JoinSet;

use super::injected::{self, Injected};
use super::logged_in::{Machine, hashes, records, refused};
use super::mounts::{Filling, Mounted};
use crate::effort::{figures, rounds};

const ACCOUNTS: usize = 4;
/// Daemons at once.
const LANES: usize = 5;

/// What fails.
#[derive(Debug, Clone, Copy)]
enum Fault {
    /// A real disk without room: `write` says ENOSPC.
    FullDisk,
    /// No file can be made.
    Create,
    /// What was written does not reach the disk.
    Flush,
    /// The new file cannot take its name.
    Rename,
    /// It has its name, but nobody knows whether for good.
    FlushOfFolder,
}

const FAULTS: [Fault; 5] = [Fault::FullDisk, Fault::Create, Fault::Flush, Fault::Rename, Fault::FlushOfFolder];

/// A fault that lasts.
enum Lasting {
    Full(Filling),
    Injected(Injected),
}

impl Fault {
    async fn begin(self, daemon: &Daemon) -> Lasting {
        let folder = records(daemon);
        let (inject, only) = match self {
            Self::FullDisk => return Lasting::Full(Filling::of(&folder)),
            Self::Create => ("openat:error=ENOSPC", Some(&*folder)),
            Self::Flush => ("fsync,fdatasync:error=EIO", None),
            Self::Rename => ("rename,renameat,renameat2:error=EIO", Some(&*folder)),
            Self::FlushOfFolder => ("fsync:error=EIO", Some(&*folder)),
        };
        Lasting::Injected(Injected::into(daemon, inject, only).await)
    }
}

impl Lasting {
    /// Waits until every account has been refused a second time.
    async fn refuses_again(&self, fault: Fault, daemon: &Daemon) {
        match self {
            Self::Full(_) => {
                let before = changed(daemon);
                until("a save is tried again", || changed(daemon) > before).await;
            }
            Self::Injected(injected) => {
                until("each save is tried again", || injected.failed() >= 2 * ACCOUNTS).await;
                let (failed, made) = (injected.failed(), injected.files_made());
                // Where nothing can be opened there is no file, and nothing of one to be done again.
                let is_each_new = matches!(fault, Fault::Create) || failed <= made;
                assert!(is_each_new, "{fault:?}: {failed} of the steps of {made} files have failed: one was tried again");
                assert_eq!(injected.flushed_again(), Vec::<String>::new(), "a file whose fsync has failed was asked again");
            }
        }
    }

    fn end(self) {
        match self {
            Self::Full(filling) => filling.remove(),
            Self::Injected(injected) => injected.end(),
        }
    }
}

/// When a name in the folder of the records last came or went.
fn changed(daemon: &Daemon) -> SystemTime {
    fs::metadata(records(daemon)).unwrap().modified().unwrap()
}

/// Insists on another token. A call ends by its own limit, and strace may take longer than that to be attached.
async fn better_than(old: &Token, program: &Client) -> Token {
    loop {
        match program.report_rejected(old).await.unwrap() {
            Answer::TryLater(refusal) if refusal.reason == Reason::Unavailable => {}
            answer => return token(answer),
        }
    }
}

/// One daemon whose accounts all meet the fault with a new token in their hands. How long the saving took after the fault.
async fn saved_after(fault: Fault) -> Result<Duration, Skip> {
    // given accounts that are logged in, and refreshes that the server has done
    let mut machine = Machine::prepare(ACCOUNTS, Settings::default());
    let _disk = match fault {
        Fault::FullDisk => Some(Mounted::small_disk(&records(&machine.daemon))?),
        _ => None,
    };
    machine.daemon.start_again().await;
    let first = machine.log_in().await;
    machine.server.script_times(At::Refresh, ACCOUNTS, &Misbehaviour::Hold(Commit::After));
    let mut reports = JoinSet::new();
    for (number, old) in first.iter().cloned().enumerate() {
        let program = program(&machine.daemon);
        reports.spawn(async move { (number, better_than(&old, &program).await) });
    }
    machine.server.wait_for(|counts| counts.held == ACCOUNTS as u64).await;

    // when the disk fails before the answers come
    let lasting = fault.begin(&machine.daemon).await;
    machine.server.release();
    let mut answers = reports.join_all().await;
    answers.sort_by_key(|(number, _)| *number);
    let second: Vec<Token> = answers.into_iter().map(|(_, token)| token).collect();

    // then the new tokens are served from memory, visibly unsaved, and no further refresh is sent, however long it lasts
    assert!(hashes(&first).iter().all(|old| !hashes(&second).contains(old)), "{fault:?}");
    machine.all_tell_that_they_are_not_saved().await;
    lasting.refuses_again(fault, &machine.daemon).await;
    machine.assert_serves(&second, "while the disk fails").await;
    for new in &second {
        let refusal = refused(program(&machine.daemon).report_rejected(new).await.unwrap());
        assert_eq!(refusal.reason, Reason::NotSaved, "{fault:?}");
    }
    assert_eq!(machine.server.counts().refreshes, ACCOUNTS as u64, "{fault:?}");

    // when the disk is well again, then they are saved by themselves, and a kill loses none
    lasting.end();
    let well = Instant::now();
    machine.all_are(|status| status.health == Health::Good).await;
    let took = well.elapsed();
    machine.daemon.kill();
    machine.daemon.start_again().await;
    machine.assert_serves(&second, "after a kill").await;
    machine.assert_accepted(&second, "after a kill").await;
    let counts = machine.server.counts();
    counts.assert_no_race_was_lost();
    assert_eq!((counts.refreshes, counts.device_authorizations), (ACCOUNTS as u64, ACCOUNTS as u64), "{fault:?}");
    machine.daemon.assert_no_secret_in_clear();
    Ok(took)
}

#[tokio::test]
async fn b8_a_token_that_the_disk_refuses_is_served_and_saved_when_the_disk_is_well() {
    const STORY: &str = "b8: a disk that fails when a new token is to be saved";
    if let Some(skip) = injected::cannot() {
        return skipped(STORY, &skip);
    }
    let mut left = (0..rounds(50, FAULTS.len())).map(|round| FAULTS[round % FAULTS.len()]).collect::<Vec<_>>();
    let (faults, mut running, mut took) = (left.len(), JoinSet::new(), Vec::new());
    loop {
        while running.len() < LANES
            && let Some(fault) = left.pop()
        {
            running.spawn(saved_after(fault));
        }
        match running.join_next().await {
            Some(Ok(Ok(after))) => took.push(after),
            Some(Ok(Err(skip))) => return skipped(STORY, &skip),
            Some(Err(failed)) => std::panic::resume_unwind(failed.into_panic()),
            None => break,
        }
    }
    took.sort_unstable();
    let tokens = faults * ACCOUNTS;
    figures("b8", Saved { faults, tokens, median: took[took.len() / 2], last: took[took.len() - 1] });
}

struct Saved {
    faults: usize,
    tokens: usize,
    median: Duration,
    last: Duration,
}

impl fmt::Display for Saved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { faults, tokens, median, last } = self;
        write!(f, "{faults} faults of {} kinds, {tokens} unsaved tokens served, {tokens} durable; ", FAULTS.len())?;
        write!(f, "saved {median:.1?} after the fault (median), {last:.1?} at most")
    }
}
