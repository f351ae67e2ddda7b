//! Microsoft Entra ID, version 2 (spec: providers): errors with AADSTS numbers, a message for the person, no `verification_uri_complete`, no
//! `resource` beside the scopes, a refresh token only with `offline_access`, a new one each time that leaves the old one good.
//!
//! Must never: know another tenant than its own.

use std::time::Duration;

use serde_json::{Value, json};

use super::heard::{Door, Heard};
use super::said::Said;
use super::{Persona, habits};
use crate::server::{At, Rotation, Settings};

/// The tenant `contoso.example`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entra;

impl Entra {
    /// The tenant, as a person writes it.
    pub const TENANT: &str = "contoso.example";
    /// The same as its tokens name it.
    pub const TENANT_ID: &str = "8eaef023-2b34-4da1-9baa-8bc8c9d6a490";
}

/// What is asked, the error of the RFC, its own error, its number and its words.
type Row = (At, &'static str, &'static str, u32, &'static str);

const ERRORS: [Row; 6] = [
    (At::Poll, "authorization_pending", "authorization_pending", 70016, "OAuth 2.0 device flow error. Authorization is pending."),
    (At::Poll, "access_denied", "authorization_declined", 70017, "The user declined the authorization request."),
    (At::Poll, "expired_token", "expired_token", 70019, "Verification code expired."),
    (At::Poll, "invalid_grant", "bad_verification_code", 70018, "The verification code is not valid."),
    (At::Exchange, "invalid_grant", "invalid_grant", 70008, "The provided authorization code has expired."),
    (At::Refresh, "invalid_grant", "invalid_grant", 700_082, "The refresh token has expired due to inactivity."),
];

impl Persona for Entra {
    fn doors(&self) -> Vec<(String, Door)> {
        let base = format!("/{}/oauth2/v2.0", Self::TENANT);
        vec![
            (format!("{base}/devicecode"), Door::DeviceAuthorization),
            (format!("{base}/token"), Door::Token),
            (format!("{base}/authorize"), Door::Authorization),
            ("/common/oauth2/deviceauth".to_owned(), Door::DevicePage),
        ]
    }

    fn habits(&self, _: &str) -> Settings {
        // 90 days; the old one is not revoked.
        let rotation = Rotation::Grace(Duration::from_secs(90 * 86_400));
        Settings {
            rotation,
            access_token_life: Duration::from_secs(3599),
            device_code_life: Duration::from_secs(900),
            ..habits()
        }
    }

    fn refuses(&self, heard: &Heard) -> Option<Said> {
        let is_asked = matches!(heard.door, Door::DeviceAuthorization | Door::Token | Door::Authorization);
        let begins = heard.door == Door::DeviceAuthorization || (heard.door == Door::Authorization && heard.method == "GET");
        if is_asked && heard.one("resource").is_some() {
            let why = "The resource parameter provided in the request doesn't match with the requested scopes.";
            return Some(refusal("invalid_target", 9_010_010, why));
        }
        if begins && heard.one("scope").unwrap_or_default().is_empty() {
            let why = "The request body must contain the following parameter: 'scope'.";
            return Some(refusal("invalid_request", 900_144, why));
        }
        None
    }

    fn says(&self, heard: &Heard, said: Said) -> Said {
        match said {
            said if said.has_a_code() => {
                let page = format!("{}/common/oauth2/deviceauth", heard.origin);
                let message = format!("To sign in, open the page {page} and enter the code {}.", said.text("user_code"));
                said.without("verification_uri_complete").with("verification_uri", page).with("message", message)
            }
            said if said.has_tokens() => {
                // A tenant that was named by its domain names itself by its number; what was for the server alone is not told.
                let said = said.offline_only_where_asked().issued_by(&format!("{}/{}/v2.0", heard.origin, Self::TENANT_ID));
                let scopes: Vec<&str> = said.text("scope").split(' ').filter(|scope| *scope != "offline_access").collect();
                let scopes = scopes.join(" ");
                said.with("scope", scopes).with("ext_expires_in", 3599)
            }
            said => {
                let error = said.text("error").to_owned();
                let row = ERRORS.into_iter().find(|(at, word, ..)| Some(*at) == heard.at() && *word == error);
                row.map_or(said, |(_, _, error, number, words)| refusal(error, number, words))
            }
        }
    }
}

fn refusal(error: &str, number: u32, words: &str) -> Said {
    let trace = "2d4ac1b5-f5d6-4c0e-a52a-1f2ab8a3d200";
    let members: Value = json!({
        "error": error,
        "error_description": format!("AADSTS{number}: {words} Trace ID: {trace} Timestamp: 2026-01-09 02:02:12Z"),
        "error_codes": [number],
        "timestamp": "2026-01-09 02:02:12Z",
        "trace_id": trace,
        "correlation_id": trace,
        "error_uri": format!("https://login.microsoftonline.com/error?code={number}"),
    });
    Said::json(400, &members)
}
