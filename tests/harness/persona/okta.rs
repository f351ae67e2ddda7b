//! Okta (spec: providers): one of its custom authorization servers, with a rule that lets native apps in, a refresh token only with
//! `offline_access`, and a rotated one that is good for 30 seconds more.
//!
//! Must never: answer for another of its authorization servers.

use std::time::Duration;

use super::heard::{Door, Heard};
use super::said::{ErrorRow, Said};
use super::{Persona, habits};
use crate::server::{At, Rotation, Settings};

/// An organization with the authorization server `default`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Okta;

const ERRORS: [ErrorRow; 6] = [
    (
        At::Poll,
        "authorization_pending",
        400,
        "authorization_pending",
        "The device authorization is pending. Please try again later.",
    ),
    (At::Poll, "slow_down", 400, "slow_down", "The client is polling too quickly."),
    (At::Poll, "expired_token", 400, "expired_token", "The device authorization is expired."),
    (At::Poll, "access_denied", 400, "access_denied", "The device authorization request is denied."),
    (At::Exchange, "invalid_grant", 400, "invalid_grant", "The authorization code is invalid or has expired."),
    (At::Refresh, "invalid_grant", 400, "invalid_grant", "The refresh token is invalid or expired."),
];

impl Persona for Okta {
    fn doors(&self) -> Vec<(String, Door)> {
        let doors = [
            ("/oauth2/default/v1/device/authorize", Door::DeviceAuthorization),
            ("/oauth2/default/v1/token", Door::Token),
            ("/oauth2/default/v1/authorize", Door::Authorization),
            ("/oauth2/default/v1/revoke", Door::Revocation),
            ("/activate", Door::DevicePage),
        ];
        doors.map(|(path, door)| (path.to_owned(), door)).to_vec()
    }

    fn habits(&self, _: &str) -> Settings {
        Settings { rotation: Rotation::Grace(Duration::from_secs(30)), ..habits() }
    }

    fn refuses(&self, heard: &Heard) -> Option<Said> {
        match heard.door {
            Door::DeviceAuthorization if heard.one("scope").unwrap_or_default().is_empty() => {
                let why =
                    "The authorization server resource does not have any configured default scopes, 'scope' must be provided.";
                Some(Said::error(400, "invalid_scope", why))
            }
            Door::DeviceAuthorization | Door::Token | Door::Revocation if heard.one("client_id").is_none() => Some(Said::error(
                401,
                "invalid_client",
                "Client authentication failed. Either the client or the client credentials are invalid.",
            )),
            _ => None,
        }
    }

    fn says(&self, heard: &Heard, said: Said) -> Said {
        match said {
            said if said.has_a_code() => said.typed_at(heard, "/activate"),
            said if said.has_tokens() => said.offline_only_where_asked().issued_by(&format!("{}/oauth2/default", heard.origin)),
            said if heard.door == Door::Revocation && said.status == 200 => Said::empty(200),
            said => said.in_words_of(&ERRORS, heard),
        }
    }
}
