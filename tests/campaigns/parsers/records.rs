//! The reader of records: changed files, and changed contents under a right seal (P26, B10).
//!
//! It is reached as the daemon reaches it, through the store; the seal is made here, by the form that its header keeps for ever.

use std::fs;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chacha20poly1305::aead::AeadInPlace as _;
use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305};
use mcp_authd::accounts::{Stored, Vault as _};
use mcp_authd::config::{AccountConfig, ConfigFile};
use mcp_authd::host::clock::Clock;
use mcp_authd::host::folder::Folder;
use mcp_authd::host::tasks::Tasks;
use mcp_authd::store::{KeyFile, SealedStore};
use mcp_authd_oauth::terms::Issuer;
use sha2::{Digest as _, Sha256};

use super::Mutator;
use crate::effort::{figures, rounds};
use crate::random::{self, Random};

const KEY: [u8; 32] = [7; 32];
const ISSUER: &str = "https://as.example";
const CLIENT: &str = "c";
/// The account whose records are read, and its client.
const CONFIG: &str = "[accounts.work]\nissuer = \"https://as.example\"\nclient_id = \"c\"\n";
const WORDS: [&str; 16] = [
    "null",
    "true",
    "-1",
    "1e999",
    "{",
    "}",
    "[",
    "]",
    "\"",
    ",",
    "\"generation\":7",
    "\"intent\":\"replay\"",
    "\"in_doubt\"",
    "\"life_ms\":18446744073709551615",
    "\\u0000",
    "\"saved_at\":0",
];

/// What can be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Grant,
    SignIn,
    /// Of a client that the configuration names.
    Registration,
    /// A client that we registered ourselves.
    RegisteredClient,
}

const KINDS: [Kind; 4] = [Kind::Grant, Kind::SignIn, Kind::Registration, Kind::RegisteredClient];

impl Kind {
    /// The folder of its seeds.
    fn seeds(self) -> &'static str {
        match self {
            Self::Grant => "record/grant-work",
            Self::SignIn => "record/sign-in-work",
            Self::Registration => "record/registration",
            Self::RegisteredClient => "record/registered-client",
        }
    }

    /// Stands in the header; in that of an account's records and in their seeds alike.
    fn generation(self) -> u64 {
        if matches!(self, Self::Grant | Self::SignIn) { 7 } else { 0 }
    }

    /// Its name: what it is of, or the hash of that.
    fn id(self) -> String {
        match self {
            Self::Grant => "grant-work".to_owned(),
            Self::SignIn => "sign-in-work".to_owned(),
            Self::Registration => format!("registration-{:x}", Sha256::digest(format!("{ISSUER}\0{CLIENT}"))),
            Self::RegisteredClient => format!("registered-client-{:x}", Sha256::digest(ISSUER)),
        }
    }
}

/// A store of one account, `work`.
struct Reader {
    store: SealedStore,
    account: Arc<AccountConfig>,
    state: PathBuf,
    _folder: tempfile::TempDir,
}

fn write_private(file: &Path, bytes: &[u8]) {
    use std::io::Write as _;
    let mut opened =
        fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(file).expect("it can be made");
    opened.write_all(bytes).expect("it can be written");
}

/// As a record stands in its file.
fn sealed(kind: Kind, mut plain: Vec<u8>) -> Vec<u8> {
    let key_id = Sha256::new().chain_update(b"mcp-authd store key id v1\0").chain_update(KEY).finalize();
    let nonce = [9; 24];
    let mut file = [&b"mcpauthd"[..], &1_u16.to_be_bytes(), &key_id[..8], &kind.generation().to_be_bytes(), &nonce].concat();
    let checksum = Sha256::digest(&file);
    file.extend_from_slice(&checksum[..4]);
    let associated = [file.as_slice(), kind.id().as_bytes()].concat();
    let cipher = XChaCha20Poly1305::new(&KEY.into());
    let tag = cipher.encrypt_in_place_detached(&nonce.into(), &associated, &mut plain).expect("it is short");
    [file, plain, tag.to_vec()].concat()
}

impl Reader {
    async fn open() -> Self {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let (state, data) = (folder.path().join("state"), folder.path().join("data"));
        Folder::at(&data).ensure().expect("a private folder can be made");
        write_private(&data.join("store.key"), &KEY);
        let tasks = Tasks::new();
        let source = KeyFile::new(Folder::at(&data), Folder::at(&state), tasks.clone());
        let store = SealedStore::open(Folder::at(&state), Arc::new(source), tasks, Clock::system()).await.expect("it opens");
        let config = folder.path().join("config.toml");
        write_private(&config, CONFIG.as_bytes());
        let config = ConfigFile::at(config).load().expect("it holds");
        let account = Arc::clone(config.accounts.values().next().expect("there is one"));
        Self { store, account, state, _folder: folder }
    }

    /// Whether the daemon reads it; what is set aside is taken away again.
    async fn takes(&self, kind: Kind, file: &[u8]) -> bool {
        let id = kind.id();
        write_private(&self.state.join(format!("{id}.sealed")), file);
        let is_read = match kind {
            Kind::Grant => self.account_s().await.grant.is_some(),
            Kind::SignIn => self.account_s().await.sign_in.is_some(),
            Kind::Registration => self.store.client_secret(&self.account).await.expect("damage is no error").is_some(),
            Kind::RegisteredClient => self.store.registration(&Issuer::new(ISSUER)).await.expect("damage is no error").is_some(),
        };
        for entry in fs::read_dir(&self.state).expect("it can be listed").flatten() {
            if entry.file_name().to_string_lossy().starts_with(&id) {
                fs::remove_file(entry.path()).expect("it can be erased");
            }
        }
        is_read
    }

    async fn account_s(&self) -> Stored {
        self.store.load(&self.account.name).await.expect("damage is no error")
    }
}

#[tokio::test]
async fn p26_no_record_brings_the_store_down_and_a_changed_file_is_never_accepted() {
    let mut random = Random::of(random::seed_of_inputs("p26"));
    let reader = Reader::open().await;
    let each = rounds(300_000, 500);
    let mut all = (0, 0);
    for kind in KINDS {
        // given right records
        let (mut accepted, mut damaged) = (0, 0);
        let mutator = Mutator::of_corpus(kind.seeds(), &WORDS);
        for seed in mutator.seeds() {
            let is_read = reader.takes(kind, &sealed(kind, seed.clone())).await;
            assert!(is_read, "{kind:?}: a seed is no record: {}", seed.escape_ascii());
        }
        let files = Mutator::new(mutator.seeds().iter().map(|seed| sealed(kind, seed.clone())).collect(), &[]);
        for _ in 0..each {
            // when its content changes under a right seal, then it is read or set aside
            let is_read = reader.takes(kind, &sealed(kind, mutator.next(&mut random))).await;
            accepted += usize::from(is_read);
            damaged += usize::from(!is_read);
            // when the file changes, then it is never accepted
            let file = files.next(&mut random);
            let is_read = reader.takes(kind, &file).await;
            assert!(!is_read || files.seeds().contains(&file), "{kind:?} accepted: {}", file.escape_ascii());
        }
        assert!(accepted > each / 100 && damaged > each / 4, "one-sided: {kind:?}: {accepted} accepted, {damaged} damaged");
        all = (all.0 + accepted, all.1 + damaged);
    }
    let (many, (accepted, damaged)) = (each * KINDS.len(), all);
    figures(
        "p26",
        format!("records of 4 kinds: {many} contents ({accepted} read, {damaged} set aside), {many} changed files, 0 crashes"),
    );
}
