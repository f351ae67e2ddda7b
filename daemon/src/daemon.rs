//! The composition: the only file that knows every room. It starts them in order, waits, and ends them in order.
//!
//! Must never: do the work of a room.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use mcp_authd_oauth::time::WallTime;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::accounts::Vault;
use crate::accounts::keeper::House;
use crate::accounts::roster::{NotReloaded, Reloaded, Roster};
use crate::config::{Config, ConfigErrors};
use crate::host::clock::Clock;
use crate::host::directories::{Directories, Environment, Layout, NoPlace};
use crate::host::doorway::Doorway;
use crate::host::entropy::NoEntropy;
use crate::host::folder::{FileError, Folder};
use crate::host::hardening::{self, Weakness};
use crate::host::lock::{self, Acquired, Owned, Standing};
use crate::host::signals::{Asked, Signals};
use crate::host::sockets::BindError;
use crate::host::tasks::{Broken, Tasks};
use crate::rpc::{self, Face, Facts};
use crate::store::{KeyFile, OpenError, SealedStore};
use crate::upstream::HttpUpstream;

/// The lock in the state folder: whoever holds it is the one refresher of this store.
const LOCK: &str = "mcp-authd.lock";
/// How long a leaving daemon waits for what is in flight (B6).
const LEAVE_WITHIN: Duration = Duration::from_secs(60);
/// How long the rest may take after that.
const FINISH_WITHIN: Duration = Duration::from_secs(5);
/// How often the lock is looked at (B16).
const LOOK: Duration = Duration::from_secs(10);
/// How often, and how long apart, the pid of a new owner is looked for (B15). One of another PID namespace never shows.
const PID_TRIES: u32 = 10;
const PID_PAUSE: Duration = Duration::from_millis(10);
/// Connections of programs, at most; half of the descriptors stay for refreshes and records (B23).
const MOST_PROGRAMS: usize = 4096;
/// Connections of the person's tool, at most.
const MOST_TOOLS: usize = 64;

/// What the command line says.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Another configuration file than the usual one.
    pub config: Option<PathBuf>,
    /// What hardening could not have.
    pub weaknesses: Vec<Weakness>,
}

/// Why the daemon does not serve. Each sentence ends in what to do next.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Another daemon owns the store.
    #[error("another mcp-authd{} already serves this user. Look with: authctl status; end it with: authctl daemon stop", of_pid(*.pid))]
    AlreadyRunning {
        /// Which.
        pid: Option<i32>,
    },
    /// The configuration does not hold.
    #[error("{0}")]
    Config(#[from] ConfigErrors),
    /// No place for sockets or records.
    #[error(transparent)]
    NoPlace(#[from] NoPlace),
    /// A folder or file is unsafe or refused.
    #[error(transparent)]
    File(#[from] FileError),
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] OpenError),
    /// A socket cannot be bound.
    #[error(transparent)]
    Socket(#[from] BindError),
    /// The operating system refuses.
    #[error("the operating system refuses {what}: {source}. Next: look at the limits of this user with: ulimit -a")]
    System {
        /// What.
        what: &'static str,
        /// Why.
        source: std::io::Error,
    },
    /// The operating system refuses.
    #[error("{0}. Next: restart the machine's random number service, or this machine")]
    NoEntropy(#[from] NoEntropy),
    /// A bug.
    #[error(transparent)]
    Broken(#[from] Broken),
}

fn of_pid(pid: Option<i32>) -> String {
    pid.map(|pid| format!(" (pid {pid})")).unwrap_or_default()
}

impl Failure {
    /// The exit code: 75 another daemon serves (`EX_TEMPFAIL`), 78 the configuration (`EX_CONFIG`), 1 anything else.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::AlreadyRunning { .. } => 75,
            Self::Config(_) => 78,
            _ => 1,
        }
    }
}

/// Runs the daemon until it is asked to leave.
///
/// # Errors
/// Why it does not serve, or does not go on.
pub async fn run(options: Options) -> Result<(), Failure> {
    let mut signals = Signals::catch().map_err(|source| Failure::System { what: "to catch signals", source })?;
    let running = start(options).await?;
    let ending = running.wait(&mut signals).await;
    running.leave(&mut signals).await;
    ending
}

struct Running {
    tasks: Tasks,
    roster: Roster,
    stop: CancellationToken,
    state: Folder,
    owner: Arc<Owned>,
}

async fn start(options: Options) -> Result<Running, Failure> {
    let (tasks, clock) = (Tasks::new(), Clock::system());
    let places = Directories::from_environment(&Environment::of_this_process(), Layout::of_this_machine())?;
    for weakness in &options.weaknesses {
        tracing::warn!(%weakness, "this process is less protected than it should be");
    }
    let config = load_config(&tasks, options.config.unwrap_or_else(|| places.config_file.clone())).await?;
    let state = Folder::at(&places.state);
    let owner = Arc::new(own(&state).await?);
    let store = open_store(&places, &state, (&tasks, &clock)).await?;
    let (accounts, facts) = (config.accounts.len() + config.token_files.len(), facts(&places, &config, &store, clock.now().wall));
    let roster = begin_accounts(config, &store, (&tasks, &clock))?;
    let stop = CancellationToken::new();
    let face = Face {
        registry: roster.registry(),
        roster: roster.clone(),
        clock: clock.clone(),
        tasks: tasks.clone(),
        facts,
        stop: stop.clone(),
    };
    serve(&face, &places, &owner)?;
    tracing::info!(
        accounts,
        socket = %places.tokens_socket.display(),
        version = env!("CARGO_PKG_VERSION"),
        "serving"
    );
    Ok(Running { tasks, roster, stop, state, owner })
}

async fn load_config(tasks: &Tasks, path: PathBuf) -> Result<Config, Failure> {
    match tasks.blocking("read the configuration", move || Config::load(&path)).await {
        Some(config) => Ok(config?),
        None => Err(Broken::Panicked("read the configuration").into()),
    }
}

/// Takes the lock, or names who holds it: whoever took it just now has not yet written its pid.
async fn own(state: &Folder) -> Result<Owned, Failure> {
    state.ensure()?;
    for _ in 0..PID_TRIES {
        match lock::acquire(state, LOCK)? {
            Acquired::Owned(owned) => return Ok(owned),
            Acquired::HeldBy { pid: None } => tokio::time::sleep(PID_PAUSE).await,
            Acquired::HeldBy { pid } => return Err(Failure::AlreadyRunning { pid }),
        }
    }
    Err(Failure::AlreadyRunning { pid: None })
}

async fn open_store(places: &Directories, state: &Folder, (tasks, clock): (&Tasks, &Clock)) -> Result<SealedStore, Failure> {
    let key = KeyFile::new(Folder::at(&places.data), state.clone(), tasks.clone());
    Ok(SealedStore::open(state.clone(), Arc::new(key), tasks.clone(), clock.clone()).await?)
}

fn begin_accounts(config: Config, store: &SealedStore, (tasks, clock): (&Tasks, &Clock)) -> Result<Roster, Failure> {
    let (network, reached) = watch::channel(config.network.clone());
    let house = House {
        upstream: Arc::new(HttpUpstream::new((tasks, clock), reached, Arc::new(store.clone()))),
        vault: Arc::new(store.clone()),
        clock: clock.clone(),
        tasks: tasks.clone(),
    };
    Ok(Roster::begin(house, config, network)?)
}

fn facts(places: &Directories, config: &Config, store: &SealedStore, started_at: WallTime) -> Facts {
    Facts {
        started_at,
        key_source: format!("key file in {}", places.data.display()),
        key: store.key_state(),
        config_path: config.path.clone(),
    }
}

fn serve(face: &Face, places: &Directories, owner: &Arc<Owned>) -> Result<(), Failure> {
    let programs = MOST_PROGRAMS.min(hardening::descriptors() / 2);
    // The tokens socket comes last: whoever has waited for it finds the other one, too.
    let admin = Doorway::open(places.admin_socket.clone(), MOST_TOOLS, owner.clone())?;
    let tokens = Doorway::open(places.tokens_socket.clone(), programs, owner.clone())?;
    let (programs, person) = (face.clone(), face.clone());
    face.tasks.service("tokens.sock", async move {
        if let Err(error) = rpc::serve_tokens(programs, tokens.connections()).await {
            tracing::error!(%error, "the tokens socket is not served any more");
        }
    });
    face.tasks.service("admin.sock", async move {
        if let Err(error) = rpc::serve_admin(person, admin.connections()).await {
            tracing::error!(%error, "the admin socket is not served any more");
        }
    });
    Ok(())
}

impl Running {
    /// Ends when the daemon is asked to leave, or must.
    async fn wait(&self, signals: &mut Signals) -> Result<(), Failure> {
        let lost = self.keep_owning();
        tokio::pin!(lost);
        loop {
            tokio::select! {
                asked = signals.next() => match asked {
                    Asked::Stop => return Ok(()),
                    Asked::Reload => self.reload(),
                },
                () = self.stop.cancelled() => return Ok(()),
                broken = self.tasks.broken() => return Err(broken.into()),
                failure = &mut lost => return Err(failure),
            }
        }
    }

    /// Signals and calls go on meanwhile.
    fn reload(&self) {
        let roster = self.roster.clone();
        self.tasks.work("reload", async move { tell(&roster.reload().await) });
    }

    /// Ends when another daemon has taken the store: then this one must not spend anything any more.
    async fn keep_owning(&self) -> Failure {
        let mut newer: Option<Owned> = None;
        loop {
            tokio::time::sleep(LOOK).await;
            if newer.as_ref().unwrap_or(&self.owner).standing() == Standing::Held {
                continue;
            }
            match own(&self.state).await {
                Ok(owned) => {
                    tracing::warn!(lock = %owned.path().display(), "the lock file was removed; it is taken anew");
                    newer = Some(owned);
                }
                Err(failure @ Failure::AlreadyRunning { .. }) => return failure,
                Err(failure) => tracing::error!(%failure, "the lock file was removed and cannot be taken anew yet"),
            }
        }
    }

    /// Begins nothing, goes on answering from memory, waits for what is in flight, then ends every task. A second signal ends
    /// the wait: what is in flight then is left with its intent on the disk.
    async fn leave(&self, signals: &mut Signals) {
        tracing::info!("leaving");
        let registry = self.roster.registry();
        let leave = registry.leave();
        tokio::select! {
            () = leave => {}
            () = tokio::time::sleep(LEAVE_WITHIN) => tracing::warn!("a refresh is still in flight; its intent is on the disk"),
            () = signals.stop() => tracing::warn!("asked again; leaving at once"),
        }
        if !self.tasks.finish(FINISH_WITHIN).await {
            tracing::debug!("some tasks were dropped");
        }
    }
}

/// Why SIGHUP changed nothing, for whoever reads the log.
fn tell(reload: &Result<Reloaded, NotReloaded>) {
    match reload {
        Ok(_) => {}
        Err(NotReloaded::Broken(errors)) => {
            for error in errors.to_string().lines() {
                tracing::error!(error, "the configuration does not hold; everything stays as it was");
            }
        }
        Err(error) => tracing::error!(%error, "the configuration was not read again; everything stays as it was"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_owner_that_has_not_written_its_pid_yet_is_named_all_the_same() {
        let root = tempfile::tempdir().unwrap();
        let state = Folder::at(root.path().join("state"));
        let owner = own(&state).await.unwrap();
        std::fs::write(owner.path(), "").unwrap();
        let (other, ()) = tokio::join!(own(&state), async {
            tokio::time::sleep(PID_PAUSE * 2).await;
            std::fs::write(owner.path(), format!("{}\n", std::process::id())).unwrap();
        });
        let Err(Failure::AlreadyRunning { pid }) = other else { panic!("owned twice") };
        assert_eq!(pid, i32::try_from(std::process::id()).ok());
    }

    #[tokio::test(start_paused = true)]
    async fn an_owner_that_never_shows_its_pid_is_told_without_one() {
        let root = tempfile::tempdir().unwrap();
        let state = Folder::at(root.path().join("state"));
        let owner = own(&state).await.unwrap();
        std::fs::write(owner.path(), "").unwrap();
        assert!(matches!(own(&state).await, Err(Failure::AlreadyRunning { pid: None })));
    }
}
