//! Programs that want tokens: the client library on the sockets of a daemon under test, one of them or a crowd.
//!
//! Must never: reach into the daemon by another way than its sockets; only the names of its records are looked at from outside.

use std::time::Duration;

use mcp_authd_client::admin::StartSignIn;
use mcp_authd_client::status::AccountStatus;
use mcp_authd_client::{
    AdminClient, Answer, CallError, Client, How, Need, Refusal, Request, SignIn, SignInMode, Sockets, Token, Watch,
};
use tokio::task::JoinSet;
use url::Url;

use crate::daemon::Daemon;
use crate::person::{self, in_browser};
use crate::sentinel;

/// Far longer than anything here takes: only a story that would wait for ever meets it.
const WATCHDOG: Duration = Duration::from_secs(100);
const LOOK_AGAIN: Duration = Duration::from_millis(2);

/// A program with a connection of its own.
#[must_use]
pub fn program(daemon: &Daemon) -> Client {
    Client::new(&Sockets::at(daemon.tokens_socket()))
}

/// The person's tool.
#[must_use]
pub fn tool(daemon: &Daemon) -> AdminClient {
    AdminClient::new(&Sockets::at(daemon.tokens_socket()))
}

/// Asks for the token that there is, without beginning a login.
///
/// # Panics
/// If the daemon does not answer.
pub async fn look(program: &Client, account: &str) -> Answer {
    let request = Request::new(Need::account(account)).sign_in(SignInMode::Never);
    program.token(request).await.expect("the daemon answers")
}

// ---- answers

/// The token of an answer.
///
/// # Panics
/// If it is another answer.
#[must_use]
pub fn token(answer: Answer) -> Token {
    match answer {
        Answer::UseToken(token) => token,
        other => panic!("a token was to come, and not {other:?}"),
    }
}

/// The prompt of an answer.
///
/// # Panics
/// If it is another answer.
#[must_use]
pub fn prompt(answer: Answer) -> SignIn {
    match answer {
        Answer::ShowSignIn(sign_in) => sign_in,
        other => panic!("a prompt was to come, and not {other:?}"),
    }
}

/// The refusal of an answer that sends the program to the person.
///
/// # Panics
/// If it is another answer, or says nothing to the person.
#[must_use]
pub fn refusal(answer: Answer) -> Refusal {
    match answer {
        Answer::GiveUp(refusal) => {
            assert!(refusal.message.ends_with('.') && !refusal.next_step.is_empty(), "no sentence: {refusal:?}");
            refusal
        }
        other => panic!("a refusal was to come, and not {other:?}"),
    }
}

/// The code of a prompt.
///
/// # Panics
/// If it is no device login.
#[must_use]
pub fn code(sign_in: &SignIn) -> &str {
    page(sign_in).1
}

/// The URL of a prompt, to be opened in a browser. Its `state` is nobody else's to know from then on.
///
/// # Panics
/// If it is no login in a browser.
#[must_use]
pub fn url(sign_in: &SignIn) -> Url {
    let How::Browser { authorization_uri } = &sign_in.how else { panic!("a login in a browser was to come: {sign_in:?}") };
    let url = Url::parse(authorization_uri).expect("the URL of a prompt is one");
    for (_, state) in url.query_pairs().filter(|(name, _)| name == "state") {
        sentinel::learn(&state, "a state");
    }
    url
}

/// The person answers a prompt where it leads to: approves it.
///
/// # Panics
/// If the page does not take it.
pub async fn approve(sign_in: &SignIn) {
    let taken = match &sign_in.how {
        How::Browser { .. } => in_browser::approve(&url(sign_in)).await.map(drop),
        _ => {
            let (uri, code) = page(sign_in);
            person::approve(uri, code).await
        }
    };
    taken.expect("the page takes the answer");
}

/// The person answers a prompt where it leads to: denies it.
///
/// # Panics
/// If the page does not take it.
pub async fn deny(sign_in: &SignIn) {
    let taken = match &sign_in.how {
        How::Browser { .. } => in_browser::deny(&url(sign_in)).await.map(drop),
        _ => {
            let (uri, code) = page(sign_in);
            person::deny(uri, code).await
        }
    };
    taken.expect("the page takes the answer");
}

fn page(sign_in: &SignIn) -> (&str, &str) {
    match &sign_in.how {
        How::Device { user_code, verification_uri, .. } => (verification_uri, user_code),
        other => panic!("a device login was to come, and not {other:?}"),
    }
}

// ---- waiting

/// Waits until a watch has an answer like this.
///
/// # Panics
/// With the last answer, where it never has.
pub async fn watched<T>(watch: &mut Watch, so: impl Fn(Answer) -> Option<T>) -> T {
    let waiting = async {
        loop {
            match watch.token().ok().and_then(&so) {
                Some(found) => return found,
                None => watch.changed().await.expect("the runtime lives"),
            }
        }
    };
    match tokio::time::timeout(WATCHDOG, waiting).await {
        Ok(found) => found,
        Err(_) => panic!("the watch never came to it: {:?}", watch.token()),
    }
}

/// A token, for [`watched`].
#[must_use]
pub fn a_token(answer: Answer) -> Option<Token> {
    if let Answer::UseToken(token) = answer { Some(token) } else { None }
}

/// A prompt, for [`watched`].
#[must_use]
pub fn a_prompt(answer: Answer) -> Option<SignIn> {
    if let Answer::ShowSignIn(sign_in) = answer { Some(sign_in) } else { None }
}

/// A refusal that sends the program to the person, for [`watched`].
#[must_use]
pub fn a_refusal(answer: Answer) -> Option<Refusal> {
    if let Answer::GiveUp(refusal) = answer { Some(refusal) } else { None }
}

/// Waits until an account is so, as the person's tool sees it. Asks for no token.
///
/// # Panics
/// If it never is.
pub async fn account_is(tool: &AdminClient, account: &str, so: impl Fn(&AccountStatus) -> bool) -> AccountStatus {
    let waiting = async {
        let mut changes = tool.watch_accounts(Some(account.to_owned())).await.expect("the tool may watch");
        loop {
            let status = changes.next().await.expect("the daemon serves");
            if so(&status) {
                return status;
            }
        }
    };
    tokio::time::timeout(WATCHDOG, waiting).await.expect("the account comes to it")
}

/// Waits for what can only be looked at: a file, a line of the log.
///
/// # Panics
/// With what it was, where it never happens.
pub async fn until(what: &str, so: impl Fn() -> bool) {
    let waiting = async {
        while !so() {
            // law: sleep: a file tells nobody that it has come
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    };
    assert!(tokio::time::timeout(WATCHDOG, waiting).await.is_ok(), "this never happened: {what}");
}

// ---- logins and ends

/// The person begins a login. Its prompt.
///
/// # Panics
/// If none comes.
pub async fn prompted(daemon: &Daemon, account: &str) -> SignIn {
    let start = StartSignIn { account: Some(account.to_owned()), ..StartSignIn::default() };
    let status = tool(daemon).start_sign_in(start).await.expect("the tool is answered");
    status.sign_in.unwrap_or_else(|| panic!("a prompt was to come: {:?}", status.message))
}

/// The person logs in, from the first command to the saved grant. Asks for no token.
///
/// # Panics
/// If the login does not work.
pub async fn logged_in(daemon: &Daemon, account: &str) {
    approve(&prompted(daemon, account).await).await;
    account_is(&tool(daemon), account, |status| status.grant.is_some() && status.sign_in.is_none()).await;
}

/// Waits until the token that an account holds has ended. Asks for no token.
///
/// # Panics
/// If there is none, or its end is unknown.
pub async fn token_ended(daemon: &Daemon, account: &str) {
    let waiting = async {
        loop {
            let status = account_is(&tool(daemon), account, |status| status.grant.is_some()).await;
            let left = status.grant.and_then(|grant| grant.expires_in).expect("the token's end is known");
            if left.is_zero() {
                return;
            }
            // law: sleep: the end of a token is a moment of the clock; the loop looks again
            tokio::time::sleep(left).await;
        }
    };
    tokio::time::timeout(WATCHDOG, waiting).await.expect("the token ends");
}

/// The names of the records that a daemon keeps, sorted.
#[must_use]
pub fn records(daemon: &Daemon) -> Vec<String> {
    let entries = std::fs::read_dir(daemon.dirs().state().join("mcp-authd")).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut records: Vec<String> = names.filter(|name| name.ends_with(".sealed")).collect();
    records.sort();
    records
}

// ---- many at once

/// Programs with a connection each.
#[derive(Debug)]
pub struct Crowd(Vec<Client>);

/// Calls that are on their way.
#[derive(Debug)]
pub struct Calls {
    running: JoinSet<Result<Answer, CallError>>,
    behind: JoinSet<Result<(), CallError>>,
}

impl Crowd {
    /// So many programs.
    #[must_use]
    pub fn of(programs: usize, daemon: &Daemon) -> Self {
        Self((0..programs).map(|_| program(daemon)).collect())
    }

    /// One watch for each program.
    #[must_use]
    pub fn watch(&self, need: &Need) -> Vec<Watch> {
        self.0.iter().map(|program| program.watch(need.clone())).collect()
    }

    /// Each program makes so many calls, all at once.
    #[must_use]
    pub fn begin(&self, calls_each: usize, request: impl Into<Request>) -> Calls {
        let request = request.into();
        self.each(calls_each, |program| {
            let request = request.clone();
            async move { program.token(request).await }
        })
    }

    /// The same, and waits for the answers.
    ///
    /// # Panics
    /// If a call has none.
    pub async fn ask(&self, calls_each: usize, request: impl Into<Request>) -> Vec<Answer> {
        self.begin(calls_each, request).answers().await
    }

    /// Each program reports a token as rejected, so many times, all at once.
    #[must_use]
    pub fn report(&self, times_each: usize, rejected: &Token) -> Calls {
        self.each(times_each, |program| {
            let rejected = rejected.clone();
            async move { program.report_rejected(&rejected).await }
        })
    }

    fn each<F>(&self, calls_each: usize, call: impl Fn(Client) -> F) -> Calls
    where
        F: Future<Output = Result<Answer, CallError>> + Send + 'static,
    {
        let mut calls = Calls { running: JoinSet::new(), behind: JoinSet::new() };
        for program in &self.0 {
            for _ in 0..calls_each {
                calls.running.spawn(call(program.clone()));
            }
            let program = program.clone();
            calls.behind.spawn(async move { program.accounts().await.map(drop) });
        }
        calls
    }
}

impl Calls {
    /// Waits until the daemon has taken them: on each connection a call that went out behind them has been answered.
    ///
    /// # Panics
    /// If the daemon does not answer.
    pub async fn taken(&mut self) {
        while let Some(listed) = self.behind.join_next().await {
            listed.expect("no call panics").expect("the daemon lists its accounts");
        }
    }

    /// How many have not been answered yet.
    #[must_use]
    pub fn open(&self) -> usize {
        self.running.len()
    }

    /// Waits for all answers.
    ///
    /// # Panics
    /// If a call has none.
    pub async fn answers(mut self) -> Vec<Answer> {
        let mut answers = Vec::with_capacity(self.running.len());
        while let Some(answer) = self.running.join_next().await {
            answers.push(answer.expect("no call panics").expect("every call is answered"));
        }
        answers
    }
}
