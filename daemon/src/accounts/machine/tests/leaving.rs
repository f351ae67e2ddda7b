//! A daemon that is about to end: who waits for a refresh that is out is answered with what it brings (B6).

use super::super::Event;
use super::world::{DiskWork, Reply, World};
use crate::accounts::need::{AnswerState, Refusal, SignInMode};

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
fn a_caller_that_waits_for_a_refresh_that_is_not_sent_any_more_is_told_that_the_daemon_ends() {
    let mut world = World::signed_in(100);
    world.advance(101);
    let caller = world.ask(SignInMode::Never);
    assert!(matches!(world.disk_work.front(), Some(DiskWork::Grant(_, record)) if record.intent.is_some()));
    world.tell(Event::Leaving);
    world.save_all();
    assert!(matches!(world.answer(caller), Some(AnswerState::Refusal(Refusal::Unavailable { .. }))));
    assert_eq!(world.sent_refreshes, 0);
}
