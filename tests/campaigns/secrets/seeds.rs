//! Right requests of every method, to be changed.
//!
//! Must never: name `work` where that would end its login: a daemon that holds no secret cannot leak one.

use mcp_authd_proto::v1;
use prost::Message;

use crate::parsers::Mutator;

/// For the methods that end or change something.
const HARMLESS: [&str; 10] = [
    "spare",
    "nobody",
    "\u{0}",
    "\u{1b}[2J",
    "../..",
    "\n[accounts.x]\n",
    "client_secret",
    "http://127.0.0.1:1/",
    "\n\u{5}",
    "\u{a}\u{0}",
];
const WORDS: [&str; 8] =
    ["work", "spare", "mcp:read", "http://127.0.0.1:1/mcp", "\n\u{4}work", "\u{0}", "\u{1b}[2J", "refresh_token"];

/// A secret that a request brings along. Without the mark of a secret: changed bytes may make it the name of an account, which is told.
pub(super) const BY_COMMAND: &str = "by-command-0123456789";

fn some(account: &str) -> Option<v1::need::Target> {
    Some(v1::need::Target::Account(account.to_owned()))
}

fn millis(millis: i32) -> Option<prost_types::Duration> {
    Some(prost_types::Duration { seconds: 0, nanos: millis * 1_000_000 })
}

fn encoded<M: Message>(messages: impl IntoIterator<Item = M>) -> Vec<Vec<u8>> {
    messages.into_iter().map(|message| message.encode_to_vec()).collect()
}

fn needs() -> Vec<v1::Need> {
    let of = |target| v1::Need { target, client_name: "a program".to_owned(), ..v1::Need::default() };
    vec![
        of(some("work")),
        of(some("spare")),
        of(Some(v1::need::Target::Resource("http://127.0.0.1:1/mcp".to_owned()))),
        v1::Need { scopes: vec!["mcp:read".to_owned()], min_validity: millis(500), ..of(some("work")) },
        v1::Need { scopes: vec!["mcp:write".to_owned()], ..of(some("work")) },
        v1::Need::default(),
    ]
}

/// What a method is asked; `rejected` is the hash of the present token.
pub(super) fn of(path: &str, rejected: &[u8]) -> Mutator {
    let work = || "work".to_owned();
    let spare = || "spare".to_owned();
    let method = path.rsplit('/').next().unwrap_or(path);
    let seeds = match method {
        "GetToken" => {
            let ask = |(number, need): (usize, v1::Need)| v1::GetTokenRequest {
                rejected_sha256: if number == 3 { rejected.to_vec() } else { Vec::new() },
                sign_in: i32::try_from(number % 4).expect("it is small"),
                max_wait: millis(20),
                need: Some(need),
            };
            encoded(needs().into_iter().enumerate().map(ask))
        }
        "WatchToken" => encoded(needs()),
        "StartSignIn" => encoded([
            v1::StartSignInRequest { account: work(), max_wait: millis(20), again: true, replace: true },
            v1::StartSignInRequest { account: spare(), max_wait: millis(20), ..v1::StartSignInRequest::default() },
        ]),
        "CancelSignIn" => encoded([v1::CancelSignInRequest { account: work() }, v1::CancelSignInRequest { account: spare() }]),
        "WatchAccounts" => encoded([v1::WatchAccountsRequest::default(), v1::WatchAccountsRequest { account: work() }]),
        "SignOut" => encoded([v1::SignOutRequest { account: spare() }, v1::SignOutRequest { account: "nobody".to_owned() }]),
        "RemoveAccount" => encoded([
            v1::RemoveAccountRequest { account: "nobody".to_owned() },
            v1::RemoveAccountRequest { account: "added".to_owned() },
            v1::RemoveAccountRequest { account: spare() },
        ]),
        "AddAccount" => encoded([v1::AddAccountRequest {
            account: Some(v1::AccountDescription {
                name: "added".to_owned(),
                issuer: "http://127.0.0.1:1/".to_owned(),
                client_id: "c".to_owned(),
                scopes: vec!["a".to_owned()],
                extra_parameters: [("prompt".to_owned(), "consent".to_owned())].into(),
                ..v1::AccountDescription::default()
            }),
            url: String::new(),
        }]),
        "SetClientSecret" => encoded([
            v1::SetClientSecretRequest { account: spare(), client_secret: BY_COMMAND.to_owned() },
            v1::SetClientSecretRequest { account: spare(), client_secret: format!("{BY_COMMAND}\n") },
            v1::SetClientSecretRequest { account: spare(), client_secret: String::new() },
        ]),
        // No bytes that decode: a stop would be one. It is asked for in the end.
        "Stop" => vec![vec![7]],
        // No field, or a service of somebody else's: health, reflection.
        _ => vec![Vec::new(), b"\n\x10authd.v1.Tokens".to_vec(), b"\x1a\x15authd/v1/tokens.proto:\x00".to_vec()],
    };
    let ends = matches!(method, "SignOut" | "RemoveAccount" | "AddAccount" | "SetClientSecret");
    Mutator::new(seeds, if ends { &HARMLESS } else { &WORDS })
}
