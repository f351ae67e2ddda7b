//! Leaving for want of clients: waits until nobody has been connected for a while, looks behind a shut door, and leaves or opens again.
//!
//! Whoever connects while the door is shut waits in the socket's queue, which is the service manager's: this daemon or the next one
//! serves it.
//!
//! Must never: decide. The rule stands in `accounts/idle.rs`.

use std::time::Duration;

use crate::accounts::idle::{Facts, HeldBy, Verdict, Why};
use crate::accounts::roster::Roster;
use crate::host::sockets::{Company, Shut};
use crate::host::tasks::Tasks;

/// How often it is looked at again what keeps the daemon while nobody is connected: a tenth of the patience, and not more often than
const SHORTEST_LOOK: Duration = Duration::from_millis(100);
/// nor more rarely than
const LONGEST_LOOK: Duration = Duration::from_secs(60);

/// What the hands need.
pub(super) struct Idle {
    pub(super) company: Company,
    pub(super) roster: Roster,
    pub(super) tasks: Tasks,
    pub(super) sockets: HeldBy,
    /// How long nobody must have been connected. `None`: it never leaves for that.
    pub(super) patience: Option<Duration>,
}

impl Idle {
    /// Ends when the daemon may leave. The door is shut by then, and stays so for as long as what this returns.
    pub(super) async fn over(&self) -> Shut {
        let Some(patience) = self.patience else { return never().await };
        loop {
            self.company.gone().await;
            if tokio::time::timeout(patience, self.company.came()).await.is_err()
                && let Some(shut) = self.nothing_is_left(patience).await
            {
                return shut;
            }
        }
    }

    /// `None`: somebody has come meanwhile.
    async fn nothing_is_left(&self, patience: Duration) -> Option<Shut> {
        let mut told = None;
        loop {
            let shut = self.company.shut()?;
            let why = match self.facts().await.verdict() {
                Verdict::Leaves => {
                    tracing::info!("nobody is connected and nothing is left to do; the next client starts another daemon");
                    return Some(shut);
                }
                Verdict::Stays(why) => why,
            };
            drop(shut);
            if told != Some(why) {
                tracing::debug!(%why, "nobody is connected; this daemon stays");
                told = Some(why);
            }
            self.another_look(why, patience).await?;
        }
    }

    /// `None`: somebody has come.
    async fn another_look(&self, why: Why, patience: Duration) -> Option<()> {
        if why.is_for_good() {
            return never().await;
        }
        let pause = (patience / 10).clamp(SHORTEST_LOOK, LONGEST_LOOK);
        tokio::time::timeout(pause, self.company.came()).await.err().map(drop)
    }

    async fn facts(&self) -> Facts {
        let business = self.roster.business().await;
        Facts {
            sockets: self.sockets,
            connected: self.company.guests(),
            key: self.roster.key_opener(),
            errands: self.tasks.errands(),
            business,
        }
    }
}

async fn never<T>() -> T {
    std::future::pending().await
}
