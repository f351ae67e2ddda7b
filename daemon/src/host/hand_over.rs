//! Becoming the owner of the store: at once, or by asking the one before to leave (B15; DESIGN, section 5).
//!
//! Must never: go on without the lock, signal a process that does not hold one, or signal across PID namespaces.

use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::folder::{FileError, Folder};
use super::lock::{self, Acquired, Holder, Owned, Process};

/// The lock in the state folder: whoever holds it is the one refresher of this store.
pub const LOCK: &str = "mcp-authd.lock";
/// How often, and how long apart, the pid of a new owner is looked for (B15).
const PID_TRIES: u32 = 10;
const PID_PAUSE: Duration = Duration::from_millis(10);
/// How long an owner that was asked to leave may take: longer than it waits itself for what is in flight (B6).
const LEAVE_WITHIN: Duration = Duration::from_secs(90);
const LOOK: Duration = Duration::from_millis(20);

/// What to do about another owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// Leave it alone, and name it: what a program starts.
    GiveWay,
    /// Ask it to leave, and wait until it has: what a service manager starts.
    TakeOver,
}

/// Why the store is not ours. Each sentence ends in what to do next.
#[derive(Debug, thiserror::Error)]
pub enum NotOwned {
    /// Another one serves.
    #[error(
        "another mcp-authd{} already serves this user{}. Look with: authctl status; end it with: authctl daemon stop{}",
        named(.0.process), at(.0), elsewhere(.0, .1)
    )]
    Served(Holder, PathBuf),
    /// The pid in the lock file may be anybody's here.
    #[error(
        "the store is owned by an mcp-authd in another PID namespace (pid {0} there), which cannot be asked to leave from here. End it \
         there, with: authctl daemon stop"
    )]
    OtherNamespace(i32),
    /// It is not ours to ask.
    #[error("the store is owned by a process of another user (pid {0}), which cannot be asked to leave. Look with: ps -fp {0}")]
    OtherUser(i32),
    /// It stays.
    #[error(
        "another mcp-authd{} was asked to leave and has not within {} s. Look with: authctl daemon status",
        named(*.0), LEAVE_WITHIN.as_secs()
    )]
    Stays(Process),
    /// The lock cannot be used.
    #[error(transparent)]
    File(#[from] FileError),
}

fn named(process: Process) -> String {
    match process {
        Process::Unknown => String::new(),
        Process::Here(pid) => format!(" (pid {pid})"),
        Process::Elsewhere(pid) => format!(" (pid {pid} of another PID namespace)"),
    }
}

fn at(holder: &Holder) -> String {
    holder.socket.as_ref().map(|socket| format!(", at {}", socket.display())).unwrap_or_default()
}

fn elsewhere(holder: &Holder, own: &Path) -> String {
    let other = holder.socket.as_ref().filter(|socket| socket.as_path() != own);
    other.map(|socket| format!("; use it with: export MCP_AUTHD_SOCKET={}", socket.display())).unwrap_or_default()
}

/// Owns the store of this folder, serving programs at `socket`.
///
/// # Errors
/// Why it is not ours.
pub async fn own(state: &Folder, socket: &Path, manner: Manner) -> Result<Owned, NotOwned> {
    state.ensure()?;
    match manner {
        Manner::GiveWay => give_way(state, socket).await,
        Manner::TakeOver => take_over(state, socket).await,
    }
}

/// Whoever took the lock just now has not yet written its pid.
async fn give_way(state: &Folder, socket: &Path) -> Result<Owned, NotOwned> {
    let mut holder = Holder::default();
    for _ in 0..PID_TRIES {
        holder = match lock::acquire_serving(state, LOCK, socket)? {
            Acquired::Owned(owned) => return Ok(owned),
            Acquired::HeldBy(holder) => holder,
        };
        if holder.process != Process::Unknown {
            break;
        }
        tokio::time::sleep(PID_PAUSE).await;
    }
    Err(NotOwned::Served(holder, socket.to_owned()))
}

/// Every owner is asked once: a program may have started another one when the first had left.
async fn take_over(state: &Folder, socket: &Path) -> Result<Owned, NotOwned> {
    let mut asked = Process::Unknown;
    for _ in 0..LEAVE_WITHIN.as_millis() / LOOK.as_millis() {
        let holder = match lock::acquire_serving(state, LOCK, socket)? {
            Acquired::Owned(owned) => return Ok(owned),
            Acquired::HeldBy(holder) => holder,
        };
        match holder.process {
            Process::Elsewhere(pid) => return Err(NotOwned::OtherNamespace(pid)),
            Process::Here(pid) if asked != holder.process && holds_a_lock(pid) => {
                ask_to_leave(pid)?;
                asked = holder.process;
            }
            Process::Here(_) | Process::Unknown => {}
        }
        tokio::time::sleep(LOOK).await;
    }
    Err(NotOwned::Stays(asked))
}

fn ask_to_leave(pid: i32) -> Result<(), NotOwned> {
    if !is_ours(pid) {
        return Err(NotOwned::OtherUser(pid));
    }
    match kill(Pid::from_raw(pid), Signal::SIGTERM) {
        Ok(()) => tracing::info!(pid, "asked the mcp-authd that owns the store to leave"),
        Err(Errno::EPERM) => return Err(NotOwned::OtherUser(pid)),
        // It has left by itself: the lock tells.
        Err(_) => {}
    }
    Ok(())
}

/// The file may hold the pid of an owner that was killed, and that number may be anybody's by now. The kernel knows who holds locks.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn holds_a_lock(pid: i32) -> bool {
    // Where the kernel does not tell, the file's word and the check of the user have to do.
    let Ok(locks) = std::fs::read_to_string("/proc/locks") else { return true };
    let pid = pid.to_string();
    locks.lines().any(|line| {
        let mut words = line.split_whitespace().skip(1);
        words.next() == Some("FLOCK") && words.nth(2) == Some(pid.as_str())
    })
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn holds_a_lock(_pid: i32) -> bool {
    true
}

/// The folder of a process belongs to its effective user, also where the process cannot be traced.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn is_ours(pid: i32) -> bool {
    use std::os::unix::fs::MetadataExt;
    let own = nix::unistd::geteuid().as_raw();
    std::fs::metadata(format!("/proc/{pid}"))
        .map_or_else(|error| error.kind() == std::io::ErrorKind::NotFound, |at| at.uid() == own)
}

/// `kill` alone tells there.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn is_ours(_pid: i32) -> bool {
    true
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
    use super::*;
    use std::process::{Child, Command};

    const SOCKET: &str = "/run/x/mcp-authd/tokens.sock";

    fn own_pid() -> i32 {
        i32::try_from(std::process::id()).unwrap()
    }

    async fn owned_by_us(root: &Path) -> (Folder, Owned) {
        let state = Folder::at(root.join("state"));
        let owner = own(&state, Path::new(SOCKET), Manner::GiveWay).await.unwrap();
        (state, owner)
    }

    /// A process that holds no lock. Ended when dropped.
    struct Bystander(Child);

    impl Bystander {
        fn stands() -> Self {
            Self(Command::new("sleep").arg("1000").spawn().unwrap())
        }

        fn lives(&mut self) -> bool {
            self.0.try_wait().unwrap().is_none()
        }
    }

    impl Drop for Bystander {
        fn drop(&mut self) {
            self.0.kill().unwrap();
            self.0.wait().unwrap();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_owner_that_has_not_written_its_pid_yet_is_named_all_the_same() {
        let root = tempfile::tempdir().unwrap();
        let (state, owner) = owned_by_us(root.path()).await;
        std::fs::write(owner.path(), "").unwrap();
        let (other, ()) = tokio::join!(own(&state, Path::new(SOCKET), Manner::GiveWay), async {
            tokio::time::sleep(PID_PAUSE * 2).await;
            std::fs::write(owner.path(), format!("{}\n", std::process::id())).unwrap();
        });
        let Err(NotOwned::Served(holder, _)) = other else { panic!("owned twice") };
        assert_eq!(holder.process, Process::Here(own_pid()));
    }

    #[tokio::test(start_paused = true)]
    async fn an_owner_that_never_shows_its_pid_is_told_without_one() {
        let root = tempfile::tempdir().unwrap();
        let (state, owner) = owned_by_us(root.path()).await;
        std::fs::write(owner.path(), "").unwrap();
        let told = own(&state, Path::new(SOCKET), Manner::GiveWay).await;
        assert!(matches!(told, Err(NotOwned::Served(Holder { process: Process::Unknown, .. }, _))));
    }

    #[tokio::test]
    async fn an_owner_that_serves_elsewhere_is_told_with_the_way_to_it() {
        let root = tempfile::tempdir().unwrap();
        let (state, _owner) = owned_by_us(root.path()).await;
        let same = own(&state, Path::new(SOCKET), Manner::GiveWay).await.unwrap_err().to_string();
        assert!(same.contains(&format!("(pid {}) already serves this user, at {SOCKET}", own_pid())), "{same}");
        assert!(same.ends_with("end it with: authctl daemon stop"), "{same}");
        let other = own(&state, Path::new("/run/y/tokens.sock"), Manner::GiveWay).await.unwrap_err().to_string();
        assert!(other.ends_with(&format!("export MCP_AUTHD_SOCKET={SOCKET}")), "{other}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_lock_that_becomes_free_while_it_is_waited_for_is_taken() {
        let root = tempfile::tempdir().unwrap();
        let (state, owner) = owned_by_us(root.path()).await;
        // Nobody is asked: it does not say who it is.
        std::fs::write(owner.path(), "").unwrap();
        let (taken, ()) = tokio::join!(own(&state, Path::new(SOCKET), Manner::TakeOver), async move {
            tokio::time::sleep(LEAVE_WITHIN / 2).await;
            drop(owner);
        });
        taken.unwrap();
    }

    #[cfg(target_os = "linux")]
    #[tokio::test(start_paused = true)]
    async fn a_process_that_holds_no_lock_is_never_signalled() {
        let root = tempfile::tempdir().unwrap();
        let (state, owner) = owned_by_us(root.path()).await;
        let mut bystander = Bystander::stands();
        std::fs::write(owner.path(), format!("{}\n", bystander.0.id())).unwrap();
        let told = own(&state, Path::new(SOCKET), Manner::TakeOver).await.unwrap_err();
        assert!(matches!(told, NotOwned::Stays(Process::Unknown)), "{told}");
        assert!(bystander.lives());
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn an_owner_in_another_pid_namespace_is_named_and_left_alone() {
        let root = tempfile::tempdir().unwrap();
        let (state, owner) = owned_by_us(root.path()).await;
        let mut bystander = Bystander::stands();
        std::fs::write(owner.path(), format!("{}\n1\n\n", bystander.0.id())).unwrap();
        let told = own(&state, Path::new(SOCKET), Manner::TakeOver).await.unwrap_err();
        assert!(matches!(told, NotOwned::OtherNamespace(_)), "{told}");
        assert!(told.to_string().contains(&format!("pid {} there", bystander.0.id())), "{told}");
        assert!(bystander.lives());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_process_of_another_user_is_not_ours() {
        assert!(is_ours(own_pid()));
        // Process 1 is root's, as a rule; where we are root ourselves it is ours.
        assert_eq!(is_ours(1), nix::unistd::geteuid().is_root());
    }
}
