//! Killed at every system call by which the store works: in a refresh, in a login, in a logout (B1).

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use mcp_authd_tests::programs::token_ended;
use mcp_authd_tests::skip::skipped;

use super::log_in;
use super::site::Site;
use super::traced::{End, Point, counted, killed_at, possible};
use crate::effort::{figures, is_whole, rounds};

/// How often a step is tried that no thread came to, in whole and in short: now and then a second thread takes a share of the work.
const TRIES: (usize, usize) = (4, 1);

/// One of so many at most: a number that no thread came to this time.
const MOST_NOT_REACHED: usize = 10;

/// The points of this run, and what has become of them.
struct Plan {
    left: VecDeque<(Point, usize)>,
    killed: usize,
    not_reached: Vec<Point>,
}

impl Plan {
    /// All points, or the last steps of the kinds that nobody but the store takes: those belong to the deed, and not to the start.
    fn of(last: &[Point]) -> Self {
        let first = |last: &Point| match last.number {
            _ if is_whole() => 1,
            number if is_the_stores_alone(last.call) => number.saturating_sub(2).max(1),
            number => number + 1,
        };
        let points = last.iter().flat_map(|last| (first(last)..=last.number).map(|number| Point { number, ..*last }));
        Self { left: points.map(|point| (point, rounds(TRIES.0, TRIES.1))).collect(), killed: 0, not_reached: Vec::new() }
    }

    fn next(&self) -> Option<Point> {
        self.left.front().map(|(point, _)| *point)
    }

    fn note(&mut self, end: &End<()>) {
        let Some((point, tries)) = self.left.pop_front() else { return };
        match end {
            End::Killed => self.killed += 1,
            End::Done(()) if tries > 1 && is_the_stores_alone(point.call) => self.left.push_front((point, tries - 1)),
            End::Done(()) => self.not_reached.push(point),
        }
    }

    fn told(self, deed: &str, results: &str) {
        let Self { killed, not_reached, .. } = self;
        // Which steps must be reached is asserted in `steps`, by their names.
        let enough = if is_whole() { not_reached.len() * MOST_NOT_REACHED < killed } else { killed > 0 };
        assert!(enough, "{killed} reached, and not {not_reached:?}");
        let several = not_reached.len();
        figures("b1", format!("{deed}: {killed} kills, {several} calls not reached, no record damaged; {results}"));
    }
}

/// How often a thread writes, and what it opens, depends on who wakes whom.
fn is_the_stores_alone(call: &str) -> bool {
    call.contains("fsync") || call.contains("rename")
}

#[tokio::test]
async fn b1_a_daemon_that_is_killed_at_any_step_of_a_refresh_serves_again() {
    if let Err(why) = possible() {
        return skipped("b1, the refresh", &why);
    }
    // given a login whose token has ended
    let mut site = Site::new();
    site.daemon.start_again().await;
    log_in(&site.daemon, &site.accounts.0).await;
    token_ended(&site.daemon, &site.kept().name).await;
    site.stops().await;
    let deed = site.refreshes();
    let last = counted(&mut site.daemon, deed).await;
    let mut plan = Plan::of(&last);
    let mut replays = 0;
    while let Some(point) = plan.next() {
        // when it is killed there
        site.daemon.start_again().await;
        site.answer().await;
        token_ended(&site.daemon, &site.kept().name).await;
        site.stops().await;
        let before = site.kept().server.counts();
        let deed = site.refreshes();
        let end = killed_at(&mut site.daemon, point, deed).await;
        plan.note(&end);

        // then it serves after the next start, at the cost of one replay at most
        replays += site.serves_again(point, &before).await;
        site.stops().await;
    }
    site.daemon.start_again().await;
    site.accounts.serve_on(&site.daemon).await;
    plan.told("a refresh", &format!("{replays} replays"));
}

#[tokio::test]
async fn b1_a_daemon_that_is_killed_at_any_step_of_a_login_serves_or_asks_for_one() {
    if let Err(why) = possible() {
        return skipped("b1, the login", &why);
    }
    let shown = Arc::new(Mutex::new(None::<String>));
    // each time in new folders, so that the start makes the key
    let mut site = Site::new();
    let deed = site.logs_in(&shown);
    let last = counted(&mut site.daemon, deed).await;
    let (mut plan, mut went_on, mut anew) = (Plan::of(&last), 0, 0);
    while let Some(point) = plan.next() {
        // when it is killed there
        let mut site = Site::new();
        *shown.lock().unwrap() = None;
        let deed = site.logs_in(&shown);
        let end = killed_at(&mut site.daemon, point, deed).await;
        plan.note(&end);

        // then the login that was shown goes on, or its grant serves, or the server had paid it out and nothing was saved
        let was_shown = shown.lock().unwrap().take();
        if site.logs_in_after_all(point, was_shown).await { went_on += 1 } else { anew += 1 }
    }
    plan.told("a login", &format!("{went_on} went on, {anew} were made anew"));
}

#[tokio::test]
async fn b1_a_daemon_that_is_killed_at_any_step_of_a_logout_is_logged_in_or_out() {
    if let Err(why) = possible() {
        return skipped("b1, the logout", &why);
    }
    let mut site = Site::new();
    site.kept().server.change(|settings| settings.access_token_life = super::LONG);
    site.daemon.start_again().await;
    log_in(&site.daemon, &site.accounts.0).await;
    site.daemon.kill();
    let deed = site.logs_out();
    let last = counted(&mut site.daemon, deed).await;
    let (mut plan, mut stayed, mut went) = (Plan::of(&last), 0, 0);
    while let Some(point) = plan.next() {
        // when it is killed there
        site.daemon.start_again().await;
        if !site.keeps_a_grant() {
            log_in(&site.daemon, &site.accounts.0).await;
        }
        site.daemon.kill();
        let before = site.kept().server.counts();
        let deed = site.logs_out();
        let end = killed_at(&mut site.daemon, point, deed).await;
        plan.note(&end);

        // then it is logged out and stays so, or it is as if nobody had asked
        if site.is_logged_in_or_out(point, &before).await {
            assert_eq!(end, End::Killed, "{point:?}: a logout that was answered stays");
            stayed += 1;
        } else {
            went += 1;
        }
        site.daemon.kill();
    }
    plan.told("a logout", &format!("{went} logged out, {stayed} as before"));
}
