//! The records as they are written: JSON inside the seal, in memory that is wiped.
//!
//! The form belongs to the version in the seal's header: whoever changes it raises [`super::seal::VERSION`] and goes on reading
//! the older ones (B34).
//!
//! Must never: be written anywhere but into a seal.

use std::fmt::Write as _;
use std::io;
use std::time::Duration;

use mcp_authd_oauth::secret::{
    AccessToken, ClientSecret, CodeVerifier, DeviceCode, RefreshToken, RegistrationAccessToken, SecretText, State,
};
use mcp_authd_oauth::terms::{ClientId, Issuer, Scopes, Subject};
use mcp_authd_oauth::time::{Now, WallTime};
use mcp_authd_oauth::token::{Binding, Life};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::accounts::AccountName;
use crate::accounts::grant::{
    Ended, Grant, GrantRecord, HeldToken, Intent, KeptRest, NotRenewable, Renewal, RestCause, Rotation, SignInEnd, SignInRecord,
};

use super::pending::{self, WrittenCode, WrittenDevice};
use super::restore;

const SUFFIX: &str = ".sealed";
const REGISTERED: &str = "registered-client-";

/// Names a record: its file, and inside the seal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RecordId(String);

impl RecordId {
    pub(super) fn grant(account: &AccountName) -> Self {
        Self(format!("grant-{account}"))
    }

    pub(super) fn sign_in(account: &AccountName) -> Self {
        Self(format!("sign-in-{account}"))
    }

    /// The issuer is a URL and no file name; neither is told by the name.
    pub(super) fn client(issuer: &Issuer, client_id: &ClientId) -> Self {
        let hash = Sha256::new().chain_update(issuer.as_str()).chain_update([0]).chain_update(client_id.as_str());
        Self::hashed("registration-", hash)
    }

    /// The same, for the one client of an issuer that we registered ourselves.
    pub(super) fn registration(issuer: &Issuer) -> Self {
        Self::hashed(REGISTERED, Sha256::new_with_prefix(issuer.as_str()))
    }

    /// The registration in the file of this name, if it is one.
    pub(super) fn registration_in(file_name: &str) -> Option<Self> {
        file_name.strip_suffix(SUFFIX).filter(|id| id.starts_with(REGISTERED)).map(|id| Self(id.to_owned()))
    }

    fn hashed(kind: &str, hash: Sha256) -> Self {
        let mut id = kind.to_owned();
        for byte in hash.finalize() {
            let _ = write!(id, "{byte:02x}");
        }
        Self(id)
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn file_name(&self) -> String {
        format!("{}{SUFFIX}", self.0)
    }
}

/// Whether a file name is that of a record.
pub(super) fn is_record(file_name: &str) -> bool {
    file_name.ends_with(SUFFIX)
}

/// What is kept of a client that the configuration names: its secret, as the person told it. A client that we registered ourselves
/// has a record of another kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ClientRecord {
    /// The authorization server.
    pub(super) issuer: Issuer,
    /// The client.
    pub(super) client_id: ClientId,
    /// Its secret, where it has one.
    pub(super) client_secret: Option<ClientSecret>,
    /// When the secret ends. `None`: never, or unknown.
    pub(super) client_secret_expires_at: Option<WallTime>,
    /// Reads and changes the registration (RFC 7592, 3).
    pub(super) registration_access_token: Option<SecretText>,
}

/// What can be kept.
pub(super) trait Record: Sized {
    /// What the seal's header tells.
    fn generation(&self) -> u64;
    /// As it is written at `now`.
    fn write(&self, now: Now) -> Option<Zeroizing<Vec<u8>>>;
    /// As it was written, with the times of this boot. `None`: it is not what we write.
    fn read(plain: &[u8], now: Now) -> Option<Self>;
}

impl Record for GrantRecord {
    fn generation(&self) -> u64 {
        self.generation
    }

    fn write(&self, _now: Now) -> Option<Zeroizing<Vec<u8>>> {
        let grant = &self.grant;
        to_json(&WrittenGrant {
            generation: self.generation,
            revision: self.revision,
            saved_at: self.saved_at,
            used_at: self.used_at,
            intent: self.intent.map(Into::into),
            rest: self.rest.as_ref().map(WrittenRest::from),
            access: grant.access.as_ref().map(WrittenToken::from),
            renewal: WrittenRenewal::from(&grant.renewal),
            rotation: grant.rotation.into(),
            scopes: grant.scopes.clone(),
            subject: grant.subject.clone(),
            binding: grant.binding.clone(),
            granted_at: grant.granted_at,
            refreshed_at: grant.refreshed_at,
        })
    }

    fn read(plain: &[u8], now: Now) -> Option<Self> {
        let written: WrittenGrant = serde_json::from_slice(plain).ok()?;
        let grant = Grant {
            access: written.access.map(|token| token.restored(written.saved_at, now)),
            renewal: written.renewal.into(),
            rotation: written.rotation.into(),
            scopes: written.scopes,
            subject: written.subject,
            binding: written.binding,
            granted_at: written.granted_at,
            refreshed_at: written.refreshed_at,
        };
        Some(Self {
            generation: written.generation,
            revision: written.revision,
            grant,
            intent: written.intent.map(Into::into),
            rest: written.rest.map(Into::into),
            used_at: written.used_at,
            saved_at: written.saved_at,
        })
    }
}

impl Record for SignInRecord {
    fn generation(&self) -> u64 {
        self.generation
    }

    fn write(&self, now: Now) -> Option<Zeroizing<Vec<u8>>> {
        let (pending, code) = pending::written(self.pending.as_ref(), now);
        to_json(&WrittenSignIn {
            generation: self.generation,
            revision: self.revision,
            signed_out: self.ended.is_some(),
            by_configuration: self.ended == Some(Ended::ByConfiguration),
            pending,
            code,
            unanswered_starts: self.unanswered_starts.clone(),
            last_end: self.last_end.map(|(how, at)| WrittenEnd { how: how.into(), at }),
            refused_scopes: self.refused_scopes.clone(),
        })
    }

    fn read(plain: &[u8], now: Now) -> Option<Self> {
        let written: WrittenSignIn = serde_json::from_slice(plain).ok()?;
        Some(Self {
            pending: pending::restored(written.pending, written.code, now),
            unanswered_starts: written.unanswered_starts,
            last_end: written.last_end.map(|end| (end.how.into(), end.at)),
            generation: written.generation,
            revision: written.revision,
            ended: written.signed_out.then_some(if written.by_configuration { Ended::ByConfiguration } else { Ended::ByPerson }),
            refused_scopes: written.refused_scopes,
        })
    }
}

impl Record for ClientRecord {
    fn generation(&self) -> u64 {
        0
    }

    fn write(&self, _now: Now) -> Option<Zeroizing<Vec<u8>>> {
        to_json(&WrittenClient {
            issuer: self.issuer.clone(),
            client_id: self.client_id.clone(),
            client_secret: self.client_secret.clone().map(Clear),
            client_secret_expires_at: self.client_secret_expires_at,
            registration_access_token: self.registration_access_token.clone().map(Clear),
        })
    }

    fn read(plain: &[u8], _now: Now) -> Option<Self> {
        let written: WrittenClient = serde_json::from_slice(plain).ok()?;
        Some(Self {
            issuer: written.issuer,
            client_id: written.client_id,
            client_secret: written.client_secret.map(|secret| secret.0),
            client_secret_expires_at: written.client_secret_expires_at,
            registration_access_token: written.registration_access_token.map(|token| token.0),
        })
    }
}

#[derive(Serialize, Deserialize)]
struct WrittenGrant {
    generation: u64,
    revision: u64,
    saved_at: WallTime,
    used_at: Option<WallTime>,
    intent: Option<WrittenIntent>,
    /// A program that does not know it asks the server at once, as all did before: so the form keeps its version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rest: Option<WrittenRest>,
    access: Option<WrittenToken>,
    renewal: WrittenRenewal,
    rotation: WrittenRotation,
    scopes: Scopes,
    subject: Option<Subject>,
    binding: Binding,
    granted_at: WallTime,
    refreshed_at: Option<WallTime>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum WrittenRenewal {
    RefreshToken(Clear<RefreshToken>),
    NotIssued,
    Dead,
    InDoubt,
}

impl From<&Renewal> for WrittenRenewal {
    fn from(renewal: &Renewal) -> Self {
        match renewal {
            Renewal::With(token) => Self::RefreshToken(Clear(token.clone())),
            Renewal::Not(NotRenewable::NotIssued) => Self::NotIssued,
            Renewal::Not(NotRenewable::Dead) => Self::Dead,
            Renewal::Not(NotRenewable::InDoubt) => Self::InDoubt,
        }
    }
}

impl From<WrittenRenewal> for Renewal {
    fn from(written: WrittenRenewal) -> Self {
        match written {
            WrittenRenewal::RefreshToken(token) => Self::With(token.0),
            WrittenRenewal::NotIssued => Self::Not(NotRenewable::NotIssued),
            WrittenRenewal::Dead => Self::Not(NotRenewable::Dead),
            WrittenRenewal::InDoubt => Self::Not(NotRenewable::InDoubt),
        }
    }
}

#[derive(Serialize, Deserialize)]
struct WrittenToken {
    access_token: Clear<AccessToken>,
    requested: WallTime,
    /// Absent: unknown.
    life_ms: Option<u64>,
}

impl From<&HeldToken> for WrittenToken {
    fn from(token: &HeldToken) -> Self {
        let life_ms = match token.life {
            Life::Known(life) => Some(millis(life)),
            Life::Unknown => None,
        };
        Self { access_token: Clear(token.access_token.clone()), requested: token.requested_wall, life_ms }
    }
}

impl WrittenToken {
    fn restored(self, saved_at: WallTime, now: Now) -> HeldToken {
        let life = self.life_ms.map_or(Life::Unknown, |life| Life::Known(Duration::from_millis(life)));
        let requested = restore::token(self.requested, life, saved_at, now);
        HeldToken { access_token: self.access_token.0, requested, requested_wall: self.requested, life }
    }
}

#[derive(Serialize, Deserialize)]
struct WrittenRest {
    until: WallTime,
    cause: WrittenRestCause,
    why: String,
    failures: u32,
}

impl From<&KeptRest> for WrittenRest {
    fn from(rest: &KeptRest) -> Self {
        Self { until: rest.until, cause: rest.cause.into(), why: rest.why.clone(), failures: rest.failures }
    }
}

impl From<WrittenRest> for KeptRest {
    fn from(rest: WrittenRest) -> Self {
        Self { until: rest.until, cause: rest.cause.into(), why: rest.why, failures: rest.failures }
    }
}

#[derive(Serialize, Deserialize)]
struct WrittenSignIn {
    generation: u64,
    revision: u64,
    signed_out: bool,
    /// Refines `signed_out`. A program that does not know it takes a logout by the person, which is the stricter: so the form keeps
    /// its version.
    #[serde(default)]
    by_configuration: bool,
    pending: Option<WrittenDevice>,
    /// The other way to log in. A program that does not know it forgets such a login, and reads all else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    code: Option<WrittenCode>,
    unanswered_starts: Vec<WallTime>,
    last_end: Option<WrittenEnd>,
    refused_scopes: Option<Scopes>,
}

#[derive(Serialize, Deserialize)]
struct WrittenEnd {
    how: WrittenSignInEnd,
    at: WallTime,
}

#[derive(Serialize, Deserialize)]
struct WrittenClient {
    issuer: Issuer,
    client_id: ClientId,
    client_secret: Option<Clear<ClientSecret>>,
    client_secret_expires_at: Option<WallTime>,
    registration_access_token: Option<Clear<SecretText>>,
}

macro_rules! written {
    ($written:ident = $known:ident { $($variant:ident),+ }) => {
        #[derive(Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        enum $written { $($variant),+ }

        impl From<$known> for $written {
            fn from(known: $known) -> Self {
                match known { $($known::$variant => Self::$variant),+ }
            }
        }

        impl From<$written> for $known {
            fn from(written: $written) -> Self {
                match written { $($written::$variant => Self::$variant),+ }
            }
        }
    };
}

written!(WrittenIntent = Intent { First, Replay });
written!(WrittenRestCause = RestCause { Answered, Configuration });
written!(WrittenRotation = Rotation { Unknown, Rotates, Keeps });
written!(WrittenSignInEnd = SignInEnd { Granted, Denied, Cancelled, Expired, Failed, OtherSubject, NoSubject });

/// A secret inside the seal: the one place where it is written as it is.
pub(super) struct Clear<T>(pub(super) T);

pub(super) trait Secret: Sized {
    fn text(&self) -> &str;
    fn of(text: String) -> Self;
}

macro_rules! secret {
    ($($secret:ident),+) => { $(
        impl Secret for $secret {
            fn text(&self) -> &str {
                self.expose()
            }
            fn of(text: String) -> Self {
                Self::new(text)
            }
        }
    )+ };
}

secret!(AccessToken, RefreshToken, DeviceCode, State, CodeVerifier, ClientSecret, RegistrationAccessToken, SecretText);

impl<T: Secret> Serialize for Clear<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.text())
    }
}

impl<'de, T: Secret> Deserialize<'de> for Clear<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(T::of(text)))
    }
}

pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// JSON in a buffer that is wiped, and never grows: growing would leave a copy behind.
pub(super) fn to_json(value: &impl Serialize) -> Option<Zeroizing<Vec<u8>>> {
    let mut length = Count(0);
    serde_json::to_writer(&mut length, value).ok()?;
    let mut json = Zeroizing::new(Vec::with_capacity(length.0));
    serde_json::to_writer(&mut *json, value).ok()?;
    Some(json)
}

struct Count(usize);

impl io::Write for Count {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
