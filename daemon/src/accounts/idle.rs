//! Whether a daemon to which nobody is connected may leave, to be started again by the next client (DESIGN, section 5).
//!
//! It may where nothing would be lost, missed or done too soon: whatever is under way goes first, and every bound on requests and
//! prompts that the records do not keep has run out. A restricted socket will be one more reason to stay, once there are any.
//!
//! Must never: let go of a key that only a person can open.

use std::fmt;

use super::KeyOpener;
use super::roster::Roster;

/// What speaks for staying.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Who holds the sockets.
    pub sockets: HeldBy,
    /// Connections, on both.
    pub connected: usize,
    /// Who opens the store's key.
    pub key: KeyOpener,
    /// Work for nobody who is connected: requests that are out, logins, tokens that are given back, orders of the configuration.
    pub errands: usize,
    /// What accounts need it for: one entry for each that does.
    pub business: Vec<Business>,
}

/// Who holds the sockets while this daemon is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeldBy {
    /// A service manager, both: the next client starts a daemon.
    Manager,
    /// Nobody: a client would find none.
    Daemon,
}

/// What an account, or a server of accounts, needs a daemon for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Business {
    /// Its records are being read.
    Loading,
    /// A login is going on.
    SignIn,
    /// A request is out, or a caller waits.
    InFlight,
    /// The disk does not hold what it should.
    NotSaved,
    /// The disk still holds what it should not.
    NotErased,
    /// It is in use, and its token wants to be renewed ahead of its end (D53); or an answer was lost, and the replay is owed (D56).
    RefreshOwed,
    /// A server is left alone for a while, and a start would forget that (D47, D48, D54, D59).
    LeavesAlone,
}

/// What follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It may leave.
    Leaves,
    /// It stays.
    Stays(Why),
}

/// Why it stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// Nobody would start it again.
    OwnSockets,
    /// Somebody is connected.
    Connected,
    /// Only a person could open the key again.
    Key,
    /// Work is under way.
    Errand,
    /// An account needs it.
    Account(Business),
}

impl Facts {
    /// The rule.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        let why = match (self.sockets, self.key, self.business.first()) {
            (HeldBy::Daemon, ..) => Why::OwnSockets,
            (HeldBy::Manager, KeyOpener::Person, _) => Why::Key,
            _ if self.connected > 0 => Why::Connected,
            (HeldBy::Manager, KeyOpener::Machine, Some(business)) => Why::Account(*business),
            _ if self.errands > 0 => Why::Errand,
            (HeldBy::Manager, KeyOpener::Machine, None) => return Verdict::Leaves,
        };
        Verdict::Stays(why)
    }
}

impl Why {
    /// Whether it is so for as long as this daemon lives.
    #[must_use]
    pub fn is_for_good(self) -> bool {
        matches!(self, Self::OwnSockets | Self::Key)
    }
}

/// For the log.
impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OwnSockets => "nobody else holds the sockets",
            Self::Connected => "somebody is connected",
            Self::Key => "a person has opened the key of the store",
            Self::Errand => "work is under way",
            Self::Account(Business::Loading) => "records are being read",
            Self::Account(Business::SignIn) => "a login is going on",
            Self::Account(Business::InFlight) => "a request is out",
            Self::Account(Business::NotSaved) => "something is not saved",
            Self::Account(Business::NotErased) => "something is not erased",
            Self::Account(Business::RefreshOwed) => "an account in use owes a refresh",
            Self::Account(Business::LeavesAlone) => "a server is left alone for a while",
        })
    }
}

impl Roster {
    /// What the accounts and their servers need this daemon for, each as it answers.
    pub async fn business(&self) -> Vec<Business> {
        let asked = self.registry().all();
        let told = futures_util::future::join_all(asked.iter().map(super::handle::AccountHandle::business)).await;
        let now = self.clock().now().instant;
        let left_alone = self.upstream().leaves_alone_until().is_some_and(|until| until > now);
        told.into_iter().flatten().chain(left_alone.then_some(Business::LeavesAlone)).collect()
    }

    /// Who opens the store's key.
    #[must_use]
    pub fn key_opener(&self) -> KeyOpener {
        self.vault().key_opener()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FREE: Facts =
        Facts { sockets: HeldBy::Manager, connected: 0, key: KeyOpener::Machine, errands: 0, business: Vec::new() };

    fn business() -> impl Strategy<Value = Business> {
        prop_oneof![
            Just(Business::Loading),
            Just(Business::SignIn),
            Just(Business::InFlight),
            Just(Business::NotSaved),
            Just(Business::NotErased),
            Just(Business::RefreshOwed),
            Just(Business::LeavesAlone),
        ]
    }

    fn facts() -> impl Strategy<Value = Facts> {
        let sockets = prop_oneof![4 => Just(HeldBy::Manager), 1 => Just(HeldBy::Daemon)];
        let key = prop_oneof![4 => Just(KeyOpener::Machine), 1 => Just(KeyOpener::Person)];
        let few = || prop_oneof![2 => Just(0_usize), 1 => 1_usize..3];
        (sockets, few(), key, few(), prop_oneof![2 => Just(Vec::new()), 1 => prop::collection::vec(business(), 0..4)])
            .prop_map(|(sockets, connected, key, errands, business)| Facts { sockets, connected, key, errands, business })
    }

    proptest! {
        #[test]
        fn it_leaves_where_nothing_speaks_against_it_and_names_what_does(facts in facts()) {
            let against = [
                (facts.sockets == HeldBy::Daemon).then_some(Why::OwnSockets),
                (facts.connected > 0).then_some(Why::Connected),
                (facts.key == KeyOpener::Person).then_some(Why::Key),
                (facts.errands > 0).then_some(Why::Errand),
            ];
            let against: Vec<Why> = against.into_iter().flatten().chain(facts.business.iter().copied().map(Why::Account)).collect();
            match facts.verdict() {
                Verdict::Leaves => prop_assert_eq!(&against, &[]),
                Verdict::Stays(why) => prop_assert!(against.contains(&why), "{:?} is not so", why),
            }
        }

        #[test]
        fn what_is_so_for_good_is_told_before_what_may_pass(facts in facts()) {
            let for_good = facts.sockets == HeldBy::Daemon || facts.key == KeyOpener::Person;
            let told = matches!(facts.verdict(), Verdict::Stays(why) if why.is_for_good());
            prop_assert_eq!(told, for_good);
        }
    }

    #[test]
    fn a_free_daemon_leaves_and_each_reason_alone_keeps_it() {
        assert_eq!(FREE.verdict(), Verdict::Leaves);
        let each = [
            (Facts { sockets: HeldBy::Daemon, ..FREE }, Why::OwnSockets),
            (Facts { connected: 1, ..FREE }, Why::Connected),
            (Facts { key: KeyOpener::Person, ..FREE }, Why::Key),
            (Facts { errands: 1, ..FREE }, Why::Errand),
            (Facts { business: vec![Business::RefreshOwed], ..FREE }, Why::Account(Business::RefreshOwed)),
        ];
        for (facts, why) in each {
            assert_eq!(facts.verdict(), Verdict::Stays(why));
        }
    }
}
