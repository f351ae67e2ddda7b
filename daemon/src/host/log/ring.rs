//! The last of what was said, in memory: bounded in number and in bytes, numbered, and followed by whoever wants to.
//!
//! A follower has a place of its own and reads when it can; what was overwritten meanwhile it is told the number of.
//!
//! All of it stands in two pieces of memory that are taken once. (Measured: entries of their own, which live on where the memory of
//! connections around them is given back, kept 6 MB more after 1,000 connections had gone.)
//!
//! Must never: wait for a follower, or grow because of one.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mcp_authd_oauth::time::WallTime;
use tokio::sync::watch;
use tracing::Level;

use super::line::Line;
use crate::host::clock::Clock;

/// So many are kept, and
const MOST: usize = 1000;
/// so many bytes of their texts: a part of what an idle daemon may have at all.
const MOST_BYTES: usize = 256 * 1024;

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
    heads: VecDeque<Head>,
    /// The texts of all of them, one after the other.
    texts: VecDeque<u8>,
    /// How many bytes of texts there ever were before those.
    gone: u64,
    next: u64,
}

/// What is known of an entry beside its texts.
#[derive(Debug)]
struct Head {
    number: u64,
    at: WallTime,
    level: Level,
    is_audit: bool,
    /// Where its texts begin, counted from the first ever.
    begins: u64,
    bytes: usize,
}

impl Kept {
    fn new(next: u64) -> Self {
        Self { heads: VecDeque::with_capacity(MOST), texts: VecDeque::with_capacity(MOST_BYTES), gone: 0, next }
    }

    fn oldest(&self) -> u64 {
        self.heads.front().map_or(self.next, |head| head.number)
    }

    fn numbered(&self, number: u64) -> Option<Entry> {
        let place = number.checked_sub(self.oldest())?;
        self.heads.get(usize::try_from(place).ok()?).map(|head| self.entry(head))
    }

    fn entry(&self, head: &Head) -> Entry {
        let begins = usize::try_from(head.begins - self.gone).unwrap_or(usize::MAX);
        let bytes: Vec<u8> = self.texts.iter().skip(begins).take(head.bytes).copied().collect();
        let mut texts = Texts(&bytes);
        let (message, account) = (texts.next().unwrap_or_default(), texts.next().filter(|account| !account.is_empty()));
        let fields = std::iter::from_fn(|| Some((texts.next()?, texts.next()?))).collect();
        let Head { number, at, level, is_audit, .. } = *head;
        Entry { number, at, level, is_audit, message, account, fields }
    }

    fn keep(&mut self, at: WallTime, line: &Line) {
        let Line { level, message, account, fields, .. } = line;
        let fields = fields.iter().flat_map(|(name, value)| [*name, value.as_str()]);
        let texts = [message.as_str(), account.as_deref().unwrap_or_default()].into_iter().chain(fields);
        let bytes: usize = texts.clone().map(|text| size_of::<Length>() + text.len()).sum();
        // A line is far shorter than all of it.
        while self.heads.len() >= MOST || self.texts.len() + bytes > MOST_BYTES {
            let Some(oldest) = self.heads.pop_front() else { return };
            self.texts.drain(..oldest.bytes);
            self.gone += u64::try_from(oldest.bytes).unwrap_or(0);
        }
        let begins = self.gone + u64::try_from(self.texts.len()).unwrap_or(0);
        self.heads.push_back(Head { number: self.next, at, level: *level, is_audit: line.is_audit(), begins, bytes });
        for text in texts {
            self.texts.extend(Length::try_from(text.len()).unwrap_or(Length::MAX).to_le_bytes());
            self.texts.extend(text.as_bytes());
        }
        self.next += 1;
    }
}

/// Of one text. A line's parts are bounded far below it.
type Length = u32;

/// Reads texts, each behind its length.
struct Texts<'a>(&'a [u8]);

impl Texts<'_> {
    fn next(&mut self) -> Option<String> {
        let (length, rest) = self.0.split_first_chunk()?;
        let (text, rest) = rest.split_at_checked(usize::try_from(Length::from_le_bytes(*length)).ok()?)?;
        self.0 = rest;
        Some(String::from_utf8_lossy(text).into_owned())
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

    /// The last of those that are wanted, at most so many, the oldest first.
    #[must_use]
    pub fn last(&self, most: usize, wanted: Wanted<'_>) -> Vec<Entry> {
        let kept = self.kept();
        let newest_first = kept.heads.iter().rev().map(|head| kept.entry(head));
        let mut last: Vec<_> = newest_first.filter(|entry| wanted(entry)).take(most).collect();
        last.reverse();
        last
    }

    /// Reads on after this number, or from the oldest on where it has not been given yet.
    #[must_use]
    pub fn follow(&self, after: u64) -> Follower {
        let kept = self.kept();
        let next = if after < kept.next { after + 1 } else { kept.oldest() };
        // What was lost before anybody asked is nobody's loss.
        let next = next.max(kept.oldest());
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
        *missed += kept.oldest().saturating_sub(self.next);
        self.next = self.next.max(kept.oldest());
        while let Some(entry) = kept.numbered(self.next) {
            self.next += 1;
            if wanted(&entry) {
                return Some(Told { entry, missed: std::mem::take(missed) });
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use futures_util::FutureExt as _;
    use proptest::prelude::*;

    const AT: WallTime = WallTime::from_millis(1_790_000_000_000);

    fn say(ring: &Ring, account: &str, value: &str) {
        let line = Line {
            level: Level::INFO,
            target: "mcp_authd",
            message: "said".to_owned(),
            account: Some(account.to_owned()),
            fields: vec![("why", value.to_owned())],
        };
        ring.keep(AT, &line);
    }

    fn about<'a>(account: &'a str) -> impl Fn(&Entry) -> bool + 'a {
        move |entry| entry.account.as_deref() == Some(account)
    }

    #[test]
    fn the_last_ones_of_an_account_come_in_their_order() {
        let ring = Ring::new(7);
        ["a", "b", "a", "a", "b"].iter().for_each(|account| say(&ring, account, "x"));
        let numbers = |most, account| ring.last(most, &about(account)).iter().map(|entry| entry.number).collect::<Vec<_>>();
        assert_eq!((numbers(2, "a"), numbers(9, "b"), numbers(9, "c")), (vec![9, 10], vec![8, 11], vec![]));
        assert_eq!(ring.latest(), 11);
    }

    #[tokio::test]
    async fn a_follower_waits_for_what_comes_and_sees_only_what_it_wants() {
        let ring = Ring::new(1);
        let mut follower = ring.follow(0);
        let wanted = about("a");
        assert_eq!(follower.next(&wanted).now_or_never(), None);
        let (told, ()) = tokio::join!(follower.next(&wanted), async {
            say(&ring, "b", "x");
            tokio::task::yield_now().await;
            say(&ring, "a", "x");
        });
        assert_eq!((told.entry.number, told.missed), (2, 0));
        assert_eq!(follower.next(&wanted).now_or_never(), None);
    }

    #[test]
    fn who_goes_on_after_a_number_gets_what_came_since_and_after_one_of_the_future_all() {
        let ring = Ring::new(100);
        (0..5).for_each(|_| say(&ring, "a", "x"));
        let first = |after| ring.follow(after).next(&|_| true).now_or_never().map(|told| (told.entry.number, told.missed));
        assert_eq!(first(102), Some((103, 0)));
        assert_eq!(first(104), None);
        assert_eq!(first(105), Some((100, 0)));
        assert_eq!(first(3), Some((100, 0)), "what was lost before it asked is nobody's loss");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Against the plain list of all that was said: bounded, in order, and every gap is told.
        #[test]
        fn the_ring_is_bounded_in_order_and_tells_every_gap(
            steps in prop::collection::vec((0_usize..1500, 0_usize..700, 0_usize..40), 1..8)
        ) {
            let ring = Ring::new(1);
            let mut follower = ring.follow(0);
            let (mut said, mut seen, mut newest_value) = (0_u64, 0_u64, None);
            for (says, length, reads) in steps {
                let value = "\u{e9}".repeat(length / 2);
                if says > 0 {
                    newest_value = Some(value.clone());
                }
                for _ in 0..says {
                    say(&ring, "a", &value);
                    said += 1;
                }
                {
                    let kept = ring.kept();
                    let bytes: usize = kept.heads.iter().map(|head| head.bytes).sum();
                    prop_assert!(kept.heads.len() <= MOST && bytes <= MOST_BYTES && kept.texts.len() == bytes);
                    prop_assert!(kept.heads.capacity() == MOST && kept.texts.capacity() == MOST_BYTES, "nothing has grown");
                    prop_assert_eq!(kept.next, said + 1);
                    let numbers: Vec<_> = kept.heads.iter().map(|head| head.number).collect();
                    prop_assert!(numbers.iter().copied().eq(kept.oldest()..=said));
                }
                if let Some(newest) = ring.last(1, &|_| true).pop() {
                    prop_assert_eq!((newest.number, newest.account.as_deref()), (said, Some("a")));
                    prop_assert!(newest.fields.len() == 1 && newest.fields.iter().all(|(name, _)| name == "why"));
                    newest_value.iter().for_each(|value| assert_eq!(&newest.fields.first().unwrap().1, value));
                }
                for _ in 0..reads {
                    let Some(told) = follower.next(&|_| true).now_or_never() else {
                        prop_assert_eq!(seen, said);
                        break;
                    };
                    prop_assert_eq!(told.entry.number, seen + told.missed + 1);
                    prop_assert!(told.missed == 0 || told.entry.number == ring.kept().oldest());
                    seen = told.entry.number;
                }
            }
        }
    }
}
