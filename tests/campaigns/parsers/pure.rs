//! Answers of servers and the configuration: so many changed inputs, none of which panics or takes long (P26).

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use super::Mutator;
use super::targets::PURE;
use crate::effort::{figures, rounds};
use crate::random::{self, Random};

/// No input of 64 KiB takes a hundredth of it, also in a debug build under load.
const WATCHDOG: Duration = Duration::from_secs(10);

#[test]
fn p26_no_answer_of_a_server_and_no_configuration_brings_its_reader_down() {
    let mut random = Random::of(random::seed_of_inputs("p26"));
    let each = rounds(1_000_000, 1_500);
    let mut told = Vec::new();
    for (name, target, words) in PURE {
        // given seeds that are right or nearly so
        let mutator = Mutator::of_corpus(name, words);
        let mut slowest = Duration::ZERO;
        let mut run = |bytes: &[u8]| {
            let begun = Instant::now();
            let ended = catch_unwind(AssertUnwindSafe(|| target(bytes)));
            assert!(
                ended.is_ok(),
                "{name} is brought down by this; keep it in tests/fuzz/corpus/{name}: \"{}\"",
                bytes.escape_ascii()
            );
            slowest = slowest.max(begun.elapsed());
        };
        mutator.seeds().iter().for_each(|seed| run(seed));

        // when they are changed, then each is read to an end
        (0..each).for_each(|_| run(&mutator.next(&mut random)));
        assert!(slowest < WATCHDOG, "{name}: an input takes {slowest:?}");
        told.push(format!("{name} {slowest:.1?}"));
    }
    figures("p26", format!("{} readers, {each} inputs each, 0 crashes; the slowest: {}", told.len(), told.join(", ")));
}
