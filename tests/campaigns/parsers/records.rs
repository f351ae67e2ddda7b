//! The reader of records: changed files, and changed contents under a right seal (P26, B10).
//!
//! It is reached as the daemon reaches it, through the store; the seal is made here, by the form that its header keeps for ever.

use std::fs;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chacha20poly1305::aead::AeadInPlace as _;
use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305};
use mcp_authd::accounts::{AccountName, Stored, Vault as _};
use mcp_authd::host::clock::Clock;
use mcp_authd::host::folder::Folder;
use mcp_authd::host::tasks::Tasks;
use mcp_authd::store::{KeyFile, SealedStore};
use sha2::{Digest as _, Sha256};

use super::Mutator;
use crate::effort::{figures, rounds};
use crate::random::{self, Random};

const KEY: [u8; 32] = [7; 32];
/// Stands in the header and in the seeds.
const GENERATION: u64 = 7;
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

/// A store of one account, `work`.
struct Reader {
    store: SealedStore,
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
fn sealed(id: &str, mut plain: Vec<u8>) -> Vec<u8> {
    let key_id = Sha256::new().chain_update(b"mcp-authd store key id v1\0").chain_update(KEY).finalize();
    let nonce = [9; 24];
    let mut file = [&b"mcpauthd"[..], &1_u16.to_be_bytes(), &key_id[..8], &GENERATION.to_be_bytes(), &nonce].concat();
    let checksum = Sha256::digest(&file);
    file.extend_from_slice(&checksum[..4]);
    let associated = [file.as_slice(), id.as_bytes()].concat();
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
        Self { store, state, _folder: folder }
    }

    /// What the daemon would read; what is set aside is taken away again.
    async fn read(&self, record: &str, file: &[u8]) -> Stored {
        let path = self.state.join(format!("{record}.sealed"));
        write_private(&path, file);
        let name = AccountName::parse("work").expect("it is a name");
        let stored = self.store.load(&name).await.expect("damage is no error");
        for entry in fs::read_dir(&self.state).expect("it can be listed").flatten() {
            if entry.file_name().to_string_lossy().starts_with(record) {
                fs::remove_file(entry.path()).expect("it can be erased");
            }
        }
        stored
    }
}

#[tokio::test]
async fn p26_no_record_brings_the_store_down_and_a_changed_file_is_never_accepted() {
    let mut random = Random::of(random::seed_of_inputs("p26"));
    let reader = Reader::open().await;
    let each = rounds(300_000, 500);
    let (mut accepted, mut damaged) = (0, 0);
    for record in ["grant-work", "sign-in-work"] {
        // given right records
        let mutator = Mutator::of_corpus(&format!("record/{record}"), &WORDS);
        for seed in mutator.seeds() {
            let stored = reader.read(record, &sealed(record, seed.clone())).await;
            assert!(stored.grant.is_some() || stored.sign_in.is_some(), "{record}: a seed is no record: {}", seed.escape_ascii());
        }
        let files = Mutator::new(mutator.seeds().iter().map(|seed| sealed(record, seed.clone())).collect(), &[]);
        for _ in 0..each {
            // when its content changes under a right seal, then it is read or set aside
            let stored = reader.read(record, &sealed(record, mutator.next(&mut random))).await;
            let is_read = stored.grant.is_some() || stored.sign_in.is_some();
            accepted += usize::from(is_read);
            damaged += usize::from(!is_read);
            // when the file changes, then it is never accepted
            let file = files.next(&mut random);
            let stored = reader.read(record, &file).await;
            let is_a_seed = files.seeds().contains(&file);
            assert!(is_a_seed || (stored.grant.is_none() && stored.sign_in.is_none()), "accepted: {}", file.escape_ascii());
        }
    }
    assert!(accepted > each / 50 && damaged > each / 2, "one-sided: {accepted} accepted, {damaged} damaged");
    figures(
        "p26",
        format!("records: {} contents ({accepted} read, {damaged} set aside), {} files, 0 crashes", each * 2, each * 2),
    );
}
