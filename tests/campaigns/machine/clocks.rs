//! The calendar jumps, the machine sleeps, the machine starts anew (B12-B14).

use std::time::{Duration, Instant};

use mcp_authd_client::Token;
use mcp_authd_client::status::Health;
use mcp_authd_tests::moved_clocks::{Clocks, Moved, kernel};
use mcp_authd_tests::programs::{code, look, program, prompted, token, tool};
use mcp_authd_tests::server::Settings;
use mcp_authd_tests::skip::{Skip, skipped};
use nix::time::ClockId;
use tokio::task::JoinSet;

use super::logged_in::{Machine, hashes};
use crate::effort::{figures, is_whole, rounds};

const HOUR: i64 = 3600;
const YEAR: i64 = 365 * 24 * HOUR;
const LIFE: Duration = Duration::from_secs(3600);
/// A little longer than a token lives.
const OVER: i64 = HOUR + 60;
const NIGHT: i64 = 8 * HOUR;

/// Accounts that are logged in, at a daemon whose clocks can be moved.
struct Moving {
    machine: Machine,
    clocks: Clocks,
    tokens: Vec<Token>,
}

impl Moving {
    async fn with(accounts: usize) -> Result<Self, Skip> {
        let clocks = Clocks::make()?;
        let settings = Settings { access_token_life: LIFE, ..Settings::default() };
        let mut machine = Machine::prepare_as(accounts, settings, |config| clocks.over(config));
        machine.daemon.start_again().await;
        let tokens = machine.log_in().await;
        Ok(Self { machine, clocks, tokens })
    }

    /// Time passes for the daemon and for the authorization server.
    fn pass(&mut self, seconds: i64) {
        self.machine.server.advance(Duration::from_secs(u64::try_from(seconds).unwrap()));
        self.clocks.pass(seconds);
    }

    /// The first calls: every account at once, each by a program of its own. No token that has ended, none of a longer life.
    async fn first_calls(&self, when: &str) -> Vec<Token> {
        let mut calls = JoinSet::new();
        for (number, account) in self.machine.accounts.iter().cloned().enumerate() {
            let program = program(&self.machine.daemon);
            calls.spawn(async move { (number, look(&program, &account).await) });
        }
        let mut answers = calls.join_all().await;
        answers.sort_by_key(|(number, _)| *number);
        let tokens: Vec<Token> = answers.into_iter().map(|(_, answer)| token(answer)).collect();
        self.machine.assert_accepted(&tokens, when).await;
        assert!(tokens.iter().all(|token| token.remaining().is_some_and(|left| left <= LIFE)), "{when}: longer than its life");
        tokens
    }

    fn refreshes(&self) -> u64 {
        self.machine.server.counts().refreshes
    }

    /// At most one refresh per account since there were so many.
    fn assert_at_most_one_each(&self, before: u64, when: &str) {
        let more = self.refreshes() - before;
        assert!(more <= self.machine.accounts.len() as u64, "{when}: {more} refreshes");
    }

    async fn restart(&mut self) {
        self.machine.daemon.kill();
        self.machine.daemon.start_again().await;
    }
}

/// The calendar jumps by so much, under a daemon that runs and under one that starts; and back.
async fn jumps(by: i64) -> Result<u64, Skip> {
    let mut moving = Moving::with(4).await?;
    let (before, right) = (moving.tokens.clone(), moving.clocks.moved);
    let jumped = Moved { wall: right.wall + by, ..right };
    let when = format!("a jump of {by} s");

    // while it runs, nothing happens: no token is thrown away, none is refreshed
    moving.clocks.set(jumped);
    assert_eq!(hashes(&moving.first_calls(&when).await), hashes(&before), "{when}");
    assert_eq!(moving.refreshes(), 0, "{when}");

    // and a token ends when it ends
    moving.pass(OVER);
    let second = moving.first_calls(&format!("{when}, and the end of the tokens")).await;
    assert_eq!(moving.refreshes(), 4, "{when}");
    assert!(hashes(&second).iter().all(|new| !hashes(&before).contains(new)));

    // a start with a calendar that is right again, and one that jumps once more
    for wall in [-by, by] {
        let (refreshes, moved) = (moving.refreshes(), moving.clocks.moved);
        moving.clocks.set(Moved { wall: moved.wall + wall, ..moved });
        moving.restart().await;
        moving.first_calls(&format!("{when}, and a start")).await;
        moving.assert_at_most_one_each(refreshes, &when);
    }
    let counts = moving.machine.server.counts();
    counts.assert_no_race_was_lost();
    assert_eq!(counts.device_authorizations, 4, "{when}: nobody had to log in again");
    Ok(counts.refreshes)
}

#[tokio::test]
async fn b12_a_calendar_that_jumps_ends_no_token_early_and_serves_none_that_is_over() {
    let (mut refreshes, mut done) = (0, 0);
    for _ in 0..rounds(10, 1) {
        for by in [HOUR, -HOUR, 10 * YEAR, -10 * YEAR] {
            match jumps(by).await {
                Ok(more) => refreshes += more,
                Err(skip) => return skipped("b12: a calendar that jumps", &skip),
            }
            done += 1;
        }
    }
    figures(
        "b12",
        format!(
            "{done} daemons with 3 jumps and 2 starts each: 0 expired tokens, 0 logins; \
             {refreshes} refreshes, at most 1 for each of 4 accounts and each jump or end of a token"
        ),
    );
}

#[tokio::test]
async fn b13_the_first_call_after_a_sleep_never_gets_a_token_that_is_over() {
    const ACCOUNTS: usize = 20;
    let mut moving = match Moving::with(ACCOUNTS).await {
        Ok(moving) => moving,
        Err(skip) => return skipped("b13: a machine that sleeps", &skip),
    };
    let nights = rounds(50, 5);
    let mut slowest = Duration::ZERO;
    for night in 1..=nights {
        moving.pass(NIGHT);
        let woken = Instant::now();
        moving.first_calls("after a sleep").await;
        slowest = slowest.max(woken.elapsed());
        assert_eq!(moving.refreshes(), (night * ACCOUNTS) as u64, "one for each account and each night");
    }
    moving.machine.server.counts().assert_no_race_was_lost();
    let calls = nights * ACCOUNTS;
    figures(
        "b13",
        format!(
            "{nights} nights, {calls} first calls, 0 expired tokens, 1 refresh each; {ACCOUNTS} answers within {slowest:.1?}"
        ),
    );
    if is_whole() {
        nobody_calls(moving).await;
    }
}

/// The daemon notices by itself that the machine has slept, and refreshes what was in use.
async fn nobody_calls(mut moving: Moving) {
    let (before, accounts) = (moving.refreshes(), moving.machine.accounts.len());
    let logged = moving.machine.server.log().len();
    moving.pass(NIGHT);
    let woken = Instant::now();
    let all = before + accounts as u64;
    moving.machine.server.wait_for(move |counts| counts.refreshes == all).await;
    let last = woken.elapsed();
    moving.machine.all_are(|status| status.health == Health::Good).await;
    let mut arrived: Vec<Duration> = moving.machine.server.log()[logged..].iter().map(|request| request.arrived).collect();
    arrived.sort_unstable();
    let spread = arrived[arrived.len() - 1].saturating_sub(arrived[0]);
    assert_eq!(moving.refreshes(), all);
    figures(
        "b13",
        format!(
            "nobody calls: {accounts} accounts refreshed once within {last:.1?} of the end of the sleep, spread over {spread:.1?}"
        ),
    );
}

/// What the calendar says after the machine has started anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Calendar {
    /// Ten minutes have passed.
    Right,
    /// There is no battery: 1970.
    Forgotten,
    /// Ten years too much.
    FarAhead,
}

/// The machine is started anew; the clock that counts sleep begins at some seconds. How many refreshes that costs.
async fn boots(calendar: Calendar) -> Result<u64, Skip> {
    const DOWN: i64 = 600;
    let mut moving = Moving::with(4).await?;
    moving.machine.daemon.kill();
    moving.machine.server.advance(Duration::from_secs(DOWN as u64));
    let wall = match calendar {
        Calendar::Right => DOWN,
        Calendar::Forgotten => 60 - kernel(ClockId::CLOCK_REALTIME),
        Calendar::FarAhead => 10 * YEAR,
    };
    moving.clocks.set(Moved { wall, boot: 20 - kernel(ClockId::CLOCK_BOOTTIME) });
    moving.machine.daemon.start_again().await;

    // then what is known to live is served for what is left, all else is refreshed once
    let after = moving.first_calls(&format!("{calendar:?}")).await;
    let cost = moving.refreshes();
    match calendar {
        Calendar::Right => {
            assert_eq!((hashes(&after), cost), (hashes(&moving.tokens), 0));
            assert!(after.iter().all(|token| token.remaining().unwrap() <= LIFE - Duration::from_secs(DOWN as u64)));
        }
        Calendar::Forgotten | Calendar::FarAhead => assert_eq!(cost, 4, "{calendar:?}"),
    }

    // and time goes on as it should: nothing waits longer than it would have
    moving.pass(OVER);
    moving.first_calls(&format!("{calendar:?}, and the end of the tokens")).await;
    assert_eq!(moving.refreshes(), cost + 4, "{calendar:?}");
    let counts = moving.machine.server.counts();
    counts.assert_no_race_was_lost();
    assert_eq!(counts.device_authorizations, 4, "{calendar:?}: nobody had to log in again");

    // and a login works, under whatever calendar
    tool(&moving.machine.daemon).sign_out(Some("account-0".to_owned())).await.unwrap();
    let prompt = prompted(&moving.machine.daemon, "account-0").await;
    moving.machine.server.approve(code(&prompt)).unwrap();
    moving.machine.all_are(|status| status.grant.is_some() && status.sign_in.is_none()).await;
    Ok(cost)
}

#[tokio::test]
async fn b14_after_a_boot_a_token_lives_what_is_left_and_a_wrong_calendar_costs_one_refresh() {
    let (mut boot_count, mut cost) = (0, 0);
    for _ in 0..rounds(10, 1) {
        for calendar in [Calendar::Right, Calendar::Forgotten, Calendar::FarAhead] {
            match boots(calendar).await {
                Ok(more) => cost += more,
                Err(skip) => return skipped("b14: a machine that starts anew", &skip),
            }
            boot_count += 1;
        }
    }
    figures(
        "b14",
        format!("{boot_count} boots of 4 accounts: {cost} refreshes, 0 expired tokens, 0 logins, no wait longer than a life"),
    );
}
