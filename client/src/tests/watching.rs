//! A watch serves from this process, and never a token past its end.

use std::sync::Arc;
use std::time::Duration;

use mcp_authd_proto::v1;

use super::server::{Server, refusal, sign_in, token};
use crate::clock::Clock;
use crate::clock::tests::Hand;
use crate::{Answer, CallError, Need, Watch, WatchError};

/// A watch of a server, on a clock moved by hand, with its first answer present.
async fn watch(server: &Server) -> (Watch, Arc<Hand>) {
    let hand = Arc::new(Hand::default());
    let client = server.client().with_clock(Clock::Hand(Arc::clone(&hand)));
    let mut watch = client.watch(Need::account("github"));
    assert!(matches!(watch.token(), Err(WatchError::NotYet)));
    watch.changed().await.unwrap();
    (watch, hand)
}

fn served(watch: &Watch) -> String {
    match watch.token() {
        Ok(Answer::UseToken(token)) => token.expose().to_owned(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_expired_cached_token_is_not_served() {
    let server = Server::start([]);
    server.publish(token("tok-1", Some(60)));
    let (watch, hand) = watch(&server).await;
    hand.forward(Duration::from_secs(59));
    assert_eq!(served(&watch), "tok-1");
    hand.forward(Duration::from_secs(1));
    assert!(matches!(watch.token(), Err(WatchError::NotYet)));
}

#[tokio::test]
async fn a_cached_read_reads_the_clock_once() {
    let server = Server::start([]);
    server.publish(token("tok-1", Some(60)));
    let (watch, hand) = watch(&server).await;
    let before = hand.readings();
    served(&watch);
    assert_eq!(hand.readings() - before, 1);
}

#[tokio::test]
async fn changes_arrive_without_a_call() {
    let server = Server::start([]);
    let (mut watch, _hand) = watch(&server).await;
    for expected in ["tok-2", "tok-3"] {
        server.publish(token(expected, None));
        watch.changed().await.unwrap();
        assert_eq!(served(&watch), expected);
    }
    server.publish(sign_in());
    watch.changed().await.unwrap();
    assert!(matches!(watch.token(), Ok(Answer::ShowSignIn(_))));
    server.publish(refusal(v1::Reason::Denied, None));
    watch.changed().await.unwrap();
    assert!(matches!(watch.token(), Ok(Answer::GiveUp(_))));
    assert_eq!(server.asked().len(), 0);
}

#[tokio::test]
async fn a_living_token_is_served_while_the_daemon_is_away_and_no_longer() {
    let mut server = Server::start([]);
    server.publish(token("tok-1", Some(60)));
    let (mut watch, hand) = watch(&server).await;
    server.kill();
    watch.changed().await.unwrap();
    assert_eq!(served(&watch), "tok-1");
    hand.forward(Duration::from_secs(60));
    assert!(matches!(watch.token(), Err(WatchError::Lost(_))));
}

#[tokio::test]
async fn a_watch_subscribes_again_after_a_restart() {
    let mut server = Server::start([]);
    server.publish(token("tok-1", None));
    let (mut watch, _hand) = watch(&server).await;
    server.kill();
    server.publish(token("tok-2", None));
    server.restart();
    while served(&watch) != "tok-2" {
        watch.changed().await.unwrap();
    }
}

#[tokio::test]
async fn a_login_that_the_daemon_can_no_longer_confirm_is_not_shown() {
    let mut server = Server::start([]);
    server.publish(sign_in());
    let (mut watch, _hand) = watch(&server).await;
    assert!(matches!(watch.token(), Ok(Answer::ShowSignIn(_))));
    server.kill();
    watch.changed().await.unwrap();
    assert!(matches!(watch.token(), Err(WatchError::Lost(_))));
}

#[tokio::test]
async fn a_token_of_another_account_is_not_cached() {
    let server = Server::start([]);
    let mut watch = server.client().watch(Need::account("gitlab"));
    watch.changed().await.unwrap();
    let Err(WatchError::Lost(error)) = watch.token() else { panic!() };
    assert!(matches!(*error, CallError::WrongAnswer { .. }));
}

#[tokio::test]
async fn the_subscription_ends_with_the_last_clone() {
    let server = Server::start([]);
    let (watch, _hand) = watch(&server).await;
    let clone = watch.clone();
    drop(watch);
    assert_eq!(served(&clone), "tok-watch");
    drop(clone);
    server.unwatched().await;
}
