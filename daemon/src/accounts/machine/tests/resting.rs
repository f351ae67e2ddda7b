//! A server that has said "later" is left alone by the next daemon too (D48, B19).

use std::time::Duration;

use super::super::fixture::policy;
use super::super::{Event, Policy, ReplayTime};
use super::refreshing::refused;
use super::world::{Disk, Reply, World};
use crate::accounts::grant::RestCause;
use crate::accounts::need::{Refusal, SignInMode};
use crate::accounts::status::{Health, Trouble};

/// An account whose token has ended, and whose server has answered the refresh so.
fn answered(reply: Reply) -> World {
    let mut world = World::signed_in(100);
    world.advance(101);
    world.ask(SignInMode::Never);
    world.save_all();
    world.settle(reply, 100);
    world.save_all();
    world
}

/// The daemon is killed and starts again, and everybody asks.
fn killed_and_asked(world: &mut World) -> Refusal {
    world.crash();
    world.save_all();
    let callers: Vec<_> = (0..10).map(|_| world.ask(SignInMode::StartAndReturn)).collect();
    world.save_all();
    refused(world, callers[9])
}

#[test]
fn a_server_that_told_when_to_come_again_is_left_alone_over_kills_and_then_asked_once() {
    let mut world = answered(Reply::BusyForTenMinutes);
    for _ in 0..10 {
        let refusal = killed_and_asked(&mut world);
        assert!(matches!(refusal, Refusal::Unavailable { retry_after: Some(wait), .. } if wait > Duration::from_secs(580)));
        assert!(matches!(world.statuses.last().unwrap().health, Health::Degraded(Trouble::Later(_))));
    }
    assert_eq!((world.sent_refreshes, world.begun_logins), (1, 1), "B19");
    world.advance(600);
    world.save_all();
    assert_eq!(world.sent_refreshes, 2, "it is owed, whoever asks");
    world.settle(Reply::Rotate, 100);
    world.save_all();
    assert_eq!(world.disk.grant.as_ref().unwrap().rest, None);
    assert_eq!(world.statuses.last().unwrap().health, Health::Good);
}

#[test]
fn the_next_daemon_goes_on_with_the_back_off_where_the_last_one_was() {
    let mut world = answered(Reply::Busy);
    for failures in 2..=6 {
        world.advance(400);
        world.save_all();
        world.settle(Reply::Busy, 100);
        world.save_all();
        world.crash();
        world.save_all();
        assert_eq!(world.disk.grant.as_ref().unwrap().rest.as_ref().unwrap().failures, failures);
    }
}

#[test]
fn a_refused_configuration_is_not_tried_by_each_start_but_by_a_reload() {
    for reply in [Reply::Configuration, Reply::SecretRefused] {
        let mut world = answered(reply);
        for _ in 0..10 {
            assert!(matches!(killed_and_asked(&mut world), Refusal::Configuration { .. }), "{reply:?}");
        }
        assert_eq!(world.sent_refreshes, 1, "{reply:?}");
        world.tell(Event::Reloaded);
        world.save_all();
        assert_eq!(world.sent_refreshes, 2, "{reply:?}");
    }
}

#[test]
fn where_nothing_reached_the_server_the_next_daemon_tries_at_once() {
    for reply in [Reply::NothingSent, Reply::NoSecret] {
        let mut world = answered(reply);
        assert_eq!(world.disk.grant.as_ref().unwrap().rest, None, "{reply:?}");
        world.crash();
        world.save_all();
        world.ask(SignInMode::Never);
        world.save_all();
        assert_eq!(world.sent_refreshes, 2, "{reply:?}");
    }
}

#[test]
fn a_calendar_outside_of_the_hour_after_the_save_ends_the_rest() {
    for (hours, asked) in [(-1, 2), (2, 2), (-90_000, 2), (90_000, 2), (0, 1)] {
        let mut world = answered(Reply::BusyForTenMinutes);
        world.set_calendar(hours);
        world.crash();
        world.save_all();
        world.ask(SignInMode::Never);
        world.save_all();
        assert_eq!(world.sent_refreshes, asked, "{hours} h");
    }
}

#[test]
fn a_rest_that_claims_to_be_longer_than_an_hour_is_an_hour() {
    let mut world = answered(Reply::BusyForTenMinutes);
    let record = world.disk.grant.as_mut().unwrap();
    record.rest.as_mut().unwrap().until = record.saved_at + Duration::from_secs(90_000);
    killed_and_asked(&mut world);
    assert_eq!(world.sent_refreshes, 1);
    world.advance(3600);
    world.save_all();
    assert_eq!(world.sent_refreshes, 2);
}

#[test]
fn a_replay_that_the_server_put_off_is_owed_over_a_kill_and_is_the_only_one() {
    let mut world = answered(Reply::LostBeforeCommit);
    assert_eq!((world.sent_refreshes, world.refreshes.len()), (2, 1), "the replay");
    world.settle(Reply::BusyForTenMinutes, 100);
    world.save_all();
    killed_and_asked(&mut world);
    assert_eq!(world.statuses.last().unwrap().health, Health::Degraded(Trouble::ReplayLater));
    assert_eq!(world.refreshes.len(), 0);
    world.advance(600);
    world.save_all();
    world.settle(Reply::LostBeforeCommit, 100);
    for _ in 0..10 {
        world.save_all();
        world.advance(400);
        world.ask(SignInMode::Never);
    }
    assert_eq!(world.sent_refreshes, 3, "D56: never a second replay");
}

#[test]
fn a_rest_whose_record_was_refused_at_first_is_kept_by_the_save_after() {
    let mut world = World::signed_in(100);
    world.advance(101);
    world.ask(SignInMode::Never);
    world.save_all();
    world.settle(Reply::BusyForTenMinutes, 100);
    world.step_disk_with(Disk::Refuses);
    assert_eq!(world.disk.grant.as_ref().unwrap().rest, None);
    world.advance(5);
    world.save_all();
    assert_eq!(world.disk.grant.as_ref().unwrap().rest.as_ref().unwrap().cause, RestCause::Answered);
    killed_and_asked(&mut world);
    assert_eq!(world.sent_refreshes, 1);
}

#[test]
fn a_success_without_a_usable_token_is_not_asked_for_again_by_each_start() {
    let mut world = World::signed_in_with(Policy { replay: ReplayTime::AtTokenEnd, ..policy() }, 100);
    world.advance(101);
    world.ask(SignInMode::Never);
    world.save_all();
    world.settle(Reply::BadMember, 100);
    world.step_disk_with(Disk::Refuses);
    world.advance(5);
    world.save_all();
    assert_eq!(world.disk.grant.as_ref().unwrap().rest.as_ref().map(|rest| rest.failures), Some(1));
}
