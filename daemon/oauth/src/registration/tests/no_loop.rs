//! Whatever servers answer, whoever asks and however often: at most one registration for an issuer in an hour, and no login that
//! leads to another without an end (D46, D59).

use std::collections::BTreeMap;

use super::*;
use crate::http::{AnswerLost, NothingSent};
use proptest::prelude::*;

/// What happens next.
#[derive(Debug, Clone)]
enum Event {
    /// A program or a person begins a login of this account; the server knows the client, or has pruned it.
    Login { account: u8, answer: Answer, registration: Outcome },
    /// A refresh of this account, with the client of its last login.
    Refresh { account: u8, answer: Answer, registration: Outcome },
    /// Time passes, on both clocks.
    Passes(Duration),
    /// The daemon begins anew: what was in memory is gone.
    Restart,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Answer {
    Good,
    InvalidClient,
}

/// How a registration ends, if there is one.
#[derive(Debug, Clone, Copy)]
enum Outcome {
    Made,
    MadeWithoutDevice,
    MadeForSeconds(u32),
    Refused,
    Later,
    Lost,
    Unreachable,
}

fn any_outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        4 => Just(Outcome::Made),
        1 => Just(Outcome::MadeWithoutDevice),
        1 => (1_u32..10_000).prop_map(Outcome::MadeForSeconds),
        1 => Just(Outcome::Refused),
        1 => Just(Outcome::Later),
        1 => Just(Outcome::Lost),
        1 => Just(Outcome::Unreachable),
    ]
}

fn any_event() -> impl Strategy<Value = Event> {
    let answer = || prop_oneof![Just(Answer::Good), Just(Answer::InvalidClient)];
    prop_oneof![
        4 => (0..3_u8, answer(), any_outcome()).prop_map(|(account, answer, registration)| Event::Login { account, answer, registration }),
        4 => (0..3_u8, answer(), any_outcome()).prop_map(|(account, answer, registration)| Event::Refresh { account, answer, registration }),
        3 => (1_u64..5000).prop_map(|seconds| Event::Passes(Duration::from_secs(seconds))),
        1 => Just(Event::Restart),
    ]
}

/// A daemon, as it is to use this room.
struct Daemon {
    now: Now,
    kept: Option<Registration>,
    attempts: Attempts,
    /// The client of each account's last login.
    clients: BTreeMap<u8, ClientId>,
    /// When clients were made at the server.
    made: Vec<Instant>,
    /// When a request went to the registration endpoint that the server did not decline with "later".
    asked: Vec<Instant>,
    /// Logins that followed an `invalid_client`, by account and refused client.
    followed: BTreeMap<(u8, ClientId), u32>,
}

impl Daemon {
    fn new() -> Self {
        Self {
            now: NOW,
            kept: None,
            attempts: Attempts::default(),
            clients: BTreeMap::new(),
            made: Vec::new(),
            asked: Vec::new(),
            followed: BTreeMap::new(),
        }
    }

    fn with_candidates<T>(&self, then: impl FnOnce(&Candidates<'_>) -> T) -> T {
        let (issuer, endpoint) = (issuer(), endpoint());
        then(&Candidates {
            kept: self.kept.as_ref(),
            registration_endpoint: Some(&endpoint),
            not_before: self.attempts.not_before(&issuer),
            ..Candidates {
                issuer: &issuer,
                pre_registered: None,
                document: None,
                documents: Documents::NotSupported,
                kept: None,
                registration_endpoint: None,
                not_before: None,
            }
        })
    }

    fn choose(&self) -> ClientChoice {
        self.with_candidates(|candidates| ClientChoice::of(candidates, GrantNeeded::Device, self.now))
    }

    fn register(&mut self, outcome: Outcome) {
        let mut made = kept(&format!("client-{}", self.made.len()), self.now.wall);
        let ended = match outcome {
            Outcome::Made => Ok(made),
            Outcome::MadeWithoutDevice => {
                made.grant_types.remove(&GrantType::DeviceCode);
                Ok(made)
            }
            Outcome::MadeForSeconds(seconds) => {
                made.client.secret_expires = SecretExpires::At(self.now.wall + SECOND * seconds);
                Ok(made)
            }
            Outcome::Refused => Err(RegistrationError::AskForClient { status: 403 }),
            Outcome::Later => Err(RegistrationError::Later { retry_after: None, status: 429 }),
            Outcome::Lost => Err(RegistrationError::AnswerLost),
            Outcome::Unreachable => Err(RegistrationError::Unreachable(NothingSent::NotConnected)),
        };
        if !matches!(outcome, Outcome::Later | Outcome::Unreachable) {
            self.asked.push(self.now.instant);
        }
        self.attempts.note(&issuer(), &ended, self.now);
        if let Ok(registration) = ended {
            self.made.push(self.now.instant);
            self.kept = Some(registration.replacing(self.kept.take()));
        }
    }

    /// A login; tells the client that it used.
    fn login(&mut self, account: u8, registration: Outcome) -> Option<ClientId> {
        let mut choice = self.choose();
        if matches!(choice, ClientChoice::Register { .. }) {
            self.register(registration);
            choice = self.choose();
            assert!(
                !matches!(choice, ClientChoice::Register { .. }) || matches!(registration, Outcome::Unreachable),
                "a registration leads to a registration: {choice:?}"
            );
        }
        let ClientChoice::Registered(client) = choice else { return None };
        self.clients.insert(account, client.client_id.clone());
        Some(client.client_id)
    }

    fn refused(&mut self, account: u8, client: &ClientId, registration: Outcome) {
        let used = UsedClient::Registered(client);
        let after = self.with_candidates(|candidates| after_invalid_client(used, candidates, self.now));
        self.kept = after.keep.or(self.kept.take());
        assert!(self.kept.as_ref().is_none_or(|kept| kept.client.client_id != *client || kept.standing != Standing::Good));
        self.clients.remove(&account);
        if after.login == NextLogin::Begin {
            *self.followed.entry((account, client.clone())).or_default() += 1;
            // The worst server: the client of this login is unknown to it, too.
            if let Some(second) = self.login(account, registration) {
                assert_ne!(second, *client, "a pruned client is used again");
                let used = UsedClient::RegisteredAnew(&second);
                let after = self.with_candidates(|candidates| after_invalid_client(used, candidates, self.now));
                assert!(matches!(after.login, NextLogin::AskForClient(_)), "a third login: {after:?}");
                self.kept = after.keep.or(self.kept.take());
                self.clients.remove(&account);
            }
        }
    }

    fn happens(&mut self, event: &Event) {
        match *event {
            Event::Login { account, answer, registration } => {
                if let Some(client) = self.login(account, registration)
                    && answer == Answer::InvalidClient
                {
                    self.refused(account, &client, registration);
                }
            }
            Event::Refresh { account, answer: Answer::InvalidClient, registration } => {
                if let Some(client) = self.clients.get(&account).cloned() {
                    self.refused(account, &client, registration);
                }
            }
            Event::Refresh { .. } => {}
            Event::Passes(time) => self.now = Now { instant: self.now.instant + time, wall: self.now.wall + time },
            Event::Restart => self.attempts = Attempts::default(),
        }
    }
}

fn at_most_one_in_an_hour(times: &[Instant]) -> bool {
    times.windows(2).all(|pair| pair[1].since(pair[0]) >= HOUR)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn d59_one_registration_in_an_hour_and_one_login_for_each_pruned_client(
        events in proptest::collection::vec(any_event(), 1..60),
    ) {
        let mut daemon = Daemon::new();
        let restarts = events.iter().any(|event| matches!(event, Event::Restart));
        for event in events {
            daemon.happens(&event);
        }
        prop_assert!(at_most_one_in_an_hour(&daemon.made), "{:?}", daemon.made);
        // A failed attempt is remembered by the process only.
        prop_assert!(restarts || at_most_one_in_an_hour(&daemon.asked), "{:?}", daemon.asked);
        prop_assert!(daemon.followed.values().all(|logins| *logins <= 1), "{:?}", daemon.followed);
    }
}

#[test]
fn d46_a_pruned_client_leads_to_a_working_one_by_one_registration_and_one_login() {
    let mut daemon = Daemon::new();
    let first = daemon.login(0, Outcome::Made).unwrap();
    daemon.happens(&Event::Passes(HOUR));
    daemon.happens(&Event::Restart);
    let used = UsedClient::Registered(&first);
    let after = daemon.with_candidates(|candidates| after_invalid_client(used, candidates, daemon.now));
    daemon.kept = after.keep;
    assert_eq!(after.login, NextLogin::Begin);
    let second = daemon.login(0, Outcome::Made).unwrap();
    assert_ne!(second, first);
    assert_eq!(daemon.made.len(), 2);
    // The other accounts of the old client find the new one without a registration.
    for account in [1, 2] {
        let after = daemon.with_candidates(|candidates| after_invalid_client(used, candidates, daemon.now));
        assert_eq!(after.login, NextLogin::Begin);
        assert_eq!(daemon.login(account, Outcome::Made), Some(second.clone()));
    }
    assert_eq!(daemon.made.len(), 2);
    let lost = Undelivered::AnswerLost(AnswerLost::ConnectionEnded);
    assert!(run(both(), [Err(lost)]).1.is_err());
}
