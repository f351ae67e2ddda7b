//! Finding the daemon's sockets and connecting to them.
//!
//! The order: `MCP_AUTHD_SOCKET` (the path of `tokens.sock`; `admin.sock` stands beside it); else `$XDG_RUNTIME_DIR/mcp-authd/`,
//! `/run/user/UID/mcp-authd/`, `$XDG_STATE_HOME/mcp-authd/run/` or `~/.local/state/mcp-authd/run/`; on macOS
//! `~/Library/Application Support/mcp-authd/run/`.
//!
//! Must never: look under $TMPDIR, or send a byte before the kernel has told whose server it is (P2).

mod door;

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;
use tonic::transport::{Channel, Endpoint};

use crate::call;
use crate::clock::Clock;
use crate::error::{CallError, ConnectError};
use crate::gather::Gathered;
use crate::start::{Asked, Patience, SocketPlace, Starter, explained};
pub use door::{Door, Doors};

/// How long a connection may take, if nothing else is said.
pub const CONNECT_LIMIT: Duration = Duration::from_secs(2);

/// What the kernel holds of a path in a socket's address, without the last NUL.
#[cfg(any(target_os = "linux", target_os = "android"))]
const PATH_LIMIT: usize = 107;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const PATH_LIMIT: usize = 103;

/// How long a daemon may be away that has answered on this connection, because another takes over from it: where none is started,
/// and before one is.
const RETURN_LIMIT: Duration = Duration::from_secs(2);
const RETURN_BEFORE_START: Duration = Duration::from_millis(100);
const RETURN_LOOK: Duration = Duration::from_millis(5);

/// How often a call finds no daemon and has one brought up: one that was just started may be asked to leave for another at once.
const BRINGS_UP_AT_MOST: usize = 4;

/// How long to leave a daemon alone whose backlog is full. Linux answers EAGAIN then, instead of letting us wait.
const BACKLOG_PAUSE: Duration = Duration::from_millis(10);

/// Where the daemon's sockets may stand, the best place first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sockets {
    places: Vec<Place>,
    origin: Origin,
}

/// Who says where the sockets stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    /// The usual places.
    Usual,
    /// `MCP_AUTHD_SOCKET`.
    Variable,
    /// The program. It knows its daemon; nothing is started for it.
    Program,
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

    /// This `tokens.sock`, with `admin.sock` beside it, and no other place. No daemon is started there.
    #[must_use]
    pub fn at(tokens: impl Into<PathBuf>) -> Self {
        Self::one(tokens.into(), Origin::Program)
    }

    fn one(tokens: PathBuf, origin: Origin) -> Self {
        let admin = tokens.with_file_name("admin.sock");
        Self { places: vec![Place { tokens, admin }], origin }
    }

    /// Where the sockets for programs may stand, the best place first.
    #[must_use]
    pub fn tokens(&self) -> Vec<PathBuf> {
        self.paths(Which::Tokens)
    }

    /// Whether `MCP_AUTHD_SOCKET` or the program names the socket: then whoever runs a daemon there rules it.
    #[must_use]
    pub fn are_named(&self) -> bool {
        self.origin != Origin::Usual
    }

    pub(crate) fn place(&self) -> SocketPlace {
        if self.origin == Origin::Usual { SocketPlace::Usual } else { SocketPlace::Named }
    }

    fn from_environment(variable: impl Fn(&str) -> Option<OsString>) -> Result<Self, ConnectError> {
        if let Some(given) = variable("MCP_AUTHD_SOCKET").filter(|path| !path.is_empty()) {
            return Ok(Self::one(given.into(), Origin::Variable));
        }
        let mut places: Vec<Place> = Vec::new();
        for directory in directories(variable) {
            let place = Place { tokens: directory.join("tokens.sock"), admin: directory.join("admin.sock") };
            if !places.contains(&place) {
                places.push(place);
            }
        }
        if places.is_empty() { Err(ConnectError::NoPlace) } else { Ok(Self { places, origin: Origin::Usual }) }
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

/// One lazy connection to one socket. It is made at the first call, and made again after the daemon has restarted. Where nothing
/// answers, a daemon is started (DESIGN, section 5).
#[derive(Debug)]
pub(crate) struct Line {
    dial: Dial,
    channel: OnceLock<Channel>,
    /// `None`: none is started.
    starter: Option<Starter>,
    place: SocketPlace,
    explained: Asked<ConnectError>,
}

impl Line {
    pub(crate) fn new(sockets: &Sockets, which: Which) -> Self {
        let dial = Dial { paths: sockets.paths(which), limit: CONNECT_LIMIT, owner: own_uid(), reached: Arc::default() };
        let starter = (sockets.origin != Origin::Program).then(|| Starter::new(sockets.place()));
        Self { dial, channel: OnceLock::new(), starter, place: sockets.place(), explained: Asked::by(Clock::Kernel) }
    }

    pub(crate) fn with_connect_limit(&self, limit: Duration) -> Self {
        self.anew(Dial { limit, ..self.dial.clone() })
    }

    pub(crate) fn never_starting(&self) -> Self {
        Self { starter: None, ..self.anew(self.dial.clone()) }
    }

    #[cfg(test)]
    pub(crate) fn with_owner(&self, owner: u32) -> Self {
        self.anew(Dial { owner, ..self.dial.clone() })
    }

    /// At this place, where somebody has just looked at the service and found this.
    #[cfg(test)]
    pub(crate) async fn after_a_look(&self, place: SocketPlace, found: ConnectError) -> Self {
        let explained = Asked::by(Clock::Hand(Arc::default()));
        explained.or(std::future::ready(Some(found))).await;
        Self { place, explained, ..self.anew(self.dial.clone()) }
    }

    fn anew(&self, dial: Dial) -> Self {
        let starter = self.starter.as_ref().map(|starter| Starter::new(starter.place()));
        let dial = Dial { reached: Arc::default(), ..dial };
        Self { dial, channel: OnceLock::new(), starter, place: self.place, explained: Asked::by(Clock::Kernel) }
    }

    /// A call on this connection, within its time. Where no daemon answers, one is brought up by the rules, in its own time, and the
    /// call is made again.
    pub(crate) async fn call<T, F>(&self, limit: Duration, patience: Patience, call: impl Fn() -> F) -> Result<T, CallError>
    where
        F: Future<Output = Result<T, CallError>>,
    {
        for _ in 0..BRINGS_UP_AT_MOST {
            match call::within(limit, call()).await {
                Err(CallError::Connect(absent @ ConnectError::NoDaemon { .. })) => self.bring_up(absent, patience).await?,
                Err(unanswered @ (CallError::Silent { .. } | CallError::Interrupted)) => {
                    return Err(self.explained(unanswered, patience).await);
                }
                outcome => return outcome,
            }
        }
        call::within(limit, call()).await
    }

    /// What is wrong with the service where a call has no answer: who takes connections for it is its manager, who goes on doing so.
    /// Looking costs a thread and some programs: it is done once for many callers, and for nobody who tries again for ever.
    async fn explained(&self, unanswered: CallError, patience: Patience) -> CallError {
        match (self.place, patience) {
            (SocketPlace::Usual, Patience::Caller) => {
                self.explained.or(explained(&self.dial)).await.map_or(unanswered, CallError::Connect)
            }
            _ => unanswered,
        }
    }

    async fn bring_up(&self, absent: ConnectError, patience: Patience) -> Result<(), ConnectError> {
        let starts = self.starter.as_ref().is_some_and(|starter| starter.place() == SocketPlace::Usual);
        if self.comes_back(if starts { RETURN_BEFORE_START } else { RETURN_LIMIT }).await {
            return Ok(());
        }
        match &self.starter {
            Some(starter) => starter.start(&self.dial, patience).await,
            None => Err(absent),
        }
    }

    /// Whether a daemon that was there is there again.
    async fn comes_back(&self, within: Duration) -> bool {
        if self.reached().is_none() {
            return false;
        }
        let looking = async {
            while self.dial.connect().await.is_err() {
                tokio::time::sleep(RETURN_LOOK).await;
            }
        };
        tokio::time::timeout(within, looking).await.is_ok()
    }

    /// The socket that has answered last.
    pub(crate) fn reached(&self) -> Option<&Path> {
        let place = self.dial.reached.load(Ordering::Relaxed).checked_sub(1)?;
        self.dial.paths.get(place).map(PathBuf::as_path)
    }

    /// To be called inside a tokio runtime: the channel's worker lives there.
    pub(crate) fn channel(&self) -> Channel {
        let open = || {
            let dial = self.dial.clone();
            let connector = tower::service_fn(move |_| {
                let dial = dial.clone();
                async move { dial.connect().await.map(Gathered::new).map(TokioIo::new) }
            });
            // The authority goes nowhere: the connector alone decides where to.
            Endpoint::from_static("http://mcp-authd.invalid").connect_with_connector_lazy(connector)
        };
        self.channel.get_or_init(open).clone()
    }
}

/// How to reach one socket.
#[derive(Debug, Clone)]
pub(crate) struct Dial {
    paths: Vec<PathBuf>,
    limit: Duration,
    owner: u32,
    /// Which path has answered last, counted from one; zero: none has.
    reached: Arc<AtomicUsize>,
}

impl Dial {
    /// The sockets that are tried.
    pub(crate) fn paths(&self) -> &[PathBuf] {
        &self.paths
    }

    /// Tries the places in their order. The first server that is ours wins; else the first failure that says more than "nothing there".
    pub(crate) async fn connect(&self) -> Result<UnixStream, ConnectError> {
        let mut worst: Option<ConnectError> = None;
        for (place, path) in self.paths.iter().enumerate() {
            match self.connect_to(path).await {
                Ok(stream) => {
                    self.reached.store(place.saturating_add(1), Ordering::Relaxed);
                    return Ok(stream);
                }
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
        // A NoDaemon means that every place has said so: only then a daemon may be started, by `Line::call`.
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

    fn dial(paths: Vec<PathBuf>) -> Dial {
        Dial { paths, limit: CONNECT_LIMIT, owner: own_uid(), reached: Arc::default() }
    }

    #[test]
    fn the_override_is_the_only_place_and_admin_stands_beside_it() {
        let lookup = |name: &str| (name == "MCP_AUTHD_SOCKET" || name == "HOME").then(|| OsString::from("/x/tokens.sock"));
        let sockets = Sockets::from_environment(lookup).unwrap();
        assert_eq!(sockets.paths(Which::Tokens), [PathBuf::from("/x/tokens.sock")]);
        assert_eq!(sockets.paths(Which::Admin), [PathBuf::from("/x/admin.sock")]);
        assert_eq!(sockets.place(), SocketPlace::Named, "and nothing is started there");
    }

    #[test]
    fn a_socket_that_the_program_names_starts_nothing() {
        let line = Line::new(&Sockets::at("/x/tokens.sock"), Which::Tokens);
        assert!(line.starter.is_none());
        let usual = Sockets::from_environment(|name| (name == "HOME").then(|| OsString::from("/h"))).unwrap();
        let line = Line::new(&usual, Which::Tokens);
        assert!(line.starter.is_some() && line.with_connect_limit(CONNECT_LIMIT).starter.is_some());
        assert!(line.never_starting().starter.is_none());
        assert!(line.never_starting().with_connect_limit(CONNECT_LIMIT).starter.is_none());
    }

    #[tokio::test]
    async fn only_who_has_just_called_at_the_usual_place_is_told_what_is_wrong_with_the_service() {
        let silent = || CallError::Silent { after: CONNECT_LIMIT };
        let refused = || CallError::Refused { message: "no".into() };
        let found = || ConnectError::TimedOut { path: "/x/tokens.sock".into(), after: CONNECT_LIMIT };
        for (place, patience, unanswered, expected) in [
            (SocketPlace::Usual, Patience::Caller, CallError::Interrupted, CallError::Connect(found())),
            (SocketPlace::Usual, Patience::Caller, silent(), CallError::Connect(found())),
            (SocketPlace::Usual, Patience::Background, CallError::Interrupted, CallError::Interrupted),
            (SocketPlace::Usual, Patience::Background, silent(), silent()),
            (SocketPlace::Named, Patience::Caller, CallError::Interrupted, CallError::Interrupted),
            // Where there is an answer, nothing is wrong with the service.
            (SocketPlace::Usual, Patience::Caller, refused(), refused()),
        ] {
            let line = Line::new(&Sockets::at("/x/tokens.sock"), Which::Tokens).after_a_look(place, found()).await;
            let call = || std::future::ready(Err::<(), _>(unanswered.clone()));
            let ended = line.call(CONNECT_LIMIT, patience, call).await;
            assert_eq!(ended, Err(expected), "{place:?} {patience:?} {unanswered:?}");
        }
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
        assert!(error.to_string().ends_with("start it with: authctl daemon start"));
    }

    #[tokio::test]
    async fn a_later_place_serves_where_the_first_is_empty() {
        let directory = tempfile::tempdir().unwrap();
        let there = directory.path().join("tokens.sock");
        let _listener = tokio::net::UnixListener::bind(&there).unwrap();
        let dial = dial(vec![directory.path().join("absent.sock"), there]);
        dial.connect().await.unwrap();
        assert_eq!(dial.reached.load(Ordering::Relaxed), 2);
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
        let dial = dial(vec![path.clone()]);
        assert_eq!(dial.connect().await.unwrap_err(), ConnectError::TimedOut { path, after: CONNECT_LIMIT });
    }
}
