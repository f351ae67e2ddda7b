//! The last step: the new file and the old one change places, so that what was there is looked at once more before it goes.
//!
//! Must never: erase a file whose bytes are neither those that were read nor our own.
//!
//! What no program can see: an editor that opened the old file before, and writes into it after, writes into a file that has no name.

use super::replace::{Meanwhile, NotReplaced, Outcome, Unfinished, classified};

/// How often what somebody saves goes back to its place, while they save on.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const SAVES: usize = 8;

/// Puts the new file in the place of the old one. What others save at the same moment stands in the end, the latest of it.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub(super) fn exchange(
    unfinished: Unfinished<'_>,
    old: &[u8],
    new: &[u8],
    meanwhile: Meanwhile<'_>,
) -> Result<Outcome, NotReplaced> {
    use nix::errno::Errno;
    use nix::fcntl::{RenameFlags, renameat2};

    use super::replace::Moment;

    let swap = |unfinished: &Unfinished<'_>| {
        let (folder, name, other) = unfinished.names();
        renameat2(folder, name.as_os_str(), folder, other.as_os_str(), RenameFlags::RENAME_EXCHANGE)
    };
    match swap(&unfinished) {
        Ok(()) => {}
        // Not every file system can do it.
        Err(Errno::EINVAL | Errno::ENOSYS | Errno::EOPNOTSUPP) => return rename(&unfinished),
        Err(Errno::ENOENT) => return Ok(Outcome::Changed),
        Err(errno) => return Err(classified(&errno.into(), "it cannot be replaced")),
    }
    let (mut placed, mut found) = (new.to_vec(), unfinished.bytes());
    if found.as_deref() == Some(old) {
        return Ok(Outcome::Written);
    }
    // Somebody saved between our look and the exchange: that goes back to its place. What comes out for it is what was placed
    // there, or what somebody saved over that in this moment: later still, so that it goes back in its turn.
    for _ in 0..SAVES {
        meanwhile(Moment::Exchanged);
        let Some(saved) = found.take() else { break };
        if swap(&unfinished).is_err() {
            break;
        }
        found = unfinished.bytes();
        if found.as_deref() == Some(placed.as_slice()) {
            // Ours goes away; of others nothing does, but what stands all the same.
            if placed != new && placed != saved {
                unfinished.set_aside();
            }
            return Ok(Outcome::Changed);
        }
        placed = saved;
    }
    // They save on without end, or have removed it.
    Err(unfinished.kept())
}

/// Where there is no exchange, somebody who saves between our look and this is overwritten.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
#[allow(clippy::needless_pass_by_value, reason = "as on Linux, where it is kept at times")]
pub(super) fn exchange(
    unfinished: Unfinished<'_>,
    _old: &[u8],
    _new: &[u8],
    _meanwhile: Meanwhile<'_>,
) -> Result<Outcome, NotReplaced> {
    rename(&unfinished)
}

fn rename(unfinished: &Unfinished<'_>) -> Result<Outcome, NotReplaced> {
    let (folder, name, other) = unfinished.names();
    nix::fcntl::renameat(folder, name.as_os_str(), folder, other.as_os_str())
        .map(|()| Outcome::Written)
        .map_err(|errno| classified(&errno.into(), "it cannot be replaced"))
}
