//! The records at rest: one sealed file per record, so that no torn write and no neighbour's damage can exist.
//!
//! A record is a grant, the sign-ins of an account, the secret of a configured client, or a client that we registered at an issuer. Each file is replaced as a whole
//! (temp, fsync, rename, fsync of the folder) and sealed with XChaCha20-Poly1305 under one key that a [`KeySource`] opens.
//! What is damaged is set aside (B10); what another key sealed is never touched. A rollback to an older copy of a valid file is
//! not detected: there is no monotonic counter outside of the files to compare with (P6).
//!
//! Must never: write a secret in clear (P5), know the network or the wire, or replace a key that is gone by a new one.

mod client_secret;
mod file;
mod key;
mod pending;
mod record;
mod registration;
mod restore;
mod seal;
mod sealed_store;

#[cfg(test)]
mod tests;

pub use key::{Key, KeyFile, KeyId, KeyOutcome, KeySource};
pub use seal::VERSION;
pub use sealed_store::{OpenError, SealedStore};
