//! Values that the machine's tests are made of.

#![allow(clippy::expect_used, reason = "tests")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use mcp_authd_oauth::endpoint::{Endpoint, Loopback};
use mcp_authd_oauth::reach::Reach;
use mcp_authd_oauth::secret::AccessToken;
use mcp_authd_oauth::terms::{ClientId, Scopes};
use mcp_authd_oauth::time::{Instant, Now, WallTime};
use mcp_authd_oauth::token::{Binding, Life};

use super::{Policy, ReplayTime};
use crate::accounts::grant::HeldToken;
use crate::accounts::{AccountConfig, AccountName};
use crate::config::{ClientConfig, ServerConfig};

pub(crate) const START: Now =
    Now { instant: Instant::from_millis(1_000_000_000), wall: WallTime::from_millis(1_790_000_000_000) };

pub(crate) fn policy() -> Policy {
    policy_of(config("client"))
}

pub(crate) fn policy_of(config: AccountConfig) -> Policy {
    Policy { config: Arc::new(config), replay: ReplayTime::AtOnce, refresh_ends_access_tokens: false }
}

/// An account that [`binding`] belongs to, where its client is called `client`.
pub(crate) fn config(client_id: &str) -> AccountConfig {
    let endpoint = |url| Endpoint::parse(url, Loopback::Refused).expect("valid");
    AccountConfig {
        name: AccountName::parse("work").expect("valid"),
        server: ServerConfig::Endpoints {
            device_authorization_endpoint: endpoint("https://as.example/device"),
            token_endpoint: endpoint("https://as.example/token"),
            revocation_endpoint: None,
        },
        client: ClientConfig::PreRegistered(ClientId::new(client_id)),
        flow: None,
        token_endpoint_auth_method: None,
        client_secret_file: None,
        scopes: Scopes::parse("read"),
        resource: None,
        audience: None,
        extra_parameters: BTreeMap::new(),
        profile: Arc::default(),
    }
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
    binding_of(&config("client"))
}

pub(crate) fn binding_of(config: &AccountConfig) -> Binding {
    Binding {
        issuer: None,
        // As the metadata of a server on the internet names it.
        token_endpoint: Endpoint::named("https://as.example/token", Reach::Public).expect("valid"),
        revocation_endpoint: None,
        client_id: ClientId::new(config.client.shown()),
        resource: config.resource.clone(),
    }
}
