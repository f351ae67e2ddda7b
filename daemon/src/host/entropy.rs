//! The operating system's randomness, passed in wherever some is needed.

/// The operating system gave no randomness.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the operating system gives no randomness")]
pub struct NoEntropy;

/// Fills `bytes`.
///
/// # Errors
/// Where the operating system refuses.
pub fn fill(bytes: &mut [u8]) -> Result<(), NoEntropy> {
    getrandom::fill(bytes).map_err(|_| NoEntropy)
}

/// A seed for jitter.
///
/// # Errors
/// Where the operating system refuses.
pub fn seed() -> Result<u64, NoEntropy> {
    let mut bytes = [0; 8];
    fill(&mut bytes)?;
    Ok(u64::from_le_bytes(bytes))
}
