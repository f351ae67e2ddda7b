//! A daemon that is about to end: who waits for a refresh that is out is answered with what it brings (B6).

use super::super::Event;
use super::world::{DiskWork, Reply, World};
use crate::accounts::need::{AnswerState, PersonWants, Refusal, SignInMode};

#[test]
fn a_caller_that_waits_for_a_refresh_is_answered_with_its_token_although_the_daemon_is_about_to_end() {
    let mut world = World::signed_in(100);
    world.advance(101);
    let before = world.ask(SignInMode::Never);
    world.save_all();
    world.tell(Event::Leaving);
    let after = world.ask(SignInMode::Never);
    assert!(world.answer(before).is_none() && world.answer(after).is_none());
    world.settle(Reply::Rotate, 100);
    world.save_all();
    assert_eq!(world.token(before), world.token(after));
    assert!(world.account.is_settled());
}

#[test]
fn a_caller_whose_refresh_is_not_sent_any_more_waits_for_the_end_of_the_daemon_and_is_told_where_it_does_not_come() {
    let mut world = World::signed_in(100);
    world.advance(101);
    let caller = world.ask(SignInMode::Never);
    assert!(matches!(world.disk_work.front(), Some(DiskWork::Grant(_, record)) if record.intent.is_some()));
    world.tell(Event::Leaving);
    world.save_all();
    // Whoever is still waiting at the end asks the next daemon.
    assert!(world.answer(caller).is_none() && world.account.is_settled());
    world.advance(20);
    let told = world.answer(caller);
    assert!(
        matches!(told, Some(AnswerState::Refusal(Refusal::Unavailable { why, .. })) if why.contains("about to end")),
        "{told:?}"
    );
    assert_eq!(world.sent_refreshes, 0);
}

#[test]
fn a_login_is_left_to_the_next_daemon_and_a_person_is_told_so() {
    let mut world = World::empty();
    world.save_all();
    world.tell(Event::Leaving);
    let program = world.ask(SignInMode::StartAndReturn);
    let look = world.ask(SignInMode::Never);
    let person = world.ask(SignInMode::Person(PersonWants::ToBeSignedIn));
    assert!(world.answer(program).is_none() && world.account.is_settled());
    assert!(matches!(world.answer(look), Some(AnswerState::Refusal(Refusal::LoginRequired(_)))));
    assert!(matches!(world.answer(person), Some(AnswerState::Refusal(Refusal::Unavailable { .. }))));
    assert_eq!(world.begun_logins, 0);
}
