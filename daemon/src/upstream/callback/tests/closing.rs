//! How long a port stays open, and that it is free afterwards.

use super::browser::{Browser, V4, V6, listens, say, visit};
use super::*;

/// Lets time pass until nobody listens any more; how much.
async fn closed(port: NonZeroU16, time: &Time) -> Duration {
    const STEP: Duration = Duration::from_millis(50);
    let mut took = Duration::ZERO;
    while listens(V4, port).await || listens(V6, port).await {
        time.pass(STEP).await;
        took += STEP;
        assert!(took < Duration::from_secs(60), "it stays open");
    }
    took
}

#[tokio::test]
async fn nothing_is_open_before_the_first_login_nor_a_second_after_the_last() {
    let time = Time::default();
    let callbacks = time.callbacks();
    assert_eq!(callbacks.0.lock().len(), 0);
    let (one, two) = (callbacks.open(Redirect::default()).unwrap(), callbacks.open(Redirect::default()).unwrap());
    let port = one.port();
    let two = two.expect(&state("s2"));
    drop(one);
    time.pass(Duration::from_secs(60)).await;
    assert!(listens(V4, port).await && listens(V6, port).await, "one login waits");
    assert_eq!(visit(&format!("{}?code=c&state=s2", two.redirect_uri())).await.status, 200);
    drop(two.response().await);
    assert_eq!(say(port, b"GET /callback?code=c&state=s2 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n").await.status, 403, "it lingers");
    let took = closed(port, &time).await;
    assert!(took <= Duration::from_secs(1), "D29: {took:?}");
    assert_eq!(callbacks.0.lock().len(), 0);
}

#[tokio::test]
async fn a_login_that_comes_while_the_port_lingers_keeps_it_open() {
    let time = Time::default();
    let callbacks = time.callbacks();
    let port = callbacks.open(Redirect::default()).unwrap().port();
    let again = callbacks.open(Redirect::default()).unwrap();
    assert_eq!(again.port(), port);
    time.pass(Duration::from_secs(10)).await;
    assert!(listens(V4, port).await);
    drop(again);
    assert!(closed(port, &time).await <= Duration::from_secs(1));
}

#[tokio::test]
async fn d32_a_fixed_port_can_be_had_again_at_once_whatever_connections_it_has_had() {
    let time = Time::default();
    let callbacks = time.callbacks();
    let port = unused();
    for round in 0..3 {
        let name = format!("s{round}");
        let expected = callbacks.open(fixed(port)).unwrap_or_else(|why| panic!("{round}: {why}")).expect(&state(&name));
        assert_eq!(expected.port(), port);
        // One that leaves by itself, one that stays after its answer, one that has said nothing, one in the middle.
        let target = format!("GET /callback?code=c&state={name} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n");
        assert_eq!(say(port, target.as_bytes()).await.status, 200);
        let mut stays = Browser::connect(V6, port).await;
        stays.send(target.as_bytes()).await;
        assert_eq!(stays.shown().await.unwrap().status, 409);
        let (mut silent, mut halfway) = (Browser::connect(V4, port).await, Browser::connect(V4, port).await);
        halfway.send(b"GET /").await;
        assert_eq!(say(port, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.status, 403);
        drop(expected.response().await);
        closed(port, &time).await;
        assert!(stays.is_cut_off().await && silent.is_cut_off().await && halfway.is_cut_off().await);
    }
}

#[tokio::test]
async fn a_login_goes_on_at_its_old_port_after_a_restart() {
    let tasks = Tasks::new();
    let before = Callbacks::new(&tasks, &Time::default().clock()).open(fixed(unused())).unwrap().expect(&state("s1"));
    let (port, uri) = (before.port(), before.redirect_uri());
    let _idle = Browser::connect(V4, port).await;
    assert!(tasks.finish(Duration::from_secs(5)).await, "the soft stop ends it");
    assert!(!listens(V4, port).await);
    let after = callbacks().open(fixed(port)).unwrap().expect(&state("s1"));
    assert_eq!(after.redirect_uri(), uri);
    assert_eq!(visit(&format!("{uri}?code=c&state=s1")).await.status, 200);
    assert_eq!(code(&after.response().await), "c");
}
