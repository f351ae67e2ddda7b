//! How every flow speaks: it takes an input and the time, and says what it wants next. One loop in `upstream` drives all.

use crate::http::{HttpAnswer, HttpRequest, Undelivered};
use crate::time::{Instant, Now};

/// A protocol run as a pure state machine.
pub trait Flow: Sized {
    /// What a person is asked, where the flow asks one.
    type Prompt;
    /// What it ends with.
    type Output;

    /// Takes what happened, and says what comes next.
    fn handle(self, input: Input, now: Now) -> Step<Self>;
}

/// What happened.
#[derive(Debug)]
pub enum Input {
    /// The flow may begin.
    Begin,
    /// The answer to the last [`Step::Send`].
    Answered(Result<HttpAnswer, Undelivered>),
    /// The moment of the last [`Step::WaitUntil`] has come; the person of the last [`Step::AskUser`] has been told.
    Resumed,
}

/// What the flow wants next.
#[derive(Debug)]
pub enum Step<F: Flow> {
    /// Send this, then call again with [`Input::Answered`].
    Send(HttpRequest, F),
    /// Call again with [`Input::Resumed`] at that moment or soon after.
    WaitUntil(Deadline, F),
    /// Tell the person, then call again with [`Input::Resumed`] at once.
    AskUser(F::Prompt, F),
    /// The end.
    Done(F::Output),
}

/// A moment, with its reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadline {
    /// When.
    pub at: Instant,
    /// Why.
    pub why: WaitReason,
}

/// What a flow waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitReason {
    /// The polling interval of the device authorization grant (RFC 8628, 3.5).
    PollInterval,
    /// Back-off after a failure that may pass.
    BackOff,
}
