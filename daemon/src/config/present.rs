//! Whether an account that a person describes is there already, so that doing it twice does nothing.
//!
//! Must never: take two accounts for one of which a login of the one would not serve the other.

use super::account::{Account, AccountConfig, AccountName, TokenFileConfig};
use super::draft::{Described, Naming};
use super::file::Config;

/// Where an account stands in a configuration.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Nowhere. It would have this name.
    Nowhere(AccountName),
    /// Under this name.
    Under(AccountName),
    /// Another one stands under the name that was given.
    Taken(AccountName),
}

/// Looks for it: by its name, by its resource, and by its server and client.
pub(super) fn look(config: &Config, described: &Described<'_>) -> Standing {
    let account = described.account();
    let first = described.naming().first();
    let here = find(config, first);
    if here.as_ref().is_some_and(|here| *here == account.clone().named(first.clone())) {
        return Standing::Under(first.clone());
    }
    if let (Naming::Given(name), Some(_)) = (described.naming(), &here) {
        return Standing::Taken(name.clone());
    }
    match same_grant(config, account) {
        Some(name) => Standing::Under(name),
        None => Standing::Nowhere(free_name(config, first)),
    }
}

fn find(config: &Config, name: &AccountName) -> Option<Account> {
    let login = config.accounts.get(name).map(|account| Account::Login(account.as_ref().clone()));
    login.or_else(|| config.token_files.get(name).map(|account| Account::TokenFile(account.as_ref().clone())))
}

/// The first account, by name, that serves what this one would serve.
fn same_grant(config: &Config, account: &Account) -> Option<AccountName> {
    let login = |known: &AccountConfig| match account {
        Account::Login(account) if account.resource.is_none() => serves_the_same(known, account),
        _ => known.resource.is_some() && known.resource.as_ref() == account.resource(),
    };
    let token_file = |known: &TokenFileConfig| match account {
        Account::TokenFile(account) if account.resource.is_none() => {
            known.resource.is_none() && known.token_file == account.token_file
        }
        _ => known.resource.is_some() && known.resource.as_ref() == account.resource(),
    };
    let logins = config.accounts.iter().filter(|(_, known)| login(known)).map(|(name, _)| name);
    let token_files = config.token_files.iter().filter(|(_, known)| token_file(known)).map(|(name, _)| name);
    logins.chain(token_files).min().cloned()
}

/// Without a resource it is the server, the client and the audience that tell what a token is for.
fn serves_the_same(known: &AccountConfig, account: &AccountConfig) -> bool {
    known.resource.is_none()
        && known.server.identity() == account.server.identity()
        && known.client == account.client
        && known.audience == account.audience
}

fn free_name(config: &Config, first: &AccountName) -> AccountName {
    let free = |name: &AccountName| !config.accounts.contains_key(name) && !config.token_files.contains_key(name);
    let numbered = (2_u64..).map_while(|number| AccountName::parse(&format!("{first}-{number}")).ok());
    std::iter::once(first.clone()).chain(numbered).find(free).unwrap_or_else(|| first.clone())
}
