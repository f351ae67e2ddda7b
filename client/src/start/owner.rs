//! Who owns the store, as the daemon's lock file says (the daemon's `host/lock.rs` writes it).
//!
//! Must never: try the lock: a daemon that starts at that very moment would find it held.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::Pid;

use super::places::LOCK;

const LONGEST: u64 = 8192;

/// Who wrote into the lock file last. It may have ended since: see [`lives`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// Its process.
    pub pid: i32,
    /// The socket that it serves to programs, where it says so.
    pub socket: Option<PathBuf>,
}

impl Owner {
    /// What stands in the lock file of this state folder. `None`: nothing, or nothing whole.
    pub(super) fn read(folder: &Path) -> Option<Self> {
        let mut text = String::new();
        File::open(folder.join(LOCK)).ok()?.take(LONGEST).read_to_string(&mut text).ok()?;
        Self::of(&text)
    }

    /// Its lines: the pid, its namespace, the socket.
    fn of(text: &str) -> Option<Self> {
        let mut lines = text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n'));
        let pid = lines.next()?.parse().ok().filter(|pid| *pid > 0)?;
        let socket = lines.nth(1).filter(|path| path.starts_with('/')).map(PathBuf::from);
        Some(Self { pid, socket })
    }
}

/// Whether a process of this number runs, as far as we can see.
#[must_use]
pub fn lives(pid: i32) -> bool {
    pid > 0 && matches!(kill(Pid::from_raw(pid), None), Ok(()) | Err(Errno::EPERM))
}

/// What the system tells of a process. Where it tells nothing (no /proc), nothing is known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Process {
    /// The program's name, as far as the kernel keeps it (15 bytes).
    pub name: Option<String>,
    /// Whether it was stopped (SIGSTOP), and so does nothing until it is continued.
    pub is_stopped: bool,
}

impl Process {
    /// Looks at a process.
    #[must_use]
    pub fn look(pid: i32) -> Self {
        let stat = std::fs::read(format!("/proc/{pid}/stat")).unwrap_or_default();
        Self::of(&String::from_utf8_lossy(&stat))
    }

    /// proc_pid_stat(5): the pid, the name in parentheses (which may stand in it too), the state.
    fn of(stat: &str) -> Self {
        let Some((before, after)) = stat.rsplit_once(") ") else { return Self::default() };
        let name = before.split_once(" (").map(|(_, name)| name.to_owned());
        Self { name, is_stopped: after.starts_with(['T', 't']) }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn the_lines_of_the_lock_file_are_read_and_half_of_them_is_not_enough() {
        let owner = |pid, socket: Option<&str>| Some(Owner { pid, socket: socket.map(PathBuf::from) });
        assert_eq!(Owner::of("12\n4026531836\n/r/tokens.sock\n"), owner(12, Some("/r/tokens.sock")));
        assert_eq!(Owner::of("12\n-\n\n"), owner(12, None));
        assert_eq!(Owner::of("12\n"), owner(12, None));
        assert_eq!(Owner::of("12\n-\n/r/tok"), owner(12, None));
        for nothing in ["", "12", "0\n", "-3\n", "x\n"] {
            assert_eq!(Owner::of(nothing), None, "{nothing:?}");
        }
    }

    #[test]
    fn a_process_is_named_and_one_that_was_stopped_is_known() {
        let process = |name: &str, is_stopped| Process { name: Some(name.into()), is_stopped };
        assert_eq!(Process::of("12 (mcp-authd) S 1 12"), process("mcp-authd", false));
        assert_eq!(Process::of("12 (a (b) c) T 1 12"), process("a (b) c", true));
        assert_eq!(Process::of(""), Process::default());
    }

    #[test]
    fn a_process_lives_until_it_has_been_waited_for() {
        assert!(lives(std::process::id().try_into().unwrap()));
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let pid = child.id().try_into().unwrap();
        child.wait().unwrap();
        assert!(!lives(pid) && !lives(0) && !lives(-1));
    }
}
