//! Each socket by itself: how it stands, and whether somebody answers behind it; for the person who looks.
//!
//! Must never: send a byte. To knock has a service manager start the daemon that holds its sockets; to look has not.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::{Dial, Sockets, Which, own_uid};
use crate::error::ConnectError;
use crate::standing::Standing;

/// One socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Door {
    /// Its path.
    pub path: PathBuf,
    /// How its folder stands.
    pub folder: Standing,
    /// How it stands itself.
    pub socket: Standing,
    /// Whether a server of ours takes a connection there.
    pub knock: Result<(), ConnectError>,
}

/// The two sockets of one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doors {
    /// For programs.
    pub tokens: Door,
    /// For the person.
    pub admin: Door,
}

impl Sockets {
    /// Knocks at each socket of each place, the best place first, within this time for each.
    pub async fn knock(&self, limit: Duration) -> Vec<Doors> {
        let mut found = Vec::new();
        for (tokens, admin) in self.paths(Which::Tokens).iter().zip(self.paths(Which::Admin)) {
            found.push(Doors { tokens: door(tokens, limit).await, admin: door(&admin, limit).await });
        }
        found
    }

    /// Looks at each socket of each place without a connection: nobody behind it notices. `knock` tells then whether somebody holds it
    /// open, and not whose server that is.
    #[must_use]
    pub fn look(&self) -> Vec<Doors> {
        let each = self.paths(Which::Tokens).into_iter().zip(self.paths(Which::Admin));
        each.map(|(tokens, admin)| Doors { tokens: seen(tokens), admin: seen(admin) }).collect()
    }
}

fn seen(path: PathBuf) -> Door {
    // Datagrams cannot reach a stream: the kernel says so of one that is alive, and refuses at one that nobody holds any more.
    let asked = std::os::unix::net::UnixDatagram::unbound().and_then(|datagrams| datagrams.connect(&path));
    let knock = match asked {
        Ok(()) => Ok(()),
        Err(error) if error.raw_os_error() == Some(nix::errno::Errno::EPROTOTYPE as i32) => Ok(()),
        Err(error) => Err(super::failure(&path, &error)),
    };
    Door { folder: path.parent().map_or(Standing::Missing, Standing::behind), socket: Standing::of(&path), knock, path }
}

async fn door(path: &Path, limit: Duration) -> Door {
    let dial = Dial { paths: vec![path.to_owned()], limit, owner: own_uid(), reached: Arc::default() };
    Door {
        path: path.to_owned(),
        folder: path.parent().map_or(Standing::Missing, Standing::behind),
        socket: Standing::of(path),
        knock: dial.connect().await.map(drop),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use tokio::net::UnixListener;

    #[tokio::test]
    async fn to_look_tells_the_same_and_nobody_behind_it_notices() {
        let root = tempfile::tempdir().unwrap();
        let sockets = Sockets::at(root.path().join("tokens.sock"));
        let alive = std::os::unix::net::UnixListener::bind(root.path().join("tokens.sock")).unwrap();
        alive.set_nonblocking(true).unwrap();
        drop(UnixListener::bind(root.path().join("admin.sock")).unwrap());
        let looked = sockets.look();
        assert_eq!(alive.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
        assert_eq!(looked, sockets.knock(Duration::from_secs(2)).await);
        let nowhere = Sockets::at(root.path().join("below/tokens.sock"));
        assert_eq!(nowhere.look(), nowhere.knock(Duration::from_secs(2)).await);
    }

    #[tokio::test]
    async fn a_living_socket_one_that_was_left_and_none_are_told_apart() {
        let root = tempfile::tempdir().unwrap();
        let sockets = Sockets::at(root.path().join("tokens.sock"));
        let _alive = UnixListener::bind(root.path().join("tokens.sock")).unwrap();
        drop(UnixListener::bind(root.path().join("admin.sock")).unwrap());
        let found = sockets.knock(Duration::from_secs(2)).await;
        let [Doors { tokens, admin }] = found.as_slice() else { unreachable!("one place") };
        assert_eq!(tokens.knock, Ok(()));
        assert!(matches!(admin.knock, Err(ConnectError::NoDaemon { .. })) && matches!(admin.socket, Standing::Stands(_)));
        let nowhere = Sockets::at(root.path().join("below/tokens.sock")).knock(Duration::from_secs(2)).await;
        let [Doors { tokens, .. }] = nowhere.as_slice() else { unreachable!("one place") };
        assert_eq!((&tokens.socket, &tokens.folder), (&Standing::Missing, &Standing::Missing));
        assert!(matches!(tokens.knock, Err(ConnectError::NoDaemon { .. })));
    }
}
