//! The lock of the records, the mark of `authctl daemon stop`, and how a program would start the daemon.

use std::path::Path;

use mcp_authd_client::start::{NotStarted, Owner, Ownership, Plan, Process};

use super::super::facts::{Facts, Heard, Naming};
use super::super::finding::{Check, Finding};
use super::{quoted, sentence};

/// The name that the kernel keeps of the daemon.
const DAEMON: &str = "mcp-authd";

pub(super) fn judge(facts: &Facts) -> Vec<Finding> {
    [lock(facts), start(facts)].into_iter().flatten().collect()
}

fn lock(facts: &Facts) -> Option<Finding> {
    let here = facts.daemon.examined().map(|examined| examined.status.pid);
    let finding = match (&facts.situation.owner, here) {
        (Ownership::Runs(owner), Some(pid)) if i64::from(owner.pid) == pid => {
            Finding::well(Check::Lock, format!("It is held by the daemon that answers (pid {pid})."))
        }
        (Ownership::Runs(owner), Some(pid)) if may_be_a_daemon(facts.owner.as_ref()) => two(owner, pid, facts),
        (_, Some(pid)) => elsewhere(pid, facts),
        (Ownership::Runs(owner), None) => silent(owner, facts),
        (Ownership::Ended(owner), None) => {
            Finding::well(Check::Lock, format!("Nobody holds it; pid {} did last, and has ended without a word.", owner.pid))
        }
        (Ownership::Nobody, None) => Finding::well(Check::Lock, "Nobody holds it."),
    };
    let folder = facts.situation.state_folder.as_ref()?;
    Some(finding.about(folder.join("mcp-authd.lock").to_string_lossy()))
}

/// Where nothing is known of it, it may be one.
fn may_be_a_daemon(process: Option<&Process>) -> bool {
    process.and_then(|process| process.name.as_deref()).is_none_or(|name| name == DAEMON)
}

/// One answers, another one owns the records of this environment.
fn two(owner: &Owner, pid: i64, facts: &Facts) -> Finding {
    let message = format!("The daemon of pid {} holds it, and another one (pid {pid}) answers here.", owner.pid);
    match (facts.named, &owner.socket) {
        (Naming::Variable, _) => {
            let message = format!("{message} MCP_AUTHD_SOCKET names that one.");
            Finding::worth_knowing(Check::Lock, message, "unset MCP_AUTHD_SOCKET")
        }
        (Naming::Usual, Some(socket)) => {
            Finding::wrong(Check::Lock, message, format!("export MCP_AUTHD_SOCKET={}", quoted(socket)))
        }
        (Naming::Usual, None) => Finding::wrong(Check::Lock, message, "ps -C mcp-authd -o pid,lstart,args"),
    }
}

/// The daemon that answers keeps its records in another folder than this environment says.
fn elsewhere(pid: i64, facts: &Facts) -> Finding {
    let message = format!("The daemon that answers (pid {pid}) keeps its records in another folder than this terminal would.");
    match facts.named {
        Naming::Variable => Finding::well(Check::Lock, format!("{message} MCP_AUTHD_SOCKET names it.")),
        Naming::Usual => Finding::worth_knowing(
            Check::Lock,
            format!("{message} It was started with another HOME or XDG_STATE_HOME."),
            "authctl daemon stop && authctl daemon start",
        ),
    }
}

/// Somebody holds it, and does not answer here.
fn silent(owner: &Owner, facts: &Facts) -> Finding {
    let pid = owner.pid;
    let process = facts.owner.clone().unwrap_or_default();
    match (&owner.socket, &process.name) {
        (_, Some(name)) if name != DAEMON => {
            Finding::well(Check::Lock, format!("Nobody holds it; pid {pid} did last, and is another program now ({name})."))
        }
        (Some(socket), _) if !is_looked_at(socket, facts) => Finding::wrong(
            Check::Lock,
            format!("The daemon that holds it (pid {pid}) serves at {}, where this terminal does not look.", socket.display()),
            format!("export MCP_AUTHD_SOCKET={}", quoted(socket)),
        ),
        _ if process.is_stopped => Finding::wrong(
            Check::Lock,
            format!("The daemon that holds it (pid {pid}) was stopped by a signal, and answers nobody."),
            format!("kill -CONT {pid}"),
        ),
        _ => Finding::wrong(
            Check::Lock,
            format!(
                "The daemon that holds it (pid {pid}) does not answer. It may be about to start or to leave: look again, else end it."
            ),
            format!("kill {pid}"),
        ),
    }
}

fn is_looked_at(socket: &Path, facts: &Facts) -> bool {
    facts.situation.tokens_sockets.iter().any(|tokens| tokens.parent() == socket.parent())
}

fn start(facts: &Facts) -> Option<Finding> {
    let marked = facts.situation.stop_mark.is_some() && facts.named == Naming::Usual;
    match &facts.situation.plan {
        _ if marked => {
            let running = !matches!(facts.daemon, Heard::Nothing | Heard::NotAsked);
            let until = if running { "It runs; once it ends, no program starts it" } else { "No program starts it" };
            let message = format!("`authctl daemon stop` has left its mark. {until} until you do.");
            Some(Finding::worth_knowing(Check::Start, message, "authctl daemon start"))
        }
        Plan::Spawn(program) => {
            Some(Finding::well(Check::Start, format!("The first program that needs it starts it: {}", program.display())))
        }
        Plan::AskManager(service) => {
            let (program, arguments) = service.command();
            Some(Finding::well(Check::Start, format!("The service manager starts it: {program} {}", arguments.join(" "))))
        }
        Plan::Never(why) => Some(never(why)),
        _ => None,
    }
}

/// A wish of the person is nothing wrong; a way that leads nowhere is.
pub(super) fn never(why: &NotStarted) -> Finding {
    let wish = |message: &str, fix: &str| Finding::worth_knowing(Check::Start, message, fix);
    let wrong = |message: &str, fix: &str| Finding::wrong(Check::Start, message, fix);
    match why {
        NotStarted::SocketNamed => {
            wish("MCP_AUTHD_SOCKET names the socket, and at a named socket no program starts it.", "authctl daemon run")
        }
        NotStarted::Forbidden => wish("MCP_AUTHD_START=never keeps programs from starting it.", "unset MCP_AUTHD_START"),
        NotStarted::StoppedByHand { .. } => wish("It was stopped by hand.", "authctl daemon start"),
        NotStarted::Confined(confinement) => wish(
            &format!("This is a container ({confinement}): no program starts it here; the logins belong to the daemon outside."),
            "export MCP_AUTHD_SOCKET=/folder/of/its/socket/tokens.sock",
        ),
        NotStarted::UnknownWish(said) => {
            wrong(&format!("MCP_AUTHD_START is {said:?}, and can be never or always."), "unset MCP_AUTHD_START")
        }
        NotStarted::NoHome => wrong("No home folder is known.", "export HOME=/your/home"),
        NotStarted::NoProgram => wrong(
            "mcp-authd is neither beside authctl nor in PATH, so nobody can start it.",
            "export MCP_AUTHD_BIN=/path/to/mcp-authd",
        ),
        NotStarted::BadProgram(program) => wrong(
            &format!("MCP_AUTHD_BIN is {}, which is no absolute path of a program.", program.display()),
            "unset MCP_AUTHD_BIN",
        ),
        NotStarted::StateFolder { folder, why } => {
            wrong(&format!("The folder {} cannot be used ({why}).", folder.display()), &format!("ls -ld {}", quoted(folder)))
        }
        other => wrong(&sentence(&other.to_string()), "authctl daemon status"),
    }
}
