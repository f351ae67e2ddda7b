//! Finds a leaked secret by the mark that every secret of [`crate::server`] carries (D61, P5, P10).
//!
//! Looks for the mark in clear, in hex, and in base64 at each of its three phases.
//!
//! Must never: print what it finds beyond the mark and its place.

use std::fmt;
use std::path::{Path, PathBuf};

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

/// The first mark of each file under a directory. Sockets, pipes and links are passed over.
///
/// # Panics
/// If a file cannot be read: an unread file proves nothing.
#[must_use]
pub fn in_directory(directory: &Path) -> Vec<Leak> {
    let mut leaks = Vec::new();
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
