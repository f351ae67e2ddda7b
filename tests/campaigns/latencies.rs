//! How long many of the same took.
//!
//! Must never: hide the slowest.

use std::fmt;
use std::time::Duration;

use crate::effort::is_whole;

/// The shortest first.
#[derive(Debug, Clone, Default)]
pub(crate) struct Latencies(Vec<Duration>);

impl Latencies {
    pub(crate) fn of(mut latencies: Vec<Duration>) -> Self {
        latencies.sort_unstable();
        Self(latencies)
    }

    pub(crate) fn and(self, more: Self) -> Self {
        Self::all([self, more])
    }

    pub(crate) fn all(parts: impl IntoIterator<Item = Self>) -> Self {
        Self::of(parts.into_iter().flat_map(|part| part.0).collect())
    }

    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// So many of a hundred took at most this long; nothing took none.
    pub(crate) fn percentile(&self, percent: usize) -> Duration {
        let place = (self.0.len() * percent / 100).min(self.0.len().saturating_sub(1));
        self.0.get(place).copied().unwrap_or_default()
    }

    /// A watchdog of ten times the figure of the requirement; only in whole, where the programs are release ones.
    pub(crate) fn watch(&self, figure: Duration) {
        let late = is_whole() && self.percentile(99) > 10 * figure;
        assert!(!late, "the figure is {figure:?}: {self}");
    }

    /// The same without what the server took over it.
    pub(crate) fn without(self, server: Duration) -> Self {
        Self(self.0.into_iter().map(|latency| latency.saturating_sub(server)).collect())
    }
}

impl fmt::Display for Latencies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [half, most, all] = [50, 99, 100].map(|percent| self.percentile(percent));
        write!(f, "p50 {half:.1?}, p99 {most:.1?}, at most {all:.1?} of {}", self.count())
    }
}
