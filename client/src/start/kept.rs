//! Where the daemon of this user keeps what it keeps, by its own rules, and how that stands; for the person who looks.
//!
//! Must never: open a file.

use std::path::PathBuf;

use super::places::{self, Variable};
use crate::standing::Standing;

/// What is kept, and how it stands. Where no home is known, nothing of it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The folder of the records.
    pub state: At,
    /// The folder of the key.
    pub data: At,
    /// The key.
    pub key: At,
    /// The configuration; at the end of its links.
    pub config: At,
}

/// A path, and how it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct At {
    /// Where.
    pub path: PathBuf,
    /// How.
    pub standing: Standing,
}

impl At {
    /// This file, at the end of its links.
    #[must_use]
    pub fn behind(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        Self { standing: Standing::behind(&path), path }
    }

    fn of(path: PathBuf) -> Self {
        Self { standing: Standing::of(&path), path }
    }
}

impl Kept {
    /// Looks. `None`: no home is known.
    #[must_use]
    pub fn look() -> Option<Self> {
        Self::with(&places::of_this_process)
    }

    fn with(variable: Variable<'_>) -> Option<Self> {
        let home = places::home(variable);
        let state = places::state_folder(variable, home.as_deref())?;
        let data = places::data_folder(variable, home.as_deref())?;
        let key = At::of(data.join(places::KEY));
        let config = At::behind(places::config_file(variable, home.as_deref())?);
        Some(Self { state: At::of(state), data: At::of(data), key, config })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use std::ffi::OsString;
    use std::path::Path;

    #[cfg(target_os = "linux")]
    #[test]
    fn what_is_kept_stands_where_the_daemon_puts_it() {
        let variable = |name: &str| match name {
            "HOME" => Some(OsString::from("/nowhere/ada")),
            "XDG_DATA_HOME" => Some(OsString::from("/nowhere/data")),
            "XDG_CONFIG_HOME" => Some(OsString::from("relative")),
            _ => None,
        };
        let kept = Kept::with(&variable).unwrap();
        assert_eq!(kept.state.path, Path::new("/nowhere/ada/.local/state/mcp-authd"));
        assert_eq!(kept.key.path, Path::new("/nowhere/data/mcp-authd/store.key"));
        assert_eq!(kept.config.path, Path::new("/nowhere/ada/.config/mcp-authd/config.toml"));
        assert_eq!((kept.data.standing, kept.key.standing), (Standing::Missing, Standing::Missing));
    }
}
