//! HTTP as plain as it gets: one request on one connection, over plain http, to loopback.
//!
//! Must never: follow a redirect, send again, or keep a connection. A story sees what was said, and only that.

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;
use url::Url;

/// A whole answer.
#[derive(Debug, Clone)]
pub struct Answered {
    /// The status.
    pub status: u16,
    /// The headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Answered {
    /// A header's first value.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON; `Null` where it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// A text member of a JSON body; empty where there is none.
    #[must_use]
    pub fn member(&self, name: &str) -> String {
        self.json().get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
    }
}

/// GET.
///
/// # Errors
/// No whole answer came.
pub async fn fetch(url: &str) -> Result<Answered> {
    exchange(Request::get(url), Bytes::new()).await
}

/// GET with `Authorization: Bearer` (RFC 6750, 2.1).
///
/// # Errors
/// No whole answer came.
pub async fn fetch_with_token(url: &str, access_token: &str) -> Result<Answered> {
    exchange(Request::get(url).header("authorization", format!("Bearer {access_token}")), Bytes::new()).await
}

/// POST of a form.
///
/// # Errors
/// No whole answer came.
pub async fn post_form(url: &str, parameters: &[(&str, &str)]) -> Result<Answered> {
    let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
    exchange(Request::post(url).header("content-type", "application/x-www-form-urlencoded"), Bytes::from(form)).await
}

/// POST of a form, with an `Authorization` header as it is given.
///
/// # Errors
/// No whole answer came.
pub async fn post_form_as(authorization: &str, url: &str, parameters: &[(&str, &str)]) -> Result<Answered> {
    let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
    let request = Request::post(url).header("content-type", "application/x-www-form-urlencoded");
    exchange(request.header("authorization", authorization), Bytes::from(form)).await
}

/// POST of JSON.
///
/// # Errors
/// No whole answer came.
pub async fn post_json(url: &str, value: &Value) -> Result<Answered> {
    exchange(Request::post(url).header("content-type", "application/json"), Bytes::from(value.to_string())).await
}

/// The same, with these headers.
///
/// # Errors
/// No whole answer came.
pub async fn post_json_with(headers: &[(&str, &str)], url: &str, value: &Value) -> Result<Answered> {
    let request = Request::post(url).header("content-type", "application/json");
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    exchange(request, Bytes::from(value.to_string())).await
}

async fn exchange(request: hyper::http::request::Builder, body: Bytes) -> Result<Answered> {
    let url = Url::parse(&request.uri_ref().context("no URL")?.to_string())?;
    ensure!(url.scheme() == "http", "this client speaks plain http only");
    let authority = url.socket_addrs(|| Some(80))?;
    let host = format!("{}:{}", url.host_str().context("no host")?, url.port_or_known_default().unwrap_or(80));
    let target = &url[url::Position::BeforePath..url::Position::AfterQuery];
    let request = request.uri(target).header("host", host).header("connection", "close").body(Full::new(body))?;

    let stream = TcpStream::connect(authority.as_slice()).await.context("no connection")?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let talking = async {
        let answer = sender.send_request(request).await.context("no answer")?;
        let (head, body) = answer.into_parts();
        let body = body.collect().await.context("the answer broke off")?.to_bytes().to_vec();
        let text = |value: &hyper::header::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let headers = head.headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect();
        Ok(Answered { status: head.status.as_u16(), headers, body })
    };
    let mut talking = std::pin::pin!(talking);
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        biased;
        answered = &mut talking => answered,
        _ended = &mut connection => talking.await,
    }
}
