//! A login that waits, as it is written into the record of logins.
//!
//! The two ways stand in two members, so that a program which does not know the second reads the record without it: it forgets that
//! login, and nothing else.

use std::time::Duration;

use mcp_authd_oauth::authorization_code::judge::IssParameter;
use mcp_authd_oauth::secret::{CodeVerifier, DeviceCode, State};
use mcp_authd_oauth::sign_in::{AuthorizationUrl, DevicePrompt, PendingCode, PendingDevice, PendingSignIn};
use mcp_authd_oauth::terms::{RedirectUri, Scopes};
use mcp_authd_oauth::time::{Now, WallTime};
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

/// RFC 8628. The members and their order belong to the version of the record.
#[derive(Serialize, Deserialize)]
pub(super) struct WrittenDevice {
    id: u64,
    purpose: WrittenPurpose,
    asked_by: String,
    replace: bool,
    device_code: Clear<DeviceCode>,
    prompt: DevicePrompt,
    saved_at: WallTime,
    /// How long it had to go when it was saved.
    left_ms: u64,
    expires: WallTime,
    interval_ms: u64,
    binding: Binding,
    requested_scopes: Scopes,
}

/// RFC 6749, 4.1; RFC 7636.
#[derive(Serialize, Deserialize)]
pub(super) struct WrittenCode {
    id: u64,
    purpose: WrittenPurpose,
    asked_by: String,
    replace: bool,
    authorization_url: AuthorizationUrl,
    state: Clear<State>,
    verifier: Clear<CodeVerifier>,
    redirect_uri: RedirectUri,
    iss_parameter: IssParameter,
    saved_at: WallTime,
    left_ms: u64,
    expires: WallTime,
    binding: Binding,
    requested_scopes: Scopes,
}

impl WrittenDevice {
    fn new(record: &PendingRecord, device: &PendingDevice, now: Now) -> Self {
        Self {
            id: record.id,
            purpose: record.purpose.into(),
            asked_by: record.asked_by.clone(),
            replace: record.replace,
            device_code: Clear(device.device_code.clone()),
            prompt: device.prompt.clone(),
            saved_at: now.wall,
            left_ms: millis(device.expires.since(now.instant)),
            expires: device.expires_wall,
            interval_ms: millis(device.interval),
            binding: device.binding.clone(),
            requested_scopes: device.requested_scopes.clone(),
        }
    }

    fn restored(self, now: Now) -> PendingRecord {
        let login = PendingSignIn::Device(PendingDevice {
            device_code: self.device_code.0,
            prompt: self.prompt,
            expires: restore::deadline(self.expires, Duration::from_millis(self.left_ms), self.saved_at, now),
            expires_wall: self.expires,
            interval: Duration::from_millis(self.interval_ms),
            binding: self.binding,
            requested_scopes: self.requested_scopes,
        });
        PendingRecord { id: self.id, login, purpose: self.purpose.into(), asked_by: self.asked_by, replace: self.replace }
    }
}

impl WrittenCode {
    fn new(record: &PendingRecord, code: &PendingCode, now: Now) -> Self {
        Self {
            id: record.id,
            purpose: record.purpose.into(),
            asked_by: record.asked_by.clone(),
            replace: record.replace,
            authorization_url: code.authorization_url.clone(),
            state: Clear(code.state.clone()),
            verifier: Clear(code.verifier.clone()),
            redirect_uri: code.redirect_uri.clone(),
            iss_parameter: code.iss_parameter,
            saved_at: now.wall,
            left_ms: millis(code.expires.since(now.instant)),
            expires: code.expires_wall,
            binding: code.binding.clone(),
            requested_scopes: code.requested_scopes.clone(),
        }
    }

    fn restored(self, now: Now) -> PendingRecord {
        let login = PendingSignIn::Code(PendingCode {
            authorization_url: self.authorization_url,
            state: self.state.0,
            verifier: self.verifier.0,
            redirect_uri: self.redirect_uri,
            expires: restore::deadline(self.expires, Duration::from_millis(self.left_ms), self.saved_at, now),
            expires_wall: self.expires,
            binding: self.binding,
            requested_scopes: self.requested_scopes,
            iss_parameter: self.iss_parameter,
        });
        PendingRecord { id: self.id, login, purpose: self.purpose.into(), asked_by: self.asked_by, replace: self.replace }
    }
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
