//! What authctl knows by itself beside what the daemon says: its own version, the socket that is named, and the service.
//!
//! Must never: ask a service manager, start or change anything.

use std::path::PathBuf;

use mcp_authd_client::Sockets;
use mcp_authd_client::start::{self, Manager, NotStarted, Plan, Service, Situation};
use mcp_authd_client::status::{DaemonStatus, StartedBy};

use crate::exit::Failure;

/// What holds on this side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Here {
    /// The version of this authctl.
    pub(crate) version: String,
    /// The socket for programs that `MCP_AUTHD_SOCKET` names.
    pub(crate) named_socket: Option<PathBuf>,
    /// The service.
    pub(crate) service: Installed,
    /// Whether the mark of `authctl daemon stop` stands.
    pub(crate) mark: StopMark,
}

/// Whether the daemon is a service of this user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Installed {
    /// It is, and its manager starts it.
    Yes(Service),
    /// It is not, and could be.
    No,
    /// It is not, and this is a container, where the daemon outside is asked.
    NotInAContainer,
}

/// Whether the person has stopped the daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StopMark {
    /// The mark stands: no program starts another.
    Stands,
    /// It does not.
    Absent,
}

impl Here {
    /// Looks.
    pub(super) fn look() -> Result<Self, Failure> {
        let sockets = Sockets::find()?;
        let situation = Situation::look(&sockets);
        let service = match (start::installed(), &situation.plan) {
            (Some(service), _) => Installed::Yes(service),
            (None, Plan::Never(NotStarted::Confined(_))) => Installed::NotInAContainer,
            (None, _) => Installed::No,
        };
        Ok(Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            named_socket: situation.tokens_sockets.into_iter().next().filter(|_| sockets.are_named()),
            service,
            mark: if situation.stop_mark.is_some() { StopMark::Stands } else { StopMark::Absent },
        })
    }

    /// The service in words. `None`: it has nothing to do with the daemon that was asked.
    pub(super) fn service_in_words(&self) -> Option<String> {
        match &self.service {
            _ if self.named_socket.is_some() => None,
            Installed::Yes(service) => Some(format!("installed, {} ({})", manager(service.manager), service.name)),
            Installed::No => Some("not installed: authctl service install".to_owned()),
            Installed::NotInAContainer => None,
        }
    }

    /// What has this version and the daemon's be the same. `None`: they are.
    pub(super) fn to_one_version(&self, daemon: &DaemonStatus) -> Option<(&'static str, String)> {
        if self.version == daemon.version {
            return None;
        }
        if numbers(&self.version) < numbers(&daemon.version) {
            return Some(("older than the daemon: what is new there it does not show", "type -a authctl".to_owned()));
        }
        let restart = match &self.service {
            _ if self.named_socket.is_some() => "authctl daemon stop && authctl daemon run".to_owned(),
            Installed::Yes(service) if daemon.started_by == StartedBy::Manager => service.restart(),
            _ => "authctl daemon stop && authctl daemon start".to_owned(),
        };
        Some(("newer than the daemon, which goes on as it is until it begins anew", restart))
    }
}

/// A service manager in one word.
pub(crate) fn manager(manager: Manager) -> &'static str {
    match manager {
        Manager::Systemd => "systemd",
        Manager::Launchd => "launchd",
        _ => "unknown",
    }
}

/// The parts of a version that are numbers.
fn numbers(version: &str) -> Vec<u64> {
    version.split(['.', '-', '+']).map_while(|part| part.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::super::sample::{daemon, here, service};
    use super::*;

    #[test]
    fn another_version_comes_with_the_command_that_makes_them_one() {
        let told = |version: &str, here: Here, started_by| {
            let daemon = DaemonStatus { version: version.into(), started_by, ..daemon(vec![]) };
            here.to_one_version(&daemon).map(|(_, next)| next)
        };
        let managed = || Here { service: Installed::Yes(service()), ..here() };
        let named = || Here { named_socket: Some("/x/tokens.sock".into()), ..managed() };
        let (manager, program) = (StartedBy::Manager, StartedBy::Program);
        assert_eq!(told("0.1.0", here(), program), None);
        assert_eq!(told("0.0.9", here(), program).unwrap(), "authctl daemon stop && authctl daemon start");
        assert_eq!(told("0.0.9", managed(), program).unwrap(), "authctl daemon stop && authctl daemon start");
        assert_eq!(told("0.0.9", managed(), manager).unwrap(), "systemctl --user restart mcp-authd.service");
        assert_eq!(told("0.0.9", named(), manager).unwrap(), "authctl daemon stop && authctl daemon run");
        assert_eq!(told("0.10.0", managed(), manager).unwrap(), "type -a authctl");
        assert_eq!(told("0.1.0-rc1", here(), program).unwrap(), "authctl daemon stop && authctl daemon start");
    }

    #[test]
    fn the_service_is_told_where_it_has_to_do_with_the_daemon() {
        let told = |service| Here { service, ..here() }.service_in_words();
        assert_eq!(told(Installed::Yes(service())).unwrap(), "installed, systemd (mcp-authd.service)");
        assert_eq!(told(Installed::No).unwrap(), "not installed: authctl service install");
        assert_eq!(told(Installed::NotInAContainer), None);
        let named = Here { named_socket: Some("/x/tokens.sock".into()), service: Installed::No, ..here() };
        assert_eq!(named.service_in_words(), None);
    }
}
