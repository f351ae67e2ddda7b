//! Who owns what: an flock on a file in which the owner has written who it is (B15, B16; DESIGN, section 5).
//!
//! The file's lines: the owner's pid; the inode of its PID namespace, or `-`; the socket that it serves to programs, or nothing. All
//! of it is a hint for people and for a hand-over.
//!
//! Must never: unlink a lock file, or wait for a lock. The lock decides who owns; no file and no answer on a socket does.

use std::fs::{File, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, openat};
use nix::sys::signal::kill;
use nix::sys::stat::{FileStat, fstat, fstatat};
use nix::unistd::Pid;

use super::folder::{FileError, Folder, Unsafe, check_file, failed, private, refused};

/// How often a lock is tried whose file is replaced under our hands.
const REPLACED_AT_MOST: usize = 16;
/// What is read of a lock file: two numbers and a path.
const LONGEST: u64 = 8192;

/// What became of an attempt.
#[derive(Debug)]
pub enum Acquired {
    /// We own it as long as the guard lives.
    Owned(Owned),
    /// Another one does.
    HeldBy(Holder),
}

/// Who holds a lock, by its own word.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Holder {
    /// Which process.
    pub process: Process,
    /// The socket that it serves to programs, where it has said so.
    pub socket: Option<PathBuf>,
}

/// The process that holds a lock.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Process {
    /// It has not said yet, or what it said cannot be.
    #[default]
    Unknown,
    /// A process that we can see. It may have ended since: look at the lock again before a signal.
    Here(i32),
    /// Its number means something in another PID namespace only.
    Elsewhere(i32),
}

impl Process {
    /// Its pid, where that means something to us.
    #[must_use]
    pub fn pid(self) -> Option<i32> {
        if let Self::Here(pid) = self { Some(pid) } else { None }
    }
}

/// The proof that we own; gives the lock up when dropped.
#[derive(Debug)]
pub struct Owned {
    folder: Folder,
    name: String,
    file: File,
    identity: Identity,
}

/// Whether the lock still means anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// The locked file stands under its name.
    Held,
    /// It was removed or replaced: another one may own by now. Acquire anew, or leave.
    Lost,
}

/// Names a file for as long as it is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Identity {
    device: u64,
    inode: u64,
}

impl Identity {
    #[allow(clippy::unnecessary_cast, clippy::cast_sign_loss, reason = "dev_t differs between systems; only equality matters")]
    pub(super) fn of(stat: &FileStat) -> Self {
        Self { device: stat.st_dev as u64, inode: stat.st_ino }
    }

    /// What stands under a name. `None`: nothing does. An error: nobody could look.
    pub(super) fn found(folder: &Folder, name: &str) -> Result<Option<Self>, FileError> {
        let opened = match folder.opened_to_look() {
            Err(FileError::Unsafe { .. }) => return Ok(None),
            Err(FileError::Io { source, .. }) if is_gone(&source) => return Ok(None),
            opened => opened?,
        };
        match fstatat(&opened, name, AtFlags::AT_SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(Self::of(&stat))),
            Err(Errno::ENOENT) => Ok(None),
            Err(errno) => Err(failed("look at", &folder.join(name), errno)),
        }
    }
}

fn is_gone(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// Tries to own `name` in `folder`.
///
/// # Errors
/// Where the lock file cannot be used; never because it is held.
pub fn acquire(folder: &Folder, name: &str) -> Result<Acquired, FileError> {
    acquire_as(folder, name, None)
}

/// Tries to own `name` in `folder`, and writes there which socket the owner serves.
///
/// # Errors
/// Where the lock file cannot be used; never because it is held.
pub fn acquire_serving(folder: &Folder, name: &str, socket: &Path) -> Result<Acquired, FileError> {
    acquire_as(folder, name, Some(socket))
}

fn acquire_as(folder: &Folder, name: &str, socket: Option<&Path>) -> Result<Acquired, FileError> {
    let path = folder.join(name);
    for _ in 0..REPLACED_AT_MOST {
        let (mut file, identity) = open(folder, name)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(Acquired::HeldBy(written(&mut file))),
            Err(TryLockError::Error(source)) => return Err(FileError::Io { doing: "lock", path, source }),
        }
        let mut owned = Owned { folder: folder.clone(), name: name.to_owned(), file, identity };
        // Between our open and our lock another one may have put a new file there, and locked that.
        if owned.standing() == Standing::Held {
            owned.write(socket).map_err(|source| FileError::Io { doing: "write", path, source })?;
            return Ok(Acquired::Owned(owned));
        }
    }
    Err(FileError::Io { doing: "lock", path, source: io::Error::other("it is replaced again and again") })
}

impl Owned {
    /// Whether the locked file still stands under its name. To be asked now and then: nobody tells.
    #[must_use]
    pub fn standing(&self) -> Standing {
        // The file decides. Modes that somebody has loosened are refused where something is read or written.
        match Identity::found(&self.folder, &self.name) {
            Ok(Some(identity)) if identity != self.identity => Standing::Lost,
            Ok(None) => Standing::Lost,
            // Who cannot look has seen no loss: without descriptors nobody gives up what is its own (B23).
            Ok(Some(_)) | Err(_) => Standing::Held,
        }
    }

    /// The lock file.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.folder.join(&self.name)
    }

    fn write(&mut self, socket: Option<&Path>) -> io::Result<()> {
        let namespace = own_namespace().map_or_else(|| "-".to_owned(), |inode| inode.to_string());
        // A path that is not one line of text is not worth a hint.
        let socket = socket.and_then(Path::to_str).filter(|path| !path.contains('\n')).unwrap_or_default();
        self.file.set_len(0)?;
        self.file.seek(SeekFrom::Start(0))?;
        self.file.write_all(format!("{}\n{namespace}\n{socket}\n", std::process::id()).as_bytes())
    }
}

impl Drop for Owned {
    /// Leaves no pid behind that could be taken for an owner.
    fn drop(&mut self) {
        let _ = self.file.set_len(0);
    }
}

fn open(folder: &Folder, name: &str) -> Result<(File, Identity), FileError> {
    let path = folder.join(name);
    let opened = folder.opened_or_made()?;
    let flags = OFlag::O_RDWR | OFlag::O_CREAT | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK;
    let file = openat(&opened, name, flags, private()).map_err(|errno| match errno {
        Errno::ELOOP => refused(&path, Unsafe::Link),
        _ => failed("open", &path, errno),
    })?;
    let stat = fstat(&file).map_err(|errno| failed("look at", &path, errno))?;
    check_file(&path, &stat)?;
    Ok((File::from(file), Identity::of(&stat)))
}

/// What the holder says in the file. An older one has written its pid alone.
fn written(file: &mut File) -> Holder {
    let mut text = String::new();
    if file.seek(SeekFrom::Start(0)).is_err() || file.take(LONGEST).read_to_string(&mut text).is_err() {
        return Holder::default();
    }
    // Only whole lines count: it may be writing at this moment.
    let mut lines = text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n'));
    let pid = lines.next().and_then(|pid| pid.parse().ok()).filter(|pid| *pid > 0);
    let namespace = lines.next().and_then(|inode| inode.parse().ok());
    let socket = lines.next().filter(|path| path.starts_with('/')).map(PathBuf::from);
    Holder { process: pid.map_or(Process::Unknown, |pid| seen(pid, namespace)), socket }
}

fn seen(pid: i32, namespace: Option<u64>) -> Process {
    match (namespace, own_namespace()) {
        (Some(theirs), Some(ours)) if theirs != ours => Process::Elsewhere(pid),
        _ if kill(Pid::from_raw(pid), None).is_ok() => Process::Here(pid),
        _ => Process::Unknown,
    }
}

/// The inode of our PID namespace: a pid means something in its own namespace only.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn own_namespace() -> Option<u64> {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self/ns/pid").ok().map(|namespace| namespace.ino())
}

/// There is only one.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn own_namespace() -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "tests")]
    use super::*;
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::path::Path;
    use std::process::{Command, Stdio};

    fn folder(root: &Path) -> Folder {
        Folder::at(root.join("state"))
    }

    fn owned(acquired: Acquired) -> Owned {
        match acquired {
            Acquired::Owned(owned) => owned,
            Acquired::HeldBy(holder) => panic!("held by {holder:?}"),
        }
    }

    fn holder(acquired: &Acquired) -> Option<i32> {
        match acquired {
            Acquired::Owned(_) => panic!("owned twice"),
            Acquired::HeldBy(holder) => holder.process.pid(),
        }
    }

    fn own_pid() -> i32 {
        i32::try_from(std::process::id()).unwrap()
    }

    #[test]
    fn the_second_learns_the_pid_of_the_first_and_the_third_owns_after_it() {
        let root = tempfile::tempdir().unwrap();
        let folder = folder(root.path());
        let first = owned(acquire(&folder, "owner.lock").unwrap());
        assert_eq!(holder(&acquire(&folder, "owner.lock").unwrap()), Some(own_pid()));
        drop(first);
        assert_eq!(owned(acquire(&folder, "owner.lock").unwrap()).standing(), Standing::Held);
        assert!(folder.join("owner.lock").exists());
    }

    /// Runs only as the child of the test below.
    #[test]
    fn holds_a_lock_until_it_is_killed() {
        let Some(path) = std::env::var_os("MCP_AUTHD_TEST_LOCK_FOLDER") else { return };
        let _owned = owned(acquire(&Folder::at(path), "owner.lock").unwrap());
        println!("holding");
        let _ = io::stdin().read(&mut [0; 1]);
    }

    #[test]
    fn a_killed_owner_owns_no_more_and_its_file_does_not_matter() {
        let root = tempfile::tempdir().unwrap();
        let folder = folder(root.path());
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "host::lock::tests::holds_a_lock_until_it_is_killed", "--nocapture"])
            .env("MCP_AUTHD_TEST_LOCK_FOLDER", folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let told = io::BufRead::lines(io::BufReader::new(child.stdout.take().unwrap()));
        assert!(told.map_while(Result::ok).any(|line| line.contains("holding")));
        assert_eq!(holder(&acquire(&folder, "owner.lock").unwrap()), Some(i32::try_from(child.id()).unwrap()));
        child.kill().unwrap();
        child.wait().unwrap();
        owned(acquire(&folder, "owner.lock").unwrap());
    }

    #[test]
    fn the_owner_notices_that_its_lock_file_was_removed_or_replaced() {
        let root = tempfile::tempdir().unwrap();
        let folder = folder(root.path());
        let first = owned(acquire(&folder, "owner.lock").unwrap());
        fs::remove_file(first.path()).unwrap();
        assert_eq!(first.standing(), Standing::Lost);
        let second = owned(acquire(&folder, "owner.lock").unwrap());
        assert_eq!((first.standing(), second.standing()), (Standing::Lost, Standing::Held));
        fs::remove_dir_all(folder.path()).unwrap();
        assert_eq!(second.standing(), Standing::Lost);
    }

    #[test]
    fn a_folder_whose_modes_are_loosened_does_not_lose_its_lock() {
        let root = tempfile::tempdir().unwrap();
        let folder = folder(root.path());
        let first = owned(acquire(&folder, "owner.lock").unwrap());
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
        assert_eq!(first.standing(), Standing::Held);
        assert!(acquire(&folder, "owner.lock").is_err(), "but nobody uses it so");
    }

    #[test]
    fn of_twenty_at_once_exactly_one_owns() {
        let root = tempfile::tempdir().unwrap();
        let folder = folder(root.path());
        let outcomes: Vec<Acquired> = std::thread::scope(|scope| {
            let folder = &folder;
            let threads: Vec<_> = (0..20).map(|_| scope.spawn(move || acquire(folder, "owner.lock").unwrap())).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(outcomes.iter().filter(|outcome| matches!(outcome, Acquired::Owned(_))).count(), 1);
    }

    #[test]
    fn a_link_or_an_open_file_in_its_place_is_refused_and_untouched() {
        let root = tempfile::tempdir().unwrap();
        let folder = folder(root.path());
        folder.ensure().unwrap();
        let target = root.path().join("target");
        fs::write(&target, "precious").unwrap();
        symlink(&target, folder.join("a.lock")).unwrap();
        assert!(matches!(acquire(&folder, "a.lock"), Err(FileError::Unsafe { why: Unsafe::Link, .. })));
        assert_eq!(fs::read_to_string(&target).unwrap(), "precious");
        fs::write(folder.join("b.lock"), "").unwrap();
        fs::set_permissions(folder.join("b.lock"), fs::Permissions::from_mode(0o644)).unwrap();
        let error = acquire(&folder, "b.lock").unwrap_err().to_string();
        assert!(error.contains("chmod 600"), "{error}");
        nix::unistd::mkfifo(&folder.join("c.lock"), private()).unwrap();
        assert!(matches!(acquire(&folder, "c.lock"), Err(FileError::Unsafe { why: Unsafe::NotAFile, .. })));
    }

    #[test]
    fn a_pid_that_no_process_has_is_not_told() {
        let root = tempfile::tempdir().unwrap();
        let folder = folder(root.path());
        let first = owned(acquire(&folder, "owner.lock").unwrap());
        for nonsense in ["", "12", "-1\n", "0\n", "2147483647\n", "x\n"] {
            fs::write(first.path(), nonsense).unwrap();
            assert_eq!(holder(&acquire(&folder, "owner.lock").unwrap()), None, "{nonsense:?}");
        }
    }

    #[test]
    fn the_owner_tells_its_socket_and_an_older_one_its_pid_alone() {
        let root = tempfile::tempdir().unwrap();
        let folder = folder(root.path());
        let first = owned(acquire_serving(&folder, "owner.lock", Path::new("/run/a b/tokens.sock")).unwrap());
        let told = || match acquire(&folder, "owner.lock").unwrap() {
            Acquired::Owned(_) => panic!("owned twice"),
            Acquired::HeldBy(holder) => holder,
        };
        let here = Process::Here(own_pid());
        assert_eq!(told(), Holder { process: here, socket: Some("/run/a b/tokens.sock".into()) });
        let text = fs::read_to_string(first.path()).unwrap();
        fs::write(first.path(), text.trim_end()).unwrap();
        assert_eq!(told(), Holder { process: here, socket: None }, "a line that is not whole does not count");
        fs::write(first.path(), format!("{}\n", own_pid())).unwrap();
        assert_eq!(told(), Holder { process: here, socket: None });
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_pid_of_another_namespace_is_not_taken_for_one_of_ours() {
        let root = tempfile::tempdir().unwrap();
        let folder = folder(root.path());
        let first = owned(acquire(&folder, "owner.lock").unwrap());
        fs::write(first.path(), format!("{}\n1\n\n", own_pid())).unwrap();
        let Acquired::HeldBy(holder) = acquire(&folder, "owner.lock").unwrap() else { panic!("owned twice") };
        assert_eq!(holder.process, Process::Elsewhere(own_pid()));
        assert_eq!(holder.process.pid(), None);
    }
}
