//! The one loop that drives every flow: it sends what the flow wants sent, waits where the flow waits, hands a prompt out.
//!
//! Must never: know what a flow is about, repeat a request, or read an answer.

use std::future::Future;

use mcp_authd_oauth::flow::{Flow, Input, Step};
use mcp_authd_oauth::http::{HttpAnswer, HttpRequest, Undelivered};

use crate::host::clock::Clock;

/// What carries a request to its endpoint and brings the answer, once.
pub trait Transport: Send + Sync + 'static {
    /// Sends `request` at most once. Dropped before its end, nobody knows whether it was sent.
    fn exchange(&self, request: HttpRequest) -> impl Future<Output = Result<HttpAnswer, Undelivered>> + Send;
}

/// Drives `flow` to its end. `ask` is called with each prompt, and the flow goes on at once.
pub async fn drive<F, T>(flow: F, transport: &T, clock: &Clock, mut ask: impl FnMut(F::Prompt)) -> F::Output
where
    F: Flow,
    T: Transport,
{
    let mut step = flow.handle(Input::Begin, clock.now());
    loop {
        step = match step {
            Step::Send(request, flow) => {
                let answered = transport.exchange(request).await;
                flow.handle(Input::Answered(answered), clock.now())
            }
            Step::WaitUntil(deadline, flow) => {
                tracing::trace!(why = ?deadline.why, "a flow waits");
                clock.sleep_until(deadline.at).await;
                flow.handle(Input::Resumed, clock.now())
            }
            Step::AskUser(prompt, flow) => {
                ask(prompt);
                flow.handle(Input::Resumed, clock.now())
            }
            Step::Done(output) => return output,
        };
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::time::Duration;

    use mcp_authd_oauth::endpoint::{Endpoint, Loopback};
    use mcp_authd_oauth::flow::{Deadline, WaitReason};
    use mcp_authd_oauth::http::{Body, Method, NothingSent, Patience};
    use mcp_authd_oauth::reach::Reach;
    use mcp_authd_oauth::time::Now;

    use super::*;
    use crate::host::clock::follows_tokio;

    /// Sends, asks, waits a minute, sends again, and ends with what it saw.
    struct Toy {
        seen: Vec<String>,
    }

    impl Toy {
        fn request() -> HttpRequest {
            #![allow(clippy::unwrap_used, reason = "tests")]
            let endpoint = Endpoint::parse("https://as.example/token", Loopback::Refused).unwrap();
            HttpRequest { endpoint, method: Method::Get, authorization: None, patience: Patience::Endpoint }
        }
    }

    impl Flow for Toy {
        type Prompt = &'static str;
        type Output = Vec<String>;

        fn handle(mut self, input: Input, now: Now) -> Step<Self> {
            self.seen.push(match input {
                Input::Begin => "begin".to_owned(),
                Input::Answered(Ok(answer)) => answer.status.to_string(),
                Input::Answered(Err(why)) => why.to_string(),
                Input::Resumed => "resumed".to_owned(),
            });
            match self.seen.len() {
                1 | 4 => Step::Send(Self::request(), self),
                2 => Step::AskUser("type this", self),
                3 => Step::WaitUntil(Deadline { at: now.instant + Duration::from_secs(60), why: WaitReason::PollInterval }, self),
                _ => Step::Done(self.seen),
            }
        }
    }

    struct Fake(Mutex<Vec<Result<HttpAnswer, Undelivered>>>);

    impl Transport for Fake {
        async fn exchange(&self, _: HttpRequest) -> Result<HttpAnswer, Undelivered> {
            #![allow(clippy::unwrap_used, reason = "tests")]
            self.0.lock().unwrap().pop().unwrap()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_flow_is_driven_step_by_step_to_its_end() {
        let body = Body::new(vec![]);
        let answer = HttpAnswer {
            status: 428,
            content_type: None,
            retry_after: None,
            www_authenticate: vec![],
            peer: Reach::Public,
            body,
        };
        let offline = Undelivered::NothingSent(NothingSent::NameNotResolved);
        let transport = Fake(Mutex::new(vec![Err(offline.clone()), Ok(answer)]));
        let clock = follows_tokio();
        let begun = clock.now().instant;
        let mut asked = vec![];

        let seen = drive(Toy { seen: vec![] }, &transport, &clock, |prompt| asked.push(prompt)).await;

        assert_eq!(seen, ["begin", "428", "resumed", "resumed", &offline.to_string()]);
        assert_eq!(asked, ["type this"]);
        let passed = clock.now().instant.since(begun);
        assert!(passed >= Duration::from_secs(60) && passed < Duration::from_secs(61), "{passed:?}");
    }
}
