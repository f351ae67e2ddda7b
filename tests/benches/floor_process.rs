//! A floor's process: it stands beside this program, serves a socket of its own, and ends when it is dropped.

use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result};
use mcp_authd_tests::programs::until;
use tempfile::TempDir;

/// A running one.
#[derive(Debug)]
pub(crate) struct FloorProcess {
    child: Child,
    folder: TempDir,
}

impl FloorProcess {
    /// Starts it with the arguments that `tell` adds, and waits until it takes connections.
    pub(crate) async fn start(name: &str, tell: impl FnOnce(&mut Command, &Path)) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("floor-").tempdir().context("a temporary directory can be made")?;
        let mut command = Self::program(name)?;
        tell(&mut command, &socket_in(&folder));
        let floor = Self { child: command.spawn().with_context(|| format!("{name} can be started"))?, folder };
        until("the floor takes connections", || UnixStream::connect(floor.socket()).is_ok()).await;
        Ok(floor)
    }

    /// The program, without arguments.
    pub(crate) fn program(name: &str) -> Result<Command> {
        let own = std::env::current_exe().context("a running program has a file")?;
        let mut command = Command::new(own.with_file_name(name));
        command.env_clear().stdin(Stdio::null()).stdout(Stdio::null());
        Ok(command)
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Where it serves.
    pub(crate) fn socket(&self) -> PathBuf {
        socket_in(&self.folder)
    }
}

impl Drop for FloorProcess {
    fn drop(&mut self) {
        let _gone_already = self.child.kill();
        let _reaped = self.child.wait();
    }
}

fn socket_in(folder: &TempDir) -> PathBuf {
    folder.path().join("socket")
}
