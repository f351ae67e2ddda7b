//! HTTP: carries one request to its endpoint and brings the answer, within the limits of its patience.
//!
//! One reqwest client for each bound of where names may lead (P21), built at first use on a thread where it may block, and anew
//! when the network is configured anew. Every request has a connection of its own: a
//! stale pooled one could take the request and die, and then nobody would know whether a refresh token was spent (D56). Must
//! never: follow a redirect with a secret (D5), retry, read a proxy from the environment (D64), or log a query, header or body.

use std::time::Duration;

use mcp_authd_oauth::endpoint::{Endpoint, Loopback};
use mcp_authd_oauth::http::{AnswerLost, HttpAnswer, HttpRequest, Method, NothingSent, PROBE, Patience, Undelivered};
use mcp_authd_oauth::reach::Reach;
use mcp_authd_oauth::secret::SecretText;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, LOCATION};
use reqwest::{Certificate, Client, RequestBuilder, Response, Url};
use tokio::sync::{Mutex, watch};

use super::answer;
use super::client;
use super::drive::Transport;
use super::form_body::{FormBody, Receipt, wiped_after_use};
use super::undelivered::nothing_sent;
use crate::config::Network;
use crate::host::clock::Clock;
use crate::host::tasks::Tasks;

/// How many redirects of a metadata document are followed (D5).
const MOST_HOPS: usize = 3;
/// What a client of MCP takes (MCP, Streamable HTTP): a server may refuse one that takes less before it asks for a token.
const EVERYTHING_OF_MCP: &str = "application/json, text/event-stream";

/// Carries requests over the network.
#[derive(Debug)]
pub struct HttpTransport {
    tasks: Tasks,
    clock: Clock,
    limits: Limits,
    roots: Vec<Certificate>,
    built: Mutex<Built>,
}

/// The clients, and the network that they were built for.
#[derive(Debug)]
struct Built {
    network: watch::Receiver<Network>,
    clients: Vec<(Reach, Client)>,
}

/// A client, and whether requests to elsewhere go through a proxy.
#[derive(Debug)]
struct Carrier {
    client: Client,
    proxied: bool,
}

/// How long and how much (D6, D51). Values, so that a test can take smaller ones.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Name, connection and TLS, until the request is handed to a verified peer.
    pub(super) connect: Duration,
    /// A metadata document, redirects and connecting included.
    pub(super) metadata: Duration,
    /// An answer, once the request was handed over.
    pub(super) endpoint: Duration,
    /// The same, where giving up would leave the fate of a refresh token unknown (D51).
    pub(super) spending: Duration,
    /// The largest metadata document.
    pub(super) metadata_bytes: usize,
    /// The largest answer of an endpoint.
    pub(super) endpoint_bytes: usize,
}

impl Limits {
    pub(super) const STANDARD: Self = Self {
        connect: Duration::from_secs(10),
        metadata: Duration::from_secs(10),
        endpoint: Duration::from_secs(30),
        spending: Duration::from_secs(5 * 60),
        metadata_bytes: 1024 * 1024,
        endpoint_bytes: 256 * 1024,
    };

    const fn time(&self, patience: Patience) -> Duration {
        match patience {
            Patience::Metadata | Patience::Challenge => self.metadata,
            Patience::Endpoint => self.endpoint,
            Patience::Spending => self.spending,
        }
    }

    const fn bytes(&self, patience: Patience) -> usize {
        match patience {
            Patience::Metadata => self.metadata_bytes,
            Patience::Challenge | Patience::Endpoint | Patience::Spending => self.endpoint_bytes,
        }
    }
}

impl HttpTransport {
    /// A transport that trusts the platform's certificates and those that are configured (D10). Nothing is built or opened
    /// before the first request.
    #[must_use]
    pub fn new(tasks: Tasks, clock: Clock, network: watch::Receiver<Network>) -> Self {
        let built = Mutex::new(Built { network, clients: Vec::new() });
        Self { tasks, clock, limits: Limits::STANDARD, roots: Vec::new(), built }
    }

    /// The same with other limits and further trusted certificates.
    #[cfg(test)]
    pub(super) fn with(limits: Limits, roots: Vec<Certificate>) -> Self {
        let network = watch::channel(Network::default()).1;
        Self { limits, roots, ..Self::new(Tasks::new(), Clock::system(), network) }
    }

    /// The same with a configured network.
    #[cfg(test)]
    pub(super) fn over_network(limits: Limits, network: watch::Receiver<Network>) -> Self {
        Self { limits, ..Self::new(Tasks::new(), Clock::system(), network) }
    }

    /// The client for the network as it is configured now. A request that is out keeps the one that it began with.
    async fn client(&self, nearest: Reach) -> Result<Carrier, NothingSent> {
        let mut built = self.built.lock().await;
        if built.network.has_changed().unwrap_or(false) {
            built.clients.clear();
        }
        let network = built.network.borrow_and_update().clone();
        let proxied = network.proxy.is_some();
        if let Some((_, client)) = built.clients.iter().find(|(bound, _)| *bound == nearest) {
            return Ok(Carrier { client: client.clone(), proxied });
        }
        let (limits, roots) = (self.limits, self.roots.clone());
        match self.tasks.blocking("http client", move || client::build(nearest, limits, (&network, roots))).await {
            Some(Ok(client)) => {
                built.clients.push((nearest, client.clone()));
                Ok(Carrier { client, proxied })
            }
            Some(Err(failure)) => {
                tracing::error!(%failure, "the HTTP client could not be built");
                Err(NothingSent::NotVerified)
            }
            None => Err(NothingSent::NoResources),
        }
    }

    async fn carry(&self, request: HttpRequest) -> Result<HttpAnswer, Undelivered> {
        let Carrier { client, proxied } = self.client(request.endpoint.nearest()).await.map_err(Undelivered::NothingSent)?;
        let behind_proxy = proxied && !request.endpoint.is_loopback();
        let answer = self.carry_by(client, request).await?;
        Ok(if behind_proxy { HttpAnswer { peer: Reach::Public, ..answer } } else { answer })
    }

    async fn carry_by(&self, client: Client, request: HttpRequest) -> Result<HttpAnswer, Undelivered> {
        let HttpRequest { endpoint, method, authorization, patience } = request;
        match method {
            Method::Get if authorization.is_some() => {
                let get = client.get(endpoint.as_str()).header(ACCEPT, "application/json");
                self.ask(authorized(get, authorization)?, patience).await
            }
            Method::Get => self.read_document(&client, endpoint, patience).await,
            Method::Probe => {
                let (body, receipt) = FormBody::new(SecretText::new(PROBE));
                let post = client
                    .post(endpoint.as_str())
                    .header(ACCEPT, EVERYTHING_OF_MCP)
                    .header(CONTENT_TYPE, "application/json")
                    .body(reqwest::Body::wrap(body));
                self.hand_over(post, receipt, patience).await
            }
            Method::PostEmpty => {
                let post = client.post(endpoint.as_str()).header(ACCEPT, "application/json").header(CONTENT_LENGTH, 0);
                self.ask(authorized(post, authorization)?, patience).await
            }
            Method::PostForm(form) => {
                let post = client.post(endpoint.as_str()).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
                self.post(authorized(post, authorization)?, form, patience).await
            }
            Method::PostJson(json) => {
                let post = client.post(endpoint.as_str()).header(CONTENT_TYPE, "application/json");
                self.post(authorized(post, authorization)?, json, patience).await
            }
        }
    }

    async fn post(&self, post: RequestBuilder, body: SecretText, patience: Patience) -> Result<HttpAnswer, Undelivered> {
        let (body, receipt) = FormBody::new(body);
        let post = post.header(ACCEPT, "application/json").body(reqwest::Body::wrap(body));
        self.hand_over(post, receipt, patience).await
    }

    /// Sends a body, once. Two time limits: one until it is handed to a verified peer, then the one of its patience (D51).
    async fn hand_over(&self, post: RequestBuilder, mut receipt: Receipt, patience: Patience) -> Result<HttpAnswer, Undelivered> {
        let (time, bytes) = (self.limits.time(patience), self.limits.bytes(patience));
        let mut attempt = Box::pin(async move {
            let response = post.send().await.map_err(Failure::Request)?;
            read_answer(response, patience, bytes).await.map_err(Failure::Answer)
        });

        let connect_by = self.clock.now().instant + self.limits.connect;
        let ended = tokio::select! {
            biased;
            ended = &mut attempt => Some(ended),
            () = receipt.handed_out() => None,
            () = self.clock.sleep_until(connect_by) => {
                if receipt.withdraw() {
                    return Err(Undelivered::NothingSent(NothingSent::TooSlow));
                }
                None
            }
        };
        if let Some(ended) = ended {
            return ended.map_err(|failure| failure.judged_by(&mut receipt));
        }

        let answer_by = self.clock.now().instant + time;
        tokio::select! {
            biased;
            ended = &mut attempt => ended.map_err(Failure::after_hand_over),
            () = self.clock.sleep_until(answer_by) => Err(Undelivered::AnswerLost(AnswerLost::TimeOver(time))),
        }
    }

    /// Sends a request that has no body to be handed over: it spends nothing, and how far it got matters to the words only. No
    /// redirect is followed: it may show a token (D5).
    async fn ask(&self, request: RequestBuilder, patience: Patience) -> Result<HttpAnswer, Undelivered> {
        let (time, bytes) = (self.limits.time(patience), self.limits.bytes(patience));
        let asked = async {
            let response = request.send().await.map_err(|failure| undelivered_document(&failure))?;
            answer::read(response, bytes).await.map_err(Undelivered::AnswerLost)
        };
        let over = self.clock.now().instant + time;
        tokio::select! {
            biased;
            ended = asked => ended,
            () = self.clock.sleep_until(over) => Err(Undelivered::AnswerLost(AnswerLost::TimeOver(time))),
        }
    }

    /// Reads a document, over at most three redirects within its origin where it is metadata (D5).
    async fn read_document(&self, client: &Client, endpoint: Endpoint, patience: Patience) -> Result<HttpAnswer, Undelivered> {
        let (time, bytes) = (self.limits.time(patience), self.limits.bytes(patience));
        let hops = if patience == Patience::Metadata { MOST_HOPS } else { 0 };
        let accept = if patience == Patience::Challenge { EVERYTHING_OF_MCP } else { "application/json" };
        let attempt = Box::pin(follow(client, endpoint, (hops, accept)));
        let read = async {
            let response = attempt.await?;
            read_answer(response, patience, bytes).await.map_err(Undelivered::AnswerLost)
        };
        let over = self.clock.now().instant + time;
        tokio::select! {
            biased;
            ended = read => ended,
            () = self.clock.sleep_until(over) => Err(Undelivered::AnswerLost(AnswerLost::TimeOver(time))),
        }
    }
}

impl Transport for HttpTransport {
    async fn exchange(&self, request: HttpRequest) -> Result<HttpAnswer, Undelivered> {
        let begun = self.clock.now().instant;
        let method = match &request.method {
            Method::Get => "GET",
            Method::Probe | Method::PostForm(_) | Method::PostJson(_) | Method::PostEmpty => "POST",
        };
        let endpoint = request.endpoint.clone();
        let ended = Box::pin(self.carry(request)).await;
        let millis = self.clock.now().instant.since(begun).as_millis();
        match &ended {
            Ok(answer) => tracing::debug!(method, %endpoint, status = answer.status, millis, "an authorization server answered"),
            Err(why) => tracing::debug!(method, %endpoint, millis, %why, "no answer of an authorization server"),
        }
        ended
    }
}

/// How an attempt failed.
enum Failure {
    /// Before there was an answer.
    Request(reqwest::Error),
    /// While it was read.
    Answer(AnswerLost),
}

impl Failure {
    /// The receipt decides: what was not handed to a verified peer does not count (D56).
    fn judged_by(self, receipt: &mut Receipt) -> Undelivered {
        match self {
            Self::Request(failure) if receipt.withdraw() => Undelivered::NothingSent(nothing_sent(&failure)),
            handed_over => handed_over.after_hand_over(),
        }
    }

    fn after_hand_over(self) -> Undelivered {
        Undelivered::AnswerLost(match self {
            Self::Request(_) => AnswerLost::ConnectionEnded,
            Self::Answer(lost) => lost,
        })
    }
}

fn authorized(request: RequestBuilder, authorization: Option<SecretText>) -> Result<RequestBuilder, Undelivered> {
    Ok(match authorization {
        Some(authorization) => request.header(AUTHORIZATION, sensitive(authorization)?),
        None => request,
    })
}

fn sensitive(authorization: SecretText) -> Result<HeaderValue, Undelivered> {
    // Base64 and a checked token (RFC 6749, A.12) always fit into a header; what does not is not sent.
    let mut value = HeaderValue::from_maybe_shared(wiped_after_use(authorization))
        .map_err(|_| Undelivered::NothingSent(NothingSent::NotConnected))?;
    value.set_sensitive(true);
    Ok(value)
}

/// The whole answer, or its head where nothing else is wanted.
async fn read_answer(response: Response, patience: Patience, bytes: usize) -> Result<HttpAnswer, AnswerLost> {
    if patience == Patience::Challenge { Ok(answer::head(&response)) } else { answer::read(response, bytes).await }
}

async fn follow(client: &Client, mut endpoint: Endpoint, (hops, accept): (usize, &'static str)) -> Result<Response, Undelivered> {
    let mut left = hops;
    loop {
        let get = client.get(endpoint.as_str()).header(ACCEPT, accept);
        let response = get.send().await.map_err(|failure| undelivered_document(&failure))?;
        match same_origin_target(&response, &endpoint) {
            Some(target) if left > 0 => {
                left -= 1;
                endpoint = target;
            }
            _ => return Ok(response),
        }
    }
}

/// A document spends nothing: whether it was asked for matters to the words only.
fn undelivered_document(failure: &reqwest::Error) -> Undelivered {
    if failure.is_connect() || failure.is_builder() {
        Undelivered::NothingSent(nothing_sent(failure))
    } else {
        Undelivered::AnswerLost(AnswerLost::ConnectionEnded)
    }
}

/// Where a redirect leads, if it stays within the origin. Any other is an answer like any other: the flow refuses it.
fn same_origin_target(response: &Response, from: &Endpoint) -> Option<Endpoint> {
    if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    let location = response.headers().get(LOCATION)?.to_str().ok()?;
    let target = Url::parse(from.as_str()).ok()?.join(location).ok()?;
    let loopback = if from.is_loopback() { Loopback::Allowed } else { Loopback::Refused };
    let target = Endpoint::parse(target.as_str(), loopback).ok()?.within(from.nearest());
    (target.origin() == from.origin()).then_some(target)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::pin::Pin;

    use super::*;

    fn failure() -> Failure {
        Failure::Request(Client::builder().user_agent("\n").build().unwrap_err())
    }

    #[tokio::test]
    async fn the_receipt_decides_whether_a_failed_request_counts() {
        let (mut body, mut receipt) = FormBody::new(SecretText::new("a=b"));
        std::future::poll_fn(|cx| http_body::Body::poll_frame(Pin::new(&mut body), cx)).await.unwrap().unwrap();
        assert_eq!(failure().judged_by(&mut receipt), Undelivered::AnswerLost(AnswerLost::ConnectionEnded));

        let (_body, mut receipt) = FormBody::new(SecretText::new("a=b"));
        assert_eq!(failure().judged_by(&mut receipt), Undelivered::NothingSent(NothingSent::NotConnected));
    }
}
