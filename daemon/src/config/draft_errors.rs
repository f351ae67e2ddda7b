//! What is wrong with an account that a person described by command, in the words of the command.
//!
//! Must never: speak of lines and tables. Whoever typed `authctl account add` has seen no file.

use std::fmt::{self, Write};

use super::error::{Instead, Problem};
use super::profile::ProviderProblem;

/// Everything that is wrong with one draft. Displays one sentence with its next step a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DraftErrors {
    /// At least one.
    pub problems: Vec<Problem>,
}

impl DraftErrors {
    /// Each problem in the words of the command.
    pub fn sentences(&self) -> impl Iterator<Item = String> {
        self.problems.iter().map(sentence)
    }
}

impl fmt::Display for DraftErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.sentences().enumerate().try_for_each(|(index, sentence)| {
            if index > 0 {
                f.write_char('\n')?;
            }
            f.write_str(&sentence)
        })
    }
}

impl std::error::Error for DraftErrors {}

/// The problem where its own words would speak of the file; else those.
fn sentence(problem: &Problem) -> String {
    match problem {
        Problem::Missing { key, .. } => format!("`{key}` is missing. Add: {}", option(key)),
        Problem::NoServer { .. } => {
            "no authorization server is named. Add: --issuer URL (or --provider NAME; or, where the server publishes no metadata, \
             --device-authorization-endpoint URL --token-endpoint URL)"
                .to_owned()
        }
        Problem::TwoServers { endpoints } => format!(
            "`issuer` and {endpoints} cannot stand together. Keep the issuer and leave out the rest; leave out the issuer instead \
             only if the server publishes no metadata (RFC 8414)"
        ),
        Problem::Empty { key } => format!("`{key}` is empty. Give it a value, or leave it out"),
        Problem::BadScope { word, .. } => format!(
            "{word} is not a scope: one word of printable ASCII without spaces, \" and \\ (RFC 6749, 3.3). Give each with a \
             --scope of its own"
        ),
        Problem::ResourceNotAbsolute => {
            "`resource` must be an absolute URI (RFC 8707, section 2). Write: --resource https://...".to_owned()
        }
        Problem::ReservedParameter { name, instead } => {
            let instead = match instead {
                Instead::OwnKey(_) => format!("Write instead: {}", option(name)),
                Instead::Secret => "A secret does not belong there; leave it out".to_owned(),
                Instead::Nothing => "mcp-authd sends it itself where it belongs; leave it out".to_owned(),
            };
            format!("`{name}` cannot be an extra parameter. {instead}")
        }
        Problem::BadName { name, why, example } => {
            let other = example.trim_start_matches("[accounts.").trim_end_matches(']').trim_matches('"');
            let other = if other == "NAME" { String::new() } else { format!(", for example: {other}") };
            format!("`{name}` cannot be an account: {why}. Take another name{other}")
        }
        Problem::Unnamed => {
            "the account has no name, and no resource, issuer or provider to make one of. Give one: authctl account add NAME ...".to_owned()
        }
        Problem::UnknownAuthMethod => {
            "`token_endpoint_auth_method` must be none, client_secret_basic or client_secret_post (RFC 7591, \
                                       section 2). Give one of them, or leave it out"
                .to_owned()
        }
        Problem::SecretOfAPublicClient => "a client secret's file and the method \"none\" cannot stand together. Leave out \
                                           --client-secret-file if the client is a public one, else --token-endpoint-auth-method"
            .to_owned(),
        Problem::PathNotAbsolute { key } => format!("`{key}` must be an absolute path. Write: {}", option(key)),
        Problem::BesideTokenFile { key } => format!(
            "`{key}` cannot stand beside `token_file`, only `scopes` and `resource` may. Leave it out; or leave out --token-file, \
             if the account is to log in"
        ),
        Problem::WithoutClientId { key } => format!(
            "`{key}` belongs to a client that was registered beforehand, and none is named. Add: --client-id ID; or leave it out, and \
             mcp-authd registers a client of its own"
        ),
        Problem::UnknownFlow => {
            "`flow` must be device or code (a browser). Give one of them, or leave it out: then the server decides".to_owned()
        }
        Problem::BadDocument(why) => format!(
            "`client_id_metadata_document` {why}. Write: --client-id-metadata-document https://example.com/mcp-authd.json"
        ),
        Problem::Provider(problem) => of_provider(problem),
        Problem::TooLarge => "the account is larger than a whole configuration may be, 1 MiB. Check what was given".to_owned(),
        in_its_own_words => in_its_own_words.to_string(),
    }
}

fn of_provider(problem: &ProviderProblem) -> String {
    match problem {
        ProviderProblem::Unknown { name, known } => {
            format!("there is no provider `{name}`. Take one of these: {known}; or describe one in config.toml")
        }
        ProviderProblem::ParametersAlone => {
            "`provider_parameters` say nothing without a provider. Add: --provider NAME".to_owned()
        }
        ProviderProblem::ParameterMissing { provider, name } => {
            format!("the provider `{provider}` needs `{name}`. Add: --provider-parameter {name}=...")
        }
        ProviderProblem::NoServer { provider } => format!(
            "the provider `{provider}` names no authorization server. Add: --issuer URL (or --device-authorization-endpoint URL \
             --token-endpoint URL)"
        ),
        ProviderProblem::NoClients { key, provider } => {
            format!("`{key}` cannot stand here: the provider `{provider}` knows no clients. Leave it out")
        }
        ProviderProblem::NoClientId { provider } => format!(
            "the provider `{provider}` takes only a client that was registered there beforehand. Register one, and add: --client-id ID"
        ),
        in_its_own_words => in_its_own_words.to_string(),
    }
}

/// A key of the file as `authctl account add` takes it.
fn option(key: &str) -> String {
    match key {
        "client_id" => "--client-id ID".to_owned(),
        "scope" => "--scope SCOPE".to_owned(),
        "audience" => "--audience AUDIENCE".to_owned(),
        "resource" => "--resource URI".to_owned(),
        "token_file" | "client_secret_file" => format!("--{} /...", key.replace('_', "-")),
        _ => format!("--{} URL", key.replace('_', "-")),
    }
}
