//! The head of a request as a browser sends it after a redirect (RFC 9112), and nothing beyond: one line, fields, no body.
//!
//! Must never: repair what is malformed, read past its bounds, or keep a copy of what was read that nobody wipes.

use mcp_authd_oauth::secret::SecretText;
use zeroize::Zeroizing;

/// The longest head, with the empty line at its end, in bytes (D30).
pub(super) const LONGEST_HEAD: usize = 8 * 1024;
const END: &[u8] = b"\r\n\r\n";

/// What counts of a request.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) method: Method,
    /// As it was sent; visible ASCII.
    pub(super) host: String,
    /// As it was sent, not decoded; begins with a slash.
    pub(super) path: String,
    /// What follows the first question mark; empty where there is none.
    pub(super) query: SecretText,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    Get,
    Other,
}

/// Why a request is not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refused {
    #[error("more than 8 KiB")]
    TooLong,
    #[error("not HTTP")]
    NotHttp,
    #[error("not a request line of HTTP/1.1 with a path (RFC 9112, 3)")]
    RequestLine,
    #[error("a malformed field (RFC 9112, 5)")]
    Field,
    #[error("no Host, or more than one (RFC 9112, 3.2)")]
    Host,
    #[error("a body")]
    Body,
}

/// A head on its way.
pub(super) struct Head(Zeroizing<Vec<u8>>);

impl Head {
    pub(super) fn new() -> Self {
        // All at once: a vector that grows leaves what it held behind.
        Self(Zeroizing::new(Vec::with_capacity(LONGEST_HEAD)))
    }

    /// Takes what has come. `None`: the end of the head is not there yet. What follows it is not looked at.
    ///
    /// What cannot be a head is refused as soon as that is certain, so that whoever speaks something else does not wait.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Option<Result<Request, Refused>> {
        for byte in bytes {
            if self.0.len() == LONGEST_HEAD {
                return Some(Err(Refused::TooLong));
            }
            if !may_follow(self.0.last().copied(), *byte) {
                return Some(Err(Refused::NotHttp));
            }
            self.0.push(*byte);
            if *byte == b'\n' && self.0.ends_with(END) {
                return Some(parse(&self.0));
            }
        }
        None
    }
}

/// CR and LF come in pairs only, a head begins with a method, and no other control character stands in one but the tab.
fn may_follow(last: Option<u8>, byte: u8) -> bool {
    match (last, byte) {
        (None, first) => is_token(first),
        (Some(b'\r'), byte) => byte == b'\n',
        (Some(_), b'\n') => false,
        (Some(_), byte) => matches!(byte, b'\t' | b'\r') || !byte.is_ascii_control(),
    }
}

/// RFC 9110, 5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

fn parse(head: &[u8]) -> Result<Request, Refused> {
    let head = head.strip_suffix(END).ok_or(Refused::NotHttp)?;
    // CR stands before LF and nowhere else.
    let mut lines = head.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let (method, path, query) = request_line(lines.next().unwrap_or_default())?;
    let mut host = None;
    for line in lines {
        let (name, value) = field(line)?;
        if name.eq_ignore_ascii_case(b"host") {
            let value = visible(value).ok_or(Refused::Host)?;
            if host.replace(value).is_some() {
                return Err(Refused::Host);
            }
        }
        let is_length = name.eq_ignore_ascii_case(b"content-length");
        if name.eq_ignore_ascii_case(b"transfer-encoding") || (is_length && value != b"0") {
            return Err(Refused::Body);
        }
    }
    let host = host.ok_or(Refused::Host)?.to_owned();
    Ok(Request { method, host, path: path.to_owned(), query: SecretText::new(query) })
}

/// RFC 9112, 3: one space between its parts. Of the forms of a target only a path with its query.
fn request_line(line: &[u8]) -> Result<(Method, &str, &str), Refused> {
    let mut parts = line.split(|byte| *byte == b' ');
    let (Some(method), Some(target), Some(b"HTTP/1.1"), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
        return Err(Refused::RequestLine);
    };
    let target = visible(target).ok_or(Refused::RequestLine)?;
    if !method.iter().copied().all(is_token) || !target.starts_with('/') || target.contains('#') {
        return Err(Refused::RequestLine);
    }
    let method = if method == b"GET" { Method::Get } else { Method::Other };
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    Ok((method, path, query))
}

/// RFC 9112, 5. A line that begins with white space (obs-fold) has no name.
fn field(line: &[u8]) -> Result<(&[u8], &[u8]), Refused> {
    let colon = line.iter().position(|byte| *byte == b':').ok_or(Refused::Field)?;
    let (name, value) = line.split_at(colon);
    if name.is_empty() || !name.iter().copied().all(is_token) {
        return Err(Refused::Field);
    }
    Ok((name, value.get(1..).unwrap_or_default().trim_ascii()))
}

/// Not empty, and visible ASCII throughout.
fn visible(bytes: &[u8]) -> Option<&str> {
    let fits = !bytes.is_empty() && bytes.iter().all(u8::is_ascii_graphic);
    fits.then(|| std::str::from_utf8(bytes).ok()).flatten()
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
