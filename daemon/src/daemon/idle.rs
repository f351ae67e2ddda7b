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
    /// Who held them at the start.
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
            // Looked at after whatever this had to wait for.
            sockets: if self.company.has_lost_manager() { HeldBy::Daemon } else { self.sockets },
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use futures_util::FutureExt as _;
    use tempfile::TempDir;
    use tokio::time::Instant;

    use super::*;
    use crate::accounts::keeper::tests::scene;
    use crate::config::{ConfigFile, Network};

    const PATIENCE: Duration = Duration::from_secs(600);

    fn idle(sockets: HeldBy) -> (Idle, TempDir) {
        let (scene, folder) = (scene(Duration::ZERO), tempfile::tempdir().unwrap());
        let file = folder.path().join("config.toml");
        std::fs::write(&file, "").unwrap();
        let network = tokio::sync::watch::channel(Network::default()).0;
        let roster = Roster::begin(scene.house.clone(), ConfigFile::at(file).load().unwrap(), network).unwrap();
        (Idle { company: Company::default(), roster, tasks: scene.house.tasks, sockets, patience: Some(PATIENCE) }, folder)
    }

    #[tokio::test(start_paused = true)]
    async fn the_door_is_shut_when_nobody_has_been_connected_for_so_long_and_whoever_comes_begins_that_anew() {
        let (idle, _folder) = idle(HeldBy::Manager);
        let begun = Instant::now();
        let visited = async {
            for _ in 0..3 {
                tokio::time::sleep(PATIENCE * 9 / 10).await;
                let guest = idle.company.enter();
                tokio::time::sleep(PATIENCE * 2).await;
                drop(guest);
            }
        };
        let (shut, ()) = tokio::join!(idle.over(), visited);
        assert_eq!(begun.elapsed().as_secs(), (PATIENCE * 97 / 10).as_secs());
        assert!(idle.company.opened().now_or_never().is_none());
        drop(shut);
    }

    #[tokio::test(start_paused = true)]
    async fn what_keeps_it_is_looked_at_again_and_the_door_is_open_meanwhile() {
        let (idle, _folder) = idle(HeldBy::Manager);
        let (done, is_done) = tokio::sync::oneshot::channel::<()>();
        idle.tasks.errand("revoke", async move { drop(is_done.await) });
        let over = idle.over();
        tokio::pin!(over);
        assert!(tokio::time::timeout(PATIENCE * 10, &mut over).await.is_err());
        assert!(idle.company.opened().now_or_never().is_some());
        // Somebody comes, who is served, and goes.
        let guest = idle.company.enter();
        assert!(tokio::time::timeout(PATIENCE * 10, &mut over).await.is_err());
        drop((done, guest));
        assert!(tokio::time::timeout(PATIENCE * 11 / 10, over).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn where_the_managers_socket_was_lost_it_stays_and_its_door_is_open() {
        let (idle, _folder) = idle(HeldBy::Manager);
        idle.company.lose_manager();
        assert!(tokio::time::timeout(PATIENCE * 100, idle.over()).await.is_err());
        assert!(idle.company.opened().now_or_never().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_manager_and_without_patience_it_stays() {
        let (own, _folder) = idle(HeldBy::Daemon);
        assert!(tokio::time::timeout(PATIENCE * 100, own.over()).await.is_err());
        let (mut never, _folder) = idle(HeldBy::Manager);
        never.patience = None;
        assert!(tokio::time::timeout(PATIENCE * 100, never.over()).await.is_err());
    }
}
