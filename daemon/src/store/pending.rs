//! A login that waits, as it is written into the record of logins.
//!
//! The two ways stand in two members, so that a program which does not know the second reads the record without it: it forgets that
//! login, and nothing else.

use std::time::Duration;

use mcp_authd_oauth::authorization_code::judge::IssParameter;
use mcp_authd_oauth::secret::{CodeVerifier, DeviceCode, State};
use mcp_authd_oauth::sign_in::{AuthorizationUrl, DevicePrompt, PendingCode, PendingDevice, PendingSignIn};
use mcp_authd_oauth::terms::{RedirectUri, Scopes};
use mcp_authd_oauth::time::{Instant, Now, WallTime};
use mcp_authd_oauth::token::Binding;
use serde::{Deserialize, Serialize};

use super::record::{Clear, millis};
use super::restore;
use crate::accounts::grant::{PendingRecord, Purpose};

/// The one or the other.
pub(super) fn written(pending: Option<&PendingRecord>, now: Now) -> (Option<WrittenDevice>, Option<WrittenCode>) {
    match pending.map(|record| (record, &record.login)) {
        None => (None, None),
        Some((record, PendingSignIn::Device(device))) => (Some(WrittenDevice::new(record, device, now)), None),
        Some((record, PendingSignIn::Code(code))) => (None, Some(WrittenCode::new(record, code, now))),
    }
}

/// What was written.
pub(super) fn restored(device: Option<WrittenDevice>, code: Option<WrittenCode>, now: Now) -> Option<PendingRecord> {
    match (device, code) {
        (Some(device), _) => Some(device.restored(now)),
        (None, code) => code.map(|code| code.restored(now)),
    }
}

/// RFC 8628.
#[derive(Serialize, Deserialize)]
pub(super) struct WrittenDevice {
    #[serde(flatten)]
    asked: Asked,
    device_code: Clear<DeviceCode>,
    prompt: DevicePrompt,
    interval_ms: u64,
}

/// RFC 6749, 4.1; RFC 7636.
#[derive(Serialize, Deserialize)]
pub(super) struct WrittenCode {
    #[serde(flatten)]
    asked: Asked,
    authorization_url: AuthorizationUrl,
    state: Clear<State>,
    verifier: Clear<CodeVerifier>,
    redirect_uri: RedirectUri,
    iss_promised: bool,
}

/// What both have. No secret: what is flattened is read by way of a buffer that nobody wipes.
#[derive(Serialize, Deserialize)]
struct Asked {
    id: u64,
    purpose: WrittenPurpose,
    asked_by: String,
    replace: bool,
    saved_at: WallTime,
    /// How long it had to go when it was saved.
    left_ms: u64,
    expires: WallTime,
    binding: Binding,
    requested_scopes: Scopes,
}

impl Asked {
    fn new(record: &PendingRecord, now: Now) -> Self {
        let login = &record.login;
        Self {
            id: record.id,
            purpose: record.purpose.into(),
            asked_by: record.asked_by.clone(),
            replace: record.replace,
            saved_at: now.wall,
            left_ms: millis(login.expires().since(now.instant)),
            expires: login.expires_wall(),
            binding: login.binding().clone(),
            requested_scopes: login.requested_scopes().clone(),
        }
    }

    fn expires(&self, now: Now) -> Instant {
        restore::deadline(self.expires, Duration::from_millis(self.left_ms), self.saved_at, now)
    }
}

impl WrittenDevice {
    fn new(record: &PendingRecord, device: &PendingDevice, now: Now) -> Self {
        Self {
            asked: Asked::new(record, now),
            device_code: Clear(device.device_code.clone()),
            prompt: device.prompt.clone(),
            interval_ms: millis(device.interval),
        }
    }

    fn restored(self, now: Now) -> PendingRecord {
        let (asked, expires) = (&self.asked, self.asked.expires(now));
        let login = PendingSignIn::Device(PendingDevice {
            device_code: self.device_code.0,
            prompt: self.prompt,
            expires,
            expires_wall: asked.expires,
            interval: Duration::from_millis(self.interval_ms),
            binding: asked.binding.clone(),
            requested_scopes: asked.requested_scopes.clone(),
        });
        record(self.asked, login)
    }
}

impl WrittenCode {
    fn new(record: &PendingRecord, code: &PendingCode, now: Now) -> Self {
        Self {
            asked: Asked::new(record, now),
            authorization_url: code.authorization_url.clone(),
            state: Clear(code.state.clone()),
            verifier: Clear(code.verifier.clone()),
            redirect_uri: code.redirect_uri.clone(),
            iss_promised: code.iss_parameter == IssParameter::Promised,
        }
    }

    fn restored(self, now: Now) -> PendingRecord {
        let (asked, expires) = (&self.asked, self.asked.expires(now));
        let login = PendingSignIn::Code(PendingCode {
            authorization_url: self.authorization_url,
            state: self.state.0,
            verifier: self.verifier.0,
            redirect_uri: self.redirect_uri,
            expires,
            expires_wall: asked.expires,
            binding: asked.binding.clone(),
            requested_scopes: asked.requested_scopes.clone(),
            iss_parameter: if self.iss_promised { IssParameter::Promised } else { IssParameter::NotPromised },
        });
        record(self.asked, login)
    }
}

fn record(asked: Asked, login: PendingSignIn) -> PendingRecord {
    let Asked { id, purpose, asked_by, replace, .. } = asked;
    PendingRecord { id, login, purpose: purpose.into(), asked_by, replace }
}

/// Why a person is asked.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum WrittenPurpose {
    First,
    Again,
    MoreAccess,
}

impl From<Purpose> for WrittenPurpose {
    fn from(purpose: Purpose) -> Self {
        match purpose {
            Purpose::First => Self::First,
            Purpose::Again => Self::Again,
            Purpose::MoreAccess => Self::MoreAccess,
        }
    }
}

impl From<WrittenPurpose> for Purpose {
    fn from(purpose: WrittenPurpose) -> Self {
        match purpose {
            WrittenPurpose::First => Self::First,
            WrittenPurpose::Again => Self::Again,
            WrittenPurpose::MoreAccess => Self::MoreAccess,
        }
    }
}
