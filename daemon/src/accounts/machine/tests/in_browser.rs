//! What is told of a login that waited for a browser in vain: the server may have said no on a page that never led back.

use std::time::Duration;

use mcp_authd_oauth::authorization_code::judge::IssParameter;
use mcp_authd_oauth::secret::{CodeVerifier, State};
use mcp_authd_oauth::sign_in::{AuthorizationUrl, PendingCode, PendingSignIn};
use mcp_authd_oauth::terms::{RedirectUri, Scopes};

use super::super::Event;
use super::super::fixture::binding;
use super::world::{Login, World};
use crate::accounts::grant::SignInEnd;
use crate::accounts::need::{LoginReason, PersonWants, SignInMode};
use crate::accounts::status::Health;

fn health(world: &World) -> Health {
    world.statuses.last().unwrap().health.clone()
}

/// The oldest login waits for a browser.
fn prompt_in_browser(world: &mut World) {
    let (id, ..) = world.logins.first().unwrap().clone();
    let pending = PendingCode {
        authorization_url: AuthorizationUrl::new("https://as.example/authorize"),
        state: State::new("state"),
        verifier: CodeVerifier::new("verifier"),
        redirect_uri: RedirectUri::new("http://127.0.0.1:8765/callback"),
        expires: world.now.instant + Duration::from_secs(600),
        expires_wall: world.now.wall + Duration::from_secs(600),
        binding: binding(),
        requested_scopes: Scopes::parse("a"),
        iss_parameter: IssParameter::NotPromised,
    };
    world.tell(Event::SignInPrompted(id, PendingSignIn::Code(pending)));
    world.save_all();
}

fn begun() -> World {
    let mut world = World::empty();
    world.save_all();
    world.ask(SignInMode::Person(PersonWants::ToBeSignedIn));
    world
}

#[test]
fn a_login_in_a_browser_that_ends_by_time_says_that_nothing_came_back_until_the_next_one_begins() {
    let mut world = begun();
    prompt_in_browser(&mut world);
    world.login(Login::Expired, 0);
    assert_eq!(world.statuses.last().unwrap().last_end, Some(SignInEnd::Expired));
    assert_eq!(health(&world), Health::LoginRequired(LoginReason::NothingCameBack));
    world.ask(SignInMode::Person(PersonWants::ToBeSignedIn));
    prompt_in_browser(&mut world);
    assert_eq!(health(&world), Health::LoginRequired(LoginReason::Never));
    world.login(Login::Denied, 0);
    assert_eq!(health(&world), Health::LoginRequired(LoginReason::Never), "the person's own answer came back");
}

#[test]
fn a_login_by_a_code_that_ends_by_time_says_no_such_thing() {
    let mut world = begun();
    world.prompt();
    world.login(Login::Expired, 0);
    assert_eq!(health(&world), Health::LoginRequired(LoginReason::Never));
}
