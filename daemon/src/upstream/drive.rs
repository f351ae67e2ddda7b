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
