//! The composition: the only file that knows every room. It starts them in order, waits, and ends them in order.
//!
//! Must never: do the work of a room.

mod idle;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use mcp_authd_oauth::time::WallTime;
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::accounts::Vault;
use crate::accounts::idle::HeldBy;
use crate::accounts::keeper::House;
use crate::accounts::registry::Registry;
use crate::accounts::roster::{NotReloaded, Reloaded, Roster};
use crate::accounts::summary::Watch;
use crate::config::{Config, ConfigErrors};
use crate::desktop;
use crate::host::activation::{Activation, Handed, Refused, Unfit};
use crate::host::clock::Clock;
use crate::host::directories::{Directories, Environment, Layout, NoPlace};
use crate::host::doorway::Doorway;
use crate::host::entropy::NoEntropy;
use crate::host::folder::{FileError, Folder};
use crate::host::hand_over::{self, Manner, NotOwned};
use crate::host::hardening::{self, Weakness};
use crate::host::lock::{Owned, Standing};
use crate::host::log::Ring;
use crate::host::memory::Ebb;
use crate::host::notify::{Leaving, News, Notifier};
use crate::host::signals::{Asked, Signals};
use crate::host::sockets::{BindError, Company, Places, Shut};
use crate::host::tasks::{Broken, Tasks};
use crate::rpc::{self, Face, Facts, StartedBy};
use crate::store::{KeyFile, OpenError, SealedStore};
use crate::upstream::HttpUpstream;
use idle::Idle;

/// The mark that `authctl daemon stop` leaves in the state folder.
const STOP_MARK: &str = "stopped";
/// How long a leaving daemon waits for what is in flight (B6).
const LEAVE_WITHIN: Duration = Duration::from_secs(60);
/// How long the rest may take after that.
const FINISH_WITHIN: Duration = Duration::from_secs(5);
/// How often the lock is looked at (B16).
const LOOK: Duration = Duration::from_secs(10);
/// Connections of programs, at most.
const MOST_PROGRAMS: usize = 4096;
/// Connections of the person's tool, at most.
const MOST_TOOLS: usize = 64;

/// Who is started again at once wherever somebody waits at a socket must not end at once for the same reason again and again.
const FAILING_PAUSE: Duration = Duration::from_secs(2);

/// What the command line and the environment say.
#[derive(Debug)]
pub struct Options {
    /// Another configuration file than the usual one.
    pub config: Option<PathBuf>,
    /// What hardening could not have.
    pub weaknesses: Vec<Weakness>,
    /// Who starts it.
    pub started: Started,
    /// The sockets that a service manager hands over.
    pub activation: Result<Activation, Refused>,
    /// How long nobody must be connected before a daemon leaves that its service manager starts again. `None`: it never does.
    pub idle_exit: Option<Duration>,
    /// What is kept of the log.
    pub log: Ring,
}

/// Who starts it, and so what is done about another owner and about the person's stop mark (DESIGN, section 5).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Started {
    /// A person: another owner is left alone.
    #[default]
    ByPerson,
    /// A program that needs it: the same, and a stop mark is heeded.
    ByProgram,
    /// A service manager: another owner is asked to leave.
    ByManager,
}

impl Started {
    fn manner(self) -> Manner {
        if self == Self::ByManager { Manner::TakeOver } else { Manner::GiveWay }
    }

    fn by(self) -> StartedBy {
        match self {
            Self::ByPerson => StartedBy::Person,
            Self::ByProgram => StartedBy::Program,
            Self::ByManager => StartedBy::Manager,
        }
    }
}

/// Why the daemon does not serve. Each sentence ends in what to do next.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Another daemon owns the store.
    #[error(transparent)]
    NotOwned(#[from] NotOwned),
    /// The person has stopped it, and a program wanted to start it.
    #[error("it was stopped by hand, and no program starts it again until: authctl daemon start")]
    StoppedByHand,
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
    /// What a service manager hands over cannot be served.
    #[error(transparent)]
    HandedOver(#[from] Unfit),
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

impl Failure {
    /// The exit code: 75 another daemon serves (`EX_TEMPFAIL`), 77 stopped by hand, 78 the configuration or the units (`EX_CONFIG`),
    /// 1 anything else.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::NotOwned(NotOwned::File(_)) => 1,
            Self::NotOwned(_) | Self::Socket(BindError::HeldBy { .. } | BindError::ListenedAt(_)) => 75,
            Self::StoppedByHand => 77,
            Self::Config(_) | Self::HandedOver(_) | Self::Socket(BindError::Unfit(_)) => 78,
            _ => 1,
        }
    }
}

/// Runs the daemon until it is asked to leave.
///
/// # Errors
/// Why it does not serve, or does not go on.
pub async fn run(mut options: Options) -> Result<(), Failure> {
    let mut signals = Signals::catch().map_err(|source| Failure::System { what: "to catch signals", source })?;
    let (is_by_socket, callers) = match &mut options.activation {
        Ok(activation) => (activation.is_by_socket(), activation.callers()),
        Err(refused) => (true, std::mem::take(&mut refused.callers)),
    };
    let running = tokio::select! {
        running = start(options) => running,
        // Nothing is served yet: it may be waiting for another owner to leave.
        () = signals.stop() => return Ok(()),
    };
    let running = match running {
        Err(failure) => {
            Notifier::of_this_process().tell(News::Failing(&failure.to_string()));
            if is_by_socket {
                tracing::error!(%failure, "cannot serve");
                // Who asks to leave has waited long enough.
                let _ = tokio::time::timeout(FAILING_PAUSE, signals.stop()).await;
                // Nobody waits for an answer that does not come; and who has gone long since starts no other daemon.
                callers.turn_away();
            }
            return Err(failure);
        }
        Ok(running) => {
            drop(callers);
            running
        }
    };
    let ending = running.wait(&mut signals).await;
    let why = if matches!(ending, Ok(Ending::Idle(_))) { Leaving::Idle } else { Leaving::Asked };
    running.leave(&mut signals, why).await;
    ending.map(drop)
}

/// How it ended well.
enum Ending {
    Asked,
    /// Nobody comes in any more.
    Idle(#[expect(dead_code, reason = "holds the door")] Shut),
}

struct Running {
    tasks: Tasks,
    roster: Roster,
    stop: CancellationToken,
    state: Folder,
    tokens_socket: PathBuf,
    owner: Arc<Owned>,
    manager: Arc<Notifier>,
    idle: Idle,
}

async fn start(options: Options) -> Result<Running, Failure> {
    // First of all: who cannot serve what was handed over asks nobody to leave.
    let activation = options.activation.map_err(|refused| refused.unfit)?;
    let (tasks, clock) = (Tasks::new(), Clock::system());
    let places = Directories::from_environment(&Environment::of_this_process(), Layout::of_this_machine())?;
    for weakness in &options.weaknesses {
        tracing::warn!(%weakness, "this process is less protected than it should be");
    }
    let config = load_config(&tasks, options.config.unwrap_or_else(|| places.config_file.clone())).await?;
    let state = Folder::at(&places.state);
    let owner = Arc::new(hand_over::own(&state, &places.tokens_socket, options.started.manner()).await?);
    // Looked at by the owner only: whoever leaves the mark and then finds no owner knows that none comes.
    if options.started == Started::ByProgram && std::fs::symlink_metadata(state.join(STOP_MARK)).is_ok() {
        return Err(Failure::StoppedByHand);
    }
    let store = open_store(&places, &state, (&tasks, &clock)).await?;
    // Before any account begins: one that finds the sockets taken leaves, and must not have spent anything by then.
    let (ebb, company) = (Ebb::default(), Company::default());
    let sockets = if activation.is_by_both() { HeldBy::Manager } else { HeldBy::Daemon };
    let most = |places| Places::among(&company, places, &ebb);
    let doors = Doors::open(&places, activation, (&owner, &most)).await?;
    let (accounts, facts) =
        (config.accounts.len() + config.token_files.len(), facts(&places, &config, &store, (clock.now().wall, options.started)));
    let roster = begin_accounts(config, &store, (&tasks, &clock))?;
    let stop = CancellationToken::new();
    let face = Face {
        registry: roster.registry(),
        roster: roster.clone(),
        clock: clock.clone(),
        tasks: tasks.clone(),
        facts,
        stop: stop.clone(),
        log: options.log,
    };
    serve(&face, doors);
    // A start needs more than serving does.
    ebb.tell();
    tasks.service("give memory back", ebb.give_back_after(tasks.clone()));
    tracing::info!(
        accounts,
        socket = %places.tokens_socket.display(),
        version = env!("CARGO_PKG_VERSION"),
        "serving"
    );
    tasks.service("tell the desktop", desktop::attend(&roster, face.facts.started_at, (&tasks, &clock)));
    let manager = Arc::new(Notifier::of_this_process());
    if manager.is_heard() {
        tasks.service("tell the service manager", tell_manager(manager.clone(), roster.registry(), tasks.clone()));
    }
    let idle = Idle { company, roster: roster.clone(), tasks: tasks.clone(), sockets, patience: options.idle_exit };
    Ok(Running { tasks, roster, stop, state, tokens_socket: places.tokens_socket, owner, manager, idle })
}

/// Ready, then how it goes whenever that changes, and at its times that this loop, which answers all calls, is alive.
async fn tell_manager(manager: Arc<Notifier>, registry: Registry, tasks: Tasks) {
    let mut accounts = Watch::new(registry);
    let mut told = accounts.look().to_string();
    manager.tell_surely(News::Ready(&told)).await;
    let never = Duration::from_secs(u32::MAX.into());
    let mut alive = tokio::time::interval(manager.watchdog().unwrap_or(never));
    alive.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = tasks.stopping() => return,
            _ = alive.tick() => manager.tell(News::Alive),
            () = accounts.changed() => {
                let now = accounts.look().to_string();
                if now != told {
                    manager.tell(News::Status(&now));
                    told = now;
                }
            }
        }
    }
}

async fn load_config(tasks: &Tasks, path: PathBuf) -> Result<Config, Failure> {
    match tasks.blocking("read the configuration", move || Config::load(&path)).await {
        Some(config) => Ok(config?),
        None => Err(Broken::Panicked("read the configuration").into()),
    }
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

fn facts(places: &Directories, config: &Config, store: &SealedStore, (started_at, started): (WallTime, Started)) -> Facts {
    Facts {
        started_at,
        key_source: format!("key file in {}", places.data.display()),
        key: store.key_state(),
        config_path: config.path.clone(),
        started_by: started.by(),
    }
}

/// Both sockets, bound.
struct Doors {
    admin: Doorway,
    tokens: Doorway,
}

impl Doors {
    async fn open(
        places: &Directories,
        mut activation: Activation,
        (owner, most): (&Arc<Owned>, &dyn Fn(usize) -> Places),
    ) -> Result<Self, Failure> {
        let (programs, tools) = most_connections(hardening::descriptors());
        // The tokens socket comes last: whoever has waited for it finds the other one, too.
        let admin = door(activation.admin(), &places.admin_socket, (most(tools), owner)).await?;
        let tokens = door(activation.tokens(), &places.tokens_socket, (most(programs), owner)).await?;
        Ok(Self { admin, tokens })
    }
}

async fn door(handed: Option<Handed>, path: &Path, (places, owner): (Places, &Arc<Owned>)) -> Result<Doorway, BindError> {
    match handed {
        Some(handed) => Doorway::handed_over(handed, path.to_owned(), places, owner.clone()),
        None => Doorway::open(path.to_owned(), places, owner.clone()).await,
    }
}

/// How many connections of programs and of the person's tool are taken where so many descriptors may be open. Nearly half of them
/// stay for refreshes and records, whoever connects (B23).
fn most_connections(descriptors: usize) -> (usize, usize) {
    (MOST_PROGRAMS.min(descriptors / 2), MOST_TOOLS.min(descriptors / 16))
}

fn serve(face: &Face, Doors { admin, tokens }: Doors) {
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
}

impl Running {
    /// Ends when the daemon is asked to leave, or must.
    async fn wait(&self, signals: &mut Signals) -> Result<Ending, Failure> {
        let (lost, idle) = (self.keep_owning(), self.idle.over());
        tokio::pin!(lost, idle);
        loop {
            tokio::select! {
                asked = signals.next() => match asked {
                    Asked::Stop => return Ok(Ending::Asked),
                    Asked::Reload => self.reload(),
                },
                () = self.stop.cancelled() => return Ok(Ending::Asked),
                shut = &mut idle => return Ok(Ending::Idle(shut)),
                broken = self.tasks.broken() => return Err(broken.into()),
                failure = &mut lost => return Err(failure),
            }
        }
    }

    /// Signals and calls go on meanwhile.
    fn reload(&self) {
        let roster = self.roster.clone();
        self.tasks.errand("reload", async move { tell(&roster.reload().await) });
    }

    /// Ends when another daemon has taken the store: then this one must not spend anything any more.
    async fn keep_owning(&self) -> Failure {
        let mut newer: Option<Owned> = None;
        // As the doors look, and in step with them.
        let mut looks = tokio::time::interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            looks.tick().await;
            if newer.as_ref().unwrap_or(&self.owner).standing() == Standing::Held {
                continue;
            }
            match hand_over::own(&self.state, &self.tokens_socket, Manner::GiveWay).await {
                Ok(owned) => {
                    tracing::warn!(lock = %owned.path().display(), "the lock file was removed; it is taken anew");
                    newer = Some(owned);
                }
                Err(NotOwned::File(failure)) => {
                    tracing::error!(%failure, "the lock file was removed and cannot be taken anew yet")
                }
                Err(failure) => return failure.into(),
            }
        }
    }

    /// Begins nothing, goes on answering from memory, waits for what is in flight, then ends every task. A second signal ends
    /// the wait: what is in flight then is left with its intent on the disk.
    async fn leave(&self, signals: &mut Signals, why: Leaving) {
        tracing::info!("leaving");
        self.manager.tell(News::Stopping(why));
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
    use super::*;

    #[test]
    fn connections_never_take_all_descriptors() {
        for (descriptors, programs, tools) in [(64, 32, 4), (256, 128, 16), (1024, 512, 64), (65_536, MOST_PROGRAMS, MOST_TOOLS)]
        {
            assert_eq!(most_connections(descriptors), (programs, tools));
            assert!(descriptors - programs - tools >= descriptors * 7 / 16);
        }
    }
}
