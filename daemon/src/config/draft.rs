//! An account as a person describes it, before it is checked: what `authctl account add` says.
//!
//! Must never: hold a secret; or check by other rules than the file is checked by.

use std::collections::BTreeMap;
use std::path::Path;

use toml_edit::{Array, DocumentMut, Key, Value};

use super::account::{Account, AccountName};
use super::draft_errors::DraftErrors;
use super::error::{ConfigErrors, Problem};
use super::file::Config;

/// An account as a person describes it. What is empty does not stand in the file. Each field is a key of `[accounts.NAME]`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccountDraft {
    /// The name; empty: made from the host of the resource or the issuer.
    pub name: String,
    /// `issuer`.
    pub issuer: String,
    /// `device_authorization_endpoint`.
    pub device_authorization_endpoint: String,
    /// `token_endpoint`.
    pub token_endpoint: String,
    /// `revocation_endpoint`.
    pub revocation_endpoint: String,
    /// `client_id`.
    pub client_id: String,
    /// `scopes`.
    pub scopes: Vec<String>,
    /// `resource`.
    pub resource: String,
    /// `audience`.
    pub audience: String,
    /// `extra_parameters`.
    pub extra_parameters: BTreeMap<String, String>,
    /// `token_endpoint_auth_method`.
    pub token_endpoint_auth_method: String,
    /// `client_secret_file`.
    pub client_secret_file: String,
    /// `token_file`.
    pub token_file: String,
    /// `provider`.
    pub provider: String,
    /// `provider_parameters`.
    pub provider_parameters: BTreeMap<String, String>,
    /// `flow`.
    pub flow: String,
    /// `client_id_metadata_document`.
    pub client_id_metadata_document: String,
}

/// A draft that holds.
pub(super) struct Described<'d> {
    draft: &'d AccountDraft,
    account: Account,
    naming: Naming,
}

/// How the account gets its name.
pub(super) enum Naming {
    /// The person gave it.
    Given(AccountName),
    /// It is made of this one, with a number where that is taken.
    Made(AccountName),
}

impl AccountDraft {
    /// The draft, if it holds beside the providers of this file, which holds.
    ///
    /// # Errors
    /// Everything that is wrong, at once.
    pub(super) fn checked(&self, file: &str) -> Result<Described<'_>, DraftErrors> {
        let made = self.name.is_empty().then(|| self.made_name());
        let name = match &made {
            Some(made) => made.as_ref().map_or(PLACEHOLDER, AccountName::as_str),
            None => &self.name,
        };
        let account = only_account(&format!("{}{}", self.providers_of(file), self.table(name, "\n")))
            .map_err(|errors| DraftErrors { problems: errors.errors.into_iter().map(|error| error.problem).collect() })?;
        let naming = match made {
            None => Naming::Given(account.name().clone()),
            Some(Some(made)) => Naming::Made(made),
            Some(None) => return Err(DraftErrors { problems: vec![Problem::Unnamed] }),
        };
        Ok(Described { draft: self, account, naming })
    }

    /// The name that the first of these hosts gives, else the provider.
    fn made_name(&self) -> Option<AccountName> {
        let of_hosts = [&self.resource, &self.issuer, &self.token_endpoint].into_iter().find_map(|url| of_host(url));
        of_hosts.or_else(|| AccountName::parse(&self.provider).ok())
    }

    /// What the file says of providers, where the account names one: nothing else in it concerns the draft.
    fn providers_of(&self, file: &str) -> String {
        let Some(document) = (!self.provider.is_empty()).then(|| file.parse::<DocumentMut>().ok()).flatten() else {
            return String::new();
        };
        let mut providers = DocumentMut::new();
        if let Some((key, item)) = document.get_key_value(PROVIDERS) {
            providers.insert_formatted(key, item.clone());
        }
        format!("{providers}\n")
    }

    /// As tables of their own.
    fn table(&self, name: &str, newline: &str) -> String {
        let title = format!("accounts.{}", key(name));
        let mut lines = vec![format!("[{title}]")];
        lines.extend(self.values().into_iter().map(|(key, value)| format!("{key} = {value}")));
        for (table, parameters) in self.tables() {
            lines.extend([String::new(), format!("[{title}.{table}]")]);
            lines.extend(assignments(parameters));
        }
        lines.join(newline)
    }

    /// As an entry of an inline table.
    fn inline(&self, name: &str) -> String {
        let mut entries: Vec<_> = self.values().into_iter().map(|(key, value)| format!("{key} = {value}")).collect();
        entries
            .extend(self.tables().map(|(table, parameters)| format!("{table} = {{ {} }}", assignments(parameters).join(", "))));
        format!("{} = {{ {} }}", key(name), entries.join(", "))
    }

    /// Every table that is not empty.
    fn tables(&self) -> impl Iterator<Item = (&'static str, &BTreeMap<String, String>)> {
        let all = [("provider_parameters", &self.provider_parameters), ("extra_parameters", &self.extra_parameters)];
        all.into_iter().filter(|(_, parameters)| !parameters.is_empty())
    }

    /// Every key that is not empty, in the order of the documentation.
    fn values(&self) -> Vec<(&'static str, String)> {
        let Self {
            name: _,
            issuer,
            device_authorization_endpoint,
            token_endpoint,
            revocation_endpoint,
            client_id,
            scopes,
            resource,
            audience,
            extra_parameters: _,
            token_endpoint_auth_method,
            client_secret_file,
            token_file,
            provider,
            provider_parameters: _,
            flow,
            client_id_metadata_document,
        } = self;
        let scopes = if scopes.is_empty() { String::new() } else { scopes.iter().collect::<Array>().to_string() };
        let text = |text: &String| if text.is_empty() { String::new() } else { string(text) };
        let all = [
            ("provider", text(provider)),
            ("issuer", text(issuer)),
            ("device_authorization_endpoint", text(device_authorization_endpoint)),
            ("token_endpoint", text(token_endpoint)),
            ("revocation_endpoint", text(revocation_endpoint)),
            ("client_id", text(client_id)),
            ("client_id_metadata_document", text(client_id_metadata_document)),
            ("flow", text(flow)),
            ("token_endpoint_auth_method", text(token_endpoint_auth_method)),
            ("client_secret_file", text(client_secret_file)),
            ("token_file", text(token_file)),
            ("scopes", scopes),
            ("resource", text(resource)),
            ("audience", text(audience)),
        ];
        all.into_iter().filter(|(_, value)| !value.is_empty()).collect()
    }
}

impl Described<'_> {
    pub(super) fn account(&self) -> &Account {
        &self.account
    }

    pub(super) fn naming(&self) -> &Naming {
        &self.naming
    }

    /// As tables of their own, without a line break at the end.
    pub(super) fn table(&self, name: &AccountName, newline: &str) -> String {
        self.draft.table(name.as_str(), newline)
    }

    /// As an entry of an inline table.
    pub(super) fn inline(&self, name: &AccountName) -> String {
        self.draft.inline(name.as_str())
    }
}

impl Naming {
    /// The name, where no account stands in its way.
    pub(super) fn first(&self) -> &AccountName {
        match self {
            Self::Given(name) | Self::Made(name) => name,
        }
    }
}

/// Where a file describes providers of its own.
const PROVIDERS: &str = "providers";
/// Stands in for a name while the rest is checked.
const PLACEHOLDER: &str = "account";

fn only_account(text: &str) -> Result<Account, ConfigErrors> {
    let config = Config::parse(text, Path::new(""))?;
    let login = config.accounts.into_values().next().map(|account| Account::Login(account.as_ref().clone()));
    let token_file = || config.token_files.into_values().next().map(|account| Account::TokenFile(account.as_ref().clone()));
    login.or_else(token_file).ok_or_else(|| ConfigErrors::one(Path::new(""), None, Problem::Unnamed))
}

/// The host of a web address as a name.
fn of_host(url: &str) -> Option<AccountName> {
    /// Leaves room for a number.
    const LONGEST: usize = 190;
    let (scheme, rest) = url.split_once("://")?;
    if !["http", "https"].contains(&scheme.to_ascii_lowercase().as_str()) {
        return None;
    }
    let authority = rest.split(['/', '?', '#']).next()?;
    let host_and_port = authority.rsplit('@').next()?;
    let host = match host_and_port.strip_prefix('[') {
        Some(address) => address.split(']').next()?,
        None => host_and_port.split(':').next()?,
    };
    let fits = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let name: String = host.chars().map(|c| if fits(c) { c.to_ascii_lowercase() } else { '-' }).take(LONGEST).collect();
    AccountName::parse(name.trim_matches(|c: char| !c.is_ascii_alphanumeric())).ok()
}

fn assignments(parameters: &BTreeMap<String, String>) -> Vec<String> {
    parameters.iter().map(|(name, value)| format!("{} = {}", key(name), string(value))).collect()
}

/// A key, in quotes where it needs them.
fn key(text: &str) -> String {
    Key::new(text).display_repr().into_owned()
}

/// A string in quotes.
fn string(text: &str) -> String {
    Value::from(text).to_string()
}
