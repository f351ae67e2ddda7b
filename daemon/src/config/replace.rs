//! The file on the disk, replaced at once or not at all: locked, compared with what was read, written beside it, exchanged.
//!
//! Must never: throw away bytes that it has not read, leave a half-written file under the name, or write through a link.
//!
//! (`host::folder` keeps private folders, and refuses what a configuration may be: a link, a file that others read, in a folder that
//! others enter.)

use std::ffi::OsString;
use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, openat};
use nix::sys::stat::{Mode, fchmod};
use nix::unistd::{AccessFlags, Gid, Uid, UnlinkatFlags, faccessat, fchown, fsync, linkat, unlinkat};

use super::exchange::exchange;
use crate::host::entropy;
use crate::host::folder::{FileError, Folder};

/// The file behind its links, with its folder locked against other daemons of ours.
pub(super) struct Place {
    /// The file.
    path: PathBuf,
    name: OsString,
    folder: File,
}

/// Where another program may come in between; a test does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    /// The new file is written; the old one is about to be compared with what was read.
    Prepared,
    /// It was the same; they are about to be exchanged.
    Compared,
    /// They are exchanged, and it was not: what somebody saved in between is about to go back.
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    Exchanged,
}

/// What is done at these moments: nothing, but in tests.
pub(super) type Meanwhile<'m> = &'m dyn Fn(Moment);

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It stands.
    Written,
    /// Somebody else changed the file since it was read: look again.
    Changed,
}

/// Why the file stands as it did.
#[derive(Debug)]
pub(super) enum NotReplaced {
    /// It may not be written: why, as the end of a sentence.
    Refused(String),
    /// It was to be, and something went wrong: what, as the end of a sentence.
    Failed(String),
    /// Somebody else holds the lock.
    Locked,
}

impl Place {
    /// Finds the file and locks its folder. The folder is made where it is missing.
    pub(super) fn open(path: &Path) -> Result<Self, NotReplaced> {
        let path = behind_links(path)?;
        let (Some(above), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(NotReplaced::Refused("this is no path of a file".to_owned()));
        };
        let folder = File::open(above).map_err(|error| classified(&error, "its folder cannot be opened"))?;
        lock(&folder)?;
        Ok(Self { name: name.to_owned(), folder, path: path.clone() })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Puts `new` in the place of `old`, if that still stands. `None`: there is no file.
    pub(super) fn replace(&self, old: Option<&[u8]>, new: &[u8], meanwhile: Meanwhile<'_>) -> Result<Outcome, NotReplaced> {
        self.refuse_read_only()?;
        let unfinished = Unfinished::write(self, new)?;
        meanwhile(Moment::Prepared);
        if self.bytes(&self.name) != old.map(<[u8]>::to_vec) {
            return Ok(Outcome::Changed);
        }
        meanwhile(Moment::Compared);
        let outcome = match old {
            Some(old) => exchange(unfinished, old, new, meanwhile)?,
            None => unfinished.create()?,
        };
        if outcome == Outcome::Written {
            // The file stands, whatever this says: only its durability over a loss of power is open.
            if let Err(error) = fsync(&self.folder) {
                tracing::warn!(path = %self.path.display(), %error, "The configuration is written, but its folder could not be synced");
            }
        }
        Ok(outcome)
    }

    /// Who took the right to write away meant it, also against root, and also where the folder would let the file be replaced.
    fn refuse_read_only(&self) -> Result<(), NotReplaced> {
        const OWNER_WRITES: u32 = 0o200;
        let folder = self.folder.metadata().map_err(|error| classified(&error, "its folder cannot be looked at"))?;
        if folder.mode() & OWNER_WRITES == 0 {
            return Err(NotReplaced::Refused("its folder is read-only".to_owned()));
        }
        let file = match fs::metadata(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(classified(&error, "it cannot be looked at")),
        };
        if file.mode() & OWNER_WRITES == 0 {
            return Err(NotReplaced::Refused("it is read-only".to_owned()));
        }
        faccessat(&self.folder, self.name.as_os_str(), AccessFlags::W_OK, AtFlags::AT_EACCESS)
            .map_err(|errno| NotReplaced::Refused(words(errno)))
    }

    /// What stands under this name now. `None` also where it cannot be read: that is never what was read before.
    pub(super) fn bytes(&self, name: &OsString) -> Option<Vec<u8>> {
        let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK;
        let file = openat(&self.folder, name.as_os_str(), flags, Mode::empty()).ok()?;
        let mut bytes = Vec::new();
        File::from(file).take(READ_AT_MOST).read_to_end(&mut bytes).ok()?;
        Some(bytes)
    }
}

/// More than any configuration may have.
const READ_AT_MOST: u64 = 2 * 1024 * 1024;

/// Where the links end. A file that is missing stands in its folder, which is made.
fn behind_links(path: &Path) -> Result<PathBuf, NotReplaced> {
    match fs::canonicalize(path) {
        Ok(real) => return Ok(real),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(classified(&error, "it cannot be opened")),
    }
    if fs::symlink_metadata(path).is_ok() {
        return Err(NotReplaced::Failed("this is a symbolic link to nothing".to_owned()));
    }
    let (Some(above), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(NotReplaced::Refused("this is no path of a file".to_owned()));
    };
    if !above.exists() {
        Folder::at(above).ensure().map_err(|error| match &error {
            FileError::Io { source, .. } if !is_refusal(source) => NotReplaced::Failed(error.to_string()),
            FileError::Io { .. } | FileError::Unsafe { .. } => NotReplaced::Refused(error.to_string()),
        })?;
    }
    let above = fs::canonicalize(above).map_err(|error| classified(&error, "its folder cannot be opened"))?;
    Ok(above.join(name))
}

/// An flock on the folder itself: it needs no right to write there and leaves no file. It only keeps two daemons of ours from working
/// for nothing; what nobody may lose is kept by the comparison and the exchange.
fn lock(folder: &File) -> Result<(), NotReplaced> {
    /// Anybody who may read the folder may lock it, so nobody is waited for without end: 5 s.
    const TRIES: u32 = 250;
    const PAUSE: Duration = Duration::from_millis(20);
    for _ in 0..TRIES {
        match folder.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::WouldBlock) => thread::sleep(PAUSE),
            // Some file systems have no locks.
            Err(TryLockError::Error(_)) => return Ok(()),
        }
    }
    Err(NotReplaced::Locked)
}

/// A file beside the one that it is to replace. Erased when dropped, unless it is to be kept.
pub(super) struct Unfinished<'p> {
    pub(super) place: &'p Place,
    name: OsString,
    keep: bool,
}

impl<'p> Unfinished<'p> {
    fn write(place: &'p Place, bytes: &[u8]) -> Result<Self, NotReplaced> {
        let mut random = [0; 8];
        entropy::fill(&mut random).map_err(|none| NotReplaced::Failed(none.to_string()))?;
        let mut name = OsString::from(".");
        name.push(&place.name);
        name.push(format!(".unfinished-{:016x}", u64::from_be_bytes(random)));
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let file = openat(&place.folder, name.as_os_str(), flags, Mode::S_IRUSR | Mode::S_IWUSR)
            .map_err(|errno| classified(&errno.into(), "no file can be made beside it"))?;
        let unfinished = Self { place, name, keep: false };
        let mut file = File::from(file);
        unfinished.take_after(&file)?;
        file.write_all(bytes)
            .and_then(|()| file.sync_all())
            .map_err(|error| classified(&error, "the new text cannot be saved"))?;
        Ok(unfinished)
    }

    /// Mode, owner and group of the file that it replaces; 0600 where there is none.
    fn take_after(&self, file: &File) -> Result<(), NotReplaced> {
        const PERMISSIONS: u32 = 0o7777;
        let Ok(old) = fs::metadata(&self.place.path) else { return Ok(()) };
        let new = file.metadata().map_err(|error| classified(&error, "the new file cannot be looked at"))?;
        let differs = |old: u32, new: u32| (old != new).then_some(old);
        let (uid, gid) = (differs(old.uid(), new.uid()), differs(old.gid(), new.gid()));
        if uid.is_some() || gid.is_some() {
            fchown(file.as_fd(), uid.map(Uid::from_raw), gid.map(Gid::from_raw))
                .map_err(|_| NotReplaced::Refused("it belongs to another user or group, and would not after that".to_owned()))?;
        }
        #[allow(clippy::useless_conversion, clippy::cast_possible_truncation, reason = "mode_t is 16 bits wide on macOS")]
        let mode = Mode::from_bits_truncate((old.mode() & PERMISSIONS) as nix::libc::mode_t);
        fchmod(file.as_fd(), mode).map_err(|errno| classified(&errno.into(), "its mode cannot be kept"))
    }

    /// Gives it its name, where there is no file. A link, unlike a rename, never replaces one.
    fn create(self) -> Result<Outcome, NotReplaced> {
        let place = self.place;
        match linkat(&place.folder, self.name.as_os_str(), &place.folder, place.name.as_os_str(), AtFlags::empty()) {
            Ok(()) => Ok(Outcome::Written),
            Err(Errno::EEXIST) => Ok(Outcome::Changed),
            Err(errno) => Err(classified(&errno.into(), "it cannot be made")),
        }
    }

    /// The folder, the name of this file, and the name that it is to have.
    pub(super) fn names(&self) -> (&File, &OsString, &OsString) {
        (&self.place.folder, &self.name, &self.place.name)
    }

    /// What stands in it now.
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    pub(super) fn bytes(&self) -> Option<Vec<u8>> {
        self.place.bytes(&self.name)
    }

    /// It holds what somebody else has saved, and saved over since: it stays, and theirs is done.
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    pub(super) fn set_aside(mut self) {
        self.keep = true;
        let (path, kept) = (self.place.path.display(), self.name.to_string_lossy());
        tracing::warn!(%path, %kept, "Others saved the configuration twice at the same moment: the earlier version is kept beside it");
    }

    /// It holds what somebody else has written, and stays.
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    pub(super) fn kept(mut self) -> NotReplaced {
        self.keep = true;
        let name = self.name.to_string_lossy();
        NotReplaced::Failed(format!("others wrote it at the same moment; one of their versions is kept beside it as \"{name}\""))
    }
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        if !self.keep {
            let _ = unlinkat(&self.place.folder, self.name.as_os_str(), UnlinkatFlags::NoRemoveDir);
        }
    }
}

/// Whether the file is not to be written, or something went wrong.
pub(super) fn classified(error: &io::Error, doing: &str) -> NotReplaced {
    let words = error.raw_os_error().map_or_else(|| error.to_string(), |code| words(Errno::from_raw(code)));
    let why = format!("{doing}: {words}");
    if is_refusal(error) { NotReplaced::Refused(why) } else { NotReplaced::Failed(why) }
}

fn is_refusal(error: &io::Error) -> bool {
    // A file that is mounted by itself, into a container, cannot be renamed over: EBUSY.
    const REFUSALS: [Errno; 4] = [Errno::EROFS, Errno::EACCES, Errno::EPERM, Errno::EBUSY];
    error.raw_os_error().is_some_and(|code| REFUSALS.contains(&Errno::from_raw(code)))
}

fn words(errno: Errno) -> String {
    let text = errno.desc();
    let mut characters = text.chars();
    characters.next().map_or_else(String::new, |first| first.to_lowercase().chain(characters).collect())
}
