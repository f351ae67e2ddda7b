//! Private folders and the files in them: ours, for nobody else, never through a symbolic link (P2-P4).
//!
//! Must never: follow a link inside a private folder, leave a half-written file under its name, use a descriptor again whose
//! `fsync` has failed (B8), or know what is written.

use std::fmt;
use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, open, openat, renameat};
use nix::sys::stat::{FileStat, Mode, SFlag, fchmod, fstat, fstatat};
use nix::unistd::{Uid, UnlinkatFlags, linkat, unlinkat};

use super::entropy;

/// Files that begin so are unfinished.
const UNFINISHED: &str = ".unfinished-";
const GROUP_AND_OTHERS: u32 = 0o077;
const OTHERS_WRITE: u32 = 0o002;
const STICKY: u32 = 0o1000;

/// A private folder, by its path. Each use opens it anew and checks it, so that it may be deleted and come back (B11).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder {
    path: PathBuf,
}

/// Why a private file or folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The person has to repair it.
    #[error("\"{}\" is refused: {why}", path.display())]
    Unsafe {
        /// Which.
        path: PathBuf,
        /// Why, with what to do.
        why: Unsafe,
    },
    /// The operating system refused.
    #[error("cannot {doing} \"{}\": {source}", path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
}

/// What is wrong with a file or a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unsafe {
    /// It belongs to this user.
    OwnedBy(u32),
    /// Others may enter or read it; `chmod` with this mode repairs it.
    OpenToOthers {
        /// Its path, for the command.
        path: PathBuf,
        /// What it should be.
        mode: u32,
    },
    /// A folder above it can be written by everybody, so that anybody may replace what is below.
    Replaceable,
    /// A symbolic link.
    Link,
    /// Not a folder.
    NotAFolder,
    /// Not a regular file.
    NotAFile,
    /// Not a socket.
    NotASocket,
    /// Larger than any that we write.
    TooLarge(usize),
}

impl fmt::Display for Unsafe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OwnedBy(uid) => write!(f, "it belongs to uid {uid}, not to you; move it away"),
            Self::OpenToOthers { path, mode } => {
                write!(f, "other users may open it; run: chmod {mode:o} \"{}\"", path.display())
            }
            Self::Replaceable => {
                f.write_str("everybody may write to this folder, and replace what is in it; run: chmod o-w on it")
            }
            Self::Link => f.write_str("it is a symbolic link; put the real one in its place"),
            Self::NotAFolder => f.write_str("it is not a folder; move it away"),
            Self::NotAFile => f.write_str("it is not a regular file; move it away"),
            Self::NotASocket => f.write_str("it is not a socket; move it away"),
            Self::TooLarge(limit) => write!(f, "it is larger than {limit} bytes; move it away"),
        }
    }
}

/// What became of a file that must not replace another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Created {
    /// It stands, as given.
    New,
    /// Another one was there first, and is untouched.
    AlreadyThere,
}

impl Folder {
    /// Names a folder. Nothing is looked at yet.
    #[must_use]
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path of a file in it.
    #[must_use]
    pub fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Makes it and what is missing above it, 0700 under any umask, and checks it. One that stands is used only where it is safe.
    ///
    /// # Errors
    /// Where it cannot be made or must not be trusted.
    pub fn ensure(&self) -> Result<(), FileError> {
        self.opened_or_made().map(drop)
    }

    /// Reads a file of at most `limit` bytes. `None`: there is none.
    ///
    /// # Errors
    /// Where it cannot be read or must not be trusted.
    pub fn read(&self, name: &str, limit: usize) -> Result<Option<Vec<u8>>, FileError> {
        let folder = match self.opened() {
            Err(FileError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened?,
        };
        let path = self.join(name);
        // O_NONBLOCK: the open of a planted FIFO would never end (P3).
        let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK;
        let file = match openat(&folder, name, flags, Mode::empty()) {
            Ok(file) => file,
            Err(Errno::ENOENT) => return Ok(None),
            Err(Errno::ELOOP) => return Err(refused(&path, Unsafe::Link)),
            Err(errno) => return Err(failed("open", &path, errno)),
        };
        let stat = fstat(&file).map_err(|errno| failed("look at", &path, errno))?;
        check_file(&path, &stat)?;
        let size = usize::try_from(stat.st_size).unwrap_or(usize::MAX);
        // One byte more than the size: the buffer never moves, and so leaves no copy of a key behind.
        let mut bytes = Vec::with_capacity(size.min(limit) + 1);
        let reader = File::from(file);
        reader.take(limit as u64 + 1).read_to_end(&mut bytes).map_err(|source| FileError::Io {
            doing: "read",
            path: path.clone(),
            source,
        })?;
        if bytes.len() > limit {
            return Err(refused(&path, Unsafe::TooLarge(limit)));
        }
        Ok(Some(bytes))
    }

    /// Replaces a file, durably: on `Ok` the new one stands, also after a loss of power; on `Err` the old or the new one.
    ///
    /// # Errors
    /// Where it cannot be written. Call it again: each call writes a new file (B8).
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<(), FileError> {
        let folder = self.opened_or_made()?;
        let unfinished = Unfinished::write(self, &folder, bytes)?;
        renameat(&folder, unfinished.name.as_str(), &folder, name).map_err(|errno| failed("write", &self.join(name), errno))?;
        self.settle(&folder)
    }

    /// Writes a file, durably, unless there is one.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn create(&self, name: &str, bytes: &[u8]) -> Result<Created, FileError> {
        let folder = self.opened_or_made()?;
        let unfinished = Unfinished::write(self, &folder, bytes)?;
        // A link, unlike a rename, never replaces what stands.
        let created = match linkat(&folder, unfinished.name.as_str(), &folder, name, AtFlags::empty()) {
            Ok(()) => Created::New,
            Err(Errno::EEXIST) => Created::AlreadyThere,
            Err(errno) => return Err(failed("write", &self.join(name), errno)),
        };
        drop(unfinished);
        self.settle(&folder)?;
        Ok(created)
    }

    /// Erases a file, durably. `Ok` where there is none.
    ///
    /// # Errors
    /// Where it cannot be erased.
    pub fn remove(&self, name: &str) -> Result<(), FileError> {
        let folder = match self.opened() {
            Err(FileError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => return Ok(()),
            opened => opened?,
        };
        match unlinkat(&folder, name, UnlinkatFlags::NoRemoveDir) {
            Ok(()) => self.settle(&folder),
            // It may be gone by a call whose last step failed: the folder must still be made durable.
            Err(Errno::ENOENT) => self.settle(&folder),
            Err(errno) => Err(failed("erase", &self.join(name), errno)),
        }
    }

    /// Gives a file another name that no file has. Only the owner of the folder's lock may call it.
    ///
    /// # Errors
    /// Where it cannot be done; `AlreadyExists` where the name is taken.
    pub fn rename(&self, name: &str, new_name: &str) -> Result<(), FileError> {
        let folder = self.opened()?;
        if fstatat(&folder, new_name, AtFlags::AT_SYMLINK_NOFOLLOW).is_ok() {
            return Err(failed("rename to", &self.join(new_name), Errno::EEXIST));
        }
        renameat(&folder, name, &folder, new_name).map_err(|errno| failed("rename", &self.join(name), errno))?;
        self.settle(&folder)
    }

    /// The names in it, unfinished files left out. Empty where there is no folder.
    ///
    /// # Errors
    /// Where it cannot be read or must not be trusted.
    pub fn names(&self) -> Result<Vec<String>, FileError> {
        match self.opened() {
            Err(FileError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            opened => {
                drop(opened?);
                let mut names = self.every_name()?;
                names.retain(|name| !name.starts_with(UNFINISHED));
                Ok(names)
            }
        }
    }

    /// Erases what a killed writer left (B1), and makes durable what it finished. Only where no other writer can be at work, or where it can cope.
    ///
    /// # Errors
    /// Where the folder cannot be read, or written.
    pub fn sweep(&self) -> Result<(), FileError> {
        let folder = self.opened_or_made()?;
        for name in self.every_name()?.iter().filter(|name| name.starts_with(UNFINISHED)) {
            match unlinkat(&folder, name.as_str(), UnlinkatFlags::NoRemoveDir) {
                Ok(()) | Err(Errno::ENOENT) => {}
                Err(errno) => return Err(failed("erase", &self.join(name), errno)),
            }
        }
        // It may also have been killed between a name and its durability: what we have read must not vanish later.
        self.settle(&folder)
    }

    /// Writes a small file and erases it again, to learn at the start what a save would learn later (B9).
    ///
    /// # Errors
    /// What a save would fail with.
    pub fn try_writing(&self) -> Result<(), FileError> {
        let folder = self.opened_or_made()?;
        Unfinished::new(self, &folder).map(drop)
    }

    /// The folder, checked.
    pub(super) fn opened(&self) -> Result<OwnedFd, FileError> {
        let folder = self.opened_to_look()?;
        let stat = fstat(&folder).map_err(|errno| failed("look at", &self.path, errno))?;
        check_owner_and_mode(&self.path, &stat, 0o700)?;
        Ok(folder)
    }

    /// The folder, whoever else may open it: to see what stands in it, never to trust that or to use it.
    pub(super) fn opened_to_look(&self) -> Result<OwnedFd, FileError> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        open(&self.path, flags, Mode::empty()).map_err(|errno| match errno {
            Errno::ELOOP => refused(&self.path, Unsafe::Link),
            Errno::ENOTDIR => not_a_folder(&self.path),
            _ => failed("open", &self.path, errno),
        })
    }

    /// The folder, checked, and made where it is missing.
    pub(super) fn opened_or_made(&self) -> Result<OwnedFd, FileError> {
        match self.opened() {
            Err(FileError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                make(&self.path)?;
                self.opened()
            }
            opened => opened,
        }
    }

    fn every_name(&self) -> Result<Vec<String>, FileError> {
        let listed = fs::read_dir(&self.path)
            .and_then(|entries| entries.map(|entry| entry.map(|entry| entry.file_name())).collect::<io::Result<Vec<_>>>());
        let names = listed.map_err(|source| FileError::Io { doing: "list", path: self.path.clone(), source })?;
        Ok(names.into_iter().filter_map(|name| name.into_string().ok()).collect())
    }

    fn settle(&self, folder: &OwnedFd) -> Result<(), FileError> {
        nix::unistd::fsync(folder).map_err(|errno| failed("write", &self.path, errno))
    }
}

/// Whether a folder stands, is ours and closed to others.
#[must_use]
pub fn is_private(path: &Path) -> bool {
    Folder::at(path).opened().is_ok()
}

/// Refuses a file that is not a regular one of ours, for us alone.
pub(super) fn check_file(path: &Path, stat: &FileStat) -> Result<(), FileError> {
    if SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT != SFlag::S_IFREG {
        return Err(refused(path, Unsafe::NotAFile));
    }
    check_owner_and_mode(path, stat, 0o600)
}

fn check_owner_and_mode(path: &Path, stat: &FileStat, mode: u32) -> Result<(), FileError> {
    if stat.st_uid != Uid::effective().as_raw() {
        return Err(refused(path, Unsafe::OwnedBy(stat.st_uid)));
    }
    #[allow(clippy::useless_conversion, reason = "mode_t is 16 bits wide on macOS")]
    if u32::from(stat.st_mode) & GROUP_AND_OTHERS != 0 {
        return Err(refused(path, Unsafe::OpenToOthers { path: path.to_owned(), mode }));
    }
    Ok(())
}

pub(super) fn refused(path: &Path, why: Unsafe) -> FileError {
    FileError::Unsafe { path: path.to_owned(), why }
}

pub(super) fn failed(doing: &'static str, path: &Path, errno: Errno) -> FileError {
    FileError::Io { doing, path: path.to_owned(), source: errno.into() }
}

/// Linux says ENOTDIR for a link under `O_DIRECTORY | O_NOFOLLOW`, and also where something above is a file.
fn not_a_folder(path: &Path) -> FileError {
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_symlink() => refused(path, Unsafe::Link),
        Ok(_) => refused(path, Unsafe::NotAFolder),
        Err(source) => FileError::Io { doing: "open", path: path.to_owned(), source },
    }
}

/// Makes a folder, and first what is missing above it. What stands above must not let a stranger replace it (P2).
fn make(path: &Path) -> Result<(), FileError> {
    let missing: Vec<&Path> = path
        .ancestors()
        .take_while(|above| matches!(fs::metadata(above), Err(error) if error.kind() == io::ErrorKind::NotFound))
        .collect();
    if let Some(standing) = missing.last().and_then(|topmost| topmost.parent()) {
        check_above(standing)?;
    }
    for folder in missing.into_iter().rev() {
        match DirBuilder::new().mode(0o700).create(folder) {
            // The umask may have taken bits from the owner, too.
            Ok(()) => fs::set_permissions(folder, Permissions::from_mode(0o700)).and_then(|()| settle_above(folder)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            Err(error) => Err(error),
        }
        .map_err(|source| FileError::Io { doing: "make the folder", path: folder.to_owned(), source })?;
    }
    Ok(())
}

/// A file is as durable as the folders above it. A folder that we may enter but not list is left to the system.
fn settle_above(folder: &Path) -> io::Result<()> {
    folder.parent().and_then(|above| File::open(above).ok()).map_or(Ok(()), |above| above.sync_all())
}

/// Each folder above must belong to us or to the system, and not be open to all for writing, except as `/tmp` is.
pub(super) fn check_above(standing: &Path) -> Result<(), FileError> {
    let real = fs::canonicalize(standing).map_err(|source| FileError::Io { doing: "open", path: standing.to_owned(), source })?;
    for above in real.ancestors() {
        let found = fs::metadata(above).map_err(|source| FileError::Io { doing: "look at", path: above.to_owned(), source })?;
        let uid = found.uid();
        // In a user namespace what belongs to the system shows the overflow uid.
        if uid != 0 && uid != Uid::effective().as_raw() && Some(uid) != overflow_uid() {
            return Err(refused(above, Unsafe::OwnedBy(uid)));
        }
        if found.mode() & OTHERS_WRITE != 0 && found.mode() & STICKY == 0 {
            return Err(refused(above, Unsafe::Replaceable));
        }
    }
    Ok(())
}

fn overflow_uid() -> Option<u32> {
    fs::read_to_string("/proc/sys/kernel/overflowuid").ok()?.trim().parse().ok()
}

/// A file that has no name of its own yet. Erased when dropped, unless it was renamed.
struct Unfinished<'a> {
    folder: &'a OwnedFd,
    name: String,
}

impl<'a> Unfinished<'a> {
    fn write(place: &Folder, folder: &'a OwnedFd, bytes: &[u8]) -> Result<Self, FileError> {
        let (unfinished, mut file) = Self::new(place, folder)?;
        // Without a flush and without a second fsync: what has failed once is not asked again (B8).
        file.write_all(bytes).and_then(|()| file.sync_all()).map_err(|source| FileError::Io {
            doing: "write",
            path: place.path.clone(),
            source,
        })?;
        Ok(unfinished)
    }

    fn new(place: &Folder, folder: &'a OwnedFd) -> Result<(Self, File), FileError> {
        let mut random = [0; 8];
        let name_it = |source| FileError::Io { doing: "write", path: place.path.clone(), source };
        entropy::fill(&mut random).map_err(|none| name_it(io::Error::other(none)))?;
        let name = format!("{UNFINISHED}{:016x}", u64::from_be_bytes(random));
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let file = openat(folder, name.as_str(), flags, private()).map_err(|errno| name_it(errno.into()))?;
        let unfinished = Self { folder, name };
        fchmod(file.as_fd(), private()).map_err(|errno| name_it(errno.into()))?;
        Ok((unfinished, File::from(file)))
    }
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        let _ = unlinkat(self.folder, self.name.as_str(), UnlinkatFlags::NoRemoveDir);
    }
}

/// 0600.
pub(super) fn private() -> Mode {
    Mode::S_IRUSR | Mode::S_IWUSR
}

#[cfg(test)]
mod tests;
