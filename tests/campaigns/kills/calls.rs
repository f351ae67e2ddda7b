//! Killed at every system call by which the store works: in a refresh, in a login, in a logout (B1).

use std::collections::VecDeque;
use std::fs;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex};

use mcp_authd_client::admin::StartSignIn;
use mcp_authd_client::status::AccountStatus;
use mcp_authd_client::{AdminClient, Answer, Client, Reason};
use mcp_authd_tests::daemon::Daemon;
use mcp_authd_tests::plain_http;
use mcp_authd_tests::programs::{account_is, approve, code, program, records, refusal, token_ended, tool, until};
use mcp_authd_tests::skip::skipped;

use super::traced::{End, Point, counted, killed_at, possible};
use super::{Accounts, GRACE, Kept, log_in};
use crate::effort::{figures, is_whole, rounds};

/// What begins the name of a file that is not yet a record.
const UNFINISHED: &str = ".unfinished-";

/// One account of one daemon that is killed and started again.
struct Site {
    accounts: Accounts,
    daemon: Daemon,
}

impl Site {
    fn new() -> Self {
        let accounts = Accounts::with(GRACE, 1);
        let daemon = Daemon::prepare(accounts.config());
        Self { accounts, daemon }
    }

    fn kept(&self) -> &Kept {
        &self.accounts.0[0]
    }

    /// What a deed is done with, apart from the daemon itself.
    fn hands(&self) -> (Client, AdminClient) {
        (program(&self.daemon), tool(&self.daemon))
    }

    fn files(&self) -> Vec<String> {
        let folders = [self.daemon.dirs().state(), self.daemon.dirs().data()].map(|folder| folder.join("mcp-authd"));
        let entries = folders.iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten().flatten();
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
    }

    /// After a kill: the store opens, every record is whole, and what was unfinished is gone.
    async fn starts_again(&mut self, point: Point) {
        let unfinished: Vec<String> = self.files().into_iter().filter(|name| name.starts_with(UNFINISHED)).collect();
        assert!(unfinished.len() <= 1, "{point:?}: {unfinished:?}");
        self.daemon.start_again().await;
        self.has_no_damage(point);
        // The folder of the key is swept when the key is read, which nobody waits for.
        until("what was unfinished is gone", || self.files().iter().all(|name| !unfinished.contains(name))).await;
    }

    /// Not by a kill: a second one in a replay would cost the login (D56), and is not what this is about.
    async fn stops(&mut self) {
        let is_done = |status: &AccountStatus| status.grant.as_ref().is_some_and(|grant| !grant.refreshing);
        account_is(&tool(&self.daemon), &self.kept().name, is_done).await;
        assert!(self.daemon.stop().await.success());
    }

    fn has_no_damage(&self, point: Point) {
        let damaged = self.files().iter().any(|name| name.contains(".corrupt-"));
        assert!(!damaged, "{point:?}: {:?}\n{}", self.files(), self.daemon.logs());
    }

    fn keeps_a_grant(&self) -> bool {
        records(&self.daemon).iter().any(|name| name.starts_with("grant-"))
    }

    async fn answer(&self) -> Answer {
        self.kept().asked(&program(&self.daemon)).await
    }

    async fn serves(&self, answer: &Answer) -> bool {
        let Answer::UseToken(token) = answer else { return false };
        let answer = plain_http::fetch_with_token(&self.kept().server.resource(), token.expose()).await;
        answer.expect("the resource answers").status == 200
    }
}

/// Waits until a daemon serves that may be killed before; then the deed waits for ever.
async fn serving(socket: std::path::PathBuf) {
    while UnixStream::connect(&socket).is_err() {
        // law: sleep: nobody tells when a socket file appears; the daemon's end ends the wait
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
}

/// The result of a call to a daemon that may be killed meanwhile.
async fn alive<T, E>(result: Result<T, E>) -> T {
    match result {
        Ok(value) => value,
        Err(_) => std::future::pending().await,
    }
}

/// How often a step is tried that no thread came to, in whole and in short: now and then a second thread takes a share of the work.
const TRIES: (usize, usize) = (4, 1);

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
        let missed = not_reached.iter().filter(|point| is_the_stores_alone(point.call)).count();
        let enough = if is_whole() { killed > missed } else { killed > 0 };
        assert!(enough, "most steps are made by one thread: {not_reached:?}");
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
    let refreshed = |site: &Site| {
        let ((program, _), socket) = (site.hands(), site.daemon.tokens_socket());
        let kept = Arc::clone(&site.accounts.0[0]);
        async move {
            serving(socket).await;
            drop(alive(program.token(kept.never()).await).await);
        }
    };
    let deed = refreshed(&site);
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
        let deed = refreshed(&site);
        let end = killed_at(&mut site.daemon, point, deed).await;
        plan.note(&end);

        // then it serves after the next start, at the cost of one replay at most
        assert!(site.keeps_a_grant());
        site.starts_again(point).await;
        let answer = site.answer().await;
        assert!(matches!(answer, Answer::UseToken(_)), "{point:?}: {answer:?}");
        let counts = site.kept().server.counts();
        let more = counts.grace_replays - before.grace_replays;
        assert!(more <= 1 && counts.refreshes - before.refreshes <= 2 + more, "{point:?}: {before:?} {counts:?}");
        replays += more;
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
    let logged_in = |site: &Site| {
        let shown = Arc::clone(&shown);
        let ((_, tool), socket, name) = (site.hands(), site.daemon.tokens_socket(), site.kept().name.clone());
        async move {
            serving(socket).await;
            let start = StartSignIn { account: Some(name.clone()), ..StartSignIn::default() };
            let sign_in = alive(alive(tool.start_sign_in(start).await).await.sign_in.ok_or(())).await;
            *shown.lock().unwrap() = Some(code(&sign_in).to_owned());
            approve(&sign_in).await;
            let mut changes = alive(tool.watch_accounts(Some(name)).await).await;
            loop {
                let status = alive(changes.next().await).await;
                if status.grant.is_some() && status.sign_in.is_none() {
                    return;
                }
            }
        }
    };
    // each time in new folders, so that the start makes the key
    let mut site = Site::new();
    let deed = logged_in(&site);
    let last = counted(&mut site.daemon, deed).await;
    let (mut plan, mut went_on, mut anew) = (Plan::of(&last), 0, 0);
    while let Some(point) = plan.next() {
        // when it is killed there
        let mut site = Site::new();
        *shown.lock().unwrap() = None;
        let deed = logged_in(&site);
        let end = killed_at(&mut site.daemon, point, deed).await;
        plan.note(&end);

        // then the login that was shown goes on, or its grant serves, or the server had paid it out and nothing was saved
        site.starts_again(point).await;
        let was_shown = shown.lock().unwrap().take();
        let mut answer = site.answer().await;
        if let Answer::ShowSignIn(sign_in) = &answer {
            assert!(was_shown.as_deref().is_none_or(|shown| shown == code(sign_in)), "{point:?}");
            // It may have been approved before the kill.
            if site.kept().server.pending().iter().any(|pending| pending.user_code == code(sign_in)) {
                approve(sign_in).await;
            }
            account_is(&tool(&site.daemon), &site.kept().name, |status| status.sign_in.is_none()).await;
            answer = site.answer().await;
        }
        if matches!(answer, Answer::UseToken(_)) {
            went_on += 1;
        } else {
            let is_paid_out = site.kept().server.counts().grants_started == 1;
            assert!(was_shown.is_none() || is_paid_out, "{point:?}: a login that was shown is forgotten: {answer:?}");
            assert_eq!(refusal(answer).reason, Reason::LoginRequired, "{point:?}");
            log_in(&site.daemon, &site.accounts.0).await;
            anew += 1;
        }
        site.has_no_damage(point);
        site.kept().serves_on(&site.daemon).await;
    }
    plan.told("a login", &format!("{went_on} went on, {anew} were made anew"));
}

#[tokio::test]
async fn b1_a_daemon_that_is_killed_at_any_step_of_a_logout_is_logged_in_or_out() {
    if let Err(why) = possible() {
        return skipped("b1, the logout", &why);
    }
    let logged_out = |site: &Site| {
        let ((_, tool), socket, name) = (site.hands(), site.daemon.tokens_socket(), site.kept().name.clone());
        async move {
            serving(socket).await;
            assert!(alive(tool.sign_out(Some(name)).await).await.erased);
        }
    };
    let mut site = Site::new();
    site.kept().server.change(|settings| settings.access_token_life = super::LONG);
    site.daemon.start_again().await;
    log_in(&site.daemon, &site.accounts.0).await;
    site.daemon.kill();
    let deed = logged_out(&site);
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
        let deed = logged_out(&site);
        let end = killed_at(&mut site.daemon, point, deed).await;
        plan.note(&end);

        // then it is logged out and stays so, or it is as if nobody had asked
        site.starts_again(point).await;
        match site.answer().await {
            Answer::GiveUp(refusal) if refusal.reason == Reason::SignedOut => {
                until("the grant is erased", || !site.keeps_a_grant()).await;
                went += 1;
            }
            answer => {
                assert_eq!(end, End::Killed, "{point:?}: a logout that was answered stays");
                assert!(site.keeps_a_grant(), "{point:?}: {answer:?}");
                let was_revoked = site.kept().server.counts().revocations > before.revocations;
                assert!(was_revoked || site.serves(&answer).await, "{point:?}: {answer:?}");
                stayed += 1;
                // what was given back already serves nobody
                tool(&site.daemon).sign_out(None).await.unwrap();
            }
        }
        site.has_no_damage(point);
        site.daemon.kill();
    }
    plan.told("a logout", &format!("{went} logged out, {stayed} as before"));
}
