//! Where a login goes: the endpoints of the configuration, those of the profile, or those of the server's metadata (RFC 8414), kept at
//! most a day (D8).
//!
//! Must never: keep a failure, guess an endpoint, or lead a refresh anywhere: a grant goes to the endpoint of its binding (P14).

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mcp_authd_oauth::discovery::{Discovery, DiscoveryError, MediaType, ServerMetadata};
use mcp_authd_oauth::endpoint::{Endpoint, InvalidEndpoint, Loopback};
use mcp_authd_oauth::profile::{DeviceGrant, DiscoveryMode, rewritten};
use mcp_authd_oauth::sign_in::SignInFailure;
use mcp_authd_oauth::terms::Issuer;
use mcp_authd_oauth::time::Instant;
use mcp_authd_oauth::token::{Binding, ErrorAnswer};

use super::drive::{Transport, drive};
use crate::config::{AccountConfig, ServerConfig};
use crate::host::clock::Clock;

/// How long metadata counts (D8).
const LONGEST_KEPT: Duration = Duration::from_secs(24 * 60 * 60);

/// What was read of each server.
#[derive(Debug, Default)]
pub(super) struct Servers(Mutex<HashMap<Issuer, Kept>>);

#[derive(Debug)]
struct Kept {
    metadata: ServerMetadata,
    since: Instant,
}

/// Where a login by device code goes.
#[derive(Debug)]
pub(super) struct DeviceServer {
    pub(super) device_authorization_endpoint: Endpoint,
    /// What the grant will be bound to.
    pub(super) binding: Binding,
    /// Whether the person typed a URL on this machine (D3, D19).
    pub(super) loopback: Loopback,
}

/// The endpoints of a server, wherever they are named.
struct Found {
    device: Option<Endpoint>,
    token: Endpoint,
    revocation: Option<Endpoint>,
}

impl Servers {
    /// Finds where the account's login goes.
    pub(super) async fn device_server(
        &self,
        account: &AccountConfig,
        transport: &impl Transport,
        clock: &Clock,
    ) -> Result<DeviceServer, SignInFailure> {
        if account.profile.device_grant == DeviceGrant::Unavailable {
            return Err(SignInFailure::NoDeviceGrant);
        }
        let (issuer, found) = match &account.server {
            ServerConfig::Endpoints { device_authorization_endpoint, token_endpoint, revocation_endpoint } => {
                let device = Some(device_authorization_endpoint.clone());
                (None, Found { device, token: token_endpoint.clone(), revocation: revocation_endpoint.clone() })
            }
            ServerConfig::Profile { token_endpoint, revocation_endpoint } => {
                let device = account.profile.endpoints.device_authorization.clone();
                (None, Found { device, token: token_endpoint.clone(), revocation: revocation_endpoint.clone() })
            }
            ServerConfig::Issuer(issuer) => (Some(issuer), self.of_issuer(issuer, account, (transport, clock)).await?),
        };
        let Found { device, token, revocation } = found;
        let device_authorization_endpoint = device.ok_or(SignInFailure::NoDeviceGrant)?;
        let typed_loopback = issuer.map_or_else(|| device_authorization_endpoint.is_loopback(), names_this_machine);
        Ok(DeviceServer {
            device_authorization_endpoint,
            binding: Binding {
                issuer: issuer.cloned(),
                token_endpoint: token,
                revocation_endpoint: revocation,
                client_id: account.client_id.clone(),
                resource: account.resource.clone(),
            },
            loopback: loopback(typed_loopback),
        })
    }

    /// What the profile names goes first: a person named it, or it is shipped. The rest comes from the metadata, if any is read.
    async fn of_issuer(
        &self,
        issuer: &Issuer,
        account: &AccountConfig,
        (transport, clock): (&impl Transport, &Clock),
    ) -> Result<Found, SignInFailure> {
        let profile = &account.profile;
        let named = profile.endpoints.clone();
        let (device, revocation) = (named.device_authorization, named.revocation);
        match (profile.discovery, named.token.clone()) {
            (DiscoveryMode::None, Some(token)) => return Ok(Found { device, token, revocation }),
            // There is nothing left to be read.
            (DiscoveryMode::Metadata, Some(token)) if device.is_some() => return Ok(Found { device, token, revocation }),
            (DiscoveryMode::Metadata, _) => {}
            // The configuration lets no such account through.
            (DiscoveryMode::None, None) => return Err(SignInFailure::NoDeviceGrant),
        }
        let metadata = self.metadata(issuer, transport, clock).await.map_err(|why| no_metadata(issuer, why))?;
        if metadata.media_type == MediaType::Other {
            tracing::warn!(%issuer, "the metadata document is not labelled as JSON; read all the same");
        }
        let loopback = loopback(names_this_machine(issuer));
        let meant =
            |endpoint: Endpoint| rewritten(&profile.host_rewrites, &endpoint, loopback).map_err(|why| not_meant(issuer, why));
        Ok(Found {
            device: device
                .map_or_else(|| metadata.device_authorization_endpoint.map(meant).transpose(), |named| Ok(Some(named)))?,
            token: named.token.map_or_else(|| meant(metadata.token_endpoint), Ok)?,
            revocation: revocation
                .map_or_else(|| metadata.revocation_endpoint.map(meant).transpose(), |named| Ok(Some(named)))?,
        })
    }

    /// Reads the account's server anew next time: what its metadata led to did not work.
    pub(super) fn forget(&self, account: &AccountConfig) {
        if let ServerConfig::Issuer(issuer) = &account.server {
            self.lock().remove(issuer);
        }
    }

    async fn metadata(
        &self,
        issuer: &Issuer,
        transport: &impl Transport,
        clock: &Clock,
    ) -> Result<ServerMetadata, DiscoveryError> {
        if let Some(kept) = self.recall(issuer, clock.now().instant) {
            return Ok(kept);
        }
        let metadata = drive(Discovery::new(issuer.clone()), transport, clock, |never| match never {}).await?;
        let kept = Kept { metadata: metadata.clone(), since: clock.now().instant };
        self.lock().insert(issuer.clone(), kept);
        Ok(metadata)
    }

    fn recall(&self, issuer: &Issuer, now: Instant) -> Option<ServerMetadata> {
        self.lock().get(issuer).filter(|kept| now.since(kept.since) < LONGEST_KEPT).map(|kept| kept.metadata.clone())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Issuer, Kept>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn names_this_machine(issuer: &Issuer) -> bool {
    Endpoint::parse(issuer.as_str(), Loopback::Allowed).is_ok_and(|issuer| issuer.is_loopback())
}

fn loopback(named_by_the_person: bool) -> Loopback {
    if named_by_the_person { Loopback::Allowed } else { Loopback::Refused }
}

/// A host that stands in the profile makes no endpoint of what the metadata names.
fn not_meant(issuer: &Issuer, why: InvalidEndpoint) -> SignInFailure {
    tracing::warn!(%issuer, %why, "an endpoint of the metadata, with its host rewritten, cannot be used");
    let description = Some(format!("an endpoint whose host was rewritten {why}; mend `rewrite_hosts` of the provider"));
    SignInFailure::Refused(ErrorAnswer { error: "bad_host_rewrite".to_owned(), description, status: 0 })
}

/// In the words of a login. What only the configuration can mend says so.
fn no_metadata(issuer: &Issuer, why: DiscoveryError) -> SignInFailure {
    tracing::warn!(%issuer, %why, "the authorization server's metadata could not be read");
    match why {
        DiscoveryError::BadIssuer(_) | DiscoveryError::IssuerWithQuery | DiscoveryError::NotFound => {
            let description = Some(why.to_string());
            SignInFailure::Refused(ErrorAnswer { error: "no_server_metadata".to_owned(), description, status: 0 })
        }
        DiscoveryError::Misbehaved(why) => SignInFailure::Misbehaved(why),
        DiscoveryError::Unreachable(why) => SignInFailure::Unreachable(why),
        DiscoveryError::Unavailable { retry_after } => SignInFailure::Unavailable { retry_after },
    }
}
