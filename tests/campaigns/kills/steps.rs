//! Killed at each step of a save, by its name: of an intent and of the result of a refresh, of a login that begins and of its grant, of a
//! logout (B1).
//!
//! strace counts the calls of each thread apart, so that from the start of a daemon on no number names a step for certain. Here it is
//! attached when little but that save is left to be done, and looks at nothing but its folder, or its file: for that the daemon is
//! stopped when it has made it.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mcp_authd_client::Reason;
use mcp_authd_tests::programs::{refusal, token_ended, until};
use mcp_authd_tests::server::{At, Commit, Misbehaviour};
use mcp_authd_tests::skip::skipped;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::site::Site;
use super::{LONG, log_in};
use crate::effort::{figures, rounds};
use crate::machine::injected::{self, Injected};
use crate::machine::logged_in::records;

/// What a save consists of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Open,
    Write,
    Flush,
    Rename,
    FlushOfFolder,
}

const STEPS: [Step; 5] = [Step::Open, Step::Write, Step::Flush, Step::Rename, Step::FlushOfFolder];

/// So many calls of its kind may one thread make before a step: the folder and its files are opened now and then.
const BEFORE: usize = 12;

/// Another thread may have done some of it: each number is tried so often.
const TRIES: usize = 6;

/// In whole, and in short.
const ROUNDS: (usize, usize) = (10, 1);

impl Step {
    /// Its system call, in one form or the other.
    fn calls(self) -> &'static str {
        match self {
            Self::Open => "openat",
            Self::Write => "write",
            Self::Flush => "fsync,fdatasync",
            Self::Rename => "rename,renameat,renameat2",
            Self::FlushOfFolder => "fsync",
        }
    }

    /// Whether it has to do with the folder of the records itself, so that no other call need be counted.
    fn is_on_the_folder(self) -> bool {
        !matches!(self, Self::Write | Self::Flush)
    }

    /// Whether a thread was in this step, on a record, when it ended.
    fn is_the_last_in(self, trace: &[String], folder: &str) -> bool {
        let mut last = BTreeMap::new();
        for line in trace {
            if let Some((thread, made)) = line.split_once(' ')
                && let Some((name, with)) = made.trim_start().split_once('(')
            {
                last.insert(thread, (name, with));
            }
        }
        last.into_values().any(|(name, with)| {
            let is_open = with.ends_with("<unfinished ...>") || with.ends_with("= ?");
            let on_a_record = with.contains(folder) && with.contains(".unfinished-");
            let is_it = if self == Self::FlushOfFolder { with.contains(&format!("{folder}>")) } else { on_a_record };
            is_open && is_it && self.calls().split(',').any(|call| call == name)
        })
    }
}

/// Kills the daemon at this step of what comes next: of the deed, or of what it does with the answer that the server holds back. Whether
/// it died there.
async fn killed_at(
    site: &mut Site,
    (step, number): (Step, usize),
    held: Option<At>,
    deed: impl Future<Output = ()> + Send + 'static,
) -> bool {
    let mut deed = std::pin::pin!(deed);
    if let Some(at) = held {
        site.kept().server.script(at, Misbehaviour::Hold(Commit::After));
        tokio::select! {
            () = &mut deed => return is_for_naught(site),
            _ = site.kept().server.wait_for(|counts| counts.held == 1) => {}
        }
    }
    let folder = records(&site.daemon);
    let inject = format!("{}:signal=KILL:when={number}", step.calls());
    // What works on the folder can be told by it; what works on the new file only once that is there.
    let injected = if step.is_on_the_folder() {
        let injected = Injected::into(&site.daemon, &inject, Some(&folder)).await;
        site.kept().server.release();
        injected
    } else {
        let stopping = Injected::into(&site.daemon, "fchmod:signal=STOP:when=1", None).await;
        site.kept().server.release();
        tokio::select! {
            () = until("the new file is there", || stopping.has_stopped_it()) => {}
            () = &mut deed => return is_for_naught(site),
        }
        stopping.end();
        let injected = Injected::into(&site.daemon, &inject, Some(&unfinished(&folder))).await;
        kill(Pid::from_raw(i32::try_from(site.daemon.pid()).unwrap()), Signal::SIGCONT).unwrap();
        injected
    };
    tokio::select! {
        status = site.daemon.exited() => {
            assert_eq!(status.signal(), Some(9), "{step:?}:\n{}", site.daemon.logs());
            step.is_the_last_in(&injected.whole(), &folder.to_string_lossy())
        }
        () = &mut deed => is_for_naught(site),
    }
}

/// The deed was done before: the daemon had refreshed by itself meanwhile, or no thread has made so many calls.
fn is_for_naught(site: &mut Site) -> bool {
    site.kept().server.behave();
    site.daemon.kill();
    false
}

/// The file that is being written.
fn unfinished(folder: &Path) -> PathBuf {
    let mut files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files.find(|file| file.to_string_lossy().contains("/.unfinished-")).expect("it was just made")
}

/// At each step, each as often as it is due, until each was reached. `attempt` tells whether it was.
async fn at_each_step(save: &str, mut attempt: impl AsyncFnMut(Step, usize) -> bool) {
    let rounds = rounds(ROUNDS.0, ROUNDS.1);
    for step in STEPS {
        // The number of the last round is the best guess for the next one.
        let (mut number, mut missed) = (1, 0);
        for round in 0..rounds {
            while !attempt(step, number).await {
                // All else is the first of its kind on the folder, or on the file.
                number = if step == Step::Open { number % BEFORE + 1 } else { 1 };
                missed += 1;
                assert!(missed <= TRIES * BEFORE + round, "round {round}: {save} was not killed at {step:?}");
            }
        }
    }
    let reached = STEPS.map(|step| format!("{step:?}")).join(", ");
    figures("b1", format!("{save}: {rounds} kills at each of {reached}"));
}

#[tokio::test]
async fn b1_a_daemon_that_is_killed_at_each_named_step_of_a_refresh_serves_again() {
    if let Some(skip) = injected::cannot() {
        return skipped("b1, the steps of a refresh", &skip);
    }
    let mut site = Site::new();
    site.daemon.start_again().await;
    log_in(&site.daemon, &site.accounts.0).await;
    site.stops().await;
    for (save, held) in [("the intent of a refresh", None), ("the result of a refresh", Some(At::Refresh))] {
        at_each_step(save, async |step, number| {
            // given a token that has ended
            site.daemon.start_again().await;
            site.answer().await;
            token_ended(&site.daemon, &site.kept().name).await;
            let before = site.kept().server.counts();

            // when it is killed there, then it serves after the next start
            let deed = site.refreshes();
            let reached = killed_at(&mut site, (step, number), held, deed).await;
            site.serves_again((save, step), &before).await;
            site.stops().await;
            reached
        })
        .await;
    }
    site.daemon.start_again().await;
    site.accounts.serve_on(&site.daemon).await;
}

#[tokio::test]
async fn b1_a_daemon_that_is_killed_at_each_named_step_of_a_login_serves_or_asks_for_one() {
    if let Some(skip) = injected::cannot() {
        return skipped("b1, the steps of a login", &skip);
    }
    for (save, held) in [("a login that begins", Some(At::DeviceAuthorization)), ("the grant of a login", Some(At::Poll))] {
        at_each_step(save, async |step, number| {
            let (mut site, shown) = (Site::new(), Arc::default());
            site.daemon.start_again().await;
            // (it has its key then, and its threads)
            assert_eq!(refusal(site.answer().await).reason, Reason::LoginRequired);
            let deed = site.logs_in(&shown);
            let reached = killed_at(&mut site, (step, number), held, deed).await;
            let was_shown = shown.lock().unwrap().take();
            site.logs_in_after_all((save, step), was_shown).await;
            reached
        })
        .await;
    }
}

#[tokio::test]
async fn b1_a_daemon_that_is_killed_at_each_named_step_of_a_logout_is_logged_in_or_out() {
    if let Some(skip) = injected::cannot() {
        return skipped("b1, the steps of a logout", &skip);
    }
    let mut site = Site::new();
    site.kept().server.change(|settings| settings.access_token_life = LONG);
    at_each_step("a logout", async |step, number| {
        site.daemon.start_again().await;
        if !site.keeps_a_grant() {
            log_in(&site.daemon, &site.accounts.0).await;
        }
        let (before, deed) = (site.kept().server.counts(), site.logs_out());
        let reached = killed_at(&mut site, (step, number), None, deed).await;
        site.is_logged_in_or_out(step, &before).await;
        site.daemon.kill();
        reached
    })
    .await;
}
