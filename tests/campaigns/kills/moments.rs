//! Killed at random moments under load, at servers with a grace (B2) and without (B3).

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use mcp_authd_client::{Client, Reason};
use mcp_authd_tests::daemon::Daemon;
use mcp_authd_tests::programs::{account_is, program, refusal, token, token_ended, tool};
use mcp_authd_tests::server::Rotation;
use tokio::task::JoinSet;

use super::renames::Renames;
use super::{Accounts, Asked, GRACE, Kept, log_in};
use crate::effort::{figures, rounds};
use crate::latencies::Latencies;
use crate::random::{self, Random};

/// Daemons that are killed side by side: most of a round is waiting.
const LANES: (usize, usize) = (8, 4);
const ACCOUNTS: usize = 4;
const PROGRAMS_EACH: usize = 2;
/// Whole, short.
const KILLS: (usize, usize) = (1000, 8);
/// Ten times what a start may take by the requirements.
const WATCHDOG: Duration = Duration::from_secs(5);

/// What many kills have come to.
#[derive(Default)]
struct Tally {
    kills: usize,
    /// Refreshes that a server had done and the daemon had not saved.
    owed: usize,
    /// Intents that stood while the server had seen nothing.
    unsent: usize,
    /// Refreshes that a server has refused: each is the end of a login, whatever the daemon makes of it.
    lost: usize,
    serving: Vec<Duration>,
    served: Vec<Duration>,
    /// From a server's commit to the record's rename.
    windows: Vec<Duration>,
}

impl Tally {
    fn with(mut self, other: Self) -> Self {
        self.kills += other.kills;
        self.owed += other.owed;
        self.unsent += other.unsent;
        self.lost += other.lost;
        self.serving.extend(other.serving);
        self.served.extend(other.served);
        self.windows.extend(other.windows);
        self
    }

    fn told(self, number: &str, seed: u64) {
        let Self { kills, owed, unsent, lost, serving, served, windows } = self;
        let [serving, served, windows] = [serving, served, windows].map(Latencies::of);
        figures(
            number,
            format!(
                "{kills} kills (seed {seed}): {owed} between a server's commit and the rename, {unsent} with an intent and nothing done, \
                 {lost} accounts lost; from start to socket {serving}; to all tokens {served}; from commit to rename {windows}"
            ),
        );
        assert!(serving.percentile(99) < WATCHDOG, "a start takes ten times what it may");
    }
}

/// One daemon that is killed again and again.
struct Lane {
    accounts: Accounts,
    daemon: Daemon,
    renames: Renames,
    luck: Random,
    tally: Tally,
    /// How many refreshes each server had done at the last start.
    done: Vec<usize>,
    /// Since the last start: what each account's record was replaced for, that was no refresh.
    others: BTreeMap<String, Others>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Others {
    replays_refused: usize,
    logins: usize,
}

impl Others {
    /// A refused replay is an intent and an end; a login is one record.
    fn renames(self) -> usize {
        2 * self.replays_refused + self.logins
    }
}

/// What an account is worth after a kill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Left {
    /// Its server has done a refresh that its record does not hold.
    owed: bool,
    refreshes: u64,
    replays: u64,
    reuses: u64,
}

impl Lane {
    async fn begin(rotation: Rotation, luck: Random) -> Self {
        let accounts = Accounts::with(rotation, ACCOUNTS);
        let mut daemon = Daemon::start(accounts.config()).await;
        accounts.log_in(&daemon).await;
        assert!(daemon.stop().await.success());
        let renames = Renames::of(&daemon);
        let done = accounts.0.iter().map(|kept| kept.refreshes_done()).collect();
        daemon.start_again().await;
        Self { accounts, daemon, renames, luck, tally: Tally::default(), done, others: BTreeMap::new() }
    }

    /// Kills it in the midst of its work, starts it again, and looks at what each account has come to.
    async fn round(&mut self, number: usize) {
        let load = self.load();
        self.wait_for_a_moment(number).await;
        self.daemon.kill();
        drop(load);
        let left = self.look().await;
        let begun = Instant::now();
        self.daemon.start_again().await;
        self.tally.serving.push(begun.elapsed());
        self.tally.kills += 1;
        self.come_back(&left, begun).await;
    }

    /// Programs that want tokens all the time.
    fn load(&self) -> JoinSet<()> {
        let mut load = JoinSet::new();
        for kept in &self.accounts.0 {
            for _ in 0..PROGRAMS_EACH {
                let (program, kept) = (program(&self.daemon), kept.clone());
                load.spawn(async move { want(&program, &kept).await });
            }
        }
        load
    }

    /// Every other time while a refresh is under way, else at any moment of a token's life.
    async fn wait_for_a_moment(&mut self, number: usize) {
        let most = if number.is_multiple_of(2) {
            Duration::from_millis(1200)
        } else {
            let server = &self.accounts.0[number / 2 % ACCOUNTS].server;
            let before = server.counts().refreshes;
            server.wait_for(move |counts| counts.refreshes > before).await;
            Duration::from_millis(8)
        };
        let moment = self.luck.up_to(most);
        // law: sleep: a random moment is what this is about
        tokio::time::sleep(moment).await;
    }

    /// While no daemon runs: what the servers have done, against what is on the disk.
    async fn look(&mut self) -> Vec<Left> {
        let renames = self.renames.taken().await;
        let mut others = std::mem::take(&mut self.others);
        let mut left = Vec::new();
        for (kept, done) in self.accounts.0.iter().zip(&mut self.done) {
            kept.is_quiet().await;
            let commits = kept.commits().split_off(std::mem::replace(done, kept.refreshes_done()));
            let others = others.remove(&kept.name).unwrap_or_default().renames();
            let renames = renames.get(&kept.name).and_then(|renames| renames.get(others..)).unwrap_or_default();
            // Each refresh is an intent and then a result (I8).
            let results: Vec<Instant> = renames.iter().skip(1).step_by(2).copied().collect();
            assert!((results.len()..=results.len() + 1).contains(&commits.len()), "{}: {commits:?} {renames:?}", kept.name);
            let owed = commits.len() > results.len();
            self.tally.owed += usize::from(owed);
            self.tally.unsent += usize::from(!owed && renames.len() % 2 == 1);
            self.tally.windows.extend(commits.iter().zip(&results).map(|(commit, rename)| rename.duration_since(*commit)));
            let counts = kept.server.counts();
            let (replays, reuses) = (counts.grace_replays, counts.reuses_detected);
            left.push(Left { owed, refreshes: counts.refreshes, replays, reuses });
        }
        left
    }

    async fn come_back(&mut self, left: &[Left], begun: Instant) {
        let strict = self.accounts.0[0].is_strict();
        for (kept, left) in self.accounts.0.iter().zip(left) {
            if left.owed {
                // The one replay, whoever asks for a token.
                let seen = left.replays + left.reuses;
                kept.server.wait_for(move |counts| counts.grace_replays + counts.reuses_detected > seen).await;
            }
            // A token that still lives serves to its end meanwhile. A second kill in a replay would cost the login (D56).
            account_is(&tool(&self.daemon), &kept.name, |status| status.grant.as_ref().is_some_and(|grant| !grant.refreshing))
                .await;
            if strict && left.owed {
                token_ended(&self.daemon, &kept.name).await;
            }
        }
        let answers = self.accounts.asked(&self.daemon, Asked::Once).await;
        self.tally.served.push(begun.elapsed());
        let mut lost = Vec::new();
        for ((kept, left), (answer, _)) in self.accounts.0.iter().zip(left).zip(answers) {
            let counts = kept.server.counts();
            if strict && left.owed {
                // the first call says it, and nothing is sent after the one replay
                assert_eq!(refusal(answer).reason, Reason::LoginRequired, "{}", kept.name);
                for _ in 0..3 {
                    assert_eq!(refusal(kept.asked(&program(&self.daemon)).await).reason, Reason::LoginRequired);
                }
                let counts = kept.server.counts();
                assert_eq!((counts.refreshes, counts.reuses_detected), (left.refreshes + 1, left.reuses + 1), "{}", kept.name);
                lost.push(kept.clone());
            } else {
                drop(token(answer));
                assert_eq!(counts.grace_replays, left.replays + u64::from(left.owed), "{}: {left:?}", kept.name);
                assert_eq!(counts.reuses_detected, left.reuses, "{}: {left:?}", kept.name);
            }
        }
        log_in(&self.daemon, &lost).await;
        self.others = lost.iter().map(|kept| (kept.name.clone(), Others { replays_refused: 1, logins: 1 })).collect();
    }
}

/// Wants a token all the time, until there is no daemon.
async fn want(program: &Client, kept: &Kept) {
    while program.token(kept.never()).await.is_ok() {
        // law: sleep: a program does something with its token
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
}

/// All kills, over all lanes.
async fn killed(rotation: Rotation, seed: u64) -> Tally {
    let mut lanes = JoinSet::new();
    let many = rounds(LANES.0, LANES.1);
    let kills = rounds(KILLS.0, KILLS.1).div_ceil(many);
    for number in 0..many as u64 {
        lanes.spawn(async move {
            let mut lane = Lane::begin(rotation, Random::of(seed ^ number.rotate_left(32))).await;
            for round in 0..kills {
                lane.round(round).await;
            }
            let Lane { accounts, daemon, mut tally, .. } = lane;
            for kept in &accounts.0 {
                kept.serves_on(&daemon).await;
                let counts = kept.server.counts();
                assert_eq!(counts.families_revoked, counts.reuses_detected);
                assert_eq!(
                    counts.grants_started,
                    1 + counts.families_revoked,
                    "each loss costs one login, and nothing else does"
                );
                assert!(counts.max_concurrent_refreshes_of_one_grant <= 1, "{counts:#?}");
                let refused: u64 = counts.refresh_outcomes.iter().filter(|(how, _)| *how != "ok").map(|(_, times)| times).sum();
                tally.lost += usize::try_from(refused).expect("it fits");
            }
            tally
        });
    }
    lanes.join_all().await.into_iter().fold(Tally::default(), Tally::with)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b2_a_daemon_that_is_killed_at_random_under_load_loses_no_account_within_a_grace() {
    let seed = random::seed("b2");
    let tally = killed(GRACE, seed).await;
    assert!(tally.kills > 0 && tally.lost == 0, "{} of {} kills cost a login", tally.lost, tally.kills);
    tally.told("b2", seed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b3_a_daemon_that_is_killed_at_random_loses_at_a_strict_server_only_what_was_done_and_not_saved() {
    let seed = random::seed("b3");
    let tally = killed(Rotation::Strict, seed).await;
    assert!(tally.kills > 0 && tally.lost == tally.owed, "{} lost, {} owed", tally.lost, tally.owed);
    tally.told("b3", seed);
}
