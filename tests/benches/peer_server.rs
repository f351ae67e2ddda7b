//! The least of an authorization server that the peer logs in to: metadata, and the same answer to every refresh. Ours does not know the
//! client authentication that the peer insists on.
//!
//! Must never: be asked while something is measured.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

/// Ends when it is dropped.
pub(crate) struct PeerServer {
    issuer: String,
    ending: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl PeerServer {
    /// On loopback.
    pub(crate) fn start() -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).context("a port on loopback is free")?;
        let issuer = format!("http://{}", listener.local_addr()?);
        let ending = Arc::new(AtomicBool::new(false));
        let (own_issuer, is_ending) = (issuer.clone(), Arc::clone(&ending));
        let thread = std::thread::spawn(move || {
            for connection in listener.incoming().map_while(Result::ok) {
                if is_ending.load(Ordering::SeqCst) {
                    return;
                }
                let _the_peer_tells = answer(connection, &own_issuer);
            }
        });
        Ok(Self { issuer, ending, thread: Some(thread) })
    }

    /// Its issuer identifier.
    pub(crate) fn issuer(&self) -> &str {
        &self.issuer
    }
}

impl Drop for PeerServer {
    fn drop(&mut self) {
        self.ending.store(true, Ordering::SeqCst);
        let _wakes_it = TcpStream::connect(self.issuer.trim_start_matches("http://"));
        if let Some(thread) = self.thread.take() {
            let _panicked = thread.join();
        }
    }
}

/// One request on one connection.
fn answer(mut connection: TcpStream, issuer: &str) -> Result<()> {
    let mut reader = BufReader::new(connection.try_clone()?);
    let (mut request, mut length) = (String::new(), 0);
    reader.read_line(&mut request)?;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        if header.trim().is_empty() {
            break;
        }
        if let Some((_, value)) = header.split_once(':').filter(|(name, _)| name.eq_ignore_ascii_case("content-length")) {
            length = value.trim().parse()?;
        }
    }
    std::io::copy(&mut reader.take(length), &mut std::io::sink())?;
    let body = if request.starts_with("GET") { metadata(issuer) } else { token() }.to_string();
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length:";
    Ok(write!(connection, "{head} {}\r\n\r\n{body}", body.len())?)
}

/// OpenID Connect Discovery, section 3.
fn metadata(issuer: &str) -> Value {
    json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"),
        "scopes_supported": ["openid"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "response_types_supported": ["code"],
    })
}

fn token() -> Value {
    json!({
        "access_token": "an-access-token-as-long-as-those-of-our-server",
        "token_type": "Bearer",
        "expires_in": 3600,
        "refresh_token": "a-refresh-token",
        "scope": "openid",
    })
}
