//! Who is at the other end of a connection, as the kernel says (P1).
//!
//! Must never: believe the peer. The uid decides; pid and program are words for the person and the audit line.

use std::io;
use std::os::fd::AsFd;

use mcp_authd_oauth::time::Instant;

/// The other end of a connection: made once, at accept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Whose process it is.
    pub uid: u32,
    /// The process, where it is in a PID namespace that we can see.
    pub pid: Option<i32>,
    /// The file name of its program, at most 64 printable characters. Best effort.
    pub executable: Option<String>,
    /// When the process was started, which tells it from an earlier one of this pid. Best effort, to a hundredth of a second.
    pub started: Option<Instant>,
}

impl Peer {
    /// Asks the kernel.
    ///
    /// # Errors
    /// Where the kernel does not know: then nobody is served.
    pub fn of(connection: &impl AsFd) -> io::Result<Self> {
        let (uid, pid) = credentials(connection)?;
        let pid = pid.filter(|pid| *pid > 0);
        Ok(Self { uid, pid, executable: pid.and_then(executable), started: pid.and_then(started) })
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn credentials(connection: &impl AsFd) -> io::Result<(u32, Option<i32>)> {
    use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
    let credentials = getsockopt(connection, PeerCredentials)?;
    Ok((credentials.uid(), Some(credentials.pid())))
}

#[cfg(target_vendor = "apple")]
fn credentials(connection: &impl AsFd) -> io::Result<(u32, Option<i32>)> {
    use nix::sys::socket::{getsockopt, sockopt::LocalPeerPid};
    let (uid, _) = nix::unistd::getpeereid(connection)?;
    Ok((uid.as_raw(), getsockopt(connection, LocalPeerPid).ok()))
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
fn credentials(connection: &impl AsFd) -> io::Result<(u32, Option<i32>)> {
    let (uid, _) = nix::unistd::getpeereid(connection)?;
    Ok((uid.as_raw(), None))
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn executable(pid: i32) -> Option<String> {
    let path = std::fs::read_link(format!("/proc/{pid}/exe")).ok()?;
    let name = path.file_name()?.to_string_lossy();
    // The kernel's mark for a program that was updated meanwhile.
    Some(printable(name.strip_suffix(" (deleted)").unwrap_or(&name)))
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn executable(_pid: i32) -> Option<String> {
    None
}

/// Of proc_pid_stat(5), on the clock that counts sleep, as the kernel counts it.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn started(pid: i32) -> Option<Instant> {
    use nix::unistd::{SysconfVar, sysconf};
    let stat = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
    let ticks_a_second = u64::try_from(sysconf(SysconfVar::CLK_TCK).ok()??).ok()?;
    let millis = started_at_tick(&stat)?.checked_mul(1000)?.checked_div(ticks_a_second)?;
    i64::try_from(millis).ok().map(Instant::from_millis)
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn started(_pid: i32) -> Option<Instant> {
    None
}

/// Field 22, counted from 1. The name, which is the second, stands in parentheses, and may hold spaces and parentheses itself.
#[cfg_attr(not(any(target_os = "linux", target_os = "android")), allow(dead_code, reason = "only /proc tells it"))]
fn started_at_tick(stat: &[u8]) -> Option<u64> {
    let end_of_name = stat.iter().rposition(|byte| *byte == b')')?;
    let behind = std::str::from_utf8(stat.get(end_of_name + 1..)?).ok()?;
    behind.split_ascii_whitespace().nth(22 - 3)?.parse().ok()
}

/// A file name is the peer's choice: nothing of it may steer a terminal.
#[cfg_attr(not(any(target_os = "linux", target_os = "android")), allow(dead_code, reason = "only /proc tells names"))]
fn printable(name: &str) -> String {
    name.chars().take(64).map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '?' }).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;
    use proptest::prelude::*;
    use std::os::unix::net::UnixStream;

    #[test]
    fn the_kernel_tells_uid_pid_and_program() {
        let (ours, _theirs) = UnixStream::pair().unwrap();
        let peer = Peer::of(&ours).unwrap();
        assert_eq!(peer.uid, nix::unistd::geteuid().as_raw());
        assert_eq!(peer.pid, Some(i32::try_from(std::process::id()).unwrap()));
        let own = std::env::current_exe().unwrap();
        assert_eq!(peer.executable.as_deref(), own.file_name().unwrap().to_str());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_process_was_started_after_its_parent_and_before_now() {
        let of = |pid: nix::unistd::Pid| started(pid.as_raw()).unwrap();
        let (own, parent) = (of(nix::unistd::getpid()), of(nix::unistd::getppid()));
        let now = crate::host::clock::Clock::system().now().instant;
        assert!(parent <= own && own <= now, "{parent:?} {own:?} {now:?}");
        assert!(now.since(own).as_secs() < 3600, "a test does not run so long");
    }

    #[test]
    fn what_is_not_a_socket_has_no_peer() {
        assert!(Peer::of(&std::fs::File::open("/dev/null").unwrap()).is_err());
    }

    #[test]
    fn a_file_name_cannot_steer_a_terminal() {
        assert_eq!(printable("a\u{1b}[2Jb\u{202e}c d"), "a?[2Jb?c d");
        assert_eq!(printable(&"x".repeat(500)).len(), 64);
    }

    proptest! {
        #[test]
        fn a_name_of_any_bytes_does_not_move_the_start(name in prop::collection::vec(any::<u8>(), 0..16), fields in prop::collection::vec(0_u64.., 30)) {
            let mut stat = b"4242 (".to_vec();
            stat.extend(&name);
            stat.extend(b") S");
            fields.iter().for_each(|field| stat.extend(format!(" {field}").as_bytes()));
            // Field 3 is the state; the first of these is field 4.
            prop_assert_eq!(started_at_tick(&stat), Some(fields[22 - 4]));
        }

        #[test]
        fn nothing_else_makes_a_panic(stat in prop::collection::vec(any::<u8>(), 0..200)) {
            started_at_tick(&stat);
        }
    }
}
