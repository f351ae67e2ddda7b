//! `authctl daemon start|stop|status|run`: the person's word goes before every program's need.

use mcp_authd_tests::programs::until;
use mcp_authd_tests::server::{AuthorizationServer, Settings};
use mcp_authd_tests::started;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use std::process::Stdio;

use super::{Program, authctl, can_run, logged_in_by, machine, pid, served};

#[tokio::test]
async fn after_a_stop_by_hand_none_comes_back_until_the_start() {
    if !can_run("after a stop by hand none comes back") {
        return;
    }
    // given a program that calls and watches
    let server = AuthorizationServer::start(Settings::default());
    let machine = machine(&server);
    let mut program = Program::starts(&machine);
    let token = logged_in_by(&mut program, &server).await;

    // when the person stops the daemon, then it has gone when the command ends
    let before = pid(&machine).await;
    let said = authctl(&machine, &["daemon", "stop"]).await;
    assert_eq!(
        (said.code, said.out.as_str()),
        (Some(0), "mcp-authd has stopped. No program starts it until: authctl daemon start\n")
    );
    assert!(!mcp_authd_client::start::lives(before) && started::owner(machine.dirs()).is_none());

    // and whoever needs it is told what to type, the watching program's own tries included
    for _ in 0..3 {
        let told = program.does("look").await;
        assert!(told.contains("it was stopped by hand") && told.ends_with("authctl daemon start"), "{told}");
        let said = authctl(&machine, &["token", "work"]).await;
        assert!(said.code == Some(6) && said.err.ends_with("start it with: authctl daemon start\n"), "{said:?}");
    }
    let said = authctl(&machine, &["daemon", "status"]).await;
    assert!(
        said.code == Some(6) && said.out.contains("stopped   by hand") && said.out.contains("next      authctl daemon start")
    );
    // Stopping what is stopped is no failure.
    let said = authctl(&machine, &["daemon", "stop"]).await;
    assert!(said.code == Some(0) && said.out.starts_with("mcp-authd is not running. No program starts it until"), "{said:?}");
    assert_eq!((served(&machine), started::owner(machine.dirs())), (1, None));

    // when the person starts it, then it serves when the command ends, and programs have it back
    let said = authctl(&machine, &["daemon", "start"]).await;
    let now = pid(&machine).await;
    let socket = machine.tokens_socket();
    assert_eq!(
        (said.code, said.out),
        (Some(0), format!("mcp-authd 0.1.0 is running (pid {now}).\n  programs  {}\n", socket.display()))
    );
    assert_eq!(program.does("look").await, token);
    let said = authctl(&machine, &["daemon", "start"]).await;
    assert!(said.code == Some(0) && said.out.starts_with(&format!("mcp-authd 0.1.0 is running already (pid {now})")), "{said:?}");
    assert_eq!(server.counts().device_authorizations, 1);
}

#[tokio::test]
async fn a_stop_where_nothing_runs_keeps_programs_from_starting_it() {
    if !can_run("a stop where nothing runs") {
        return;
    }
    let server = AuthorizationServer::start(Settings::default());
    let machine = machine(&server);
    assert_eq!(authctl(&machine, &["daemon", "stop"]).await.code, Some(0));
    let mut program = Program::starts(&machine);
    assert!(program.does("ask").await.contains("it was stopped by hand"));
    // A program that has decided before the mark was left: the daemon itself heeds it.
    let late = machine.program("mcp-authd").arg("--unless-stopped").stdin(Stdio::null()).output().await.unwrap();
    let last = String::from_utf8(late.stderr).unwrap().lines().last().unwrap_or_default().to_owned();
    assert!(late.status.code() == Some(77) && last.ends_with("authctl daemon start"), "{last}");
    assert_eq!(served(&machine), 0);
}

#[tokio::test]
async fn stops_and_needs_at_the_same_moment_leave_none_behind() {
    if !can_run("stops and needs at the same moment") {
        return;
    }
    let server = AuthorizationServer::start(Settings::default());
    let machine = machine(&server);
    for _ in 0..5 {
        // given programs that ask while the person stops the daemon
        let mut programs: Vec<Program> = (0..4).map(|_| Program::starts(&machine)).collect();
        for program in &mut programs {
            program.order("ask").await;
        }
        let said = authctl(&machine, &["daemon", "stop"]).await;
        assert_eq!(said.code, Some(0), "{said:?}");
        // then, whatever each of them was told, nothing serves any more, and nothing will
        for program in &mut programs {
            let told = program.tells().await;
            let answers = ["code ", "refused No token right now: the daemon is about to end", "error mcp-authd is not running"];
            assert!(answers.iter().any(|answer| told.starts_with(answer)), "{told}");
        }
        assert_eq!(started::owner(machine.dirs()), None, "{}", machine.logs());
        assert_eq!(authctl(&machine, &["daemon", "status"]).await.code, Some(6));
        assert_eq!(authctl(&machine, &["daemon", "start"]).await.code, Some(0));
    }
}

#[tokio::test]
async fn run_becomes_the_daemon_in_the_foreground_with_its_arguments() {
    if !can_run("run becomes the daemon") {
        return;
    }
    let server = AuthorizationServer::start(Settings::default());
    let machine = machine(&server);
    let said = authctl(&machine, &["daemon", "run", "--config", "/nowhere/at/all.toml", "--no-such-flag"]).await;
    assert!(said.code == Some(2) && said.err.contains("--no-such-flag"), "{said:?}");
    let mut command = machine.program("authctl");
    let child = command.args(["daemon", "run"]).stdin(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
    let own = child.id().unwrap();
    until("it serves", || machine.tokens_socket().exists()).await;
    let said = authctl(&machine, &["daemon", "status", "--json"]).await;
    let json: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(
        (&json["running"], &json["pid"], &json["owner"]["pid"]),
        (&true.into(), &own.into(), &own.into()),
        "the same process"
    );
    assert_eq!(json["tokens_socket"].as_str(), machine.tokens_socket().to_str());
    assert_eq!(json["start"]["how"], "program");
    kill(Pid::from_raw(own.try_into().unwrap()), Signal::SIGTERM).unwrap();
    let ended = child.wait_with_output().await.unwrap();
    assert!(ended.status.success() && String::from_utf8(ended.stderr).unwrap().contains("serving"), "its log is on the terminal");
}
