//! Finding the daemon's sockets and connecting to them.
//!
//! The order: `MCP_AUTHD_SOCKET` (the path of `tokens.sock`; `admin.sock` stands beside it); else `$XDG_RUNTIME_DIR/mcp-authd/`,
//! `/run/user/UID/mcp-authd/`, `$XDG_STATE_HOME/mcp-authd/run/` or `~/.local/state/mcp-authd/run/`; on macOS
//! `~/Library/Application Support/mcp-authd/run/`.
//!
//! Must never: look under $TMPDIR, or send a byte before the kernel has told whose server it is (P2).

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;
use tonic::transport::{Channel, Endpoint};

use crate::error::ConnectError;

/// How long a connection may take, if nothing else is said.
pub const CONNECT_LIMIT: Duration = Duration::from_secs(2);

/// What the kernel holds of a path in a socket's address, without the last NUL.
#[cfg(any(target_os = "linux", target_os = "android"))]
const PATH_LIMIT: usize = 107;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const PATH_LIMIT: usize = 103;

/// How long to leave a daemon alone whose backlog is full. Linux answers EAGAIN then, instead of letting us wait.
const BACKLOG_PAUSE: Duration = Duration::from_millis(10);

/// Where the daemon's sockets may stand, the best place first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sockets {
    places: Vec<Place>,
}

/// The two sockets of one place.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    tokens: PathBuf,
    admin: PathBuf,
}

impl Sockets {
    /// The places that the environment names.
    ///
    /// # Errors
    /// [`ConnectError::NoPlace`] where neither a runtime directory nor a home is known.
    pub fn find() -> Result<Self, ConnectError> {
        Self::from_environment(|name| std::env::var_os(name))
    }

    /// This `tokens.sock`, with `admin.sock` beside it, and no other place.
    #[must_use]
    pub fn at(tokens: impl Into<PathBuf>) -> Self {
        let tokens = tokens.into();
        let admin = tokens.with_file_name("admin.sock");
        Self { places: vec![Place { tokens, admin }] }
    }

    fn from_environment(variable: impl Fn(&str) -> Option<OsString>) -> Result<Self, ConnectError> {
        if let Some(given) = variable("MCP_AUTHD_SOCKET").filter(|path| !path.is_empty()) {
            return Ok(Self::at(given));
        }
        let mut places: Vec<Place> = Vec::new();
        for directory in directories(variable) {
            let place = Place { tokens: directory.join("tokens.sock"), admin: directory.join("admin.sock") };
            if !places.contains(&place) {
                places.push(place);
            }
        }
        if places.is_empty() { Err(ConnectError::NoPlace) } else { Ok(Self { places }) }
    }

    fn paths(&self, which: Which) -> Vec<PathBuf> {
        let path = |place: &Place| match which {
            Which::Tokens => place.tokens.clone(),
            Which::Admin => place.admin.clone(),
        };
        self.places.iter().map(path).collect()
    }
}

#[cfg(not(target_os = "macos"))]
fn directories(variable: impl Fn(&str) -> Option<OsString>) -> Vec<PathBuf> {
    // The XDG base directory specification: a relative path is to be ignored.
    let absolute = |name: &str| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let state = absolute("XDG_STATE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".local/state")));
    let runtime = absolute("XDG_RUNTIME_DIR").map(|path| path.join("mcp-authd"));
    let by_uid = PathBuf::from(format!("/run/user/{}/mcp-authd", own_uid()));
    runtime.into_iter().chain([by_uid]).chain(state.map(|path| path.join("mcp-authd/run"))).collect()
}

#[cfg(target_os = "macos")]
fn directories(variable: impl Fn(&str) -> Option<OsString>) -> Vec<PathBuf> {
    let home = variable("HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    home.map(|home| home.join("Library/Application Support/mcp-authd/run")).into_iter().collect()
}

/// Which of the two sockets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Which {
    Tokens,
    Admin,
}

/// One lazy connection to one socket. It is made at the first call, and made again after the daemon has restarted.
#[derive(Debug)]
pub(crate) struct Line {
    dial: Dial,
    channel: OnceLock<Channel>,
}

impl Line {
    pub(crate) fn new(sockets: &Sockets, which: Which) -> Self {
        Self::of(Dial { paths: sockets.paths(which), limit: CONNECT_LIMIT, owner: own_uid() })
    }

    pub(crate) fn with_connect_limit(&self, limit: Duration) -> Self {
        Self::of(Dial { limit, ..self.dial.clone() })
    }

    #[cfg(test)]
    pub(crate) fn with_owner(&self, owner: u32) -> Self {
        Self::of(Dial { owner, ..self.dial.clone() })
    }

    fn of(dial: Dial) -> Self {
        Self { dial, channel: OnceLock::new() }
    }

    /// To be called inside a tokio runtime: the channel's worker lives there.
    pub(crate) fn channel(&self) -> Channel {
        let open = || {
            let dial = self.dial.clone();
            let connector = tower::service_fn(move |_| {
                let dial = dial.clone();
                async move { dial.connect().await.map(TokioIo::new) }
            });
            // The authority goes nowhere: the connector alone decides where to.
            Endpoint::from_static("http://mcp-authd.invalid").connect_with_connector_lazy(connector)
        };
        self.channel.get_or_init(open).clone()
    }
}

/// How to reach one socket.
#[derive(Debug, Clone)]
struct Dial {
    paths: Vec<PathBuf>,
    limit: Duration,
    owner: u32,
}

impl Dial {
    /// Tries the places in their order. The first server that is ours wins; else the first failure that says more than "nothing there".
    async fn connect(&self) -> Result<UnixStream, ConnectError> {
        let mut worst: Option<ConnectError> = None;
        for path in &self.paths {
            match self.connect_to(path).await {
                Ok(stream) => return Ok(stream),
                Err(stuck @ ConnectError::TimedOut { .. }) => return Err(stuck),
                Err(failure) => {
                    let says_more = match worst {
                        None => true,
                        Some(ConnectError::NoDaemon { .. }) => !matches!(failure, ConnectError::NoDaemon { .. }),
                        Some(_) => false,
                    };
                    if says_more {
                        worst = Some(failure);
                    }
                }
            }
        }
        // THE PLACE TO START A DAEMON (DESIGN, section 5): here, when every place said NoDaemon, and nowhere else. Not before the
        // rules of that section are all in force: never with MCP_AUTHD_SOCKET set, the service manager first, never in a container.
        Err(worst.unwrap_or(ConnectError::NoPlace))
    }

    async fn connect_to(&self, path: &Path) -> Result<UnixStream, ConnectError> {
        if path.as_os_str().len() > PATH_LIMIT {
            return Err(ConnectError::PathTooLong { path: path.to_owned(), limit: PATH_LIMIT });
        }
        let stream = tokio::time::timeout(self.limit, knock(path))
            .await
            .map_err(|_| ConnectError::TimedOut { path: path.to_owned(), after: self.limit })?
            .map_err(|error| failure(path, &error))?;
        self.check_owner(path, stream)
    }

    /// P2: whose server is it? The kernel knows, and nothing has been sent yet.
    fn check_owner(&self, path: &Path, stream: UnixStream) -> Result<UnixStream, ConnectError> {
        let uid = stream.peer_cred().map_err(|error| failure(path, &error))?.uid();
        if uid == self.owner { Ok(stream) } else { Err(ConnectError::WrongOwner { path: path.to_owned(), uid, own: self.owner }) }
    }
}

async fn knock(path: &Path) -> io::Result<UnixStream> {
    loop {
        match UnixStream::connect(path).await {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => tokio::time::sleep(BACKLOG_PAUSE).await,
            outcome => return outcome,
        }
    }
}

fn failure(path: &Path, error: &io::Error) -> ConnectError {
    let path = path.to_owned();
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused | io::ErrorKind::NotADirectory => {
            ConnectError::NoDaemon { path }
        }
        io::ErrorKind::PermissionDenied => ConnectError::NotAllowed { path },
        _ => ConnectError::Broken { path, why: error.to_string() },
    }
}

fn own_uid() -> u32 {
    nix::unistd::geteuid().as_raw()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn tokens(variables: &[(&str, &str)]) -> Result<Vec<PathBuf>, ConnectError> {
        let lookup = |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(value));
        Sockets::from_environment(lookup).map(|sockets| sockets.paths(Which::Tokens))
    }

    #[test]
    fn the_override_is_the_only_place_and_admin_stands_beside_it() {
        let lookup = |name: &str| (name == "MCP_AUTHD_SOCKET" || name == "HOME").then(|| OsString::from("/x/tokens.sock"));
        let sockets = Sockets::from_environment(lookup).unwrap();
        assert_eq!(sockets.paths(Which::Tokens), [PathBuf::from("/x/tokens.sock")]);
        assert_eq!(sockets.paths(Which::Admin), [PathBuf::from("/x/admin.sock")]);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_places_come_in_the_order_runtime_uid_state() {
        let by_uid = PathBuf::from(format!("/run/user/{}/mcp-authd/tokens.sock", own_uid()));
        let found = tokens(&[("XDG_RUNTIME_DIR", "/r"), ("XDG_STATE_HOME", "/s"), ("HOME", "/h")]).unwrap();
        let expected = [PathBuf::from("/r/mcp-authd/tokens.sock"), by_uid.clone(), PathBuf::from("/s/mcp-authd/run/tokens.sock")];
        assert_eq!(found, expected);
        let found = tokens(&[("HOME", "/h"), ("XDG_RUNTIME_DIR", "relative"), ("MCP_AUTHD_SOCKET", "")]).unwrap();
        assert_eq!(found, [by_uid, PathBuf::from("/h/.local/state/mcp-authd/run/tokens.sock")]);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn one_place_is_not_tried_twice() {
        let runtime = format!("/run/user/{}", own_uid());
        assert_eq!(tokens(&[("XDG_RUNTIME_DIR", &runtime)]).unwrap().len(), 1);
    }

    #[tokio::test]
    async fn a_path_too_long_for_a_socket_names_the_override() {
        let line = Line::new(&Sockets::at(format!("/{}", "x".repeat(200))), Which::Tokens);
        let error = line.dial.connect().await.unwrap_err();
        assert!(matches!(error, ConnectError::PathTooLong { .. }));
        assert!(error.to_string().contains("MCP_AUTHD_SOCKET="));
    }

    #[tokio::test]
    async fn a_place_without_a_daemon_says_how_to_start_it() {
        let directory = tempfile::tempdir().unwrap();
        let line = Line::new(&Sockets::at(directory.path().join("tokens.sock")), Which::Tokens);
        let error = line.dial.connect().await.unwrap_err();
        assert!(matches!(error, ConnectError::NoDaemon { .. }));
        assert!(error.to_string().ends_with("start it with: mcp-authd"));
    }

    #[tokio::test]
    async fn a_later_place_serves_where_the_first_is_empty() {
        let directory = tempfile::tempdir().unwrap();
        let there = directory.path().join("tokens.sock");
        let _listener = tokio::net::UnixListener::bind(&there).unwrap();
        let dial = Dial { paths: vec![directory.path().join("absent.sock"), there], limit: CONNECT_LIMIT, owner: own_uid() };
        dial.connect().await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_backlog_ends_by_the_connect_limit() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("tokens.sock");
        let socket = tokio::net::UnixSocket::new_stream().unwrap();
        socket.bind(&path).unwrap();
        let _listener = socket.listen(1).unwrap();
        let mut held = Vec::new();
        while let Ok(stream) = UnixStream::connect(&path).await {
            held.push(stream);
        }
        let dial = Dial { paths: vec![path.clone()], limit: CONNECT_LIMIT, owner: own_uid() };
        assert_eq!(dial.connect().await.unwrap_err(), ConnectError::TimedOut { path, after: CONNECT_LIMIT });
    }
}
