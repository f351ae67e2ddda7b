//! What a web page could send, if it ever reached a socket (P16).

use std::time::Duration;

use mcp_authd_tests::listening;
use mcp_authd_tests::programs::program;
use mcp_authd_tests::sentinel;
use mcp_authd_tests::skip::{Skip, skipped};

use super::load::{asked, serving};
use super::peer::Peer;
use crate::effort::{figures, rounds};

/// Ten times as long as a peer may stay that does not come to the point.
const WATCHDOG: Duration = Duration::from_secs(100);

const CALLS: [&str; 4] =
    ["/authd.v1.Tokens/GetToken", "/authd.v1.Tokens/ListAccounts", "/authd.v1.Admin/Status", "/grpc.health.v1.Health/Check"];
const TYPES: [&str; 6] = [
    "application/grpc",
    "application/grpc-web",
    "application/grpc-web+proto",
    "application/grpc-web-text",
    "application/json",
    "text/plain",
];
const ORIGINS: [&str; 4] = ["https://evil.example", "null", "http://localhost", "http://127.0.0.1:8080"];

/// All of them.
fn requests() -> Vec<Vec<u8>> {
    let mut requests = vec![
        b"GET / HTTP/1.0\r\n\r\n".to_vec(),
        b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABk\r\n\r\n"
            .to_vec(),
        b"CONNECT localhost:443 HTTP/1.1\r\nHost: localhost:443\r\n\r\n".to_vec(),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 a TLS hello".to_vec(),
        // A form that a page posts may begin as it likes, but only after the request line.
        [b"POST / HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: 33\r\n\r\n", super::peer::OPENING].concat(),
    ];
    for origin in ORIGINS {
        requests.push(
            format!(
                "GET / HTTP/1.1\r\nHost: localhost\r\nOrigin: {origin}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                 Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
            )
            .into_bytes(),
        );
        for call in CALLS {
            requests.push(
                format!(
                    "OPTIONS {call} HTTP/1.1\r\nHost: localhost\r\nOrigin: {origin}\r\nAccess-Control-Request-Method: POST\r\n\
                     Access-Control-Request-Headers: content-type,x-grpc-web\r\n\r\n"
                )
                .into_bytes(),
            );
            for content in TYPES {
                let head = format!(
                    "POST {call} HTTP/1.1\r\nHost: localhost\r\nOrigin: {origin}\r\nContent-Type: {content}\r\nX-Grpc-Web: 1\r\n\
                     Content-Length: 5\r\n\r\n"
                );
                requests.push([head.as_bytes(), &[0; 5]].concat());
            }
        }
    }
    requests
}

#[tokio::test]
async fn p16_no_browser_is_answered_and_nothing_listens_on_the_network() {
    // given
    let (_server, daemon) = serving().await;
    let (requests, rounds) = (requests(), rounds(50, 1));

    // when everything that a page can send comes in at both doors
    let mut longest = 0;
    for _ in 0..rounds {
        for socket in [daemon.tokens_socket(), daemon.admin_socket()] {
            for request in &requests {
                let mut peer = Peer::connected(&socket).await.expect("there is a place");
                let _closed_already = peer.say(request).await;
                let heard = tokio::time::timeout(WATCHDOG, peer.closed()).await.expect("the connection is closed");

                // then nothing comes that a page could read as an answer: HTTP/2's own SETTINGS and GOAWAY at most
                let shown = String::from_utf8_lossy(&heard);
                let helps = ["HTTP/1", "200", "grpc", "Access-Control", "Sec-WebSocket", "authd"];
                assert!(!helps.iter().any(|word| shown.contains(word)), "{shown:?}");
                assert!(sentinel::in_bytes(&heard).is_none());
                longest = longest.max(heard.len());
            }
        }
    }
    asked(&program(&daemon)).await;

    // and there is no other door
    match listening::on_the_network(daemon.pid()) {
        Some(found) => assert_eq!(found, Vec::<String>::new(), "sockets that listen on the network"),
        None => skipped("p16: nothing listens on the network", &Skip("/proc/PID/fd cannot be read here: run as root".to_owned())),
    }
    let sent = rounds * requests.len() * 2;
    figures(
        "p16",
        format!("{sent} requests closed, none answered, {longest} bytes of HTTP/2 at most; no listener on the network"),
    );
}
