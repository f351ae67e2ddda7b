//! A certified authorization server with reuse detection: somebody else's reading of the RFCs (`tests/idp`).
//!
//! [`configured`]: by an account that stands in the configuration. All others: by the resource's URL and nothing else, with a client
//! that registers itself, while the server's features are switched on and off one by one.
//! [`storm`](super::storm) holds the long story: 200 refreshes under 16 programs and a daemon that is killed among them.

mod by_url;
mod configured;
mod lost_registration;
mod places;
mod renewal;
mod resource_indicators;
mod response_issuer;
mod scopes;
mod switched_off;

use std::time::Duration;

use mcp_authd_client::admin::StartSignIn;
use mcp_authd_client::status::{AccountStatus, Health, SignInEnd};
use mcp_authd_client::{AdminClient, How, Need, SignIn, Token};
use mcp_authd_tests::daemon::{Account, Config, Daemon};
use mcp_authd_tests::person::in_browser;
use mcp_authd_tests::plain_http::{self, Answered, fetch_with_token};
use mcp_authd_tests::programs::{account_is, program, token, tool, url};
use mcp_authd_tests::real_idp::RealIdp;
use mcp_authd_tests::skip::skipped;
use serde_json::Value;
use url::Url;

use crate::discovered;

/// A hundred times longer than anything here takes.
const WATCHDOG: Duration = Duration::from_secs(120);
/// The shortest interval between two polls that a server may wish for.
const PATIENT: &[&str] = &["--poll-interval", "1"];
/// Logins take the browser: nobody waits for a poll.
const IN_BROWSER: &[&str] = &["--disable", "device"];

/// An account at this server, with the client that it knows from the start.
pub(crate) fn account(name: &str, idp: &RealIdp) -> Account {
    Account::at(name, idp.issuer()).client_id("lab-public")
}

/// Waits until a number of the server's counts is so large.
pub(crate) async fn count_reaches(idp: &RealIdp, pointer: &str, wanted: u64) {
    let reached = async {
        while idp.count(pointer).await.unwrap() < wanted {
            // law: sleep: the lab answers questions; it has no way to call back
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let waited = tokio::time::timeout(WATCHDOG, reached).await;
    assert!(waited.is_ok(), "{pointer} never reached {wanted}");
}

/// What the person types.
pub(crate) fn user_code(sign_in: &SignIn) -> &str {
    match &sign_in.how {
        How::Device { user_code, .. } => user_code,
        other => panic!("no device login: {other:?}"),
    }
}

pub(crate) async fn health(tool: &AdminClient) -> Health {
    tool.status().await.unwrap().accounts[0].health
}

async fn server_or_skip(story: &str, settings: &[&str]) -> Option<RealIdp> {
    RealIdp::start_with(settings).await.map_err(|reason| skipped(story, &reason)).ok()
}

/// A daemon to which a person has added the server's resource by its URL, and nothing else.
struct ByUrl<'a> {
    idp: &'a RealIdp,
    daemon: Daemon,
    /// What `authctl account add URL --json` has told.
    told: Value,
}

impl<'a> ByUrl<'a> {
    async fn added(idp: &'a RealIdp) -> Self {
        Self::added_to(Daemon::start(Config::new()).await, idp).await
    }

    async fn added_to(daemon: Daemon, idp: &'a RealIdp) -> Self {
        let told = discovered::added(&daemon, idp.resource(), &[]).await;
        assert_eq!((&told["outcome"], &told["account"]["issuer"]), (&"added".into(), &idp.issuer().into()), "{told}");
        Self { idp, daemon, told }
    }

    fn account(&self) -> &str {
        self.told["account"]["name"].as_str().unwrap()
    }

    /// The person begins a login, which prompts.
    async fn prompted(&self) -> SignIn {
        let status = self.begun().await;
        status.sign_in.unwrap_or_else(|| panic!("a prompt was to come: {:?}", status.message))
    }

    /// Whatever there is already.
    async fn begun(&self) -> AccountStatus {
        let start = StartSignIn { account: Some(self.account().to_owned()), again: true, ..StartSignIn::default() };
        tool(&self.daemon).start_sign_in(start).await.unwrap()
    }

    /// The person begins a login, which ends before it could prompt.
    async fn not_begun(&self) -> AccountStatus {
        let status = self.begun().await;
        assert!(status.sign_in.is_none() && status.grant.is_none(), "{status:?}");
        status
    }

    /// A whole login, in whichever way it goes. Its prompt.
    async fn logged_in(&self) -> SignIn {
        let shown = self.prompted().await;
        match &shown.how {
            How::Device { user_code, .. } => drop(self.idp.approve(user_code, "alice").await.unwrap()),
            _ => {
                let back = self.idp.approve_in_browser(&url(&shown), "alice").await.unwrap();
                assert_eq!(in_browser::follow(&back).await.unwrap().status(), 200);
            }
        }
        let status = self.is(|status| status.sign_in.is_none() && status.health != Health::Loading).await;
        assert!(status.grant.is_some() && status.last_sign_in_end.is_none_or(|end| end == SignInEnd::Granted), "{status:?}");
        shown
    }

    /// Waits until the account is so.
    async fn is(&self, so: impl Fn(&AccountStatus) -> bool) -> AccountStatus {
        account_is(&tool(&self.daemon), self.account(), so).await
    }

    /// The resource as it is published.
    fn resource(&self) -> &str {
        self.told["account"]["resources"][0].as_str().unwrap_or(self.idp.resource())
    }

    /// What a program gets that knows nothing but the resource. What it reports of the token may begin a login.
    async fn token(&self) -> Token {
        token(program(&self.daemon).token(Need::resource(self.resource())).await.unwrap())
    }

    /// What the resource says to this token.
    async fn opened(&self, token: &Token) -> Answered {
        let served = fetch_with_token(self.idp.resource(), token.expose()).await.unwrap();
        assert_eq!((served.status, served.member("sub")), (200, "alice".to_owned()), "{}", served.text());
        served
    }

    /// Added, logged in, and the token opens the resource. The prompt of the login.
    async fn works(&self) -> SignIn {
        let shown = self.logged_in().await;
        self.opened(&self.token().await).await;
        assert_nothing_was_guessed(self.idp).await;
        shown
    }
}

/// Whether a login took the browser.
fn is_in_browser(shown: &SignIn) -> bool {
    matches!(shown.how, How::Browser { .. })
}

/// The lines of the server's log about one of its endpoints.
async fn requests(idp: &RealIdp, endpoint: &str) -> Vec<Value> {
    let log = idp.log().await.unwrap();
    log["log"].as_array().unwrap().iter().filter(|line| line["endpoint"] == endpoint).cloned().collect()
}

/// Everything that was asked for is the resource itself, a place of metadata, or an endpoint that the server's metadata names now.
async fn assert_nothing_was_guessed(idp: &RealIdp) {
    let log = idp.log().await.unwrap();
    let named = endpoints(idp).await;
    for line in log["log"].as_array().unwrap() {
        let path = line["path"].as_str().unwrap();
        let is_place = path.contains("/.well-known/") || path.starts_with("/_metadata/");
        assert!(is_place || path == "/resource" || named.iter().any(|endpoint| endpoint.path() == path), "{path} of {named:?}");
    }
}

/// The endpoints that the server's metadata names, wherever it is.
async fn endpoints(idp: &RealIdp) -> Vec<Url> {
    let path = idp.issuer().strip_prefix(idp.origin()).unwrap();
    for place in [
        format!("/.well-known/oauth-authorization-server{path}"),
        format!("/.well-known/openid-configuration{path}"),
        format!("{path}/.well-known/openid-configuration"),
    ] {
        let answer = plain_http::fetch(&format!("{}{place}", idp.origin())).await.unwrap();
        if answer.status == 200 {
            let document = answer.json();
            let named = document.as_object().unwrap().iter().filter(|(name, _)| name.ends_with("_endpoint"));
            return named.map(|(_, value)| Url::parse(value.as_str().unwrap()).unwrap()).collect();
        }
    }
    panic!("the server has no metadata");
}
