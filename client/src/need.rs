//! What a program asks for.
//!
//! Must never: hold a secret; a need may be logged.

use std::time::Duration;

/// How long the daemon may take over an answer, if nothing else is said. With the five seconds that the library adds, a call to a
/// daemon that says nothing ends after 10 s (B36).
pub const DEFAULT_WAIT: Duration = Duration::from_secs(5);

/// The longest wait that the daemon grants; longer waiting is done with a [`Watch`](crate::Watch).
pub const LONGEST_WAIT: Duration = Duration::from_secs(20);

/// Whose token, and how good it must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    pub(crate) target: Target,
    pub(crate) scopes: Vec<String>,
    pub(crate) min_validity: Option<Duration>,
    pub(crate) client_name: String,
}

/// Whose token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// The account of this name.
    Account(String),
    /// The account for the protected resource at this URL (RFC 8707): for exactly this one, else for the nearest one that it lies
    /// within.
    Resource(String),
    /// The only account that the socket shows.
    OnlyAccount,
}

impl Need {
    /// A token of the account of this name.
    #[must_use]
    pub fn account(name: impl Into<String>) -> Self {
        Self::of(Target::Account(name.into()))
    }

    /// A token for the protected resource at this URL (RFC 8707): for exactly this one, else for the nearest one that it lies within.
    #[must_use]
    pub fn resource(uri: impl Into<String>) -> Self {
        Self::of(Target::Resource(uri.into()))
    }

    /// A token of the only account that the socket shows.
    #[must_use]
    pub fn only_account() -> Self {
        Self::of(Target::OnlyAccount)
    }

    /// A token of this target.
    #[must_use]
    pub fn of(target: Target) -> Self {
        Self { target, scopes: Vec::new(), min_validity: None, client_name: own_name() }
    }

    /// A scope (RFC 6749, 3.3) that the token must cover. A question, never an order for a narrower token.
    #[must_use]
    pub fn scope(mut self, scope: impl Into<String>) -> Self {
        self.scopes.push(scope.into());
        self
    }

    /// Scopes that the token must cover beside those before: all that an operation needs, as a 403 names them
    /// ([`challenge::insufficient_scope`](crate::challenge::insufficient_scope)). One that is there already is not added.
    #[must_use]
    pub fn scopes<S: Into<String>>(mut self, scopes: impl IntoIterator<Item = S>) -> Self {
        for scope in scopes.into_iter().map(Into::into) {
            if !self.scopes.contains(&scope) {
                self.scopes.push(scope);
            }
        }
        self
    }

    /// How long the token must still live when it is handed out. The daemon caps it at half of the token's life.
    #[must_use]
    pub fn min_validity(mut self, life: Duration) -> Self {
        self.min_validity = Some(life);
        self
    }

    /// Who asks, in words that a person recognises beside a login prompt. Default: the name of the program's file.
    #[must_use]
    pub fn client_name(mut self, name: impl Into<String>) -> Self {
        self.client_name = name.into();
        self
    }
}

/// Whether a call may begin a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SignInMode {
    /// No: answer with the state as it is.
    Never,
    /// Yes, and answer with its prompt at once.
    #[default]
    StartAndReturn,
    /// Yes, and wait for its end up to the longest wait; then answer with its prompt.
    StartAndWait,
}

/// One question to the daemon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub(crate) need: Need,
    pub(crate) sign_in: SignInMode,
    pub(crate) max_wait: Option<Duration>,
}

impl Request {
    /// Asks for this, may begin a login and returns its prompt at once.
    #[must_use]
    pub fn new(need: Need) -> Self {
        Self { need, sign_in: SignInMode::default(), max_wait: None }
    }

    /// Whether the call may begin a login.
    #[must_use]
    pub fn sign_in(mut self, mode: SignInMode) -> Self {
        self.sign_in = mode;
        self
    }

    /// How long the daemon may take over the answer, at most 20 s. Default: 5 s, and 20 s for [`SignInMode::StartAndWait`].
    #[must_use]
    pub fn max_wait(mut self, wait: Duration) -> Self {
        self.max_wait = Some(wait);
        self
    }

    /// The same question for a token that covers these scopes, too.
    #[cfg(feature = "rmcp")]
    pub(crate) fn also_scopes(mut self, scopes: &[String]) -> Self {
        self.need = self.need.scopes(scopes);
        self
    }

    /// The wait that is sent to the daemon.
    pub(crate) fn wait(&self) -> Duration {
        let default = match self.sign_in {
            SignInMode::StartAndWait => LONGEST_WAIT,
            SignInMode::Never | SignInMode::StartAndReturn => DEFAULT_WAIT,
        };
        self.max_wait.unwrap_or(default).min(LONGEST_WAIT)
    }
}

impl From<Need> for Request {
    fn from(need: Need) -> Self {
        Self::new(need)
    }
}

fn own_name() -> String {
    let path = std::env::current_exe().ok();
    path.as_deref().and_then(|path| path.file_name()).map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}
