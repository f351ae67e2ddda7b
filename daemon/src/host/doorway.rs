//! A socket that comes back: when its path is lost it is bound again, and the connections that stand go on (B11).
//!
//! Must never: take a path that somebody else has taken meanwhile.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{Stream, stream};
use tokio::time::{Interval, MissedTickBehavior};

use super::activation::Handed;
use super::lock::Owned;
use super::sockets::{BindError, Connection, LOOK, Leftover, Listener, Places};

/// How soon a bind that did not work is tried again.
const AGAIN: Duration = Duration::from_secs(5);
/// The kernel frees the locks of a killed daemon some moments before its sockets.
const LETS_GO_WITHIN: Duration = Duration::from_millis(500);
const LETS_GO_LOOK: Duration = Duration::from_millis(10);

/// A bound socket, and what it takes to bind it again.
#[derive(Debug)]
pub struct Doorway {
    path: PathBuf,
    places: Places,
    owner: Arc<Owned>,
    listener: Option<Listener>,
    looks: Interval,
}

impl Doorway {
    /// Binds at the start: what a killed daemon left is erased.
    ///
    /// # Errors
    /// Where the socket is not ours, or the operating system refuses.
    pub async fn open(path: PathBuf, places: Places, owner: Arc<Owned>) -> Result<Self, BindError> {
        let mut left = LETS_GO_WITHIN.as_millis() / LETS_GO_LOOK.as_millis();
        loop {
            match Listener::bind(&path, places.clone(), Leftover::Erase, &owner) {
                Err(BindError::ListenedAt(_)) if left > 0 => tokio::time::sleep(LETS_GO_LOOK).await,
                bound => return Ok(Self::with(bound?, path, places, owner)),
            }
            left -= 1;
        }
    }

    /// Serves what a service manager has bound there: it is not erased at the end. The manager never notices that somebody else erases
    /// it, and would hand over for ever what nobody finds; so it is bound here then, as one of our own.
    ///
    /// # Errors
    /// Where it is another socket than programs look for, or another daemon serves it.
    pub fn handed_over(handed: Handed, path: PathBuf, places: Places, owner: Arc<Owned>) -> Result<Self, BindError> {
        let listener = Listener::handed_over(handed, &path, places.clone())?;
        Ok(Self::with(listener, path, places, owner))
    }

    fn with(listener: Listener, path: PathBuf, places: Places, owner: Arc<Owned>) -> Self {
        let mut looks = tokio::time::interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { path, places, owner, listener: Some(listener), looks }
    }

    /// Every connection, as a server wants them. Endless.
    pub fn connections(self) -> impl Stream<Item = io::Result<Connection>> + Send + 'static {
        stream::unfold(self, |mut doorway| async move {
            let connection = doorway.next().await;
            Some((Ok(connection), doorway))
        })
    }

    async fn next(&mut self) -> Connection {
        loop {
            if let Some(listener) = &self.listener {
                tokio::select! {
                    connection = listener.accept() => return connection,
                    () = listener.lost(&mut self.looks) => {}
                }
            }
            self.bind_again().await;
        }
    }

    /// The old listener goes first: its lock may be the very one that is needed.
    async fn bind_again(&mut self) {
        let lost = self.listener.take();
        let (first, is_managers) = (lost.is_some(), lost.as_ref().is_some_and(Listener::is_managers));
        drop(lost);
        if is_managers {
            self.places.company().lose_manager();
            tracing::error!(
                socket = %self.path.display(),
                next = "systemctl --user restart mcp-authd-tokens.socket mcp-authd-admin.socket",
                "the service manager's socket was erased; this daemon binds it, until the manager does so anew"
            );
        }
        match Listener::bind(&self.path, self.places.clone(), Leftover::Respect, &self.owner) {
            Ok(listener) => {
                tracing::warn!(socket = %self.path.display(), "the socket was lost and is bound again");
                self.listener = Some(listener);
            }
            Err(error) => {
                if first {
                    tracing::error!(%error, "the socket was lost and cannot be bound again yet");
                }
                tokio::time::sleep(AGAIN).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
    use super::*;
    use crate::host::folder::Folder;
    use crate::host::lock::{Acquired, acquire};
    use crate::host::memory::Ebb;
    use futures_util::StreamExt;
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::net::UnixStream;

    #[tokio::test(start_paused = true)]
    async fn a_socket_whose_folder_is_deleted_comes_back_at_the_same_path() {
        let place = tempfile::tempdir().unwrap();
        let state = Folder::at(place.path().join("state"));
        state.ensure().unwrap();
        let Acquired::Owned(owner) = acquire(&state, "lock").unwrap() else { panic!("held") };
        let path = place.path().join("run/tokens.sock");
        let doorway = Doorway::open(path.clone(), Places::new(4, &Ebb::default()), Arc::new(owner)).await.unwrap();
        let mut connections = Box::pin(doorway.connections());
        let first = UnixStream::connect(&path).unwrap();
        connections.next().await.unwrap().unwrap();
        std::fs::remove_dir_all(path.parent().unwrap()).unwrap();
        let (bound, next) = tokio::join!(
            async {
                loop {
                    tokio::time::sleep(AGAIN).await;
                    if let Ok(stream) = UnixStream::connect(&path) {
                        return stream;
                    }
                }
            },
            connections.next()
        );
        next.unwrap().unwrap();
        drop((first, bound));
    }

    #[tokio::test(start_paused = true)]
    async fn a_socket_of_a_service_manager_is_served_and_not_erased_at_the_end() {
        let place = tempfile::tempdir().unwrap();
        let state = Folder::at(place.path().join("state"));
        state.ensure().unwrap();
        let Acquired::Owned(owner) = acquire(&state, "lock").unwrap() else { panic!("held") };
        let path = place.path().join("run/tokens.sock");
        Folder::at(place.path().join("run")).ensure().unwrap();
        let managers = std::os::unix::net::UnixListener::bind(&path).unwrap();
        let (owner, places) = (Arc::new(owner), Places::new(4, &Ebb::default()));
        let handed = || Handed::imagined(managers.try_clone().unwrap());
        let open = || Doorway::handed_over(handed(), path.clone(), places.clone(), owner.clone());
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o666)).unwrap();
        assert!(open().unwrap_err().to_string().contains("(mode 0666): write SocketMode=0600"));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();

        let mut connections = Box::pin(open().unwrap().connections());
        assert!(matches!(open(), Err(BindError::HeldBy { .. })), "its lock is held, so that no other daemon erases it");
        let first = UnixStream::connect(&path).unwrap();
        connections.next().await.unwrap().unwrap();
        drop(connections);

        // At the end it stands, and who connects meanwhile waits for the next daemon.
        drop(open().unwrap());
        let waiting = UnixStream::connect(&path).unwrap();
        Box::pin(open().unwrap().connections()).next().await.unwrap().unwrap();
        drop((first, waiting));

        // Somebody erases it: the manager never notices. It is bound again, also where it was erased before the start.
        assert!(!places.company().has_lost_manager());
        let mut connections = Box::pin(open().unwrap().connections());
        std::fs::remove_file(&path).unwrap();
        assert!(places.company().has_lost_manager(), "before anybody has noticed it, too");
        comes_back(&path, &mut connections).await;
        assert!(places.company().has_lost_manager(), "nobody must leave for want of clients any more");
        drop(connections);
        assert!(!path.exists(), "what is ours is erased at the end");
        let mut connections = Box::pin(open().unwrap().connections());
        comes_back(&path, &mut connections).await;
    }

    async fn comes_back(path: &std::path::Path, connections: &mut (impl Stream<Item = io::Result<Connection>> + Unpin)) {
        let knocks = async {
            loop {
                tokio::time::sleep(AGAIN).await;
                if let Ok(stream) = UnixStream::connect(path) {
                    return stream;
                }
            }
        };
        let both = async { tokio::join!(knocks, connections.next()) };
        let (_stream, next) = tokio::time::timeout(LOOK * 10, both).await.unwrap();
        next.unwrap().unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_socket_that_somebody_holds_without_our_locks_is_left_to_it_and_not_woken() {
        let place = tempfile::tempdir().unwrap();
        let state = Folder::at(place.path().join("state"));
        state.ensure().unwrap();
        let Acquired::Owned(owner) = acquire(&state, "lock").unwrap() else { panic!("held") };
        let (path, owner) = (place.path().join("run/tokens.sock"), Arc::new(owner));
        Folder::at(place.path().join("run")).ensure().unwrap();
        let managers = std::os::unix::net::UnixListener::bind(&path).unwrap();
        managers.set_nonblocking(true).unwrap();
        let open = || Doorway::open(path.clone(), Places::new(4, &Ebb::default()), owner.clone());
        let refused = open().await.unwrap_err();
        assert!(matches!(refused, BindError::ListenedAt(_)) && refused.to_string().contains("authctl daemon start"), "{refused}");
        assert_eq!(managers.accept().unwrap_err().kind(), io::ErrorKind::WouldBlock, "nobody has connected");
        UnixStream::connect(&path).unwrap();
        // As a killed daemon's: the kernel closes it some moments after the locks.
        let (opened, ()) = tokio::join!(open(), async {
            tokio::time::sleep(LETS_GO_LOOK * 3).await;
            drop(managers);
        });
        opened.unwrap();
    }
}
