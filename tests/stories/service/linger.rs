//! Whether the person's service manager outlives the person's sessions, as a real `systemd-logind` has it: said where it matters.

use mcp_authd_tests::server::{AuthorizationServer, Settings};
use mcp_authd_tests::service::{Lingers, Machine, inside, inside_with_sessions};
use serde_json::Value;

use super::configured;

const OVER_SSH: [(&str, &str); 1] = [("SSH_CONNECTION", "192.0.2.1 22022 192.0.2.2 22")];
const AT_A_DESK: [(&str, &str); 1] = [("SSH_CONNECTION", "")];
/// What a person types to have the manager go on.
const ENABLE: &str = "            loginctl enable-linger\n";

async fn runs(machine: &Machine, command: &str, from: &[(&str, &str)]) -> String {
    let (code, out, err) = machine.authctl_with(&["service", command], from).await;
    assert!(code == 0 && err.is_empty(), "{command}: {out}{err}");
    out
}

/// As `service status --json` has it.
async fn lingers(machine: &Machine) -> Value {
    let (_, out, err) = machine.authctl(&["service", "status", "--json"]).await;
    serde_json::from_str::<Value>(&out).unwrap_or_else(|_| panic!("{out}{err}"))["linger"].take()
}

#[tokio::test]
async fn over_ssh_the_installation_says_that_it_ends_with_the_session_and_how_it_goes_on() {
    let story = "linger::over_ssh_the_installation_says_that_it_ends_with_the_session_and_how_it_goes_on";
    let Some(machine) = inside_with_sessions(story, Lingers::No) else { return };
    configured(&machine, &AuthorizationServer::start(Settings::default()));
    machine.watch_service();
    let out = runs(&machine, "install", &OVER_SSH).await;
    assert!(
        out.contains("\n  ends      with your last session on this machine, and what runs on without one")
            && out.contains(ENABLE),
        "{out}"
    );
    let out = runs(&machine, "status", &OVER_SSH).await;
    assert!(out.contains("\n  linger    off: it ends with your last session on this machine;") && out.contains(ENABLE), "{out}");
    assert_eq!(lingers(&machine).await, "off");

    // At a desk the programs that ask end with the session, too: it is shown, and nothing is to be done.
    let out = runs(&machine, "install", &AT_A_DESK).await;
    assert!(!out.contains("linger") && !out.contains("\n  ends "), "{out}");
    let out = runs(&machine, "status", &AT_A_DESK).await;
    assert!(
        out.contains("\n  linger    off: it ends with your last session on this machine\n") && !out.contains(ENABLE),
        "{out}"
    );
}

#[tokio::test]
async fn who_lingers_is_told_so_and_nothing_else() {
    let Some(machine) = inside_with_sessions("linger::who_lingers_is_told_so_and_nothing_else", Lingers::Yes) else { return };
    configured(&machine, &AuthorizationServer::start(Settings::default()));
    machine.watch_service();
    let out = runs(&machine, "install", &OVER_SSH).await;
    assert!(!out.contains("linger") && !out.contains("\n  ends "), "{out}");
    let out = runs(&machine, "status", &OVER_SSH).await;
    assert!(out.contains("\n  linger    on: it can be asked from the boot on") && !out.contains(ENABLE), "{out}");
    assert_eq!(lingers(&machine).await, "on");
}

#[tokio::test]
async fn what_nobody_tells_is_not_said() {
    let Some(machine) = inside("linger::what_nobody_tells_is_not_said") else { return };
    configured(&machine, &AuthorizationServer::start(Settings::default()));
    machine.watch_service();
    for command in ["install", "status"] {
        let out = runs(&machine, command, &OVER_SSH).await;
        assert!(!out.contains("linger") && !out.contains("\n  ends "), "{out}");
    }
    assert_eq!(lingers(&machine).await, "unknown");
}
