//! Everything in any order: arrivals, cancellations, settlements, save results, logouts, kills, against the books of [`World`].

use std::time::Duration;

use mcp_authd_oauth::secret::AccessToken;
use mcp_authd_oauth::terms::Scopes;
use mcp_authd_oauth::time::Instant;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use super::super::fixture::policy;
use super::super::{Event, Policy, ReplayTime, WaiterId};
use super::staying::loses_nothing;
use super::world::{Disk, Login, Reply, World};
use crate::accounts::need::{PersonWants, SignInMode};

/// Whom the configuration names in turn.
const CLIENTS: [&str; 3] = ["client", "other", "third"];

#[derive(Debug, Clone)]
enum Action {
    Ask {
        mode: SignInMode,
        wide: bool,
        min_validity: u64,
        wait: u64,
    },
    ReportPresent,
    ReportOld,
    Cancel(usize),
    Disk(Disk),
    Refresh(Reply, u64),
    Prompt,
    Login(Login, u64),
    Advance(u64),
    SignOut,
    PersonAnswers,
    LateLogin,
    CancelSignIn,
    Reload,
    ChangeScopes(bool),
    MoveTo(usize),
    CrashMoved(usize),
    Add(usize),
    Resume,
    Crash,
    /// Everything was saved, and the token is reported to the next daemon.
    CrashReported,
    CrashLocked,
    CrashUnreadable,
    CrashDamaged,
    OpenKey,
    SetCalendar(i64),
    Leave(Disk),
    Remove,
}

fn disk() -> impl Strategy<Value = Disk> {
    prop_oneof![17 => Just(Disk::Works), 2 => Just(Disk::Refuses), 1 => Just(Disk::Lies)]
}

fn mode() -> impl Strategy<Value = SignInMode> {
    prop_oneof![
        2 => Just(SignInMode::Never),
        4 => Just(SignInMode::StartAndReturn),
        4 => Just(SignInMode::StartAndWait),
        1 => Just(SignInMode::Person(PersonWants::ToBeSignedIn)),
        1 => Just(SignInMode::Person(PersonWants::Again)),
        1 => Just(SignInMode::Person(PersonWants::Replace)),
    ]
}

fn reply() -> impl Strategy<Value = Reply> {
    prop_oneof![
        6 => Just(Reply::Rotate),
        1 => Just(Reply::SameToken),
        1 => Just(Reply::NoRefreshToken),
        1 => Just(Reply::BadMember),
        1 => Just(Reply::NoTokens),
        1 => Just(Reply::Dead),
        1 => Just(Reply::Busy),
        2 => Just(Reply::BusyForTenMinutes),
        1 => Just(Reply::NothingSent),
        1 => Just(Reply::LostBeforeCommit),
        1 => Just(Reply::LostAfterCommit),
        1 => Just(Reply::Configuration),
        1 => Just(Reply::NoSecret),
        1 => Just(Reply::SecretRefused),
        1 => Just(Reply::SecretOfFileRefused),
        1 => Just(Reply::Unknown400),
    ]
}

fn login() -> impl Strategy<Value = Login> {
    prop_oneof![
        6 => Just(Login::Granted),
        1 => Just(Login::GrantedNarrower),
        1 => Just(Login::WithoutRefreshToken),
        1 => Just(Login::OtherSubject),
        1 => Just(Login::Unnamed),
        1 => Just(Login::Denied),
        1 => Just(Login::Expired),
        1 => Just(Login::Unreachable),
        1 => Just(Login::NoSecret),
        1 => Just(Login::SecretRefused),
        1 => Just(Login::Refused),
    ]
}

fn action() -> impl Strategy<Value = Action> {
    let life = prop_oneof![Just(0u64), Just(1), 5u64..200, 3000u64..4000];
    prop_oneof![
        8 => (mode(), any::<bool>(), 0u64..400, 0u64..30)
            .prop_map(|(mode, wide, min_validity, wait)| Action::Ask { mode, wide: wide && min_validity % 5 == 0, min_validity, wait }),
        2 => Just(Action::ReportPresent),
        1 => Just(Action::ReportOld),
        1 => (0usize..8).prop_map(Action::Cancel),
        12 => disk().prop_map(Action::Disk),
        5 => (reply(), life.clone()).prop_map(|(reply, life)| Action::Refresh(reply, life)),
        3 => Just(Action::Prompt),
        3 => (login(), life).prop_map(|(login, life)| Action::Login(login, life)),
        4 => prop_oneof![0u64..12, 20u64..400, 3000u64..5000].prop_map(Action::Advance),
        1 => Just(Action::SignOut),
        2 => Just(Action::PersonAnswers),
        1 => Just(Action::LateLogin),
        1 => Just(Action::CancelSignIn),
        1 => Just(Action::Reload),
        1 => any::<bool>().prop_map(Action::ChangeScopes),
        2 => (0usize..CLIENTS.len()).prop_map(Action::MoveTo),
        1 => (0usize..CLIENTS.len()).prop_map(Action::CrashMoved),
        2 => (0usize..CLIENTS.len()).prop_map(Action::Add),
        1 => Just(Action::Resume),
        1 => Just(Action::Crash),
        2 => Just(Action::CrashReported),
        1 => prop_oneof![Just(Action::CrashLocked), Just(Action::CrashUnreadable), Just(Action::CrashDamaged)],
        1 => Just(Action::OpenKey),
        1 => prop_oneof![-90_000i64..90_000, -2i64..3].prop_map(Action::SetCalendar),
        1 => disk().prop_map(Action::Leave),
        1 => Just(Action::Remove),
    ]
}

fn report_present(world: &mut World) {
    let held = world.disk.grant.as_ref().and_then(|record| record.grant.access.as_ref());
    if let Some(hash) = held.map(|token| token.access_token.sha256()) {
        world.report(hash);
    }
}

/// What a reader of the books demands after every step.
struct Books {
    denied: bool,
    begun: usize,
    program_starts: Vec<Instant>,
    /// The last login was begun by a program.
    by_program: bool,
    /// A person waited before this step, and may have begun the login.
    person_waited: bool,
}

fn perform(world: &mut World, action: &Action) {
    match *action {
        Action::Ask { mode, wide, min_validity, wait } => {
            world.ask_with(|need| {
                need.sign_in = mode;
                need.min_validity = Duration::from_secs(min_validity);
                need.deadline = need.deadline - Duration::from_secs(20) + Duration::from_secs(wait);
                if wide {
                    need.scopes = Scopes::parse("read write");
                }
            });
        }
        Action::ReportPresent => report_present(world),
        Action::ReportOld => {
            world.report(AccessToken::new("from long ago").sha256());
        }
        Action::Cancel(index) => {
            if let Some(id) = world.waiting.keys().nth(index).copied() {
                world.waiting.remove(&id);
                world.tell(Event::CallerGone(id));
            }
        }
        Action::Disk(disk) => world.step_disk_with(disk),
        Action::Refresh(reply, life) => world.settle(reply, life),
        Action::Prompt => world.prompt_comes(),
        Action::Login(login, life) => world.login(login, life),
        Action::Advance(seconds) => world.advance(seconds),
        Action::SignOut => world.sign_out(),
        Action::PersonAnswers => world.answer_comes(),
        Action::LateLogin => world.late_login(),
        Action::CancelSignIn => world.tell(Event::SignInCancelled),
        Action::Reload => world.tell(Event::Reloaded),
        // Nobody finds an account that is gone, and nothing else of the configuration concerns it.
        Action::ChangeScopes(_) | Action::MoveTo(_) if world.gone => {}
        Action::ChangeScopes(wide) => world.change_scopes(if wide { "read write" } else { "read" }),
        Action::MoveTo(client) => world.move_to(CLIENTS[client]),
        Action::CrashMoved(client) => {
            world.reconfigure(CLIENTS[client]);
            world.crash();
        }
        Action::Add(client) if world.gone => world.add(CLIENTS[client]),
        Action::Add(_) => {}
        Action::Resume => world.tell(Event::Resumed),
        Action::Crash => world.crash(),
        Action::CrashReported => {
            world.save_all();
            world.crash();
            world.save_all();
            report_present(world);
        }
        Action::CrashLocked => {
            world.locked = true;
            world.crash();
        }
        Action::CrashUnreadable => {
            world.unreadable = true;
            world.crash();
        }
        Action::CrashDamaged => {
            world.damage();
            world.crash();
        }
        Action::OpenKey => world.open_the_key(),
        Action::SetCalendar(hours) => world.set_calendar(hours),
        Action::Leave(disk) => world.leave(disk),
        Action::Remove => world.remove(),
    }
}

fn check(world: &World, books: &mut Books, action: &Action) {
    assert!(world.reuses <= world.lost, "I8: {} reuses after {} lost answers", world.reuses, world.lost);
    let in_flight = !world.disk_work.is_empty() || !world.refreshes.is_empty() || !world.logins.is_empty();
    let deadline = world.account.next_deadline(world.now);
    for (id, need) in &world.waiting {
        assert!(in_flight || need.deadline > world.now.instant, "I4: {id:?} waits for nothing");
        assert!(deadline.is_some_and(|at| at <= need.deadline), "I4: {id:?} would be forgotten");
    }
    if let Action::Advance(_) = action {
        assert!(world.waiting.values().all(|need| need.deadline > world.now.instant), "everybody is answered at its deadline");
        assert!(deadline.is_none_or(|at| at > world.now.instant), "a deadline that has passed does not come again: {deadline:?}");
    }
    check_prompts(world, books, action);
    loses_nothing(world);
}

/// P18, and that a denial is final for programs.
fn check_prompts(world: &World, books: &mut Books, action: &Action) {
    let begun = world.begun_logins > books.begun;
    books.begun = world.begun_logins;
    let by_person = matches!(action, Action::Ask { mode: SignInMode::Person(_), .. }) || books.person_waited;
    books.person_waited = world.waiting.values().any(|need| matches!(need.sign_in, SignInMode::Person(_)));
    if begun {
        books.by_program = !by_person;
    }
    if begun && by_person {
        books.denied = false;
    } else if begun {
        assert!(!books.denied, "a denied login is not answered by another prompt");
        books.program_starts.push(world.now.instant);
    }
    match action {
        Action::Login(Login::Denied, _) if world.logins.is_empty() => {
            books.denied = world.account.status(world.now).last_end == Some(crate::accounts::grant::SignInEnd::Denied);
            books.program_starts.clear();
        }
        Action::Login(
            Login::Granted | Login::GrantedNarrower | Login::WithoutRefreshToken | Login::OtherSubject | Login::Unnamed,
            _,
        ) => {
            books.program_starts.clear();
        }
        // The server was not asked, and nobody was prompted.
        Action::Login(Login::Unreachable, _) if books.by_program => drop(books.program_starts.pop()),
        // A kill may forget what had not been saved yet, and a calendar that jumps ahead ends every span.
        Action::Crash
        | Action::CrashReported
        | Action::CrashMoved(_)
        | Action::CrashLocked
        | Action::CrashUnreadable
        | Action::CrashDamaged
        | Action::Leave(_) => {
            books.program_starts.clear();
            books.denied = false;
        }
        // Another server has not denied anything; the bounds count on.
        Action::MoveTo(_) => books.denied = false,
        // One that has this name later is another account.
        Action::Remove => {
            books.program_starts.clear();
            books.denied = false;
        }
        Action::SetCalendar(1..) => books.program_starts.clear(),
        _ => {}
    }
    let now = world.now.instant;
    let within = |span: u64| books.program_starts.iter().filter(|start| now.since(**start) < Duration::from_secs(span)).count();
    assert!(within(600) <= 3 && within(86_400) <= 6, "P18: {:?}", books.program_starts);
}

/// After any story the disk works and the server answers: every caller is answered, and the account is well or says why not.
fn recover(world: &mut World) {
    world.open_the_key();
    if world.gone {
        world.add(CLIENTS[0]);
    }
    for _ in 0..400 {
        world.save_all();
        world.settle(Reply::Rotate, 3600);
        world.prompt();
        world.login(Login::Granted, 3600);
        world.advance(30);
    }
    world.save_all();
    assert!(world.waiting.is_empty(), "{:?}", world.waiting.keys().collect::<Vec<&WaiterId>>());
    world.ask(SignInMode::Person(PersonWants::Replace));
    world.prompt();
    world.login(Login::Granted, 3600);
    world.save_all();
    let caller = world.ask(SignInMode::Never);
    assert!(world.token(caller).starts_with("at-"));
}

/// The same 1,500 stories each time, so that a run tells about the change and not about luck; `PROPTEST_CASES` asks for others.
fn config() -> ProptestConfig {
    match std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()) {
        Some(cases) => ProptestConfig::with_cases(cases),
        None => ProptestConfig { rng_seed: RngSeed::Fixed(20_261_121), ..ProptestConfig::with_cases(1500) },
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn in_any_order_nothing_is_spent_twice_and_nobody_is_forgotten(
        actions in prop::collection::vec(action(), 1..120),
        strict in any::<bool>(),
        ends in any::<bool>(),
    ) {
        let replay = if strict { ReplayTime::AtTokenEnd } else { ReplayTime::AtOnce };
        let mut world = World::with_policy(Policy { replay, refresh_ends_access_tokens: ends, ..policy() });
        let mut books = Books { denied: false, begun: 0, program_starts: Vec::new(), by_program: false, person_waited: false };
        for action in actions {
            perform(&mut world, &action);
            check(&world, &mut books, &action);
        }
        recover(&mut world);
    }
}
