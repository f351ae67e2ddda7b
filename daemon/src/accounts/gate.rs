//! What stands between the answer of a browser and its one use: the store has to know first that nobody waits for it any more (D35).
//!
//! Without it a daemon that is killed in between would wait for the same answer again, and whoever loads the page once more would
//! make it send the same code twice; a strict server then ends the login (RFC 6749, 4.1.2).

use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

/// The side of the login.
#[derive(Debug)]
pub struct Gate {
    answered: oneshot::Sender<()>,
    open: CancellationToken,
}

/// The side of the keeper.
#[derive(Debug)]
pub(super) struct Keep {
    pub(super) answered: oneshot::Receiver<()>,
    pub(super) open: CancellationToken,
}

/// Both sides of a gate that is closed.
pub(super) fn closed() -> (Gate, Keep) {
    let (tell, answered) = oneshot::channel();
    let open = CancellationToken::new();
    (Gate { answered: tell, open: open.clone() }, Keep { answered, open })
}

impl Gate {
    /// One that nobody keeps.
    #[cfg(test)]
    pub(crate) fn of_nobody() -> Self {
        closed().0
    }

    /// Tells that the answer has come, and waits until it may be used. A gate that nobody keeps is open.
    pub async fn passed(self) {
        if self.answered.send(()).is_ok() {
            self.open.cancelled().await;
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn nobody_passes_before_it_is_opened_and_who_passes_is_told_of() {
        let (gate, keep) = closed();
        let mut passes = Box::pin(gate.passed());
        assert!((&mut passes).now_or_never().is_none());
        keep.answered.await.unwrap();
        assert!((&mut passes).now_or_never().is_none());
        keep.open.cancel();
        passes.await;
    }

    #[tokio::test]
    async fn a_gate_that_nobody_keeps_is_open() {
        Gate::of_nobody().passed().await;
    }
}
