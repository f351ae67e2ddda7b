//! The last lines of one kind: bounded in number and in bytes, whatever is said of other kinds.
//!
//! All of them stand in two pieces of memory, which grow with what is said up to their bounds and are kept from then on. (Measured:
//! entries of their own, which live on where the memory of connections around them is given back, kept 6 MB more after 1,000
//! connections had gone.)
//!
//! Must never: hold more than its bounds, or memory for what was not said yet.

use std::collections::VecDeque;

use mcp_authd_oauth::time::WallTime;
use tracing::Level;

use super::Entry;
use crate::host::log::line::Line;

/// So many are kept, and
pub(super) const MOST: usize = 500;
/// so many bytes of their texts: a part of what an idle daemon may have at all.
pub(super) const MOST_BYTES: usize = 128 * 1024;

/// The lines, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Share {
    heads: VecDeque<Head>,
    /// The texts of all of them, one after the other.
    texts: VecDeque<u8>,
    /// How many bytes of texts there ever were before those.
    gone: u64,
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

impl Share {
    /// Keeps one more, and lets go of the oldest where there is no room. `number` is greater than any before it.
    pub(super) fn keep(&mut self, number: u64, at: WallTime, line: &Line) {
        let Line { level, message, account, fields, .. } = line;
        let fields = fields.iter().flat_map(|(name, value)| [*name, value.as_str()]);
        let texts = [message.as_str(), account.as_deref().unwrap_or_default()].into_iter().chain(fields);
        let bytes: usize = texts.clone().map(|text| size_of::<Length>() + text.len()).sum();
        while self.heads.len() >= MOST || self.texts.len() + bytes > MOST_BYTES {
            // A line is far shorter than all of it.
            let Some(oldest) = self.heads.pop_front() else { return };
            self.texts.drain(..oldest.bytes);
            self.gone += u64::try_from(oldest.bytes).unwrap_or(0);
        }
        make_room(&mut self.heads, 1, MOST);
        make_room(&mut self.texts, bytes, MOST_BYTES);
        let begins = self.gone + u64::try_from(self.texts.len()).unwrap_or(0);
        self.heads.push_back(Head { number, at, level: *level, is_audit: line.is_audit(), begins, bytes });
        for text in texts {
            self.texts.extend(Length::try_from(text.len()).unwrap_or(Length::MAX).to_le_bytes());
            self.texts.extend(text.as_bytes());
        }
    }

    /// All of them.
    pub(super) fn newest_first(&self) -> impl Iterator<Item = Entry> {
        self.heads.iter().rev().map(|head| self.entry(head))
    }

    /// The oldest that has this number or a greater one: its number and its place.
    pub(super) fn first_from(&self, number: u64) -> Option<(u64, usize)> {
        let place = self.heads.partition_point(|head| head.number < number);
        self.heads.get(place).map(|head| (head.number, place))
    }

    /// The one at this place.
    pub(super) fn at(&self, place: usize) -> Option<Entry> {
        self.heads.get(place).map(|head| self.entry(head))
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

    /// Whether all of it is within its bounds, and says of itself what is so.
    #[cfg(test)]
    pub(super) fn is_bounded(&self) -> bool {
        let bytes: usize = self.heads.iter().map(|head| head.bytes).sum();
        let holds = self.heads.len() <= MOST && bytes <= MOST_BYTES && self.texts.len() == bytes;
        holds && self.heads.capacity() <= MOST && self.texts.capacity() <= MOST_BYTES
    }
}

/// Twice as much as there was where it is too little, and never more than the bound.
fn make_room<T>(piece: &mut VecDeque<T>, more: usize, most: usize) {
    let needed = piece.len() + more;
    if needed > piece.capacity() {
        let wished = piece.capacity().saturating_mul(2).max(needed).min(most);
        piece.reserve_exact(wished.saturating_sub(piece.len()));
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

#[cfg(test)]
mod tests {
    use super::*;

    fn line(bytes: usize) -> Line {
        let fields = vec![("why", "x".repeat(bytes))];
        Line { level: Level::INFO, target: "mcp_authd", message: "said".to_owned(), account: None, fields }
    }

    #[test]
    fn nothing_is_held_for_what_was_not_said_and_no_more_than_the_bounds_for_what_was() {
        let mut share = Share::default();
        assert_eq!((share.heads.capacity(), share.texts.capacity()), (0, 0));
        share.keep(1, WallTime::from_millis(0), &line(10));
        assert!(share.heads.capacity() <= 8 && share.texts.capacity() <= 64, "{share:?}");
        for (longest, said) in [(10, 2000), (1000, 2000), (17_000, 20), (10, 2000)] {
            for _ in 0..said {
                let number = share.heads.back().map_or(0, |head| head.number);
                share.keep(number + 1, WallTime::from_millis(0), &line(longest));
                assert!(share.is_bounded());
            }
        }
        assert_eq!((share.heads.len(), share.heads.capacity()), (MOST, MOST));
    }

    #[test]
    fn a_line_that_is_longer_than_all_of_it_is_not_kept() {
        let mut share = Share::default();
        share.keep(1, WallTime::from_millis(0), &line(MOST_BYTES));
        assert!(share.is_bounded() && share.first_from(0).is_none());
    }
}
