//! An account is taken out of the configuration, and may come back while the old one still erases.

use super::reconfiguring::{refused, save_all_but_erasures};
use super::world::{DiskWork, Login, Reply, World};
use crate::accounts::need::{AnswerState, LoginReason, PersonWants, Refusal, SignInMode};
use crate::accounts::status::Health;

#[test]
fn who_waits_is_told_that_the_account_is_gone_and_then_its_keeper_ends_with_nothing_on_the_disk() {
    let mut world = World::signed_in(100);
    world.advance(101);
    let refresh = world.ask(SignInMode::Never);
    let login = world.ask(SignInMode::Person(PersonWants::Again));
    world.save_all();
    world.remove();
    for waiter in [refresh, login] {
        assert_eq!(refused(&world, waiter), Refusal::NoSuchAccount, "B35");
    }
    assert!(world.logins.is_empty());
    world.save_all();
    assert!(!world.ended, "what the refresh brings has to be given back");
    world.settle(Reply::Rotate, 100);
    assert!(world.ended);
    assert_eq!(world.revoked.len(), 2);
    assert_eq!((&world.disk.grant, &world.disk.sign_in), (&None, &None));
    assert_eq!(world.statuses.last().unwrap().health, Health::Removed);
}

#[test]
fn an_account_that_gets_the_name_later_begins_anew_and_its_revision_rises() {
    let mut world = World::signed_in(3600);
    world.ask(SignInMode::Person(PersonWants::Again));
    world.prompt();
    world.login(Login::Denied, 0);
    world.remove();
    world.save_all();
    assert!(world.ended);
    world.add("client");
    world.save_all();
    assert_eq!(world.statuses.last().unwrap().health, Health::LoginRequired(LoginReason::Never));
    let program = world.ask(SignInMode::StartAndReturn);
    world.prompt();
    assert!(matches!(world.answer(program), Some(AnswerState::SignIn(_))), "no denial is left");
}

#[test]
fn an_erasure_that_fails_is_tried_again_every_five_seconds_until_both_records_are_gone() {
    let mut world = World::signed_in(3600);
    world.remove();
    for round in 0..4 {
        // the grant cannot be erased, then it can, and the other record cannot
        while let Some(work) = world.disk_work.front() {
            let refuses = match work {
                DiskWork::Forget(_) => round < 2,
                DiskWork::ForgetSignIn(_) => true,
                _ => false,
            };
            world.step_disk(!refuses);
        }
        assert_eq!(world.disk.grant.is_some(), round < 2);
        assert!(world.disk.sign_in.is_some(), "until the grant is gone it is what keeps it dead");
        assert!(matches!(world.statuses.last().unwrap().health, Health::Removing(Some(_))));
        world.advance(4);
        assert!(world.disk_work.is_empty());
        world.advance(1);
    }
    world.save_all();
    assert!(world.ended);
}

#[test]
fn an_account_that_comes_back_while_the_old_one_still_erases_has_one_keeper_and_nothing_of_the_old_login() {
    let mut world = World::signed_in(3600);
    world.remove();
    save_all_but_erasures(&mut world);
    world.add("client");
    let caller = world.ask(SignInMode::Never);
    assert_eq!(refused(&world, caller), Refusal::LoginRequired(LoginReason::Never));
    let program = world.ask(SignInMode::StartAndReturn);
    world.prompt_comes();
    save_all_but_erasures(&mut world);
    assert!(matches!(world.answer(program), Some(AnswerState::SignIn(_))));
    assert!(world.disk.grant.is_some(), "the disk refuses still");
    // also over a kill
    world.crash();
    save_all_but_erasures(&mut world);
    let caller = world.ask(SignInMode::Never);
    assert!(!matches!(world.answer(caller), Some(AnswerState::Token(_))), "I3");
    world.login(Login::Granted, 3600);
    world.save_all();
    let caller = world.ask(SignInMode::Never);
    assert!(world.token(caller).starts_with("at-"));
    world.advance(10);
    world.save_all();
    assert!(world.disk.grant.is_some(), "what erased the old login leaves the new one alone");
}

#[test]
fn an_account_that_is_taken_out_while_the_store_is_locked_is_erased_unread() {
    let mut world = World::signed_in(3600);
    world.locked = true;
    world.crash();
    world.save_all();
    world.remove();
    world.save_all();
    assert!(world.ended);
    assert_eq!((&world.disk.grant, &world.disk.sign_in), (&None, &None));
}

#[test]
fn an_account_that_is_taken_out_before_its_records_are_read_is_given_back_when_they_are() {
    let mut world = World::signed_in(3600);
    world.crash();
    world.remove();
    world.save_all();
    assert!(world.ended);
    assert_eq!(world.revoked.len(), 1);
}
