//! Where things are: a pure function from the environment to paths.
//!
//! Must never: create or trust anything. `folder` checks each directory before it is used (P2). No candidate lies under `$TMPDIR`.

use std::path::{Path, PathBuf};

use nix::unistd::{Uid, User};

use super::folder;

/// Names the socket itself. Its folder holds the other one, too.
pub const SOCKET_OVERRIDE: &str = "MCP_AUTHD_SOCKET";

const OURS: &str = "mcp-authd";
const TOKENS: &str = "tokens.sock";
const ADMIN: &str = "admin.sock";

/// Which rules name the places.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// The XDG base directory specification.
    Xdg,
    /// `~/Library/Application Support`.
    AppleLibrary,
}

impl Layout {
    /// The rules of this machine.
    #[must_use]
    pub const fn of_this_machine() -> Self {
        if cfg!(target_vendor = "apple") { Self::AppleLibrary } else { Self::Xdg }
    }

    /// `sizeof(sun_path)`: with the NUL at the end.
    const fn longest_socket_path(self) -> usize {
        match self {
            Self::Xdg => 108,
            Self::AppleLibrary => 104,
        }
    }
}

/// What the environment says. An empty value counts as unset.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Environment {
    /// `HOME`, or the home of the user database.
    pub home: Option<PathBuf>,
    /// `XDG_RUNTIME_DIR`.
    pub runtime_dir: Option<PathBuf>,
    /// `/run/user/UID`, only where it stands and belongs to us.
    pub run_user: Option<PathBuf>,
    /// `XDG_STATE_HOME`.
    pub state_home: Option<PathBuf>,
    /// `XDG_DATA_HOME`.
    pub data_home: Option<PathBuf>,
    /// `XDG_CONFIG_HOME`.
    pub config_home: Option<PathBuf>,
    /// [`SOCKET_OVERRIDE`].
    pub socket: Option<PathBuf>,
}

impl Environment {
    /// What this process was started with.
    #[must_use]
    pub fn of_this_process() -> Self {
        let run_user = PathBuf::from(format!("/run/user/{}", Uid::effective()));
        Self {
            home: variable("HOME").or_else(home_of_user_database),
            runtime_dir: variable("XDG_RUNTIME_DIR"),
            run_user: folder::is_private(&run_user).then_some(run_user),
            state_home: variable("XDG_STATE_HOME"),
            data_home: variable("XDG_DATA_HOME"),
            config_home: variable("XDG_CONFIG_HOME"),
            socket: variable(SOCKET_OVERRIDE),
        }
    }
}

fn variable(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

fn home_of_user_database() -> Option<PathBuf> {
    User::from_uid(Uid::effective()).ok().flatten().map(|user| user.dir)
}

/// Where things are. Every path is absolute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directories {
    /// The folder of both sockets; private.
    pub runtime: PathBuf,
    /// The socket for programs.
    pub tokens_socket: PathBuf,
    /// The socket for the person.
    pub admin_socket: PathBuf,
    /// The sealed records and the lock; private.
    pub state: PathBuf,
    /// The key file; private, and apart from the records so that a copy of one is not a copy of both (P6).
    pub data: PathBuf,
    /// `config.toml`.
    pub config_file: PathBuf,
}

/// Why there is no place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoPlace {
    /// Neither a variable nor the user database tells.
    #[error("no home directory is known: set HOME to an absolute path")]
    NoHome,
    /// The override must say where, from everywhere.
    #[error("MCP_AUTHD_SOCKET must be the absolute path of tokens.sock, but it is \"{}\"", .0.display())]
    BadOverride(PathBuf),
    /// It does not fit into `sun_path`.
    #[error(
        "the socket path \"{}\" has {length} bytes and at most {most} fit: set MCP_AUTHD_SOCKET to a shorter path of tokens.sock, \
         in a folder that only you can enter",
        path.display()
    )]
    SocketPathTooLong {
        /// The path.
        path: PathBuf,
        /// Its length.
        length: usize,
        /// What fits, without the NUL.
        most: usize,
    },
}

impl Directories {
    /// Derives every path.
    ///
    /// # Errors
    /// Where the environment says too little, or something that cannot be. The sentence names the variable to set.
    pub fn from_environment(environment: &Environment, layout: Layout) -> Result<Self, NoPlace> {
        let bases = Bases::new(environment, layout)?;
        let state = bases.state.join(OURS);
        let (runtime, tokens_socket) = sockets(environment, &bases, &state)?;
        let admin_socket = runtime.join(ADMIN);
        for socket in [&tokens_socket, &admin_socket] {
            fits(socket, layout)?;
        }
        let (data, config_file) = (bases.data.join(OURS), bases.config.join(OURS).join("config.toml"));
        Ok(Self { runtime, tokens_socket, admin_socket, state, data, config_file })
    }
}

/// The folders that ours stand in.
struct Bases {
    runtime: Option<PathBuf>,
    state: PathBuf,
    data: PathBuf,
    config: PathBuf,
}

impl Bases {
    fn new(environment: &Environment, layout: Layout) -> Result<Self, NoPlace> {
        let under_home = |rest: &str| absolute(environment.home.as_ref()).map(|home| home.join(rest)).ok_or(NoPlace::NoHome);
        match layout {
            Layout::Xdg => {
                // "All paths must be absolute. [..] consider the path invalid and ignore it": XDG base directories, 0.8.
                let base = |variable: &Option<PathBuf>, rest| absolute(variable.as_ref()).map_or_else(|| under_home(rest), Ok);
                Ok(Self {
                    runtime: absolute(environment.runtime_dir.as_ref()).or_else(|| environment.run_user.clone()),
                    state: base(&environment.state_home, ".local/state")?,
                    data: base(&environment.data_home, ".local/share")?,
                    config: base(&environment.config_home, ".config")?,
                })
            }
            Layout::AppleLibrary => {
                let library = under_home("Library/Application Support")?;
                Ok(Self { runtime: None, state: library.clone(), data: library.clone(), config: library })
            }
        }
    }
}

fn sockets(environment: &Environment, bases: &Bases, state: &Path) -> Result<(PathBuf, PathBuf), NoPlace> {
    if let Some(socket) = &environment.socket {
        let folder = socket.parent().filter(|folder| folder.is_absolute() && socket.file_name().is_some());
        let folder = folder.ok_or_else(|| NoPlace::BadOverride(socket.clone()))?;
        if socket.file_name() == Some(ADMIN.as_ref()) {
            return Err(NoPlace::BadOverride(socket.clone()));
        }
        return Ok((folder.to_owned(), socket.clone()));
    }
    let runtime = bases.runtime.as_ref().map_or_else(|| state.join("run"), |base| base.join(OURS));
    let tokens = runtime.join(TOKENS);
    Ok((runtime, tokens))
}

fn absolute(path: Option<&PathBuf>) -> Option<PathBuf> {
    path.filter(|path| path.is_absolute()).cloned()
}

fn fits(socket: &Path, layout: Layout) -> Result<(), NoPlace> {
    let length = socket.as_os_str().len();
    let most = layout.longest_socket_path() - 1;
    if length > most {
        return Err(NoPlace::SocketPathTooLong { path: socket.to_owned(), length, most });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn at_home() -> Environment {
        Environment { home: Some("/home/ada".into()), ..Environment::default() }
    }

    fn xdg(environment: &Environment) -> Directories {
        Directories::from_environment(environment, Layout::Xdg).unwrap()
    }

    #[test]
    fn with_only_a_home_everything_is_below_it() {
        let places = xdg(&at_home());
        assert_eq!(places.state, Path::new("/home/ada/.local/state/mcp-authd"));
        assert_eq!(places.data, Path::new("/home/ada/.local/share/mcp-authd"));
        assert_eq!(places.config_file, Path::new("/home/ada/.config/mcp-authd/config.toml"));
        assert_eq!(places.tokens_socket, Path::new("/home/ada/.local/state/mcp-authd/run/tokens.sock"));
        assert_eq!(places.admin_socket, Path::new("/home/ada/.local/state/mcp-authd/run/admin.sock"));
    }

    #[test]
    fn the_xdg_variables_are_heard_and_relative_ones_ignored() {
        let set = Environment {
            runtime_dir: Some("/run/user/7".into()),
            run_user: Some("/run/user/1000".into()),
            state_home: Some("/s".into()),
            data_home: Some("data".into()),
            config_home: Some("/c".into()),
            ..at_home()
        };
        let places = xdg(&set);
        assert_eq!(places.runtime, Path::new("/run/user/7/mcp-authd"));
        assert_eq!(places.state, Path::new("/s/mcp-authd"));
        assert_eq!(places.data, Path::new("/home/ada/.local/share/mcp-authd"));
        assert_eq!(places.config_file, Path::new("/c/mcp-authd/config.toml"));
        let relative = Environment { runtime_dir: Some("run".into()), ..set };
        assert_eq!(xdg(&relative).runtime, Path::new("/run/user/1000/mcp-authd"));
    }

    #[test]
    fn a_mac_has_one_library_for_all() {
        let places = Directories::from_environment(&at_home(), Layout::AppleLibrary).unwrap();
        assert_eq!(places.state, Path::new("/home/ada/Library/Application Support/mcp-authd"));
        assert_eq!(places.runtime, Path::new("/home/ada/Library/Application Support/mcp-authd/run"));
    }

    #[test]
    fn the_override_names_the_socket_and_the_other_one_stands_beside_it() {
        let places = xdg(&Environment { socket: Some("/x/y/t.sock".into()), ..at_home() });
        assert_eq!(places.tokens_socket, Path::new("/x/y/t.sock"));
        assert_eq!(places.admin_socket, Path::new("/x/y/admin.sock"));
        for bad in ["t.sock", "/", "/x/admin.sock"] {
            let environment = Environment { socket: Some(bad.into()), ..at_home() };
            let refused = Directories::from_environment(&environment, Layout::Xdg);
            assert_eq!(refused, Err(NoPlace::BadOverride(bad.into())), "{bad}");
        }
    }

    #[test]
    fn a_socket_path_must_fit_with_its_nul_and_the_error_names_the_override() {
        let of_length = |length: usize| {
            let folder = "/".to_owned() + &"d".repeat(length - "/".len() - "/tokens.sock".len());
            Environment { socket: Some(PathBuf::from(folder + "/" + TOKENS)), ..at_home() }
        };
        assert!(Directories::from_environment(&of_length(107), Layout::Xdg).is_ok());
        assert!(Directories::from_environment(&of_length(103), Layout::AppleLibrary).is_ok());
        for (length, layout) in [(108, Layout::Xdg), (104, Layout::AppleLibrary)] {
            let error = Directories::from_environment(&of_length(length), layout).unwrap_err();
            assert!(error.to_string().contains(SOCKET_OVERRIDE), "{error}");
        }
    }

    #[test]
    fn without_any_home_the_error_says_what_to_set() {
        let error = Directories::from_environment(&Environment::default(), Layout::Xdg).unwrap_err();
        assert_eq!(error, NoPlace::NoHome);
        assert!(error.to_string().contains("set HOME"));
    }

    #[test]
    fn no_candidate_is_in_a_folder_that_everybody_can_write() {
        let places = xdg(&at_home());
        for path in [places.runtime, places.state, places.data, places.config_file] {
            assert!(!path.starts_with("/tmp") && !path.starts_with("/var/tmp"), "{}", path.display());
        }
    }
}
