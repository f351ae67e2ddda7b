//! The answer to a refresh is lost: after the server has done it (B4), or before, in every way in which a connection fails (B5).

use std::time::Duration;

use mcp_authd_client::Reason;
use mcp_authd_tests::daemon::{Account, Daemon};
use mcp_authd_tests::programs::{logged_in, refusal, token, token_ended};
use mcp_authd_tests::server::{At, AuthorizationServer, Commit, Counts, Misbehaviour, Rotation, Settings};

use super::front::{Break, Front};
use super::{Accounts, Asked, GRACE, log_in, quiet};
use crate::effort::{figures, rounds};
use crate::latencies::Latencies;

/// Ten times what a recovery may take by the requirements.
const WATCHDOG: Duration = Duration::from_secs(20);

/// In whole, and in short.
const ROUNDS: (usize, usize) = (50, 1);

/// What a server has counted more than before: refreshes that arrived, that it did, and spent tokens within and outside of a grace.
fn more(before: &Counts, after: &Counts) -> [u64; 4] {
    let of = |counts: &Counts| [counts.refreshes, counts.refreshes_ok(), counts.grace_replays, counts.reuses_detected];
    let (before, after) = (of(before), of(after));
    std::array::from_fn(|number| after[number] - before[number])
}

fn counted(accounts: &Accounts) -> Vec<Counts> {
    accounts.0.iter().map(|kept| kept.server.counts()).collect()
}

async fn all_tokens_ended(accounts: &Accounts, daemon: &Daemon) {
    for kept in &accounts.0 {
        token_ended(daemon, &kept.name).await;
    }
}

/// What a fault may cost.
struct Expected {
    rounds: (usize, usize),
    /// By each server, see [`more`].
    costs: [u64; 4],
    asked: Asked,
}

/// The same fault for each account, again and again. How long each took until it was served.
async fn recovered(accounts: &Accounts, daemon: &Daemon, expected: Expected, fault: impl Fn(usize)) -> Vec<Duration> {
    let Expected { rounds: (whole, short), costs, asked } = expected;
    let mut took = Vec::new();
    for round in 0..rounds(whole, short) {
        all_tokens_ended(accounts, daemon).await;
        let before = counted(accounts);
        (0..accounts.0.len()).for_each(&fault);
        for (number, (answer, time)) in accounts.asked(daemon, asked).await.into_iter().enumerate() {
            drop(token(answer));
            took.push(time);
            assert_eq!(more(&before[number], &accounts.0[number].server.counts()), costs, "round {round}, account {number}");
        }
    }
    took
}

fn told(number: &str, what: &str, took: Vec<Duration>) {
    let took = Latencies::of(took);
    figures(number, format!("{} {what}, all recovered; in {took}", took.count()));
    assert!(took.percentile(99) < WATCHDOG, "a recovery takes ten times what it may");
}

#[tokio::test]
async fn b4_an_answer_that_is_lost_after_the_commit_is_recovered_by_one_replay_within_a_grace() {
    let accounts = Accounts::with(GRACE, 10);
    let daemon = Daemon::start(accounts.config()).await;
    accounts.log_in(&daemon).await;
    for fault in [Misbehaviour::Drop(Commit::After), Misbehaviour::Truncate] {
        let lose = |number: usize| accounts.0[number].server.script(At::Refresh, fault.clone());
        let took =
            recovered(&accounts, &daemon, Expected { rounds: ROUNDS, costs: [2, 2, 1, 0], asked: Asked::Once }, lose).await;
        told("b4", &format!("answers lost ({fault:?}) at servers with a grace, 1 replay each"), took);
    }
    accounts.serve_on(&daemon).await;
}

#[tokio::test]
async fn b4_an_answer_that_is_lost_after_the_commit_of_a_strict_server_costs_one_replay_and_one_login() {
    // given accounts at servers without a grace, and one more that nothing happens to
    let accounts = Accounts::with(Rotation::Strict, 10);
    let other = AuthorizationServer::start(Settings::default());
    let daemon = Daemon::start(accounts.config().account(Account::at("other", other.issuer()))).await;
    logged_in(&daemon, "other").await;

    let rounds = rounds(ROUNDS.0, ROUNDS.1);
    for round in 0..rounds {
        // when each answer is lost
        log_in(&daemon, &accounts.0).await;
        all_tokens_ended(&accounts, &daemon).await;
        let before = counted(&accounts);
        for kept in &accounts.0 {
            kept.server.script(At::Refresh, Misbehaviour::Drop(Commit::After));
        }

        // then the first call already says that a login is required, and further ones send nothing
        for _ in 0..3 {
            for (number, (answer, _)) in accounts.asked(&daemon, Asked::Once).await.into_iter().enumerate() {
                assert_eq!(refusal(answer).reason, Reason::LoginRequired, "round {round}, account {number}");
                let counts = accounts.0[number].server.counts();
                assert_eq!(more(&before[number], &counts), [2, 1, 0, 1], "round {round}, account {number}");
                assert_eq!(counts.device_authorizations, round as u64 + 1);
            }
        }
    }
    assert_eq!((other.counts().refreshes, other.counts().device_authorizations), (0, 1));
    figures("b4", format!("{} answers lost after the commit of a strict server: 1 replay and 1 login each", rounds * 10));
}

#[tokio::test]
async fn b4_a_replay_whose_answer_is_lost_too_is_the_only_one() {
    // given accounts at servers with a grace, where every further replay would be served
    let accounts = Accounts::with(GRACE, 10);
    let daemon = Daemon::start(accounts.config()).await;
    let rounds = rounds(ROUNDS.0, ROUNDS.1);
    for round in 0..rounds {
        // when the answer to the refresh is lost, and the answer to its replay
        log_in(&daemon, &accounts.0).await;
        all_tokens_ended(&accounts, &daemon).await;
        let before = counted(&accounts);
        for kept in &accounts.0 {
            (0..2).for_each(|_| kept.server.script(At::Refresh, Misbehaviour::Drop(Commit::After)));
        }

        // then nothing is sent for a third time, whoever asks
        for _ in 0..3 {
            for (number, (answer, _)) in accounts.asked(&daemon, Asked::Once).await.into_iter().enumerate() {
                assert_eq!(refusal(answer).reason, Reason::LoginRequired, "round {round}, account {number}");
                let counts = accounts.0[number].server.counts();
                assert_eq!(more(&before[number], &counts), [2, 2, 1, 0], "round {round}, account {number}");
            }
        }
    }
    figures("b4", format!("{} answers lost twice in a row: 1 replay and 1 login each", rounds * 10));
}

#[tokio::test]
async fn b5_an_answer_that_is_lost_before_the_commit_is_recovered_by_one_replay_at_any_server() {
    let at = async |rotation| {
        let accounts = Accounts::with(rotation, 10);
        let daemon = Daemon::start(accounts.config()).await;
        accounts.log_in(&daemon).await;
        let lose = |number: usize| accounts.0[number].server.script(At::Refresh, Misbehaviour::Drop(Commit::Before));
        let took =
            recovered(&accounts, &daemon, Expected { rounds: ROUNDS, costs: [2, 1, 0, 0], asked: Asked::Once }, lose).await;
        told("b5", &format!("connections ended before the commit ({rotation:?})"), took);
        accounts.serve_on(&daemon).await;
    };
    tokio::join!(at(Rotation::Strict), at(GRACE));
}

#[tokio::test]
async fn b5_a_connection_that_breaks_before_the_server_has_the_request_costs_nothing_at_any_server() {
    let at = async |rotation| {
        // given accounts whose token endpoint is behind TLS, and a front there that breaks connections
        let accounts = Accounts::with(rotation, 5);
        let fronts: Vec<Front> = accounts.0.iter().map(|kept| Front::of(&kept.server)).collect();
        let config = accounts.0.iter().zip(&fronts).fold(quiet(), |config, (kept, front)| {
            let endpoint = kept.server.device_authorization_endpoint();
            config.account(Account::at_endpoints(&kept.name, &endpoint, &front.token_endpoint()))
        });
        let trust = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(trust.path(), fronts.iter().map(Front::certificate).collect::<String>()).unwrap();
        let daemon = Daemon::start(config.text(&format!("[network]\nca_file = {:?}", trust.path()))).await;
        accounts.log_in(&daemon).await;

        for breaking in [Break::BeforeTheHandshake, Break::InTheHandshake, Break::AfterTheRequest] {
            // when connections break, then the account is served, and its server has seen one request, as if nothing had been
            let expected = Expected { rounds: ROUNDS, costs: [1, 1, 0, 0], asked: Asked::UntilServed };
            let in_a_row = Front::harmless(breaking);
            let break_all = |number: usize| (0..in_a_row).for_each(|_| fronts[number].break_next(breaking));
            let took = recovered(&accounts, &daemon, expected, break_all).await;
            assert!(fronts.iter().all(|front| front.left() == 0), "each break has happened");
            told("b5", &format!("times {in_a_row} connections broken ({breaking:?}, {rotation:?})"), took);
        }
        accounts.serve_on(&daemon).await;
    };
    tokio::join!(at(Rotation::Strict), at(GRACE));
}
