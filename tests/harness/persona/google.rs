//! Google (spec: providers): `verification_url`, a secret at the token endpoint for every client, statuses of its own, no new refresh token
//! at a refresh, and after a login in a browser one only with `access_type=offline` and `prompt=consent`.
//!
//! Must never: take a scope of the device grant that is not on its list.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::json;

use super::heard::{Door, Heard};
use super::said::{ErrorRow, Said};
use super::{Persona, habits};
use crate::server::{At, Rotation, Settings};

/// Google, for one client.
#[derive(Debug, Default)]
pub struct Google {
    /// Whether the last login in a browser has asked for access without the person.
    offline: AtomicBool,
}

impl Google {
    /// The secret of its client.
    pub const CLIENT_SECRET: &str = "SNTL_CS_google";
}

/// What the device grant may ask for.
const DEVICE_SCOPES: [&str; 5] = [
    "openid",
    "email",
    "profile",
    "https://www.googleapis.com/auth/drive.file",
    "https://www.googleapis.com/auth/youtube.readonly",
];

const ERRORS: [ErrorRow; 6] = [
    (At::Poll, "authorization_pending", 428, "authorization_pending", "Precondition Required"),
    (At::Poll, "slow_down", 403, "slow_down", "Forbidden"),
    (At::Poll, "access_denied", 403, "access_denied", "Forbidden"),
    (At::Poll, "expired_token", 400, "invalid_grant", "Bad Request"),
    (At::Exchange, "invalid_grant", 400, "invalid_grant", "Bad Request"),
    (At::Refresh, "invalid_grant", 400, "invalid_grant", "Token has been expired or revoked."),
];

impl Persona for Google {
    fn doors(&self) -> Vec<(String, Door)> {
        let doors = [
            ("/device/code", Door::DeviceAuthorization),
            ("/token", Door::Token),
            ("/o/oauth2/v2/auth", Door::Authorization),
            ("/revoke", Door::Revocation),
            ("/device", Door::DevicePage),
        ];
        doors.map(|(path, door)| (path.to_owned(), door)).to_vec()
    }

    fn habits(&self, _: &str) -> Settings {
        let (access_token_life, device_code_life) = (Duration::from_secs(3599), Duration::from_secs(1800));
        Settings { rotation: Rotation::Omit, access_token_life, device_code_life, ..habits() }
    }

    fn refuses(&self, heard: &Heard) -> Option<Said> {
        if heard.door == Door::Authorization && heard.method == "GET" {
            let offline = heard.one("access_type") == Some("offline") && heard.one("prompt") == Some("consent");
            self.offline.store(offline, Ordering::Relaxed);
        }
        let asked = heard.one("scope").unwrap_or_default();
        match heard.door {
            Door::DeviceAuthorization if asked.is_empty() => {
                Some(Said::error(400, "invalid_request", "Missing required parameter: scope"))
            }
            // One that it does not take fails them all.
            Door::DeviceAuthorization if asked.split_whitespace().any(|scope| !DEVICE_SCOPES.contains(&scope)) => {
                Some(Said::error(400, "invalid_scope", "Invalid device flow scope"))
            }
            Door::Token if heard.one("client_secret").is_none() => {
                Some(Said::error(400, "invalid_request", "client_secret is missing."))
            }
            Door::Token if heard.one("client_secret") != Some(Self::CLIENT_SECRET) => {
                Some(Said::error(401, "invalid_client", "The provided client secret is invalid."))
            }
            _ => None,
        }
    }

    fn says(&self, heard: &Heard, said: Said) -> Said {
        let by_browser_alone = heard.at() == Some(At::Exchange) && !self.offline.load(Ordering::Relaxed);
        match said {
            said if said.has_a_code() => {
                let said = said.typed_at(heard, "/device").without("verification_uri_complete");
                said.renamed("verification_uri", "verification_url")
            }
            said if said.has_tokens() && by_browser_alone => said.issued_by(&heard.origin).without("refresh_token"),
            said if said.has_tokens() => said.issued_by(&heard.origin),
            said if heard.door == Door::Revocation && said.status == 200 => Said::json(200, &json!({})),
            said => said.in_words_of(&ERRORS, heard),
        }
    }
}
