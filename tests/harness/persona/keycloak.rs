//! Keycloak (spec: providers): a realm; the device grant is a switch of each client, and `invalid_grant` where it is off; `invalid_grant` for a
//! code that it does not know; refresh tokens that may be used again; it names itself in its authorization responses (RFC 9207).
//!
//! Must never: know another realm than `work`.

use std::time::Duration;

use super::heard::{Door, Heard};
use super::said::{ErrorRow, Said};
use super::{Persona, habits};
use crate::server::{At, IssParameter, Rotation, Settings};

/// The realm `work`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keycloak {
    /// What is set for its client.
    pub device_grant: DeviceSwitch,
}

/// `oauth2.device.authorization.grant.enabled` of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviceSwitch {
    /// It may.
    On,
    /// It may not: the default.
    Off,
}

const BASE: &str = "/realms/work/protocol/openid-connect";

const ERRORS: [ErrorRow; 7] = [
    (At::Poll, "authorization_pending", 400, "authorization_pending", "The authorization request is still pending"),
    (At::Poll, "slow_down", 400, "slow_down", "Slow down"),
    (At::Poll, "expired_token", 400, "expired_token", "Device code is expired"),
    (At::Poll, "access_denied", 400, "access_denied", "The end user denied the authorization request"),
    (At::Poll, "invalid_grant", 400, "invalid_grant", "Device code not valid"),
    (At::Exchange, "invalid_grant", 400, "invalid_grant", "Code not valid"),
    (At::Refresh, "invalid_grant", 400, "invalid_grant", "Token is not active"),
];

impl Persona for Keycloak {
    fn doors(&self) -> Vec<(String, Door)> {
        vec![
            (format!("{BASE}/auth/device"), Door::DeviceAuthorization),
            (format!("{BASE}/token"), Door::Token),
            (format!("{BASE}/auth"), Door::Authorization),
            (format!("{BASE}/revoke"), Door::Revocation),
            ("/realms/work/device".to_owned(), Door::DevicePage),
        ]
    }

    fn habits(&self, origin: &str) -> Settings {
        let iss = IssParameter::Other(format!("{origin}/realms/work"));
        // "Revoke Refresh Token" is off.
        let rotation = Rotation::Grace(Duration::from_secs(86_400));
        Settings { rotation, iss, access_token_life: Duration::from_secs(300), ..habits() }
    }

    fn refuses(&self, heard: &Heard) -> Option<Said> {
        let is_off = self.device_grant == DeviceSwitch::Off;
        match heard.at() {
            Some(At::DeviceAuthorization | At::Poll) if is_off => {
                Some(Said::error(400, "invalid_grant", "Client not allowed OAuth 2.0 Device Authorization Grant"))
            }
            Some(_) if heard.one("client_id").is_none() => {
                Some(Said::error(401, "invalid_client", "Invalid client or Invalid client credentials"))
            }
            _ => None,
        }
    }

    fn says(&self, heard: &Heard, said: Said) -> Said {
        match said {
            said if said.has_a_code() => said.typed_at(heard, "/realms/work/device"),
            said if said.has_tokens() => {
                let said = said.issued_by(&format!("{}/realms/work", heard.origin)).with("refresh_expires_in", 1800);
                // Scopes that every client has come along.
                let scopes = format!("{} email profile", said.text("scope"));
                said.with("scope", scopes.trim()).with("not-before-policy", 0).with("session_state", "f3a1-9c")
            }
            said if heard.door == Door::Revocation && said.status == 200 => Said::empty(200),
            said => said.in_words_of(&ERRORS, heard),
        }
    }
}
