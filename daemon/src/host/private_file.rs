//! One file that somebody else writes and that only this user may read: the path comes from the configuration.
//!
//! It may belong to us, and then nobody else may open it (0600), or to root, as on a machine that somebody manages: then a group
//! may read it (0640, owned by root and a group of ours), because only root decides who is in that group. A link is followed, as
//! whoever mounts such files works with links; what counts is the file that was opened, and that no stranger can replace it.
//!
//! Must never: write, wait for a FIFO (P3), or show what it has read.

use std::fmt;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;
use nix::unistd::Uid;
use zeroize::Zeroizing;

use super::folder::{FileError, check_above};

const ROOT: u32 = 0;
const GROUP_AND_OTHERS: u32 = 0o077;
/// Of root's file the group may read, and nothing else.
const MORE_THAN_GROUP_READS: u32 = 0o037;

/// Why the file cannot be used: a sentence that ends in what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{}\" {why}", path.display())]
pub struct Unusable {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub why: Reason,
}

/// What is wrong with the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// There is none.
    Missing,
    /// A folder, a FIFO, a device.
    NotAFile,
    /// It belongs to this user, who is neither we nor root.
    OwnedBy(u32),
    /// Others may open it; the command that mends it.
    OpenToOthers(String),
    /// Strangers may put another file in its place: the reason in words.
    Replaceable(String),
    /// Longer than this.
    TooLong(usize),
    /// Nothing stands in it.
    Empty,
    /// It holds something else than it should, in words.
    Content(&'static str),
    /// The operating system refused.
    Io(String),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("is missing; put it there, or mend its path in config.toml"),
            Self::NotAFile => f.write_str("is not a regular file; mend its path in config.toml"),
            Self::OwnedBy(uid) => write!(f, "belongs to uid {uid}, neither to you nor to root; put a file of your own there"),
            Self::OpenToOthers(command) => write!(f, "may be opened by other users; run: {command}"),
            Self::Replaceable(why) => write!(f, "could be replaced by other users: {why}"),
            Self::TooLong(limit) => write!(f, "is longer than {limit} bytes; mend its path in config.toml"),
            Self::Empty => f.write_str("is empty; write it anew"),
            Self::Content(what) => write!(f, "holds {what}; write it anew"),
            Self::Io(why) => write!(f, "cannot be read: {why}; mend that"),
        }
    }
}

/// Reads the file: checked, at most `limit` bytes, without the one line break at its end, not empty. Blocks.
///
/// # Errors
/// Why it must not be used.
pub fn read(path: &Path, limit: usize) -> Result<Zeroizing<Vec<u8>>, Unusable> {
    content(path, limit).map_err(|why| Unusable { path: path.to_owned(), why })
}

fn content(path: &Path, limit: usize) -> Result<Zeroizing<Vec<u8>>, Reason> {
    // O_NONBLOCK: the open of a FIFO would never end. It means nothing for a regular file.
    let opened = OpenOptions::new().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(path);
    let file = opened.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Reason::Missing,
        _ => Reason::Io(error.to_string()),
    })?;
    check(path, &file.metadata().map_err(|error| Reason::Io(error.to_string()))?)?;
    check_places(path)?;
    let mut content = bytes(file, limit)?;
    if content.last() == Some(&b'\n') {
        content.pop();
        if content.last() == Some(&b'\r') {
            content.pop();
        }
    }
    match content.len() {
        0 => Err(Reason::Empty),
        length if length > limit => Err(Reason::TooLong(limit)),
        _ => Ok(content),
    }
}

fn check(path: &Path, metadata: &Metadata) -> Result<(), Reason> {
    if !metadata.is_file() {
        return Err(Reason::NotAFile);
    }
    check_owner(path, (metadata.uid(), Uid::effective().as_raw()), metadata.mode())
}

/// Whose it may be, for whom, and who may open it then.
fn check_owner(path: &Path, (owner, us): (u32, u32), mode: u32) -> Result<(), Reason> {
    let path = path.display();
    if owner == us && mode & GROUP_AND_OTHERS != 0 {
        Err(Reason::OpenToOthers(format!("chmod 600 \"{path}\"")))
    } else if owner != us && owner == ROOT && mode & MORE_THAN_GROUP_READS != 0 {
        Err(Reason::OpenToOthers(format!("sudo chmod 640 \"{path}\"")))
    } else if owner != us && owner != ROOT {
        Err(Reason::OwnedBy(owner))
    } else {
        Ok(())
    }
}

/// Where it is named, and where it really stands.
fn check_places(path: &Path) -> Result<(), Reason> {
    let real = fs::canonicalize(path).map_err(|error| Reason::Io(error.to_string()))?;
    for folder in [path.parent(), real.parent()].into_iter().flatten() {
        check_above(folder).map_err(|error| match error {
            FileError::Unsafe { .. } => Reason::Replaceable(error.to_string()),
            FileError::Io { .. } => Reason::Io(error.to_string()),
        })?;
    }
    Ok(())
}

/// With room for the line break, and one byte more, which tells "too long". The buffer never moves, and so leaves no copy behind.
fn bytes(file: File, limit: usize) -> Result<Zeroizing<Vec<u8>>, Reason> {
    let room = limit + 3;
    let mut bytes = Zeroizing::new(Vec::with_capacity(room + 1));
    file.take(room as u64).read_to_end(&mut bytes).map_err(|error| Reason::Io(error.to_string()))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use nix::sys::stat::Mode;

    struct Place(tempfile::TempDir);

    impl Place {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        fn path(&self) -> PathBuf {
            self.0.path().join("secret")
        }

        fn holds(&self, content: &[u8], mode: u32) -> Result<Vec<u8>, Reason> {
            fs::write(self.path(), content).unwrap();
            fs::set_permissions(self.path(), fs::Permissions::from_mode(mode)).unwrap();
            self.read()
        }

        fn read(&self) -> Result<Vec<u8>, Reason> {
            read(&self.path(), 8).map(|bytes| bytes.to_vec()).map_err(|unusable| unusable.why)
        }
    }

    #[test]
    fn a_file_is_read_without_the_one_line_break_at_its_end() {
        let place = Place::new();
        for (content, read) in [("abc", "abc"), ("abc\n", "abc"), ("abc\r\n", "abc"), ("abc\n\n", "abc\n"), (" a ", " a ")] {
            assert_eq!(place.holds(content.as_bytes(), 0o600), Ok(read.as_bytes().to_vec()), "{content:?}");
        }
        assert_eq!(place.holds(b"12345678\r\n", 0o400), Ok(b"12345678".to_vec()));
    }

    #[test]
    fn an_empty_one_and_one_that_is_too_long_are_refused() {
        let place = Place::new();
        for content in ["", "\n", "\r\n"] {
            assert_eq!(place.holds(content.as_bytes(), 0o600), Err(Reason::Empty), "{content:?}");
        }
        for content in ["123456789", "12345678\n\n", "123456789\n"] {
            assert_eq!(place.holds(content.as_bytes(), 0o600), Err(Reason::TooLong(8)), "{content:?}");
        }
        assert_eq!(place.holds(&[b'x'; 100_000], 0o600), Err(Reason::TooLong(8)));
    }

    #[test]
    fn a_file_of_ours_that_others_may_open_is_refused_with_the_command_that_mends_it() {
        let place = Place::new();
        for mode in [0o640, 0o620, 0o604, 0o644, 0o666, 0o610] {
            let Err(Reason::OpenToOthers(command)) = place.holds(b"abc", mode) else { unreachable!("{mode:o} is taken") };
            assert_eq!(command, format!("chmod 600 \"{}\"", place.path().display()));
        }
    }

    #[test]
    fn of_roots_file_our_group_may_read_and_nobody_else_and_a_strangers_file_is_refused() {
        let judged = |owner, mode| check_owner(Path::new("/etc/secret"), (owner, 1000), mode);
        for mode in [0o600, 0o400, 0o640, 0o440, 0o700] {
            assert_eq!(judged(0, mode), Ok(()), "{mode:o}");
        }
        for mode in [0o644, 0o604, 0o660, 0o650, 0o642, 0o641] {
            assert_eq!(judged(0, mode), Err(Reason::OpenToOthers("sudo chmod 640 \"/etc/secret\"".to_owned())), "{mode:o}");
        }
        assert_eq!(judged(1001, 0o600), Err(Reason::OwnedBy(1001)));
        assert_eq!(judged(1000, 0o640), Err(Reason::OpenToOthers("chmod 600 \"/etc/secret\"".to_owned())));
        // Root itself: its own files are for itself alone.
        assert!(check_owner(Path::new("/etc/secret"), (0, 0), 0o640).is_err());
    }

    #[test]
    fn what_is_missing_or_no_file_is_refused_and_a_fifo_holds_nobody_up() {
        let place = Place::new();
        assert_eq!(place.read(), Err(Reason::Missing));
        fs::create_dir(place.path()).unwrap();
        assert_eq!(place.read(), Err(Reason::NotAFile));
        fs::remove_dir(place.path()).unwrap();
        nix::unistd::mkfifo(&place.path(), Mode::S_IRUSR | Mode::S_IWUSR).unwrap();
        assert_eq!(place.read(), Err(Reason::NotAFile));
    }

    #[test]
    fn a_link_is_followed_to_a_file_that_holds() {
        let place = Place::new();
        let real = place.0.path().join("real");
        fs::write(&real, "abc\n").unwrap();
        fs::set_permissions(&real, fs::Permissions::from_mode(0o600)).unwrap();
        symlink(&real, place.path()).unwrap();
        assert_eq!(place.read(), Ok(b"abc".to_vec()));
        fs::set_permissions(&real, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(place.read(), Err(Reason::OpenToOthers(_))));
    }

    #[test]
    fn a_file_in_a_folder_that_everybody_may_write_to_is_refused() {
        let place = Place::new();
        let open = place.0.path().join("open");
        fs::create_dir(&open).unwrap();
        fs::write(open.join("secret"), "abc").unwrap();
        fs::set_permissions(open.join("secret"), fs::Permissions::from_mode(0o600)).unwrap();
        fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).unwrap();
        assert!(matches!(read(&open.join("secret"), 8), Err(Unusable { why: Reason::Replaceable(_), .. })));
        // A link out of it is no better: whoever may write there chooses where it leads.
        symlink(open.join("secret"), place.path()).unwrap();
        assert!(matches!(place.read(), Err(Reason::Replaceable(_))));
        fs::set_permissions(&open, fs::Permissions::from_mode(0o1777)).unwrap();
        assert_eq!(place.read(), Ok(b"abc".to_vec()));
    }

    #[test]
    fn every_reason_says_what_to_do() {
        let reasons = [
            Reason::Missing,
            Reason::NotAFile,
            Reason::OwnedBy(1),
            Reason::OpenToOthers("chmod 600 \"/x\"".to_owned()),
            Reason::Replaceable("run: chmod o-w on it".to_owned()),
            Reason::TooLong(4096),
            Reason::Empty,
            Reason::Content("no bearer token"),
            Reason::Io("Permission denied (os error 13)".to_owned()),
        ];
        for why in reasons {
            let told = Unusable { path: "/x".into(), why }.to_string();
            assert!(told.starts_with("\"/x\" "), "{told}");
            assert!(["mend ", "run: ", "put ", "write "].iter().any(|next| told.contains(next)), "{told}");
        }
    }
}
