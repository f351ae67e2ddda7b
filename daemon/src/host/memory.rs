//! Memory that is needed no more goes back to the system (DESIGN, section 7).
//!
//! glibc keeps what was freed in the midst of its heap: after a crowd of programs has gone the daemon would hold for good what
//! it needed for them. And of the program's own file the kernel keeps every page mapped that was near one in use, most of them
//! since the start, which is never run again. One system call gives back each; they are the only `unsafe` of the house.
//!
//! Must never: be called where a caller waits; touch a page that could have been written to.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::sync::Notify;

use super::tasks::Tasks;

#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod mapped;

/// How long after an ebb: who leaves is often followed by others.
const CALM: Duration = Duration::from_secs(2);

/// Tells that something that held memory has gone. A handle, cheap to clone and to tell.
#[derive(Debug, Clone, Default)]
pub struct Ebb(Arc<Notify>);

impl Ebb {
    /// Something has gone.
    pub fn tell(&self) {
        self.0.notify_one();
    }

    /// Gives memory back a while after each ebb, many together as one, until the daemon leaves.
    pub async fn give_back_after(self, tasks: Tasks) {
        tokio::select! {
            () = tasks.stopping() => {}
            () = self.followed_by(&tasks, give_back) => {}
        }
    }

    async fn followed_by(&self, tasks: &Tasks, work: impl Fn() + Clone + Send + 'static) {
        loop {
            self.0.notified().await;
            tokio::time::sleep(CALM).await;
            // What was told meanwhile is followed by this one, too.
            let _told = self.0.notified().now_or_never();
            tasks.blocking("give memory back", work.clone()).await;
        }
    }
}

/// Gives back what the heap holds and nobody uses, and the pages of the program's instructions: those in use come back from the
/// kernel's own copy of the file at their next use, some microseconds each, the others do not.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[allow(unsafe_code, reason = "glibc and the kernel have no other way, and no crate that is kept well wraps it")]
pub fn give_back() {
    use nix::sys::mman::{MmapAdvise, madvise};

    // SAFETY: malloc_trim may be called at any time, from any thread (MT-Safe): it takes a number and touches free memory only.
    unsafe {
        nix::libc::malloc_trim(0);
    }
    let Some(program) = mapped::given_back((give_back as *const ()).addr()) else { return };
    // SAFETY: the pages are those of a file that this function itself is part of, mapped when the program was started and until it
    // ends, privately, to be read and run; none of them was ever written to, and the file is on a disk of this machine (`mapped`):
    // whoever uses one afterwards reads the same bytes.
    let given_back = unsafe { madvise(program.start, program.length, MmapAdvise::MADV_DONTNEED) };
    if let Err(error) = given_back {
        tracing::debug!(%error, "the pages of the program are kept");
    }
}

/// Other C libraries give it back by themselves.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn give_back() {}

#[cfg(all(test, target_os = "linux", target_env = "gnu"))]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    const PIECES: usize = 64 * 1024;
    const PIECE: usize = 1024;

    /// In bytes.
    fn resident() -> usize {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        1024 * line.trim().trim_end_matches("kB").trim().parse::<usize>().unwrap()
    }

    #[test]
    fn what_was_freed_in_the_midst_of_the_heap_goes_back() {
        // given much memory, freed but for a few pieces that stand between
        let mut pieces: Vec<Vec<u8>> = (0..PIECES).map(|_| vec![1; PIECE]).collect();
        for (at, piece) in pieces.iter_mut().enumerate() {
            if at % 1024 != 0 {
                *piece = Vec::new();
            }
        }
        let held = resident();

        // when
        give_back();

        // then
        let given_back = held.saturating_sub(resident());
        assert!(given_back > PIECES * PIECE / 2, "{given_back} of {held} bytes");
        drop(pieces);
    }

    #[tokio::test(start_paused = true)]
    async fn many_ebbs_are_followed_by_one_giving_back_and_none_by_none() {
        let (ebb, given_back) = (Ebb::default(), Arc::new(AtomicUsize::new(0)));
        let count = given_back.clone();
        let work = move || {
            count.fetch_add(1, Ordering::Relaxed);
        };
        let (following, tasks) = (ebb.clone(), Tasks::new());
        let following = following.followed_by(&tasks, work);
        tokio::pin!(following);
        for (ebbs, in_all) in [(0, 0), (1, 1), (100, 2), (0, 2)] {
            (0..ebbs).for_each(|_| ebb.tell());
            assert!(tokio::time::timeout(CALM * 1000, &mut following).await.is_err(), "it is endless");
            assert_eq!(given_back.load(Ordering::Relaxed), in_all, "after {ebbs} ebbs");
        }
    }

    #[tokio::test]
    async fn a_leaving_daemon_does_not_wait_for_an_ebb() {
        let tasks = Tasks::new();
        tasks.service("give memory back", Ebb::default().give_back_after(tasks.clone()));
        assert!(tasks.finish(Duration::from_secs(60)).await);
    }
}
