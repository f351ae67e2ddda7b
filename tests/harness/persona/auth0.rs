//! Auth0 (spec: providers): an `audience` in the place of a resource, 403 while it waits, 429 where it is asked too often, a refresh token
//! only with `offline_access`, and a rotation whose last refresh token is good for some seconds more.
//!
//! Must never: take a `resource`, or an audience that it does not know.

use std::time::Duration;

use super::heard::{Door, Heard};
use super::said::{ErrorRow, Said};
use super::{Persona, habits};
use crate::server::{At, Rotation, Settings};

/// A tenant with one API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Auth0;

impl Auth0 {
    /// The identifier of its API.
    pub const AUDIENCE: &str = "https://api.example/";
}

const ERRORS: [ErrorRow; 6] = [
    (At::Poll, "authorization_pending", 403, "authorization_pending", "User has yet to authorize device code."),
    (At::Poll, "slow_down", 429, "slow_down", "You are polling faster than the specified interval of 1 seconds."),
    (At::Poll, "expired_token", 403, "expired_token", "The device_code has expired. Please try to authenticate again."),
    (At::Poll, "access_denied", 403, "access_denied", "User cancelled the confirmation prompt."),
    (At::Exchange, "invalid_grant", 403, "invalid_grant", "Invalid authorization code"),
    (At::Refresh, "invalid_grant", 403, "invalid_grant", "Unknown or invalid refresh token."),
];

impl Persona for Auth0 {
    fn doors(&self) -> Vec<(String, Door)> {
        let doors = [
            ("/oauth/device/code", Door::DeviceAuthorization),
            ("/oauth/token", Door::Token),
            ("/authorize", Door::Authorization),
            ("/oauth/revoke", Door::Revocation),
            ("/activate", Door::DevicePage),
        ];
        doors.map(|(path, door)| (path.to_owned(), door)).to_vec()
    }

    fn habits(&self, _: &str) -> Settings {
        let rotation = Rotation::Grace(Duration::from_secs(3));
        Settings {
            rotation,
            access_token_life: Duration::from_secs(86_400),
            device_code_life: Duration::from_secs(900),
            ..habits()
        }
    }

    fn refuses(&self, heard: &Heard) -> Option<Said> {
        let begins = heard.door == Door::DeviceAuthorization || (heard.door == Door::Authorization && heard.method == "GET");
        if heard.one("resource").is_some() {
            return Some(Said::error(400, "invalid_request", "resource is not allowed here"));
        }
        if begins && heard.one("audience").is_some_and(|audience| audience != Self::AUDIENCE) {
            return Some(Said::error(403, "access_denied", "Service not found."));
        }
        if heard.door == Door::Token && heard.one("client_id").is_none() {
            return Some(Said::error(401, "invalid_client", "Missing required parameter: client_id"));
        }
        None
    }

    fn says(&self, heard: &Heard, said: Said) -> Said {
        match said {
            said if said.has_a_code() => said.typed_at(heard, "/activate"),
            said if said.has_tokens() => said.offline_only_where_asked().issued_by(&format!("{}/", heard.origin)),
            said if heard.door == Door::Revocation && said.status == 200 => Said::empty(200),
            said => said.in_words_of(&ERRORS, heard),
        }
    }
}
