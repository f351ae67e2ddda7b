//! Providers end to end: the file of each shipped profile against a persona of its provider, and servers that only a configuration can be
//! told about. The daemon is the real one; the persona refuses what the real provider would refuse.

mod auth0;
mod checked;
mod config_alone;
mod entra;
mod github;
mod gitlab;
mod google;
mod keycloak;
mod never_back;
mod okta;
mod own_endpoints;
mod wrong_hosts;

use std::time::Duration;

use mcp_authd_client::status::{AccountStatus, Health, Revocation, SignInEnd};
use mcp_authd_client::{Need, SignIn, Token};
use mcp_authd_tests::daemon::{Config, Daemon};
use mcp_authd_tests::persona::{Door, Line, Persona, Provider};
use mcp_authd_tests::plain_http::fetch_with_token;
use mcp_authd_tests::programs::{Crowd, a_token, account_is, approve, deny, program, prompted, token, tool, until, watched};
use mcp_authd_tests::server::{At, Commit, Misbehaviour};

const CLIENT: &str = "me";

/// A provider, and a daemon whose account `work` is there.
struct Stage {
    provider: Provider,
    daemon: Daemon,
}

/// What a whole life of an account has shown.
struct Lived {
    /// The account after its first login.
    first: AccountStatus,
    /// The first prompt.
    prompt: SignIn,
    /// What the logout has done upstream.
    revocation: Revocation,
}

/// The shipped file of a provider, led to a persona: plain http in the place of https, and these hosts in the place of the real ones.
fn shipped(name: &str, provider: &Provider, hosts: &[&str]) -> String {
    let file = format!("{}/../daemon/profiles/{name}.toml", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{file}: {error}"));
    // Plain http is for loopback alone: what the parameter stands for by itself is judged too.
    let is_host = |line: &str| line.starts_with("host = ");
    let host = format!("host = \"{}\"", provider.host());
    let lines = text.lines().map(|line| if is_host(line) { host.as_str() } else { line }).collect::<Vec<_>>();
    let text = lines.join("\n").replace("https://{host}", "http://{host}");
    let text = hosts.iter().fold(text, |text, host| text.replace(&format!("https://{host}"), provider.origin()));
    let leads_away = text.lines().find(|line| !line.starts_with('#') && line.contains("https://"));
    assert_eq!(leads_away, None, "{name}: this leads away from the persona");
    text
}

/// The shipped profile of this name at its persona, for an account with these lines.
async fn stage(name: &str, persona: impl Persona, lines: &str) -> Stage {
    let provider = Provider::start(persona);
    let text = shipped(name, &provider, &["accounts.google.com", "oauth2.googleapis.com"]);
    let lines = lines.replace("HOST", provider.host());
    let account = format!("[accounts.work]\nprovider = \"{name}\"\nclient_id = \"{CLIENT}\"\n{lines}\n");
    let daemon = Daemon::start(Config::new().text(&account).text(&text)).await;
    Stage { provider, daemon }
}

/// A server that is nobody's in particular, described by a table of its own.
async fn described(persona: impl Persona, table: &str, lines: &str) -> Stage {
    let provider = Provider::start(persona);
    let table = table.replace("ORIGIN", provider.origin()).replace("HOST", provider.host());
    let account = format!("[accounts.work]\nprovider = \"odd\"\n{lines}\n[providers.odd]\n{table}\n");
    let daemon = Daemon::start(Config::new().text(&account)).await;
    Stage { provider, daemon }
}

fn work() -> Need {
    Need::account("work")
}

impl Stage {
    async fn account_is(&self, so: impl Fn(&AccountStatus) -> bool) -> AccountStatus {
        account_is(&tool(&self.daemon), "work", so).await
    }

    /// The person logs in. The prompt, and the account afterwards.
    async fn logs_in(&self) -> (SignIn, AccountStatus) {
        let prompt = prompted(&self.daemon, "work").await;
        approve(&prompt).await;
        let status = self.account_is(|status| status.grant.is_some() && status.sign_in.is_none()).await;
        (prompt, status)
    }

    /// The person begins a login, and says no.
    async fn is_denied(&self) {
        deny(&prompted(&self.daemon, "work").await).await;
        let status = self.account_is(|status| status.sign_in.is_none() && status.last_sign_in_end.is_some()).await;
        assert_eq!(status.last_sign_in_end, Some(SignInEnd::Denied), "{status:?}");
    }

    async fn token(&self) -> Token {
        watched(&mut program(&self.daemon).watch(work()), a_token).await
    }

    /// A token is reported as rejected, and another one comes by a refresh.
    async fn refreshes(&self, rejected: &Token) -> Token {
        let before = self.provider.behind().counts().refreshes_ok();
        let new = token(program(&self.daemon).report_rejected(rejected).await.unwrap());
        assert_ne!(new.expose(), rejected.expose());
        assert_eq!(self.provider.behind().counts().refreshes_ok(), before + 1);
        new
    }

    async fn serves(&self, token: &Token) -> bool {
        fetch_with_token(&self.provider.behind().resource(), token.expose()).await.unwrap().status == 200
    }

    /// From the first login to the logout: a refresh, a grant that the provider ends, a login again. Nothing in it is refused.
    async fn a_whole_life(&self) -> Lived {
        let behind = self.provider.behind();
        // A login that is not answered at the first poll, and a refresh, which brings a short token.
        behind.script(At::Poll, Misbehaviour::Error("authorization_pending"));
        let (prompt, first) = self.logs_in().await;
        let token = self.token().await;
        behind.change(|settings| settings.access_token_life = Duration::from_secs(2));
        let renewed = self.refreshes(&token).await;
        assert!(self.serves(&renewed).await);
        // The provider ends the grant: the next refresh, by time, says so in its own words.
        assert_eq!(behind.end_grants(), 1);
        let dead = self.account_is(|status| status.health == Health::LoginRequired).await;
        assert_eq!(dead.message.as_deref(), Some("The authorization server has ended the login."), "{dead:?}");
        assert_eq!(dead.next_step.as_deref(), Some("authctl login work"));
        assert!(behind.counts().refreshes_ended("invalid_grant") == 1, "{:#?}", behind.counts());
        // A login again, and a logout.
        behind.change(|settings| settings.access_token_life = Duration::from_secs(3600));
        self.logs_in().await;
        let living = self.token().await;
        assert!(self.serves(&living).await);
        let revocation = self.signs_out().await;
        assert_eq!(revocation == Revocation::Sent, !self.serves(&living).await, "what is revoked serves no longer");
        assert_eq!(self.provider.refused(), []);
        behind.counts().assert_no_race_was_lost();
        Lived { first, prompt, revocation }
    }

    /// A refresh that the provider has done, and whose answer is on its way: whoever asks waits for the new token.
    async fn hands_out_no_token_that_a_refresh_has_killed(&self) {
        let behind = self.provider.behind();
        self.logs_in().await;
        let first = self.token().await;
        behind.script(At::Refresh, Misbehaviour::Hold(Commit::After));
        let crowd = Crowd::of(1, &self.daemon);
        let report = crowd.report(1, &first);
        behind.wait_for(|counts| counts.held == 1).await;
        assert!(!self.serves(&first).await);

        let mut asked = crowd.begin(5, work());
        asked.taken().await;
        assert_eq!(asked.open(), 5, "nobody is answered with a dead token");
        behind.release();
        for answer in report.answers().await.into_iter().chain(asked.answers().await) {
            let token = token(answer);
            assert!(token.expose() != first.expose() && self.serves(&token).await);
        }
        assert_eq!(behind.counts().refreshes, 1);
    }

    async fn signs_out(&self) -> Revocation {
        let signed_out = tool(&self.daemon).sign_out(Some("work".to_owned())).await.unwrap();
        assert!(signed_out.erased, "{signed_out:?}");
        if signed_out.revocation == Revocation::Sent {
            self.provider.behind().wait_for(|counts| counts.revocations_effective >= 1).await;
            // The provider notes a request when it has the answer of the server behind.
            until("the provider has noted it", || !self.provider.heard_at(Door::Revocation).is_empty()).await;
        }
        signed_out.revocation
    }

    /// What came to the token endpoint with this grant type.
    fn asked_for(&self, grant_type: &str) -> Vec<Line> {
        let asked = self.provider.heard_at(Door::Token).into_iter();
        asked.filter(|line| line.value("grant_type") == grant_type).collect()
    }
}

const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";

fn scopes(status: &AccountStatus) -> Vec<&str> {
    status.grant.iter().flat_map(|grant| &grant.scopes).map(String::as_str).collect()
}

fn subject(status: &AccountStatus) -> Option<&str> {
    status.grant.as_ref().and_then(|grant| grant.subject.as_deref())
}

fn life(status: &AccountStatus) -> Option<Duration> {
    status.grant.as_ref().and_then(|grant| grant.expires_in)
}

fn is_renewable(status: &AccountStatus) -> bool {
    status.grant.as_ref().is_some_and(|grant| grant.renewable)
}

/// The token was told to live so long, and most of it is left.
fn assert_life_of(status: &AccountStatus, seconds: u64) {
    let left = life(status).unwrap_or_else(|| panic!("its end is not known: {status:?}")).as_secs();
    assert!((seconds - 60..=seconds).contains(&left), "{left} s are left of {seconds} s");
}

/// The person begins a login of the only account.
fn start() -> mcp_authd_client::admin::StartSignIn {
    mcp_authd_client::admin::StartSignIn { account: Some("work".to_owned()), ..Default::default() }
}
