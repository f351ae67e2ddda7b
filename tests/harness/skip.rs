//! A story that cannot run on this machine says so aloud; in CI it fails.
//!
//! Must never: let a skipped story look like a passed one where it counts.

use std::fmt;
use std::io::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};

static SKIPPED: AtomicUsize = AtomicUsize::new(0);

/// Why a story cannot run here, with the next step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skip(pub String);

impl fmt::Display for Skip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Skip {}

/// Tells that a story is skipped, past the test runner's capture, with how many were so far in this program.
///
/// # Panics
/// Where the environment says `CI=true`: there nothing is skipped.
pub fn skipped(story: &str, reason: &Skip) {
    let in_ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
    assert!(!in_ci, "SKIPPED in CI, where nothing may be: {story}: {reason}");
    let count = SKIPPED.fetch_add(1, Ordering::Relaxed) + 1;
    tell(&format!("SKIPPED: {story}: {reason} ({count} skipped so far)"));
}

/// Tells a line past the test runner's capture.
pub fn tell(line: &str) {
    // Not eprintln: libtest would show it only where a test fails.
    let _no_matter = writeln!(std::io::stderr().lock(), "{line}");
}

/// How many stories this program has skipped.
#[must_use]
pub fn count() -> usize {
    SKIPPED.load(Ordering::Relaxed)
}
