//! Accounts whose token stands in a file, and clients with a secret: what may be said, and every mistake with its line.

use std::path::Path;

use mcp_authd_oauth::terms::{Scopes, TokenEndpointAuthMethod};

use super::{errors, parse, the_account, with};

#[test]
fn a_token_file_may_stand_with_scopes_and_a_resource() {
    let config = parse(
        "[accounts.ci]\ntoken_file = '/run/secrets/t'\nscopes = ['a']\nresource = 'https://r'\n[accounts.b]\ntoken_file = '/t'\n",
    )
    .unwrap();
    assert!(config.accounts.is_empty());
    let named: Vec<_> = config.token_files.keys().map(super::AccountName::as_str).collect();
    assert_eq!(named, ["b", "ci"]);
    let ci = config.token_files.values().next_back().unwrap();
    assert_eq!(ci.token_file, Path::new("/run/secrets/t"));
    assert_eq!(ci.scopes, Scopes::from_words(["a"]));
    assert_eq!(ci.resource.as_ref().unwrap().as_str(), "https://r");
}

#[test]
fn every_key_of_a_login_beside_a_token_file_is_refused_with_which_to_delete() {
    let keys = [
        ("issuer", "'https://as.example'"),
        ("device_authorization_endpoint", "'https://as.example/d'"),
        ("token_endpoint", "'https://as.example/t'"),
        ("revocation_endpoint", "'https://as.example/r'"),
        ("client_id", "'c'"),
        ("audience", "'a'"),
        ("extra_parameters", "{ prompt = 'consent' }"),
        ("token_endpoint_auth_method", "'none'"),
        ("client_secret_file", "'/s'"),
    ];
    for (key, value) in keys {
        assert_eq!(
            errors(&format!("[accounts.ci]\ntoken_file = '/t'\n{key} = {value}")),
            format!(
                "c.toml:3: `{key}` cannot stand beside `token_file`. Delete `{key}`, as only `scopes` and `resource` may stand there; \
                 or delete `token_file`, if the account is to log in"
            )
        );
    }
    assert_eq!(
        errors("[accounts.ci]\ntoken_file = '/t'\nclient_secret = 'x'\nscope = []\nresource = 'x'"),
        "c.toml:3: a client secret does not belong in this file, and an account with `token_file` needs none. Delete the line\n\
         c.toml:4: `scope` is no key of [accounts.ci]. Did you mean `scopes`?\n\
         c.toml:5: `resource` must be an absolute URI (RFC 8707, section 2). Write: resource = \"https://...\""
    );
}

#[test]
fn a_path_is_absolute_and_one_line() {
    for (path, told) in [
        ("'token'", "must be an absolute path, without `~` and `$HOME`. Write: token_file = \"/...\""),
        ("'~/token'", "must be an absolute path, without `~` and `$HOME`. Write: token_file = \"/...\""),
        ("\"/a\\u001bb\"", "holds control characters. Type the value again by hand"),
        ("''", "is empty. Give it a value, or delete the line"),
    ] {
        assert_eq!(errors(&format!("[accounts.ci]\ntoken_file = {path}")), format!("c.toml:2: `token_file` {told}"));
    }
    assert_eq!(
        errors("[accounts.ci]\ntoken_file = 1"),
        "c.toml:2: `token_file` must be a string, not an integer. Write: token_file = \"...\""
    );
}

#[test]
fn a_client_may_say_how_it_authenticates_and_where_its_secret_stands() {
    let login = "[accounts.a]\nissuer = 'https://as.example'\nclient_id = 'c'\n";
    let plain = the_account(login);
    assert_eq!((plain.token_endpoint_auth_method, plain.client_secret_file), (None, None));
    for method in TokenEndpointAuthMethod::ALL {
        let account = the_account(&format!("{login}token_endpoint_auth_method = '{}'", method.as_str()));
        assert_eq!(account.token_endpoint_auth_method, Some(method));
    }
    // The file need not be there: only who sends the secret reads it.
    let account = the_account(&format!("{login}client_secret_file = '/nowhere/secret'"));
    assert_eq!(account.client_secret_file.as_deref(), Some(Path::new("/nowhere/secret")));
}

#[test]
fn every_mistake_about_a_client_has_its_own_sentence() {
    let unknown = "c.toml:4: `token_endpoint_auth_method` must be \"none\", \"client_secret_basic\" or \"client_secret_post\" (RFC 7591, \
                   section 2). Write one of them, or delete the line";
    for method in ["'private_key_jwt'", "'None'"] {
        assert_eq!(with(&format!("token_endpoint_auth_method = {method}")), unknown);
    }
    assert_eq!(
        with("token_endpoint_auth_method = 'none'\nclient_secret_file = '/s'"),
        "c.toml:5: `client_secret_file` and token_endpoint_auth_method = \"none\" cannot stand together. Delete `client_secret_file` if \
         the client is a public one, else delete `token_endpoint_auth_method`"
    );
    assert_eq!(
        with("client_secret_file = 's'\ntoken_endpoint_auth_metod = 'none'"),
        "c.toml:4: `client_secret_file` must be an absolute path, without `~` and `$HOME`. Write: client_secret_file = \"/...\"\n\
         c.toml:5: `token_endpoint_auth_metod` is no key of [accounts.a]. Did you mean `token_endpoint_auth_method`?"
    );
}
