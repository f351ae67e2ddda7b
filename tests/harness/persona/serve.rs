//! Connections in, answers out: each request is heard, refused or passed on to the server behind, and answered in the persona's words.
//!
//! Must never: pass on a client's secret: the server behind knows its clients as public ones.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::Persona;
use super::heard::{Door, Heard, Line};
use super::said::Said;
use crate::plain_http::{self, Answered};
use crate::sentinel;
use crate::server::AuthorizationServer;

/// What the provider's thread and its handle share.
pub(super) struct Desk {
    persona: Box<dyn Persona>,
    pub(super) behind: AuthorizationServer,
    pub(super) origin: String,
    lines: Mutex<Vec<Line>>,
}

impl std::fmt::Debug for Desk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Desk").field("origin", &self.origin).field("lines", &self.lines()).finish_non_exhaustive()
    }
}

impl Desk {
    pub(super) fn new(persona: Box<dyn Persona>, behind: AuthorizationServer, origin: String) -> Self {
        Self { persona, behind, origin, lines: Mutex::default() }
    }

    pub(super) fn lines(&self) -> Vec<Line> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn answer(&self, heard: Heard) -> Said {
        let door = self.persona.doors().into_iter().find(|(path, _)| *path == heard.path).map_or(Door::Nothing, |(_, door)| door);
        let heard = Heard { door, origin: self.origin.clone(), ..heard };
        let heard = Heard { meant: self.persona.meant(&heard), ..heard };
        let refused = match door {
            Door::Nothing => Some(Said::error(404, "nothing_here", "There is nothing here.")),
            _ if heard.query_has_a_secret() => Some(Said::error(400, "secret_in_url", "A secret stands in the URL.")),
            Door::DeviceAuthorization | Door::Token | Door::Revocation if heard.method != "POST" => {
                Some(Said::error(405, "method_not_allowed", "Only POST is taken here."))
            }
            _ => self.persona.refuses(&heard),
        };
        let error = refused.as_ref().map(|said| said.text("error").to_owned());
        let said = match refused {
            Some(said) => said,
            None => self.persona.says(&heard, Said::of(self.passed_on(&heard).await)),
        };
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).push(heard.line(error, said.status));
        said
    }

    async fn passed_on(&self, heard: &Heard) -> Answered {
        let origin = self.behind.issuer();
        let query = if heard.query.is_empty() { String::new() } else { format!("?{}", heard.query) };
        let told = |path: &str| format!("{origin}{path}");
        let answered = match (heard.door, heard.method.as_str()) {
            (Door::Metadata, _) => plain_http::fetch(&told("/.well-known/oauth-authorization-server")).await,
            (Door::DevicePage, "GET") => plain_http::fetch(&told(&format!("/device{query}"))).await,
            (Door::Authorization, "GET") => plain_http::fetch(&told(&format!("/authorize{query}"))).await,
            (Door::DevicePage, _) => post(&told(&format!("/device{query}")), &heard.parameters).await,
            (Door::Authorization, _) => post(&told(&format!("/authorize{query}")), &heard.parameters).await,
            (Door::DeviceAuthorization, _) => post(&told("/device_authorization"), &heard.meant).await,
            (Door::Token, _) => post(&told("/token"), &heard.meant).await,
            (Door::Revocation, _) => post(&told("/revoke"), &heard.meant).await,
            (Door::Nothing, _) => unreachable!("it was refused"),
        };
        answered.expect("the server behind answers")
    }
}

impl Heard {
    /// The page for people takes the user code in its URL (RFC 8628, 3.3.1).
    fn query_has_a_secret(&self) -> bool {
        self.door != Door::DevicePage && sentinel::in_bytes(self.query.as_bytes()).is_some()
    }
}

async fn post(url: &str, parameters: &[(String, String)]) -> anyhow::Result<Answered> {
    let passed = parameters.iter().filter(|(name, _)| name != "client_secret");
    let parameters: Vec<(&str, &str)> = passed.map(|(name, value)| (name.as_str(), value.as_str())).collect();
    plain_http::post_form(url, &parameters).await
}

/// Takes connections until the handle is dropped.
pub(super) async fn run(desk: Arc<Desk>, listener: std::net::TcpListener, mut ending: watch::Receiver<()>) {
    let listener = TcpListener::from_std(listener).expect("the listener is non-blocking");
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Ok((stream, _)) = listener.accept() => { connections.spawn(converse(Arc::clone(&desk), stream)); }
            Some(_) = connections.join_next() => {}
            _ = ending.changed() => return,
        }
    }
}

async fn converse(desk: Arc<Desk>, stream: TcpStream) {
    let service = service_fn(move |request| exchange(Arc::clone(&desk), request));
    // A client may go away at any time.
    let _ended = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

async fn exchange(desk: Arc<Desk>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let heard = Heard::read(head.method.as_str(), &head.uri, &head.headers, &body);
    let (status, headers, content_type, bytes) = desk.answer(heard).await.into_bytes();
    let mut builder = Response::builder().status(status).header("content-type", content_type);
    for (name, value) in headers {
        builder = builder.header(name, value);
    }
    Ok(builder.body(Full::new(Bytes::from(bytes))).expect("headers of the server behind are right"))
}
