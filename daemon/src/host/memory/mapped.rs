//! Which part of this process's memory holds the program's instructions, as the kernel tells in `/proc/self/maps` (proc(5)).
//!
//! Must never: name memory that is written to, or that could be unmapped while the program runs.

use std::ffi::c_void;
use std::num::NonZeroUsize;
use std::ptr::NonNull;

/// A mapping of a file, to be read and run only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Instructions {
    /// Where it begins, at the border of a page.
    pub(super) start: NonNull<c_void>,
    /// In bytes, whole pages.
    pub(super) length: usize,
}

/// The mapping of `maps` that holds this address, where it is private, of a file, and can be read and run but not written to.
#[must_use]
pub(super) fn instructions(maps: &str, address: usize) -> Option<Instructions> {
    maps.lines().find_map(|line| {
        let mut fields = line.split_ascii_whitespace();
        let (from, to) = fields.next()?.split_once('-')?;
        let (from, to) = (usize::from_str_radix(from, 16).ok()?, usize::from_str_radix(to, 16).ok()?);
        let (permissions, _offset, _device, inode) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
        let of_a_file = inode.parse::<u64>().is_ok_and(|inode| inode != 0);
        let ours = (from..to).contains(&address) && permissions == "r-xp" && of_a_file;
        let start = NonNull::without_provenance(NonZeroUsize::new(from)?);
        ours.then(|| Instructions { start, length: to - from })
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use proptest::prelude::*;

    const MAPS: &str = "\
5583f0000000-5583f01da000 r--p 00000000 fe:00 10010827                   /usr/bin/mcp-authd
5583f01da000-5583f084c000 r-xp 001d9000 fe:00 10010827                   /usr/bin/mcp-authd
5583f084c000-5583f0879000 r--p 0084c000 fe:00 10010827                   /usr/bin/mcp-authd
5583f0879000-5583f0880000 rw-p 00879000 fe:00 10010827                   /usr/bin/mcp-authd
5583f1000000-5583f1083000 rw-p 00000000 00:00 0                          [heap]
5583f2000000-5583f2001000 r-xp 00000000 00:00 0 
7ffd00000000-7ffd00002000 r-xp 00000000 00:00 0                          [vdso]
";

    fn found(maps: &str, address: usize) -> Option<(usize, usize)> {
        instructions(maps, address).map(|found| (found.start.addr().get(), found.length))
    }

    #[test]
    fn instructions_are_found_from_their_first_byte_to_their_last() {
        let whole = Some((0x5583_f01d_a000, 0x67_2000));
        for address in [0x5583_f01d_a000, 0x5583_f040_0123, 0x5583_f084_bfff] {
            assert_eq!(found(MAPS, address), whole, "{address:x}");
        }
        let (deleted, spaced) = (MAPS.replace("mcp-authd\n", "mcp-authd (deleted)\n"), MAPS.replace("/usr/bin", "/home/a b/bin"));
        for maps in [deleted, spaced] {
            assert_eq!(found(&maps, 0x5583_f040_0123), whole, "{maps}");
        }
    }

    #[test]
    fn what_is_written_to_is_no_instruction_nor_is_what_has_no_file() {
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
            assert_eq!(found(MAPS, address), None, "{address:x}");
        }
        for permissions in ["rwxp", "r-xs", "r--p", "rw-p", "--xp"] {
            assert_eq!(found(&MAPS.replace("r-xp", permissions), 0x5583_f040_0123), None, "{permissions}");
        }
    }

    #[test]
    fn this_program_finds_its_own() {
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        let one_of_them = (found as *const ()).addr();
        let (start, length) = found(&maps, one_of_them).unwrap();
        assert!((start..start + length).contains(&one_of_them));
    }

    proptest! {
        #[test]
        fn whatever_stands_there_ends_well(maps in "([0-9a-f]{0,20}[- ]{0,2}[0-9a-f]{0,20} (r-xp|r--p)? ?[0-9: ]{0,20}\n?){0,5}", address: usize) {
            if let Some((start, length)) = found(&maps, address) {
                prop_assert!((start..start + length).contains(&address));
            }
        }
    }
}
