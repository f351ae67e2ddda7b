//! A server that has read no RFC, reached by a configuration alone: JSON bodies, no client, no discovery, a code for a request without a body,
//! camelCase, an end that stands in the token or nowhere, 401 with an empty body for a refusal, 429 with `Retry-After`.

use std::time::Duration;

use mcp_authd_client::status::Health;
use mcp_authd_client::{Answer, How};
use mcp_authd_tests::persona::{Body, Door, Exp, OwnWords};
use mcp_authd_tests::programs::program;
use mcp_authd_tests::server::{At, Misbehaviour};

use super::{Stage, described, is_renewable, life};
use crate::logged_in::{insist, look, refused, used};

const TABLE: &str = r#"
base = "ORIGIN/v2"
device_authorization_endpoint = "/cli/code"
token_endpoint = "/cli/token"
client = "none"
answer = { access_token = "accessToken", refresh_token = "refreshToken" }
errors = { pending_statuses = [202], dead_grant_statuses = [401] }
expiry = { source = "jwt", skew = 30 }

[providers.odd.device_authorization]
body = "none"
answer = { device_code = "data.id", user_code = "data.code", verification_uri = "data.link", interval = "data.every" }

[providers.odd.poll]
body = "json"
omit = ["grant_type"]
names = { device_code = "id" }

[providers.odd.refresh]
body = "json"
omit = ["grant_type"]
names = { refresh_token = "refreshToken" }
"#;

async fn at(exp: Exp) -> Stage {
    described(OwnWords { exp }, TABLE, "").await
}

/// In an hour, by the calendar.
fn in_an_hour() -> Exp {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    Exp::At(now.as_secs() + 3600)
}

#[tokio::test]
async fn a_provider_that_is_nothing_like_the_rfcs_is_reached_by_config_alone() {
    let stage = at(in_an_hour()).await;
    stage.provider.behind().script(At::Poll, Misbehaviour::Error("authorization_pending"));
    let (prompt, status) = stage.logs_in().await;
    let How::Device { verification_uri, .. } = &prompt.how else { panic!("{prompt:?}") };
    assert_eq!(verification_uri, &format!("{}/go", stage.provider.origin()));
    // The end stands in the token, and counts half a minute earlier.
    let left = life(&status).expect("the token tells its end");
    assert!((Duration::from_secs(3500)..=Duration::from_secs(3570)).contains(&left), "{left:?}");
    assert!(is_renewable(&status));

    // 429 with Retry-After: nothing is lost, and nobody comes earlier
    let token = stage.token().await;
    let later = Misbehaviour::Status { code: 429, retry_after: Some("3".to_owned()), body: String::new() };
    stage.provider.behind().script(At::Refresh, later);
    let program = program(&stage.daemon);
    let told = refused(program.report_rejected(&token).await.unwrap());
    assert!(told.retry_after.is_some_and(|wait| wait > Duration::from_millis(1500)), "{told:?}");
    assert_eq!(used(look(&program, "work").await).expose(), token.expose(), "it serves on");
    let renewed = used(insist(&program, &token).await);
    assert_ne!(renewed.expose(), token.expose());

    // everything went in JSON, under its own names, and with nothing that was not told
    let began = &stage.provider.heard_at(Door::DeviceAuthorization)[0];
    assert_eq!((began.body, began.names()), (Body::Empty, vec![]));
    let asked = stage.provider.heard_at(Door::Token);
    assert!(asked.iter().all(|line| line.body == Body::Json), "{asked:?}");
    let polls: Vec<_> = asked.iter().filter(|line| line.names() == ["id"]).map(|line| line.status).collect();
    assert_eq!(polls, [202, 200]);
    let refreshes: Vec<_> = asked.iter().filter(|line| line.names() == ["refreshToken"]).map(|line| line.status).collect();
    assert_eq!(refreshes, [429, 200]);
    assert!(asked.iter().all(|line| line.names() == ["id"] || line.names() == ["refreshToken"]), "{asked:?}");
    assert_eq!(stage.provider.refused(), []);
}

#[tokio::test]
async fn a_refused_refresh_with_401_and_an_empty_body_ends_the_login() {
    let stage = at(in_an_hour()).await;
    stage.logs_in().await;
    let token = stage.token().await;
    stage.provider.behind().end_grants();
    let answer = program(&stage.daemon).report_rejected(&token).await.unwrap();
    assert!(matches!(answer, Answer::ShowSignIn(_)), "{answer:?}");
    let refreshes: Vec<_> =
        stage.provider.heard_at(Door::Token).into_iter().filter(|line| line.names() == ["refreshToken"]).collect();
    assert_eq!(refreshes.iter().map(|line| line.status).collect::<Vec<_>>(), [401]);
}

#[tokio::test]
async fn a_token_that_does_not_tell_its_end_serves_until_it_is_rejected_and_then_renews() {
    for exp in [Exp::Garbage, Exp::TwoSegments, Exp::Missing, Exp::Text] {
        let stage = at(exp).await;
        let (_, status) = stage.logs_in().await;
        assert_eq!((life(&status), status.health, is_renewable(&status)), (None, Health::Good, true), "{exp:?}");
        let token = stage.token().await;
        assert_eq!(token.remaining(), None, "{exp:?}");
        let renewed = stage.refreshes(&token).await;
        assert_eq!(renewed.remaining(), None, "{exp:?}");
        assert_eq!(stage.provider.refused(), []);
    }
}
