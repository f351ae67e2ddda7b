//! `authctl doctor`: something is wrong, and a tired person reads what, and types what stands there.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Stdio;

use mcp_authd_client::status::Key;
use mcp_authd_tests::daemon::{Account, Config, Daemon};
use mcp_authd_tests::programs::{program, tool};
use mcp_authd_tests::server::{AuthorizationServer, Settings, Spoilt};
use mcp_authd_tests::skip::skipped;
use mcp_authd_tests::started;
use serde_json::{Value, json};

use crate::authctl::{Told, authctl};
use crate::discovered::words;
use crate::logged_in::log_in;

const METADATA: &str = "/.well-known/oauth-authorization-server";

/// Two accounts at one server, one of them for a resource; both logged in. Programs may start the daemon.
async fn house() -> (AuthorizationServer, Daemon) {
    let server = AuthorizationServer::start(Settings::default());
    let other = Account::at("other", server.issuer()).scopes(["mcp:read"]).resource("https://mcp.example.com/mcp");
    let config = Config::new().account(Account::at("work", server.issuer()).scopes(["mcp:read"])).account(other);
    let daemon = Daemon::start(config.environment("MCP_AUTHD_START", "always")).await;
    for account in ["work", "other"] {
        log_in(&program(&daemon), &server, account).await;
    }
    (server, daemon)
}

/// Whether nobody else's daemon would be found: says so where not.
fn can_run(story: &str) -> bool {
    let in_the_way = started::own_daemon_in_the_way();
    in_the_way.iter().for_each(|reason| skipped(story, reason));
    in_the_way.is_none()
}

/// What a person reads. Only a command may be wider than their terminal.
async fn doctor(daemon: &Daemon, more: &[&str]) -> Told {
    let told = authctl(daemon, &[&["doctor"][..], more].concat()).await;
    assert!(told.err.is_empty(), "{told:?}");
    let wide = told.out.lines().find(|line| line.chars().count() > 80 && !line.starts_with("  fix "));
    assert!(more.contains(&"--json") || wide.is_none(), "{wide:?}");
    told
}

/// The findings that are not well: check, level, message, fix.
async fn findings(daemon: &Daemon) -> Vec<[String; 4]> {
    let told = doctor(daemon, &["--json"]).await;
    let object: Value = serde_json::from_str(&told.out).unwrap();
    let findings = object["findings"].as_array().unwrap().iter().filter(|finding| finding["level"] != "well");
    let text = |finding: &Value, key: &str| finding[key].as_str().unwrap().to_owned();
    findings.map(|finding| ["check", "level", "message", "fix"].map(|key| text(finding, key))).collect()
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// The person types it.
async fn typed(daemon: &Daemon, command: &str) {
    let done = daemon.any_program("/bin/sh").args(["-c", command]).stdin(Stdio::null()).status().await.unwrap();
    assert!(done.success(), "{command}");
}

fn asked(server: &AuthorizationServer) -> usize {
    server.log().iter().filter(|request| request.path.starts_with(METADATA)).count()
}

#[tokio::test]
async fn where_all_is_well_it_says_so_and_asks_each_server_once() {
    let (server, daemon) = house().await;
    let (before, pid, files) = (asked(&server), daemon.pid(), fs::read(daemon.dirs().config_file()).unwrap());
    let told = doctor(&daemon, &[]).await;
    assert!(told.code == Some(0) && told.out.starts_with("Nothing is wrong:\n"), "{told:?}");
    for part in [
        format!("  daemon    mcp-authd 0.1.0 answers (pid {pid}, "),
        format!("It is held by the daemon that answers (pid {pid})."),
        "It holds, and is what the daemon serves.".to_owned(),
        "  clock     The calendar is plausible.".to_owned(),
        "  account   other\n            It serves.\n".to_owned(),
        format!("  server    {}\n            It answers, and is who it says it is.", server.issuer()),
        "Accounts: other,".to_owned(),
    ] {
        assert!(told.out.contains(&part), "{part:?} is not in {}", told.out);
    }
    assert_eq!(asked(&server) - before, 1, "two accounts, one server, one question");

    // Who wants no question asked is obeyed, and told.
    let told = doctor(&daemon, &["--offline"]).await;
    assert!(told.code == Some(0) && told.out.contains("No server was asked (--offline).\n"), "{told:?}");
    assert_eq!((asked(&server) - before, daemon.pid()), (1, pid));
    assert_eq!(fs::read(daemon.dirs().config_file()).unwrap(), files);
}

#[tokio::test]
async fn where_none_runs_it_tells_what_it_can_see_and_starts_none() {
    if !can_run("where none runs") {
        return;
    }
    let server = AuthorizationServer::start(Settings::default());
    let config = Config::new().account(Account::at("work", server.issuer()));
    let daemon = Daemon::prepare(config.environment("MCP_AUTHD_START", "always"));
    let told = doctor(&daemon, &[]).await;
    assert!(told.code == Some(6) && words(&told.out).contains("No daemon answers, so nobody could be asked"), "{told:?}");
    assert!(told.out.contains("  fix       authctl daemon start && authctl doctor\n"), "{told:?}");
    assert!(told.out.contains("  lock ") && told.out.contains("Nobody holds it.\n"), "{told:?}");
    assert_eq!(started::owner(daemon.dirs()), None);
    for folder in [daemon.dirs().state(), daemon.dirs().runtime(), daemon.dirs().data()] {
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0, "something was made in {}", folder.display());
    }
}

#[tokio::test]
async fn sockets_that_a_killed_daemon_left_are_told_and_the_next_start_replaces_them() {
    if !can_run("sockets that a killed daemon left") {
        return;
    }
    let (_server, mut daemon) = house().await;
    let pid = daemon.pid();
    daemon.kill();
    let told = doctor(&daemon, &[]).await;
    assert_eq!(told.code, Some(6), "{told:?}");
    assert_eq!(words(&told.out).matches("A daemon that has ended has left it; nobody answers there.").count(), 2, "{told:?}");
    assert!(words(&told.out).contains(&format!("pid {pid} did last, and has ended without a word.")), "{told:?}");
    daemon.start_again().await;
    assert_eq!(doctor(&daemon, &["--offline"]).await.code, Some(0));
}

#[tokio::test]
async fn modes_that_are_wrong_are_told_with_the_commands_that_mend_them() {
    let (_server, daemon) = house().await;
    let records = daemon.dirs().state().join("mcp-authd");
    let sockets = daemon.dirs().runtime().join("mcp-authd");
    for (path, mode) in [(&records, 0o755), (&sockets, 0o711), (&daemon.dirs().config_file(), 0o664)] {
        set_mode(path, mode);
    }
    let told = doctor(&daemon, &[]).await;
    assert!(told.code == Some(1) && told.out.starts_with("3 things are wrong:\n"), "{told:?}");

    // when the person types what stands there, then all is well
    let fixes: Vec<String> = findings(&daemon).await.into_iter().map(|[.., fix]| fix).collect();
    for (path, command) in [(&sockets, "chmod 700"), (&records, "chmod 700"), (&daemon.dirs().config_file(), "chmod go-w")] {
        assert!(fixes.contains(&format!("{command} {}", path.display())), "{fixes:?}");
    }
    for fix in &fixes {
        typed(&daemon, fix).await;
    }
    assert_eq!(findings(&daemon).await, Vec::<[String; 4]>::new());
}

#[tokio::test]
async fn a_configuration_that_was_changed_or_does_not_hold_is_told_in_the_daemons_words() {
    let (_server, daemon) = house().await;
    let file = daemon.dirs().config_file();
    let good = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("{good}\n[accounts.third]\nisuer = \"https://x.example\"\n")).unwrap();
    let told = doctor(&daemon, &["--offline"]).await;
    assert!(told.code == Some(1) && words(&told.out).contains("`isuer` is no key of [accounts.third]."), "{told:?}");
    assert!(told.out.contains(" Line 14: ") && words(&told.out).contains("Did you mean `issuer`?"), "{told:?}");
    fs::write(&file, good.replace("mcp:read", "mcp:write")).unwrap();
    let told = doctor(&daemon, &["--offline"]).await;
    assert!(told.code == Some(0) && told.out.contains("  fix       authctl reload\n"), "{told:?}");
    assert!(tool(&daemon).status().await.unwrap().accounts.iter().all(|account| account.scopes == ["mcp:read"]));
}

#[tokio::test]
async fn a_key_that_is_not_open_is_told_and_opened_by_what_stands_there() {
    let (_server, mut daemon) = house().await;
    daemon.stop().await;
    set_mode(&daemon.dirs().data().join("mcp-authd/store.key"), 0o604);
    daemon.start_again().await;
    let tool = tool(&daemon);
    while tool.status().await.unwrap().key == Key::Loading {}
    let told = doctor(&daemon, &["--offline"]).await;
    assert!(told.code == Some(5) && words(&told.out).contains("The key is open to other users (mode 604)"), "{told:?}");
    let found = findings(&daemon).await;
    let [_, _, _, fix] = found.iter().find(|[check, ..]| check == "folders").unwrap();
    typed(&daemon, fix).await;
    while tool.status().await.unwrap().key != Key::Open {}
}

#[tokio::test]
async fn a_server_that_lies_about_its_issuer_and_one_that_is_down_are_told() {
    let (server, daemon) = house().await;
    let check = format!("  fix       authctl provider check {}\n", server.issuer());
    server.change(|settings| settings.metadata_answers = vec![Spoilt::With("issuer", json!("https://other.example"))]);
    let told = doctor(&daemon, &[]).await;
    assert!(told.code == Some(4) && told.out.contains("It must not be used.") && told.out.contains(&check), "{told:?}");
    assert!(told.out.contains("RFC 8414"), "{told:?}");
    drop(server);
    let told = doctor(&daemon, &[]).await;
    assert!(told.code == Some(4) && words(&told.out).contains("could not be reached") && told.out.contains(&check), "{told:?}");
    assert_eq!(told.out.matches("  account   ").count(), 2, "the accounts serve from memory: {told:?}");
}

#[tokio::test]
async fn a_daemon_of_another_place_is_not_taken_for_ones_own() {
    if !can_run("a daemon of another place") {
        return;
    }
    let (_server, daemon) = house().await;
    let another = Daemon::start(Config::new()).await;
    // given a terminal whose variable names the socket of another daemon
    let told = |variable: &'static str, value: std::path::PathBuf| {
        let mut command = daemon.program("authctl");
        command.args(["doctor", "--offline"]).env(variable, value).stdin(Stdio::null());
        async move { Told::of(command.output().await.unwrap()) }
    };
    let named = told("MCP_AUTHD_SOCKET", another.tokens_socket()).await;
    let said = format!("The daemon of pid {} holds it, and another one (pid {})", daemon.pid(), another.pid());
    assert!(named.code == Some(0) && named.out.contains("  fix       unset MCP_AUTHD_SOCKET\n"), "{named:?}");
    assert!(words(&named.out).contains(&said), "{said:?} is not in {named:?}");
    // and one that looks for the sockets in another folder
    let lost = told("XDG_RUNTIME_DIR", another.dirs().home()).await;
    let fix = format!("  fix       export MCP_AUTHD_SOCKET={}\n", daemon.tokens_socket().display());
    assert!(
        lost.code == Some(6) && words(&lost.out).contains("where this terminal does not look") && lost.out.contains(&fix),
        "{lost:?}"
    );
}
