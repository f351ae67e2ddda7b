//! What a new configuration means for an account that is served already.
//!
//! Must never: take a change for harmless that lets a token reach another server, client or resource than it was issued for (P14).

use super::account::AccountConfig;

/// What became of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Nothing.
    Same,
    /// Its login goes on.
    Mild,
    /// Its login belongs to what it was before: the account is signed out.
    SecurityRelevant,
}

impl AccountConfig {
    /// What it means that this account is described by `newer` now.
    #[must_use]
    pub fn change_to(&self, newer: &Self) -> Change {
        if self == newer { Change::Same } else { Change::SecurityRelevant }
    }
}
