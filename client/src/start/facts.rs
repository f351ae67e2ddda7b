//! Gathering what is so: the environment, files, the PID namespace. May hang where a folder stands on a dead network drive, so it
//! runs on the attempt's thread.
//!
//! Must never: decide, change anything, or panic where a system is odd (no /proc, a deleted executable).

use std::fs::Metadata;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::places::{self, STOP_MARK, Variable};
use super::plan::{Confinement, Facts, Manager, Program, Service, SocketPlace, State, Surroundings, Wish};

/// The inode of the first PID namespace: `PROC_PID_INIT_INO` of the kernel.
#[cfg(any(target_os = "linux", target_os = "android"))]
const FIRST_PID_NAMESPACE: u64 = 0xEFFF_FFFC;

/// Files that container programs put into a container: Docker, Podman.
const CONTAINER_FILES: [&str; 2] = ["/.dockerenv", "/run/.containerenv"];

/// Where a machine that systemd has started has this folder (sd_booted(3)).
const BOOTED: &str = "/run/systemd/system";
/// Where a user's manager listens, below `XDG_RUNTIME_DIR`: it may have been brought into a container that has no systemd itself.
const MANAGERS_SOCKET: &str = "systemd/private";

/// Looks at everything.
pub(super) fn gather(place: SocketPlace, variable: Variable<'_>) -> Facts {
    let home = places::home(variable);
    Facts {
        place,
        wish: wish(variable),
        state: state(variable, home.as_deref()),
        surroundings: surroundings(variable),
        service: managed(variable, Path::new(BOOTED)),
        program: program(variable),
    }
}

fn wish(variable: Variable<'_>) -> Wish {
    let Some(wish) = variable("MCP_AUTHD_START") else { return Wish::ByTheRules };
    match wish.to_str() {
        Some("never") => Wish::Never,
        Some("always") => Wish::Always,
        _ => Wish::Unknown(wish.to_string_lossy().into_owned()),
    }
}

fn state(variable: Variable<'_>, home: Option<&Path>) -> State {
    let Some(folder) = places::state_folder(variable, home) else { return State::NoHome };
    let mark = folder.join(STOP_MARK);
    match std::fs::symlink_metadata(&mark) {
        Ok(_) => State::StoppedByHand(mark),
        Err(error) if error.kind() == ErrorKind::NotFound => State::At(folder),
        // Whether the person has stopped it cannot be told: then it stays stopped.
        Err(error) => State::Unreadable { folder, why: error.to_string() },
    }
}

fn surroundings(variable: Variable<'_>) -> Surroundings {
    let by_file =
        || CONTAINER_FILES.map(PathBuf::from).into_iter().find(|file| file.symlink_metadata().is_ok()).map(Confinement::File);
    let by_variable = || variable("container").map(|value| Confinement::Variable(value.to_string_lossy().into_owned()));
    by_namespace().or_else(by_file).or_else(by_variable).map_or(Surroundings::OwnMachine, Surroundings::Confined)
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn by_namespace() -> Option<Confinement> {
    use std::os::unix::fs::MetadataExt as _;
    match std::fs::metadata("/proc/self/ns/pid") {
        Ok(namespace) if namespace.ino() == FIRST_PID_NAMESPACE => None,
        Ok(_) => Some(Confinement::PidNamespace),
        Err(_) => Some(Confinement::Unknown),
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn by_namespace() -> Option<Confinement> {
    None
}

/// The daemon as a service of this user's service manager, by the files that describe it, where a manager may run.
#[must_use]
pub fn installed() -> Option<Service> {
    managed(&places::of_this_process, Path::new(BOOTED))
}

/// Whether this machine has service managers at all; files of a service alone, as of a package in an image, make none.
#[must_use]
pub fn has_manager() -> bool {
    may_manage(&places::of_this_process, Path::new(BOOTED))
}

fn managed(variable: Variable<'_>, booted: &Path) -> Option<Service> {
    let files = || places::service_files(variable, places::home(variable).as_deref());
    may_manage(variable, booted).then(files)?.into_iter().find_map(service)
}

fn may_manage(variable: Variable<'_>, booted: &Path) -> bool {
    let listens = |folder: PathBuf| folder.is_absolute() && folder.join(MANAGERS_SOCKET).exists();
    cfg!(target_vendor = "apple") || booted.is_dir() || variable("XDG_RUNTIME_DIR").map(PathBuf::from).is_some_and(listens)
}

/// A file that stands. One that leads to /dev/null is a masked unit: the person wants no such service.
pub(super) fn service(file: PathBuf) -> Option<Service> {
    let stands = std::fs::metadata(&file).is_ok_and(|found| found.is_file());
    let name = if cfg!(target_vendor = "apple") { file.file_stem() } else { file.file_name() }?.to_str()?.to_owned();
    let manager = if cfg!(target_vendor = "apple") { Manager::Launchd } else { Manager::Systemd };
    stands.then_some(Service { manager, name, file })
}

/// The program that would be spawned.
pub(super) fn program(variable: Variable<'_>) -> Program {
    if let Some(given) = variable("MCP_AUTHD_BIN").map(PathBuf::from) {
        return if given.is_absolute() && runs(&given) { Program::Found(given) } else { Program::Bad(given) };
    }
    find_program("mcp-authd", variable).map_or(Program::Missing, Program::Found)
}

/// A program beside our own, or in PATH.
pub(super) fn find_program(name: &str, variable: Variable<'_>) -> Option<PathBuf> {
    // Unknown without /proc; where the file was deleted, what it names does not stand there.
    let own = std::env::current_exe().ok();
    places::program_files(name, variable, own.as_deref()).into_iter().find(|file| runs(file))
}

fn runs(file: &Path) -> bool {
    let runs = |found: &Metadata| found.is_file() && found.permissions().mode() & 0o111 != 0;
    std::fs::metadata(file).is_ok_and(|found| runs(&found))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use std::ffi::OsString;

    fn among(variables: Vec<(&'static str, PathBuf)>) -> impl Fn(&str) -> Option<OsString> {
        move |name| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| value.clone().into_os_string())
    }

    #[test]
    fn the_wish_is_read_and_a_misspelt_one_is_told() {
        for (value, expected) in [("never", Wish::Never), ("always", Wish::Always), ("no", Wish::Unknown("no".into()))] {
            assert_eq!(wish(&among(vec![("MCP_AUTHD_START", value.into())])), expected);
        }
        assert_eq!(wish(&among(vec![])), Wish::ByTheRules);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_mark_stops_and_so_does_a_folder_that_cannot_be_looked_into() {
        let root = tempfile::tempdir().unwrap();
        let variables = among(vec![("XDG_STATE_HOME", root.path().into())]);
        let folder = root.path().join("mcp-authd");
        assert_eq!(state(&variables, None), State::At(folder.clone()));
        std::fs::create_dir(&folder).unwrap();
        assert_eq!(state(&variables, None), State::At(folder.clone()));
        std::fs::write(folder.join(STOP_MARK), "").unwrap();
        assert_eq!(state(&variables, None), State::StoppedByHand(folder.join(STOP_MARK)));
        std::fs::remove_dir_all(&folder).unwrap();
        std::fs::write(&folder, "a file in the place of the folder").unwrap();
        assert!(matches!(state(&variables, None), State::Unreadable { .. }));
        assert_eq!(state(&among(vec![]), None), State::NoHome);
    }

    #[test]
    fn a_container_is_known_by_its_variable() {
        let confined = surroundings(&among(vec![("container", "podman".into())]));
        // On a machine that is a container itself, something else may tell it before.
        assert!(matches!(confined, Surroundings::Confined(_)), "{confined:?}");
    }

    #[test]
    fn a_program_that_is_named_is_the_only_one_and_has_to_run() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("mcp-authd");
        std::fs::write(&file, "").unwrap();
        let named = |path: &Path| program(&among(vec![("MCP_AUTHD_BIN", path.into()), ("PATH", root.path().into())]));
        assert_eq!(named(&file), Program::Bad(file.clone()), "it may not be run");
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o700)).unwrap();
        assert_eq!(named(&file), Program::Found(file.clone()));
        assert_eq!(named(Path::new("mcp-authd")), Program::Bad("mcp-authd".into()), "relative");
        assert_eq!(program(&among(vec![("PATH", root.path().into())])), Program::Found(file));
        assert_eq!(program(&among(vec![])), Program::Missing);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_unit_file_makes_a_service_and_a_masked_one_does_not() {
        let root = tempfile::tempdir().unwrap();
        let units = root.path().join("systemd/user");
        std::fs::create_dir_all(&units).unwrap();
        let variables = among(vec![("XDG_CONFIG_HOME", root.path().into())]);
        let found = || places::service_files(&variables, None).into_iter().find_map(service);
        assert_eq!(found(), None);
        std::os::unix::fs::symlink("/dev/null", units.join("mcp-authd.service")).unwrap();
        assert_eq!(found(), None);
        std::fs::write(units.join("mcp-authd-tokens.socket"), "").unwrap();
        assert_eq!(found().unwrap().command().1, ["--user", "start", "mcp-authd-tokens.socket"]);
        std::fs::remove_file(units.join("mcp-authd.service")).unwrap();
        std::fs::write(units.join("mcp-authd.service"), "").unwrap();
        assert_eq!(found().unwrap().command().1, ["--user", "start", "mcp-authd.service"]);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn unit_files_make_no_service_where_no_manager_can_run() {
        let root = tempfile::tempdir().unwrap();
        let (units, booted, runtime) = (root.path().join("systemd/user"), root.path().join("booted"), root.path().join("run"));
        std::fs::create_dir_all(&units).unwrap();
        std::fs::write(units.join("mcp-authd.service"), "").unwrap();
        let variables = among(vec![("XDG_CONFIG_HOME", root.path().into()), ("XDG_RUNTIME_DIR", runtime.clone())]);
        assert_eq!(managed(&variables, &booted), None);
        std::fs::create_dir_all(runtime.join("systemd")).unwrap();
        assert_eq!(managed(&variables, &booted), None);
        std::fs::write(runtime.join(MANAGERS_SOCKET), "").unwrap();
        assert!(managed(&variables, &booted).is_some(), "a manager that was brought here");
        std::fs::remove_file(runtime.join(MANAGERS_SOCKET)).unwrap();
        std::fs::create_dir(&booted).unwrap();
        assert!(managed(&variables, &booted).is_some());
        // Over SSH, or in a job: that no manager can be found is told by it, and no other daemon is started.
        assert!(managed(&among(vec![("XDG_CONFIG_HOME", root.path().into())]), &booted).is_some());
    }
}
