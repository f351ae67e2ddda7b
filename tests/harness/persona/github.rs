//! GitHub (spec: providers): errors with status 200, form bodies unless JSON is asked for, commas between scopes, and in the web flow a
//! client with a secret. An OAuth app's token has no end and no refresh token; a GitHub App's lives 8 hours, and dies at its refresh.
//!
//! Must never: take a client by an `Authorization` header: only parameters are documented.

use std::time::Duration;

use super::heard::{Door, Heard};
use super::said::{ErrorRow, Said};
use super::{Persona, habits};
use crate::server::{At, OlderAccessTokens, Settings};

/// Which kind of app its client is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GitHub {
    /// Its tokens end, and can be refreshed; they have no scopes.
    App,
    /// Its tokens have no end.
    OAuthApp,
    /// An OAuth app whose device flow is switched off.
    WithoutDeviceFlow,
}

impl GitHub {
    /// The secret of its client.
    pub const CLIENT_SECRET: &str = "SNTL_CS_github";
}

const ERRORS: [ErrorRow; 9] = [
    (At::Poll, "authorization_pending", 200, "authorization_pending", "The authorization request is still pending."),
    (At::Poll, "slow_down", 200, "slow_down", "Too many requests have been made in the same timeframe."),
    (At::Poll, "expired_token", 200, "expired_token", "This 'device_code' has expired."),
    (At::Poll, "access_denied", 200, "access_denied", "The authorization request was denied."),
    (At::Poll, "invalid_grant", 200, "incorrect_device_code", "The device_code provided is not valid."),
    (At::Poll, "unsupported_grant_type", 200, "unsupported_grant_type", "The grant type is not supported."),
    (At::Exchange, "invalid_grant", 200, "bad_verification_code", "The code passed is incorrect or expired."),
    (At::Exchange, "invalid_request", 200, "bad_verification_code", "The code passed is incorrect or expired."),
    (At::Refresh, "invalid_grant", 200, "bad_refresh_token", "The refresh token passed is incorrect or expired."),
];

impl Persona for GitHub {
    fn doors(&self) -> Vec<(String, Door)> {
        let doors = [
            ("/login/device/code", Door::DeviceAuthorization),
            ("/login/oauth/access_token", Door::Token),
            ("/login/oauth/authorize", Door::Authorization),
            ("/login/device", Door::DevicePage),
        ];
        doors.map(|(path, door)| (path.to_owned(), door)).to_vec()
    }

    fn habits(&self, _: &str) -> Settings {
        Settings {
            after_refresh: OlderAccessTokens::End,
            access_token_life: Duration::from_secs(28_800),
            device_code_life: Duration::from_secs(900),
            ..habits()
        }
    }

    fn refuses(&self, heard: &Heard) -> Option<Said> {
        let says = |error, description| Some(in_its_shape(Said::error(200, error, description), heard));
        let is_asked = matches!(heard.door, Door::DeviceAuthorization | Door::Token);
        if !is_asked {
            return None;
        }
        let secret = heard.one("client_secret");
        if heard.has_authorization || heard.one("client_id").is_none() || secret.is_some_and(|shown| shown != Self::CLIENT_SECRET)
        {
            return says("incorrect_client_credentials", "The client_id and/or client_secret passed are incorrect.");
        }
        match heard.at() {
            Some(At::DeviceAuthorization) if *self == Self::WithoutDeviceFlow => {
                says("device_flow_disabled", "Device Flow must be explicitly enabled for this App")
            }
            // In the web flow a secret is required.
            Some(At::Exchange) if secret.is_none() => {
                says("incorrect_client_credentials", "The client_id and/or client_secret passed are incorrect.")
            }
            _ => None,
        }
    }

    fn says(&self, heard: &Heard, said: Said) -> Said {
        let page = format!("{}/login/device", heard.origin);
        let said = match said {
            said if said.has_a_code() => said.without("verification_uri_complete").with("verification_uri", page),
            said if said.has_tokens() => self.tokens(said),
            said => said.in_words_of(&ERRORS, heard),
        };
        // It tells the new interval.
        let said = if said.text("error") == "slow_down" { said.with("interval", 6) } else { said };
        if said.members().is_some() { in_its_shape(said, heard) } else { said }
    }
}

impl GitHub {
    fn tokens(self, said: Said) -> Said {
        let scopes = said.text("scope").replace(' ', ",");
        let said = said.with("token_type", "bearer").without("id_token");
        match self {
            Self::App => said.with("scope", "").with("refresh_token_expires_in", 15_897_600),
            _ => said.with("scope", scopes).without("expires_in").without("refresh_token"),
        }
    }
}

/// A form, where nobody has asked for JSON.
fn in_its_shape(said: Said, heard: &Heard) -> Said {
    if heard.wants_json { said } else { said.as_form() }
}
