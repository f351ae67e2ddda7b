//! Every method of both sockets, asked with changed bytes, while refresh tokens, device codes and client secrets are held (P7).

use mcp_authd_client::admin::StartSignIn;
use mcp_authd_client::{Need, Request, SignInMode};
use mcp_authd_proto::v1;
use mcp_authd_proto::v1::admin_client::AdminClient;
use mcp_authd_tests::daemon::{Account, Config, Daemon};
use mcp_authd_tests::programs::{approve, logged_in, program, token, tool};
use mcp_authd_tests::sentinel::Wanted;
use mcp_authd_tests::server::{AuthorizationServer, ClientMethod, ConfidentialClient, Settings};
use prost::Message as _;
use tokio::task::JoinSet;
use tonic::Code;
use tonic::transport::Channel;

use super::bare_calls::{End, call, methods};
use super::seeds;
use crate::effort::{figures, rounds};
use crate::parsers::{Mutator, protobuf};
use crate::random::{self, Random};
use mcp_authd_tests::bare::channel;

const SECRETS: [(&str, &str, &str); 2] =
    [("work", "confidential:1", "SNTL_CS_of_work"), ("spare", "confidential:2", "SNTL_CS_of_spare")];
const CALLERS: usize = 8;

/// A door, the path of a method, what it is asked.
type Asked = (Channel, String, Mutator);

/// What came of the calls of one caller.
#[derive(Debug, Default)]
struct Tally {
    calls: usize,
    ok: usize,
    refused: usize,
    undecodable: usize,
    hung_up: usize,
    with_a_token: usize,
}

fn config(server: &AuthorizationServer) -> Config {
    let account = |(name, client, _): (&str, &str, _)| Account::at(name, server.issuer()).scopes(["mcp:read"]).client_id(client);
    // Without a third one, a request that names none would mean `work` whenever `spare` has been removed.
    let third = Account::at("third", "http://127.0.0.1:1/");
    let config = SECRETS.into_iter().map(account).fold(Config::new(), Config::account).account(third);
    // At trace a million calls fill the disk; P10 is about logs.
    config.environment("MCP_AUTHD_LOG", "info")
}

/// Puts the configuration, the secrets and both logins back. Every second time a login waits too, so that a device code is held.
async fn settle(daemon: &Daemon, server: &AuthorizationServer, round: usize) {
    daemon.write_config(&config(server));
    let mut admin = AdminClient::new(channel(daemon.admin_socket()).await);
    admin.reload(v1::ReloadRequest {}).await.expect("the configuration holds");
    for (account, _, secret) in SECRETS {
        let request = v1::SetClientSecretRequest { account: account.to_owned(), client_secret: secret.to_owned() };
        admin.set_client_secret(request).await.expect("the secret is taken");
    }
    let is_held = |all: &[mcp_authd_client::status::AccountStatus], name: &str| {
        all.iter().any(|status| status.name == name && status.grant.is_some())
    };
    let all = tool(daemon).status().await.expect("the tool is answered").accounts;
    if !is_held(&all, "work") {
        logged_in(daemon, "work").await;
    }
    let again = |account: &str| StartSignIn { account: Some(account.to_owned()), again: true, ..StartSignIn::default() };
    if round % 2 == 1 {
        tool(daemon).start_sign_in(again("work")).await.expect("the tool is answered");
    }
    if !is_held(&all, "spare") {
        // It has been asked for so much that it may have to rest: `work` is the one that counts.
        let status = tool(daemon).start_sign_in(again("spare")).await.expect("the tool is answered");
        if let Some(prompt) = status.sign_in {
            approve(&prompt).await;
        }
    }
}

/// What no answer may hold: the kinds of secrets, and the key of the store as it is and as it stands in its file.
fn kept(daemon: &Daemon) -> Wanted {
    let file = std::fs::read(daemon.dirs().data().join("mcp-authd/store.key")).expect("the key stands in its file");
    let digits = String::from_utf8(file).expect("it is text");
    let key: Vec<u8> = (0..64).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).expect("hexadecimal")).collect();
    Wanted::kinds(&["RT", "CS", "DC"])
        .and(&key[..8], "the key")
        .and(&key[24..], "the key")
        .and(&digits.as_bytes()[..16], "the key")
}

/// Whether an answer repeats the secret of its own request. What changed bytes have put in the account's place is no secret.
fn is_echoed(request: &[u8], said: &[u8]) -> bool {
    let piece_in =
        |text: &[u8]| text.windows(8).any(|window| seeds::BY_COMMAND.as_bytes().windows(8).any(|piece| piece == window));
    let as_account = v1::SetClientSecretRequest::decode(request).is_ok_and(|asked| piece_in(asked.account.as_bytes()));
    !as_account && piece_in(said)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p7_no_answer_of_either_socket_holds_a_refresh_token_a_client_secret_a_device_code_or_the_key() {
    // given two confidential clients, logged in
    let client = |(_, client_id, secret): (_, &str, &str)| ConfidentialClient {
        client_id: client_id.to_owned(),
        client_secret: secret.to_owned(),
        method: ClientMethod::Basic,
    };
    let settings = Settings { clients: SECRETS.map(client).to_vec(), ..Settings::default() };
    let server = AuthorizationServer::start(settings);
    let mut daemon = Daemon::start(config(&server)).await;
    let mut random = Random::of(random::seed_of_inputs("p7"));
    let (storms, calls) = (rounds(100, 2), rounds(10_000, 1_200));
    let mut all = Tally::default();

    for round in 0..storms {
        settle(&daemon, &server, round).await;
        let present = token(program(&daemon).token(Need::account("work")).await.expect("the program is answered"));
        let wanted = std::sync::Arc::new(kept(&daemon));
        let held: Vec<String> = server.issued().into_iter().filter(|secret| !secret.starts_with("SNTL_AT")).collect();
        assert!(held.len() >= 3 && held.iter().all(|secret| wanted.found_in(secret.as_bytes()).is_some()), "nothing to look for");

        // when every method is asked with changed bytes, at both sockets
        let mut callers = JoinSet::new();
        for _ in 0..CALLERS {
            let doors = [("Tokens", daemon.tokens_socket()), ("Admin", daemon.admin_socket())];
            let mut asked: Vec<Asked> = Vec::new();
            for (service, socket) in doors {
                let door = channel(socket).await;
                let others = ["/grpc.health.v1.Health/Check", "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"];
                let paths = methods(service).into_iter().chain(others.map(str::to_owned));
                asked.extend(paths.map(|path| {
                    let seeds = seeds::of(&path, present.sha256().as_ref());
                    (door.clone(), path, seeds)
                }));
            }
            callers.spawn(ask(asked, wanted.clone(), Random::of(random.number()), calls / CALLERS));
        }

        // then no answer, status or metadata holds what is kept
        while let Some(tally) = callers.join_next().await {
            let tally = tally.expect("a caller tells its seed above");
            all.calls += tally.calls;
            all.ok += tally.ok;
            all.refused += tally.refused;
            all.undecodable += tally.undecodable;
            all.hung_up += tally.hung_up;
            all.with_a_token += tally.with_a_token;
        }
    }

    // and they were answers of a daemon that held a login and went on serving
    assert!(all.with_a_token > all.calls / 200, "hardly any token was handed out: {all:?}");
    assert!(all.ok > all.calls / 4 && all.refused > all.calls / 20, "one-sided requests: {all:?}");
    settle(&daemon, &server, 0).await;
    let waiting = Request::new(Need::account("work")).sign_in(SignInMode::Never);
    let _serves = token(program(&daemon).token(waiting).await.expect("the program is answered"));
    assert!(!daemon.logs().contains("panicked"));

    // when it is asked to stop, then it does, and the login is still there
    let (_, end) = call(&channel(daemon.admin_socket()).await, "/authd.v1.Admin/Stop", Vec::new()).await;
    assert_eq!(end, End::Status(Code::Ok));
    assert!(daemon.exited().await.success());
    daemon.start_again().await;
    let _serves = token(program(&daemon).token(Need::account("work")).await.expect("the program is answered"));
    let Tally { calls, ok, refused, undecodable, hung_up, with_a_token } = all;
    figures(
        "p7",
        format!(
            "{calls} calls ({ok} answered, {refused} refused, {undecodable} no message at all, {hung_up} given up; {with_a_token} with an access token), 0 secrets"
        ),
    );
}

/// Any method; less often those that write a file or ask a server.
fn chosen<'a>(asked: &'a [Asked], random: &mut Random) -> &'a Asked {
    const SLOW: [&str; 6] = ["StartSignIn", "SignOut", "AddAccount", "RemoveAccount", "SetClientSecret", "Reload"];
    loop {
        let one = random.one_of(asked);
        if !SLOW.iter().any(|slow| one.1.ends_with(slow)) || random.below(6) == 0 {
            return one;
        }
    }
}

async fn ask(asked: Vec<Asked>, wanted: std::sync::Arc<Wanted>, mut random: Random, calls: usize) -> Tally {
    let handed_out = Wanted::kinds(&["AT"]);
    let mut tally = Tally::default();
    for _ in 0..calls {
        let (door, path, mutator) = chosen(&asked, &mut random);
        // A third as it should be, or nearly so; most as messages, some as any bytes.
        let mut request = random.one_of(mutator.seeds()).clone();
        match random.below(6) {
            0 | 1 => {}
            2 => request = mutator.next(&mut random),
            changes => (2..changes).for_each(|_| request = protobuf::changed(&request, mutator, &mut random)),
        }
        if path.ends_with("/Stop") {
            // Never decodes: nothing is stopped.
            request.insert(0, 7);
        }
        let (said, end) = call(door, path, request.clone()).await;
        if let Some((what, at)) = wanted.found_in(&said) {
            panic!("{path}: {what} stands in the answer, at byte {at}; asked: \"{}\"", request.escape_ascii());
        }
        assert!(!is_echoed(&request, &said), "{path}: the answer repeats its secret; asked: \"{}\"", request.escape_ascii());
        let holds_a_token = handed_out.found_in(&said).is_some();
        assert!(!holds_a_token || path.ends_with("Token"), "{path}: an access token where none belongs");
        tally.calls += 1;
        tally.with_a_token += usize::from(holds_a_token);
        match end {
            End::Status(Code::Ok) => tally.ok += 1,
            // What is no message at all is told by tonic itself, as Internal.
            End::Status(Code::Internal) if said.starts_with(b"failed to decode Protobuf message") => tally.undecodable += 1,
            End::Status(Code::Unavailable | Code::Internal | Code::Unknown) => {
                panic!("{path}: the daemon is broken by \"{}\": {}", request.escape_ascii(), String::from_utf8_lossy(&said));
            }
            End::Status(_) => tally.refused += 1,
            End::HungUp => tally.hung_up += 1,
        }
    }
    tally
}
