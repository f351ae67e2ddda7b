//! What is said to those who are no browser after a redirect, and how little they can hold up.

use std::io::ErrorKind;

use super::browser::{Browser, V4, V6, say};
use super::*;
use crate::upstream::callback::request::LONGEST_HEAD;
use crate::upstream::callback::serve::{GRACE, PATIENCE, PLACES};

fn get(port: NonZeroU16, target: &str) -> Vec<u8> {
    format!("GET {target} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n").into_bytes()
}

#[test]
fn d30_the_bounds_are_8_kib_16_connections_and_5_seconds() {
    assert_eq!((LONGEST_HEAD, PLACES, PATIENCE), (8 * 1024, 16, Duration::from_secs(5)));
}

#[tokio::test]
async fn d30_only_get_at_a_known_path_under_an_own_address_is_looked_at() {
    let expected = callbacks().open(Redirect::default()).unwrap().expect(&state("s1"));
    let port = expected.port();
    let target = "/callback?code=c&state=s1";
    for (method, status) in [("POST", 405), ("HEAD", 405), ("OPTIONS", 405), ("PUT", 405), ("get", 405)] {
        let shown = say(port, format!("{method} {target} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n").as_bytes()).await;
        assert_eq!((shown.status, shown.head.contains("\r\nAllow: GET\r\n")), (status, true), "{method}");
    }
    for host in [
        "evil.example",
        "127.0.0.1",
        "localhost",
        &format!("localhost:{port}"),
        &format!("LOCALHOST:{port}"),
        "127.0.0.1:1",
        &format!("127.0.0.2:{port}"),
        &format!("127.1:{port}"),
        &format!("::1:{port}"),
        &format!("[::1]:0{port}"),
        &format!("127.0.0.1:{port}.evil.example"),
        &format!("evil.example:{port}"),
        &format!("127.0.0.1:{port}:"),
        "[::1]",
        &format!("0.0.0.0:{port}"),
        &format!("[::ffff:127.0.0.1]:{port}"),
        &format!("user@127.0.0.1:{port}"),
    ] {
        let shown = say(port, format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes()).await;
        assert_eq!(shown.status, 403, "{host}");
    }
    for path in ["/", "/favicon.ico", "/callback/", "/Callback", "/callbac%6b", "/callback;x", "//callback", "/x/../callback"] {
        assert_eq!(say(port, &get(port, &format!("{path}?code=c&state=s1"))).await.status, 404, "{path}");
    }
    let six = format!("GET {target} HTTP/1.1\r\nHost: [::1]:{port}\r\n\r\n");
    assert_eq!(say(port, six.as_bytes()).await.status, 200, "the other own address is one");
    assert_eq!(code(&expected.response().await), "c");
}

#[tokio::test]
async fn what_is_no_plain_request_without_a_body_is_refused() {
    let expected = callbacks().open(Redirect::default()).unwrap().expect(&state("s1"));
    let port = expected.port();
    let start = format!("GET /callback?code=c&state=s1 HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n");
    for (bytes, status) in [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(), 400),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), 400),
        (b"\0\xff\xfe garbage".to_vec(), 400),
        (b"GET /callback?code=c&state=s1\r\n\r\n".to_vec(), 400),
        (format!("{start}Host: 127.0.0.1:{port}\r\n\r\n").into_bytes(), 400),
        (format!("{start}X: y\r\n z\r\n\r\n").into_bytes(), 400),
        (format!("{start}Content-Length: 3\r\n\r\nabc").into_bytes(), 413),
        (format!("{start}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n").into_bytes(), 413),
        (format!("{start}Cookie: {}\r\n\r\n", "c".repeat(8193 - start.len() - "Cookie: \r\n\r\n".len())).into_bytes(), 431),
        (vec![b'G'; 100_000], 431),
    ] {
        let shown = say(port, &bytes).await;
        assert_eq!(shown.status, status, "{}", bytes.escape_ascii().to_string().chars().take(99).collect::<String>());
    }
    let full = format!("{start}Cookie: {}\r\n\r\n", "c".repeat(8192 - start.len() - "Cookie: \r\n\r\n".len()));
    assert_eq!(say(port, full.as_bytes()).await.status, 200);
    assert_eq!(code(&expected.response().await), "c");
}

#[tokio::test]
async fn a_connection_has_one_answer_and_what_follows_the_request_is_not_read() {
    let callbacks = callbacks();
    let (one, two) = (callbacks.open(Redirect::default()).unwrap(), callbacks.open(Redirect::default()).unwrap());
    let (one, mut two) = (one.expect(&state("s1")), two.expect(&state("s2")));
    let mut browser = Browser::connect(V6, one.port()).await;
    let both = ["/callback?code=c&state=s1", "/callback?code=c&state=s2"].map(|target| get(one.port(), target));
    browser.send(&both.concat()).await;
    let shown = browser.shown().await.unwrap();
    assert_eq!((shown.status, shown.head.contains("\r\nConnection: close")), (200, true));
    assert_eq!(one.response().await.state, state("s1"));
    assert!(two.arrives.try_recv().is_err(), "pipelined");
    browser.send(&both[1]).await;
    drop(browser);
    assert_eq!(say(two.port(), &both[1]).await.status, 200, "it waited on");
}

#[tokio::test]
async fn d30_whoever_is_slow_holds_up_nobody_and_the_seventeenth_connection_ends_the_oldest() {
    let time = Time::default();
    let callbacks = time.callbacks();
    let _other = callbacks.open(Redirect::default()).unwrap();
    let expected = callbacks.open(Redirect::default()).unwrap().expect(&state("s1"));
    let port = expected.port();
    let mut slow = Vec::new();
    for _ in 0..PLACES {
        let mut browser = Browser::connect(V4, port).await;
        browser.send(b"G").await;
        slow.push(browser);
    }
    // The seventeenth is served while the sixteen others have said one byte, within a second.
    let mut last = Browser::connect(V4, port).await;
    last.send(&get(port, "/callback?code=c&state=s1")).await;
    time.pass(GRACE).await;
    assert_eq!(last.shown().await.unwrap().status, 200);
    assert_eq!(code(&expected.response().await), "c");
    assert!(slow[0].is_cut_off().await, "the oldest");
    // The others stand: their byte was the first of a request.
    for browser in &mut slow[1..] {
        browser.send(&get(port, "/callback?code=c&state=s1")[1..]).await;
        assert_eq!(browser.shown().await.unwrap().status, 409);
    }
}

#[tokio::test]
async fn d30_a_connection_ends_after_five_seconds_and_the_login_waits_on() {
    let time = Time::default();
    let expected = time.callbacks().open(Redirect::default()).unwrap().expect(&state("s1"));
    let (port, mut slow) = (expected.port(), Browser::connect(V4, expected.port()).await);
    slow.send(b"G").await;
    // It is known to be accepted once one that came later has been answered.
    assert_eq!(say(port, &get(port, "/other")).await.status, 404);
    time.pass(PATIENCE - Duration::from_secs(1)).await;
    slow.send(b"E").await;
    assert_eq!(say(port, &get(port, "/other")).await.status, 404);
    assert!(slow.0.try_read(&mut [0; 1]).is_err_and(|error| error.kind() == ErrorKind::WouldBlock), "it has a second left");
    time.pass(Duration::from_secs(1)).await;
    assert!(slow.is_cut_off().await);
    assert_eq!(say(port, &get(port, "/callback?code=c&state=s1")).await.status, 200);
    assert_eq!(code(&expected.response().await), "c");
}
