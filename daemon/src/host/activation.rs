//! Sockets that a service manager has bound for us, and hands over at the start (sd_listen_fds(3)).
//!
//! Must never: take a descriptor that was announced to another process, or one that is not the socket that this daemon would bind.

use std::io;
use std::os::fd::RawFd;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use listenfd::ListenFd;
use nix::sys::socket::{getsockopt, sockopt};
use nix::sys::stat::Mode;

/// What a manager calls the socket for programs (`FileDescriptorName=`).
pub const TOKENS: &str = "mcp-authd-tokens";
/// What it calls the socket for the person.
pub const ADMIN: &str = "mcp-authd-admin";
/// Two are of any use; a number above this one is a mistake, and would keep open what nobody has announced.
const MOST: RawFd = 16;

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
        "others may connect to \"{}\" (mode {:04o}): write SocketMode=0600 into its socket unit. {COMPARE}",
        path.display(), mode.bits()
    )]
    OpenToOthers {
        /// Where.
        path: PathBuf,
        /// Its mode.
        mode: Mode,
    },
}

const COMPARE: &str = "Look with: systemctl --user cat mcp-authd-tokens.socket mcp-authd-admin.socket mcp-authd.service";

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

/// How many descriptors, from 3 on, are announced to this very process. What they are is looked at in [`Activation::take`].
#[must_use]
pub fn announced() -> RawFd {
    let words = Words::of_this_process();
    if words.are_for(std::process::id()) { words.number().unwrap_or(0) } else { 0 }
}

impl Activation {
    /// Takes what is announced to this process. To be called once, in `main`, after what is not announced was closed and before any
    /// thread: the variables are taken out of the environment.
    ///
    /// # Errors
    /// Where it cannot be used: then nothing may be served.
    pub fn take() -> Result<Self, Unfit> {
        let names = Words::of_this_process().announced_to(std::process::id())?;
        let mut taken = Self::default();
        if names.is_empty() {
            return Ok(taken);
        }
        let mut descriptors = ListenFd::from_env();
        for (index, name) in names.into_iter().enumerate() {
            let listener = descriptors.take_unix_listener(index).and_then(listening);
            let listener = listener.map_err(|source| Unfit::NotListening { name, source })?;
            *taken.place(name) = Some(Handed { name, listener });
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

/// The three variables, as they are.
#[derive(Debug, Clone, Default)]
struct Words {
    pid: Option<String>,
    number: Option<String>,
    names: Option<String>,
}

impl Words {
    fn of_this_process() -> Self {
        let lossy = |name| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned());
        Self { pid: lossy("LISTEN_PID"), number: lossy("LISTEN_FDS"), names: lossy("LISTEN_FDNAMES") }
    }

    /// They may have been inherited from somebody whom they were meant for.
    fn are_for(&self, own: u32) -> bool {
        self.number.is_some() && self.pid.as_deref().and_then(|pid| pid.parse().ok()) == Some(own)
    }

    fn number(&self) -> Option<RawFd> {
        let number = self.number.as_deref()?.parse().ok()?;
        (0..=MOST).contains(&number).then_some(number)
    }

    /// The name of each descriptor that is announced to the process `own`, in their order.
    fn announced_to(&self, own: u32) -> Result<Vec<&'static str>, Unfit> {
        if !self.are_for(own) {
            return Ok(Vec::new());
        }
        let said = self.names.as_deref().unwrap_or_default();
        let names: Vec<_> = if said.is_empty() { Vec::new() } else { said.split(':').collect() };
        if self.number().and_then(|number| usize::try_from(number).ok()) != Some(names.len()) {
            let number = self.number.clone().unwrap_or_default();
            return Err(Unfit::Unclear { number, names: said.to_owned() });
        }
        let mut known = Vec::new();
        for name in names {
            let name = [TOKENS, ADMIN].into_iter().find(|own| *own == name).ok_or_else(|| Unfit::Unknown(name.to_owned()))?;
            if known.contains(&name) {
                return Err(Unfit::Twice(name));
            }
            known.push(name);
        }
        Ok(known)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use proptest::prelude::*;

    const OWN: u32 = 4242;

    fn words(number: &str, names: &str) -> Words {
        Words { pid: Some(OWN.to_string()), number: Some(number.to_owned()), names: Some(names.to_owned()) }
    }

    #[test]
    fn both_sockets_are_known_in_any_order_and_one_alone() {
        assert_eq!(words("2", "mcp-authd-tokens:mcp-authd-admin").announced_to(OWN).unwrap(), [TOKENS, ADMIN]);
        assert_eq!(words("2", "mcp-authd-admin:mcp-authd-tokens").announced_to(OWN).unwrap(), [ADMIN, TOKENS]);
        assert_eq!(words("1", TOKENS).announced_to(OWN).unwrap(), [TOKENS]);
        assert!(words("0", "").announced_to(OWN).unwrap().is_empty());
    }

    #[test]
    fn what_is_announced_to_nobody_or_to_another_process_is_not_ours() {
        for pid in [None, Some("4243"), Some(""), Some("x"), Some("-1")] {
            let words = Words { pid: pid.map(str::to_owned), ..words("9", "nonsense") };
            assert!(words.announced_to(OWN).unwrap().is_empty(), "{pid:?}");
        }
        assert!(Words { number: None, ..words("", "") }.announced_to(OWN).unwrap().is_empty());
    }

    #[test]
    fn each_mistake_is_told_with_the_next_step() {
        let unclear = ["x", "", "-1", "3", "99999999999"].map(|number| words(number, "mcp-authd-tokens:mcp-authd-admin"));
        for words in unclear {
            let unfit = words.announced_to(OWN).unwrap_err();
            assert!(matches!(unfit, Unfit::Unclear { .. }) && unfit.to_string().contains("systemctl --user cat"), "{unfit}");
        }
        assert!(matches!(Words { names: None, ..words("1", "") }.announced_to(OWN), Err(Unfit::Unclear { .. })));
        let unknown = words("2", "mcp-authd-tokens:connection").announced_to(OWN).unwrap_err();
        assert!(unknown.to_string().contains("\"connection\""), "{unknown}");
        assert!(matches!(words("2", "mcp-authd-admin:mcp-authd-admin").announced_to(OWN), Err(Unfit::Twice(ADMIN))));
    }

    proptest! {
        #[test]
        fn whatever_is_announced_is_known_once_and_counted(number in "[0-9]{0,3}|\\PC{0,6}", names in "[a-z:-]{0,40}|\\PC{0,40}") {
            match words(&number, &names).announced_to(OWN) {
                Ok(known) => {
                    prop_assert_eq!(number.parse().ok(), RawFd::try_from(known.len()).ok());
                    prop_assert_eq!(known.join(":"), names);
                }
                Err(unfit) => prop_assert!(unfit.to_string().ends_with("mcp-authd.service")),
            }
        }

        #[test]
        fn any_choice_of_our_names_is_taken_in_its_order(order in prop::sample::subsequence(vec![TOKENS, ADMIN], 0..=2).prop_shuffle()) {
            prop_assert_eq!(words(&order.len().to_string(), &order.join(":")).announced_to(OWN).unwrap(), order);
        }
    }

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
