//! What a person types, and what they read: the real `authctl` at the real daemon.

use std::ffi::OsString;
use std::process::{Output, Stdio};

use mcp_authd_client::{Need, Reason};
use mcp_authd_tests::daemon::{Account, Config, Daemon};
use mcp_authd_tests::person;
use mcp_authd_tests::programs::program;
use mcp_authd_tests::sentinel;
use mcp_authd_tests::server::{At, AuthorizationServer, Misbehaviour, Settings};
use mcp_authd_tests::skip::{Skip, skipped};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::task::JoinSet;

use crate::logged_in::{daemon_at, logged_in_at, look, prompt, refused, used};

/// How a command ended, and what it wrote.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Told {
    pub(crate) fn of(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let told = Self { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) };
        assert!(!told.out.contains('\u{1b}') && !told.err.contains('\u{1b}'), "an escape sequence in a pipe: {told:?}");
        told
    }

    /// A refusal: nothing on standard output, a sentence, and the next command as its last line.
    pub(crate) fn assert_refused(&self, code: i32, next: &str) {
        let lines: Vec<&str> = self.err.lines().collect();
        assert!(self.code == Some(code) && self.out.is_empty() && lines.len() >= 2, "{self:?}");
        assert!(lines[0].starts_with("authctl: "), "{self:?}");
        let last = lines[lines.len() - 1];
        assert!(last.starts_with("next: ") && last.contains(next), "{next:?} is not in {last:?}");
    }
}

pub(crate) async fn authctl(daemon: &Daemon, arguments: &[&str]) -> Told {
    Told::of(daemon.program("authctl").args(arguments).stdin(Stdio::null()).output().await.unwrap())
}

/// `authctl login`, while it runs.
pub(crate) struct Login {
    child: Child,
    keys: Option<ChildStdin>,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Login {
    pub(crate) fn begins(daemon: &Daemon, arguments: &[&str]) -> Self {
        Self::begins_on(daemon, arguments, Stdio::null())
    }

    /// The person can paste.
    pub(crate) fn begins_with_keys(daemon: &Daemon, arguments: &[&str]) -> Self {
        Self::begins_on(daemon, arguments, Stdio::piped())
    }

    fn begins_on(daemon: &Daemon, arguments: &[&str], keys: Stdio) -> Self {
        let mut command = daemon.program("authctl");
        command.arg("login").args(arguments).stdin(keys).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.kill_on_drop(true).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { keys: child.stdin.take(), child, lines }
    }

    pub(crate) async fn paste(&mut self, text: &str) {
        self.keys.as_mut().expect("it began with keys").write_all(format!("{text}\n").as_bytes()).await.unwrap();
    }

    pub(crate) async fn line(&mut self) -> String {
        if let Some(line) = self.lines.next_line().await.unwrap() {
            return line;
        }
        let mut complaint = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut complaint).await.unwrap();
        panic!("authctl has ended ({}) without a further line: {complaint:?}", self.child.wait().await.unwrap())
    }

    /// The value of a field of the prompt: `  code      ABCD`.
    pub(crate) async fn field(&mut self, name: &str) -> String {
        loop {
            let line = self.line().await;
            if let Some(value) = line.trim_start().strip_prefix(name).filter(|rest| rest.starts_with(' ')) {
                return value.trim().to_owned();
            }
        }
    }

    pub(crate) async fn ends(mut self) -> Told {
        let mut out = String::new();
        while let Some(line) = self.lines.next_line().await.unwrap() {
            out.push_str(&line);
            out.push('\n');
        }
        let mut err = Vec::new();
        self.child.stderr.take().unwrap().read_to_end(&mut err).await.unwrap();
        Told::of(Output { status: self.child.wait().await.unwrap(), stdout: out.into_bytes(), stderr: err })
    }
}

#[tokio::test]
async fn a_person_logs_in_reads_the_code_approves_on_the_page_and_has_a_token() {
    // given a daemon without a login
    let (server, daemon) = daemon_at(Settings::default()).await;

    // when the person types `authctl login`, reads, opens the page and approves
    let mut login = Login::begins(&daemon, &["--no-browser"]);
    assert_eq!(login.line().await, "Log in to work");
    let page = login.field("open").await;
    let host = login.field("host").await;
    let code = login.field("code").await;
    assert!(page.starts_with(server.issuer()) && page.contains(&host) && !page.contains(&code), "the plain address (D20)");
    person::approve(&page, &code).await.unwrap();

    // then it says so, and a program has a token
    let told = login.ends().await;
    assert!(told.code == Some(0) && told.out.ends_with("work is logged in.\n") && told.err.is_empty(), "{told:?}");
    let token = authctl(&daemon, &["token", "work"]).await;
    assert_eq!(token.out, format!("{}\n", used(look(&program(&daemon), "work").await).expose()), "the token, and nothing else");
    assert!(token.code == Some(0) && token.err.is_empty());

    // and a second `authctl login` begins nothing
    let again = authctl(&daemon, &["login", "work", "--no-browser"]).await;
    assert!(again.code == Some(0) && again.out.contains("logged in already"), "{again:?}");
    assert!(again.out.contains("authctl login work --again"), "{again:?}");
    assert_eq!(server.counts().device_authorizations, 1);
}

#[tokio::test]
async fn two_who_log_in_at_once_see_one_login_and_both_are_told_its_end() {
    let (server, daemon) = daemon_at(Settings::default()).await;
    let mut one = Login::begins(&daemon, &["--no-browser"]);
    let code = one.field("code").await;
    let mut other = Login::begins(&daemon, &["work", "--no-browser"]);
    assert_eq!(other.field("code").await, code);
    server.approve(&code).unwrap();
    for login in [one, other] {
        assert_eq!(login.ends().await.code, Some(0));
    }
    assert_eq!((server.counts().device_authorizations, server.counts().grants_started), (1, 1));
}

#[tokio::test]
async fn a_login_is_told_to_a_program_as_lines_of_json() {
    let (server, daemon) = daemon_at(Settings::default()).await;
    let mut login = Login::begins(&daemon, &["--json"]);
    let begun: Value = serde_json::from_str(&login.line().await).unwrap();
    assert_eq!((&begun["event"], &begun["account"], &begun["kind"]), (&"sign_in".into(), &"work".into(), &"device".into()));
    let (page, code) = (begun["verification_uri"].as_str().unwrap(), begun["user_code"].as_str().unwrap());
    assert!(begun["expires_in"].as_u64().is_some_and(|left| left > 500), "{begun}");
    person::approve(page, code).await.unwrap();
    let told = login.ends().await;
    let ended: Value = serde_json::from_str(&told.out).unwrap();
    assert_eq!((&ended["event"], &ended["outcome"], told.code), (&"settled".into(), &"granted".into(), Some(0)));

    let already: Value = serde_json::from_str(&authctl(&daemon, &["login", "--json"]).await.out).unwrap();
    assert_eq!(already["event"], "already_logged_in");
    assert_eq!(server.counts().device_authorizations, 1);
}

#[tokio::test]
async fn a_login_that_the_person_denies_ends_with_its_own_code_in_words_and_in_json() {
    let (server, daemon) = daemon_at(Settings::default()).await;
    let mut login = Login::begins(&daemon, &["--no-browser"]);
    let (page, code) = (login.field("open").await, login.field("code").await);
    person::deny(&page, &code).await.unwrap();
    let told = login.ends().await;
    assert!(told.err.starts_with("authctl: the login to work was refused"), "{told:?}");
    assert!(told.code == Some(7) && told.err.lines().last().unwrap().starts_with("next: authctl login work"), "{told:?}");
    // Only the person begins another.
    authctl(&daemon, &["token"]).await.assert_refused(3, "authctl login work");

    let mut login = Login::begins(&daemon, &["--json"]);
    let begun: Value = serde_json::from_str(&login.line().await).unwrap();
    server.deny(begun["user_code"].as_str().unwrap()).unwrap();
    let told = login.ends().await;
    let ended: Value = serde_json::from_str(&told.out).unwrap();
    assert_eq!((&ended["event"], &ended["outcome"], told.code), (&"settled".into(), &"denied".into(), Some(7)));
    assert!(ended["next_step"].as_str().is_some_and(|next| next.contains("authctl login work")), "{ended}");
}

#[tokio::test]
async fn a_login_is_cancelled_by_name_and_leaves_no_poller() {
    let (server, daemon) = daemon_at(Settings::default()).await;
    let mut login = Login::begins(&daemon, &["--no-browser"]);
    login.field("code").await;
    let cancelled = authctl(&daemon, &["login", "work", "--cancel"]).await;
    assert!(cancelled.code == Some(0) && cancelled.out.contains("No login to work waits any more"), "{cancelled:?}");
    let told = login.ends().await;
    assert!(told.code == Some(7) && told.err.contains("was cancelled"), "{told:?}");
    assert_eq!(refused(program(&daemon).token(Need::account("work")).await.unwrap()).reason, Reason::Denied);
    let again = authctl(&daemon, &["login", "work", "--cancel", "--json"]).await;
    assert_eq!(serde_json::from_str::<Value>(&again.out).unwrap()["event"], "cancelled");
    server.wait_for(|counts| counts.token_requests_open == 0).await;
}

#[tokio::test]
async fn a_logout_forgets_here_and_revokes_there_and_programs_are_told() {
    let (server, daemon, _token) = logged_in_at(Settings::default()).await;
    let told = authctl(&daemon, &["logout", "work"]).await;
    assert!(told.code == Some(0) && told.out.starts_with("work is logged out and erased."), "{told:?}");
    server.wait_for(|counts| counts.revocations_effective == 1).await;
    authctl(&daemon, &["token"]).await.assert_refused(3, "authctl login work");
    assert_eq!(refused(look(&program(&daemon), "work").await).reason, Reason::SignedOut);
    let again = authctl(&daemon, &["logout", "work"]).await;
    assert!(again.code == Some(0) && again.out.contains("nothing to revoke"), "{again:?}");
    assert_eq!(server.counts().device_authorizations, 1, "programs begin no login after a logout");
}

#[tokio::test]
async fn twenty_programs_that_ask_at_once_for_an_expired_token_get_the_same_new_one() {
    let (server, daemon, token) =
        logged_in_at(Settings { access_token_life: std::time::Duration::from_secs(1), ..Settings::default() }).await;
    server.change(|settings| settings.access_token_life = std::time::Duration::from_secs(3600));
    crate::logged_in::outlive(&token).await;
    let mut asking = JoinSet::new();
    for _ in 0..20 {
        let mut command = daemon.program("authctl");
        command.args(["token", "work"]);
        asking.spawn(async move { Told::of(command.output().await.unwrap()) });
    }
    let told = asking.join_all().await;
    let now = format!("{}\n", used(look(&program(&daemon), "work").await).expose());
    assert!(told.iter().all(|told| told.code == Some(0) && told.out == now), "{told:?}");
    assert_eq!(server.counts().refreshes, 1);
    server.counts().assert_no_race_was_lost();
}

#[tokio::test]
async fn a_token_may_be_asked_for_by_its_resource_its_scopes_and_its_validity() {
    let server = AuthorizationServer::start(Settings::default());
    let resource = server.resource();
    let account = Account::at("work", server.issuer()).scopes(["mcp:read"]).resource(&resource);
    let daemon = Daemon::start(Config::new().account(account)).await;
    let token = crate::logged_in::log_in(&program(&daemon), &server, "work").await;
    let (wanted, within) = (format!("{}\n", token.expose()), format!("{resource}/tools"));

    for arguments in [
        vec!["token"],
        vec!["token", "--resource", &resource],
        // What lies within has no account of its own.
        vec!["token", "--resource", &within],
        vec!["token", "work", "--scope", "mcp:read"],
        vec!["token", "work", "--min-validity", "20m"],
        // Capped at half of its life; a token of less than ten seconds satisfies any.
        vec!["token", "work", "--min-validity", "300d"],
    ] {
        assert_eq!(authctl(&daemon, &arguments).await.out, wanted, "{arguments:?}");
    }
    let json: Value = serde_json::from_str(&authctl(&daemon, &["token", "--json"]).await.out).unwrap();
    assert_eq!((json["access_token"].as_str(), json["token_type"].as_str()), (Some(token.expose()), Some("Bearer")));
    assert_eq!((&json["scopes"][0], json["resource"].as_str()), (&"mcp:read".into(), Some(resource.as_str())));

    authctl(&daemon, &["token", "--resource", &format!("{resource}s")]).await.assert_refused(1, "authctl status");
    authctl(&daemon, &["token", "work", "--scope", "mcp:admin"]).await.assert_refused(3, "authctl login work --again");
    authctl(&daemon, &["token", "home"]).await.assert_refused(1, "authctl status");
    assert_eq!(authctl(&daemon, &["token", "work", "--min-validity", "soon"]).await.code, Some(2));
    assert_eq!(server.counts().refreshes, 0);
}

#[tokio::test]
async fn a_token_that_is_waited_for_is_shown_a_prompt_on_standard_error_and_printed_alone() {
    let (server, daemon) = daemon_at(Settings::default()).await;
    let mut command = daemon.program("authctl");
    command.args(["token", "work", "--wait"]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.kill_on_drop(true).spawn().unwrap();
    server.wait_for(|counts| counts.device_authorizations == 1).await;
    let code = server.pending()[0].user_code.clone();
    server.approve(&code).unwrap();
    let (mut out, mut err) = (String::new(), String::new());
    child.stdout.take().unwrap().read_to_string(&mut out).await.unwrap();
    child.stderr.take().unwrap().read_to_string(&mut err).await.unwrap();
    assert!(child.wait().await.unwrap().success(), "{err}");
    assert_eq!(out, format!("{}\n", used(look(&program(&daemon), "work").await).expose()));
    assert!(!err.contains("SNTL_"), "no token on standard error");
}

#[tokio::test]
async fn a_terminal_gets_no_token_and_is_told_how_to_pipe_it() {
    let (_server, daemon, token) = logged_in_at(Settings::default()).await;
    let Some(refused) = on_a_terminal(&daemon, "token work").await else {
        return skipped(
            "a terminal gets no token",
            &Skip("`script` of util-linux is not installed: install bsdutils".to_owned()),
        );
    };
    assert!(refused.contains("does not belong on a screen") && refused.contains("next: authctl token work | "), "{refused:?}");
    assert!(sentinel::in_bytes(refused.as_bytes()).is_none());
    let forced = on_a_terminal(&daemon, "token work --force").await.unwrap();
    assert_eq!(forced.trim(), token.expose());

    // Colours are for a terminal that wants them.
    assert!(on_a_terminal(&daemon, "status").await.unwrap().contains('\u{1b}'), "in colour");
    assert!(!on_a_terminal(&daemon, "status; true NO_COLOR").await.unwrap().contains('\u{1b}'), "without");
}

/// What `authctl` writes to a terminal. `None`: there is no `script` here. `NO_COLOR` in the line sets the variable.
async fn on_a_terminal(daemon: &Daemon, arguments: &str) -> Option<String> {
    let ours = daemon.program("authctl");
    let line = OsString::from(format!("'{}' {arguments}", ours.as_std().get_program().to_str().unwrap()));
    let mut script = Command::new("script");
    script.arg("-qec").arg(line).arg("/dev/null").env_clear().env("TERM", "xterm").env("SHELL", "/bin/sh");
    script.envs(ours.as_std().get_envs().filter_map(|(name, value)| Some((name, value?))));
    if arguments.contains("NO_COLOR") {
        script.env("NO_COLOR", "1");
    }
    let output = script.stdin(Stdio::null()).output().await.ok()?;
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[tokio::test]
async fn status_ends_with_the_code_of_what_is_wrong_and_names_the_command_that_mends_it() {
    // given a daemon whose one account nobody has logged in to: 3
    let (server, mut daemon) = daemon_at(Settings::default()).await;
    // A daemon that has just started may still be reading; a token is answered once it has.
    refused(look(&program(&daemon), "work").await);
    let told = authctl(&daemon, &["status"]).await;
    assert!(
        told.code == Some(3) && told.out.contains("LOGIN NEEDED") && told.out.contains("next      authctl login work"),
        "{told:?}"
    );

    // a login that waits: 3, and no code on the screen
    prompt(program(&daemon).token(Need::account("work").client_name("an editor")).await.unwrap());
    let told = authctl(&daemon, &["status"]).await;
    assert!(
        told.code == Some(3) && told.out.contains("A LOGIN WAITS FOR YOU") && told.out.contains("asked by an editor"),
        "{told:?}"
    );
    assert!(!told.out.contains("SNTL-"), "{told:?}");

    // logged in: 0
    let code = server.pending()[0].user_code.clone();
    server.approve(&code).unwrap();
    server.wait_for(|counts| counts.grants_started == 1).await;
    assert_eq!(Login::begins(&daemon, &["--no-browser"]).ends().await.code, Some(0));
    let told = authctl(&daemon, &["status"]).await;
    assert!(told.code == Some(0) && told.out.contains("good") && !told.out.contains("next"), "{told:?}");
    let json: Value = serde_json::from_str(&authctl(&daemon, &["status", "--json"]).await.out).unwrap();
    assert_eq!((&json["running"], &json["pid"]), (&true.into(), &daemon.pid().into()));
    assert_eq!((&json["key"]["state"], &json["accounts"][0]["health"]), (&"open".into(), &"good".into()));

    // a refresh that does not work: 4
    let token = used(look(&program(&daemon), "work").await);
    server.script(At::Refresh, Misbehaviour::Status { code: 503, retry_after: Some("600".to_owned()), body: String::new() });
    refused(program(&daemon).report_rejected(&token).await.unwrap());
    let told = authctl(&daemon, &["status"]).await;
    assert!(told.code == Some(4) && told.out.contains("DEGRADED") && told.out.contains("status 503"), "{told:?}");
    assert!(told.out.lines().any(|line| line.trim_start().starts_with("next ")), "{told:?}");

    // no daemon: 6
    daemon.stop().await;
    let told = authctl(&daemon, &["status"]).await;
    assert!(
        told.code == Some(6)
            && told.err.contains("is not running")
            && told.err.ends_with("start it with: authctl daemon start\n"),
        "{told:?}"
    );
    let told = authctl(&daemon, &["status", "--json"]).await;
    assert_eq!((told.code, &serde_json::from_str::<Value>(&told.out).unwrap()["running"]), (Some(6), &false.into()));
    for arguments in [vec!["login"], vec!["logout", "work"], vec!["token"], vec!["login", "--cancel"]] {
        let told = authctl(&daemon, &arguments).await;
        assert!(told.code == Some(6) && told.err.contains("run it with: authctl daemon run"), "{arguments:?}: {told:?}");
    }
}

#[tokio::test]
async fn every_refusal_ends_in_the_next_command() {
    let down = AuthorizationServer::start(Settings::default());
    down.go_down().await;
    let (server, strict) = (AuthorizationServer::start(Settings::default()), AuthorizationServer::start(Settings::default()));
    strict.always(At::DeviceAuthorization, Misbehaviour::Error("unauthorized_client"));
    let config = Config::new()
        .account(Account::at("down", down.issuer()))
        .account(Account::at("never", server.issuer()))
        .account(Account::at("strict", strict.issuer()));
    let daemon = Daemon::start(config).await;

    authctl(&daemon, &["token"]).await.assert_refused(1, "authctl token down");
    authctl(&daemon, &["token", "never"]).await.assert_refused(3, "authctl login never");
    authctl(&daemon, &["token", "elsewhere"]).await.assert_refused(1, "authctl status");
    let told = authctl(&daemon, &["login", "down", "--no-browser"]).await;
    told.assert_refused(7, "authctl");
    assert!(told.err.contains("no connection"), "{told:?}");
    let told = authctl(&daemon, &["login", "strict", "--no-browser"]).await;
    told.assert_refused(7, "config.toml");
    assert!(told.err.contains("unauthorized_client"), "{told:?}");
    // What the daemon says about an account that is not there ends in its next step too.
    for command in ["login", "logout"] {
        let told = authctl(&daemon, &[command, "elsewhere"]).await;
        assert!(told.code == Some(1) && told.err.trim_end().ends_with("authctl status"), "{told:?}");
    }
    // A login that somebody else has begun is pointed to, its code not repeated.
    prompt(program(&daemon).token(Need::account("never")).await.unwrap());
    authctl(&daemon, &["token", "never"]).await.assert_refused(3, "authctl login never");
}
