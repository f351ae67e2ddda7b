//! The command of `authctl` that leads to a request, as a person would type it: what follows is told with everything that they said.
//!
//! Must never: put a word into it without quoting it, or leave out what the person has said.

use mcp_authd_oauth::terms::Issuer;
use mcp_authd_proto::shell::word;

use crate::config::AccountDraft;

/// What was typed about a URL.
#[derive(Debug, Clone, Copy)]
pub(super) struct Typed<'t> {
    command: Command,
    url: &'t str,
    said: &'t AccountDraft,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Command {
    Check,
    Add,
}

impl<'t> Typed<'t> {
    /// `authctl provider check`.
    pub(super) fn check(url: &'t str, said: &'t AccountDraft) -> Self {
        Self { command: Command::Check, url, said }
    }

    /// `authctl account add`.
    pub(super) fn add(url: &'t str, said: &'t AccountDraft) -> Self {
        Self { command: Command::Add, url, said }
    }

    /// The same again.
    pub(super) fn again(self) -> String {
        self.with(self.said)
    }

    /// The same with another authorization server.
    pub(super) fn at(self, issuer: &Issuer) -> String {
        self.with(&AccountDraft { issuer: issuer.to_string(), ..self.said.clone() })
    }

    /// The account with all of that.
    pub(super) fn to_add(self) -> String {
        Self { command: Command::Add, ..self }.again()
    }

    /// The account with the client that the person has yet to get.
    pub(super) fn to_add_with_a_client(self) -> String {
        let said = AccountDraft { client_id: "ID".to_owned(), client_id_metadata_document: String::new(), ..self.said.clone() };
        Self { command: Command::Add, ..self }.with(&said)
    }

    /// The account, but for the way that its logins would have to take.
    pub(super) fn to_add_in_any_way(self) -> String {
        Self { command: Command::Add, ..self }.with(&AccountDraft { flow: String::new(), ..self.said.clone() })
    }

    fn with(self, said: &AccountDraft) -> String {
        let mut words: Vec<String> = match self.command {
            Command::Check => vec!["authctl provider check".to_owned()],
            Command::Add => vec!["authctl account add".to_owned()],
        };
        words.extend((!said.name.is_empty() && self.command == Command::Add).then(|| word(&said.name)));
        // A resource that is named as such is sent as it is written, and not as it is published.
        words.extend((said.resource != self.url).then(|| word(self.url)));
        words.extend(options(said));
        words.join(" ")
    }
}

/// Everything but the name, in the order of the command's help.
fn options(said: &AccountDraft) -> Vec<String> {
    let AccountDraft {
        name: _,
        issuer,
        device_authorization_endpoint,
        token_endpoint,
        revocation_endpoint,
        client_id,
        scopes,
        resource,
        audience,
        extra_parameters,
        token_endpoint_auth_method,
        client_secret_file,
        token_file,
        provider,
        provider_parameters,
        flow,
        client_id_metadata_document,
    } = said;
    let one = [
        ("--issuer", issuer),
        ("--device-authorization-endpoint", device_authorization_endpoint),
        ("--token-endpoint", token_endpoint),
        ("--revocation-endpoint", revocation_endpoint),
        ("--provider", provider),
        ("--token-file", token_file),
        ("--client-id", client_id),
        ("--client-id-metadata-document", client_id_metadata_document),
        ("--flow", flow),
        ("--resource", resource),
        ("--audience", audience),
        ("--token-endpoint-auth-method", token_endpoint_auth_method),
        ("--client-secret-file", client_secret_file),
    ];
    let one = one.into_iter().filter(|(_, value)| !value.is_empty()).map(|(name, value)| (name, value.clone()));
    let pairs = |name, pairs: &std::collections::BTreeMap<String, String>| {
        pairs.iter().map(move |(key, value)| (name, format!("{key}={value}"))).collect::<Vec<_>>()
    };
    let scopes = scopes.iter().map(|scope| ("--scope", scope.clone()));
    let many = scopes.chain(pairs("--provider-parameter", provider_parameters)).chain(pairs("--parameter", extra_parameters));
    one.chain(many).map(|(name, value)| format!("{name} {}", word(&value))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "https://mcp.example/mcp?a=$(id)";

    fn pair(key: &str, value: &str) -> std::collections::BTreeMap<String, String> {
        [(key.to_owned(), value.to_owned())].into()
    }

    #[test]
    fn nothing_that_was_said_is_forgotten_and_all_of_it_is_quoted() {
        let said = AccountDraft {
            name: "work".to_owned(),
            client_id: "a b".to_owned(),
            scopes: vec!["a".to_owned(), "b`id`".to_owned()],
            flow: "device".to_owned(),
            extra_parameters: pair("prompt", "consent"),
            provider_parameters: pair("tenant", "x"),
            resource: "https://mcp.example/".to_owned(),
            ..AccountDraft::default()
        };
        let add = Typed::add(URL, &said);
        let url = "'https://mcp.example/mcp?a=$(id)'";
        let rest =
            "--resource https://mcp.example/ --scope a --scope 'b`id`' --provider-parameter tenant=x --parameter prompt=consent";
        assert_eq!(add.again(), format!("authctl account add work {url} --client-id 'a b' --flow device {rest}"));
        assert_eq!(add.to_add_in_any_way(), format!("authctl account add work {url} --client-id 'a b' {rest}"));
        assert_eq!(add.to_add_with_a_client(), format!("authctl account add work {url} --client-id ID --flow device {rest}"));
        let issuer = Issuer::new("https://as.example/;id");
        let at =
            format!("authctl account add work {url} --issuer 'https://as.example/;id' --client-id 'a b' --flow device {rest}");
        assert_eq!(add.at(&issuer), at);
    }

    #[test]
    fn a_check_leads_to_the_account_that_it_was_about_and_a_resource_stays_one() {
        let said = AccountDraft { client_id: "abc".to_owned(), ..AccountDraft::default() };
        let check = Typed::check("https://as.example", &said);
        assert_eq!(check.again(), "authctl provider check https://as.example --client-id abc");
        assert_eq!(check.to_add(), "authctl account add https://as.example --client-id abc");
        let resource = AccountDraft { resource: "https://mcp.example".to_owned(), ..AccountDraft::default() };
        assert_eq!(Typed::add("https://mcp.example", &resource).again(), "authctl account add --resource https://mcp.example");
    }
}
