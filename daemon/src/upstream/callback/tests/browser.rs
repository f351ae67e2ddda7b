//! What talks to the listener: a browser as far as it counts here, and one that does what no browser does.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::NonZeroU16;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub(super) const V4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
pub(super) const V6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

/// A connection; whoever holds it has not closed it.
pub(super) struct Browser(pub(super) TcpStream);

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shown {
    pub(super) status: u16,
    pub(super) head: String,
    pub(super) body: String,
}

impl Browser {
    pub(super) async fn connect(address: IpAddr, port: NonZeroU16) -> Self {
        Self(TcpStream::connect(SocketAddr::new(address, port.get())).await.unwrap())
    }

    pub(super) async fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.unwrap();
    }

    /// Reads one answer by its length. `None`: it was closed or reset without one.
    pub(super) async fn shown(&mut self) -> Option<Shown> {
        let mut bytes = Vec::new();
        loop {
            let mut chunk = [0; 4096];
            match self.0.read(&mut chunk).await {
                Ok(0) | Err(_) => return None,
                Ok(length) => bytes.extend_from_slice(&chunk[..length]),
            }
            let text = String::from_utf8(bytes.clone()).unwrap();
            let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
            let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")).unwrap().parse().unwrap();
            if body.len() >= length {
                assert_eq!(body.len(), length);
                let status = head.split(' ').nth(1).unwrap().parse().unwrap();
                return Some(Shown { status, head: head.to_owned(), body: body.to_owned() });
            }
        }
    }

    /// Whether it has been closed by the other side without a word.
    pub(super) async fn is_cut_off(&mut self) -> bool {
        !matches!(self.0.read(&mut [0; 1]).await, Ok(1))
    }
}

/// Sends these bytes at 127.0.0.1, reads the answer, and closes, as `Connection: close` tells.
pub(super) async fn say(port: NonZeroU16, bytes: &[u8]) -> Shown {
    let mut browser = Browser::connect(V4, port).await;
    browser.send(bytes).await;
    browser.shown().await.unwrap()
}

/// Follows a redirect, as a browser writes it.
pub(super) async fn visit(url: &str) -> Shown {
    let (authority, target) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let (host, port) = authority.rsplit_once(':').unwrap();
    let address = if host == "[::1]" { V6 } else { V4 };
    let mut browser = Browser::connect(address, port.parse().unwrap()).await;
    browser.send(format!("GET /{target} HTTP/1.1\r\nHost: {authority}\r\nAccept: text/html\r\n\r\n").as_bytes()).await;
    browser.shown().await.unwrap()
}

/// Whether anybody listens there.
pub(super) async fn listens(address: IpAddr, port: NonZeroU16) -> bool {
    TcpStream::connect(SocketAddr::new(address, port.get())).await.is_ok()
}
