//! A peer that speaks HTTP/2 by the byte (RFC 9113), as far as it likes.
//!
//! Must never: be polite.

use std::io;
use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;

/// The preface with empty SETTINGS (RFC 9113, 3.4): a whole handshake.
pub(super) const OPENING: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

pub(super) const DATA: u8 = 0x0;
pub(super) const HEADERS: u8 = 0x1;
pub(super) const PRIORITY: u8 = 0x2;
pub(super) const RST_STREAM: u8 = 0x3;
pub(super) const SETTINGS: u8 = 0x4;
pub(super) const PING: u8 = 0x6;
pub(super) const WINDOW_UPDATE: u8 = 0x8;
pub(super) const CONTINUATION: u8 = 0x9;

pub(super) const END_HEADERS: u8 = 0x4;

/// A frame (RFC 9113, 4.1).
pub(super) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a frame is small").to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// The header block of a call (RFC 7541, 6): indexed and literal fields, nothing compressed.
pub(super) fn call_of(path: &str) -> Vec<u8> {
    // :method POST, :scheme http, :path
    let mut block = vec![0x83, 0x86, 0x04];
    block.extend(text(path));
    block.push(0x01); // :authority
    block.extend(text("localhost"));
    block.extend(field("content-type", "application/grpc"));
    block.extend(field("te", "trailers"));
    block
}

/// A literal field with a new name that is not put into the table.
pub(super) fn field(name: &str, value: &str) -> Vec<u8> {
    [vec![0x00], text(name), text(value)].concat()
}

/// A string without Huffman's code, shorter than 127 bytes or of two further bytes of length (RFC 7541, 5.1 and 5.2).
pub(super) fn text(text: &str) -> Vec<u8> {
    let length = text.len();
    let mut bytes = match u8::try_from(length) {
        Ok(short) if short < 127 => vec![short],
        _ => {
            let rest = length - 127;
            vec![127, u8::try_from(rest % 128).expect("seven bits") | 0x80, u8::try_from(rest / 128).expect("a short text")]
        }
    };
    bytes.extend(text.as_bytes());
    bytes
}

/// A connection.
pub(super) struct Peer(UnixStream);

impl Peer {
    /// Only connected.
    pub(super) async fn connected(socket: &Path) -> io::Result<Self> {
        loop {
            match UnixStream::connect(socket).await {
                // The backlog is full.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => tokio::task::yield_now().await,
                connected => return connected.map(Self),
            }
        }
    }

    /// With a whole handshake.
    pub(super) async fn shaken(socket: &Path) -> io::Result<Self> {
        let mut peer = Self::connected(socket).await?;
        peer.say(OPENING).await?;
        Ok(peer)
    }

    pub(super) async fn say(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes).await
    }

    /// Some bytes that came; none: closed.
    pub(super) async fn hears(&mut self) -> Vec<u8> {
        let mut buffer = vec![0; 4096];
        let came = self.0.read(&mut buffer).await.unwrap_or(0);
        buffer.truncate(came);
        buffer
    }

    /// Reads until the other side has closed; all that came.
    pub(super) async fn closed(&mut self) -> Vec<u8> {
        let mut heard = Vec::new();
        loop {
            match self.hears().await {
                came if came.is_empty() => return heard,
                came => heard.extend(came),
            }
        }
    }

    /// Says this, and no more once nothing has come for so long, hearing all the while; all that came until the other side has closed.
    pub(super) async fn says_all(&mut self, bytes: &[u8], quiet: Duration) -> Vec<u8> {
        let (mut hearing, mut saying) = self.0.split();
        let (mut heard, mut is_said) = (Vec::new(), false);
        // One that is closed early has not heard it all.
        let say = async { drop(saying.write_all(bytes).await) };
        let hear = async {
            while let Ok(came) = tokio::time::timeout(quiet, hearing.read_buf(&mut heard)).await {
                if !matches!(came, Ok(1..)) {
                    return;
                }
            }
            is_said = true;
        };
        tokio::join!(say, hear);
        if is_said {
            let _closed_already = saying.shutdown().await;
            let _reset = hearing.read_to_end(&mut heard).await;
        }
        heard
    }

    /// Says it again and again, hearing all the while, until the other side has closed, at most so often. Whether it has.
    pub(super) async fn floods(self, times: usize, mut bytes: impl FnMut(usize) -> Vec<u8>) -> bool {
        let (mut hearing, mut saying) = self.0.into_split();
        let mut nowhere = tokio::io::sink();
        let closed = async { drop(tokio::io::copy(&mut hearing, &mut nowhere).await) };
        let flood = async {
            for time in 0..times {
                if saying.write_all(&bytes(time)).await.is_err() {
                    return true;
                }
            }
            false
        };
        tokio::pin!(closed);
        tokio::select! {
            () = &mut closed => true,
            is_closed = flood => is_closed || tokio::time::timeout(super::load::SETTLED, closed).await.is_ok(),
        }
    }
}
