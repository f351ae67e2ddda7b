//! Where the daemon is installed as a service, its manager is asked, and nothing else.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use mcp_authd_tests::daemon::{Account, Config, Daemon};
use mcp_authd_tests::server::{AuthorizationServer, Settings};
use mcp_authd_tests::started;
use tokio::process::Command;

use super::{authctl, can_run, machine_with, told};

/// A machine with a unit, and with this manager.
fn managed_by(manager: &str, server: &AuthorizationServer) -> Daemon {
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("stories/starting/stand-in").join(manager);
    let config = Config::new().account(Account::at("work", server.issuer()));
    // The stand-in needs programs of the system beside itself; they come second.
    let path = std::env::join_paths([path, PathBuf::from("/usr/bin"), PathBuf::from("/bin")]).unwrap();
    let machine = machine_with(config.environment("PATH", path));
    let units = machine.dirs().config().join("systemd/user");
    fs::create_dir_all(&units).unwrap();
    fs::write(units.join("mcp-authd.service"), "[Service]\n").unwrap();
    // Where a manager listens; files of a unit alone would make none.
    fs::create_dir_all(machine.dirs().runtime().join("systemd")).unwrap();
    fs::write(machine.dirs().runtime().join("systemd/private"), "").unwrap();
    symlink(machine.file_of("mcp-authd"), machine.dirs().home().join("mcp-authd")).unwrap();
    machine
}

fn asked(machine: &Daemon) -> String {
    fs::read_to_string(machine.dirs().home().join("asked")).unwrap_or_default()
}

fn token(machine: &Daemon) -> Command {
    let mut command = machine.program("authctl");
    command.args(["token", "work"]);
    command
}

#[tokio::test]
async fn a_manager_that_starts_it_is_waited_for_and_no_daemon_of_our_own_is_started() {
    if !can_run("a manager that starts it") {
        return;
    }
    let server = AuthorizationServer::start(Settings::default());
    let machine = managed_by("starts", &server);
    let said = told(&mut token(&machine)).await;
    assert_eq!(said.code, Some(3), "the daemon has answered that a person has to log in: {said:?}");
    assert_eq!(asked(&machine), "--user start mcp-authd.service\n");
    assert!(!started::log(machine.dirs()).exists(), "no program of ours was spawned");

    // Its manager answers nothing else: the daemon is ended, and that its sockets may not be is said.
    let stopped = authctl(&machine, &["daemon", "stop"]).await;
    assert!(stopped.code == Some(1) && stopped.err.contains("mcp-authd has stopped, but its service goes on"), "{stopped:?}");
    assert!(started::owner(machine.dirs()).is_none());
}

#[tokio::test]
async fn a_manager_that_fails_is_quoted_and_nothing_else_is_tried() {
    if !can_run("a manager that fails is quoted") {
        return;
    }
    let server = AuthorizationServer::start(Settings::default());
    let machine = managed_by("fails", &server);
    let said = told(&mut token(&machine)).await;
    assert!(said.code == Some(6) && said.err.contains("failed because of a story"), "{said:?}");
    assert!(said.err.ends_with("look at it with: systemctl --user status mcp-authd.service\n"), "{said:?}");
    // Then it is asked for the service's own last words, and has none.
    let asked_for = asked(&machine);
    assert!(asked_for.starts_with("--user start mcp-authd.service\n--user show "), "{asked_for}");
    assert!(started::owner(machine.dirs()).is_none() && !started::log(machine.dirs()).exists());

    // The person's word goes first: where it was stopped by hand, the manager is not even asked.
    let stopped = authctl(&machine, &["daemon", "stop"]).await;
    assert!(
        stopped.code == Some(1) && stopped.err.contains("mcp-authd is not running, but its service may listen"),
        "{stopped:?}"
    );
    let asked_for = asked(&machine);
    let said = told(&mut token(&machine)).await;
    assert!(said.code == Some(6) && said.err.contains("stopped by hand"), "{said:?}");
    assert_eq!(asked(&machine), asked_for);
}
