//! What is so, for the commands: the manager, the folder of units, how the files stand.
//!
//! Must never: change anything.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use mcp_authd_client::start::StopMark;
use mcp_authd_client::{AdminClient, Sockets};

use super::reach::{self, Seat, Unreachable};
use super::systemd::{Ground, Mark};
use super::unit::{Found, SHIPPED, file};
use super::units_now::UnitsNow;
use crate::exit::{Exit, Failure};
use crate::screen::clean;

/// The folders that say where the daemon keeps what it keeps, with what holds where they are not named.
const BASES: [(&str, &str); 3] =
    [("XDG_CONFIG_HOME", ".config"), ("XDG_STATE_HOME", ".local/state"), ("XDG_DATA_HOME", ".local/share")];

/// A service manager that answers.
#[derive(Debug)]
pub(crate) struct Here {
    /// What is so.
    pub(crate) ground: Ground,
    /// Where the daemon of the service is reached.
    pub(crate) client: AdminClient,
    /// The variables that the manager gives to a service.
    environment: Vec<(String, OsString)>,
}

impl Here {
    /// Looks.
    pub(crate) async fn look() -> Result<Self, Unreachable> {
        let seat = Seat::look();
        let environment = reach::environment(&seat).await?;
        let now = UnitsNow::ask().await.map_err(Unreachable::NoAnswer)?;
        let folder = folder_of_units(&environment)?;
        let found = SHIPPED.map(|(name, _)| Found::at(&file(&folder, name)));
        let stands = StopMark::find().is_ok_and(|mark| mark.path().symlink_metadata().is_ok());
        let mark = if stands { Mark::Stands } else { Mark::None };
        let runtime = of(&environment, "XDG_RUNTIME_DIR").map(PathBuf::from).or(seat.runtime.map(|(folder, _)| folder));
        let runtime = runtime.filter(|folder| folder.is_absolute()).ok_or(Unreachable::Unnamed("XDG_RUNTIME_DIR"))?;
        let client = AdminClient::new(&Sockets::at(runtime.join("mcp-authd/tokens.sock")));
        Ok(Self { ground: Ground { folder, found, now, mark }, client, environment })
    }

    /// Whether the daemon of the service would keep its files where one keeps them that is started from here.
    ///
    /// # Errors
    /// The first variable that says otherwise, with what to type.
    pub(crate) fn keeps_the_same(&self) -> Result<(), Failure> {
        let own: Vec<(String, OsString)> =
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value))).collect();
        same_places(&own, &self.environment)
    }
}

/// Where the manager looks for the person's units first.
fn folder_of_units(managers: &[(String, OsString)]) -> Result<PathBuf, Unreachable> {
    base(managers, BASES[0]).map(|base| base.join("systemd/user")).ok_or(Unreachable::Unnamed("HOME"))
}

fn same_places(own: &[(String, OsString)], managers: &[(String, OsString)]) -> Result<(), Failure> {
    for known @ (name, _) in BASES {
        let Some(there) = base(managers, known) else { continue };
        match base(own, known) {
            Some(here) if here == there => {}
            Some(here) => return Err(elsewhere(name, &here, &there)),
            None => {
                return Err(match absolute(managers, "HOME") {
                    Some(home) => placeless("HOME", &home),
                    None => placeless(name, &there),
                });
            }
        }
    }
    Ok(())
}

fn elsewhere(name: &str, here: &Path, there: &Path) -> Failure {
    let message = format!(
        "this terminal's {name} is {}, and the service manager's is {}: the service would keep its files elsewhere, and know none of \
         your logins. Give it the same one (this holds from now on)",
        here.display(),
        there.display()
    );
    let line = mcp_authd_client::shell::word(&format!("{name}={}", here.display()));
    let next = format!(
        "mkdir -p ~/.config/environment.d && echo {line} >> ~/.config/environment.d/60-mcp-authd.conf && \
         systemctl --user daemon-reload"
    );
    Failure::new(Exit::Failed, clean(&message), next)
}

/// A terminal that does not know where to keep a file.
fn placeless(name: &str, managers: &Path) -> Failure {
    let message = format!(
        "this terminal has no {name} that names a whole path, so it is not known whether the service would find your logins. Give it \
         the one of the service manager"
    );
    let line = mcp_authd_client::shell::word(&format!("{name}={}", managers.display()));
    Failure::new(Exit::Failed, clean(&message), format!("export {line}"))
}

fn of<'a>(variables: &'a [(String, OsString)], name: &str) -> Option<&'a OsStr> {
    variables.iter().find(|(known, value)| known == name && !value.is_empty()).map(|(_, value)| value.as_os_str())
}

/// One of the XDG base directories, a whole path. `None`: it is not known.
fn base(variables: &[(String, OsString)], (name, usual): (&str, &str)) -> Option<PathBuf> {
    absolute(variables, name).or_else(|| absolute(variables, "HOME").map(|home| home.join(usual)))
}

fn absolute(variables: &[(String, OsString)], name: &str) -> Option<PathBuf> {
    of(variables, name).map(PathBuf::from).filter(|path| path.is_absolute())
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn variables(all: &[(&str, &str)]) -> Vec<(String, OsString)> {
        all.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect()
    }

    pub(in crate::service) fn failures() -> Vec<Failure> {
        let manager = variables(&[("HOME", "/home/ada")]);
        let own = [&[("HOME", "/home/ada"), ("XDG_STATE_HOME", "/home/ada/my state")][..], &[]];
        own.into_iter().filter_map(|own| same_places(&variables(own), &manager).err()).collect()
    }

    #[test]
    fn a_folder_of_units_that_is_not_known_is_never_one_below_the_folder_we_are_in() {
        let folder = |all| folder_of_units(&variables(all));
        assert_eq!(folder(&[("HOME", "/h a")]), Ok("/h a/.config/systemd/user".into()));
        assert_eq!(folder(&[("HOME", "/h"), ("XDG_CONFIG_HOME", "/c d")]), Ok("/c d/systemd/user".into()));
        for unknown in [&[][..], &[("HOME", "")], &[("HOME", "$'/h")], &[("HOME", "h"), ("XDG_CONFIG_HOME", "c")]] {
            assert_eq!(folder(unknown), Err(Unreachable::Unnamed("HOME")), "{unknown:?}");
        }
    }

    #[test]
    fn a_manager_that_would_keep_files_elsewhere_is_told_with_what_gives_it_the_same() {
        let manager = variables(&[("HOME", "/h")]);
        let usual = variables(&[("HOME", "/h"), ("XDG_CONFIG_HOME", "/h/.config"), ("XDG_STATE_HOME", "relative")]);
        assert_eq!(same_places(&usual, &manager), Ok(()));
        assert_eq!(same_places(&variables(&[("HOME", "/h")]), &variables(&[])), Ok(()), "what is not known is not wrong");
        let elsewhere = same_places(&variables(&[("HOME", "/h"), ("XDG_STATE_HOME", "/s t")]), &manager).unwrap_err();
        assert!(elsewhere.message.contains("XDG_STATE_HOME is /s t, and the service manager's is /h/.local/state"));
        assert!(elsewhere.next_step.unwrap().contains("echo 'XDG_STATE_HOME=/s t' >> "));
        for own in [&[][..], &[("HOME", "h"), ("XDG_CONFIG_HOME", "/h/.config")]] {
            let placeless = same_places(&variables(own), &manager).unwrap_err();
            assert!(placeless.message.starts_with("this terminal has no HOME that names a whole path, "), "{placeless:?}");
            assert_eq!(placeless.next_step.as_deref(), Some("export HOME=/h"));
        }
        let homeless = variables(&[("XDG_CONFIG_HOME", "/c d")]);
        assert_eq!(same_places(&[], &homeless).unwrap_err().next_step.as_deref(), Some("export 'XDG_CONFIG_HOME=/c d'"));
    }
}
