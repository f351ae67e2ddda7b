//! What the process gives up at its start: cores, being traced, readable files; and what it takes: descriptors (P4, P8, B23).
//!
//! Must never: close or ignore anything else. Called first in `main`, before any thread and any secret.

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::stat::{Mode, umask};

/// More would only make tables large.
const DESCRIPTORS_AT_MOST: u64 = 65_536;
/// What macOS grants even where it says "unlimited" (`OPEN_MAX`).
const DESCRIPTORS_ON_A_MAC: u64 = 10_240;

/// What could not be had. The daemon serves all the same, and tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Weakness {
    /// Other programs of this user may read our memory (P8).
    #[error("the memory of this process can be read by other programs of this user")]
    Traceable,
    /// A crash may write secrets to a file (P8).
    #[error("a crash may leave a core file")]
    CoreFiles,
    /// Fewer clients can be served (B22).
    #[error("the limit of open files could not be raised")]
    FewDescriptors,
}

/// Hardens this process, and tells what could not be had.
#[must_use]
pub fn harden() -> Vec<Weakness> {
    umask(Mode::S_IRWXG | Mode::S_IRWXO);
    let steps = [
        (forbid_tracing(), Weakness::Traceable),
        (setrlimit(Resource::RLIMIT_CORE, 0, 0), Weakness::CoreFiles),
        (raise_descriptors(), Weakness::FewDescriptors),
    ];
    steps.into_iter().filter_map(|(step, weakness)| step.is_err().then_some(weakness)).collect()
}

/// How many descriptors this process may open.
#[must_use]
pub fn descriptors() -> usize {
    getrlimit(Resource::RLIMIT_NOFILE).ok().and_then(|(soft, _)| usize::try_from(soft).ok()).unwrap_or(256)
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn forbid_tracing() -> nix::Result<()> {
    nix::sys::prctl::set_dumpable(false)
}

/// macOS: the hardened runtime of a signed program does it.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn forbid_tracing() -> nix::Result<()> {
    Ok(())
}

fn raise_descriptors() -> nix::Result<()> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    let wanted = hard.min(DESCRIPTORS_AT_MOST);
    if soft >= wanted {
        return Ok(());
    }
    setrlimit(Resource::RLIMIT_NOFILE, wanted, hard)
        .or_else(|_| setrlimit(Resource::RLIMIT_NOFILE, wanted.min(DESCRIPTORS_ON_A_MAC).max(soft), hard))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
    use std::process::Command;

    /// Runs only as the child of the test below: what it does cannot be undone in a process.
    #[test]
    fn in_a_process_of_its_own() {
        let Some(folder) = std::env::var_os("MCP_AUTHD_TEST_HARDEN_IN") else { return };
        let path = std::path::Path::new(&folder).join("file");
        setrlimit(Resource::RLIMIT_NOFILE, 64, getrlimit(Resource::RLIMIT_NOFILE).unwrap().1).unwrap();
        assert_eq!(harden(), []);
        std::fs::OpenOptions::new().write(true).create_new(true).mode(0o666).open(&path).unwrap();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(getrlimit(Resource::RLIMIT_CORE).unwrap(), (0, 0));
        assert!(descriptors() > 64);
        #[cfg(target_os = "linux")]
        assert!(!nix::sys::prctl::get_dumpable().unwrap());
    }

    #[test]
    fn a_hardened_process_leaves_no_core_and_no_readable_file() {
        let folder = tempfile::tempdir().unwrap();
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "host::hardening::tests::in_a_process_of_its_own", "--nocapture"])
            .env("MCP_AUTHD_TEST_HARDEN_IN", folder.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(folder.path().join("file").exists(), "the child did not run");
    }
}
