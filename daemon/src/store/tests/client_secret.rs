//! The secrets of clients: sealed under their server and client, or read from a file that somebody else keeps.

use std::collections::BTreeMap;

use super::*;
use crate::accounts::AccountConfig;
use crate::accounts::client_secret::SecretError;
use crate::host::private_file::Reason;

const TOKEN_ENDPOINT: &str = "https://as.example/token";

/// The test module of a room may know more than the room: an account comes from the configuration.
fn account(text: &str) -> AccountConfig {
    let toml = format!("[accounts.work]\n{text}\n");
    let config = crate::config::Config::parse(&toml, Path::new("config.toml")).unwrap();
    AccountConfig::clone(&config.accounts.values().next().unwrap().clone())
}

fn at_issuer(issuer: &str, client_id: &str) -> AccountConfig {
    account(&format!("issuer = \"{issuer}\"\nclient_id = \"{client_id}\""))
}

fn at_endpoints(token_endpoint: &str) -> AccountConfig {
    account(&format!(
        "device_authorization_endpoint = \"https://as.example/device\"\ntoken_endpoint = \"{token_endpoint}\"\nclient_id = \"client\""
    ))
}

async fn secret_of(store: &SealedStore, account: &AccountConfig) -> Option<String> {
    store.client_secret(account).await.unwrap().map(|secret| secret.expose().to_owned())
}

#[tokio::test(start_paused = true)]
async fn p14_a_kept_secret_is_found_for_its_server_and_client_and_for_nobody_else() {
    let house = House::new();
    let store = house.open().await;
    let (by_issuer, by_endpoint) = (at_issuer("https://as.example", "client"), at_endpoints(TOKEN_ENDPOINT));
    store.save_client_secret(&by_issuer, ClientSecret::new("SNTL_CS_1")).await.unwrap();
    store.save_client_secret(&by_endpoint, ClientSecret::new("SNTL_CS_2")).await.unwrap();

    // The name of an account says nothing; what it points to does.
    let other_name = AccountConfig { name: name("other"), scopes: Scopes::parse("a"), ..by_issuer.clone() };
    assert_eq!(secret_of(&store, &other_name).await.as_deref(), Some("SNTL_CS_1"));
    assert_eq!(secret_of(&store, &by_endpoint).await.as_deref(), Some("SNTL_CS_2"));
    for stranger in [
        at_issuer("https://as.example/", "client"),
        at_issuer("https://evil.example", "client"),
        at_issuer("https://as.example", "client-2"),
        at_endpoints("https://as.example/token2"),
    ] {
        assert_eq!(secret_of(&store, &stranger).await, None, "{stranger:?}");
    }

    store.forget_client_secret(&by_issuer).await.unwrap();
    assert_eq!(secret_of(&store, &by_issuer).await, None);
    assert_eq!(secret_of(&store, &by_endpoint).await.as_deref(), Some("SNTL_CS_2"));
    store.forget_client_secret(&by_issuer).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_kept_secret_is_sealed_outlives_a_restart_and_leaves_the_registration_beside_it() {
    let house = House::new();
    let account = at_issuer(client_record().issuer.as_str(), client_record().client_id.as_str());
    let store = house.open().await;
    store.save_client(client_record()).await.unwrap();
    store.save_client_secret(&account, ClientSecret::new("SNTL_CS_new")).await.unwrap();
    for file in fs::read_dir(house.root.path().join("state")).unwrap() {
        let bytes = fs::read(file.unwrap().path()).unwrap();
        assert!(!bytes.windows(4).any(|window| window == b"SNTL"));
    }

    let store = house.open().await;
    assert_eq!(secret_of(&store, &account).await.as_deref(), Some("SNTL_CS_new"));
    let kept = store.load_client(&client_record().issuer, &client_record().client_id).await.unwrap().unwrap();
    let expected =
        ClientRecord { client_secret: Some(ClientSecret::new("SNTL_CS_new")), client_secret_expires_at: None, ..client_record() };
    assert_eq!(kept, expected);
}

#[tokio::test(start_paused = true)]
async fn a_locked_store_neither_tells_nor_keeps_a_secret_and_a_file_needs_no_key() {
    let house = House::new();
    let account = at_issuer("https://as.example", "client");
    let source = Told::new(vec![Box::new(|| KeyOutcome::Locked("a person has to open it".to_owned()))]);
    let store = house.open_with(source, follows_tokio()).await.unwrap();
    assert_eq!(store.client_secret(&account).await, Err(SecretError::Kept(LoadError::Locked)));
    assert_eq!(store.save_client_secret(&account, ClientSecret::new("SNTL_CS_1")).await, Err(SaveError::Locked));
    store.forget_client_secret(&account).await.unwrap();

    let file = secret_file(&house, "SNTL_CS_file\n");
    assert_eq!(
        secret_of(&store, &AccountConfig { client_secret_file: Some(file), ..account }).await.as_deref(),
        Some("SNTL_CS_file")
    );
}

#[tokio::test]
async fn a_record_belongs_to_one_client_of_one_issuer() {
    let house = House::new();
    let store = house.open().await;
    store.save_client(client_record()).await.unwrap();
    let load = |issuer: &str, client: &str| store.load_client(&Issuer::new(issuer), &ClientId::new(client));
    assert_eq!(load("https://as.example", "client").await.unwrap(), Some(client_record()));
    assert_eq!(load("https://as.example/", "client").await.unwrap(), None);
    assert_eq!(load("https://as.example", "other").await.unwrap(), None);
    store.forget_client(&client_record().issuer, &client_record().client_id).await.unwrap();
    assert_eq!(load("https://as.example", "client").await.unwrap(), None);
}

fn secret_file(house: &House, content: &str) -> PathBuf {
    let path = house.root.path().join("secret");
    fs::write(&path, content).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    path
}

#[tokio::test(start_paused = true)]
async fn a_file_goes_first_is_read_at_each_use_and_never_falls_back_to_a_kept_one() {
    let house = House::new();
    let store = house.open().await;
    let kept = at_issuer("https://as.example", "client");
    store.save_client_secret(&kept, ClientSecret::new("SNTL_CS_kept")).await.unwrap();
    let path = secret_file(&house, "SNTL_CS_1\r\n");
    let account = AccountConfig { client_secret_file: Some(path.clone()), ..kept };
    assert_eq!(secret_of(&store, &account).await.as_deref(), Some("SNTL_CS_1"));
    secret_file(&house, "SNTL_CS_2");
    assert_eq!(secret_of(&store, &account).await.as_deref(), Some("SNTL_CS_2"));

    let reason = async || match store.client_secret(&account).await {
        Err(SecretError::File(unusable)) => {
            assert_eq!(unusable.path, path);
            unusable.why
        }
        other => panic!("{other:?}"),
    };
    let contents: BTreeMap<&str, &str> = [
        ("a\nb", "printable ASCII"),
        ("a\n\n", "more than one line"),
        ("\u{e9}", "printable ASCII"),
        ("a\tb", "printable ASCII"),
    ]
    .into();
    for (content, told) in contents {
        secret_file(&house, content);
        let why = reason().await;
        assert!(matches!(&why, Reason::Content(what) if what.contains(told)), "{content:?}: {why:?}");
    }
    secret_file(&house, "");
    assert_eq!(reason().await, Reason::Empty);
    fs::remove_file(&path).unwrap();
    assert_eq!(reason().await, Reason::Missing);
}
