//! `authctl account list`: the accounts, one a line.
//!
//! Must never: leave a part of a name out, however long it is.

use mcp_authd_client::AdminClient;
use mcp_authd_client::status::{AccountStatus, Health};
use serde_json::json;

use crate::cli::account::List;
use crate::exit::{Exit, Failure};
use crate::screen::{self, Page, Tone};
use crate::{json, status};

/// A longer name stands above its line.
const WIDEST_NAME: usize = 24;
const GAP: usize = 2;

/// `authctl account list`.
pub(super) async fn run(list: List) -> Result<Exit, Failure> {
    let daemon = AdminClient::find()?.status().await?;
    let text = if list.json {
        json::line(&json!({ "accounts": daemon.accounts.iter().map(json::account).collect::<Vec<_>>() }))
    } else {
        render(&daemon.accounts, Page::of_stdout())
    };
    screen::print(&text)?;
    Ok(Exit::Done)
}

fn render(accounts: &[AccountStatus], page: Page) -> String {
    if accounts.is_empty() {
        return status::no_account(page);
    }
    let table = Table::of(accounts, page);
    accounts.iter().fold(table.row("NAME", ("HEALTH", None), &["SERVER".to_owned()]), |text, account| {
        let (tone, health) = health(account);
        text + &table.row(&screen::clean(&account.name), (health, Some(tone)), &sources(account))
    })
}

/// Where its tokens come from, and what they are for.
fn sources(account: &AccountStatus) -> Vec<String> {
    let server = account.token_file.as_ref().unwrap_or(&account.issuer).clone();
    let resources = account.resources.iter().map(|resource| format!("for {resource}"));
    [server].into_iter().chain(resources).collect()
}

/// How wide the columns are. The last one takes what is left.
struct Table {
    name: usize,
    health: usize,
    page: Page,
}

impl Table {
    fn of(accounts: &[AccountStatus], page: Page) -> Self {
        let long = |account: &AccountStatus| screen::clean(&account.name).chars().count();
        let name = accounts.iter().map(long).filter(|long| *long <= WIDEST_NAME).chain(["NAME".len()]).max();
        let words = accounts.iter().map(|account| health(account).1.len()).chain(["HEALTH".len()]).max();
        Self { name: name.unwrap_or(WIDEST_NAME), health: words.unwrap_or(WIDEST_NAME), page }
    }

    fn row(&self, name: &str, (health, tone): (&str, Option<Tone>), sources: &[String]) -> String {
        let before = self.name + GAP + self.health + GAP;
        let width = self.page.width.saturating_sub(before);
        let lines: Vec<String> = sources.iter().flat_map(|source| screen::fill(&screen::clean(source), width)).collect();
        let mut text = String::new();
        let beside = if name.chars().count() > self.name {
            text.extend(screen::fill(name, self.page.width).iter().map(|line| format!("{line}\n")));
            ""
        } else {
            name
        };
        let padding = " ".repeat(self.health.saturating_sub(health.len()) + GAP);
        let health = tone.map_or_else(|| health.to_owned(), |tone| self.page.tint(tone, health));
        let first = lines.first().map(String::as_str).unwrap_or_default();
        let row = format!("{beside:0$}{health}{padding}{first}", self.name + GAP);
        text.push_str(row.trim_end());
        text.push('\n');
        text.extend(lines.iter().skip(1).map(|line| format!("{:before$}{line}\n", "")));
        text
    }
}

/// One word.
fn health(account: &AccountStatus) -> (Tone, &'static str) {
    match account.health {
        // It serves meanwhile, unlike one that is logging in.
        Health::SigningIn if status::needs_more_access(account) => (Tone::Warning, "more-access"),
        Health::Good => (Tone::Good, "good"),
        Health::LoginRequired => (Tone::Bad, "login-needed"),
        Health::SigningIn => (Tone::Warning, "logging-in"),
        Health::Degraded => (Tone::Warning, "degraded"),
        Health::Locked => (Tone::Bad, "locked"),
        Health::Loading => (Tone::Warning, "loading"),
        Health::Removed => (Tone::Warning, "removed"),
        _ => (Tone::Warning, "unknown"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::{PAGE, account, long_name, token_file};
    use super::*;
    use crate::screen::Paint;
    use mcp_authd_client::{How, Purpose, SignIn};

    fn some() -> Vec<AccountStatus> {
        let files =
            AccountStatus { resources: vec!["https://files.example.com/mcp".into()], ..account("files", Health::LoginRequired) };
        let far = AccountStatus {
            issuer: format!("https://login.example.com/{}/v2.0", "0123456789abcdef-".repeat(4)),
            ..account("a-name-of-24-characters-", Health::SigningIn)
        };
        vec![account("work", Health::Good), files, token_file("ci", "/run/secrets/ci-token"), far]
    }

    #[test]
    fn each_account_has_its_line() {
        insta::assert_snapshot!(render(&some(), PAGE));
    }

    #[test]
    fn an_account_that_needs_more_access_is_not_taken_for_one_that_logs_in() {
        let more = AccountStatus { sign_in: Some(more_access()), ..account("more", Health::SigningIn) };
        let first = SignIn { purpose: Purpose::First, ..more_access() };
        let first = AccountStatus { sign_in: Some(first), ..more.clone() };
        for (account, word, purpose) in [(more, "more-access", "\"more_access\""), (first, "logging-in", "\"first\"")] {
            let shown = render(std::slice::from_ref(&account), PAGE);
            assert!(shown.contains(&format!("\nmore  {word}  https://")), "{shown}");
            let json = json::line(&json::account(&account));
            assert!(json.contains(&format!("\"purpose\":{purpose}")), "{json}");
        }
    }

    fn more_access() -> SignIn {
        let how = How::Browser { authorization_uri: "https://auth.example.com/authorize".into() };
        SignIn {
            account: "more".into(),
            id: "7".into(),
            purpose: Purpose::MoreAccess,
            how,
            expires_in: None,
            message: String::new(),
            asked_by: None,
        }
    }

    #[test]
    fn nobody_has_an_account_at_first() {
        insta::assert_snapshot!(render(&[], PAGE));
    }

    #[test]
    fn a_name_of_200_characters_stands_above_its_line_and_makes_no_other_line_worse() {
        let shown = render(&[account("work", Health::Good), account(&long_name(), Health::Locked)], PAGE);
        insta::assert_snapshot!(shown);
        assert!(shown.lines().all(|line| line.chars().count() <= 80), "{shown}");
        assert!(shown.replace('\n', "").contains(&long_name()));
    }

    #[test]
    fn without_colour_nothing_is_lost() {
        let colour = render(&some(), Page { paint: Paint::Colour, ..PAGE });
        let plain: Vec<String> = colour.lines().map(screen::clean).collect();
        assert_eq!(plain.join("\n"), render(&some(), PAGE).trim_end());
    }

    #[test]
    fn what_a_daemon_says_cannot_steer_the_terminal() {
        let hostile = AccountStatus { issuer: "https://a\u{1b}[2J\u{202e}.example".into(), ..account("x", Health::Good) };
        assert!(render(&[hostile], PAGE).ends_with("x     good    https://a.example\n"));
    }
}
