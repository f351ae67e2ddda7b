//! `authctl daemon stop`: leaves the mark that keeps programs from starting it again, asks the daemon to leave, and waits until it
//! has.
//!
//! Must never: say that it has stopped while it runs, or that no program starts it again where the mark could not be left.

use std::time::Duration;

use mcp_authd_client::start::{NotStarted, Ownership, Situation, StopMark, lives};
use mcp_authd_client::{AdminClient, CallError, ConnectError, Sockets};

use super::failed;
use crate::exit::{Exit, Failure};
use crate::screen;

/// Longer than a leaving daemon waits for what is in flight.
const LEAVE_LIMIT: Duration = Duration::from_secs(70);
/// How long one that starts at this very moment may take until it can be asked.
const APPEAR_LIMIT: Duration = Duration::from_secs(5);
const LOOK: Duration = Duration::from_millis(20);

/// `authctl daemon stop`. A daemon that is not there is stopped already. At a named socket none is ever started, and the mark would
/// keep those away that are.
pub(super) async fn run() -> Result<Exit, Failure> {
    let sockets = Sockets::find()?;
    // First of all: from now on none is started that could not be asked any more.
    let mark = (!sockets.are_named()).then(|| StopMark::find().and_then(|mark| mark.leave()));
    let client = AdminClient::new(&sockets).never_starting();
    let told = match appeared(&client, &sockets).await? {
        Some(pid) => {
            end(&client, pid).await?;
            "mcp-authd has stopped."
        }
        None => "mcp-authd is not running.",
    };
    match mark {
        None => screen::print(&format!("{told}\n"))?,
        Some(Ok(())) => screen::print(&format!("{told} No program starts it until: authctl daemon start\n"))?,
        Some(Err(why)) => return Err(unmarked(told, &why)),
    }
    Ok(Exit::Done)
}

/// The pid of the daemon that answers, now or soon. `None`: there is none.
async fn appeared(client: &AdminClient, sockets: &Sockets) -> Result<Option<i64>, Failure> {
    let looking = async {
        loop {
            match client.status().await {
                Ok(status) => return Ok(Some(status.pid)),
                Err(CallError::Connect(ConnectError::NoDaemon { .. }) | CallError::Interrupted) => {}
                Err(error) => return Err(error.into()),
            }
            if sockets.are_named() {
                return Ok(None);
            }
            match Situation::look(sockets).owner {
                Ownership::Runs(owner) => match owner.socket {
                    Some(socket) if sockets.tokens().iter().all(|tokens| tokens.parent() != socket.parent()) => {
                        return Err(failed(Exit::NotRunning, &NotStarted::ServesElsewhere { pid: owner.pid, socket }));
                    }
                    // It owns the store and does not answer: it starts, or it leaves.
                    _ => tokio::time::sleep(LOOK).await,
                },
                Ownership::Nobody | Ownership::Ended(_) => return Ok(None),
            }
        }
    };
    // A process of that number that never answers is no daemon of ours.
    tokio::time::timeout(APPEAR_LIMIT, looking).await.unwrap_or(Ok(None))
}

/// Asks it to leave, and waits until it has.
async fn end(client: &AdminClient, pid: i64) -> Result<(), Failure> {
    match client.stop().await {
        // It may leave before its answer does.
        Ok(()) | Err(CallError::Interrupted | CallError::Connect(ConnectError::NoDaemon { .. })) => {}
        Err(error) => return Err(error.into()),
    }
    let gone = async {
        while is_there(client, pid).await {
            tokio::time::sleep(LOOK).await;
        }
    };
    tokio::time::timeout(LEAVE_LIMIT, gone).await.map_err(|_| {
        let message = format!("mcp-authd (pid {pid}) was asked to leave, and has not within {LEAVE_LIMIT:?}");
        Failure::new(Exit::Failed, message, "authctl daemon status")
    })
}

/// Whether the daemon of this pid runs, or answers. In another PID namespace only the latter can be told.
async fn is_there(client: &AdminClient, pid: i64) -> bool {
    i32::try_from(pid).is_ok_and(lives) || client.status().await.is_ok_and(|status| status.pid == pid)
}

fn unmarked(told: &str, why: &NotStarted) -> Failure {
    Failure {
        exit: Exit::Failed,
        message: format!("{told} But programs will start it again, because no mark could be left: {why}"),
        next_step: None,
    }
}
