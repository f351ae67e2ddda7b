//! `authctl account add`: the daemon writes an account into `config.toml` and serves it.
//!
//! Must never: judge what the person described; the daemon does, and tells every mistake.

use std::collections::BTreeMap;

use mcp_authd_client::AdminClient;
use mcp_authd_client::admin::{AccountDescription, Added, Probed};
use mcp_authd_client::shell::word;
use mcp_authd_client::status::{AccountStatus, Health};
use serde_json::json;

use super::{ByHand, Teller, config_path, next_step};
use crate::cli::account::Add;
use crate::exit::{Exit, Failure};
use crate::json;
use crate::provider::found;
use crate::screen::{self, Page};

/// `authctl account add`.
pub(super) async fn run(add: Add) -> Result<Exit, Failure> {
    let teller = Teller::of(add.json);
    let (url, description) = describe(add)?;
    let asked = Asked::of(&description);
    let admin = AdminClient::find()?;
    let (added, found) = admin.add_account_at(url, description).await?;
    let path = config_path(&admin).await;
    let (how, account) = match added {
        Added::Written(account) => (How::Added, account),
        Added::Present(account) => (How::Present, account),
        Added::NotWritten(why) => return teller.not_written(&why, ByHand::PutIn, path.as_deref()),
    };
    let next = asked.next(how, &account);
    let text = match teller {
        Teller::Program => json::line(&json!({
            "outcome": if how == How::Added { "added" } else { "present" },
            "account": json::account(&account),
            "config_path": path,
            "found": found.as_ref().map(found::value),
            "next_step": next,
        })),
        Teller::Person => asked.report(how, &account, (path.as_deref(), found.as_ref()), Page::of_stdout()),
    };
    screen::print(&text)?;
    Ok(Exit::Done)
}

/// What was typed, as it is sent: the URL to look behind, and the account.
fn describe(add: Add) -> Result<(Option<String>, AccountDescription), Failure> {
    let (name, url) = told_apart(add.name, add.url);
    let others = [&add.device_authorization_endpoint, &add.token_file];
    if url.is_some() && others.into_iter().any(Option::is_some) {
        let message = "a URL stands for the server behind it; neither endpoints nor --token-file go with it";
        return Err(Failure::new(Exit::Usage, message, "authctl account add --help"));
    }
    if let (Some(url), Some(provider), None) = (&url, &add.provider, &add.issuer) {
        let message = "a URL stands for the server behind it, and a provider names its own; say which of them the URL is";
        let next = format!(
            "the same command with --resource {0} (to log in at {provider}) or --issuer {0} (to log in at the URL) in place of the bare URL",
            word(url)
        );
        return Err(Failure::new(Exit::Usage, message, next));
    }
    let named = [&url, &add.issuer, &add.resource, &add.provider].into_iter().any(Option::is_some);
    if !named && others.into_iter().all(Option::is_none) {
        // No name holds these: it is an address without its beginning.
        if let Some(address) = name.as_ref().filter(|name| name.contains(['/', ':'])) {
            let message = format!("{address} is no name, and no URL either: a URL begins with https://");
            return Err(Failure::new(
                Exit::Usage,
                message,
                format!("authctl account add {}", word(&format!("https://{address}"))),
            ));
        }
        let message = "it is not said where the account's tokens come from";
        return Err(Failure::new(Exit::Usage, message, "authctl account add URL, or: authctl account add --help"));
    }
    let description = AccountDescription {
        name: name.unwrap_or_default(),
        issuer: add.issuer.unwrap_or_default(),
        device_authorization_endpoint: add.device_authorization_endpoint.unwrap_or_default(),
        token_endpoint: add.token_endpoint.unwrap_or_default(),
        revocation_endpoint: add.revocation_endpoint.unwrap_or_default(),
        client_id: add.client_id.unwrap_or_default(),
        // A list in one argument, as RFC 6749, 3.3 writes it, is several scopes.
        scopes: add.scopes.iter().flat_map(|scopes| scopes.split_whitespace()).map(ToOwned::to_owned).collect(),
        resource: add.resource.unwrap_or_default(),
        audience: add.audience.unwrap_or_default(),
        extra_parameters: each_once(add.parameters)?,
        token_endpoint_auth_method: add.token_endpoint_auth_method.unwrap_or_default(),
        client_secret_file: add.client_secret_file.unwrap_or_default(),
        token_file: add.token_file.unwrap_or_default(),
        provider: add.provider.unwrap_or_default(),
        provider_parameters: each_once(add.provider_parameters)?,
        flow: add.flow.unwrap_or_default(),
        client_id_metadata_document: add.client_id_metadata_document.unwrap_or_default(),
    };
    Ok((url, description))
}

fn each_once(given: Vec<(String, String)>) -> Result<BTreeMap<String, String>, Failure> {
    let mut parameters = BTreeMap::new();
    for (key, value) in given {
        if let Some(before) = parameters.insert(key.clone(), value.clone())
            && before != value
        {
            let message = format!("the parameter {key} is given twice, with two values");
            return Err(Failure::new(Exit::Usage, message, "authctl account add --help"));
        }
    }
    Ok(parameters)
}

/// A name and a URL, in whichever order they came: no name holds `://`.
fn told_apart(name: Option<String>, url: Option<String>) -> (Option<String>, Option<String>) {
    let is_url = |text: &Option<String>| text.as_ref().is_some_and(|text| text.contains("://"));
    if is_url(&name) && !is_url(&url) { (url, name) } else { (name, url) }
}

/// Whether the account is new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    Added,
    Present,
}

/// What of the request matters for the answer.
#[derive(Debug)]
struct Asked {
    name: String,
    /// The client has a secret, and it stands in no file.
    secret: Secret,
}

/// Whether a secret is to be given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Secret {
    Wanted,
    NotWanted,
}

impl Asked {
    fn of(description: &AccountDescription) -> Self {
        let method = description.token_endpoint_auth_method.as_str();
        let wanted = !matches!(method, "" | "none") && description.client_secret_file.is_empty();
        Self { name: description.name.clone(), secret: if wanted { Secret::Wanted } else { Secret::NotWanted } }
    }

    /// What to type next. A client without its secret cannot log in.
    fn next(&self, how: How, account: &AccountStatus) -> Option<String> {
        match (how, self.secret) {
            (How::Added, Secret::Wanted) => Some(format!("authctl account set-secret {}", word(&account.name))),
            (How::Added, Secret::NotWanted) if account.health != Health::Good => {
                next_step(account).or_else(|| Some(format!("authctl login {}", word(&account.name))))
            }
            (How::Added, Secret::NotWanted) => Some(format!("authctl account show {}", word(&account.name))),
            (How::Present, _) => next_step(account),
        }
    }

    fn report(&self, how: How, account: &AccountStatus, (path, found): (Option<&str>, Option<&Probed>), page: Page) -> String {
        let name = &account.name;
        let mut text = match how {
            How::Added => page.paragraph(&format!("{name} is added.")),
            How::Present if self.name.is_empty() || self.name == *name => {
                page.paragraph(&format!("{name} is there already, and nothing was written."))
            }
            How::Present => {
                page.paragraph(&format!("{} is there already, under the name {name}, and nothing was written.", self.name))
            }
        };
        if let Some(path) = path {
            text.push_str(&page.whole("config", path, None));
        }
        match &account.token_file {
            Some(file) => text.push_str(&page.whole("file", file, None)),
            None if !account.issuer.is_empty() => text.push_str(&page.whole("server", &account.issuer, None)),
            None => {}
        }
        if let Some(found) = found {
            text.push_str(&found::summary(found, page));
        }
        if let Some(message) = account.message.as_ref().filter(|_| account.token_file.is_some()) {
            text.push_str(&page.field("why", message));
        }
        match self.next(how, account) {
            Some(next) => text + &page.whole("next", &next, None),
            None => text,
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::super::sample::{PAGE, account, grant, long_name, token_file};
    use super::*;

    const PATH: Option<&str> = Some("/home/a/.config/mcp-authd/config.toml");

    pub(in crate::account) fn failures() -> Vec<Failure> {
        let url = || Some("https://mcp.example.com/mcp?team=a&b".to_owned());
        let twice = ["x", "y"].map(|value| ("prompt".to_owned(), value.to_owned()));
        let unusable = [
            Add { url: url(), token_file: Some("/run/secrets/ci-token".into()), ..Add::default() },
            Add { url: url(), provider: Some("entra".into()), ..Add::default() },
            Add { name: Some("mcp.example.com/mcp".into()), ..Add::default() },
            Add { name: Some("ada's work".into()), ..Add::default() },
            Add { url: url(), parameters: twice.into(), ..Add::default() },
        ];
        unusable.map(|add| describe(add).unwrap_err()).into()
    }

    fn asked(name: &str) -> Asked {
        Asked::of(&AccountDescription { name: name.into(), ..AccountDescription::default() })
    }

    #[test]
    fn an_added_account_is_told_with_its_file_and_the_login_that_comes_next() {
        let login = account("work", Health::LoginRequired);
        let named_by_us = asked("").report(How::Added, &account("auth.example.com", Health::Loading), (PATH, None), PAGE);
        insta::assert_snapshot!(asked("work").report(How::Added, &login, (PATH, None), PAGE) + "\n" + &named_by_us);
    }

    #[test]
    fn a_client_that_needs_a_secret_is_asked_for_it_before_its_login() {
        let described = |method: &str, file: &str| {
            Asked::of(&AccountDescription {
                token_endpoint_auth_method: method.into(),
                client_secret_file: file.into(),
                ..AccountDescription::default()
            })
            .next(How::Added, &account("work", Health::LoginRequired))
            .unwrap()
        };
        for method in ["client_secret_basic", "client_secret_post"] {
            assert_eq!(described(method, ""), "authctl account set-secret work");
            assert_eq!(described(method, "/run/secret"), "authctl login work");
        }
        assert_eq!(described("none", ""), "authctl login work");
    }

    #[test]
    fn an_account_that_is_there_already_is_told_so_under_the_name_that_it_has() {
        let good = AccountStatus { grant: Some(grant()), ..account("work", Health::Good) };
        let shown = asked("work").report(How::Present, &good, (PATH, None), PAGE)
            + "\n"
            + &asked("office").report(How::Present, &account("work", Health::LoginRequired), (PATH, None), PAGE);
        insta::assert_snapshot!(shown);
    }

    #[test]
    fn an_account_with_a_token_file_is_told_with_its_file_and_what_is_wrong_with_it() {
        let good = token_file("ci", "/run/secrets/ci-token");
        let missing = AccountStatus {
            health: Health::Degraded,
            message: Some("The token file cannot be read: No such file or directory.".into()),
            next_step: Some("put the token into /run/secrets/ci-token".into()),
            ..good.clone()
        };
        let shown = asked("ci").report(How::Added, &good, (PATH, None), PAGE)
            + "\n"
            + &asked("ci").report(How::Added, &missing, (None, None), PAGE);
        insta::assert_snapshot!(shown);
    }

    #[test]
    fn a_name_of_200_characters_is_told_whole_and_only_its_command_is_wide() {
        let name = long_name();
        let shown = asked(&name).report(How::Added, &account(&name, Health::LoginRequired), (PATH, None), PAGE);
        insta::assert_snapshot!(shown);
        let wide: Vec<&str> = shown.lines().filter(|line| line.chars().count() > 80).collect();
        assert_eq!(wide, [format!("  next      authctl login {name}")]);
    }

    #[test]
    fn scopes_in_one_argument_are_several_and_a_parameter_has_one_value() {
        let add = Add { issuer: Some("https://as.example".into()), scopes: vec!["a b".into(), "c".into()], ..Add::default() };
        assert_eq!(describe(add).unwrap().1.scopes, ["a", "b", "c"]);
        let twice = |values: [&str; 2]| {
            describe(Add {
                issuer: Some("https://as.example".into()),
                parameters: values.map(|value| ("p".into(), value.into())).into(),
                ..Add::default()
            })
        };
        assert!(twice(["x", "x"]).is_ok());
        assert_eq!(twice(["x", "y"]).unwrap_err().exit, Exit::Usage);
    }

    #[test]
    fn a_url_stands_in_either_place_and_for_itself() {
        let typed = |name: &str, url: Option<&str>| {
            let add = Add { name: Some(name.into()), url: url.map(Into::into), ..Add::default() };
            describe(add).map(|(url, account)| (url.unwrap_or_default(), account.name))
        };
        let url = "https://mcp.example.com/mcp";
        assert_eq!(typed(url, None), Ok((url.to_owned(), String::new())));
        for named in [typed("work", Some(url)), typed(url, Some("work"))] {
            assert_eq!(named, Ok((url.to_owned(), "work".to_owned())));
        }
        assert_eq!(typed("work", None).unwrap_err().exit, Exit::Usage);
        let provider = Add { name: Some(url.into()), provider: Some("entra".into()), ..Add::default() };
        let told = describe(provider).unwrap_err();
        assert_eq!(told.exit, Exit::Usage);
        assert!(told.next_step.unwrap().starts_with(&format!("the same command with --resource {url} (")));
        let slip = typed("mcp.example.com/mcp", None).unwrap_err();
        assert_eq!(slip.next_step.as_deref(), Some("authctl account add https://mcp.example.com/mcp"));
        let both = Add { name: Some(url.into()), token_file: Some("/t".into()), ..Add::default() };
        assert_eq!(describe(both).unwrap_err().exit, Exit::Usage);
        let resource = Add { name: Some(url.into()), resource: Some("https://mcp.example.com/".into()), ..Add::default() };
        let (asked, account) = describe(resource).unwrap();
        assert_eq!((asked.as_deref(), account.resource.as_str()), (Some(url), "https://mcp.example.com/"), "as it was said");
        let issuer = Add { name: Some(url.into()), issuer: Some("https://as.example".into()), ..Add::default() };
        assert_eq!(describe(issuer).unwrap().1.issuer, "https://as.example", "one of several servers");
    }

    #[test]
    fn an_account_by_its_url_is_told_with_how_its_login_will_go() {
        let shown = asked("").report(
            How::Added,
            &account("mcp.example.com", Health::LoginRequired),
            (PATH, Some(&found::tests::good())),
            PAGE,
        );
        insta::assert_snapshot!(shown);
    }
}
