//! A daemon under `strace`, that is killed as it enters a chosen system call.
//!
//! The daemon stays our own child (`-D`). `strace` counts the calls of each thread apart. Most work on files is done by one thread, so
//! that a number mostly names the same step; where a second one takes a share, its steps have lower numbers.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Stdio};

use mcp_authd_tests::daemon::Daemon;
use mcp_authd_tests::programs::until;
use mcp_authd_tests::skip::Skip;
use tempfile::TempDir;

/// What the store does to files, in one form or the other.
const CALLS: [&str; 8] =
    ["openat", "write", "fsync,fdatasync", "?rename,?renameat,?renameat2", "ftruncate", "?fchmod", "?linkat", "?unlinkat"];

/// At which call, and at the how manieth of one thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Point {
    pub(super) call: &'static str,
    pub(super) number: usize,
}

/// What has come first.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum End<T> {
    /// The kill.
    Killed,
    /// The end of the deed: no thread made the call so often.
    Done(T),
}

/// Whether a daemon can be traced here.
pub(super) fn possible() -> Result<(), Skip> {
    let tried = Command::new("strace").args(["-D", "-qq", "-o", "/dev/null", "true"]).stderr(Stdio::null()).status();
    match tried {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err(Skip("strace may not trace here: allow ptrace".to_owned())),
        Err(error) => Err(Skip(format!("strace cannot be run ({error}): apt-get install strace"))),
    }
}

/// Starts the daemon so that it dies at this point, and lets `deed` be done. The deed must not end because the daemon does.
pub(super) async fn killed_at<T>(daemon: &mut Daemon, point: Point, deed: impl Future<Output = T>) -> End<T> {
    let (trace, inject) = (format!("trace={}", point.call), format!("inject={}:signal=KILL:when={}", point.call, point.number));
    daemon.launch_under(&["strace", "-D", "-f", "-qq", "-o", "/dev/null", "-e", &trace, "-e", &inject]);
    tokio::select! {
        status = daemon.exited() => {
            assert_eq!(status.signal(), Some(9), "{point:?}:\n{}", daemon.logs());
            End::Killed
        }
        done = deed => {
            daemon.kill();
            End::Done(done)
        }
    }
}

/// Lets `deed` be done once, and counts: how often each call was made by the threads for files, from the start to the end of the deed.
pub(super) async fn counted(daemon: &mut Daemon, deed: impl Future<Output = ()>) -> Vec<Point> {
    let folder = TempDir::new().expect("a temporary directory can be made");
    let file = folder.path().join("trace");
    let trace = format!("trace={}", CALLS.join(","));
    daemon.launch_under(&["strace", "-D", "-f", "-q", "-o", file.to_str().expect("a path of ours is text"), "-e", &trace]);
    let pid = daemon.pid();
    deed.await;
    daemon.kill();
    let text = || fs::read_to_string(&file).unwrap_or_default();
    let ends = |text: &str| text.lines().any(|line| line.starts_with(&format!("{pid} ")) && line.contains("+++ killed"));
    until("the trace is whole", || ends(&text())).await;
    let (mut by_main, mut by_others) = (BTreeMap::<&'static str, usize>::new(), BTreeMap::<&'static str, usize>::new());
    for line in text().lines() {
        let Some((thread, made)) = line.split_once(' ') else { continue };
        let name = made.trim_start().split('(').next().unwrap_or_default();
        let is_it = |calls: &&&str| calls.split(',').any(|call| call.trim_start_matches('?') == name);
        if let Some(call) = CALLS.iter().find(is_it) {
            let counts = if thread == pid.to_string() { &mut by_main } else { &mut by_others };
            *counts.entry(call).or_default() += 1;
        }
    }
    // Where the first thread makes more of them, it is killed first.
    CALLS.into_iter().filter_map(|call| Some(Point { call, number: *by_others.get(call).max(by_main.get(call))? })).collect()
}
