//! A new program takes the old one's name, again and again, while programs ask and a person is about to log in (B32).

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use mcp_authd_client::{Answer, Client, Need, Request, SignInMode};
use mcp_authd_tests::daemon::{Account, Config};
use mcp_authd_tests::programs::{account_is, approve, code, prompt, until};
use mcp_authd_tests::replaced::Replaced;
use mcp_authd_tests::server::{AuthorizationServer, Settings};
use mcp_authd_tests::service::{Machine, inside};
use tokio::task::JoinSet;

use super::service_is;

const UPGRADES: u32 = 50;
/// Together a hundred calls a second.
const CALLERS: u32 = 5;
const EACH: Duration = Duration::from_millis(50);
/// So many calls are answered between two upgrades.
const BETWEEN: u32 = 8;
/// So brief that refreshes meet upgrades.
const BRIEF: Duration = Duration::from_secs(1);
/// B32 asks for 2 s. What is asserted is that nobody waits for his own deadline: the machine may be busy.
const GAP_AT_MOST: Duration = Duration::from_secs(15);

/// What the programs have seen.
#[derive(Default)]
struct Seen {
    calls: u32,
    slowest: Duration,
    last: Option<Instant>,
    /// The longest time in which nobody was answered.
    gap: Duration,
}

impl Seen {
    fn answered(&mut self, asked: Instant) {
        let now = Instant::now();
        self.calls += 1;
        self.slowest = self.slowest.max(now - asked);
        self.gap = self.gap.max(self.last.map_or(Duration::ZERO, |last| now - last));
        self.last = Some(now);
    }
}

async fn asks_until(is_over: Arc<AtomicBool>, client: Client, seen: Arc<Mutex<Seen>>) {
    let mut times = tokio::time::interval(EACH);
    for account in ["brief", "kept"].iter().cycle() {
        times.tick().await;
        if is_over.load(Ordering::SeqCst) {
            return;
        }
        let (asked, need) = (Instant::now(), Need::account(*account));
        let request = Request::new(need).sign_in(SignInMode::Never).max_wait(Duration::from_secs(20));
        match client.token(request).await {
            Ok(Answer::UseToken(_)) => seen.lock().unwrap().answered(asked),
            other => panic!("a call for {account} failed: {other:?}"),
        }
    }
}

async fn logs_in(machine: &Machine, account: &str) {
    approve(&prompt(machine.client().token(Need::account(account)).await.unwrap())).await;
    account_is(&machine.tool(), account, |status| status.grant.is_some() && status.sign_in.is_none()).await;
}

async fn token_of(machine: &Machine, account: &str) -> [u8; 32] {
    let request = Request::new(Need::account(account)).sign_in(SignInMode::Never).max_wait(Duration::from_secs(20));
    mcp_authd_tests::programs::token(machine.client().token(request).await.unwrap()).sha256()
}

/// How many daemons live: this machine has processes of its own.
fn daemons() -> usize {
    let names = std::fs::read_dir("/proc").unwrap().flatten().map(|process| process.path().join("comm"));
    names.filter(|name| std::fs::read_to_string(name).is_ok_and(|name| name.trim() == "mcp-authd")).count()
}

#[tokio::test]
#[expect(clippy::print_stdout, reason = "the story tells its figures")]
async fn b32_upgrades_under_calls_fail_none_of_them_and_whatever_goes_on_goes_on() {
    let story = "upgrade::b32_upgrades_under_calls_fail_none_of_them_and_whatever_goes_on_goes_on";
    let Some(machine) = inside(story) else { return };
    // given a service whose program stands where packages put it, an account in steady use, one that is kept, and a login that waits
    let long = AuthorizationServer::start(Settings::default());
    let brief = AuthorizationServer::start(Settings { access_token_life: BRIEF, ..Settings::default() });
    let account = |name, server: &AuthorizationServer| Account::at(name, server.issuer()).scopes(["mcp:read"]);
    let config = Config::new().account(account("brief", &brief)).account(account("kept", &long)).account(account("new", &long));
    machine.configure(&config);
    machine.install();
    let packages = tempfile::tempdir().unwrap();
    let mut program = Replaced::of(&machine.program("mcp-authd"), packages.path());
    let start = format!("[Service]\nExecStart=\nExecStart={} --take-over\n", program.path().display());
    machine.edit("mcp-authd.service", &start);
    machine.listen();
    logs_in(&machine, "brief").await;
    logs_in(&machine, "kept").await;
    let kept = token_of(&machine, "kept").await;
    let waiting = prompt(machine.client().token(Need::account("new")).await.unwrap());

    // when the program is replaced, and the service restarted, under a hundred calls a second
    let (is_over, seen) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Seen::default())));
    let mut callers = JoinSet::new();
    for _ in 0..CALLERS {
        callers.spawn(asks_until(is_over.clone(), machine.program_with_library(), seen.clone()));
    }
    let (machine, begun) = (Arc::new(machine), Instant::now());
    for upgrade in 0..UPGRADES {
        let (ruled, before, due) = (machine.clone(), machine.main_pid(), seen.lock().unwrap().calls + BETWEEN);
        until("calls are answered between two upgrades", || seen.lock().unwrap().calls >= due).await;
        program.upgrade();
        assert!(program.old_one_runs() && !program.new_one_runs());
        tokio::task::spawn_blocking(move || ruled.systemctl(&["try-restart", "mcp-authd.service"])).await.unwrap();
        service_is(&machine, "active").await;
        // then the new one serves, alone, and it waits for the same login
        assert!(program.new_one_runs() && !program.old_one_runs() && machine.main_pid() != before);
        assert_eq!(daemons(), 1);
        if upgrade % 10 == 0 {
            let now = prompt(machine.client().token(Need::account("new")).await.unwrap());
            assert_eq!(code(&now), code(&waiting));
        }
    }
    let took = begun.elapsed();
    approve(&waiting).await;
    account_is(&machine.tool(), "new", |status| status.grant.is_some() && status.sign_in.is_none()).await;
    is_over.store(true, Ordering::SeqCst);
    while let Some(caller) = callers.join_next().await {
        caller.unwrap();
    }

    // and every call was answered, every credential goes on, and nothing was spent twice
    assert_eq!(token_of(&machine, "kept").await, kept);
    let seen = seen.lock().unwrap();
    let counts = brief.counts();
    println!(
        "FIGURES: {UPGRADES} upgrades in {:.1} s under {} calls: 0 failed, {} refreshes meanwhile; nobody was answered for {} ms at most, the slowest call took {} ms",
        took.as_secs_f64(),
        seen.calls,
        counts.refreshes,
        seen.gap.as_millis(),
        seen.slowest.as_millis()
    );
    assert!(seen.calls >= UPGRADES * BETWEEN && counts.refreshes > 0 && seen.gap < GAP_AT_MOST);
    counts.assert_no_race_was_lost();
    assert_eq!((counts.device_authorizations, counts.refreshes), (1, counts.refreshes_ok()));
    assert_eq!((long.counts().device_authorizations, long.counts().refreshes), (2, 0));
    // Each was started by the manager, and none ended but by its word.
    assert_eq!((machine.property("NRestarts"), machine.property("Result")), ("0".to_owned(), "success".to_owned()));
    assert_eq!(daemons(), 1);
}
