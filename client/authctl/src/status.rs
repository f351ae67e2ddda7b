//! `authctl status`: one screen with the daemon and its accounts, what is wrong and the command that mends it.
//!
//! Must never: show a token or a code; `authctl login` shows codes.

use std::time::{Duration, SystemTime};

use mcp_authd_client::status::{AccountStatus, DaemonStatus, GrantStatus, Health, Key};
use mcp_authd_client::{AdminClient, CallError, ConnectError};
use serde_json::json;

use crate::cli::Status;
use crate::exit::{Exit, Failure};
use crate::json;
use crate::screen::{self, Page, Tone, words};

/// `authctl status`.
pub(crate) async fn run(options: Status) -> Result<Exit, Failure> {
    let answer = match AdminClient::find() {
        // Who looks changes nothing: no daemon is started.
        Ok(client) => client.never_starting().status().await,
        Err(error) => Err(error.into()),
    };
    let daemon = match answer {
        Ok(daemon) => daemon,
        Err(error @ CallError::Connect(ConnectError::NoDaemon { .. })) if options.json => {
            screen::print(&json::line(&json!({ "running": false, "message": error.to_string() })))?;
            return Ok(Exit::NotRunning);
        }
        Err(error) => return Err(error.into()),
    };
    let text = if options.json { json::line(&json::status(&daemon)) } else { render(&daemon, daemon.told_at, Page::of_stdout()) };
    screen::print(&text)?;
    Ok(verdict(&daemon))
}

/// The worst of the key and the accounts: locked, then a login, then degraded.
fn verdict(daemon: &DaemonStatus) -> Exit {
    let of_key = match daemon.key {
        Key::Open => Exit::Done,
        Key::Locked | Key::Wrong => Exit::Locked,
        _ => Exit::Degraded,
    };
    let of_account = |account: &AccountStatus| match account.health {
        Health::Good => Exit::Done,
        Health::LoginRequired | Health::SigningIn => Exit::LoginRequired,
        Health::Locked => Exit::Locked,
        _ => Exit::Degraded,
    };
    let found: Vec<Exit> = daemon.accounts.iter().map(of_account).chain([of_key]).collect();
    let order = [Exit::Locked, Exit::LoginRequired, Exit::Degraded];
    order.into_iter().find(|exit| found.contains(exit)).unwrap_or(Exit::Done)
}

fn render(daemon: &DaemonStatus, now: SystemTime, page: Page) -> String {
    let age = daemon.started_at.and_then(|start| now.duration_since(start).ok());
    let age = age.map(|age| format!(", for {}", words(age))).unwrap_or_default();
    let mut text = page.paragraph(&format!("mcp-authd {} is running (pid {}{age})", daemon.version, daemon.pid));
    text.push_str(&page.field("key", &key(daemon)));
    text.push_str(&page.field("config", &daemon.config_path));
    if daemon.accounts.is_empty() {
        text.push('\n');
        text.push_str(&page.paragraph("No account is configured yet. Describe one in the configuration file."));
    }
    for account in &daemon.accounts {
        text.push('\n');
        text.push_str(&render_account(account, now, page));
    }
    text
}

fn key(daemon: &DaemonStatus) -> String {
    let state = match daemon.key {
        Key::Open => "open",
        Key::Locked => "LOCKED",
        Key::Wrong => "WRONG: it does not open the store",
        Key::Loading => "is being fetched",
        _ => "unknown to this authctl",
    };
    if daemon.key_source.is_empty() { state.to_owned() } else { format!("{state} ({})", daemon.key_source) }
}

fn render_account(account: &AccountStatus, now: SystemTime, page: Page) -> String {
    let (tone, health) = health(account.health);
    let name = screen::fill(&screen::clean(&account.name), page.width);
    let mut text: String = name.iter().map(|line| format!("{}\n", page.tint(Tone::Strong, line))).collect();
    text.push_str(&page.whole("health", health, Some(tone)));
    if let Some(message) = &account.message {
        text.push_str(&page.field("why", message));
    }
    text.push_str(&page.field("server", &account.issuer));
    for resource in &account.resources {
        text.push_str(&page.field("resource", resource));
    }
    if let Some(subject) = account.grant.as_ref().and_then(|grant| grant.subject.as_ref()) {
        text.push_str(&page.field("user", subject));
    }
    let scopes = account.grant.as_ref().map_or(&account.scopes, |grant| &grant.scopes);
    if !scopes.is_empty() {
        text.push_str(&page.field("scopes", &scopes.join(" ")));
    }
    text.push_str(&page.field("token", &account.grant.as_ref().map_or_else(|| "none".to_owned(), |grant| token(grant, now))));
    if let Some(waiting) = &account.sign_in {
        let left = waiting.expires_in.map(|left| format!(" for {}", words(left))).unwrap_or_default();
        let by = waiting.asked_by.as_ref().map(|by| format!(", asked by {by}")).unwrap_or_default();
        text.push_str(&page.field("login", &format!("waits for you{left}{by}")));
    }
    if let Some(next_step) = next_step(account) {
        text.push_str(&page.whole("next", &next_step, Some(Tone::Strong)));
    }
    text
}

fn health(health: Health) -> (Tone, &'static str) {
    match health {
        Health::Good => (Tone::Good, "good"),
        Health::LoginRequired => (Tone::Bad, "LOGIN NEEDED"),
        Health::SigningIn => (Tone::Warning, "A LOGIN WAITS FOR YOU"),
        Health::Degraded => (Tone::Warning, "DEGRADED"),
        Health::Locked => (Tone::Bad, "LOCKED"),
        Health::Loading => (Tone::Warning, "loading"),
        Health::Removed => (Tone::Warning, "removed"),
        _ => (Tone::Warning, "unknown to this authctl"),
    }
}

/// The daemon's word, or the command that this health alone asks for.
fn next_step(account: &AccountStatus) -> Option<String> {
    let login = || format!("authctl login {}", account.name);
    match (&account.next_step, account.health) {
        (Some(next_step), _) => Some(next_step.clone()),
        (None, Health::LoginRequired | Health::SigningIn) => Some(login()),
        (None, _) => None,
    }
}

/// The token's life in words.
fn token(grant: &GrantStatus, now: SystemTime) -> String {
    let life = match grant.expires_in {
        None => "valid, its end is not known".to_owned(),
        Some(Duration::ZERO) => "has ended".to_owned(),
        Some(left) => format!("valid for {}", words(left)),
    };
    let renewal = match (grant.refreshing, grant.renewable) {
        (true, _) => "is being renewed",
        (false, true) => "renewed by itself",
        (false, false) => "cannot be renewed without you",
    };
    let last = grant.refreshed_at.and_then(|at| now.duration_since(at).ok());
    let last = last.map(|ago| format!(", last {} ago", words(ago))).unwrap_or_default();
    format!("{life}; {renewal}{last}")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing, reason = "tests")]

    use super::*;
    use crate::screen::Paint;
    use mcp_authd_client::{How, Purpose, SignIn};

    const PAGE: Page = Page { width: 80, paint: Paint::Plain };

    fn now() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000)
    }

    fn before(seconds: u64) -> Option<SystemTime> {
        now().checked_sub(Duration::from_secs(seconds))
    }

    fn account(name: &str, health: Health) -> AccountStatus {
        AccountStatus {
            name: name.into(),
            issuer: "https://github.com".into(),
            client_id: "Iv1.0".into(),
            resources: vec![],
            scopes: vec!["repo".into()],
            revision: 7,
            health,
            message: None,
            next_step: None,
            grant: None,
            sign_in: None,
            last_sign_in_end: None,
            token_file: None,
        }
    }

    fn grant(seconds: Option<u64>) -> GrantStatus {
        GrantStatus {
            scopes: vec!["read:org".into(), "repo".into()],
            expires_at: None,
            expires_in: seconds.map(Duration::from_secs),
            obtained_at: before(90_000),
            refreshed_at: before(60),
            renewable: true,
            refreshing: false,
            subject: Some("octocat".into()),
        }
    }

    fn daemon(accounts: Vec<AccountStatus>) -> DaemonStatus {
        DaemonStatus {
            version: "0.1.0".into(),
            pid: 4242,
            started_at: before(7500),
            told_at: now(),
            key_source: "systemd credential".into(),
            key: Key::Open,
            config_path: "/home/a/.config/mcp-authd/config.toml".into(),
            accounts,
        }
    }

    fn every_kind() -> DaemonStatus {
        let good = AccountStatus { grant: Some(grant(Some(28_799))), ..account("github", Health::Good) };
        let login = AccountStatus {
            message: Some("The server has ended the grant.".into()),
            next_step: Some("authctl login gitlab".into()),
            ..account("gitlab", Health::LoginRequired)
        };
        let degraded = AccountStatus {
            message: Some("The server cannot be reached: connection refused. The token that is held goes on serving.".into()),
            grant: Some(GrantStatus { refreshing: true, refreshed_at: None, ..grant(None) }),
            resources: vec!["https://mcp.linear.app/mcp".into()],
            ..account("linear", Health::Degraded)
        };
        let waiting = AccountStatus { sign_in: Some(sign_in()), ..account("sentry", Health::SigningIn) };
        daemon(vec![good, login, degraded, waiting])
    }

    fn sign_in() -> SignIn {
        let how = How::Device {
            user_code: "ABCD-1234".into(),
            verification_uri: "https://sentry.io/device".into(),
            verification_uri_complete: None,
        };
        SignIn {
            account: "sentry".into(),
            id: "7".into(),
            purpose: Purpose::First,
            how,
            expires_in: Some(Duration::from_secs(840)),
            message: String::new(),
            asked_by: Some("editor".into()),
        }
    }

    #[test]
    fn one_screen_shows_every_kind_of_account() {
        insta::assert_snapshot!(render(&every_kind(), now(), PAGE));
    }

    #[test]
    fn a_daemon_without_accounts_says_what_to_do() {
        insta::assert_snapshot!(render(&DaemonStatus { key: Key::Locked, ..daemon(vec![]) }, now(), PAGE));
    }

    #[test]
    fn a_name_of_200_characters_is_shown_whole_and_only_its_command_is_wide() {
        let name = format!("{}-{}", "a".repeat(99), "b".repeat(100));
        let shown = render(&daemon(vec![account(&name, Health::LoginRequired)]), now(), PAGE);
        insta::assert_snapshot!(shown);
        let wide: Vec<&str> = shown.lines().filter(|line| line.chars().count() > 80).collect();
        assert_eq!(wide, [format!("  next      authctl login {name}")]);
    }

    #[test]
    fn status_shows_no_code() {
        assert!(!render(&every_kind(), now(), PAGE).contains("ABCD"));
        assert!(!json::status(&every_kind()).to_string().contains("ABCD"));
    }

    #[test]
    fn without_colour_nothing_is_lost() {
        let colour = render(&every_kind(), now(), Page { paint: Paint::Colour, ..PAGE });
        let plain: Vec<String> = colour.lines().map(screen::clean).collect();
        assert_eq!(plain.join("\n"), render(&every_kind(), now(), PAGE).trim_end());
    }

    #[test]
    fn a_hostile_message_cannot_steer_the_terminal() {
        let hostile = AccountStatus { message: Some("a\u{1b}[2J\u{202e}b\nc".into()), ..account("x", Health::Degraded) };
        let shown = render(&daemon(vec![hostile]), now(), PAGE);
        assert!(shown.contains("why       ab c\n"), "{shown}");
    }

    #[test]
    fn the_exit_code_is_the_worst_that_was_found() {
        let with = |key: Key, healths: &[Health]| {
            verdict(&DaemonStatus { key, ..daemon(healths.iter().map(|health| account("x", *health)).collect()) })
        };
        assert_eq!(with(Key::Open, &[]), Exit::Done);
        assert_eq!(with(Key::Open, &[Health::Good, Health::Good]), Exit::Done);
        assert_eq!(with(Key::Open, &[Health::Good, Health::Degraded]), Exit::Degraded);
        assert_eq!(with(Key::Open, &[Health::Degraded, Health::LoginRequired]), Exit::LoginRequired);
        assert_eq!(with(Key::Open, &[Health::SigningIn]), Exit::LoginRequired);
        assert_eq!(with(Key::Open, &[Health::LoginRequired, Health::Locked]), Exit::Locked);
        assert_eq!(with(Key::Wrong, &[Health::Good]), Exit::Locked);
        assert_eq!(with(Key::Loading, &[Health::Loading]), Exit::Degraded);
    }

    #[test]
    fn the_json_of_the_status_is_as_documented() {
        let written = json::status(&every_kind());
        assert_eq!(written["accounts"][0]["grant"]["expires_in"], 28_799);
        insta::assert_snapshot!(serde_json::to_string_pretty(&written).unwrap_or_default());
    }
}
