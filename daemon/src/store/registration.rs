//! The clients that we registered ourselves (RFC 7591): one sealed record for each issuer, filed under its hash, byte for byte.
//!
//! So no other issuer ever gets one (P14, D58): its bytes make the name of the file, the name is sealed with the record, and the
//! issuer stands in the record once more. The registration access token is a secret like any other (D60).
//!
//! Must never: tell an issuer or a client in clear.

use std::collections::BTreeSet;

use futures_util::future::BoxFuture;
use mcp_authd_oauth::registration::{GrantType, RedirectUri, RegisteredClient, Registration, SecretExpires, Standing};
use mcp_authd_oauth::secret::{ClientSecret, RegistrationAccessToken, SecretText};
use mcp_authd_oauth::terms::{ClientId, Issuer, TokenEndpointAuthMethod};
use mcp_authd_oauth::time::{Now, WallTime};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::record::{Clear, Record, RecordId, to_json};
use super::sealed_store::SealedStore;
use crate::accounts::LoadError;

/// Reads the registration at an issuer. A damaged one is set aside, and as good as none: a login registers anew.
pub(super) fn load(store: &SealedStore, issuer: &Issuer) -> BoxFuture<'static, Result<Option<Registration>, LoadError>> {
    let (id, issuer) = (RecordId::registration(issuer), issuer.clone());
    store.loading(move |records, key, now| {
        let kept: Option<Registration> = records.load(&id, key, now)?.record();
        Ok(kept.filter(|kept| kept.issuer == issuer))
    })
}

/// Reads all of them, in the order of their issuers.
pub(super) fn list(store: &SealedStore) -> BoxFuture<'static, Result<Vec<Registration>, LoadError>> {
    store.loading(|records, key, now| {
        let names = records.folder.names().map_err(|error| LoadError::Io(error.to_string()))?;
        let mut all = Vec::new();
        for id in names.iter().filter_map(|name| RecordId::registration_in(name)) {
            all.extend(records.load::<Registration>(&id, key, now)?.record());
        }
        all.sort_by(|one, other| one.issuer.cmp(&other.issuer));
        Ok(all)
    })
}

impl Record for Registration {
    fn generation(&self) -> u64 {
        0
    }

    fn write(&self, _now: Now) -> Option<Zeroizing<Vec<u8>>> {
        to_json(&Written {
            issuer: self.issuer.clone(),
            client: WrittenClient::from(&self.client),
            redirect_uris: self.redirect_uris.clone(),
            grant_types: self.grant_types.iter().map(|grant| grant.as_str().to_owned()).collect(),
            registration_access_token: self.registration_access_token.clone().map(Clear),
            registration_client_uri: self.registration_client_uri.clone().map(Clear),
            registered_at: self.registered_at,
            refused_at: match self.standing {
                Standing::Good => None,
                Standing::Refused(at) => Some(at),
            },
            former: self.former.iter().map(WrittenClient::from).collect(),
        })
    }

    fn read(plain: &[u8], _now: Now) -> Option<Self> {
        let written: Written = serde_json::from_slice(plain).ok()?;
        Some(Self {
            issuer: written.issuer,
            client: written.client.read()?,
            redirect_uris: written.redirect_uris,
            grant_types: written.grant_types.iter().map(|word| GrantType::parse(word)).collect::<Option<BTreeSet<_>>>()?,
            registration_access_token: written.registration_access_token.map(|token| token.0),
            registration_client_uri: written.registration_client_uri.map(|uri| uri.0),
            registered_at: written.registered_at,
            standing: written.refused_at.map_or(Standing::Good, Standing::Refused),
            former: written.former.into_iter().map(WrittenClient::read).collect::<Option<_>>()?,
        })
    }
}

#[derive(Serialize, Deserialize)]
struct Written {
    issuer: Issuer,
    client: WrittenClient,
    redirect_uris: Vec<RedirectUri>,
    grant_types: Vec<String>,
    registration_access_token: Option<Clear<RegistrationAccessToken>>,
    registration_client_uri: Option<Clear<SecretText>>,
    registered_at: WallTime,
    /// Absent: it is not.
    refused_at: Option<WallTime>,
    former: Vec<WrittenClient>,
}

#[derive(Serialize, Deserialize)]
struct WrittenClient {
    client_id: ClientId,
    client_secret: Option<Clear<ClientSecret>>,
    /// Absent: never.
    client_secret_expires_at: Option<WallTime>,
    token_endpoint_auth_method: String,
}

impl From<&RegisteredClient> for WrittenClient {
    fn from(client: &RegisteredClient) -> Self {
        Self {
            client_id: client.client_id.clone(),
            client_secret: client.client_secret.clone().map(Clear),
            client_secret_expires_at: match client.secret_expires {
                SecretExpires::Never => None,
                SecretExpires::At(at) => Some(at),
            },
            token_endpoint_auth_method: client.auth_method.as_str().to_owned(),
        }
    }
}

impl WrittenClient {
    fn read(self) -> Option<RegisteredClient> {
        Some(RegisteredClient {
            client_id: self.client_id,
            client_secret: self.client_secret.map(|secret| secret.0),
            secret_expires: self.client_secret_expires_at.map_or(SecretExpires::Never, SecretExpires::At),
            auth_method: TokenEndpointAuthMethod::parse(&self.token_endpoint_auth_method)?,
        })
    }
}
