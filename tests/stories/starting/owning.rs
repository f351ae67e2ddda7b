//! Two runtime directories, two state directories, and links to one: never two refreshers of one store.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::{DirBuilderExt as _, symlink};
use std::path::{Path, PathBuf};

use mcp_authd_tests::daemon::Daemon;
use mcp_authd_tests::programs::{tool, until};
use mcp_authd_tests::server::{AuthorizationServer, Settings};
use mcp_authd_tests::started;
use tokio::process::Command;

use super::{Program, all_do, can_run, logged_in_by, machine, pid, served};

fn another_folder(machine: &Daemon, name: &str) -> PathBuf {
    let folder = machine.dirs().root().join(name);
    DirBuilder::new().mode(0o700).create(&folder).unwrap();
    folder
}

fn command_with(machine: &Daemon, variable: &str, value: &Path) -> Command {
    let mut command = machine.any_program(std::env::current_exe().unwrap());
    command.env(variable, value);
    command
}

fn program_with(machine: &Daemon, variable: &str, value: &Path) -> Program {
    Program::of(command_with(machine, variable, value), machine)
}

#[tokio::test]
async fn two_runtime_directories_over_one_state_lead_to_one_owner_and_the_other_program_is_told_where() {
    if !can_run("two runtime directories over one state") {
        return;
    }
    // given a daemon that a program has started in one runtime directory
    let server = AuthorizationServer::start(Settings::default());
    let machine = machine(&server);
    let token = logged_in_by(&mut Program::starts(&machine), &server).await;
    let owner = pid(&machine).await;

    // when a program looks in another, then it is told where the daemon serves, and can go there
    let elsewhere = another_folder(&machine, "run2");
    let told = program_with(&machine, "XDG_RUNTIME_DIR", &elsewhere).does("look").await;
    let way = format!("export MCP_AUTHD_SOCKET={}", machine.tokens_socket().display());
    assert!(told.contains(&format!("mcp-authd (pid {owner}) serves this user already")) && told.ends_with(&way), "{told}");
    let mut guided = command_with(&machine, "XDG_RUNTIME_DIR", &elsewhere);
    guided.env("MCP_AUTHD_SOCKET", machine.tokens_socket());
    assert_eq!(Program::of(guided, &machine).does("look").await, token);

    // and where the state is reached through a link, too
    let link = machine.dirs().root().join("a-link");
    symlink(machine.dirs().state(), &link).unwrap();
    let mut linked = command_with(&machine, "XDG_RUNTIME_DIR", &elsewhere);
    linked.env("XDG_STATE_HOME", &link);
    let told = Program::of(linked, &machine).does("look").await;
    assert!(told.contains(&format!("mcp-authd (pid {owner}) serves this user already")), "{told}");

    assert_eq!((pid(&machine).await, served(&machine)), (owner, 1));
    assert_eq!((server.counts().device_authorizations, server.counts().refreshes), (1, 0));
}

#[tokio::test]
async fn programs_in_two_runtime_directories_that_start_at_once_make_one_owner() {
    if !can_run("programs in two runtime directories that start at once") {
        return;
    }
    let server = AuthorizationServer::start(Settings::default());
    let machine = machine(&server);
    let elsewhere = another_folder(&machine, "run2");
    let link = machine.dirs().root().join("a-link");
    symlink(machine.dirs().state(), &link).unwrap();
    let mut programs: Vec<Program> = Vec::new();
    for _ in 0..4 {
        let mut linked = command_with(&machine, "XDG_RUNTIME_DIR", &elsewhere);
        linked.env("XDG_STATE_HOME", &link);
        programs.extend([
            Program::starts(&machine),
            program_with(&machine, "XDG_RUNTIME_DIR", &elsewhere),
            Program::of(linked, &machine),
        ]);
    }
    // One side wins: it gets one code; the other side is told where to go.
    let told = all_do(&mut programs, "ask").await;
    let codes = told.iter().filter(|told| told.starts_with("code ")).count();
    assert!(told.iter().all(|told| told.starts_with("code ") || told.contains("export MCP_AUTHD_SOCKET=")), "{told:?}");
    assert_eq!((codes, served(&machine), server.counts().device_authorizations), (1, 1, 1), "{told:?}");
}

#[tokio::test]
async fn two_state_directories_over_one_runtime_directory_lead_to_one_server_for_both() {
    if !can_run("two state directories over one runtime directory") {
        return;
    }
    let server = AuthorizationServer::start(Settings::default());
    let machine = machine(&server);
    let state = another_folder(&machine, "state2");
    let mut programs: Vec<Program> = Vec::new();
    for _ in 0..4 {
        programs.extend([Program::starts(&machine), program_with(&machine, "XDG_STATE_HOME", &state)]);
    }
    // when all start at once, then one daemon answers them all: there is one socket
    let codes = all_do(&mut programs, "ask").await;
    assert_eq!((codes.len(), server.counts().device_authorizations), (1, 1), "{codes:?}");
    let owners = || [started::owner(machine.dirs()), started::owner_of(&state)];
    // One that was begun for the other store owns it until it has found the sockets taken.
    until("the other store is nobody's", || owners().iter().flatten().count() == 1).await;
    let status = tool(&machine).status().await.unwrap();
    assert!(owners().contains(&Some(status.pid.try_into().unwrap())));

    // and it is the same for both from then on
    server.approve(codes.first().unwrap().strip_prefix("code ").unwrap()).unwrap();
    let tokens = all_do(&mut programs, "watch").await;
    assert!(tokens.len() == 1 && tokens.first().unwrap().starts_with("token "), "{tokens:?}");
    started::end_owner_of(&state);
    fs::remove_dir_all(&state).unwrap();
}
