//! Where no program starts a daemon, or the one that it starts does not come to serve: what is said.

use std::fs;
use std::path::Path;

use mcp_authd_tests::daemon::{Account, Config, Daemon};
use mcp_authd_tests::server::{AuthorizationServer, Settings};
use mcp_authd_tests::skip::{Skip, skipped};
use mcp_authd_tests::started;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{Program, Told, authctl, can_run, machine, machine_with, served, told};

/// Exit code 6, one line that holds all of it.
fn assert_not_started(told: &Told, words: &[&str]) {
    assert_eq!(told.code, Some(6), "{told:?}");
    assert!(told.err.lines().count() == 1 && told.out.is_empty(), "{told:?}");
    for word in words.iter().chain(&["mcp-authd is not running", "was not started: "]) {
        assert!(told.err.contains(word), "{word}: {told:?}");
    }
}

#[tokio::test]
async fn a_program_in_another_pid_namespace_starts_none_and_says_why() {
    let story = "a program in another PID namespace";
    if !can_run(story) {
        return;
    }
    let server = AuthorizationServer::start(Settings::default());
    let machine = machine(&server);
    let unshared = |arguments: &[&str]| {
        let mut command = machine.any_program("unshare");
        command.args(["--pid", "--fork", "--mount-proc"]).args(arguments);
        command
    };
    let possible = unshared(&["true"]).output().await;
    if !possible.as_ref().is_ok_and(|output| output.status.success()) {
        return skipped(story, &Skip(format!("unshare --pid is not permitted here, run the tests as root: {possible:?}")));
    }

    // given the rules as they are, then none is started
    let tool = machine.file_of("authctl");
    let tool = tool.to_str().unwrap();
    for arguments in [["token", "work"], ["daemon", "start"]] {
        let said = told(unshared(&[tool]).args(arguments).env_remove("MCP_AUTHD_START")).await;
        assert_not_started(&said, &["it has a PID namespace of its own", "MCP_AUTHD_SOCKET=", "MCP_AUTHD_START=always"]);
    }
    assert_eq!((served(&machine), started::log(machine.dirs()).exists()), (0, false));

    // given that this is the person's whole machine, then one is
    let said = told(unshared(&[tool]).args(["daemon", "start"])).await;
    assert!(said.code == Some(0) && said.out.starts_with("mcp-authd 0.1.0 is running (pid "), "{said:?}");
    assert_eq!(served(&machine), 1);

    // and a daemon that serves outside is used in there
    let outside = authctl(&machine, &["daemon", "start"]).await;
    assert_eq!(outside.code, Some(0), "the namespace has ended, and its daemon with it: {outside:?}");
    let said = told(unshared(&[tool]).args(["daemon", "status"]).env_remove("MCP_AUTHD_START")).await;
    assert!(said.code == Some(0) && said.out.contains("container"), "{said:?}");
}

#[tokio::test]
async fn the_variables_forbid_it_and_say_so() {
    if !can_run("the variables forbid it") {
        return;
    }
    let server = AuthorizationServer::start(Settings::default());
    let machine = machine(&server);
    let variables = [
        ("MCP_AUTHD_START", "never", "MCP_AUTHD_START=never forbids it; run it with: authctl daemon run"),
        ("MCP_AUTHD_START", "no", "MCP_AUTHD_START is \"no\", and can be never or always"),
        ("MCP_AUTHD_SOCKET", "/nowhere/tokens.sock", "MCP_AUTHD_SOCKET names this socket"),
        ("MCP_AUTHD_BIN", "mcp-authd", "MCP_AUTHD_BIN is mcp-authd, which is no absolute path of a program"),
        ("MCP_AUTHD_BIN", "/dev/null", "MCP_AUTHD_BIN is /dev/null"),
    ];
    for (variable, value, words) in variables {
        for arguments in [&["token", "work"][..], &["login", "work"], &["logout", "work"]] {
            assert_not_started(&told(machine.program("authctl").args(arguments).env(variable, value)).await, &[words]);
        }
    }
    // Who only looks does not try.
    for arguments in [&["status"][..], &["daemon", "status"]] {
        assert_eq!(authctl(&machine, arguments).await.code, Some(6));
    }
    // A program that is beside nothing, and without PATH.
    let tool = machine.file_of("authctl");
    let folder = tempfile::tempdir_in(tool.parent().unwrap()).unwrap();
    let alone = folder.path().join("authctl");
    fs::hard_link(tool, &alone).unwrap();
    let said = told(machine.any_program(&alone).args(["token", "work"]).env_remove("PATH")).await;
    assert_not_started(&said, &["neither beside this program nor in PATH", "MCP_AUTHD_BIN="]);
    assert!(!started::log(machine.dirs()).exists(), "nothing was tried");
}

#[tokio::test]
async fn a_broken_configuration_is_shown_with_its_path_and_line() {
    if !can_run("a broken configuration is shown") {
        return;
    }
    let machine = machine_with(Config::new().text("[accounts.work]\nisuer = \"https://auth.example.com\"\nclient_id = 7"));
    let mistake = |line: u8| format!("{}:{line}: ", machine.dirs().config_file().display());
    for arguments in [&["token", "work"][..], &["daemon", "start"]] {
        let said = authctl(&machine, arguments).await;
        assert_not_started(&said, &[&mistake(2), &mistake(3), "exit code 78", "watch it fail with: authctl daemon run"]);
    }
    // A program is told the same, and a daemon that is mended serves at its next call.
    let mut program = Program::starts(&machine);
    let told = program.does("ask").await;
    assert!(told.starts_with("error ") && told.contains(&mistake(2)), "{told}");
    let server = AuthorizationServer::start(Settings::default());
    machine.write_config(&Config::new().account(Account::at("work", server.issuer())));
    assert!(program.does("ask").await.starts_with("code "));
}

#[tokio::test]
async fn a_daemon_that_never_comes_to_serve_is_not_waited_for_without_end() {
    if !can_run("a daemon that never comes to serve") {
        return;
    }
    let machine = machine_with(Config::new());
    let stand_in = Path::new(env!("CARGO_MANIFEST_DIR")).join("stories/starting/stand-in/never-serves/mcp-authd");
    let said = told(machine.program("authctl").args(["token", "work"]).env("MCP_AUTHD_BIN", stand_in)).await;
    assert_not_started(&said, &["nothing answers after 15s", "authctl daemon status"]);
    let pid = fs::read_to_string(machine.dirs().home().join("pid")).unwrap().trim().parse().unwrap();
    kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
}

#[tokio::test]
async fn a_folder_in_the_way_and_a_program_that_dies_are_told() {
    if !can_run("a folder in the way") {
        return;
    }
    let machine: Daemon = machine_with(Config::new());
    let said = told(machine.program("authctl").args(["token", "work"]).env("MCP_AUTHD_BIN", "/bin/false")).await;
    assert_not_started(&said, &["/bin/false ended at once (exit code 1): it said nothing"]);
    fs::remove_dir_all(machine.dirs().state().join("mcp-authd")).unwrap();
    fs::write(machine.dirs().state().join("mcp-authd"), "a file in the place of the folder").unwrap();
    assert_not_started(&authctl(&machine, &["token", "work"]).await, &["cannot be used", "ls -ld"]);
}
