//! Which changes of an account end its login.

use super::{AccountConfig, Change, the_account};

const BY_ISSUER: &str = "issuer = 'https://as.example'\n";
const BY_ENDPOINTS: &str = "token_endpoint = 'https://as.example/t'\ndevice_authorization_endpoint = 'https://as.example/d'\n";
const REST: &str = "client_id = 'c'\nscopes = ['a']\nresource = 'https://r'\naudience = 'a'\ntoken_endpoint_auth_method = \
                    'client_secret_post'\nclient_secret_file = '/s'\nextra_parameters = { prompt = 'consent' }\n";

fn account(server: &str, rest: &str) -> AccountConfig {
    the_account(&format!("[accounts.a]\n{server}{rest}"))
}

#[test]
fn what_a_token_was_issued_for_decides() {
    let table = [
        (BY_ISSUER, "https://as.example", "https://as.example/", Change::SecurityRelevant),
        (BY_ISSUER, "client_id = 'c'", "client_id = 'd'", Change::SecurityRelevant),
        (BY_ISSUER, "resource = 'https://r'", "resource = 'https://r/'", Change::SecurityRelevant),
        (BY_ISSUER, "resource = 'https://r'\n", "", Change::SecurityRelevant),
        (BY_ISSUER, "audience = 'a'", "audience = 'b'", Change::SecurityRelevant),
        (BY_ISSUER, "audience = 'a'\n", "", Change::SecurityRelevant),
        (BY_ISSUER, BY_ISSUER, BY_ENDPOINTS, Change::SecurityRelevant),
        (BY_ENDPOINTS, "https://as.example/t", "https://as.example/u", Change::SecurityRelevant),
        (BY_ENDPOINTS, "https://as.example/d", "https://as.example/e", Change::Mild),
        (BY_ENDPOINTS, "client_id", "revocation_endpoint = 'https://as.example/r'\nclient_id", Change::Mild),
        (BY_ISSUER, "['a']", "['a', 'b']", Change::Mild),
        (BY_ISSUER, "consent", "none", Change::Mild),
        (BY_ISSUER, "client_secret_post", "client_secret_basic", Change::Mild),
        (BY_ISSUER, "'/s'", "'/t'", Change::Mild),
        (BY_ISSUER, "client_secret_file = '/s'\n", "", Change::Mild),
        (BY_ISSUER, "['a']", "['a', 'a']", Change::Same),
        (BY_ISSUER, "client_id = 'c'", "# comment\nclient_id = \"c\"", Change::Same),
    ];
    for (server, from, to, expected) in table {
        let old = account(server, REST);
        let text = format!("{server}{REST}");
        assert!(text.contains(from), "{from}");
        let new = account("", &text.replacen(from, to, 1));
        assert_eq!(old.change_to(&new), expected, "{from:?} to {to:?}");
        assert_eq!(new.change_to(&old), expected, "{to:?} to {from:?}");
    }
}

#[test]
fn a_mild_change_beside_a_relevant_one_does_not_hide_it() {
    let old = account(BY_ISSUER, "client_id = 'c'\nscopes = ['a']");
    assert_eq!(old.change_to(&account(BY_ISSUER, "client_id = 'd'\nscopes = ['b']")), Change::SecurityRelevant);
}
