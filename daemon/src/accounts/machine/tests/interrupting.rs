//! The 401 path, logouts and leaving: what happens beside and against a refresh.

use mcp_authd_oauth::secret::AccessToken;

use super::super::Event;
use super::refreshing::{held, refused};
use super::world::{DiskWork, Login, Reply, World};
use crate::accounts::grant::Renewal;
use crate::accounts::need::{AnswerState, PersonWants, Refusal, SignInMode};

#[test]
fn reports_of_one_rejected_token_force_one_refresh_for_all_reporters() {
    let mut world = World::signed_in(1000);
    let caller = world.ask(SignInMode::Never);
    let hash = world.hash(caller);
    world.advance(60);
    let reporters: Vec<_> = (0..20).map(|_| world.report(hash)).collect();
    world.save_all();
    assert_eq!(world.sent_refreshes, 1);
    let bystander = world.ask(SignInMode::Never);
    assert_eq!(world.hash(bystander), hash, "others are served meanwhile");
    world.settle(Reply::Rotate, 1000);
    world.save_all();
    assert!(reporters.iter().all(|reporter| world.hash(*reporter) != hash));
    let late = world.report(hash);
    assert_ne!(world.hash(late), hash, "an old token reported again gets the present one");
    assert_eq!(world.sent_refreshes, 1);
}

#[test]
fn a_rejected_fresh_token_ends_the_loop() {
    let mut world = World::signed_in(1000);
    for _ in 0..5 {
        let caller = world.ask(SignInMode::Never);
        let hash = world.hash(caller);
        let reporter = world.report(hash);
        world.save_all();
        world.settle(Reply::Rotate, 1000);
        world.save_all();
        if world.sent_refreshes > 1 || world.answer(reporter).is_none() {
            break;
        }
        if matches!(world.answer(reporter), Some(AnswerState::Refusal(Refusal::TokenRejected))) {
            assert_eq!(world.sent_refreshes, 1);
            return;
        }
    }
    panic!("the loop did not end: {} refreshes", world.sent_refreshes);
}

#[test]
fn a_rejected_token_that_cannot_be_renewed_lets_its_reporter_begin_a_login() {
    let mut world = World::empty();
    world.save_all();
    world.ask(SignInMode::StartAndReturn);
    world.prompt();
    world.login(Login::WithoutRefreshToken, 1000);
    world.save_all();
    let caller = world.ask(SignInMode::Never);
    let hash = world.hash(caller);
    let reporter = world.report(hash);
    assert_eq!(world.begun_logins, 2);
    world.prompt();
    assert!(matches!(world.answer(reporter), Some(AnswerState::SignIn(_))));
    let other = world.ask(SignInMode::Never);
    assert_eq!(world.hash(other), hash);
}

#[test]
fn a_logout_during_a_refresh_brings_nothing_back_in_a_thousand_rounds() {
    for round in 0..1000u32 {
        let mut world = World::signed_in(100);
        world.advance(101);
        world.ask(SignInMode::Never);
        for step in 0..4 {
            if round % 4 == step {
                world.sign_out();
            }
            match step {
                0 => world.step_disk(round % 3 != 0),
                1 => world.settle(if round % 5 == 0 { Reply::LostAfterCommit } else { Reply::Rotate }, 100),
                _ => world.save_all(),
            }
        }
        world.save_all();
        world.settle(Reply::Rotate, 100);
        world.save_all();
        assert_eq!(world.disk.grant, None, "round {round}");
        if let Some(valid) = world.valid() {
            let given_back = world.revoked.iter().any(|request| request.refresh_token.as_ref() == Some(valid));
            assert!(given_back || round % 5 == 0, "round {round}: the new refresh token is given back");
        }
        let caller = world.ask(SignInMode::Never);
        assert_eq!(refused(&world, caller), Refusal::SignedOut);
        world.crash();
        world.save_all();
        let caller = world.ask(SignInMode::Never);
        assert_eq!(refused(&world, caller), Refusal::SignedOut);
    }
}

#[test]
fn a_daemon_about_to_leave_begins_nothing_and_waits_for_what_is_out() {
    let mut world = World::signed_in(1000);
    let first = held(&mut world);
    world.advance(900);
    world.save_all();
    assert_eq!(world.sent_refreshes, 1);
    world.tell(Event::Leaving);
    assert!(!world.account.is_settled());
    assert_eq!(held(&mut world), first);
    world.settle(Reply::Rotate, 1000);
    assert!(!world.account.is_settled());
    world.save_all();
    assert!(world.account.is_settled());
    world.advance(990);
    assert!(world.disk_work.is_empty());
}

#[test]
fn a_daemon_about_to_leave_tries_an_unsaved_token_once_more_and_then_goes() {
    let mut world = World::signed_in(100);
    world.advance(101);
    world.ask(SignInMode::Never);
    world.save_all();
    world.settle(Reply::Rotate, 100);
    world.step_disk(false);
    assert!(world.disk_work.is_empty());
    world.tell(Event::Leaving);
    assert_eq!(world.disk_work.len(), 1, "one last save");
    world.step_disk(false);
    assert!(world.disk_work.is_empty(), "and not one after the other");
    assert!(world.account.is_settled());
}

#[test]
fn a_daemon_that_leaves_before_the_request_takes_its_intent_back() {
    let mut world = World::signed_in(100);
    world.advance(101);
    world.ask(SignInMode::Never);
    assert!(matches!(world.disk_work.front(), Some(DiskWork::Grant(_, record)) if record.intent.is_some()));
    world.tell(Event::Leaving);
    world.save_all();
    assert_eq!(world.disk.grant.as_ref().unwrap().intent, None);
    assert_eq!(world.sent_refreshes, 0);
    assert!(world.account.is_settled());
}

#[test]
fn a_login_that_settles_while_a_refresh_is_out_wins_and_the_refresh_is_dropped() {
    let mut world = World::signed_in(100);
    world.advance(101);
    world.ask(SignInMode::Never);
    world.save_all();
    world.ask(SignInMode::Person(PersonWants::Again));
    world.prompt();
    world.login(Login::Granted, 100);
    world.save_all();
    let new = held(&mut world);
    world.settle(Reply::Dead, 100);
    world.save_all();
    assert_eq!(held(&mut world), new);
    assert!(matches!(world.disk.grant.as_ref().unwrap().grant.renewal, Renewal::With(_)));
    assert_eq!(AccessToken::new(new), world.disk.grant.as_ref().unwrap().grant.access.as_ref().unwrap().access_token);
}
