//! Providers: what may be said of one, every mistake with its line, and the ones that are shipped.

use std::time::Duration;

use mcp_authd_oauth::endpoint::{Endpoint, Loopback};
use mcp_authd_oauth::profile::{
    BodyKind, ClientNeed, DeviceGrant, DiscoveryMode, ExpirySource, HostRewrite, Pkce, Profile, ProviderEndpoints, Redirect,
    RefreshEnds, RefreshRedirect, ReplayTime, ResourceMode, SentAs,
};
use mcp_authd_oauth::registration::RedirectUri;
use mcp_authd_oauth::terms::{Scopes, TokenEndpointAuthMethod};

use super::{AccountConfig, Change, ServerConfig, errors, parse, shipped, the_account};

const README: &str = include_str!("../../../profiles/README.md");

/// The blocks of TOML in the description of the format.
fn examples() -> Vec<&'static str> {
    README.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect()
}

/// What is wrong with a provider of this text, which begins at line 2.
fn wrong(text: &str) -> String {
    errors(&format!("[providers.p]\n{text}")).replace("c.toml:", "")
}

/// An account of a provider of its own.
fn account_of(provider: &str) -> AccountConfig {
    the_account(&format!("[providers.p]\n{provider}\n[accounts.a]\nprovider = 'p'\nclient_id = 'c'\n"))
}

fn endpoint(url: &str) -> Endpoint {
    Endpoint::parse(url, Loopback::Allowed).unwrap()
}

fn account_with(provider: &str, rest: &str) -> AccountConfig {
    the_account(&format!("[accounts.a]\nprovider = '{provider}'\nclient_id = 'c'\n{rest}"))
}

#[test]
fn the_examples_of_the_description_hold() {
    let [account, provider] = examples().try_into().unwrap();
    let account = the_account(account);
    assert_eq!(account.server_name(), "https://login.microsoftonline.com/contoso.onmicrosoft.com/v2.0");
    let provider = the_account(&format!("{provider}\n[accounts.a]\nprovider = 'example'"));
    let profile = &provider.profile;
    assert_eq!(provider.client.shown(), "");
    assert_eq!(profile.device_authorization.request.body, BodyKind::Empty);
    assert_eq!(profile.refresh.request.names.get("refresh_token"), Some(&SentAs::Named("refreshToken".to_owned())));
    assert_eq!(profile.refresh.request.names.get("grant_type"), Some(&SentAs::Nothing));
    assert_eq!(profile.poll.answer.members.get("access_token"), Some(&vec!["accessToken".to_owned()]));
    assert_eq!(profile.device_authorization.answer.members.len(), 5, "its own places, and those of every answer");
    assert_eq!((profile.expiry.source, profile.expiry.skew), (ExpirySource::Jwt, Duration::from_secs(30)));
}

#[test]
fn every_key_that_is_known_is_described() {
    let told = wrong("colour = 1");
    let known = told.split_once("Known here: ").unwrap().1;
    for key in known.split(", ") {
        assert!(README.contains(key) || README.contains(&format!("`[providers.NAME.{}", key.trim_matches('`'))), "{key}");
    }
    for key in ["pending_statuses", "slow_down_statuses", "dead_grant_statuses", "`none`", "`denied`", "`omit`", "`constants`"] {
        assert!(README.contains(key), "{key}");
    }
}

#[test]
fn everything_may_be_said() {
    let account = account_of(
        r#"
        issuer = "https://as.example/{realm}"
        discovery = "metadata"
        base = "https://as.example/{realm}/oauth/"
        authorization_endpoint = "https://login.example/authorize"
        device_authorization_endpoint = "/device"
        token_endpoint = "/token?v={version}"
        revocation_endpoint = "/revoke"
        rewrite_hosts = { "internal:8443" = "as.example" }
        parameters = { realm = "work", version = "2.0" }
        client = "secret"
        token_endpoint_auth_method = "client_secret_post"
        scopes = ["a", "b"]
        resource = "omit"
        device_grant = "unavailable"
        pkce = "assumed"
        redirect_uri = "http://127.0.0.1:8765/callback"
        refresh_sends_redirect_uri = true
        refresh_ends_access_tokens = true
        replay_after = 7
        authorization_parameters = { prompt = "consent" }
        poll = { constants = { app = "cli" } }
        token_request = { body = "json" }
        revocation = { omit = "token_type_hint" }
        answer = { error = ["error", "code"] }
        errors = { none = "ok", pending = "WAIT", slow_down = ["SLOW"], denied = "NO", expired = "OVER", dead_grant = "GONE", pending_statuses = [202], slow_down_statuses = [401], dead_grant_statuses = [401] }
        expiry = { source = "fixed", seconds = 900 }
        "#,
    );
    let endpoints = ProviderEndpoints {
        authorization: Some(endpoint("https://login.example/authorize")),
        device_authorization: Some(endpoint("https://as.example/work/oauth/device")),
        token: Some(endpoint("https://as.example/work/oauth/token?v=2.0")),
        revocation: Some(endpoint("https://as.example/work/oauth/revoke")),
    };
    let profile = &account.profile;
    assert_eq!(account.server_name(), "https://as.example/work");
    assert_eq!(profile.endpoints, endpoints);
    assert_eq!(profile.host_rewrites, [HostRewrite { from: "internal:8443".into(), to: "as.example".into() }]);
    assert_eq!((profile.name.as_str(), profile.discovery, profile.client), ("p", DiscoveryMode::Metadata, ClientNeed::Secret));
    assert_eq!(account.secret_shown_by(), Some(TokenEndpointAuthMethod::ClientSecretPost));
    assert_eq!(account.scopes, Scopes::parse("a b"));
    assert_eq!((profile.resource, profile.device_grant), (ResourceMode::Omit, DeviceGrant::Unavailable));
    assert_eq!((profile.pkce, profile.refresh_ends), (Pkce::Assumed, RefreshEnds::AccessTokensToo));
    assert_eq!(profile.redirect, Redirect::Exact(RedirectUri::parse("http://127.0.0.1:8765/callback").unwrap()));
    assert_eq!(profile.refresh_redirect, RefreshRedirect::Sent);
    assert_eq!(profile.replay, ReplayTime::After(Duration::from_secs(7)));
    assert_eq!(profile.authorization_parameters.get("prompt").map(String::as_str), Some("consent"));
    assert_eq!(profile.poll.request.constants.get("app").map(String::as_str), Some("cli"));
    assert_eq!(profile.token_request.request.body, BodyKind::Json);
    assert_eq!(profile.refresh.answer.no_error, ["ok"]);
    assert_eq!(profile.refresh.answer.members.get("error").unwrap(), &["error", "code"]);
    assert_eq!(profile.errors.slow_down, ["SLOW"]);
    assert_eq!((&profile.errors.pending_statuses[..], &profile.errors.dead_grant_statuses[..]), (&[202][..], &[401][..]));
    assert_eq!(profile.expiry.source, ExpirySource::Fixed(Duration::from_secs(900)));
}

#[test]
fn what_is_left_out_is_as_the_rfcs_have_it() {
    let account = account_of("issuer = 'https://as.example'");
    assert_eq!(*account.profile, Profile { name: "p".to_owned(), ..Profile::default() });
    let without = the_account("[accounts.a]\nissuer = 'https://as.example'\nclient_id = 'c'");
    assert_eq!(*without.profile, Profile::default());
}

#[test]
fn every_mistake_is_told_at_once_with_its_line() {
    let text = r#"isuer = "https://as.example"
base = "http://as.example"
token_endpoint = "/token"
client = "public"
redirect_port = 70000
redirect_uri = "http://127.0.0.1:1/"
refresh_sends_redirect_uri = "yes"
replay = "never"
replay_after = -1
resource = "never"
[providers.p.refresh]
body = "none"
names = { refresh_token = "x" }
omit = ["refresh_token"]
constants = { client_secret = "SNTL" }
[providers.p.poll]
body = "yaml"
bodie = 1
[providers.p.answer]
access_token = "data..x"
acess_token = "x"
[providers.p.errors]
pending = [1]
dead_grant_statuses = [429]
slow_down_statuses = [302]
[providers.p.expiry]
source = "fixed"
"#;
    let expected = "\
2: `isuer` is no key of [providers.p]. Did you mean `issuer`?
4: `token_endpoint` must begin with https:// (http:// only on loopback). Copy the URL again from the server's documentation
5: `client` must be \"any\" or \"secret\" or \"none\". Write one of them, or delete the line
6: `redirect_port` must be a port from 1 to 65535. Correct the number, or delete the line
8: `refresh_sends_redirect_uri` must be true or false, not a string. Write: refresh_sends_redirect_uri = true
9: `replay` must be \"at-once\" or \"at-token-end\". Write one of them, or delete the line
10: `replay_after` must be a number of seconds, at most 3600 (for later: replay = \"at-token-end\"). Correct the number, or delete the line
11: `resource` must be \"as-published\" or \"omit\". Write one of them, or delete the line
13: only a device authorization request may have no body: the others would not say what they are about. Delete the line
15: `refresh_token` stands below both `names` and `omit`. Delete it from one of them
16: `client_secret` cannot be an extra parameter. A secret does not belong in this file; delete the line
18: `body` must be \"form\" or \"json\" or \"none\". Write one of them, or delete the line
19: `bodie` is no key of [providers.p.poll]. Did you mean `body`?
21: `access_token` is no place in an answer. Write names of members with dots between them: access_token = \"data.accessToken\"
22: `acess_token` is no key of [providers.p.answer]. Did you mean `access_token`?
24: `pending` must be a string, or an array of strings, not an array. Write: pending = [\"...\"]
25: `dead_grant_statuses` may hold only statuses from 400 to 499, without 408, 425 and 429. Delete the others
26: `slow_down_statuses` may hold only statuses from 200 to 299 and from 400 to 599. Delete the others
27: [providers.p.expiry] has no `seconds`. Add: seconds = 3600";
    assert_eq!(wrong(text), expected);
}

#[test]
fn d56_no_number_keeps_a_grant_in_doubt_for_longer_than_an_hour() {
    let after = |seconds: u32| format!("issuer = 'https://as.example'\nreplay_after = {seconds}");
    assert_eq!(account_of(&after(3600)).profile.replay, ReplayTime::After(Duration::from_secs(3600)));
    let told = "3: `replay_after` must be a number of seconds, at most 3600 (for later: replay = \"at-token-end\"). Correct the number, \
                or delete the line";
    assert_eq!(wrong(&after(3601)), told);
}

#[test]
fn a_provider_has_to_say_where_it_is_or_leave_it_to_the_account() {
    for (text, told) in [
        ("token_endpoint = '/t'", "2: `token_endpoint` is a path, and there is no `base` before it. Add: base = \"https://...\""),
        (
            "discovery = 'metadata'\ntoken_endpoint = 'https://as.example/t'",
            "2: `discovery = \"metadata\"` needs an issuer to ask. Add: issuer = \"https://...\"",
        ),
        (
            "issuer = 'https://as.example'\ndiscovery = 'none'",
            "3: [providers.p] reads no metadata and names no token endpoint. Add: token_endpoint = \"https://...\"",
        ),
        (
            "device_authorization_endpoint = 'https://as.example/d'",
            "1: [providers.p] reads no metadata and names no token endpoint. Add: token_endpoint = \"https://...\"",
        ),
        ("issuer = 'https://{host}'", "2: `issuer` names {host}, which is no parameter. Add it below [providers.p.parameters]"),
        ("issuer = 'https://as.example?x'", "2: `issuer` must not hold a query (RFC 8414, section 2). Delete it from the `?` on"),
        (
            "issuer = 'https://{h}'\nparameters = { h = 'a@b' }",
            "3: `h` cannot be a parameter. Use letters, digits, `-` and `_` for its name, and what may stand in a URL for its value",
        ),
        (
            "issuer = 'https://a{h}'\nparameters = { h = ':x' }",
            "2: `issuer` is not an absolute URL. Copy the URL again from the server's documentation",
        ),
        (
            "rewrite_hosts = { 'https://a' = 'b' }\nissuer = 'https://a'",
            "2: `rewrite_hosts` takes hosts, with a port where there is one. Write: \"wrong.example\" = \"right.example\"",
        ),
        (
            "redirect_port = 1\nredirect_uri = 'http://127.0.0.1:1/'",
            "3: `redirect_port` and `redirect_uri` cannot stand together. Delete one of them",
        ),
        (
            "redirect_uri = 'https://as.example/'",
            "2: `redirect_uri` must be http:// on 127.0.0.1, [::1] or localhost, with a port. Write: redirect_uri = \"http://127.0.0.1:8765/callback\"",
        ),
        (
            "refresh_sends_redirect_uri = true",
            "2: `refresh_sends_redirect_uri` needs an exact one. Add: redirect_uri = \"http://127.0.0.1:...\"",
        ),
    ] {
        assert_eq!(wrong(text), told, "{text}");
    }
    assert_eq!(
        errors("[providers]\nP = {}\np = 1").replace("c.toml:", ""),
        "\
2: `P` cannot be a provider: its name is 1 to 200 of a-z, 0-9, '.', '_' and '-', and begins with a letter or a digit
3: `p` must be a table, not an integer. Write: [providers.p]"
    );
    assert_eq!(
        errors("providers = 1"),
        "c.toml:1: `providers` must be a table for each provider, not an integer. Write: [providers.NAME]"
    );
}

#[test]
fn an_account_names_a_provider_and_fills_in_what_it_has_to() {
    let with = |lines: &str| errors(&format!("[providers.own]\n[accounts.a]\nclient_id = 'c'\n{lines}")).replace("c.toml:", "");
    let known = "Known: auth0, entra, github, gitlab, google, keycloak, okta, own";
    for (lines, told) in [
        ("provider = 'githup'", format!("4: there is no provider `githup`. {known}. Or describe one below a line [providers.NAME]")),
        ("provider = 'own'", "4: the provider `own` names no authorization server. Add: issuer = \"https://...\" (or the endpoints)".into()),
        ("provider = 'entra'", "4: the provider `entra` needs `tenant`. Add: provider_parameters = { tenant = \"...\" }".into()),
        ("provider = 'entra'\nprovider_parameters = { tenat = 'x' }", "5: the provider `entra` knows no parameter `tenat`, only host, tenant. Correct it, or leave it out".into()),
        ("provider = 'google'\nprovider_parameters = { host = 'x' }", "5: the provider `google` knows no parameter `host`, and no other one. Correct it, or leave it out".into()),
        ("provider = 'entra'\nprovider_parameters = { tenant = 'a?b#c' }", "5: `tenant` cannot be a parameter. Use letters, digits, `-` and `_` for its name, and what may stand in a URL for its value".into()),
        ("provider_parameters = { host = 'x' }\nissuer = 'https://as.example'", "4: `provider_parameters` says nothing without `provider`. Add: provider = \"NAME\"".into()),
        ("provider = 'okta'\nissuer = 'https://as.example'\nprovider_parameters = { host = 'x' }", "6: the provider `okta` knows no parameter `host` here: the account names its server itself. Correct it, or leave it out".into()),
        ("provider = 7", "4: `provider` must be a string, not an integer. Write: provider = \"...\"".into()),
    ] {
        assert_eq!(with(lines), told, "{lines}");
    }
    let told = errors(
        "[providers.none]\nclient = 'none'\n[accounts.a]\nprovider = 'none'\nissuer = 'https://as.example'\nclient_id = 'c'",
    );
    assert_eq!(told, "c.toml:6: `client_id` cannot stand here: the provider `none` knows no clients. Delete the line");
}

#[test]
fn a_mistake_of_a_provider_is_told_once_however_many_accounts_name_it() {
    let accounts = "[accounts.a]\nprovider = 'p'\nclient_id = 'c'\n[accounts.b]\nprovider = 'p'\nclient_id = 'c'\n";
    assert_eq!(errors(&format!("{accounts}[providers.p]\nclient = 'x'")).lines().count(), 1);
}

#[test]
fn p14_an_account_with_a_server_of_its_own_takes_only_the_manners() {
    let account =
        the_account("[accounts.a]\nprovider = 'okta'\nclient_id = 'c'\nissuer = 'https://other.example'\nscopes = []\n");
    let shipped = account_with("okta", "provider_parameters = { host = 'okta.example' }");
    assert_eq!(account.server_name(), "https://other.example");
    let of_the_server = Profile { endpoints: ProviderEndpoints::default(), ..(*shipped.profile).clone() };
    assert_eq!(*account.profile, of_the_server);
    assert!(account.scopes.is_empty(), "what the account says goes first, also where it says nothing");
    assert_eq!(shipped.scopes, Scopes::parse("openid offline_access"));
}

#[test]
fn p14_nothing_about_the_servers_of_a_provider_is_kept_for_another_server() {
    let provider = "[providers.p]\nissuer = 'https://as.example'\ndiscovery = 'none'\ntoken_endpoint = 'https://as.example/t'\n\
                    rewrite_hosts = { 'a' = 'b' }\nresource = 'omit'\n";
    let account = "[accounts.a]\nprovider = 'p'\nclient_id = 'c'\nissuer = 'https://other.example'\n";
    let manners = Profile { name: "p".to_owned(), resource: ResourceMode::Omit, ..Profile::default() };
    assert_eq!(*the_account(&format!("{provider}{account}")).profile, manners);
}

#[test]
fn a_table_of_the_person_goes_before_a_shipped_one_as_a_whole() {
    let own = "[providers.github]\nissuer = 'https://git.example'\n";
    let account = the_account(&format!("{own}[accounts.a]\nprovider = 'github'\nclient_id = 'c'"));
    assert_eq!(account.server_name(), "https://git.example");
    assert_eq!(account.profile.refresh_ends, RefreshEnds::RefreshTokenOnly);
}

/// What `spec/providers.md` says of each, and how an account of it is written.
#[test]
fn each_shipped_provider_is_what_its_documentation_says() {
    let names: Vec<_> = shipped().map(|profile| profile.name).collect();
    assert_eq!(names, ["auth0", "entra", "github", "gitlab", "google", "keycloak", "okta"]);
    for (name, parameters, server, device, token) in [
        (
            "auth0",
            "host = 't.auth0.com'",
            "https://t.auth0.com/",
            "https://t.auth0.com/oauth/device/code",
            "https://t.auth0.com/oauth/token",
        ),
        (
            "entra",
            "tenant = 'acme'",
            "https://login.microsoftonline.com/acme/v2.0",
            "https://login.microsoftonline.com/acme/oauth2/v2.0/devicecode",
            "https://login.microsoftonline.com/acme/oauth2/v2.0/token",
        ),
        (
            "github",
            "",
            "https://github.com/login/oauth/access_token",
            "https://github.com/login/device/code",
            "https://github.com/login/oauth/access_token",
        ),
        (
            "github",
            "host = 'ghe.example'",
            "https://ghe.example/login/oauth/access_token",
            "https://ghe.example/login/device/code",
            "https://ghe.example/login/oauth/access_token",
        ),
        ("gitlab", "", "https://gitlab.com", "https://gitlab.com/oauth/authorize_device", "https://gitlab.com/oauth/token"),
        (
            "google",
            "",
            "https://accounts.google.com",
            "https://oauth2.googleapis.com/device/code",
            "https://oauth2.googleapis.com/token",
        ),
        (
            "keycloak",
            "host = 'sso.example/auth', realm = 'r'",
            "https://sso.example/auth/realms/r",
            "https://sso.example/auth/realms/r/protocol/openid-connect/auth/device",
            "https://sso.example/auth/realms/r/protocol/openid-connect/token",
        ),
        (
            "okta",
            "host = 'o.example'",
            "https://o.example/oauth2/default",
            "https://o.example/oauth2/default/v1/device/authorize",
            "https://o.example/oauth2/default/v1/token",
        ),
    ] {
        let parameters = if parameters.is_empty() { String::new() } else { format!("provider_parameters = {{ {parameters} }}") };
        let account = account_with(name, &parameters);
        assert_eq!(account.server_name(), server, "{name}");
        let endpoints = &account.profile.endpoints;
        assert_eq!(endpoints.device_authorization, Some(endpoint(device)), "{name}");
        assert_eq!(endpoints.token, Some(endpoint(token)), "{name}");
        // No metadata is read where both stand here: a login in a browser has nothing else to begin at.
        assert!(endpoints.authorization.is_some() && account.profile.pkce == Pkce::Assumed, "{name}");
    }
}

#[test]
fn each_shipped_file_is_text_that_may_be_pasted() {
    for profile in shipped() {
        assert!(parse(profile.text).is_ok(), "{}", profile.name);
        assert!(profile.text.contains(&format!("[providers.{}]\n", profile.name)), "{}", profile.name);
        assert!(profile.text.lines().all(|line| line.len() <= 140), "{}", profile.name);
    }
}

#[test]
fn each_shipped_provider_differs_where_its_documentation_says_so() {
    let of = |name: &str, rest: &str| account_with(name, rest);
    let google = of("google", "");
    assert_eq!((google.profile.client, google.profile.discovery), (ClientNeed::Secret, DiscoveryMode::None));
    assert_eq!(google.secret_shown_by(), Some(TokenEndpointAuthMethod::ClientSecretPost));
    // How a secret is shown, which an OAuth app needs for a browser alone.
    let github = of("github", "");
    assert_eq!(github.secret_shown_by(), Some(TokenEndpointAuthMethod::ClientSecretPost));
    assert_eq!((github.token_endpoint_auth_method, github.profile.client), (None, ClientNeed::Any));
    let parameters = &google.profile.authorization_parameters;
    assert_eq!((parameters["access_type"].as_str(), parameters["prompt"].as_str()), ("offline", "consent"));
    for (name, ends) in [
        ("github", RefreshEnds::AccessTokensToo),
        ("gitlab", RefreshEnds::AccessTokensToo),
        ("google", RefreshEnds::RefreshTokenOnly),
    ] {
        assert_eq!(of(name, "").profile.refresh_ends, ends, "{name}");
    }
    let entra = of("entra", "provider_parameters = { tenant = 't' }");
    assert_eq!((entra.profile.resource, entra.profile.discovery), (ResourceMode::Omit, DiscoveryMode::None));
    assert!(entra.scopes.cover(&Scopes::parse("offline_access")));
    let auth0 = of("auth0", "provider_parameters = { host = 't.auth0.com' }");
    assert_eq!(auth0.profile.resource, ResourceMode::Omit);
    assert!(auth0.scopes.cover(&Scopes::parse("offline_access")));
}

#[test]
fn a_change_of_a_provider_ends_the_login_where_a_token_would_reach_another_or_be_for_another() {
    let base = "base = 'https://as.example'\ntoken_endpoint = '/t'\ndevice_authorization_endpoint = '/d'\n";
    let by_issuer = format!("issuer = 'https://as.example'\n{base}");
    for (provider, from, to, expected) in [
        (base, "'/t'", "'/u'", Change::SecurityRelevant),
        (base, "https://as.example", "https://other.example", Change::SecurityRelevant),
        (base, "'/d'", "'/e'", Change::Mild),
        (base, "base", "resource = 'omit'\nbase", Change::SecurityRelevant),
        (base, "base", "refresh = { body = 'json' }\nbase", Change::Mild),
        (base, "base", "replay = 'at-token-end'\nbase", Change::Mild),
        (base, "base", "scopes = ['a']\nbase", Change::Mild),
        (base, "base", "# nothing\nbase", Change::Same),
        (by_issuer.as_str(), "'/t'", "'/u'", Change::SecurityRelevant),
        (by_issuer.as_str(), "base", "rewrite_hosts = { a = 'b' }\nbase", Change::SecurityRelevant),
        (by_issuer.as_str(), "base", "discovery = 'none'\nbase", Change::SecurityRelevant),
        (by_issuer.as_str(), "'/d'", "'/e'", Change::Mild),
    ] {
        let (old, new) = (account_of(provider), account_of(&provider.replacen(from, to, 1)));
        assert_eq!(old.change_to(&new), expected, "{provider}: {from} to {to}");
        assert_eq!(new.change_to(&old), expected, "{provider}: {to} to {from}");
    }
}

#[test]
fn a_provider_with_endpoints_alone_is_known_by_its_token_endpoint() {
    let account = account_of("token_endpoint = 'https://as.example/t'\nauthorization_endpoint = 'https://as.example/a'");
    let token_endpoint = endpoint("https://as.example/t");
    assert_eq!(account.server, ServerConfig::Profile { token_endpoint, revocation_endpoint: None });
    assert_eq!(account.profile.discovery, DiscoveryMode::None);
}

#[test]
fn an_account_names_its_client_where_none_could_be_registered() {
    let document = "client_id_metadata_document = 'https://me.example/c.json'";
    let of = |provider: &str, more: &str| format!("[accounts.a]\nprovider = '{provider}'\n{more}\n");
    let own = |keys: &str| format!("[providers.p]\nissuer = 'https://as.example'\n{keys}\n{}", of("p", ""));
    let told = |provider: &str, line: u8| {
        format!(
            "c.toml:{line}: the provider `{provider}` takes only a client that was registered there beforehand. \
             Register one, and add: client_id = \"...\""
        )
    };
    assert_eq!(errors(&of("google", "")), told("google", 1));
    assert_eq!(errors(&of("github", document)), told("github", 3));
    assert_eq!(errors(&own("client = 'secret'")), told("p", 4));
    assert_eq!(errors(&own("discovery = 'none'\ntoken_endpoint = 'https://as.example/t'")), told("p", 5));
    assert!(parse(&own("")).is_ok(), "its metadata says where");
    let own_server = of("google", "issuer = 'https://as.example'").replace("google", "github");
    assert!(parse(&own_server).is_ok(), "another server's");
}
