//! Where things stand that starting has to do with: a pure function from the environment to paths, by the daemon's own rules.
//!
//! Must never: look at a file, or take a relative path from the environment.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The lock of the store, in the state folder; the daemon's `host/hand_over.rs` says the same.
pub(super) const LOCK: &str = "mcp-authd.lock";
/// The mark that the person has stopped the daemon, in the state folder; the daemon's `daemon.rs` says the same.
pub(super) const STOP_MARK: &str = "stopped";
/// What a daemon says that a program has started, in the state folder.
pub(super) const LOG: &str = "mcp-authd.log";

/// The key of the store, in the data folder; the daemon's `store/key.rs` says the same.
pub(super) const KEY: &str = "store.key";

const OURS: &str = "mcp-authd";

/// Looks a variable up; an empty one counts as not set.
pub(super) type Variable<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// A variable of this process.
pub(super) fn of_this_process(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

fn absolute(variable: Variable<'_>, name: &str) -> Option<PathBuf> {
    variable(name).map(PathBuf::from).filter(|path| path.is_absolute())
}

/// `HOME`, or what the user database says.
pub(super) fn home(variable: Variable<'_>) -> Option<PathBuf> {
    let of_database = || nix::unistd::User::from_uid(nix::unistd::geteuid()).ok().flatten().map(|user| user.dir);
    absolute(variable, "HOME").or_else(of_database).filter(|home| home.is_absolute())
}

/// The folder of the records, the lock, the mark and the log.
pub(super) fn state_folder(variable: Variable<'_>, home: Option<&Path>) -> Option<PathBuf> {
    below(variable, home, ("XDG_STATE_HOME", ".local/state"))
}

/// The folder of the key.
pub(super) fn data_folder(variable: Variable<'_>, home: Option<&Path>) -> Option<PathBuf> {
    below(variable, home, ("XDG_DATA_HOME", ".local/share"))
}

/// The configuration.
pub(super) fn config_file(variable: Variable<'_>, home: Option<&Path>) -> Option<PathBuf> {
    below(variable, home, ("XDG_CONFIG_HOME", ".config")).map(|folder| folder.join("config.toml"))
}

/// Our folder in one of the XDG base directories; on macOS all of them are one.
fn below(variable: Variable<'_>, home: Option<&Path>, (name, usual): (&str, &str)) -> Option<PathBuf> {
    let base = if cfg!(target_vendor = "apple") {
        home.map(|home| home.join("Library/Application Support"))
    } else {
        absolute(variable, name).or_else(|| home.map(|home| home.join(usual)))
    };
    base.map(|base| base.join(OURS))
}

/// The files that describe the daemon as a service, the one that counts first.
pub(super) fn service_files(variable: Variable<'_>, home: Option<&Path>) -> Vec<PathBuf> {
    if cfg!(target_vendor = "apple") {
        return home.map(|home| home.join("Library/LaunchAgents/mcp-authd.plist")).into_iter().collect();
    }
    // systemd.unit(5), user unit search path.
    let below_home = |rest: &str| home.map(|home| home.join(rest));
    let config = absolute(variable, "XDG_CONFIG_HOME").or_else(|| below_home(".config"));
    let data = absolute(variable, "XDG_DATA_HOME").or_else(|| below_home(".local/share"));
    let of_user = [config, absolute(variable, "XDG_RUNTIME_DIR"), data].into_iter().flatten();
    let of_system = ["/etc", "/usr/local/lib", "/usr/lib"].map(PathBuf::from);
    let folders: Vec<PathBuf> = of_user.chain(of_system).map(|base| base.join("systemd/user")).collect();
    // The service before its socket: only a start of the service tells whether it serves.
    let names = ["mcp-authd.service", "mcp-authd-tokens.socket"];
    names.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name))).collect()
}

/// Where a program of this name may stand: beside our own, then in PATH. What PATH says relatively does not count: it would be a
/// program of whatever folder we are in.
pub(super) fn program_files(name: &str, variable: Variable<'_>, own: Option<&Path>) -> Vec<PathBuf> {
    let beside = own.and_then(Path::parent).map(Path::to_owned);
    let path = variable("PATH").unwrap_or_default();
    let folders = beside.into_iter().chain(std::env::split_paths(&path)).filter(|folder| folder.is_absolute());
    folders.map(|folder| folder.join(name)).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn among<'a>(variables: &'a [(&'a str, &'a str)]) -> impl Fn(&str) -> Option<OsString> + 'a {
        |name| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(value))
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_state_folder_is_the_daemons() {
        let home = Some(Path::new("/h"));
        assert_eq!(state_folder(&among(&[]), home).unwrap(), Path::new("/h/.local/state/mcp-authd"));
        assert_eq!(state_folder(&among(&[("XDG_STATE_HOME", "/s")]), home).unwrap(), Path::new("/s/mcp-authd"));
        let relative = among(&[("XDG_STATE_HOME", "s")]);
        assert_eq!(state_folder(&relative, home).unwrap(), Path::new("/h/.local/state/mcp-authd"));
        assert_eq!(state_folder(&relative, None), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_unit_of_the_user_goes_before_one_of_the_system_and_a_service_before_a_socket() {
        let files = service_files(&among(&[("XDG_RUNTIME_DIR", "/r")]), Some(Path::new("/h")));
        let at = |path: &str| files.iter().position(|file| file == Path::new(path)).unwrap();
        assert_eq!(at("/h/.config/systemd/user/mcp-authd.service"), 0);
        assert_eq!(at("/r/systemd/user/mcp-authd.service"), 1);
        assert_eq!(at("/usr/lib/systemd/user/mcp-authd.service"), 5);
        assert_eq!(at("/h/.config/systemd/user/mcp-authd-tokens.socket"), 6);
        assert_eq!(files.len(), 12);
    }

    #[test]
    fn a_program_is_looked_for_beside_our_own_and_never_in_a_relative_folder() {
        let variables = among(&[("PATH", "/a:.::b:/c")]);
        let found = program_files("mcp-authd", &variables, Some(Path::new("/own/tool")));
        assert_eq!(found, ["/own/mcp-authd", "/a/mcp-authd", "/c/mcp-authd"].map(PathBuf::from));
        // A program whose own file cannot be told, as in a chroot without /proc.
        assert_eq!(program_files("x", &among(&[]), None), Vec::<PathBuf>::new());
        assert_eq!(program_files("x", &among(&[]), Some(Path::new(" (deleted)"))), Vec::<PathBuf>::new());
    }
}
