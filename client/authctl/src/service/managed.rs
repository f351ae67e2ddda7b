//! Whether a service manager rules the daemon, for the commands that must not wake it and for those that end it.
//!
//! Must never: connect to a socket: where a manager holds it, that starts the daemon.

use mcp_authd_client::start;

use super::here::Here;
use super::reach::Unreachable;
use super::systemd::Mark;
use super::trouble::{self, Trouble};
use super::units_now::{Runs, UnitsNow};

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

    /// What is wrong with the service.
    pub(crate) fn troubles(&self, mark: Mark) -> Vec<Trouble> {
        self.units().map(|now| trouble::all(now, mark)).unwrap_or_default()
    }
}
