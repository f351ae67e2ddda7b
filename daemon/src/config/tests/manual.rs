//! The manual page of the configuration: what it names is what is read, and its example holds.

use mcp_authd_packaging::{Format, Term};

use super::*;
use crate::config::{check, desktop, network};

const ACCOUNT: &[Term] = &[
    ("issuer", "The authorization server, where it publishes its metadata (RFC 8414)."),
    (
        "client_id",
        "The client, as the server knows it. Without it, beside an issuer, mcp-authd registers one of its own (RFC 7591).",
    ),
    ("client_id_metadata_document", "In the place of client_id: the URL of a metadata document, where the server takes one."),
    ("scopes", "What a login asks for: an array of strings."),
    ("resource", "The protected resource (RFC 8707), sent byte for byte."),
    ("audience", "For servers that want it in the place of resource."),
    ("flow", "device (a code) or code (a browser). Without it the device grant, where the server offers one."),
    ("device_authorization_endpoint", "With token_endpoint, in the place of issuer: for a server without metadata (RFC 8628)."),
    ("authorization_endpoint", "The same for a login in a browser, beside it or in its place (RFC 6749)."),
    ("token_endpoint", "Beside them."),
    ("revocation_endpoint", "Beside them, where there is one (RFC 7009)."),
    ("pkce", "assumed: the server does S256 (RFC 7636), although nothing says so."),
    ("extra_parameters", "A table of further parameters of the request that a login begins with."),
    ("token_endpoint_auth_method", "How the client proves who it is: none, client_secret_basic, client_secret_post (RFC 7591)."),
    ("client_secret_file", "The absolute path of a private file with the secret. Else: authctl account set-secret."),
    (
        "provider",
        "In the place of issuer and endpoints: one of authctl provider list, or of a table [providers.NAME] of this file.",
    ),
    ("provider_parameters", "A table of what the provider asks each account for."),
    (
        "token_file",
        "An account without a login: the absolute path of a private file with an access token. Only scopes and resource may stand beside it.",
    ),
];

const NETWORK: &[Term] = &[
    ("ca_file", "The path of certificates (PEM) that are trusted beside those of the platform."),
    ("proxy", "The URL of a proxy. Loopback never goes through it."),
];

const DESKTOP: &[Term] = &[
    ("notify", "false: the desktop is not told of a login that a program has begun. Without it a notification is shown, once."),
    ("open_browser", "true: the desktop opens the page of such a login without being asked, once."),
];

const PROVIDERS: &[Term] =
    &[("[providers.NAME]", "A provider of your own. authctl provider show NAME prints one that is shipped, in the same format.")];

const PAGE: Format = Format {
    name: "mcp-authd.toml",
    what: "the configuration of mcp-authd",
    description: &[
        "mcp-authd reads $XDG_CONFIG_HOME/mcp-authd/config.toml, or ~/.config/mcp-authd/config.toml; mcp-authd --config FILE reads \
         another. It is a TOML file with one table for each account. No secret belongs in it.",
        "Every mistake is told at once, with its line. authctl reload, or SIGHUP, has the file read again: whole or not at all. \
         authctl account add and authctl account remove write it, and leave every other byte as it is.",
    ],
    sections: &[("[accounts.NAME]", ACCOUNT), ("[desktop]", DESKTOP), ("[network]", NETWORK), ("[providers]", PROVIDERS)],
    example: r#"[accounts.work]
issuer = "https://auth.example.com"
client_id = "abc"
scopes = ["openid", "offline_access"]

[accounts.azure]
provider = "entra"
provider_parameters = { tenant = "contoso.example" }
client_id = "abc"

[accounts.ci]
token_file = "/run/secrets/token"

[network]
proxy = "http://proxy.example:3128"

[desktop]
open_browser = true"#,
    see_also: &["mcp-authd(1)", "authctl(1)", "authctl-account-add(1)"],
};

fn sorted(keys: impl IntoIterator<Item = &'static str>) -> Vec<&'static str> {
    let mut keys: Vec<_> = keys.into_iter().collect();
    keys.sort_unstable();
    keys
}

#[test]
fn the_manual_of_the_configuration_is_as_committed() {
    PAGE.is_as_committed();
}

#[test]
fn the_manual_names_every_key_and_no_other_and_its_example_holds() {
    let named = |terms: &'static [Term]| sorted(terms.iter().map(|(key, _)| *key));
    assert_eq!(named(ACCOUNT), sorted(check::ACCOUNT.iter().copied()));
    assert_eq!(named(NETWORK), sorted(network::KEYS.iter().copied()));
    assert_eq!(named(DESKTOP), sorted(desktop::KEYS.iter().copied()));
    let heads = PAGE.sections.iter().map(|(head, _)| head.trim_matches(['[', ']']).trim_end_matches(".NAME"));
    assert_eq!(sorted(heads), sorted(check::TOP.iter().copied()));
    let config = parse(PAGE.example).expect("the example holds");
    assert_eq!((config.accounts.len(), config.token_files.len()), (2, 1));
}
