//! Every account by name, as they come and go, and the answer to the question which one a caller means.
//!
//! Must never: begin or end an account. That is the roster's work.

use std::collections::BTreeMap;
use std::sync::Arc;

use mcp_authd_oauth::protected_resource::covers;
use mcp_authd_oauth::terms::Resource;
use tokio::sync::watch;

use super::AccountName;
use super::description::Kind;
use super::handle::AccountHandle;

/// Every account; a handle, cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Registry(Arc<watch::Sender<Accounts>>);

#[derive(Debug, Default)]
struct Accounts {
    present: BTreeMap<AccountName, AccountHandle>,
    /// Taken out, and their keepers may still erase.
    leaving: BTreeMap<AccountName, AccountHandle>,
    /// The highest revision that was told of those that are gone.
    revision: u64,
    /// The daemon leaves.
    closing: bool,
}

/// Tells when accounts have come or gone.
#[derive(Debug, Clone)]
pub struct Changes(watch::Receiver<Accounts>);

/// Which account a caller means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// The one with this name.
    Account(String),
    /// The one for this resource, byte for byte (RFC 8707).
    Resource(Resource),
    /// The one for what stands at this URL: for that resource, else for the nearest one that it lies within, since MCP servers publish
    /// their origin or a parent path too (RFC 9728).
    At(Resource),
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
    /// The account that a caller means.
    ///
    /// # Errors
    /// Where there is none, or more than one.
    pub fn find(&self, target: &Target) -> Result<AccountHandle, NoAccount> {
        let accounts = self.0.borrow();
        let present = &accounts.present;
        if present.is_empty() {
            return Err(NoAccount::NoneConfigured);
        }
        let matches = match target {
            Target::Account(name) => those(present, |account| account.name().as_str() == name),
            Target::Resource(resource) => those(present, |account| account.description().resource.as_ref() == Some(resource)),
            Target::At(url) => at(present, url),
            Target::Only => those(present, |_| true),
        };
        match matches.as_slice() {
            [account] => Ok(AccountHandle::clone(account)),
            [] => Err(NoAccount::NoMatch { known: names(present.values()) }),
            _ => Err(NoAccount::Several { names: names(matches) }),
        }
    }

    /// Each that there is now, by name.
    #[must_use]
    pub fn present(&self) -> Vec<AccountHandle> {
        self.0.borrow().present.values().cloned().collect()
    }

    /// Those, and those that were taken out and may still erase.
    pub(super) fn all(&self) -> Vec<AccountHandle> {
        let accounts = self.0.borrow();
        accounts.present.values().chain(accounts.leaving.values()).cloned().collect()
    }

    /// Tells of every coming and going from now on.
    #[must_use]
    pub fn changes(&self) -> Changes {
        Changes(self.0.subscribe())
    }

    /// Begins nothing any more, and ends when no account has anything in flight that a leaving daemon should wait for.
    pub async fn leave(&self) {
        let mut all = Vec::new();
        self.0.send_if_modified(|accounts| {
            accounts.closing = true;
            all.extend(accounts.present.values().chain(accounts.leaving.values()).cloned());
            false
        });
        futures_util::future::join_all(all.iter().map(AccountHandle::leave)).await;
    }

    /// The one with this name.
    pub(super) fn named(&self, name: &AccountName) -> Option<AccountHandle> {
        self.0.borrow().present.get(name).cloned()
    }

    /// One more, or another one of this name.
    pub(super) fn put(&self, account: AccountHandle) {
        self.0.send_modify(|accounts| {
            if accounts.closing {
                account.begin_leaving();
            }
            accounts.forget_the_ended();
            accounts.leaving.retain(|_, leaving| !leaving.is(&account));
            accounts.present.insert(account.name().clone(), account);
        });
    }

    /// From now on nobody finds it.
    pub(super) fn take_out(&self, name: &AccountName) -> Option<AccountHandle> {
        let mut taken = None;
        self.0.send_if_modified(|accounts| {
            accounts.forget_the_ended();
            taken = accounts.present.remove(name);
            accounts.note(taken.as_ref());
            // One without a login has nothing to erase.
            let erases = taken.iter().filter(|account| matches!(account.description().kind, Kind::Login { .. }));
            accounts.leaving.extend(erases.map(|account| (name.clone(), account.clone())));
            taken.is_some()
        });
        taken
    }

    /// Above every revision that was told of an account that is gone.
    pub(super) fn next_revision(&self) -> u64 {
        let accounts = self.0.borrow();
        accounts.leaving.values().map(revision).fold(accounts.revision, u64::max) + 1
    }

    /// The one of this name that was taken out and may still erase.
    pub(super) fn leaving(&self, name: &AccountName) -> Option<AccountHandle> {
        self.0.borrow().leaving.get(name).cloned()
    }
}

impl Accounts {
    fn forget_the_ended(&mut self) {
        let ended: Vec<_> = self.leaving.extract_if(.., |_, leaving| leaving.has_ended()).collect();
        self.note(ended.iter().map(|(_, account)| account));
    }

    fn note<'a>(&mut self, gone: impl IntoIterator<Item = &'a AccountHandle>) {
        // Its last word, that it is gone, is one more.
        self.revision = gone.into_iter().map(|account| revision(account) + 1).fold(self.revision, u64::max);
    }
}

fn revision(account: &AccountHandle) -> u64 {
    account.status().borrow().revision
}

impl Changes {
    /// Ends when accounts have come or gone since the last call of this or of [`Changes::look`].
    pub async fn changed(&mut self) {
        // The sender stands as long as the registry does, and whoever asks holds a share of it.
        if self.0.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// What happened until now is known.
    pub fn look(&mut self) {
        self.0.mark_unchanged();
    }
}

fn those(present: &BTreeMap<AccountName, AccountHandle>, is_meant: impl Fn(&AccountHandle) -> bool) -> Vec<&AccountHandle> {
    present.values().filter(|account| is_meant(account)).collect()
}

/// Exactly, else those of the nearest resource around it.
fn at<'a>(present: &'a BTreeMap<AccountName, AccountHandle>, url: &Resource) -> Vec<&'a AccountHandle> {
    let exact = those(present, |account| account.description().resource.as_ref() == Some(url));
    if !exact.is_empty() {
        return exact;
    }
    let covered = |account: &AccountHandle| account.description().resource.as_ref().and_then(|resource| covers(resource, url));
    let nearest = present.values().filter_map(covered).max();
    those(present, |account| nearest.is_some() && covered(account) == nearest)
}

fn names<'a>(accounts: impl IntoIterator<Item = &'a AccountHandle>) -> Vec<String> {
    accounts.into_iter().map(|account| account.name().to_string()).collect()
}
