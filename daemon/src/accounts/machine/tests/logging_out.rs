//! Logouts against every order of saves and kills: nothing comes back to life.

use super::super::{Event, WaiterId};
use super::world::{DiskWork, Login, World};
use crate::accounts::need::{AnswerState, PersonWants, Refusal, SignInMode};
use crate::accounts::status::{Health, Trouble};
use crate::accounts::{KeyState, LoadError};

fn refused(world: &World, id: WaiterId) -> Refusal {
    match world.answer(id) {
        Some(AnswerState::Refusal(refusal)) => refusal.clone(),
        other => panic!("no refusal but {other:?}"),
    }
}

fn is_signed_out(world: &mut World) -> bool {
    let caller = world.ask(SignInMode::StartAndReturn);
    world.answer(caller) == Some(&AnswerState::Refusal(Refusal::SignedOut))
}

#[test]
fn a_logout_before_the_record_was_read_is_kept_although_nothing_could_be_erased() {
    let mut world = World::signed_in(3600);
    world.crash();
    world.sign_out();
    world.step_disk(true);
    while let Some(work) = world.disk_work.front() {
        let erasing = matches!(work, DiskWork::Forget(_));
        world.step_disk(!erasing);
    }
    world.crash();
    world.save_all();
    assert!(is_signed_out(&mut world));
    assert_eq!(world.disk.grant, None);
}

#[test]
fn a_logout_is_kept_when_the_login_after_it_could_not_be_saved() {
    let mut world = World::signed_in(3600);
    world.sign_out();
    while let Some(work) = world.disk_work.front() {
        let erasing = matches!(work, DiskWork::Forget(_));
        world.step_disk(!erasing);
    }
    assert!(world.disk.grant.is_some());
    world.ask(SignInMode::Person(PersonWants::ToBeSignedIn));
    world.prompt();
    world.login(Login::Granted, 3600);
    while let Some(work) = world.disk_work.front() {
        let saving = matches!(work, DiskWork::Grant(..));
        world.step_disk(!saving);
    }
    world.crash();
    world.save_all();
    assert!(is_signed_out(&mut world), "the grant from before the logout stays dead");
}

#[test]
fn a_person_who_was_replaced_does_not_come_back_when_the_new_login_could_not_be_saved() {
    let mut world = World::signed_in(3600);
    world.ask(SignInMode::Person(PersonWants::Replace));
    world.prompt();
    world.login(Login::OtherSubject, 3600);
    while let Some(work) = world.disk_work.front() {
        let saving = matches!(work, DiskWork::Grant(..));
        world.step_disk(!saving);
    }
    world.crash();
    world.save_all();
    assert!(is_signed_out(&mut world));
}

#[test]
fn a_login_after_a_logout_survives_a_kill_before_its_last_save() {
    let mut world = World::signed_in(3600);
    world.sign_out();
    world.save_all();
    world.ask(SignInMode::Person(PersonWants::ToBeSignedIn));
    world.prompt();
    world.save_all();
    world.login(Login::Granted, 3600);
    world.step_disk(true);
    world.crash();
    world.save_all();
    let caller = world.ask(SignInMode::Never);
    assert!(world.token(caller).starts_with("at-"));
    world.crash();
    world.save_all();
    let caller = world.ask(SignInMode::Never);
    assert!(world.token(caller).starts_with("at-"));
}

#[test]
fn a_logout_that_is_told_as_done_ends_the_waiting_login_for_ever() {
    let mut world = World::empty();
    world.save_all();
    world.ask(SignInMode::StartAndReturn);
    world.prompt();
    world.save_all();
    world.sign_out();
    while world.statuses.last().unwrap().health != Health::SignedOut {
        assert!(!world.disk_work.is_empty());
        world.step_disk(true);
    }
    world.crash();
    world.save_all();
    assert!(world.logins.is_empty(), "the login from before the logout is polled again");
    assert!(is_signed_out(&mut world));
}

#[test]
fn a_logout_that_cannot_be_written_down_says_so_and_is_written_down_later() {
    let mut world = World::empty();
    world.save_all();
    world.ask(SignInMode::StartAndReturn);
    world.prompt();
    world.save_all();
    world.sign_out();
    while let Some(work) = world.disk_work.front() {
        let erasing = matches!(work, DiskWork::Forget(_));
        world.step_disk(erasing);
    }
    assert!(matches!(world.statuses.last().unwrap().health, Health::Degraded(Trouble::NotErased(_))));
    world.advance(5);
    world.save_all();
    assert_eq!(world.statuses.last().unwrap().health, Health::SignedOut);
    world.crash();
    world.save_all();
    assert!(world.logins.is_empty());
    assert!(is_signed_out(&mut world));
}

#[test]
fn a_logout_while_the_store_is_locked_is_written_down_once_it_is_opened() {
    let mut world = World::signed_in(3600);
    world.ask(SignInMode::Person(PersonWants::Again));
    world.prompt();
    world.save_all();
    world.crash();
    world.disk_work.clear();
    world.tell(Event::Loaded(Err(LoadError::Locked)));
    let locked = world.ask(SignInMode::Never);
    assert_eq!(refused(&world, locked), Refusal::Locked);
    world.sign_out();
    while let Some(work) = world.disk_work.front() {
        let erasing = matches!(work, DiskWork::Forget(_));
        world.step_disk(erasing);
    }
    world.tell(Event::KeyChanged(KeyState::Open));
    world.advance(5);
    world.save_all();
    world.crash();
    world.save_all();
    assert!(world.logins.is_empty(), "the login from before the logout is polled again");
    assert!(is_signed_out(&mut world));
}

#[test]
fn a_failed_save_of_the_sign_in_record_is_tried_again_and_told_until_then() {
    let mut world = World::signed_in(3600);
    world.ask(SignInMode::Person(PersonWants::Again));
    world.prompt_comes();
    world.step_disk(false);
    assert!(matches!(world.statuses.last().unwrap().health, Health::Degraded(Trouble::NotSaved(_))));
    world.advance(5);
    assert_eq!(world.disk_work.len(), 1);
    world.save_all();
    assert_eq!(world.statuses.last().unwrap().health, Health::Good);
    assert!(world.disk.sign_in.as_ref().unwrap().pending.is_some());
}

#[test]
fn an_account_that_is_gone_stays_gone_and_its_grant_dead_although_nothing_could_be_erased() {
    let mut world = World::signed_in(3600);
    world.remove();
    while let Some(work) = world.disk_work.front() {
        let erasing = matches!(work, DiskWork::Forget(_));
        world.step_disk(!erasing);
    }
    world.sign_out();
    world.ask(SignInMode::Person(PersonWants::Again));
    let gone = world.ask(SignInMode::StartAndReturn);
    assert_eq!(refused(&world, gone), Refusal::NoSuchAccount);
    assert_eq!(world.begun_logins, 1);
    world.crash();
    world.save_all();
    assert_eq!(world.disk.grant, None, "configured again, it begins anew");
    let caller = world.ask(SignInMode::Never);
    assert!(matches!(refused(&world, caller), Refusal::LoginRequired(_)));
}
