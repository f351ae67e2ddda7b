//! Figures out of many: percentiles of one round, medians over rounds.
//!
//! Ours and the floor are measured by turns in the same round, and the ratio is taken in each round: what else the machine does
//! meanwhile hits both.

use std::time::{Duration, Instant};

/// How long each of many took.
#[derive(Debug, Default)]
pub(crate) struct Samples(Vec<Duration>);

impl Samples {
    /// One more.
    pub(crate) fn add(&mut self, took: Duration) {
        self.0.push(took);
    }

    /// Times one, and keeps it.
    pub(crate) fn time<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let begun = Instant::now();
        let done = work();
        self.add(begun.elapsed());
        done
    }

    /// The same of work that waits.
    pub(crate) async fn time_async<T>(&mut self, work: impl Future<Output = T>) -> T {
        let begun = Instant::now();
        let done = work.await;
        self.add(begun.elapsed());
        done
    }

    /// The value that so many percent do not exceed; zero of none.
    pub(crate) fn percentile(&self, percent: usize) -> Duration {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let last = sorted.len().saturating_sub(1);
        sorted.get(last * percent / 100).copied().unwrap_or_default()
    }
}

/// Ours and the floor, a pair for each round.
#[derive(Debug, Default)]
pub(crate) struct Rounds(Vec<(f64, f64)>);

impl Rounds {
    /// One round, of times.
    pub(crate) fn add_times(&mut self, ours: Duration, floor: Duration) {
        self.add(ours.as_secs_f64(), floor.as_secs_f64());
    }

    /// One round.
    pub(crate) fn add(&mut self, ours: f64, floor: f64) {
        self.0.push((ours, floor));
    }

    /// The median of ours.
    pub(crate) fn ours(&self) -> f64 {
        median(self.0.iter().map(|(ours, _)| *ours))
    }

    /// The median of the floor.
    pub(crate) fn floor(&self) -> f64 {
        median(self.0.iter().map(|(_, floor)| *floor))
    }

    /// The median of the rounds' ratios.
    pub(crate) fn ratio(&self) -> f64 {
        median(self.0.iter().map(|(ours, floor)| ours / floor))
    }

    /// The median of the rounds' differences.
    pub(crate) fn difference(&self) -> f64 {
        median(self.0.iter().map(|(ours, floor)| ours - floor))
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = values.collect();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}
