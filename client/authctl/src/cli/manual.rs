//! The manual pages and the completions of authctl: what `daemon/packaging/` holds is what the command line says of itself.

use clap::CommandFactory as _;
use mcp_authd_packaging::{Program, Term};

use crate::cli::Cli;

const FILES: &[Term] = &[
    ("$XDG_RUNTIME_DIR/mcp-authd/admin.sock", "Where authctl reaches the daemon."),
    (
        "$XDG_STATE_HOME/mcp-authd/mcp-authd.log",
        "The log of a daemon that a program has started; beyond 4 MiB it begins anew. Without the variable, below ~/.local/state.",
    ),
    (
        "$XDG_CONFIG_HOME/mcp-authd/config.toml",
        "The configuration, which the daemon reads and writes. Without the variable, below ~/.config.",
    ),
];

const ENVIRONMENT: &[Term] = &[
    ("MCP_AUTHD_BIN", "The absolute path of the mcp-authd that is started. Else the one beside authctl, or in PATH."),
    ("MCP_AUTHD_LOG", "The level of the log of a daemon that is started."),
    ("MCP_AUTHD_SOCKET", "The path of tokens.sock; admin.sock stands beside it. No daemon is started there."),
    ("MCP_AUTHD_START", "never: no daemon is started. always: one is, also in a container."),
    ("MCP_AUTHD_STATIC_TOKEN", "A token that authctl token answers with, without any daemon."),
    ("MCP_AUTHD_STATIC_TOKEN_FILE", "The path of a file with such a token."),
    ("BROWSER", "Programs that open a login, between colons, tried in their order; %s stands for the address."),
    ("NO_COLOR", "Where it is set, nothing is coloured."),
];

#[test]
fn the_manual_and_the_completions_are_as_committed() {
    Program { command: Cli::command(), files: FILES, environment: ENVIRONMENT, see_also: &["mcp-authd(1)", "mcp-authd.toml(5)"] }
        .is_as_committed();
}
