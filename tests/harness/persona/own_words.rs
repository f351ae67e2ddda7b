//! A server that has read no RFC: JSON in both directions, no clients, no metadata, a code for a request without a body, camelCase, no
//! `expires_in` but a JWT that may be broken, 202 while it waits, and 401 with nothing in it where a refresh is refused.
//!
//! Must never: take a form, or a parameter that it does not know.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::heard::{Body, Door, Heard};
use super::said::{Content, Said};
use super::{Persona, habits};
use crate::server::{At, Settings};

/// Such a server, whose access tokens tell their end in this way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OwnWords {
    /// How.
    pub exp: Exp,
}

/// What an access token says about its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exp {
    /// A JWT (RFC 7519) that ends so many seconds after 1970.
    At(u64),
    /// No JWT at all.
    Garbage,
    /// A JWT that ends in 2100, without its third part.
    TwoSegments,
    /// A JWT without an `exp`.
    Missing,
    /// A JWT whose `exp` is a string.
    Text,
}

/// 2100-01-01: far behind every story.
const LATE: u64 = 4_102_444_800;

impl Exp {
    /// The access token that carries this one.
    fn token(self, carried: &str) -> String {
        let payload = |claims: &Value| URL_SAFE_NO_PAD.encode(claims.to_string());
        match self {
            Self::Garbage => carried.to_owned(),
            Self::At(seconds) => format!("e30.{}.c2ln", payload(&json!({ "jti": carried, "exp": seconds }))),
            Self::TwoSegments => format!("e30.{}", payload(&json!({ "jti": carried, "exp": LATE }))),
            Self::Missing => format!("e30.{}.c2ln", payload(&json!({ "jti": carried }))),
            Self::Text => format!("e30.{}.c2ln", payload(&json!({ "jti": carried, "exp": LATE.to_string() }))),
        }
    }
}

impl Persona for OwnWords {
    fn doors(&self) -> Vec<(String, Door)> {
        let doors = [("/v2/cli/code", Door::DeviceAuthorization), ("/v2/cli/token", Door::Token), ("/go", Door::DevicePage)];
        doors.map(|(path, door)| (path.to_owned(), door)).to_vec()
    }

    fn habits(&self, _: &str) -> Settings {
        habits()
    }

    fn meant(&self, heard: &Heard) -> Vec<(String, String)> {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let client = pair("client_id", "nobody");
        match (heard.door, heard.one("id"), heard.one("refreshToken")) {
            (Door::Token, Some(id), None) => {
                vec![client, pair("grant_type", "urn:ietf:params:oauth:grant-type:device_code"), pair("device_code", id)]
            }
            (Door::Token, None, Some(token)) => {
                vec![client, pair("grant_type", "refresh_token"), pair("refresh_token", token)]
            }
            (Door::DevicePage, ..) => heard.parameters.clone(),
            _ => vec![client],
        }
    }

    fn refuses(&self, heard: &Heard) -> Option<Said> {
        let names: Vec<&str> = heard.parameters.iter().map(|(name, _)| name.as_str()).collect();
        let fits = match heard.door {
            Door::DeviceAuthorization => heard.body == Body::Empty && heard.query.is_empty(),
            Door::Token => heard.body == Body::Json && matches!(names.as_slice(), ["id"] | ["refreshToken"]),
            _ => true,
        };
        let is_right = fits && !heard.has_authorization;
        (!is_right).then(|| Said::json(422, &json!({ "fault": "I do not understand", "error": "not_understood" })))
    }

    fn says(&self, heard: &Heard, said: Said) -> Said {
        match said {
            said if said.has_a_code() => {
                let data = json!({ "id": said.text("device_code"), "code": said.text("user_code"),
                    "link": format!("{}/go", heard.origin), "every": 1 });
                Said::json(200, &json!({ "data": data }))
            }
            said if said.has_tokens() => {
                let access_token = self.exp.token(said.text("access_token"));
                Said::json(200, &json!({ "accessToken": access_token, "refreshToken": said.text("refresh_token") }))
            }
            said if heard.at() == Some(At::Poll) && said.text("error") == "authorization_pending" => {
                Said::json(202, &json!({ "state": "waits" }))
            }
            said if heard.at() == Some(At::Refresh) && said.text("error") == "invalid_grant" => Said::empty(401),
            // Whatever a script says, such as 429.
            said => match said.content {
                Content::Json(_) if said.status == 429 => Said { headers: said.headers, ..Said::empty(429) },
                _ => said,
            },
        }
    }
}
