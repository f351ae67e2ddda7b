//! A system call that fails in a running daemon, from one moment to another: strace is attached, and detached.
//!
//! Must never: outlive its campaign.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use mcp_authd_tests::daemon::Daemon;
use mcp_authd_tests::programs::until;
use mcp_authd_tests::skip::Skip;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// A thread that is born of another one while strace has only the other half of them is not followed: then it is attached anew.
const ATTACHES: usize = 10;
/// Far longer than it takes.
const ATTACHED: Duration = Duration::from_secs(5);

/// While it lives, calls fail.
pub(crate) struct Injected {
    strace: Child,
    trace: PathBuf,
}

/// Why nothing can be injected here.
pub(crate) fn cannot() -> Option<Skip> {
    let there = Command::new("strace").arg("-V").stdout(Stdio::null()).stderr(Stdio::null()).status();
    match there {
        Err(_) => Some(Skip("strace is not installed (Debian: apt-get install strace)".to_owned())),
        Ok(_) if !nix::unistd::geteuid().is_root() => {
            Some(Skip("only root may attach strace to a daemon that forbids it: run as root".to_owned()))
        }
        Ok(_) => None,
    }
}

impl Injected {
    /// From now on what `inject` says (`fsync:error=EIO`) happens to every such call; with a folder, only to those on it.
    pub(crate) async fn into(daemon: &Daemon, inject: &str, folder: Option<&Path>) -> Self {
        let (calls, _) = inject.split_once(':').expect("calls, then what happens to them");
        let trace = daemon.dirs().root().join("trace");
        let mut command = Command::new("strace");
        // With the paths of descriptors, and without the bytes that are written.
        command.args(["-f", "-y", "-s", "0", "-o"]).arg(&trace).args([
            "-e",
            &format!("trace=openat,{calls}"),
            "-e",
            &format!("inject={inject}"),
        ]);
        if let Some(folder) = folder {
            command.arg("-P").arg(folder);
        }
        let pid = daemon.pid();
        // What it says itself is about the process that it attaches to.
        let errors = File::create(daemon.dirs().root().join("strace.log")).unwrap();
        command.args(["-p", &pid.to_string()]).stdin(Stdio::null()).stderr(errors);
        for _ in 0..ATTACHES {
            let injected = Self { strace: command.spawn().unwrap(), trace: trace.clone() };
            // What is injected may have killed it already.
            let traced = || is_dead(pid) || tracers(pid).iter().all(|tracer| *tracer == injected.strace.id());
            let is_whole = until("every thread is traced", traced);
            if tokio::time::timeout(ATTACHED, is_whole).await.is_ok() {
                return injected;
            }
        }
        let said = fs::read_to_string(daemon.dirs().root().join("strace.log")).unwrap_or_default();
        panic!("strace cannot be attached to every thread: {:?}\n{said}", tracers(pid));
    }

    /// How many calls have failed so far.
    pub(crate) fn failed(&self) -> usize {
        self.lines().iter().filter(|line| line.contains("(INJECTED)")).count()
    }

    /// How many unfinished files were made meanwhile.
    pub(crate) fn files_made(&self) -> usize {
        self.lines().iter().filter(|line| line.contains("openat(") && line.contains(".unfinished-")).count()
    }

    /// The unfinished files for which an fsync came after one that had failed.
    pub(crate) fn flushed_again(&self) -> Vec<String> {
        let (mut asked, mut again) = (BTreeSet::new(), Vec::new());
        for line in self.lines() {
            let file = line.split_once("sync(").and_then(|(_, of)| of.split_once("/.unfinished-")?.1.split_once('>'));
            if let Some((file, _)) = file
                && !asked.insert(file.to_owned())
            {
                again.push(file.to_owned());
            }
        }
        again
    }

    /// Whether a signal that was injected has stopped the daemon.
    pub(crate) fn has_stopped_it(&self) -> bool {
        self.lines().iter().any(|line| line.contains("--- stopped by SIGSTOP ---"))
    }

    /// All calls of a daemon that has ended.
    pub(crate) fn whole(mut self) -> Vec<String> {
        let _ended_with_it = self.strace.wait();
        self.lines()
    }

    fn lines(&self) -> Vec<String> {
        fs::read_to_string(&self.trace).unwrap_or_default().lines().map(str::to_owned).collect()
    }

    /// From now on all is well.
    pub(crate) fn end(mut self) {
        self.detach();
    }

    /// Asked to end, strace lets go of the daemon; killed, too.
    fn detach(&mut self) {
        if let Ok(None) = self.strace.try_wait() {
            let pid = Pid::from_raw(i32::try_from(self.strace.id()).expect("a process id fits"));
            let _gone_already = kill(pid, Signal::SIGTERM);
        }
        let _gone_already = self.strace.wait();
    }
}

impl Drop for Injected {
    fn drop(&mut self) {
        self.detach();
    }
}

/// Whether it has ended, and nobody has been told yet.
fn is_dead(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| stat.contains(") Z "))
}

/// Who traces each thread of a process; 0: nobody.
fn tracers(pid: u32) -> Vec<u32> {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).expect("the daemon runs").flatten();
    let statuses = threads.filter_map(|thread| fs::read_to_string(thread.path().join("status")).ok());
    statuses.filter_map(|status| status.lines().find_map(|line| line.strip_prefix("TracerPid:")?.trim().parse().ok())).collect()
}
