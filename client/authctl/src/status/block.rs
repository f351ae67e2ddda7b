//! One account on the screen: who, where, what it may, for how long, used by whom, what is wrong, and always last what to type.
//!
//! Must never: show a token or a code; `authctl login` shows codes.

use std::time::Duration;

use mcp_authd_client::Purpose;
use mcp_authd_client::shell::word;
use mcp_authd_client::status::{AccountStatus, GrantStatus, Health, LastUse};

use crate::screen::present::Present;
use crate::screen::{self, Page, Tone, words};

/// Whether the daemon tells who was given a token last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Uses {
    /// It does: what it does not tell has not been.
    Told,
    /// It may be too old to.
    Unknown,
}

/// Some lines.
pub(super) fn block(account: &AccountStatus, (present, uses): (Present, Uses), page: Page) -> String {
    let (tone, health) = health(account);
    let mut text = name(&account.name, page) + &page.whole("health", health, Some(tone));
    match &account.token_file {
        Some(path) => text.push_str(&page.field("file", path)),
        None => text.push_str(&page.field("server", &account.issuer)),
    }
    text.extend(account.resources.iter().map(|resource| page.field("resource", resource)));
    match &account.grant {
        Some(grant) => text.push_str(&held(account, grant, (present, page))),
        None => {
            text.push_str(&list("asks for", &account.scopes, page));
            // A token in a file is nobody's grant.
            let none = account.token_file.is_none().then(|| page.field("token", "none"));
            text.push_str(&none.unwrap_or_default());
        }
    }
    if let Some(used) = used(account, present, uses) {
        text.push_str(&page.field("used", &used));
    }
    text + &wrong(account, page)
}

/// A name in strong, however long.
pub(crate) fn name(name: &str, page: Page) -> String {
    let lines = screen::fill(&screen::clean(name), page.width);
    lines.iter().map(|line| format!("{}\n", page.tint(Tone::Strong, line))).collect()
}

/// What is held: whose it is, what it covers, for how long, and since when.
pub(crate) fn held(account: &AccountStatus, grant: &GrantStatus, (present, page): (Present, Page)) -> String {
    let mut text = grant.subject.as_ref().map(|subject| page.field("user", subject)).unwrap_or_default();
    text.push_str(&list("scopes", &grant.scopes, page));
    let missing = not_granted(account);
    if !missing.is_empty() {
        text.push_str(&page.field("missing", &format!("{} (asked for, not granted)", missing.join(" "))));
    }
    let renewal = if grant.renewable { "" } else { "; cannot be renewed without you" };
    text.push_str(&page.field("token", &format!("{}{renewal}", life(grant, present))));
    if grant.renewable {
        text.push_str(&page.field("renewed", &renewed(grant, present)));
    }
    text
}

fn renewed(grant: &GrantStatus, present: Present) -> String {
    let last = present.ago(grant.refreshed_at).map(|ago| format!(", last {ago}")).unwrap_or_default();
    match (grant.refreshing, present.ago(grant.obtained_at)) {
        (true, _) => format!("at this moment{last}"),
        (false, Some(login)) if last.is_empty() => format!("by itself, not yet since the login {login}"),
        (false, _) => format!("by itself{last}"),
    }
}

/// The scopes that are asked for and were not granted. Empty where the server names none at all: then it has said nothing.
pub(crate) fn not_granted(account: &AccountStatus) -> Vec<String> {
    let Some(grant) = account.grant.as_ref().filter(|grant| !grant.scopes.is_empty()) else { return vec![] };
    // It asks for a refresh token, and servers that give one often do not name it again.
    let is_given = |scope: &String| grant.scopes.contains(scope) || (grant.renewable && scope == "offline_access");
    account.scopes.iter().filter(|scope| !is_given(scope)).cloned().collect()
}

fn list(name: &str, scopes: &[String], page: Page) -> String {
    if scopes.is_empty() { String::new() } else { page.field(name, &scopes.join(" ")) }
}

/// Who was given the token last. `None`: there is nothing to say.
pub(crate) fn used(account: &AccountStatus, present: Present, uses: Uses) -> Option<String> {
    match &account.last_use {
        Some(last_use) => Some(last_used(last_use, present)),
        // What nobody was given yet, nobody has used.
        None if account.grant.is_none() || uses == Uses::Unknown => None,
        None => Some("not since mcp-authd was started".to_owned()),
    }
}

/// "3 min ago by editor (pid 4242)".
fn last_used(last_use: &LastUse, present: Present) -> String {
    let when = present.ago(last_use.at).map(|ago| format!("{ago} ")).unwrap_or_default();
    let pid = last_use.pid.map(|pid| format!(" (pid {pid})")).unwrap_or_default();
    format!("{when}by {}{pid}", last_use.program.as_deref().unwrap_or("a program"))
}

/// The login that waits, why something is wrong, and what to type.
fn wrong(account: &AccountStatus, page: Page) -> String {
    let mut text = String::new();
    if let Some(waiting) = &account.sign_in {
        let left = waiting.expires_in.map(|left| format!(", {} left", words(left))).unwrap_or_default();
        let by = waiting.asked_by.as_ref().map(|by| format!(", asked by {by}")).unwrap_or_default();
        text.push_str(&page.field("login", &format!("waits for you{left}{by}")));
    }
    if let Some(message) = &account.message {
        text.push_str(&page.field("why", message));
    }
    if let Some(next_step) = next_step(account) {
        text.push_str(&page.next("next", &next_step));
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

/// How long the token lives, and nothing else.
pub(super) fn life(grant: &GrantStatus, present: Present) -> String {
    match grant.expires_in {
        None => "valid, its end is not known".to_owned(),
        Some(Duration::ZERO) => "has ended".to_owned(),
        Some(left) => {
            // The length is by a clock that nobody sets; the daemon's calendar may have been set since.
            let end = present.now.checked_add(left).and_then(|end| present.wall(end));
            let end = end.map(|end| format!(" (until {end})")).unwrap_or_default();
            format!("valid for {}{end}", words(left))
        }
    }
}
