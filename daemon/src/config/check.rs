//! From tables to accounts: every key is looked at, whatever is wrong with the others.
//!
//! Must never: stop at the first error, or guess a value that is missing.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use mcp_authd_oauth::profile::ClientNeed;
use toml_edit::Document;

use super::account::{Account, AccountConfig, AccountName, TokenFileConfig};
use super::desktop::{self, Desktop};
use super::error::{ConfigErrors, Hint, Problem, printable};
use super::network::{self, Network};
use super::profile::{self, OfAccount, Provider, ProviderView, Providers};
use super::raw::{Entry, Findings, Reported, Section};
use super::{client, parameters, request, server, token_file};

/// What stands at the top of the file.
pub(super) const TOP: &[&str] = &["accounts", "desktop", "network", "providers"];
/// What stands below `[accounts.NAME]`.
pub(super) const ACCOUNT: &[&str] = &[
    "issuer",
    server::AUTHORIZATION,
    "device_authorization_endpoint",
    "token_endpoint",
    "revocation_endpoint",
    server::PKCE,
    "client_id",
    client::DOCUMENT,
    request::FLOW,
    "scopes",
    "resource",
    "audience",
    "extra_parameters",
    "token_endpoint_auth_method",
    "client_secret_file",
    profile::KEYS[0],
    profile::KEYS[1],
    token_file::KEY,
];

/// Every account of the text, how the network is reached, and what the desktop is told.
#[derive(Default)]
pub(super) struct Checked {
    pub(super) accounts: BTreeMap<AccountName, Arc<AccountConfig>>,
    pub(super) token_files: BTreeMap<AccountName, Arc<TokenFileConfig>>,
    pub(super) network: Network,
    pub(super) desktop: Desktop,
    pub(super) providers: Vec<ProviderView>,
}

impl Checked {
    fn take(&mut self, account: Account) {
        match account {
            Account::Login(account) => drop(self.accounts.insert(account.name.clone(), Arc::new(account))),
            Account::TokenFile(account) => drop(self.token_files.insert(account.name.clone(), Arc::new(account))),
        }
    }
}

/// The whole text.
pub(super) fn whole(text: &str, path: &Path) -> Result<Checked, ConfigErrors> {
    let mut findings = Findings::new(text);
    let document = match Document::parse(text) {
        Ok(document) => document,
        Err(error) => {
            let line = findings.line(error.span());
            findings.report(line, Problem::Syntax(printable(error.message())));
            return findings.settle(Checked::default(), path);
        }
    };
    let top = Section::new("the top of the file".to_owned(), None, document.as_table());
    for entry in top.unknown(TOP, &findings) {
        let problem = top.unknown_key(&entry, TOP, outside_accounts(&entry));
        findings.report(entry.line, problem);
    }
    let providers = top.entry("providers", &findings).map(|entry| Providers::of_file(&entry, &mut findings)).unwrap_or_default();
    let accounts = top.entry("accounts", &findings);
    let mut checked = accounts.map(|entry| all(&entry, &providers, &mut findings)).unwrap_or_default();
    checked.providers = providers.views();
    let network = top.entry("network", &findings).map(|entry| network::check(&entry, &mut findings));
    // Where it did not hold, that stands in the findings.
    checked.network = network.and_then(Result::ok).unwrap_or_default();
    let desktop = top.entry("desktop", &findings).map(|entry| desktop::check(&entry, &mut findings));
    checked.desktop = desktop.and_then(Result::ok).unwrap_or_default();
    findings.settle(checked, path)
}

fn outside_accounts(entry: &Entry<'_>) -> Option<Hint> {
    if entry.item.is_table_like() {
        return Some(Hint::AccountTable(fitting_name(entry.key)));
    }
    ACCOUNT.contains(&entry.key).then_some(Hint::BelowAnAccount)
}

fn all(entry: &Entry<'_>, providers: &Providers, findings: &mut Findings) -> Checked {
    let mut checked = Checked::default();
    let Some(table) = entry.item.as_table_like() else {
        entry.wrong_type("a table for each account", "[accounts.NAME]".to_owned(), findings);
        return checked;
    };
    let section = Section::new("[accounts]".to_owned(), entry.line, table);
    let mut names = Names::default();
    let entries = section.entries(findings);
    entries
        .iter()
        .flat_map(|entry| account(names.take(entry, findings), entry, providers, findings))
        .for_each(|account| checked.take(account));
    checked
}

/// The names so far, so that two which a person takes for one are found.
#[derive(Default)]
struct Names(HashMap<String, (String, usize)>);

impl Names {
    fn take(&mut self, entry: &Entry<'_>, findings: &mut Findings) -> Result<AccountName, Reported> {
        let name = printable(entry.key);
        let folded = entry.key.to_lowercase().split_whitespace().collect::<String>();
        if let Some((other, line)) = self.0.get(&folded) {
            let (other, line) = (other.clone(), *line);
            return Err(findings.report(entry.line, Problem::NameTwice { name, other, line }));
        }
        self.0.insert(folded, (name.clone(), entry.line.unwrap_or(1)));
        AccountName::parse(entry.key).map_err(|why| {
            let example = format!("[accounts.{}]", fitting_name(entry.key));
            findings.report(entry.line, Problem::BadName { name, why, example })
        })
    }
}

/// A name that would do, in the place of one that does not.
fn fitting_name(name: &str) -> String {
    let fitting: String = name.to_lowercase().chars().map(|c| if c.is_whitespace() { '-' } else { c }).collect();
    match AccountName::parse(&fitting) {
        Ok(name) if !name.as_str().contains('.') => name.to_string(),
        Ok(name) => format!("\"{name}\""),
        Err(_) => "NAME".to_owned(),
    }
}

fn account(
    name: Result<AccountName, Reported>,
    entry: &Entry<'_>,
    providers: &Providers,
    findings: &mut Findings,
) -> Result<Account, Reported> {
    let title = format!("[accounts.{}]", printable(entry.key));
    let Some(table) = entry.item.as_table_like() else {
        return Err(entry.wrong_type("a table", title, findings));
    };
    let section = &Section::new(title, entry.line, table);
    if section.entry(token_file::KEY, findings).is_some() {
        return token_file::check(name, section, findings).map(Account::TokenFile);
    }
    refuse_unknown(entry.key, section, findings);
    login(name, section, providers, findings).map(Account::Login)
}

fn login(
    name: Result<AccountName, Reported>,
    section: &Section<'_>,
    providers: &Providers,
    findings: &mut Findings,
) -> Result<AccountConfig, Reported> {
    let whose = if server::is_named(section, findings) { OfAccount::OwnServer } else { OfAccount::ProvidersServer };
    let provider = profile::of_account(section, providers, whose, findings);
    let server = match &provider {
        Ok(Some(Provider { server: Some(server), .. })) => Ok(server.clone()),
        // Why there is none is told already.
        Err(reported) if whose == OfAccount::ProvidersServer => Err(*reported),
        _ => server::check(section, findings),
    };
    let which = match &provider {
        Ok(Some(provider)) if provider.profile.client == ClientNeed::None => profile::no_client(section, provider, findings),
        Ok(Some(provider)) if profile::wants_a_client(section, provider, findings) => {
            Err(profile::no_client_id(section, provider, findings))
        }
        _ => client::which(section, server.as_ref().ok(), findings),
    };
    let client = client::check(section, findings);
    let flow = request::flow(section, findings);
    let scopes = request::scopes(section, findings);
    let resource = request::resource(section, findings);
    let audience = request::audience(section, findings);
    let extra_parameters = parameters::check(section, findings);
    let (client, provider) = (client?, provider?);
    let names_scopes = section.entry("scopes", findings).is_some();
    let profile = provider.map_or_else(Default::default, |provider| provider.profile);
    let profile = server::beginning(section, profile, findings)?;
    let scopes = if names_scopes { scopes? } else { profile.scopes.clone() };
    Ok(AccountConfig {
        name: name?,
        server: server?,
        client: which?,
        flow: flow?,
        token_endpoint_auth_method: client.method,
        client_secret_file: client.secret_file,
        scopes,
        resource: resource?,
        audience: audience?,
        extra_parameters: extra_parameters?,
        profile: Arc::new(profile),
    })
}

fn refuse_unknown(account: &str, section: &Section<'_>, findings: &mut Findings) {
    for entry in section.unknown(ACCOUNT, findings) {
        let problem = if is_client_secret(entry.key) {
            Problem::ClientSecret { account: AccountName::parse(account).map_or("NAME".to_owned(), |name| name.to_string()) }
        } else {
            // `[accounts.my.server]` is the account `my` with a table `server`.
            let dotted = entry.item.is_table_like().then(|| Hint::QuoteTheName(printable(&format!("{account}.{}", entry.key))));
            section.unknown_key(&entry, ACCOUNT, dotted)
        };
        findings.report(entry.line, problem);
    }
}

/// However it is spelled: whoever typed it must hear that it is a secret, not that it is misspelled.
pub(super) fn is_client_secret(key: &str) -> bool {
    let letters: String = key.chars().filter(char::is_ascii_alphabetic).map(|c| c.to_ascii_lowercase()).collect();
    ["clientsecret", "clientsecrets", "secret"].contains(&letters.as_str())
}
