//! The configured network: further trust from a file (D10), a proxy that loopback never sees (D64). And where names may lead (P21).

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::time::Duration;

use mcp_authd_oauth::endpoint::{Endpoint, Loopback};
use mcp_authd_oauth::http::{HttpAnswer, HttpRequest, Method, NothingSent, Patience, Undelivered};
use mcp_authd_oauth::reach::Reach;
use mcp_authd_oauth::secret::SecretText;

use tokio::sync::watch;

use super::drive::Transport;
use super::scripted::{Act, Scripted, Speaks, self_signed_in_pem};
use super::transport::{HttpTransport, Limits};
use crate::config::{Config, Network};

fn network(toml: &str) -> Network {
    Config::parse(toml, "config.toml".as_ref()).unwrap().network
}

async fn refresh(network: Network, url: &str) -> Result<HttpAnswer, Undelivered> {
    transport(watch::channel(network).1).exchange(request(url)).await
}

fn transport(network: watch::Receiver<Network>) -> HttpTransport {
    HttpTransport::over_network(Limits { connect: Duration::from_secs(60), ..Limits::STANDARD }, network)
}

fn request(url: &str) -> HttpRequest {
    HttpRequest {
        endpoint: Endpoint::parse(url, Loopback::Allowed).unwrap(),
        method: Method::PostForm(SecretText::new("refresh_token=SNTL_RT_1")),
        authorization: None,
        patience: Patience::Spending,
    }
}

#[tokio::test]
async fn a_network_that_is_configured_anew_is_taken_by_the_next_request_and_its_mistakes_too() {
    let (config, pem) = self_signed_in_pem("127.0.0.1", "http/1.1");
    let server = Scripted::plays(Speaks::Tls(config), [Act::answer(200, "", "{}")]).await;
    let url = format!("https://127.0.0.1:{}/token", server.port);
    let (change, reached) = watch::channel(Network::default());
    let transport = transport(reached);
    assert_eq!(transport.exchange(request(&url)).await.unwrap_err(), Undelivered::NothingSent(NothingSent::NotVerified));
    change.send_replace(Network { certificates: Some(pem), proxy: None });
    assert_eq!(transport.exchange(request(&url)).await.unwrap().status, 200);
    let broken = Network { certificates: Some("-----BEGIN CERTIFICATE-----\n!!\n".to_owned()), proxy: None };
    change.send_replace(broken);
    assert_eq!(transport.exchange(request(&url)).await.unwrap_err(), Undelivered::NothingSent(NothingSent::NotVerified));
    assert_eq!(server.received().len(), 1);
}

#[tokio::test]
async fn a_certificate_from_the_configured_file_is_trusted_and_without_it_nothing_is_sent() {
    let (config, pem) = self_signed_in_pem("127.0.0.1", "http/1.1");
    let server = Scripted::plays(Speaks::Tls(config), [Act::answer(200, "", "{}")]).await;
    let url = format!("https://127.0.0.1:{}/token", server.port);
    assert_eq!(refresh(Network::default(), &url).await.unwrap_err(), Undelivered::NothingSent(NothingSent::NotVerified));
    assert!(server.received().is_empty());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, pem).unwrap();
    let trusting = network(&format!("[network]\nca_file = \"{}\"\n", file.display()));
    assert_eq!(refresh(trusting, &url).await.unwrap().status, 200);
}

#[tokio::test]
async fn a_file_without_a_readable_certificate_ends_every_request_before_it_is_sent() {
    let server = Scripted::plain([]).await;
    let broken = Network { certificates: Some("-----BEGIN CERTIFICATE-----\n!!\n".to_owned()), proxy: None };
    let ended = refresh(broken, &server.url("/token")).await;
    assert_eq!(ended.unwrap_err(), Undelivered::NothingSent(NothingSent::NotVerified));
    assert!(server.received().is_empty());
}

#[tokio::test]
async fn a_proxy_is_asked_for_a_tunnel_and_sees_no_secret_and_nothing_of_loopback() {
    let proxy = Scripted::plain([Act::answer(403, "", "")]).await;
    let through = network(&format!("[network]\nproxy = \"{}\"\n", proxy.url("")));
    let ended = refresh(through.clone(), "https://as.example/token").await;
    assert!(matches!(ended, Err(Undelivered::NothingSent(_))), "{ended:?}");
    assert!(proxy.received()[0].starts_with("CONNECT as.example:443 "), "{:?}", proxy.received());
    assert!(!proxy.received()[0].contains("SNTL"));
    let near = Scripted::plain([Act::answer(200, "", "{}")]).await;
    assert_eq!(refresh(through, &near.url("/token")).await.unwrap().status, 200);
    assert_eq!(proxy.received().len(), 1);
}

#[tokio::test]
async fn p21_a_name_leads_no_nearer_than_who_named_it_may_name_and_nothing_is_connected() {
    let canary = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    canary.set_nonblocking(true).unwrap();
    let url = format!("http://localhost:{}/token", canary.local_addr().unwrap().port());
    let transport = transport(watch::channel(Network::default()).1);
    for nearest in [Reach::Public, Reach::Private] {
        for patience in [Patience::Spending, Patience::Metadata, Patience::Challenge] {
            let mut from_afar = HttpRequest { patience, ..request(&url) };
            from_afar.endpoint = from_afar.endpoint.within(nearest);
            if patience != Patience::Spending {
                from_afar.method = Method::Get;
            }
            assert_eq!(transport.exchange(from_afar).await.unwrap_err(), Undelivered::NothingSent(NothingSent::LeadsNearer));
        }
    }
    assert_eq!(canary.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock, "the canary hears nothing");
    // what a person wrote leads anywhere, by the same transport
    let server = Scripted::plain([Act::answer(200, "", "{}")]).await;
    let answer = transport.exchange(request(&format!("http://localhost:{}/token", server.port))).await.unwrap();
    assert_eq!((answer.status, answer.peer), (200, Reach::ThisMachine));
}

#[tokio::test]
async fn p21_a_proxy_is_the_persons_wherever_it_is_and_nobody_knows_who_stands_behind_it() {
    let proxy = Scripted::plain([Act::answer(502, "", "")]).await;
    let network = network(&format!("[network]\nproxy = \"http://localhost:{}\"", proxy.port));
    let mut from_afar = request("https://as.example/token");
    from_afar.endpoint = from_afar.endpoint.within(Reach::Public);
    let refused = transport(watch::channel(network).1).exchange(from_afar).await.unwrap_err();
    assert_eq!(refused, Undelivered::NothingSent(NothingSent::NotConnected));
    assert!(proxy.received()[0].starts_with("CONNECT as.example:443"), "{:?}", proxy.received());
}
