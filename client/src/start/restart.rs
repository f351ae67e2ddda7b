//! What a person types to have the service of the user's manager begin anew.
//!
//! Must never: run a program.

use super::plan::{Manager, Service};

impl Service {
    /// What a person types to have it begin anew, as after an update.
    #[must_use]
    pub fn restart(&self) -> String {
        match self.manager {
            // A socket unit starts the service of its name; that is what runs.
            Manager::Systemd if self.name.ends_with(".socket") => "systemctl --user restart mcp-authd.service".to_owned(),
            Manager::Systemd => format!("systemctl --user restart {}", self.name),
            Manager::Launchd => format!("launchctl kickstart -k gui/$(id -u)/{}", self.name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restart_is_of_the_service_also_where_only_its_socket_is_described() {
        let restart = |manager, name: &str| Service { manager, name: name.into(), file: "/u".into() }.restart();
        for name in ["mcp-authd.service", "mcp-authd-tokens.socket"] {
            assert_eq!(restart(Manager::Systemd, name), "systemctl --user restart mcp-authd.service");
        }
        assert_eq!(restart(Manager::Launchd, "mcp-authd"), "launchctl kickstart -k gui/$(id -u)/mcp-authd");
    }
}
