//! Connections in, answers out, and the script between them.
//!
//! A request is worked on in a task of its own: a client that hangs up does not undo what the server does, as in real life.

use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::answer::{Answer, member};
use super::asked::{Asked, Place};
use super::body::{CutOff, Outgoing, Pace};
use super::book::Book;
use super::counts::{Counts, RequestRecord};
use super::endpoints;
use super::misbehaviour::{At, Commit, Misbehaviour};
use crate::sentinel;

const LARGEST_REQUEST: usize = 1 << 20;

/// What the server's thread and its handle share.
pub(super) struct Shared {
    book: Mutex<Book>,
    counts: watch::Sender<Counts>,
    /// Counts the calls of `release()`.
    releases: watch::Sender<u64>,
    started: Instant,
}

/// Whether connections are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reachable {
    Yes,
    No,
    Ending,
}

impl Shared {
    pub(super) fn new(book: Book) -> Self {
        Self {
            book: Mutex::new(book),
            counts: watch::Sender::default(),
            releases: watch::Sender::new(0),
            started: Instant::now(),
        }
    }

    /// The only way to the book: tells the time, and tells the counts to whoever waits for them.
    pub(super) fn with<T>(&self, work: impl FnOnce(&mut Book, Instant) -> T) -> T {
        let mut book = self.book.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now() + book.clock_offset;
        let result = work(&mut book, now);
        self.counts.send_if_modified(|seen| {
            let differs = *seen != book.counts;
            if differs {
                *seen = book.counts.clone();
            }
            differs
        });
        result
    }

    pub(super) fn counts(&self) -> watch::Receiver<Counts> {
        self.counts.subscribe()
    }

    pub(super) fn release(&self) {
        self.releases.send_modify(|releases| *releases += 1);
    }

    async fn held(&self) {
        let mut releases = self.releases.subscribe();
        releases.mark_unchanged();
        self.with(|book, _| book.counts.held += 1);
        let _ended = releases.changed().await;
        self.with(|book, _| book.counts.held -= 1);
    }

    fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }
}

/// A token request that is open: until its answer has gone out or its connection has ended.
pub(super) struct Open {
    shared: Arc<Shared>,
    refreshed: Option<usize>,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.shared.with(|book, _| book.token_request_closes(self.refreshed));
    }
}

/// Takes connections until the handle is dropped.
pub(super) async fn run(
    shared: Arc<Shared>,
    first: std::net::TcpListener,
    mut wish: watch::Receiver<Reachable>,
    is: watch::Sender<Reachable>,
) {
    let address = first.local_addr().expect("a bound listener has an address");
    let mut listener = Some(TcpListener::from_std(first).expect("the listener is non-blocking"));
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            stream = accepted(listener.as_ref()) => { connections.spawn(converse(Arc::clone(&shared), stream)); }
            Some(_) = connections.join_next() => {}
            changed = wish.changed() => {
                let wished = if changed.is_err() { Reachable::Ending } else { *wish.borrow_and_update() };
                match wished {
                    Reachable::Ending => return,
                    Reachable::No => {
                        listener = None;
                        connections.shutdown().await;
                    }
                    Reachable::Yes => listener = Some(bound_again(address)),
                }
                is.send_replace(wished);
            }
        }
    }
}

async fn accepted(listener: Option<&TcpListener>) -> TcpStream {
    let Some(listener) = listener else { return std::future::pending().await };
    loop {
        if let Ok((stream, _)) = listener.accept().await {
            return stream;
        }
    }
}

fn bound_again(address: SocketAddr) -> TcpListener {
    let listener = std::net::TcpListener::bind(address).expect("nobody else took the port in the meantime");
    listener.set_nonblocking(true).expect("a listener can be non-blocking");
    TcpListener::from_std(listener).expect("the listener is non-blocking")
}

async fn converse(shared: Arc<Shared>, stream: TcpStream) {
    let _no_matter = stream.set_nodelay(true);
    let service = service_fn(move |request| exchange(Arc::clone(&shared), request));
    // Errors are the script's own doing, or a client that went away: the log has both.
    let _ended = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

async fn exchange(shared: Arc<Shared>, request: Request<Incoming>) -> Result<Response<Outgoing>, CutOff> {
    let (head, body) = request.into_parts();
    let body = Limited::new(body, LARGEST_REQUEST).collect().await.map_err(|_| CutOff)?.to_bytes();
    let asked = Asked::new(&Request::from_parts(head, ()), &body);
    let arrived = Arrived::note(&shared, asked);
    let open = (arrived.place == Place::Token).then(|| {
        shared.with(|book, _| book.token_request_opens(arrived.grant));
        Open { shared: Arc::clone(&shared), refreshed: arrived.grant }
    });
    let reply = tokio::spawn(serve(shared, arrived)).await.map_err(|_| CutOff)?;
    reply.into_response(open)
}

/// A request that has arrived whole, with its line in the log and the fate that the script has for it.
struct Arrived {
    asked: Asked,
    place: Place,
    fate: Misbehaviour,
    line: usize,
    grant: Option<usize>,
}

impl Arrived {
    fn note(shared: &Shared, asked: Asked) -> Self {
        let arrived = shared.elapsed();
        shared.with(|book, _| {
            let place = asked.place(&book.settings.issuer_path);
            let at = asked.at(place);
            let fate = at.map_or(Misbehaviour::Behave, |at| book.script.take(at));
            let grant = book.grant_of(&asked);
            book.counts.misbehaved += u64::from(!matches!(fate, Misbehaviour::Behave));
            // The page for people takes the user code in its URL (RFC 8628, 3.3.1).
            book.counts.secrets_in_urls += u64::from(asked.secret_in_url && place != Place::Page);
            book.counts.refreshes += u64::from(at == Some(At::Refresh));
            book.counts.exchanges += u64::from(at == Some(At::Exchange));
            book.counts.polls += u64::from(at == Some(At::Poll));
            if let Some(verifier) = asked.form.one("code_verifier") {
                sentinel::learn(verifier, "a code verifier");
            }
            book.log.push(record(&asked, arrived, grant));
            Self { line: book.log.len() - 1, place, fate, grant, asked }
        })
    }

    /// The end of what can be known: counted, and written into the log.
    fn decide(&self, shared: &Shared, book: &mut Book, outcome: &str) {
        endpoints::count_outcome(book, self.place, &self.asked, outcome);
        let line = &mut book.log[self.line];
        line.decided = Some(shared.elapsed());
        outcome.clone_into(&mut line.outcome);
    }
}

fn record(asked: &Asked, arrived: Duration, grant: Option<usize>) -> RequestRecord {
    let named = |name: &str| asked.form.one(name).map(str::to_owned);
    let mut parameters: Vec<String> = asked.query.iter().chain(asked.form.iter()).map(|(name, _)| name.to_owned()).collect();
    parameters.sort();
    RequestRecord {
        arrived,
        decided: None,
        method: asked.method.clone(),
        path: asked.path.clone(),
        parameters,
        grant_type: named("grant_type"),
        client_id: asked.client_id().map(str::to_owned),
        scope: named("scope"),
        resource: named("resource"),
        user_agent: asked.user_agent.clone(),
        grant,
        outcome: "open".to_owned(),
    }
}

async fn serve(shared: Arc<Shared>, arrived: Arrived) -> Reply {
    if let ControlFlow::Break(reply) = before_the_commit(&shared, &arrived).await {
        return reply;
    }
    if let Some(time) = arrived.asked.own_time(arrived.place) {
        tokio::time::sleep(time).await;
    }
    let answer = shared.with(|book, now| {
        let answer = endpoints::answer(book, arrived.place, &arrived.asked, now);
        arrived.decide(&shared, book, &answer.outcome);
        answer
    });
    after_the_commit(&shared, arrived.fate, answer).await
}

async fn before_the_commit(shared: &Shared, arrived: &Arrived) -> ControlFlow<Reply> {
    let instead = |reply: Reply| {
        shared.with(|book, _| arrived.decide(shared, book, &arrived.fate.name()));
        ControlFlow::Break(reply)
    };
    match &arrived.fate {
        Misbehaviour::Hold(Commit::Before) => {
            shared.held().await;
            ControlFlow::Continue(())
        }
        Misbehaviour::Hang => {
            let nothing = instead(Reply::Nothing);
            shared.held().await;
            nothing
        }
        Misbehaviour::Drop(Commit::Before) => instead(Reply::Nothing),
        Misbehaviour::KillPeer { pid, at: Commit::Before } => {
            let nothing = instead(Reply::Nothing);
            kill_peer(*pid);
            nothing
        }
        Misbehaviour::Delay(time) => {
            tokio::time::sleep(*time).await;
            ControlFlow::Continue(())
        }
        Misbehaviour::SlowDown => {
            let answer = shared.with(|book, now| book.slow_down(&arrived.asked, now));
            instead(Reply::Whole(answer))
        }
        Misbehaviour::Bomb(size) => instead(Reply::Flood(*size)),
        fate => match complete_answer(shared, fate, &arrived.asked) {
            Some(answer) => instead(Reply::Whole(answer)),
            None => ControlFlow::Continue(()),
        },
    }
}

/// The complete answers of a server that did nothing.
fn complete_answer(shared: &Shared, fate: &Misbehaviour, asked: &Asked) -> Option<Answer> {
    Some(match fate {
        Misbehaviour::Status { code, retry_after, body } => {
            let answer = Answer::text(*code, "application/json", body.clone());
            match retry_after {
                Some(when) => answer.with_header("retry-after", when.clone()),
                None => answer,
            }
        }
        Misbehaviour::Error(error) => shared.with(|book, _| book.token_error(error)),
        Misbehaviour::ErrorWith200(error) => Answer::error(200, error),
        Misbehaviour::Html => {
            Answer::html(200, "<!doctype html><title>Log in to the network</title><p>Welcome, guest.\n".to_owned())
        }
        Misbehaviour::Garbage => Answer::text(200, "application/json", "{\"access_token\": oops".to_owned()),
        Misbehaviour::EchoSecrets { status, error } => {
            let secrets: Vec<String> = asked.form.iter().map(|(name, value)| format!("{name}={value}")).collect();
            let told = format!("cannot take {}", secrets.join(" "));
            Answer::json(*status, vec![member("error", *error), member("error_description", told)])
        }
        Misbehaviour::Redirect(to) => Answer::text(307, "text/plain", String::new()).with_header("location", to.clone()),
        _ => return None,
    })
}

async fn after_the_commit(shared: &Shared, fate: Misbehaviour, answer: Answer) -> Reply {
    match fate {
        Misbehaviour::Hold(Commit::After) => {
            shared.held().await;
            Reply::Whole(answer)
        }
        Misbehaviour::Drop(Commit::After) => Reply::Nothing,
        Misbehaviour::KillPeer { pid, at: Commit::After } => {
            kill_peer(pid);
            Reply::Nothing
        }
        Misbehaviour::Truncate => Reply::Half(answer),
        Misbehaviour::Drip { each } => Reply::Dripping(answer, each),
        Misbehaviour::Spoil(spoilt) if answer.is_success() => Reply::Whole(answer.spoilt(&spoilt)),
        _ => Reply::Whole(answer),
    }
}

fn kill_peer(pid: u32) {
    let pid = i32::try_from(pid).expect("a process id fits");
    assert!(pid > 1, "kill one process, never a group");
    kill(Pid::from_raw(pid), Signal::SIGKILL).expect("the peer is still there to be killed");
}

/// What goes out.
enum Reply {
    Whole(Answer),
    Half(Answer),
    Dripping(Answer, Duration),
    Flood(usize),
    Nothing,
}

impl Reply {
    fn into_response(self, open: Option<Open>) -> Result<Response<Outgoing>, CutOff> {
        let (answer, pace): (Answer, fn(Bytes) -> Pace) = match self {
            Self::Nothing => return Err(CutOff),
            Self::Flood(size) => {
                let builder = Response::builder().status(200).header("content-type", "application/json");
                return Ok(builder.body(Outgoing::new(Pace::Flood { left: size }, open)).expect("a right head"));
            }
            Self::Dripping(answer, each) => return Ok(response(answer, |all| Pace::drip(all, each), open)),
            Self::Half(answer) => (answer, |all| Pace::Cut(all.slice(..all.len() / 2))),
            Self::Whole(answer) => (answer, Pace::Whole),
        };
        Ok(response(answer, pace, open))
    }
}

fn response(answer: Answer, pace: impl FnOnce(Bytes) -> Pace, open: Option<Open>) -> Response<Outgoing> {
    let (content_type, text) = answer.content.into_text();
    let all = Bytes::from(text);
    let mut builder =
        Response::builder().status(answer.status).header("content-type", content_type).header("content-length", all.len());
    for (name, value) in answer.headers {
        builder = builder.header(name, value);
    }
    builder.body(Outgoing::new(pace(all), open)).expect("a script's headers hold no line breaks")
}
