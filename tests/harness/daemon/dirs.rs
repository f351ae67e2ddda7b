//! The directories of one daemon, below a temporary one.
//!
//! Must never: be the person's own.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// The directories of one daemon; gone when it is dropped.
#[derive(Debug)]
pub struct Dirs {
    root: TempDir,
}

impl Dirs {
    pub(super) fn make() -> Self {
        let root = tempfile::Builder::new().prefix("authd-").tempdir().expect("a temporary directory can be made");
        let dirs = Self { root };
        for directory in [dirs.runtime(), dirs.state(), dirs.data(), dirs.config(), dirs.home(), dirs.config().join("mcp-authd")]
        {
            DirBuilder::new().mode(0o700).create(directory).expect("a directory can be made");
        }
        dirs
    }

    /// What holds them all, the log too.
    #[must_use]
    pub fn root(&self) -> &Path {
        self.root.path()
    }

    /// `XDG_RUNTIME_DIR`. Short: a socket's path has room for about 100 bytes.
    #[must_use]
    pub fn runtime(&self) -> PathBuf {
        self.root().join("run")
    }

    /// `XDG_STATE_HOME`.
    #[must_use]
    pub fn state(&self) -> PathBuf {
        self.root().join("state")
    }

    /// `XDG_DATA_HOME`.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.root().join("data")
    }

    /// `XDG_CONFIG_HOME`.
    #[must_use]
    pub fn config(&self) -> PathBuf {
        self.root().join("config")
    }

    /// `HOME`.
    #[must_use]
    pub fn home(&self) -> PathBuf {
        self.root().join("home")
    }

    /// `config.toml`.
    #[must_use]
    pub fn config_file(&self) -> PathBuf {
        self.config().join("mcp-authd/config.toml")
    }

    pub(super) fn log_file(&self) -> PathBuf {
        self.root().join("daemon.log")
    }
}
