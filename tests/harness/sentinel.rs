//! Finds a leaked secret by the mark that every secret of [`crate::server`] carries (D61, P5, P10).
//!
//! Looks for the mark in clear, in hex, and in base64 at each of its three phases.
//!
//! What a client makes for itself (`state`, `code_verifier`) carries no mark: whoever meets one tells it to [`learn`].
//!
//! Must never: print what it finds beyond the mark and its place.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// `SNTL_` begins every secret, `SNTL-` every user code. In base64 only those characters count that the neighbours do not change.
const MARKS: [&[u8]; 7] = [b"SNTL_", b"SNTL-", b"534e544c5f", b"534E544C5F", b"U05UTF", b"NOVExf", b"TTlRMX"];

/// Where a mark was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leak {
    file: Option<PathBuf>,
    offset: usize,
    mark: &'static str,
    kind: String,
}

impl fmt::Display for Leak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.file.as_deref().unwrap_or(Path::new("the bytes"));
        write!(f, "{} at byte {} (mark {}, kind {:?})", file.display(), self.offset, self.mark, self.kind)
    }
}

/// The first mark in some bytes.
#[must_use]
pub fn in_bytes(bytes: &[u8]) -> Option<Leak> {
    MARKS.iter().find_map(|mark| {
        let offset = bytes.windows(mark.len()).position(|window| window == *mark)?;
        let kind = bytes.iter().skip(offset + mark.len()).take(2).map(|byte| char::from(*byte)).collect();
        Some(Leak { file: None, offset, mark: std::str::from_utf8(mark).unwrap_or_default(), kind })
    })
}

/// Certain texts, to be found in every shape: in clear, in hex, in base64 at each phase. Fast over long logs.
#[derive(Debug, Default)]
pub struct Wanted {
    shapes: HashMap<[u8; LEAST], Vec<(Vec<u8>, String)>>,
}

/// Of a shape, so many bytes at least: fewer would be found by chance.
const LEAST: usize = 4;
/// So much of a secret must not be told (P10).
const PIECE: usize = 8;

impl Wanted {
    /// The secrets of these kinds: `RT`, `CS`, `DC`, `AT`.
    #[must_use]
    pub fn kinds(kinds: &[&str]) -> Self {
        kinds.iter().fold(Self::default(), |wanted, kind| wanted.and(format!("SNTL_{kind}").as_bytes(), kind))
    }

    /// The first characters of each of these secrets, without its mark.
    #[must_use]
    pub fn pieces<'a>(secrets: impl IntoIterator<Item = &'a str>) -> Self {
        secrets.into_iter().fold(Self::default(), |wanted, secret| {
            // SNTL_RT_000001_the-secret-part
            let part = secret.splitn(4, '_').last().unwrap_or(secret);
            let kind = secret.get(5..7).unwrap_or("a secret");
            wanted.and(part.as_bytes().get(..PIECE).unwrap_or(part.as_bytes()), &format!("a piece of {kind}"))
        })
    }

    /// This too, under a name that may be told.
    #[must_use]
    pub fn and(mut self, text: &[u8], called: &str) -> Self {
        let hex: String = text.iter().map(|byte| format!("{byte:02x}")).collect();
        let mut shapes = BTreeSet::from([text.to_vec(), hex.to_uppercase().into_bytes(), hex.into_bytes()]);
        for phase in 0..3 {
            // Only those characters count that the neighbours do not change.
            let (first, bits) = ([0, 2, 3][phase], 8 * (phase + text.len()));
            let before = [vec![0; phase], text.to_vec()].concat();
            shapes.insert(STANDARD_NO_PAD.encode(&before).as_bytes()[first..bits / 6].to_vec());
            shapes.insert(URL_SAFE_NO_PAD.encode(&before).as_bytes()[first..bits / 6].to_vec());
        }
        for shape in shapes {
            let Some(begin) = shape.first_chunk::<LEAST>() else { panic!("{called}: too short to be looked for") };
            self.shapes.entry(*begin).or_default().push((shape, called.to_owned()));
        }
        self
    }

    /// The first that stands in some bytes: what it is called, and where it stands.
    #[must_use]
    pub fn found_in(&self, bytes: &[u8]) -> Option<(&str, usize)> {
        bytes.windows(LEAST).enumerate().find_map(|(at, window)| {
            let candidates = self.shapes.get(<&[u8; LEAST]>::try_from(window).ok()?)?;
            let (_, called) = candidates.iter().find(|(shape, _)| bytes[at..].starts_with(shape))?;
            Some((called.as_str(), at))
        })
    }
}

/// Secrets without a mark that were met in this process, each with a name that may be told.
static LEARNT: Mutex<Vec<(String, &'static str)>> = Mutex::new(Vec::new());
/// Shorter ones are no secrets, and would be found by chance.
const SHORTEST_LEARNT: usize = 16;

/// From now on this stands in no file of any daemon, in no shape.
pub fn learn(secret: &str, called: &'static str) {
    let mut learnt = LEARNT.lock().unwrap_or_else(PoisonError::into_inner);
    if secret.len() >= SHORTEST_LEARNT && !learnt.iter().any(|(known, _)| known == secret) {
        learnt.push((secret.to_owned(), called));
    }
}

/// What was learnt so far, to be looked for. `None` where that is nothing.
fn learnt() -> Option<Wanted> {
    let learnt = LEARNT.lock().unwrap_or_else(PoisonError::into_inner);
    let wanted = |wanted: Wanted, (secret, called): &(String, &'static str)| wanted.and(secret.as_bytes(), called);
    (!learnt.is_empty()).then(|| learnt.iter().fold(Wanted::default(), wanted))
}

/// The first mark, and the first learnt secret, of each file under a directory. Sockets, pipes and links are passed over.
///
/// # Panics
/// If a file cannot be read: an unread file proves nothing.
#[must_use]
pub fn in_directory(directory: &Path) -> Vec<Leak> {
    let (mut leaks, learnt) = (Vec::new(), learnt());
    let mut left = vec![directory.to_owned()];
    while let Some(directory) = left.pop() {
        for entry in std::fs::read_dir(&directory).unwrap_or_else(|e| panic!("{}: {e}", directory.display())) {
            let entry = entry.expect("the directory can be listed");
            let kind = entry.file_type().expect("an entry has a type");
            if kind.is_dir() {
                left.push(entry.path());
            } else if kind.is_file() {
                let bytes = std::fs::read(entry.path()).unwrap_or_else(|e| panic!("{}: {e}", entry.path().display()));
                leaks.extend(in_bytes(&bytes).map(|leak| Leak { file: Some(entry.path()), ..leak }));
                let found = learnt.as_ref().and_then(|wanted| wanted.found_in(&bytes));
                leaks.extend(found.map(|(called, offset)| Leak {
                    file: Some(entry.path()),
                    offset,
                    mark: "none",
                    kind: called.to_owned(),
                }));
            }
        }
    }
    leaks
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;

    use super::*;

    #[test]
    fn a_secret_is_found_in_clear_in_hex_and_in_base64_at_any_phase() {
        let secret = "SNTL_RT_000001_00";
        assert!(in_bytes(format!("token={secret}").as_bytes()).is_some());
        assert!(in_bytes(b"code SNTL-BCDF shown").is_some());
        let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
        assert!(in_bytes(hex.as_bytes()).is_some());
        for before in ["", "a", "ab"] {
            let text = base64::engine::general_purpose::STANDARD.encode(format!("{before}{secret}"));
            assert!(in_bytes(text.as_bytes()).is_some(), "phase {}: {text}", before.len());
        }
        assert_eq!(in_bytes(b"nothing to see, not even SNTL alone"), None);
    }

    #[test]
    fn a_kind_and_a_piece_are_found_in_every_shape_and_no_other_secret_is() {
        let secret = "SNTL_RT_000001_0123456789abcdef";
        let wanted = [Wanted::kinds(&["RT", "CS"]), Wanted::pieces([secret])];
        let alone = ["xSNTL_RTx", "x01234567x"];
        for (wanted, text) in wanted.iter().zip(alone) {
            let hex: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
            let mut shapes = vec![text.to_owned(), hex.to_uppercase(), hex];
            shapes.extend(["", "a", "ab"].map(|before| STANDARD_NO_PAD.encode(format!("{before}{text} and more"))));
            for shape in shapes {
                assert!(wanted.found_in(shape.as_bytes()).is_some(), "{text} as {shape}");
            }
            assert_eq!(wanted.found_in(b"SNTL_AT_000001_fedcba9876543210, SNTL_, 0123456 and 1234567"), None);
        }
        let (called, at) = wanted[1].found_in(b"....01234567").unwrap();
        assert_eq!((called, at), ("a piece of RT", 4));
    }

    #[test]
    fn a_learnt_secret_is_found_in_every_file_and_is_not_told() {
        let directory = tempfile::tempdir().unwrap();
        let secret = "AvErifierOfThisTestAlone0123456789";
        let file = |text: String| std::fs::write(directory.path().join("log"), text).unwrap();
        learn("short", "never looked for");
        learn(secret, "a code verifier");
        file("short, and nothing else".to_owned());
        assert!(in_directory(directory.path()).is_empty());
        file(format!("GET /?v={}", STANDARD_NO_PAD.encode(secret)));
        let told = in_directory(directory.path())[0].to_string();
        assert!(told.contains("a code verifier") && told.contains("log at byte 8") && !told.contains("AvErifier"), "{told}");
    }

    #[test]
    fn a_leak_tells_its_file_and_never_the_secret() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join("deep")).unwrap();
        std::fs::write(directory.path().join("deep/record"), "xxSNTL_AT_000001_topsecret").unwrap();
        std::fs::write(directory.path().join("clean"), "nothing").unwrap();
        let leaks = in_directory(directory.path());
        assert_eq!(leaks.len(), 1);
        let told = leaks[0].to_string();
        assert!(told.contains("deep/record at byte 2") && told.contains("AT") && !told.contains("topsecret"), "{told}");
    }
}
