//! The last of what was said, in memory: bounded in number and in bytes, numbered, and followed by whoever wants to.
//!
//! What has happened and who was given a token have a [`Share`] each, so that a busy program, which is told of with each of its
//! connections, pushes out nothing but lines of that kind. Read they are one, in the order of their numbers.
//!
//! A follower has a place of its own and reads when it can; what was overwritten meanwhile it is told the number of.
//!
//! Must never: wait for a follower, or grow because of one.

mod share;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mcp_authd_oauth::time::WallTime;
use tokio::sync::watch;
use tracing::Level;

use super::line::Line;
use crate::host::clock::Clock;
use share::Share;

/// Something that was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Names it: one more than the one before it.
    pub number: u64,
    /// When.
    pub at: WallTime,
    /// How much it matters; [`Level::INFO`] and above.
    pub level: Level,
    /// Whether it tells who was given a token (P12).
    pub is_audit: bool,
    /// A constant sentence.
    pub message: String,
    /// The account that it is about, if one.
    pub account: Option<String>,
    /// What belongs to it, in order.
    pub fields: Vec<(String, String)>,
}

/// The last of what was said; a handle, cheap to clone.
#[derive(Debug, Clone)]
pub struct Ring(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    kept: Mutex<Kept>,
    /// The number that the next one gets.
    news: watch::Sender<u64>,
}

#[derive(Debug)]
struct Kept {
    /// What has happened.
    events: Share,
    /// Who was given which token.
    audits: Share,
    /// The number of the first ever.
    first: u64,
    next: u64,
}

impl Kept {
    fn new(first: u64) -> Self {
        Self { events: Share::default(), audits: Share::default(), first, next: first }
    }

    fn keep(&mut self, at: WallTime, line: &Line) {
        let share = if line.is_audit() { &mut self.audits } else { &mut self.events };
        share.keep(self.next, at, line);
        self.next += 1;
    }

    /// The oldest that has this number or a greater one, of either kind.
    fn first_from(&self, number: u64) -> Option<Entry> {
        let found = [&self.events, &self.audits].into_iter().filter_map(|share| Some((share.first_from(number)?, share)));
        let ((_, place), share) = found.min_by_key(|((number, _), _)| *number)?;
        share.at(place)
    }
}

/// What a follower reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// What was said.
    pub entry: Entry,
    /// How many were lost before it.
    pub missed: u64,
}

/// Which entries are wanted.
type Wanted<'a> = &'a (dyn Fn(&Entry) -> bool + Sync);

impl Ring {
    /// An empty one. Its numbers rise over restarts: by the calendar.
    pub(super) fn of_this_process(clock: &Clock) -> Self {
        Self::new(clock.now().wall.as_millis())
    }

    /// An empty one, whose first entry gets this number.
    #[must_use]
    pub fn new(first: u64) -> Self {
        Self(Arc::new(Inner { kept: Mutex::new(Kept::new(first)), news: watch::Sender::new(first) }))
    }

    /// Keeps one more, and lets go of the oldest where there is no room.
    pub(super) fn keep(&self, at: WallTime, line: &Line) {
        let mut kept = self.kept();
        kept.keep(at, line);
        self.0.news.send_replace(kept.next);
    }

    /// The last of those that are wanted, at most so many, the oldest first. Where there are more of both kinds, half of the places
    /// are each kind's own: who asks what has happened is not told of tokens alone.
    #[must_use]
    pub fn last(&self, most: usize, wanted: Wanted<'_>) -> Vec<Entry> {
        let kept = self.kept();
        let newest_first = |share: &Share| share.newest_first().filter(|entry| wanted(entry)).take(most).collect::<Vec<_>>();
        let (mut events, mut audits) = (newest_first(&kept.events), newest_first(&kept.audits));
        drop(kept);
        let (half, oldest) = (most / 2, |entries: &[Entry]| entries.last().map(|entry| entry.number));
        while events.len() + audits.len() > most {
            let no_event = events.len() <= half;
            let an_audit = audits.len() > half && (no_event || oldest(&audits) < oldest(&events));
            if an_audit {
                audits.pop()
            } else {
                events.pop()
            };
        }
        events.append(&mut audits);
        events.sort_unstable_by_key(|entry| entry.number);
        events
    }

    /// Reads on after this number, or from the first ever on where it has not been given yet. What is not kept any more is told as
    /// missed.
    #[must_use]
    pub fn follow(&self, after: u64) -> Follower {
        let kept = self.kept();
        let next = if after < kept.next { after + 1 } else { kept.first };
        // Nothing was said before the first one.
        let next = next.max(kept.first);
        drop(kept);
        Follower { next, news: self.0.news.subscribe(), ring: self.clone() }
    }

    /// The number of the latest.
    #[must_use]
    pub fn latest(&self) -> u64 {
        self.kept().next.saturating_sub(1)
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads one after the other.
#[derive(Debug)]
pub struct Follower {
    ring: Ring,
    next: u64,
    news: watch::Receiver<u64>,
}

impl Follower {
    /// The next one that is wanted, as soon as there is one. May be dropped and called again without losing any.
    pub async fn next(&mut self, wanted: Wanted<'_>) -> Told {
        let mut missed = 0;
        loop {
            self.news.mark_unchanged();
            if let Some(told) = self.read(wanted, &mut missed) {
                return told;
            }
            // The sender stands as long as the ring does, and this holds a share of it.
            if self.news.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    fn read(&mut self, wanted: Wanted<'_>, missed: &mut u64) -> Option<Told> {
        let kept = self.ring.kept();
        while let Some(entry) = kept.first_from(self.next) {
            // The numbers between are those of lines that were let go of.
            *missed += entry.number - self.next;
            self.next = entry.number + 1;
            if wanted(&entry) {
                return Some(Told { entry, missed: std::mem::take(missed) });
            }
        }
        None
    }
}

#[cfg(test)]
mod tests;
