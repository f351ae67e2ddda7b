//! `authctl service` where no service can be: without systemd, and as root for somebody. Inside a user manager: `stories/service`.

use mcp_authd_tests::server::{AuthorizationServer, Settings};
use nix::unistd::geteuid;

use super::{can_run, machine, pid, skipped, told};

const COMMANDS: [&str; 3] = ["install", "uninstall", "status"];

#[tokio::test]
async fn without_systemd_each_command_says_that_none_is_needed() {
    let server = AuthorizationServer::start(Settings::default());
    let machine = machine(&server);
    for command in COMMANDS {
        let said = told(machine.program("authctl").env("PATH", "/nowhere").args(["service", command])).await;
        assert!(said.code == Some(1) && said.err.contains("there is no systemd here"), "{said:?}");
        assert!(said.err.ends_with("next: authctl daemon start\n"), "{said:?}");
    }
    let nothing = told(machine.program("authctl").env("PATH", "/nowhere").args(["service", "logs"])).await;
    assert!(nothing.code == Some(6) && nothing.err.contains("no daemon of yours has left a log"), "{nothing:?}");
    assert!(!machine.dirs().config().join("systemd").exists());
}

#[tokio::test]
async fn the_log_of_a_daemon_that_a_program_has_started_is_shown_and_named() {
    if !can_run("the log of a daemon that a program has started") {
        return;
    }
    let server = AuthorizationServer::start(Settings::default());
    let machine = machine(&server);
    assert_eq!(super::authctl(&machine, &["daemon", "start"]).await.code, Some(0));
    let serving = format!("serving accounts=1 socket={}", machine.tokens_socket().display());
    let said = super::authctl(&machine, &["service", "logs", "-n", "5000"]).await;
    assert!(said.code == Some(0) && said.out.contains(&serving), "{said:?}");
    assert!(said.err.starts_with("authctl: of the daemon that a program has started: tail -n 5000 -- /"), "{said:?}");
    assert!(pid(&machine).await > 0);
    assert_eq!(super::authctl(&machine, &["daemon", "stop"]).await.code, Some(0));
}

#[tokio::test]
async fn root_is_told_whose_service_it_would_be() {
    if !geteuid().is_root() {
        skipped("root is told whose service it would be", &mcp_authd_tests::skip::Skip("only root can be root".into()));
        return;
    }
    let server = AuthorizationServer::start(Settings::default());
    let machine = machine(&server);
    for command in COMMANDS {
        let said = told(machine.program("authctl").env("SUDO_USER", "ada").args(["service", command])).await;
        assert!(said.code == Some(1) && said.err.contains("it is ada's service: run it without sudo"), "{said:?}");
        assert!(said.err.ends_with(&format!("next: authctl service {command}\n")), "{said:?}");
    }
}
