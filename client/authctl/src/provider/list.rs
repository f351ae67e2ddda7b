//! `authctl provider list`: the providers, one a line, with what an account has to give.
//!
//! Must never: leave a part of a name out, however long it is.

use mcp_authd_client::AdminClient;
use mcp_authd_client::admin::{ProfileOrigin, ProviderProfile, WayOffered};
use serde_json::json;

use super::{needs, object};
use crate::cli::provider::List;
use crate::exit::{Exit, Failure};
use crate::json;
use crate::screen::{self, Page};

/// A longer name stands above its line.
const NAME: usize = 16;
const NEEDS: usize = 28;

/// `authctl provider list`.
pub(super) async fn run(list: List) -> Result<Exit, Failure> {
    let providers = AdminClient::find()?.providers().await?;
    let text = if list.json { to_json(&providers) } else { render(&providers, Page::of_stdout()) };
    screen::print(&text)?;
    Ok(Exit::Done)
}

fn to_json(providers: &[ProviderProfile]) -> String {
    json::line(&json!({ "providers": providers.iter().map(object).collect::<Vec<_>>() }))
}

fn render(providers: &[ProviderProfile], page: Page) -> String {
    let rows = providers.iter().map(|provider| row(&name(provider), (&needs(provider).join(", "), &logins(provider)), page));
    let table = row("NAME", ("AN ACCOUNT GIVES", "LOGINS"), page) + &rows.collect::<String>();
    let has_own = providers.iter().any(|provider| provider.origin == ProfileOrigin::Configured);
    let own = if has_own { page.paragraph("A * stands for one of your own config.toml.") } else { String::new() };
    table
        + "\n"
        + &own
        + &page.paragraph("What one of them means, and its file:")
        + &page.whole("", "authctl provider show NAME", None)
}

fn name(provider: &ProviderProfile) -> String {
    let own = if provider.origin == ProfileOrigin::Configured { " *" } else { "" };
    format!("{}{own}", screen::clean(&provider.name))
}

fn logins(provider: &ProviderProfile) -> String {
    let said = |way, what: &str| match way {
        WayOffered::Yes => Some(what.to_owned()),
        WayOffered::No => None,
        WayOffered::AsAdvertised => Some(format!("{what} where offered")),
        _ => Some(format!("{what} unknown")),
    };
    let said: Vec<String> = [said(provider.device, "code"), said(provider.browser, "browser")].into_iter().flatten().collect();
    if said.is_empty() { "none".to_owned() } else { said.join(", ") }
}

fn row(name: &str, (needs, logins): (&str, &str), page: Page) -> String {
    let needs = screen::fill(&screen::clean(if needs.is_empty() { "nothing" } else { needs }), NEEDS - 2);
    let logins = screen::fill(&screen::clean(logins), page.width.saturating_sub(NAME + NEEDS));
    let mut text = String::new();
    let beside = if name.chars().count() > NAME - 2 {
        text.extend(screen::fill(name, page.width).iter().map(|line| format!("{line}\n")));
        ""
    } else {
        name
    };
    let cell = |lines: &[String], at: usize| lines.get(at).cloned().unwrap_or_default();
    for at in 0..needs.len().max(logins.len()) {
        let name = if at == 0 { beside } else { "" };
        let line = format!("{name:NAME$}{:NEEDS$}{}", cell(&needs, at), cell(&logins, at));
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::sample::{PAGE, entra, google, own};
    use super::*;

    #[test]
    fn each_provider_has_its_line_with_what_an_account_gives() {
        let shown = render(&[entra(), google(), own("mine"), own(&"a".repeat(200))], PAGE);
        insta::assert_snapshot!(shown);
        assert!(shown.lines().all(|line| line.chars().count() <= 80), "{shown}");
        assert!(shown.replace('\n', "").contains(&"a".repeat(200)));
    }

    #[test]
    fn the_json_of_the_providers_is_as_documented() {
        insta::assert_snapshot!(to_json(&[entra(), own("mine")]));
    }
}
