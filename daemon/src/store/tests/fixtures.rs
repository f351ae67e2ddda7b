//! Records as every version has written them, kept as bytes (B34): `fixtures/version-N/`, each with the key that sealed it.
//!
//! They were made once, by `MCP_AUTHD_MAKE_RECORDS=1 cargo test -p mcp-authd fixtures`, which makes only what is missing: whoever
//! raises [`VERSION`] writes a folder for it, and none of the older ones ever again. `tests/campaigns/change` starts the daemon on
//! them.

use std::fs;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::registration::registered;
use super::*;
use crate::accounts::grant::{KeptRest, NotRenewable, RestCause};
use crate::store::record::{Record, RecordId};
use crate::store::seal;

/// 32 times `k`.
const KEY: &str = "6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b\n";
/// Where nobody ever listens.
const SERVER: &str = "http://127.0.0.1:9";

fn folder(version: u16) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("src/store/tests/fixtures/version-{version}"))
}

fn bound() -> Binding {
    let endpoint = |path| serde_json::from_value::<Endpoint>(serde_json::json!(format!("{SERVER}/{path}"))).unwrap();
    Binding {
        issuer: Some(Issuer::new(SERVER)),
        token_endpoint: endpoint("token"),
        revocation_endpoint: Some(endpoint("revoke")),
        client_id: ClientId::new("mcp-authd-tests"),
        resource: None,
    }
}

/// A grant whose token has no known end, so that a daemon serves it whenever it starts.
fn kept(renewal: Renewal, intent: Option<Intent>) -> GrantRecord {
    let mut record = grant(3);
    record.intent = intent;
    record.grant.binding = bound();
    record.grant.renewal = renewal;
    record.grant.access = Some(HeldToken {
        access_token: AccessToken::new("SNTL_AT_kept"),
        requested: NOW.instant - HOUR / 4,
        requested_wall: NOW.wall - HOUR / 4,
        life: Life::Unknown,
    });
    record
}

/// The server has said when to come again: a member that the first records of this version did not have.
fn resting() -> GrantRecord {
    let why = "the authorization server answers with status 503".to_owned();
    let rest = KeptRest { until: NOW.wall + HOUR / 6, cause: RestCause::Answered, why, failures: 2 };
    GrantRecord { rest: Some(rest), ..kept(with_token(), None) }
}

fn with_token() -> Renewal {
    Renewal::With(RefreshToken::new("SNTL_RT_kept"))
}

/// The grants of version 1, by account.
fn grants() -> Vec<(&'static str, GrantRecord)> {
    let bounded = GrantRecord { grant: Grant { binding: bound(), ..grant(3).grant }, ..grant(3) };
    vec![
        ("work", kept(with_token(), None)),
        ("bounded", bounded),
        ("first", kept(with_token(), Some(Intent::First))),
        ("replay", kept(with_token(), Some(Intent::Replay))),
        ("not-issued", kept(Renewal::Not(NotRenewable::NotIssued), None)),
        ("dead", kept(Renewal::Not(NotRenewable::Dead), None)),
        ("resting", resting()),
        ("in-doubt", kept(Renewal::Not(NotRenewable::InDoubt), None)),
    ]
}

/// The sign-ins of version 1, by account.
fn sign_ins() -> Vec<(&'static str, SignInRecord)> {
    let quiet = |ended| SignInRecord { pending: None, ended, refused_scopes: None, ..sign_in(2) };
    let mut waiting = SignInRecord { ended: None, ..sign_in(2) };
    if let Some(PendingSignIn::Device(device)) = waiting.pending.as_mut().map(|pending| &mut pending.login) {
        device.binding = bound();
    }
    vec![
        ("waiting", waiting),
        ("logged-out", quiet(Some(Ended::ByPerson))),
        ("reconfigured", quiet(Some(Ended::ByConfiguration))),
        ("before-reloads", quiet(Some(Ended::ByPerson))),
    ]
}

fn kept_client() -> ClientRecord {
    ClientRecord { issuer: Issuer::new(SERVER), ..client_record() }
}

/// As it was written before a configuration could end a login: without the member that tells who did.
fn without_by_configuration(plain: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut record: serde_json::Value = serde_json::from_slice(plain).unwrap();
    record.as_object_mut().unwrap().remove("by_configuration").unwrap();
    Zeroizing::new(serde_json::to_vec(&record).unwrap())
}

fn key() -> Key {
    Key::parse(KEY.as_bytes()).unwrap()
}

fn make_what_is_missing() {
    let keep = |version: u16, name: &str, bytes: &[u8]| {
        fs::create_dir_all(folder(version)).unwrap();
        let path = folder(version).join(name);
        if !path.exists() {
            fs::write(path, bytes).unwrap();
        }
    };
    let sealed = |id: &RecordId, generation, plain| seal::seal(&key(), id.as_str(), generation, plain).unwrap();
    keep(1, "store.key", KEY.as_bytes());
    for (account, record) in grants() {
        let id = RecordId::grant(&name(account));
        keep(1, &id.file_name(), &sealed(&id, record.generation, record.write(NOW).unwrap()));
    }
    for (account, record) in sign_ins() {
        let id = RecordId::sign_in(&name(account));
        let plain = record.write(NOW).unwrap();
        let plain = if account == "before-reloads" { without_by_configuration(&plain) } else { plain };
        keep(1, &id.file_name(), &sealed(&id, record.generation, plain));
    }
    let client = kept_client();
    let id = RecordId::client(&client.issuer, &client.client_id);
    keep(1, &id.file_name(), &sealed(&id, 0, client.write(NOW).unwrap()));
    let registered = registered(SERVER);
    let id = RecordId::registration(&registered.issuer);
    keep(1, &id.file_name(), &sealed(&id, 0, registered.write(NOW).unwrap()));
    let later = fs::read(folder(1).join("grant-work.sealed")).unwrap();
    keep(VERSION + 1, "grant-later.sealed", &as_of_version(&later, VERSION + 1));
    keep(VERSION + 1, "store.key", KEY.as_bytes());
}

/// A house with these records.
fn house_of(version: u16) -> House {
    let house = House::new();
    for folder in ["state", "data"] {
        fs::create_dir(house.root.path().join(folder)).unwrap();
        fs::set_permissions(house.root.path().join(folder), fs::Permissions::from_mode(0o700)).unwrap();
    }
    for entry in fs::read_dir(folder(version)).unwrap() {
        let from = entry.unwrap().path();
        let name = from.file_name().unwrap();
        let to = house.root.path().join(if name == "store.key" { "data" } else { "state" }).join(name);
        fs::copy(&from, &to).unwrap();
        fs::set_permissions(&to, fs::Permissions::from_mode(0o600)).unwrap();
    }
    house
}

#[tokio::test]
async fn every_record_of_version_1_opens_as_what_it_was() {
    if std::env::var_os("MCP_AUTHD_MAKE_RECORDS").is_some() {
        make_what_is_missing();
    }
    let house = house_of(1);
    let store = house.open().await;
    for (account, record) in grants() {
        assert_eq!(store.load(&name(account)).await.unwrap().grant, Some(record), "{account}");
    }
    for (account, record) in sign_ins() {
        assert_eq!(store.load(&name(account)).await.unwrap().sign_in, Some(record), "{account}");
    }
    let client = kept_client();
    let loaded = store.load_client(&client.issuer, &client.client_id).await.unwrap();
    assert_eq!(loaded, Some(client));
    assert_eq!(store.registrations().await.unwrap(), [registered(SERVER)]);
    assert_eq!(house.set_aside(), Vec::<String>::new());
    let kept = fs::read_dir(folder(1)).unwrap().count();
    assert_eq!(kept, grants().len() + sign_ins().len() + 3, "each file is looked at");
}

#[tokio::test]
async fn a_record_of_the_version_after_is_told_and_every_file_stays_as_it_is() {
    let house = house_of(VERSION + 1);
    let before = fs::read(house.file("grant-later.sealed")).unwrap();
    match house.open_with(Arc::new(house.key_file()), Clock::from_fn(|| NOW)).await {
        Err(OpenError::FromNewer(why)) => assert!(why.contains("grant-later.sealed") && why.contains("newer mcp-authd"), "{why}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(fs::read(house.file("grant-later.sealed")).unwrap(), before);
    assert_eq!(fs::read_dir(house.root.path().join("state")).unwrap().count(), 1);
}

#[test]
fn what_is_written_now_has_the_form_of_its_version_to_the_byte() {
    // Another form under the same number would be damage to the programs that know it: raise the version, and keep its records.
    assert_eq!(VERSION, 1, "each version has its fixtures, and its own lines in this test");
    let plain = |id: &RecordId| {
        let file = fs::read(folder(1).join(id.file_name())).unwrap();
        seal::open(&key(), id.as_str(), &file).unwrap().1
    };
    let same = |id: &RecordId, now: Option<Zeroizing<Vec<u8>>>| {
        let (kept, now) = (plain(id), now.unwrap());
        assert!(*kept == *now, "{}:\n{}\n{}", id.as_str(), String::from_utf8_lossy(&kept), String::from_utf8_lossy(&now));
    };
    for (account, record) in grants() {
        same(&RecordId::grant(&name(account)), record.write(NOW));
    }
    for (account, record) in sign_ins().into_iter().filter(|(account, _)| *account != "before-reloads") {
        same(&RecordId::sign_in(&name(account)), record.write(NOW));
    }
    let client = kept_client();
    same(&RecordId::client(&client.issuer, &client.client_id), client.write(NOW));
    let registered = registered(SERVER);
    same(&RecordId::registration(&registered.issuer), registered.write(NOW));
}
