//! What a person types, and what they read, where a login goes through a browser.

use mcp_authd_tests::person::in_browser;
use mcp_authd_tests::programs::{program, token, until};
use mcp_authd_tests::server::Settings;
use serde_json::Value;
use url::Url;

use super::{daemon_at, never, stops_listening};
use crate::authctl::{Login, authctl};

/// The port of the way back.
fn port_of(url: &Url) -> u16 {
    let back = url.query_pairs().find(|(name, _)| name == "redirect_uri").unwrap().1;
    Url::parse(&back).unwrap().port().unwrap()
}

#[tokio::test]
async fn a_person_reads_the_address_answers_in_the_browser_and_is_logged_in() {
    // given
    let (server, daemon) = daemon_at(Settings::in_browser()).await;

    // when the person types `authctl login` and opens what is shown
    let mut login = Login::begins(&daemon, &["--no-browser"]);
    let mut screen = String::new();
    while !screen.contains("waiting.") {
        screen.push_str(&(login.line().await + "\n"));
    }
    let open = screen.lines().find_map(|line| line.trim_start().strip_prefix("open ")).unwrap().trim().to_owned();
    let url = Url::parse(&open).unwrap();
    assert!(open.starts_with(&server.authorization_endpoint()));
    in_browser::approve(&url).await.unwrap();

    // then it says so, and a program has a token
    let told = login.ends().await;
    assert!(told.code == Some(0) && told.err.is_empty(), "{told:?}");
    let screen = plain(&(screen + &told.out), &open).replace(&port_of(&url).to_string(), "PORT");
    assert_eq!(screen, SCREEN);
    let printed = authctl(&daemon, &["token", "work"]).await;
    assert_eq!(printed.out, format!("{}\n", token(program(&daemon).token(never()).await.unwrap()).expose()));
    let status = authctl(&daemon, &["status"]).await;
    assert!(status.code == Some(0) && status.out.contains("work"), "{status:?}");
    stops_listening(&daemon, port_of(&url)).await;
}

const SCREEN: &str = "\
Log in to work

  open      URL
  host      127.0.0.1
  asked by  you
  time left TIME

To go on, open the address yourself, in a browser on this machine. Waiting for
you there; Ctrl-C ends only the waiting.
The answer comes to port PORT of this very machine. Is your browser on another
one? Then take the answer by hand, or lead that port here before you open the
address:
            authctl login work --paste
            ssh -L PORT:127.0.0.1:PORT THIS-MACHINE
work is logged in.
";

/// A screen without what differs from one login to the next.
fn plain(screen: &str, url: &str) -> String {
    let line = |line: &str| if line.starts_with("  time left ") { "  time left TIME\n".to_owned() } else { format!("{line}\n") };
    screen.replace(url, "URL").lines().map(line).collect()
}

#[tokio::test]
async fn a_login_in_a_browser_is_told_to_a_program_as_lines_of_json() {
    let (server, daemon) = daemon_at(Settings::in_browser()).await;
    let mut login = Login::begins(&daemon, &["--json"]);
    let begun: Value = serde_json::from_str(&login.line().await).unwrap();
    assert_eq!((&begun["event"], &begun["account"], &begun["kind"]), (&"sign_in".into(), &"work".into(), &"browser".into()));
    assert!(begun["expires_in"].as_u64().is_some_and(|left| left > 500), "{begun}");
    let url = Url::parse(begun["authorization_uri"].as_str().unwrap()).unwrap();
    in_browser::approve(&url).await.unwrap();
    let told = login.ends().await;
    let ended: Value = serde_json::from_str(&told.out).unwrap();
    assert_eq!((&ended["event"], &ended["outcome"], told.code), (&"settled".into(), &"granted".into(), Some(0)));
    assert_eq!(server.counts().codes_redeemed, 1);
}

#[tokio::test]
async fn a_login_in_a_browser_that_is_denied_ends_with_its_own_code() {
    let (_server, daemon) = daemon_at(Settings::in_browser()).await;
    let mut login = Login::begins(&daemon, &["--no-browser"]);
    let url = Url::parse(&login.field("open").await).unwrap();
    in_browser::deny(&url).await.unwrap();
    let told = login.ends().await;
    assert!(told.code == Some(7) && told.err.starts_with("authctl: the login to work was refused"), "{told:?}");
    assert!(told.err.lines().last().unwrap().starts_with("next: authctl login work"), "{told:?}");
}

#[tokio::test]
async fn a_login_in_a_browser_that_is_cancelled_leaves_no_listener() {
    let (server, daemon) = daemon_at(Settings::in_browser()).await;
    let mut login = Login::begins(&daemon, &["--no-browser"]);
    let url = Url::parse(&login.field("open").await).unwrap();
    let back = in_browser::answer("approve", &url, &[]).await.unwrap();
    let cancelled = authctl(&daemon, &["login", "work", "--cancel"]).await;
    assert!(cancelled.code == Some(0) && cancelled.out.contains("No login to work waits any more"), "{cancelled:?}");
    let told = login.ends().await;
    assert!(told.code == Some(7) && told.err.contains("was cancelled"), "{told:?}");
    stops_listening(&daemon, port_of(&url)).await;
    assert!(in_browser::follow(&back).await.is_err(), "what the person approves then comes to nobody");
    assert_eq!(server.counts().exchanges, 0);
}

#[tokio::test]
async fn the_browser_is_opened_with_the_url_and_nothing_else() {
    // given a browser that writes down what it is to open
    let (server, daemon) = daemon_at(Settings::in_browser()).await;
    let seen = tempfile::tempdir().unwrap();
    let (browser, opened) = (seen.path().join("browser"), seen.path().join("opened"));
    std::fs::write(&browser, format!("#!/bin/sh\nprintf '%s\\n' \"$#\" \"$1\" > {0}.new && mv {0}.new {0}\n", opened.display()))
        .unwrap();
    std::fs::set_permissions(&browser, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();

    // when
    let mut command = daemon.program("authctl");
    command.env("BROWSER", &browser).args(["login", "work"]).stdin(std::process::Stdio::null());
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).kill_on_drop(true);
    let login = command.spawn().unwrap();
    until("the browser is opened", || opened.exists()).await;

    // then
    let text = std::fs::read_to_string(&opened).unwrap();
    let (arguments, url) = text.trim_end().split_once('\n').unwrap();
    assert_eq!(arguments, "1");
    in_browser::approve(&Url::parse(url).unwrap()).await.unwrap();
    let told = login.wait_with_output().await.unwrap();
    let out = String::from_utf8(told.stdout).unwrap();
    assert!(told.status.success() && out.contains("work is logged in."), "{out}");
    assert!(out.contains("Your browser opens. Go on only if it shows this host. Waiting for you there;"), "{out}");
    assert_eq!(server.counts().codes_redeemed, 1);
}
