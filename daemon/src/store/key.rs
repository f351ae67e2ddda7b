//! The key that seals the records, and where it comes from.
//!
//! A source may be slow or may need a person: a keyring, a passphrase. It is asynchronous, and it is never waited for without an
//! end. The first source is a key file: it protects only against a copy of the records without the file (P6).
//!
//! Must never: show a key, or make a new one where sealed records exist that it could not open.

use std::fmt;
use std::time::Duration;

use futures_util::future::BoxFuture;
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, Zeroizing};

use crate::accounts::KeyOpener;
use crate::host::entropy;
use crate::host::folder::{Created, FileError, Folder};
use crate::host::tasks::Tasks;

const KEY_FILE: &str = "store.key";
/// A key is 65 bytes long; what is larger is none.
const KEY_FILE_LIMIT: usize = 1024;
/// Separates the name of a key from every other use of it.
const KEY_ID_DOMAIN: &[u8] = b"mcp-authd store key id v1\0";

/// 32 random bytes. Wiped when dropped, and never moved in memory.
pub struct Key(Box<Zeroizing<[u8; 32]>>);

/// Names a key without telling it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct KeyId(pub(super) [u8; 8]);

/// What a source came to. The sentences are for the person and say what to do.
#[derive(Debug)]
pub enum KeyOutcome {
    /// The key.
    Key(Key),
    /// A person has to do something first.
    Locked(String),
    /// There is no key, and records exist that need one.
    Absent(String),
    /// What is there is not the key.
    Wrong(String),
}

/// Where the key comes from.
pub trait KeySource: Send + Sync + 'static {
    /// Opens it within `patience`. Who takes longer is taken as locked, and asked again.
    fn open(&self, patience: Duration) -> BoxFuture<'static, KeyOutcome>;
    /// Who opens it.
    fn opener(&self) -> KeyOpener;
}

impl Key {
    /// A key from the operating system's randomness.
    ///
    /// # Errors
    /// Where there is none.
    pub fn generate() -> Result<Self, entropy::NoEntropy> {
        let mut key = Self(Box::new(Zeroizing::new([0; 32])));
        entropy::fill(&mut **key.0)?;
        Ok(key)
    }

    /// From a key file's content: 64 hexadecimal digits, or 32 bytes as they are.
    pub(super) fn parse(content: &[u8]) -> Option<Self> {
        let mut key = Self(Box::new(Zeroizing::new([0; 32])));
        if content.len() == key.0.len() {
            key.0.copy_from_slice(content);
            return Some(key);
        }
        let digits = content.trim_ascii();
        if digits.len() != 2 * key.0.len() {
            return None;
        }
        for (byte, pair) in key.0.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = pair.iter().try_fold(0_u8, |byte, digit| Some(byte << 4 | hex_value(*digit)?))?;
        }
        Some(key)
    }

    fn to_hex(&self) -> Zeroizing<Vec<u8>> {
        let mut content = Zeroizing::new(Vec::with_capacity(2 * self.0.len() + 1));
        for byte in self.0.iter() {
            content.extend([hex_digit(byte >> 4), hex_digit(byte & 15)]);
        }
        content.push(b'\n');
        content
    }

    /// Its name.
    #[must_use]
    pub fn id(&self) -> KeyId {
        let mut hash: [u8; 32] = Sha256::new().chain_update(KEY_ID_DOMAIN).chain_update(self.bytes()).finalize().into();
        let mut id = [0; 8];
        id.iter_mut().zip(hash).for_each(|(to, from)| *to = from);
        hash.zeroize();
        KeyId(id)
    }

    pub(super) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

fn hex_digit(value: u8) -> u8 {
    if value < 10 { b'0' + value } else { b'a' + value - 10 }
}

fn hex_value(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({:?})", self.id())
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A key in a file 0600. Made at the first start, when no sealed record exists.
#[derive(Debug, Clone)]
pub struct KeyFile {
    data: Folder,
    state: Folder,
    tasks: Tasks,
}

impl KeyFile {
    /// The key file in `data`, for the records in `state`.
    #[must_use]
    pub fn new(data: Folder, state: Folder, tasks: Tasks) -> Self {
        Self { data, state, tasks }
    }

    fn open_now(&self) -> KeyOutcome {
        match self.read_or_make() {
            Ok(outcome) => outcome,
            // Whatever it is, it passes only when a person does something, and is then tried again.
            Err(error) => KeyOutcome::Locked(format!("the key of the store cannot be read: {error}")),
        }
    }

    fn read_or_make(&self) -> Result<KeyOutcome, FileError> {
        if let Some(outcome) = self.read()? {
            return Ok(outcome);
        }
        if self.records_exist()? {
            return Ok(KeyOutcome::Absent(self.why_absent()));
        }
        let Ok(key) = Key::generate() else {
            return Ok(KeyOutcome::Locked("the operating system gives no randomness for a key".to_owned()));
        };
        let created = self.data.create(KEY_FILE, &key.to_hex());
        // Whoever else made one at the same time: the one that stands is the key. An error counts only if none stands.
        match (self.read()?, created) {
            (Some(outcome), created) => {
                if matches!(created, Ok(Created::New)) {
                    tracing::info!(file = %self.data.join(KEY_FILE).display(), "made a new key for the store");
                }
                Ok(outcome)
            }
            (None, Err(error)) => Err(error),
            (None, Ok(_)) => Ok(KeyOutcome::Locked("the key file was erased while it was made; it is tried again".to_owned())),
        }
    }

    fn read(&self) -> Result<Option<KeyOutcome>, FileError> {
        let Some(content) = self.data.read(KEY_FILE, KEY_FILE_LIMIT)?.map(Zeroizing::new) else { return Ok(None) };
        Ok(Some(match Key::parse(&content) {
            Some(key) => {
                // A writer that was killed may have left a key that is none. One that is at work copes: this key is read.
                if let Err(error) = self.data.sweep() {
                    tracing::warn!(%error, "cannot sweep the folder of the key");
                }
                KeyOutcome::Key(key)
            }
            None => KeyOutcome::Wrong(format!(
                "the key file \"{}\" holds no key (64 hexadecimal digits): put the right one back",
                self.data.join(KEY_FILE).display()
            )),
        }))
    }

    fn records_exist(&self) -> Result<bool, FileError> {
        Ok(self.state.names()?.iter().any(|name| super::record::is_record(name)))
    }

    fn why_absent(&self) -> String {
        format!(
            "the key file \"{}\" is gone, and the records in \"{}\" were sealed with it: put it back, or move the records away to \
             log in anew",
            self.data.join(KEY_FILE).display(),
            self.state.path().display()
        )
    }
}

impl KeySource for KeyFile {
    fn open(&self, _patience: Duration) -> BoxFuture<'static, KeyOutcome> {
        let source = self.clone();
        Box::pin(async move {
            let tasks = source.tasks.clone();
            let opened = tasks.blocking("key file", move || source.open_now()).await;
            opened.unwrap_or_else(|| KeyOutcome::Locked("reading the key file failed".to_owned()))
        })
    }

    fn opener(&self) -> KeyOpener {
        KeyOpener::Machine
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;

    fn source(root: &Path) -> KeyFile {
        KeyFile::new(Folder::at(root.join("data")), Folder::at(root.join("state")), Tasks::new())
    }

    fn key(outcome: KeyOutcome) -> Key {
        match outcome {
            KeyOutcome::Key(key) => key,
            other => panic!("{other:?}"),
        }
    }

    fn key_path(source: &KeyFile) -> std::path::PathBuf {
        source.data.join(KEY_FILE)
    }

    #[test]
    fn the_first_open_makes_a_key_and_the_next_ones_find_it() {
        let root = tempfile::tempdir().unwrap();
        let source = source(root.path());
        let first = key(source.open_now());
        assert_eq!(first.bytes(), key(source.open_now()).bytes());
        assert_eq!(fs::metadata(key_path(&source)).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn twenty_at_once_end_up_with_one_key() {
        for _ in 0..20 {
            let root = tempfile::tempdir().unwrap();
            let source = source(root.path());
            let keys: Vec<Key> = std::thread::scope(|scope| {
                let threads: Vec<_> = (0..20).map(|_| scope.spawn(|| key(source.open_now()))).collect();
                threads.into_iter().map(|thread| thread.join().unwrap()).collect()
            });
            let standing = key(source.open_now());
            assert!(keys.iter().all(|key| key.bytes() == standing.bytes()));
            assert_eq!(fs::read_dir(source.data.path()).unwrap().count(), 1);
        }
    }

    #[test]
    fn a_key_is_hexadecimal_or_raw_and_nothing_else() {
        let root = tempfile::tempdir().unwrap();
        let source = source(root.path());
        source.data.write(KEY_FILE, &[b'k'; 32]).unwrap();
        assert_eq!(key(source.open_now()).bytes(), &[b'k'; 32]);
        source.data.write(KEY_FILE, &[b"6B".repeat(32), b" \n".to_vec()].concat()).unwrap();
        assert_eq!(key(source.open_now()).bytes(), &[b'k'; 32]);
        for nonsense in [vec![], vec![b'6'; 63], vec![b'g'; 64], vec![b'6'; 66], vec![0; 31], vec![0; 33]] {
            source.data.write(KEY_FILE, &nonsense).unwrap();
            let outcome = source.open_now();
            assert!(matches!(&outcome, KeyOutcome::Wrong(why) if why.contains(KEY_FILE)), "{outcome:?}");
            assert_eq!(fs::read(key_path(&source)).unwrap(), nonsense);
        }
    }

    #[test]
    fn a_key_that_is_gone_is_never_replaced_while_records_exist() {
        let root = tempfile::tempdir().unwrap();
        let source = source(root.path());
        source.state.write("grant-work.sealed", b"something").unwrap();
        let outcome = source.open_now();
        assert!(matches!(&outcome, KeyOutcome::Absent(why) if why.contains("put it back")), "{outcome:?}");
        assert!(!key_path(&source).exists());
    }

    #[test]
    fn a_key_open_to_others_is_refused_with_the_command_that_repairs_it() {
        let root = tempfile::tempdir().unwrap();
        let source = source(root.path());
        key(source.open_now());
        fs::set_permissions(key_path(&source), fs::Permissions::from_mode(0o604)).unwrap();
        let outcome = source.open_now();
        let command = format!("chmod 600 \"{}\"", key_path(&source).display());
        assert!(matches!(&outcome, KeyOutcome::Locked(why) if why.contains(&command)), "{outcome:?}");
        fs::set_permissions(key_path(&source), fs::Permissions::from_mode(0o600)).unwrap();
        key(source.open_now());
    }

    #[test]
    fn debug_tells_the_name_and_not_the_key() {
        let key = Key::parse(&[b'k'; 32]).unwrap();
        assert!(!format!("{key:?}").contains("6b6b"), "{key:?}");
        assert_ne!(key.id().0, [b'k'; 8]);
    }
}
