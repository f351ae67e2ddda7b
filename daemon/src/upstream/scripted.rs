//! A server on loopback that plays a script: what it does after each request, in order, and what it has received.
//!
//! For the tests of this room only. It speaks bytes, so that it can break every rule.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use reqwest::Certificate;
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::host::tasks::Tasks;

/// What the server does once it has read a request.
pub(super) enum Act {
    /// Writes these bytes and closes the connection.
    Write(Vec<u8>),
    /// Writes these bytes and keeps the connection open.
    WriteAndHold(Vec<u8>),
    /// Ends the connection with a reset.
    Reset,
}

impl Act {
    /// A whole answer.
    pub(super) fn answer(status: u16, headers: &str, body: &str) -> Self {
        Self::Write(
            format!("HTTP/1.1 {status} Scripted\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
                .into_bytes(),
        )
    }

    /// A redirect.
    pub(super) fn redirect(status: u16, location: &str) -> Self {
        Self::answer(status, &format!("Location: {location}\r\n"), "")
    }
}

/// How the server speaks.
pub(super) enum Speaks {
    Plain,
    Tls(Arc<ServerConfig>),
}

/// A running server.
pub(super) struct Scripted {
    pub(super) port: u16,
    received: Arc<Mutex<Vec<String>>>,
    script: Arc<Mutex<VecDeque<Act>>>,
}

impl Scripted {
    pub(super) async fn plays(speaks: Speaks, script: impl IntoIterator<Item = Act>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let script = Arc::new(Mutex::new(script.into_iter().collect()));
        let server = Self { port: listener.local_addr().unwrap().port(), received: Arc::default(), script };
        let (received, script) = (server.received.clone(), server.script.clone());
        Tasks::new().work("scripted server", async move {
            let mut held = Vec::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                held.push(match &speaks {
                    Speaks::Plain => play(stream, &received, &script).await,
                    Speaks::Tls(config) => match TlsAcceptor::from(config.clone()).accept(stream).await {
                        Ok(stream) => play(stream, &received, &script).await,
                        Err(_) => None,
                    },
                });
            }
        });
        server
    }

    pub(super) async fn plain(script: impl IntoIterator<Item = Act>) -> Self {
        Self::plays(Speaks::Plain, script).await
    }

    /// Goes on with these: for a script that names the server's own port.
    pub(super) fn then(&self, script: impl IntoIterator<Item = Act>) {
        self.script.lock().unwrap().extend(script);
    }

    /// Every request, whole, in order.
    pub(super) fn received(&self) -> Vec<String> {
        self.received.lock().unwrap().clone()
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }
}

trait Connection: AsyncRead + AsyncWrite + Send + Unpin {
    fn reset_on_drop(&self);
}

impl Connection for TcpStream {
    fn reset_on_drop(&self) {
        self.set_zero_linger().unwrap();
    }
}

impl Connection for tokio_rustls::server::TlsStream<TcpStream> {
    fn reset_on_drop(&self) {
        self.get_ref().0.set_zero_linger().unwrap();
    }
}

async fn play<C: Connection + 'static>(
    mut connection: C,
    received: &Mutex<Vec<String>>,
    script: &Mutex<VecDeque<Act>>,
) -> Option<Box<dyn Connection>> {
    let request = read_request(&mut connection).await?;
    received.lock().unwrap().push(request);
    let act = script.lock().unwrap().pop_front();
    match act.expect("one act for each request") {
        Act::Write(bytes) => {
            connection.write_all(&bytes).await.ok()?;
            connection.shutdown().await.ok()?;
            None
        }
        Act::WriteAndHold(bytes) => {
            connection.write_all(&bytes).await.ok()?;
            connection.flush().await.ok()?;
            Some(Box::new(connection))
        }
        Act::Reset => {
            connection.reset_on_drop();
            None
        }
    }
}

/// Head and body of one request; `None` where the peer went away before.
async fn read_request(connection: &mut (impl AsyncRead + Unpin)) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .filter_map(|line| {
                    line.to_ascii_lowercase().strip_prefix("content-length:").map(|n| n.trim().parse::<usize>().unwrap())
                })
                .next()
                .unwrap_or(0);
            if body.len() >= length {
                return Some(text);
            }
        }
        if connection.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}

/// A certificate for `name` that signs itself: the server's side, and the client's trust in it.
pub(super) fn self_signed(name: &str, alpn: &str) -> (Arc<ServerConfig>, Certificate) {
    let (config, pem) = self_signed_in_pem(name, alpn);
    (config, Certificate::from_pem(pem.as_bytes()).unwrap())
}

/// The same, with the trust as a file holds it.
pub(super) fn self_signed_in_pem(name: &str, alpn: &str) -> (Arc<ServerConfig>, String) {
    let made = rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    config.alpn_protocols = vec![alpn.as_bytes().to_vec()];
    (Arc::new(config), made.cert.pem())
}
