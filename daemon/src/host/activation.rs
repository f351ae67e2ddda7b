//! Sockets that a service manager has bound for us, and hands over at the start: systemd (sd_listen_fds(3)) or launchd (launch(3)).
//!
//! Must never: take a descriptor that was announced to another process, or one that is not the socket that this daemon would bind.

#[cfg(target_os = "macos")]
mod launchd;
mod systemd;

use std::io;
use std::os::fd::RawFd;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use nix::sys::socket::{getsockopt, sockopt};
use nix::sys::stat::Mode;

/// What a manager calls the socket for programs (`FileDescriptorName=`).
pub const TOKENS: &str = "mcp-authd-tokens";
/// What it calls the socket for the person.
pub const ADMIN: &str = "mcp-authd-admin";
/// How many are turned away at once: more than the kernel lets wait (`net.core.somaxconn`).
const MOST_CALLERS: u32 = 8192;

/// What is handed over cannot be used. Each sentence ends in what to do next.
#[derive(Debug, thiserror::Error)]
pub enum Unfit {
    /// `LISTEN_FDS` is no number, or `LISTEN_FDNAMES` does not name each.
    #[error(
        "the service manager hands over sockets without saying which (LISTEN_FDS is \"{number}\", LISTEN_FDNAMES is \"{names}\"). {COMPARE}"
    )]
    Unclear {
        /// `LISTEN_FDS`.
        number: String,
        /// `LISTEN_FDNAMES`.
        names: String,
    },
    /// Nobody here knows the name.
    #[error("the service manager hands over a socket with the name \"{0}\", which is neither {TOKENS} nor {ADMIN}. {COMPARE}")]
    Unknown(String),
    /// Only one can be served.
    #[error("the service manager hands over two sockets with the name {0}. {COMPARE}")]
    Twice(&'static str),
    /// No Unix stream socket, or one on which nobody can connect.
    #[error("what the service manager hands over as {name} is no listening Unix socket ({source}). {COMPARE}")]
    NotListening {
        /// Which.
        name: &'static str,
        /// What the operating system says.
        source: io::Error,
    },
    /// Programs would look elsewhere.
    #[error(
        "the service manager hands over {name} at \"{}\", and programs look for it at \"{}\". {COMPARE}",
        found.display(), expected.display()
    )]
    Elsewhere {
        /// Which.
        name: &'static str,
        /// Where it is bound.
        found: PathBuf,
        /// Where this daemon would bind it.
        expected: PathBuf,
    },
    /// Others than its owner may connect (P4).
    #[error(
        "others may connect to \"{}\" (mode {:04o}): {MODE}. {COMPARE}",
        path.display(), mode.bits()
    )]
    OpenToOthers {
        /// Where.
        path: PathBuf,
        /// Its mode.
        mode: Mode,
    },
}

/// Nothing of what is handed over is served, and who waits at it must be told.
#[derive(Debug, thiserror::Error)]
#[error("{unfit}")]
pub struct Refused {
    /// Why.
    #[source]
    pub unfit: Unfit,
    /// Whoever waits at what was announced and listens, by whatever name.
    pub callers: Callers,
}

/// Without anybody who waits.
impl From<Unfit> for Refused {
    fn from(unfit: Unfit) -> Self {
        Self { unfit, callers: Callers::default() }
    }
}

#[cfg(not(target_os = "macos"))]
const MODE: &str = "write SocketMode=0600 into its socket unit";
#[cfg(target_os = "macos")]
const MODE: &str = "write 384 (0600) as its SockPathMode";
#[cfg(not(target_os = "macos"))]
const COMPARE: &str = "Look with: systemctl --user cat mcp-authd-tokens.socket mcp-authd-admin.socket mcp-authd.service";
#[cfg(target_os = "macos")]
const COMPARE: &str = "Look with: plutil -p ~/Library/LaunchAgents/mcp-authd.plist";

/// A listening socket that belongs to the manager: it stands before this process and after it.
#[derive(Debug)]
pub struct Handed {
    name: &'static str,
    listener: UnixListener,
}

/// What was handed over, taken once.
#[derive(Debug, Default)]
pub struct Activation {
    tokens: Option<Handed>,
    admin: Option<Handed>,
}

/// How many descriptors, from 3 on, are announced to this very process. launchd opens none before it is asked.
#[must_use]
pub fn announced() -> RawFd {
    systemd::announced()
}

impl Activation {
    /// Takes what is announced to this process. To be called once, in `main`, after what is not announced was closed and before any
    /// thread: the variables are taken out of the environment.
    ///
    /// # Errors
    /// Where it cannot be used: then nothing may be served, and who waits is to be turned away.
    pub fn take() -> Result<Self, Refused> {
        let handed = systemd::take()?;
        #[cfg(target_os = "macos")]
        let handed = if handed.is_empty() { launchd::take()? } else { handed };
        let mut taken = Self::default();
        for handed in handed {
            let place = taken.place(handed.name);
            *place = Some(handed);
        }
        Ok(taken)
    }

    /// Whether a manager holds the sockets: then it starts a daemon whenever somebody connects.
    #[must_use]
    pub fn is_by_socket(&self) -> bool {
        self.tokens.is_some() || self.admin.is_some()
    }

    /// Whoever waits at the sockets, for the case that they cannot be served.
    #[must_use]
    pub fn callers(&self) -> Callers {
        let handed = self.tokens.iter().chain(&self.admin);
        Callers(handed.filter_map(|handed| handed.listener.try_clone().ok()).collect())
    }

    /// Whether it holds both: then whoever comes finds a daemon, wherever this one has gone.
    #[must_use]
    pub fn is_by_both(&self) -> bool {
        self.tokens.is_some() && self.admin.is_some()
    }

    /// The socket for programs, where it was handed over.
    pub fn tokens(&mut self) -> Option<Handed> {
        self.tokens.take()
    }

    /// The socket for the person, where it was handed over.
    pub fn admin(&mut self) -> Option<Handed> {
        self.admin.take()
    }

    fn place(&mut self, name: &str) -> &mut Option<Handed> {
        if name == TOKENS { &mut self.tokens } else { &mut self.admin }
    }
}

/// Whoever waits at sockets that were handed over.
#[derive(Debug, Default)]
pub struct Callers(Vec<UnixListener>);

impl Callers {
    /// Ends each connection that waits, those included whose other end has gone: as long as one waits, the manager starts the next
    /// daemon at once.
    pub fn turn_away(self) {
        for listener in self.0 {
            // Without this the last look would wait for the next caller.
            if listener.set_nonblocking(true).is_ok() {
                for _ in 0..MOST_CALLERS {
                    if listener.accept().is_err() {
                        break;
                    }
                }
            }
        }
    }
}

impl Handed {
    /// The socket, where it is bound at `expected`.
    ///
    /// # Errors
    /// Where it is bound elsewhere.
    pub(super) fn at(self, expected: &Path) -> Result<UnixListener, Unfit> {
        let address = self.listener.local_addr().map_err(|source| Unfit::NotListening { name: self.name, source })?;
        match address.as_pathname() {
            Some(found) if found == expected => Ok(self.listener),
            found => {
                let found = found.map(Path::to_owned).unwrap_or_default();
                Err(Unfit::Elsewhere { name: self.name, found, expected: expected.to_owned() })
            }
        }
    }

    #[cfg(test)]
    pub(super) fn imagined(listener: UnixListener) -> Self {
        Self { name: TOKENS, listener }
    }
}

fn listening(listener: Option<UnixListener>) -> io::Result<UnixListener> {
    let listener = listener.ok_or_else(|| io::Error::other("it was announced and is not there"))?;
    if accepts_connections(&listener)? { Ok(listener) } else { Err(io::Error::other("it does not listen")) }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn accepts_connections(listener: &UnixListener) -> io::Result<bool> {
    Ok(getsockopt(listener, sockopt::AcceptConn)?)
}

/// macOS does not tell: an accept would.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn accepts_connections(listener: &UnixListener) -> io::Result<bool> {
    Ok(getsockopt(listener, sockopt::SockType)? == nix::sys::socket::SockType::Stream)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_socket_at_another_path_and_one_without_a_path_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let (here, there) = (folder.path().join("here"), folder.path().join("there"));
        assert!(Handed::imagined(UnixListener::bind(&here).unwrap()).at(&here).is_ok());
        let refused = Handed::imagined(UnixListener::bind(&there).unwrap()).at(&here).unwrap_err();
        assert!(refused.to_string().contains(&format!(
            "at \"{}\", and programs look for it at \"{}\"",
            there.display(),
            here.display()
        )));
    }

    #[test]
    fn who_waits_is_turned_away_and_so_is_who_has_gone() {
        use std::io::Read as _;
        use std::os::unix::net::UnixStream;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens.sock");
        let managers = UnixListener::bind(&path).unwrap();
        let handed = Handed::imagined(managers.try_clone().unwrap());
        let activation = Activation { tokens: Some(handed), admin: None };
        let (mut waits, gone) = (UnixStream::connect(&path).unwrap(), UnixStream::connect(&path).unwrap());
        drop(gone);
        waits.set_read_timeout(Some(std::time::Duration::from_secs(5))).unwrap();
        activation.callers().turn_away();
        assert_eq!(waits.read(&mut [0]).unwrap(), 0);
        // Nobody is left whom the manager would start another daemon for.
        managers.set_nonblocking(true).unwrap();
        assert_eq!(managers.accept().unwrap_err().kind(), io::ErrorKind::WouldBlock);
        assert!(UnixStream::connect(&path).is_ok(), "and it goes on listening");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_socket_that_does_not_listen_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        assert!(listening(Some(UnixListener::bind(folder.path().join("a")).unwrap())).is_ok());
        let (one, _other) = std::os::unix::net::UnixStream::pair().unwrap();
        assert!(listening(Some(UnixListener::from(std::os::fd::OwnedFd::from(one)))).is_err());
        assert!(listening(None).is_err());
    }
}
