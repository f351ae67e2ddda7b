//! What a person sees of the providers: the shipped ones, and those of the file in their place.

use std::path::Path;

use mcp_authd_oauth::profile::ClientNeed;

use crate::config::{Config, Offered, ProviderOrigin, ProviderView};

fn views(text: &str) -> Vec<ProviderView> {
    Config::parse(text, Path::new("c.toml")).unwrap().providers()
}

fn named(views: &[ProviderView], name: &str) -> ProviderView {
    views.iter().find(|view| view.name == name).unwrap().clone()
}

#[test]
fn every_shipped_provider_is_seen_with_its_text_what_it_needs_and_what_it_means() {
    let shipped = views("");
    let names: Vec<_> = shipped.iter().map(|view| view.name.as_str()).collect();
    assert_eq!(names, ["auth0", "entra", "github", "gitlab", "google", "keycloak", "okta"]);
    for view in &shipped {
        let ProviderOrigin::Shipped(text) = view.origin else { panic!("{} is shipped", view.name) };
        assert!(text.contains(&format!("[providers.{}]", view.name)));
        assert!(!view.meaning.is_empty() && view.meaning.iter().all(|sentence| sentence.ends_with('.')), "{view:?}");
    }
    let entra = named(&shipped, "entra");
    assert_eq!(entra.parameters, [("host".into(), "login.microsoftonline.com".into()), ("tenant".into(), String::new())]);
    assert_eq!((entra.client, entra.device, entra.browser), (ClientNeed::Any, Offered::Yes, Offered::Yes));
    let google = named(&shipped, "google");
    assert_eq!((google.client, google.parameters), (ClientNeed::Secret, vec![]));
    let keycloak = named(&shipped, "keycloak");
    assert_eq!((keycloak.device, keycloak.browser), (Offered::Yes, Offered::Yes));
}

#[test]
fn what_entra_and_google_mean_is_said_in_sentences() {
    let shipped = views("");
    assert_eq!(
        named(&shipped, "entra").meaning,
        [
            "Its server is https://{host}/{tenant}/v2.0; only the endpoints that are named are called.",
            "An account without scopes of its own asks for: offline_access openid.",
            "The resource of an account is kept, and never sent (RFC 8707).",
            "PKCE with S256 is done although no metadata promises it (RFC 7636).",
            "It has words or statuses of its own for: \"refused\".",
        ]
    );
    assert_eq!(
        named(&shipped, "google").meaning,
        [
            "Its server is https://accounts.google.com; only the endpoints that are named are called.",
            "A client with a secret says who it is by client_secret_post.",
            "PKCE with S256 is done although no metadata promises it (RFC 7636).",
            "The address that a browser opens holds besides: access_type, prompt.",
        ]
    );
}

#[test]
fn a_provider_of_the_file_stands_in_the_place_of_a_shipped_one_and_tells_no_value_that_it_sends() {
    let own = views(
        r#"
        [providers.github]
        token_endpoint = "https://api.example/token"
        device_authorization_endpoint = "https://api.example/code"
        client = "none"
        redirect_port = 8765
        replay_after = 90
        refresh_ends_access_tokens = true

        [providers.github.authorization_parameters]
        kept = "SNTL_1"
        [providers.github.refresh]
        body = "json"
        omit = ["grant_type"]
        constants = { api_key = "SNTL_2" }
        [providers.github.expiry]
        source = "jwt"
        skew = 30
        [providers.bare]
        "#,
    );
    assert_eq!(own.len(), 8);
    let github = named(&own, "github");
    assert_eq!((github.origin, github.client), (ProviderOrigin::Configured, ClientNeed::None));
    assert_eq!((github.device, github.browser), (Offered::Yes, Offered::No));
    assert_eq!(
        github.meaning,
        [
            "It has no issuer; only the endpoints that are named are called.",
            "A browser brings the answer to http://127.0.0.1:8765/callback, and to no other place.",
            "The address that a browser opens holds besides: kept.",
            "A refresh is sent as JSON; it has names of its own, or none, for grant_type; it holds besides api_key.",
            "An access token ends when the token itself says so (exp); it is taken to end 30 seconds earlier.",
            "A refresh ends the access token before it: callers wait while one is under way.",
            "A refresh whose answer was lost is sent once more 90 seconds later, and never again.",
        ]
    );
    assert!(!format!("{own:?}").contains("SNTL"));
    let bare = named(&own, "bare");
    assert_eq!((bare.device, bare.browser), (Offered::AsAdvertised, Offered::AsAdvertised));
    assert_eq!(bare.meaning, ["It names no server: an account names its own, and takes the manners from here."]);
}

#[test]
fn what_holds_for_every_answer_is_said_once_and_what_is_one_requests_own_beside_it() {
    let own = views(
        r#"
        [providers.p]
        token_endpoint = "https://api.example/token"
        [providers.p.answer]
        access_token = "data.token"
        [providers.p.poll]
        answer = { error = "problem" }
        [providers.p.refresh]
        answer = { access_token = "fresh" }
        [providers.p.errors]
        none = "ok"
        "#,
    );
    assert_eq!(
        named(&own, "p").meaning[1..],
        [
            "Every request is answered in places of its own for access_token; it is no failure where the error is ok.",
            "A poll for the token is answered in places of its own for error.",
        ]
    );
    let alike = views(
        "[providers.p]\ntoken_endpoint = 'https://api.example/token'\nanswer = { access_token = 'data.token', error = 'e' }",
    );
    assert_eq!(named(&alike, "p").meaning[1..], ["Every request is answered in places of its own for access_token, error."]);
}

#[test]
fn no_login_in_a_browser_is_promised_where_nothing_says_that_there_is_pkce() {
    let endpoints = "token_endpoint = 'https://api.example/token'\nauthorization_endpoint = 'https://api.example/authorize'\n";
    let silent = "No login goes by a browser: nothing says that it does PKCE. If it does, add: pkce = \"assumed\" (RFC 7636).";
    for (more, browser, told) in [
        ("", Offered::No, true),
        ("pkce = 'assumed'", Offered::Yes, false),
        ("issuer = 'https://api.example'", Offered::AsAdvertised, false),
        ("issuer = 'https://api.example'\npkce = 'assumed'", Offered::Yes, false),
    ] {
        let view = named(&views(&format!("[providers.p]\n{endpoints}{more}")), "p");
        assert_eq!((view.browser, view.meaning.iter().any(|sentence| sentence == silent)), (browser, told), "{more}");
    }
}
