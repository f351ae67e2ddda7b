//! The server is wrong, exactly as its script says, and its book tells the truth about it.

use std::os::unix::process::ExitStatusExt as _;
use std::time::Duration;

use mcp_authd_tests::plain_http::{fetch, fetch_with_token};
use mcp_authd_tests::sentinel;
use mcp_authd_tests::server::{At, AuthorizationServer, Commit, Misbehaviour, Rotation, Settings, Spoilt};
use serde_json::json;

use crate::guest::{Guest, ask_for_login, poll};

#[tokio::test]
async fn a_complete_misbehaviour_spends_nothing_and_is_told_as_it_was_scripted() {
    let server = AuthorizationServer::start(Settings::default());
    let guest = Guest::signed_in(&server).await;
    let refused = Misbehaviour::Status { code: 503, retry_after: Some("120".to_owned()), body: "{}".to_owned() };
    for misbehaviour in [
        refused,
        Misbehaviour::Html,
        Misbehaviour::Garbage,
        Misbehaviour::ErrorWith200("temporarily_unavailable"),
        Misbehaviour::Error("invalid_client"),
        Misbehaviour::EchoSecrets { status: 400, error: "invalid_request" },
        Misbehaviour::Redirect("http://127.0.0.1:1/".to_owned()),
        Misbehaviour::Bomb(3 << 20),
    ] {
        server.script(At::Refresh, misbehaviour);
    }
    let answers = {
        let mut answers = Vec::new();
        for _ in 0..8 {
            answers.push(guest.refresh().await.unwrap());
        }
        answers
    };
    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    assert_eq!(statuses, [503, 200, 200, 200, 401, 400, 307, 200]);
    assert_eq!(answers[0].header("retry-after"), Some("120"));
    assert!(answers[1].text().starts_with("<!doctype html>") && answers[2].json().is_null());
    assert_eq!(answers[3].member("error"), "temporarily_unavailable");
    assert!(answers[5].member("error_description").contains(&guest.refresh_token));
    assert_eq!((answers[6].header("location"), answers[7].body.len()), (Some("http://127.0.0.1:1/"), 3 << 20));

    assert_eq!((server.counts().refreshes, server.counts().refreshes_ok(), server.counts().misbehaved), (8, 0, 8));
    assert_eq!(guest.refresh().await.unwrap().status, 200, "the token was never spent");
}

#[tokio::test]
async fn a_lost_answer_spends_the_token_after_the_commit_and_not_before() {
    let server =
        AuthorizationServer::start(Settings { rotation: Rotation::Grace(Duration::from_secs(60)), ..Settings::default() });
    let guest = Guest::signed_in(&server).await;
    server.script(At::Refresh, Misbehaviour::Drop(Commit::Before));
    assert!(guest.refresh().await.is_err());
    assert_eq!((server.counts().refreshes_ended("drop"), server.counts().refreshes_ok()), (1, 0));

    server.script(At::Refresh, Misbehaviour::Drop(Commit::After));
    assert!(guest.refresh().await.is_err());
    assert_eq!((server.counts().refreshes_ok(), server.counts().grace_replays), (1, 0));

    server.script(At::Refresh, Misbehaviour::Truncate);
    let broken = guest.refresh().await.unwrap_err();
    assert_eq!(broken.to_string(), "the answer broke off", "head and first half came");
    assert_eq!((server.counts().refreshes_ok(), server.counts().grace_replays), (2, 1));
}

#[tokio::test]
async fn a_spoilt_answer_holds_real_new_tokens() {
    let server = AuthorizationServer::start(Settings::default());
    let mut guest = Guest::signed_in(&server).await;
    server.script(At::Refresh, Misbehaviour::Spoil(vec![Spoilt::With("token_type", json!("mac")), Spoilt::NumbersAsStrings]));
    let mac = guest.refresh().await.unwrap();
    assert_eq!((mac.member("token_type").as_str(), mac.member("expires_in").as_str()), ("mac", "3600"));
    guest.refresh_token = mac.member("refresh_token");

    server.script(
        At::Refresh,
        Misbehaviour::Spoil(vec![Spoilt::Twice("access_token", json!("other")), Spoilt::Preceded("\u{feff}")]),
    );
    let twice = guest.refresh().await.unwrap().text();
    assert!(twice.starts_with('\u{feff}') && twice.matches("\"access_token\":").count() == 2, "{twice}");
    guest.refresh_token =
        serde_json::from_str::<serde_json::Value>(twice.trim_start_matches('\u{feff}')).unwrap()["refresh_token"]
            .as_str()
            .unwrap()
            .to_owned();

    server.script(
        At::Refresh,
        Misbehaviour::Spoil(vec![Spoilt::ControlCharacterIn("access_token"), Spoilt::Without("expires_in")]),
    );
    let control = guest.refresh().await.unwrap();
    assert!(control.member("access_token").contains("\r\n") && control.json().get("expires_in").is_none());
    guest.refresh_token = control.member("refresh_token");

    server.script(At::Refresh, Misbehaviour::Spoil(vec![Spoilt::FormEncoded]));
    let form = guest.refresh().await.unwrap();
    assert_eq!(form.header("content-type"), Some("application/x-www-form-urlencoded"));
    assert!(form.text().contains("&scope=mcp%3Aread+openid&refresh_token=SNTL_RT_"), "{}", form.text());
    assert_eq!((server.counts().refreshes_ok(), server.counts().reuses_detected), (4, 0));
}

#[tokio::test]
async fn standing_habits_dress_every_answer() {
    let server = AuthorizationServer::start(Settings {
        device_answers: vec![Spoilt::Renamed("verification_uri", "verification_url"), Spoilt::Without("interval")],
        token_answers: vec![Spoilt::Without("expires_in")],
        error_status: 200,
        ..Settings::default()
    });
    let prompt = ask_for_login(&server).await;
    assert!(prompt.member("verification_uri").is_empty() && prompt.member("verification_url").ends_with("/device"));
    let pending = poll(&server, &prompt.member("device_code")).await.unwrap();
    assert_eq!((pending.status, pending.member("error").as_str()), (200, "authorization_pending"));
    server.approve(&prompt.member("user_code")).unwrap();
    assert!(poll(&server, &prompt.member("device_code")).await.unwrap().json().get("expires_in").is_none());
}

#[tokio::test]
async fn a_held_request_is_counted_and_goes_on_when_it_is_released() {
    let server = AuthorizationServer::start(Settings::default());
    let guest = Guest::signed_in(&server).await;
    for (point, done_while_held) in [(Commit::Before, 0), (Commit::After, 1)] {
        let guest = Guest::signed_in(&server).await;
        let before = server.counts().refreshes_ok();
        server.script(At::Refresh, Misbehaviour::Hold(point));
        let (answer, ()) = tokio::join!(guest.refresh(), async {
            let held = server.wait_for(|counts| counts.held == 1).await;
            assert_eq!((held.refreshes_ok() - before, held.token_requests_open), (done_while_held, 1));
            server.release();
        });
        assert_eq!(answer.unwrap().status, 200);
    }
    // A hung request is never answered, and never does anything.
    server.script(At::Refresh, Misbehaviour::Hang);
    let (answer, ()) = tokio::join!(guest.refresh(), async {
        server.wait_for(|counts| counts.held == 1).await;
        server.release();
    });
    assert!(answer.is_err());
    assert_eq!(server.wait_for(|counts| counts.token_requests_open == 0).await.refreshes_ended("hang"), 1);
    assert_eq!(guest.refresh().await.unwrap().status, 200);
    server.counts().assert_no_race_was_lost();
}

#[tokio::test]
async fn two_refreshes_of_one_grant_at_once_are_seen() {
    let server =
        AuthorizationServer::start(Settings { rotation: Rotation::Grace(Duration::from_secs(60)), ..Settings::default() });
    let (guest, other) = (Guest::signed_in(&server).await, Guest::signed_in(&server).await);
    server.script_times(At::Refresh, 3, &Misbehaviour::Hold(Commit::Before));
    let (..) = tokio::join!(guest.refresh(), other.refresh(), async {
        let counts = server.wait_for(|counts| counts.held == 2).await;
        assert_eq!((counts.max_concurrent_token_requests, counts.max_concurrent_refreshes_of_one_grant), (2, 1));
        let (..) = tokio::join!(guest.refresh(), async {
            assert_eq!(server.wait_for(|counts| counts.held == 3).await.max_concurrent_refreshes_of_one_grant, 2);
            server.release();
        });
    });
}

#[tokio::test]
async fn a_client_that_hangs_up_undoes_nothing() {
    let server = AuthorizationServer::start(Settings::default());
    let guest = Guest::signed_in(&server).await;
    server.script(At::Refresh, Misbehaviour::Hold(Commit::Before));
    tokio::select! {
        _ = guest.refresh() => panic!("it is held"),
        _ = server.wait_for(|counts| counts.held == 1) => {}
    }
    let gone = server.wait_for(|counts| counts.token_requests_open == 0).await;
    assert_eq!((gone.held, gone.refreshes_ok()), (1, 0));
    server.release();
    assert_eq!(server.wait_for(|counts| counts.refreshes_ok() == 1).await.held, 0);
}

#[tokio::test]
async fn a_dripping_and_a_late_answer_are_right_in_the_end() {
    let server = AuthorizationServer::start(Settings::default());
    let mut guest = Guest::signed_in(&server).await;
    server.script(At::Refresh, Misbehaviour::Drip { each: Duration::from_micros(100) });
    server.script(At::Refresh, Misbehaviour::Delay(Duration::from_millis(1)));
    for _ in 0..2 {
        let answer = guest.refresh().await.unwrap();
        guest.refresh_token = answer.member("refresh_token");
        assert!(guest.refresh_token.starts_with("SNTL_RT_"), "{}", answer.text());
    }
}

#[tokio::test]
async fn a_peer_is_killed_at_the_point_that_the_script_names() {
    let server =
        AuthorizationServer::start(Settings { rotation: Rotation::Grace(Duration::from_secs(60)), ..Settings::default() });
    let guest = Guest::signed_in(&server).await;
    for (point, done) in [(Commit::Before, 0), (Commit::After, 1)] {
        let mut peer = tokio::process::Command::new("sleep").arg("1000").kill_on_drop(true).spawn().unwrap();
        server.script(At::Refresh, Misbehaviour::KillPeer { pid: peer.id().unwrap(), at: point });
        assert!(guest.refresh().await.is_err());
        assert_eq!(peer.wait().await.unwrap().signal(), Some(9));
        assert_eq!(server.counts().refreshes_ok(), done);
    }
}

#[tokio::test]
async fn a_server_that_is_down_refuses_connections_and_comes_back_at_the_same_address() {
    let server = AuthorizationServer::start(Settings::default());
    let guest = Guest::signed_in(&server).await;
    server.go_down().await;
    assert_eq!(guest.refresh().await.unwrap_err().to_string(), "no connection");
    server.come_back().await;
    assert_eq!(guest.refresh().await.unwrap().status, 200);
    assert_eq!(server.counts().refreshes, 1, "the first one never arrived");
}

#[tokio::test]
async fn a_standing_refusal_lasts_until_the_server_behaves() {
    let server = AuthorizationServer::start(Settings::default());
    let guest = Guest::signed_in(&server).await;
    server.refuse_refreshes_with("invalid_scope");
    server.script(At::Refresh, Misbehaviour::status(500));
    assert_eq!(server.script_left(At::Refresh), 1);
    assert_eq!(guest.refresh().await.unwrap().status, 500, "the queue comes first");
    for _ in 0..2 {
        assert_eq!(guest.refresh().await.unwrap().member("error"), "invalid_scope");
    }
    server.behave();
    assert_eq!(guest.refresh().await.unwrap().status, 200);
}

#[tokio::test]
async fn the_log_tells_every_request_in_order_and_no_secret() {
    let server = AuthorizationServer::start(Settings::default());
    let guest = Guest::signed_in(&server).await;
    guest.refresh().await.unwrap();
    fetch_with_token(&server.resource(), &guest.access_token).await.unwrap();
    let log = server.log();
    let told: Vec<(&str, &str)> = log.iter().map(|line| (line.path.as_str(), line.outcome.as_str())).collect();
    assert_eq!(told, [("/device_authorization", "ok"), ("/token", "ok"), ("/token", "ok"), ("/resource", "ok")]);
    assert!(
        log.windows(2).all(|pair| pair[0].arrived <= pair[1].arrived)
            && log.iter().all(|line| line.decided >= Some(line.arrived))
    );
    assert_eq!(log[2].parameters, ["client_id", "grant_type", "refresh_token"]);
    assert_eq!((log[2].grant, log[3].grant), (Some(0), Some(0)));
    assert_eq!(sentinel::in_bytes(format!("{log:?} {:?} {server:?}", server.counts()).as_bytes()), None);

    fetch(&format!("{}?access_token={}", server.resource(), guest.access_token)).await.unwrap();
    assert_eq!(server.counts().secrets_in_urls, 1);
}
