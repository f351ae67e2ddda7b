//! `authctl daemon run`: becomes the daemon, in the foreground, with the person's own environment.
//!
//! Must never: start a second process.

use std::os::unix::process::CommandExt as _;
use std::process::Command;

use mcp_authd_client::shell::word;
use mcp_authd_client::start;

use super::failed;
use crate::cli::DaemonRun;
use crate::exit::{Exit, Failure};

/// `authctl daemon run`. Returns only where it fails.
pub(super) fn run(options: &DaemonRun) -> Result<Exit, Failure> {
    let program = start::program().map_err(|why| failed(Exit::Failed, &why))?;
    let error = Command::new(&program).args(&options.arguments).exec();
    let message = format!("{} cannot be run: {error}", program.display());
    Err(Failure::new(Exit::Failed, message, format!("ls -l {}", word(&program.to_string_lossy()))))
}
