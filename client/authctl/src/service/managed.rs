//! Whether a service manager rules the daemon, for the commands that must not wake it and for those that end it.
//!
//! Must never: connect to a socket: where a manager holds it, that starts the daemon.

use mcp_authd_client::Sockets;
use mcp_authd_client::start::{self, Ownership, Situation};

use super::here::Here;
use super::reach::Unreachable;
use super::systemd::Mark;
use super::trouble::{self, Trouble};
use super::units_now::{Runs, UnitsNow};
use crate::exit::{Exit, Failure};

/// Whether a manager rules the daemon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Managed {
    /// It is no service here.
    No,
    /// It is; what the manager says.
    Units(Box<UnitsNow>),
    /// It is, and the manager cannot be asked from here.
    OutOfReach(Unreachable),
}

impl Managed {
    /// Looks. Where no file describes the service, no program is run.
    pub(crate) async fn look() -> Self {
        if start::installed().is_none() {
            return Self::No;
        }
        match Here::look().await {
            Ok(here) => Self::Units(Box::new(here.ground.now)),
            // No manager at all, or root's own terminal: nobody holds a socket for this daemon.
            Err(Unreachable::NoSystemd | Unreachable::RootFor(_)) => Self::No,
            Err(why) => Self::OutOfReach(why),
        }
    }

    /// What the manager says, where it was asked.
    pub(crate) fn units(&self) -> Option<&UnitsNow> {
        if let Self::Units(now) = self { Some(now) } else { None }
    }

    /// Whether a manager holds the sockets and runs no daemon behind them: a connection would start one.
    pub(crate) fn waits(&self) -> bool {
        self.units().is_some_and(|now| {
            let listens = now.tokens.active == Runs::Does || now.admin.active == Runs::Does;
            listens && (!now.service.is_up() || now.service.failure().is_some())
        })
    }

    /// Why a command that only looks must not ask: to connect could start the daemon. `None`: it may.
    fn asleep(&self, owner: &Ownership) -> Option<Failure> {
        match self {
            Self::Units(now) if self.waits() => Some(match now.service.failure() {
                Some(why) => {
                    let message =
                        format!("mcp-authd does not run; mcp-authd.service has failed: {why}; the next call has it tried again");
                    Failure::new(Exit::NotRunning, message, "authctl service status")
                }
                None => {
                    let message = "mcp-authd does not run; the service manager starts it at the first call, and looking does not count as one";
                    Failure::new(Exit::NotRunning, message, "authctl daemon start && authctl status")
                }
            }),
            Self::OutOfReach(why) if !matches!(owner, Ownership::Runs(_)) => Some(Failure {
                exit: Exit::NotRunning,
                ..why.failure(("whether it holds mcp-authd's sockets cannot be told from here", "authctl status"))
            }),
            _ => None,
        }
    }

    /// What is wrong with the service.
    pub(crate) fn troubles(&self, mark: Mark) -> Vec<Trouble> {
        self.units().map(|now| trouble::all(now, mark)).unwrap_or_default()
    }
}

/// Looks whether a command that only looks may connect.
///
/// # Errors
/// It would start the daemon, or might: that it does not run, with what to type.
pub(crate) async fn may_look() -> Result<(), Failure> {
    let sockets = Sockets::find()?;
    // Nobody but its own daemon stands behind a socket that a variable names.
    if sockets.are_named() {
        return Ok(());
    }
    let managed = Managed::look().await;
    managed.asleep(&Situation::look(&sockets).owner).map_or(Ok(()), Err)
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use mcp_authd_client::start::Owner;

    use super::super::installed;
    use super::*;

    fn units(change: impl FnOnce(&mut UnitsNow)) -> Managed {
        let mut now = installed();
        change(&mut now);
        Managed::Units(Box::new(now))
    }

    /// Where to look could start the daemon.
    pub(crate) fn asleep() -> [Failure; 3] {
        let fails = |now: &mut UnitsNow| {
            (now.service.active, now.service.exit_code) = (Runs::Failed, Some(78));
            now.service.told = "cannot serve: /home/ada/.config/mcp-authd/config.toml:3: `isuer` is no key.".into();
        };
        [units(|now| now.service.active = Runs::Not), units(fails), Managed::OutOfReach(Unreachable::NoRuntime)]
            .map(|managed| managed.asleep(&Ownership::Nobody).unwrap())
    }

    #[test]
    fn who_looks_asks_nobody_where_that_could_start_the_daemon() {
        let runs = Ownership::Runs(Owner { pid: 12, socket: None });
        let idle = units(|now| now.service.active = Runs::Not).asleep(&Ownership::Nobody).unwrap();
        assert_eq!((idle.exit, idle.next_step.as_deref()), (Exit::NotRunning, Some("authctl daemon start && authctl status")));
        assert!(idle.message.starts_with("mcp-authd does not run; the service manager starts it at the first call"));
        let failed = units(|now| (now.service.active, now.service.told) = (Runs::Failed, "cannot serve: c:1: no.".into()));
        assert!(failed.asleep(&Ownership::Nobody).unwrap().message.contains("has failed: c:1: no"));
        let out_of_reach = Managed::OutOfReach(Unreachable::NoRuntime);
        assert_eq!(out_of_reach.asleep(&Ownership::Nobody).unwrap().exit, Exit::NotRunning);
        for (managed, owner) in [(units(|_| ()), &Ownership::Nobody), (out_of_reach, &runs), (Managed::No, &Ownership::Nobody)] {
            assert_eq!(managed.asleep(owner), None, "{managed:?}");
        }
    }
}
