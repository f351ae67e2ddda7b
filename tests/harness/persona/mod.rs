//! Providers as they are documented: one small server on loopback that is told a [`Persona`], and behind it our own
//! [`AuthorizationServer`], which does the work: logins, pages, PKCE, tokens, rotation, scripts.
//!
//! A persona is the difference: its paths, what it does not take, and the shape of its answers. One file for each.
//!
//! | persona | what it is |
//! |---|---|
//! | [`GitHub`], [`GitLab`], [`Google`], [`Entra`], [`Auth0`], [`Okta`], [`Keycloak`] | those of the shipped profiles, strict |
//! | [`OwnWords`], [`WrongHosts`], [`NeverBack`] | nobody's in particular: what only a configuration can be told about |
//!
//! Must never: listen on anything but 127.0.0.1, keep the value of a secret, or let through what the real one refuses.

mod auth0;
mod entra;
mod github;
mod gitlab;
mod google;
mod heard;
mod keycloak;
mod never_back;
mod okta;
mod own_words;
mod said;
mod serve;
mod wrong_hosts;

use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::sync::watch;

use crate::server::{AuthorizationServer, IssParameter, IssPromise, Offer, Settings};
use serve::Desk;

pub use auth0::Auth0;
pub use entra::Entra;
pub use github::GitHub;
pub use gitlab::GitLab;
pub use google::Google;
pub use heard::{Body, Door, Heard, Line};
pub use keycloak::{DeviceSwitch, Keycloak};
pub use never_back::NeverBack;
pub use okta::Okta;
pub use own_words::{Exp, OwnWords};
pub use said::Said;
pub use wrong_hosts::WrongHosts;

/// How a provider differs from [`AuthorizationServer`].
pub trait Persona: Send + Sync + 'static {
    /// Its paths, and where each leads. There is nothing at any other.
    fn doors(&self) -> Vec<(String, Door)>;

    /// The habits of the server behind it, which is reached at this origin.
    fn habits(&self, _origin: &str) -> Settings {
        habits()
    }

    /// The parameters of a request, in the words of the RFCs.
    fn meant(&self, heard: &Heard) -> Vec<(String, String)> {
        heard.parameters.clone()
    }

    /// Its documented answer to a request that it does not take.
    fn refuses(&self, heard: &Heard) -> Option<Said>;

    /// How it says what the server behind it has said.
    fn says(&self, heard: &Heard, said: Said) -> Said;
}

/// A server that polls by the second, with both ways to log in, and that does not name itself in its authorization responses.
fn habits() -> Settings {
    Settings { code_grant: Offer::Yes, iss_promise: IssPromise::Withheld, iss: IssParameter::Missing, ..Settings::default() }
}

/// A running provider. Dropping it ends it.
#[derive(Debug)]
pub struct Provider {
    desk: Arc<Desk>,
    ending: watch::Sender<()>,
    thread: Option<JoinHandle<()>>,
}

impl Provider {
    /// Starts one. It can be asked at once.
    ///
    /// # Panics
    /// If no port or thread can be had.
    #[must_use]
    pub fn start(persona: impl Persona) -> Self {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port on loopback is free");
        listener.set_nonblocking(true).expect("a listener can be non-blocking");
        let origin = format!("http://{}", listener.local_addr().expect("a bound listener has an address"));
        let behind = AuthorizationServer::start(persona.habits(&origin));
        let desk = Arc::new(Desk::new(Box::new(persona), behind, origin));
        let (ending, ends) = watch::channel(());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime can be built");
        let running = serve::run(Arc::clone(&desk), listener, ends);
        let thread = std::thread::Builder::new()
            .name("provider".to_owned())
            .spawn(move || runtime.block_on(running))
            .expect("a thread can be started");
        Self { desk, ending, thread: Some(thread) }
    }

    /// `http://127.0.0.1:PORT`
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.desk.origin
    }

    /// `127.0.0.1:PORT`
    #[must_use]
    pub fn host(&self) -> &str {
        self.desk.origin.trim_start_matches("http://")
    }

    /// The server behind it: its counts, its script, its clock.
    #[must_use]
    pub fn behind(&self) -> &AuthorizationServer {
        &self.desk.behind
    }

    /// What has come to a door so far, in order, without secrets.
    #[must_use]
    pub fn heard_at(&self, door: Door) -> Vec<Line> {
        self.desk.lines().into_iter().filter(|line| line.door == door).collect()
    }

    /// What it has refused as the real one would, and what was asked where there is nothing.
    #[must_use]
    pub fn refused(&self) -> Vec<Line> {
        self.desk.lines().into_iter().filter(|line| line.refused.is_some()).collect()
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.ending.send_replace(());
        if let Some(thread) = self.thread.take() {
            let _panicked = thread.join();
        }
    }
}
