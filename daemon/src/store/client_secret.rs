//! The secrets of configured clients: sealed in the client's record, or in a file that somebody else keeps.
//!
//! A kept secret is filed under the issuer and the `client_id`; where only endpoints are configured, the token endpoint stands in
//! for the issuer, byte for byte. So it is never found for another server or client than the one it was kept for (P14), however
//! the accounts are called.
//!
//! Must never: keep a copy of a secret that stands in a file, or of one that was read.

use futures_util::future::{BoxFuture, ready};
use mcp_authd_oauth::secret::{ClientSecret, NotAClientSecret};
use mcp_authd_oauth::terms::{ClientId, Issuer};

use crate::accounts::client_secret::SecretError;
use crate::accounts::{AccountConfig, LoadError, SaveError};
use crate::host::private_file::{self, Reason, Unusable};

use super::record::ClientRecord;
use super::sealed_store::SealedStore;

/// Reads the secret of an account's client. A file of the configuration goes first.
pub(super) fn read(
    store: &SealedStore,
    account: &AccountConfig,
) -> BoxFuture<'static, Result<Option<ClientSecret>, SecretError>> {
    let store = store.clone();
    if let Some(path) = account.client_secret_file.clone() {
        return Box::pin(async move {
            let read = store.tasks().blocking("read a client secret", move || from_file(&path)).await;
            Ok(Some(read.unwrap_or_else(|| Err(SecretError::Kept(LoadError::Io("the read itself failed".to_owned()))))?))
        });
    }
    let Some((issuer, client_id)) = place(account) else { return Box::pin(ready(Ok(None))) };
    Box::pin(async move {
        let client = store.load_client(&issuer, &client_id).await?;
        Ok(client.and_then(|client| client.client_secret))
    })
}

/// Keeps a secret that the person gives. What else its record holds stays.
pub(super) fn save(
    store: &SealedStore,
    account: &AccountConfig,
    secret: ClientSecret,
) -> BoxFuture<'static, Result<(), SaveError>> {
    let (store, place) = (store.clone(), place(account));
    Box::pin(async move {
        let Some((issuer, client_id)) = place else { return Err(SaveError::Io(NO_CLIENT.to_owned())) };
        let registration_access_token = match store.load_client(&issuer, &client_id).await {
            Ok(known) => known.and_then(|known| known.registration_access_token),
            Err(LoadError::Locked | LoadError::WrongKey) => return Err(SaveError::Locked),
            Err(LoadError::Io(why)) => return Err(SaveError::Io(why)),
        };
        let client_secret = Some(secret);
        // The person does not tell when it ends.
        let client = ClientRecord { issuer, client_id, client_secret, client_secret_expires_at: None, registration_access_token };
        store.save_client(client).await
    })
}

/// Erases a kept secret. It needs no key.
pub(super) fn forget(store: &SealedStore, account: &AccountConfig) -> BoxFuture<'static, Result<(), SaveError>> {
    let Some((issuer, client_id)) = place(account) else { return Box::pin(ready(Ok(()))) };
    store.forget_client(&issuer, &client_id)
}

/// Nowhere, where no client is configured: one that we registered ourselves is kept with its registration.
fn place(account: &AccountConfig) -> Option<(Issuer, ClientId)> {
    let client_id = account.client.pre_registered()?;
    Some((Issuer::new(account.server_name()), client_id.clone()))
}

const NO_CLIENT: &str = "the account names no client";

fn from_file(path: &std::path::Path) -> Result<ClientSecret, SecretError> {
    let bytes = private_file::read(path, ClientSecret::LONGEST)?;
    let unusable = |what| SecretError::File(Unusable { path: path.to_owned(), why: Reason::Content(what) });
    let text = std::str::from_utf8(&bytes).map_err(|_| unusable(CHARACTERS))?;
    ClientSecret::parse(text).map_err(|why| match why {
        NotAClientSecret::LineBreak => unusable("more than one line"),
        NotAClientSecret::Characters | NotAClientSecret::Empty | NotAClientSecret::TooLong => unusable(CHARACTERS),
    })
}

const CHARACTERS: &str = "something else than printable ASCII characters (RFC 6749, appendix A.2)";
