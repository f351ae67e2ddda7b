//! A login for more access: for the union, beside a token that serves, once for what is refused, and within the bounds.

use std::time::Duration;

use mcp_authd_oauth::terms::Scopes;
use proptest::prelude::*;

use super::super::WaiterId;
use super::super::fixture::{config, policy_of};
use super::world::{Login, Reply, World};
use crate::accounts::AccountConfig;
use crate::accounts::grant::Purpose;
use crate::accounts::need::{AnswerState, PersonWants, Refusal, SignInMode, SignInPrompt};

fn ask_for(world: &mut World, scopes: &str) -> WaiterId {
    world.ask_with(|need| need.scopes = Scopes::parse(scopes))
}

fn wait_for(world: &mut World, scopes: &str) -> WaiterId {
    world.ask_with(|need| {
        need.scopes = Scopes::parse(scopes);
        need.sign_in = SignInMode::StartAndWait;
        need.deadline = need.deadline + Duration::from_secs(100);
    })
}

fn prompt_of(world: &World, id: WaiterId) -> SignInPrompt {
    match world.answer(id) {
        Some(AnswerState::SignIn(prompt)) => prompt.clone(),
        other => panic!("no prompt but {other:?}"),
    }
}

#[track_caller]
fn assert_insufficient(world: &World, id: WaiterId, missing: &str) {
    let refusal = AnswerState::Refusal(Refusal::InsufficientScope { missing: Scopes::parse(missing) });
    assert_eq!(world.answer(id), Some(&refusal));
}

/// The login that was begun ends so, and everything is saved.
fn ends(world: &mut World, how: Login) {
    world.login(how, 3600);
    world.save_all();
}

/// A program has asked for "write" beside the "read" that is held, and its prompt waits.
fn waiting_for_write() -> World {
    let mut world = World::signed_in(100);
    let asking = ask_for(&mut world, "write");
    world.prompt();
    assert_eq!(prompt_of(&world, asking).purpose, Purpose::MoreAccess);
    world
}

#[test]
fn a_login_for_more_asks_for_what_is_configured_what_is_held_and_what_is_needed() {
    let mut world = waiting_for_write();
    ends(&mut world, Login::Granted);
    world.change_scopes("read profile");
    ask_for(&mut world, "admin");
    assert_eq!(world.logins[0].2, Scopes::parse("read profile write admin"));
    world.prompt();
    assert_eq!(world.account.status(world.now).sign_in.unwrap().more, Scopes::parse("profile admin"));
}

#[test]
fn a_login_for_more_asks_for_what_is_held_where_nothing_is_configured() {
    let mut world = World::with_policy(policy_of(AccountConfig { scopes: Scopes::default(), ..config("client") }));
    world.save_all();
    ask_for(&mut world, "read");
    world.prompt();
    ends(&mut world, Login::Granted);
    ask_for(&mut world, "write");
    assert_eq!(world.logins[0].2, Scopes::parse("read write"));
}

#[test]
fn the_present_token_serves_and_is_refreshed_without_losing_a_scope_while_a_login_for_more_waits() {
    let mut world = waiting_for_write();
    let before = ask_for(&mut world, "read");
    world.advance(85);
    let during = ask_for(&mut world, "read");
    assert_eq!(world.token(during), world.token(before), "it serves while it is refreshed");
    world.save_all();
    assert_eq!(world.refreshes.len(), 1, "ahead of its end, as ever");
    world.settle(Reply::Rotate, 100);
    world.save_all();
    let after = ask_for(&mut world, "read");
    assert_ne!(world.token(after), world.token(before));
    let joins = ask_for(&mut world, "read write");
    assert_eq!(prompt_of(&world, joins).more, Scopes::parse("write"), "the login waits as before");

    ends(&mut world, Login::Granted);
    let (narrow, wide) = (ask_for(&mut world, "read"), ask_for(&mut world, "read write"));
    assert_eq!(world.token(narrow), world.token(wide), "one token for both");
    assert_eq!(world.begun_logins, 2);
}

#[test]
fn what_a_refresh_brings_after_a_login_for_more_is_dropped_and_narrows_nothing() {
    let mut world = waiting_for_write();
    world.advance(101);
    ask_for(&mut world, "read");
    world.save_all();
    assert_eq!(world.refreshes.len(), 1);
    ends(&mut world, Login::Granted);
    let new = ask_for(&mut world, "read write");
    let new = world.token(new);
    world.settle(Reply::Rotate, 100);
    world.save_all();
    let after = ask_for(&mut world, "read write");
    assert_eq!(world.token(after), new);
}

#[test]
fn a_refresh_after_a_login_for_more_keeps_its_scopes() {
    let mut world = waiting_for_write();
    ends(&mut world, Login::Granted);
    world.advance(3601);
    let asking = ask_for(&mut world, "read write");
    world.save_all();
    world.settle(Reply::Rotate, 3600);
    world.save_all();
    assert!(world.token(asking).starts_with("at-"));
    assert_eq!(world.begun_logins, 2);
}

#[test]
fn d40_a_refresh_narrows_a_grant_where_the_server_says_so_and_never_widens_it() {
    let mut world = waiting_for_write();
    ends(&mut world, Login::Granted);
    let scopes_after = |world: &mut World, told: &str| {
        world.refreshed_scopes = Some(Scopes::parse(told));
        world.advance(3601);
        ask_for(world, "read");
        world.save_all();
        world.settle(Reply::Rotate, 3600);
        world.save_all();
        world.account.status(world.now).grant.unwrap().scopes
    };
    assert_eq!(scopes_after(&mut world, "read write admin"), Scopes::parse("read write"), "never wider");
    assert_eq!(scopes_after(&mut world, "other"), Scopes::parse("read write"), "no word of it is known");
    assert_eq!(scopes_after(&mut world, "read"), Scopes::parse("read"), "narrower");
    assert_eq!(scopes_after(&mut world, "read write"), Scopes::parse("read"), "never wider than it was last");
    let asking = ask_for(&mut world, "write");
    world.prompt();
    assert_eq!(prompt_of(&world, asking).more, Scopes::parse("write"), "only a login widens it");
}

#[test]
fn d40_a_login_grants_no_scope_that_nobody_asked_for() {
    let mut world = waiting_for_write();
    world.granted_scopes = Some(Scopes::parse("read write admin"));
    ends(&mut world, Login::Granted);
    assert_eq!(world.account.status(world.now).grant.unwrap().scopes, Scopes::parse("read write"));
}

#[test]
fn a_denied_login_for_more_is_not_asked_for_again_until_the_persons_own_login() {
    let mut world = waiting_for_write();
    let waiting = wait_for(&mut world, "write");
    ends(&mut world, Login::Denied);
    assert_insufficient(&world, waiting, "write");
    for _ in 0..2 {
        let again = ask_for(&mut world, "write");
        assert_insufficient(&world, again, "write");
        let other = ask_for(&mut world, "admin");
        assert_insufficient(&world, other, "admin");
        let waits = wait_for(&mut world, "read write");
        assert_insufficient(&world, waits, "write");
        world.crash();
        world.save_all();
    }
    let served = ask_for(&mut world, "read");
    assert!(world.token(served).starts_with("at-"));
    assert_eq!(world.begun_logins, 2);

    world.ask(SignInMode::Person(PersonWants::Again));
    world.prompt();
    ends(&mut world, Login::Granted);
    ask_for(&mut world, "write");
    assert_eq!(world.begun_logins, 4, "the person's own login has ended the refusal");
}

#[test]
fn d40_scopes_that_the_server_withholds_are_asked_for_once_whatever_else_is_asked_for() {
    let mut world = World::signed_in(3600);
    for (number, scope) in ["write", "admin", "delete"].into_iter().enumerate() {
        let waiting = wait_for(&mut world, scope);
        world.prompt();
        assert_eq!(world.begun_logins, 2 + number);
        ends(&mut world, Login::GrantedNarrower);
        assert_insufficient(&world, waiting, scope);
    }
    for scope in ["write", "admin", "delete", "read write", "admin delete"].repeat(2) {
        let again = ask_for(&mut world, scope);
        let missing = scope.trim_start_matches("read ");
        assert_insufficient(&world, again, missing);
    }
    assert_eq!(world.begun_logins, 4);
}

#[test]
fn scopes_that_the_server_does_not_know_are_asked_for_once() {
    let mut world = World::signed_in(3600);
    let asking = ask_for(&mut world, "nonsense");
    ends(&mut world, Login::InvalidScope);
    assert_insufficient(&world, asking, "nonsense");
    let again = ask_for(&mut world, "nonsense");
    assert_insufficient(&world, again, "nonsense");
    assert_eq!(world.begun_logins, 2);
    ask_for(&mut world, "write");
    assert_eq!(world.begun_logins, 3, "what it may know is asked for");
}

#[test]
fn who_needs_a_third_scope_joins_the_login_that_waits_and_begins_its_own_after_it() {
    let mut world = waiting_for_write();
    let joins = ask_for(&mut world, "admin");
    assert_eq!(prompt_of(&world, joins).more, Scopes::parse("write"), "one login for all, the same code");
    let patient = wait_for(&mut world, "admin");
    ends(&mut world, Login::Granted);
    assert_eq!(world.logins[0].2, Scopes::parse("read write admin"), "who has waited begins the next one");
    world.prompt();
    assert_eq!((world.answer(patient), world.begun_logins), (None, 3));
    ends(&mut world, Login::GrantedNarrower);
    assert_insufficient(&world, patient, "admin");
    assert_eq!(world.begun_logins, 3);
}

#[test]
fn who_has_waited_for_a_login_that_nobody_answered_begins_no_other() {
    let mut world = World::signed_in(3600);
    let (first, second) = (wait_for(&mut world, "write"), wait_for(&mut world, "write"));
    world.prompt();
    ends(&mut world, Login::Expired);
    for waiting in [first, second] {
        assert_insufficient(&world, waiting, "write");
    }
    assert_eq!(world.begun_logins, 2);
}

#[test]
fn who_needs_what_was_refused_is_shown_no_login_for_something_else() {
    let mut world = waiting_for_write();
    ends(&mut world, Login::GrantedNarrower);
    let asking = ask_for(&mut world, "admin");
    world.prompt();
    assert_eq!(prompt_of(&world, asking).more, Scopes::parse("admin"));
    let refused = ask_for(&mut world, "write");
    assert_insufficient(&world, refused, "write");
}

#[test]
fn a_login_for_more_goes_on_after_a_restart_as_what_it_was() {
    let mut world = waiting_for_write();
    let before = world.account.status(world.now).sign_in.unwrap();
    world.crash();
    world.save_all();
    let after = world.account.status(world.now).sign_in.unwrap();
    assert_eq!((after.purpose, &after.more), (Purpose::MoreAccess, &Scopes::parse("write")));
    assert_eq!((after.id, &after.prompt, after.asked_by), (before.id, &before.prompt, before.asked_by));
    let served = ask_for(&mut world, "read");
    assert!(world.token(served).starts_with("at-"));
    assert_eq!(world.logins[0].2, Scopes::parse("read write"));
    ends(&mut world, Login::Granted);
    let wide = ask_for(&mut world, "read write");
    assert!(world.token(wide).starts_with("at-"));
    assert_eq!(world.begun_logins, 2);
}

#[test]
fn programs_begin_at_most_three_unanswered_logins_for_more_in_ten_minutes_and_are_served_meanwhile() {
    let mut world = World::signed_in(100_000);
    for begun in [2, 3, 4, 4, 4] {
        let asking = ask_for(&mut world, "write");
        world.prompt();
        assert_eq!(world.begun_logins, begun);
        match begun {
            4 if world.logins.is_empty() => assert_insufficient(&world, asking, "write"),
            _ => ends(&mut world, Login::Expired),
        }
        let served = ask_for(&mut world, "read");
        assert!(world.token(served).starts_with("at-"));
    }
    world.advance(601);
    ask_for(&mut world, "write");
    assert_eq!(world.begun_logins, 5);
}

#[test]
fn the_person_joins_a_login_for_more_that_waits() {
    let mut world = waiting_for_write();
    let person = world.ask(SignInMode::Person(PersonWants::ToBeSignedIn));
    assert_eq!(prompt_of(&world, person).purpose, Purpose::MoreAccess);
    assert_eq!(world.begun_logins, 2);
}

proptest! {
    /// However programs ask and however the server narrows: for each scope a person is asked at most once, where each login is answered.
    #[test]
    fn no_scope_is_asked_for_twice_where_every_login_is_answered(
        asked in prop::collection::vec((prop::sample::select(vec!["a", "b", "c", "a b", "read c"]), any::<bool>(), any::<bool>()), 1..30),
    ) {
        let mut world = World::signed_in(100_000);
        for (scopes, narrower, waits) in asked {
            let asking = if waits { wait_for(&mut world, scopes) } else { ask_for(&mut world, scopes) };
            if world.logins.is_empty() {
                prop_assert!(world.answer(asking).is_some());
                continue;
            }
            world.prompt();
            ends(&mut world, if narrower { Login::GrantedNarrower } else { Login::Granted });
            prop_assert!(world.answer(asking).is_some());
        }
        prop_assert!(world.begun_logins <= 1 + 3, "{} logins for three scopes", world.begun_logins);
    }
}
