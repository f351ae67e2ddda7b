//! Which accounts there are: the file, what is served of it, and one turn at a time for whoever changes either (B35).
//!
//! A turn reads or writes the file where blocking is in order, compares what it says with what is served, and changes only what
//! differs. It runs in a task of its own: whoever asked for it may go away, and it is done whole or not at all.
//!
//! Must never: serve half of a file, take a file that is missing for an empty one, or let two keepers write the records of one
//! account.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::{Mutex, oneshot, watch};

use super::handle::{AccountHandle, Order};
use super::keeper::{self, House};
use super::machine::Beginning;
use super::probe::{KnownAccounts, NotProbed, Probed, Question};
use super::registry::Registry;
use super::status::Status;
use super::{AccountConfig, AccountName, TokenFileConfig, Upstream, Vault, token_file};
use crate::config::{
    AccountDraft, Added, Change, Config, ConfigErrors, ConfigFile, Desktop, EditError, Network, Origin, ProviderView,
};
use crate::host::clock::Clock;
use crate::host::entropy::{self, NoEntropy};

/// Which accounts there are; a handle, cheap to clone.
#[derive(Clone)]
pub struct Roster(Arc<Inner>);

impl fmt::Debug for Roster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Roster").field("file", &self.0.file).finish_non_exhaustive()
    }
}

struct Inner {
    file: ConfigFile,
    house: House,
    registry: Registry,
    network: watch::Sender<Network>,
    desktop: watch::Sender<Desktop>,
    /// What is served. Whoever holds it has the turn.
    served: Mutex<Config>,
}

/// What a turn has changed, by account.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reloaded {
    /// New, or of another kind than before.
    pub added: Vec<AccountName>,
    /// Gone, or of another kind than before.
    pub removed: Vec<AccountName>,
    /// Goes on as it is described now.
    pub changed: Vec<AccountName>,
    /// Its login belonged to what it was before.
    pub signed_out: Vec<AccountName>,
    /// As it was.
    pub unchanged: Vec<AccountName>,
    /// Whether the network is reached in another way.
    pub network_changed: bool,
}

/// An account that stands in the file and is served.
#[derive(Debug, Clone)]
pub struct AddedAccount {
    /// The account.
    pub account: AccountHandle,
    /// Whether it was written just now.
    pub is_new: bool,
}

/// An account that stands in the file no more.
#[derive(Debug, Clone)]
pub struct RemovedAccount {
    /// What was served of it, and how it was then; nothing, where the file had not been read since it was written there.
    pub served: Option<(AccountHandle, Status)>,
}

/// How the file stands to what is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Compared {
    /// It says what is served.
    Served,
    /// It was changed since it was read.
    Changed,
    /// It does not hold.
    Broken(ConfigErrors),
    /// There is none.
    Missing,
}

/// Nothing was changed by a reload.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotReloaded {
    /// The file does not hold.
    #[error("{0}")]
    Broken(#[from] ConfigErrors),
    /// There is no file, and there was one.
    #[error("{} is not there; the accounts stay as they were", path.display())]
    Missing {
        /// Where it was.
        path: PathBuf,
    },
    /// The daemon cannot.
    #[error(transparent)]
    Unable(#[from] Unable),
}

/// An account was not added, or not taken out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotEdited {
    /// The file is as it was.
    #[error(transparent)]
    File(#[from] EditError),
    /// The daemon cannot.
    #[error(transparent)]
    Unable(#[from] Unable),
}

/// The daemon cannot do it, whatever the file says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unable {
    /// No account can be begun.
    #[error(transparent)]
    NoEntropy(#[from] NoEntropy),
    /// The daemon leaves, or is broken and about to.
    #[error("the daemon is about to end")]
    Leaving,
}

/// An account as the file describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Entry {
    Login(Arc<AccountConfig>),
    TokenFile(Arc<TokenFileConfig>),
}

/// What becomes of one account.
enum Step {
    /// There is none of this name yet.
    Begin(Entry, u64),
    /// Another one of this name: the old one goes first.
    Replace(Entry, u64),
    Change(Arc<AccountConfig>),
    Move(Arc<AccountConfig>),
    Remove,
    Keep,
}

impl Roster {
    /// Begins every account of a configuration that was just read.
    ///
    /// # Errors
    /// Where the operating system gives no randomness.
    pub fn begin(house: House, config: Config, network: watch::Sender<Network>) -> Result<Self, NoEntropy> {
        let registry = Registry::default();
        for name in names(&config) {
            if let Some(entry) = entry(&config, &name) {
                registry.put(begin(&house, entry, Beginning { seed: entropy::seed()?, revision: 0 }));
            }
        }
        let file = ConfigFile::at(&config.path);
        let desktop = watch::Sender::new(config.desktop);
        Ok(Self(Arc::new(Inner { file, house, registry, network, desktop, served: Mutex::new(config) })))
    }

    /// The accounts.
    #[must_use]
    pub fn registry(&self) -> Registry {
        self.0.registry.clone()
    }

    /// What the desktop is told of logins, as the file that is served says.
    #[must_use]
    pub fn desktop(&self) -> watch::Receiver<Desktop> {
        self.0.desktop.subscribe()
    }

    pub(super) fn upstream(&self) -> &Arc<dyn Upstream> {
        &self.0.house.upstream
    }

    pub(super) fn clock(&self) -> &Clock {
        &self.0.house.clock
    }

    pub(super) fn vault(&self) -> &Arc<dyn Vault> {
        &self.0.house.vault
    }

    /// The providers that an account can name, as the file that is served has them.
    pub async fn providers(&self) -> Vec<ProviderView> {
        self.0.served.lock().await.providers()
    }

    /// Reads the file again, and changes what differs.
    ///
    /// # Errors
    /// Where it does not hold: then nothing was changed.
    pub async fn reload(&self) -> Result<Reloaded, NotReloaded> {
        self.turn(|inner| async move {
            let mut served = inner.served.lock().await;
            let file = inner.file.clone();
            let newer = inner.blocking("read the configuration", move || file.load()).await??;
            if newer.origin == Origin::Missing && served.origin == Origin::File {
                return Err(NotReloaded::Missing { path: newer.path });
            }
            Ok(inner.take(&mut served, newer).await?)
        })
        .await?
    }

    /// Reads the file as [`Self::reload`] does, and changes nothing.
    ///
    /// # Errors
    /// Where the daemon leaves.
    pub async fn compare(&self) -> Result<Compared, Unable> {
        let served = self.0.served.lock().await;
        let file = self.0.file.clone();
        Ok(match self.0.blocking("read the configuration", move || file.load()).await? {
            Err(errors) => Compared::Broken(errors),
            Ok(newer) if newer.origin == Origin::Missing => Compared::Missing,
            Ok(newer) if newer == *served => Compared::Served,
            Ok(_) => Compared::Changed,
        })
    }

    /// Writes an account into the file, and serves it; whatever else the file says now is served too.
    ///
    /// # Errors
    /// Where nothing was written, or the daemon cannot begin it.
    pub async fn add(&self, draft: AccountDraft) -> Result<AddedAccount, NotEdited> {
        self.turn(|inner| async move {
            let mut served = inner.served.lock().await;
            let file = inner.file.clone();
            let added = inner.blocking("write the configuration", move || file.add(&draft)).await??;
            let (name, config, is_new) = match added {
                Added::Written { name, config } => (name, config, true),
                Added::Present { name, config } => (name, config, false),
            };
            inner.take(&mut served, config).await?;
            let account = inner.registry.named(&name).ok_or(Unable::Leaving)?;
            Ok(AddedAccount { account, is_new })
        })
        .await?
    }

    /// Finds out what stands behind a URL. No turn: it changes nothing.
    ///
    /// # Errors
    /// Where nothing is known of it.
    pub async fn probe(&self, question: Question) -> Result<Probed, NotProbed> {
        let known = KnownAccounts::of(self.0.served.lock().await.accounts.values().cloned());
        self.0.house.upstream.probe(question, known).await
    }

    /// Takes an account out of the file, and ends it; whatever else the file says now is served too.
    ///
    /// # Errors
    /// Where nothing was written.
    pub async fn remove(&self, name: AccountName) -> Result<RemovedAccount, NotEdited> {
        self.turn(|inner| async move {
            let mut served = inner.served.lock().await;
            let before = inner.registry.named(&name).map(|account| (account.clone(), account.status().borrow().clone()));
            let file = inner.file.clone();
            let config = inner.blocking("write the configuration", move || file.remove(&name)).await??;
            inner.take(&mut served, config).await?;
            Ok(RemovedAccount { served: before })
        })
        .await?
    }

    /// A turn in a task of its own.
    async fn turn<T, F>(&self, turn: impl FnOnce(Arc<Inner>) -> F) -> Result<T, Unable>
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        let (tell, told) = oneshot::channel();
        let turn = turn(self.0.clone());
        self.0.house.tasks.errand("change the accounts", async move {
            // Whoever asked may have gone.
            let _ = tell.send(turn.await);
        });
        told.await.map_err(|_| Unable::Leaving)
    }
}

impl Inner {
    async fn blocking<T: Send + 'static>(
        &self,
        what: &'static str,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Unable> {
        self.house.tasks.blocking(what, work).await.ok_or(Unable::Leaving)
    }

    /// Serves `newer` from now on. All that may fail is done first.
    async fn take(&self, served: &mut Config, newer: Config) -> Result<Reloaded, Unable> {
        let all: BTreeSet<AccountName> = names(served).into_iter().chain(names(&newer)).collect();
        let steps: Result<Vec<_>, Unable> = all
            .into_iter()
            .map(|name| {
                let step = step(entry(served, &name), entry(&newer, &name))?;
                Ok((name, step))
            })
            .collect();
        let steps = steps?;
        let mut done = Reloaded { network_changed: newer.network != served.network, ..Reloaded::default() };
        if done.network_changed {
            self.network.send_replace(newer.network.clone());
        }
        self.desktop.send_replace(newer.desktop);
        for (name, step) in steps {
            self.perform(name, step, &mut done).await;
        }
        *served = newer;
        tracing::info!(
            added = done.added.len(),
            removed = done.removed.len(),
            changed = done.changed.len(),
            signed_out = done.signed_out.len(),
            unchanged = done.unchanged.len(),
            network_changed = done.network_changed,
            "the configuration was read again"
        );
        Ok(done)
    }

    async fn perform(&self, name: AccountName, step: Step, done: &mut Reloaded) {
        let registered = self.registry.named(&name);
        let account = &name;
        match (step, registered) {
            (Step::Begin(entry, seed), _) => {
                tracing::info!(%account, "an account was added");
                self.put(&name, entry, seed).await;
                done.added.push(name);
            }
            (Step::Replace(entry, seed), _) => {
                tracing::info!(%account, "an account was taken out, and another one of its name added");
                self.end(&name).await;
                self.put(&name, entry, seed).await;
                done.removed.push(name.clone());
                done.added.push(name);
            }
            (Step::Remove, _) => {
                tracing::info!(%account, "an account was removed");
                self.end(&name).await;
                done.removed.push(name);
            }
            (Step::Change(config), Some(handle)) => {
                tracing::info!(%account, "an account was changed");
                told(&handle, Order::Change(config)).await;
                done.changed.push(name);
            }
            (Step::Move(config), Some(handle)) => {
                tracing::info!(%account, "an account was changed, which ends its login");
                told(&handle, Order::Move(config)).await;
                done.signed_out.push(name);
            }
            (Step::Keep, Some(handle)) => {
                handle.reloaded();
                done.unchanged.push(name);
            }
            (Step::Change(_) | Step::Move(_) | Step::Keep, None) => {}
        }
    }

    /// Begins an account, or lets the keeper go on that still erases what had this name: two would write the same records.
    async fn put(&self, name: &AccountName, entry: Entry, seed: u64) {
        if let (Entry::Login(config), Some(old)) = (&entry, self.registry.leaving(name))
            && old.obey(Order::Return(config.clone(), self.registry.next_revision())).await.is_ok()
        {
            self.registry.put(old);
            return;
        }
        let beginning = Beginning { seed, revision: self.registry.next_revision() };
        self.registry.put(begin(&self.house, entry, beginning));
    }

    /// Nobody finds it any more before it is told: so nobody is told twice that it is gone.
    async fn end(&self, name: &AccountName) {
        if let Some(account) = self.registry.take_out(name) {
            told(&account, Order::Remove).await;
        }
    }
}

/// A keeper that has ended has nothing to obey: the daemon is leaving.
async fn told(account: &AccountHandle, order: Order) {
    let _ = account.obey(order).await;
}

fn begin(house: &House, entry: Entry, beginning: Beginning) -> AccountHandle {
    match entry {
        Entry::Login(config) => keeper::begin(house, config, beginning),
        Entry::TokenFile(config) => token_file::begin(house, &config, beginning.revision),
    }
}

fn names(config: &Config) -> Vec<AccountName> {
    config.accounts.keys().chain(config.token_files.keys()).cloned().collect()
}

fn entry(config: &Config, name: &AccountName) -> Option<Entry> {
    let login = config.accounts.get(name).cloned().map(Entry::Login);
    login.or_else(|| config.token_files.get(name).cloned().map(Entry::TokenFile))
}

fn step(old: Option<Entry>, new: Option<Entry>) -> Result<Step, Unable> {
    Ok(match (old, new) {
        (None, Some(new)) => Step::Begin(new, entropy::seed()?),
        (_, None) => Step::Remove,
        (Some(Entry::Login(old)), Some(Entry::Login(new))) => match old.change_to(&new) {
            Change::Same => Step::Keep,
            Change::Mild => Step::Change(new),
            Change::SecurityRelevant => Step::Move(new),
        },
        (Some(old), Some(new)) if old == new => Step::Keep,
        // One kind has a login and records, the other has neither: nothing goes on from one to the other.
        (Some(_), Some(new)) => Step::Replace(new, entropy::seed()?),
    })
}
