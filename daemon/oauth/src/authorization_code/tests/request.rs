//! The authorization request: what stands in the URL, and when there is none.

use proptest::prelude::*;
use url::Url;

use super::*;
use crate::misbehaved::ServerMisbehaved;
use crate::sign_in::SignInFailure;
use crate::terms::Audience;

fn url_of(request: CodeRequest) -> String {
    begin(request, randomness(), at(0), LIFETIME).unwrap().authorization_url.as_str().to_owned()
}

/// The parameters as a form reads them.
fn parameters(url: &str) -> Vec<(String, String)> {
    Url::parse(url).unwrap().query_pairs().into_owned().collect()
}

fn pairs(wanted: &[(&str, &str)]) -> Vec<(String, String)> {
    wanted.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn the_url_carries_what_is_set_and_nothing_else() {
    let mut request = code_request();
    request.sent_resource = None;
    let state = "gIGCg4SFhoeIiYqLjI2Oj5CRkpOUlZaXmJmam5ydnp8";
    let challenge = pending().verifier.challenge();
    let wanted = format!(
        "https://as.example/authorize?response_type=code&client_id=me&redirect_uri=http%3A%2F%2F127.0.0.1%3A49152%2Fcallback\
         &state={state}&code_challenge={challenge}&code_challenge_method=S256"
    );
    assert_eq!(url_of(request), wanted);
}

#[test]
fn d36_the_resource_and_the_rest_go_out_byte_for_byte_and_no_plus_is_a_space() {
    let mut request = code_request();
    request.scopes = Scopes::parse("b a");
    request.audience = Some(Audience::new("https://API/+1"));
    request.extra_parameters = [("prompt".to_owned(), "select account".to_owned())].into();
    let url = url_of(request);
    assert!(!url.contains('+'), "{url}");
    assert!(url.ends_with(
        "&scope=a%20b&resource=https%3A%2F%2FMcp.example%2Fa%20b&audience=https%3A%2F%2FAPI%2F%2B1&prompt=select%20account"
    ));
}

#[test]
fn the_endpoint_stays_as_it_is_with_its_own_query_and_its_own_spelling() {
    for (endpoint, begins) in [
        ("https://AS.example:443/a%7eb/../authorize", "https://AS.example:443/a%7eb/../authorize?response_type=code&"),
        ("https://as.example/authorize?p=B2C_1", "https://as.example/authorize?p=B2C_1&response_type=code&"),
        ("https://as.example/authorize?", "https://as.example/authorize?response_type=code&"),
        ("https://as.example/authorize?p=1&", "https://as.example/authorize?p=1&response_type=code&"),
    ] {
        let mut request = code_request();
        request.authorization_endpoint = Endpoint::parse(endpoint, Loopback::Refused).unwrap();
        let url = url_of(request);
        assert!(url.starts_with(begins), "{url}");
    }
}

#[test]
fn d24_without_s256_no_login_begins_unless_the_server_is_known_to_take_it() {
    for (pkce, pkce_rule, begins) in [
        (PkceSupport::S256, PkceRule::Required, true),
        (PkceSupport::Unstated, PkceRule::Required, false),
        (PkceSupport::Otherwise, PkceRule::Required, false),
        (PkceSupport::S256, PkceRule::Assumed, true),
        (PkceSupport::Unstated, PkceRule::Assumed, true),
        (PkceSupport::Otherwise, PkceRule::Assumed, true),
    ] {
        let request = CodeRequest { pkce, pkce_rule, ..code_request() };
        match begin(request, randomness(), at(0), LIFETIME) {
            Ok(pending) => {
                assert!(begins && pending.authorization_url.as_str().contains("&code_challenge_method=S256"), "{pkce:?}");
            }
            Err(why) => {
                assert_eq!(why, SignInFailure::Misbehaved(ServerMisbehaved::NoS256(pkce)));
                assert!(!begins && why.to_string().ends_with("pkce = \"assumed\""), "{why}");
            }
        }
    }
}

#[test]
fn d25_d26_state_and_verifier_are_independent_and_both_have_256_bits() {
    let pending = pending();
    assert_eq!((pending.state.expose().len(), pending.verifier.expose().len()), (43, 43));
    assert_ne!(pending.state.expose(), pending.verifier.expose());
    for byte in 0..64 {
        let mut other = randomness();
        other[byte] ^= 0x80;
        let other = begin(code_request(), other, at(0), LIFETIME).unwrap();
        assert_eq!(other.state != pending.state, byte < 32, "byte {byte}");
        assert_eq!(other.verifier != pending.verifier, byte >= 32, "byte {byte}");
    }
}

#[test]
fn the_pending_login_holds_what_its_end_needs() {
    let pending = begin(code_request(), randomness(), at(7), LIFETIME).unwrap();
    assert_eq!((pending.expires, pending.expires_wall), (at(607).instant, at(607).wall));
    assert_eq!(pending.redirect_uri.as_str(), "http://127.0.0.1:49152/callback");
    assert_eq!(pending.binding, code_request().binding);
    assert_eq!(pending.clone(), pending);
}

#[test]
fn d25_debug_shows_neither_a_secret_nor_a_query() {
    let mut request = code_request();
    request.authorization_endpoint = Endpoint::parse("https://as.example/authorize?p=SNTL_Q", Loopback::Refused).unwrap();
    let pending = begin(request.clone(), randomness(), at(0), LIFETIME).unwrap();
    let shown = format!("{pending:?} {request:?}");
    for secret in ["SNTL", pending.state.expose(), pending.verifier.expose(), &pending.verifier.challenge()] {
        assert!(!shown.contains(secret), "{shown}");
    }
    assert!(shown.contains("AuthorizationUrl(https://as.example/authorize)"), "{shown}");
}

proptest! {
    #[test]
    fn the_url_decodes_to_exactly_the_parameters(
        (client_id, redirect_uri, resource, audience) in any::<(String, String, Option<String>, Option<String>)>(),
        scopes in proptest::collection::vec("[!-~]{1,9}", 0..3),
        extra in proptest::collection::btree_map(
            prop_oneof![any::<String>(), proptest::sample::select(vec!["state".to_owned(), "REQUEST".into(), "audience".into()])],
            any::<String>(),
            0..4,
        ),
        random in proptest::collection::vec(any::<u8>(), 64),
    ) {
        let mut request = code_request();
        request.binding.client_id = ClientId::new(client_id.as_str());
        request.sent_resource = resource.as_deref().map(Resource::new);
        request.redirect_uri = RedirectUri::new(redirect_uri.as_str());
        request.scopes = Scopes::from_words(&scopes);
        request.audience = audience.as_deref().map(Audience::new);
        request.extra_parameters = extra.clone();
        let scope = request.scopes.to_parameter();
        let pending = begin(request, random.try_into().unwrap(), at(0), LIFETIME).unwrap();
        let challenge = pending.verifier.challenge();
        let mut wanted = pairs(&[
            ("response_type", "code"),
            ("client_id", &client_id),
            ("redirect_uri", &redirect_uri),
            ("state", pending.state.expose()),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ]);
        let optional = [("scope", Some(&scope).filter(|scope| !scope.is_empty())), ("resource", resource.as_ref()), ("audience", audience.as_ref())];
        wanted.extend(optional.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.clone()))));
        let free = |name: &str| name != "state" && name != "REQUEST" && (name != "audience" || audience.is_none());
        wanted.extend(extra.into_iter().filter(|(name, _)| free(name)));
        prop_assert_eq!(parameters(pending.authorization_url.as_str()), wanted);
    }
}
