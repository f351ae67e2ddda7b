//! Where a login goes: the endpoints of the configuration, those of the profile, or those of the server's metadata (RFC 8414), kept at
//! most a day (D8).
//!
//! Must never: keep a failure, guess an endpoint, or lead a refresh anywhere: a grant goes to the endpoint of its binding (P14).

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mcp_authd_oauth::authorization_code::judge::IssParameter;
use mcp_authd_oauth::authorization_code::pkce::{PkceRule, PkceSupport};
use mcp_authd_oauth::discovery::{Discovery, DiscoveryError, MediaType, ServerMetadata};
use mcp_authd_oauth::endpoint::{Endpoint, InvalidEndpoint, Loopback};
use mcp_authd_oauth::identity::IdentityEndpoints;
use mcp_authd_oauth::profile::{DeviceGrant, DiscoveryMode, Pkce, Profile, rewritten};
use mcp_authd_oauth::registration::Documents;
use mcp_authd_oauth::sign_in::{NextStep, NotBegun, SignInFailure};
use mcp_authd_oauth::terms::{ClientId, Issuer};
use mcp_authd_oauth::time::Instant;
use mcp_authd_oauth::token::{Binding, ErrorAnswer};
use mcp_authd_oauth::way::{self, Because, BeginsAt, Choice, FlowWish, NoWay, Way, Wishes};

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
    /// A browser, where the device grant was chosen and may turn out not to be for this client.
    pub(super) otherwise: Option<Way>,
    /// The issuer, where one is configured.
    pub(super) issuer: Option<Issuer>,
    token_endpoint: Endpoint,
    revocation_endpoint: Option<Endpoint>,
    /// Where it tells whom a token belongs to.
    pub(super) identity: IdentityEndpoints,
    /// How it takes clients.
    pub(super) registrar: Registrar,
    /// Whether the person typed a URL on this machine (D3, D19).
    pub(super) loopback: Loopback,
    /// Whether its authorization responses name it (RFC 9207, section 3).
    pub(super) iss_parameter: IssParameter,
    /// What it says about PKCE.
    pub(super) pkce: PkceSupport,
}

/// How a server takes clients.
#[derive(Debug)]
pub(super) struct Registrar {
    /// RFC 7591, section 3.
    pub(super) endpoint: Option<Endpoint>,
    /// Whether a `client_id` may be the URL of a document.
    pub(super) documents: Documents,
    /// RFC 8414, section 2; empty where it lists none.
    pub(super) auth_methods: Vec<String>,
}

impl Server {
    /// Whether its metadata leads elsewhere than where the grant that is held was issued. Secrets of the client, and what the person
    /// would approve, go to no other host before the person has said so (D8).
    pub(super) fn moved(&self, held: &Binding, account: &AccountConfig) -> Option<NotBegun> {
        let is_said_by_metadata = self.issuer.is_some() && account.profile.endpoints.token.is_none();
        let (was, is) = (held.token_endpoint.origin(), self.token_endpoint.origin());
        (is_said_by_metadata && held.issuer == self.issuer && was != is).then(|| NotBegun {
            why: format!("its metadata names a token endpoint at {is} now, and what this account holds was issued at {was}"),
            next_step: NextStep::Words(format!(
                "ask whoever runs it; if that is meant: authctl logout {name}, then: authctl login {name}",
                name = account.name
            )),
        })
    }

    /// What a grant of this client will be bound to.
    pub(super) fn binding(&self, client_id: ClientId, account: &AccountConfig) -> Binding {
        Binding {
            issuer: self.issuer.clone(),
            token_endpoint: self.token_endpoint.clone(),
            revocation_endpoint: self.revocation_endpoint.clone(),
            client_id,
            resource: account.resource.clone(),
        }
    }
}

/// What is known of a server, wherever it stands.
struct Found {
    authorization: Option<Endpoint>,
    device: Option<Endpoint>,
    token: Endpoint,
    revocation: Option<Endpoint>,
    /// Of the document that named the token endpoint; nothing where that came from elsewhere (P14).
    identity: IdentityEndpoints,
    /// What was read, where anything was.
    metadata: Option<ServerMetadata>,
}

impl Servers {
    /// Finds where the account's login goes, and in which way.
    pub(super) async fn of(
        &self,
        account: &AccountConfig,
        transport: &impl Transport,
        clock: &Clock,
    ) -> Result<Server, SignInFailure> {
        let named = account.profile.endpoints.clone();
        let (issuer, found) = match &account.server {
            ServerConfig::Endpoints { device_authorization_endpoint, token_endpoint, revocation_endpoint } => {
                let device = Some(device_authorization_endpoint.clone());
                (None, Found::without_metadata((named.authorization, device), token_endpoint, revocation_endpoint.as_ref()))
            }
            ServerConfig::Profile { token_endpoint, revocation_endpoint } => {
                let begins = (named.authorization, named.device_authorization);
                (None, Found::without_metadata(begins, token_endpoint, revocation_endpoint.as_ref()))
            }
            ServerConfig::Issuer(issuer) => (Some(issuer), self.of_issuer(issuer, account, (transport, clock)).await?),
        };
        let Choice { way, because } = found.way(account, account.flow).map_err(SignInFailure::NoWay)?;
        tracing::debug!(account = %account.name, %because, "the way of a login was chosen");
        let in_browser = || found.way(account, Some(FlowWish::Code)).ok().map(|choice| choice.way);
        let otherwise = if because == Because::DeviceAdvertised { in_browser() } else { None };
        let typed_loopback = match (issuer, &way) {
            (Some(issuer), _) => names_this_machine(issuer),
            (None, Way::DeviceGrant { endpoint } | Way::Code { authorization_endpoint: endpoint, .. }) => endpoint.is_loopback(),
        };
        let promised = found.metadata.as_ref().is_some_and(|metadata| metadata.authorization_response_iss_parameter_supported);
        Ok(Server {
            way,
            otherwise,
            issuer: issuer.cloned(),
            loopback: loopback(typed_loopback),
            iss_parameter: if promised { IssParameter::Promised } else { IssParameter::NotPromised },
            pkce: found.pkce(),
            registrar: found.registrar(),
            identity: found.identity,
            token_endpoint: found.token,
            revocation_endpoint: found.revocation,
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
        let begins = (named.authorization, named.device_authorization);
        match (profile.discovery, &named.token) {
            (DiscoveryMode::None, Some(token)) => {
                return Ok(Found::without_metadata(begins, token, named.revocation.as_ref()));
            }
            // There is nothing left to be read.
            (DiscoveryMode::Metadata, Some(token)) if begins.1.is_some() => {
                return Ok(Found::without_metadata(begins, token, named.revocation.as_ref()));
            }
            (DiscoveryMode::Metadata, _) => {}
            // The configuration lets no such account through.
            (DiscoveryMode::None, None) => return Err(SignInFailure::NoDeviceGrant),
        }
        let mut metadata = self.metadata(issuer, transport, clock).await.map_err(|why| no_metadata(issuer, why))?;
        if metadata.media_type == MediaType::Other {
            tracing::warn!(%issuer, "the metadata document is not labelled as JSON; read all the same");
        }
        let loopback = loopback(names_this_machine(issuer));
        let meant =
            |endpoint: &Endpoint| rewritten(&profile.host_rewrites, endpoint, loopback).map_err(|why| not_meant(issuer, why));
        let meant_or_none = |endpoint: &Option<Endpoint>| endpoint.as_ref().map(meant).transpose();
        let (authorization, device) = begins;
        let authorization =
            authorization.map_or_else(|| meant_or_none(&metadata.authorization_endpoint), |named| Ok(Some(named)))?;
        let device = device.map_or_else(|| meant_or_none(&metadata.device_authorization_endpoint), |named| Ok(Some(named)))?;
        let revocation =
            named.revocation.map_or_else(|| meant_or_none(&metadata.revocation_endpoint), |named| Ok(Some(named)))?;
        let (token, identity) = match named.token {
            Some(token) => (token, IdentityEndpoints::default()),
            // Nobody needs these to log in: one that is not meant is none.
            None => {
                let told_at = |endpoint: &Option<Endpoint>| meant_or_none(endpoint).unwrap_or_default();
                let (userinfo, introspection) = (&metadata.userinfo_endpoint, &metadata.introspection_endpoint);
                let identity = IdentityEndpoints { userinfo: told_at(userinfo), introspection: told_at(introspection) };
                (meant(&metadata.token_endpoint)?, identity)
            }
        };
        metadata.registration_endpoint = meant_or_none(&metadata.registration_endpoint)?;
        Ok(Found { authorization, device, token, revocation, identity, metadata: Some(metadata) })
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

impl Found {
    fn without_metadata(
        (authorization, device): (Option<Endpoint>, Option<Endpoint>),
        token: &Endpoint,
        revocation: Option<&Endpoint>,
    ) -> Self {
        let identity = IdentityEndpoints::default();
        Self { authorization, device, token: token.clone(), revocation: revocation.cloned(), identity, metadata: None }
    }

    /// Chosen among what is meant, which a profile may have put in the place of what the metadata says.
    fn way(&self, account: &AccountConfig, flow: Option<FlowWish>) -> Result<Choice, NoWay> {
        let profile = &account.profile;
        let device = self.device.as_ref().filter(|_| profile.device_grant == DeviceGrant::Allowed);
        let endpoints = BeginsAt { device_authorization: device, authorization: self.authorization.as_ref() };
        way::choose(endpoints, self.metadata.as_ref(), Wishes { flow, ..wishes(profile) })
    }

    fn registrar(&self) -> Registrar {
        let Some(metadata) = &self.metadata else {
            return Registrar { endpoint: None, documents: Documents::NotSupported, auth_methods: Vec::new() };
        };
        let takes_documents = metadata.client_id_metadata_document_supported;
        Registrar {
            endpoint: metadata.registration_endpoint.clone(),
            documents: if takes_documents { Documents::Supported } else { Documents::NotSupported },
            auth_methods: metadata.token_endpoint_auth_methods_supported.clone().unwrap_or_default(),
        }
    }

    fn pkce(&self) -> PkceSupport {
        PkceSupport::of(self.metadata.as_ref().and_then(|metadata| metadata.code_challenge_methods_supported.as_deref()))
    }
}

/// Where a login may begin by what a profile names, else by the metadata as it is: no host is rewritten.
pub(super) fn begins_at<'a>(profile: &'a Profile, metadata: &'a ServerMetadata) -> BeginsAt<'a> {
    let (named, told) = (&profile.endpoints, BeginsAt::of(metadata));
    let device = named.device_authorization.as_ref().or(told.device_authorization);
    BeginsAt {
        device_authorization: device.filter(|_| profile.device_grant == DeviceGrant::Allowed),
        authorization: named.authorization.as_ref().or(told.authorization),
    }
}

/// What a profile wants of a way.
pub(super) fn wishes(profile: &Profile) -> Wishes {
    let pkce = match profile.pkce {
        Pkce::AsAdvertised => PkceRule::Required,
        Pkce::Assumed => PkceRule::Assumed,
    };
    Wishes { flow: None, pkce }
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
