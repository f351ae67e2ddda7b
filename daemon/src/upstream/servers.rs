//! Where a login goes: the endpoints of the configuration, or those of the server's metadata (RFC 8414), kept at most a day (D8).
//!
//! Must never: keep a failure, guess an endpoint, or lead a refresh anywhere: a grant goes to the endpoint of its binding (P14).

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mcp_authd_oauth::authorization_code::judge::IssParameter;
use mcp_authd_oauth::authorization_code::pkce::PkceSupport;
use mcp_authd_oauth::discovery::{Discovery, DiscoveryError, MediaType, ServerMetadata};
use mcp_authd_oauth::endpoint::{Endpoint, Loopback};
use mcp_authd_oauth::sign_in::SignInFailure;
use mcp_authd_oauth::terms::Issuer;
use mcp_authd_oauth::time::Instant;
use mcp_authd_oauth::token::{Binding, ErrorAnswer};
use mcp_authd_oauth::way::{self, Choice, Way, Wishes};

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

/// Where a login goes.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) way: Way,
    /// What the grant will be bound to.
    pub(super) binding: Binding,
    /// Whether the person typed a URL on this machine (D3, D19).
    pub(super) loopback: Loopback,
    /// Whether its authorization responses name it (RFC 9207, section 3).
    pub(super) iss_parameter: IssParameter,
    /// What it says about PKCE.
    pub(super) pkce: PkceSupport,
}

impl Servers {
    /// Finds where the account's login goes, and in which way.
    pub(super) async fn of(
        &self,
        account: &AccountConfig,
        transport: &impl Transport,
        clock: &Clock,
    ) -> Result<Server, SignInFailure> {
        let bound = |issuer, token_endpoint, revocation_endpoint| Binding {
            issuer,
            token_endpoint,
            revocation_endpoint,
            client_id: account.client_id.clone(),
            resource: account.resource.clone(),
        };
        match &account.server {
            ServerConfig::Endpoints { device_authorization_endpoint, token_endpoint, revocation_endpoint } => Ok(Server {
                loopback: loopback(device_authorization_endpoint.is_loopback()),
                way: Way::DeviceGrant { endpoint: device_authorization_endpoint.clone() },
                binding: bound(None, token_endpoint.clone(), revocation_endpoint.clone()),
                iss_parameter: IssParameter::NotPromised,
                pkce: PkceSupport::Unstated,
            }),
            ServerConfig::Issuer(issuer) => {
                let metadata = self.metadata(issuer, transport, clock).await.map_err(|why| no_metadata(issuer, why))?;
                if metadata.media_type == MediaType::Other {
                    tracing::warn!(%issuer, "the metadata document is not labelled as JSON; read all the same");
                }
                let Choice { way, because } = way::choose(&metadata, Wishes::default()).map_err(SignInFailure::NoWay)?;
                tracing::debug!(%issuer, %because, "the way of a login was chosen");
                let promised = metadata.authorization_response_iss_parameter_supported;
                Ok(Server {
                    way,
                    loopback: loopback(names_this_machine(issuer)),
                    iss_parameter: if promised { IssParameter::Promised } else { IssParameter::NotPromised },
                    pkce: PkceSupport::of(metadata.code_challenge_methods_supported.as_deref()),
                    binding: bound(Some(issuer.clone()), metadata.token_endpoint, metadata.revocation_endpoint),
                })
            }
        }
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
