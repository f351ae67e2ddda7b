//! The daemon as a service of the user's manager, by the files that describe it; no manager is asked.
//!
//! Must never: run a program, or change anything.

use super::facts;
use super::places::{self, Variable};
use super::plan::{Manager, Service};

impl Service {
    /// The service as it is installed, whatever a program would do without a daemon. `None`: no file describes one.
    #[must_use]
    pub fn installed() -> Option<Self> {
        Self::described(&places::of_this_process)
    }

    fn described(variable: Variable<'_>) -> Option<Self> {
        places::service_files(variable, places::home(variable).as_deref()).into_iter().find_map(facts::service)
    }

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
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn a_service_is_found_by_its_file_and_without_one_there_is_none() {
        let root = tempfile::tempdir().unwrap();
        let variable = |name: &str| match name {
            "HOME" => Some(root.path().into()),
            _ => None,
        };
        let units = root.path().join(".config/systemd/user");
        // A machine may have one for all its users.
        let before = Service::described(&variable);
        assert!(before.is_none_or(|service| !service.file.starts_with(root.path())));
        std::fs::create_dir_all(&units).unwrap();
        std::fs::write(units.join("mcp-authd.service"), "[Service]\n").unwrap();
        let service = Service::described(&variable).unwrap();
        assert_eq!((service.name.as_str(), service.file), ("mcp-authd.service", units.join("mcp-authd.service")));
    }

    #[test]
    fn a_restart_is_of_the_service_also_where_only_its_socket_is_described() {
        let restart = |manager, name: &str| Service { manager, name: name.into(), file: "/u".into() }.restart();
        for name in ["mcp-authd.service", "mcp-authd-tokens.socket"] {
            assert_eq!(restart(Manager::Systemd, name), "systemctl --user restart mcp-authd.service");
        }
        assert_eq!(restart(Manager::Launchd, "mcp-authd"), "launchctl kickstart -k gui/$(id -u)/mcp-authd");
    }
}
