//! The protected resource: what it says without a token, where it says more (RFC 9728), and what it serves.

use std::time::Instant;

use serde_json::json;

use super::answer::{Answer, Members, Spoilt, member};
use super::asked::Asked;
use super::book::{Book, Worth};

/// Its path.
pub(super) const RESOURCE: &str = "/resource";
const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";
const ELSEWHERE: &str = "/about/the/resource.json";

/// What the protected resource says about itself.
#[derive(Debug, Clone)]
pub struct Protected {
    /// Where its metadata can be read. Empty: nowhere, as before RFC 9728.
    pub metadata: Vec<MetadataPlace>,
    /// What comes with a 401.
    pub challenge: Challenge,
    /// The `scope` of the challenge (RFC 6750, section 3).
    pub challenge_scope: Option<String>,
    /// `scopes_supported` of its metadata; empty: left out.
    pub scopes: Vec<String>,
    /// Done to its metadata: another `resource`, other `authorization_servers` ...
    pub answers: Vec<Spoilt>,
}

impl Default for Protected {
    /// Its metadata stands where RFC 9728 says, and its challenge says so.
    fn default() -> Self {
        Self {
            metadata: vec![MetadataPlace::WithPath],
            challenge: Challenge::NamesMetadata,
            challenge_scope: None,
            scopes: Vec::new(),
            answers: Vec::new(),
        }
    }
}

/// A place of its metadata.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetadataPlace {
    /// `/.well-known/oauth-protected-resource/resource` (RFC 9728, 3.1).
    WithPath,
    /// `/.well-known/oauth-protected-resource`.
    AtRoot,
    /// A place that only the challenge knows (RFC 9728, 5.1).
    Elsewhere,
}

/// What comes with a 401.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Challenge {
    /// `Bearer`, with the first place of the metadata.
    NamesMetadata,
    /// `Bearer`, and no place.
    Bare,
    /// No challenge at all, against RFC 9110, 11.6.1.
    Missing,
}

impl MetadataPlace {
    const ALL: [Self; 3] = [Self::WithPath, Self::AtRoot, Self::Elsewhere];

    fn path(self) -> String {
        match self {
            Self::WithPath => format!("{WELL_KNOWN}{RESOURCE}"),
            Self::AtRoot => WELL_KNOWN.to_owned(),
            Self::Elsewhere => ELSEWHERE.to_owned(),
        }
    }

    fn at(path: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|place| place.path() == path)
    }
}

/// Whether metadata of the resource may be there.
pub(super) fn is_metadata(path: &str) -> bool {
    MetadataPlace::at(path).is_some()
}

/// RFC 9728, section 2.
pub(super) fn metadata(book: &Book, asked: &Asked) -> Answer {
    let protected = &book.settings.protected;
    if !MetadataPlace::at(&asked.path).is_some_and(|place| protected.metadata.contains(&place)) {
        return Answer::text(404, "text/plain", "No metadata here.\n".to_owned());
    }
    let mut members: Members = vec![
        member("resource", format!("{}{RESOURCE}", origin(book))),
        member("authorization_servers", json!([book.issuer])),
        member("bearer_methods_supported", json!(["header"])),
    ];
    if !protected.scopes.is_empty() {
        members.push(member("scopes_supported", json!(protected.scopes)));
    }
    Answer::json(200, members).spoilt(&protected.answers)
}

/// A protected resource (RFC 6750, section 3). `?need=SCOPE` asks for a scope.
pub(super) fn resource(book: &mut Book, asked: &Asked, now: Instant) -> Answer {
    let Some(presented) = asked.bearer.as_deref() else {
        let scope = book.settings.protected.challenge_scope.as_ref().map(|scope| format!("scope=\"{scope}\""));
        return challenged(book, Answer::error(401, "no_token"), scope);
    };
    match book.worth(presented, now) {
        Worth::Nothing => challenged(book, Answer::error(401, "invalid_token"), Some("error=\"invalid_token\"".to_owned())),
        Worth::Serves { subject, scopes } => match asked.query.one("need") {
            Some(need) if !scopes.iter().any(|scope| scope == need) => {
                let said = format!("error=\"insufficient_scope\", scope=\"{need}\"");
                challenged(book, Answer::error(403, "insufficient_scope"), Some(said))
            }
            _ => Answer::json(200, vec![member("sub", subject), member("scope", scopes.join(" "))]),
        },
    }
}

fn challenged(book: &Book, answer: Answer, said: Option<String>) -> Answer {
    let protected = &book.settings.protected;
    let place = protected.metadata.first().filter(|_| protected.challenge == Challenge::NamesMetadata);
    let place = place.map(|place| format!("resource_metadata=\"{}{}\"", origin(book), place.path()));
    let said: Vec<String> = said.into_iter().chain(place).collect();
    match protected.challenge {
        Challenge::Missing => answer,
        _ => answer.with_header("www-authenticate", format!("Bearer {}", said.join(", ")).trim_end().to_owned()),
    }
}

fn origin(book: &Book) -> &str {
    book.issuer.strip_suffix(book.settings.issuer_path.as_str()).unwrap_or(&book.issuer)
}
