//! The keeper with a moved clock: callers come and go, and the one request goes on.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, join_all};
use mcp_authd_oauth::profile::{Profile, RefreshEnds, ReplayTime};
use mcp_authd_oauth::registration::Registration;
use mcp_authd_oauth::secret::{AccessToken, ClientSecret, RefreshToken, SecretText};
use mcp_authd_oauth::sign_in::{PendingSignIn, SignInFailure};
use mcp_authd_oauth::terms::{Issuer, Scopes};
use mcp_authd_oauth::time::Now;
use mcp_authd_oauth::token::{Granted, IssuedToken, Life, RefreshOutcome, TokenSuccess, TokenType};
use tokio::sync::{oneshot, watch};

use super::{AccountHandle, Beginning, House, Order};
use crate::accounts::client_secret::SecretError;
use crate::accounts::gate::Gate;
use crate::accounts::grant::{Grant, GrantRecord, HeldToken, Renewal, Rotation, SignInRecord};
use crate::accounts::machine::fixture::{binding, config};
use crate::accounts::need::{Answer, AnswerState, Need, SignInMode};
use crate::accounts::paste::NotCompleted;
use crate::accounts::probe::{KnownAccounts, NotProbed, Probed, Question};
use crate::accounts::{
    AccountConfig, AccountName, KeyOpener, KeyState, LoadError, RefreshRequest, RevokeRequest, SaveError, SignInRequest, Stored,
    Upstream, Vault,
};
use crate::host::clock::{Clock, LONGEST_NAP, follows_tokio};
use crate::host::tasks::Tasks;

/// A server whose token endpoint takes a while.
pub(crate) struct SlowServer {
    delay: Duration,
    refreshes: AtomicUsize,
    clock: Clock,
}

impl Upstream for SlowServer {
    fn refresh(&self, _: Arc<AccountConfig>, _: RefreshRequest) -> BoxFuture<'static, RefreshOutcome> {
        let number = self.refreshes.fetch_add(1, Ordering::SeqCst);
        let (delay, clock) = (self.delay, self.clock.clone());
        async move {
            tokio::time::sleep(delay).await;
            let token = IssuedToken {
                access_token: AccessToken::new(format!("new-{number}")),
                token_type: TokenType::Bearer,
                requested_at: clock.now(),
                life: Life::Known(Duration::from_secs(3600)),
                scopes: None,
                subject: None,
            };
            let refresh_token = Some(RefreshToken::new(format!("rt-{number}")));
            RefreshOutcome::Success(TokenSuccess { refresh_token, token: Ok(token) })
        }
        .boxed()
    }

    fn sign_in(
        &self,
        _: Arc<AccountConfig>,
        _: SignInRequest,
        _: oneshot::Sender<PendingSignIn>,
        _: Gate,
    ) -> BoxFuture<'static, Result<Granted, SignInFailure>> {
        std::future::pending().boxed()
    }

    fn resume_sign_in(
        &self,
        _: Arc<AccountConfig>,
        _: PendingSignIn,
        _: Gate,
    ) -> BoxFuture<'static, Result<Granted, SignInFailure>> {
        std::future::pending().boxed()
    }

    fn complete_sign_in(&self, _: SecretText) -> Result<AccountName, NotCompleted> {
        Err(NotCompleted::BeginAnother)
    }

    fn forget_client(&self, _: Issuer) -> BoxFuture<'static, Result<(), SaveError>> {
        async { Ok(()) }.boxed()
    }

    fn revoke(&self, _: Arc<AccountConfig>, _: RevokeRequest) -> BoxFuture<'static, ()> {
        async {}.boxed()
    }

    fn probe(&self, _: Question, _: KnownAccounts) -> BoxFuture<'static, Result<Probed, NotProbed>> {
        std::future::pending().boxed()
    }
}

/// A store in memory whose key may be locked for a while.
pub(crate) struct Memory {
    pub(crate) records: Arc<Mutex<BTreeMap<AccountName, Stored>>>,
    registrations: Mutex<BTreeMap<Issuer, Registration>>,
    key: watch::Sender<KeyState>,
    /// Keepers that have begun: each reads the records first.
    pub(crate) loads: AtomicUsize,
    /// It erases nothing.
    pub(crate) keeps_all: AtomicBool,
}

impl Vault for Memory {
    fn load(&self, account: &AccountName) -> BoxFuture<'static, Result<Stored, LoadError>> {
        self.loads.fetch_add(1, Ordering::SeqCst);
        let result = match *self.key.borrow() {
            KeyState::Open => Ok(self.records.lock().unwrap().get(account).cloned().unwrap_or_default()),
            KeyState::Loading | KeyState::Locked => Err(LoadError::Locked),
            KeyState::Wrong => Err(LoadError::WrongKey),
        };
        async { result }.boxed()
    }

    fn save_grant(&self, account: &AccountName, record: GrantRecord) -> BoxFuture<'static, Result<(), SaveError>> {
        self.records.lock().unwrap().entry(account.clone()).or_default().grant = Some(record);
        async { Ok(()) }.boxed()
    }

    fn save_sign_in(&self, account: &AccountName, record: SignInRecord) -> BoxFuture<'static, Result<(), SaveError>> {
        self.records.lock().unwrap().entry(account.clone()).or_default().sign_in = Some(record);
        async { Ok(()) }.boxed()
    }

    fn forget_grant(&self, account: &AccountName) -> BoxFuture<'static, Result<(), SaveError>> {
        if self.keeps_all.load(Ordering::SeqCst) {
            return async { Err(SaveError::Io("no permission".to_owned())) }.boxed();
        }
        self.records.lock().unwrap().entry(account.clone()).or_default().grant = None;
        async { Ok(()) }.boxed()
    }

    fn forget_sign_in(&self, account: &AccountName) -> BoxFuture<'static, Result<(), SaveError>> {
        self.records.lock().unwrap().entry(account.clone()).or_default().sign_in = None;
        async { Ok(()) }.boxed()
    }

    fn client_secret(&self, _: &AccountConfig) -> BoxFuture<'static, Result<Option<ClientSecret>, SecretError>> {
        async { Ok(None) }.boxed()
    }

    fn save_client_secret(&self, _: &AccountConfig, _: ClientSecret) -> BoxFuture<'static, Result<(), SaveError>> {
        async { Err(SaveError::Io("this store keeps no secrets".to_owned())) }.boxed()
    }

    fn forget_client_secret(&self, _: &AccountConfig) -> BoxFuture<'static, Result<(), SaveError>> {
        async { Ok(()) }.boxed()
    }

    fn registration(&self, issuer: &Issuer) -> BoxFuture<'static, Result<Option<Registration>, LoadError>> {
        let kept = self.registrations.lock().unwrap().get(issuer).cloned();
        async { Ok(kept) }.boxed()
    }

    fn registrations(&self) -> BoxFuture<'static, Result<Vec<Registration>, LoadError>> {
        let all = self.registrations.lock().unwrap().values().cloned().collect();
        async { Ok(all) }.boxed()
    }

    fn save_registration(&self, registration: Registration) -> BoxFuture<'static, Result<(), SaveError>> {
        self.registrations.lock().unwrap().insert(registration.issuer.clone(), registration);
        async { Ok(()) }.boxed()
    }

    fn forget_registration(&self, issuer: &Issuer) -> BoxFuture<'static, Result<(), SaveError>> {
        self.registrations.lock().unwrap().remove(issuer);
        async { Ok(()) }.boxed()
    }

    fn key_state(&self) -> watch::Receiver<KeyState> {
        self.key.subscribe()
    }

    fn key_opener(&self) -> KeyOpener {
        KeyOpener::Machine
    }
}

pub(crate) struct Scene {
    pub(crate) house: House,
    server: Arc<SlowServer>,
    pub(crate) memory: Arc<Memory>,
}

pub(crate) fn scene(delay: Duration) -> Scene {
    let clock = follows_tokio();
    let server = Arc::new(SlowServer { delay, refreshes: AtomicUsize::new(0), clock: clock.clone() });
    let memory = Arc::new(Memory {
        records: Arc::default(),
        registrations: Mutex::default(),
        key: watch::Sender::new(KeyState::Open),
        loads: AtomicUsize::new(0),
        keeps_all: AtomicBool::new(false),
    });
    let house = House { upstream: server.clone(), vault: memory.clone(), clock, tasks: Tasks::new() };
    Scene { house, server, memory }
}

impl Scene {
    /// An account whose access token has `left` to live.
    fn account(&self, name: &str, left: Duration) -> AccountHandle {
        let now = self.house.clock.now();
        let name = AccountName::parse(name).unwrap();
        let stored = Stored { grant: Some(record(now, left)), ..Stored::default() };
        self.memory.records.lock().unwrap().insert(name.clone(), stored);
        let config = AccountConfig { name, ..config("client") };
        super::begin(&self.house, Arc::new(config), Beginning { seed: 1, revision: 0 })
    }

    pub(crate) fn need(&self, wait: Duration) -> Need {
        Need {
            scopes: Scopes::default(),
            min_validity: Duration::ZERO,
            rejected: None,
            sign_in: SignInMode::Never,
            client_name: String::new(),
            deadline: self.house.clock.now().instant + wait,
        }
    }

    fn refreshes(&self) -> usize {
        self.server.refreshes.load(Ordering::SeqCst)
    }
}

pub(crate) fn record(now: Now, left: Duration) -> GrantRecord {
    let life = Duration::from_secs(3600);
    let access = HeldToken {
        access_token: AccessToken::new("old"),
        requested: now.instant + left - life,
        requested_wall: now.wall + left - life,
        life: Life::Known(life),
    };
    let grant = Grant {
        access: Some(access),
        renewal: Renewal::With(RefreshToken::new("rt")),
        rotation: Rotation::Unknown,
        scopes: Scopes::default(),
        subject: None,
        binding: binding(),
        granted_at: now.wall - life,
        refreshed_at: None,
    };
    GrantRecord { generation: 1, revision: 1, grant, intent: None, rest: None, used_at: None, saved_at: now.wall }
}

fn is_token(answer: &Answer, text: &str) -> bool {
    matches!(&answer.state, AnswerState::Token(token) if token.access_token.expose() == text)
}

#[tokio::test(start_paused = true)]
async fn a_thousand_callers_on_an_expired_token_share_one_refresh() {
    let scene = scene(Duration::from_millis(300));
    let account = scene.account("one", Duration::ZERO);
    let answers = join_all((0..1000).map(|_| account.token(scene.need(Duration::from_secs(20))))).await;
    assert!(answers.iter().all(|answer| is_token(answer.as_ref().unwrap(), "new-0")));
    assert_eq!(scene.refreshes(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_refresh_goes_on_when_its_leader_is_cancelled() {
    let scene = scene(Duration::from_secs(5));
    let account = scene.account("one", Duration::ZERO);
    let leader = tokio::time::timeout(Duration::from_secs(1), account.token(scene.need(Duration::from_secs(20)))).await;
    assert!(leader.is_err(), "the leader gave up");
    let follower = account.token(scene.need(Duration::from_secs(20))).await.unwrap();
    assert!(is_token(&follower, "new-0"));
    assert_eq!(scene.refreshes(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_token_endpoint_that_takes_forty_seconds_is_asked_once_and_callers_are_answered_at_their_deadline() {
    let scene = scene(Duration::from_secs(40));
    let account = scene.account("one", Duration::ZERO);
    let begin = scene.house.clock.now().instant;
    for wait in [1, 2, 20] {
        let before = scene.house.clock.now().instant;
        let answer = account.token(scene.need(Duration::from_secs(wait))).await.unwrap();
        assert!(matches!(answer.state, AnswerState::Refusal(_)), "{answer:?}");
        let took = scene.house.clock.now().instant.since(before);
        assert!(took.abs_diff(Duration::from_secs(wait)) <= Duration::from_millis(5), "{took:?} for {wait} s");
    }
    let late = account.token(scene.need(Duration::from_secs(20))).await.unwrap();
    assert!(is_token(&late, "new-0"));
    assert_eq!(scene.house.clock.now().instant.since(begin).as_secs(), 40);
    assert_eq!(scene.refreshes(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_account_whose_server_hangs_delays_no_other() {
    let scene = scene(Duration::from_secs(86_400));
    let hanging = scene.account("hanging", Duration::ZERO);
    let cached = scene.account("cached", Duration::from_secs(3000));
    let need = scene.need(Duration::from_secs(20));
    let waiting = hanging.token(need.clone());
    tokio::pin!(waiting);
    assert!(waiting.as_mut().now_or_never().is_none());
    let before = scene.house.clock.now();
    for _ in 0..100 {
        assert!(is_token(&cached.token(need.clone()).await.unwrap(), "old"));
    }
    assert_eq!(scene.house.clock.now(), before, "no time passed");
    assert!(waiting.as_mut().now_or_never().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_stream_of_calls_keeps_nobody_waiting_past_its_deadline() {
    let mut scene = scene(Duration::from_secs(86_400));
    let (base, ahead) = (scene.house.clock.clone(), Arc::new(AtomicUsize::new(0)));
    let moved = ahead.clone();
    scene.house.clock = Clock::from_fn(move || {
        let (now, ahead) = (base.now(), Duration::from_secs(moved.load(Ordering::SeqCst) as u64));
        Now { instant: now.instant + ahead, wall: now.wall + ahead }
    });
    let account = scene.account("one", Duration::from_secs(3000));
    let need = scene.need(Duration::from_secs(20));
    assert!(is_token(&account.token(need.clone()).await.unwrap(), "old"));
    let waiting = account.token(Need { rejected: Some(AccessToken::new("old").sha256()), ..need.clone() });
    tokio::pin!(waiting);
    assert!(waiting.as_mut().now_or_never().is_none());
    assert!(is_token(&account.token(need.clone()).await.unwrap(), "old"));
    // Between two ticks of the runtime's timer, where a timer of no length does not end at once.
    tokio::time::advance(Duration::from_micros(500)).await;
    ahead.store(21, Ordering::SeqCst);
    let (first, second) = tokio::join!(account.token(need.clone()), account.token(need.clone()));
    assert!(is_token(&first.unwrap(), "old") && is_token(&second.unwrap(), "old"));
    let answer = waiting.as_mut().now_or_never().expect("the refresh is still out, and its time is over");
    assert!(matches!(answer.unwrap().state, AnswerState::Refusal(_)));
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_has_gone_before_its_letter_was_read_is_not_kept() {
    let scene = scene(Duration::from_secs(5));
    let account = scene.account("one", Duration::ZERO);
    for _ in 0..10 {
        assert!(account.token(scene.need(Duration::from_secs(20))).now_or_never().is_none());
    }
    let status = account.status();
    tokio::time::timeout(Duration::from_secs(1), std::future::pending::<()>()).await.unwrap_err();
    assert!(status.borrow().grant.is_some(), "the record is read");
    assert_eq!(scene.refreshes(), 0, "nobody wants a token");
}

#[tokio::test(start_paused = true)]
async fn a_locked_store_refuses_and_serves_once_it_is_opened() {
    let scene = scene(Duration::ZERO);
    scene.memory.key.send_replace(KeyState::Locked);
    let account = scene.account("one", Duration::from_secs(3000));
    let answer = account.token(scene.need(Duration::from_secs(5))).await.unwrap();
    assert!(matches!(answer.state, AnswerState::Refusal(super::super::need::Refusal::Locked)), "{answer:?}");
    scene.memory.key.send_replace(KeyState::Open);
    let mut status = account.status();
    status.wait_for(|status| status.grant.is_some()).await.unwrap();
    let answer = account.token(scene.need(Duration::from_secs(5))).await.unwrap();
    assert!(is_token(&answer, "old"));
}

#[tokio::test(start_paused = true)]
async fn a_leaving_keeper_waits_for_the_refresh_and_its_save_and_answers_meanwhile() {
    let scene = scene(Duration::from_secs(5));
    let account = scene.account("one", Duration::from_secs(100));
    assert!(is_token(&account.token(scene.need(Duration::from_secs(5))).await.unwrap(), "old"));
    tokio::time::timeout(Duration::from_secs(1), std::future::pending::<()>()).await.unwrap_err();
    assert_eq!(scene.refreshes(), 1, "the refresh ahead of time is out");
    let leaving = account.leave();
    tokio::pin!(leaving);
    assert!(tokio::time::timeout(Duration::from_secs(3), &mut leaving).await.is_err());
    assert!(is_token(&account.token(scene.need(Duration::from_secs(5))).await.unwrap(), "old"));
    leaving.await;
    assert_eq!(scene.refreshes(), 1);
    let records = scene.memory.records.lock().unwrap();
    let saved = records.values().next().unwrap().grant.as_ref().unwrap();
    assert_eq!(saved.grant.refresh_token().unwrap().expose(), "rt-0");
    assert_eq!(saved.intent, None);
}

#[tokio::test(start_paused = true)]
async fn an_account_that_is_taken_out_tells_who_waits_and_its_keeper_ends() {
    let scene = scene(Duration::from_secs(5));
    let account = scene.account("one", Duration::ZERO);
    let need = scene.need(Duration::from_secs(20));
    let waiting = account.token(need.clone());
    tokio::pin!(waiting);
    assert!(tokio::time::timeout(Duration::from_secs(1), waiting.as_mut()).await.is_err());
    account.obey(Order::Remove).await.unwrap();
    let gone = |answer: Answer| matches!(answer.state, AnswerState::Refusal(super::super::need::Refusal::NoSuchAccount));
    assert!(gone(waiting.await.unwrap()));
    assert!(!account.has_ended(), "its refresh is out still");
    assert!(gone(account.token(need.clone()).await.unwrap()));
    assert!(account.status().wait_for(|_| false).await.is_err(), "the keeper has ended");
    assert!(account.has_ended() && account.token(need).await.is_err() && account.obey(Order::Remove).await.is_err());
    let records = scene.memory.records.lock().unwrap();
    assert_eq!(records.values().next(), Some(&Stored::default()));
}

#[tokio::test(start_paused = true)]
async fn an_account_is_described_as_it_is_configured_now() {
    let scene = scene(Duration::ZERO);
    let account = scene.account("one", Duration::from_secs(3000));
    assert!(is_token(&account.token(scene.need(Duration::from_secs(5))).await.unwrap(), "old"));
    let name = account.name().clone();
    let changed = AccountConfig { name: name.clone(), scopes: Scopes::parse("write"), ..config("client") };
    account.obey(Order::Change(Arc::new(changed))).await.unwrap();
    assert_eq!(account.description().scopes, Scopes::parse("write"));
    assert!(is_token(&account.token(scene.need(Duration::from_secs(5))).await.unwrap(), "old"));
    account.obey(Order::Move(Arc::new(AccountConfig { name, ..config("other") }))).await.unwrap();
    assert_eq!(account.description().kind.client_id(), "other");
    let answer = account.token(scene.need(Duration::from_secs(5))).await.unwrap();
    assert!(matches!(answer.state, AnswerState::Refusal(_)), "{answer:?}");
}

#[test]
fn what_the_machine_does_about_a_refresh_is_what_the_profile_says() {
    let plain = super::policy(Arc::new(config("client")));
    assert_eq!((plain.replay, plain.refresh_ends_access_tokens), (ReplayTime::AtOnce, false));
    let profile = Profile { replay: ReplayTime::AtTokenEnd, refresh_ends: RefreshEnds::AccessTokensToo, ..Profile::default() };
    let strict = super::policy(Arc::new(AccountConfig { profile: Arc::new(profile), ..config("client") }));
    assert_eq!((strict.replay, strict.refresh_ends_access_tokens), (ReplayTime::AtTokenEnd, true));
}

#[tokio::test(start_paused = true)]
async fn many_keepers_wake_the_machine_as_often_as_one() {
    // given accounts that have nothing to do, begun one after the other
    let scene = scene(Duration::ZERO);
    let (inner, moments) = (scene.house.clock.clone(), Arc::new(Mutex::new(BTreeSet::new())));
    let noted = moments.clone();
    let clock = Clock::from_fn(move || {
        let now = inner.now();
        noted.lock().unwrap().insert(now.instant);
        now
    });
    let house = House { clock, ..scene.house.clone() };
    let mut accounts = Vec::new();
    for number in 0..50 {
        let config = AccountConfig { name: AccountName::parse(&format!("account-{number}")).unwrap(), ..config("client") };
        accounts.push(super::begin(&house, Arc::new(config), Beginning { seed: number, revision: 0 }));
        tokio::time::sleep(Duration::from_millis(777)).await;
    }
    // when ten minutes pass
    moments.lock().unwrap().clear();
    tokio::time::sleep(LONGEST_NAP * 20).await;
    // then they have looked twice a minute (I10), all at once
    assert_eq!(moments.lock().unwrap().len(), 20);
}
