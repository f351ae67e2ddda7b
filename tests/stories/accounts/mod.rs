//! Accounts by command: the real `authctl`, the real daemon, a real `config.toml`.

#[cfg(target_os = "linux")]
mod at_once;
mod by_hand;
mod edited;
mod kinds;

use mcp_authd_client::{Answer, Need, Reason};
use mcp_authd_tests::daemon::{Config, Daemon};
use mcp_authd_tests::programs::{a_token, logged_in, program, records, watched};
use mcp_authd_tests::server::{AuthorizationServer, Settings};
use serde_json::Value;

use crate::authctl::{Told, authctl};
use crate::logged_in::{logged_in_at, look, refused, used};

/// The client that the harness's accounts have.
const CLIENT: &str = "mcp-authd-tests";

/// `authctl account add NAME --issuer .. --client-id .. MORE`.
async fn add(daemon: &Daemon, server: &AuthorizationServer, name: &str, more: &[&str]) -> Told {
    let usual = ["account", "add", name, "--issuer", server.issuer(), "--client-id", CLIENT];
    authctl(daemon, &[&usual[..], more].concat()).await
}

fn file(daemon: &Daemon) -> String {
    std::fs::read_to_string(daemon.dirs().config_file()).unwrap()
}

/// What a person reads, whatever the width of the page.
fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn assert_done(told: &Told, said: &str) {
    assert!(told.code == Some(0) && told.err.is_empty() && words(&told.out).contains(said), "{said:?} is not in {told:?}");
}

#[tokio::test]
async fn an_account_is_added_logged_in_used_and_removed_without_a_restart() {
    // given a daemon that has no account yet, and a person's comment
    let server = AuthorizationServer::start(Settings::default());
    let daemon = Daemon::start(Config::new().text("# my accounts\n")).await;
    let (pid, before) = (daemon.pid(), file(&daemon));
    assert_eq!(refused(look(&program(&daemon), "work").await).reason, Reason::NoSuchAccount);

    // when the person adds one, it stands in the file and says what to type next
    let told = add(&daemon, &server, "work", &["--scope", "mcp:read"]).await;
    assert_done(&told, "work is added.");
    assert!(told.out.contains(daemon.dirs().config_file().to_str().unwrap()), "{told:?}");
    assert!(told.out.ends_with("  next      authctl login work\n"), "{told:?}");
    assert!(file(&daemon).starts_with("# my accounts\n") && file(&daemon).contains("[accounts.work]"), "{}", file(&daemon));

    // then it is logged in and serves
    let listed = authctl(&daemon, &["account", "list"]).await;
    assert!(listed.out.contains("work  login-needed  http://"), "{listed:?}");
    logged_in(&daemon, "work").await;
    let mut watch = program(&daemon).watch(Need::account("work"));
    let token = watched(&mut watch, a_token).await;
    assert_eq!(authctl(&daemon, &["token", "work"]).await.out, format!("{}\n", token.expose()));
    let shown = authctl(&daemon, &["account", "show", "work"]).await;
    assert!(shown.out.contains("  client    mcp-authd-tests\n") && shown.out.contains("  health    good\n"), "{shown:?}");

    // and when it is removed, it is gone from the file, the disk, the server, and for programs that ask or watch
    let told = authctl(&daemon, &["account", "remove", "work", "--yes"]).await;
    assert_done(&told, "work is removed, and nothing of it is kept. The revocation is being sent to the server.");
    assert_eq!(file(&daemon), before, "what the person wrote stands as it stood");
    server.wait_for(|counts| counts.revocations_effective == 1).await;
    assert_eq!(records(&daemon), Vec::<String>::new());
    authctl(&daemon, &["token", "work"]).await.assert_refused(1, "authctl");
    assert_eq!(refused(look(&program(&daemon), "work").await).reason, Reason::NoSuchAccount);
    watched(&mut watch, |answer| match answer {
        Answer::GiveUp(refusal) => (refusal.reason == Reason::NoSuchAccount).then_some(()),
        _ => None,
    })
    .await;
    assert!(authctl(&daemon, &["account", "list"]).await.out.starts_with("No account is configured yet."));

    assert_eq!(daemon.pid(), pid);
    assert_eq!(server.counts().device_authorizations, 1);
    server.counts().assert_no_race_was_lost();
}

#[tokio::test]
async fn adding_an_account_again_changes_nothing_and_is_no_failure() {
    let (server, daemon, token) = logged_in_at(Settings::default()).await;
    let before = file(&daemon);
    for name in ["work", "office"] {
        let told = add(&daemon, &server, name, &["--scope", "mcp:read"]).await;
        assert_done(&told, "is there already");
        assert!(told.out.contains("work") && !told.out.contains("next"), "{told:?}");
    }
    let told = add(&daemon, &server, "work", &["--scope", "mcp:read", "--json"]).await;
    let answer: Value = serde_json::from_str(&told.out).unwrap();
    assert_eq!((&answer["outcome"], &answer["account"]["name"]), (&"present".into(), &"work".into()));
    assert_eq!(file(&daemon), before);
    assert_eq!(used(look(&program(&daemon), "work").await).expose(), token.expose(), "the login is untouched");
    assert_eq!(server.counts().device_authorizations, 1);
}

#[tokio::test]
async fn another_account_of_a_name_that_is_taken_is_refused_with_the_next_step() {
    let (server, daemon, token) = logged_in_at(Settings::default()).await;
    let before = file(&daemon);
    let other = ["account", "add", "work", "--issuer", server.issuer(), "--client-id", "another"];
    authctl(&daemon, &other).await.assert_refused(1, "authctl account show work");
    assert_eq!(file(&daemon), before);
    assert_eq!(used(look(&program(&daemon), "work").await).expose(), token.expose());
}

#[tokio::test]
async fn what_is_wrong_with_a_description_is_told_all_at_once_and_nothing_is_written() {
    let daemon = Daemon::start(Config::new().text("# mine\n")).await;
    let wrong = [
        "account",
        "add",
        "Work!",
        "--issuer",
        "http://auth.example.com",
        "--client-id",
        "abc",
        "--resource",
        "no-uri",
        "--parameter",
        "scope=x",
        "--token-endpoint-auth-method",
        "magic",
    ];
    let told = authctl(&daemon, &wrong).await;
    assert!(told.code == Some(1) && told.out.is_empty(), "{told:?}");
    for mistake in ["Work!", "https://", "`resource`", "`scope`", "client_secret_post"] {
        assert!(told.err.contains(mistake), "{mistake} is not in {told:?}");
    }
    assert!(told.err.lines().last().unwrap().starts_with("next: "), "{told:?}");
    assert_eq!(file(&daemon), "# mine\n\n");
    let unknown = authctl(&daemon, &["account", "remove", "nobody", "--yes"]).await;
    assert!(unknown.code == Some(1) && unknown.out.is_empty() && unknown.err.contains("nobody"), "{unknown:?}");
}

#[tokio::test]
async fn removing_one_account_leaves_the_other_one_and_its_token_alone() {
    let (server, daemon, token) = logged_in_at(Settings::default()).await;
    let told = authctl(&daemon, &["account", "add", "--issuer", server.issuer(), "--client-id", "second", "--json"]).await;
    let added: Value = serde_json::from_str(&told.out).unwrap();
    let name = added["account"]["name"].as_str().unwrap().to_owned();
    assert_eq!((&added["outcome"], name.as_str()), (&"added".into(), "127.0.0.1"), "named after its host");
    assert_eq!(added["next_step"], format!("authctl login {name}"));

    let told = authctl(&daemon, &["account", "remove", &name, "--yes", "--json"]).await;
    let removed: Value = serde_json::from_str(&told.out).unwrap();
    assert_eq!((&removed["outcome"], &removed["erased"]), (&"removed".into(), &true.into()));
    assert_eq!(used(look(&program(&daemon), "work").await).expose(), token.expose());
    assert_eq!(server.counts().revocations, 0);
}
