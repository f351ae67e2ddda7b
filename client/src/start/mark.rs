//! The mark that the person has stopped the daemon: while it stands, no program starts it.
//!
//! Must never: be made or lifted by anything but the person's own command.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

use nix::libc::O_NOFOLLOW;

use super::log::{ensure_private, unusable};
use super::places::{self, STOP_MARK};
use super::refusal::NotStarted;

const SAYS: &[u8] = b"Stopped by hand. While this file stands, no program starts mcp-authd. Next: authctl daemon start\n";

/// The place of the mark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StopMark {
    folder: PathBuf,
}

impl StopMark {
    /// The mark of this user.
    ///
    /// # Errors
    /// [`NotStarted::NoHome`].
    pub fn find() -> Result<Self, NotStarted> {
        let home = places::home(&places::of_this_process);
        let folder = places::state_folder(&places::of_this_process, home.as_deref()).ok_or(NotStarted::NoHome)?;
        Ok(Self { folder })
    }

    #[cfg(test)]
    pub(super) fn at(folder: &std::path::Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.folder.join(STOP_MARK)
    }

    /// Leaves the mark. One that stands already goes on standing.
    ///
    /// # Errors
    /// [`NotStarted::StateFolder`]: programs will start the daemon again.
    pub fn leave(&self) -> Result<(), NotStarted> {
        ensure_private(&self.folder)?;
        let made = OpenOptions::new().write(true).create_new(true).mode(0o600).custom_flags(O_NOFOLLOW).open(self.path());
        match made.and_then(|mut file| file.write_all(SAYS)) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(self.unusable(&error)),
            _ => Ok(()),
        }
    }

    /// Takes the mark away, if it stands.
    ///
    /// # Errors
    /// [`NotStarted::StateFolder`]: it stands, and stays.
    pub fn lift(&self) -> Result<(), NotStarted> {
        match std::fs::remove_file(self.path()) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(self.unusable(&error)),
            _ => Ok(()),
        }
    }

    fn unusable(&self, error: &std::io::Error) -> NotStarted {
        unusable(&self.folder, error)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_mark_is_left_and_lifted_as_often_as_one_likes() {
        let root = tempfile::tempdir().unwrap();
        let mark = StopMark::at(&root.path().join("deep/mcp-authd"));
        mark.lift().unwrap();
        mark.leave().unwrap();
        mark.leave().unwrap();
        assert!(std::fs::read_to_string(mark.path()).unwrap().ends_with("authctl daemon start\n"));
        mark.lift().unwrap();
        mark.lift().unwrap();
        assert!(!mark.path().exists());
    }

    #[test]
    fn a_mark_that_cannot_be_left_is_told() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("mcp-authd");
        std::fs::write(&folder, "a file in the place of the folder").unwrap();
        let refused = StopMark::at(&folder).leave().unwrap_err();
        assert!(refused.to_string().contains("ls -ld"), "{refused}");
    }
}
