//! A token that somebody else has obtained, for a CI job without a daemon: read from the environment, or from a file that it names.
//!
//! Must never: show the token in `Debug` or in an error, connect to a daemon or start one, or hand out what cannot stand in a
//! header (RFC 6750, 2.1).

use std::ffi::OsString;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::clock::Clock;
use crate::error::quoted;
use crate::need::{Need, Request, Target};
use crate::token::{Account, Answer, Reason, Refusal, Secret, Token, TokenParts};

/// The variable that holds the token itself.
pub const TOKEN_VARIABLE: &str = "MCP_AUTHD_STATIC_TOKEN";

/// The variable that names the file of the token.
pub const FILE_VARIABLE: &str = "MCP_AUTHD_STATIC_TOKEN_FILE";

/// The account of a static token where none was asked for by name.
pub const ACCOUNT: &str = "static";

/// The largest file of a token, in bytes.
pub const FILE_LIMIT: usize = 16 * 1024;

/// A token from outside, and where it stands.
///
/// With one of these variables set, [`Client::find`](crate::Client::find) answers every need with this token, connects to nothing and
/// starts nothing:
///
/// - `MCP_AUTHD_STATIC_TOKEN`: the token. Everything that can read this process's environment can read it; in CI prefer the file.
/// - `MCP_AUTHD_STATIC_TOKEN_FILE`: the path of a regular file of at most 16 KiB (it may be reached by a symlink). It is read again
///   at each use, so a token that is replaced there is used from then on. One line break at its end is dropped.
///
/// An empty variable counts as unset; both set is an error. The token is written as RFC 6750, section 2.1, has it (`b64token`).
///
/// Nothing else is known about such a token: its life ([`Token::remaining`](crate::Token::remaining)) and its scopes are unknown,
/// `scopes` and `min_validity` of a need are not judged, and its revision is 0. It is said to belong to the account that was asked
/// for by name, else to an account named "static"; to the resource that was asked for, if one was.
#[derive(Clone)]
pub struct StaticToken(Place);

/// Where it stands.
#[derive(Clone)]
enum Place {
    Variable(Secret),
    File(PathBuf),
}

/// Why a static token cannot be used. No variant holds anything of the token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StaticTokenError {
    /// Both variables are set.
    #[error("{TOKEN_VARIABLE} and {FILE_VARIABLE} are both set, and only one may be; drop one: unset {TOKEN_VARIABLE}")]
    Both,
    /// What the variable holds is no token (RFC 6750, 2.1).
    #[error(
        "{TOKEN_VARIABLE} does not hold a bearer token (RFC 6750, 2.1: letters, digits and -._~+/ with = at the end); set it to the token alone, or: unset {TOKEN_VARIABLE}"
    )]
    NoTokenInVariable,
    /// What the file holds is no token (RFC 6750, 2.1).
    #[error("the file {} does not hold a bearer token (RFC 6750, 2.1: letters, digits and -._~+/ with = at the end); write the token alone into it, or: unset {FILE_VARIABLE}", path.display())]
    NoTokenInFile {
        /// The file.
        path: PathBuf,
    },
    /// It is a directory, a pipe, a device.
    #[error("{}, which {FILE_VARIABLE} names, is not a regular file; look at it with: ls -l {}", path.display(), quoted(path))]
    NotAFile {
        /// What the variable names.
        path: PathBuf,
    },
    /// It is larger than [`FILE_LIMIT`].
    #[error(
        "the file {}, which {FILE_VARIABLE} names, is larger than {FILE_LIMIT} bytes, so it is no token; look at it with: ls -l {}",
        path.display(),
        quoted(path)
    )]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// The kernel does not let us read it.
    #[error("cannot read the file {}, which {FILE_VARIABLE} names: {why}; look at it with: ls -l {}", path.display(), quoted(path))]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The kernel's words.
        why: String,
    },
}

impl StaticToken {
    /// The static token that the environment names, if it names one. A file is not read yet.
    ///
    /// # Errors
    /// A [`StaticTokenError`] where both variables are set, or the first holds no token.
    pub fn find() -> Result<Option<Self>, StaticTokenError> {
        Self::from_environment(|name| std::env::var_os(name))
    }

    pub(crate) fn from_environment(variable: impl Fn(&str) -> Option<OsString>) -> Result<Option<Self>, StaticTokenError> {
        let set = |name| variable(name).filter(|value| !value.is_empty());
        match (set(TOKEN_VARIABLE), set(FILE_VARIABLE)) {
            (None, None) => Ok(None),
            (Some(_), Some(_)) => Err(StaticTokenError::Both),
            (Some(token), None) => {
                let token = Zeroizing::new(token.into_encoded_bytes());
                let secret = secret(&token).ok_or(StaticTokenError::NoTokenInVariable)?;
                Ok(Some(Self(Place::Variable(secret))))
            }
            // A program that changes its directory later still means the same file.
            (None, Some(path)) => {
                let path = PathBuf::from(path);
                Ok(Some(Self(Place::File(std::path::absolute(&path).unwrap_or(path)))))
            }
        }
    }

    /// The token as it stands there now.
    ///
    /// # Errors
    /// A [`StaticTokenError`] that names the file.
    pub fn read(&self) -> Result<Secret, StaticTokenError> {
        match &self.0 {
            Place::Variable(token) => Ok(token.clone()),
            Place::File(path) => read(path),
        }
    }

    /// The variable that it comes from.
    #[must_use]
    pub fn variable(&self) -> &'static str {
        match self.0 {
            Place::Variable(_) => TOKEN_VARIABLE,
            Place::File(_) => FILE_VARIABLE,
        }
    }

    /// The file that it is read from, if it stands in one.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match &self.0 {
            Place::Variable(_) => None,
            Place::File(path) => Some(path),
        }
    }

    /// The answer to a request: the token.
    pub(crate) fn answer(&self, request: &Request, clock: &Clock) -> Result<Answer, StaticTokenError> {
        let resource = match &request.need.target {
            Target::Resource(uri) => Some(uri.clone()),
            Target::Account(_) | Target::OnlyAccount => None,
        };
        Ok(Answer::UseToken(Token(Arc::new(TokenParts {
            secret: self.read()?,
            account: account(&request.need),
            revision: 0,
            resource,
            scopes: Vec::new(),
            ends: None,
            request: request.clone(),
            clock: clock.clone(),
        }))))
    }

    /// The answer to a report that a token was rejected: another one, if there is another one now.
    pub(crate) fn better_than(&self, rejected: &Token, clock: &Clock) -> Result<Answer, StaticTokenError> {
        match self.answer(&rejected.0.request, clock)? {
            Answer::UseToken(token) if token.sha256() == rejected.sha256() => Ok(Answer::GiveUp(self.refusal(rejected))),
            other => Ok(other),
        }
    }

    fn refusal(&self, rejected: &Token) -> Refusal {
        let next_step = match self.path() {
            None => format!("set {TOKEN_VARIABLE} to a new token and start again"),
            Some(path) => format!("write a new token to {} ({FILE_VARIABLE})", path.display()),
        };
        Refusal {
            account: Some(rejected.account().to_owned()),
            reason: Reason::TokenRejected,
            message: format!("The static token from {} was rejected, and nothing here can renew it.", self.variable()),
            next_step,
            retry_after: None,
        }
    }

    /// The only account that there is.
    pub(crate) fn account() -> Account {
        Account { name: ACCOUNT.to_owned(), issuer: String::new(), resources: Vec::new(), scopes: Vec::new() }
    }

    /// Names what stands there now without telling it.
    pub(crate) fn fingerprint(&self) -> Result<[u8; 32], StaticTokenError> {
        Ok(Sha256::digest(self.read()?.expose().as_bytes()).into())
    }
}

impl fmt::Debug for StaticToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StaticToken").field("variable", &self.variable()).field("path", &self.path()).finish_non_exhaustive()
    }
}

/// The account of an answer is the one that was asked for, so that who compares the two finds them equal.
fn account(need: &Need) -> String {
    match &need.target {
        Target::Account(name) => name.clone(),
        Target::Resource(_) | Target::OnlyAccount => ACCOUNT.to_owned(),
    }
}

fn read(path: &Path) -> Result<Secret, StaticTokenError> {
    let unreadable = |error: io::Error| StaticTokenError::Unreadable { path: path.to_owned(), why: error.to_string() };
    let file = open(path).map_err(unreadable)?;
    if !file.metadata().map_err(unreadable)?.is_file() {
        return Err(StaticTokenError::NotAFile { path: path.to_owned() });
    }
    // Room for everything at once: a vector that grows leaves copies behind.
    let mut content = Zeroizing::new(Vec::with_capacity(FILE_LIMIT + 2));
    file.take(FILE_LIMIT as u64 + 1).read_to_end(&mut content).map_err(unreadable)?;
    if content.len() > FILE_LIMIT {
        return Err(StaticTokenError::TooLarge { path: path.to_owned() });
    }
    let line = content.strip_suffix(b"\r\n").or_else(|| content.strip_suffix(b"\n")).unwrap_or(&content);
    secret(line).ok_or_else(|| StaticTokenError::NoTokenInFile { path: path.to_owned() })
}

/// A pipe without a writer must not hold us: it is opened without waiting, and judged by what was opened.
fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags(nix::libc::O_NONBLOCK | nix::libc::O_NOCTTY).open(path)
}

/// RFC 6750, 2.1: `b64token = 1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="`.
fn secret(bytes: &[u8]) -> Option<Secret> {
    let text = std::str::from_utf8(bytes).ok()?;
    let body = text.trim_end_matches('=');
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
    (!body.is_empty() && body.bytes().all(allowed)).then(|| Secret::new(text.to_owned()))
}
