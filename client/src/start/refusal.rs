//! Why a program did not start the daemon, named after what the person does next.
//!
//! Must never: end without what to type.

use std::path::PathBuf;
use std::time::Duration;

use super::plan::{Confinement, Service};
use crate::error::quoted;

/// Why the daemon was not started, or does not serve although it was. Each is half a sentence that follows "it was not started: ".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotStarted {
    /// A socket that is named belongs to a daemon that somebody else runs.
    #[error(
        "MCP_AUTHD_SOCKET names this socket, and at a named socket no program starts it; run it there with: authctl daemon run"
    )]
    SocketNamed,
    /// `MCP_AUTHD_START=never`.
    #[error("MCP_AUTHD_START=never forbids it; run it with: authctl daemon run, or allow it with: unset MCP_AUTHD_START")]
    Forbidden,
    /// `MCP_AUTHD_START` says something else than it can.
    #[error("MCP_AUTHD_START is {0:?}, and can be never or always; take it away with: unset MCP_AUTHD_START")]
    UnknownWish(String),
    /// `authctl daemon stop` has left its mark.
    #[error("it was stopped by hand ({}); start it with: authctl daemon start", mark.display())]
    StoppedByHand {
        /// The mark.
        mark: PathBuf,
    },
    /// This is not the person's own machine, as far as can be seen.
    #[error(
        "this program is in a container ({0}), and the logins belong to the daemon outside. Where the container is your whole machine, \
         type: export MCP_AUTHD_START=always; else bind-mount the folder of the socket, and type: \
         export MCP_AUTHD_SOCKET=/that/folder/tokens.sock"
    )]
    Confined(Confinement),
    /// No home, so no place for what the daemon keeps.
    #[error("no home folder is known; name it with: export HOME=/your/home")]
    NoHome,
    /// The folder of the daemon's records is in the way.
    #[error("the folder {} cannot be used ({why}); look at it with: ls -ld {}", folder.display(), quoted(folder))]
    StateFolder {
        /// The folder.
        folder: PathBuf,
        /// The system's words.
        why: String,
    },
    /// There is no such program.
    #[error("mcp-authd is neither beside this program nor in PATH; name it with: export MCP_AUTHD_BIN=/path/to/mcp-authd")]
    NoProgram,
    /// `MCP_AUTHD_BIN` leads to nothing that runs.
    #[error("MCP_AUTHD_BIN is {}, which is no absolute path of a program; mend it, or: unset MCP_AUTHD_BIN", .0.display())]
    BadProgram(PathBuf),
    /// The system does not run it.
    #[error("{} cannot be run ({why}); look at it with: ls -l {}", program.display(), quoted(program))]
    NotRun {
        /// The program.
        program: PathBuf,
        /// The system's words.
        why: String,
    },
    /// The service manager did not do it.
    #[error("the service manager did not start {service}: {}; look at it with: {}", said.trim_end_matches('.'), service.look())]
    ManagerFailed {
        /// What was to be started.
        service: Service,
        /// The manager's last words.
        said: String,
    },
    /// It ended before it served.
    #[error(
        "{} ended at once ({end}): {}; watch it fail with: authctl daemon run",
        program.display(),
        said.as_deref().unwrap_or("it said nothing")
    )]
    Ended {
        /// The program.
        program: PathBuf,
        /// How.
        end: String,
        /// Its own last sentence.
        said: Option<String>,
    },
    /// The daemon of this store serves where this program does not look.
    #[error(
        "mcp-authd (pid {pid}) serves this user already, where this program does not look; use it with: \
         export MCP_AUTHD_SOCKET={}",
        quoted(socket)
    )]
    ServesElsewhere {
        /// The daemon.
        pid: i32,
        /// Its socket for programs.
        socket: PathBuf,
    },
    /// It was begun, and nothing answers.
    #[error("it was begun, and nothing answers after {after:?}; look at it with: authctl daemon status")]
    TooSlow {
        /// How long was waited.
        after: Duration,
    },
    /// The system gives no thread to do it on.
    #[error("the system gives this program no thread ({0}); look at its limits with: ulimit -a")]
    NoThread(String),
}
