//! All that has to do with starting, at one moment, for the person who looks.
//!
//! Must never: start or change anything.

use std::path::PathBuf;
use std::time::SystemTime;

use super::facts;
use super::owner::{Owner, lives};
use super::places::{self, LOG, STOP_MARK};
use super::plan::{self, Plan};
use crate::clock::Clock;
use crate::connect::Sockets;

/// How things stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Situation {
    /// When this was looked at, by this machine's calendar.
    pub looked_at: SystemTime,
    /// Where the sockets for programs may stand, the best place first.
    pub tokens_sockets: Vec<PathBuf>,
    /// The folder of the daemon's records. `None`: no home is known.
    pub state_folder: Option<PathBuf>,
    /// What the daemon says that a program has started.
    pub log: Option<PathBuf>,
    /// The mark of `authctl daemon stop`, where it stands, and since when.
    pub stop_mark: Option<(PathBuf, Option<SystemTime>)>,
    /// Who owns the store.
    pub owner: Ownership,
    /// What a program would do that finds no daemon.
    pub plan: Plan,
}

/// Who owns the store, by the lock file and the list of processes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ownership {
    /// The file names nobody.
    Nobody,
    /// The one that it names has ended without a word.
    Ended(Owner),
    /// The one that it names runs.
    Runs(Owner),
}

impl Situation {
    /// Looks. Reads files: not for a task that must not wait.
    #[must_use]
    pub fn look(sockets: &Sockets) -> Self {
        let variable = &places::of_this_process;
        let home = places::home(variable);
        let state_folder = places::state_folder(variable, home.as_deref());
        let mark = state_folder.as_ref().map(|folder| folder.join(STOP_MARK));
        let stands = mark.and_then(|mark| Some((mark.symlink_metadata().ok()?.modified().ok(), mark)));
        let owner = state_folder.as_deref().and_then(Owner::read);
        Self {
            looked_at: SystemTime::UNIX_EPOCH + Clock::Kernel.wall(),
            tokens_sockets: sockets.tokens(),
            log: state_folder.as_ref().map(|folder| folder.join(LOG)).filter(|log| log.exists()),
            stop_mark: stands.map(|(since, mark)| (mark, since)),
            owner: owner.map_or(Ownership::Nobody, |owner| {
                if lives(owner.pid) { Ownership::Runs(owner) } else { Ownership::Ended(owner) }
            }),
            state_folder,
            plan: plan::decide(facts::gather(sockets.place(), variable)),
        }
    }
}
