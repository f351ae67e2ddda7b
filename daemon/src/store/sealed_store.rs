//! The store as the accounts see it: a [`Vault`] that waits for its key, and does file work where it may block.
//!
//! Must never: block the runtime, or make anybody wait for a key without an end.

use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use mcp_authd_oauth::registration::Registration;
use mcp_authd_oauth::secret::ClientSecret;
use mcp_authd_oauth::terms::{ClientId, Issuer};
use mcp_authd_oauth::time::Now;
use tokio::sync::watch;

use crate::accounts::client_secret::SecretError;
use crate::accounts::grant::{GrantRecord, SignInRecord};
use crate::accounts::{AccountConfig, AccountName, KeyOpener, KeyState, LoadError, SaveError, Stored, Vault};
use crate::host::clock::Clock;
use crate::host::folder::{FileError, Folder};
use crate::host::tasks::Tasks;

use super::client_secret;
use super::file::{Loaded, Records, Verdict};
use super::key::{Key, KeyOutcome, KeySource};
use super::record::{ClientRecord, Record, RecordId};
use super::registration;

/// How long a source may take before it counts as locked.
const PATIENCE: Duration = Duration::from_secs(10);
/// How soon it is asked again.
const AGAIN: Duration = Duration::from_secs(3);
/// What a panic in file work is called; the daemon is about to end.
const BROKEN: &str = "the store's own work failed";

/// The sealed records; a handle, cheap to clone.
#[derive(Clone)]
pub struct SealedStore(Arc<Inner>);

struct Inner {
    records: Records,
    tasks: Tasks,
    clock: Clock,
    key: OnceLock<Arc<Key>>,
    opener: KeyOpener,
    state: watch::Sender<KeyState>,
    problem: Mutex<Option<String>>,
}

/// Why the store cannot be used at all. The sentence is for the person.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder is unsafe, or cannot be read and written (B9).
    #[error(transparent)]
    Folder(#[from] FileError),
    /// A newer program has written a record; every file is as it was (B34).
    #[error("{0}")]
    FromNewer(String),
    /// A bug.
    #[error("{BROKEN}")]
    Broken,
}

impl SealedStore {
    /// Opens the records in `state`, and begins to ask `source` for the key. Only for the owner of the lock in that folder: what
    /// a killed daemon left unfinished is erased.
    ///
    /// # Errors
    /// Where no daemon should go on. A key that is locked is no error: see [`Vault::key_state`].
    pub async fn open(state: Folder, source: Arc<dyn KeySource>, tasks: Tasks, clock: Clock) -> Result<Self, OpenError> {
        let records = Records { folder: state };
        let first_look = {
            let records = records.clone();
            move || {
                records.folder.ensure()?;
                if let Some(newer) = records.newer()? {
                    return Err(OpenError::FromNewer(newer));
                }
                records.folder.sweep()?;
                Ok(records.folder.try_writing()?)
            }
        };
        tasks.blocking("store", first_look).await.ok_or(OpenError::Broken)??;
        let store = Self(Arc::new(Inner {
            records,
            tasks,
            clock,
            key: OnceLock::new(),
            opener: source.opener(),
            state: watch::Sender::new(KeyState::Loading),
            problem: Mutex::new(None),
        }));
        store.0.tasks.service("key", store.clone().keep_asking(source));
        Ok(store)
    }

    /// Why the key is not open, with what to do.
    #[must_use]
    pub fn key_problem(&self) -> Option<String> {
        self.0.problem.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads the record of a configured client. `None`: there is none, or it was damaged and set aside.
    pub(super) fn load_client(
        &self,
        issuer: &Issuer,
        client_id: &ClientId,
    ) -> BoxFuture<'static, Result<Option<ClientRecord>, LoadError>> {
        let id = RecordId::client(issuer, client_id);
        self.loading(move |records, key, now| Ok(records.load(&id, key, now)?.record()))
    }

    /// Replaces the record of a configured client.
    pub(super) fn save_client(&self, client: ClientRecord) -> BoxFuture<'static, Result<(), SaveError>> {
        self.saving(RecordId::client(&client.issuer, &client.client_id), client)
    }

    /// Erases the record of a configured client; `Ok` where there is none.
    pub(super) fn forget_client(&self, issuer: &Issuer, client_id: &ClientId) -> BoxFuture<'static, Result<(), SaveError>> {
        self.forgetting(RecordId::client(issuer, client_id))
    }

    pub(super) fn tasks(&self) -> Tasks {
        self.0.tasks.clone()
    }

    pub(super) fn loading<T: Send + 'static>(
        &self,
        load: impl FnOnce(&Records, &Key, Now) -> Result<T, LoadError> + Send + 'static,
    ) -> BoxFuture<'static, Result<T, LoadError>> {
        let store = self.clone();
        Box::pin(async move {
            let key = store.key().await?;
            let (records, now) = (store.0.records.clone(), store.0.clock.now());
            let loaded = store.0.tasks.blocking("load a record", move || load(&records, &key, now)).await;
            loaded.unwrap_or_else(|| Err(LoadError::Io(BROKEN.to_owned())))
        })
    }

    pub(super) fn saving<T: Record + Send + 'static>(
        &self,
        id: RecordId,
        record: T,
    ) -> BoxFuture<'static, Result<(), SaveError>> {
        let store = self.clone();
        Box::pin(async move {
            let key = store.key().await.map_err(|_| SaveError::Locked)?;
            let (records, now) = (store.0.records.clone(), store.0.clock.now());
            let saved = store.0.tasks.blocking("save a record", move || records.save(&id, &record, &key, now)).await;
            saved.unwrap_or_else(|| Err(SaveError::Io(BROKEN.to_owned())))
        })
    }

    /// Erasing needs no key: a logout works also while the store is locked.
    pub(super) fn forgetting(&self, id: RecordId) -> BoxFuture<'static, Result<(), SaveError>> {
        let store = self.clone();
        Box::pin(async move {
            let records = store.0.records.clone();
            let forgotten = store.0.tasks.blocking("forget a record", move || records.forget(&id)).await;
            forgotten.unwrap_or_else(|| Err(SaveError::Io(BROKEN.to_owned())))
        })
    }

    /// The key, or why there is none. Waits for the source's first answer, which comes within [`PATIENCE`].
    async fn key(&self) -> Result<Arc<Key>, LoadError> {
        let mut state = self.0.state.subscribe();
        // It fails only when the sender is gone, and we hold it.
        let known = tokio::select! {
            biased;
            known = state.wait_for(|state| *state != KeyState::Loading) => known.map_or(KeyState::Locked, |state| *state),
            // A leaving daemon opens no key any more, and waits for none.
            () = self.0.tasks.stopping() => KeyState::Locked,
        };
        match (self.0.key.get(), known) {
            (Some(key), _) => Ok(key.clone()),
            (None, KeyState::Wrong) => Err(LoadError::WrongKey),
            (None, _) => Err(LoadError::Locked),
        }
    }

    /// Asks until the key is open, then only waits for the end.
    async fn keep_asking(self, source: Arc<dyn KeySource>) {
        let tasks = self.0.tasks.clone();
        let ask = async {
            while !self.ask(&*source).await {
                self.0.clock.sleep_until(self.0.clock.now().instant + AGAIN).await;
            }
            tasks.stopping().await;
        };
        tokio::select! {
            () = ask => {}
            () = tasks.stopping() => {}
        }
    }

    /// Asks once. Whether the key is open now.
    async fn ask(&self, source: &dyn KeySource) -> bool {
        let answer = tokio::time::timeout(PATIENCE, source.open(PATIENCE)).await;
        let (state, problem) = match answer {
            Ok(KeyOutcome::Key(key)) => self.fitted(key).await,
            Ok(KeyOutcome::Locked(why) | KeyOutcome::Absent(why)) => (KeyState::Locked, Some(why)),
            Ok(KeyOutcome::Wrong(why)) => (KeyState::Wrong, Some(why)),
            Err(_) => (KeyState::Locked, Some("the source of the store's key does not answer".to_owned())),
        };
        self.publish(state, problem);
        state == KeyState::Open
    }

    /// Compares key ids before anything is opened with it: a wrong key must not make records look damaged.
    async fn fitted(&self, key: Key) -> (KeyState, Option<String>) {
        let (records, id) = (self.0.records.clone(), key.id());
        match self.0.tasks.blocking("compare key ids", move || records.verdict(id)).await {
            Some(Ok(Verdict::Fits)) => {
                let _ = self.0.key.set(Arc::new(key));
                (KeyState::Open, None)
            }
            Some(Ok(Verdict::DoesNotFit)) => (KeyState::Wrong, Some(self.why_wrong())),
            Some(Err(error)) => (KeyState::Locked, Some(error.to_string())),
            None => (KeyState::Locked, Some(BROKEN.to_owned())),
        }
    }

    fn why_wrong(&self) -> String {
        format!(
            "the records in \"{}\" were sealed with another key: put that key back, or move the records away to log in anew",
            self.0.records.folder.path().display()
        )
    }

    fn publish(&self, state: KeyState, problem: Option<String>) {
        let mut present = self.0.problem.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(problem) = problem.as_ref().filter(|problem| present.as_ref() != Some(problem)) {
            tracing::warn!(problem, "the store's key is not open");
        }
        *present = problem;
        drop(present);
        self.0.state.send_if_modified(|present| std::mem::replace(present, state) != state);
    }
}

impl Vault for SealedStore {
    fn load(&self, account: &AccountName) -> BoxFuture<'static, Result<Stored, LoadError>> {
        let (grant, sign_in) = (RecordId::grant(account), RecordId::sign_in(account));
        self.loading(move |records, key, now| {
            let mut stored = Stored::default();
            match records.load(&grant, key, now)? {
                Loaded::Nothing => {}
                Loaded::Record(record) => stored.grant = Some(record),
                Loaded::SetAside(name) => stored.damaged = Some(name),
            }
            // What is lost with a damaged one are counters: the log tells, and the grant goes on serving.
            if let Loaded::Record(record) = records.load(&sign_in, key, now)? {
                stored.sign_in = Some(record);
            }
            Ok(stored)
        })
    }

    fn save_grant(&self, account: &AccountName, record: GrantRecord) -> BoxFuture<'static, Result<(), SaveError>> {
        self.saving(RecordId::grant(account), record)
    }

    fn save_sign_in(&self, account: &AccountName, record: SignInRecord) -> BoxFuture<'static, Result<(), SaveError>> {
        self.saving(RecordId::sign_in(account), record)
    }

    fn forget_grant(&self, account: &AccountName) -> BoxFuture<'static, Result<(), SaveError>> {
        self.forgetting(RecordId::grant(account))
    }

    fn forget_sign_in(&self, account: &AccountName) -> BoxFuture<'static, Result<(), SaveError>> {
        self.forgetting(RecordId::sign_in(account))
    }

    fn client_secret(&self, account: &AccountConfig) -> BoxFuture<'static, Result<Option<ClientSecret>, SecretError>> {
        client_secret::read(self, account)
    }

    fn save_client_secret(&self, account: &AccountConfig, secret: ClientSecret) -> BoxFuture<'static, Result<(), SaveError>> {
        client_secret::save(self, account, secret)
    }

    fn forget_client_secret(&self, account: &AccountConfig) -> BoxFuture<'static, Result<(), SaveError>> {
        client_secret::forget(self, account)
    }

    fn registration(&self, issuer: &Issuer) -> BoxFuture<'static, Result<Option<Registration>, LoadError>> {
        registration::load(self, issuer)
    }

    fn registrations(&self) -> BoxFuture<'static, Result<Vec<Registration>, LoadError>> {
        registration::list(self)
    }

    fn save_registration(&self, registration: Registration) -> BoxFuture<'static, Result<(), SaveError>> {
        self.saving(RecordId::registration(&registration.issuer), registration)
    }

    fn forget_registration(&self, issuer: &Issuer) -> BoxFuture<'static, Result<(), SaveError>> {
        self.forgetting(RecordId::registration(issuer))
    }

    fn key_state(&self) -> watch::Receiver<KeyState> {
        self.0.state.subscribe()
    }

    fn key_opener(&self) -> KeyOpener {
        self.0.opener
    }
}

impl fmt::Debug for SealedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealedStore").field("folder", &self.0.records.folder).field("key", &*self.0.state.borrow()).finish()
    }
}
