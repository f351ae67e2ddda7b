//! The Unix sockets: bound where a lock is ours, private from birth, open to one uid, loss noticed (P1, B11, B16, B22, B23).
//!
//! Must never: unlink a socket that another daemon may serve (the locks decide) or that somebody without our locks holds open, as a
//! service manager does (the kernel tells, no connection is made), spin when descriptors run out, or know what is said on a connection.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::Stream;

use interprocess::local_socket::{GenericFilePath, ListenerOptions, ToFsName, traits::tokio::Listener as _};
use interprocess::os::unix::uds_local_socket::tokio::{Listener as SystemListener, Stream as SystemStream};
use nix::errno::Errno;
use nix::fcntl::AtFlags;
use nix::sys::stat::{Mode, SFlag, fstatat};
use nix::unistd::{Uid, UnlinkatFlags, unlinkat};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Interval;

use super::activation::{Handed, Unfit};
use super::folder::{FileError, Folder, Unsafe, failed, refused};
use super::lock::{self, Acquired, Identity, Owned, Standing};
use super::peer::Peer;
pub use company::{Company, Guest, Shut};
use places::Place;
pub use places::Places;
use spot::Spot;

mod company;
mod places;
mod spot;

/// How often the path is looked at (B11: a loss is noticed within 30 s).
pub const LOOK: Duration = Duration::from_secs(10);
const SHORTEST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// A listening socket. When dropped, its path is erased where we have bound it and it is still ours.
#[derive(Debug)]
pub struct Listener {
    system: SystemListener,
    spot: Spot,
    bound: Bound,
    lock: Owned,
    places: Places,
}

/// What to do with a socket that stands at the path when both locks are ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leftover {
    /// At the start: a daemon that was killed left it.
    Erase,
    /// At a later bind: somebody put it there meanwhile, and may serve it.
    Respect,
}

/// Who has bound a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bound {
    /// We have: at the end the path is erased.
    ByUs,
    /// A service manager has: the path is its own to keep.
    ByManager,
}

/// Why a socket is not bound.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Another daemon serves it.
    #[error("\"{}\" is served by another mcp-authd{}. Look with: authctl daemon status", path.display(), with_pid(*pid))]
    HeldBy {
        /// Which.
        path: PathBuf,
        /// Who.
        pid: Option<i32>,
    },
    /// Something else stands there.
    #[error("\"{}\" stands already, and this daemon has not made it: move it away", .0.display())]
    Occupied(PathBuf),
    /// Somebody without our locks holds it open: the sockets of a service manager, whose service does not run.
    #[error(
        "the service manager listens at \"{}\", and starts mcp-authd itself. Have it do so with: authctl daemon start (to run one by hand \
         instead, before: authctl daemon stop)",
        .0.display()
    )]
    ListenedAt(PathBuf),
    /// The path is not that of a file in a folder.
    #[error("\"{}\" cannot be a socket's path: name a file in a private folder", .0.display())]
    BadPath(PathBuf),
    /// The folder or the lock cannot be used.
    #[error(transparent)]
    File(#[from] FileError),
    /// What a service manager hands over is not this socket.
    #[error(transparent)]
    Unfit(#[from] Unfit),
}

fn with_pid(pid: Option<i32>) -> String {
    pid.map(|pid| format!(" (pid {pid})")).unwrap_or_default()
}

impl Listener {
    /// Binds `path` for as many connections at once as there are `places`. `owner` proves that the state is ours; the lock beside the
    /// socket proves that the socket is.
    ///
    /// # Errors
    /// Where it is not ours, or the operating system refuses.
    pub fn bind(path: &Path, places: Places, leftover: Leftover, owner: &Owned) -> Result<Self, BindError> {
        let (folder, name, lock) = locked(path)?;
        // The state may have been taken over since `owner` was made: then nothing may be erased any more.
        let leftover = if owner.standing() == Standing::Held { leftover } else { Leftover::Respect };
        clear(&folder, &name, leftover)?;
        let system = listen(path)?;
        let identity = identity_of_socket(&folder, &name)?.ok_or_else(|| BindError::Occupied(path.to_owned()))?;
        let spot = Spot::of(folder, name, Some(identity));
        Ok(Self { system, spot, bound: Bound::ByUs, lock, places })
    }

    /// Serves a socket that a service manager has bound at `path`, and goes on holding. The lock beside it keeps other daemons from
    /// erasing it.
    ///
    /// # Errors
    /// Where it is another socket, others than its owner may connect, or another daemon serves it.
    pub fn handed_over(handed: Handed, path: &Path, places: Places) -> Result<Self, BindError> {
        let (folder, name, lock) = locked(path)?;
        let listener = handed.at(path)?;
        if let Some(mode) = open_to_others(&folder, &name)? {
            return Err(Unfit::OpenToOthers { path: path.to_owned(), mode }.into());
        }
        let system = SystemListener::try_from(OwnedFd::from(listener));
        let system = system.map_err(|source| FileError::Io { doing: "serve", path: path.to_owned(), source })?;
        let spot = Spot::now(folder, name)?;
        places.company().find_manager_at(spot.clone());
        Ok(Self { system, spot, bound: Bound::ByManager, lock, places })
    }

    /// The next connection of this uid. May be dropped and called again without losing any.
    ///
    /// Never fails: where the operating system has no descriptors left it waits (B23), other users are refused (P1), and what
    /// is above the number of places is closed at once (B22). While the door of the company is shut nobody is taken in.
    pub async fn accept(&self) -> Connection {
        let mut pause = SHORTEST_PAUSE;
        let company = self.places.company();
        loop {
            company.opened().await;
            let accepted = tokio::select! {
                biased;
                () = company.was_shut() => continue,
                accepted = self.system.accept() => accepted,
            };
            match accepted {
                Ok(stream) => {
                    pause = SHORTEST_PAUSE;
                    if let Some(connection) = self.admit(stream) {
                        return connection;
                    }
                }
                Err(error) => {
                    if pause == SHORTEST_PAUSE {
                        tracing::warn!(%error, socket = %self.path().display(), "cannot accept connections for now");
                    }
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    /// Every connection, as a server wants them. Endless.
    pub fn connections(self: Arc<Self>) -> impl Stream<Item = io::Result<Connection>> + Send + 'static {
        futures_util::stream::unfold(self, |listener| async move {
            let connection = listener.accept().await;
            Some((Ok(connection), listener))
        })
    }

    /// Whether the path still leads here and the lock beside it is still ours.
    #[must_use]
    pub fn standing(&self) -> Standing {
        match (self.spot.standing(), self.bound) {
            (Standing::Held, Bound::ByUs) => self.lock.standing(),
            (standing, _) => standing,
        }
    }

    /// Ends when the path does not lead here any more (B11). Then bind again with [`Leftover::Respect`]; the connections that
    /// stand go on. `looks` tells when to look; it may be dropped and called again without looking more often.
    pub async fn lost(&self, looks: &mut Interval) {
        loop {
            looks.tick().await;
            if self.standing() != Standing::Held {
                return;
            }
        }
    }

    /// Whether a service manager has bound it.
    #[must_use]
    pub fn is_managers(&self) -> bool {
        self.bound == Bound::ByManager
    }

    /// Where it is bound.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.spot.path()
    }

    fn admit(&self, stream: SystemStream) -> Option<Connection> {
        let peer = match Peer::of(&stream) {
            Ok(peer) => peer,
            Err(error) => {
                tracing::warn!(%error, "refused a connection whose user the kernel does not tell");
                return None;
            }
        };
        if !is_welcome(&peer, Uid::effective().as_raw()) {
            return None;
        }
        match self.places.take() {
            Ok(place) => Some(Connection { stream, peer: Arc::new(peer), _place: place }),
            Err(full) => {
                if full.just_now {
                    tracing::warn!(socket = %self.path().display(), "too many connections: further ones are closed");
                }
                None
            }
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if self.bound == Bound::ByUs
            && self.standing() == Standing::Held
            && let Ok(folder) = self.spot.folder().opened()
        {
            let _ = unlinkat(&folder, self.spot.name(), UnlinkatFlags::NoRemoveDir);
        }
    }
}

/// Only the uid of this daemon (P1).
fn is_welcome(peer: &Peer, own: u32) -> bool {
    match peer.uid {
        uid if uid == own => return true,
        0 => tracing::warn!(uid = 0, "refused a connection of root: run the program as the user of this daemon, without sudo"),
        uid => tracing::warn!(uid, "refused a connection of another user"),
    }
    false
}

fn split(path: &Path) -> Result<(Folder, String), BindError> {
    let folder = path.parent().filter(|folder| folder.is_absolute());
    let name = path.file_name().and_then(|name| name.to_str());
    match (folder, name) {
        (Some(folder), Some(name)) => Ok((Folder::at(folder), name.to_owned())),
        _ => Err(BindError::BadPath(path.to_owned())),
    }
}

fn locked(path: &Path) -> Result<(Folder, String, Owned), BindError> {
    let (folder, name) = split(path)?;
    folder.ensure()?;
    match lock::acquire(&folder, &format!("{name}.lock"))? {
        Acquired::Owned(lock) => Ok((folder, name, lock)),
        Acquired::HeldBy(holder) => Err(BindError::HeldBy { path: path.to_owned(), pid: holder.process.pid() }),
    }
}

/// The mode of what stands there, where it lets others in. Where nothing stands there nobody comes in.
fn open_to_others(folder: &Folder, name: &str) -> Result<Option<Mode>, FileError> {
    match fstatat(&folder.opened()?, name, AtFlags::AT_SYMLINK_NOFOLLOW) {
        Err(Errno::ENOENT) => Ok(None),
        Err(errno) => Err(failed("look at", &folder.join(name), errno)),
        Ok(stat) => {
            let mode = Mode::from_bits_truncate(stat.st_mode);
            Ok(Some(mode).filter(|mode| mode.intersects(Mode::S_IRWXG | Mode::S_IRWXO)))
        }
    }
}

fn listen(path: &Path) -> Result<SystemListener, FileError> {
    let failed = |source| FileError::Io { doing: "bind", path: path.to_owned(), source };
    let name = path.to_fs_name::<GenericFilePath>().map_err(failed)?;
    // Erasing the path is ours: it must look at the locks first.
    let options = ListenerOptions::new().name(name).reclaim_name(false);
    bind_private(options, path).map_err(failed)
}

/// Private from birth, under any umask (P4).
#[cfg(any(target_os = "linux", target_os = "android"))]
fn bind_private(options: ListenerOptions<'_>, _path: &Path) -> io::Result<SystemListener> {
    use interprocess::os::unix::local_socket::ListenerOptionsExt;
    options.mode(0o600).create_tokio_as()
}

/// Nobody else can enter the folder, so that nobody can look before the mode is right.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn bind_private(options: ListenerOptions<'_>, path: &Path) -> io::Result<SystemListener> {
    use std::os::unix::fs::PermissionsExt;
    let listener: SystemListener = options.create_tokio_as()?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

fn clear(folder: &Folder, name: &str, leftover: Leftover) -> Result<(), BindError> {
    match (identity_of_socket(folder, name)?, leftover) {
        (None, _) => Ok(()),
        (Some(_), Leftover::Respect) => Err(BindError::Occupied(folder.join(name))),
        (Some(_), Leftover::Erase) if is_held_open(&folder.join(name)) => Err(BindError::ListenedAt(folder.join(name))),
        (Some(_), Leftover::Erase) => Ok(folder.remove(name)?),
    }
}

/// Whether a process holds the socket open that stands there. A stream cannot be reached by datagrams: the kernel says so of one that
/// is alive, and refuses at one that nobody holds any more. Nobody behind it notices: a service manager that listens is not woken.
fn is_held_open(path: &Path) -> bool {
    match UnixDatagram::unbound().and_then(|datagrams| datagrams.connect(path)) {
        Ok(()) => true,
        Err(error) => error.raw_os_error() == Some(Errno::EPROTOTYPE as i32),
    }
}

/// `None`: nothing stands there. What is not a socket of ours is an error.
fn identity_of_socket(folder: &Folder, name: &str) -> Result<Option<Identity>, FileError> {
    let path = folder.join(name);
    match fstatat(&folder.opened()?, name, AtFlags::AT_SYMLINK_NOFOLLOW) {
        Err(Errno::ENOENT) => Ok(None),
        Err(errno) => Err(failed("look at", &path, errno)),
        Ok(stat) if SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT != SFlag::S_IFSOCK => {
            Err(refused(&path, Unsafe::NotASocket))
        }
        Ok(stat) if stat.st_uid != Uid::effective().as_raw() => Err(refused(&path, Unsafe::OwnedBy(stat.st_uid))),
        Ok(stat) => Ok(Some(Identity::of(&stat))),
    }
}

/// A connection of this uid. Its place is free again when it is dropped.
#[derive(Debug)]
pub struct Connection {
    stream: SystemStream,
    peer: Arc<Peer>,
    _place: Place,
}

impl Connection {
    /// Who is at the other end.
    #[must_use]
    pub fn peer(&self) -> Arc<Peer> {
        self.peer.clone()
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests;
