//! The first lines of the screen: how the accounts are, all at once, and what to type about it.
//!
//! Must never: say that all is good where something is not.

use mcp_authd_client::status::{AccountStatus, DaemonStatus, Health, Key};

use super::block::{needs_more_access, next_step};
use crate::screen::{self, Page, Tone};

/// More commands than these stand with their accounts.
const COMMANDS: usize = 3;

/// One line, or some in a narrow terminal.
pub(super) fn in_a_line(daemon: &DaemonStatus, page: Page) -> String {
    let mut said: Vec<String> = key(daemon.key).map(ToOwned::to_owned).into_iter().collect();
    if !daemon.accounts.is_empty() {
        said.push(accounts(&daemon.accounts));
    }
    let lines = screen::fill(&said.join(" "), page.width);
    lines.iter().map(|line| format!("{}\n", page.tint(tone(daemon), line))).collect()
}

/// The line, and the commands that the person is needed for.
pub(super) fn with_commands(daemon: &DaemonStatus, page: Page) -> String {
    let mut commands: Vec<String> = Vec::new();
    for account in ordered(&daemon.accounts).into_iter().filter(|account| urgency(account.health) == 0) {
        commands.extend(next_step(account).filter(|command| !commands.contains(command)));
    }
    let more = commands.len().saturating_sub(COMMANDS);
    let shown = commands.iter().take(COMMANDS).enumerate();
    let mut text = in_a_line(daemon, page);
    text.extend(shown.map(|(index, command)| page.next(if index == 0 { "next" } else { "" }, command)));
    if more > 0 {
        text.push_str(&page.field("", &format!("and {more} more, each with its account")));
    }
    text
}

/// Those first that need the person, then those with something wrong; else in their order.
pub(super) fn ordered(accounts: &[AccountStatus]) -> Vec<&AccountStatus> {
    let mut accounts: Vec<&AccountStatus> = accounts.iter().collect();
    accounts.sort_by_key(|account| urgency(account.health));
    accounts
}

/// 0: the person has to do something. 1: something is wrong. 2: good.
pub(super) fn urgency(health: Health) -> u8 {
    match health {
        Health::LoginRequired | Health::SigningIn | Health::Locked => 0,
        Health::Good => 2,
        _ => 1,
    }
}

fn tone(daemon: &DaemonStatus) -> Tone {
    let worst = daemon.accounts.iter().map(|account| account.health).map(urgency).min().unwrap_or(2);
    match (daemon.key, worst) {
        (Key::Locked | Key::Wrong, _) | (_, 0) => Tone::Bad,
        (Key::Open, 2) => Tone::Good,
        _ => Tone::Warning,
    }
}

/// What is wrong with the key.
fn key(key: Key) -> Option<&'static str> {
    match key {
        Key::Open => None,
        Key::Locked => Some("The store's key is LOCKED."),
        Key::Wrong => Some("The store's key is WRONG: it does not open the store."),
        Key::Loading => Some("The store's key is being fetched."),
        _ => Some("The store's key is in a state that this authctl does not know."),
    }
}

/// "3 accounts: 2 good, 1 needs a login".
fn accounts(accounts: &[AccountStatus]) -> String {
    let mut counted: Vec<((&str, &str), usize)> = Vec::new();
    let (good, others): (Vec<&AccountStatus>, Vec<_>) = ordered(accounts).into_iter().partition(|one| one.health == Health::Good);
    for words in good.into_iter().chain(others).map(words) {
        match counted.iter_mut().find(|(known, _)| *known == words) {
            Some((_, count)) => *count += 1,
            None => counted.push((words, 1)),
        }
    }
    let all = accounts.len();
    let heading = if all == 1 { "1 account".to_owned() } else { format!("{all} accounts") };
    let told: Vec<String> = counted
        .into_iter()
        .map(|((one, several), count)| match count {
            1 if all == 1 => one.to_owned(),
            count if count == all => format!("all {several}"),
            1 => format!("1 {one}"),
            count => format!("{count} {several}"),
        })
        .collect();
    format!("{heading}: {}", told.join(", "))
}

/// For one, and for several.
fn words(account: &AccountStatus) -> (&'static str, &'static str) {
    match account.health {
        Health::Good => ("good", "good"),
        Health::LoginRequired => ("needs a login", "need a login"),
        Health::SigningIn if needs_more_access(account) => ("needs more access", "need more access"),
        Health::SigningIn => ("waits for your login", "wait for your login"),
        Health::Degraded => ("degraded", "degraded"),
        Health::Locked => ("locked", "locked"),
        Health::Loading => ("loading", "loading"),
        Health::Removed => ("removed", "removed"),
        _ => ("unknown to this authctl", "unknown to this authctl"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::{PAGE, account, daemon, every_kind};
    use super::*;

    fn told(healths: &[Health]) -> String {
        let accounts = healths.iter().enumerate().map(|(index, health)| account(&format!("a{index}"), *health)).collect();
        in_a_line(&daemon(accounts), PAGE)
    }

    #[test]
    fn the_first_line_counts_what_is_good_and_what_is_not() {
        use Health::{Degraded, Good, Locked, LoginRequired, SigningIn};
        assert_eq!(told(&[]), "");
        assert_eq!(told(&[Good]), "1 account: good\n");
        assert_eq!(told(&[LoginRequired]), "1 account: needs a login\n");
        assert_eq!(told(&[Good, Good]), "2 accounts: all good\n");
        assert_eq!(told(&[LoginRequired, Good, Good]), "3 accounts: 2 good, 1 needs a login\n");
        assert_eq!(told(&[Degraded, LoginRequired, Good, LoginRequired]), "4 accounts: 1 good, 2 need a login, 1 degraded\n");
        assert_eq!(told(&[SigningIn, SigningIn]), "2 accounts: all wait for your login\n");
        assert_eq!(told(&[Locked, Good]), "2 accounts: 1 good, 1 locked\n");
    }

    #[test]
    fn all_is_good_is_said_of_nothing_else() {
        for health in super::super::sample::HEALTHS.into_iter().filter(|health| *health != Health::Good) {
            for told in [told(&[health]), told(&[health, Health::Good]), told(&[health, health])] {
                assert!(!told.contains("all good") && told != "1 account: good\n", "{told}");
            }
        }
    }

    #[test]
    fn a_key_that_is_not_open_is_said_before_the_accounts() {
        for key in [Key::Locked, Key::Wrong, Key::Loading, Key::Other] {
            let told = in_a_line(&DaemonStatus { key, ..daemon(vec![account("a", Health::Locked)]) }, PAGE);
            assert!(told.starts_with("The store's key is ") && told.ends_with(". 1 account: locked\n"), "{told}");
        }
    }

    #[test]
    fn the_commands_are_those_that_need_the_person_each_once_and_at_most_three() {
        let shown = with_commands(&every_kind(), PAGE);
        assert!(shown.ends_with("  next      authctl login gitlab\n            authctl login sentry\n"), "{shown}");
        let many = (0..5).map(|number| account(&format!("a{number}"), Health::LoginRequired)).collect();
        let shown = with_commands(&daemon(many), PAGE);
        assert_eq!(shown.matches("authctl login").count(), 3, "{shown}");
        assert!(shown.ends_with("            and 2 more, each with its account\n"), "{shown}");
        let same = |name: &str| AccountStatus { next_step: Some("see the log".into()), ..account(name, Health::Locked) };
        assert_eq!(with_commands(&daemon(vec![same("a"), same("b")]), PAGE).matches("see the log").count(), 1);
    }
}
