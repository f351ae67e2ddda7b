//! `authctl daemon stop`: leaves the mark that keeps programs from starting it again, has the service manager end its service and its
//! sockets, asks a daemon that a program has started to leave, and waits until it has.
//!
//! Must never: say that it has stopped while it runs, or that no program starts it again where the mark could not be left; connect
//! where a service manager may listen, which would start it again.

use std::path::PathBuf;
use std::time::Duration;

use mcp_authd_client::start::{NotStarted, Ownership, Situation, StopMark, lives};
use mcp_authd_client::{AdminClient, CallError, ConnectError, Sockets};

use crate::exit::{Exit, Failure};
use crate::screen;
use crate::service::{self, Managed, Stopped, Unreachable};

/// Longer than a leaving daemon waits for what is in flight.
const LEAVE_LIMIT: Duration = Duration::from_secs(70);
/// How long one that starts at this very moment may take until it can be asked.
const APPEAR_LIMIT: Duration = Duration::from_secs(5);
const LOOK: Duration = Duration::from_millis(20);

const LISTENS_ON: &str = "mcp-authd has stopped, but its service goes on listening, and starts it again at the next call";
const MAY_LISTEN: &str = "mcp-authd is not running, but its service may listen, and start it at the next call";

/// `authctl daemon stop`. A daemon that is not there is stopped already. At a named socket none is ever started, and the mark would
/// keep those away that are.
pub(super) async fn run() -> Result<Exit, Failure> {
    let sockets = Sockets::find()?;
    // First of all: from now on none is started that could not be asked any more.
    let mark = (!sockets.are_named()).then(|| StopMark::find().and_then(|mark| mark.leave()));
    let client = AdminClient::new(&sockets).never_starting();
    let managed = if sockets.are_named() { Managed::No } else { Managed::look().await };
    let told = match &managed {
        Managed::OutOfReach(why) => return Err(out_of_reach(&client, &sockets, why).await?),
        // First the sockets: behind them it would be started again.
        Managed::No | Managed::Units(_) => match (service::stop(&managed).await?, appeared(&client, &sockets).await?) {
            (_, Some(pid)) => {
                end(&client, pid).await?;
                "mcp-authd has stopped."
            }
            (Stopped::Service, None) => "mcp-authd has stopped, and its service with it.",
            (Stopped::Nothing, None) => "mcp-authd is not running.",
        },
    };
    match mark {
        None => screen::print(&format!("{told}\n"))?,
        Some(Ok(())) => {
            screen::print(&(format!("{told} No program starts it until: authctl daemon start\n") + comes_back(&managed)))?
        }
        Some(Err(why)) => return Err(unmarked(told, why)),
    }
    Ok(Exit::Done)
}

/// The mark keeps programs away, and the manager's sockets until they listen again.
fn comes_back(managed: &Managed) -> &'static str {
    let is_enabled = managed.units().is_some_and(|now| now.tokens.enabled == "enabled" || now.admin.enabled == "enabled");
    if is_enabled {
        "The service stays enabled: at your next login it listens again. To have it gone: authctl service uninstall\n"
    } else {
        ""
    }
}

/// It is a service, and its manager cannot be asked from here: then the daemon alone can be ended, and not what starts it again.
async fn out_of_reach(client: &AdminClient, sockets: &Sockets, why: &Unreachable) -> Result<Failure, Failure> {
    let what = match Situation::look(sockets).owner {
        Ownership::Runs(owner) => {
            // It runs, so that nobody starts it by this.
            match client.stop().await {
                Ok(()) | Err(CallError::Interrupted | CallError::Connect(ConnectError::NoDaemon { .. })) => {}
                Err(error) => return Err(error.into()),
            }
            let gone = async {
                while lives(owner.pid) {
                    tokio::time::sleep(LOOK).await;
                }
            };
            tokio::time::timeout(LEAVE_LIMIT, gone).await.map_err(|_| stays(i64::from(owner.pid)))?;
            LISTENS_ON
        }
        Ownership::Nobody | Ownership::Ended(_) => MAY_LISTEN,
    };
    Ok(and_stop(why.failure((what, "authctl daemon status"))))
}

/// Once the manager can be asked, it can be told to stop.
fn and_stop(failure: Failure) -> Failure {
    let next_step = failure.next_step.map(|next| format!("{next} && authctl daemon stop"));
    Failure { next_step, ..failure }
}

fn stays(pid: i64) -> Failure {
    let message = format!("mcp-authd (pid {pid}) was asked to leave, and has not within {} s", LEAVE_LIMIT.as_secs());
    Failure::new(Exit::Failed, message, "authctl daemon status")
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
                        return Err(elsewhere(owner.pid, socket));
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
    tokio::time::timeout(LEAVE_LIMIT, gone).await.map_err(|_| stays(pid))
}

/// Whether the daemon of this pid runs, or answers. In another PID namespace only the latter can be told.
async fn is_there(client: &AdminClient, pid: i64) -> bool {
    i32::try_from(pid).is_ok_and(lives) || client.status().await.is_ok_and(|status| status.pid == pid)
}

fn elsewhere(pid: i32, socket: PathBuf) -> Failure {
    Failure { exit: Exit::NotRunning, ..NotStarted::ServesElsewhere { pid, socket }.into() }
}

fn unmarked(told: &str, why: NotStarted) -> Failure {
    let message = format!("{told} But programs will start it again, because no mark could be left: {why}");
    Failure { message, ..why.into() }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::daemon) fn failures() -> Vec<Failure> {
        let (folder, why) = ("/home/ada/.local/state/mcp-authd".into(), "Permission denied (os error 13)".into());
        vec![
            stays(4242),
            elsewhere(4242, "/tmp/other/tokens.sock".into()),
            and_stop(Unreachable::NoRuntime.failure((LISTENS_ON, "authctl daemon status"))),
            and_stop(Unreachable::NoManager.failure((MAY_LISTEN, "authctl daemon status"))),
            unmarked("mcp-authd has stopped, and its service with it.", NotStarted::StateFolder { folder, why }),
        ]
    }
}
