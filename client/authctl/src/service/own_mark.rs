//! The stop mark that a plan leaves while it ends the service: whatever ends the plan before its end, that mark is lifted again.
//!
//! Must never: lift a mark that the plan has not left.

use std::cell::Cell;

use tokio::signal::unix::{SignalKind, signal};

use crate::exit::{Exit, Failure};

/// The mark of one plan.
#[derive(Debug, Default)]
pub(super) struct OwnMark {
    stands: Cell<bool>,
}

impl OwnMark {
    /// The plan is about to leave it.
    pub(super) fn left(&self) {
        self.stands.set(true);
    }

    /// The plan has lifted it.
    pub(super) fn lifted(&self) {
        self.stands.set(false);
    }

    /// Does it until it is done or the person wants it to end; `lift` is called where the mark stands then by an end before its time.
    pub(super) async fn guard<T>(
        &self,
        done: impl Future<Output = Result<T, Failure>>,
        ended: impl Future<Output = Failure>,
        lift: impl FnOnce() -> Result<(), Failure>,
    ) -> Result<T, Failure> {
        let outcome = tokio::select! {
            outcome = done => outcome,
            failure = ended => Err(failure),
        };
        if outcome.is_err() && self.stands.get() {
            // Where that fails, too, the person has to know of both.
            if let (Err(first), Err(second)) = (&outcome, lift()) {
                return Err(both(first, second));
            }
        }
        outcome
    }
}

fn both(first: &Failure, second: Failure) -> Failure {
    let message = format!("{}; and the mark of `authctl daemon stop` stays: {}", first.message, second.message);
    Failure { message, ..second }
}

/// Comes when the person, or the end of the terminal, ends us.
pub(super) async fn told_to_end() -> Failure {
    let signals = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()), signal(SignalKind::hangup()));
    let (Ok(mut interrupt), Ok(mut terminate), Ok(mut hangup)) = signals else { return std::future::pending().await };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        _ = hangup.recv() => {}
    }
    ended_early()
}

fn ended_early() -> Failure {
    Failure::new(Exit::Interrupted, "stopped before all was done; what was done stays", "authctl service status")
}

#[cfg(test)]
pub(super) mod tests {
    use std::future::{pending, ready};

    use mcp_authd_client::start::NotStarted;

    use super::*;

    pub(in crate::service) fn failures() -> Vec<Failure> {
        let (folder, why) = ("/home/ada/.local/state/mcp-authd".into(), "Read-only file system (os error 30)".into());
        vec![both(&ended_early(), NotStarted::StateFolder { folder, why }.into()), ended_early()]
    }

    fn failure(message: &str) -> Failure {
        Failure::new(Exit::Failed, message, "next")
    }

    #[tokio::test]
    async fn a_mark_that_the_plan_has_left_is_lifted_where_a_step_fails_or_the_person_ends_it_and_no_other() {
        for (leaves, lifts, fails, expected) in [
            (true, false, true, true),
            (true, false, false, true),
            (false, false, true, false),
            (false, false, false, false),
            (true, true, true, false),
        ] {
            let (mark, lifted) = (OwnMark::default(), Cell::new(false));
            let plan = async {
                if leaves {
                    mark.left();
                }
                if lifts {
                    mark.lifted();
                }
                if fails { Err::<(), _>(failure("a step")) } else { pending().await }
            };
            let ended = async {
                // The plan goes first.
                tokio::task::yield_now().await;
                if fails { pending().await } else { failure("ended") }
            };
            let lift = || {
                lifted.set(true);
                Ok(())
            };
            let outcome = mark.guard(plan, ended, lift).await;
            assert_eq!(outcome.map_err(|failure| failure.message), Err(if fails { "a step" } else { "ended" }.to_owned()));
            assert_eq!(lifted.get(), expected, "leaves {leaves}, lifts {lifts}, fails {fails}");
        }
    }

    #[tokio::test]
    async fn a_plan_that_is_done_lifts_nothing_by_itself_and_a_mark_that_stays_is_told() {
        let mark = OwnMark::default();
        mark.left();
        let lift = || Err(failure("no"));
        assert_eq!(mark.guard(ready(Ok(7)), pending(), lift).await, Ok(7));
        let told = mark.guard(ready(Err::<(), _>(failure("a step"))), pending(), lift).await;
        assert_eq!(
            told.map_err(|failure| failure.message),
            Err("a step; and the mark of `authctl daemon stop` stays: no".to_owned())
        );
    }
}
