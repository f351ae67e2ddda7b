//! `authctl provider show`: what an account gives for one provider, what it means, and its file as it is shipped.
//!
//! Must never: change a line of the file: it is there to be copied.

use mcp_authd_client::AdminClient;
use mcp_authd_client::admin::{ClientNeeded, ProfileOrigin, ProviderProfile, WayOffered};
use mcp_authd_client::shell::word;

use super::object;
use crate::cli::provider::Show;
use crate::exit::{Exit, Failure};
use crate::json;
use crate::screen::{self, Page, Tone};

/// `authctl provider show`.
pub(super) async fn run(show: Show) -> Result<Exit, Failure> {
    let providers = AdminClient::find()?.providers().await?;
    let provider = providers.into_iter().find(|provider| provider.name == show.name).ok_or_else(|| unknown(&show.name))?;
    let text = if show.json { json::line(&object(&provider)) } else { render(&provider, Page::of_stdout()) };
    screen::print(&text)?;
    Ok(Exit::Done)
}

fn unknown(name: &str) -> Failure {
    Failure::new(Exit::Failed, format!("there is no provider \"{name}\""), "authctl provider list")
}

fn render(provider: &ProviderProfile, page: Page) -> String {
    let name = screen::fill(&screen::clean(&provider.name), page.width);
    let mut text: String = name.iter().map(|line| format!("{}\n", page.tint(Tone::Strong, line))).collect();
    text.push_str(&page.field(
        "from",
        match provider.origin {
            ProfileOrigin::Shipped => "mcp-authd itself; a table of this name in config.toml takes its place",
            ProfileOrigin::Configured => "config.toml (authctl status names the file)",
            _ => "a place that needs a newer authctl",
        },
    ));
    text.push_str(&page.field("client", client(provider.client)));
    text.push_str(&page.field("logins", &logins(provider)));
    for parameter in &provider.parameters {
        let told = match &parameter.usual {
            None => "has to be given".to_owned(),
            Some(usual) => format!("may be given; else {usual}"),
        };
        text.push_str(&page.field("gives", &format!("{}: {told}", parameter.name)));
    }
    text.push_str("\nWhat it means\n");
    text.extend(provider.meaning.iter().map(|sentence| item(sentence, page)));
    text.push_str("\nTo add an account\n");
    text.push_str(&format!("{}\n", indented(&command(provider))));
    text.push_str("\nThe same in config.toml\n");
    text.push_str(&account(provider));
    if let Some(file) = &provider.text {
        text.push_str("\nThe file, fit to be pasted into config.toml and changed there\n");
        text.extend(file.lines().map(|line| format!("{}\n", indented(line))));
    }
    text
}

/// A sentence of a list.
fn item(sentence: &str, page: Page) -> String {
    let lines = screen::fill(&screen::clean(sentence), page.width.saturating_sub(4));
    let lead = |at| if at == 0 { "  - " } else { "    " };
    lines.iter().enumerate().map(|(at, line)| format!("{}{line}\n", lead(at))).collect()
}

fn client(needed: ClientNeeded) -> &'static str {
    match needed {
        ClientNeeded::Any => "a client_id, and the secret of the client where it has one",
        ClientNeeded::WithSecret => "a client_id, and its secret: authctl account set-secret NAME",
        ClientNeeded::None => "none: the provider knows no clients",
        _ => "of a kind that needs a newer authctl",
    }
}

fn logins(provider: &ProviderProfile) -> String {
    let said = |way, what: &str| match way {
        WayOffered::Yes => Some(what.to_owned()),
        WayOffered::No => None,
        WayOffered::AsAdvertised => Some(format!("{what} where the server says so")),
        _ => Some(format!("{what}: known to a newer authctl only")),
    };
    let said = [said(provider.device, "by a code on any device"), said(provider.browser, "in a browser")];
    let said: Vec<String> = said.into_iter().flatten().collect();
    if said.is_empty() { "none".to_owned() } else { said.join("; ") }
}

/// The command for an account of this provider, to be filled in.
fn command(provider: &ProviderProfile) -> String {
    let given = provider.parameters.iter().filter(|parameter| parameter.usual.is_none());
    let given = given.map(|parameter| format!(" --provider-parameter {}", word(&format!("{}=...", parameter.name))));
    let client = if provider.client == ClientNeeded::None { "" } else { " --client-id ID" };
    format!("authctl account add NAME --provider {}{}{client}", word(&provider.name), given.collect::<String>())
}

/// An account of this provider, to be filled in.
fn account(provider: &ProviderProfile) -> String {
    let given: Vec<String> = provider
        .parameters
        .iter()
        .filter(|parameter| parameter.usual.is_none())
        .map(|parameter| format!("{} = \"...\"", parameter.name))
        .collect();
    let mut lines = vec!["[accounts.NAME]".to_owned(), format!("provider = \"{}\"", provider.name)];
    if provider.client != ClientNeeded::None {
        lines.push("client_id = \"...\"".to_owned());
    }
    if !given.is_empty() {
        lines.push(format!("provider_parameters = {{ {} }}", given.join(", ")));
    }
    lines.iter().map(|line| format!("{}\n", indented(line))).collect()
}

fn indented(line: &str) -> String {
    let line = screen::clean(line);
    if line.is_empty() { line } else { format!("  {line}") }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::sample::{PAGE, entra, google, own};
    use super::*;

    pub(in crate::provider) fn failures() -> Vec<Failure> {
        vec![unknown("my own"), unknown("entar")]
    }

    #[test]
    fn a_shipped_provider_is_shown_with_what_an_account_gives_and_with_its_file() {
        insta::assert_snapshot!(render(&entra(), PAGE));
    }

    #[test]
    fn a_provider_of_the_configuration_and_one_with_a_secret_are_shown() {
        insta::assert_snapshot!(render(&own("mine"), PAGE) + "\n" + &render(&ProviderProfile { text: None, ..google() }, PAGE));
        assert!(
            render(&own(&"a".repeat(200)), PAGE)
                .lines()
                .filter(|line| !line.contains("provider =") && !line.contains("--provider"))
                .all(|line| line.chars().count() <= 80)
        );
    }

    #[test]
    fn the_json_of_a_provider_is_as_documented_and_an_unknown_one_names_the_list() {
        insta::assert_snapshot!(json::line(&object(&entra())));
        assert_eq!(unknown("x").next_step.as_deref(), Some("authctl provider list"));
    }
}
