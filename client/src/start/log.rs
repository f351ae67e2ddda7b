//! The log of a daemon that a program has started: its standard output and error, in the state folder.
//!
//! It begins anew at a start where it has become long; while the daemon lives, the daemon itself sees to that, and keeps the lines out
//! of it that come with every program (`daemon/src/host/log/file.rs`).
//!
//! Must never: be readable by others, follow a link, or grow for ever.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use nix::libc::{O_NOFOLLOW, O_NONBLOCK};

use super::places::LOG;
use super::refusal::NotStarted;

/// What is longer at a start begins anew.
const LONGEST: u64 = 1 << 20;
/// What is read of it to find a last sentence, and how much of that is told.
const TAIL: u64 = 16 << 10;
const LONGEST_SENTENCE: usize = 2000;
/// How the daemon's own last sentence begins.
const SENTENCE: &str = "mcp-authd: ";

/// The log, from where this start has begun.
#[derive(Debug)]
pub(super) struct Log {
    file: File,
    path: PathBuf,
    begins: u64,
}

impl Log {
    /// Opens it to append. Makes the folder where it is missing.
    pub(super) fn open(folder: &Path) -> Result<Self, NotStarted> {
        ensure_private(folder)?;
        let path = folder.join(LOG);
        let open = || -> io::Result<(File, u64)> {
            let file = OpenOptions::new()
                .append(true)
                .create(true)
                .mode(0o600)
                // Not held up by a pipe that stands in its place.
                .custom_flags(O_NOFOLLOW | O_NONBLOCK)
                .open(&path)?;
            let found = file.metadata()?;
            if !found.is_file() {
                return Err(io::Error::other("mcp-authd.log is not a regular file"));
            }
            if found.permissions().mode() & 0o077 != 0 {
                file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
            }
            // Under a second name it is somebody's copy, too.
            if found.len() > LONGEST && found.nlink() == 1 {
                file.set_len(0)?;
            }
            let begins = file.metadata()?.len();
            Ok((file, begins))
        };
        let (file, begins) = open().map_err(|error| unusable(folder, &error))?;
        Ok(Self { file, path, begins })
    }

    /// For standard output or error of a program.
    pub(super) fn sink(&self) -> io::Result<Stdio> {
        self.file.try_clone().map(Stdio::from)
    }

    /// The last sentence of whoever has written since it was opened; several lines, where it has several.
    pub(super) fn last_sentence(&self) -> Option<String> {
        let mut file = File::open(&self.path).ok()?;
        let end = file.metadata().ok()?.len();
        // A daemon that serves may have begun it anew meanwhile.
        let begins = if end < self.begins { 0 } else { self.begins };
        file.seek(SeekFrom::Start(begins.max(end.saturating_sub(TAIL)))).ok()?;
        let mut bytes = Vec::new();
        file.take(TAIL).read_to_end(&mut bytes).ok()?;
        last_sentence(&String::from_utf8_lossy(&bytes))
    }
}

fn last_sentence(text: &str) -> Option<String> {
    let text = text.trim_end();
    let own = text
        .match_indices(SENTENCE)
        .filter(|(at, _)| text.get(..*at).is_some_and(|before| before.is_empty() || before.ends_with('\n')));
    let sentence = match own.last() {
        Some((at, _)) => text.get(at + SENTENCE.len()..),
        // It has died without its own word: a panic, the loader.
        None => text.lines().last(),
    };
    let sentence: String = sentence?.trim().chars().take(LONGEST_SENTENCE).collect();
    (!sentence.is_empty()).then_some(sentence)
}

/// Makes the folder for us alone, or checks that nobody else may write to the one that stands.
pub(super) fn ensure_private(folder: &Path) -> Result<(), NotStarted> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(|error| unusable(folder, &error))?;
    let found = std::fs::metadata(folder).map_err(|error| unusable(folder, &error))?;
    let refuse = |why: &str| NotStarted::StateFolder { folder: folder.to_owned(), why: why.to_owned() };
    if found.uid() != nix::unistd::geteuid().as_raw() {
        return Err(refuse("it belongs to another user"));
    }
    if found.mode() & 0o022 != 0 {
        return Err(refuse("other users may write to it"));
    }
    Ok(())
}

/// A folder that the system does not let us use.
pub(super) fn unusable(folder: &Path, error: &io::Error) -> NotStarted {
    NotStarted::StateFolder { folder: folder.to_owned(), why: error.to_string() }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use std::fs;
    use std::io::Write as _;

    #[test]
    fn the_last_sentence_is_the_daemons_own_whole_and_nothing_before_it() {
        let text = "2026-01-01 INFO serving\nmcp-authd: an earlier one\n2026-01-01 INFO mcp-authd: quoted\n\
                    mcp-authd: config.toml:1: no\nconfig.toml:2: no\n";
        assert_eq!(last_sentence(text).unwrap(), "config.toml:1: no\nconfig.toml:2: no");
        assert_eq!(last_sentence("ld.so: no such library\n").unwrap(), "ld.so: no such library");
        assert_eq!(last_sentence("\n \n"), None);
    }

    #[test]
    fn a_start_tells_only_what_was_said_since_it_began() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("a/mcp-authd");
        let mut first = Log::open(&folder).unwrap();
        first.file.write_all(b"mcp-authd: an old failure\n").unwrap();
        let mut second = Log::open(&folder).unwrap();
        assert_eq!(second.last_sentence(), None);
        second.file.write_all(b"mcp-authd: a new one\n").unwrap();
        assert_eq!(second.last_sentence().unwrap(), "a new one");
        let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
        assert_eq!((mode(&folder), mode(&folder.join(LOG))), (0o700, 0o600));
    }

    #[test]
    fn what_was_said_since_a_daemon_that_serves_has_begun_the_log_anew_is_told() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join(LOG), vec![b'x'; 1000]).unwrap();
        let mut log = Log::open(root.path()).unwrap();
        log.file.set_len(0).unwrap();
        log.file.write_all(b"begins anew\nmcp-authd: another one serves\n").unwrap();
        assert_eq!(log.last_sentence().unwrap(), "another one serves");
    }

    #[test]
    fn a_long_log_begins_anew_and_one_that_others_may_read_is_closed_to_them() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join(LOG);
        fs::write(&path, vec![b'x'; usize::try_from(LONGEST).unwrap() + 1]).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let log = Log::open(root.path()).unwrap();
        assert_eq!((log.begins, log.file.metadata().unwrap().mode() & 0o777), (0, 0o600));
    }

    #[test]
    fn a_link_a_pipe_and_a_folder_open_to_others_are_refused_and_untouched() {
        let root = tempfile::tempdir().unwrap();
        let target = root.path().join("precious");
        fs::write(&target, "precious").unwrap();
        std::os::unix::fs::symlink(&target, root.path().join(LOG)).unwrap();
        assert!(matches!(Log::open(root.path()), Err(NotStarted::StateFolder { .. })));
        assert_eq!(fs::read_to_string(&target).unwrap(), "precious");
        fs::remove_file(root.path().join(LOG)).unwrap();
        nix::unistd::mkfifo(&root.path().join(LOG), nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert!(matches!(Log::open(root.path()), Err(NotStarted::StateFolder { .. })));
        fs::remove_file(root.path().join(LOG)).unwrap();
        fs::set_permissions(root.path(), fs::Permissions::from_mode(0o770)).unwrap();
        let refused = Log::open(root.path()).unwrap_err().to_string();
        assert!(refused.contains("other users may write to it") && refused.contains("ls -ld"), "{refused}");
        assert!(!root.path().join(LOG).exists());
    }
}
