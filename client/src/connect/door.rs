//! Each socket by itself: how it stands, and whether somebody answers behind it; for the person who looks.
//!
//! Must never: send a byte, or start a daemon.

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
