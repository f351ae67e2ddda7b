//! Chance that can be repeated: numbers from a seed that is printed.

/// The variable that gives the seed of an earlier run.
const VARIABLE: &str = "MCP_AUTHD_SEED";

/// Numbers, by splitmix64.
pub(crate) struct Chance(u64);

impl Chance {
    /// The seed of `MCP_AUTHD_SEED`, else a new one; and the numbers that follow from it.
    pub(crate) fn seeded() -> (u64, Self) {
        let given = std::env::var(VARIABLE).ok().map(|seed| seed.parse().expect("MCP_AUTHD_SEED is a number"));
        let seed = given.unwrap_or_else(|| getrandom::u64().expect("the system has randomness"));
        // Told at once: a campaign that fails has no figures.
        eprintln!("{VARIABLE}={seed}");
        (seed, Self(seed))
    }

    /// The next number below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((z ^ (z >> 31)) % end as u64).expect("it is below")
    }
}
