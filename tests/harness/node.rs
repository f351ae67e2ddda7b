//! Programs that run with Node: whether this machine can, and where their folders are.
//!
//! Must never: install anything. What is missing is told with the command that gets it.

use std::path::{Path, PathBuf};

use tokio::process::Command;

use crate::skip::Skip;

const OLDEST_NODE: u32 = 20;

/// A folder of this package whose Node program has this dependency installed.
///
/// # Errors
/// What this machine lacks, with the next step.
pub(crate) async fn folder(name: &str, dependency: &str) -> Result<PathBuf, Skip> {
    is_new_enough().await?;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    if !folder.join("node_modules").join(dependency).is_dir() {
        return Err(Skip(format!("its packages are missing: run `npm ci` in {}", folder.display())));
    }
    Ok(folder)
}

async fn is_new_enough() -> Result<(), Skip> {
    let asked = Command::new("node").arg("--version").output().await;
    let Ok(output) = asked else { return Err(Skip(format!("node is missing: install Node {OLDEST_NODE} or later"))) };
    let version = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let major = version.trim_start_matches('v').split('.').next().and_then(|major| major.parse::<u32>().ok());
    match major {
        Some(major) if major >= OLDEST_NODE => Ok(()),
        _ => Err(Skip(format!("node is {version:?}: install Node {OLDEST_NODE} or later"))),
    }
}
