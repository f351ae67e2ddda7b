//! `authctl account show`: everything that the daemon tells about one account.
//!
//! Must never: show a token or a code; `authctl login` shows codes.

use mcp_authd_client::AdminClient;
use mcp_authd_client::status::{AccountStatus, SignInEnd};

use super::{find, next_step};
use crate::cli::account::Show;
use crate::exit::{Exit, Failure};
use crate::screen::present::Present;
use crate::screen::{self, Page, words};
use crate::status::Uses;
use crate::{json, status};

/// `authctl account show`.
pub(super) async fn run(show: Show) -> Result<Exit, Failure> {
    let daemon = AdminClient::find()?.status().await?;
    let present = Present::here(daemon.told_at);
    let account = find(daemon.accounts, show.name.as_deref())?;
    let text = if show.json { json::line(&json::account(&account)) } else { render(&account, present, Page::of_stdout()) };
    screen::print(&text)?;
    Ok(Exit::Done)
}

fn render(account: &AccountStatus, present: Present, page: Page) -> String {
    let (tone, health) = status::health(account);
    let mut text = status::name(&account.name, page) + &page.whole("health", health, Some(tone));
    text.push_str(&origin(account, page));
    for resource in &account.resources {
        text.push_str(&page.field("resource", resource));
    }
    text.push_str(&granted(account, present, page));
    text.push_str(&logins(account, page));
    if let Some(message) = &account.message {
        text.push_str(&page.field("why", message));
    }
    if let Some(next_step) = next_step(account) {
        text.push_str(&page.next("next", &next_step));
    }
    text
}

fn origin(account: &AccountStatus, page: Page) -> String {
    match &account.token_file {
        Some(file) => page.field("file", file),
        None => page.field("server", &account.issuer) + &page.field("client", &account.client_id),
    }
}

/// What is held: whose it is, what it covers, and how old it is.
fn granted(account: &AccountStatus, present: Present, page: Page) -> String {
    let mut text = String::new();
    let Some(grant) = &account.grant else {
        if !account.scopes.is_empty() {
            text.push_str(&page.field("asks for", &account.scopes.join(" ")));
        }
        // A token in a file is nobody's grant.
        let held = account.token_file.is_none().then(|| page.field("token", "none"));
        return text + &held.unwrap_or_default();
    };
    text.push_str(&status::held(account, grant, (present, page)));
    if let Some(ago) = present.ago(grant.obtained_at) {
        text.push_str(&page.field("logged in", &ago));
    }
    if let Some(used) = status::used(account, present, Uses::Unknown) {
        text.push_str(&page.field("used", &used));
    }
    text
}

fn logins(account: &AccountStatus, page: Page) -> String {
    let mut text = String::new();
    if let Some(waiting) = &account.sign_in {
        let left = waiting.expires_in.map(|left| format!(" for {}", words(left))).unwrap_or_default();
        let by = waiting.asked_by.as_ref().map(|by| format!(", asked by {by}")).unwrap_or_default();
        text.push_str(&page.field("login", &format!("waits for you{left}{by}")));
    }
    if let Some(end) = account.last_sign_in_end.and_then(ended) {
        text.push_str(&page.field("login", end));
    }
    text
}

/// How the last login ended, if not well.
fn ended(end: SignInEnd) -> Option<&'static str> {
    match end {
        SignInEnd::Granted => None,
        SignInEnd::Denied => Some("the last one was refused"),
        SignInEnd::Expired => Some("the last one was not answered in time"),
        SignInEnd::Cancelled => Some("the last one was cancelled"),
        SignInEnd::Failed => Some("the last one failed at the server"),
        SignInEnd::OtherSubject => Some("the last one came back for another user, and changed nothing"),
        SignInEnd::NoSubject => Some("the server did not say whose the last one was, and it changed nothing"),
        _ => Some("the last one ended in a way that this authctl does not know"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::{PAGE, account, grant, long_name, present, token_file};
    use super::*;
    use crate::screen::Paint;
    use mcp_authd_client::status::Health;

    fn full() -> AccountStatus {
        AccountStatus {
            message: Some("The server cannot be reached: connection refused. The token that is held goes on serving.".into()),
            resources: vec!["https://files.example.com/mcp".into()],
            grant: Some(grant()),
            last_sign_in_end: Some(SignInEnd::Expired),
            ..account("work", Health::Degraded)
        }
    }

    #[test]
    fn everything_that_is_known_stands_on_one_screen() {
        insta::assert_snapshot!(render(&full(), present(), PAGE));
    }

    #[test]
    fn an_account_that_was_never_logged_in_says_what_it_will_ask_for() {
        let shown = render(&account("work", Health::LoginRequired), present(), PAGE)
            + "\n"
            + &render(&token_file("ci", "/run/secrets/ci-token"), present(), PAGE);
        insta::assert_snapshot!(shown);
    }

    #[test]
    fn a_name_of_200_characters_is_shown_whole_and_only_its_command_is_wide() {
        let shown = render(&account(&long_name(), Health::LoginRequired), present(), PAGE);
        insta::assert_snapshot!(shown);
        let wide: Vec<&str> = shown.lines().filter(|line| line.chars().count() > 80).collect();
        assert_eq!(wide, [format!("  next      authctl login {}", long_name())]);
    }

    #[test]
    fn without_colour_nothing_is_lost() {
        let colour = render(&full(), present(), Page { paint: Paint::Colour, ..PAGE });
        let plain: Vec<String> = colour.lines().map(screen::clean).collect();
        assert_eq!(plain.join("\n"), render(&full(), present(), PAGE).trim_end());
    }
}
