//! The states of one need: first the present one, then each change, coalesced.
//!
//! Which account a need means is asked again whenever accounts come or go: so a need that fits none may fit one later, and who
//! watches an account that is taken out is told so, and sees it again when it is back. Must never: begin a login, or go on when the
//! daemon leaves.

use std::pin::Pin;
use std::time::Duration;

use futures_util::{Stream, StreamExt, stream};
use mcp_authd_oauth::time::{Instant, Now};
use mcp_authd_proto::v1;
use tonic::Status as Refused;

use super::audit::{Giving, How};
use super::need::Asked;
use super::peer::Caller;
use super::{Face, convert};
use crate::accounts::AccountName;
use crate::accounts::handle::AccountHandle;
use crate::accounts::need::{AnswerState, Refusal, SignInMode};
use crate::accounts::registry::Changes;

/// A stream of states for one need.
pub(super) type TokenStream = Pin<Box<dyn Stream<Item = Result<v1::TokenState, Refused>> + Send>>;

/// How long a present state may be waited for: a watcher wants to know that there is none, too.
const PATIENCE: Duration = Duration::from_secs(2);

/// The states of a need.
pub(super) fn token(face: Face, asked: Asked, caller: Caller) -> TokenStream {
    let watcher = Watcher { changes: face.registry.changes(), face: face.clone(), asked, caller, told: None };
    ended_with_the_daemon(face, stream::unfold(watcher, Watcher::next))
}

/// The same stream, which ends when the daemon leaves.
pub(super) fn ended_with_the_daemon<T: Send + 'static>(
    face: Face,
    states: impl Stream<Item = T> + Send + 'static,
) -> Pin<Box<dyn Stream<Item = T> + Send>> {
    Box::pin(states.take_until(async move { face.tasks.stopping().await }))
}

struct Watcher {
    face: Face,
    changes: Changes,
    asked: Asked,
    caller: Caller,
    told: Option<Told>,
}

/// What was told last.
#[derive(Debug, PartialEq)]
enum Told {
    State(AccountName, AnswerState),
    NoAccount(v1::Refusal),
}

impl Watcher {
    async fn next(mut self) -> Option<(Result<v1::TokenState, Refused>, Self)> {
        loop {
            self.changes.look();
            let state = match self.face.find(&self.asked) {
                Ok(account) => self.look_at(&account).await?,
                Err(refusal) => self.no_account(refusal).await,
            };
            if let Some(state) = state {
                return Some((Ok(state), self));
            }
        }
    }

    /// Asks as a caller would, and tells what is new; or waits until something may be. The outer `None`: the daemon is leaving.
    async fn look_at(&mut self, account: &AccountHandle) -> Option<Option<v1::TokenState>> {
        let mut status = account.status();
        status.mark_unchanged();
        let now = self.face.clock.now();
        let answer = match account.token(self.asked.need(SignInMode::Never, PATIENCE, now)).await {
            Ok(answer) if answer.state != AnswerState::Refusal(Refusal::NoSuchAccount) => answer,
            // It has just been taken out: whether another one fits is asked next.
            Ok(_) => {
                self.changes.changed().await;
                return Some(None);
            }
            // Nobody finds an account that is gone, so it is the daemon that leaves.
            Err(_) if self.face.find(&self.asked).is_ok_and(|present| present.is(account)) => return None,
            Err(_) => return Some(None),
        };
        let again = self.again_at(&answer.state, now);
        let state = Told::State(account.name().clone(), answer.state.clone());
        if self.told.as_ref() != Some(&state) {
            self.told = Some(state);
            let (caller, asked_as) = (&self.caller, self.asked.client_name.as_str());
            let giving = Giving { caller, account, how: How::WatchToken, asked_as, now: self.face.clock.now() };
            return Some(Some(convert::token_state(&answer, &giving)));
        }
        tokio::select! {
            changed = status.changed() => {
                if changed.is_err() {
                    self.changes.changed().await;
                }
            }
            () = self.changes.changed() => {}
            () = self.face.clock.sleep_until(again) => {}
        }
        Some(None)
    }

    /// Tells why no account fits, once; then waits until that may have changed.
    async fn no_account(&mut self, refusal: v1::Refusal) -> Option<v1::TokenState> {
        let told = Told::NoAccount(refusal.clone());
        if self.told.as_ref() != Some(&told) {
            self.told = Some(told);
            return Some(convert::refused(refusal));
        }
        self.changes.changed().await;
        None
    }

    /// When the present state stops meeting the need by time alone.
    fn again_at(&self, state: &AnswerState, now: Now) -> Instant {
        let now = now.instant;
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
