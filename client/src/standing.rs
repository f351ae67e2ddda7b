//! How a path stands in the file system: what it is, whose, and open to whom; for the person who looks.
//!
//! Must never: open or change what stands there.

use std::fs::{FileType, Metadata};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::Path;

/// What stands under a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Nothing.
    Missing,
    /// Something.
    Stands(Stands),
    /// It cannot be told; the system's words.
    Hidden(String),
}

/// Something that stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stands {
    /// What it is.
    pub kind: Kind,
    /// Whose it is (uid).
    pub owner: u32,
    /// Its permissions (mode bits, without those of the kind).
    pub mode: u32,
}

/// A kind of file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A folder.
    Folder,
    /// A regular file.
    File,
    /// A Unix socket.
    Socket,
    /// A symbolic link.
    Link,
    /// A device, a pipe.
    Other,
}

impl Standing {
    /// What stands under this very name; a link is not followed.
    #[must_use]
    pub fn of(path: &Path) -> Self {
        path.symlink_metadata().into()
    }

    /// What stands at the end of the links.
    #[must_use]
    pub fn behind(path: &Path) -> Self {
        path.metadata().into()
    }
}

impl From<io::Result<Metadata>> for Standing {
    fn from(found: io::Result<Metadata>) -> Self {
        match found {
            Ok(found) => Self::Stands(Stands { kind: found.file_type().into(), owner: found.uid(), mode: found.mode() & 0o7777 }),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Self::Missing,
            Err(error) => Self::Hidden(error.to_string()),
        }
    }
}

impl From<FileType> for Kind {
    fn from(kind: FileType) -> Self {
        match kind {
            kind if kind.is_dir() => Self::Folder,
            kind if kind.is_file() => Self::File,
            kind if kind.is_socket() => Self::Socket,
            kind if kind.is_symlink() => Self::Link,
            _ => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn what_stands_is_told_with_its_owner_and_its_mode() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        std::fs::write(at("file"), "").unwrap();
        std::fs::set_permissions(at("file"), std::fs::Permissions::from_mode(0o604)).unwrap();
        std::os::unix::fs::symlink(at("file"), at("link")).unwrap();
        let _listener = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
        let owner = nix::unistd::geteuid().as_raw();
        let kind = |standing: Standing| if let Standing::Stands(found) = standing { Some(found.kind) } else { None };
        assert_eq!(Standing::of(&at("file")), Standing::Stands(Stands { kind: Kind::File, owner, mode: 0o604 }));
        assert_eq!(kind(Standing::of(&at("link"))), Some(Kind::Link));
        assert_eq!(Standing::behind(&at("link")), Standing::of(&at("file")));
        assert_eq!(kind(Standing::of(&at("socket"))), Some(Kind::Socket));
        assert_eq!(kind(Standing::of(root.path())), Some(Kind::Folder));
        for nothing in ["gone", "file/below"] {
            assert_eq!(Standing::of(&at(nothing)), Standing::Missing);
        }
    }
}
