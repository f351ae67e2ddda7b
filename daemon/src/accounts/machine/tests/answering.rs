//! A login whose answer may be used once only: the disk forgets that it waits before the answer is used (D35).

use std::time::Duration;

use super::world::{Login, World};
use crate::accounts::grant::SignInEnd;
use crate::accounts::machine::{Event, SignInId};
use crate::accounts::need::{AnswerState, PersonWants, SignInMode};

/// A login whose person has just answered.
fn answered() -> (World, SignInId) {
    let mut world = World::empty();
    world.save_all();
    world.ask(SignInMode::StartAndReturn);
    world.prompt();
    let id = world.logins[0].0;
    world.tell(Event::SignInAnswered(id));
    (world, id)
}

fn waits_on_the_disk(world: &World) -> bool {
    world.disk.sign_in.as_ref().is_some_and(|record| record.pending.is_some())
}

#[test]
fn d35_an_answer_is_used_once_the_disk_has_forgotten_that_it_is_waited_for() {
    let (mut world, id) = answered();
    assert!(world.traded_in.is_empty() && waits_on_the_disk(&world));
    world.save_all();
    assert_eq!(world.traded_in, [id]);
    assert!(!waits_on_the_disk(&world));
    world.login(Login::Granted, 3600);
    world.save_all();
    let caller = world.ask(SignInMode::Never);
    assert!(world.token(caller).starts_with("at-"));
}

#[test]
fn d35_a_kill_after_the_answer_leaves_no_login_that_would_use_it_again() {
    let (mut world, _) = answered();
    world.save_all();
    world.crash();
    world.save_all();
    assert!(world.logins.is_empty(), "nothing is resumed");
    world.ask(SignInMode::StartAndReturn);
    assert_eq!(world.begun_logins, 2, "the next one is a new one");

    let (mut world, _) = answered();
    world.crash();
    world.save_all();
    assert_eq!((world.logins.len(), world.traded_in.len()), (1, 0), "nothing was used: it waits on");
}

#[test]
fn an_answer_whose_note_cannot_be_saved_is_used_all_the_same() {
    let (mut world, id) = answered();
    world.step_disk(false);
    assert_eq!(world.traded_in, [id]);
}

#[test]
fn meanwhile_the_same_prompt_is_shown_and_its_end_by_time_does_not_count() {
    let (mut world, _) = answered();
    world.save_all();
    let caller = world.ask(SignInMode::StartAndReturn);
    assert!(matches!(world.answer(caller), Some(AnswerState::SignIn(_))));
    world.now.instant = world.now.instant + Duration::from_secs(24 * 60 * 60);
    world.tell(Event::Tick);
    assert_eq!(world.logins.len(), 1, "the exchange has limits of its own");
    assert_ne!(world.account.status(world.now).last_end, Some(SignInEnd::Expired));
}

#[test]
fn an_answer_to_a_login_that_is_over_is_nobody_s() {
    let (mut world, id) = answered();
    world.save_all();
    world.tell(Event::SignInCancelled);
    world.save_all();
    world.traded_in.clear();
    world.tell(Event::SignInAnswered(id));
    world.save_all();
    assert!(world.traded_in.is_empty());
}

#[test]
fn b6_a_leaving_daemon_waits_for_the_end_of_an_exchange() {
    let (mut world, _) = answered();
    world.save_all();
    world.tell(Event::Leaving);
    assert!(!world.account.is_settled());
    world.login(Login::Granted, 3600);
    world.save_all();
    assert!(world.account.is_settled());
}

#[test]
fn d55_what_a_code_that_was_out_still_brings_is_given_back_and_whoever_leaves_waits_for_it() {
    let ways: [fn(&mut World); 3] = [|world| world.tell(Event::SignInCancelled), World::sign_out, World::remove];
    for end in ways {
        let (mut world, _) = answered();
        world.save_all();
        end(&mut world);
        world.save_all();
        assert!(!world.account.is_settled() && !world.ended, "a code is out");
        let before = world.revoked.len();
        world.login(Login::Granted, 3600);
        world.save_all();
        assert_eq!(world.revoked.len(), before + 1);
        assert!(world.account.is_settled() && world.disk.grant.is_none(), "nothing of it is kept");
        assert_eq!(world.ended, world.gone);
    }
}

#[test]
fn d55_a_login_whose_code_was_out_holds_up_no_other() {
    let (mut world, first) = answered();
    world.save_all();
    world.tell(Event::SignInCancelled);
    world.save_all();
    world.ask(SignInMode::Person(PersonWants::ToBeSignedIn));
    world.prompt();
    assert_ne!(world.logins[0].0, first);
    world.late_login();
    assert_eq!((world.revoked.len(), world.logins.len()), (1, 1), "the next one waits on");
    world.login(Login::Granted, 3600);
    world.save_all();
    let caller = world.ask(SignInMode::Never);
    assert!(world.token(caller).starts_with("at-"));
}
