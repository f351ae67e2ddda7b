//! A client whose secret cannot be had, or is not taken: nothing is spent, nothing is lost, and it goes on once that is mended.

use super::super::Event;
use super::refreshing::{held, refused};
use super::world::{Login, Reply, World};
use crate::accounts::grant::Intent;
use crate::accounts::need::{AnswerState, Refusal, SignInMode};
use crate::accounts::status::{Health, Trouble};

/// An account whose token has ended, and whose refresh ended so.
fn tried(reply: Reply) -> World {
    let mut world = World::signed_in(100);
    world.advance(101);
    let caller = world.ask(SignInMode::Never);
    world.save_all();
    world.settle(reply, 0);
    world.save_all();
    assert!(matches!(refused(&world, caller), Refusal::NotAuthenticated(_)));
    assert!(matches!(world.statuses.last().unwrap().health, Health::Degraded(Trouble::NotAuthenticated(_))));
    world
}

fn asks(world: &mut World) -> usize {
    world.ask(SignInMode::Never);
    world.save_all();
    world.sent_refreshes
}

#[test]
fn a_refresh_that_could_not_be_sent_for_want_of_a_secret_loses_nothing_and_is_tried_again_once_a_second() {
    let mut world = tried(Reply::NoSecret);
    let record = world.disk.grant.clone().unwrap();
    assert!(record.intent.is_none() && record.grant.refresh_token() == world.valid(), "nothing is owed, and nothing is lost");
    assert_eq!(asks(&mut world), 1, "within a second the same answer does");
    world.advance(1);
    assert_eq!(asks(&mut world), 2);
    world.settle(Reply::Rotate, 100);
    world.save_all();
    assert!(held(&mut world).starts_with("at-"));
    assert_eq!(world.begun_logins, 1, "nobody had to log in");
}

#[test]
fn a_secret_that_the_server_does_not_take_rests_as_a_configuration_until_it_is_changed() {
    let mut world = tried(Reply::SecretRefused);
    world.advance(3000);
    assert_eq!(asks(&mut world), 1, "the same secret would be refused again");
    world.tell(Event::Reloaded);
    assert_eq!(asks(&mut world), 2);
    world.settle(Reply::Rotate, 100);
    world.save_all();
    assert!(held(&mut world).starts_with("at-"));
}

#[test]
fn a_refused_secret_of_a_file_is_tried_again_after_a_minute_because_nobody_tells_when_the_file_changes() {
    let mut world = tried(Reply::SecretOfFileRefused);
    world.advance(58);
    assert_eq!(asks(&mut world), 1);
    world.advance(2);
    assert_eq!(asks(&mut world), 2);
}

#[test]
fn a_replay_that_could_not_be_sent_is_owed_still() {
    let mut world = World::signed_in(100);
    world.advance(101);
    world.ask(SignInMode::Never);
    world.save_all();
    world.settle(Reply::LostBeforeCommit, 0);
    world.save_all();
    assert_eq!(world.sent_refreshes, 2, "the replay");
    world.settle(Reply::NoSecret, 0);
    world.save_all();
    assert_eq!(world.disk.grant.as_ref().unwrap().intent, Some(Intent::First), "the answer to the first is unknown still");
    world.advance(60);
    world.ask(SignInMode::Never);
    world.save_all();
    world.settle(Reply::Rotate, 100);
    world.save_all();
    assert!(held(&mut world).starts_with("at-"));
}

#[test]
fn a_login_without_its_secret_counts_for_nothing_and_begins_once_the_secret_is_there() {
    let mut world = World::empty();
    world.save_all();
    for _ in 0..20 {
        let caller = world.ask(SignInMode::StartAndReturn);
        world.login(Login::NoSecret, 0);
        world.save_all();
        assert!(matches!(refused(&world, caller), Refusal::NotAuthenticated(_)));
        world.tell(Event::Reloaded);
    }
    // Twenty would be far too many prompts (P18); nobody has been prompted.
    let caller = world.ask(SignInMode::StartAndReturn);
    assert!(world.prompted(caller));
}

#[test]
fn a_login_whose_secret_is_refused_waits_and_says_so_to_everybody_until_it_is_changed() {
    let mut world = World::empty();
    world.save_all();
    world.ask(SignInMode::StartAndReturn);
    world.login(Login::SecretRefused, 0);
    world.save_all();
    let second = world.ask(SignInMode::StartAndReturn);
    assert!(matches!(refused(&world, second), Refusal::NotAuthenticated(_)));
    assert!(matches!(world.statuses.last().unwrap().health, Health::Degraded(Trouble::NotAuthenticated(_))));
    world.tell(Event::Reloaded);
    let third = world.ask(SignInMode::StartAndReturn);
    assert!(world.prompted(third));
}

impl World {
    /// The login that has just been begun prompts, and this caller is shown it.
    fn prompted(&mut self, caller: super::super::WaiterId) -> bool {
        self.prompt();
        self.save_all();
        matches!(self.answer(caller), Some(AnswerState::SignIn(_)))
    }
}
