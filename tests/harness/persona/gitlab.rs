//! GitLab (spec: providers): a device code of 300 seconds, tokens of two hours with `created_at`, and a refresh that ends both old tokens.
//!
//! Must never: take a scope that it does not have.

use std::time::Duration;

use serde_json::json;

use super::heard::{Door, Heard};
use super::said::{ErrorRow, Said};
use super::{Persona, habits};
use crate::server::{At, OlderAccessTokens, Settings};

/// A GitLab of one's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GitLab;

const DEAD: &str = "The provided authorization grant is invalid, expired, revoked, does not match the redirection URI used in the \
                    authorization request, or was issued to another client.";
const SCOPES: [&str; 5] = ["api", "read_api", "read_user", "openid", "profile"];

const ERRORS: [ErrorRow; 6] = [
    (At::Poll, "authorization_pending", 400, "authorization_pending", "The authorization request is still pending."),
    (At::Poll, "slow_down", 400, "slow_down", "The client is polling too quickly."),
    (At::Poll, "expired_token", 400, "expired_token", "The device code has expired."),
    (At::Poll, "access_denied", 400, "access_denied", "The resource owner or authorization server denied the request."),
    (At::Exchange, "invalid_grant", 400, "invalid_grant", DEAD),
    (At::Refresh, "invalid_grant", 400, "invalid_grant", DEAD),
];

impl Persona for GitLab {
    fn doors(&self) -> Vec<(String, Door)> {
        let doors = [
            ("/oauth/authorize_device", Door::DeviceAuthorization),
            ("/oauth/token", Door::Token),
            ("/oauth/authorize", Door::Authorization),
            ("/oauth/revoke", Door::Revocation),
            ("/oauth/device", Door::DevicePage),
        ];
        doors.map(|(path, door)| (path.to_owned(), door)).to_vec()
    }

    fn habits(&self, _: &str) -> Settings {
        Settings {
            after_refresh: OlderAccessTokens::End,
            access_token_life: Duration::from_secs(7200),
            device_code_life: Duration::from_secs(300),
            ..habits()
        }
    }

    fn refuses(&self, heard: &Heard) -> Option<Said> {
        let unknown = heard.one("scope").is_some_and(|scope| scope.split_whitespace().any(|word| !SCOPES.contains(&word)));
        match heard.door {
            Door::DeviceAuthorization | Door::Token if unknown => {
                Some(Said::error(400, "invalid_scope", "The requested scope is invalid, unknown, or malformed."))
            }
            Door::Revocation if heard.one("client_id").is_none() => {
                Some(Said::error(403, "unauthorized_client", "You are not authorized to revoke this token"))
            }
            Door::DeviceAuthorization | Door::Token if heard.one("client_id").is_none() => {
                Some(Said::error(401, "invalid_client", "Client authentication failed due to unknown client."))
            }
            _ => None,
        }
    }

    fn says(&self, heard: &Heard, said: Said) -> Said {
        match said {
            said if said.has_a_code() => said.typed_at(heard, "/oauth/device"),
            said if said.has_tokens() => said.issued_by(&heard.origin).with("created_at", 1_607_635_748),
            said if heard.door == Door::Revocation && said.status == 200 => Said::json(200, &json!({})),
            said => said.in_words_of(&ERRORS, heard),
        }
    }
}
