//! The machine underneath: its disk, its folders, its clocks, and several daemons on it (B7-B16).

mod broken_save;
mod clocks;
mod damaged;
mod deleted;
mod full_disk;
pub(crate) mod injected;
mod left_behind;
pub(crate) mod logged_in;
mod many_daemons;
mod mounts;
mod read_only;
