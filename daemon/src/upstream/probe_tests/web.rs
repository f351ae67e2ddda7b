//! The web without a network: every URL answers 404 until a test says otherwise, and each request is noted.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mcp_authd_oauth::http::{Body, HttpAnswer, HttpRequest, Method, NothingSent, Undelivered};
use mcp_authd_oauth::reach::Reach;
use mcp_authd_oauth::registration::Registration;
use serde_json::{Value, json};

use crate::accounts::keeper::tests::{Memory, scene};
use crate::accounts::probe::{KnownAccounts, NotProbed, Probed, Question};
use crate::accounts::{AccountConfig, Upstream, Vault};
use crate::config::Config;
use crate::host::clock::follows_tokio;
use crate::host::tasks::Tasks;
use crate::upstream::HttpUpstream;
use crate::upstream::drive::Transport;

use super::{AS, AS_METADATA};

pub(super) const MCP: &str = "https://mcp.example/mcp";
pub(super) const PRM: &str = "https://mcp.example/.well-known/oauth-protected-resource/mcp";

#[derive(Clone)]
pub(super) struct Web {
    answers: Arc<Mutex<HashMap<String, (u16, String)>>>,
    challenge: Arc<Mutex<Option<String>>>,
    asked: Arc<Mutex<Vec<String>>>,
    takes: Arc<Mutex<Duration>>,
    vault: Arc<Memory>,
    accounts: Vec<Arc<AccountConfig>>,
}

impl Web {
    /// Nobody is there.
    pub(super) fn empty() -> Self {
        Self {
            answers: Arc::default(),
            challenge: Arc::default(),
            asked: Arc::default(),
            takes: Arc::default(),
            vault: scene(Duration::ZERO).memory,
            accounts: Vec::new(),
        }
    }

    /// An MCP server with metadata, and a server that can do everything.
    pub(super) fn protected() -> Self {
        let web = Self::empty();
        web.challenge("Bearer");
        web.answers(PRM, 200, &document(&json!({})));
        web.answers(AS_METADATA, 200, &server(AS, &[]));
        web
    }

    /// From now on.
    pub(super) fn answers(&self, url: &str, status: u16, body: &str) {
        self.answers.lock().unwrap().insert(url.to_owned(), (status, body.to_owned()));
    }

    /// What the MCP server answers without a token.
    pub(super) fn challenge(&self, challenge: &str) {
        *self.challenge.lock().unwrap() = Some(challenge.to_owned());
    }

    /// The same, where this configuration is served.
    pub(super) fn beside(self, toml: &str) -> Self {
        let config = Config::parse(toml, std::path::Path::new("c.toml")).unwrap();
        Self { accounts: config.accounts.into_values().collect(), ..self }
    }

    pub(super) fn each_answer_takes(&self, time: Duration) {
        *self.takes.lock().unwrap() = time;
    }

    pub(super) async fn keeps(&self, registration: Registration) {
        self.vault.save_registration(registration).await.unwrap();
    }

    /// Every request since the last look: method and URL.
    pub(super) fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }

    pub(super) async fn probe(&self, url: &str) -> Result<Probed, NotProbed> {
        self.probe_as(which(url)).await
    }

    pub(super) async fn probe_as(&self, question: Question) -> Result<Probed, NotProbed> {
        HttpUpstream::over(self.clone(), (&Tasks::new(), &follows_tokio()), self.vault.clone())
            .probe(question, KnownAccounts::of(self.accounts.clone()))
            .await
    }
}

impl Transport for Web {
    async fn exchange(&self, request: HttpRequest) -> Result<HttpAnswer, Undelivered> {
        let method = match request.method {
            Method::Get => "GET",
            Method::Probe => "POST",
            other => panic!("a probe sends nothing of its own: {other:?}"),
        };
        assert!(request.authorization.is_none(), "a probe has no secret to show");
        let url = request.endpoint.as_str().to_owned();
        self.asked.lock().unwrap().push(format!("{method} {url}"));
        let time = *self.takes.lock().unwrap();
        tokio::time::sleep(time).await;
        if url.starts_with("https://down.example") {
            return Err(Undelivered::NothingSent(NothingSent::NotConnected));
        }
        let challenge = self.challenge.lock().unwrap().clone().filter(|_| url == MCP);
        let known = self.answers.lock().unwrap().get(&url).cloned();
        let (status, body) = if challenge.is_some() { (401, String::new()) } else { known.unwrap_or((404, String::new())) };
        let body = Body::new(body.into_bytes());
        let content_type = Some("application/json".to_owned());
        Ok(HttpAnswer {
            status,
            content_type,
            retry_after: None,
            www_authenticate: challenge.into_iter().collect(),
            peer: Reach::Public,
            body,
        })
    }
}

pub(super) fn which(url: &str) -> Question {
    Question { url: url.to_owned(), issuer: None, client_id: None, document: None, flow: None }
}

/// Protected resource metadata, with these members in the place of the usual ones.
pub(super) fn document(members: &Value) -> String {
    let mut document = json!({ "resource": MCP, "authorization_servers": [AS] });
    document.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    document.to_string()
}

/// The metadata of a server that can do everything but this.
pub(super) fn server(issuer: &str, without: &[&str]) -> String {
    let mut metadata = json!({
        "issuer": issuer,
        "authorization_endpoint": "https://as.example/authorize",
        "token_endpoint": "https://as.example/token",
        "device_authorization_endpoint": "https://as.example/device",
        "registration_endpoint": "https://as.example/register",
        "revocation_endpoint": "https://as.example/revoke",
        "code_challenge_methods_supported": ["S256"],
        "scopes_supported": ["offline_access"],
    });
    metadata.as_object_mut().unwrap().retain(|member, _| !without.contains(&member.as_str()));
    metadata.to_string()
}
