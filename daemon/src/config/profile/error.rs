//! What can be wrong with a provider: one sentence, and the next step.
//!
//! Must never: repeat a value that may hold a secret.

/// What is wrong with a provider, or with how an account names one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProviderProblem {
    /// Neither in the file nor shipped.
    #[error("there is no provider `{name}`. Known: {known}. Or describe one below a line [providers.NAME]")]
    Unknown {
        /// The name, fit to be printed.
        name: String,
        /// Every name that there is.
        known: String,
    },
    /// A name that no provider can have.
    #[error(
        "`{name}` cannot be a provider: its name is 1 to 200 of a-z, 0-9, '.', '_' and '-', and begins with a letter or a digit"
    )]
    BadName {
        /// The name, fit to be printed.
        name: String,
    },
    /// Another word than the ones that are known.
    #[error("`{key}` must be {choices}. Write one of them, or delete the line")]
    NoSuchChoice {
        /// The key.
        key: &'static str,
        /// The words.
        choices: String,
    },
    /// A number out of its range.
    #[error("`{key}` must be {range}. Correct the number, or delete the line")]
    OutOfRange {
        /// The key.
        key: &'static str,
        /// What it may be.
        range: &'static str,
    },
    /// A key below `parameters` that cannot stand in a URL.
    #[error(
        "`{name}` cannot be a parameter. Use letters, digits, `-` and `_` for its name, and what may stand in a URL for its value"
    )]
    BadParameter {
        /// The name, fit to be printed.
        name: String,
    },
    /// `{NAME}` without such a parameter.
    #[error("`{key}` names {{{name}}}, which is no parameter. Add it below {table}")]
    NoSuchPlaceholder {
        /// The key.
        key: &'static str,
        /// What stands between the braces, fit to be printed.
        name: String,
        /// `[providers.NAME.parameters]`.
        table: String,
    },
    /// A parameter that each account has to give.
    #[error("the provider `{provider}` needs `{name}`. Add: provider_parameters = {{ {name} = \"...\" }}")]
    ParameterMissing {
        /// The provider.
        provider: String,
        /// The parameter.
        name: String,
    },
    /// A parameter that the provider does not know.
    #[error("the provider `{provider}` knows no parameter `{name}`{known}. Correct it, or leave it out")]
    NoSuchParameter {
        /// The provider.
        provider: String,
        /// The parameter, fit to be printed.
        name: String,
        /// Those that it knows, or why it takes none, as the end of a sentence.
        known: String,
    },
    /// Parameters without a provider.
    #[error("`provider_parameters` says nothing without `provider`. Add: provider = \"NAME\"")]
    ParametersAlone,
    /// A path with nothing before it.
    #[error("`{key}` is a path, and there is no `base` before it. Add: base = \"https://...\"")]
    NoBase {
        /// The key.
        key: &'static str,
    },
    /// Nothing is read, and nothing is told.
    #[error("{table} reads no metadata and names no token endpoint. Add: token_endpoint = \"https://...\"")]
    NoTokenEndpoint {
        /// The table.
        table: String,
    },
    /// Metadata of nobody.
    #[error("`discovery = \"metadata\"` needs an issuer to ask. Add: issuer = \"https://...\"")]
    NoIssuer,
    /// Whose endpoints they are cannot be known.
    #[error("the provider `{provider}` names no authorization server. Add: issuer = \"https://...\" (or the endpoints)")]
    NoServer {
        /// The provider.
        provider: String,
    },
    /// A token that would not be sent.
    #[error(
        "only a device authorization request may have no body: the others would not say what they are about. Delete the line"
    )]
    NothingSent,
    /// A parameter that is renamed and left out.
    #[error("`{name}` stands below both `names` and `omit`. Delete it from one of them")]
    RenamedAndOmitted {
        /// The parameter, fit to be printed.
        name: String,
    },
    /// Not names divided by dots.
    #[error("`{key}` is no place in an answer. Write names of members with dots between them: {key} = \"data.accessToken\"")]
    BadPlace {
        /// The member, fit to be printed.
        key: String,
    },
    /// Two redirect URIs.
    #[error("`redirect_port` and `redirect_uri` cannot stand together. Delete one of them")]
    TwoRedirects,
    /// A redirect URI that nobody here would hear of.
    #[error(
        "`redirect_uri` must be http:// on 127.0.0.1, [::1] or localhost, with a port. Write: redirect_uri = \"http://127.0.0.1:8765/callback\""
    )]
    BadRedirect,
    /// There is nothing to be sent.
    #[error("`refresh_sends_redirect_uri` needs an exact one. Add: redirect_uri = \"http://127.0.0.1:...\"")]
    NoRedirectToSend,
    /// A client of a provider that knows none.
    #[error("`{key}` cannot stand here: the provider `{provider}` knows no clients. Delete the line")]
    NoClients {
        /// The key.
        key: &'static str,
        /// The provider.
        provider: String,
    },
    /// A client that nobody can register.
    #[error(
        "the provider `{provider}` takes only a client that was registered there beforehand. Register one, and add: client_id = \"...\""
    )]
    NoClientId {
        /// The provider.
        provider: String,
    },
    /// A status that another rule decides about.
    #[error("`{key}` may hold only statuses {range}. Delete the others")]
    BadStatus {
        /// The key.
        key: &'static str,
        /// Which ones.
        range: &'static str,
    },
    /// A host with more than a host in it.
    #[error("`rewrite_hosts` takes hosts, with a port where there is one. Write: \"wrong.example\" = \"right.example\"")]
    BadHost,
}
