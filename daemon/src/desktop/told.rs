//! Which logins the desktop is told of: each once in the life of a daemon, whatever changes and however often somebody asks.
//!
//! One that was begun before this daemon was, was told by the daemon before, whose notice has gone with it. One that the person has
//! begun is shown where that was done.

use std::collections::BTreeMap;

use mcp_authd_oauth::time::WallTime;

use super::session::Begun;
use crate::accounts::AccountName;
use crate::accounts::waiting::Waiting;

/// What was told so far.
#[derive(Debug)]
pub(super) struct Told {
    since: WallTime,
    /// The latest login of each account that had one.
    logins: BTreeMap<AccountName, Seen>,
}

#[derive(Debug)]
enum Seen {
    /// It waits.
    Waiting(u64),
    /// It has ended, or nothing was told of it.
    Done(u64),
}

/// What is to be done now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// The desktop is told of a login.
    Tell(Waiting, Begun),
    /// The login that was told of this account is over.
    Over(AccountName),
}

impl Told {
    /// Nothing, by a daemon that begins at this time.
    pub(super) fn since(since: WallTime) -> Self {
        Self { since, logins: BTreeMap::new() }
    }

    /// Compares what waits now with what was told.
    pub(super) fn look(&mut self, waiting: Vec<Waiting>) -> Vec<Step> {
        let ids: BTreeMap<&AccountName, u64> = waiting.iter().map(|login| (&login.account, login.prompt.id)).collect();
        let mut steps = Vec::new();
        for (account, seen) in &mut self.logins {
            if let Seen::Waiting(id) = seen
                && ids.get(account) != Some(id)
            {
                *seen = Seen::Done(*id);
                steps.push(Step::Over(account.clone()));
            }
        }
        steps.extend(waiting.into_iter().filter_map(|login| self.take(login)));
        steps
    }

    fn take(&mut self, login: Waiting) -> Option<Step> {
        let (account, id) = (login.account.clone(), login.prompt.id);
        if let Some(Seen::Waiting(known) | Seen::Done(known)) = self.logins.get(&account)
            && *known == id
        {
            return None;
        }
        let is_told = !login.prompt.asked_by.is_empty();
        self.logins.insert(account, if is_told { Seen::Waiting(id) } else { Seen::Done(id) });
        let begun = if login.prompt.is_from_before(self.since) { Begun::Before } else { Begun::Here };
        is_told.then_some(Step::Tell(login, begun))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::collections::BTreeSet;

    use mcp_authd_oauth::sign_in::{AuthorizationUrl, Prompt};
    use mcp_authd_oauth::terms::Scopes;
    use mcp_authd_oauth::time::Instant;
    use proptest::prelude::*;

    use super::*;
    use crate::accounts::grant::Purpose;
    use crate::accounts::need::SignInPrompt;

    const BEGUN: u64 = 1000;

    fn login(account: &str, id: u64, asked_by: &str) -> Waiting {
        let prompt = SignInPrompt {
            id,
            purpose: Purpose::First,
            prompt: Prompt::Browser(AuthorizationUrl::new("https://as.example/authorize")),
            expires: Instant::from_millis(1),
            asked_by: asked_by.to_owned(),
            more: Scopes::default(),
        };
        Waiting { account: AccountName::parse(account).unwrap(), prompt }
    }

    fn told() -> Told {
        Told::since(WallTime::from_millis(BEGUN))
    }

    fn over(account: &str) -> Step {
        Step::Over(AccountName::parse(account).unwrap())
    }

    #[test]
    fn a_login_is_told_once_and_is_over_once() {
        let (mut told, work) = (told(), login("work", 2000, "editor"));
        assert_eq!(told.look(vec![work.clone()]), [Step::Tell(work.clone(), Begun::Here)]);
        assert_eq!(told.look(vec![work.clone()]), []);
        assert_eq!(told.look(vec![]), [over("work")]);
        assert_eq!(told.look(vec![work]), [], "not even where it comes back");
        assert_eq!(told.look(vec![]), []);
    }

    #[test]
    fn the_next_login_of_an_account_is_another_one() {
        let (mut told, next) = (told(), login("work", 2001, "editor"));
        told.look(vec![login("work", 2000, "editor")]);
        assert_eq!(told.look(vec![next.clone()]), [over("work"), Step::Tell(next, Begun::Here)]);
    }

    #[test]
    fn nothing_is_told_of_what_the_person_began() {
        let mut told = told();
        assert_eq!(told.look(vec![login("mine", 2000, ""), login("old", BEGUN - 1, "")]), []);
        assert_eq!(told.look(vec![]), []);
    }

    #[test]
    fn what_the_daemon_before_has_told_is_told_once_more_and_as_such() {
        let (mut told, old) = (told(), login("old", BEGUN - 1, "editor"));
        assert_eq!(told.look(vec![old.clone()]), [Step::Tell(old.clone(), Begun::Before)]);
        assert_eq!(told.look(vec![old]), []);
        assert_eq!(told.look(vec![]), [over("old")]);
    }

    /// What an account does between two looks. As in the machine, it has one login at a time, and no two of the same name.
    #[derive(Debug, Clone, Copy)]
    enum Happens {
        Nothing,
        Ends,
        Begins { asked_by: &'static str, before: bool },
    }

    fn happens() -> impl Strategy<Value = Happens> {
        let begins = (prop::sample::select(vec!["", "editor"]), proptest::bool::weighted(0.2));
        prop_oneof![
            3 => Just(Happens::Nothing),
            1 => Just(Happens::Ends),
            2 => begins.prop_map(|(asked_by, before)| Happens::Begins { asked_by, before }),
        ]
    }

    proptest! {
        #[test]
        fn each_login_of_a_program_is_told_once_at_first_sight_and_is_over_as_soon_as_it_is_gone(
            looks in proptest::collection::vec([happens(), happens(), happens()], 0..30)
        ) {
            let (mut told, mut open, mut waiting) = (told(), BTreeMap::new(), BTreeMap::new());
            let mut next = 0;
            for look in looks {
                let mut new = BTreeSet::new();
                for (account, happens) in ["a", "b", "c"].into_iter().zip(look) {
                    next += 1;
                    match happens {
                        Happens::Nothing => {}
                        Happens::Ends => drop(waiting.remove(account)),
                        Happens::Begins { asked_by, before } => {
                            let id = if before { next } else { BEGUN + next };
                            waiting.insert(account, login(account, id, asked_by));
                            new.extend((!asked_by.is_empty()).then(|| (account.to_owned(), id)));
                        }
                    }
                }
                for step in told.look(waiting.values().cloned().collect()) {
                    match step {
                        Step::Over(account) => prop_assert!(open.remove(account.as_str()).is_some()),
                        Step::Tell(login, begun) => {
                            prop_assert_eq!(begun == Begun::Before, login.prompt.id < BEGUN);
                            let (account, id) = (login.account.to_string(), login.prompt.id);
                            prop_assert!(new.remove(&(account.clone(), id)), "told again, or without being asked");
                            prop_assert_eq!(open.insert(account, id), None);
                        }
                    }
                }
                prop_assert!(new.is_empty(), "not told: {new:?}");
                let ids: BTreeMap<_, _> = waiting.iter().map(|(account, login)| (*account, login.prompt.id)).collect();
                prop_assert!(open.iter().all(|(account, id)| ids.get(account.as_str()) == Some(id)), "over, and not told so");
            }
        }
    }
}
