//! The configuration changes under an account: its login goes on, or belongs to what it was before.

use mcp_authd_oauth::secret::AccessToken;

use super::super::{Event, WaiterId};
use super::world::{DiskWork, Login, Reply, World};
use crate::accounts::grant::{Ended, Renewal};
use crate::accounts::need::{AnswerState, LoginReason, PersonWants, Refusal, SignInMode};
use crate::accounts::status::{Health, Trouble};

pub(super) fn refused(world: &World, id: WaiterId) -> Refusal {
    match world.answer(id) {
        Some(AnswerState::Refusal(refusal)) => refusal.clone(),
        other => panic!("no refusal but {other:?}"),
    }
}

/// Everything is done but erasing the grant.
pub(super) fn save_all_but_erasures(world: &mut World) {
    while let Some(work) = world.disk_work.front() {
        let erasing = matches!(work, DiskWork::Forget(_));
        world.step_disk(!erasing);
    }
}

fn is_prompted(world: &World, id: WaiterId) -> bool {
    matches!(world.answer(id), Some(AnswerState::SignIn(_)))
}

const LOST: Refusal = Refusal::LoginRequired(LoginReason::Reconfigured);

#[test]
fn other_scopes_are_asked_for_at_the_next_login_and_the_present_one_goes_on() {
    let mut world = World::signed_in(3600);
    let (before, told) = (world.ask(SignInMode::Never), world.statuses.len());
    world.change_scopes("read write");
    assert_eq!(world.statuses.len(), told + 1, "whoever watches is told that the account is another");
    let after = world.ask(SignInMode::Never);
    assert_eq!(world.token(before), world.token(after));
    world.ask(SignInMode::Person(PersonWants::Again));
    assert_eq!(world.logins[0].2.to_parameter(), "read write");
    world.change_scopes("read write");
    assert_eq!(world.statuses.len(), told + 1, "nothing has changed");
    assert!(world.revoked.is_empty() && world.disk.grant.is_some());
}

#[test]
fn a_refresh_that_is_out_when_the_scopes_change_is_taken_as_ever() {
    let mut world = World::signed_in(100);
    world.advance(101);
    let caller = world.ask(SignInMode::Never);
    world.save_all();
    world.change_scopes("write");
    world.settle(Reply::Rotate, 100);
    world.save_all();
    assert!(world.token(caller).starts_with("at-"));
    assert_eq!(world.sent_refreshes, 1);
}

#[test]
fn what_rests_because_of_the_configuration_is_tried_again_when_it_is_mended() {
    for mend in [|world: &mut World| world.change_scopes("write"), |world: &mut World| world.tell(Event::Reloaded)] {
        let mut world = World::signed_in(100);
        world.advance(101);
        let caller = world.ask(SignInMode::Never);
        world.save_all();
        world.settle(Reply::Configuration, 100);
        world.save_all();
        assert!(matches!(refused(&world, caller), Refusal::Configuration { .. }));
        mend(&mut world);
        // the distance to the last refresh is kept (D53)
        world.advance(10);
        world.save_all();
        world.settle(Reply::Rotate, 100);
        world.save_all();
        assert_eq!(world.statuses.last().unwrap().health, Health::Good);
        assert_eq!(world.sent_refreshes, 2);
    }
}

#[test]
fn another_client_ends_the_login_gives_it_back_as_the_old_client_and_a_program_may_log_in_as_the_new_one() {
    let mut world = World::signed_in(3600);
    let held = world.disk.grant.clone().unwrap();
    world.move_to("other");
    assert_eq!(world.revoked.len(), 1);
    assert_eq!(Renewal::With(world.revoked[0].refresh_token.clone().unwrap()), held.grant.renewal);
    assert_eq!(world.revoked[0].binding, held.grant.binding, "at the server and as the client of before");
    let never = world.ask(SignInMode::Never);
    assert_eq!(refused(&world, never), LOST);
    world.save_all();
    assert_eq!(world.disk.grant, None);
    assert_eq!(world.statuses.last().unwrap().health, Health::LoginRequired(LoginReason::Reconfigured));
    let program = world.ask(SignInMode::StartAndReturn);
    world.prompt();
    assert!(is_prompted(&world, program));
    world.login(Login::Granted, 3600);
    world.save_all();
    let caller = world.ask(SignInMode::Never);
    assert!(world.token(caller).starts_with("at-"));
    let kept = world.disk.grant.as_ref().unwrap();
    assert!(kept.generation > held.generation);
    assert_eq!((kept.grant.binding.client_id.as_str(), world.disk.sign_in.as_ref().unwrap().ended), ("other", None));
}

#[test]
fn who_waits_for_a_refresh_when_the_account_moves_is_answered_by_what_stands_then() {
    let mut world = World::signed_in(100);
    world.advance(101);
    let (never, program) = (world.ask(SignInMode::Never), world.ask(SignInMode::StartAndReturn));
    world.save_all();
    world.move_to("other");
    assert_eq!(refused(&world, never), LOST);
    world.prompt();
    assert!(is_prompted(&world, program));
    assert_eq!(world.logins[0].1.client.shown(), "other");
    // what the refresh brings is given back, and nothing of it is kept
    let before = world.revoked.len();
    world.settle(Reply::Rotate, 100);
    world.save_all();
    assert_eq!(world.revoked.len(), before + 1);
    assert_eq!(world.revoked[before].binding.client_id.as_str(), "client");
    assert_eq!(world.disk.grant, None);
}

#[test]
fn a_login_that_ends_well_just_when_the_account_moves_is_given_back() {
    let mut world = World::empty();
    world.save_all();
    let waiting = world.ask(SignInMode::StartAndWait);
    world.prompt();
    let (id, config, scopes) = world.logins[0].clone();
    world.move_to("other");
    assert!(world.logins.is_empty(), "nobody polls for it any more");
    assert!(matches!(refused(&world, waiting), Refusal::LoginRequired(_)));
    // its end was on its way already
    let granted = world.login_result(Login::Granted, (&config, scopes), 3600);
    world.tell(Event::SignInSettled(id, granted));
    world.save_all();
    assert_eq!(world.revoked.len(), 1);
    assert_eq!(world.disk.grant, None);
    assert_eq!(world.disk.sign_in.as_ref().unwrap().pending, None);
}

#[test]
fn an_account_that_moves_there_and_back_has_lost_its_login_although_nothing_could_be_erased() {
    let mut world = World::signed_in(3600);
    world.move_to("other");
    save_all_but_erasures(&mut world);
    assert!(matches!(world.statuses.last().unwrap().health, Health::Degraded(Trouble::NotErased(_))));
    world.move_to("client");
    save_all_but_erasures(&mut world);
    let caller = world.ask(SignInMode::Never);
    assert_eq!(refused(&world, caller), LOST);
    assert!(world.disk.grant.is_some());
    world.crash();
    world.save_all();
    let caller = world.ask(SignInMode::Never);
    assert_eq!(refused(&world, caller), LOST, "I3");
    assert_eq!(world.disk.grant, None, "the erasure is finished (B31)");
}

#[test]
fn an_erasure_that_a_move_wants_is_tried_again_until_it_is_done() {
    let mut world = World::signed_in(3600);
    world.move_to("other");
    for _ in 0..3 {
        save_all_but_erasures(&mut world);
        assert!(world.disk.grant.is_some());
        world.advance(5);
    }
    world.save_all();
    assert_eq!(world.disk.grant, None);
    assert_eq!(world.statuses.last().unwrap().health, Health::LoginRequired(LoginReason::Reconfigured));
}

#[test]
fn a_login_whose_client_was_exchanged_while_no_daemon_ran_is_never_served_and_goes_back_as_it_was_issued() {
    let mut world = World::signed_in(3600);
    let held = world.disk.grant.clone().unwrap();
    world.reconfigure("other");
    world.crash();
    world.save_all();
    assert_eq!(world.revoked.last().unwrap().binding, held.grant.binding);
    assert_eq!(world.disk.grant, None);
    let never = world.ask(SignInMode::Never);
    assert_eq!(refused(&world, never), LOST);
    let program = world.ask(SignInMode::StartAndReturn);
    world.prompt();
    assert!(is_prompted(&world, program));
}

#[test]
fn a_login_that_waited_for_a_client_that_was_exchanged_meanwhile_is_not_polled() {
    let mut world = World::empty();
    world.save_all();
    world.ask(SignInMode::StartAndReturn);
    world.prompt();
    world.reconfigure("other");
    world.crash();
    world.save_all();
    assert!(world.logins.is_empty());
    assert_eq!(world.disk.sign_in.as_ref().unwrap().pending, None);
}

#[test]
fn an_account_that_moves_before_its_records_are_read_loses_what_they_hold() {
    // also by a change that the record does not tell
    for to in ["other", "client"] {
        let mut world = World::signed_in(3600);
        world.crash();
        let waiting = world.ask(SignInMode::Never);
        world.move_to("other");
        world.move_to(to);
        assert_eq!(world.answer(waiting), None, "nobody knows yet");
        world.save_all();
        assert_eq!(refused(&world, waiting), LOST);
        assert_eq!(world.revoked.len(), 1);
        assert_eq!(world.disk.grant, None);
    }
}

#[test]
fn a_locked_store_is_not_written_to_by_a_move_and_tells_locked_until_it_is_open() {
    let mut world = World::signed_in(3600);
    world.locked = true;
    world.crash();
    world.save_all();
    world.move_to("other");
    assert!(world.disk_work.is_empty());
    let caller = world.ask(SignInMode::StartAndReturn);
    assert_eq!(refused(&world, caller), Refusal::Locked);
    world.open_the_key();
    world.save_all();
    let caller = world.ask(SignInMode::Never);
    assert_eq!(refused(&world, caller), LOST);
    assert_eq!((world.revoked.len(), &world.disk.grant), (1, &None));
}

#[test]
fn a_logout_outlives_the_move_over_kills() {
    let mut world = World::signed_in(3600);
    world.sign_out();
    world.save_all();
    world.move_to("other");
    world.save_all();
    for _ in 0..2 {
        let caller = world.ask(SignInMode::StartAndReturn);
        assert_eq!(refused(&world, caller), Refusal::SignedOut);
        assert_eq!(world.disk.sign_in.as_ref().unwrap().ended, Some(Ended::ByPerson));
        world.crash();
        world.save_all();
    }
}

#[test]
fn a_denial_was_said_to_the_server_of_then_and_the_bounds_on_prompts_count_on() {
    let mut world = World::empty();
    world.save_all();
    world.ask(SignInMode::StartAndReturn);
    world.prompt();
    world.login(Login::Denied, 0);
    world.save_all();
    let caller = world.ask(SignInMode::StartAndReturn);
    assert_eq!(refused(&world, caller), Refusal::Denied);
    for client in ["other", "third", "client"] {
        world.move_to(client);
        let caller = world.ask(SignInMode::StartAndReturn);
        world.prompt();
        assert!(is_prompted(&world, caller), "{client}");
        world.save_all();
    }
    world.move_to("other");
    let caller = world.ask(SignInMode::StartAndReturn);
    assert_eq!(refused(&world, caller), Refusal::TooManyPrompts, "P18");
}

#[test]
fn a_report_of_a_token_from_before_the_move_gets_no_token() {
    let mut world = World::signed_in(3600);
    let caller = world.ask(SignInMode::Never);
    let hash = AccessToken::new(world.token(caller)).sha256();
    world.move_to("other");
    let reporter = world.report(hash);
    assert_eq!(world.answer(reporter), None, "its login at the new server is being begun");
    world.prompt();
    assert!(is_prompted(&world, reporter));
}
