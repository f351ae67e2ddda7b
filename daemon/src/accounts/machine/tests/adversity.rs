//! Servers, disks and clocks that misbehave: no loop, no nagging, nothing shown twice.

use std::time::Duration;

use mcp_authd_oauth::time::Now;

use super::super::{Event, WaiterId};
use super::world::{Login, Reply, World};
use crate::accounts::need::{AnswerState, PersonWants, Refusal, SignInMode};
use mcp_authd_oauth::terms::Scopes;

fn refused(world: &World, id: WaiterId) -> Refusal {
    match world.answer(id) {
        Some(AnswerState::Refusal(refusal)) => refusal.clone(),
        other => panic!("no refusal but {other:?}"),
    }
}

#[test]
fn a_success_without_any_token_does_not_prove_that_the_refresh_token_is_kept() {
    let mut world = World::signed_in(100);
    world.advance(101);
    world.ask(SignInMode::Never);
    world.save_all();
    world.settle(Reply::NoTokens, 0);
    world.save_all();
    world.advance(10);
    world.ask(SignInMode::Never);
    world.save_all();
    world.settle(Reply::LostAfterCommit, 0);
    for _ in 0..10 {
        world.save_all();
        world.settle(Reply::LostBeforeCommit, 0);
        world.save_all();
        world.advance(360);
        world.ask(SignInMode::Never);
    }
    assert_eq!(world.sent_refreshes, 3, "the spent token was shown again but for the one replay");
}

#[test]
fn a_daemon_about_to_leave_saves_an_unsaved_grant_once_more_and_does_not_hammer_the_disk() {
    let mut world = World::signed_in(100);
    world.advance(101);
    world.ask(SignInMode::Never);
    world.save_all();
    world.settle(Reply::Rotate, 100);
    world.step_disk(false);
    world.tell(Event::Leaving);
    assert_eq!(world.disk_work.len(), 1, "one last save");
    assert!(!world.account.is_settled());
    world.step_disk(false);
    assert!(world.disk_work.is_empty(), "the disk is left alone");
    assert!(world.account.is_settled());
}

#[test]
fn a_save_that_fails_while_the_daemon_leaves_is_tried_once_more_before_the_end() {
    let mut world = World::signed_in(100);
    world.advance(101);
    world.ask(SignInMode::Never);
    world.save_all();
    world.settle(Reply::Rotate, 100);
    world.tell(Event::Leaving);
    world.step_disk(false);
    assert_eq!(world.disk_work.len(), 1, "one last save");
    assert!(!world.account.is_settled());
    world.step_disk(true);
    assert!(world.account.is_settled());
    assert_eq!(world.disk.grant.as_ref().unwrap().grant.refresh_token(), world.valid());
}

#[test]
fn a_server_whose_tokens_are_born_dead_is_not_refreshed_by_time() {
    let mut world = World::empty();
    world.save_all();
    world.ask(SignInMode::StartAndReturn);
    world.prompt();
    world.login(Login::Granted, 0);
    for _ in 0..100 {
        world.save_all();
        world.settle(Reply::Rotate, 0);
        world.save_all();
        world.advance(12);
    }
    assert!(world.sent_refreshes <= 1, "D38: {}", world.sent_refreshes);
}

#[test]
fn a_person_whose_request_fails_gives_programs_no_further_prompt() {
    let mut world = World::empty();
    world.save_all();
    for _ in 0..3 {
        world.ask(SignInMode::StartAndReturn);
        world.prompt();
        world.login(Login::Expired, 0);
    }
    world.ask(SignInMode::Person(PersonWants::ToBeSignedIn));
    world.login(Login::Unreachable, 0);
    world.advance(31);
    let begun = world.begun_logins;
    let caller = world.ask(SignInMode::StartAndReturn);
    assert_eq!(world.begun_logins, begun, "P18");
    assert_eq!(refused(&world, caller), Refusal::TooManyPrompts);
}

#[test]
fn a_calendar_that_is_set_back_does_not_shut_programs_out_for_longer_than_the_bound() {
    let mut world = World::empty();
    world.save_all();
    for _ in 0..3 {
        world.ask(SignInMode::StartAndReturn);
        world.prompt();
        world.login(Login::Expired, 0);
    }
    world.save_all();
    world.now = Now { wall: world.now.wall - Duration::from_secs(365 * 86_400), ..world.now };
    world.tell(Event::Tick);
    let at_once = world.ask(SignInMode::StartAndReturn);
    assert_eq!(refused(&world, at_once), Refusal::TooManyPrompts);
    world.advance(601);
    world.ask(SignInMode::StartAndReturn);
    assert_eq!(world.begun_logins, 4);
}

#[test]
fn a_caller_that_goes_away_costs_the_others_nothing() {
    let mut world = World::signed_in(100);
    world.advance(101);
    let callers: Vec<_> = (0..3).map(|_| world.ask(SignInMode::Never)).collect();
    world.waiting.remove(&callers[1]);
    world.tell(Event::CallerGone(callers[1]));
    world.save_all();
    world.settle(Reply::Rotate, 100);
    world.save_all();
    assert!(world.token(callers[0]).starts_with("at-") && world.token(callers[2]).starts_with("at-"));
}

#[test]
fn a_person_who_replaces_is_heard_although_a_login_waits_already() {
    let mut world = World::signed_in(3600);
    world.ask_with(|need| need.scopes = Scopes::parse("write"));
    world.prompt();
    let person = world.ask(SignInMode::Person(PersonWants::Replace));
    assert!(matches!(world.answer(person), Some(AnswerState::SignIn(_))), "the same code");
    world.save_all();
    world.crash();
    world.save_all();
    world.login(Login::OtherSubject, 3600);
    world.save_all();
    assert_eq!(world.disk.grant.as_ref().unwrap().grant.subject.as_ref().unwrap().as_str(), "bob");
    assert_eq!(world.begun_logins, 2);
}
