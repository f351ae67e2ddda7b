//! Disks that are full or may not be written, made by root with `mount`; gone when they are dropped.
//!
//! Must never: stand anywhere but on the records of a campaign's own daemon.

use std::fs::File;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use mcp_authd_tests::skip::Skip;

/// Room for the records of some accounts.
const SIZE: &str = "size=256k,mode=700";

/// Something mounted on a folder.
pub(crate) struct Mounted(PathBuf);

impl Mounted {
    /// A small disk.
    pub(crate) fn small_disk(place: &Path) -> Result<Self, Skip> {
        mount(&["-t", "tmpfs", "-o", SIZE, "tmpfs"], place)?;
        Ok(Self(place.to_owned()))
    }

    /// The same folder, read-only. Files that are open stay writable.
    pub(crate) fn read_only(place: &Path) -> Result<Self, Skip> {
        mount(&["--bind", place.to_str().expect("a path of ours is text")], place)?;
        let mounted = Self(place.to_owned());
        mount(&["-o", "remount,ro,bind"], place)?;
        Ok(mounted)
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // Lazily: a daemon may have a file open there.
        let _not_mounted = Command::new("umount").arg("--lazy").arg(&self.0).stderr(Stdio::null()).status();
    }
}

fn mount(arguments: &[&str], place: &Path) -> Result<(), Skip> {
    let mounted = Command::new("mount").args(arguments).arg(place).stderr(Stdio::null()).status();
    match mounted {
        Ok(status) if status.success() => Ok(()),
        _ => Err(Skip("nothing can be mounted here: run as root, where a container may mount".to_owned())),
    }
}

/// A file that takes all that is left of a disk.
pub(crate) struct Filling(PathBuf);

impl Filling {
    pub(crate) fn of(disk: &Path) -> Self {
        let path = disk.join("filling");
        let mut file = File::create(&path).unwrap();
        loop {
            match file.write_all(&[0; 4096]) {
                Ok(()) => {}
                Err(full) if full.kind() == ErrorKind::StorageFull => return Self(path),
                Err(error) => panic!("the small disk cannot be filled: {error}"),
            }
        }
    }

    /// There is room again.
    pub(crate) fn remove(self) {
        std::fs::remove_file(&self.0).unwrap();
    }
}
