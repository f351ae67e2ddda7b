//! The store, from outside: what is kept, what is refused, and what an attacker or a broken disk leaves (P3-P6, B7-B11, B34).

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "tests"
)]

mod client_secret;
mod fixtures;
mod leaving;
mod registration;
mod round_trip;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use futures_util::future::BoxFuture;
use mcp_authd_oauth::endpoint::Endpoint;
use mcp_authd_oauth::secret::{AccessToken, ClientSecret, DeviceCode, RefreshToken, SecretText};
use mcp_authd_oauth::sign_in::{DevicePrompt, PendingDevice, PendingSignIn};
use mcp_authd_oauth::terms::{ClientId, Issuer, Resource, Scopes, Subject, UserCode};
use mcp_authd_oauth::time::{Instant, Now, WallTime};
use mcp_authd_oauth::token::{Binding, Life};
use tempfile::TempDir;

use super::record::ClientRecord;
use super::seal::{VERSION, as_of_version};
use super::{Key, KeyFile, KeyOutcome, KeySource, OpenError, SealedStore};
use crate::accounts::grant::{
    Ended, Grant, GrantRecord, HeldToken, Intent, PendingRecord, Purpose, Renewal, Rotation, SignInEnd, SignInRecord,
};
use crate::accounts::{AccountName, KeyOpener, KeyState, LoadError, SaveError, Stored, Vault};
use crate::host::clock::{Clock, follows_tokio};
use crate::host::folder::Folder;
use crate::host::tasks::Tasks;

const NOW: Now = Now { instant: Instant::from_millis(50_000_000_000), wall: WallTime::from_millis(1_790_000_000_000) };
const HOUR: Duration = Duration::from_secs(3600);

struct House {
    root: TempDir,
    tasks: Tasks,
}

impl House {
    fn new() -> Self {
        Self { root: tempfile::tempdir().unwrap(), tasks: Tasks::new() }
    }

    fn state(&self) -> Folder {
        Folder::at(self.root.path().join("state"))
    }

    fn key_file(&self) -> KeyFile {
        KeyFile::new(Folder::at(self.root.path().join("data")), self.state(), self.tasks.clone())
    }

    async fn open(&self) -> SealedStore {
        self.open_with(Arc::new(self.key_file()), Clock::from_fn(|| NOW)).await.unwrap()
    }

    async fn open_with(&self, source: Arc<dyn KeySource>, clock: Clock) -> Result<SealedStore, OpenError> {
        SealedStore::open(self.state(), source, self.tasks.clone(), clock).await
    }

    fn file(&self, name: &str) -> PathBuf {
        self.root.path().join("state").join(name)
    }

    /// The names in the state folder that are not those of whole records.
    fn set_aside(&self) -> Vec<String> {
        self.state().names().unwrap().into_iter().filter(|name| !name.ends_with(".sealed")).collect()
    }
}

/// A source that says what it is told to say, and counts.
#[derive(Default)]
struct Told(Mutex<Vec<Box<dyn FnOnce() -> KeyOutcome + Send>>>);

impl Told {
    /// The last answer comes first.
    fn new(answers: Vec<Box<dyn FnOnce() -> KeyOutcome + Send>>) -> Arc<Self> {
        Arc::new(Self(Mutex::new(answers)))
    }
}

impl KeySource for Told {
    fn open(&self, _patience: Duration) -> BoxFuture<'static, KeyOutcome> {
        match self.0.lock().unwrap().pop() {
            Some(answer) => Box::pin(async move { answer() }),
            None => Box::pin(std::future::pending()),
        }
    }

    fn opener(&self) -> KeyOpener {
        KeyOpener::Person
    }
}

fn name(name: &str) -> AccountName {
    AccountName::parse(name).unwrap()
}

fn binding() -> Binding {
    let endpoint = |path| serde_json::from_value::<Endpoint>(serde_json::json!(format!("https://as.example/{path}"))).unwrap();
    Binding {
        issuer: Some(Issuer::new("https://as.example")),
        token_endpoint: endpoint("token"),
        revocation_endpoint: Some(endpoint("revoke")),
        client_id: ClientId::new("client"),
        resource: Some(Resource::new("https://mcp.example/")),
    }
}

fn grant(generation: u64) -> GrantRecord {
    GrantRecord {
        generation,
        revision: 12,
        grant: Grant {
            access: Some(HeldToken {
                access_token: AccessToken::new(format!("SNTL_AT_{generation}")),
                requested: NOW.instant - HOUR / 4,
                requested_wall: NOW.wall - HOUR / 4,
                life: Life::Known(HOUR),
            }),
            renewal: Renewal::With(RefreshToken::new(format!("SNTL_RT_{generation}"))),
            rotation: Rotation::Rotates,
            scopes: Scopes::parse("read write"),
            subject: Some(Subject::new("ada")),
            binding: binding(),
            granted_at: NOW.wall - HOUR,
            refreshed_at: Some(NOW.wall - HOUR / 4),
        },
        intent: Some(Intent::First),
        rest: None,
        used_at: Some(NOW.wall),
        saved_at: NOW.wall,
    }
}

fn sign_in(generation: u64) -> SignInRecord {
    SignInRecord {
        pending: Some(PendingRecord {
            id: 77,
            login: PendingSignIn::Device(PendingDevice {
                device_code: DeviceCode::new("SNTL_DC_1"),
                prompt: DevicePrompt {
                    user_code: UserCode::new("SNTL-UC"),
                    verification_uri: "https://as.example/device".to_owned(),
                    verification_uri_complete: None,
                    message: None,
                },
                expires: NOW.instant + HOUR / 4,
                expires_wall: NOW.wall + HOUR / 4,
                interval: Duration::from_secs(5),
                binding: binding(),
                requested_scopes: Scopes::parse("read"),
            }),
            purpose: Purpose::Again,
            asked_by: "editor".to_owned(),
            replace: true,
        }),
        unanswered_starts: vec![NOW.wall - HOUR, NOW.wall],
        last_end: Some((SignInEnd::Denied, NOW.wall - HOUR)),
        generation,
        revision: 5,
        ended: Some(Ended::ByPerson),
        refused_scopes: Some(Scopes::parse("admin")),
    }
}

fn client_record() -> ClientRecord {
    ClientRecord {
        issuer: Issuer::new("https://as.example"),
        client_id: ClientId::new("client"),
        client_secret: Some(ClientSecret::new("SNTL_CS_1")),
        client_secret_expires_at: Some(NOW.wall + HOUR),
        registration_access_token: Some(SecretText::new("SNTL_RAT_1")),
    }
}

async fn settled(store: &SealedStore) -> KeyState {
    *store.key_state().wait_for(|state| *state != KeyState::Loading).await.unwrap()
}

fn each_file(root: &Path, visit: &mut impl FnMut(&Path)) {
    for entry in fs::read_dir(root).unwrap() {
        let path = entry.unwrap().path();
        visit(&path);
        if path.is_dir() {
            each_file(&path, visit);
        }
    }
}

#[tokio::test]
async fn what_was_saved_is_loaded_also_by_the_next_daemon() {
    let house = House::new();
    let store = house.open().await;
    assert_eq!(store.load(&name("work")).await.unwrap(), Stored::default());
    store.save_grant(&name("work"), grant(1)).await.unwrap();
    store.save_grant(&name("work"), grant(2)).await.unwrap();
    store.save_sign_in(&name("work"), sign_in(2)).await.unwrap();
    store.save_grant(&name("other"), grant(9)).await.unwrap();
    let next = house.open().await;
    let stored = next.load(&name("work")).await.unwrap();
    assert_eq!(stored, Stored { grant: Some(grant(2)), sign_in: Some(sign_in(2)), damaged: None });

    next.forget_grant(&name("work")).await.unwrap();
    next.forget_grant(&name("work")).await.unwrap();
    let stored = next.load(&name("work")).await.unwrap();
    assert_eq!((stored.grant, stored.sign_in), (None, Some(sign_in(2))));
    assert_eq!(next.load(&name("other")).await.unwrap().grant, Some(grant(9)));
}

#[tokio::test]
async fn no_file_holds_a_secret_in_clear_or_is_open_to_others() {
    let house = House::new();
    let store = house.open().await;
    store.save_grant(&name("work"), grant(1)).await.unwrap();
    store.save_sign_in(&name("work"), sign_in(1)).await.unwrap();
    store.save_client(client_record()).await.unwrap();
    let mut seen = 0;
    each_file(house.root.path(), &mut |path| {
        assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o077, 0, "{}", path.display());
        if path.is_file() {
            seen += 1;
            let content = fs::read(path).unwrap();
            assert!(!content.windows(4).any(|window| window == b"SNTL"), "{}", path.display());
            assert!(!path.display().to_string().contains("as.example"));
        }
    });
    assert_eq!(seen, 4, "three records and a key");
}

/// Runs only as the child of the test below: the umask belongs to the whole process.
#[test]
fn under_umask_zero() {
    let Some(path) = std::env::var_os("MCP_AUTHD_TEST_STORE") else { return };
    nix::sys::stat::umask(nix::sys::stat::Mode::empty());
    let root = PathBuf::from(path);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (tasks, state) = (Tasks::new(), Folder::at(root.join("state")));
        let source = KeyFile::new(Folder::at(root.join("data")), state.clone(), tasks.clone());
        let store = SealedStore::open(state.clone(), Arc::new(source), tasks, Clock::from_fn(|| NOW)).await.unwrap();
        store.save_grant(&name("work"), grant(1)).await.unwrap();
        store.save_grant(&name("broken"), grant(1)).await.unwrap();
        let file = state.join("grant-broken.sealed");
        let content = fs::read(&file).unwrap();
        fs::write(&file, &content[..20]).unwrap();
        assert!(store.load(&name("broken")).await.unwrap().damaged.is_some());
    });
}

#[test]
fn under_umask_zero_nothing_is_open_to_others() {
    let root = tempfile::tempdir().unwrap();
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "store::tests::under_umask_zero"])
        .env("MCP_AUTHD_TEST_STORE", root.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    let mut seen = 0;
    each_file(root.path(), &mut |path| {
        seen += 1;
        assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o077, 0, "{}", path.display());
    });
    assert_eq!(seen, 5, "two folders, a key, a record and a damaged one");
}

#[tokio::test]
async fn a_damaged_record_is_set_aside_and_no_other_is_touched() {
    let house = House::new();
    let store = house.open().await;
    store.save_grant(&name("work"), grant(1)).await.unwrap();
    store.save_sign_in(&name("work"), sign_in(1)).await.unwrap();
    store.save_grant(&name("other"), grant(9)).await.unwrap();
    let (file, other) = (house.file("grant-work.sealed"), fs::read(house.file("grant-other.sealed")).unwrap());
    let whole = fs::read(&file).unwrap();
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let truncated = (0..whole.len()).map(|length| whole[..length].to_vec());
    let flipped = (0..1000).map(|_| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let bit = usize::try_from(random >> 33).unwrap() % (whole.len() * 8);
        let mut changed = whole.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        changed
    });
    for (round, damaged) in truncated.chain(flipped).enumerate() {
        fs::write(&file, &damaged).unwrap();
        let stored = store.load(&name("work")).await.unwrap();
        assert_eq!((stored.grant, stored.sign_in), (None, Some(sign_in(1))), "round {round}");
        let aside = house.file(&stored.damaged.unwrap());
        assert!(aside.display().to_string().contains("grant-work.sealed.corrupt-1790000000"), "{}", aside.display());
        assert_eq!(fs::metadata(&aside).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read(&aside).unwrap(), damaged);
        assert!(!file.exists());
        fs::remove_file(aside).unwrap();
        fs::write(&file, "").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    }
    assert_eq!(fs::read(house.file("grant-other.sealed")).unwrap(), other);
    assert_eq!(store.load(&name("other")).await.unwrap().grant, Some(grant(9)));
}

#[tokio::test]
async fn two_damaged_records_in_one_millisecond_are_both_kept() {
    let house = House::new();
    let store = house.open().await;
    for _ in 0..2 {
        store.save_grant(&name("work"), grant(1)).await.unwrap();
        fs::write(house.file("grant-work.sealed"), "x").unwrap();
        assert!(store.load(&name("work")).await.unwrap().damaged.is_some());
    }
    assert_eq!(house.set_aside().len(), 2);
}

#[tokio::test]
async fn a_record_under_the_name_of_another_account_is_damaged() {
    let house = House::new();
    let store = house.open().await;
    store.save_grant(&name("work"), grant(1)).await.unwrap();
    fs::rename(house.file("grant-work.sealed"), house.file("grant-play.sealed")).unwrap();
    let stored = store.load(&name("play")).await.unwrap();
    assert!(stored.grant.is_none() && stored.damaged.is_some());
}

#[tokio::test]
async fn an_unsafe_record_is_refused_and_stays() {
    let house = House::new();
    let store = house.open().await;
    store.save_grant(&name("work"), grant(1)).await.unwrap();
    let file = house.file("grant-work.sealed");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let error = store.load(&name("work")).await.unwrap_err();
    assert!(matches!(&error, LoadError::Io(why) if why.contains("chmod 600")), "{error}");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(store.load(&name("work")).await.unwrap().grant, Some(grant(1)));
}

#[tokio::test]
async fn a_wrong_key_opens_nothing_and_touches_nothing() {
    let house = House::new();
    house.open().await.save_grant(&name("work"), grant(1)).await.unwrap();
    let before = fs::read(house.file("grant-work.sealed")).unwrap();
    let right = fs::read(house.root.path().join("data/store.key")).unwrap();
    Folder::at(house.root.path().join("data")).write("store.key", &b"5a".repeat(32)).unwrap();

    let store = house.open().await;
    assert_eq!(settled(&store).await, KeyState::Wrong);
    assert_eq!(store.load(&name("work")).await, Err(LoadError::WrongKey));
    assert_eq!(store.load(&name("fresh")).await, Err(LoadError::WrongKey));
    assert_eq!(store.save_grant(&name("work"), grant(2)).await, Err(SaveError::Locked));
    assert!(store.key_problem().unwrap().contains("another key"));
    assert_eq!(fs::read(house.file("grant-work.sealed")).unwrap(), before);
    assert_eq!(house.set_aside(), Vec::<String>::new());

    Folder::at(house.root.path().join("data")).write("store.key", &right).unwrap();
    assert_eq!(house.open().await.load(&name("work")).await.unwrap().grant, Some(grant(1)));
}

#[tokio::test]
async fn a_key_that_is_gone_is_told_and_never_made_anew() {
    let house = House::new();
    house.open().await.save_grant(&name("work"), grant(1)).await.unwrap();
    let key = house.root.path().join("data/store.key");
    fs::remove_file(&key).unwrap();
    let store = house.open().await;
    assert_eq!(settled(&store).await, KeyState::Locked);
    assert_eq!(store.load(&name("work")).await, Err(LoadError::Locked));
    assert!(store.key_problem().unwrap().contains("put it back"));
    assert!(!key.exists());
}

#[tokio::test(start_paused = true)]
async fn a_locked_source_is_asked_again_until_it_opens() {
    let house = House::new();
    let locked = || KeyOutcome::Locked("unlock the keyring".to_owned());
    let source = Told::new(vec![Box::new(|| KeyOutcome::Key(Key::generate().unwrap())), Box::new(locked), Box::new(locked)]);
    let store = house.open_with(source.clone(), follows_tokio()).await.unwrap();
    let mut state = store.key_state();
    assert_eq!(store.load(&name("work")).await, Err(LoadError::Locked));
    assert_eq!(store.save_grant(&name("work"), grant(1)).await, Err(SaveError::Locked));
    assert_eq!(store.key_problem().as_deref(), Some("unlock the keyring"));
    store.forget_grant(&name("work")).await.unwrap();

    let begin = tokio::time::Instant::now();
    state.wait_for(|state| *state == KeyState::Open).await.unwrap();
    assert!(begin.elapsed() >= Duration::from_secs(3), "asked without a pause");
    assert_eq!(store.key_problem(), None);
    store.save_grant(&name("work"), grant(1)).await.unwrap();
    assert!(source.0.lock().unwrap().is_empty());
    assert!(house.tasks.finish(Duration::from_secs(1)).await, "the service did not stop");
}

#[tokio::test(start_paused = true)]
async fn a_source_that_never_answers_counts_as_locked() {
    let house = House::new();
    let store = house.open_with(Told::new(vec![]), follows_tokio()).await.unwrap();
    assert_eq!(store.load(&name("work")).await, Err(LoadError::Locked));
    assert!(store.key_problem().unwrap().contains("does not answer"));
}

#[tokio::test]
async fn a_record_of_a_newer_program_stops_the_start_and_stays() {
    let house = House::new();
    let store = house.open().await;
    store.save_grant(&name("work"), grant(1)).await.unwrap();
    let file = house.file("grant-work.sealed");
    let newer = as_of_version(&fs::read(&file).unwrap(), VERSION + 1);
    fs::write(&file, &newer).unwrap();
    assert!(matches!(store.load(&name("work")).await, Err(LoadError::Io(why)) if why.contains("newer mcp-authd")));
    match house.open_with(Arc::new(house.key_file()), Clock::from_fn(|| NOW)).await {
        Err(OpenError::FromNewer(why)) => assert!(why.contains("grant-work.sealed"), "{why}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(fs::read(&file).unwrap(), newer);
}

#[tokio::test]
async fn a_save_that_failed_is_repeated_and_stands_and_the_old_record_stood_meanwhile() {
    let house = House::new();
    let store = house.open().await;
    store.save_grant(&name("work"), grant(1)).await.unwrap();
    let (state, aside) = (house.root.path().join("state"), house.root.path().join("aside"));
    fs::rename(&state, &aside).unwrap();
    fs::write(&state, "in the way").unwrap();
    for _ in 0..3 {
        let error = store.save_grant(&name("work"), grant(2)).await.unwrap_err();
        assert!(matches!(&error, SaveError::Io(why) if why.contains(&state.display().to_string())), "{error}");
        assert!(store.forget_grant(&name("work")).await.is_err());
    }
    fs::remove_file(&state).unwrap();
    fs::rename(&aside, &state).unwrap();
    assert_eq!(store.load(&name("work")).await.unwrap().grant, Some(grant(1)));
    store.save_grant(&name("work"), grant(2)).await.unwrap();
    assert_eq!(store.load(&name("work")).await.unwrap().grant, Some(grant(2)));
    assert_eq!(fs::read_dir(&state).unwrap().count(), 1, "unfinished files were left");
}

#[tokio::test]
async fn a_deleted_folder_comes_back_with_the_next_save() {
    let house = House::new();
    let store = house.open().await;
    store.save_grant(&name("work"), grant(1)).await.unwrap();
    fs::remove_dir_all(house.root.path().join("state")).unwrap();
    assert_eq!(store.load(&name("work")).await.unwrap(), Stored::default());
    store.save_grant(&name("work"), grant(2)).await.unwrap();
    assert_eq!(store.load(&name("work")).await.unwrap().grant, Some(grant(2)));
}

#[tokio::test]
async fn a_folder_that_cannot_be_used_stops_the_start_with_its_path() {
    let house = House::new();
    house.state().ensure().unwrap();
    fs::set_permissions(house.state().path(), fs::Permissions::from_mode(0o755)).unwrap();
    let error = house.open_with(Arc::new(house.key_file()), Clock::from_fn(|| NOW)).await.unwrap_err().to_string();
    assert!(error.contains("chmod 700") && error.contains(&house.state().path().display().to_string()), "{error}");
    assert!(!error.contains('\n'));
}

#[tokio::test]
async fn what_a_killed_daemon_left_unfinished_is_gone_after_the_start() {
    let house = House::new();
    house.state().ensure().unwrap();
    fs::write(house.file(".unfinished-00"), "half").unwrap();
    house.open().await;
    assert_eq!(fs::read_dir(house.state().path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_pending_login_of_before_a_clock_step_is_over() {
    let house = House::new();
    house.open().await.save_sign_in(&name("work"), sign_in(1)).await.unwrap();
    for (step, left) in [(HOUR / 8, HOUR / 8), (HOUR, Duration::ZERO)] {
        let later = Now { instant: Instant::from_millis(1000), wall: NOW.wall + step };
        let store = house.open_with(Arc::new(house.key_file()), Clock::from_fn(move || later)).await.unwrap();
        let pending = store.load(&name("work")).await.unwrap().sign_in.unwrap().pending.unwrap();
        assert_eq!(pending.login.expires(), later.instant + left);
    }
}
