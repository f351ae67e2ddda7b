//! Logins whose browser is on another machine, and what a person looks at besides: the real `authctl` at the real daemon, and a server
//! that has nothing but a token endpoint.

use std::sync::{Arc, Mutex};

use mcp_authd_tests::daemon::{Config, Daemon};
use mcp_authd_tests::programs::program;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;
use url::Url;

use crate::authctl::{Login, authctl};
use crate::logged_in::{look, used};

/// A token endpoint that takes any code, and keeps what it was asked (RFC 6749, 4.1.3), with metadata (RFC 8414) and a registration
/// endpoint (RFC 7591) for whoever looks for them. Its authorization endpoint is never called by the daemon: a browser would.
struct CodeServer {
    origin: String,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Default)]
struct Seen {
    /// The bodies of the requests to the token endpoint.
    asked: Vec<String>,
    /// How many clients were registered: each has an id of its own.
    registered: usize,
}

impl CodeServer {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let seen: Arc<Mutex<Seen>> = Arc::default();
        let (keeps, here) = (seen.clone(), origin.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let mut stream = BufReader::new(stream);
                let (mut head, mut line, mut first) = (Vec::new(), String::new(), String::new());
                stream.read_line(&mut first).await.unwrap();
                while stream.read_line(&mut line).await.unwrap() > 2 {
                    head.push(std::mem::take(&mut line).to_lowercase());
                }
                let length = head.iter().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok()).unwrap_or(0);
                let mut body = vec![0; length];
                stream.read_exact(&mut body).await.unwrap();
                let (status, body) = answer(&here, &first, String::from_utf8(body).unwrap(), &keeps);
                let head = format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n", body.len());
                stream.write_all(format!("{head}connection: close\r\n\r\n{body}").as_bytes()).await.unwrap();
            }
        });
        Self { origin, seen }
    }

    /// What the token endpoint was asked so far.
    fn asked(&self) -> Vec<String> {
        self.seen.lock().unwrap().asked.clone()
    }

    /// A daemon with these accounts there, by a provider of its own that knows no device grant.
    async fn daemon(&self, accounts: &[&str]) -> Daemon {
        let Self { origin, .. } = self;
        let provider = format!(
            "[providers.browser-only]\nauthorization_endpoint = \"{origin}/authorize\"\ntoken_endpoint = \"{origin}/token\"\npkce = \"assumed\"\n"
        );
        let accounts: String = accounts
            .iter()
            .map(|name| format!("[accounts.{name}]\nprovider = \"browser-only\"\nclient_id = \"abc\"\n"))
            .collect();
        Daemon::start(Config::new().text(&provider).text(&accounts)).await
    }
}

fn answer(origin: &str, first: &str, body: String, seen: &Mutex<Seen>) -> (&'static str, String) {
    match first.split(' ').nth(1).unwrap_or_default() {
        "/.well-known/oauth-authorization-server" => {
            let endpoint = |name: &str| format!("{origin}/{name}");
            let metadata = json!({
                "issuer": origin,
                "authorization_endpoint": endpoint("authorize"),
                "token_endpoint": endpoint("token"),
                "registration_endpoint": endpoint("register"),
                "response_types_supported": ["code"],
                "code_challenge_methods_supported": ["S256"],
                "token_endpoint_auth_methods_supported": ["none"],
            });
            ("200 OK", metadata.to_string())
        }
        "/register" => {
            let mut client: Value = serde_json::from_str(&body).unwrap();
            let mut seen = seen.lock().unwrap();
            seen.registered += 1;
            client["client_id"] = format!("registered-{}", seen.registered).into();
            ("201 Created", client.to_string())
        }
        "/token" => {
            let mut seen = seen.lock().unwrap();
            seen.asked.push(body);
            ("200 OK", format!(r#"{{"access_token":"SNTL_AT_{}","token_type":"Bearer","expires_in":3600}}"#, seen.asked.len()))
        }
        _ => ("404 Not Found", "{}".to_owned()),
    }
}

/// `authctl login NAME --paste`, whose output a person reads.
fn pasting(daemon: &Daemon, arguments: &[&str]) -> Login {
    Login::begins_with_keys(daemon, &[arguments, &["--paste"]].concat())
}

/// The address that the person opens.
async fn address_of(login: &mut Login) -> Url {
    Url::parse(&login.field("open").await).unwrap()
}

async fn event(login: &mut Login) -> Value {
    serde_json::from_str(&login.line().await).unwrap()
}

fn parameter(address: &Url, name: &str) -> String {
    address.query_pairs().find(|(found, _)| found == name).unwrap_or_else(|| panic!("no {name} in {address}")).1.into_owned()
}

/// What the address bar of a browser on another machine shows at the end.
fn redirected(address: &Url, code: &str) -> String {
    format!("{}?code={code}&state={}", parameter(address, "redirect_uri"), parameter(address, "state"))
}

#[tokio::test]
async fn a_person_whose_browser_is_on_another_machine_pastes_its_address_and_every_program_is_served() {
    // given a server without a device grant, and a person over SSH
    let server = CodeServer::start().await;
    let daemon = server.daemon(&["work"]).await;
    let mut login = pasting(&daemon, &["work"]);
    let address = address_of(&mut login).await;
    assert_eq!(parameter(&address, "code_challenge_method"), "S256");

    // when the person pastes what the browser shows
    login.paste(&redirected(&address, "SNTL_AC_1")).await;

    // then the login is over, and a program has the token; the code was traded in once, with its verifier
    let told = login.ends().await;
    assert!(told.code == Some(0) && told.out.ends_with("work is logged in.\n") && told.err.is_empty(), "{told:?}");
    assert_eq!(used(look(&program(&daemon), "work").await).expose(), "SNTL_AT_1");
    let asked = server.asked();
    assert!(asked.len() == 1 && asked[0].contains("code=SNTL_AC_1") && asked[0].contains("code_verifier="), "{asked:?}");

    // and nothing of it was told or logged
    daemon.assert_no_secret_in_clear();
    let log = daemon.logs();
    assert!(log.contains("brought by hand"), "the log is read");
    for secret in ["SNTL_AC_1", &parameter(&address, "state")] {
        assert!(!log.contains(secret) && !told.out.contains(&format!("code={secret}")), "{secret}");
    }
}

#[tokio::test]
async fn two_logins_at_once_take_their_own_answers_and_a_wrong_one_ends_neither() {
    let server = CodeServer::start().await;
    let daemon = server.daemon(&["home", "work"]).await;
    let (mut home, mut work) = (pasting(&daemon, &["home"]), pasting(&daemon, &["work", "--json"]));
    let home_address = address_of(&mut home).await;
    let begun = event(&mut work).await;
    let work_address = Url::parse(begun["authorization_uri"].as_str().unwrap()).unwrap();

    // when a program pastes rubbish, the address that was to be opened, and then the answer of the other login
    for (wrong, why) in [("SNTL_rubbish", "state"), (work_address.as_str(), "code")] {
        work.paste(wrong).await;
        let told = event(&mut work).await;
        assert_eq!(told["event"], "not_taken");
        assert!(told["message"].as_str().unwrap().contains(why) && !told.to_string().contains("SNTL"), "{told}");
    }
    work.paste(&redirected(&home_address, "SNTL_AC_home")).await;
    let told = event(&mut work).await;
    assert!(told["message"].as_str().unwrap().contains("the login to home"), "{told}");

    // then the other login has it, although it was pasted here, and this one waits on for its own
    assert_eq!(home.ends().await.code, Some(0));
    work.paste(&redirected(&home_address, "SNTL_AC_again")).await;
    assert_eq!(event(&mut work).await["event"], "not_taken", "an answer counts once");
    work.paste(&redirected(&work_address, "SNTL_AC_work")).await;
    let told = work.ends().await;
    assert!(told.code == Some(0) && told.out.contains("\"outcome\":\"granted\""), "{told:?}");
    let codes: Vec<bool> = server.asked().iter().map(|asked| asked.contains("SNTL_AC_again")).collect();
    assert_eq!(codes, [false, false]);
}

#[tokio::test]
async fn clients_and_providers_are_told_as_they_are() {
    let server = CodeServer::start().await;
    let daemon = server.daemon(&["work"]).await;
    let none = authctl(&daemon, &["client", "list"]).await;
    assert!(none.code == Some(0) && none.out.starts_with("mcp-authd has registered no client."), "{none:?}");
    authctl(&daemon, &["client", "forget", "https://as.example"]).await.assert_refused(1, "authctl client list");

    let list: Value = serde_json::from_str(&authctl(&daemon, &["provider", "list", "--json"]).await.out).unwrap();
    let names: Vec<&str> = list["providers"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["auth0", "browser-only", "entra", "github", "gitlab", "google", "keycloak", "okta"]);
    let own: Value = serde_json::from_str(&authctl(&daemon, &["provider", "show", "browser-only", "--json"]).await.out).unwrap();
    assert_eq!((&own["origin"], &own["device"], &own["browser"]), (&"configured".into(), &"no".into(), &"yes".into()));
    let entra = authctl(&daemon, &["provider", "show", "entra"]).await;
    assert!(entra.out.contains("tenant: has to be given") && entra.out.contains("[providers.entra]"), "{entra:?}");
    authctl(&daemon, &["provider", "show", "nobody"]).await.assert_refused(1, "authctl provider list");
}

#[tokio::test]
async fn a_client_that_the_daemon_has_registered_is_shown_and_forgotten_and_the_next_login_registers_another() {
    // given an account without a client, logged in with one that was registered for it
    let server = CodeServer::start().await;
    let daemon = Daemon::start(Config::new().text(&format!("[accounts.work]\nissuer = \"{}\"\n", server.origin))).await;
    let mut login = pasting(&daemon, &["work"]);
    let address = address_of(&mut login).await;
    assert_eq!(parameter(&address, "client_id"), "registered-1");
    login.paste(&redirected(&address, "SNTL_AC_1")).await;
    assert_eq!(login.ends().await.code, Some(0));

    // when the person looks
    let list: Value = serde_json::from_str(&authctl(&daemon, &["client", "list", "--json"]).await.out).unwrap();
    let client = &list["clients"][0];
    assert_eq!((&client["issuer"], &client["client_id"]), (&server.origin.as_str().into(), &"registered-1".into()));
    assert_eq!((&client["standing"], &client["auth_method"]), (&"good".into(), &"none".into()));
    assert!(
        client["registered_at"].as_u64().is_some() && client["redirect_uris"].to_string().contains("http://127.0.0.1"),
        "{client}"
    );

    // then it is forgotten for its own issuer only
    authctl(&daemon, &["client", "forget", &format!("{}/", server.origin)]).await.assert_refused(1, "authctl client list");
    let gone = authctl(&daemon, &["client", "forget", &server.origin]).await;
    assert!(gone.code == Some(0) && gone.out.contains("is forgotten"), "{gone:?}");
    let none = authctl(&daemon, &["client", "list", "--json"]).await;
    assert_eq!(none.out, "{\"clients\":[]}\n");

    // and the person's word counts more than the hour between two registrations (D59)
    let mut login = pasting(&daemon, &["work", "--again"]);
    assert_eq!(parameter(&address_of(&mut login).await, "client_id"), "registered-2");
}
