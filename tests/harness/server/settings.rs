//! How the authorization server behaves when it behaves. What it does wrong stands in `misbehaviour`.

use std::time::Duration;

use super::answer::Spoilt;
use super::client::ConfidentialClient;
use super::protected::Protected;
use super::registration::Registration;

/// The standing habits of a server. Change them while it runs with `AuthorizationServer::change`.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The port on 127.0.0.1; 0 for any free one.
    pub port: u16,
    /// The path of the issuer: empty, or e.g. `/tenant1`.
    pub issuer_path: String,
    /// Where its metadata can be read.
    pub metadata: Vec<MetadataForm>,
    /// What happens to refresh tokens.
    pub rotation: Rotation,
    /// Whether a login brings a refresh token at all.
    pub refresh_tokens: RefreshTokens,
    /// How long an access token lives; told as `expires_in`, in whole seconds.
    pub access_token_life: Duration,
    /// What a refresh does to the older access tokens of its grant.
    pub after_refresh: OlderAccessTokens,
    /// How long a person has time; told as `expires_in`, in whole seconds.
    pub device_code_life: Duration,
    /// How long to wait between two polls; told as `interval`, in whole seconds.
    pub interval: Duration,
    /// What an early poll gets.
    pub early_polls: EarlyPolls,
    /// What is granted, where it is not what was asked for.
    pub granted_scopes: Option<Vec<String>>,
    /// Who approves, where the person does not say.
    pub subject: String,
    /// The clients that must show a secret.
    pub clients: Vec<ConfidentialClient>,
    /// The status of the token endpoint's OAuth errors: 400, or 200 as GitHub does.
    pub error_status: u16,
    /// Whether it has the device grant (RFC 8628), and says so.
    pub device_grant: Offer,
    /// Whether it has the authorization code grant (RFC 6749, 4.1), and says so.
    pub code_grant: Offer,
    /// What it says about PKCE. S256 is checked in any case, and nothing else is taken.
    pub pkce: Pkce,
    /// Whether it promises to name itself in its authorization responses (RFC 9207, section 3).
    pub iss_promise: IssPromise,
    /// Whether it does.
    pub iss: IssParameter,
    /// What it sends back through the browser.
    pub responses: AuthorizationResponses,
    /// How long a code counts (RFC 6749, 4.1.2).
    pub code_life: Duration,
    /// Done to every success answer of the token endpoint: `Spoilt::Without("expires_in")`, `Spoilt::FormEncoded` ...
    pub token_answers: Vec<Spoilt>,
    /// Done to every answer of the device authorization endpoint: `Spoilt::Without("interval")`,
    /// `Spoilt::Renamed("verification_uri", "verification_url")` ...
    pub device_answers: Vec<Spoilt>,
    /// Done to the metadata: another `issuer`, an endpoint missing ...
    pub metadata_answers: Vec<Spoilt>,
    /// What the protected resource says about itself.
    pub protected: Protected,
    /// Whether clients may register themselves.
    pub registration: Registration,
}

impl Default for Settings {
    /// A strict server with one hour of token life that lets a test poll every second.
    fn default() -> Self {
        Self {
            port: 0,
            issuer_path: String::new(),
            metadata: vec![MetadataForm::OAuth, MetadataForm::OpenIdInserted, MetadataForm::OpenIdAppended],
            rotation: Rotation::Strict,
            refresh_tokens: RefreshTokens::Issued,
            access_token_life: Duration::from_secs(3600),
            after_refresh: OlderAccessTokens::LiveOn,
            device_code_life: Duration::from_secs(600),
            interval: Duration::from_secs(1),
            early_polls: EarlyPolls::SlowDown,
            granted_scopes: None,
            subject: "alice".to_owned(),
            clients: Vec::new(),
            error_status: 400,
            token_answers: Vec::new(),
            device_answers: Vec::new(),
            metadata_answers: Vec::new(),
            protected: Protected::default(),
            registration: Registration::None,
            device_grant: Offer::Yes,
            code_grant: Offer::No,
            pkce: Pkce::S256,
            iss_promise: IssPromise::Given,
            iss: IssParameter::Own,
            responses: AuthorizationResponses::Right,
            code_life: Duration::from_secs(60),
        }
    }
}

impl Settings {
    /// The same server without a device grant: people log in to it in a browser.
    #[must_use]
    pub fn in_browser() -> Self {
        Self { device_grant: Offer::No, code_grant: Offer::Yes, ..Self::default() }
    }
}

/// Whether a server has something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offer {
    /// It has, and its metadata says so.
    Yes,
    /// It has not.
    No,
}

/// `code_challenge_methods_supported` (RFC 8414, section 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pkce {
    /// `["S256"]`
    S256,
    /// `["plain"]`
    PlainOnly,
    /// The metadata does not say.
    Unstated,
}

/// `authorization_response_iss_parameter_supported` (RFC 9207, section 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IssPromise {
    /// `true`
    Given,
    /// The metadata does not say.
    Withheld,
}

/// The `iss` of an authorization response (RFC 9207, section 2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IssParameter {
    /// The server's own issuer, as it should be.
    Own,
    /// None.
    Missing,
    /// This text.
    Other(String),
}

/// What a browser is sent back with, once the person has answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthorizationResponses {
    /// A code, or `access_denied` (RFC 6749, 4.1.2).
    Right,
    /// This error, whatever the person says (RFC 6749, 4.1.2.1).
    Error(&'static str),
    /// A code and an error at once (D28).
    CodeAndError,
    /// Another `state` than the one that came (D26).
    OtherState,
    /// Nothing: an error page of the server's own, and the browser never comes back.
    None,
}

/// A place of the metadata document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetadataForm {
    /// `/.well-known/oauth-authorization-server{path}` (RFC 8414, 3.1).
    OAuth,
    /// `/.well-known/openid-configuration{path}` (RFC 8414, section 5).
    OpenIdInserted,
    /// `{path}/.well-known/openid-configuration` (OpenID Connect Discovery, section 4).
    OpenIdAppended,
}

/// What happens to refresh tokens when they are used (RFC 6749, section 6; RFC 9700, 4.14.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rotation {
    /// Each refresh gives a new one; a spent one revokes the whole family.
    Strict,
    /// The same, but a spent one still works for this long after it was first spent.
    Grace(Duration),
    /// The same token again in every answer.
    Never,
    /// No `refresh_token` in a refresh answer; the one of the login lives on.
    Omit,
}

/// Whether a login brings a refresh token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefreshTokens {
    /// It does.
    Issued,
    /// It does not.
    Withheld,
}

/// What a refresh does to older access tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OlderAccessTokens {
    /// They serve to their end.
    LiveOn,
    /// They end at once, as with GitHub Apps.
    End,
}

/// What a poll gets that comes before the interval is over (RFC 8628, 3.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EarlyPolls {
    /// `slow_down`; the interval grows by 5 s.
    SlowDown,
    /// `authorization_pending`, as if it were not early. It is counted all the same.
    Tolerated,
}
