//! What a person sees of the daemon and its accounts: one block for each account, what is wrong and the command that mends it.
//!
//! Must never: show a token or a code; `authctl login` shows codes.

use std::time::{Duration, SystemTime};

use mcp_authd_client::Purpose;
use mcp_authd_client::shell::word;
use mcp_authd_client::status::{AccountStatus, DaemonStatus, GrantStatus, Health, Key};

use crate::screen::{self, Page, Tone, words};

/// The whole page.
pub(super) fn render(daemon: &DaemonStatus, now: SystemTime, page: Page) -> String {
    let mut text = heading(daemon, now, page);
    if daemon.accounts.is_empty() {
        text.push('\n');
        text.push_str(&no_account(page));
    }
    for account in &daemon.accounts {
        text.push('\n');
        text.push_str(&block(account, now, page));
    }
    text
}

/// What is said where there is nothing else to say.
pub(crate) fn no_account(page: Page) -> String {
    page.paragraph("No account is configured yet. To add one:")
        + &page.whole("", "authctl account add URL", None)
        + &page.paragraph("with the URL of your MCP server; other ways: authctl account add --help")
}

/// The daemon itself: some lines.
pub(super) fn heading(daemon: &DaemonStatus, now: SystemTime, page: Page) -> String {
    title(daemon, now, page) + &page.field("key", &key(daemon)) + &page.field("config", &daemon.config_path)
}

/// The daemon in one line.
pub(super) fn title(daemon: &DaemonStatus, now: SystemTime, page: Page) -> String {
    let age = daemon.started_at.and_then(|start| now.duration_since(start).ok());
    let age = age.map(|age| format!(", for {}", words(age))).unwrap_or_default();
    page.paragraph(&format!("mcp-authd {} is running (pid {}{age})", daemon.version, daemon.pid))
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

/// One account: some lines.
pub(super) fn block(account: &AccountStatus, now: SystemTime, page: Page) -> String {
    let (tone, health) = health(account);
    let name = screen::fill(&screen::clean(&account.name), page.width);
    let mut text: String = name.iter().map(|line| format!("{}\n", page.tint(Tone::Strong, line))).collect();
    text.push_str(&page.whole("health", health, Some(tone)));
    if let Some(message) = &account.message {
        text.push_str(&page.field("why", message));
    }
    match &account.token_file {
        Some(path) => text.push_str(&page.field("file", path)),
        None => text.push_str(&page.field("server", &account.issuer)),
    }
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
    match &account.grant {
        Some(grant) => text.push_str(&page.field("token", &token(grant, now))),
        // A token in a file is nobody's grant.
        None if account.token_file.is_some() => {}
        None => text.push_str(&page.field("token", "none")),
    }
    if let Some(waiting) = &account.sign_in {
        let left = waiting.expires_in.map(|left| format!(", {} left", words(left))).unwrap_or_default();
        let by = waiting.asked_by.as_ref().map(|by| format!(", asked by {by}")).unwrap_or_default();
        text.push_str(&page.field("login", &format!("waits for you{left}{by}")));
    }
    if let Some(next_step) = next_step(account) {
        text.push_str(&page.whole("next", &next_step, Some(Tone::Strong)));
    }
    text
}

/// Whether the login that waits is one for more than the token that serves meanwhile.
pub(crate) fn needs_more_access(account: &AccountStatus) -> bool {
    account.sign_in.as_ref().is_some_and(|waiting| waiting.purpose == Purpose::MoreAccess)
}

/// A health in words.
pub(crate) fn health(account: &AccountStatus) -> (Tone, &'static str) {
    match account.health {
        // Unlike every other login that waits, this one keeps no program from its token.
        Health::SigningIn if needs_more_access(account) => (Tone::Warning, "NEEDS MORE ACCESS"),
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

/// What to type next: the daemon's word, or the command that this health alone asks for.
pub(super) fn next_step(account: &AccountStatus) -> Option<String> {
    let login = || format!("authctl login {}", word(&account.name));
    match (&account.next_step, account.health) {
        (Some(next_step), _) => Some(next_step.clone()),
        (None, Health::LoginRequired | Health::SigningIn) => Some(login()),
        (None, _) => None,
    }
}

/// The token's life in words.
pub(crate) fn token(grant: &GrantStatus, now: SystemTime) -> String {
    let renewal = match (grant.refreshing, grant.renewable) {
        (true, _) => "is being renewed",
        (false, true) => "renewed by itself",
        (false, false) => "cannot be renewed without you",
    };
    let last = grant.refreshed_at.and_then(|at| now.duration_since(at).ok());
    let last = last.map(|ago| format!(", last {} ago", words(ago))).unwrap_or_default();
    format!("{}; {renewal}{last}", life(grant))
}

/// How long it lives, and nothing else.
pub(super) fn life(grant: &GrantStatus) -> String {
    match grant.expires_in {
        None => "valid, its end is not known".to_owned(),
        Some(Duration::ZERO) => "has ended".to_owned(),
        Some(left) => format!("valid for {}", words(left)),
    }
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::indexing_slicing, reason = "tests")]

    use super::*;
    use crate::screen::Paint;
    use crate::{fixture, json};
    use mcp_authd_client::status::StartedBy;
    use mcp_authd_client::{How, SignIn};

    pub(in crate::status) const PAGE: Page = Page { width: 80, paint: Paint::Plain };

    pub(in crate::status) fn now() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000)
    }

    fn before(seconds: u64) -> Option<SystemTime> {
        now().checked_sub(Duration::from_secs(seconds))
    }

    pub(in crate::status) fn account(name: &str, health: Health) -> AccountStatus {
        AccountStatus {
            issuer: "https://github.com".into(),
            client_id: "Iv1.0".into(),
            scopes: vec!["repo".into()],
            ..fixture::account(name, health)
        }
    }

    pub(in crate::status) fn grant(seconds: Option<u64>) -> GrantStatus {
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

    pub(in crate::status) fn daemon(accounts: Vec<AccountStatus>) -> DaemonStatus {
        DaemonStatus {
            version: "0.1.0".into(),
            pid: 4242,
            started_at: before(7500),
            told_at: now(),
            key_source: "systemd credential".into(),
            key: Key::Open,
            config_path: "/home/a/.config/mcp-authd/config.toml".into(),
            started_by: StartedBy::Manager,
            accounts,
        }
    }

    pub(in crate::status) fn every_kind() -> DaemonStatus {
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
        let from_a_file = AccountStatus {
            token_file: Some("/run/secrets/ci-token".into()),
            issuer: String::new(),
            scopes: vec![],
            grant: Some(GrantStatus { renewable: false, refreshed_at: None, subject: None, scopes: vec![], ..grant(None) }),
            ..account("ci", Health::Good)
        };
        daemon(vec![good, login, degraded, waiting, from_a_file])
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
    fn an_account_that_needs_more_access_says_so_beside_its_living_token() {
        let more = AccountStatus {
            message: Some("It needs more access: scope gist; the present token goes on serving.".into()),
            next_step: Some("authctl login github".into()),
            grant: Some(grant(Some(28_799))),
            sign_in: Some(SignIn { purpose: Purpose::MoreAccess, ..sign_in() }),
            ..account("github", Health::SigningIn)
        };
        let shown = block(&more, now(), PAGE);
        for line in [
            "health    NEEDS MORE ACCESS\n",
            "why       It needs more access: scope gist; the present token goes on serving.\n",
            "token     valid for ",
            "login     waits for you, 14 min left, asked by editor\n",
            "next      authctl login github\n",
        ] {
            assert!(shown.contains(line), "{line}: {shown}");
        }
        assert_eq!(health(&AccountStatus { sign_in: Some(sign_in()), ..more }).1, "A LOGIN WAITS FOR YOU");
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
    fn the_json_of_the_status_is_as_documented() {
        let written = json::status(&every_kind());
        assert_eq!(written["accounts"][0]["grant"]["expires_in"], 28_799);
        insta::assert_snapshot!(serde_json::to_string_pretty(&written).unwrap_or_default());
    }
}
