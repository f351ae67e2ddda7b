//! Many programs at once, and programs whose daemon dies: one daemon, every call answered.

use std::fs;

use mcp_authd_tests::programs::{tool, until};
use mcp_authd_tests::server::{AuthorizationServer, Settings};
use mcp_authd_tests::skip::{Skip, skipped};
use mcp_authd_tests::started;

use super::{Program, all_do, can_run, kill_hard, logged_in_by, machine, pid, served};

const MANY: usize = 20;

#[tokio::test]
async fn twenty_programs_that_start_at_once_get_one_daemon_one_login_and_twenty_answers() {
    if !can_run("twenty programs that start at once") {
        return;
    }
    let server = AuthorizationServer::start(Settings::default());
    let machine = machine(&server);
    let mut programs: Vec<Program> = (0..MANY).map(|_| Program::starts(&machine)).collect();

    // when all ask at once, then all are told the same code
    let codes = all_do(&mut programs, "ask").await;
    assert_eq!(codes.len(), 1, "{codes:?}");
    let code = codes.first().unwrap().strip_prefix("code ").expect("a prompt was to come").to_owned();
    assert_eq!((served(&machine), server.counts().device_authorizations), (1, 1), "{}", machine.logs());

    // and when the person has approved, all get the same token
    server.approve(&code).unwrap();
    let tokens = all_do(&mut programs, "watch").await;
    assert!(tokens.len() == 1 && tokens.first().unwrap().starts_with("token "), "{tokens:?}");
    assert_eq!(all_do(&mut programs, "ask").await, tokens);
    assert_eq!((served(&machine), server.counts().device_authorizations), (1, 1));
    assert_eq!(Some(pid(&machine).await), started::owner(machine.dirs()));
}

#[tokio::test]
async fn after_a_kill_the_next_call_starts_the_daemon_anew() {
    if !can_run("after a kill the next call starts the daemon anew") {
        return;
    }
    let server = AuthorizationServer::start(Settings::default());
    let machine = machine(&server);
    let mut program = Program::starts(&machine);
    let token = logged_in_by(&mut program, &server).await;
    for lives in 2..5 {
        let before = pid(&machine).await;
        kill_hard(before);
        assert_eq!(program.does("look").await, token);
        assert_ne!(pid(&machine).await, before);
        assert_eq!(served(&machine), lives);
    }
    assert_eq!((server.counts().device_authorizations, server.counts().refreshes), (1, 0));
}

#[tokio::test]
async fn a_program_that_only_watches_has_its_daemon_back_by_itself() {
    if !can_run("a program that only watches has its daemon back") {
        return;
    }
    let server = AuthorizationServer::start(Settings::default());
    let machine = machine(&server);
    let mut program = Program::starts(&machine);
    logged_in_by(&mut program, &server).await;
    kill_hard(pid(&machine).await);
    until("a daemon serves again", || served(&machine) == 2).await;
    tool(&machine).status().await.unwrap();
}

#[tokio::test]
async fn a_program_whose_own_file_was_deleted_starts_the_daemon_all_the_same() {
    if !can_run("a program whose own file was deleted") {
        return;
    }
    let server = AuthorizationServer::start(Settings::default());
    let machine = machine(&server);
    // given a program that runs from a file of its own, on the same disk so that it need not be copied
    let this = std::env::current_exe().unwrap();
    let folder = tempfile::tempdir_in(this.parent().unwrap()).unwrap();
    let file = folder.path().join("a-program");
    fs::hard_link(&this, &file).unwrap();
    let mut program = Program::of(machine.any_program(&file), &machine);
    assert!(program.does("ask without starting").await.starts_with("error mcp-authd is not running"));
    fs::remove_file(&file).unwrap();
    assert!(program.does("ask").await.starts_with("code "));
    assert_eq!(served(&machine), 1);
}

#[tokio::test]
async fn a_started_daemon_takes_nothing_along_from_the_program() {
    if !can_run("a started daemon takes nothing along") {
        return;
    }
    let server = AuthorizationServer::start(Settings::default());
    let machine = machine(&server);
    let mut command = machine.any_program(std::env::current_exe().unwrap());
    command
        .env("SOME_SECRET", "hunter2")
        .env("LD_BIND_NOW", "1")
        .env("TMPDIR", machine.dirs().home())
        .current_dir(machine.dirs().home());
    let mut program = Program::of(command, &machine);
    assert!(program.does("ask").await.starts_with("code "));
    let of_daemon = |what: &str| format!("/proc/{}/{what}", started::owner(machine.dirs()).unwrap());
    let Ok(environment) = fs::read_to_string(of_daemon("environ")) else {
        let reason = Skip("/proc/PID/environ of a hardened process is for root only: run the tests as root".to_owned());
        return skipped("a started daemon takes nothing along", &reason);
    };
    let names: Vec<&str> =
        environment.split('\0').filter_map(|variable| variable.split_once('=')).map(|(name, _)| name).collect();
    let expected = ["HOME", "MCP_AUTHD_LOG", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR", "XDG_STATE_HOME"];
    assert_eq!(
        {
            let mut names = names;
            names.sort_unstable();
            names
        },
        expected
    );
    assert_eq!(fs::read_link(of_daemon("cwd")).unwrap().to_str(), Some("/"));
    let opened = |number: u8| fs::read_link(of_daemon(&format!("fd/{number}"))).unwrap();
    assert_eq!(opened(0).to_str(), Some("/dev/null"));
    assert_eq!([opened(1), opened(2)], [started::log(machine.dirs()), started::log(machine.dirs())]);
    let stat = fs::read_to_string(of_daemon("stat")).unwrap();
    let group = stat.rsplit(") ").next().unwrap().split(' ').nth(2).unwrap().to_owned();
    assert_eq!(group, started::owner(machine.dirs()).unwrap().to_string(), "a group of its own: Ctrl-C does not reach it");
}
