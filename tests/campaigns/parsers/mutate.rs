//! A small fuzzer: seeds that are nearly right, changed by a generator whose beginning is printed.
//!
//! It is not led by coverage, but needs no nightly, no C++ and no network. The seeds stand in `tests/fuzz/corpus`.
//!
//! Must never: draw on anything but its beginning. The same number gives the same inputs, so that a crash can be had again.

use std::path::Path;

use crate::random::Random;

/// Nothing that is read here gets more interesting by being longer.
const LONGEST: usize = 64 * 1024;
/// Bytes that begin, end or break things.
const TELLING: [u8; 16] = [0, 1, 9, 10, 13, 27, 32, 34, 44, 58, 91, 92, 123, 127, 128, 255];

/// The seeds of a target, and the words that its language has.
#[derive(Debug)]
pub(crate) struct Mutator {
    seeds: Vec<Vec<u8>>,
    words: Vec<Vec<u8>>,
}

impl Mutator {
    /// From seeds at hand.
    pub(crate) fn new(seeds: Vec<Vec<u8>>, words: &[&str]) -> Self {
        assert!(!seeds.is_empty(), "nothing can be made from no seed");
        Self { seeds, words: words.iter().map(|word| word.as_bytes().to_vec()).collect() }
    }

    /// From the files of `tests/fuzz/corpus/NAME`.
    pub(crate) fn of_corpus(name: &str, words: &[&str]) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(name);
        let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let mut files: Vec<_> = entries.map(|entry| entry.expect("the folder can be listed").path()).collect();
        files.sort();
        Self::new(files.iter().map(|file| std::fs::read(file).expect("a seed can be read")).collect(), words)
    }

    /// The seeds as they are: they come first.
    pub(crate) fn seeds(&self) -> &[Vec<u8>] {
        &self.seeds
    }

    /// A seed with one change or a few.
    pub(crate) fn next(&self, random: &mut Random) -> Vec<u8> {
        let mut bytes = random.one_of(&self.seeds).clone();
        for _ in 0..=random.below(5) {
            self.change(&mut bytes, random);
        }
        bytes.truncate(LONGEST);
        bytes
    }

    /// One change.
    pub(crate) fn change(&self, bytes: &mut Vec<u8>, random: &mut Random) {
        let at = random.below(bytes.len());
        let until = bytes.len().min(at + 1 + random.below(16));
        match random.below(11) {
            0 if !bytes.is_empty() => bytes[at] ^= 1 << random.below(8),
            1 if !bytes.is_empty() => bytes[at] = *random.one_of(&TELLING),
            2 => drop(bytes.splice(at..at, [random.byte()])),
            3 => drop(bytes.drain(at..until)),
            4 => bytes.truncate(at),
            5 => {
                let again = bytes[at..until].repeat(1 + random.below(40));
                drop(bytes.splice(at..at, again));
            }
            6 | 7 if !self.words.is_empty() => {
                let word = random.one_of(&self.words).clone();
                let end = if random.below(2) == 0 { at } else { until };
                drop(bytes.splice(at..end, word));
            }
            8 => {
                let other = random.one_of(&self.seeds);
                let from = random.below(other.len());
                bytes.truncate(at);
                bytes.extend_from_slice(&other[from..]);
            }
            9 => {
                let noise: Vec<u8> = (0..random.below(12)).map(|_| random.byte()).collect();
                drop(bytes.splice(at..until, noise));
            }
            _ => {
                let digits = [0, 1, u64::MAX, u64::MAX / 2, 1 << 53, random.number()];
                let number = random.one_of(&digits).to_string();
                drop(bytes.splice(at..until, number.into_bytes()));
            }
        }
    }
}

#[test]
fn the_same_beginning_makes_the_same_inputs_and_hardly_any_twice() {
    let mutator = Mutator::new(vec![b"{\"a\":1}".to_vec(), b"a=1&b=2".to_vec()], &["null", "\\u0000"]);
    let made = |seed: u64| {
        let mut random = Random::of(seed);
        (0..1000).map(|_| mutator.next(&mut random)).collect::<Vec<_>>()
    };
    assert_eq!(made(7), made(7));
    assert_ne!(made(7), made(8));
    let different: std::collections::BTreeSet<_> = made(7).into_iter().collect();
    assert!(different.len() > 800, "{}", different.len());
}
