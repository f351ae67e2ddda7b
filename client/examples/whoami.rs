//! An MCP server on standard input and output whose tools call a protected resource: `whoami https://api.example.com/me`.
//!
//! Logins, refreshes and rejected tokens are the library's business; what stands here is the server's own. Must never: write to
//! standard output, which belongs to the protocol. The log goes to standard error.

use std::error::Error;
use std::time::Duration;

use mcp_authd_client::mcp::{Failure, ToolError};
use mcp_authd_client::{Client, Need, Token};
use reqwest::StatusCode;
use rmcp::handler::server::wrapper::Parameters;
use rmcp::{ServiceExt as _, schemars, tool, tool_router, transport::stdio};

/// The longest that the slow tool takes, in seconds.
const SLOWEST: u64 = 30;

struct Whoami {
    tokens: Client,
    http: reqwest::Client,
    resource: String,
}

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Slow {
    /// How many seconds the resource is to take.
    #[schemars(range(max = SLOWEST))]
    seconds: u64,
}

#[tool_router(server_handler)]
impl Whoami {
    #[tool(description = "Tells who you are at the protected resource")]
    async fn whoami(&self) -> Result<String, ToolError> {
        self.ask(&self.resource).await
    }

    #[tool(description = "Tells the same, from a resource that takes its time")]
    async fn slow(&self, Parameters(Slow { seconds }): Parameters<Slow>) -> Result<String, ToolError> {
        self.ask(&format!("{}?seconds={}", self.resource, seconds.min(SLOWEST))).await
    }

    async fn ask(&self, url: &str) -> Result<String, ToolError> {
        self.tokens.with_token(Need::resource(&self.resource), |token| self.fetch(url, token)).await
    }

    async fn fetch(&self, url: &str, token: Token) -> Result<String, Failure> {
        let answer = self.http.get(url).bearer_auth(token.expose()).send().await?;
        match answer.status() {
            StatusCode::UNAUTHORIZED => Err(Failure::Rejected),
            _ => Ok(answer.error_for_status()?.text().await?),
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let resource = std::env::args().nth(1).ok_or("which resource? Type: whoami https://api.example.com/me")?;
    rustls::crypto::ring::default_provider().install_default().map_err(|_| "TLS was set up twice")?;
    let http = reqwest::Client::builder().timeout(Duration::from_secs(SLOWEST + 15)).build()?;
    Whoami { tokens: Client::find()?, http, resource }.serve(stdio()).await?.waiting().await?;
    Ok(())
}
