//! `authctl daemon run`: becomes the daemon, in the foreground, with the person's own environment.
//!
//! Must never: start a second process.

use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use mcp_authd_client::shell::word;
use mcp_authd_client::start;

use crate::cli::DaemonRun;
use crate::exit::{Exit, Failure};

/// `authctl daemon run`. Returns only where it fails.
pub(super) fn run(options: &DaemonRun) -> Result<Exit, Failure> {
    let program = start::program()?;
    let error = Command::new(&program).args(&options.arguments).exec();
    Err(not_run(&program, &error))
}

fn not_run(program: &Path, error: &io::Error) -> Failure {
    let message = format!("{} cannot be run: {error}", program.display());
    Failure::new(Exit::Failed, message, format!("ls -l {}", word(&program.to_string_lossy())))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::daemon) fn failures() -> Vec<Failure> {
        vec![not_run("/home/ada/my programs/mcp-authd".as_ref(), &io::Error::from_raw_os_error(13))]
    }
}
