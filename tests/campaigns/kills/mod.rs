//! The daemon ends in the midst of it: killed or asked to leave, with answers on the way (B1-B6).

mod answers;
mod calls;
mod front;
mod leaving;
mod moments;
mod renames;
mod site;
mod steps;
mod traced;

use std::sync::Arc;
use std::time::{Duration, Instant};

use mcp_authd_client::{Answer, Client, Need, Reason, Request, SignInMode};
use mcp_authd_tests::daemon::{Account, Config, Daemon};
use mcp_authd_tests::plain_http;
use mcp_authd_tests::programs::{account_is, approve, program, prompted, token, tool, until};
use mcp_authd_tests::server::{AuthorizationServer, Rotation, Settings};
use tokio::task::JoinSet;

/// So short that there is always a refresh to do.
const LIFE: Duration = Duration::from_secs(1);
const LONG: Duration = Duration::from_secs(3600);
/// Longer than any campaign.
const GRACE: Rotation = Rotation::Grace(LONG);

/// Some accounts of one daemon, each at a server of its own, so that what one costs is counted apart.
struct Accounts(Vec<Arc<Kept>>);

/// One of them.
struct Kept {
    name: String,
    server: AuthorizationServer,
    rotation: Rotation,
    /// Not after the beginning of the server's own time, and hardly before.
    begun: Instant,
}

/// How often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    /// The call itself must bring it.
    Once,
    /// Again, where the answer is that there is nothing now.
    UntilServed,
}

impl Accounts {
    /// So many, at servers with this rotation, with tokens that end at once.
    fn with(rotation: Rotation, many: usize) -> Self {
        let kept = |number| {
            let begun = Instant::now();
            let server = AuthorizationServer::start(Settings { rotation, access_token_life: LIFE, ..Settings::default() });
            Arc::new(Kept { name: format!("work-{number}"), server, rotation, begun })
        };
        Self((0..many).map(kept).collect())
    }

    fn config(&self) -> Config {
        self.0
            .iter()
            .fold(quiet(), |config, kept| config.account(Account::at(&kept.name, kept.server.issuer()).scopes(["mcp:read"])))
    }

    async fn log_in(&self, daemon: &Daemon) {
        log_in(daemon, &self.0).await;
    }

    /// Each is asked, all at the same time. The answers in their order, and how long each took.
    async fn asked(&self, daemon: &Daemon, how: Asked) -> Vec<(Answer, Duration)> {
        let mut calls = JoinSet::new();
        for (number, kept) in self.0.iter().enumerate() {
            let (program, kept) = (program(daemon), Arc::clone(kept));
            calls.spawn(async move {
                let begun = Instant::now();
                let answer = match how {
                    Asked::Once => kept.asked(&program).await,
                    Asked::UntilServed => kept.served(&program).await,
                };
                (number, answer, begun.elapsed())
            });
        }
        let mut answers = calls.join_all().await;
        answers.sort_by_key(|(number, ..)| *number);
        answers.into_iter().map(|(_, answer, took)| (answer, took)).collect()
    }

    /// At the end: each account has a token that works at its resource, no spent token was sent outside of a grace, and nobody had
    /// to log in again.
    async fn serve_on(&self, daemon: &Daemon) {
        for kept in &self.0 {
            kept.serves_on(daemon).await;
            let counts = kept.server.counts();
            counts.assert_no_race_was_lost();
            assert_eq!(counts.grants_started, 1, "{}", kept.name);
        }
    }
}

impl Kept {
    fn is_strict(&self) -> bool {
        self.rotation == Rotation::Strict
    }

    /// A question with all the patience that there is, that begins no login.
    fn never(&self) -> Request {
        Request::new(Need::account(&self.name)).sign_in(SignInMode::Never).max_wait(Duration::from_secs(20))
    }

    async fn asked(&self, program: &Client) -> Answer {
        program.token(self.never()).await.expect("the daemon answers")
    }

    fn refreshes_done(&self) -> usize {
        usize::try_from(self.server.counts().refreshes_ok()).expect("it fits")
    }

    /// Waits until the server has done all that a dead daemon had sent: whoever comes after it is answered, and nothing is undecided.
    async fn is_quiet(&self) {
        for _ in 0..2 {
            drop(plain_http::fetch(&self.server.resource()).await.expect("the resource answers"));
        }
        until("the server has nothing under way", || self.server.log().iter().all(|line| line.decided.is_some())).await;
    }

    /// When the server did each refresh.
    fn commits(&self) -> Vec<Instant> {
        let log = self.server.log();
        let done = log.iter().filter(|line| line.grant_type.as_deref() == Some("refresh_token") && line.outcome == "ok");
        done.filter_map(|line| Some(self.begun + line.decided?)).collect()
    }

    /// Asks until there is an answer that is not "later".
    async fn served(&self, program: &Client) -> Answer {
        loop {
            match self.asked(program).await {
                Answer::TryLater(refusal) if refusal.reason == Reason::Unavailable => {
                    // law: sleep: the daemon says when it will try again
                    tokio::time::sleep(refusal.retry_after.unwrap_or_default()).await;
                }
                answer => return answer,
            }
        }
    }

    /// It has a token that works at its resource: from here on one that lives long.
    async fn serves_on(&self, daemon: &Daemon) {
        self.server.behave();
        self.server.change(|settings| settings.access_token_life = LONG);
        let serving = async {
            loop {
                let token = token(self.asked(&program(daemon)).await);
                let answer = plain_http::fetch_with_token(&self.server.resource(), token.expose()).await;
                if answer.expect("the resource answers").status == 200 {
                    return;
                }
            }
        };
        tokio::time::timeout(LONG, serving).await.expect("a token serves");
    }
}

/// The person logs in to these, all at once.
async fn log_in(daemon: &Daemon, accounts: &[Arc<Kept>]) {
    for kept in accounts {
        approve(&prompted(daemon, &kept.name).await).await;
    }
    for kept in accounts {
        account_is(&tool(daemon), &kept.name, |status| status.grant.is_some() && status.sign_in.is_none()).await;
    }
}

/// A log at trace of so many rounds would fill the disk.
fn quiet() -> Config {
    Config::new().environment("MCP_AUTHD_LOG", "warn")
}
