//! The person's word under a service manager: stop, start, status, doctor, and a daemon that is started by hand beside it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

use mcp_authd_tests::programs::until;
use mcp_authd_tests::server::{AuthorizationServer, Settings};
use mcp_authd_tests::service::{Machine, inside};

use super::{installed, logged_in, look, service_is, token};

fn socket_is(machine: &Machine, state: &str) {
    for socket in ["mcp-authd-tokens.socket", "mcp-authd-admin.socket"] {
        assert_eq!(machine.systemctl(&["show", socket, "--value", "-p", "ActiveState"]).trim(), state, "{socket}");
    }
}

/// Enabled and listening, with nothing behind it yet.
fn waits(machine: &Machine, server: &AuthorizationServer) {
    installed(machine, server);
    machine.systemctl(&["enable", "--now", "mcp-authd-tokens.socket", "mcp-authd-admin.socket"]);
}

#[tokio::test]
async fn a_stop_ends_the_sockets_with_the_service_and_a_start_brings_both_back() {
    let Some(machine) = inside("ruled::a_stop_ends_the_sockets_with_the_service_and_a_start_brings_both_back") else { return };
    let server = AuthorizationServer::start(Settings::default());
    waits(&machine, &server);
    logged_in(&machine).await;
    let (held, program) = (token(&machine).await, machine.program_with_library());
    // A program that asks all the time must not bring it back.
    let (code, out, err) = machine.authctl(&["daemon", "stop"]).await;
    assert_eq!(code, 0, "{out}{err}");
    assert!(
        out.starts_with("mcp-authd has stopped, and its service with it. No program starts it until: authctl daemon start\n"),
        "{out}"
    );
    assert!(out.ends_with("at your next login it listens again. To have it gone: authctl service uninstall\n"), "{out}");
    let refused = program.token(look()).await.unwrap_err().to_string();
    assert!(refused.contains("it was stopped by hand") && refused.ends_with("authctl daemon start"), "{refused}");
    socket_is(&machine, "inactive");
    assert_eq!((machine.property("ActiveState").as_str(), machine.main_pid()), ("inactive", 0));
    let (code, out, _) = machine.authctl(&["service", "status"]).await;
    assert!(code == 0 && out.contains("was stopped by hand") && out.ends_with("next      authctl daemon start\n"), "{out}");
    let (code, out, _) = machine.authctl(&["daemon", "stop"]).await;
    assert!(code == 0 && out.starts_with("mcp-authd is not running. No program starts it"), "{out}");

    // And back again.
    let (code, out, err) = machine.authctl(&["daemon", "start"]).await;
    assert!(code == 0 && out.contains(" is running (pid "), "{out}{err}");
    socket_is(&machine, "active");
    service_is(&machine, "active").await;
    assert_eq!(token(&machine).await.sha256(), held.sha256());
    assert_eq!((server.counts().device_authorizations, server.counts().refreshes), (1, 0));
}

#[tokio::test]
async fn who_looks_starts_nothing_and_what_waits_behind_its_sockets_is_well() {
    let Some(machine) = inside("ruled::who_looks_starts_nothing_and_what_waits_behind_its_sockets_is_well") else { return };
    let server = AuthorizationServer::start(Settings::default());
    waits(&machine, &server);
    let (code, out, err) = machine.authctl(&["doctor"]).await;
    assert!(code == 0 && out.starts_with("Nothing is wrong:") && out.contains("starts the daemon at the first"), "{out}{err}");
    let (code, out, err) = machine.authctl(&["daemon", "status"]).await;
    assert!(code == 6 && out.contains("its service manager listens, and starts it at the first call"), "{out}{err}");
    let (code, out, err) = machine.authctl(&["service", "status"]).await;
    assert!(code == 0 && out.contains("starts when a program first asks"), "{out}{err}");
    for (command, next) in [("status", "next: authctl daemon start && authctl status\n"), ("log", "next: authctl service logs\n")]
    {
        let (code, out, err) = machine.authctl(&[command]).await;
        assert!(
            code == 6 && err.contains("the service manager starts it at the first call") && err.ends_with(next),
            "{out}{err}"
        );
    }
    assert_eq!((machine.property("ActiveState").as_str(), machine.log().as_str()), ("inactive", ""), "nothing was started");

    // Over SSH without a session bus, the sockets are found, and still nothing is started.
    let ssh = [("XDG_RUNTIME_DIR", ""), ("DBUS_SESSION_BUS_ADDRESS", ""), ("SSH_CONNECTION", "192.0.2.1 1 192.0.2.2 22")];
    for command in
        [&["doctor"][..], &["daemon", "status"], &["service", "install"], &["service", "uninstall"], &["service", "status"]]
    {
        let (code, out, err) = machine.authctl_with(command, &ssh).await;
        let told = out + &err;
        assert!(
            code != 0 && (told.contains("XDG_RUNTIME_DIR") || told.contains("cannot be asked from here")),
            "{command:?}: {told}"
        );
    }
    assert_eq!((machine.property("ActiveState").as_str(), machine.log().as_str()), ("inactive", ""), "nothing was started");

    // A manager that hangs costs some seconds, and its word is not waited for any longer.
    let hangs = machine.home().join("hangs");
    fs::create_dir(&hangs).unwrap();
    fs::write(hangs.join("systemctl"), "#!/bin/sh\nexec sleep 1000\n").unwrap();
    fs::set_permissions(hangs.join("systemctl"), fs::Permissions::from_mode(0o700)).unwrap();
    let begin = Instant::now();
    let path = format!("{}:/usr/bin:/bin", hangs.display());
    let (code, out, err) = machine.authctl_with(&["service", "install"], &[("PATH", &path)]).await;
    assert!(code == 1 && err.contains("gave no answer within 8 s; nothing was installed"), "{out}{err}");
    assert!(begin.elapsed() < Duration::from_secs(20), "{:?}", begin.elapsed());

    // The doctor finds it well when it runs, too.
    logged_in(&machine).await;
    let (code, out, err) = machine.authctl(&["doctor"]).await;
    assert!(code == 0 && out.contains("The service manager runs it, and its units are in order."), "{out}{err}");
}

#[tokio::test]
async fn a_daemon_started_by_hand_leaves_the_managers_sockets_alone() {
    let Some(machine) = inside("ruled::a_daemon_started_by_hand_leaves_the_managers_sockets_alone") else { return };
    let server = AuthorizationServer::start(Settings::default());
    waits(&machine, &server);
    let (code, _, err) = machine.authctl(&["daemon", "run"]).await;
    let last = err.lines().last().unwrap_or_default();
    assert!(code == 75 && last.contains("the service manager listens at") && last.contains("authctl daemon start"), "{err}");
    // It has neither taken them nor woken anybody.
    assert_eq!((machine.property("ActiveState").as_str(), machine.main_pid()), ("inactive", 0));
    logged_in(&machine).await;
    assert_eq!(machine.tool().status().await.unwrap().pid, i64::from(machine.main_pid()));
    // Where the person has stopped the service, what it left is no obstacle.
    assert_eq!(machine.authctl(&["daemon", "stop"]).await.0, 0);
    let by_hand = machine.program("authctl");
    let mut child = tokio::process::Command::new(by_hand).args(["daemon", "run"]).kill_on_drop(true).spawn().unwrap();
    let pid = i64::from(child.id().unwrap());
    until("it serves", || std::os::unix::net::UnixStream::connect(machine.tokens_socket()).is_ok()).await;
    assert_eq!(machine.tool().status().await.unwrap().pid, pid);
    let ((code, out, err), ended) = tokio::join!(machine.authctl(&["daemon", "stop"]), child.wait());
    assert!(code == 0 && out.starts_with("mcp-authd has stopped. No program"), "{out}{err}");
    assert!(ended.unwrap().success());
}

#[tokio::test]
async fn a_socket_of_the_manager_that_somebody_deletes_comes_back() {
    let Some(machine) = inside("ruled::a_socket_of_the_manager_that_somebody_deletes_comes_back") else { return };
    let server = AuthorizationServer::start(Settings::default());
    waits(&machine, &server);
    logged_in(&machine).await;
    let (held, pid) = (token(&machine).await, machine.main_pid());
    fs::remove_file(machine.tokens_socket()).unwrap();
    until("it is bound again", || machine.tokens_socket().exists()).await;
    assert_eq!((token(&machine).await.sha256(), machine.main_pid()), (held.sha256(), pid));
    assert!(machine.log().contains("the service manager's socket was erased"), "{}", machine.log());

    // At a restart the manager hands over what nobody finds any more.
    machine.systemctl(&["restart", "mcp-authd.service"]);
    until("it is bound again", || machine.tokens_socket().exists()).await;
    assert_eq!(token(&machine).await.sha256(), held.sha256());

    // What the log says to type makes it the manager's again.
    machine.systemctl(&["restart", "mcp-authd-tokens.socket", "mcp-authd-admin.socket"]);
    machine.systemctl(&["stop", "mcp-authd.service"]);
    assert!(machine.tokens_socket().exists());
    assert_eq!(token(&machine).await.sha256(), held.sha256());
}
