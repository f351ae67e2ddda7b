//! Who gets which answer.

use futures_util::FutureExt;
use futures_util::future::join_all;

use super::browser::{say, visit};
use super::*;
use crate::upstream::captured_log::CapturedLog;

#[tokio::test]
async fn a_login_gets_its_answer_and_the_page_says_only_that_it_has_come() {
    let door = callbacks().open(Redirect::default()).unwrap();
    let uri = door.redirect_uri();
    assert_eq!(uri, format!("http://127.0.0.1:{}/callback", door.port()));
    let expected = door.expect(&state("s1"));
    let shown = visit(&format!("{uri}?code=c1&state=s1&iss=https%3A%2F%2Fas.example")).await;
    assert_eq!((shown.status, shown.body.contains("You can close this window")), (200, true));
    let response = expected.response().await;
    assert_eq!((code(&response).as_str(), response.iss.as_deref()), ("c1", Some("https://as.example")));
}

#[tokio::test]
async fn an_error_is_an_answer_too() {
    let expected = callbacks().open(Redirect::default()).unwrap().expect(&state("s1"));
    assert_eq!(visit(&format!("{}?error=access_denied&state=s1", expected.redirect_uri())).await.status, 200);
    assert_eq!(code(&expected.response().await), "an error");
}

#[tokio::test]
async fn fifty_logins_at_once_share_one_port_and_each_gets_its_own_answer() {
    let callbacks = callbacks();
    let doors = (0..50).map(|_| callbacks.open(Redirect::default()).unwrap());
    let expected: Vec<_> = doors.enumerate().map(|(n, door)| door.expect(&state(&format!("s{n}")))).collect();
    let port = expected[0].port();
    assert!(expected.iter().all(|expected| expected.port() == port));
    assert_eq!(callbacks.0.lock().len(), 1);
    let uri = expected[0].redirect_uri();

    // All at once, backwards; there are more than there are places, and whoever has none yet waits for one.
    let shown = join_all((0..50).rev().map(|n| visit_owned(format!("{uri}?state=s{n}&code=c{n}")))).await;
    assert!(shown.iter().all(|status| *status == 200), "{shown:?}");
    let responses = join_all(expected.into_iter().map(Expected::response)).await;
    for (n, response) in responses.iter().enumerate() {
        assert_eq!((response.state.expose(), code(response)), (format!("s{n}").as_str(), format!("c{n}")));
    }
}

async fn visit_owned(url: String) -> u16 {
    visit(&url).await.status
}

#[tokio::test]
async fn a_state_serves_once_and_the_second_visit_is_told_so() {
    let expected = callbacks().open(Redirect::default()).unwrap().expect(&state("s1"));
    let url = format!("{}?code=c1&state=s1", expected.redirect_uri());
    assert_eq!(visit(&url).await.status, 200);
    let again = visit(&url.replace("c1", "c2")).await;
    assert_eq!((again.status, again.body.contains("answered already")), (409, true));
    assert_eq!(code(&expected.response().await), "c1");
    assert_eq!(visit(&url).await.status, 409, "while the port is open");
}

#[tokio::test]
async fn whatever_is_no_answer_is_refused_and_leaves_the_logins_that_wait_untouched() {
    let callbacks = callbacks();
    let mut expected = callbacks.open(Redirect::default()).unwrap().expect(&state("s1"));
    let uri = expected.redirect_uri();
    for query in [
        "",
        "?",
        "?code=c",
        "?code=c&state=",
        "?code=c&state=unknown",
        "?code=c&state=S1",
        "?code=c&state=s1&state=s1",
        "?code=c&state=s1&code=c",
        "?code=c&error=e&state=s1",
        "?state=s1",
        "?code=c&state=s1&iss=a&iss=b",
        "?code=&state=s1",
        "?code=c&state=s1%00",
        "?code=c&state=s",
        "?code=c&state=s11",
    ] {
        let shown = visit(&format!("{uri}{query}")).await;
        assert_eq!((shown.status, shown.body.contains("No login waits")), (400, true), "{query}");
        assert!((&mut expected.arrives).now_or_never().is_none(), "{query}");
    }
    assert_eq!(visit(&format!("{uri}?code=c&state=s1")).await.status, 200);
    assert_eq!(code(&expected.response().await), "c");
}

#[tokio::test]
async fn the_late_answer_of_a_login_that_was_given_up_is_refused() {
    let callbacks = callbacks();
    let other = callbacks.open(Redirect::default()).unwrap().expect(&state("other"));
    let expected = callbacks.open(Redirect::default()).unwrap().expect(&state("s1"));
    let url = format!("{}?code=c1&state=s1", expected.redirect_uri());
    assert_eq!(other.door.port.logins().count(), 2);
    drop(expected.response());
    assert_eq!(other.door.port.logins().count(), 1);
    assert_eq!(visit(&url).await.status, 400);
    assert_eq!(visit(&url.replace("s1", "other")).await.status, 200);
    assert_eq!(other.response().await.state, state("other"));
}

#[tokio::test]
async fn of_two_logins_with_one_state_the_later_is_answered_whenever_the_earlier_ends() {
    let callbacks = callbacks();
    let earlier = callbacks.open(Redirect::default()).unwrap().expect(&state("s1"));
    let later = callbacks.open(Redirect::default()).unwrap().expect(&state("s1"));
    drop(earlier);
    assert_eq!(visit(&format!("{}?code=c1&state=s1", later.redirect_uri())).await.status, 200);
    assert_eq!(code(&later.response().await), "c1");
}

#[tokio::test]
async fn an_answer_counts_only_at_the_path_and_host_of_its_own_login() {
    let callbacks = callbacks();
    let at = |host, path| Redirect { host, path: RedirectPath::parse(path).unwrap(), ..Redirect::default() };
    let plain = callbacks.open(Redirect::default()).unwrap().expect(&state("plain"));
    let local = callbacks.open(at(RedirectHost::Localhost, "")).unwrap().expect(&state("local"));
    let six = callbacks.open(at(RedirectHost::Ipv6, "/oauth/callback")).unwrap().expect(&state("six"));
    let port = plain.port();
    assert_eq!(local.redirect_uri(), format!("http://localhost:{port}"));
    for url in [
        format!("http://127.0.0.1:{port}/?code=c&state=plain"),
        format!("http://localhost:{port}/callback?code=c&state=plain"),
        format!("http://127.0.0.1:{port}/callback?code=c&state=six"),
        format!("http://[::1]:{port}/callback?code=c&state=local"),
    ] {
        assert_eq!(visit(&url).await.status, 400, "{url}");
    }
    assert_eq!(visit(&format!("http://127.0.0.1:{port}/callback?code=c&state=plain")).await.status, 200);
    assert_eq!(visit(&format!("http://localhost:{port}/?code=c&state=local")).await.status, 200);
    assert_eq!(visit(&format!("{}?code=c&state=six", six.redirect_uri())).await.status, 200);
    for (expected, name) in [(plain, "plain"), (local, "local"), (six, "six")] {
        assert_eq!(expected.response().await.state, state(name));
    }
}

#[tokio::test]
async fn nothing_of_a_request_is_logged_or_shown() {
    let log = CapturedLog::begin();
    let callbacks = callbacks();
    let expected = callbacks.open(Redirect::default()).unwrap().expect(&state("SNTL_s1"));
    let (uri, port) = (expected.redirect_uri(), expected.port());
    let mut shown = vec![
        visit(&format!("{uri}?code=SNTL_c&state=SNTL_unknown&SNTL_x=1")).await,
        visit(&format!("http://127.0.0.1:{port}/SNTL_path?state=SNTL_s1")).await,
        say(port, b"GET /callback?code=SNTL_c HTTP/1.1\r\nHost: SNTL.example\r\nSNTL: 1\r\n\r\n").await,
        say(port, b"GET /callback?code=SNTL_c HTTP/1.1\r\nSNTL 1\r\n\r\n").await,
        visit(&format!("{uri}?error=SNTL_e&error_description=SNTL_d&state=SNTL_s1&iss=SNTL_i")).await,
        visit(&format!("{uri}?code=SNTL_c&state=SNTL_s1")).await,
    ];
    assert_eq!(shown.iter().map(|shown| shown.status).collect::<Vec<_>>(), [400, 404, 403, 400, 200, 409]);
    shown.retain(|shown| shown.head.contains("SNTL") || shown.body.contains("SNTL"));
    assert_eq!(shown, []);
    assert!(!format!("{expected:?}").contains("SNTL"));
    drop(expected.response().await);
    let log = log.end();
    assert!(log.contains("was answered") && log.contains("was refused"), "the log is read: {log}");
    assert!(!log.contains("SNTL") && !log.contains("code="), "{log}");
}
