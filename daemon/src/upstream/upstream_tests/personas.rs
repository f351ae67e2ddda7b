//! A persona for each shipped provider, as it is documented: what it is asked, byte for byte, and what its answers come to.

use std::collections::VecDeque;

use mcp_authd_oauth::sign_in::PendingDevice;
use mcp_authd_oauth::token::{ErrorAnswer, Life};

use super::*;
use crate::config::Config;

/// What it answers with: status, `Retry-After`, body.
type Prepared = (u16, Option<&'static str>, String);

/// A provider without a network: gives its answers in their order, and keeps what it was asked.
#[derive(Clone, Default)]
struct Persona {
    answers: Arc<Mutex<VecDeque<Prepared>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Transport for Persona {
    async fn exchange(&self, request: HttpRequest) -> Result<HttpAnswer, Undelivered> {
        let body = match &request.method {
            Method::Get | Method::Probe => "GET".to_owned(),
            Method::PostForm(body) => body.expose().to_owned(),
            Method::PostJson(body) => format!("json {}", body.expose()),
            Method::PostEmpty => "nothing".to_owned(),
        };
        self.asked.lock().unwrap().push(format!("{} {body}", request.endpoint.as_str()));
        let (status, retry_after, body) = self.answers.lock().unwrap().pop_front().expect("an answer to each request");
        let retry_after = retry_after.map(str::to_owned);
        Ok(HttpAnswer {
            status,
            content_type: None,
            retry_after,
            www_authenticate: Vec::new(),
            peer: Reach::Public,
            body: Body::new(body.into_bytes()),
        })
    }
}

impl Persona {
    fn answers(answers: &[(u16, &str)]) -> Self {
        let persona = Self::default();
        for (status, body) in answers {
            persona.then(*status, None, body);
        }
        persona
    }

    fn then(&self, status: u16, retry_after: Option<&'static str>, body: &str) {
        self.answers.lock().unwrap().push_back((status, retry_after, body.to_owned()));
    }

    /// What was asked since the last look.
    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }

    fn upstream(&self, secret: Option<&'static str>) -> HttpUpstream<Self> {
        let keeps = secret.map_or_else(authentication::Keeps::default, authentication::Keeps::secret);
        HttpUpstream::over(self.clone(), (&Tasks::new(), &follows_tokio()), Arc::new(keeps))
    }

    async fn logs_in(
        &self,
        account: &AccountConfig,
        secret: Option<&'static str>,
    ) -> (Result<Granted, SignInFailure>, Option<PendingDevice>) {
        let (prompt, mut handed_out) = oneshot::channel();
        let scopes = account.scopes.clone();
        let ended = self.upstream(secret).sign_in(Arc::new(account.clone()), asking(scopes), prompt, Gate::of_nobody()).await;
        assert!(self.answers.lock().unwrap().is_empty(), "answers that nobody asked for");
        let device = handed_out.try_recv().ok().map(|pending| match pending {
            PendingSignIn::Device(device) => device,
            PendingSignIn::Code(_) => panic!("a login in a browser"),
        });
        (ended, device)
    }

    async fn refreshes(&self, account: &AccountConfig, granted: &Granted, secret: Option<&'static str>) -> RefreshOutcome {
        let refresh_token = granted.success.refresh_token.clone().unwrap_or(RefreshToken::new("SNTL_RT"));
        let request = RefreshRequest { refresh_token, binding: granted.binding.clone() };
        self.upstream(secret).refresh(Arc::new(account.clone()), request).await
    }
}

fn account_of(text: &str) -> AccountConfig {
    let config = Config::parse(text, std::path::Path::new("c.toml")).unwrap();
    config.accounts.values().next().unwrap().as_ref().clone()
}

fn shipped(provider: &str, rest: &str) -> AccountConfig {
    account_of(&format!("[accounts.a]\nprovider = '{provider}'\nclient_id = 'me'\n{rest}"))
}

fn code(uri: &str) -> String {
    format!(r#"{{"device_code":"DC","user_code":"WDJB-MJHT",{uri},"expires_in":900,"interval":5}}"#)
}

fn error(code: &str) -> String {
    format!(r#"{{"error":"{code}","error_description":"words"}}"#)
}

fn dead(outcome: RefreshOutcome) -> ErrorAnswer {
    match outcome {
        RefreshOutcome::DeadGrant(error) => error,
        other => panic!("{other:?}"),
    }
}

const POLL: &str = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code&device_code=DC";

#[tokio::test(start_paused = true)]
async fn github_tells_errors_with_status_200_and_refreshes_once() {
    let account = shipped("github", "scopes = ['repo', 'gist']");
    let page = r#""verification_uri":"https://github.com/login/device""#;
    let slower = r#"{"error":"slow_down","interval":10}"#;
    // Its default is a form; a scope of its answer has commas.
    let token = "access_token=ghu_1&expires_in=28800&refresh_token=ghr_1&scope=gist%2Crepo&token_type=bearer";
    let persona = Persona::answers(&[(200, &code(page)), (200, &error("authorization_pending")), (200, slower), (200, token)]);
    let (ended, prompt) = persona.logs_in(&account, None).await;
    let granted = ended.unwrap();
    assert_eq!(prompt.unwrap().prompt.verification_uri, "https://github.com/login/device");
    let token = granted.success.token.as_ref().unwrap();
    assert_eq!(token.scopes, Some(Scopes::parse("repo gist")));
    let poll = format!("https://github.com/login/oauth/access_token {POLL}&client_id=me");
    assert_eq!(persona.asked(), ["https://github.com/login/device/code scope=gist+repo&client_id=me", &poll, &poll, &poll]);

    persona.then(200, None, &error("bad_refresh_token"));
    assert_eq!(dead(persona.refreshes(&account, &granted, None).await).error, "bad_refresh_token");
    assert_eq!(
        persona.asked(),
        ["https://github.com/login/oauth/access_token grant_type=refresh_token&refresh_token=ghr_1&client_id=me"]
    );
    for (word, wanted) in [
        ("expired_token", SignInFailure::Expired),
        ("token_expired", SignInFailure::Expired),
        ("access_denied", SignInFailure::Denied),
    ] {
        let persona = Persona::answers(&[(200, &code(page)), (200, &error(word))]);
        assert_eq!(persona.logs_in(&account, None).await.0, Err(wanted), "{word}");
    }
    for word in ["incorrect_device_code", "device_flow_disabled", "incorrect_client_credentials", "unsupported_grant_type"] {
        let persona = Persona::answers(&[(200, &code(page)), (200, &error(word))]);
        let (ended, _) = persona.logs_in(&account, None).await;
        assert!(matches!(&ended, Err(SignInFailure::Refused(said)) if said.error == word), "{ended:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn gitlab_rotates_and_takes_tokens_back() {
    let account = shipped("gitlab", "scopes = ['api']\nprovider_parameters = { host = 'git.example' }");
    let page = r#""verification_uri":"https://git.example/oauth/device","verification_uri_complete":"https://git.example/oauth/device?user_code=WDJB-MJHT""#;
    let token = r#"{"access_token":"AT1","token_type":"Bearer","expires_in":7200,"refresh_token":"RT1","scope":"api","created_at":1607635748}"#;
    let persona = Persona::answers(&[(200, &code(page)), (400, &error("authorization_pending")), (200, token)]);
    let (ended, prompt) = persona.logs_in(&account, None).await;
    let granted = ended.unwrap();
    assert!(prompt.unwrap().prompt.verification_uri_complete.is_some());
    persona.asked();
    persona.then(400, None, &error("invalid_grant"));
    assert_eq!(dead(persona.refreshes(&account, &granted, None).await).status, 400);
    persona.then(200, None, "{}");
    persona.then(200, None, "{}");
    let request = RevokeRequest {
        refresh_token: granted.success.refresh_token.clone(),
        access_token: Some(AccessToken::new("AT1")),
        binding: granted.binding.clone(),
    };
    persona.upstream(None).revoke(Arc::new(account), request).await;
    assert_eq!(
        persona.asked(),
        [
            "https://git.example/oauth/token grant_type=refresh_token&refresh_token=RT1&client_id=me",
            "https://git.example/oauth/revoke token=RT1&token_type_hint=refresh_token&client_id=me",
            "https://git.example/oauth/revoke token=AT1&token_type_hint=access_token&client_id=me",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn google_has_a_page_of_an_older_name_statuses_of_its_own_and_wants_a_secret() {
    let account = shipped("google", "scopes = ['openid']");
    let nobody = Persona::default();
    let (ended, _) = nobody.logs_in(&account, None).await;
    assert!(matches!(ended, Err(SignInFailure::NotAuthenticated(_))), "without its secret nothing is asked: {ended:?}");

    let page = r#""verification_url":"https://www.google.com/device""#;
    let token = r#"{"access_token":"ya29","expires_in":3599,"refresh_token":"1//RT","scope":"openid","token_type":"Bearer"}"#;
    let answers = [(200, code(page)), (428, error("authorization_pending")), (403, error("slow_down")), (200, token.to_owned())];
    let answers: Vec<_> = answers.iter().map(|(status, body)| (*status, body.as_str())).collect();
    let persona = Persona::answers(&answers);
    let (ended, prompt) = persona.logs_in(&account, Some("CS")).await;
    let granted = ended.unwrap();
    assert_eq!(prompt.unwrap().prompt.verification_uri, "https://www.google.com/device");
    let asked = persona.asked();
    assert_eq!(asked[0], "https://oauth2.googleapis.com/device/code scope=openid&client_id=me&client_secret=CS");
    assert_eq!(asked[1], format!("https://oauth2.googleapis.com/token {POLL}&client_id=me&client_secret=CS"));
    assert_eq!(granted.binding.issuer, Some(Issuer::new("https://accounts.google.com")));

    // A refresh token is kept: none comes along.
    persona.then(200, None, r#"{"access_token":"ya30","expires_in":3599,"scope":"openid","token_type":"Bearer"}"#);
    let RefreshOutcome::Success(success) = persona.refreshes(&account, &granted, Some("CS")).await else { panic!("no success") };
    assert_eq!(success.refresh_token, None);
    for (status, body) in [(403, r#"{"error_code":"rate_limit_exceeded"}"#), (401, &*error("invalid_client"))] {
        let persona = Persona::answers(&[(status, body)]);
        let (ended, _) = persona.logs_in(&account, Some("CS")).await;
        match status {
            403 => assert_eq!(ended, Err(SignInFailure::Unavailable { retry_after: None })),
            _ => assert!(matches!(ended, Err(SignInFailure::NotAuthenticated(_))), "{ended:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn entra_has_a_word_for_no_a_message_for_the_person_and_takes_no_resource() {
    let account = shipped("entra", "provider_parameters = { tenant = 'acme' }\nresource = 'https://mcp.example/'");
    let page = r#""verification_uri":"https://microsoft.com/devicelogin","message":"To sign in, use a web browser.""#;
    let login = "https://login.microsoftonline.com/acme/oauth2/v2.0";
    for (word, wanted) in [("authorization_declined", SignInFailure::Denied), ("expired_token", SignInFailure::Expired)] {
        let persona = Persona::answers(&[(200, &code(page)), (400, &error("authorization_pending")), (400, &error(word))]);
        let (ended, prompt) = persona.logs_in(&account, None).await;
        assert_eq!(ended, Err(wanted));
        assert_eq!(prompt.unwrap().prompt.message.as_deref(), Some("To sign in, use a web browser."));
        let poll = format!("{login}/token {POLL}&client_id=me");
        let asked = format!("{login}/devicecode scope=offline_access+openid&client_id=me");
        assert_eq!(persona.asked(), [asked, poll.clone(), poll], "the resource is kept, and not sent");
    }
    let token = r#"{"token_type":"Bearer","scope":"openid","expires_in":3599,"access_token":"AT","refresh_token":"RT"}"#;
    let persona = Persona::answers(&[(200, &code(page)), (200, token)]);
    let granted = persona.logs_in(&account, None).await.0.unwrap();
    assert_eq!(granted.binding.resource, Some(Resource::new("https://mcp.example/")), "what the grant is for is known");
    persona.asked();
    persona.then(400, None, &error("invalid_grant"));
    dead(persona.refreshes(&account, &granted, None).await);
    assert_eq!(persona.asked(), [format!("{login}/token grant_type=refresh_token&refresh_token=RT&client_id=me")]);
}

#[tokio::test(start_paused = true)]
async fn auth0_waits_with_403_slows_down_with_429_and_takes_an_audience() {
    let account = shipped(
        "auth0",
        "provider_parameters = { host = 't.auth0.com' }\naudience = 'https://api'\nresource = 'https://mcp.example/'",
    );
    let page = r#""verification_uri":"https://t.auth0.com/activate""#;
    let token = r#"{"access_token":"AT","refresh_token":"v1.RT","scope":"openid offline_access","expires_in":86400,"token_type":"Bearer"}"#;
    let (pending, slow) = (error("authorization_pending"), error("slow_down"));
    let persona = Persona::answers(&[(200, &code(page)), (403, &pending), (429, &slow), (200, token)]);
    let granted = persona.logs_in(&account, None).await.0.unwrap();
    let asked = persona.asked();
    let first = "https://t.auth0.com/oauth/device/code scope=offline_access+openid&audience=https%3A%2F%2Fapi&client_id=me";
    assert_eq!((asked[0].as_str(), asked.len()), (first, 4), "no metadata is read for what is known");
    persona.then(403, None, &error("invalid_grant"));
    dead(persona.refreshes(&account, &granted, None).await);
}

#[tokio::test(start_paused = true)]
async fn okta_is_asked_at_one_of_its_authorization_servers() {
    let account = shipped("okta", "provider_parameters = { host = 'dev-1.okta.com', server = 'aus1' }");
    let page = r#""verification_uri":"https://dev-1.okta.com/activate""#;
    let token = r#"{"access_token":"AT","refresh_token":"RT","expires_in":3600,"token_type":"Bearer"}"#;
    let persona = Persona::answers(&[(200, &code(page)), (400, &error("authorization_pending")), (200, token)]);
    let granted = persona.logs_in(&account, None).await.0.unwrap();
    let asked = persona.asked();
    assert!(asked[0].starts_with("https://dev-1.okta.com/oauth2/aus1/v1/device/authorize scope="), "{asked:?}");
    assert!(asked[1].starts_with("https://dev-1.okta.com/oauth2/aus1/v1/token grant_type="), "{asked:?}");
    assert_eq!(granted.binding.issuer, Some(Issuer::new("https://dev-1.okta.com/oauth2/aus1")));
}

#[tokio::test(start_paused = true)]
async fn keycloak_says_invalid_grant_for_what_is_switched_off_and_for_a_code_that_it_forgot() {
    // Where no browser is next, the person is told.
    let alone = account_of(
        "[providers.k]\nbase = 'https://sso.example'\ndevice_authorization_endpoint = '/d'\ntoken_endpoint = '/t'\n\
         [accounts.a]\nprovider = 'k'\nclient_id = 'me'",
    );
    let off = r#"{"error":"invalid_grant","error_description":"Client not allowed OAuth 2.0 Device Authorization Grant"}"#;
    let persona = Persona::answers(&[(400, off)]);
    let (ended, prompt) = persona.logs_in(&alone, None).await;
    assert!(matches!(&ended, Err(SignInFailure::Refused(said)) if said.description.is_some()), "{ended:?}");
    assert_eq!(prompt, None);
    let account = shipped("keycloak", "provider_parameters = { host = 'sso.example', realm = 'r' }");
    let page = r#""verification_uri":"https://sso.example/realms/r/device""#;
    let persona = Persona::answers(&[(200, &code(page)), (400, &error("authorization_pending")), (400, &error("invalid_grant"))]);
    let (ended, _) = persona.logs_in(&account, None).await;
    assert!(matches!(&ended, Err(SignInFailure::Refused(said)) if said.error == "invalid_grant"), "{ended:?}");
    let realm = "https://sso.example/realms/r/protocol/openid-connect";
    assert_eq!(persona.asked()[0], format!("{realm}/auth/device client_id=me"));
}

/// What stands in the configuration alone: JSON, no client, no discovery, a code request without a body, camelCase, no `expires_in`.
const CONFIG_ALONE: &str = r#"
[providers.tool]
base = "https://api.example/v2"
device_authorization_endpoint = "/cli/code"
token_endpoint = "/cli/token"
client = "none"
device_authorization = { body = "none", answer = { device_code = "data.id", user_code = "data.code", verification_uri = "data.link" } }
poll = { body = "json", omit = ["grant_type"], names = { device_code = "id" } }
refresh = { body = "json", omit = ["grant_type"], names = { refresh_token = "refreshToken" } }
answer = { access_token = "accessToken", refresh_token = "refreshToken" }
errors = { pending_statuses = [202], dead_grant_statuses = [401] }
expiry = { source = "jwt" }
[accounts.a]
provider = "tool"
"#;

#[tokio::test(start_paused = true)]
async fn a_provider_that_is_nothing_like_the_rfcs_is_defined_by_config_alone() {
    let account = account_of(CONFIG_ALONE);
    let first = r#"{"data":{"id":"DC","code":"WDJB-MJHT","link":"https://api.example/go"}}"#;
    // A JWT (RFC 7519) that ends in the year 2100.
    let token = r#"{"accessToken":"e30.eyJleHAiOjQxMDI0NDQ4MDB9.c2ln","refreshToken":"RT1"}"#;
    let persona = Persona::answers(&[(200, first), (202, ""), (202, "{}"), (200, token)]);
    let (ended, prompt) = persona.logs_in(&account, None).await;
    let granted = ended.unwrap();
    assert_eq!(
        persona.asked(),
        [
            "https://api.example/v2/cli/code nothing",
            r#"https://api.example/v2/cli/token json {"id":"DC"}"#,
            r#"https://api.example/v2/cli/token json {"id":"DC"}"#,
            r#"https://api.example/v2/cli/token json {"id":"DC"}"#,
        ]
    );
    // A login from before a restart goes on in the same manner.
    let pending = prompt.unwrap();
    persona.then(200, None, token);
    let resumed =
        persona.upstream(None).resume_sign_in(Arc::new(account.clone()), PendingSignIn::Device(pending), Gate::of_nobody()).await;
    assert!(resumed.is_ok(), "{resumed:?}");
    assert_eq!(persona.asked(), [r#"https://api.example/v2/cli/token json {"id":"DC"}"#]);
    let token = granted.success.token.as_ref().unwrap();
    assert!(matches!(token.life, Life::Known(life) if life > Duration::from_secs(86_400)));

    for broken in ["garbage", "a.b", "e30.e30.c2ln", "e30.eyJleHAiOiI0MTAyNDQ0ODAwIn0.c2ln"] {
        persona.then(200, None, &format!(r#"{{"accessToken":"{broken}","refreshToken":"RT2"}}"#));
        let RefreshOutcome::Success(success) = persona.refreshes(&account, &granted, None).await else { panic!("{broken}") };
        assert_eq!(success.token.unwrap().life, Life::Unknown, "{broken}");
        assert_eq!(success.refresh_token, Some(RefreshToken::new("RT2")));
        assert_eq!(persona.asked(), [r#"https://api.example/v2/cli/token json {"refreshToken":"RT1"}"#]);
    }
    persona.then(429, Some("7"), "");
    let later = RefreshOutcome::Later { retry_after: Some(Duration::from_secs(7)), status: 429 };
    assert_eq!(persona.refreshes(&account, &granted, None).await, later);
    persona.then(401, None, "");
    assert_eq!(dead(persona.refreshes(&account, &granted, None).await).status, 401);
}

#[tokio::test(start_paused = true)]
async fn wrong_hosts_of_metadata_are_mended_and_slow_down_may_come_as_401() {
    let account = account_of(
        "[providers.wrong]\nissuer = 'https://as.example'\nrewrite_hosts = { 'internal.example:8443' = 'as.example' }\n\
         errors = { slow_down_statuses = [401] }\n[accounts.a]\nprovider = 'wrong'\nclient_id = 'me'",
    );
    let metadata = r#"{"issuer":"https://as.example","token_endpoint":"https://internal.example:8443/t","device_authorization_endpoint":"https://internal.example:8443/d","revocation_endpoint":"https://elsewhere.example/r"}"#;
    // No usable refresh token, and the answers tell what they are by `error`.
    let token = r#"{"access_token":"AT","token_type":"Bearer","expires_in":60,"refresh_token":""}"#;
    let page = r#""verification_uri":"https://as.example/go""#;
    let answers =
        [(200, metadata.to_owned()), (200, code(page)), (401, error("slow_down")), (401, String::new()), (200, token.to_owned())];
    let answers: Vec<_> = answers.iter().map(|(status, body)| (*status, body.as_str())).collect();
    let persona = Persona::answers(&answers);
    let granted = persona.logs_in(&account, None).await.0.unwrap();
    assert_eq!(granted.success.refresh_token, None);
    assert_eq!(granted.binding.token_endpoint.as_str(), "https://as.example/t");
    assert_eq!(
        granted.binding.revocation_endpoint.as_ref().unwrap().as_str(),
        "https://elsewhere.example/r",
        "only what is named"
    );
    let asked = persona.asked();
    assert!(asked[1].starts_with("https://as.example/d ") && asked[2].starts_with("https://as.example/t "), "{asked:?}");
}

#[tokio::test(start_paused = true)]
async fn what_is_neither_configured_nor_discovered_is_never_called() {
    let account =
        account_of("[providers.p]\ntoken_endpoint = 'https://as.example/t'\n[accounts.a]\nprovider = 'p'\nclient_id = 'me'");
    let off = account_of(
        "[providers.p]\nissuer = 'https://as.example'\ndevice_grant = 'unavailable'\n[accounts.a]\nprovider = 'p'\nclient_id = 'me'",
    );
    let persona = Persona::default();
    assert!(matches!(persona.logs_in(&account, None).await.0, Err(SignInFailure::NoWay(_))));
    assert!(persona.asked().is_empty());

    let offered = r#"{"issuer":"https://as.example","token_endpoint":"https://as.example/t",
        "device_authorization_endpoint":"https://as.example/d"}"#;
    let persona = Persona::answers(&[(200, offered)]);
    assert!(matches!(persona.logs_in(&off, None).await.0, Err(SignInFailure::NoWay(_))));
    assert_eq!(persona.asked().len(), 1, "the device endpoint was not asked");
}
