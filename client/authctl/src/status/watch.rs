//! `authctl status --watch`: what the daemon tells, again at each change and once a second, until the person ends it.
//!
//! On a terminal it has the alternate screen for itself: whatever stood there before stands there afterwards, and the scrollback gets
//! nothing. In a pipe it writes only what is new: time that runs is no change.
//!
//! Must never: end because the daemon has gone, start a daemon, or leave the terminal other than it was.

use std::io;
use std::path::Path;
use std::time::Duration;

use mcp_authd_client::admin::AccountChanges;
use mcp_authd_client::status::{AccountStatus, DaemonStatus, GrantStatus};
use mcp_authd_client::{AdminClient, CallError, ConnectError, SignIn};
use tokio::signal::unix::{SignalKind, signal};

use super::frame::{Scene, frame};
use super::here::Here;
use super::page::{self, Shown};
use crate::cli::Status;
use crate::exit::{Exit, Failure};
use crate::json;
use crate::screen::present::Present;
use crate::screen::terminal::{Size, Stage};
use crate::screen::{self, Page};
use crate::service;

/// How often it is looked at without a change, for the times that run.
const BEAT: Duration = Duration::from_secs(1);

/// Changes that come so close together are one.
const SETTLING: Duration = Duration::from_millis(30);

/// Ends well when the person ends it: that is the only end it has.
pub(super) async fn run(options: &Status) -> Result<Exit, Failure> {
    let admin = AdminClient::find()?.never_starting();
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let mut view = View::new(options)?;
    // A service that is installed meanwhile is seen by the next watching.
    let here = Here::look()?;
    tokio::select! {
        ended = watch(&admin, &here, &mut view) => ended,
        _ = interrupt.recv() => Ok(Exit::Done),
        _ = terminate.recv() => Ok(Exit::Done),
        _ = hangup.recv() => Ok(Exit::Done),
    }
}

async fn watch(admin: &AdminClient, here: &Here, view: &mut View) -> Result<Exit, Failure> {
    let mut trigger = Trigger(None);
    let mut resized = signal(SignalKind::window_change())?;
    // Ctrl-Z must find the terminal as it was.
    let mut stop = signal(SignalKind::from_raw(nix::sys::signal::Signal::SIGTSTP as i32))?;
    loop {
        let scene = look(admin, &mut trigger).await?;
        match view.show(&scene, (here, admin.socket())) {
            // Nobody reads any more.
            Err(gone) if gone.kind() == io::ErrorKind::BrokenPipe => return Ok(Exit::Done),
            outcome => outcome?,
        }
        tokio::select! {
            () = trigger.changed() => {}
            () = tokio::time::sleep(BEAT) => {}
            _ = resized.recv() => {}
            _ = stop.recv() => view.suspend()?,
        }
    }
}

/// The daemon at this moment. What passes when it comes back is a scene; anything else ends the watching.
async fn look(admin: &AdminClient, trigger: &mut Trigger) -> Result<Scene, Failure> {
    // To come back to nobody would start somebody.
    if trigger.0.is_none()
        && let Err(asleep) = service::may_look().await
    {
        return Ok(Scene::Away(asleep.message));
    }
    let told = match trigger.subscribe(admin).await {
        Ok(()) => admin.status().await,
        Err(error) => Err(error),
    };
    match told {
        Ok(daemon) => Ok(Scene::Daemon(Box::new(daemon))),
        Err(error) if passes(&error) => {
            *trigger = Trigger(None);
            Ok(Scene::Away(Failure::from(error).message))
        }
        Err(error) => Err(error.into()),
    }
}

/// Whether it is over when the daemon is back.
pub(crate) fn passes(error: &CallError) -> bool {
    matches!(
        error,
        CallError::Interrupted
            | CallError::Silent { .. }
            | CallError::Connect(ConnectError::NoDaemon { .. } | ConnectError::TimedOut { .. })
    )
}

/// Tells that something has changed; what, the status says.
struct Trigger(Option<AccountChanges>);

impl Trigger {
    async fn subscribe(&mut self, admin: &AdminClient) -> Result<(), CallError> {
        if self.0.is_none() {
            self.0 = Some(admin.watch_accounts(None).await?);
        }
        Ok(())
    }

    /// Waits for a change, then for those that come right after it.
    async fn changed(&mut self) {
        let Some(changes) = &mut self.0 else { return std::future::pending().await };
        let mut outcome = changes.next().await.map(drop);
        let more = async {
            while outcome.is_ok() {
                outcome = changes.next().await.map(drop);
            }
        };
        tokio::time::timeout(SETTLING, more).await.ok();
        if outcome.is_err() {
            self.0 = None;
        }
    }
}

/// Where it is shown.
enum View {
    /// On a screen of its own.
    Screen(Stage),
    /// In a pipe: only what is new, after what was told last.
    Lines { form: Form, told: Option<Told> },
}

#[derive(Clone, Copy)]
enum Form {
    Json,
    Blocks,
}

/// What was told, without the times that run.
#[derive(PartialEq, Eq)]
enum Told {
    Daemon(Box<DaemonStatus>),
    Away,
}

impl View {
    fn new(options: &Status) -> Result<Self, Failure> {
        if options.json {
            return Ok(Self::Lines { form: Form::Json, told: None });
        }
        match Size::of_stdout() {
            Some(_) => Ok(Self::Screen(Stage::enter()?)),
            None => Ok(Self::Lines { form: Form::Blocks, told: None }),
        }
    }

    fn show(&mut self, scene: &Scene, (here, socket): (&Here, Option<&Path>)) -> io::Result<()> {
        match self {
            Self::Screen(stage) => {
                let Some(size) = Size::of_stdout() else { return Err(io::ErrorKind::BrokenPipe.into()) };
                let now = match scene {
                    Scene::Daemon(daemon) => daemon.told_at,
                    Scene::Away(_) => std::time::UNIX_EPOCH,
                };
                stage.draw(&frame(scene, (here, Present::here(now)), (Page::of_stdout(), size)))
            }
            Self::Lines { form, told } => {
                let new = Told::of(scene);
                if told.as_ref() == Some(&new) {
                    return Ok(());
                }
                let text = match form {
                    Form::Json => line(scene, here, socket),
                    Form::Blocks => block(scene, here, Page::of_stdout()),
                };
                *told = Some(new);
                screen::print_to_a_reader(&text)
            }
        }
    }

    fn suspend(&self) -> io::Result<()> {
        match self {
            Self::Screen(stage) => stage.suspend(),
            Self::Lines { .. } => nix::sys::signal::raise(nix::sys::signal::Signal::SIGSTOP).map_err(Into::into),
        }
    }
}

impl Told {
    fn of(scene: &Scene) -> Self {
        match scene {
            Scene::Away(_) => Self::Away,
            Scene::Daemon(daemon) => {
                let accounts = daemon.accounts.iter().map(without_time).collect();
                Self::Daemon(Box::new(DaemonStatus { told_at: std::time::UNIX_EPOCH, accounts, ..(**daemon).clone() }))
            }
        }
    }
}

fn without_time(account: &AccountStatus) -> AccountStatus {
    let grant = account.grant.clone().map(|grant| GrantStatus { expires_at: None, expires_in: None, ..grant });
    // The paragraph for the person names the minutes that are left.
    let sign_in = account.sign_in.clone().map(|sign_in| SignIn { expires_in: None, message: String::new(), ..sign_in });
    AccountStatus { grant, sign_in, ..account.clone() }
}

fn line(scene: &Scene, here: &Here, socket: Option<&Path>) -> String {
    json::line(&match scene {
        Scene::Daemon(daemon) => json::status::running(daemon, here, socket),
        Scene::Away(message) => json::status::not_running(message, here),
    })
}

/// A block, and an empty line after it.
fn block(scene: &Scene, here: &Here, page: Page) -> String {
    let text = match scene {
        Scene::Daemon(daemon) => page::render(Shown { daemon, here, present: Present::here(daemon.told_at) }, page),
        Scene::Away(message) => page.paragraph(message) + &page.paragraph("Waiting for it to come back."),
    };
    text + "\n"
}

#[cfg(test)]
mod tests {
    use mcp_authd_client::status::Health;

    use super::super::sample::{PAGE, account, daemon, every_kind, grant, here};
    use super::*;

    fn told(daemon: DaemonStatus) -> Told {
        Told::of(&Scene::Daemon(Box::new(daemon)))
    }

    #[test]
    fn time_that_runs_is_no_change_and_anything_else_is() {
        let with = |left: u64, health: Health| {
            let held = AccountStatus { grant: Some(grant(Some(left))), ..account("github", health) };
            let daemon = daemon(vec![held]);
            DaemonStatus { told_at: daemon.told_at + Duration::from_secs(left), ..daemon }
        };
        assert!(told(with(60, Health::Good)) == told(with(59, Health::Good)));
        assert!(told(with(60, Health::Good)) != told(with(60, Health::Degraded)));
        assert!(told(daemon(vec![])) != Told::Away);
    }

    #[test]
    fn what_passes_is_waited_for_and_what_does_not_ends_the_watching() {
        let path = || "/x/admin.sock".into();
        assert!(passes(&CallError::Interrupted) && passes(&ConnectError::NoDaemon { path: path() }.into()));
        assert!(!passes(&ConnectError::NotAllowed { path: path() }.into()));
        assert!(!passes(&CallError::DaemonTooOld { method: "Status" }));
    }

    #[test]
    fn a_pipe_gets_a_block_for_each_change_with_an_empty_line_after_it() {
        let away = Scene::Away("mcp-authd is not running; start it with: mcp-authd".into());
        let shown = block(&Scene::Daemon(Box::new(every_kind())), &here(), PAGE) + &block(&away, &here(), PAGE);
        assert!(!shown.contains('\u{1b}') && shown.ends_with("\n\n"), "{shown}");
        // The page has its own snapshot.
        assert_eq!(
            shown.split_once("mcp-authd is not running").map(|(before, _)| before.ends_with("was started\n\n")),
            Some(true),
            "{shown}"
        );
    }
}
