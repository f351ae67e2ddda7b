//! The person with a browser: opens the URL of a prompt, answers on the page there, is sent back, and reads the page at the end.
//!
//! Must never: follow anywhere but to loopback, or go on where a real browser would not.

use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use url::Url;

use crate::plain_http;

/// Far longer than a page takes.
const WATCHDOG: Duration = Duration::from_secs(60);
/// What a browser says beside the host.
const FIELDS: &str = "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n\
    Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n\
    Accept-Language: en\r\n\
    Accept-Encoding: gzip, deflate\r\n\
    Connection: keep-alive\r\n\
    Upgrade-Insecure-Requests: 1\r\n\
    Sec-Fetch-Dest: document\r\n\
    Sec-Fetch-Mode: navigate\r\n\
    Sec-Fetch-Site: cross-site\r\n";

/// What a person sees at the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// `HTTP/1.1 200 OK`
    pub status_line: String,
    /// The fields, as they came.
    pub fields: Vec<String>,
    /// The text of the page, a line for each paragraph.
    pub text: String,
}

impl Seen {
    /// The status.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status_line.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default()
    }
}

/// Opens the URL, presses Approve, is sent back. What is seen there.
///
/// # Errors
/// Where the login does not come to that page.
pub async fn approve(authorization_url: &Url) -> Result<Seen> {
    follow(&answer("approve", authorization_url, &[]).await?).await
}

/// The same, as somebody else (D23).
///
/// # Errors
/// As [`approve`].
pub async fn approve_as(subject: &str, authorization_url: &Url) -> Result<Seen> {
    follow(&answer("approve", authorization_url, &[("subject", subject)]).await?).await
}

/// Opens the URL, presses Deny, is sent back. What is seen there.
///
/// # Errors
/// As [`approve`].
pub async fn deny(authorization_url: &Url) -> Result<Seen> {
    follow(&answer("deny", authorization_url, &[]).await?).await
}

/// Opens the URL and presses a button: where the browser is sent then, without going there.
///
/// # Errors
/// Where the page does not open, lacks the button, or sends the browser nowhere.
pub async fn answer(button: &str, authorization_url: &Url, more: &[(&str, &str)]) -> Result<Url> {
    let page = plain_http::fetch(authorization_url.as_str()).await.context("the page did not open")?;
    ensure!(page.status == 200, "the page is another one: status {}", page.status);
    ensure!(page.text().contains(&format!("name=\"answer\" value=\"{button}\"")), "the page has no button to {button}");
    let form: Vec<(&str, &str)> = [("answer", button)].into_iter().chain(more.iter().copied()).collect();
    let sent = plain_http::post_form(authorization_url.as_str(), &form).await.context("the page did not take the answer")?;
    match (sent.status, sent.header("location")) {
        (303, Some(location)) => Url::parse(location).context("the browser was sent to no address"),
        (status, _) => bail!("the browser was not sent back: status {status}"),
    }
}

/// Goes where a browser was sent, and reads the page to its announced end; then it closes the connection, as a browser does.
///
/// # Errors
/// Where nobody answers there, or not with a whole page.
pub async fn follow(location: &Url) -> Result<Seen> {
    tokio::time::timeout(WATCHDOG, read_page(location)).await.context("the page never came")?
}

async fn read_page(location: &Url) -> Result<Seen> {
    let host = &location[url::Position::BeforeHost..url::Position::AfterPort];
    let target = &location[url::Position::BeforePath..url::Position::AfterQuery];
    let addresses = location.socket_addrs(|| None)?;
    ensure!(addresses.iter().all(|address| address.ip().is_loopback()), "a way back that leads away");
    let mut stream = TcpStream::connect(addresses.as_slice()).await.context("nobody listens there")?;
    stream.write_all(format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n{FIELDS}\r\n").as_bytes()).await?;

    let mut head = Vec::new();
    let end = loop {
        if let Some(end) = head.windows(4).position(|window| window == b"\r\n\r\n") {
            break end + 4;
        }
        ensure!(stream.read_buf(&mut head).await? > 0, "the answer broke off in its head");
    };
    let mut body = head.split_off(end);
    let head = String::from_utf8(head).context("the head is no text")?;
    let mut lines = head.trim_end().split("\r\n").map(str::to_owned);
    let status_line = lines.next().unwrap_or_default();
    let fields: Vec<String> = lines.collect();
    let length = fields.iter().find_map(|field| field.strip_prefix("Content-Length: ")?.parse::<usize>().ok());
    let length = length.context("the page has no announced length")?;
    while body.len() < length {
        ensure!(stream.read_buf(&mut body).await? > 0, "the page broke off");
    }
    ensure!(body.len() == length, "more came than was announced");
    Ok(Seen { status_line, fields, text: text_of(&String::from_utf8(body).context("the page is no text")?) })
}

/// What stands in the body of a page, without its tags: a line for each that is not empty.
fn text_of(html: &str) -> String {
    let body = html.split_once("<body>").map_or(html, |(_, body)| body);
    let mut text = String::new();
    for piece in body.split('<') {
        text.push_str(piece.split_once('>').map_or(piece, |(_tag, after)| after));
    }
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.map(|line| format!("{line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_of_a_page_is_what_stands_between_its_tags() {
        let html = "<head><style>a > b {}</style></head>\n<body>\n<h1>One</h1>\n<p>two <code>three</code> four</p>\n\n</body>";
        assert_eq!(text_of(html), "One\ntwo three four\n");
    }
}
