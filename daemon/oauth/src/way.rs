//! Which way to log in at an authorization server, and why: the device grant where it is advertised, else code with PKCE.
//!
//! Must never: choose an endpoint that the metadata does not name, or a way that the server excludes unless a person wishes it so;
//! code without S256 (RFC 7636, 4.2; D24).

use std::fmt;

use crate::authorization_code::pkce::{PkceRule, PkceSupport};
use crate::discovery::{MediaType, ServerMetadata};
use crate::endpoint::Endpoint;
use crate::finding::Finding;
use crate::sign_in::NextStep;
use crate::terms::Scopes;

/// RFC 8628, 3.4.
const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";
const OFFLINE_ACCESS: &str = "offline_access";

/// What the person and the server's profile want.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Wishes {
    /// `flow` of the configuration, where it is there.
    pub flow: Option<FlowWish>,
    /// What counts as an offer of PKCE.
    pub pkce: PkceRule,
}

/// `flow` of the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FlowWish {
    /// `device`.
    Device,
    /// `code`.
    Code,
}

impl FlowWish {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Device, Self::Code];

    /// The word of the configuration.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Device => "device",
            Self::Code => "code",
        }
    }

    /// The wish of a word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|wish| wish.as_str() == word)
    }
}

/// A way to log in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// The device authorization grant (RFC 8628).
    DeviceGrant {
        /// Where the code comes from.
        endpoint: Endpoint,
    },
    /// The authorization code grant with PKCE, S256 (RFC 6749, 4.1; RFC 7636).
    Code {
        /// Where the browser goes.
        authorization_endpoint: Endpoint,
        /// On what grounds S256 is sent.
        pkce: PkceRule,
    },
}

/// A way, and why it is this one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// The way.
    pub way: Way,
    /// The reason, for people.
    pub because: Because,
}

/// Why a way was chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Because {
    /// The configuration says so.
    Wished(FlowWish),
    /// The server advertises the device grant.
    DeviceAdvertised,
    /// It does not, and code is left.
    CodeIsLeft(NoDevice),
}

impl fmt::Display for Because {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wished(wish) => write!(f, "the configuration says flow = \"{}\"", wish.as_str()),
            Self::DeviceAdvertised => f.write_str("the server advertises device authorization"),
            Self::CodeIsLeft(why) => write!(f, "{why}, and the server offers the authorization code with PKCE"),
        }
    }
}

/// Why the device grant cannot be the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoDevice {
    /// There is no `device_authorization_endpoint`.
    #[error("the server offers no device authorization")]
    NoEndpoint,
    /// `grant_types_supported` excludes it.
    #[error("the server lists its grants without the device grant")]
    GrantNotListed,
}

/// Why the authorization code cannot be the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoCode {
    /// There is no `authorization_endpoint`.
    #[error("the server has no authorization endpoint")]
    NoEndpoint,
    /// `grant_types_supported` excludes it.
    #[error("the server lists its grants without authorization_code")]
    GrantNotListed,
    /// `response_types_supported` excludes it.
    #[error("the server lists its response types without code")]
    ResponseTypeNotListed,
    /// `code_challenge_methods_supported` is missing (D24).
    #[error("the server does not say that it can do PKCE, without which no code is safe (RFC 8414, section 2; RFC 9700, 2.1.1)")]
    NoCodeChallengeMethods,
    /// S256 is not in it (D24).
    #[error("the server's PKCE does not offer S256, without which no code is safe (RFC 7636, 4.2)")]
    NoS256,
}

/// No way to log in at this server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoWay {
    /// Neither way is open.
    #[error("no way to log in: {device}; and {code}")]
    Neither {
        /// Why not by device grant.
        device: NoDevice,
        /// Why not by code.
        code: NoCode,
    },
    /// The configuration wishes for a device grant that is not there.
    #[error("config.toml says flow = \"device\", and {0}")]
    WishedDevice(NoDevice),
    /// The configuration wishes for a code that cannot be had.
    #[error("config.toml says flow = \"code\", and {0}")]
    WishedCode(NoCode),
}

impl NoWay {
    /// What a person does next.
    #[must_use]
    pub fn next_step(&self) -> NextStep {
        let words = match self {
            Self::Neither { .. } => "ask the server's operator, or put its endpoints into config.toml",
            Self::WishedDevice(_) | Self::WishedCode(_) => "take `flow` out of config.toml, then: authctl reload",
        };
        NextStep::Words(words.to_owned())
    }
}

/// Where a login may begin: as the server's metadata says, or as a profile says in its place.
#[derive(Debug, Clone, Copy)]
pub struct BeginsAt<'a> {
    /// RFC 8628, 3.1.
    pub device_authorization: Option<&'a Endpoint>,
    /// RFC 6749, 3.1.
    pub authorization: Option<&'a Endpoint>,
}

impl<'a> BeginsAt<'a> {
    /// As the metadata says.
    #[must_use]
    pub fn of(metadata: &'a ServerMetadata) -> Self {
        Self {
            device_authorization: metadata.device_authorization_endpoint.as_ref(),
            authorization: metadata.authorization_endpoint.as_ref(),
        }
    }
}

/// Chooses. A person's wish goes before what the server lists, but not before what it lacks. Without metadata nothing is listed.
///
/// # Errors
/// [`NoWay`], with the reason against each way.
pub fn choose(begins: BeginsAt<'_>, metadata: Option<&ServerMetadata>, wishes: Wishes) -> Result<Choice, NoWay> {
    match wishes.flow {
        Some(wish @ FlowWish::Device) => {
            let endpoint = begins.device_authorization.cloned().ok_or(NoWay::WishedDevice(NoDevice::NoEndpoint))?;
            Ok(Choice { way: Way::DeviceGrant { endpoint }, because: Because::Wished(wish) })
        }
        Some(wish @ FlowWish::Code) => {
            let way = possible_code(begins, metadata, wishes.pkce).map_err(NoWay::WishedCode)?;
            Ok(Choice { way, because: Because::Wished(wish) })
        }
        None => match device(begins, metadata) {
            Ok(way) => Ok(Choice { way, because: Because::DeviceAdvertised }),
            Err(device) => {
                let way = code(begins, metadata, wishes.pkce).map_err(|code| NoWay::Neither { device, code })?;
                Ok(Choice { way, because: Because::CodeIsLeft(device) })
            }
        },
    }
}

fn device(begins: BeginsAt<'_>, metadata: Option<&ServerMetadata>) -> Result<Way, NoDevice> {
    let endpoint = begins.device_authorization.cloned().ok_or(NoDevice::NoEndpoint)?;
    if metadata.is_some_and(|metadata| excludes(&metadata.grant_types_supported, DEVICE_CODE)) {
        return Err(NoDevice::GrantNotListed);
    }
    Ok(Way::DeviceGrant { endpoint })
}

fn code(begins: BeginsAt<'_>, metadata: Option<&ServerMetadata>, pkce: PkceRule) -> Result<Way, NoCode> {
    let way = possible_code(begins, metadata, pkce);
    if let (Some(_), Some(metadata)) = (begins.authorization, metadata) {
        if excludes(&metadata.grant_types_supported, "authorization_code") {
            return Err(NoCode::GrantNotListed);
        }
        if excludes(&metadata.response_types_supported, "code") {
            return Err(NoCode::ResponseTypeNotListed);
        }
    }
    way
}

/// What no wish can replace: the endpoint and S256.
fn possible_code(begins: BeginsAt<'_>, metadata: Option<&ServerMetadata>, pkce: PkceRule) -> Result<Way, NoCode> {
    let authorization_endpoint = begins.authorization.cloned().ok_or(NoCode::NoEndpoint)?;
    let pkce = match (metadata.map_or(PkceSupport::Unstated, support), pkce) {
        (PkceSupport::S256, _) => PkceRule::Required,
        (_, PkceRule::Assumed) => PkceRule::Assumed,
        (PkceSupport::Otherwise, PkceRule::Required) => return Err(NoCode::NoS256),
        (PkceSupport::Unstated, PkceRule::Required) => return Err(NoCode::NoCodeChallengeMethods),
    };
    Ok(Way::Code { authorization_endpoint, pkce })
}

fn support(metadata: &ServerMetadata) -> PkceSupport {
    PkceSupport::of(metadata.code_challenge_methods_supported.as_deref())
}

/// A list that is there, and does not hold it.
fn excludes(list: &[String], word: &str) -> bool {
    !list.is_empty() && !list.iter().any(|listed| listed == word)
}

/// The scopes to send: those asked for, and `offline_access` where the server lists it (MCP, refresh tokens). Where none would be
/// sent none is added: a lone `offline_access` would take the place of the server's own default.
#[must_use]
pub fn scopes_to_send(asked: &Scopes, metadata: &ServerMetadata) -> Scopes {
    if asked.is_empty() || !metadata.scopes_supported.iter().any(|scope| scope == OFFLINE_ACCESS) {
        return asked.clone();
    }
    asked.union(&Scopes::from_words([OFFLINE_ACCESS]))
}

/// What is worth telling about a server, whichever way is taken.
#[must_use]
pub fn findings(metadata: &ServerMetadata) -> Vec<Finding> {
    let support = support(metadata);
    let registers = metadata.registration_endpoint.is_some() || metadata.client_id_metadata_document_supported;
    let noticed = [
        (metadata.device_authorization_endpoint.is_none(), Finding::NoDeviceGrant),
        (device(BeginsAt::of(metadata), Some(metadata)) == Err(NoDevice::GrantNotListed), Finding::DeviceGrantNotListed),
        (metadata.authorization_endpoint.is_none(), Finding::NoAuthorizationEndpoint),
        (support == PkceSupport::Unstated, Finding::NoCodeChallengeMethods),
        (support == PkceSupport::Otherwise, Finding::NoS256),
        (!registers, Finding::NoRegistration),
        (excludes(&metadata.grant_types_supported, "refresh_token"), Finding::NoRefreshGrant),
        (!metadata.authorization_response_iss_parameter_supported, Finding::NoIssParameter),
        (metadata.revocation_endpoint.is_none(), Finding::NoRevocation),
        (metadata.media_type == MediaType::Other, Finding::NotLabelledAsJson),
    ];
    let noticed = noticed.into_iter().filter_map(|(is_so, finding)| is_so.then_some(finding));
    noticed.chain(metadata.left_out.iter().cloned().map(Finding::Broken)).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::authorization_code::pkce::METHOD;
    use crate::endpoint::{InvalidEndpoint, Loopback};
    use crate::misbehaved::ServerMisbehaved;
    use crate::terms::Issuer;

    fn endpoint(path: &str) -> Endpoint {
        Endpoint::parse(&format!("https://as.example/{path}"), Loopback::Refused).unwrap()
    }

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    /// A server that offers everything.
    fn complete() -> ServerMetadata {
        ServerMetadata {
            issuer: Issuer::new("https://as.example"),
            token_endpoint: endpoint("token"),
            authorization_endpoint: Some(endpoint("authorize")),
            device_authorization_endpoint: Some(endpoint("device")),
            registration_endpoint: Some(endpoint("register")),
            revocation_endpoint: Some(endpoint("revoke")),
            introspection_endpoint: None,
            userinfo_endpoint: None,
            jwks_uri: None,
            media_type: MediaType::Json,
            grant_types_supported: words(&[DEVICE_CODE, "authorization_code", "refresh_token"]),
            response_types_supported: words(&["code"]),
            scopes_supported: words(&["a", OFFLINE_ACCESS]),
            code_challenge_methods_supported: Some(words(&["plain", METHOD])),
            token_endpoint_auth_methods_supported: None,
            authorization_response_iss_parameter_supported: true,
            client_id_metadata_document_supported: true,
            left_out: Vec::new(),
        }
    }

    fn without_device() -> ServerMetadata {
        ServerMetadata { device_authorization_endpoint: None, ..complete() }
    }

    fn wishing(flow: FlowWish) -> Wishes {
        Wishes { flow: Some(flow), ..Wishes::default() }
    }

    fn by_device() -> Way {
        Way::DeviceGrant { endpoint: endpoint("device") }
    }

    fn by_code(pkce: PkceRule) -> Way {
        Way::Code { authorization_endpoint: endpoint("authorize"), pkce }
    }

    fn of(metadata: &ServerMetadata, wishes: Wishes) -> Result<Choice, NoWay> {
        choose(BeginsAt::of(metadata), Some(metadata), wishes)
    }

    fn chosen(metadata: &ServerMetadata, wishes: Wishes) -> (Way, Because) {
        let choice = of(metadata, wishes).unwrap();
        (choice.way, choice.because)
    }

    #[test]
    fn the_device_grant_goes_first_and_code_follows() {
        assert_eq!(chosen(&complete(), Wishes::default()), (by_device(), Because::DeviceAdvertised));
        let left = (by_code(PkceRule::Required), Because::CodeIsLeft(NoDevice::NoEndpoint));
        assert_eq!(chosen(&without_device(), Wishes::default()), left);
        let unlisted = ServerMetadata { grant_types_supported: words(&["authorization_code"]), ..complete() };
        let left = (by_code(PkceRule::Required), Because::CodeIsLeft(NoDevice::GrantNotListed));
        assert_eq!(chosen(&unlisted, Wishes::default()), left);
        let silent = ServerMetadata { grant_types_supported: Vec::new(), response_types_supported: Vec::new(), ..complete() };
        assert_eq!(chosen(&silent, Wishes::default()).0, by_device(), "a list that is not there excludes nothing");
    }

    #[test]
    fn where_nothing_was_read_nothing_is_excluded_and_pkce_needs_somebody_s_word() {
        let (device, authorize) = (endpoint("device"), endpoint("authorize"));
        let both = BeginsAt { device_authorization: Some(&device), authorization: Some(&authorize) };
        let in_browser = BeginsAt { device_authorization: None, ..both };
        let assumed = Wishes { pkce: PkceRule::Assumed, ..Wishes::default() };
        assert_eq!(choose(both, None, Wishes::default()).unwrap().way, by_device());
        let no_word = NoWay::Neither { device: NoDevice::NoEndpoint, code: NoCode::NoCodeChallengeMethods };
        assert_eq!(choose(in_browser, None, Wishes::default()), Err(no_word));
        assert_eq!(choose(in_browser, None, assumed).unwrap().way, by_code(PkceRule::Assumed));
    }

    #[test]
    fn a_wish_goes_before_the_order_and_before_the_lists() {
        let (way, because) = chosen(&complete(), wishing(FlowWish::Code));
        assert_eq!((way, because), (by_code(PkceRule::Required), Because::Wished(FlowWish::Code)));
        let unlisted = ServerMetadata {
            grant_types_supported: words(&["refresh_token"]),
            response_types_supported: words(&["token"]),
            ..complete()
        };
        assert_eq!(chosen(&unlisted, wishing(FlowWish::Device)).0, by_device());
        assert_eq!(chosen(&unlisted, wishing(FlowWish::Code)).0, by_code(PkceRule::Required));
    }

    #[test]
    fn a_wish_that_cannot_be_is_an_error_and_not_another_way() {
        let wished = of(&without_device(), wishing(FlowWish::Device));
        assert_eq!(wished, Err(NoWay::WishedDevice(NoDevice::NoEndpoint)));
        let no_code = ServerMetadata { authorization_endpoint: None, ..complete() };
        assert_eq!(of(&no_code, wishing(FlowWish::Code)), Err(NoWay::WishedCode(NoCode::NoEndpoint)));
        let no_pkce = ServerMetadata { code_challenge_methods_supported: None, ..complete() };
        assert_eq!(of(&no_pkce, wishing(FlowWish::Code)), Err(NoWay::WishedCode(NoCode::NoCodeChallengeMethods)));
    }

    #[test]
    fn d24_code_is_refused_without_s256_unless_the_profile_assumes_it() {
        let assumed = Wishes { flow: None, pkce: PkceRule::Assumed };
        for (methods, why) in [
            (None, NoCode::NoCodeChallengeMethods),
            (Some(words(&[])), NoCode::NoS256),
            (Some(words(&["plain"])), NoCode::NoS256),
            (Some(words(&["s256"])), NoCode::NoS256),
        ] {
            let server = ServerMetadata { code_challenge_methods_supported: methods, ..without_device() };
            let refused = Err(NoWay::Neither { device: NoDevice::NoEndpoint, code: why });
            assert_eq!(of(&server, Wishes::default()), refused);
            assert_eq!(chosen(&server, assumed).0, by_code(PkceRule::Assumed));
        }
        assert_eq!(chosen(&without_device(), assumed).0, by_code(PkceRule::Required), "what is listed need not be assumed");
    }

    #[test]
    fn where_neither_way_is_open_both_reasons_are_told() {
        for (server, code) in [
            (ServerMetadata { authorization_endpoint: None, ..without_device() }, NoCode::NoEndpoint),
            (ServerMetadata { grant_types_supported: words(&["implicit"]), ..without_device() }, NoCode::GrantNotListed),
            (ServerMetadata { response_types_supported: words(&["token"]), ..without_device() }, NoCode::ResponseTypeNotListed),
        ] {
            let why = of(&server, Wishes::default()).unwrap_err();
            assert_eq!(why, NoWay::Neither { device: NoDevice::NoEndpoint, code });
            assert!(why.to_string().ends_with(&code.to_string()), "{why}");
        }
    }

    #[test]
    fn offline_access_is_added_only_where_the_server_lists_it_and_never_alone() {
        let silent = ServerMetadata { scopes_supported: words(&["a"]), ..complete() };
        assert_eq!(scopes_to_send(&Scopes::parse("x"), &complete()), Scopes::parse("offline_access x"));
        assert_eq!(scopes_to_send(&Scopes::parse("x"), &silent), Scopes::parse("x"));
        assert_eq!(scopes_to_send(&Scopes::default(), &complete()), Scopes::default());
    }

    #[test]
    fn what_is_missing_or_broken_is_told_and_nothing_else() {
        assert_eq!(findings(&complete()), []);
        let broken = ServerMisbehaved::MetadataEndpoint { member: "jwks_uri", why: InvalidEndpoint::NotHttps };
        let poor = ServerMetadata {
            authorization_endpoint: None,
            device_authorization_endpoint: None,
            registration_endpoint: None,
            client_id_metadata_document_supported: false,
            revocation_endpoint: None,
            code_challenge_methods_supported: None,
            grant_types_supported: words(&["implicit"]),
            authorization_response_iss_parameter_supported: false,
            media_type: MediaType::Other,
            left_out: vec![broken.clone()],
            ..complete()
        };
        let expected = [
            Finding::NoDeviceGrant,
            Finding::NoAuthorizationEndpoint,
            Finding::NoCodeChallengeMethods,
            Finding::NoRegistration,
            Finding::NoRefreshGrant,
            Finding::NoIssParameter,
            Finding::NoRevocation,
            Finding::NotLabelledAsJson,
            Finding::Broken(broken),
        ];
        assert_eq!(findings(&poor), expected);
        assert_eq!(findings(&poor).iter().filter(|finding| finding.is_breach()).count(), 2);
        let odd = ServerMetadata {
            grant_types_supported: words(&["authorization_code", "refresh_token"]),
            code_challenge_methods_supported: Some(words(&["plain"])),
            registration_endpoint: None,
            ..complete()
        };
        assert_eq!(findings(&odd), [Finding::DeviceGrantNotListed, Finding::NoS256]);
    }

    #[test]
    fn the_words_of_the_configuration_are_read_back() {
        assert!(FlowWish::ALL.iter().all(|wish| FlowWish::parse(wish.as_str()) == Some(*wish)));
        assert_eq!(FlowWish::parse("implicit"), None);
    }
}
