//! The program `mcp-authd`: hardens the process, sets up the log, and runs the daemon.
//!
//! Must never: hold a secret.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use mcp_authd::daemon::{self, Options, Started};
use mcp_authd::host::activation::Activation;
use mcp_authd::host::{hardening, inherited, log, tasks};

/// Owns every OAuth credential of this user, and hands short-lived access tokens
/// to local programs.
///
/// It serves two sockets in $XDG_RUNTIME_DIR/mcp-authd: tokens.sock for programs,
/// admin.sock for authctl. The log goes to standard error, or with its fields to
/// the systemd journal where that stands behind it; MCP_AUTHD_LOG sets its level
/// (error, warn, info, debug, trace).
///
/// In a regular file tokens that are given are told of at debug only, as it
/// would grow with each program that runs. `authctl log` always tells of them.
///
/// Exit codes:
///    0  asked to leave, or idle
///   75  another mcp-authd already serves
///   77  stopped by hand
///   78  the configuration, or what a service manager hands over, does not hold
///    1  anything else
#[derive(Debug, Parser)]
#[command(version, about, verbatim_doc_comment, term_width = 80)]
struct Arguments {
    /// Read this file instead of $XDG_CONFIG_HOME/mcp-authd/config.toml.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Ask an mcp-authd that serves already to leave, and take its place. For service managers.
    #[arg(long)]
    take_over: bool,
    /// Do not serve where `authctl daemon stop` has left its mark. For programs that start the daemon.
    #[arg(long, conflicts_with = "take_over")]
    unless_stopped: bool,
    /// Leave when nobody has been connected for so long; 0: never.
    ///
    /// Only where a service manager holds both sockets, and so starts the
    /// next one when somebody connects. It stays while a login waits, while
    /// anything is not saved, and for a day after an account was last used,
    /// to renew its tokens ahead of their end.
    #[arg(long, value_name = "SECONDS", default_value_t = 600, verbatim_doc_comment)]
    idle_exit: u32,
}

impl Arguments {
    fn idle_exit(&self) -> Option<Duration> {
        Some(Duration::from_secs(self.idle_exit.into())).filter(|patience| !patience.is_zero())
    }

    fn started(&self) -> Started {
        match (self.take_over, self.unless_stopped) {
            (true, _) => Started::ByManager,
            (_, true) => Started::ByProgram,
            _ => Started::ByPerson,
        }
    }
}

fn main() -> ExitCode {
    inherited::close();
    // Before any thread: it takes variables out of the environment.
    let activation = Activation::take();
    let weaknesses = hardening::harden();
    let arguments = Arguments::parse();
    let started = arguments.started();
    let log = log::begin();
    let runtime = match tasks::runtime() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&format!("no runtime: {error}. Next: look at the limits of this user with: ulimit -a"), 1),
    };
    let idle_exit = arguments.idle_exit();
    let options = Options { config: arguments.config, weaknesses, started, activation, idle_exit, log };
    let ended = runtime.block_on(daemon::run(options));
    // A thread that the operating system holds in a file call must not hold the process.
    runtime.shutdown_timeout(Duration::from_secs(1));
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => fail(&failure.to_string(), failure.exit_code()),
    }
}

fn fail(sentence: &str, code: u8) -> ExitCode {
    // Where standard error is closed there is nobody to tell.
    let _ = writeln!(std::io::stderr(), "mcp-authd: {sentence}");
    ExitCode::from(code)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;
    use mcp_authd_packaging::{Program, Term};

    use super::*;

    const FILES: &[Term] = &[
        (
            "$XDG_CONFIG_HOME/mcp-authd/config.toml",
            "The configuration: one table for each account. Without the variable, below ~/.config.",
        ),
        ("$XDG_RUNTIME_DIR/mcp-authd/tokens.sock", "The socket for programs."),
        ("$XDG_RUNTIME_DIR/mcp-authd/admin.sock", "The socket for authctl."),
        ("$XDG_STATE_HOME/mcp-authd/", "The sealed records and the lock. Without the variable, below ~/.local/state."),
        ("$XDG_DATA_HOME/mcp-authd/", "The key of the records. Without the variable, below ~/.local/share."),
    ];
    const ENVIRONMENT: &[Term] = &[
        ("MCP_AUTHD_LOG", "The level of the log: error, warn, info (where it is not set), debug, trace."),
        ("MCP_AUTHD_SOCKET", "The absolute path of tokens.sock; admin.sock stands beside it."),
        ("NO_COLOR", "Where it is set, the log has no colours."),
    ];

    #[test]
    fn the_help_is_80_columns_wide() {
        for page in [Arguments::command().render_help(), Arguments::command().render_long_help()] {
            let page = page.to_string();
            let wide: Vec<&str> = page.lines().filter(|line| line.chars().count() > 80).collect();
            assert!(wide.is_empty() && page.ends_with('\n'), "{wide:#?}");
        }
    }

    #[test]
    fn no_paragraph_of_the_help_breaks_in_its_middle() {
        let page = Arguments::command().render_long_help().to_string();
        let lines: Vec<&str> = page.lines().map(str::trim_start).collect();
        for begin in
            ["(error, warn, info, debug, trace).", "next one when somebody connects. It stays while a login waits, while"]
        {
            assert!(lines.contains(&begin), "{begin}: {page}");
        }
    }

    #[test]
    fn the_manual_and_the_completions_are_as_committed() {
        Program {
            command: Arguments::command(),
            files: FILES,
            environment: ENVIRONMENT,
            see_also: &["authctl(1)", "mcp-authd.toml(5)"],
        }
        .is_as_committed();
    }
}
