//! The authorization request (RFC 6749, 4.1.1; RFC 7636, 4.3; RFC 8707, section 2): the URL that a person opens.
//!
//! Must never: change a byte of the endpoint, or leave PKCE out.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::{Zeroize, Zeroizing};

use super::judge::IssParameter;
use super::pkce::{METHOD, PkceRule, PkceSupport};
use crate::endpoint::Endpoint;
use crate::extra_parameters;
use crate::misbehaved::ServerMisbehaved;
use crate::secret::{CodeVerifier, State};
use crate::sign_in::{AuthorizationUrl, PendingCode, SignInFailure};
use crate::terms::{Audience, RedirectUri, Resource, Scopes};
use crate::time::Now;
use crate::token::Binding;
use crate::wire::form;

/// What a login begins with.
#[derive(Debug, Clone)]
pub struct CodeRequest {
    /// Where the person is sent. May have a query of its own (RFC 6749, 3.1).
    pub authorization_endpoint: Endpoint,
    /// Where the tokens will come from; the issuer and the `client_id` are in it.
    pub binding: Binding,
    /// The `resource` that is sent (RFC 8707, section 2): the one of the binding, or none where the provider takes none.
    pub sent_resource: Option<Resource>,
    /// Where the response is to come.
    pub redirect_uri: RedirectUri,
    /// What is asked for. Empty: no `scope` is sent.
    pub scopes: Scopes,
    /// The `audience` parameter (Auth0), byte for byte.
    pub audience: Option<Audience>,
    /// Further parameters. They cannot replace one of the protocol.
    pub extra_parameters: BTreeMap<String, String>,
    /// What the server says about PKCE.
    pub pkce: PkceSupport,
    /// Whether it has to.
    pub pkce_rule: PkceRule,
    /// Whether the server's metadata promises an `iss` in its responses (RFC 9207, section 3).
    pub iss_parameter: IssParameter,
}

/// Begins a login that nobody waits for longer than `lifetime`. Half of the randomness becomes the `state` (D26), half the verifier
/// (D25): it must never be used again.
///
/// # Errors
/// Where the server does not offer PKCE with S256, and is not known to take it (D24).
pub fn begin(request: CodeRequest, mut randomness: [u8; 64], now: Now, lifetime: Duration) -> Result<PendingCode, SignInFailure> {
    if !request.pkce_rule.lets(request.pkce) {
        return Err(SignInFailure::Misbehaved(ServerMisbehaved::NoS256(request.pkce)));
    }
    let (state, verifier) = secrets(&randomness);
    randomness.zeroize();
    let authorization_url = url(&request, &state, &verifier);
    let CodeRequest { binding, redirect_uri, scopes: requested_scopes, iss_parameter, .. } = request;
    Ok(PendingCode {
        authorization_url,
        state,
        verifier,
        redirect_uri,
        expires: now.instant + lifetime,
        expires_wall: now.wall + lifetime,
        binding,
        requested_scopes,
        iss_parameter,
    })
}

fn secrets(randomness: &[u8; 64]) -> (State, CodeVerifier) {
    let (first, second) = randomness.split_at(32);
    let mut half = Zeroizing::new([0; 32]);
    half.copy_from_slice(first);
    let state = State::from_randomness(&half);
    half.copy_from_slice(second);
    (state, CodeVerifier::from_randomness(&half))
}

fn url(request: &CodeRequest, state: &State, verifier: &CodeVerifier) -> AuthorizationUrl {
    let (scope, challenge) = (request.scopes.to_parameter(), verifier.challenge());
    let mut parameters = vec![
        ("response_type", "code"),
        ("client_id", request.binding.client_id.as_str()),
        ("redirect_uri", request.redirect_uri.as_str()),
        ("state", state.expose()),
        ("code_challenge", &challenge),
        ("code_challenge_method", METHOD),
    ];
    if !scope.is_empty() {
        parameters.push(("scope", &scope));
    }
    // D36: percent-encoded, and behind that byte for byte what the token endpoint is sent.
    if let Some(resource) = request.sent_resource.as_ref() {
        parameters.push(("resource", resource.as_str()));
    }
    if let Some(audience) = &request.audience {
        parameters.push(("audience", audience.as_str()));
    }
    extra_parameters::append(&mut parameters, &request.extra_parameters);
    // A plus is a space to a form alone; `%20` is one to every reader. A plus that is meant has become `%2B`.
    let query = form::encode(&parameters).expose().replace('+', "%20");
    let endpoint = request.authorization_endpoint.as_str();
    let between = match endpoint.split_once('?') {
        None => "?",
        Some((_, own)) if own.is_empty() || own.ends_with('&') => "",
        Some(_) => "&",
    };
    AuthorizationUrl::new(format!("{endpoint}{between}{query}"))
}

impl State {
    /// 43 characters of 32 random bytes: 256 bits where D26 asks for 128.
    fn from_randomness(bytes: &[u8; 32]) -> Self {
        Self::new(URL_SAFE_NO_PAD.encode(bytes))
    }
}
