//! A daemon whose calendar and whose clock that counts sleep are moved while it runs, by a library that stands before libc's.
//!
//! Must never: move a timer, or the clocks of any other process.

use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::time::{ClockId, clock_gettime};
use tempfile::TempDir;

use crate::daemon::Config;
use crate::skip::Skip;

const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/harness/moved_clocks.c");

/// By how many seconds each clock of the daemon is ahead of the kernel's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Moved {
    /// `CLOCK_REALTIME`.
    pub wall: i64,
    /// `CLOCK_BOOTTIME`.
    pub boot: i64,
}

/// The hand on the clocks.
#[derive(Debug)]
pub struct Clocks {
    folder: TempDir,
    library: PathBuf,
    offsets: File,
    /// Where they are now.
    pub moved: Moved,
}

impl Clocks {
    /// Compiles the library. Nothing is moved yet.
    ///
    /// # Errors
    /// What this machine lacks, with the next step.
    ///
    /// # Panics
    /// If there is no place for temporary files.
    pub fn make() -> Result<Self, Skip> {
        let folder = tempfile::Builder::new().prefix("clocks-").tempdir().unwrap();
        let library = folder.path().join("moved_clocks.so");
        let compiled = Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(SOURCE).arg("-ldl").status();
        if !compiled.is_ok_and(|status| status.success()) {
            return Err(Skip("no C compiler for glibc (Debian: apt-get install build-essential)".to_owned()));
        }
        let path = offsets(folder.path());
        fs::write(&path, [0; 16]).unwrap();
        let offsets = File::options().write(true).open(path).unwrap();
        Ok(Self { folder, library, offsets, moved: Moved::default() })
    }

    /// The daemon of this configuration lives by these clocks.
    #[must_use]
    pub fn over(&self, config: Config) -> Config {
        config.environment("LD_PRELOAD", &self.library).environment("MOVED_CLOCKS", offsets(self.folder.path()))
    }

    /// Moves them, from one moment to the next.
    ///
    /// # Panics
    /// If the file of the offsets is gone.
    pub fn set(&mut self, moved: Moved) {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&moved.wall.to_ne_bytes());
        bytes[8..].copy_from_slice(&moved.boot.to_ne_bytes());
        self.offsets.write_all_at(&bytes, 0).unwrap();
        self.moved = moved;
    }

    /// So much time passes for the daemon; its timers notice nothing.
    pub fn pass(&mut self, seconds: i64) {
        self.set(Moved { wall: self.moved.wall + seconds, boot: self.moved.boot + seconds });
    }
}

fn offsets(folder: &Path) -> PathBuf {
    folder.join("offsets")
}

/// What a clock of the kernel says, in seconds.
///
/// # Panics
/// If the kernel does not know it.
#[must_use]
pub fn kernel(clock: ClockId) -> i64 {
    clock_gettime(clock).unwrap().tv_sec()
}
