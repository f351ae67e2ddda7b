//! What a configuration may say, and every error with its exact line and text.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use mcp_authd_oauth::terms::Scopes;

use super::*;

mod arbitrary;
mod changes;
mod desktop;
mod drafts;
mod edits;
mod manual;
mod own_endpoints;
mod provider_views;
mod providers;
mod races;
mod token_files;
mod writing;

fn parse(text: &str) -> Result<Config, ConfigErrors> {
    Config::parse(text, Path::new("c.toml"))
}

/// The errors of a whole text, one a line.
fn errors(text: &str) -> String {
    parse(text).expect_err("an error").to_string()
}

/// The errors of a good account with more lines, which begin at line 4.
fn with(lines: &str) -> String {
    errors(&format!("[accounts.a]\nissuer = \"https://as.example\"\nclient_id = \"c\"\n{lines}"))
}

fn the_account(text: &str) -> AccountConfig {
    let config = parse(text).expect("no error");
    config.accounts.values().next().expect("an account").as_ref().clone()
}

#[test]
fn everything_may_be_said() {
    let account = the_account(
        r#"
        # A comment.
        [accounts.github]
        issuer = "https://auth.example.com/tenant/"
        client_id = "abc"
        scopes = ["b", "a:read", "a:read"]
        resource = "https://mcp.example.com/mcp?x=1"
        audience = "api://default"
        [accounts.github.extra_parameters]
        prompt = "consent"
        "#,
    );
    assert_eq!(account.name.as_str(), "github");
    let ServerConfig::Issuer(issuer) = &account.server else { panic!("an issuer") };
    assert_eq!(issuer.as_str(), "https://auth.example.com/tenant/");
    assert_eq!(account.client.shown(), "abc");
    assert_eq!(account.scopes, Scopes::from_words(["a:read", "b"]));
    assert_eq!(account.resource.unwrap().as_str(), "https://mcp.example.com/mcp?x=1");
    assert_eq!(account.audience.unwrap().as_str(), "api://default");
    assert_eq!(account.extra_parameters, [("prompt".to_owned(), "consent".to_owned())].into());
}

#[test]
fn an_issuer_and_a_resource_are_kept_byte_for_byte() {
    for issuer in
        ["https://as.example", "https://AS.example:443/", "HTTPS://as.example/a//b", "http://localhost:1", "http://[::1]:1/x"]
    {
        let account = the_account(&format!("[accounts.a]\nissuer = '{issuer}'\nclient_id = 'c'\nresource = '{issuer}'"));
        assert_eq!(account.server_name(), issuer);
        assert_eq!(account.resource.unwrap().as_str(), issuer);
    }
}

#[test]
fn endpoints_may_stand_in_the_place_of_an_issuer_and_may_hold_a_query() {
    let text = r#"
        [accounts.a]
        client_id = "c"
        device_authorization_endpoint = "https://as.example/device?v=2"
        token_endpoint = "http://127.0.0.1:8080/token"
    "#;
    let ServerConfig::Endpoints { device_authorization_endpoint, token_endpoint, revocation_endpoint } = the_account(text).server
    else {
        panic!("endpoints")
    };
    assert_eq!(device_authorization_endpoint.as_str(), "https://as.example/device?v=2");
    assert_eq!(token_endpoint.as_str(), "http://127.0.0.1:8080/token");
    assert_eq!(revocation_endpoint, None);
}

#[test]
fn an_account_may_be_written_with_dotted_keys_or_inline() {
    let dotted = "accounts.a.issuer = 'https://as.example'\naccounts.a.client_id = 'c'";
    let inline = "[accounts]\na = { issuer = 'https://as.example', client_id = 'c' }";
    assert_eq!(the_account(dotted), the_account(inline));
}

#[test]
fn an_empty_text_has_no_account_and_is_a_file() {
    let config = parse("").unwrap();
    assert_eq!((config.origin, config.accounts.len()), (Origin::File, 0));
}

#[test]
fn every_error_is_told_at_once_with_its_line() {
    let text = r#"
acounts = 1
[accounts.GitHub]
isuer = "https://as.example"
scopes = "repo gist"
[accounts.github]
issuer = "http://as.example"
client_id = 7
resource = "mcp.example.com"
colour = "blue"
[accounts.github.extra_parameters]
scope = "x"
"#;
    let expected = "\
c.toml:2: `acounts` is no key of the top of the file. Did you mean `accounts`?
c.toml:3: `GitHub` cannot be an account: an account's name is 1 to 200 of a-z, 0-9, '.', '_' and '-', and begins with a letter or a digit. Write: [accounts.github]
c.toml:3: [accounts.GitHub] names no authorization server. Add: issuer = \"https://...\" (or, where the server publishes no metadata, device_authorization_endpoint and token_endpoint)
c.toml:3: [accounts.GitHub] has no `client_id`. Add: client_id = \"...\"
c.toml:4: `isuer` is no key of [accounts.GitHub]. Did you mean `issuer`?
c.toml:5: `scopes` must be an array of strings, not one string. Write: scopes = [\"repo\", \"gist\"]
c.toml:6: the account `github` differs from `GitHub` (line 3) only in letter case or spaces. Keep one of the two
c.toml:7: `issuer` must begin with https:// (http:// only on loopback). Copy the URL again from the server's documentation
c.toml:8: `client_id` must be a string, not an integer. Write: client_id = \"...\"
c.toml:9: `resource` must be an absolute URI (RFC 8707, section 2). Write: resource = \"https://...\"
c.toml:10: `colour` is no key of [accounts.github]. Known here: `issuer`, `authorization_endpoint`, `device_authorization_endpoint`, `token_endpoint`, `revocation_endpoint`, `pkce`, `client_id`, `client_id_metadata_document`, `flow`, `scopes`, `resource`, `audience`, `extra_parameters`, `token_endpoint_auth_method`, `client_secret_file`, `provider`, `provider_parameters`, `token_file`
c.toml:12: `scope` cannot be an extra parameter. Use the account's own key: scopes = [\"...\"]";
    assert_eq!(errors(text), expected);
}

#[test]
fn a_client_secret_is_refused_with_the_place_where_it_belongs() {
    for key in ["client_secret", "client-secret", "clientSecret", "secret"] {
        let told = with(&format!("{key} = 'SNTL_CS_1'"));
        let expected = "c.toml:4: a client secret does not belong in this file. Delete the line, and give the secret on \
                        standard input to: authctl account set-secret a (or, on a managed machine, name its file: \
                        client_secret_file = \"/...\")";
        assert_eq!(told, expected);
    }
    assert!(with("[accounts.a.extra_parameters]\nclient_secret = 'SNTL_CS_1'").ends_with(
        "c.toml:5: `client_secret` cannot be an extra parameter. A secret does not belong in this file; delete the line"
    ));
}

#[test]
fn no_error_repeats_a_secret() {
    let texts = [
        "client_secret = 'SNTL'",
        "client_secret = ['SNTL']",
        "audience = 'SNTL\\n'\naudience = 2",
        "resource = 'https://x/#SNTL'",
        "[accounts.b]\nissuer = 'https://u:SNTL@as.example'\nclient_id = 'SNTL\u{e9}'",
        "[accounts.a.extra_parameters]\nrefresh_token = 'SNTL'\nx = \"SNTL\\u0001\"",
        "client_secret = \"SNTL",
        "client_secret = SNTL",
    ];
    for text in texts {
        let told = with(text);
        assert!(!told.contains("SNTL"), "{told}");
    }
}

#[test]
fn an_issuer_and_endpoints_together_are_refused_with_which_to_keep() {
    assert_eq!(
        with("token_endpoint = 'https://as.example/token'\nrevocation_endpoint = 'ftp://as.example'"),
        "c.toml:4: `issuer` and `token_endpoint`, `revocation_endpoint` cannot stand together. Keep `issuer` and delete the rest; \
         delete `issuer` instead only if the server publishes no metadata (RFC 8414)\n\
         c.toml:5: `revocation_endpoint` must begin with https:// (http:// only on loopback). Copy the URL again from the server's \
         documentation"
    );
}

#[test]
fn one_endpoint_alone_names_the_other() {
    assert_eq!(
        errors("[accounts.a]\nclient_id = 'c'\ntoken_endpoint = 'https://as.example/token'"),
        "c.toml:1: [accounts.a] has no `device_authorization_endpoint`. Add: device_authorization_endpoint = \"https://...\""
    );
    assert_eq!(
        errors("[accounts.a]\nclient_id = 'c'\ndevice_authorization_endpoint = 'https://as.example/device'"),
        "c.toml:1: [accounts.a] has no `token_endpoint`. Add: token_endpoint = \"https://...\""
    );
}

#[test]
fn every_bad_issuer_has_its_own_sentence() {
    let again = ". Copy the URL again from the server's documentation";
    let told = |issuer: &str| errors(&format!("[accounts.a]\nissuer = '{issuer}'\nclient_id = 'c'"));
    let cases = [
        (
            "https://as.example/?tenant=1",
            "`issuer` must not hold a query (RFC 8414, section 2). Delete it from the `?` on".to_owned(),
        ),
        (
            "https://as.example/.well-known/openid-configuration",
            "`issuer` is the address of a metadata document. Copy the member \"issuer\" out of that document instead".to_owned(),
        ),
        ("https://as.example/#x", format!("`issuer` must not hold a fragment{again}")),
        ("https://me@as.example", format!("`issuer` must not hold a user name or a password{again}")),
        ("https://as.example/a b", format!("`issuer` holds characters that no URL may hold{again}")),
        ("as.example", format!("`issuer` is not an absolute URL{again}")),
        ("https:as.example", format!("`issuer` is not an absolute URL{again}")),
        ("javascript:alert(1)", format!("`issuer` must begin with https:// (http:// only on loopback){again}")),
        ("http://as.example", format!("`issuer` must begin with https:// (http:// only on loopback){again}")),
        ("", "`issuer` is empty. Give it a value, or delete the line".to_owned()),
    ];
    for (issuer, expected) in cases {
        assert_eq!(told(issuer), format!("c.toml:2: {expected}"), "{issuer}");
    }
}

#[test]
fn every_bad_value_has_its_own_sentence() {
    let cases = [
        (
            "scopes = ['']",
            "\"\" is not a scope: one word of printable ASCII without spaces, \" and \\ (RFC 6749, 3.3). Correct or delete it",
        ),
        (
            "scopes = [\n'a b']",
            "\"a b\" is not a scope: one word of printable ASCII without spaces, \" and \\ (RFC 6749, 3.3). Write: \"a\", \"b\"",
        ),
        ("scopes = \"\"", "`scopes` must be an array of strings, not one string. Write: scopes = [\"...\"]"),
        (
            "scopes = ['a', 1]",
            "`scopes` must be an array of strings, not an array with an integer in it. Write: scopes = [\"...\"]",
        ),
        ("scopes = true", "`scopes` must be an array of strings, not a boolean. Write: scopes = [\"...\"]"),
        ("resource = 'https://x/#y'", "`resource` must not hold a fragment (RFC 8707, section 2). Delete it from the `#` on"),
        (
            "resource = 'https:///x'",
            "`resource` must be an absolute URI (RFC 8707, section 2). Write: resource = \"https://...\"",
        ),
        (
            "resource = 'https://x/a b'",
            "`resource` must be an absolute URI (RFC 8707, section 2). Write: resource = \"https://...\"",
        ),
        ("audience = ''", "`audience` is empty. Give it a value, or delete the line"),
        ("audience = \"a\\tb\"", "`audience` holds control characters. Type the value again by hand"),
        ("audience = 1979-05-27", "`audience` must be a string, not a date or a time. Write: audience = \"...\""),
        (
            "extra_parameters = 1.5",
            "`extra_parameters` must be a table of strings, not a float. Write: [accounts.a.extra_parameters]",
        ),
        (
            "extra_parameters = { \"a b\" = 'c' }",
            "`a b` cannot be the name of a parameter. Use letters, digits, `-`, `.` and `_` (RFC 6749, 8.2)",
        ),
        ("extra_parameters = { x = 1 }", "`x` must be a string, not an integer. Write: x = \"...\""),
        (
            "extra_parameters = { GRANT_TYPE = 'c' }",
            "`GRANT_TYPE` cannot be an extra parameter. mcp-authd sends it itself where it belongs; delete the line",
        ),
        ("scope = ['a']", "`scope` is no key of [accounts.a]. Did you mean `scopes`?"),
        ("Client-ID = 'a'", "`Client-ID` is no key of [accounts.a]. Did you mean `client_id`?"),
        (
            "\"\\u001b[31m\" = 1",
            "`\\u{1b}[31m` is no key of [accounts.a]. Known here: `issuer`, `authorization_endpoint`, `device_authorization_endpoint`, `token_endpoint`, \
             `revocation_endpoint`, `pkce`, `client_id`, `client_id_metadata_document`, `flow`, `scopes`, `resource`, `audience`, `extra_parameters`, \
             `token_endpoint_auth_method`, `client_secret_file`, `provider`, `provider_parameters`, `token_file`",
        ),
    ];
    for (line, expected) in cases {
        let at = if line.contains("[\n") { 5 } else { 4 };
        assert_eq!(with(line), format!("c.toml:{at}: {expected}"), "{line}");
    }
}

#[test]
fn a_resource_need_not_be_a_web_address() {
    for resource in ["urn:example:x", "api://5f2c/x", "https://x"] {
        let text = format!("[accounts.a]\nissuer = 'https://as.example'\nclient_id = 'c'\nresource = '{resource}'");
        assert_eq!(the_account(&text).resource.unwrap().as_str(), resource);
    }
}

#[test]
fn a_client_id_is_printable_ascii() {
    let told = |id: &str| errors(&format!("[accounts.a]\nissuer = 'https://as.example'\nclient_id = \"{id}\""));
    assert_eq!(told("  "), "c.toml:3: `client_id` is empty. Give it a value, or delete the line");
    let bad =
        "c.toml:3: `client_id` holds something else than printable ASCII. Copy it again from where the client was registered";
    assert_eq!(told("a\\u00e9"), bad);
    assert_eq!(told("a\\n"), bad);
}

#[test]
fn misplaced_tables_are_told_where_they_belong() {
    let cases = [
        ("[github]\nissuer = 'x'", "c.toml:1: `github` is no key of the top of the file. Write the account as [accounts.github]"),
        ("issuer = 'x'", "c.toml:1: `issuer` is no key of the top of the file. Move it below a line [accounts.NAME]"),
        ("[account.github]", "c.toml:1: `account` is no key of the top of the file. Did you mean `accounts`?"),
        ("accounts = 3", "c.toml:1: `accounts` must be a table for each account, not an integer. Write: [accounts.NAME]"),
        ("[[accounts]]", "c.toml:1: `accounts` must be a table for each account, not an array of tables. Write: [accounts.NAME]"),
        ("\n[accounts]\ngithub = 'x'", "c.toml:3: `github` must be a table, not a string. Write: [accounts.github]"),
    ];
    for (text, expected) in cases {
        assert_eq!(errors(text), expected);
    }
    assert!(
        errors("[accounts.my.server]\nclient_id = 'c'")
            .contains("c.toml:1: `server` is no key of [accounts.my]. If the name has a dot, quote it: [accounts.\"my.server\"]")
    );
}

#[test]
fn names_that_differ_only_in_case_are_one() {
    let account = |name: &str| format!("[accounts.{name}]\nissuer = 'https://as.example'\nclient_id = 'c'\n");
    let told = errors(&format!("{}{}", account("git"), account("\"Git \"")));
    assert_eq!(
        told,
        "c.toml:4: the account `Git ` differs from `git` (line 1) only in letter case or spaces. Keep one of the two"
    );
}

#[test]
fn a_syntax_error_is_one_error_with_its_line() {
    assert_eq!(
        errors("[accounts.a]\nclient_id = \"c\nissuer = 1"),
        "c.toml:2: this is not TOML: invalid basic string, expected `\"`. Correct it first; nothing else was checked"
    );
    assert_eq!(
        with("client_id = \"again\""),
        "c.toml:4: this is not TOML: duplicate key. Correct it first; nothing else was checked"
    );
    assert_eq!(with("[accounts.a]"), "c.toml:4: this is not TOML: duplicate key. Correct it first; nothing else was checked");
}

#[test]
fn bytes_that_are_no_text_are_refused_with_their_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.toml");
    let shown = path.display();
    fs::write(&path, b"# good\n# \xff\n").unwrap();
    assert_eq!(
        Config::load(&path).unwrap_err().to_string(),
        format!("{shown}:2: the text is not UTF-8 from here on. Save the file as UTF-8")
    );
    fs::write(&path, "# good\n\n\0").unwrap();
    assert_eq!(
        Config::load(&path).unwrap_err().to_string(),
        format!("{shown}:3: a NUL byte stands here. Save the file as plain text")
    );
    fs::write(&path, "#".repeat(1024 * 1024 + 1)).unwrap();
    assert_eq!(
        Config::load(&path).unwrap_err().to_string(),
        format!("{shown}: the file is larger than 1 MiB. Check that it is the right file")
    );
    fs::write(&path, "#".repeat(1024 * 1024)).unwrap();
    assert!(Config::load(&path).is_ok());
}

#[test]
fn a_missing_file_is_no_error_and_is_told_from_an_empty_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("no folder/config.toml");
    let config = Config::load(&path).unwrap();
    assert_eq!((config.origin, config.accounts.len(), config.path), (Origin::Missing, 0, path));
}

#[test]
fn what_is_no_file_is_refused_and_never_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let not_a_file = "this is not a regular file. Put the configuration into a file of this name";
    assert_eq!(Config::load(folder.path()).unwrap_err().to_string(), format!("{}: {not_a_file}", folder.path().display()));

    let fifo = folder.path().join("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    assert_eq!(Config::load(&fifo).unwrap_err().to_string(), format!("{}: {not_a_file}", fifo.display()));

    let link = folder.path().join("link");
    symlink("nowhere", &link).unwrap();
    assert_eq!(
        Config::load(&link).unwrap_err().to_string(),
        format!("{}: this is a symbolic link to nothing. Repair the link, or delete it to run without accounts", link.display())
    );
}

#[test]
fn a_file_that_others_may_write_is_refused_together_with_what_it_says() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("my config.toml");
    fs::write(&path, "x = 1").unwrap();
    for mode in [0o664, 0o602] {
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        let shown = path.display();
        assert_eq!(
            Config::load(&path).unwrap_err().to_string(),
            format!(
                "{shown}: the group or others may write this file, and could send your logins elsewhere. Run: chmod go-w '{shown}'\n\
                 {shown}:1: `x` is no key of the top of the file. Known here: `accounts`, `desktop`, `network`, `providers`"
            )
        );
    }
    fs::write(&path, "").unwrap();
    assert_eq!(Config::load(&path).unwrap_err().errors.len(), 1);
    fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    assert!(Config::load(&path).is_ok(), "others may read");
}

#[test]
fn the_network_has_further_trust_and_a_proxy() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    fs::write(at("ca.pem"), "-----BEGIN CERTIFICATE-----\n").unwrap();
    fs::write(at("key.der"), "0").unwrap();
    let config = parse(&format!("[network]\nca_file = \"{}\"\nproxy = \"http://proxy.example:3128\"\n", at("ca.pem")));
    let network = config.expect("no error").network;
    assert_eq!(network.certificates.as_deref(), Some("-----BEGIN CERTIFICATE-----\n"));
    assert_eq!(network.proxy.unwrap().as_str(), "http://proxy.example:3128");
    let said = |name: &str| errors(&format!("[network]\nca_file = \"{}\"\n", at(name)));
    assert!(said("key.der").starts_with("c.toml:2: `ca_file` holds no certificate in PEM form."));
    assert!(said("none.pem").starts_with("c.toml:2: `ca_file` cannot be read: No such file"));
    assert!(said("").starts_with("c.toml:2: `ca_file` cannot be read: it is not a regular file"));
    assert_eq!(
        errors("[network]\nca_file = \"x.pem\"\nproxy = \"http://me:secret@proxy.example\"\nproxi = 1\n[netwrok]\n"),
        "c.toml:2: `ca_file` must be an absolute path. Write: ca_file = \"/etc/ssl/my-company.pem\"\n\
         c.toml:3: `proxy` must be the URL of an HTTP proxy without a user name. Write: proxy = \"http://proxy.example:3128\"\n\
         c.toml:4: `proxi` is no key of [network]. Did you mean `proxy`?\n\
         c.toml:5: `netwrok` is no key of the top of the file. Did you mean `network`?"
    );
}
