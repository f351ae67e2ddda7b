//! A refresh that was wanted and did not work is owed: it is tried again by itself, whoever wanted it.

use super::world::{Reply, World};
use crate::accounts::need::SignInMode;
use crate::accounts::status::Health;

/// A token that is far from its end, reported as rejected.
fn reported() -> World {
    let mut world = World::signed_in(1000);
    let caller = world.ask(SignInMode::Never);
    let hash = world.hash(caller);
    world.advance(60);
    world.report(hash);
    world
}

#[test]
fn a_refresh_that_the_disk_held_up_is_done_when_the_disk_is_well_although_nobody_asks_again() {
    let mut world = reported();
    world.step_disk(false);
    assert!(matches!(world.statuses.last().unwrap().health, Health::Degraded(_)));
    world.advance(5);
    world.save_all();
    world.settle(Reply::Rotate, 1000);
    world.save_all();
    assert_eq!((world.sent_refreshes, &world.statuses.last().unwrap().health), (1, &Health::Good), "B7");
}

#[test]
fn a_refresh_that_the_server_put_off_is_done_by_itself_and_within_its_back_off() {
    for reply in [Reply::Busy, Reply::NothingSent, Reply::BadMember] {
        let mut world = reported();
        world.save_all();
        world.settle(reply, 1000);
        world.save_all();
        assert!(matches!(world.statuses.last().unwrap().health, Health::Degraded(_)), "{reply:?}");
        world.advance(30);
        world.save_all();
        world.settle(Reply::Rotate, 1000);
        world.save_all();
        assert_eq!((world.sent_refreshes, &world.statuses.last().unwrap().health), (2, &Health::Good), "{reply:?}");
    }
}
