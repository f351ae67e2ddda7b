//! The seal around a record: XChaCha20-Poly1305 with a random nonce; header, record id and generation are authenticated.
//!
//! ```text
//! 0   magic "mcpauthd"      8
//! 8   format version        2   of seal and record together; the whole header keeps its form in every version
//! 10  key id                8
//! 18  generation            8
//! 26  nonce                24
//! 50  checksum of 0..50     4   tells a damaged header from one of another version or key
//! 54  ciphertext, then the tag of 16 bytes
//! ```
//!
//! Numbers are big-endian. The associated data is the header and the record id. The checksum protects nobody from an attacker;
//! the seal does.
//!
//! Must never: accept a changed byte, or leave a plaintext behind in memory that was moved.

use chacha20poly1305::aead::AeadInPlace;
use chacha20poly1305::{KeyInit, Tag, XChaCha20Poly1305, XNonce};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::host::entropy::{self, NoEntropy};

use super::key::{Key, KeyId};

const MAGIC: &[u8; 8] = b"mcpauthd";
/// What this program writes, and the newest that it reads.
pub const VERSION: u16 = 1;
const CHECKED: usize = 50;
const HEADER: usize = 54;
const TAG: usize = 16;

/// What a file says in clear.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) version: u16,
    pub(super) key_id: KeyId,
    pub(super) generation: u64,
    nonce: [u8; 24],
}

/// Why a file is not opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unopened {
    /// It is not what was written.
    Damaged,
    /// Another key sealed it.
    OtherKey,
    /// A newer program wrote it.
    FromNewer,
}

impl Header {
    /// Reads what a file says in clear. Nothing of it is authenticated yet.
    pub(super) fn of(file: &[u8]) -> Result<Self, Unopened> {
        Self::parse(file).ok_or(Unopened::Damaged)
    }

    fn parse(file: &[u8]) -> Option<Self> {
        let checked = file.get(..CHECKED)?;
        if file.get(CHECKED..HEADER)? != checksum(checked) {
            return None;
        }
        let (magic, rest) = checked.split_first_chunk::<8>()?;
        let (version, rest) = rest.split_first_chunk::<2>()?;
        let (key_id, rest) = rest.split_first_chunk::<8>()?;
        let (generation, rest) = rest.split_first_chunk::<8>()?;
        let (nonce, _) = rest.split_first_chunk::<24>()?;
        (magic == MAGIC).then(|| Self {
            version: u16::from_be_bytes(*version),
            key_id: KeyId(*key_id),
            generation: u64::from_be_bytes(*generation),
            nonce: *nonce,
        })
    }

    fn to_bytes(self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER);
        bytes.extend(MAGIC);
        bytes.extend(self.version.to_be_bytes());
        bytes.extend(self.key_id.0);
        bytes.extend(self.generation.to_be_bytes());
        bytes.extend(self.nonce);
        bytes.extend(checksum(&bytes));
        bytes
    }
}

fn checksum(bytes: &[u8]) -> [u8; 4] {
    let hash: [u8; 32] = Sha256::digest(bytes).into();
    let [a, b, c, d, ..] = hash;
    [a, b, c, d]
}

/// Seals `plain` as the record `id`. The plaintext is encrypted where it lies.
pub(super) fn seal(key: &Key, id: &str, generation: u64, mut plain: Zeroizing<Vec<u8>>) -> Result<Vec<u8>, NoEntropy> {
    let mut nonce = [0; 24];
    entropy::fill(&mut nonce)?;
    let mut file = Header { version: VERSION, key_id: key.id(), generation, nonce }.to_bytes();
    let associated = [file.as_slice(), id.as_bytes()].concat();
    // It fails only above 256 GiB.
    let tag = cipher(key).encrypt_in_place_detached(&XNonce::from(nonce), &associated, &mut plain).map_err(|_| NoEntropy)?;
    file.extend_from_slice(&plain);
    file.extend_from_slice(&tag);
    Ok(file)
}

/// Opens the record `id`. Key ids are compared first: another key is no damage.
pub(super) fn open(key: &Key, id: &str, file: &[u8]) -> Result<(Header, Zeroizing<Vec<u8>>), Unopened> {
    let header = Header::of(file)?;
    if header.version > VERSION {
        return Err(Unopened::FromNewer);
    }
    if header.version != VERSION {
        return Err(Unopened::Damaged);
    }
    if header.key_id != key.id() {
        return Err(Unopened::OtherKey);
    }
    let (clear, sealed) = file.split_at_checked(HEADER).ok_or(Unopened::Damaged)?;
    let (sealed, tag) = sealed.split_at_checked(sealed.len().wrapping_sub(TAG)).ok_or(Unopened::Damaged)?;
    let associated = [clear, id.as_bytes()].concat();
    let mut plain = Zeroizing::new(sealed.to_vec());
    cipher(key)
        .decrypt_in_place_detached(&XNonce::from(header.nonce), &associated, &mut plain, Tag::from_slice(tag))
        .map_err(|_| Unopened::Damaged)?;
    Ok((header, plain))
}

fn cipher(key: &Key) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(key.bytes().into())
}

/// The same file as a newer program would have written it, for tests.
#[cfg(test)]
pub(super) fn as_of_version(file: &[u8], version: u16) -> Vec<u8> {
    let header = Header::parse(file).map(|header| Header { version, ..header }.to_bytes()).unwrap_or_default();
    [header.as_slice(), file.get(HEADER..).unwrap_or_default()].concat()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;

    const TEXT: &[u8] = b"SNTL_RT_1 and more";

    fn sealed(key: &Key) -> Vec<u8> {
        seal(key, "grant-a", 7, Zeroizing::new(TEXT.to_vec())).unwrap()
    }

    #[test]
    fn what_was_sealed_is_opened_with_its_generation() {
        let key = Key::generate().unwrap();
        let (header, plain) = open(&key, "grant-a", &sealed(&key)).unwrap();
        assert_eq!((header.generation, plain.as_slice()), (7, TEXT));
        assert_ne!(sealed(&key), sealed(&key), "a nonce was used twice");
    }

    #[test]
    fn every_changed_bit_and_every_missing_byte_is_noticed() {
        let key = Key::generate().unwrap();
        let file = sealed(&key);
        for length in 0..file.len() {
            assert_eq!(open(&key, "grant-a", &file[..length]).unwrap_err(), Unopened::Damaged, "length {length}");
        }
        for bit in 0..file.len() * 8 {
            let mut changed = file.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(open(&key, "grant-a", &changed).unwrap_err(), Unopened::Damaged, "bit {bit}");
        }
        assert_eq!(open(&key, "grant-a", &[file, vec![0]].concat()).unwrap_err(), Unopened::Damaged);
    }

    #[test]
    fn a_header_with_a_right_checksum_and_another_generation_is_not_accepted() {
        let key = Key::generate().unwrap();
        let file = sealed(&key);
        let header = Header { generation: 8, ..Header::of(&file).unwrap() };
        let forged = [header.to_bytes().as_slice(), &file[HEADER..]].concat();
        assert_eq!(open(&key, "grant-a", &forged).unwrap_err(), Unopened::Damaged);
    }

    #[test]
    fn a_record_under_the_name_of_another_is_not_accepted() {
        let key = Key::generate().unwrap();
        assert_eq!(open(&key, "grant-b", &sealed(&key)).unwrap_err(), Unopened::Damaged);
        assert_eq!(open(&key, "sign-in-a", &sealed(&key)).unwrap_err(), Unopened::Damaged);
    }

    #[test]
    fn another_key_and_a_newer_version_are_no_damage() {
        let key = Key::generate().unwrap();
        let file = sealed(&key);
        assert_eq!(open(&Key::generate().unwrap(), "grant-a", &file).unwrap_err(), Unopened::OtherKey);
        assert_eq!(open(&key, "grant-a", &as_of_version(&file, VERSION + 1)).unwrap_err(), Unopened::FromNewer);
    }

    #[test]
    fn the_form_of_the_header_stands_for_ever() {
        let key = Key::generate().unwrap();
        let file = sealed(&key);
        assert_eq!(&file[..10], b"mcpauthd\x00\x01");
        assert_eq!(&file[10..18], key.id().0);
        assert_eq!(&file[18..26], 7_u64.to_be_bytes());
        assert_eq!(file.len(), HEADER + TEXT.len() + TAG);
    }
}
