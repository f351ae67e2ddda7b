//! A file that somebody else writes: a client's secret, a token. It stands outside of the daemon's directories, which must hold no
//! secret in clear; this one does by its nature.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// One file, in a folder of its own.
pub(crate) struct Written {
    folder: TempDir,
}

impl Written {
    /// No file yet.
    pub(crate) fn nothing() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn holding(text: &str) -> Self {
        let file = Self::nothing();
        file.write(text);
        file
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("file")
    }

    /// Replaces it as a careful writer does: whole, and for its owner alone.
    pub(crate) fn write(&self, text: &str) {
        let new = self.folder.path().join("new");
        fs::write(&new, text).unwrap();
        set_mode(&new, 0o600);
        fs::rename(new, self.path()).unwrap();
    }

    pub(crate) fn set_mode(&self, mode: u32) {
        set_mode(&self.path(), mode);
    }

    pub(crate) fn remove(&self) {
        fs::remove_file(self.path()).unwrap();
    }
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}
