//! Who was given which token: one line in the log for each token and connection, and the account's last use (P12).
//!
//! A connection that is given the same token again is told of once more in all, with their number: with the next token that it is
//! given, or when it ends. A line for each would cost more than the answer itself, and say nothing new.
//!
//! Must never: tell a token, its hash, or a URL with its query; or let a token out that was not noted: see [`Receipt`].

use std::sync::{Mutex, PoisonError};

use mcp_authd_oauth::secret::TokenHash;
use mcp_authd_oauth::time::{Instant, Now};

use super::peer::Caller;
use crate::accounts::AccountName;
use crate::accounts::handle::AccountHandle;
use crate::accounts::need::ServedToken;
use crate::host::log::AUDIT;
use crate::host::peer::Peer;

/// Accounts of one connection whose repeats are known; of a further one each answer is a line, as those of the first are forgotten.
const MOST_ACCOUNTS: usize = 16;

/// That a token was noted: the one thing that lets it onto the wire.
pub(super) struct Receipt(());

/// In which call a token is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    GetToken,
    WatchToken,
}

/// An answer that is about to be given.
pub(super) struct Giving<'a> {
    pub(super) caller: &'a Caller,
    pub(super) account: &'a AccountHandle,
    pub(super) how: How,
    /// By which name the program asks; its file's, where it tells none.
    pub(super) asked_as: &'a str,
    pub(super) now: Now,
}

impl Giving<'_> {
    /// Notes that the token is given. `revision` is that of the answer.
    pub(super) fn note(&self, revision: u64, token: &ServedToken) -> Receipt {
        let Self { caller, account, now, .. } = self;
        account.note_use(caller.peer(), now.wall);
        match caller.given().note(account.name(), revision, token) {
            Noted::Again => {}
            Noted::New { again, forgotten } => {
                self.tell(token, again);
                if let Some(forgotten) = forgotten {
                    forgotten.tell(caller.peer());
                }
            }
        }
        Receipt(())
    }

    fn tell(&self, token: &ServedToken, again: u64) {
        let peer = self.caller.peer();
        let program = peer.executable.as_deref();
        let resource = token.resource.as_ref().map(|resource| without_query(resource.as_str()));
        tracing::info!(
            target: AUDIT,
            account = %self.account.name(),
            uid = peer.uid,
            pid = peer.pid,
            process_start = peer.started.map(|at| self.now.wall_of(at).as_millis()),
            program,
            asked_as = Some(self.asked_as).filter(|name| !name.is_empty() && Some(*name) != program),
            scopes = token.scopes.to_parameter(),
            resource,
            expires_in = token.expires.map(|at| at.since(self.now.instant).as_secs()),
            how = match self.how {
                How::GetToken => "get_token",
                How::WatchToken => "watch_token",
            },
            again = Some(again).filter(|again| *again > 0),
            "a token was given to a program"
        );
    }
}

fn without_query(url: &str) -> &str {
    url.split_once('?').map_or(url, |(before, _)| before)
}

/// What one connection was given: the last token of each account.
#[derive(Debug, Default)]
pub(super) struct Given(Mutex<Vec<Last>>);

/// The last token that a connection was given of an account.
#[derive(Debug)]
struct Last {
    account: AccountName,
    /// The same revision of the account with the same end is the same token; where either has changed, its hash tells.
    revision: u64,
    expires: Option<Instant>,
    token: TokenHash,
    /// How often it was given once more.
    again: u64,
}

#[derive(Debug)]
enum Noted {
    Again,
    New {
        /// How often the one before it was given once more.
        again: u64,
        /// Of an account that there is no room for any more.
        forgotten: Option<Last>,
    },
}

impl Given {
    fn note(&self, account: &AccountName, revision: u64, token: &ServedToken) -> Noted {
        let mut given = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(last) = given.iter_mut().find(|last| last.account == *account) else {
            let forgotten = (given.len() >= MOST_ACCOUNTS).then(|| given.remove(0));
            let (expires, token) = (token.expires, token.access_token.sha256());
            // Most connections ask for one account, and there may be thousands of them.
            given.reserve_exact(1);
            given.push(Last { account: account.clone(), revision, expires, token, again: 0 });
            return Noted::New { again: 0, forgotten };
        };
        // The way of nearly every call.
        if (last.revision, last.expires) != (revision, token.expires) {
            (last.revision, last.expires) = (revision, token.expires);
            let hash = token.access_token.sha256();
            if hash != last.token {
                last.token = hash;
                return Noted::New { again: std::mem::take(&mut last.again), forgotten: None };
            }
        }
        last.again += 1;
        Noted::Again
    }

    /// The connection has ended.
    pub(super) fn tell_the_rest(&mut self, peer: &Peer) {
        let given = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        given.drain(..).for_each(|last| last.tell(peer));
    }
}

impl Last {
    fn tell(&self, peer: &Peer) {
        if self.again > 0 {
            tracing::info!(
                target: AUDIT,
                account = %self.account,
                uid = peer.uid,
                pid = peer.pid,
                program = peer.executable.as_deref(),
                again = self.again,
                "the same token was given to a program again"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use mcp_authd_oauth::secret::AccessToken;
    use mcp_authd_oauth::terms::Scopes;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn served(token: u8, expires: i64) -> ServedToken {
        ServedToken {
            access_token: AccessToken::new(format!("token-{token}")),
            expires: Some(Instant::from_millis(expires)),
            scopes: Scopes::default(),
            resource: None,
        }
    }

    fn name(account: usize) -> AccountName {
        AccountName::parse(&format!("a{account}")).unwrap()
    }

    #[test]
    fn a_query_is_no_part_of_a_line() {
        assert_eq!(without_query("https://mcp.example/mcp?key=1"), "https://mcp.example/mcp");
        assert_eq!(without_query("https://mcp.example/mcp"), "https://mcp.example/mcp");
    }

    proptest! {
        /// Against a plain list: each token is told the first time, no repeat is lost, and the room is bounded.
        #[test]
        fn each_token_is_told_once_and_every_repeat_is_counted(
            steps in prop::collection::vec((0_usize..20, 0_u8..3, any::<bool>()), 0..200)
        ) {
            let mut given = Given::default();
            let mut revision = 0;
            let mut present: BTreeMap<usize, (u8, u64)> = BTreeMap::new();
            let (mut told, mut again) = (0_u64, 0_u64);
            for (account, token, other_change) in &steps {
                let known = present.get(account).copied();
                // A revision rises with each new token, and with other changes, too.
                if *other_change || known.is_none_or(|(known, _)| known != *token) {
                    revision += 1;
                }
                let at = known.filter(|(known, _)| known == token && !other_change).map_or(revision, |(_, at)| at);
                present.insert(*account, (*token, at));
                let remembered = given.0.get_mut().unwrap().iter().any(|last| last.account == name(*account));
                let is_new = !remembered || known.is_none_or(|(known, _)| known != *token);
                match given.note(&name(*account), at, &served(*token, 7)) {
                    Noted::Again => prop_assert!(!is_new),
                    Noted::New { again: before, forgotten } => {
                        prop_assert!(is_new);
                        told += 1;
                        again += before + forgotten.map_or(0, |last| last.again);
                    }
                }
                prop_assert!(given.0.get_mut().unwrap().len() <= MOST_ACCOUNTS);
            }
            again += given.0.get_mut().unwrap().iter().map(|last| last.again).sum::<u64>();
            prop_assert_eq!(usize::try_from(told + again).unwrap(), steps.len());
        }
    }

    #[test]
    fn another_token_at_the_same_revision_is_told_by_its_end() {
        let given = Given::default();
        assert!(matches!(given.note(&name(1), 1, &served(1, 7)), Noted::New { .. }));
        assert!(matches!(given.note(&name(1), 1, &served(1, 7)), Noted::Again));
        assert!(matches!(given.note(&name(1), 1, &served(2, 8)), Noted::New { again: 1, .. }));
    }
}
