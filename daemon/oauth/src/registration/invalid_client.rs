//! What follows when a server does not know its client any more: `invalid_client` (RFC 6749, 5.2; D46).
//!
//! Servers prune clients that were registered dynamically. Then a new registration and one login mend it; a refresh token of the old
//! client cannot be carried over. Must never: lead to a loop, or blame a client that another login has replaced already.

use std::time::Duration;

use super::attempts;
use super::choice::{AskForClient, Candidates, WhyAsk};
use super::kept::{Registration, Standing};
use crate::terms::ClientId;
use crate::time::Now;

/// The client that a request used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UsedClient<'a> {
    /// The configured one.
    PreRegistered,
    /// The configured metadata document.
    MetadataDocument,
    /// One that we registered ourselves.
    Registered(&'a ClientId),
    /// The same, in the one login that followed an `invalid_client`.
    RegisteredAnew(&'a ClientId),
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AfterInvalidClient {
    /// Keep this in the place of what is kept, before anything else. `None`: nothing to change.
    pub keep: Option<Registration>,
    /// Then.
    pub login: NextLogin,
}

/// Whether there is a login that can mend it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NextLogin {
    /// One login, whose client is chosen anew. Where a refresh was refused: the grant is over, and whoever waits may begin it.
    Begin,
    /// A login may begin by then, and has a new client. Until then none would get further.
    Wait {
        /// How long, at most an hour.
        left: Duration,
    },
    /// A person must tell a client.
    AskForClient(AskForClient),
}

/// What follows an `invalid_client`. `candidates` are read after the answer came: another login may have registered meanwhile.
#[must_use]
pub fn after_invalid_client(used: UsedClient<'_>, candidates: &Candidates<'_>, now: Now) -> AfterInvalidClient {
    let ask = |why| NextLogin::AskForClient(AskForClient { issuer: candidates.issuer.clone(), why });
    let unchanged = |login| AfterInvalidClient { keep: None, login };
    let (client_id, is_second) = match used {
        UsedClient::PreRegistered => return unchanged(ask(WhyAsk::PreRegisteredRefused)),
        UsedClient::MetadataDocument => return unchanged(ask(WhyAsk::DocumentRefused)),
        UsedClient::Registered(client_id) => (client_id, false),
        UsedClient::RegisteredAnew(client_id) => (client_id, true),
    };
    let kept = candidates.kept.filter(|kept| kept.issuer == *candidates.issuer);
    let keep = kept.and_then(|kept| kept.without(client_id, now.wall));
    if is_second {
        return AfterInvalidClient { keep, login: ask(WhyAsk::NewClientRefused) };
    }
    let is_replaced = kept.is_some_and(|kept| kept.client.client_id != *client_id && kept.standing == Standing::Good);
    // A client that the configuration names now is chosen before any registration.
    let login = if is_replaced || candidates.is_configured() {
        NextLogin::Begin
    } else if candidates.registration_endpoint.is_none() {
        ask(WhyAsk::NotRenewable(super::kept::Unusable::Refused))
    } else {
        attempts::wait(kept, candidates.not_before, now).map_or(NextLogin::Begin, |left| NextLogin::Wait { left })
    };
    AfterInvalidClient { keep, login }
}
