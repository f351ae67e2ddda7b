//! A server whose metadata leads elsewhere by now: what is held goes back to where it was issued, and nobody logs in at the new place
//! before the person has said so (D8, P14).

use mcp_authd_client::{Need, Request, SignInMode};
use mcp_authd_tests::daemon::{Account, Config, Daemon};
use mcp_authd_tests::programs::{logged_in, program};
use mcp_authd_tests::server::{AuthorizationServer, Settings, Spoilt};
use serde_json::json;

use super::words;
use crate::authctl::authctl;
use crate::logged_in::used;

#[tokio::test]
async fn d8_what_is_held_goes_to_no_token_endpoint_that_the_metadata_names_later_and_no_login_before_the_person_says_so() {
    // given a grant, and metadata that leads to another host after a restart
    let (server, elsewhere) = (AuthorizationServer::start(Settings::default()), AuthorizationServer::start(Settings::default()));
    let mut daemon = Daemon::start(Config::new().account(Account::at("work", server.issuer()))).await;
    logged_in(&daemon, "work").await;
    let leads = |member, path| Spoilt::With(member, json!(format!("{}/{path}", elsewhere.issuer())));
    let members = [
        ("token_endpoint", "token"),
        ("device_authorization_endpoint", "device_authorization"),
        ("revocation_endpoint", "revoke"),
    ];
    server.change(|settings| settings.metadata_answers = members.map(|(member, path)| leads(member, path)).to_vec());
    daemon.restart().await;

    // when the token is refreshed, then where it was issued
    let program = program(&daemon);
    let request = Request::new(Need::account("work")).sign_in(SignInMode::Never);
    let token = used(program.token(request).await.unwrap());
    used(program.report_rejected(&token).await.unwrap());
    assert_eq!(server.counts().refreshes, 1);

    // and when somebody logs in again, both places are told, nothing is sent to the new one, and the token serves on
    let told = authctl(&daemon, &["login", "work", "--again", "--no-browser"]).await;
    let origin = |server: &AuthorizationServer| server.issuer().to_owned();
    let said = words(&format!("{}{}", told.out, told.err));
    for part in [&origin(&server), &origin(&elsewhere), "authctl logout work, then: authctl login work"] {
        assert!(said.contains(part), "{part} is missing: {told:?}");
    }
    assert_ne!(told.code, Some(0));
    used(program.token(Request::new(Need::account("work")).sign_in(SignInMode::Never)).await.unwrap());
    assert!(elsewhere.log().is_empty(), "{:?}", elsewhere.log());

    // then the person's own word leads there; what was held is given back to its own server
    assert_eq!(authctl(&daemon, &["logout", "work"]).await.code, Some(0));
    server.wait_for(|counts| counts.revocations > 0).await;
    assert!(elsewhere.log().is_empty(), "{:?}", elsewhere.log());
    logged_in(&daemon, "work").await;
    assert_eq!((elsewhere.counts().grants_started, server.counts().grants_started), (1, 1));
}
