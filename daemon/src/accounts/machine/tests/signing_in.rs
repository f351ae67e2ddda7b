//! Logins: one for all, bounded, never lost with a caller.

use std::time::Duration;

use mcp_authd_oauth::reach::Reach;
use mcp_authd_oauth::sign_in::{NextStep, NotBegun, SignInFailure};
use mcp_authd_oauth::terms::Scopes;

use super::super::{Event, WaiterId};
use super::world::{Login, World};
use crate::accounts::grant::{Purpose, SignInEnd};
use crate::accounts::need::{AnswerState, LoginReason, PersonWants, Refusal, SignInMode, SignInPrompt};
use crate::accounts::status::Health;

fn empty() -> World {
    let mut world = World::empty();
    world.save_all();
    world
}

fn refusal(world: &World, id: WaiterId) -> &Refusal {
    match world.answer(id) {
        Some(AnswerState::Refusal(refusal)) => refusal,
        other => panic!("no refusal but {other:?}"),
    }
}

#[test]
fn a_thousand_callers_without_credentials_begin_one_login_and_see_the_same_code() {
    let mut world = empty();
    let callers: Vec<_> = (0..1000).map(|_| world.ask(SignInMode::StartAndReturn)).collect();
    world.prompt();
    assert_eq!(world.begun_logins, 1);
    let codes: Vec<_> = callers
        .iter()
        .map(|caller| match world.answer(*caller) {
            Some(AnswerState::SignIn(prompt)) => prompt.prompt.clone(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert!(codes.windows(2).all(|pair| pair[0] == pair[1]));
    world.login(Login::Granted, 3600);
    world.save_all();
    let after = world.ask(SignInMode::Never);
    assert!(world.token(after).starts_with("at-"));
}

#[test]
fn a_caller_that_waits_is_answered_when_the_login_ends_and_at_its_deadline_with_the_prompt() {
    let mut world = empty();
    let patient = world.ask_with(|need| {
        need.sign_in = SignInMode::StartAndWait;
        need.deadline = need.deadline + Duration::from_secs(100);
    });
    let hasty = world.ask(SignInMode::StartAndWait);
    world.prompt();
    world.advance(20);
    assert!(matches!(world.answer(hasty), Some(AnswerState::SignIn(_))));
    assert_eq!(world.answer(patient), None);
    world.login(Login::Granted, 3600);
    assert_eq!(world.answer(patient), None, "I2: not before the store has answered");
    world.save_all();
    assert!(world.token(patient).starts_with("at-"));
}

#[test]
fn a_caller_that_gives_up_ends_only_its_own_waiting() {
    let mut world = empty();
    let first = world.ask(SignInMode::StartAndWait);
    let second = world.ask(SignInMode::StartAndWait);
    world.prompt();
    world.waiting.remove(&first);
    world.tell(Event::CallerGone(first));
    world.login(Login::Granted, 3600);
    world.save_all();
    assert_eq!(world.answer(first), None);
    assert!(world.token(second).starts_with("at-"));
}

#[test]
fn a_denied_login_is_not_answered_by_another_prompt_until_the_person_begins_one() {
    let mut world = empty();
    let waiting = world.ask(SignInMode::StartAndWait);
    world.prompt();
    world.login(Login::Denied, 0);
    assert_eq!(refusal(&world, waiting), &Refusal::Denied);
    world.save_all();
    world.crash();
    world.save_all();
    let later = world.ask(SignInMode::StartAndReturn);
    assert_eq!(refusal(&world, later), &Refusal::Denied);
    assert_eq!(world.begun_logins, 1);
    world.ask(SignInMode::Person(PersonWants::ToBeSignedIn));
    assert_eq!(world.begun_logins, 2);
}

#[test]
fn programs_begin_at_most_three_unanswered_logins_in_ten_minutes_and_six_in_a_day_over_restarts() {
    let mut world = empty();
    let begin = |world: &mut World| {
        let before = world.begun_logins;
        let caller = world.ask(SignInMode::StartAndReturn);
        world.prompt();
        world.login(Login::Expired, 0);
        world.save_all();
        world.crash();
        world.save_all();
        (world.begun_logins > before, caller)
    };
    let begun: Vec<_> = (0..4).map(|_| begin(&mut world).0).collect();
    assert_eq!(begun, [true, true, true, false]);
    world.advance(601);
    let begun: Vec<_> = (0..4).map(|_| begin(&mut world).0).collect();
    assert_eq!(begun, [true, true, true, false]);
    world.advance(601);
    let (begun, caller) = begin(&mut world);
    assert!(!begun);
    assert_eq!(refusal(&world, caller), &Refusal::TooManyPrompts);
    world.advance(86_400);
    assert!(begin(&mut world).0);
}

#[test]
fn a_call_that_may_not_begin_a_login_is_told_that_one_is_needed_and_sees_one_that_waits() {
    let mut world = empty();
    let caller = world.ask(SignInMode::Never);
    assert_eq!(refusal(&world, caller), &Refusal::LoginRequired(LoginReason::Never));
    assert_eq!(world.begun_logins, 0);
    world.ask(SignInMode::StartAndReturn);
    world.prompt();
    let watcher = world.ask(SignInMode::Never);
    assert!(matches!(world.answer(watcher), Some(AnswerState::SignIn(_))));
}

#[test]
fn a_login_survives_a_restart_with_the_same_code() {
    let mut world = empty();
    let before = world.ask(SignInMode::StartAndReturn);
    world.prompt();
    world.save_all();
    let code = world.answer(before).cloned();
    world.crash();
    world.save_all();
    let after = world.ask(SignInMode::StartAndReturn);
    assert_eq!(world.answer(after).cloned(), code);
    assert_eq!(world.begun_logins, 1);
    world.login(Login::Granted, 3600);
    world.save_all();
    let caller = world.ask(SignInMode::Never);
    assert!(world.token(caller).starts_with("at-"));
}

fn prompt_of(world: &World, id: WaiterId) -> &SignInPrompt {
    match world.answer(id) {
        Some(AnswerState::SignIn(prompt)) => prompt,
        other => panic!("no prompt but {other:?}"),
    }
}

#[test]
fn a_login_names_the_program_that_asked_and_nobody_only_where_the_person_did() {
    let program = |name: &str| (SignInMode::StartAndReturn, name.to_owned());
    let person = (SignInMode::Person(PersonWants::ToBeSignedIn), "authctl".to_owned());
    for ((mode, name), told) in [(program("editor"), "editor"), (program(""), "a program without a name"), (person, "")] {
        let mut world = empty();
        let asks = world.ask_with(|need| (need.sign_in, need.client_name) = (mode, name));
        world.prompt();
        assert_eq!(prompt_of(&world, asks).asked_by, told);
    }
}

#[test]
fn a_login_from_before_a_restart_is_known_by_its_name() {
    let mut world = empty();
    let begun = world.now.wall;
    let asks = world.ask(SignInMode::StartAndReturn);
    world.prompt();
    assert!(!prompt_of(&world, asks).is_from_before(begun));
    world.save_all();
    world.advance(5);
    world.crash();
    world.save_all();
    let restarted = world.now.wall;
    let asks = world.ask(SignInMode::StartAndReturn);
    assert!(prompt_of(&world, asks).is_from_before(restarted));
}

#[test]
fn an_unreachable_server_is_asked_again_only_after_its_back_off_and_counts_as_no_prompt() {
    let mut world = empty();
    for _ in 0..5 {
        let caller = world.ask(SignInMode::StartAndReturn);
        world.login(Login::Unreachable, 0);
        assert!(matches!(refusal(&world, caller), Refusal::Unavailable { retry_after: Some(_), .. }));
        let begun = world.begun_logins;
        let at_once = world.ask(SignInMode::StartAndReturn);
        assert!(matches!(refusal(&world, at_once), Refusal::Unavailable { .. }));
        assert_eq!(world.begun_logins, begun);
        world.advance(31);
    }
    assert_eq!(world.begun_logins, 5);
}

#[test]
fn a_login_that_the_server_refuses_tells_its_words_and_does_not_loop() {
    let mut world = empty();
    let caller = world.ask(SignInMode::StartAndReturn);
    world.login(Login::Refused, 0);
    assert!(matches!(refusal(&world, caller), Refusal::Configuration { why } if why.contains("unauthorized_client")));
    let again = world.ask(SignInMode::StartAndReturn);
    assert!(matches!(refusal(&world, again), Refusal::Configuration { .. }));
    assert_eq!(world.begun_logins, 1);
}

#[test]
fn another_subject_is_refused_and_its_tokens_are_given_back_unless_the_person_replaces() {
    let mut world = World::signed_in(3600);
    let held = world.ask(SignInMode::Never);
    let held = world.token(held);
    let person = world.ask(SignInMode::Person(PersonWants::Again));
    world.prompt();
    assert!(matches!(world.answer(person), Some(AnswerState::SignIn(_))));
    world.login(Login::OtherSubject, 3600);
    world.save_all();
    assert_eq!(world.revoked.len(), 1);
    let caller = world.ask(SignInMode::Never);
    assert_eq!(world.token(caller), held);
    world.ask(SignInMode::Person(PersonWants::Replace));
    world.prompt();
    world.login(Login::OtherSubject, 3600);
    world.save_all();
    let caller = world.ask(SignInMode::Never);
    assert_ne!(world.token(caller), held);
}

#[test]
fn an_account_that_knows_its_subject_takes_no_login_that_names_none() {
    let mut world = World::signed_in(3600);
    let held = world.ask(SignInMode::Never);
    let held = world.token(held);
    world.ask(SignInMode::Person(PersonWants::Again));
    world.prompt();
    world.login(Login::Unnamed, 3600);
    world.save_all();
    assert_eq!(world.revoked.len(), 1);
    let caller = world.ask(SignInMode::Never);
    assert_eq!(world.token(caller), held);
    assert_eq!(
        world.account.status(world.now).last_end,
        Some(SignInEnd::NoSubject),
        "nobody is called another user who is not known"
    );
    world.crash();
    world.save_all();
    assert_eq!(world.account.status(world.now).last_end, Some(SignInEnd::NoSubject));
}

#[test]
fn more_scopes_begin_a_login_for_the_union_while_the_present_token_goes_on_serving() {
    let mut world = World::signed_in(3600);
    let wider = world.ask_with(|need| need.scopes = Scopes::parse("write"));
    assert_eq!(world.logins[0].2, Scopes::parse("read write"));
    world.prompt();
    match world.answer(wider) {
        Some(AnswerState::SignIn(prompt)) => assert_eq!(prompt.purpose, Purpose::MoreAccess),
        other => panic!("{other:?}"),
    }
    let narrow = world.ask(SignInMode::Never);
    assert!(world.token(narrow).starts_with("at-"));
    world.login(Login::GrantedNarrower, 3600);
    world.save_all();
    let again = world.ask_with(|need| need.scopes = Scopes::parse("write"));
    assert_eq!(refusal(&world, again), &Refusal::InsufficientScope { missing: Scopes::parse("write") });
    assert_eq!(world.begun_logins, 2, "what was refused is not asked for again");
}

#[test]
fn after_a_logout_programs_begin_no_login_and_nothing_is_left_on_the_disk() {
    let mut world = World::signed_in(3600);
    world.sign_out();
    world.save_all();
    assert_eq!(world.disk.grant, None);
    assert_eq!(world.revoked.len(), 1);
    let caller = world.ask(SignInMode::StartAndReturn);
    assert_eq!(refusal(&world, caller), &Refusal::SignedOut);
    world.crash();
    world.save_all();
    let caller = world.ask(SignInMode::StartAndReturn);
    assert_eq!(refusal(&world, caller), &Refusal::SignedOut);
    world.ask(SignInMode::Person(PersonWants::ToBeSignedIn));
    world.prompt();
    world.login(Login::Granted, 3600);
    world.save_all();
    let caller = world.ask(SignInMode::Never);
    assert!(world.token(caller).starts_with("at-"));
}

#[test]
fn a_logout_that_cannot_erase_says_so_never_serves_and_tries_again() {
    let mut world = World::signed_in(3600);
    world.sign_out();
    world.step_disk(true);
    world.step_disk(false);
    world.step_disk(false);
    assert!(matches!(world.statuses.last().unwrap().health, Health::Degraded(_)));
    let caller = world.ask(SignInMode::StartAndReturn);
    assert_eq!(refusal(&world, caller), &Refusal::SignedOut);
    world.advance(5);
    world.save_all();
    assert_eq!(world.disk.grant, None);
    assert_eq!(world.statuses.last().unwrap().health, Health::SignedOut);
}

#[test]
fn a_logout_while_a_login_waits_ends_it_and_its_late_tokens_are_given_back() {
    let mut world = empty();
    world.ask(SignInMode::StartAndReturn);
    world.prompt();
    let late = world.logins[0].clone();
    world.sign_out();
    assert!(world.logins.is_empty());
    world.logins.push(late);
    world.login(Login::Granted, 3600);
    world.save_all();
    assert_eq!(world.revoked.len(), 1);
    assert_eq!(world.disk.grant, None);
}

#[test]
fn a_code_is_shown_only_when_a_kill_would_not_make_it_nobodys() {
    let mut world = empty();
    let callers = [world.ask(SignInMode::StartAndReturn), world.ask(SignInMode::StartAndReturn)];
    world.prompt_comes();
    assert!(callers.iter().all(|caller| world.answer(*caller).is_none()));
    assert!(world.account.status(world.now).sign_in.is_none());
    world.step_disk(true);
    assert!(callers.iter().all(|caller| matches!(world.answer(*caller), Some(AnswerState::SignIn(_)))));
    let shown = world.account.status(world.now).sign_in.unwrap();
    world.crash();
    world.save_all();
    assert_eq!(world.account.status(world.now).sign_in.unwrap().prompt, shown.prompt);
}

#[test]
fn a_logout_that_is_told_is_a_logout_after_a_kill_too() {
    let mut world = World::signed_in(100);
    world.sign_out();
    while world.account.status(world.now).health != Health::SignedOut {
        world.step_disk(true);
    }
    world.crash();
    world.save_all();
    let caller = world.ask(SignInMode::StartAndReturn);
    assert_eq!(*refusal(&world, caller), Refusal::SignedOut);
    assert_eq!(world.begun_logins, 1);
}

#[test]
fn a_code_that_cannot_be_saved_is_shown_all_the_same() {
    let mut world = empty();
    let caller = world.ask(SignInMode::StartAndReturn);
    world.prompt_comes();
    world.step_disk(false);
    assert!(matches!(world.answer(caller), Some(AnswerState::SignIn(_))));
}

#[test]
fn p21_a_server_that_has_issued_a_grant_may_stand_in_a_private_network_from_then_on() {
    let mut world = empty();
    world.ask(SignInMode::StartAndReturn);
    world.prompt();
    world.login(Login::Granted, 3600);
    world.save_all();
    let kept = world.disk.grant.unwrap();
    assert_eq!(kept.grant.binding.token_endpoint.nearest(), Reach::Private);
}

#[test]
fn p18_a_login_that_could_not_begin_has_prompted_nobody_and_its_reason_is_told_each_time() {
    let mut world = empty();
    let why = || NotBegun { why: "no client".to_owned(), next_step: NextStep::LogIn };
    for _ in 0..8 {
        let caller = world.ask(SignInMode::StartAndReturn);
        let (id, ..) = world.logins.remove(0);
        world.tell(Event::SignInSettled(id, Err(SignInFailure::NotBegun(why()))));
        assert!(matches!(refusal(&world, caller), Refusal::NoWayToSignIn(_)), "{:?}", refusal(&world, caller));
        world.save_all();
        world.advance(3600);
    }
}
