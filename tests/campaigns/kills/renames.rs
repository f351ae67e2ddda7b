//! When the daemon replaces a grant's record, as the kernel tells it: the moment from which a refresh is saved.
//!
//! Must never: poll; a moment that is looked for is seen late.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use mcp_authd_tests::daemon::Daemon;
use mcp_authd_tests::programs::until;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};

/// A file of ours. When its event has come, all that came before have come.
const MARK: &str = "mark-of-a-campaign";

/// The records of one daemon, watched until its folder is gone.
pub(super) struct Renames {
    folder: PathBuf,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Default)]
struct Seen {
    of: BTreeMap<String, Vec<Instant>>,
    marks: usize,
}

impl Renames {
    /// From now on, of a daemon that has made its folder.
    pub(super) fn of(daemon: &Daemon) -> Self {
        let folder = daemon.dirs().state().join("mcp-authd");
        let events = Inotify::init(InitFlags::IN_CLOEXEC).expect("the kernel tells of files");
        events.add_watch(&folder, AddWatchFlags::IN_MOVED_TO | AddWatchFlags::IN_CREATE).expect("the folder stands");
        let seen = Arc::new(Mutex::new(Seen::default()));
        let noting = Arc::clone(&seen);
        std::thread::spawn(move || note(&events, &noting));
        Self { folder, seen }
    }

    /// Those of each account since the last call. Only while no daemon runs.
    pub(super) async fn taken(&self) -> BTreeMap<String, Vec<Instant>> {
        let mark = self.folder.join(MARK);
        let seen = || self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let before = seen().marks;
        fs::write(&mark, []).expect("a file can be made");
        until("the kernel has told of all files", || seen().marks > before).await;
        fs::remove_file(&mark).expect("it was just made");
        std::mem::take(&mut seen().of)
    }
}

fn note(events: &Inotify, noting: &Mutex<Seen>) {
    while let Ok(events) = events.read_events() {
        let now = Instant::now();
        let mut seen = noting.lock().unwrap_or_else(PoisonError::into_inner);
        for event in events {
            let name = event.name.map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            let account = name.strip_prefix("grant-").and_then(|name| name.strip_suffix(".sealed"));
            match account {
                _ if event.mask.contains(AddWatchFlags::IN_IGNORED) => return,
                Some(account) if event.mask.contains(AddWatchFlags::IN_MOVED_TO) => {
                    seen.of.entry(account.to_owned()).or_default().push(now);
                }
                _ => seen.marks += usize::from(name == MARK),
            }
        }
    }
}
