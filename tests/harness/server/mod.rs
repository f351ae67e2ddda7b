//! Our own OAuth authorization server on loopback: right by default, wrong on demand.
//!
//! | path (after the issuer's path) | what |
//! |---|---|
//! | `/.well-known/..` | metadata (RFC 8414, OpenID Connect Discovery) |
//! | `/device_authorization`, `/token`, `/revoke` | RFC 8628, RFC 6749 (device code and refresh token grants), RFC 7009 |
//! | `/register` | RFC 7591, where `Settings` say so |
//! | `/device` | the page where a person approves |
//! | `/authorize` | the authorization endpoint (RFC 6749, 3.1): the same page, then a redirect with a code. Offered where `Settings` say so |
//! | `/resource` (without the issuer's path) | a protected resource: `sub` for a living token, else 401 `invalid_token`; `?seconds=N` takes so long |
//!
//! Every secret carries a mark ([`crate::sentinel`]): `SNTL_AT_`, `SNTL_RT_`, `SNTL_DC_`, `SNTL_AC_`, `SNTL_CS_`, and `SNTL-` in user codes.
//! A client's own secrets carry none: every `state` and `code_verifier` that comes is told to [`crate::sentinel::learn`].
//! It runs on a thread of its own, so that it serves whatever the story's runtime does.
//!
//! Must never: listen on anything but 127.0.0.1, or protect anything real.

mod answer;
mod asked;
mod authorization;
mod body;
mod book;
mod client;
mod counts;
mod endpoints;
mod login;
mod misbehaviour;
mod page;
mod protected;
mod registration;
mod serve;
mod settings;

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::watch;

use book::Book;
use login::Said;
use serve::{Reachable, Shared};

pub use answer::Spoilt;
pub use client::{ClientMethod, ConfidentialClient};
pub use counts::{Counts, RequestRecord};
pub use login::{CannotAnswer, PendingLogin};
pub use misbehaviour::{At, Commit, Misbehaviour};
pub use protected::{Challenge, MetadataPlace, Protected};
pub use registration::Registration;
pub use settings::{
    AuthorizationResponses, EarlyPolls, IssParameter, IssPromise, MetadataForm, Offer, OlderAccessTokens, Pkce, RefreshTokens,
    Rotation, Settings,
};

/// Longer than any story: only a story that would wait for ever meets it.
const WATCHDOG: Duration = Duration::from_secs(120);

/// A running authorization server. Dropping it ends it.
pub struct AuthorizationServer {
    shared: Arc<Shared>,
    issuer: String,
    origin: String,
    runtime: tokio::runtime::Handle,
    wish: watch::Sender<Reachable>,
    is: watch::Receiver<Reachable>,
    thread: Option<JoinHandle<()>>,
}

impl AuthorizationServer {
    /// Starts one. It can be asked at once.
    ///
    /// # Panics
    /// If no port or thread can be had.
    #[must_use]
    pub fn start(settings: Settings) -> Self {
        let listener = std::net::TcpListener::bind(("127.0.0.1", settings.port)).expect("a port on loopback is free");
        listener.set_nonblocking(true).expect("a listener can be non-blocking");
        let origin = format!("http://{}", listener.local_addr().expect("a bound listener has an address"));
        let issuer = format!("{origin}{}", settings.issuer_path);
        let shared = Arc::new(Shared::new(Book::new(settings, issuer.clone())));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime can be built");
        let handle = runtime.handle().clone();
        let (wish, wished) = watch::channel(Reachable::Yes);
        let (is_sender, is) = watch::channel(Reachable::Yes);
        let running = serve::run(Arc::clone(&shared), listener, wished, is_sender);
        let thread = std::thread::Builder::new()
            .name("authorization-server".to_owned())
            .spawn(move || runtime.block_on(running))
            .expect("a thread can be started");
        Self { shared, issuer, origin, runtime: handle, wish, is, thread: Some(thread) }
    }

    /// Its issuer identifier (RFC 8414, section 2).
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// `{issuer}/device_authorization`.
    #[must_use]
    pub fn device_authorization_endpoint(&self) -> String {
        format!("{}/device_authorization", self.issuer)
    }

    /// `{issuer}/authorize`.
    #[must_use]
    pub fn authorization_endpoint(&self) -> String {
        format!("{}/authorize", self.issuer)
    }

    /// `{issuer}/token`.
    #[must_use]
    pub fn token_endpoint(&self) -> String {
        format!("{}/token", self.issuer)
    }

    /// `{issuer}/revoke`.
    #[must_use]
    pub fn revocation_endpoint(&self) -> String {
        format!("{}/revoke", self.issuer)
    }

    /// The protected resource.
    #[must_use]
    pub fn resource(&self) -> String {
        format!("{}/resource", self.origin)
    }

    /// Changes standing habits from the next request on. `port` and `issuer_path` stay as they were.
    pub fn change(&self, change: impl FnOnce(&mut Settings)) {
        self.shared.with(|book, _| {
            let fixed = (book.settings.port, book.settings.issuer_path.clone());
            change(&mut book.settings);
            (book.settings.port, book.settings.issuer_path) = fixed;
        });
    }

    // ---- the person, without the page (`crate::person` uses the page)

    /// The person approves, as `Settings::subject`.
    ///
    /// # Errors
    /// The code cannot be answered.
    pub fn approve(&self, user_code: &str) -> Result<(), CannotAnswer> {
        let subject = self.shared.with(|book, _| book.settings.subject.clone());
        self.approve_as(user_code, &subject)
    }

    /// Somebody else approves (D23).
    ///
    /// # Errors
    /// The code cannot be answered.
    pub fn approve_as(&self, user_code: &str, subject: &str) -> Result<(), CannotAnswer> {
        let said = Said::Approve { subject: subject.to_owned() };
        self.shared.with(|book, now| book.answer_login(user_code, said, now))
    }

    /// The person denies.
    ///
    /// # Errors
    /// The code cannot be answered.
    pub fn deny(&self, user_code: &str) -> Result<(), CannotAnswer> {
        self.shared.with(|book, now| book.answer_login(user_code, Said::Deny, now))
    }

    /// The logins that wait for a person, the oldest first.
    #[must_use]
    pub fn pending(&self) -> Vec<PendingLogin> {
        self.shared.with(|book, now| book.pending_logins(now))
    }

    // ---- what it has seen

    /// The numbers so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.shared.counts().borrow().clone()
    }

    /// Waits until the numbers are so, and returns them. Nothing is polled.
    ///
    /// # Panics
    /// With the numbers, where they never come to be so.
    pub async fn wait_for(&self, mut so: impl FnMut(&Counts) -> bool + Send + 'static) -> Counts {
        let mut counts = self.shared.counts();
        // On the server's own runtime: a story may have paused the time of its own.
        let waiting = self.runtime.spawn(async move {
            match tokio::time::timeout(WATCHDOG, counts.wait_for(|counts| so(counts))).await {
                Ok(Ok(reached)) => Ok(reached.clone()),
                _ => Err(()),
            }
        });
        match waiting.await {
            Ok(Ok(reached)) => reached,
            _ => panic!("the authorization server never came to this: {:#?}\n{:#?}", self.counts(), self.log()),
        }
    }

    /// Every request so far, in the order of arrival, without secrets.
    #[must_use]
    pub fn log(&self) -> Vec<RequestRecord> {
        self.shared.with(|book, _| book.log.clone())
    }

    /// Every secret that it has issued so far, the oldest first: to look for pieces of them, and for bodies that echo them.
    #[must_use]
    pub fn issued(&self) -> Vec<String> {
        self.shared.with(|book, _| book.minted.clone())
    }

    // ---- the script

    /// The next request there that is not spoken for yet gets this.
    pub fn script(&self, at: At, misbehaviour: Misbehaviour) {
        self.shared.with(|book, _| book.script.push(at, misbehaviour));
    }

    /// So many of the next requests there get this.
    pub fn script_times(&self, at: At, times: usize, misbehaviour: &Misbehaviour) {
        self.shared.with(|book, _| (0..times).for_each(|_| book.script.push(at, misbehaviour.clone())));
    }

    /// Every request there gets this, once the queue is empty: until `behave`.
    pub fn always(&self, at: At, misbehaviour: Misbehaviour) {
        self.shared.with(|book, _| book.script.always(at, misbehaviour));
    }

    /// From now on every refresh is refused with this error (RFC 6749, 5.2), until `behave`.
    pub fn refuse_refreshes_with(&self, error: &'static str) {
        self.always(At::Refresh, Misbehaviour::Error(error));
    }

    /// Forgets the whole script. Requests that are held stay held.
    pub fn behave(&self) {
        self.shared.with(|book, _| book.script.clear());
    }

    /// How many of the script's requests there have not come yet.
    #[must_use]
    pub fn script_left(&self, at: At) -> usize {
        self.shared.with(|book, _| book.script.left(at))
    }

    /// Lets everybody go who is held now (`Counts::held`).
    pub fn release(&self) {
        self.shared.release();
    }

    /// Takes no connections and ends those that are open: from the outside, nothing listens there.
    pub async fn go_down(&self) {
        self.become_reachable(Reachable::No).await;
    }

    /// Listens again, on the same port.
    pub async fn come_back(&self) {
        self.become_reachable(Reachable::Yes).await;
    }

    async fn become_reachable(&self, wished: Reachable) {
        if *self.is.borrow() != wished {
            self.wish.send_replace(wished);
            self.is.clone().wait_for(|is| *is == wished).await.expect("the server runs");
        }
    }

    // ---- tokens and time

    /// Moves the server's clock forward: access tokens, device codes, the window of `Rotation::Grace`. Not its timers.
    pub fn advance(&self, by: Duration) {
        self.shared.with(|book, _| book.clock_offset += by);
    }

    /// Every access token so far has expired.
    pub fn expire_all_access_tokens(&self) {
        self.shared.with(|book, now| book.expire_all_access_tokens(now));
    }

    /// Ends one access token. Whether it lived.
    pub fn revoke_access_token(&self, access_token: &str) -> bool {
        self.shared.with(|book, _| book.end_access_token(access_token))
    }

    /// Ends the grant with this number (`RequestRecord::grant`) and all its tokens. Whether it lived.
    pub fn revoke_family(&self, grant: usize) -> bool {
        self.shared.with(|book, _| book.end_grant(grant))
    }

    /// The person withdraws every access: all grants end. How many lived.
    pub fn end_grants(&self) -> usize {
        self.shared.with(|book, _| book.end_grants())
    }
}

impl Drop for AuthorizationServer {
    fn drop(&mut self) {
        self.wish.send_replace(Reachable::Ending);
        if let Some(thread) = self.thread.take() {
            let _panicked = thread.join();
        }
    }
}

impl std::fmt::Debug for AuthorizationServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AuthorizationServer").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}
