//! Refreshes: once, saved before they are answered, never with a token that is spent.

use super::super::fixture::policy;
use super::super::{Event, Policy, ReplayTime};
use super::world::{Login, Reply, World};
use crate::accounts::grant::Intent;
use crate::accounts::need::{AnswerState, LoginReason, Refusal, SignInMode};
use crate::accounts::status::{Health, Trouble};
use std::time::Duration;

pub(super) fn refused(world: &World, id: super::super::WaiterId) -> Refusal {
    match world.answer(id) {
        Some(AnswerState::Refusal(refusal)) => refusal.clone(),
        other => panic!("no refusal but {other:?}"),
    }
}

pub(super) fn held(world: &mut World) -> String {
    let caller = world.ask(SignInMode::Never);
    world.token(caller)
}

#[test]
fn a_thousand_callers_on_an_expired_token_cause_one_refresh_and_all_get_the_new_token() {
    let mut world = World::signed_in(100);
    world.advance(101);
    let callers: Vec<_> = (0..1000).map(|_| world.ask(SignInMode::Never)).collect();
    world.save_all();
    assert_eq!(world.sent_refreshes, 1);
    world.settle(Reply::Rotate, 100);
    assert!(callers.iter().all(|caller| world.answer(*caller).is_none()), "I2");
    world.save_all();
    let token = world.token(callers[0]);
    assert!(callers.iter().all(|caller| world.token(*caller) == token));
}

#[test]
fn the_refresh_goes_on_when_every_caller_has_gone() {
    let mut world = World::signed_in(100);
    world.advance(101);
    world.save_all();
    let caller = world.ask(SignInMode::Never);
    world.save_all();
    world.waiting.remove(&caller);
    world.tell(Event::CallerGone(caller));
    world.settle(Reply::Rotate, 100);
    world.save_all();
    assert!(held(&mut world).starts_with("at-"));
    assert_eq!(world.sent_refreshes, 1);
}

#[test]
fn a_slow_refresh_answers_each_caller_at_its_own_deadline_and_is_still_one() {
    let mut world = World::signed_in(100);
    world.advance(101);
    let caller = world.ask(SignInMode::Never);
    world.save_all();
    world.advance(20);
    assert!(matches!(refused(&world, caller), Refusal::Unavailable { retry_after: Some(_), .. }));
    let second = world.ask(SignInMode::Never);
    world.advance(20);
    assert!(world.answer(second).is_some());
    world.settle(Reply::Rotate, 100);
    world.save_all();
    assert_eq!(world.sent_refreshes, 1);
    held(&mut world);
}

#[test]
fn a_token_is_renewed_ahead_of_its_end_and_serves_meanwhile() {
    let mut world = World::signed_in(1000);
    let first = held(&mut world);
    let at = world.account.next_deadline(world.now).unwrap();
    let ahead = at.since(world.now.instant).as_secs();
    assert!((780..=820).contains(&ahead), "{ahead}");
    world.advance(ahead + 1);
    assert_eq!(held(&mut world), first);
    world.save_all();
    assert_eq!(held(&mut world), first);
    world.settle(Reply::Rotate, 1000);
    world.save_all();
    assert_ne!(held(&mut world), first);
    assert_eq!(world.sent_refreshes, 1);
}

#[test]
fn an_account_that_nobody_has_used_for_a_day_is_left_alone() {
    let mut world = World::signed_in(200_000);
    world.advance(199_900);
    assert_eq!(world.sent_refreshes, 0);
    assert!(world.disk_work.is_empty());
}

#[test]
fn a_caller_that_asked_before_the_record_was_read_counts_as_use() {
    let mut world = World::signed_in(1000);
    world.disk.grant.as_mut().unwrap().used_at = None;
    world.advance(900);
    world.crash();
    world.ask(SignInMode::Never);
    world.save_all();
    assert_eq!(world.sent_refreshes, 1, "the margin was reached, and the account is in use");
}

#[test]
fn what_cannot_be_saved_is_not_spent_and_the_old_token_serves() {
    let mut world = World::signed_in(1000);
    let first = held(&mut world);
    world.advance(900);
    for _ in 0..10 {
        world.step_disk(false);
        assert_eq!(held(&mut world), first);
        assert!(matches!(world.statuses.last().unwrap().health, Health::Degraded(Trouble::NotSaved(_))));
        world.advance(5);
    }
    assert_eq!(world.sent_refreshes, 0, "B7");
    world.advance(100);
    let caller = world.ask(SignInMode::Never);
    world.step_disk(false);
    assert!(matches!(refused(&world, caller), Refusal::NotSaved { .. }));
    world.advance(5);
    world.save_all();
    world.settle(Reply::Rotate, 1000);
    world.save_all();
    assert_ne!(held(&mut world), first);
    assert_eq!(world.statuses.last().unwrap().health, Health::Good);
}

#[test]
fn while_the_disk_hangs_over_a_new_token_the_one_before_it_serves_to_its_end() {
    let mut world = World::signed_in(1000);
    let first = held(&mut world);
    world.advance(900);
    world.save_all();
    world.settle(Reply::Rotate, 1000);
    assert_eq!(held(&mut world), first, "D50: the store has not answered for the new one");
    world.advance(101);
    let caller = world.ask(SignInMode::Never);
    assert_eq!(world.answer(caller), None, "I2: nothing is answered that the store has not answered for");
    world.save_all();
    assert_ne!(world.token(caller), first);
}

#[test]
fn where_a_refresh_ends_the_token_before_it_everybody_waits_for_the_new_one() {
    let mut world = World::signed_in_with(Policy { refresh_ends_access_tokens: true, ..policy() }, 1000);
    world.advance(950);
    world.save_all();
    world.settle(Reply::Rotate, 1000);
    let caller = world.ask(SignInMode::Never);
    assert_eq!(world.answer(caller), None);
    world.save_all();
    world.token(caller);
}

#[test]
fn where_a_refresh_ends_the_token_before_it_that_token_is_not_given_out_while_it_is_under_way() {
    let mut world = World::signed_in_with(Policy { refresh_ends_access_tokens: true, ..policy() }, 1000);
    let first = held(&mut world);
    world.advance(950);
    let prepared = world.ask(SignInMode::Never);
    assert_eq!(world.answer(prepared), None, "its intent is being saved");
    world.save_all();
    assert_eq!(world.sent_refreshes, 1);
    let sent = world.ask(SignInMode::Never);
    assert_eq!(world.answer(sent), None, "it is out");
    // Whoever cannot wait any longer gets what may still be good.
    world.advance(20);
    assert_eq!((world.token(prepared), world.token(sent)), (first.clone(), first));
    let patient = world.ask(SignInMode::Never);
    world.settle(Reply::Rotate, 1000);
    world.save_all();
    assert_eq!(world.token(patient), held(&mut world));
}

#[test]
fn a_replay_may_wait_for_as_long_as_the_profile_says() {
    let mut world = World::signed_in_with(Policy { replay: ReplayTime::After(Duration::from_secs(40)), ..policy() }, 1000);
    world.advance(900);
    world.save_all();
    world.settle(Reply::LostBeforeCommit, 0);
    world.save_all();
    for (seconds, sent) in [(0, 1), (30, 1), (11, 2)] {
        world.advance(seconds);
        world.save_all();
        assert_eq!(world.sent_refreshes, sent, "after {seconds} s more");
    }
}

#[test]
fn a_new_token_that_cannot_be_saved_is_served_visibly_degraded_and_not_refreshed_before_it_is_saved() {
    let mut world = World::signed_in(100);
    world.advance(101);
    let caller = world.ask(SignInMode::Never);
    world.save_all();
    world.settle(Reply::Rotate, 100);
    world.step_disk(false);
    world.token(caller);
    for _ in 0..30 {
        world.advance(5);
        world.step_disk(false);
    }
    assert_eq!(world.sent_refreshes, 1);
    let late = world.ask(SignInMode::Never);
    assert!(matches!(refused(&world, late), Refusal::NotSaved { .. }));
    world.advance(5);
    world.save_all();
    world.settle(Reply::Rotate, 100);
    world.save_all();
    held(&mut world);
    assert_eq!((world.sent_refreshes, world.reuses), (2, 0));
}

#[test]
fn a_dead_grant_serves_its_living_token_and_begins_no_login_by_itself() {
    let mut world = World::signed_in(1000);
    let first = held(&mut world);
    world.advance(900);
    world.save_all();
    world.settle(Reply::Dead, 0);
    world.save_all();
    assert_eq!(held(&mut world), first);
    assert_eq!(world.begun_logins, 1, "a refresh that nobody waited for begins no login");
    assert_eq!(world.disk.grant.as_ref().unwrap().grant.refresh_token(), None);
    world.advance(101);
    let caller = world.ask(SignInMode::Never);
    assert_eq!(refused(&world, caller), Refusal::LoginRequired(LoginReason::Dead));
    world.ask(SignInMode::StartAndReturn);
    assert_eq!((world.begun_logins, world.sent_refreshes), (2, 1));
}

#[test]
fn a_waiter_whose_need_the_dead_grant_fails_gets_the_prompt_of_a_new_login() {
    let mut world = World::signed_in(100);
    world.advance(101);
    let callers: Vec<_> = (0..5).map(|_| world.ask(SignInMode::StartAndReturn)).collect();
    world.save_all();
    world.settle(Reply::Dead, 0);
    world.save_all();
    world.prompt();
    assert!(callers.iter().all(|caller| matches!(world.answer(*caller), Some(AnswerState::SignIn(_)))));
    assert_eq!(world.begun_logins, 2);
}

#[test]
fn a_busy_server_keeps_the_grant_and_no_call_shortens_its_back_off() {
    let mut world = World::signed_in(100);
    world.advance(101);
    let mut sent = Vec::new();
    for _ in 0..3600 {
        world.advance(1);
        let caller = world.ask(SignInMode::Never);
        world.save_all();
        world.settle(Reply::Busy, 0);
        world.save_all();
        assert!(matches!(refused(&world, caller), Refusal::Unavailable { retry_after: Some(_), .. }));
        sent.push(world.sent_refreshes);
    }
    assert!((10..=25).contains(&world.sent_refreshes), "B17: {}", world.sent_refreshes);
    world.advance(360);
    world.ask(SignInMode::Never);
    world.save_all();
    world.settle(Reply::Rotate, 100);
    world.save_all();
    held(&mut world);
    assert_eq!(world.begun_logins, 1);
}

#[test]
fn an_unreachable_server_may_be_tried_by_a_call_once_a_second() {
    let mut world = World::signed_in(100);
    world.advance(101);
    for _ in 0..10 {
        world.ask(SignInMode::Never);
        world.save_all();
        world.settle(Reply::NothingSent, 0);
        world.save_all();
    }
    assert_eq!(world.sent_refreshes, 1, "not twice within a second");
    for _ in 0..10 {
        world.advance(1);
        world.ask(SignInMode::Never);
        world.save_all();
        world.settle(Reply::NothingSent, 0);
        world.save_all();
    }
    assert_eq!(world.sent_refreshes, 11);
}

#[test]
fn a_configuration_error_rests_for_an_hour_or_until_a_reload() {
    let mut world = World::signed_in(100);
    world.advance(101);
    let caller = world.ask(SignInMode::Never);
    world.save_all();
    world.settle(Reply::Configuration, 0);
    world.save_all();
    assert!(matches!(refused(&world, caller), Refusal::Configuration { why } if why == "invalid_target"));
    world.advance(3000);
    world.ask(SignInMode::Never);
    world.save_all();
    assert_eq!(world.sent_refreshes, 1);
    world.tell(Event::Reloaded);
    world.ask(SignInMode::Never);
    world.save_all();
    assert_eq!(world.sent_refreshes, 2);
}

#[test]
fn an_unknown_error_ends_the_grant_only_when_it_stands_for_thirty_seconds() {
    let mut world = World::signed_in(100);
    world.advance(101);
    world.ask(SignInMode::Never);
    world.save_all();
    world.settle(Reply::Unknown400, 0);
    world.save_all();
    assert!(world.disk.grant.as_ref().unwrap().grant.refresh_token().is_some());
    world.advance(31);
    world.ask(SignInMode::Never);
    world.save_all();
    world.settle(Reply::Unknown400, 0);
    world.save_all();
    assert_eq!(world.disk.grant.as_ref().unwrap().grant.refresh_token(), None);
}

#[test]
fn a_lost_answer_is_replayed_once_and_a_second_loss_leaves_the_grant_in_doubt() {
    let mut world = World::signed_in(100);
    world.advance(101);
    let caller = world.ask(SignInMode::Never);
    world.save_all();
    world.settle(Reply::LostBeforeCommit, 0);
    assert_eq!(world.disk_work.len(), 1, "the replay is saved before it is sent");
    world.save_all();
    assert_eq!(world.disk.grant.as_ref().unwrap().intent, Some(Intent::Replay));
    assert_eq!(world.sent_refreshes, 2);
    world.settle(Reply::LostBeforeCommit, 0);
    world.save_all();
    assert_eq!(refused(&world, caller), Refusal::LoginRequired(LoginReason::InDoubt));
    world.advance(100);
    assert_eq!(world.sent_refreshes, 2);
}

#[test]
fn a_replay_that_the_server_takes_saves_the_account() {
    let mut world = World::signed_in(100);
    world.advance(101);
    let caller = world.ask(SignInMode::Never);
    world.save_all();
    world.settle(Reply::LostBeforeCommit, 0);
    world.save_all();
    world.settle(Reply::Rotate, 100);
    world.save_all();
    world.token(caller);
    assert_eq!((world.reuses, world.begun_logins), (0, 1));
}

#[test]
fn a_replay_that_was_not_taken_is_owed_still_and_never_becomes_two() {
    let mut world = World::signed_in(100);
    world.advance(101);
    world.ask(SignInMode::Never);
    world.save_all();
    world.settle(Reply::LostAfterCommit, 0);
    world.save_all();
    for _ in 0..5 {
        world.settle(Reply::NothingSent, 0);
        world.save_all();
        assert_eq!(world.disk.grant.as_ref().unwrap().intent, Some(Intent::First));
        world.advance(31);
        world.save_all();
    }
    assert_eq!(world.reuses, 0);
    world.settle(Reply::LostAfterCommit, 0);
    world.save_all();
    world.advance(600);
    world.ask(SignInMode::Never);
    world.save_all();
    assert_eq!(world.reuses, 1, "the one permitted replay");
    assert!(world.refreshes.is_empty());
}

#[test]
fn at_a_server_known_to_be_strict_the_replay_waits_for_the_end_of_the_living_token() {
    let mut world = World::signed_in_with(Policy { replay: ReplayTime::AtTokenEnd, ..policy() }, 1000);
    world.advance(900);
    world.save_all();
    world.settle(Reply::LostBeforeCommit, 0);
    world.save_all();
    assert_eq!(world.sent_refreshes, 1);
    assert!(held(&mut world).starts_with("at-"));
    assert_eq!(world.statuses.last().unwrap().health, Health::Degraded(Trouble::ReplayLater));
    world.advance(101);
    world.save_all();
    assert_eq!(world.sent_refreshes, 2);
}

#[test]
fn a_lost_answer_of_a_grant_that_keeps_its_refresh_token_is_simply_tried_again() {
    let mut world = World::signed_in(100);
    world.advance(101);
    world.ask(SignInMode::Never);
    world.save_all();
    world.settle(Reply::NoRefreshToken, 100);
    world.save_all();
    world.advance(101);
    world.ask(SignInMode::Never);
    for _ in 0..4 {
        world.save_all();
        world.settle(Reply::LostBeforeCommit, 0);
        world.save_all();
        world.advance(360);
        world.ask(SignInMode::Never);
    }
    world.save_all();
    world.settle(Reply::NoRefreshToken, 100);
    world.save_all();
    held(&mut world);
}

#[test]
fn a_kill_while_the_request_is_out_leads_to_one_replay_after_the_restart() {
    let mut world = World::signed_in(100);
    world.advance(101);
    world.ask(SignInMode::Never);
    world.save_all();
    assert_eq!(world.sent_refreshes, 1);
    world.crash();
    world.save_all();
    assert_eq!(world.sent_refreshes, 2);
    world.crash();
    world.save_all();
    assert_eq!(world.sent_refreshes, 2, "a kill in the replay ends in doubt, never in a third try");
    let caller = world.ask(SignInMode::Never);
    assert_eq!(refused(&world, caller), Refusal::LoginRequired(LoginReason::InDoubt));
}

#[test]
fn a_success_answer_with_a_bad_member_does_not_lose_its_rotated_refresh_token() {
    let mut world = World::signed_in(1000);
    let first = held(&mut world);
    world.advance(900);
    world.save_all();
    world.settle(Reply::BadMember, 0);
    world.save_all();
    let saved = world.disk.grant.as_ref().unwrap().grant.refresh_token().cloned();
    assert_eq!(saved.as_ref(), world.valid());
    assert_eq!(held(&mut world), first);
    world.advance(50);
    world.save_all();
    world.settle(Reply::Rotate, 1000);
    world.save_all();
    assert_ne!(held(&mut world), first);
    assert_eq!(world.reuses, 0);
}

#[test]
fn a_server_whose_tokens_are_born_dead_is_refreshed_once_and_then_named() {
    let mut world = World::empty();
    world.save_all();
    let caller = world.ask(SignInMode::StartAndWait);
    world.prompt();
    world.login(Login::Granted, 0);
    for _ in 0..10 {
        world.save_all();
        world.settle(Reply::Rotate, 0);
    }
    assert_eq!(world.sent_refreshes, 1);
    assert!(matches!(refused(&world, caller), Refusal::Configuration { .. }));
}

#[test]
fn a_wish_for_validity_that_the_token_fails_waits_for_the_new_one() {
    let mut world = World::signed_in(1000);
    world.advance(700);
    let caller = world.ask_with(|need| need.min_validity = Duration::from_secs(400));
    assert_eq!(world.answer(caller), None);
    world.save_all();
    world.settle(Reply::Rotate, 1000);
    world.save_all();
    assert!(world.token(caller).starts_with("at-"));
}
