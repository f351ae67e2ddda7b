//! A need watched: subscribed once, read locally, the token's end checked at every read.
//!
//! Must never: serve a token past its end, begin a login, or read the clock more than once for a cached read.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use mcp_authd_proto::v1;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tonic::Streaming;

use crate::call::{self, SILENCE_LIMIT};
use crate::clock::Clock;
use crate::connect::Line;
use crate::convert;
use crate::error::{CallError, WatchError};
use crate::need::{Need, Request};
use crate::start::Patience;
use crate::static_token::StaticToken;
use crate::token::{self, Answer, Client, Source};

const METHOD: &str = "WatchToken";

/// The pauses between two tries to subscribe again: from the first, doubled up to the last.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LAST_PAUSE: Duration = Duration::from_secs(5);

/// How often the file of a static token is looked at for [`Watch::changed`].
const FILE_PAUSE: Duration = Duration::from_secs(5);

/// A need watched. Cheap to clone; the subscription ends with the last clone.
///
/// After a restart of the daemon it subscribes again by itself, and serves the token that it holds meanwhile, as long as that lives.
#[derive(Debug, Clone)]
pub struct Watch {
    present: watch::Receiver<Present>,
    reading: Reading,
    clock: Clock,
    _subscription: Arc<Subscription>,
}

/// Where a read looks.
#[derive(Debug, Clone)]
enum Reading {
    /// At what the subscription has brought.
    Cached,
    /// At the static token, where it stands.
    Static(Arc<StaticToken>, Arc<Request>),
}

impl Watch {
    pub(crate) fn begin(client: &Client, need: Need) -> Self {
        let clock = client.clock().clone();
        let (publish, present) = watch::channel(Present::default());
        let request = Request::from(need);
        let (reading, task) = match client.source() {
            Source::Daemon(line) => {
                (Reading::Cached, tokio::spawn(subscribe_for_ever(Arc::clone(line), clock.clone(), request, publish)))
            }
            Source::Static(token) => {
                let task = tokio::spawn(look_for_ever(Arc::clone(token), publish));
                (Reading::Static(Arc::clone(token), Arc::new(request)), task)
            }
        };
        Self { present, reading, clock, _subscription: Arc::new(Subscription(task.abort_handle())) }
    }

    /// The present answer, from this process: no call, no wait. A token comes back only while it lives.
    ///
    /// The need's scopes and `min_validity` were judged by the daemon when the answer changed; here only the end counts.
    ///
    /// # Errors
    /// A [`WatchError`] where there is nothing to hand out at this moment.
    pub fn token(&self) -> Result<Answer, WatchError> {
        if let Reading::Static(token, request) = &self.reading {
            return token.answer(request, &self.clock).map_err(|error| WatchError::Lost(Arc::new(error.into())));
        }
        let present = self.present.borrow();
        match (&present.answer, &present.link) {
            (Some(Answer::UseToken(token)), _) if token.lives(&self.clock) => Ok(Answer::UseToken(token.clone())),
            (_, Link::Lost(error)) => Err(WatchError::Lost(Arc::clone(error))),
            (None | Some(Answer::UseToken(_)), _) => Err(WatchError::NotYet),
            (Some(other), _) => Ok(other.clone()),
        }
    }

    /// Waits until the answer differs from the one that was present at the last call of this, or since the beginning. Changes that
    /// come close together are one. The file of a static token is looked at every 5 s for this.
    ///
    /// # Errors
    /// [`WatchError::Ended`] where the runtime that carried the watch has ended.
    pub async fn changed(&mut self) -> Result<(), WatchError> {
        self.present.changed().await.map_err(|_| WatchError::Ended)
    }
}

/// Ends the task when the last watch is dropped.
#[derive(Debug)]
struct Subscription(AbortHandle);

impl Drop for Subscription {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What is known at this moment.
#[derive(Debug, Default)]
struct Present {
    answer: Option<Answer>,
    link: Link,
}

/// How the subscription is.
#[derive(Debug, Default)]
enum Link {
    /// The first answer has not come.
    #[default]
    Begun,
    /// What is known is the daemon's present word.
    Up,
    /// What is known is old.
    Lost(Arc<CallError>),
}

/// Tells the first presence of a static token, then each change of its file: a change is all that is published, nothing of it.
async fn look_for_ever(token: Arc<StaticToken>, publish: watch::Sender<Present>) {
    let mut seen = token.fingerprint();
    publish.send_modify(|present| present.link = Link::Up);
    loop {
        tokio::time::sleep(FILE_PAUSE).await;
        let now = token.fingerprint();
        if now != seen {
            seen = now;
            publish.send_modify(|present| present.link = Link::Up);
        }
    }
}

async fn subscribe_for_ever(line: Arc<Line>, clock: Clock, request: Request, publish: watch::Sender<Present>) {
    let mut pause = FIRST_PAUSE;
    loop {
        let error = match subscribe(&line, &request).await {
            Ok((first, stream)) => {
                pause = FIRST_PAUSE;
                follow(first, stream, |state| heed(state, &request, &clock, &publish)).await
            }
            Err(error) => error,
        };
        publish.send_modify(|present| present.link = Link::Lost(Arc::new(error)));
        tokio::time::sleep(with_jitter(pause)).await;
        pause = pause.saturating_mul(2).min(LAST_PAUSE);
    }
}

/// A subscription with its first state, which a living daemon sends at once (B36).
async fn subscribe(line: &Line, request: &Request) -> Result<(v1::TokenState, Streaming<v1::TokenState>), CallError> {
    let subscribed = line.call(SILENCE_LIMIT, Patience::Background, || async {
        let need = convert::need(&request.need);
        let mut stream = call::message(METHOD, token::stub(line).watch_token(need).await)?;
        let first = next(&mut stream).await?;
        Ok((first, stream))
    });
    subscribed.await
}

async fn next(stream: &mut Streaming<v1::TokenState>) -> Result<v1::TokenState, CallError> {
    stream.message().await.map_err(|status| call::failure(METHOD, &status))?.ok_or(CallError::Interrupted)
}

/// Heeds every state until the subscription ends.
async fn follow(
    first: v1::TokenState,
    mut stream: Streaming<v1::TokenState>,
    heed: impl Fn(v1::TokenState) -> Result<(), CallError>,
) -> CallError {
    let mut state = first;
    loop {
        if let Err(error) = heed(state) {
            return error;
        }
        state = match next(&mut stream).await {
            Ok(state) => state,
            Err(error) => return error,
        };
    }
}

fn heed(state: v1::TokenState, request: &Request, clock: &Clock, publish: &watch::Sender<Present>) -> Result<(), CallError> {
    let answer = convert::answer(state, request, clock)?;
    publish.send_replace(Present { answer: Some(answer), link: Link::Up });
    Ok(())
}

/// Half of the pause and a random part of the other half, so that a thousand watches do not come back as one.
fn with_jitter(pause: Duration) -> Duration {
    let half = pause / 2;
    let spread = u64::try_from(half.as_millis()).unwrap_or(u64::MAX).max(1);
    half.saturating_add(Duration::from_millis(RandomState::new().build_hasher().finish() % spread))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::connect::{Sockets, Which};
    use crate::error::ConnectError;
    use crate::start::SocketPlace;

    #[tokio::test]
    async fn a_subscription_that_finds_no_answer_has_nobody_look_at_the_service() {
        // given a socket that is taken care of, and nobody who serves
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("tokens.sock");
        let manager = tokio::net::UnixListener::bind(&path).unwrap();
        tokio::spawn(async move { while manager.accept().await.is_ok() {} });
        let found = ConnectError::NoDaemon { path: path.clone() };
        let line = Line::new(&Sockets::at(path), Which::Tokens).after_a_look(SocketPlace::Usual, found.clone()).await;
        // when a call and a subscription go there
        let called = line.call(SILENCE_LIMIT, Patience::Caller, || async {
            call::message(METHOD, token::stub(&line).watch_token(convert::need(&Need::only_account())).await)
        });
        // then the one is told what was found, and the other goes on trying
        assert_eq!(called.await.unwrap_err(), CallError::Connect(found));
        let subscribed = subscribe(&line, &Request::from(Need::only_account())).await;
        assert_eq!(subscribed.unwrap_err(), CallError::Interrupted);
    }
}
