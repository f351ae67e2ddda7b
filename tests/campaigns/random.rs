//! Chance that can be had again: numbers from a beginning that is printed, in every campaign.
//!
//! Must never: draw on anything but its beginning.

use std::time::Duration;

use crate::effort::is_whole;

/// Says which run to repeat.
const VARIABLE: &str = "MCP_AUTHD_SEED";
/// Where the short form of a campaign begins whose finds would otherwise stop another person's change.
const ALIKE: u64 = 26;

/// The beginning: of `MCP_AUTHD_SEED`, else a new one. Told at once, for when something fails.
pub(crate) fn seed(campaign: &str) -> u64 {
    told(campaign, given().unwrap_or_else(|| getrandom::u64().expect("the system has randomness")))
}

/// The same; but without one the short form, which guards a change, begins always alike.
pub(crate) fn seed_of_inputs(campaign: &str) -> u64 {
    if is_whole() { seed(campaign) } else { told(campaign, given().unwrap_or(ALIKE)) }
}

fn given() -> Option<u64> {
    std::env::var(VARIABLE).ok().map(|seed| seed.parse().expect("MCP_AUTHD_SEED is a number"))
}

fn told(campaign: &str, seed: u64) -> u64 {
    eprintln!("{campaign}: {VARIABLE}={seed}");
    seed
}

/// SplitMix64.
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    /// From this number: the same gives the same numbers.
    pub(crate) fn of(seed: u64) -> Self {
        Self(seed)
    }

    /// Any number.
    pub(crate) fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Below `end`; 0 where that is 0.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.number() % u64::try_from(end.max(1)).expect("it fits")).expect("it is below")
    }

    /// One of these.
    pub(crate) fn one_of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }

    /// Any byte.
    pub(crate) fn byte(&mut self) -> u8 {
        self.number().to_le_bytes()[0]
    }

    /// A span of at most so long.
    pub(crate) fn up_to(&mut self, most: Duration) -> Duration {
        let most = u64::try_from(most.as_micros()).expect("moments are short");
        Duration::from_micros(self.number() % (most + 1))
    }
}
