//! Daemons that nobody holds as a child: a program has started them. They are found by the lock of their store, and ended with it.
//!
//! Must never: touch a daemon outside of a story's own directories.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::daemon::Dirs;
use crate::skip::Skip;

const LOOK_AGAIN: Duration = Duration::from_millis(2);
/// A killed process lets go of its lock by the kernel's time.
const TRIES: u32 = 10_000;

/// Where such a daemon writes its log.
#[must_use]
pub fn log(dirs: &Dirs) -> PathBuf {
    dirs.state().join("mcp-authd/mcp-authd.log")
}

/// The pid of whoever owns the store of these directories, if anybody does. Tries the lock: not for a moment in which one starts.
#[must_use]
pub fn owner(dirs: &Dirs) -> Option<i32> {
    owner_of(&dirs.state())
}

/// The same, of any state home.
#[must_use]
pub fn owner_of(state_home: &Path) -> Option<i32> {
    let lock = state_home.join("mcp-authd/mcp-authd.lock");
    let file = File::open(&lock).ok()?;
    if !matches!(file.try_lock(), Err(TryLockError::WouldBlock)) {
        return None;
    }
    fs::read_to_string(lock).ok()?.lines().next()?.parse().ok()
}

/// Kills the owner of the store of these directories, and every one that takes its place.
///
/// # Panics
/// If it does not end.
pub fn end_owner(dirs: &Dirs) {
    end_owner_of(&dirs.state());
}

/// The same, of any state home.
///
/// # Panics
/// If it does not end.
pub fn end_owner_of(state_home: &Path) {
    for _ in 0..TRIES {
        let Some(pid) = owner_of(state_home) else { return };
        // Its own name: the number may mean something else here, where it lives in a PID namespace of its own.
        let is_daemon = fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name.trim() == "mcp-authd");
        if is_daemon {
            let _gone_already = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
        // law: sleep: a killed process ends by the kernel's time
        std::thread::sleep(LOOK_AGAIN);
    }
    panic!("whoever owns the store in {} does not end", state_home.display());
}

/// Why no story of starting can run here: the tester's own daemon serves where every program looks, and would be ruled in the place of
/// the story's.
#[must_use]
pub fn own_daemon_in_the_way() -> Option<Skip> {
    let socket = format!("/run/user/{}/mcp-authd/tokens.sock", nix::unistd::geteuid());
    let serves = std::os::unix::net::UnixStream::connect(&socket).is_ok();
    serves.then(|| Skip(format!("your own mcp-authd serves at {socket}: end it with authctl daemon stop")))
}
