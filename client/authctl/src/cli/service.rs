//! What a person may type about the service: `authctl service ..`.
//!
//! Must never: overwrite what somebody has edited without being asked for it by name.

use clap::{Args, Subcommand};

use crate::exit;

/// The commands about the service.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum ServiceCommand {
    /// Have the service manager start the daemon, at each login. A daemon that runs hands over
    #[command(after_help = exit::HELP)]
    Install(Install),
    /// Undo that. A refresh in flight is finished first; logins stay
    #[command(after_help = exit::HELP)]
    Uninstall(Uninstall),
    /// Show the units, whether they run, and what is wrong with them. Starts nothing
    #[command(after_help = STATUS_HELP)]
    Status(ServiceStatus),
    /// Show what the daemon has said
    #[command(after_help = exit::HELP)]
    Logs(Logs),
}

const STATUS_HELP: &str = "\
Exit codes: 0 it is installed and nothing is wrong, 4 something is wrong, 6 it is
not installed, 1 the service manager cannot be asked, 2 wrong usage.

With --json, one object on standard output:
  installed, stopped_by_hand, linger: on, off, unknown
  units [{name, load, enabled, active, sub, file, drop_ins, edited}]
  service {pid, since, restarts, result, exit_code, told}
  wrong [{message, fix}]
On macOS there is, in the place of linger, units, service and wrong:
  agent {file, edited, loaded, pid, last_exit_code}
What is not known is null.";

/// `authctl service install`
#[derive(Debug, Clone, Args)]
pub(crate) struct Install {
    /// Print the files and the commands, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Write units anew that somebody has edited. What stands beside them (systemctl --user edit) is never touched
    #[arg(long)]
    pub(crate) force: bool,
}

/// `authctl service uninstall`
#[derive(Debug, Clone, Args)]
pub(crate) struct Uninstall {
    /// Print the files and the commands, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// `authctl service status`
#[derive(Debug, Clone, Args)]
pub(crate) struct ServiceStatus {
    /// Print one JSON object, for a program
    #[arg(long)]
    pub(crate) json: bool,
}

/// `authctl service logs`
#[derive(Debug, Clone, Args)]
pub(crate) struct Logs {
    /// Stay, and show what comes, until Ctrl-C
    #[arg(short, long)]
    pub(crate) follow: bool,
    /// How many lines of the past
    #[arg(short = 'n', long, value_name = "NUMBER", default_value_t = 50)]
    pub(crate) lines: u32,
}
