//! The authorization endpoint (RFC 6749, 3.1 and 4.1): who asks, what the person says, and the code that goes back through the
//! browser; then that code at the token endpoint (4.1.3), with PKCE by S256 and nothing else (RFC 7636, 4.6).
//!
//! Must never: send a browser to anything but loopback, or take a code twice.

use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use url::Url;

use super::answer::Answer;
use super::asked::{Asked, Parameters};
use super::book::{Book, GrantTerms};
use super::page::{self, Asks};
use super::settings::{AuthorizationResponses, IssParameter, Offer};
use crate::sentinel;

/// One authorization request, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Authorization {
    request: Request,
    course: Course,
}

/// What a browser has brought (RFC 6749, 4.1.1; RFC 7636, 4.3; RFC 8707, 2.1).
#[derive(Debug, Clone, PartialEq, Eq)]
struct Request {
    client_id: String,
    redirect_uri: String,
    scopes: Vec<String>,
    resource: Option<String>,
    state: Option<String>,
    challenge: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Course {
    /// For the person.
    Waiting,
    /// The person has said no, or the browser was sent back with no code.
    Over,
    /// A code is out.
    Issued { code: String, subject: String, expires: Instant },
    /// It was traded in for this grant.
    Redeemed { code: String, grant: usize },
}

/// Why a request comes to nobody's eyes.
enum Refused {
    /// Not even the way back can be trusted (RFC 6749, 4.1.2.1).
    Here(&'static str),
    /// Told to the client.
    There { redirect_uri: String, state: Option<String>, error: &'static str },
}

/// GET shows, POST answers.
pub(super) fn answer(book: &mut Book, asked: &Asked, now: Instant) -> Answer {
    if book.settings.code_grant == Offer::No {
        return Answer::text(404, "text/plain", "There is nothing here.\n".to_owned());
    }
    let request = match Request::read(&asked.query) {
        Ok(request) => request,
        Err(refused) => {
            book.counts.authorizations_refused += 1;
            return match refused {
                Refused::Here(why) => page::told(400, "This login cannot begin", why),
                Refused::There { redirect_uri, state, error } => {
                    let state = state.map(|state| ("state", state));
                    let pairs = [("error", error.to_owned())].into_iter().chain(state);
                    sent_back(book, &redirect_uri, pairs)
                }
            };
        }
    };
    let found = book.note(request);
    match (asked.method.as_str(), &book.authorizations[found].course) {
        (_, Course::Over | Course::Issued { .. } | Course::Redeemed { .. }) => {
            page::told(409, "This login was answered already", "Start it again in your program.")
        }
        ("GET" | "HEAD", Course::Waiting) => book.authorizations[found].request.shown(&book.settings.subject),
        ("POST", Course::Waiting) => answered(book, found, asked, now),
        _ => page::told(405, "This page only takes GET and POST", ""),
    }
}

fn answered(book: &mut Book, found: usize, asked: &Asked, now: Instant) -> Answer {
    let request = book.authorizations[found].request.clone();
    let pairs = match asked.form.one("answer") {
        Some("approve") => {
            book.counts.approvals += 1;
            let subject = asked.form.one("subject").unwrap_or(&book.settings.subject).to_owned();
            book.approved(found, subject, now)
        }
        Some("deny") => {
            book.counts.denials += 1;
            book.authorizations[found].course = Course::Over;
            vec![("error", "access_denied".to_owned())]
        }
        _ => return page::told(400, "Choose Approve or Deny", "Go back to the page before."),
    };
    if book.settings.responses == AuthorizationResponses::None {
        return page::told(500, "Something went wrong", "The server could not go on with this login.");
    }
    let state = request.state.map(|state| match book.settings.responses {
        // Of the same length and letters.
        AuthorizationResponses::OtherState => state.chars().rev().collect(),
        _ => state,
    });
    sent_back(book, &request.redirect_uri, pairs.into_iter().chain(state.map(|state| ("state", state))))
}

/// The browser goes back (RFC 6749, 4.1.2), with the issuer as the settings have it (RFC 9207, section 2).
fn sent_back(book: &Book, redirect_uri: &str, pairs: impl IntoIterator<Item = (&'static str, String)>) -> Answer {
    let mut location = Url::parse(redirect_uri).expect("it was read before");
    location.query_pairs_mut().extend_pairs(pairs);
    match &book.settings.iss {
        IssParameter::Own => drop(location.query_pairs_mut().append_pair("iss", &book.issuer)),
        IssParameter::Other(other) => drop(location.query_pairs_mut().append_pair("iss", other)),
        IssParameter::Missing => {}
    }
    page::told(303, "Back to your program", "Your browser goes on.").with_header("location", location)
}

impl Request {
    fn read(query: &Parameters) -> Result<Self, Refused> {
        let named = |name: &str| query.one(name).map(str::to_owned);
        let Some(client_id) = named("client_id").filter(|_| !query.has_doubles()) else {
            return Err(Refused::Here("It does not say properly who asks."));
        };
        let Some(redirect_uri) = named("redirect_uri").filter(|uri| leads_to_loopback(uri)) else {
            return Err(Refused::Here("Its way back does not lead to this machine."));
        };
        let state = named("state");
        if let Some(state) = &state {
            sentinel::learn(state, "a state");
        }
        let refused = |error| Refused::There { redirect_uri: redirect_uri.clone(), state: state.clone(), error };
        if query.one("response_type") != Some("code") {
            return Err(refused("unsupported_response_type"));
        }
        let challenge = named("code_challenge").filter(|_| query.one("code_challenge_method") == Some("S256"));
        let Some(challenge) = challenge else { return Err(refused("invalid_request")) };
        let scopes = query.one("scope").unwrap_or_default().split_whitespace().map(str::to_owned).collect();
        Ok(Self { client_id, redirect_uri, scopes, resource: named("resource"), state, challenge })
    }

    fn shown(&self, subject: &str) -> Answer {
        let asks = Asks { client_id: &self.client_id, scopes: &self.scopes, resource: self.resource.as_deref(), subject };
        page::approve_or_deny(&asks, &self.redirect_uri)
    }
}

/// RFC 8252, 7.3: plain http, to this machine.
fn leads_to_loopback(uri: &str) -> bool {
    let is_loopback = |url: &Url| matches!(url.host_str(), Some("127.0.0.1" | "[::1]" | "localhost"));
    Url::parse(uri).is_ok_and(|url| url.scheme() == "http" && url.fragment().is_none() && is_loopback(&url))
}

impl Book {
    /// The number of this request: a page that is opened again is the same one.
    fn note(&mut self, request: Request) -> usize {
        if let Some(found) = self.authorizations.iter().position(|known| known.request == request) {
            return found;
        }
        self.counts.authorizations_started += 1;
        self.authorizations.push(Authorization { request, course: Course::Waiting });
        self.authorizations.len() - 1
    }

    /// What goes back of a login that was approved.
    fn approved(&mut self, found: usize, subject: String, now: Instant) -> Vec<(&'static str, String)> {
        let error = match self.settings.responses {
            AuthorizationResponses::Error(error) => Some(error),
            AuthorizationResponses::CodeAndError => Some("server_error"),
            _ => None,
        };
        if let AuthorizationResponses::Error(error) = self.settings.responses {
            self.authorizations[found].course = Course::Over;
            return vec![("error", error.to_owned())];
        }
        let code = self.mint("AC");
        self.counts.codes_issued += 1;
        self.authorizations[found].course =
            Course::Issued { code: code.clone(), subject, expires: now + self.settings.code_life };
        let error = error.map(|error| ("error", error.to_owned()));
        [("code", code)].into_iter().chain(error).collect()
    }

    /// A code is traded in (RFC 6749, 4.1.3; RFC 7636, 4.6; RFC 8707, 2.2).
    pub(super) fn exchange(&mut self, asked: &Asked, now: Instant) -> Answer {
        let (Some(presented), Some(verifier)) = (asked.form.one("code"), asked.form.one("code_verifier")) else {
            return self.token_error("invalid_request");
        };
        let found = self.authorizations.iter().position(|known| known.course.code() == Some(presented));
        let Some(Authorization { request, course }) = found.map(|found| self.authorizations[found].clone()) else {
            return self.token_error("invalid_grant");
        };
        let (code, subject, expires) = match course {
            Course::Issued { code, subject, expires } => (code, subject, expires),
            Course::Redeemed { grant, .. } => {
                self.counts.codes_reused += 1;
                self.counts.families_revoked += u64::from(self.end_grant(grant));
                return self.token_error("invalid_grant");
            }
            Course::Waiting | Course::Over => return self.token_error("invalid_grant"),
        };
        let is_the_same = asked.client_id() == Some(request.client_id.as_str())
            && asked.form.one("redirect_uri") == Some(request.redirect_uri.as_str())
            && URL_SAFE_NO_PAD.encode(Sha256::digest(verifier)) == request.challenge;
        if !is_the_same || now >= expires {
            return self.token_error("invalid_grant");
        }
        if asked.form.one("resource") != request.resource.as_deref() {
            return self.token_error("invalid_target");
        }
        let grant = self.next_grant();
        if let Some(known) = found.and_then(|found| self.authorizations.get_mut(found)) {
            known.course = Course::Redeemed { code, grant };
        }
        self.counts.codes_redeemed += 1;
        let Request { client_id, scopes, resource, .. } = request;
        self.start_grant(GrantTerms { subject, client_id, scopes, resource }, now)
    }
}

impl Course {
    fn code(&self) -> Option<&str> {
        match self {
            Self::Issued { code, .. } | Self::Redeemed { code, .. } => Some(code),
            Self::Waiting | Self::Over => None,
        }
    }
}
