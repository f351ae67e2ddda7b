//! Who is at the other end of a connection, as the kernel says (P1).
//!
//! Must never: believe the peer. The uid decides; pid and program are words for the person and the audit line.

use std::io;
use std::os::fd::AsFd;

/// The other end of a connection: made once, at accept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Whose process it is.
    pub uid: u32,
    /// The process, where it is in a PID namespace that we can see.
    pub pid: Option<i32>,
    /// The file name of its program, at most 64 printable characters. Best effort.
    pub executable: Option<String>,
}

impl Peer {
    /// Asks the kernel.
    ///
    /// # Errors
    /// Where the kernel does not know: then nobody is served.
    pub fn of(connection: &impl AsFd) -> io::Result<Self> {
        let (uid, pid) = credentials(connection)?;
        let pid = pid.filter(|pid| *pid > 0);
        Ok(Self { uid, pid, executable: pid.and_then(executable) })
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

/// A file name is the peer's choice: nothing of it may steer a terminal.
#[cfg_attr(not(any(target_os = "linux", target_os = "android")), allow(dead_code, reason = "only /proc tells names"))]
fn printable(name: &str) -> String {
    name.chars().take(64).map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '?' }).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
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

    #[test]
    fn what_is_not_a_socket_has_no_peer() {
        assert!(Peer::of(&std::fs::File::open("/dev/null").unwrap()).is_err());
    }

    #[test]
    fn a_file_name_cannot_steer_a_terminal() {
        assert_eq!(printable("a\u{1b}[2Jb\u{202e}c d"), "a?[2Jb?c d");
        assert_eq!(printable(&"x".repeat(500)).len(), 64);
    }
}
