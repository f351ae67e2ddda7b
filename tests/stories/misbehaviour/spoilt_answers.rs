//! A success answer with something wrong in it: the rotated refresh token that it holds is never lost (I9, D37-D44, D18).

use std::time::Duration;

use mcp_authd_client::Reason;
use mcp_authd_client::status::Health;
use mcp_authd_tests::server::{At, Misbehaviour, Settings, Spoilt};
use serde_json::json;

use super::{Case, Stage, play};
use crate::logged_in::{ask_until_answered, insist, log_in, look, prompt, refused, used, user_code};

/// What cannot be used, and a word of what the person is told about it.
fn unusable() -> Vec<(&'static str, Vec<Spoilt>, &'static str)> {
    vec![
        ("token-type-mac", vec![Spoilt::With("token_type", json!("mac"))], "MAC"),
        ("token-type-dpop", vec![Spoilt::With("token_type", json!("DPoP"))], "DPoP"),
        ("token-type-unheard-of", vec![Spoilt::With("token_type", json!("\u{1b}[2J"))], "unknown"),
        ("token-type-a-number", vec![Spoilt::With("token_type", json!(7))], "token_type"),
        ("control-character", vec![Spoilt::ControlCharacterIn("access_token")], "access token"),
        ("no-access-token", vec![Spoilt::Without("access_token")], "neither a token"),
        ("empty-access-token", vec![Spoilt::With("access_token", json!(""))], "empty"),
        ("access-token-a-list", vec![Spoilt::With("access_token", json!(["a"]))], "access token"),
        ("access-token-too-large", vec![Spoilt::With("access_token", json!("x".repeat(65 * 1024)))], "access token"),
        ("access-token-twice", vec![Spoilt::Twice("access_token", json!("other"))], "twice"),
        ("expires-in-twice", vec![Spoilt::Twice("expires_in", json!(1))], "twice"),
        ("unusable-as-a-form", vec![Spoilt::FormEncoded, Spoilt::With("token_type", json!("mac"))], "MAC"),
    ]
}

/// What is wrong, and can be used all the same.
fn tolerable() -> Vec<(&'static str, Vec<Spoilt>)> {
    vec![
        ("numbers-as-strings", vec![Spoilt::NumbersAsStrings]),
        ("form-encoded", vec![Spoilt::FormEncoded]),
        ("form-encoded-called-text", vec![Spoilt::FormEncoded, Spoilt::ContentType("text/plain")]),
        ("json-called-html", vec![Spoilt::ContentType("text/html")]),
        ("no-token-type", vec![Spoilt::Without("token_type")]),
        ("token-type-in-capitals", vec![Spoilt::With("token_type", json!("BEARER"))]),
        ("no-expires-in", vec![Spoilt::Without("expires_in")]),
        ("expires-in-for-ever", vec![Spoilt::With("expires_in", json!(1e300))]),
        ("no-scope", vec![Spoilt::Without("scope")]),
        ("more-members", vec![Spoilt::With("surprise", json!({"a": [1, {"b": null}]}))]),
        ("byte-order-mark", vec![Spoilt::Preceded("\u{feff}")]),
        ("status-201", vec![Spoilt::Status(201)]),
    ]
}

fn case<T>(name: &'static str, about: T) -> Case<T> {
    Case { name, settings: Settings::default(), about }
}

#[tokio::test]
async fn an_unusable_answer_to_a_refresh_does_not_lose_its_rotated_refresh_token() {
    let cases = unusable().into_iter().map(|(name, spoilt, word)| case(name, (spoilt, word))).collect();
    play(cases, async |stage: Stage, (spoilt, word): (Vec<Spoilt>, &str)| {
        // given a strict server whose next success answer cannot be used
        let Stage { program, server, name, .. } = &stage;
        let first = log_in(program, server, name).await;
        server.script(At::Refresh, Misbehaviour::Spoil(spoilt));

        // when the token is refreshed, the person is told what is wrong, and the old token serves on (D44)
        let refusal = refused(program.report_rejected(&first).await.unwrap());
        assert_eq!(refusal.reason, Reason::Unavailable);
        assert!(refusal.message.contains(word), "{word:?} is not in {refusal:?}");
        assert_eq!(used(look(program, name).await).sha256(), first.sha256());
        assert_eq!(stage.account().await.health, Health::Degraded);

        // then the next refresh is done with the new refresh token: no reuse
        let next = used(insist(program, &first).await);
        assert_ne!(next.sha256(), first.sha256());
        let counts = server.counts();
        assert_eq!((counts.refreshes, counts.refreshes_ok(), counts.grants_started), (2, 2, 1));
        counts.assert_no_race_was_lost();
    })
    .await;
}

#[tokio::test]
async fn an_unusable_answer_at_a_login_does_not_lose_its_refresh_token_either() {
    let cases = unusable().into_iter().map(|(name, spoilt, _)| case(name, spoilt)).collect();
    play(cases, async |stage: Stage, spoilt: Vec<Spoilt>| {
        // given a login whose success answer cannot be used
        let Stage { program, server, name, .. } = &stage;
        server.always(At::Poll, Misbehaviour::Spoil(spoilt));
        let prompt = prompt(program.token(mcp_authd_client::Need::account(*name)).await.unwrap());
        server.approve(&user_code(&prompt)).unwrap();

        server.wait_for(|counts| counts.grants_started == 1).await;

        // then one refresh mends it, and nobody has to log in again
        server.wait_for(|counts| counts.refreshes_ok() == 1).await;
        used(ask_until_answered(program, name).await);
        let counts = server.counts();
        assert_eq!((counts.refreshes, counts.device_authorizations), (1, 1));
        counts.assert_no_race_was_lost();
    })
    .await;
}

#[tokio::test]
async fn an_odd_answer_that_can_be_used_is_used() {
    let cases = tolerable().into_iter().map(|(name, spoilt)| case(name, spoilt)).collect();
    play(cases, async |stage: Stage, spoilt: Vec<Spoilt>| {
        // given a server that is odd at the login and at every refresh
        let Stage { program, server, name, .. } = &stage;
        server.change(|settings| settings.token_answers = spoilt);
        let first = log_in(program, server, name).await;
        assert_eq!(first.scopes(), ["mcp:read"]);

        let second = used(program.report_rejected(&first).await.unwrap());
        assert_ne!(second.sha256(), first.sha256());
        assert!(second.remaining().is_none_or(|left| left > Duration::from_secs(3000)), "{:?}", second.remaining());
        let counts = server.counts();
        assert_eq!((counts.refreshes, counts.refreshes_ok(), counts.grants_started), (1, 1, 1));
        counts.assert_no_race_was_lost();
    })
    .await;
}

#[tokio::test]
async fn tokens_that_have_ended_when_they_come_are_refreshed_once_and_then_told_about() {
    // D38: 0 and below count as ended; one refresh, then an error, no loop.
    let cases = vec![case("zero", json!(0)), case("negative", json!(-5)), case("negative-as-a-string", json!("-5"))];
    play(cases, async |stage: Stage, expires_in| {
        let Stage { program, server, name, .. } = &stage;
        server.change(|settings| settings.token_answers = vec![Spoilt::With("expires_in", expires_in)]);
        let prompt = prompt(program.token(mcp_authd_client::Need::account(*name)).await.unwrap());
        server.approve(&user_code(&prompt)).unwrap();
        server.wait_for(|counts| counts.grants_started == 1).await;

        let refusal = refused(ask_until_answered(program, name).await);
        assert_eq!(refusal.reason, Reason::Configuration);
        assert!(refusal.message.contains("already ended"), "{refusal:?}");
        for _ in 0..5 {
            assert_eq!(refused(look(program, name).await).reason, Reason::Configuration);
        }
        assert_eq!(server.counts().refreshes, 1);
        server.counts().assert_no_race_was_lost();
    })
    .await;
}
