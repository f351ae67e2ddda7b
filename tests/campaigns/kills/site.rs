//! One account of one daemon that is killed and started again, and what must hold of it after each kill (B1).

use std::fmt::Debug;
use std::fs;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex};

use mcp_authd_client::admin::StartSignIn;
use mcp_authd_client::status::AccountStatus;
use mcp_authd_client::{AdminClient, Answer, Client, Reason};
use mcp_authd_tests::daemon::Daemon;
use mcp_authd_tests::plain_http;
use mcp_authd_tests::programs::{account_is, approve, code, program, records, refusal, tool, until};
use mcp_authd_tests::server::Counts;

use super::{Accounts, GRACE, Kept, log_in};

/// What begins the name of a file that is not yet a record.
const UNFINISHED: &str = ".unfinished-";

/// One account of one daemon that is killed and started again.
pub(super) struct Site {
    pub(super) accounts: Accounts,
    pub(super) daemon: Daemon,
}

impl Site {
    pub(super) fn new() -> Self {
        let accounts = Accounts::with(GRACE, 1);
        let daemon = Daemon::prepare(accounts.config());
        Self { accounts, daemon }
    }

    pub(super) fn kept(&self) -> &Kept {
        &self.accounts.0[0]
    }

    /// What a deed is done with, apart from the daemon itself.
    pub(super) fn hands(&self) -> (Client, AdminClient) {
        (program(&self.daemon), tool(&self.daemon))
    }

    pub(super) fn files(&self) -> Vec<String> {
        let folders = [self.daemon.dirs().state(), self.daemon.dirs().data()].map(|folder| folder.join("mcp-authd"));
        let entries = folders.iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten().flatten();
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
    }

    /// After a kill: the store opens, every record is whole, and what was unfinished is gone.
    pub(super) async fn starts_again(&mut self, at: impl Debug) {
        let unfinished: Vec<String> = self.files().into_iter().filter(|name| name.starts_with(UNFINISHED)).collect();
        assert!(unfinished.len() <= 1, "{at:?}: {unfinished:?}");
        self.daemon.start_again().await;
        self.has_no_damage(at);
        // The folder of the key is swept when the key is read, which nobody waits for.
        until("what was unfinished is gone", || self.files().iter().all(|name| !unfinished.contains(name))).await;
    }

    /// Not by a kill: a second one in a replay would cost the login (D56), and is not what this is about.
    pub(super) async fn stops(&mut self) {
        let is_done = |status: &AccountStatus| status.grant.as_ref().is_some_and(|grant| !grant.refreshing);
        account_is(&tool(&self.daemon), &self.kept().name, is_done).await;
        assert!(self.daemon.stop().await.success());
    }

    pub(super) fn has_no_damage(&self, at: impl Debug) {
        let damaged = self.files().iter().any(|name| name.contains(".corrupt-"));
        assert!(!damaged, "{at:?}: {:?}\n{}", self.files(), self.daemon.logs());
    }

    pub(super) fn keeps_a_grant(&self) -> bool {
        records(&self.daemon).iter().any(|name| name.starts_with("grant-"))
    }

    pub(super) async fn answer(&self) -> Answer {
        self.kept().asked(&program(&self.daemon)).await
    }

    pub(super) async fn serves(&self, answer: &Answer) -> bool {
        let Answer::UseToken(token) = answer else { return false };
        let answer = plain_http::fetch_with_token(&self.kept().server.resource(), token.expose()).await;
        answer.expect("the resource answers").status == 200
    }

    /// A refresh, from the outside: a program that wants a token.
    pub(super) fn refreshes(&self) -> impl Future<Output = ()> + Send + use<> {
        let ((program, _), socket, kept) = (self.hands(), self.daemon.tokens_socket(), Arc::clone(&self.accounts.0[0]));
        async move {
            serving(socket).await;
            drop(alive(program.token(kept.never()).await).await);
        }
    }

    /// A login, and what it shows.
    pub(super) fn logs_in(&self, shown: &Arc<Mutex<Option<String>>>) -> impl Future<Output = ()> + Send + use<> {
        let shown = Arc::clone(shown);
        let ((_, tool), socket, name) = (self.hands(), self.daemon.tokens_socket(), self.kept().name.clone());
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
    }

    /// A logout.
    pub(super) fn logs_out(&self) -> impl Future<Output = ()> + Send + use<> {
        let ((_, tool), socket, name) = (self.hands(), self.daemon.tokens_socket(), self.kept().name.clone());
        async move {
            serving(socket).await;
            assert!(alive(tool.sign_out(Some(name)).await).await.erased);
        }
    }

    /// After a kill in a refresh: it is served, at the cost of one replay at most. How many there were.
    pub(super) async fn serves_again(&mut self, at: impl Debug + Copy, before: &Counts) -> u64 {
        assert!(self.keeps_a_grant(), "{at:?}");
        self.starts_again(at).await;
        let answer = self.answer().await;
        assert!(matches!(answer, Answer::UseToken(_)), "{at:?}: {answer:?}");
        let counts = self.kept().server.counts();
        let more = counts.grace_replays - before.grace_replays;
        assert!(more <= 1 && counts.refreshes - before.refreshes <= 2 + more, "{at:?}: {before:?} {counts:?}");
        more
    }

    /// After a kill in a login: what was shown goes on, or its grant serves, or the server had paid it out and nothing was saved; then
    /// the person logs in anew. Whether it went on.
    pub(super) async fn logs_in_after_all(&mut self, at: impl Debug + Copy, was_shown: Option<String>) -> bool {
        self.starts_again(at).await;
        let mut answer = self.answer().await;
        if let Answer::ShowSignIn(sign_in) = &answer {
            assert!(was_shown.as_deref().is_none_or(|shown| shown == code(sign_in)), "{at:?}");
            // It may have been approved before the kill.
            if self.kept().server.pending().iter().any(|pending| pending.user_code == code(sign_in)) {
                approve(sign_in).await;
            }
            account_is(&tool(&self.daemon), &self.kept().name, |status| status.sign_in.is_none()).await;
            answer = self.answer().await;
        }
        let went_on = matches!(answer, Answer::UseToken(_));
        if !went_on {
            let is_paid_out = self.kept().server.counts().grants_started == 1;
            assert!(was_shown.is_none() || is_paid_out, "{at:?}: a login that was shown is forgotten: {answer:?}");
            assert_eq!(refusal(answer).reason, Reason::LoginRequired, "{at:?}");
            log_in(&self.daemon, &self.accounts.0).await;
        }
        self.has_no_damage(at);
        self.kept().serves_on(&self.daemon).await;
        went_on
    }

    /// After a kill in a logout: it is logged out and stays so, or it is as if nobody had asked, and the person logs out then. Whether it
    /// was logged in.
    pub(super) async fn is_logged_in_or_out(&mut self, at: impl Debug + Copy, before: &Counts) -> bool {
        self.starts_again(at).await;
        let was_in = match self.answer().await {
            Answer::GiveUp(refusal) if refusal.reason == Reason::SignedOut => {
                until("the grant is erased", || !self.keeps_a_grant()).await;
                false
            }
            answer => {
                assert!(self.keeps_a_grant(), "{at:?}: {answer:?}");
                let was_revoked = self.kept().server.counts().revocations > before.revocations;
                assert!(was_revoked || self.serves(&answer).await, "{at:?}: {answer:?}");
                // what was given back already serves nobody
                tool(&self.daemon).sign_out(None).await.unwrap();
                true
            }
        };
        self.has_no_damage(at);
        was_in
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
