//! Streams: first the present state, then each change, coalesced. They begin no login, and end when the daemon leaves.

use std::pin::Pin;
use std::time::Duration;

use futures_util::{Stream, StreamExt, stream};
use mcp_authd_oauth::time::Instant;
use mcp_authd_proto::v1;
use tokio::sync::watch::Receiver;
use tonic::Status as Refused;

use super::need::Asked;
use super::{Face, convert};
use crate::accounts::keeper::AccountHandle;
use crate::accounts::need::{AnswerState, SignInMode};
use crate::accounts::status::Status;

/// A stream of states for one need.
pub(super) type TokenStream = Pin<Box<dyn Stream<Item = Result<v1::TokenState, Refused>> + Send>>;
/// A stream of accounts.
pub(super) type AccountStream = Pin<Box<dyn Stream<Item = Result<v1::AccountStatus, Refused>> + Send>>;

/// How long a present state may be waited for: a watcher wants to know that there is none, too.
const PATIENCE: Duration = Duration::from_secs(2);

/// The states of a need.
pub(super) fn token(face: Face, account: AccountHandle, asked: Asked) -> TokenStream {
    let watcher = Watcher { status: account.status(), face, account, asked, told: None };
    ended_with_the_daemon(watcher.face.clone(), stream::unfold(watcher, Watcher::next))
}

/// One refusal for a need that fits no account; nothing changes it but another configuration.
pub(super) fn refused(face: Face, refusal: v1::Refusal) -> TokenStream {
    let once = stream::once(async { Ok(convert::refused(refusal)) });
    ended_with_the_daemon(face, once.chain(stream::pending()))
}

/// Every account that is asked for, and each change of it.
pub(super) fn accounts(face: Face, handles: Vec<AccountHandle>) -> AccountStream {
    let all = handles.into_iter().map(|handle| {
        let (face, status) = (face.clone(), handle.status());
        stream::unfold((face, handle, status, true), next_status).boxed()
    });
    let all: Vec<_> = all.collect();
    ended_with_the_daemon(face, stream::select_all(all).chain(stream::pending()))
}

fn ended_with_the_daemon<T: Send + 'static>(
    face: Face,
    states: impl Stream<Item = T> + Send + 'static,
) -> Pin<Box<dyn Stream<Item = T> + Send>> {
    Box::pin(states.take_until(async move { face.tasks.stopping().await }))
}

type StatusState = (Face, AccountHandle, Receiver<Status>, bool);

async fn next_status(
    (face, handle, mut status, first): StatusState,
) -> Option<(Result<v1::AccountStatus, Refused>, StatusState)> {
    if !first {
        status.changed().await.ok()?;
    }
    let wire = convert::account_status(&status.borrow_and_update(), handle.description(), face.clock.now());
    Some((Ok(wire), (face, handle, status, false)))
}

struct Watcher {
    face: Face,
    account: AccountHandle,
    status: Receiver<Status>,
    asked: Asked,
    told: Option<AnswerState>,
}

impl Watcher {
    /// Asks as a caller would, whenever something may have changed, and tells what is new.
    async fn next(mut self) -> Option<(Result<v1::TokenState, Refused>, Self)> {
        loop {
            self.status.mark_unchanged();
            let now = self.face.clock.now();
            let answer = self.account.token(self.asked.need(SignInMode::Never, PATIENCE, now)).await.ok()?;
            let again = self.again_at(&answer.state, now.instant);
            if self.told.as_ref() != Some(&answer.state) {
                let wire = convert::token_state(&answer, self.account.description(), self.face.clock.now());
                self.told = Some(answer.state);
                return Some((Ok(wire), self));
            }
            tokio::select! {
                changed = self.status.changed() => changed.ok()?,
                () = self.face.clock.sleep_until(again) => {}
            }
        }
    }

    /// When the present state stops meeting the need by time alone.
    fn again_at(&self, state: &AnswerState, now: Instant) -> Instant {
        let far = now + Duration::from_secs(3600);
        let expires = match state {
            AnswerState::Token(token) => token.expires,
            AnswerState::SignIn(prompt) => Some(prompt.expires),
            AnswerState::Refusal(_) => None,
        };
        let candidates = expires.into_iter().flat_map(|end| [end - self.asked.min_validity, end]);
        candidates.filter(|at| *at > now).min().unwrap_or(far).max(now + Duration::from_secs(1))
    }
}
