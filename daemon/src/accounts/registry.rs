//! Every account by name, and the answer to the question which one a caller means.

use std::collections::BTreeMap;

use mcp_authd_oauth::terms::Resource;

use super::AccountName;
use super::keeper::AccountHandle;

/// Every account.
#[derive(Debug, Clone, Default)]
pub struct Registry {
    accounts: BTreeMap<AccountName, AccountHandle>,
}

/// Which account a caller means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// The one with this name.
    Account(String),
    /// The one for this resource, byte for byte (RFC 8707).
    Resource(Resource),
    /// The only one there is.
    Only,
}

/// Why there is no such account, or not only one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoAccount {
    /// None is configured at all.
    #[error("no account is configured")]
    NoneConfigured,
    /// None matches.
    #[error("no account matches; there are: {}", .known.join(", "))]
    NoMatch {
        /// The names that there are.
        known: Vec<String>,
    },
    /// Several match.
    #[error("several accounts match: {}", .names.join(", "))]
    Several {
        /// Their names.
        names: Vec<String>,
    },
}

impl Registry {
    /// From every account's handle.
    #[must_use]
    pub fn new(accounts: impl IntoIterator<Item = AccountHandle>) -> Self {
        Self { accounts: accounts.into_iter().map(|handle| (handle.name().clone(), handle)).collect() }
    }

    /// The account that a caller means.
    ///
    /// # Errors
    /// Where there is none, or more than one.
    pub fn find(&self, target: &Target) -> Result<&AccountHandle, NoAccount> {
        if self.accounts.is_empty() {
            return Err(NoAccount::NoneConfigured);
        }
        let matches: Vec<_> = self.accounts.values().filter(|account| is_meant(account, target)).collect();
        match matches.as_slice() {
            [account] => Ok(account),
            [] => Err(NoAccount::NoMatch { known: names(self.accounts.values()) }),
            _ => Err(NoAccount::Several { names: names(matches) }),
        }
    }

    /// Each, by name.
    pub fn iter(&self) -> impl Iterator<Item = &AccountHandle> {
        self.accounts.values()
    }

    /// Begins nothing any more, and ends when no account has anything in flight that a leaving daemon should wait for.
    pub async fn leave(&self) {
        futures_util::future::join_all(self.accounts.values().map(AccountHandle::leave)).await;
    }
}

fn is_meant(account: &AccountHandle, target: &Target) -> bool {
    match target {
        Target::Account(name) => account.name().as_str() == name,
        Target::Resource(resource) => account.description().resource.as_ref() == Some(resource),
        Target::Only => true,
    }
}

fn names<'a>(accounts: impl IntoIterator<Item = &'a AccountHandle>) -> Vec<String> {
    accounts.into_iter().map(|account| account.name().to_string()).collect()
}
