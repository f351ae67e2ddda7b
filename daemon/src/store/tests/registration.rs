//! Clients that we registered: kept under their issuer, found for nobody else, and refused where a byte was changed.

use mcp_authd_oauth::registration::{GrantType, RedirectUri, RegisteredClient, Registration, SecretExpires, Standing};
use mcp_authd_oauth::secret::RegistrationAccessToken;
use mcp_authd_oauth::terms::TokenEndpointAuthMethod;
use proptest::prelude::*;

use super::*;
use crate::store::record::{Record, RecordId};
use crate::store::seal;

pub(super) fn registered(issuer: &str) -> Registration {
    let client = |id: &str| RegisteredClient {
        client_id: ClientId::new(id),
        client_secret: Some(ClientSecret::new(format!("SNTL_CS_{id}"))),
        secret_expires: SecretExpires::At(NOW.wall + HOUR),
        auth_method: TokenEndpointAuthMethod::ClientSecretBasic,
    };
    Registration {
        issuer: Issuer::new(issuer),
        client: client("registered"),
        redirect_uris: vec![RedirectUri::ipv4(), RedirectUri::ipv6().with_port(7777)],
        grant_types: GrantType::ALL.into(),
        registration_access_token: Some(RegistrationAccessToken::new("SNTL_RAT_1")),
        registration_client_uri: Some(SecretText::new("https://as.example/register/SNTL_URI")),
        registered_at: NOW.wall,
        standing: Standing::Good,
        former: vec![client("former")],
    }
}

/// The one file of a registration.
fn file_of(house: &House, issuer: &str) -> PathBuf {
    house.file(&RecordId::registration(&Issuer::new(issuer)).file_name())
}

const OURS: &str = "https://as.example";

#[tokio::test]
async fn p14_a_registration_is_found_for_its_issuer_byte_for_byte_and_for_nobody_else() {
    let house = House::new();
    let store = house.open().await;
    store.save_registration(registered(OURS)).await.unwrap();
    store.save_registration(registered("https://b.example")).await.unwrap();

    let next = house.open().await;
    assert_eq!(next.registration(&Issuer::new(OURS)).await.unwrap(), Some(registered(OURS)));
    for stranger in ["https://as.example/", "https://AS.example", "https://as.example:443", "https://evil.example", ""] {
        assert_eq!(next.registration(&Issuer::new(stranger)).await.unwrap(), None, "{stranger}");
        next.forget_registration(&Issuer::new(stranger)).await.unwrap();
        next.save_registration(registered(stranger)).await.unwrap();
        next.forget_registration(&Issuer::new(stranger)).await.unwrap();
        assert_eq!(next.registration(&Issuer::new(OURS)).await.unwrap(), Some(registered(OURS)), "beside {stranger}");
    }
    // A file under another issuer's name is damage, whoever put it there.
    fs::copy(file_of(&house, OURS), file_of(&house, "https://evil.example")).unwrap();
    assert_eq!(next.registration(&Issuer::new("https://evil.example")).await.unwrap(), None);
    assert_eq!(house.set_aside().len(), 1);

    assert_eq!(next.registrations().await.unwrap(), [registered(OURS), registered("https://b.example")]);
    next.forget_registration(&Issuer::new(OURS)).await.unwrap();
    next.forget_registration(&Issuer::new(OURS)).await.unwrap();
    assert_eq!(next.registration(&Issuer::new(OURS)).await.unwrap(), None);
    assert_eq!(next.registrations().await.unwrap(), [registered("https://b.example")]);
}

#[tokio::test]
async fn a_registration_and_the_secret_of_a_configured_client_do_not_touch_each_other() {
    let house = House::new();
    let store = house.open().await;
    let configured = ClientRecord { client_id: registered(OURS).client.client_id, ..client_record() };
    store.save_client(configured.clone()).await.unwrap();
    store.save_registration(registered(OURS)).await.unwrap();
    store.forget_registration(&Issuer::new(OURS)).await.unwrap();
    assert_eq!(store.load_client(&configured.issuer, &configured.client_id).await.unwrap(), Some(configured));
    assert_eq!(store.registrations().await.unwrap(), []);
}

#[tokio::test]
async fn d60_no_file_of_a_registration_tells_anything_in_clear() {
    let house = House::new();
    house.open().await.save_registration(registered(OURS)).await.unwrap();
    let file = file_of(&house, OURS);
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let content = fs::read(&file).unwrap();
    for secret in ["SNTL", "as.example", "registered", "127.0.0.1"] {
        assert!(!content.windows(secret.len()).any(|window| window == secret.as_bytes()), "{secret}");
    }
    assert!(!file.display().to_string().contains("as.example"));
}

#[tokio::test]
async fn d59_the_new_registration_stands_in_the_place_of_the_old_one_with_its_date() {
    let house = House::new();
    let store = house.open().await;
    store.save_registration(registered(OURS)).await.unwrap();
    let refused = registered(OURS).refused(NOW.wall + HOUR);
    store.save_registration(refused.clone()).await.unwrap();
    assert_eq!(house.open().await.registrations().await.unwrap(), [refused]);
    assert_eq!(fs::read_dir(house.root.path().join("state")).unwrap().count(), 1);
}

#[tokio::test]
async fn a_locked_store_tells_no_registration_keeps_none_and_forgets_without_a_key() {
    let house = House::new();
    house.open().await.save_registration(registered(OURS)).await.unwrap();
    let locked = Told::new(vec![Box::new(|| KeyOutcome::Locked("a person has to open it".to_owned()))]);
    let store = house.open_with(locked, follows_tokio()).await.unwrap();
    assert_eq!(store.registration(&Issuer::new(OURS)).await, Err(LoadError::Locked));
    assert_eq!(store.registrations().await, Err(LoadError::Locked));
    assert_eq!(store.save_registration(registered(OURS)).await, Err(SaveError::Locked));
    store.forget_registration(&Issuer::new(OURS)).await.unwrap();
    assert!(!file_of(&house, OURS).exists());
}

#[tokio::test]
async fn p6_every_flipped_bit_of_a_registration_is_refused_and_set_aside() {
    let house = House::new();
    let store = house.open().await;
    store.save_registration(registered(OURS)).await.unwrap();
    let (file, key) = (file_of(&house, OURS), fs::read(house.root.path().join("data/store.key")).unwrap());
    let (whole, id, key) = (fs::read(&file).unwrap(), RecordId::registration(&Issuer::new(OURS)), Key::parse(&key).unwrap());
    assert!(seal::open(&key, id.as_str(), &whole).is_ok());
    for bit in 0..whole.len() * 8 {
        let mut changed = whole.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        assert!(seal::open(&key, id.as_str(), &changed).is_err(), "bit {bit}");
    }
    let mut changed = whole;
    *changed.last_mut().unwrap() ^= 1;
    fs::write(&file, changed).unwrap();
    assert_eq!(store.registration(&Issuer::new(OURS)).await.unwrap(), None);
    assert_eq!(house.set_aside().len(), 1);
    store.save_registration(registered(OURS)).await.unwrap();
    assert_eq!(store.registrations().await.unwrap(), [registered(OURS)]);
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[ -~]{0,40}", proptest::collection::vec(any::<char>(), 0..20).prop_map(String::from_iter)]
}

fn any_time() -> impl Strategy<Value = WallTime> {
    any::<u64>().prop_map(WallTime::from_millis)
}

prop_compose! {
    fn any_client()(
        id in text(),
        secret in proptest::option::of(text()),
        expires in proptest::option::of(any_time()),
        method in proptest::sample::select(TokenEndpointAuthMethod::ALL.to_vec()),
    ) -> RegisteredClient {
        RegisteredClient {
            client_id: ClientId::new(id),
            client_secret: secret.map(ClientSecret::new),
            secret_expires: expires.map_or(SecretExpires::Never, SecretExpires::At),
            auth_method: method,
        }
    }
}

prop_compose! {
    fn any_registration()(
        issuer in text(),
        client in any_client(),
        ports in proptest::collection::vec(1_u16.., 0..3),
        grants in proptest::sample::subsequence(GrantType::ALL.to_vec(), 0..=3),
        (token, uri) in (proptest::option::of(text()), proptest::option::of(text())),
        registered_at in any_time(),
        refused_at in proptest::option::of(any_time()),
        former in proptest::collection::vec(any_client(), 0..3),
    ) -> Registration {
        Registration {
            issuer: Issuer::new(issuer),
            client,
            redirect_uris: ports.into_iter().map(|port| RedirectUri::ipv6().with_port(port)).collect(),
            grant_types: grants.into_iter().collect(),
            registration_access_token: token.map(RegistrationAccessToken::new),
            registration_client_uri: uri.map(SecretText::new),
            registered_at,
            standing: refused_at.map_or(Standing::Good, Standing::Refused),
            former,
        }
    }
}

proptest! {
    #[test]
    fn any_registration_comes_back_as_it_was(registration in any_registration()) {
        let written = registration.write(NOW).unwrap();
        prop_assert_eq!(written.capacity(), written.len(), "the buffer grew");
        prop_assert_eq!(Registration::read(&written, NOW), Some(registration));
    }

    #[test]
    fn p14_two_issuers_never_share_a_record(one in text(), other in text()) {
        let id = |issuer: &str| RecordId::registration(&Issuer::new(issuer));
        prop_assert_eq!(id(&one) == id(&other), one == other);
        prop_assert_eq!(RecordId::registration_in(&id(&one).file_name()), Some(id(&one)));
    }

    #[test]
    fn no_plaintext_makes_the_reader_panic(plain in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert_eq!(Registration::read(&plain, NOW), None);
    }
}
