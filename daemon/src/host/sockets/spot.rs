//! A path, and what it led to when a listener came to serve it.
//!
//! Must never: take what nobody can look at for lost.

use std::path::PathBuf;

use crate::host::folder::{FileError, Folder};
use crate::host::lock::{Identity, Standing};

/// Where a socket stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Spot {
    folder: Folder,
    name: String,
    /// `None`: nothing stood there, so that nobody finds the listener.
    identity: Option<Identity>,
}

impl Spot {
    pub(super) fn of(folder: Folder, name: String, identity: Option<Identity>) -> Self {
        Self { folder, name, identity }
    }

    pub(super) fn now(folder: Folder, name: String) -> Result<Self, FileError> {
        let identity = Identity::found(&folder, &name)?;
        Ok(Self { folder, name, identity })
    }

    /// Whether the path still leads there. The file decides: a folder that somebody has opened up for a while still leads here.
    pub(super) fn standing(&self) -> Standing {
        match (Identity::found(&self.folder, &self.name), self.identity) {
            (Ok(None), _) => Standing::Lost,
            (Ok(found), then) if found != then => Standing::Lost,
            // Who cannot look has seen no loss (B23).
            _ => Standing::Held,
        }
    }

    pub(super) fn folder(&self) -> &Folder {
        &self.folder
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn path(&self) -> PathBuf {
        self.folder.join(&self.name)
    }
}
