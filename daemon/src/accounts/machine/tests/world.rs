//! The world around one machine: a disk, a strict authorization server, callers, and books on what must hold.

mod configuration;
mod disk;
mod server;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use mcp_authd_oauth::secret::{AccessToken, DeviceCode, TokenHash};
use mcp_authd_oauth::sign_in::{DevicePrompt, PendingDevice, PendingSignIn};
use mcp_authd_oauth::terms::{ClientId, Scopes, UserCode};
use mcp_authd_oauth::time::{Instant, Now};
use mcp_authd_oauth::token::RefreshOutcome;

use super::super::fixture::{START, binding_of, policy};
use super::super::{Account, Beginning, Effect, Event, Policy, RefreshId, SignInId, WaiterId};
use crate::accounts::belonging::{belongs, is_same_client};
use crate::accounts::need::{Answer, AnswerState, LoginReason, Need, Refusal, SignInMode};
use crate::accounts::status::{Health, Status};
use crate::accounts::{AccountConfig, RefreshRequest, RevokeRequest, Stored};

pub(crate) use disk::{Disk, DiskWork};
use server::{Closed, Family};
pub(crate) use server::{Login, Reply};

pub(crate) struct World {
    pub(crate) account: Account,
    pub(crate) policy: Policy,
    pub(crate) now: Now,
    pub(crate) disk: Stored,
    pub(crate) disk_work: VecDeque<DiskWork>,
    pub(crate) refreshes: Vec<(RefreshId, RefreshRequest)>,
    pub(crate) logins: Vec<(SignInId, Arc<AccountConfig>, Scopes)>,
    /// Logins that were over while their code was out.
    pub(crate) given_up: Vec<(SignInId, Arc<AccountConfig>, Scopes)>,
    pub(crate) revoked: Vec<RevokeRequest>,
    pub(crate) answers: BTreeMap<WaiterId, Answer>,
    pub(crate) waiting: BTreeMap<WaiterId, Need>,
    pub(crate) statuses: Vec<Status>,
    pub(crate) begun_logins: usize,
    /// Logins whose answer may be used.
    pub(crate) traded_in: Vec<SignInId>,
    pub(crate) sent_refreshes: usize,
    /// The server: one family for each login.
    families: Vec<Family>,
    pub(crate) reuses: usize,
    reused: BTreeSet<String>,
    /// Outcomes that were lost, by the network or by a kill: each permits one replay.
    pub(crate) lost: usize,
    pub(crate) settled: BTreeSet<String>,
    /// Tokens from before a logout.
    pub(crate) forbidden: BTreeSet<String>,
    /// Whether anybody was told that the logout is done: before, a kill may undo it.
    logout_is_told: bool,
    issued: u64,
    next_waiter: u64,
    last_revision: u64,
    /// The store's key is not open: nothing is read or saved, but it can be erased.
    pub(crate) locked: bool,
    /// The next reading fails.
    pub(crate) unreadable: bool,
    /// The person was told that the logout is done: only the person begins a login from here on, over kills too.
    stays_out: bool,
    /// When each token really ends.
    ends: BTreeMap<String, Instant>,
    /// To which client each token was issued, and to which the next one is.
    issued_to: BTreeMap<String, ClientId>,
    issuing_to: ClientId,
    /// The account does not stand in the configuration.
    pub(crate) gone: bool,
    /// Its keeper has ended.
    pub(crate) ended: bool,
    /// The refresh token that the server does not want to see before then.
    pub(crate) closed: Option<Closed>,
    /// The calendar has jumped: a restart may be wrong about ends.
    pub(crate) jumped: bool,
    /// The scopes that the server tells of, where it tells: at a login, at a refresh.
    pub(crate) granted_scopes: Option<Scopes>,
    pub(crate) refreshed_scopes: Option<Scopes>,
}

impl World {
    pub(crate) fn empty() -> Self {
        Self::with_policy(policy())
    }

    pub(crate) fn with_policy(policy: Policy) -> Self {
        let (account, effects) = Account::new(policy.clone(), Beginning { seed: 7, revision: 0 }, START);
        let mut world = Self {
            account,
            policy,
            now: START,
            disk: Stored::default(),
            disk_work: VecDeque::new(),
            refreshes: Vec::new(),
            logins: Vec::new(),
            given_up: Vec::new(),
            revoked: Vec::new(),
            answers: BTreeMap::new(),
            waiting: BTreeMap::new(),
            statuses: Vec::new(),
            begun_logins: 0,
            traded_in: Vec::new(),
            sent_refreshes: 0,
            families: Vec::new(),
            reuses: 0,
            reused: BTreeSet::new(),
            lost: 0,
            settled: BTreeSet::new(),
            forbidden: BTreeSet::new(),
            logout_is_told: false,
            issued: 0,
            next_waiter: 0,
            last_revision: 0,
            locked: false,
            unreadable: false,
            stays_out: false,
            ends: BTreeMap::new(),
            issued_to: BTreeMap::new(),
            issuing_to: ClientId::new("client"),
            gone: false,
            ended: false,
            closed: None,
            jumped: false,
            granted_scopes: None,
            refreshed_scopes: None,
        };
        world.take(effects);
        world
    }

    /// A world in which the person has logged in and everything is saved.
    pub(crate) fn signed_in(life_seconds: u64) -> Self {
        Self::signed_in_with(policy(), life_seconds)
    }

    pub(crate) fn signed_in_with(policy: Policy, life_seconds: u64) -> Self {
        let mut world = Self::with_policy(policy);
        world.save_all();
        let caller = world.ask(SignInMode::StartAndReturn);
        world.prompt();
        world.login(Login::Granted, life_seconds);
        world.save_all();
        assert!(world.answers.contains_key(&caller));
        world
    }

    pub(crate) fn tell(&mut self, event: Event) {
        if self.ended {
            return;
        }
        let (account, effects) = self.account.clone().handle(event, self.now);
        self.account = account;
        self.take(effects);
    }

    fn take(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Answer(id, answer) => self.answered(id, answer),
                Effect::Publish(status) => {
                    assert!(status.revision > self.last_revision, "the revision rises for ever");
                    self.last_revision = status.revision;
                    let was_going_on = self.statuses.last().is_some_and(|last| last.health != Health::SignedOut);
                    let is_out = status.health == Health::SignedOut;
                    // A cancelled login that is on the disk still may go on after a kill.
                    let waits = |work: &DiskWork| matches!(work, DiskWork::SignIn(record) if record.pending.is_some());
                    let none_on_disk = self.disk.sign_in.as_ref().is_none_or(|record| record.pending.is_none())
                        && !self.disk_work.iter().any(waits);
                    self.stays_out |= was_going_on && is_out && !self.a_login_waits() && none_on_disk;
                    let is_over = matches!(status.health, Health::Removed | Health::LoginRequired(LoginReason::Reconfigured));
                    self.logout_is_told |= is_out || is_over;
                    self.statuses.push(status);
                }
                Effect::Load => self.disk_work.push_back(DiskWork::Load),
                Effect::SaveGrant(id, record) => self.disk_work.push_back(DiskWork::Grant(id, *record)),
                Effect::SaveSignIn(record) => self.disk_work.push_back(DiskWork::SignIn(*record)),
                Effect::ForgetGrant(id) => self.disk_work.push_back(DiskWork::Forget(id)),
                Effect::ForgetSignIn(id) => self.disk_work.push_back(DiskWork::ForgetSignIn(id)),
                Effect::BeginRefresh(id, config, request) => {
                    self.assert_is_present(&config);
                    assert!(belongs(&request.binding, &config), "P14: a refresh token is shown to whom it was not issued by");
                    self.refresh_begins(id, *request);
                }
                Effect::BeginSignIn(id, config, request) => {
                    self.assert_is_present(&config);
                    self.one_login_at_a_time();
                    assert!(!self.stays_out, "after a logout only the person begins a login");
                    self.begun_logins += 1;
                    let held = self.account.credential.grant().map(|grant| &grant.binding);
                    assert_eq!(request.held.as_ref(), held, "D8: who holds a grant says where it came from");
                    self.logins.push((id, config, request.scopes));
                }
                Effect::ResumeSignIn(id, config, device) => {
                    self.assert_is_present(&config);
                    assert!(belongs(device.binding(), &config), "P14: a device code is shown to whom it was not issued by");
                    self.one_login_at_a_time();
                    assert!(!self.stays_out, "a login from before a logout is polled again");
                    self.logins.push((id, config, device.requested_scopes().clone()));
                }
                Effect::TradeIn(id) => self.traded_in.push(id),
                Effect::AbortSignIn(id) => self.logins.retain(|(login, ..)| *login != id),
                Effect::Revoke(config, request) => {
                    assert!(
                        is_same_client(&request.binding, &config),
                        "P14: tokens go back as the client that they were issued to"
                    );
                    self.revoked.push(*request);
                }
                Effect::End => {
                    assert!(self.gone, "only an account that is gone ends");
                    assert!(
                        self.disk_work.is_empty() && self.refreshes.is_empty() && self.waiting.is_empty(),
                        "nothing is under way"
                    );
                    assert!(
                        self.logins.is_empty() && self.given_up.is_empty(),
                        "D55: a code is out, and its tokens have to be given back"
                    );
                    assert!(self.disk.grant.is_none() && self.disk.sign_in.is_none(), "nothing of it stands on the disk");
                    self.ended = true;
                }
            }
        }
    }

    /// One whose code is out already may end beside the next one, and brings nothing.
    fn one_login_at_a_time(&mut self) {
        assert!(!self.a_login_waits(), "I1: one login at a time");
        self.given_up.append(&mut self.logins);
    }

    fn a_login_waits(&self) -> bool {
        !self.logins.iter().all(|(id, ..)| self.traded_in.contains(id))
    }

    fn assert_is_present(&self, config: &AccountConfig) {
        assert!(!self.gone, "an account that is gone begins nothing");
        assert_eq!(*config, *self.policy.config, "what begins, begins as it is configured now");
    }

    fn refresh_begins(&mut self, id: RefreshId, request: RefreshRequest) {
        let spent = &request.refresh_token;
        assert!(self.refreshes.iter().all(|(_, other)| other.refresh_token != *spent), "I1: one request spends a refresh token");
        let record = self.disk.grant.as_ref().expect("I8: a record stands before the request");
        assert_eq!(record.grant.refresh_token(), Some(spent), "I8: of this refresh token");
        assert!(record.intent.is_some(), "I8: its intent is durable");
        self.assert_is_open(spent);
        self.sent_refreshes += 1;
        self.refreshes.push((id, request));
    }

    fn answered(&mut self, id: WaiterId, answer: Answer) {
        assert!(self.waiting.remove(&id).is_some(), "a caller is answered once, and only while it waits");
        if let AnswerState::Token(token) = &answer.state {
            let text = token.access_token.expose().to_owned();
            assert!(self.settled.contains(&text), "I2: {text} is answered before the store has answered for it");
            assert!(!self.forbidden.contains(&text), "nothing comes back to life after a logout");
            assert_eq!(
                self.issued_to[&text].as_str(),
                self.policy.config.client.shown(),
                "P14: {text} was issued to another client"
            );
            let ends = self.ends.get(&text).expect("the server has issued it");
            assert!(self.jumped || *ends > self.now.instant, "no token is served past its real end");
            assert!(token.expires.is_none_or(|end| end > self.now.instant), "no token is served past its end");
        }
        self.answers.insert(id, answer);
    }

    pub(crate) fn ask(&mut self, sign_in: SignInMode) -> WaiterId {
        self.ask_with(|need| need.sign_in = sign_in)
    }

    pub(crate) fn ask_with(&mut self, change: impl FnOnce(&mut Need)) -> WaiterId {
        let mut need = Need {
            scopes: Scopes::default(),
            min_validity: Duration::ZERO,
            rejected: None,
            sign_in: SignInMode::StartAndReturn,
            client_name: "editor".to_owned(),
            deadline: self.now.instant + Duration::from_secs(20),
        };
        change(&mut need);
        self.stays_out &= !matches!(need.sign_in, SignInMode::Person(_));
        self.next_waiter += 1;
        let id = WaiterId(self.next_waiter);
        if self.ended {
            // Nobody finds it.
            let state = AnswerState::Refusal(Refusal::NoSuchAccount);
            self.answers.insert(id, Answer { revision: self.last_revision, state });
            return id;
        }
        self.waiting.insert(id, need.clone());
        self.tell(Event::TokenWanted(id, need));
        id
    }

    pub(crate) fn report(&mut self, hash: TokenHash) -> WaiterId {
        self.ask_with(|need| need.rejected = Some(hash))
    }

    pub(crate) fn answer(&self, id: WaiterId) -> Option<&AnswerState> {
        self.answers.get(&id).map(|answer| &answer.state)
    }

    /// The token that a caller got; panics where it got none.
    pub(crate) fn token(&self, id: WaiterId) -> String {
        match self.answer(id) {
            Some(AnswerState::Token(token)) => token.access_token.expose().to_owned(),
            other => panic!("no token but {other:?}"),
        }
    }

    pub(crate) fn hash(&self, id: WaiterId) -> TokenHash {
        AccessToken::new(self.token(id)).sha256()
    }

    /// The calendar is set, and the clock that counts sleep goes on.
    pub(crate) fn set_calendar(&mut self, hours: i64) {
        let span = Duration::from_secs(hours.unsigned_abs() * 3600);
        self.now.wall = if hours < 0 { self.now.wall - span } else { self.now.wall + span };
        self.jumped = true;
        self.tell(Event::Tick);
    }

    /// The daemon leaves as it does on SIGTERM, with a disk that works or refuses, and starts again.
    pub(crate) fn leave(&mut self, disk: Disk) {
        let sent = self.sent_refreshes;
        self.tell(Event::Leaving);
        for _ in 0..8 {
            self.settle(Reply::Rotate, 100);
            self.late_login();
            // A code that is out is waited for, and no other login is.
            if self.logins.first().is_some_and(|(id, ..)| self.traded_in.contains(id)) {
                self.login(Login::Granted, 100);
            }
            // What stands in the queue is written in any case.
            for _ in 0..self.disk_work.len() {
                self.step_disk_with(disk);
            }
        }
        assert!(self.account.is_settled(), "a leaving daemon waits for nothing that does not come");
        assert!(self.disk_work.is_empty(), "a leaving daemon leaves the disk alone");
        assert_eq!(self.sent_refreshes, sent, "a leaving daemon begins nothing");
        // What a refresh brought at the end is lost with a disk that refuses: its intent permits one replay.
        self.lost += usize::from(disk == Disk::Refuses);
        self.start_again();
    }

    pub(crate) fn advance(&mut self, seconds: u64) {
        let span = Duration::from_secs(seconds);
        self.now = Now { instant: self.now.instant + span, wall: self.now.wall + span };
        self.tell(Event::Tick);
    }

    /// The server takes the oldest request that is out and answers so.
    pub(crate) fn settle(&mut self, reply: Reply, life_seconds: u64) {
        if self.refreshes.is_empty() {
            return;
        }
        let (id, request) = self.refreshes.remove(0);
        self.issuing_to = request.binding.client_id.clone();
        let outcome = self.serve(&request.refresh_token, reply, life_seconds);
        self.lost += usize::from(matches!(outcome, RefreshOutcome::OutcomeUnknown(_)));
        self.tell(Event::RefreshSettled(id, outcome));
        if reply == Reply::BusyForTenMinutes {
            self.closes(request.refresh_token);
        }
    }

    /// The prompt of the oldest login comes, and is saved.
    pub(crate) fn prompt(&mut self) {
        self.prompt_comes();
        self.save_all();
    }

    pub(crate) fn prompt_comes(&mut self) {
        let Some((id, config, scopes)) = self.logins.first().cloned() else { return };
        let device = PendingDevice {
            device_code: DeviceCode::new("dc"),
            prompt: DevicePrompt {
                user_code: UserCode::new(format!("CODE-{}", id.0)),
                verification_uri: "https://as.example/device".to_owned(),
                verification_uri_complete: None,
                message: None,
            },
            expires: self.now.instant + Duration::from_secs(600),
            expires_wall: self.now.wall + Duration::from_secs(600),
            interval: Duration::from_secs(5),
            binding: binding_of(&config),
            requested_scopes: scopes,
        };
        self.tell(Event::SignInPrompted(id, PendingSignIn::Device(device)));
    }

    pub(crate) fn login(&mut self, how: Login, life_seconds: u64) {
        if self.logins.is_empty() {
            return;
        }
        let login = self.logins.remove(0);
        self.settle_login(login, how, life_seconds);
    }

    /// The exchange of a login that was given up ends.
    pub(crate) fn late_login(&mut self) {
        if let Some(login) = self.given_up.pop() {
            self.settle_login(login, Login::Granted, 3600);
        }
    }

    fn settle_login(&mut self, (id, config, scopes): (SignInId, Arc<AccountConfig>, Scopes), how: Login, life_seconds: u64) {
        self.issuing_to = ClientId::new(config.client.shown());
        let result = self.login_result(how, (&config, scopes), life_seconds);
        let is_unwanted = result.is_ok() && self.account.sign_in.id() != Some(id);
        let given_back = self.revoked.len();
        self.tell(Event::SignInSettled(id, result));
        assert!(!is_unwanted || self.revoked.len() == given_back + 1, "D55: tokens that nobody wants any more are given back");
    }

    /// The person has answered in the browser.
    pub(crate) fn answer_comes(&mut self) {
        if let Some((id, ..)) = self.logins.first() {
            self.tell(Event::SignInAnswered(*id));
        }
    }

    pub(crate) fn sign_out(&mut self) {
        self.forbid();
        self.tell(Event::SignOut);
    }

    fn forbid(&mut self) {
        self.forbidden.extend((1..=self.issued).map(|number| format!("at-{number}")));
        self.logout_is_told = false;
    }

    /// The daemon is killed and starts again: what is on the disk is all it knows.
    pub(crate) fn crash(&mut self) {
        self.lost += 1;
        self.start_again();
    }

    fn start_again(&mut self) {
        // Whoever starts the daemon has an account in its configuration.
        (self.gone, self.ended) = (false, false);
        if !self.logout_is_told {
            self.forbidden.clear();
        }
        self.closed.take_if(|closed| !closed.is_saved);
        self.disk_work.clear();
        self.refreshes.clear();
        self.logins.clear();
        self.given_up.clear();
        self.traded_in.clear();
        self.waiting.clear();
        self.now = Now { instant: self.now.instant + Duration::from_secs(1), wall: self.now.wall + Duration::from_secs(1) };
        // Before the records are read only the calendar is known.
        self.last_revision = if self.jumped { 0 } else { self.last_revision };
        self.begin_at(0);
    }

    fn begin(&mut self) {
        self.begin_at(self.last_revision);
    }

    fn begin_at(&mut self, revision: u64) {
        let (account, effects) = Account::new(self.policy.clone(), Beginning { seed: 7, revision }, self.now);
        self.account = account;
        self.take(effects);
    }
}
