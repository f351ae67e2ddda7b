//! As much MCP over Streamable HTTP as the suite's servers answer: some requests, each a POST of its own.
//!
//! 2026-07-28 is stateless: the revision, the method and the name stand in headers, and everything else in `_meta`. 2025-11-25 begins
//! with `initialize`; a session is not kept, for the suite's servers begin none.
//!
//! Must never: send a request without a token, or to another address than the one that the person has added.

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use mcp_authd_client::Token;
use mcp_authd_client::challenge;
use mcp_authd_client::mcp::Failure;
use mcp_authd_tests::plain_http::{self, Answered};
use mcp_authd_tests::sentinel;
use serde_json::{Value, json};

/// The one tool of the suite's servers.
const TOOL: &str = "test-tool";
const ID: u64 = 1;

/// An MCP server, and how it is spoken to.
pub(crate) struct Server {
    url: String,
    revision: Revision,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Revision {
    Stateless,
    WithInitialize,
}

/// One message to the server.
pub(crate) struct Operation {
    /// Its name.
    pub(crate) method: &'static str,
    params: Value,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Request,
    Notification,
}

impl Operation {
    fn request(method: &'static str, params: Value) -> Self {
        Self { method, params, kind: Kind::Request }
    }
}

impl Server {
    /// The server at a URL, in one of the two revisions.
    pub(crate) fn new(url: String, revision: &str) -> Result<Self> {
        let revision = match revision {
            "2026-07-28" => Revision::Stateless,
            "2025-11-25" => Revision::WithInitialize,
            other => bail!("the revision {other} is not spoken here"),
        };
        Ok(Self { url, revision })
    }

    /// Its URL, as the suite has named it.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// What a host does with a server: greets it, looks at its tools, uses one.
    pub(crate) fn operations(&self) -> Vec<Operation> {
        let greeting = match self.revision {
            Revision::Stateless => vec![],
            Revision::WithInitialize => vec![
                Operation::request(
                    "initialize",
                    json!({ "protocolVersion": self.revision.name(), "capabilities": {}, "clientInfo": client_info() }),
                ),
                Operation { method: "notifications/initialized", params: json!({}), kind: Kind::Notification },
            ],
        };
        let tool = json!({ "name": TOOL, "arguments": {} });
        let using = [Operation::request("tools/list", json!({})), Operation::request("tools/call", tool)];
        greeting.into_iter().chain(using).collect()
    }

    /// Sends one message with a token.
    pub(crate) async fn call(&self, token: Token, operation: &Operation) -> Result<Value, Failure> {
        // The suite's tokens have no mark of ours.
        sentinel::learn(token.expose(), "an access token");
        let authorization = token.authorization_header();
        let mut headers = vec![
            ("accept", "application/json, text/event-stream"),
            ("authorization", authorization.expose()),
            ("mcp-protocol-version", self.revision.name()),
        ];
        if self.revision == Revision::Stateless {
            headers.push(("mcp-method", operation.method));
            headers.extend(operation.params["name"].as_str().map(|name| ("mcp-name", name)));
        }
        let answered = plain_http::post_json_with(&headers, &self.url, &self.message(operation)).await;
        match answered.map_err(failed)? {
            answered if answered.status == 401 => Err(Failure::Rejected),
            answered if answered.status == 403 => Err(forbidden(&answered)),
            answered => result(&answered, operation.kind).map_err(failed),
        }
    }

    fn message(&self, operation: &Operation) -> Value {
        let mut message = json!({ "jsonrpc": "2.0", "method": operation.method, "params": operation.params });
        if operation.kind == Kind::Request {
            message["id"] = json!(ID);
        }
        if self.revision == Revision::Stateless {
            message["params"]["_meta"] = json!({
                "io.modelcontextprotocol/protocolVersion": self.revision.name(),
                "io.modelcontextprotocol/clientCapabilities": {},
                "io.modelcontextprotocol/clientInfo": client_info(),
            });
        }
        message
    }
}

impl Revision {
    fn name(self) -> &'static str {
        match self {
            Self::Stateless => "2026-07-28",
            Self::WithInitialize => "2025-11-25",
        }
    }
}

fn client_info() -> Value {
    json!({ "name": "mcp-authd-conformance-client", "version": env!("CARGO_PKG_VERSION") })
}

fn failed(why: anyhow::Error) -> Failure {
    Failure::Failed(why.into())
}

/// What a 403 asks for (RFC 6750, 3.1).
fn forbidden(answered: &Answered) -> Failure {
    let challenges = answered.headers.iter().filter(|(name, _)| name == "www-authenticate").map(|(_, value)| value);
    match challenge::insufficient_scope(challenges) {
        Some(scopes) => Failure::InsufficientScope(scopes),
        None => failed(anyhow!("the server refuses (403) and names no scope")),
    }
}

fn result(answered: &Answered, kind: Kind) -> Result<Value> {
    ensure!((200..300).contains(&answered.status), "the server answers with status {}: {}", answered.status, answered.text());
    if kind == Kind::Notification {
        return Ok(Value::Null);
    }
    let is_stream = answered.header("content-type").is_some_and(|kind| kind.starts_with("text/event-stream"));
    let response = if is_stream { of_stream(&answered.text()) } else { Some(answered.json()) };
    let response = response.filter(|response| response["id"] == ID).context("the stream ended without a response")?;
    ensure!(response["error"].is_null(), "the server answers with an error: {}", response["error"]);
    Ok(response["result"].clone())
}

/// The response in a stream of events; the suite writes each event's data in one line.
fn of_stream(events: &str) -> Option<Value> {
    let data = events.lines().filter_map(|line| line.strip_prefix("data:"));
    data.filter_map(|data| serde_json::from_str::<Value>(data).ok()).find(|message| message["id"] == ID)
}
