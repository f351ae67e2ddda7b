//! What can be wrong with a configuration: each with its line, one sentence, and the next step.
//!
//! Must never: repeat a value that may hold a secret (a URL, a client secret), or print control characters from the file.

use std::fmt::{self, Write};
use std::path::{Path, PathBuf};

use mcp_authd_oauth::endpoint::InvalidEndpoint;
use mcp_authd_oauth::registration::NotAClientIdUrl;

use super::account::InvalidName;
use super::profile::ProviderProblem;

/// Everything that is wrong with one file. Displays each as `PATH:LINE: sentence. Next step`, one a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigErrors {
    /// The file.
    pub path: PathBuf,
    /// At least one, in the order of their lines.
    pub errors: Vec<ConfigError>,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// Counted from 1. `None`: the whole file.
    pub line: Option<usize>,
    /// What is wrong there.
    pub problem: Problem,
}

impl ConfigErrors {
    pub(super) fn none(path: &Path) -> Self {
        Self { path: path.to_owned(), errors: Vec::new() }
    }

    pub(super) fn one(path: &Path, line: Option<usize>, problem: Problem) -> Self {
        Self::none(path).with(ConfigError { line, problem })
    }

    pub(super) fn is_too_large(&self) -> bool {
        self.errors.iter().any(|error| error.problem == Problem::TooLarge)
    }

    pub(super) fn with(mut self, error: ConfigError) -> Self {
        self.errors.push(error);
        self.errors.sort_by_key(|error| error.line);
        self
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = printable(&self.path.to_string_lossy());
        self.errors.iter().enumerate().try_for_each(|(index, error)| {
            if index > 0 {
                f.write_char('\n')?;
            }
            match error.line {
                Some(line) => write!(f, "{path}:{line}: {}", error.problem),
                None => write!(f, "{path}: {}", error.problem),
            }
        })
    }
}

impl std::error::Error for ConfigErrors {}

/// What is wrong: a sentence, then the next step.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The operating system refused.
    #[error("the file cannot be read: {0}. Make it readable for the user who runs mcp-authd")]
    Unreadable(String),
    /// A folder, a device, a FIFO.
    #[error("this is not a regular file. Put the configuration into a file of this name")]
    NotAFile,
    /// A link whose target is not there.
    #[error("this is a symbolic link to nothing. Repair the link, or delete it to run without accounts")]
    DanglingLink,
    /// More than 1 MiB.
    #[error("the file is larger than 1 MiB. Check that it is the right file")]
    TooLarge,
    /// Not text.
    #[error("the text is not UTF-8 from here on. Save the file as UTF-8")]
    NotUtf8,
    /// Not text either.
    #[error("a NUL byte stands here. Save the file as plain text")]
    NulByte,
    /// Others could choose the server that the person logs in to.
    #[error("the group or others may write this file, and could send your logins elsewhere. Run: chmod go-w {path}")]
    WritableByOthers {
        /// Fit for a shell.
        path: String,
    },
    /// Not TOML. Nothing else can be checked then.
    #[error("this is not TOML: {0}. Correct it first; nothing else was checked")]
    Syntax(String),
    /// A key that nobody reads.
    #[error("`{key}` is no key of {table}. {hint}")]
    UnknownKey {
        /// The key, fit to be printed.
        key: String,
        /// Where it stands.
        table: String,
        /// What may be meant.
        hint: Hint,
    },
    /// A value of another type.
    #[error("`{key}` must be {expected}, not {found}. Write: {example}")]
    WrongType {
        /// The key, fit to be printed.
        key: String,
        /// What it must be.
        expected: &'static str,
        /// What it is.
        found: &'static str,
        /// How it is written.
        example: String,
    },
    /// A required key.
    #[error("{table} has no `{key}`. Add: {example}")]
    Missing {
        /// The table.
        table: String,
        /// The key.
        key: &'static str,
        /// How it is written.
        example: &'static str,
    },
    /// A key with nothing in it.
    #[error("`{key}` is empty. Give it a value, or delete the line")]
    Empty {
        /// The key, fit to be printed.
        key: String,
    },
    /// Control characters in a value.
    #[error("`{key}` holds control characters. Type the value again by hand")]
    ControlCharacters {
        /// The key, fit to be printed.
        key: String,
    },
    /// Neither an issuer nor endpoints.
    #[error(
        "{table} names no authorization server. Add: issuer = \"https://...\" (or, where the server publishes no metadata, \
         device_authorization_endpoint and token_endpoint)"
    )]
    NoServer {
        /// The table.
        table: String,
    },
    /// Both an issuer and endpoints.
    #[error(
        "`issuer` and {endpoints} cannot stand together. Keep `issuer` and delete the rest; delete `issuer` instead only if \
         the server publishes no metadata (RFC 8414)"
    )]
    TwoServers {
        /// The endpoints that are given.
        endpoints: String,
    },
    /// Nobody says that the server of an endpoint of the account's own does PKCE (D24).
    #[error(
        "`authorization_endpoint` needs to know that the server does PKCE with S256, which no metadata says here (RFC 7636, \
         4.2). Where its documentation says so, add: pkce = \"assumed\""
    )]
    PkceUnsaid,
    /// A URL that no request may go to (D3, D4).
    #[error("`{key}` {why}. Copy the URL again from the server's documentation")]
    BadUrl {
        /// The key.
        key: &'static str,
        /// The end of the sentence.
        why: InvalidEndpoint,
    },
    /// RFC 8414, section 2.
    #[error("`issuer` must not hold a query (RFC 8414, section 2). Delete it from the `?` on")]
    IssuerWithQuery,
    /// The document's address in the place of the issuer's.
    #[error("`issuer` is the address of a metadata document. Copy the member \"issuer\" out of that document instead")]
    IssuerIsMetadata,
    /// RFC 6749, appendix A.1.
    #[error("`client_id` holds something else than printable ASCII. Copy it again from where the client was registered")]
    BadClientId,
    /// Both a client and a document that stands in for one.
    #[error(
        "`client_id` and `client_id_metadata_document` cannot stand together. Keep `client_id` if the client was registered at \
         the server, else keep the document"
    )]
    TwoClients,
    /// Not a Client ID Metadata Document's URL.
    #[error("`client_id_metadata_document` {0}. Write: client_id_metadata_document = \"https://example.com/mcp-authd.json\"")]
    BadDocument(NotAClientIdUrl),
    /// A document needs metadata that says that the server takes one.
    #[error(
        "`client_id_metadata_document` needs an `issuer`, whose metadata says whether it takes one. Write `issuer` in the place of \
         the endpoints, or `client_id` in the place of the document"
    )]
    DocumentWithoutIssuer,
    /// A secret or a method of a client that is not named.
    #[error(
        "`{key}` belongs to a client that was registered beforehand, and there is no `client_id`. Write: client_id = \"...\"; or \
         delete `{key}`, and mcp-authd registers a client of its own"
    )]
    WithoutClientId {
        /// The key.
        key: String,
    },
    /// A way that there is not.
    #[error("`flow` must be \"device\" or \"code\" (a browser). Write one of them, or delete the line: then the server decides")]
    UnknownFlow,
    /// A secret in a file that is read by others.
    #[error(
        "a client secret does not belong in this file. Delete the line, and give the secret on standard input to: \
         authctl account set-secret {account} (or, on a managed machine, name its file: client_secret_file = \"/...\")"
    )]
    ClientSecret {
        /// The account.
        account: String,
    },
    /// A secret beside a token.
    #[error("a client secret does not belong in this file, and an account with `token_file` needs none. Delete the line")]
    ClientSecretBesideTokenFile,
    /// RFC 7591, section 2.
    #[error(
        "`token_endpoint_auth_method` must be \"none\", \"client_secret_basic\" or \"client_secret_post\" (RFC 7591, section 2). \
         Write one of them, or delete the line"
    )]
    UnknownAuthMethod,
    /// A public client has no secret.
    #[error(
        "`client_secret_file` and token_endpoint_auth_method = \"none\" cannot stand together. Delete `client_secret_file` if \
         the client is a public one, else delete `token_endpoint_auth_method`"
    )]
    SecretOfAPublicClient,
    /// A relative path would depend on where the daemon was started.
    #[error("`{key}` must be an absolute path, without `~` and `$HOME`. Write: {key} = \"/...\"")]
    PathNotAbsolute {
        /// The key.
        key: &'static str,
    },
    /// A key of a login where there is none.
    #[error(
        "`{key}` cannot stand beside `token_file`. Delete `{key}`, as only `scopes` and `resource` may stand there; or delete \
         `token_file`, if the account is to log in"
    )]
    BesideTokenFile {
        /// The key.
        key: &'static str,
    },
    /// Nothing to make a name of.
    #[error("the account has no name, and no resource, issuer or provider to make one of. Write: [accounts.NAME]")]
    Unnamed,
    /// Words in one string.
    #[error("`scopes` must be an array of strings, not one string. Write: scopes = [{words}]")]
    ScopesInOneString {
        /// The same words as they are written.
        words: String,
    },
    /// Not a scope-token (RFC 6749, 3.3).
    #[error("{word} is not a scope: one word of printable ASCII without spaces, \" and \\ (RFC 6749, 3.3). {next}")]
    BadScope {
        /// The word, quoted and fit to be printed.
        word: String,
        /// What to write in its place.
        next: String,
    },
    /// RFC 8707, section 2.
    #[error("`resource` must be an absolute URI (RFC 8707, section 2). Write: resource = \"https://...\"")]
    ResourceNotAbsolute,
    /// RFC 8707, section 2.
    #[error("`resource` must not hold a fragment (RFC 8707, section 2). Delete it from the `#` on")]
    ResourceWithFragment,
    /// RFC 6749, 8.2.
    #[error("`{name}` cannot be the name of a parameter. Use letters, digits, `-`, `.` and `_` (RFC 6749, 8.2)")]
    BadParameterName {
        /// The name, fit to be printed.
        name: String,
    },
    /// A parameter that mcp-authd sends itself.
    #[error("`{name}` cannot be an extra parameter. {instead}")]
    ReservedParameter {
        /// The name, fit to be printed.
        name: String,
        /// What to do instead.
        instead: Instead,
    },
    /// A relative path would depend on where the daemon was started.
    #[error("`ca_file` must be an absolute path. Write: ca_file = \"/etc/ssl/my-company.pem\"")]
    CaFileNotAbsolute,
    /// The operating system refused.
    #[error("`ca_file` cannot be read: {0}. Correct the path, or make the file readable for the user who runs mcp-authd")]
    CaFileUnreadable(String),
    /// Another kind of file.
    #[error("`ca_file` holds no certificate in PEM form. Convert it with: openssl x509 -in FILE -out FILE.pem")]
    CaFileNotPem,
    /// Not an HTTP proxy, or one with a password in its URL (D64).
    #[error("`proxy` must be the URL of an HTTP proxy without a user name. Write: proxy = \"http://proxy.example:3128\"")]
    BadProxy,
    /// A provider.
    #[error(transparent)]
    Provider(ProviderProblem),
    /// A name that no account can have.
    #[error("`{name}` cannot be an account: {why}. Write: {example}")]
    BadName {
        /// The name, fit to be printed.
        name: String,
        /// The rule.
        why: InvalidName,
        /// A name that would do.
        example: String,
    },
    /// Two names that a person takes for one.
    #[error("the account `{name}` differs from `{other}` (line {line}) only in letter case or spaces. Keep one of the two")]
    NameTwice {
        /// The later one, fit to be printed.
        name: String,
        /// The earlier one, fit to be printed.
        other: String,
        /// Where the earlier one stands.
        line: usize,
    },
}

/// What to do in the place of an extra parameter that may not be one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Instead {
    /// The account has a key for it.
    OwnKey(&'static str),
    /// It is a secret, wherever it is sent.
    Secret,
    /// Set by the flow, or a parameter of another request.
    Nothing,
}

impl fmt::Display for Instead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OwnKey(example) => write!(f, "Use the account's own key: {example}"),
            Self::Secret => f.write_str("A secret does not belong in this file; delete the line"),
            Self::Nothing => f.write_str("mcp-authd sends it itself where it belongs; delete the line"),
        }
    }
}

/// What may be meant by a key that nobody reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hint {
    /// The nearest known key.
    DidYouMean(&'static str),
    /// No known key is near: these are all.
    Known(&'static [&'static str]),
    /// A table of an account outside `accounts`.
    AccountTable(String),
    /// A key of an account outside any account.
    BelowAnAccount,
    /// A name with dots that TOML took for nested tables.
    QuoteTheName(String),
}

impl fmt::Display for Hint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DidYouMean(key) => write!(f, "Did you mean `{key}`?"),
            Self::Known(keys) => {
                let keys: Vec<_> = keys.iter().map(|key| format!("`{key}`")).collect();
                write!(f, "Known here: {}", keys.join(", "))
            }
            Self::AccountTable(name) => write!(f, "Write the account as [accounts.{name}]"),
            Self::BelowAnAccount => f.write_str("Move it below a line [accounts.NAME]"),
            Self::QuoteTheName(name) => write!(f, "If the name has a dot, quote it: [accounts.\"{name}\"]"),
        }
    }
}

/// Text from the file, fit for a terminal: short, and without control, bidi or other invisible characters (D19).
pub(super) fn printable(text: &str) -> String {
    const LONGEST: usize = 256;
    let mut out = String::new();
    for (index, c) in text.chars().enumerate() {
        if index == LONGEST {
            out.push_str("...");
            break;
        }
        match c {
            ' '..='~' => out.push(c),
            c if c.is_alphanumeric() => out.push(c),
            c => out.extend(c.escape_unicode()),
        }
    }
    out
}

/// A path as a shell takes it.
pub(super) fn shell_word(path: &Path) -> String {
    let text = path.to_string_lossy();
    let plain = !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "/._-+@%:,".contains(c));
    if plain { text.into_owned() } else { format!("'{}'", printable(&text).replace('\'', r"'\''")) }
}
