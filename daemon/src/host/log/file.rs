//! Standard error that is a regular file: what is written there stays, until somebody takes it away.
//!
//! Lines of tokens that are given come with every program that runs. In a file they would hide all else, and so they are details
//! there: `MCP_AUTHD_LOG=debug`, or `info,mcp_authd::audit=debug`, has them written, too. The ring and the journal have them anyway.
//!
//! One file is ours to look after: the log that the client library opens for a daemon that a program starts
//! (`client/src/start/log.rs`). The one that launchd opens has no bound: it grows with what happens, and not with each program.
//! Where ours has become too long it begins anew, with a line that says so. It is emptied in its place: who else has it open goes on
//! at its new end, as it is appended to.
//!
//! Must never: empty a file that bears another name, beside ours or in its place, whoever has led standard error there; or give up the
//! newest lines for older ones.

use std::fs::{self, File, Metadata};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use tracing::Level;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;

use super::AUDIT;
use crate::host::directories::{Directories, Environment, Layout};

/// The log's name in the state folder (`LOG` of `client/src/start/places.rs`).
const OURS: &str = "mcp-authd.log";
/// Where ours is longer, it begins anew before the next line. In bytes.
const LONGEST: u64 = 4 << 20;
const BEGINS_ANEW: &str =
    "-- this log was longer than 4 MiB and begins anew here; authctl log tells the last of what has happened --\n";

/// The file.
#[derive(Debug)]
pub(super) struct RegularFile {
    file: File,
    /// Where it is ours, if it stands there.
    ours: Option<PathBuf>,
}

impl RegularFile {
    /// What is behind this stream, where it is one.
    pub(super) fn behind(stream: &impl AsFd, ours: Option<PathBuf>) -> Option<Self> {
        let file = File::from(stream.as_fd().try_clone_to_owned().ok()?);
        file.metadata().ok()?.is_file().then_some(Self { file, ours })
    }

    /// Ours, and so long that it must begin anew.
    fn is_too_long(&self) -> bool {
        let (Some(ours), Ok(found)) = (&self.ours, self.file.metadata()) else { return false };
        // Its name is asked for each time: somebody may have put it aside to keep it.
        let is_the_same = |named: Metadata| (named.dev(), named.ino()) == (found.dev(), found.ino());
        // Under a second name (ln, cp -al) it is somebody's copy, too.
        let has_one_name = found.nlink() == 1;
        found.len() > LONGEST && has_one_name && fs::symlink_metadata(ours).is_ok_and(is_the_same) && self.is_appended_to()
    }

    /// Else what is written after it was emptied would stand behind a hole.
    fn is_appended_to(&self) -> bool {
        fcntl(&self.file, FcntlArg::F_GETFL).is_ok_and(|flags| OFlag::from_bits_retain(flags).contains(OFlag::O_APPEND))
    }
}

/// Is given a whole line each time.
impl Write for RegularFile {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        // One that may not be emptied (chattr +a) is written to all the same.
        if self.is_too_long() && self.file.set_len(0).is_ok() {
            self.file.write_all(BEGINS_ANEW.as_bytes())?;
        }
        self.file.write(line)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Where the log stands that a program opens for a daemon that it starts.
pub(super) fn ours() -> Option<PathBuf> {
    let directories = Directories::from_environment(&Environment::of_this_process(), Layout::of_this_machine());
    Some(directories.ok()?.state.join(OURS))
}

/// The level that is wished, in a file: tokens that are given are details.
pub(super) fn level(wished: Targets) -> Targets {
    if wished.would_enable(AUDIT, &Level::DEBUG) { wished } else { wished.with_target(AUDIT, LevelFilter::OFF) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use std::os::unix::fs::FileExt as _;
    use std::os::unix::net::UnixStream;
    use std::path::Path;

    fn appended_to(path: &Path) -> File {
        File::options().read(true).append(true).create(true).open(path).unwrap()
    }

    fn behind(file: &File, ours: &Path) -> RegularFile {
        RegularFile::behind(file, Some(ours.to_owned())).unwrap()
    }

    const TOO_LONG: u64 = LONGEST + 1;

    #[test]
    fn our_own_log_never_grows_beyond_its_bound_and_a_line_and_ends_in_the_newest() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(OURS);
        let (opened, line) = (appended_to(&path), [b"x".repeat(9999), b"\n".to_vec()].concat());
        let (mut file, mut another) = (behind(&opened, &path), appended_to(&path));
        let mut shrunk = 0;
        for number in 0..1000 {
            let before = opened.metadata().unwrap().len();
            file.write_all(&line).unwrap();
            file.write_all(format!("{number}\n").as_bytes()).unwrap();
            another.write_all(b"another's\n").unwrap();
            let after = opened.metadata().unwrap().len();
            assert!(after <= LONGEST + 10_100);
            shrunk += u32::from(after < before);
        }
        let text = fs::read_to_string(&path).unwrap();
        assert!(shrunk == 2 && text.starts_with(BEGINS_ANEW) && text.ends_with("\n999\nanother's\n"), "{shrunk}");
        assert!(!text.contains('\0'), "no hole where it was emptied");
    }

    #[test]
    fn no_file_is_emptied_that_is_not_our_own_or_bears_its_name_no_more_or_is_not_appended_to() {
        let folder = tempfile::tempdir().unwrap();
        let [ours, other] = [OURS, "other.log"].map(|name| folder.path().join(name));
        let too_long = |mut file: &File| file.write_all(&b"x".repeat(usize::try_from(TOO_LONG).unwrap())).unwrap();
        let grows = |mut file: RegularFile| {
            file.write_all(b"y").unwrap();
            let (mut first, mut last) = ([0], [0]);
            let length = file.file.metadata().unwrap().len();
            file.file.read_exact_at(&mut first, 0).unwrap();
            file.file.read_exact_at(&mut last, length - 1).unwrap();
            assert_eq!(last, *b"y");
            length > TOO_LONG && first == *b"x"
        };
        // Somebody else's.
        let others = appended_to(&other);
        too_long(&others);
        assert!(grows(behind(&others, &ours)) && grows(RegularFile::behind(&others, None).unwrap()));
        // A link in the place of ours.
        std::os::unix::fs::symlink(&other, &ours).unwrap();
        assert!(grows(behind(&others, &ours)));
        fs::remove_file(&ours).unwrap();
        // Ours, put aside to be kept.
        let kept = appended_to(&ours);
        too_long(&kept);
        let file = behind(&kept, &ours);
        fs::rename(&ours, folder.path().join("kept.log")).unwrap();
        drop(appended_to(&ours));
        assert!(grows(file));
        // Ours, written to at a place.
        let placed = File::options().read(true).write(true).open(&ours).unwrap();
        too_long(&placed);
        assert!(grows(behind(&placed, &ours)));
        // Ours, with a second name.
        let second = folder.path().join("second.log");
        fs::hard_link(&ours, &second).unwrap();
        assert!(grows(behind(&appended_to(&ours), &ours)));
        fs::remove_file(second).unwrap();
        // And ours.
        let appended = appended_to(&ours);
        assert!(!grows(behind(&appended, &ours)));
    }

    #[test]
    fn a_stream_is_no_file() {
        let (stream, _other) = UnixStream::pair().unwrap();
        assert!(RegularFile::behind(&stream, None).is_none());
        assert!(RegularFile::behind(&File::open("/dev/null").unwrap(), None).is_none());
    }
}
