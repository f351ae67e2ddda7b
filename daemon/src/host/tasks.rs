//! Where every task is born: a tracker that `daemon.rs` makes and hands out (house style 12).
//!
//! Two ways to end: softly (services stop, work in flight goes on) and hard (what is left is dropped).

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long tasks that are dropped may take to be gone.
const LAST_PATIENCE: Duration = Duration::from_secs(1);

/// A thread that has nothing more to do ends after this time. Work on files comes in bursts, a thread costs little to begin and
/// holds memory while it waits: with tokio's ten seconds 50 accounts in use kept 53 threads, with one second 13 to 21, and 3 MiB less.
const IDLE_THREAD: Duration = Duration::from_secs(1);

/// What every task runs on: one thread, and others where something may block.
///
/// Those others are not bounded further than tokio does, at 512. What may block for long are names that are looked up (the
/// system's resolver may take half a minute, and goes on after its request has been given up), files of somebody else on a disk
/// that hangs, and the key of the store. With a small bound the saves of all accounts would queue behind one server whose
/// name does not resolve (I11), and what has been spent would be lost with a kill meanwhile. Nor would it help the saves to have a
/// bound of their own: of those that come at once a file system makes many durable in one commit, and of a queue it does not.
///
/// # Errors
/// What the operating system says where it gives no descriptors or threads.
pub fn runtime() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_all().thread_keep_alive(IDLE_THREAD).build()
}

/// The tracker; a handle, cheap to clone.
#[derive(Debug, Clone)]
pub struct Tasks {
    tracker: TaskTracker,
    stopping: CancellationToken,
    dropped: CancellationToken,
    broken: watch::Sender<Option<Broken>>,
    errands: Arc<AtomicUsize>,
}

/// A task ended that must not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// A service ended by itself.
    #[error("the task \"{0}\" ended by itself; this is a bug in mcp-authd: please report it with the log")]
    Ended(&'static str),
    /// A task panicked.
    #[error("the task \"{0}\" panicked; this is a bug in mcp-authd: please report it with the log")]
    Panicked(&'static str),
}

impl Tasks {
    /// A new tracker with no task.
    #[must_use]
    pub fn new() -> Self {
        Self {
            tracker: TaskTracker::new(),
            stopping: CancellationToken::new(),
            dropped: CancellationToken::new(),
            broken: watch::Sender::new(None),
            errands: Arc::default(),
        }
    }

    /// Begins a service: it ends because of [`Tasks::stopping`] or not at all.
    pub fn service(&self, name: &'static str, service: impl Future<Output = ()> + Send + 'static) {
        self.begin(name, service, true);
    }

    /// Begins work that ends by itself. It outlives a soft shutdown.
    pub fn work(&self, name: &'static str, work: impl Future<Output = ()> + Send + 'static) {
        self.begin(name, work, false);
    }

    /// Begins work that somebody has asked for, who need not wait for it: a daemon does not leave for want of clients before its end.
    pub fn errand(&self, name: &'static str, work: impl Future<Output = ()> + Send + 'static) {
        let under_way = UnderWay::one_more(&self.errands);
        self.work(name, async move {
            work.await;
            drop(under_way);
        });
    }

    /// How many errands are under way.
    #[must_use]
    pub fn errands(&self) -> usize {
        self.errands.load(Ordering::SeqCst)
    }

    // `allow`, not `expect`: the list of what is disallowed counts only where .ci/check says so.
    #[allow(clippy::disallowed_methods, reason = "the one birthplace of tasks (house style 12)")]
    fn begin(&self, name: &'static str, future: impl Future<Output = ()> + Send + 'static, is_service: bool) {
        let guard = Guard { name, broken: self.broken.clone(), finished: false };
        let (stopping, dropped) = (self.stopping.clone(), self.dropped.clone());
        self.tracker.spawn(async move {
            let mut guard = guard;
            let ended = dropped.run_until_cancelled(future).await.is_some();
            guard.finished = true;
            if is_service && ended && !stopping.is_cancelled() {
                guard.broken.send_if_modified(|broken| set_first(broken, Broken::Ended(guard.name)));
            }
        });
    }

    /// Runs `work` on a thread where it may block. `None`: it panicked, and the daemon is about to end.
    #[allow(clippy::disallowed_methods, reason = "the one birthplace of tasks (house style 12)")]
    pub async fn blocking<T: Send + 'static>(&self, name: &'static str, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        match self.tracker.spawn_blocking(work).await {
            Ok(result) => Some(result),
            Err(_) => {
                self.broken.send_if_modified(|broken| set_first(broken, Broken::Panicked(name)));
                None
            }
        }
    }

    /// Ends when a soft shutdown has begun.
    pub async fn stopping(&self) {
        self.stopping.cancelled().await;
    }

    /// Whether a soft shutdown has begun.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.stopping.is_cancelled()
    }

    /// Ends when a task ended that must not.
    pub async fn broken(&self) -> Broken {
        let mut broken = self.broken.subscribe();
        loop {
            let now = *broken.borrow_and_update();
            match now {
                Some(broken) => return broken,
                None => drop(broken.changed().await),
            }
        }
    }

    /// Begins the soft shutdown: services stop.
    pub fn stop(&self) {
        self.stopping.cancel();
        self.tracker.close();
    }

    /// Waits until every task has ended, at most `patience`; then drops what is left. Returns whether all ended by themselves.
    ///
    /// A thread that the operating system holds in a file call cannot be dropped, and is not waited for.
    pub async fn finish(&self, patience: Duration) -> bool {
        self.stop();
        let all_ended = tokio::time::timeout(patience, self.tracker.wait()).await.is_ok();
        self.dropped.cancel();
        let _ = tokio::time::timeout(LAST_PATIENCE, self.tracker.wait()).await;
        all_ended
    }
}

impl Default for Tasks {
    fn default() -> Self {
        Self::new()
    }
}

fn set_first(broken: &mut Option<Broken>, new: Broken) -> bool {
    let first = broken.is_none();
    broken.get_or_insert(new);
    first
}

/// Counts while it stands.
struct UnderWay(Arc<AtomicUsize>);

impl UnderWay {
    fn one_more(errands: &Arc<AtomicUsize>) -> Self {
        errands.fetch_add(1, Ordering::SeqCst);
        Self(errands.clone())
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

struct Guard {
    name: &'static str,
    broken: watch::Sender<Option<Broken>>,
    finished: bool,
}

impl Drop for Guard {
    fn drop(&mut self) {
        if !self.finished && std::thread::panicking() {
            self.broken.send_if_modified(|broken| set_first(broken, Broken::Panicked(self.name)));
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[tokio::test]
    async fn a_service_that_ends_by_itself_is_told() {
        let tasks = Tasks::new();
        tasks.service("keeper", async {});
        assert_eq!(tasks.broken().await, Broken::Ended("keeper"));
    }

    #[tokio::test]
    async fn work_may_end_and_a_panic_is_told() {
        let tasks = Tasks::new();
        tasks.work("refresh", async {});
        tasks.work("revoke", async { std::panic::resume_unwind(Box::new("boom")) });
        assert_eq!(tasks.broken().await, Broken::Panicked("revoke"));
    }

    #[tokio::test]
    async fn an_errand_counts_from_its_beginning_to_its_end_however_it_ends() {
        let tasks = Tasks::new();
        let (done, is_done) = tokio::sync::oneshot::channel::<()>();
        tasks.errand("revoke", async move { drop(is_done.await) });
        tasks.errand("refresh", async { std::panic::resume_unwind(Box::new("boom")) });
        tasks.errand("sign in", std::future::pending());
        tasks.work("keeper", std::future::pending());
        assert_eq!(tasks.errands(), 3);
        tasks.broken().await;
        assert_eq!(tasks.errands(), 2);
        let _ = done.send(());
        tasks.finish(Duration::from_millis(1)).await;
        assert_eq!(tasks.errands(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_soft_shutdown_lets_work_finish_and_a_hard_one_drops_it() {
        let tasks = Tasks::new();
        let (done, finished) = tokio::sync::oneshot::channel();
        tasks.work("short", async move {
            tokio::task::yield_now().await;
            let _ = done.send(());
        });
        assert!(tasks.finish(Duration::from_secs(60)).await);
        assert!(finished.await.is_ok());

        let tasks = Tasks::new();
        tasks.work("endless", std::future::pending());
        assert!(!tasks.finish(Duration::from_secs(60)).await);
    }

    #[tokio::test]
    async fn a_thread_that_hangs_in_a_file_call_does_not_hold_the_shutdown() {
        let tasks = Tasks::new();
        let (release, held) = std::sync::mpsc::channel::<()>();
        let file_call = tasks.clone();
        tasks.work("save", async move {
            let _ = file_call.blocking("hanging disk", move || held.recv()).await;
        });
        tokio::task::yield_now().await;
        let finished = tokio::time::timeout(LAST_PATIENCE * 10, tasks.finish(Duration::from_millis(10))).await;
        assert_eq!(finished, Ok(false));
        drop(release);
    }

    #[test]
    fn names_that_are_not_resolved_hold_up_no_save_of_another_account() {
        const HANGING: usize = 200;
        const PATIENCE: Duration = Duration::from_secs(20);
        runtime().unwrap().block_on(async {
            let tasks = Tasks::new();
            let (begun, mut all_begun) = tokio::sync::mpsc::channel(HANGING);
            let mut held = Vec::new();
            for _ in 0..HANGING {
                let (release, is_released) = std::sync::mpsc::channel::<()>();
                held.push(release);
                let (blocking, begun) = (tasks.clone(), begun.clone());
                let lookup = move || (begun.blocking_send(()), is_released.recv());
                tasks.work("look up", async move {
                    let _ = blocking.blocking("name", lookup).await;
                });
            }
            for _ in 0..HANGING {
                let next = tokio::time::timeout(PATIENCE, all_begun.recv()).await;
                assert_eq!(next, Ok(Some(())), "each has a thread of its own");
            }
            let saved = tokio::time::timeout(PATIENCE, tasks.blocking("save", || "saved")).await;
            drop(held);
            assert_eq!(saved, Ok(Some("saved")));
        });
    }
}
