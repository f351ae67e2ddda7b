//! An account described by command: its text, its name, and its mistakes in the words of the command.

use std::path::Path;

use super::{AccountDraft, Config, parse};
use crate::config::draft::Naming;
use crate::config::edit;

pub(super) fn draft(name: &str) -> AccountDraft {
    AccountDraft {
        name: name.to_owned(),
        issuer: "https://as.example".to_owned(),
        client_id: "abc".to_owned(),
        ..AccountDraft::default()
    }
}

fn written(draft: &AccountDraft, into: &str) -> String {
    let described = draft.checked("").unwrap();
    edit::with(into, described.naming().first(), &described).unwrap().text
}

fn problems(draft: &AccountDraft) -> String {
    draft.checked("").err().expect("a problem").to_string()
}

#[test]
fn everything_that_was_described_stands_in_the_text_and_nothing_else() {
    let draft = AccountDraft {
        scopes: vec!["b".to_owned(), "a".to_owned()],
        resource: "https://mcp.example.com/mcp".to_owned(),
        audience: "it's \"x\" \\".to_owned(),
        extra_parameters: [("prompt".to_owned(), "consent".to_owned()), ("x.y".to_owned(), "é".to_owned())].into(),
        token_endpoint_auth_method: "client_secret_post".to_owned(),
        client_secret_file: "/run/secrets/s".to_owned(),
        ..draft("mcp.example.com")
    };
    let text = written(&draft, "");
    assert_eq!(
        text,
        r#"[accounts."mcp.example.com"]
issuer = "https://as.example"
client_id = "abc"
token_endpoint_auth_method = "client_secret_post"
client_secret_file = "/run/secrets/s"
scopes = ["b", "a"]
resource = "https://mcp.example.com/mcp"
audience = '''it's "x" \'''

[accounts."mcp.example.com".extra_parameters]
prompt = "consent"
"x.y" = "é"
"#
    );
    let account = parse(&text).unwrap().accounts.into_values().next().unwrap();
    assert_eq!(account.audience.as_ref().unwrap().as_str(), draft.audience);
    assert_eq!(account.extra_parameters, draft.extra_parameters);
}

#[test]
fn an_account_comes_into_an_inline_table_inline() {
    let draft = AccountDraft { extra_parameters: [("x.y".to_owned(), "1".to_owned())].into(), ..draft("n.n") };
    let entry = r#""n.n" = { issuer = "https://as.example", client_id = "abc", extra_parameters = { "x.y" = "1" } }"#;
    for (before, after) in [
        ("accounts = {}", format!("accounts = {{{entry}}}")),
        ("accounts = { } # none\n", format!("accounts = {{{entry} }} # none\n")),
        (
            "accounts = { a = { token_file = '/a' } }\n[network]\n",
            format!("accounts = {{ a = {{ token_file = '/a' }}, {entry} }}\n[network]\n"),
        ),
        (
            "accounts = {\n # a\n a.token_file = '/a', # b, c = {\n}\n",
            format!("accounts = {{\n # a\n a.token_file = '/a', {entry}, # b, c = {{\n}}\n"),
        ),
    ] {
        assert_eq!(written(&draft, before), after);
        assert!(parse(&after).is_ok(), "{after}");
    }
}

#[test]
fn a_name_is_made_of_the_host() {
    let name = |issuer: &str, resource: &str| {
        let draft = AccountDraft { issuer: issuer.to_owned(), resource: resource.to_owned(), ..draft("") };
        match draft.checked("").unwrap().naming() {
            Naming::Made(name) => name.to_string(),
            Naming::Given(name) => panic!("given: {name}"),
        }
    };
    assert_eq!(name("https://as.example", "https://mcp.example.com/mcp"), "mcp.example.com");
    assert_eq!(name("https://AS.example:8443/tenant", ""), "as.example");
    assert_eq!(name("https://as.example", "urn:example:x"), "as.example");
    assert_eq!(name("http://127.0.0.1:9", ""), "127.0.0.1");
    assert_eq!(name("http://[::1]:9", ""), "1");
    assert_eq!(name("https://as.example", &format!("https://{}", "x".repeat(250))), "x".repeat(190));
    let by_endpoints = AccountDraft {
        issuer: String::new(),
        token_endpoint: "https://as.example/t".to_owned(),
        device_authorization_endpoint: "https://as.example/d".to_owned(),
        ..draft("")
    };
    assert_eq!(by_endpoints.checked("").unwrap().naming().first().as_str(), "as.example");
}

#[test]
fn every_mistake_is_told_at_once_in_the_words_of_the_command() {
    let mistaken = AccountDraft {
        name: "My Server".to_owned(),
        scopes: vec!["a b".to_owned()],
        resource: "mcp.example.com".to_owned(),
        extra_parameters: [("scope", "x"), ("client_secret", "x"), ("state", "x"), ("empty", "")]
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into(),
        token_endpoint_auth_method: "tls_client_auth".to_owned(),
        client_secret_file: "s".to_owned(),
        ..AccountDraft::default()
    };
    let expected = "\
`My Server` cannot be an account: an account's name is 1 to 200 of a-z, 0-9, '.', '_' and '-', and begins with a letter or a digit. Take another name, for example: my-server
no authorization server is named. Add: --issuer URL (or --provider NAME; or, where the server publishes no metadata, --device-authorization-endpoint URL --token-endpoint URL)
`client_id` is missing. Add: --client-id ID
`token_endpoint_auth_method` must be none, client_secret_basic or client_secret_post (RFC 7591, section 2). Give one of them, or leave it out
`client_secret_file` must be an absolute path. Write: --client-secret-file /...
\"a b\" is not a scope: one word of printable ASCII without spaces, \" and \\ (RFC 6749, 3.3). Give each with a --scope of its own
`resource` must be an absolute URI (RFC 8707, section 2). Write: --resource https://...
`client_secret` cannot be an extra parameter. A secret does not belong there; leave it out
`empty` is empty. Give it a value, or leave it out
`scope` cannot be an extra parameter. Write instead: --scope SCOPE
`state` cannot be an extra parameter. mcp-authd sends it itself where it belongs; leave it out";
    assert_eq!(problems(&mistaken), expected);
}

#[test]
fn each_mistake_that_stands_alone_is_told_in_the_words_of_the_command() {
    let endpoint = |draft: AccountDraft| AccountDraft { token_endpoint: "https://as.example/t".to_owned(), ..draft };
    let token_file = AccountDraft { token_file: "/t".to_owned(), ..AccountDraft::default() };
    let told = [
        problems(&endpoint(draft("both"))),
        problems(&endpoint(AccountDraft { issuer: String::new(), ..draft("one") })),
        problems(&AccountDraft {
            token_endpoint_auth_method: "none".to_owned(),
            client_secret_file: "/s".to_owned(),
            ..draft("public")
        }),
        problems(&token_file),
        problems(&AccountDraft { name: "t".to_owned(), client_id: "c".to_owned(), ..token_file }),
        problems(&AccountDraft { client_id: "x".repeat(1024 * 1024), ..draft("large") }),
    ];
    let expected = "\
`issuer` and `token_endpoint` cannot stand together. Keep the issuer and leave out the rest; leave out the issuer instead only if the server publishes no metadata (RFC 8414)
`device_authorization_endpoint` is missing. Add: --device-authorization-endpoint URL
a client secret's file and the method \"none\" cannot stand together. Leave out --client-secret-file if the client is a public one, else --token-endpoint-auth-method
the account has no name, and no resource, issuer or provider to make one of. Give one: authctl account add NAME ...
`client_id` cannot stand beside `token_file`, only `scopes` and `resource` may. Leave it out; or leave out --token-file, if the account is to log in
the account is larger than a whole configuration may be, 1 MiB. Check what was given";
    assert_eq!(told.join("\n"), expected);
}

/// An account of a provider, which names its server.
fn of_provider(provider: &str) -> AccountDraft {
    AccountDraft { provider: provider.to_owned(), client_id: "abc".to_owned(), ..AccountDraft::default() }
}

#[test]
fn an_account_of_a_provider_is_described_in_whole() {
    let draft = AccountDraft {
        provider_parameters: [("tenant".to_owned(), "contoso.example".to_owned())].into(),
        flow: "code".to_owned(),
        extra_parameters: [("prompt".to_owned(), "consent".to_owned())].into(),
        ..of_provider("entra")
    };
    let text = written(&draft, "");
    assert_eq!(
        text,
        r#"[accounts.entra]
provider = "entra"
client_id = "abc"
flow = "code"

[accounts.entra.provider_parameters]
tenant = "contoso.example"

[accounts.entra.extra_parameters]
prompt = "consent"
"#
    );
    let inline = r#"entra = { provider = "entra", client_id = "abc", flow = "code", provider_parameters = { tenant = "contoso.example" }, extra_parameters = { prompt = "consent" } }"#;
    assert_eq!(written(&draft, "accounts = {}"), format!("accounts = {{{inline}}}"));
    assert_eq!(parse(&text), parse(&format!("accounts = {{{inline}}}")));

    let documented = AccountDraft {
        client_id: String::new(),
        client_id_metadata_document: "https://me.example/c.json".to_owned(),
        ..self::draft("a")
    };
    let expected = "[accounts.a]\nissuer = \"https://as.example\"\nclient_id_metadata_document = \"https://me.example/c.json\"\n";
    assert_eq!(written(&documented, ""), expected);
}

#[test]
fn an_account_may_name_a_provider_of_the_file_however_it_is_written() {
    let own = "issuer = 'https://own.example'";
    for file in [
        format!("# mine\n[accounts.a]\ntoken_file = '/a'\n[providers.own]\n{own}\n"),
        format!("providers = {{ own = {{ {own} }} }}\n[accounts]\n"),
        format!("providers.own.{own}\n"),
        format!("\u{feff}[providers]\nown.{own}\n[network]\n"),
    ] {
        assert!(parse(&file).is_ok(), "{file}");
        let draft = of_provider("own");
        let described = draft.checked(&file).map_err(|why| format!("{file}: {why}")).unwrap();
        let edited = edit::with(&file, described.naming().first(), &described).unwrap().text;
        let account = parse(&edited).unwrap().accounts.into_values().find(|account| account.name.as_str() == "own").unwrap();
        assert_eq!(account.server_name(), "https://own.example");
    }
    let other = "there is no provider `own`. Take one of these: auth0, entra, github, gitlab, google, keycloak, okta; or describe one in config.toml";
    assert_eq!(problems(&of_provider("own")), other);
}

#[test]
fn each_mistake_with_a_provider_is_told_in_the_words_of_the_command() {
    let parameters = |name: &str| [(name.to_owned(), "x".to_owned())].into();
    let told = [
        problems(&of_provider("entra")),
        problems(&AccountDraft { client_id: String::new(), ..of_provider("google") }),
        problems(&AccountDraft { provider_parameters: parameters("tenat"), ..of_provider("entra") }),
        problems(&AccountDraft { provider_parameters: parameters("x"), ..of_provider("google") }),
        problems(&AccountDraft { provider_parameters: parameters("tenant"), ..draft("a") }),
        problems(&AccountDraft { flow: "browser".to_owned(), ..draft("a") }),
        problems(&AccountDraft { client_id_metadata_document: "https://me.example".to_owned(), ..draft("a") }),
        problems(&AccountDraft { client_id_metadata_document: "https://me.example/c.json".to_owned(), ..draft("a") }),
        problems(&AccountDraft {
            client_id: String::new(),
            token_endpoint_auth_method: "client_secret_post".to_owned(),
            ..draft("a")
        }),
        problems(&AccountDraft { token_file: "/t".to_owned(), client_id: String::new(), ..of_provider("google") }),
    ];
    let expected = "\
the provider `entra` needs `tenant`. Add: --provider-parameter tenant=...
the provider `google` takes only a client that was registered there beforehand. Register one, and add: --client-id ID
the provider `entra` knows no parameter `tenat`, only host, tenant. Correct it, or leave it out
the provider `google` knows no parameter `x`, and no other one. Correct it, or leave it out
`provider_parameters` say nothing without a provider. Add: --provider NAME
`flow` must be device or code (a browser). Give one of them, or leave it out: then the server decides
`client_id_metadata_document` must have a path, as in https://example.com/client.json. Write: --client-id-metadata-document https://example.com/mcp-authd.json
`client_id` and `client_id_metadata_document` cannot stand together. Keep `client_id` if the client was registered at the server, else keep the document
`token_endpoint_auth_method` belongs to a client that was registered beforehand, and none is named. Add: --client-id ID; or leave it out, and mcp-authd registers a client of its own
`provider` cannot stand beside `token_file`, only `scopes` and `resource` may. Leave it out; or leave out --token-file, if the account is to log in";
    assert_eq!(told.join("\n"), expected);
}

#[test]
fn no_mistake_of_a_draft_speaks_of_lines_and_tables_or_repeats_a_secret() {
    let texts =
        ["", " ", "SNTL", "https://u:SNTL@as.example", "https://as.example/#SNTL", "\u{1b}[31m", "a\nb", "\"", "]", "\u{0}", "é"];
    for text in texts.map(str::to_owned) {
        // A name is told as it was given, and is no secret; the same holds for that of a provider.
        let named = if text.contains("SNTL") { "A".to_owned() } else { text.clone() };
        let every = AccountDraft {
            name: named.clone(),
            issuer: text.clone(),
            device_authorization_endpoint: text.clone(),
            token_endpoint: text.clone(),
            revocation_endpoint: text.clone(),
            client_id: text.clone(),
            scopes: vec![String::new()],
            resource: text.clone(),
            audience: text.clone(),
            extra_parameters: [(named.clone(), text.clone()), ("client_secret".to_owned(), text.clone())].into(),
            token_endpoint_auth_method: text.clone(),
            client_secret_file: text.clone(),
            provider: named,
            provider_parameters: [("tenant".to_owned(), text.clone())].into(),
            flow: text.clone(),
            client_id_metadata_document: text.clone(),
            token_file: String::new(),
        };
        let with_token_file = AccountDraft { token_file: text, ..every.clone() };
        let with_a_provider = AccountDraft {
            issuer: String::new(),
            device_authorization_endpoint: String::new(),
            token_endpoint: String::new(),
            revocation_endpoint: String::new(),
            client_id: String::new(),
            provider: "entra".to_owned(),
            ..every.clone()
        };
        for told in [problems(&every), problems(&with_token_file), problems(&with_a_provider)] {
            assert!(!told.contains("line") && !told.contains("[accounts") && !told.contains(" = "), "{told}");
            assert!(!told.chars().any(|c| c.is_control() && c != '\n'), "{told:?}");
            assert!(!told.contains("SNTL"), "{told}");
        }
    }
}

#[test]
fn a_draft_that_holds_is_a_text_that_holds() {
    let text = written(&draft(""), "# mine\n");
    let config = Config::parse(&text, Path::new("c.toml")).unwrap();
    assert_eq!(config.accounts.keys().map(super::AccountName::as_str).collect::<Vec<_>>(), ["as.example"]);
    assert!(text.starts_with("# mine\n\n[accounts.\"as.example\"]\n"));
}
