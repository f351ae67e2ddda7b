//! Values that the machine's tests are made of.

#![allow(clippy::expect_used, reason = "tests")]

use std::time::Duration;

use mcp_authd_oauth::endpoint::{Endpoint, Loopback};
use mcp_authd_oauth::secret::AccessToken;
use mcp_authd_oauth::terms::{ClientId, Scopes};
use mcp_authd_oauth::time::{Instant, Now, WallTime};
use mcp_authd_oauth::token::{Binding, Life};

use super::{Policy, ReplayTime};
use crate::accounts::grant::HeldToken;

pub(crate) const START: Now =
    Now { instant: Instant::from_millis(1_000_000_000), wall: WallTime::from_millis(1_790_000_000_000) };

pub(crate) fn policy() -> Policy {
    Policy { scopes: Scopes::parse("read"), replay: ReplayTime::AtOnce, refresh_ends_access_tokens: false }
}

pub(crate) fn token(name: &str, life_seconds: u64) -> HeldToken {
    HeldToken {
        access_token: AccessToken::new(name),
        requested: START.instant,
        requested_wall: START.wall,
        life: Life::Known(Duration::from_secs(life_seconds)),
    }
}

pub(crate) fn binding() -> Binding {
    Binding {
        issuer: None,
        token_endpoint: Endpoint::parse("https://as.example/token", Loopback::Refused).expect("valid"),
        revocation_endpoint: None,
        client_id: ClientId::new("client"),
        resource: None,
    }
}
