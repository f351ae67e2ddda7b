//! What an account needs a daemon for although nobody is connected, and that nothing is lost where it needs none.

use std::time::Duration;

use super::super::credential::{Absent, Credential, Rest, Resting};
use super::super::fixture::policy;
use super::super::sign_in::{Pause, SignIn};
use super::super::{Event, Policy, ReplayTime};
use super::world::{Disk, Login, Reply, World};
use crate::accounts::grant::{Grant, Intent};
use crate::accounts::idle::Business;
use crate::accounts::need::SignInMode;

const HOUR: u64 = 3600;

fn business(world: &World) -> Option<Business> {
    world.account.business(world.now)
}

/// An account that needs no daemon is on the disk as it is in memory, has nothing out, and bounds nothing that the disk does not.
pub(super) fn loses_nothing(world: &World) {
    if world.ended || business(world).is_some() {
        return;
    }
    assert!(world.disk_work.is_empty(), "the disk has work to do: {:?}", world.disk_work);
    assert!(world.refreshes.is_empty() && world.logins.is_empty() && world.given_up.is_empty(), "a request is out");
    assert!(world.waiting.is_empty(), "somebody waits");
    assert!(!world.gone, "its records are to be erased");
    let account = &world.account;
    assert!(matches!(account.sign_in, SignIn::Idle(Pause::Over)) || account.pause_is_over(world), "a pause would be forgotten");
    assert!(account.refresh_ahead().is_none(), "a refresh would be missed");
    let Some(held) = account.credential.grant() else {
        let unread = matches!(
            account.credential,
            Credential::None(Absent::Locked | Absent::WrongKey | Absent::Unreadable { .. } | Absent::Damaged)
        );
        assert!(unread || world.disk.grant.is_none(), "a grant that has ended stands on the disk");
        return;
    };
    let record = world.disk.grant.as_ref().expect("the grant is on the disk");
    let core = |grant: &Grant| {
        let token = grant.access.as_ref().map(|token| (token.access_token.clone(), token.requested_wall));
        (token, grant.renewal.clone(), grant.scopes.clone(), grant.subject.clone(), grant.rotation)
    };
    assert_eq!((core(&record.grant), record.intent), (core(held), None::<Intent>));
    assert_eq!(record.generation, account.generation);
    match &account.credential {
        Credential::Held(_) => {}
        Credential::Resting(Resting { until, why, .. }) => {
            assert!(*until <= world.now.instant && !matches!(why, Rest::ReplayLater(_)), "a rest would be forgotten");
        }
        other => panic!("{other:?} needs a daemon"),
    }
}

impl super::super::Account {
    fn pause_is_over(&self, world: &World) -> bool {
        matches!(&self.sign_in, SignIn::Idle(Pause::Until { at, .. }) if *at <= world.now.instant)
    }
}

/// Nobody has asked for so long that no refresh is owed any more; how many hours that took.
fn forgotten() -> (World, u64) {
    let mut world = World::signed_in(HOUR);
    world.advance(60);
    let mut hours = 0;
    while business(&world) == Some(Business::RefreshOwed) {
        world.advance(HOUR);
        world.save_all();
        world.settle(Reply::Rotate, HOUR);
        world.save_all();
        world.advance(31);
        hours += 1;
        assert!(hours < 48, "for ever");
    }
    world.advance(HOUR);
    (world, hours)
}

#[test]
fn an_account_in_use_needs_a_daemon_for_as_long_as_its_tokens_are_renewed_ahead_of_time() {
    let (world, hours) = forgotten();
    assert_eq!(business(&world), None);
    assert!((23..=24).contains(&hours), "D53: a day, and not {hours} hours");
    assert!(world.sent_refreshes > 20);
}

#[test]
fn an_account_that_was_not_used_for_a_day_needs_none_and_one_that_is_used_again_does() {
    let (mut world, _) = forgotten();
    assert_eq!(business(&world), None);
    world.ask(SignInMode::Never);
    world.save_all();
    assert_eq!(business(&world), Some(Business::InFlight), "its token is over");
    world.settle(Reply::Rotate, HOUR);
    world.save_all();
    assert_eq!(business(&world), Some(Business::RefreshOwed));
}

#[test]
fn whoever_has_woken_it_for_a_token_that_lives_on_is_its_user() {
    // Renewed at the very end of its use, and read from the disk by the next daemon, which nobody has asked yet.
    let mut world = World::signed_in(48 * HOUR);
    world.advance(60);
    assert_eq!(business(&world), None, "it lives longer than a day: whoever asks then renews it");
    world.crash();
    assert_eq!(business(&world), Some(Business::Loading));
    world.save_all();
    assert_eq!(business(&world), None);
    world.advance(47 * HOUR);
    world.ask(SignInMode::Never);
    assert_eq!(business(&world), Some(Business::RefreshOwed), "used now, and it ends within a day");
}

#[test]
fn a_login_needs_it_from_its_beginning_to_its_saved_grant() {
    let mut world = World::empty();
    world.save_all();
    assert_eq!(business(&world), None);
    let caller = world.ask(SignInMode::StartAndReturn);
    assert_eq!(business(&world), Some(Business::SignIn), "the server is asked");
    world.prompt_comes();
    assert_eq!(business(&world), Some(Business::SignIn), "the code is being saved");
    world.save_all();
    assert!(world.answer(caller).is_some());
    assert_eq!(business(&world), Some(Business::SignIn), "it waits for the person");
    world.answer_comes();
    world.login(Login::WithoutRefreshToken, 48 * HOUR);
    assert_eq!(business(&world), Some(Business::InFlight), "the grant is being saved");
    world.save_all();
    world.advance(31);
    assert_eq!(business(&world), None, "and nothing renews this one");
}

#[test]
fn what_the_disk_refuses_needs_it_until_the_disk_is_well() {
    let mut world = World::empty();
    world.save_all();
    world.ask(SignInMode::StartAndReturn);
    world.prompt();
    world.login(Login::WithoutRefreshToken, 48 * HOUR);
    while !world.disk_work.is_empty() {
        world.step_disk(false);
    }
    world.advance(1);
    assert_eq!(business(&world), Some(Business::NotSaved));
    world.advance(40);
    world.save_all();
    world.advance(31);
    assert_eq!(business(&world), None);

    // A logout whose record cannot be erased.
    world.sign_out();
    assert_eq!(business(&world), Some(Business::NotErased));
    while !world.disk_work.is_empty() {
        world.step_disk_with(Disk::Refuses);
    }
    assert_eq!(business(&world), Some(Business::NotErased));
    world.advance(40);
    world.save_all();
    world.advance(31);
    assert_eq!(business(&world), None);
}

#[test]
fn a_server_that_is_left_alone_is_left_alone_by_one_daemon_to_the_end() {
    // A refresh that nobody is owed any more.
    let (mut world, _) = forgotten();
    let caller = world.ask(SignInMode::Never);
    world.save_all();
    world.settle(Reply::BusyForTenMinutes, HOUR);
    world.save_all();
    assert!(world.answer(caller).is_some());
    assert_eq!(business(&world), Some(Business::RefreshOwed), "its user has just asked");

    // One that nobody will ask for any more, as its user was last seen a day ago: its rest is kept to the end all the same.
    world.account.used_at = None;
    world.advance(60);
    assert_eq!(business(&world), Some(Business::LeavesAlone));
    world.advance(600);
    assert_eq!(business(&world), None);

    // A login that could not begin: the next call may try in a while.
    let mut world = World::empty();
    world.save_all();
    world.ask(SignInMode::StartAndReturn);
    world.login(Login::Refused, HOUR);
    world.save_all();
    assert_eq!(business(&world), Some(Business::LeavesAlone));
    world.advance(HOUR);
    assert_eq!(business(&world), None);
}

#[test]
fn a_lost_answer_whose_replay_has_its_time_needs_it_although_nobody_uses_the_account() {
    let mut world = World::signed_in_with(Policy { replay: ReplayTime::AtTokenEnd, ..policy() }, HOUR);
    world.advance(60);
    let hash = world.disk.grant.as_ref().unwrap().grant.access.as_ref().unwrap().access_token.sha256();
    world.report(hash);
    world.save_all();
    world.settle(Reply::LostAfterCommit, HOUR);
    world.save_all();
    world.account.used_at = None;
    assert_eq!(business(&world), Some(Business::RefreshOwed), "D56");
}

#[test]
fn a_refresh_that_was_just_forced_needs_it_for_as_long_as_the_next_one_is_refused() {
    let mut world = World::signed_in(HOUR);
    world.advance(60);
    let hash = world.disk.grant.as_ref().unwrap().grant.access.as_ref().unwrap().access_token.sha256();
    world.report(hash);
    world.save_all();
    world.settle(Reply::NoRefreshToken, 48 * HOUR);
    world.save_all();
    assert_eq!(business(&world), Some(Business::LeavesAlone), "D54");
    world.advance(30);
    assert_eq!(business(&world), None);
}

#[test]
fn an_account_that_is_gone_needs_it_until_its_records_are() {
    let (mut world, _) = forgotten();
    world.remove();
    assert_eq!(business(&world), Some(Business::NotErased));
    world.save_all();
    assert!(world.ended);
}

#[test]
fn a_locked_store_needs_no_daemon_and_a_caller_that_waits_does() {
    let (mut world, _) = forgotten();
    world.locked = true;
    world.crash();
    world.save_all();
    assert_eq!(business(&world), None, "the next one asks for the key again");
    world.open_the_key();
    assert_eq!(business(&world), Some(Business::Loading));
    world.save_all();
    world.tell(Event::Tick);
    assert_eq!(business(&world), None);
    assert!(world.now.instant > super::super::fixture::START.instant + Duration::from_secs(24 * HOUR));
}
