//! The transport against real sockets on loopback: what reached whom, and how each failure is told.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use mcp_authd_oauth::endpoint::{Endpoint, Loopback};
use mcp_authd_oauth::http::{AnswerLost, HttpAnswer, HttpRequest, Method, NothingSent, PROBE, Patience, Undelivered};
use mcp_authd_oauth::secret::SecretText;
use reqwest::Certificate;
use rustls::ServerConfig;
use tokio::net::TcpListener;

use super::captured_log::CapturedLog;
use super::drive::Transport;
use super::scripted::{Act, Scripted, Speaks, self_signed};
use super::transport::{HttpTransport, Limits};
use crate::host::tasks::Tasks;

const REFRESH: &str = "grant_type=refresh_token&refresh_token=SNTL_RT_1";

fn transport() -> HttpTransport {
    trusting(vec![])
}

fn trusting(roots: Vec<Certificate>) -> HttpTransport {
    // Far more time than a loaded machine needs; the tests about time take their own.
    let patient = Limits { connect: Duration::from_secs(60), metadata: Duration::from_secs(60), ..Limits::STANDARD };
    HttpTransport::with(patient, roots)
}

fn endpoint(url: &str) -> Endpoint {
    Endpoint::parse(url, Loopback::Allowed).unwrap()
}

fn post(url: &str, patience: Patience) -> HttpRequest {
    let method = Method::PostForm(SecretText::new(REFRESH));
    HttpRequest { endpoint: endpoint(url), method, authorization: None, patience }
}

fn get(url: &str) -> HttpRequest {
    HttpRequest { endpoint: endpoint(url), method: Method::Get, authorization: None, patience: Patience::Metadata }
}

async fn refresh(url: &str) -> Result<HttpAnswer, Undelivered> {
    transport().exchange(post(url, Patience::Spending)).await
}

fn not_sent(ended: Result<HttpAnswer, Undelivered>) -> NothingSent {
    match ended {
        Err(Undelivered::NothingSent(why)) => why,
        other => panic!("{other:?}"),
    }
}

fn lost(ended: Result<HttpAnswer, Undelivered>) -> AnswerLost {
    match ended {
        Err(Undelivered::AnswerLost(why)) => why,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_whole_answer_comes_with_its_status_headers_and_body() {
    let headers = "Content-Type: application/json\r\nRetry-After: 7\r\n";
    let server = Scripted::plain([Act::answer(429, headers, "{\"error\":\"slow_down\"}")]).await;
    let answer = refresh(&server.url("/token")).await.unwrap();
    assert_eq!(answer.status, 429);
    assert_eq!(answer.content_type.as_deref(), Some("application/json"));
    assert_eq!(answer.retry_after.as_deref(), Some("7"));
    assert_eq!(answer.body.expose(), b"{\"error\":\"slow_down\"}");
}

#[tokio::test]
async fn a_form_goes_out_whole_with_our_name_and_the_wish_for_json() {
    let server = Scripted::plain([Act::answer(200, "", "{}")]).await;
    let mut request = post(&server.url("/token?tenant=1"), Patience::Endpoint);
    request.authorization = Some(SecretText::new("Basic Y2xpZW50OnNlY3JldA=="));
    transport().exchange(request).await.unwrap();

    let received = server.received();
    let lower = received[0].to_ascii_lowercase();
    assert!(received[0].starts_with("POST /token?tenant=1 HTTP/1.1\r\n"), "{received:?}");
    assert!(received[0].ends_with(&format!("\r\n\r\n{REFRESH}")), "{received:?}");
    for header in [
        "accept: application/json",
        concat!("user-agent: mcp-authd/", env!("CARGO_PKG_VERSION")),
        "content-type: application/x-www-form-urlencoded",
        &format!("content-length: {}", REFRESH.len()),
        "authorization: basic y2xpzw50onnly3jlda==",
    ] {
        assert!(lower.contains(&format!("\r\n{header}\r\n")), "{header} is missing: {received:?}");
    }
    assert!(
        !lower.contains("accept-encoding") && !lower.contains("transfer-encoding") && !lower.contains("referer"),
        "{received:?}"
    );
}

#[tokio::test]
async fn json_goes_out_as_json_by_the_same_way_and_is_not_sent_to_a_redirect() {
    let elsewhere = Scripted::plain([]).await;
    let server = Scripted::plain([Act::redirect(307, &elsewhere.url("/register"))]).await;
    let json = "{\"client_name\":\"SNTL_1\"}";
    let method = Method::PostJson(SecretText::new(json));
    let request = HttpRequest { method, ..post(&server.url("/register"), Patience::Endpoint) };
    assert_eq!(transport().exchange(request).await.unwrap().status, 307);

    let received = server.received();
    let lower = received[0].to_ascii_lowercase();
    assert!(received[0].starts_with("POST /register HTTP/1.1\r\n"), "{received:?}");
    assert!(received[0].ends_with(&format!("\r\n\r\n{json}")), "{received:?}");
    for header in ["accept: application/json", "content-type: application/json", &format!("content-length: {}", json.len())] {
        assert!(lower.contains(&format!("\r\n{header}\r\n")), "{header} is missing: {received:?}");
    }
    assert!(!lower.contains("authorization"), "{received:?}");
    assert_eq!(elsewhere.received(), [""; 0]);
}

#[tokio::test]
async fn a_post_may_have_no_body_at_all() {
    let server = Scripted::plain([Act::answer(200, "", "{}")]).await;
    let request = HttpRequest { method: Method::PostEmpty, ..post(&server.url("/code"), Patience::Endpoint) };
    assert_eq!(transport().exchange(request).await.unwrap().status, 200);

    let received = server.received();
    let lower = received[0].to_ascii_lowercase();
    assert!(received[0].starts_with("POST /code HTTP/1.1\r\n") && received[0].ends_with("\r\n\r\n"), "{received:?}");
    assert_eq!(lower.matches("content-length: 0\r\n").count(), 1, "{received:?}");
    assert!(lower.contains("\r\naccept: application/json\r\n") && !lower.contains("content-type"), "{received:?}");

    let port = TcpListener::bind(("127.0.0.1", 0)).await.unwrap().local_addr().unwrap().port();
    let url = format!("http://127.0.0.1:{port}/code");
    let nobody = HttpRequest { method: Method::PostEmpty, ..post(&url, Patience::Endpoint) };
    assert_eq!(not_sent(transport().exchange(nobody).await), NothingSent::NotConnected);
    let silent = Scripted::plain([Act::Reset]).await;
    let cut = HttpRequest { method: Method::PostEmpty, ..post(&silent.url("/code"), Patience::Endpoint) };
    assert_eq!(lost(transport().exchange(cut).await), AnswerLost::ConnectionEnded);
}

#[tokio::test]
async fn a_refused_port_means_nothing_was_sent() {
    let port = TcpListener::bind(("127.0.0.1", 0)).await.unwrap().local_addr().unwrap().port();
    assert_eq!(not_sent(refresh(&format!("http://127.0.0.1:{port}/token")).await), NothingSent::NotConnected);
    assert_eq!(not_sent(transport().exchange(get(&format!("http://127.0.0.1:{port}/"))).await), NothingSent::NotConnected);
}

#[tokio::test]
async fn a_name_that_nobody_knows_means_nothing_was_sent() {
    // RFC 6761, 6.4: never a name; no resolver at all is told in the same way.
    assert_eq!(not_sent(refresh("https://nobody.invalid/token").await), NothingSent::NameNotResolved);
}

#[tokio::test]
async fn a_server_without_tls_gets_no_request() {
    let server = Scripted::plain([]).await;
    let url = server.url("/token").replace("http://", "https://");
    // It reads the client's greeting, takes it for a request that never ends, and answers nothing: our limit ends it.
    let hasty = HttpTransport::with(Limits { connect: Duration::from_millis(300), ..Limits::STANDARD }, vec![]);
    assert_eq!(not_sent(hasty.exchange(post(&url, Patience::Spending)).await), NothingSent::TooSlow);
    assert_eq!(server.received(), [""; 0]);
}

#[tokio::test]
async fn plain_text_where_tls_is_due_means_nothing_was_sent() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("https://{}/token", listener.local_addr().unwrap());
    Tasks::new().work("plain text", async move {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut greeting = [0; 5];
        stream.read_exact(&mut greeting).await.unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        stream.read_to_end(&mut Vec::new()).await.unwrap();
    });
    assert_eq!(not_sent(refresh(&url).await), NothingSent::NotConnected);
}

#[tokio::test]
async fn a_certificate_that_does_not_hold_ends_it_before_the_first_byte_of_http() {
    let (strange, _) = self_signed("127.0.0.1", "http/1.1");
    let (other_name, trusted) = self_signed("elsewhere.test", "http/1.1");
    for (config, roots) in [(strange, vec![]), (other_name, vec![trusted])] {
        let server = Scripted::plays(Speaks::Tls(config), []).await;
        let request = post(&format!("https://127.0.0.1:{}/token", server.port), Patience::Spending);
        assert_eq!(not_sent(trusting(roots).exchange(request).await), NothingSent::NotVerified);
        assert_eq!(server.received(), [""; 0]);
    }
}

#[tokio::test]
async fn a_verified_peer_gets_the_request_over_tls() {
    let (config, trusted) = self_signed("127.0.0.1", "http/1.1");
    let server = Scripted::plays(Speaks::Tls(config), [Act::answer(200, "", "{}")]).await;
    let request = post(&format!("https://127.0.0.1:{}/token", server.port), Patience::Spending);
    assert_eq!(trusting(vec![trusted]).exchange(request).await.unwrap().status, 200);
    assert_eq!(server.received().len(), 1);
}

#[tokio::test]
async fn a_connection_that_ends_before_the_answer_loses_it_and_nothing_is_sent_again() {
    let half = |text: &str| Act::Write(text.as_bytes().to_vec());
    for act in [
        half(""),
        Act::Reset,
        half("HTTP/1.1 200 OK\r\nContent-Le"),
        half("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"access_token\":\"a\"}"),
        half("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"acc\r\n"),
        half("this is no HTTP at all\r\n\r\n"),
    ] {
        let server = Scripted::plain([act]).await;
        assert_eq!(lost(refresh(&server.url("/token")).await), AnswerLost::ConnectionEnded);
        assert_eq!(server.received().len(), 1);
    }
}

#[tokio::test]
async fn each_request_has_its_own_connection_so_that_no_stale_one_can_swallow_it() {
    let keep = || Act::WriteAndHold(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}".to_vec());
    // The server reads one request of each connection: a second one on the first connection would never be answered.
    let server = Scripted::plain([keep(), keep()]).await;
    let transport = transport();
    for _ in 0..2 {
        transport.exchange(post(&server.url("/token"), Patience::Spending)).await.unwrap();
    }
    assert_eq!(server.received().len(), 2);
}

#[tokio::test]
async fn an_answer_over_the_limit_is_cut_off_announced_or_not() {
    let big = "x".repeat(256 * 1024 + 1);
    let announced = Act::WriteAndHold(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", big.len()).into_bytes());
    let streamed = Act::WriteAndHold(format!("HTTP/1.1 200 OK\r\n\r\n{big}").into_bytes());
    for act in [announced, streamed] {
        let server = Scripted::plain([act]).await;
        assert_eq!(lost(refresh(&server.url("/token")).await), AnswerLost::TooLarge(256 * 1024));
    }
    let fits = &big[1..];
    let server =
        Scripted::plain([Act::answer(200, "", fits), Act::Write(format!("HTTP/1.0 200 OK\r\n\r\n{fits}").into_bytes())]).await;
    for _ in 0..2 {
        assert_eq!(refresh(&server.url("/token")).await.unwrap().body.expose().len(), 256 * 1024);
    }
}

#[tokio::test]
async fn a_challenge_comes_with_every_line_that_is_text_and_its_body_is_not_waited_for() {
    let head = "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"a\"\r\nContent-Type: text/event-stream\r\n\
        WWW-Authenticate: Bearer error_description=\"\u{fc}\"\r\n";
    let mut bytes = head.as_bytes().to_vec();
    bytes.extend(b"www-authenticate: Bearer scope=\"\xff\"\r\nContent-Length: 1000000\r\n\r\ndata: for ever\n");
    for (method, begin) in [(Method::Get, "GET /mcp "), (Method::Probe, "POST /mcp ")] {
        let server = Scripted::plain([Act::WriteAndHold(bytes.clone())]).await;
        let request = HttpRequest { method, patience: Patience::Challenge, ..get(&server.url("/mcp")) };
        let answer = transport().exchange(request).await.unwrap();
        assert_eq!((answer.status, answer.body.expose().len()), (401, 0));
        assert_eq!(answer.www_authenticate, ["Basic realm=\"a\"", "Bearer error_description=\"\u{fc}\""]);
        let received = server.received();
        assert!(received[0].starts_with(begin), "{received:?}");
        let lower = received[0].to_ascii_lowercase();
        assert!(lower.contains("\r\naccept: application/json, text/event-stream\r\n"), "{received:?}");
        assert!(!lower.contains("authorization:") && !lower.contains("cookie"), "{received:?}");
        assert_eq!(received[0].ends_with(PROBE), begin.starts_with("POST"), "{received:?}");
    }
    let many = "WWW-Authenticate: Bearer\r\n".repeat(40);
    let server = Scripted::plain([Act::answer(401, &many, "")]).await;
    assert_eq!(refresh(&server.url("/mcp")).await.unwrap().www_authenticate.len(), 16);
}

#[tokio::test]
async fn a_redirect_of_a_request_for_the_challenge_is_not_followed() {
    for method in [Method::Get, Method::Probe] {
        let server = Scripted::plain([Act::redirect(307, "/elsewhere")]).await;
        let request = HttpRequest { method, patience: Patience::Challenge, ..get(&server.url("/mcp")) };
        assert_eq!(transport().exchange(request).await.unwrap().status, 307);
        assert_eq!(server.received().len(), 1);
    }
}

#[tokio::test]
async fn a_compressed_answer_is_handed_on_unread() {
    let server = Scripted::plain([Act::answer(200, "Content-Encoding: gzip\r\n", "\u{1f}not json")]).await;
    assert_eq!(refresh(&server.url("/token")).await.unwrap().body.expose(), "\u{1f}not json".as_bytes());
}

#[tokio::test]
async fn a_drip_slower_than_the_limit_loses_the_answer() {
    let limit = Duration::from_millis(200);
    let short = Limits { spending: limit, endpoint: limit, metadata: limit, ..Limits::STANDARD };
    let drip = || Act::WriteAndHold(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{".to_vec());
    let server = Scripted::plain([drip(), drip(), drip()]).await;
    let hasty = HttpTransport::with(short, vec![]);
    for patience in [Patience::Spending, Patience::Endpoint] {
        assert_eq!(lost(hasty.exchange(post(&server.url("/token"), patience)).await), AnswerLost::TimeOver(limit));
    }
    assert_eq!(lost(hasty.exchange(get(&server.url("/metadata"))).await), AnswerLost::TimeOver(limit));
}

#[tokio::test]
async fn the_time_for_connecting_does_not_count_once_the_request_is_written() {
    let short = Limits { connect: Duration::from_millis(1_000), spending: Duration::from_millis(1_300), ..Limits::STANDARD };
    let server = Scripted::plain([Act::WriteAndHold(vec![])]).await;
    let ended = HttpTransport::with(short, vec![]).exchange(post(&server.url("/token"), Patience::Spending)).await;
    assert_eq!(lost(ended), AnswerLost::TimeOver(short.spending));
}

#[test]
fn a_proxy_of_the_environment_is_not_asked() {
    // A process of its own, so that the environment is its own: there, a request must reach its server all the same (D64).
    let one = "upstream::transport_tests::a_whole_answer_comes_with_its_status_headers_and_body";
    let mut child = std::process::Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", one]).env_remove("NO_PROXY").env_remove("no_proxy");
    for name in ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"] {
        child.env(name, "http://127.0.0.1:1");
    }
    let ended = child.output().unwrap();
    let told = String::from_utf8_lossy(&ended.stdout);
    assert!(ended.status.success() && told.contains("1 passed"), "{told}");
}

#[tokio::test]
async fn a_redirect_at_an_endpoint_is_the_answer_and_the_other_host_gets_nothing() {
    for patience in [Patience::Endpoint, Patience::Spending] {
        for status in [301, 302, 303, 307, 308] {
            let evil = Scripted::plain([]).await;
            let server = Scripted::plain([Act::redirect(status, &evil.url("/token"))]).await;
            let answer = transport().exchange(post(&server.url("/token"), patience)).await.unwrap();
            assert_eq!(answer.status, status);
            assert_eq!(evil.received(), [""; 0]);
            assert_eq!(server.received().len(), 1);
        }
    }
}

#[tokio::test]
async fn a_token_that_is_shown_is_shown_once_and_not_to_where_a_redirect_leads() {
    for patience in [Patience::Endpoint, Patience::Metadata] {
        for status in [301, 302, 303, 307, 308] {
            let server = Scripted::plain([Act::redirect(status, "/elsewhere")]).await;
            let authorization = Some(SecretText::new("Bearer SNTL_AT_1"));
            let answer = transport().exchange(HttpRequest { authorization, patience, ..get(&server.url("/userinfo")) }).await;
            assert_eq!(answer.unwrap().status, status);
            let received = server.received();
            assert_eq!(received.len(), 1, "not even within its origin (D5)");
            let lower = received[0].to_ascii_lowercase();
            assert!(received[0].starts_with("GET /userinfo HTTP/1.1\r\n") && received[0].contains(": Bearer SNTL_AT_1\r\n"));
            assert!(lower.contains("\r\naccept: application/json\r\n"), "{received:?}");
        }
    }
}

#[tokio::test]
async fn a_document_is_followed_three_hops_within_its_origin() {
    let hops = || [Act::redirect(307, "/two"), Act::redirect(307, "three"), Act::redirect(307, "/four?x=1")];
    let server = Scripted::plain(hops().into_iter().chain([Act::answer(200, "", "{}")])).await;
    assert_eq!(transport().exchange(get(&server.url("/one"))).await.unwrap().status, 200);
    assert!(server.received()[3].starts_with("GET /four?x=1 "), "{:?}", server.received());

    let server = Scripted::plain(hops().into_iter().chain([Act::redirect(307, "/five")])).await;
    assert_eq!(transport().exchange(get(&server.url("/one"))).await.unwrap().status, 307);
    assert_eq!(server.received().len(), 4);
}

#[tokio::test]
async fn a_document_is_not_followed_to_another_origin() {
    let elsewhere = Scripted::plain([]).await;
    for location in [elsewhere.url("/"), format!("//127.0.0.1:{}/", elsewhere.port), "https://127.0.0.1/".to_owned()] {
        let server = Scripted::plain([Act::redirect(308, &location)]).await;
        assert_eq!(transport().exchange(get(&server.url("/one"))).await.unwrap().status, 308);
    }
    assert_eq!(elsewhere.received(), [""; 0]);
}

/// Serves one HTTP/2 connection after another; `refuses` resets each stream unprocessed.
async fn http2_server(config: Arc<ServerConfig>, refuses: bool) -> (u16, Arc<Mutex<usize>>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let requests = Arc::new(Mutex::new(0));
    let counted = requests.clone();
    Tasks::new().work("http/2 server", async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let stream = tokio_rustls::TlsAcceptor::from(config.clone()).accept(stream).await.unwrap();
            let mut connection = h2::server::handshake(stream).await.unwrap();
            while let Some(Ok((_request, mut respond))) = connection.accept().await {
                *counted.lock().unwrap() += 1;
                if refuses {
                    respond.send_reset(h2::Reason::REFUSED_STREAM);
                } else {
                    let mut body = respond.send_response(http::Response::new(()), false).unwrap();
                    body.send_data("{\"access_token\":\"SNTL_AT_2\"}".into(), true).unwrap();
                }
            }
        }
    });
    (port, requests)
}

#[tokio::test]
async fn http2_is_spoken_and_a_refused_stream_is_not_sent_again() {
    let (config, trusted) = self_signed("127.0.0.1", "h2");
    for (refuses, expected) in [(false, Ok(200)), (true, Err(Undelivered::AnswerLost(AnswerLost::ConnectionEnded)))] {
        let (port, requests) = http2_server(config.clone(), refuses).await;
        let request = post(&format!("https://127.0.0.1:{port}/token"), Patience::Spending);
        let ended = trusting(vec![trusted.clone()]).exchange(request).await;
        assert_eq!(ended.map(|answer| answer.status), expected);
        assert_eq!(*requests.lock().unwrap(), 1);
    }
}

#[tokio::test]
async fn no_secret_is_logged_at_any_level() {
    let log = CapturedLog::begin();
    let answers = [
        Act::answer(200, "X-Token: SNTL_H\r\n", "{\"refresh_token\":\"SNTL_RT_2\"}"),
        Act::Reset,
        Act::Write(b"SNTL_RT_3".to_vec()),
    ];
    let server = Scripted::plain(answers).await;
    for _ in 0..3 {
        let mut request = post(&server.url("/token?key=SNTL_Q"), Patience::Spending);
        request.authorization = Some(SecretText::new("Basic SNTL_CS"));
        let _ = transport().exchange(request).await;
    }
    let (config, trusted) = self_signed("127.0.0.1", "h2");
    let (port, _) = http2_server(config, false).await;
    let mut request = post(&format!("https://127.0.0.1:{port}/token?key=SNTL_Q"), Patience::Spending);
    request.authorization = Some(SecretText::new("Basic SNTL_CS"));
    trusting(vec![trusted]).exchange(request).await.unwrap();

    let text = log.end();
    assert!(text.contains("an authorization server answered") && text.contains("/token"), "{text}");
    assert!(text.contains("h2::"), "the HTTP stack's own lines are looked at too: {text}");
    assert!(!text.contains("SNTL"), "{text}");
}
