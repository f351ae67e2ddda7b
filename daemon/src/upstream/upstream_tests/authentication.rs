//! Who the client says it is: at which endpoint, with which secret, and when nothing is sent at all.

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use mcp_authd_oauth::client_authentication::NotAuthenticated;
use mcp_authd_oauth::registration::Registration;
use mcp_authd_oauth::secret::ClientSecret;
use mcp_authd_oauth::terms::TokenEndpointAuthMethod;
use tokio::sync::watch;

use super::*;
use crate::accounts::client_secret::SecretError;
use crate::accounts::grant::{GrantRecord, SignInRecord};
use crate::accounts::{KeyOpener, KeyState, LoadError, SaveError, Stored, Vault};

/// A vault that keeps the secret of one client at one server, and counts who asks; and clients that were registered.
#[derive(Clone, Default)]
pub(super) struct Keeps {
    secret: Arc<Mutex<Option<Result<&'static str, SecretError>>>>,
    asked: Arc<Mutex<Vec<String>>>,
    /// The clients that were registered, each save as it came.
    pub(super) registered: Arc<Mutex<Vec<Registration>>>,
    forgotten: Arc<Mutex<Vec<String>>>,
}

impl Keeps {
    pub(super) fn secret(secret: &'static str) -> Self {
        Self::of(Ok(secret))
    }

    fn of(secret: Result<&'static str, SecretError>) -> Self {
        Self { secret: Arc::new(Mutex::new(Some(secret))), ..Self::default() }
    }

    /// The issuers whose clients were forgotten.
    pub(super) fn forgotten(&self) -> Vec<String> {
        self.forgotten.lock().unwrap().clone()
    }
}

impl Vault for Keeps {
    fn client_secret(&self, account: &AccountConfig) -> BoxFuture<'static, Result<Option<ClientSecret>, SecretError>> {
        self.asked.lock().unwrap().push(format!("{} {}", account.server_name(), account.client.shown()));
        let kept = self.secret.lock().unwrap().clone().transpose().map(|secret| secret.map(ClientSecret::new));
        async { kept }.boxed()
    }

    fn save_client_secret(&self, _: &AccountConfig, _: ClientSecret) -> BoxFuture<'static, Result<(), SaveError>> {
        unreachable!("upstream never saves")
    }

    fn forget_client_secret(&self, _: &AccountConfig) -> BoxFuture<'static, Result<(), SaveError>> {
        unreachable!("upstream never forgets")
    }

    fn load(&self, _: &AccountName) -> BoxFuture<'static, Result<Stored, LoadError>> {
        unreachable!("upstream reads no grant")
    }

    fn save_grant(&self, _: &AccountName, _: GrantRecord) -> BoxFuture<'static, Result<(), SaveError>> {
        unreachable!("upstream never saves")
    }

    fn save_sign_in(&self, _: &AccountName, _: SignInRecord) -> BoxFuture<'static, Result<(), SaveError>> {
        unreachable!("upstream never saves")
    }

    fn forget_grant(&self, _: &AccountName) -> BoxFuture<'static, Result<(), SaveError>> {
        unreachable!("upstream never forgets")
    }

    fn forget_sign_in(&self, _: &AccountName) -> BoxFuture<'static, Result<(), SaveError>> {
        unreachable!("upstream never forgets")
    }

    fn registration(&self, issuer: &Issuer) -> BoxFuture<'static, Result<Option<Registration>, LoadError>> {
        let kept = self.registered.lock().unwrap().iter().rev().find(|kept| kept.issuer == *issuer).cloned();
        async { Ok(kept) }.boxed()
    }

    fn registrations(&self) -> BoxFuture<'static, Result<Vec<Registration>, LoadError>> {
        let kept = self.registered.lock().unwrap().clone();
        async { Ok(kept) }.boxed()
    }

    fn save_registration(&self, registration: Registration) -> BoxFuture<'static, Result<(), SaveError>> {
        self.registered.lock().unwrap().push(registration);
        async { Ok(()) }.boxed()
    }

    fn forget_registration(&self, issuer: &Issuer) -> BoxFuture<'static, Result<(), SaveError>> {
        self.forgotten.lock().unwrap().push(issuer.as_str().to_owned());
        async { Ok(()) }.boxed()
    }

    fn key_state(&self) -> watch::Receiver<KeyState> {
        unreachable!("upstream waits for no key")
    }

    fn key_opener(&self) -> KeyOpener {
        unreachable!("upstream opens no key")
    }
}

fn upstream_with(server: &Server, vault: &Keeps) -> HttpUpstream<Server> {
    HttpUpstream::over(server.clone(), (&Tasks::new(), &follows_tokio()), Arc::new(vault.clone()))
}

fn confidential(method: Option<TokenEndpointAuthMethod>) -> AccountConfig {
    AccountConfig { token_endpoint_auth_method: method, ..account() }
}

/// "client-1" and the secret, as RFC 6749, 2.3.1 wants them in the header.
const IN_HEADER: &str = "Basic Y2xpZW50LTE6U05UTF9DU19hKyUzQQ==";
const SECRET: &str = "SNTL_CS_a :";

/// A login, its end from before a restart, a refresh and a revocation.
async fn whole_life(upstream: &HttpUpstream<Server>, account: AccountConfig) {
    let pending = sign_in(upstream, account.clone()).await.1.unwrap();
    upstream.resume_sign_in(Arc::new(account.clone()), pending, Gate::of_nobody()).await.unwrap();
    let outcome = upstream.refresh(Arc::new(account.clone()), refresh_request()).await;
    assert!(matches!(outcome, RefreshOutcome::Success(_)), "{outcome:?}");
    upstream.revoke(Arc::new(account), revoke_request()).await;
}

fn revoke_request() -> RevokeRequest {
    RevokeRequest { refresh_token: Some(RefreshToken::new("SNTL_RT_1")), access_token: None, binding: binding() }
}

#[tokio::test(start_paused = true)]
async fn every_request_of_a_client_with_a_secret_shows_it_as_configured_and_no_document_does() {
    use TokenEndpointAuthMethod::{ClientSecretBasic, ClientSecretPost};
    for method in [None, Some(ClientSecretBasic), Some(ClientSecretPost)] {
        let (server, vault) = (Server::new(), Keeps::secret(SECRET));
        whole_life(&upstream_with(&server, &vault), confidential(method)).await;
        let received = server.take_whole();
        assert_eq!(received.len(), 6, "{:?}", received.iter().map(|request| &request.path).collect::<Vec<_>>());
        for request in received {
            let in_body = request.body.contains("client_secret=SNTL_CS_a+%3A");
            let in_header = request.authorization.as_deref() == Some(IN_HEADER);
            let shown = (in_header, in_body, request.body.contains("client_id="));
            let expected = match method {
                _ if request.path == METADATA => (false, false, false),
                Some(ClientSecretPost) => (false, true, true),
                _ => (true, false, false),
            };
            assert_eq!(shown, expected, "{method:?} {}", request.path);
        }
        assert_eq!(*vault.asked.lock().unwrap(), vec!["https://as.example client-1"; 4], "asked anew for every flow");
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_needs_no_secret_asks_for_none_and_shows_none() {
    let (server, vault) = (Server::new(), Keeps::secret(SECRET));
    whole_life(&upstream_with(&server, &vault), confidential(Some(TokenEndpointAuthMethod::None))).await;
    let nothing_shown = |request: &Whole| request.authorization.is_none() && !request.body.contains("SNTL_CS");
    assert!(server.take_whole().iter().all(nothing_shown) && vault.asked.lock().unwrap().is_empty());

    let (server, vault) = (Server::new(), Keeps::default());
    whole_life(&upstream_with(&server, &vault), confidential(None)).await;
    assert!(server.take_whole().iter().all(nothing_shown), "and one that has none shows none");
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_authenticated_is_not_sent() {
    let locked = Keeps::of(Err(SecretError::Kept(LoadError::Locked)));
    let unreadable = NotAuthenticated::Unreadable(LoadError::Locked.to_string());
    for (vault, why) in [(Keeps::default(), NotAuthenticated::NoSecret), (locked, unreadable)] {
        let server = Server::new();
        let upstream = upstream_with(&server, &vault);
        let account = confidential(Some(TokenEndpointAuthMethod::ClientSecretBasic));
        let (ended, prompt) = sign_in(&upstream, account.clone()).await;
        assert_eq!((ended, prompt), (Err(SignInFailure::NotAuthenticated(why.clone())), None));
        let outcome = upstream.refresh(Arc::new(account.clone()), refresh_request()).await;
        assert_eq!(outcome, RefreshOutcome::NotAuthenticated(why), "nothing sent, and so nothing unknown");
        assert_eq!(server.paths(), [""; 0]);

        // Giving back is worth a try: the server may take its own token from whoever holds it.
        upstream.revoke(Arc::new(account), revoke_request()).await;
        assert_eq!(server.paths(), ["/revoke"]);
    }
}

#[tokio::test(start_paused = true)]
async fn p14_a_secret_goes_to_no_other_server_or_client_than_it_was_kept_for() {
    let (server, vault) = (Server::new(), Keeps::secret(SECRET));
    let upstream = upstream_with(&server, &vault);
    let moved = [
        account_at(ServerConfig::Issuer(Issuer::new("https://evil.example"))),
        AccountConfig { client: ClientConfig::PreRegistered(ClientId::new("client-2")), ..account() },
    ];
    for account in moved {
        let outcome = upstream.refresh(Arc::new(account.clone()), refresh_request()).await;
        assert!(matches!(outcome, RefreshOutcome::Configuration(_)), "{outcome:?}");
        upstream.revoke(Arc::new(account), revoke_request()).await;
        let received = server.take_whole();
        assert_eq!(received.len(), 1, "only the revocation, where the token came from");
        assert!(received[0].authorization.is_none() && !received[0].body.contains("SNTL_CS"), "without the other one's secret");
    }
    assert!(vault.asked.lock().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_secret_that_the_server_does_not_take_is_told_apart_from_any_other_refusal() {
    let server = Server::new();
    server.answers("/token", 401, r#"{"error":"invalid_client","error_description":"not SNTL_CS_a :"}"#);
    let file = std::path::PathBuf::from("/etc/secret");
    for (vault, path) in [(Keeps::secret(SECRET), None), (Keeps::secret(SECRET), Some(file)), (Keeps::default(), None)] {
        let upstream = upstream_with(&server, &vault);
        let account = AccountConfig { client_secret_file: path.clone(), ..account() };
        let outcome = upstream.refresh(Arc::new(account.clone()), refresh_request()).await;
        let (ended, _) = sign_in(&upstream, account).await;
        let has_secret = vault.secret.lock().unwrap().is_some();
        match (outcome, ended) {
            (
                RefreshOutcome::NotAuthenticated(NotAuthenticated::Refused { error, file }),
                Err(SignInFailure::NotAuthenticated(_)),
            ) if has_secret => {
                assert_eq!((error.error.as_str(), error.description), ("invalid_client", None), "what echoes the secret is cut");
                assert_eq!(file, path.map(|path| path.display().to_string()));
            }
            (RefreshOutcome::Configuration(_), Err(SignInFailure::Refused(_))) if !has_secret => {}
            other => panic!("{other:?}"),
        }
    }
    server.answers("/token", 400, r#"{"error":"invalid_scope"}"#);
    let outcome = upstream_with(&server, &Keeps::secret(SECRET)).refresh(Arc::new(account()), refresh_request()).await;
    assert!(matches!(outcome, RefreshOutcome::Configuration(_)), "{outcome:?}");
}

#[tokio::test(start_paused = true)]
async fn a_secret_is_not_logged_in_the_life_of_a_grant() {
    for method in [TokenEndpointAuthMethod::ClientSecretBasic, TokenEndpointAuthMethod::ClientSecretPost] {
        let log = CapturedLog::begin();
        let (server, vault) = (Server::new(), Keeps::secret(SECRET));
        let upstream = upstream_with(&server, &vault);
        whole_life(&upstream, confidential(Some(method))).await;
        server.answers("/token", 401, r#"{"error":"invalid_client","error_description":"SNTL_CS_a : is wrong"}"#);
        upstream.refresh(Arc::new(confidential(Some(method))), refresh_request()).await;
        let text = log.end();
        assert!(text.contains("a refresh has ended") && text.contains("not authenticated"), "{text}");
        assert!(!text.contains("SNTL_CS") && !text.contains("U05UTF9DU"), "{text}");
    }
}
