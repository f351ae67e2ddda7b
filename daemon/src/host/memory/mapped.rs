//! Which part of this process's memory holds the program's instructions, as the kernel tells in `/proc/self/smaps`
//! (proc_pid_smaps(5)), and whether it may be given back.
//!
//! Must never: name memory that was written to, that could be unmapped while the program runs, or whose file may be out of reach when
//! it is read again.

use std::ffi::c_void;
use std::num::NonZeroUsize;
use std::ptr::NonNull;

use nix::sys::statfs::{
    BTRFS_SUPER_MAGIC, EXT4_SUPER_MAGIC, F2FS_SUPER_MAGIC, FsType, OVERLAYFS_SUPER_MAGIC, TMPFS_MAGIC, XFS_SUPER_MAGIC, statfs,
};

/// What keeps files on this machine. Of others, as of a network's, a page may be out of reach when it is needed again.
const LOCAL: [FsType; 6] =
    [BTRFS_SUPER_MAGIC, EXT4_SUPER_MAGIC, F2FS_SUPER_MAGIC, OVERLAYFS_SUPER_MAGIC, TMPFS_MAGIC, XFS_SUPER_MAGIC];

/// A mapping of a file, to be read and run only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Instructions {
    /// Where it begins, at the border of a page.
    pub(super) start: NonNull<c_void>,
    /// In bytes, whole pages.
    pub(super) length: usize,
}

/// Those of this program, which hold this address, if they may be given back.
#[must_use]
pub(super) fn given_back(address: usize) -> Option<Instructions> {
    if !LOCAL.contains(&statfs("/proc/self/exe").ok()?.filesystem_type()) {
        return None;
    }
    instructions(&std::fs::read_to_string("/proc/self/smaps").ok()?, address)
}

/// The mapping that holds this address, where it is private, of a file, can be read and run but not written to, and never was.
fn instructions(smaps: &str, address: usize) -> Option<Instructions> {
    let mut lines = smaps.lines();
    let found = lines.by_ref().find_map(|line| mapping(line, address))?;
    // Its properties come next.
    let written = lines.find_map(|line| line.strip_prefix("Anonymous:"))?;
    (written.trim() == "0 kB").then_some(found)
}

fn mapping(line: &str, address: usize) -> Option<Instructions> {
    let mut fields = line.split_ascii_whitespace();
    let (from, to) = fields.next()?.split_once('-')?;
    let (from, to) = (usize::from_str_radix(from, 16).ok()?, usize::from_str_radix(to, 16).ok()?);
    let (permissions, _offset, _device, inode) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
    let of_a_file = inode.parse::<u64>().is_ok_and(|inode| inode != 0);
    let ours = (from..to).contains(&address) && permissions == "r-xp" && of_a_file;
    let start = NonNull::without_provenance(NonZeroUsize::new(from)?);
    ours.then(|| Instructions { start, length: to - from })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use proptest::prelude::*;

    const MAPPINGS: [(&str, usize); 7] = [
        ("5583f0000000-5583f01da000 r--p 00000000 fe:00 10010827                   /usr/bin/mcp-authd", 0),
        ("5583f01da000-5583f084c000 r-xp 001d9000 fe:00 10010827                   /usr/bin/mcp-authd", 0),
        ("5583f084c000-5583f0879000 r--p 0084c000 fe:00 10010827                   /usr/bin/mcp-authd", 184),
        ("5583f0879000-5583f0880000 rw-p 00879000 fe:00 10010827                   /usr/bin/mcp-authd", 28),
        ("5583f1000000-5583f1083000 rw-p 00000000 00:00 0                          [heap]", 404),
        ("5583f2000000-5583f2001000 r-xp 00000000 00:00 0 ", 0),
        ("7ffd00000000-7ffd00002000 r-xp 00000000 00:00 0                          [vdso]", 0),
    ];
    const IN_THE_MIDST: usize = 0x5583_f040_0123;

    fn smaps(mappings: &[(&str, usize)]) -> String {
        let whole = |(line, written): &(&str, usize)| {
            format!(
                "{line}\nSize:               8 kB\nRss:                8 kB\nAnonymous:      {written:5} kB\nVmFlags: rd ex mr\n"
            )
        };
        mappings.iter().map(whole).collect()
    }

    fn found(smaps: &str, address: usize) -> Option<(usize, usize)> {
        instructions(smaps, address).map(|found| (found.start.addr().get(), found.length))
    }

    #[test]
    fn instructions_are_found_from_their_first_byte_to_their_last() {
        let (smaps, whole) = (smaps(&MAPPINGS), Some((0x5583_f01d_a000, 0x67_2000)));
        for address in [0x5583_f01d_a000, IN_THE_MIDST, 0x5583_f084_bfff] {
            assert_eq!(found(&smaps, address), whole, "{address:x}");
        }
        let (deleted, spaced) =
            (smaps.replace("mcp-authd\n", "mcp-authd (deleted)\n"), smaps.replace("/usr/bin", "/home/a b/bin"));
        for smaps in [deleted, spaced] {
            assert_eq!(found(&smaps, IN_THE_MIDST), whole, "{smaps}");
        }
    }

    #[test]
    fn what_can_be_written_to_is_no_instruction_nor_is_what_has_no_file() {
        let text = smaps(&MAPPINGS);
        let others = [
            0x0,
            0x5583_f000_0000,
            0x5583_f01d_9fff,
            0x5583_f084_c000,
            0x5583_f087_9000,
            0x5583_f100_0000,
            0x5583_f200_0000,
            0x7ffd_0000_0000,
        ];
        for address in others {
            assert_eq!(found(&text, address), None, "{address:x}");
        }
        for permissions in ["rwxp", "r-xs", "r--p", "rw-p", "--xp"] {
            assert_eq!(found(&text.replace("r-xp", permissions), IN_THE_MIDST), None, "{permissions}");
        }
    }

    #[test]
    fn what_was_written_to_stays_as_where_a_debugger_has_set_a_mark() {
        let mut mappings = MAPPINGS;
        mappings[1].1 = 4;
        assert_eq!(found(&smaps(&mappings), IN_THE_MIDST), None);
        assert_eq!(found(MAPPINGS[1].0, IN_THE_MIDST), None, "nobody tells");
    }

    #[test]
    fn this_program_finds_its_own() {
        let one_of_them = (found as *const ()).addr();
        let (start, length) = found(&std::fs::read_to_string("/proc/self/smaps").unwrap(), one_of_them).unwrap();
        assert!((start..start + length).contains(&one_of_them));
        // Not where this test stands on a disk of another machine.
        if let Some(own) = given_back(one_of_them) {
            assert_eq!((own.start.addr().get(), own.length), (start, length));
        }
    }

    proptest! {
        #[test]
        fn whatever_stands_there_ends_well(
            smaps in "([0-9a-f]{0,20}[- ]{0,2}[0-9a-f]{0,20} (r-xp|r--p)? ?[0-9: ]{0,20}\n?(Anonymous: [0-9]? kB\n)?){0,5}",
            address: usize
        ) {
            if let Some((start, length)) = found(&smaps, address) {
                prop_assert!((start..start + length).contains(&address));
            }
        }
    }
}
