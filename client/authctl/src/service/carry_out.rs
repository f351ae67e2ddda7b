//! Carries a plan out, one step after the other.
//!
//! Must never: go on after a step that failed, leave half a file, or wait without a limit.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

use mcp_authd_client::start::StopMark;
use mcp_authd_client::status::{DaemonStatus, StartedBy};
use mcp_authd_client::{AdminClient, CallError, ConnectError};
use nix::libc::O_NOFOLLOW;

use super::launchd;
use super::own_mark::{OwnMark, told_to_end};
use super::program::{self, NotRun};
use super::step::{Awaited, Call, Step, typed};
use super::unit::SERVICE;
use super::units_now::UnitsNow;
use crate::exit::{Exit, Failure};

/// How long a daemon may take to answer that may have to wait for another one's refresh in flight: the manager's own patience.
const ANSWER_LIMIT: Duration = Duration::from_secs(120);
/// Longer than a leaving daemon waits for what is in flight, and any manager for it.
pub(super) const END_LIMIT: Duration = Duration::from_secs(80);
const LOOK: Duration = Duration::from_millis(50);

/// Carries it out; `client` reaches the daemon that the service manager starts. The status, where an answer was waited for.
/// Whatever ends it before its end, a stop mark that it has left is lifted again.
pub(crate) async fn carry_out(steps: &[Step], client: &AdminClient) -> Result<Option<DaemonStatus>, Failure> {
    let mark = OwnMark::default();
    if !steps.contains(&Step::LeaveStopMark) {
        // Then a signal may end us as it ends any program.
        return walk(steps, client, &mark).await;
    }
    mark.guard(walk(steps, client, &mark), told_to_end(), lift).await
}

async fn walk(steps: &[Step], client: &AdminClient, mark: &OwnMark) -> Result<Option<DaemonStatus>, Failure> {
    let mut answered = None;
    for step in steps {
        match step {
            Step::WriteFile { path, text } => write(path, text).map_err(|error| unwritten(path, &error))?,
            Step::MakeFolder { path } => make(path).map_err(|error| unwritten(path, &error))?,
            Step::RemoveFile { path } => remove(path).map_err(|error| unwritten(path, &error))?,
            Step::Run(call) => match program::run(call).await {
                Ok(_) => {}
                Err(NotRun::SaysNo { said }) if launchd::goes_on(call, &said) => {}
                Err(not_run) => return Err(not_done(&not_run, call)),
            },
            Step::LeaveStopMark => {
                // Before: it stands also where only its text could not be written.
                mark.left();
                StopMark::find().and_then(|mark| mark.leave())?;
            }
            Step::LiftStopMark => {
                lift()?;
                mark.lifted();
            }
            Step::Await(Awaited::Answer) => answered = Some(answer(client).await?),
            Step::Await(Awaited::End) if cfg!(target_vendor = "apple") => launchd::ended().await?,
            Step::Await(Awaited::End) => ended().await?,
        }
    }
    Ok(answered)
}

fn lift() -> Result<(), Failure> {
    Ok(StopMark::find().and_then(|mark| mark.lift())?)
}

fn not_done(not_run: &NotRun, call: &Call) -> Failure {
    Failure::new(Exit::Failed, not_run.sentence(call), "authctl service status")
}

/// In one step: whoever reads it meanwhile finds the old file or the new one.
fn write(path: &Path, text: &str) -> io::Result<()> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return Err(ErrorKind::InvalidInput.into()) };
    std::fs::create_dir_all(folder)?;
    // No unit's name: the manager passes it over.
    let beside = folder.join(format!(".{}.{}.new", name.to_string_lossy(), std::process::id()));
    let written = (|| {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o644).custom_flags(O_NOFOLLOW).open(&beside)?;
        file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&beside, path)?;
        File::open(folder)?.sync_all()
    })();
    if written.is_err() {
        // What is left of it has no name that anybody reads.
        std::fs::remove_file(&beside).ok();
    }
    written
}

fn make(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700))
}

fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        outcome => outcome,
    }
}

fn unwritten(path: &Path, error: &io::Error) -> Failure {
    let folder = path.parent().unwrap_or(path);
    Failure::new(Exit::Failed, format!("{} cannot be changed: {error}", path.display()), format!("ls -ld {}", typed(folder)))
}

/// Waits until the daemon of the service manager answers.
async fn answer(client: &AdminClient) -> Result<DaemonStatus, Failure> {
    tokio::time::timeout(ANSWER_LIMIT, answered(client)).await.map_err(|_| no_answer())?
}

fn no_answer() -> Failure {
    let message = format!("the service has not answered within {} s", ANSWER_LIMIT.as_secs());
    Failure::new(Exit::NotRunning, message, "authctl service status")
}

fn fails(why: &str) -> Failure {
    Failure::new(Exit::NotRunning, format!("mcp-authd.service does not come up: {why}"), "authctl service logs")
}

async fn answered(client: &AdminClient) -> Result<DaemonStatus, Failure> {
    loop {
        match client.status().await {
            Ok(status) if status.started_by == StartedBy::Manager => return Ok(status),
            // One that a program has started is about to hand over; or nobody answers yet.
            Ok(_)
            | Err(CallError::Interrupted | CallError::Silent { .. } | CallError::Connect(ConnectError::NoDaemon { .. })) => {}
            Err(error) => return Err(error.into()),
        }
        if let Ok(now) = UnitsNow::ask().await
            && let Some(why) = now.service.failure()
        {
            return Err(fails(&why));
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Waits until nothing of the service runs any more.
async fn ended() -> Result<(), Failure> {
    let gone = async {
        loop {
            match UnitsNow::ask().await {
                Ok(now) if !now.are_up() => return Ok(()),
                Ok(_) => tokio::time::sleep(LOOK).await,
                Err(not_run) => return Err(not_told(&not_run)),
            }
        }
    };
    tokio::time::timeout(END_LIMIT, gone).await.map_err(|_| not_ended())?
}

/// The question names each property that is asked for; nobody types that.
fn not_told(not_run: &NotRun) -> Failure {
    not_done(not_run, &Call::new("systemctl", ["--user", "show", SERVICE]))
}

/// With any manager.
pub(super) fn not_ended() -> Failure {
    let message = format!("the service was asked to end, and has not within {} s", END_LIMIT.as_secs());
    Failure::new(Exit::Failed, message, "authctl service status")
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::service) fn failures() -> Vec<Failure> {
        let no = NotRun::SaysNo { said: "Failed to connect to bus: No such file or directory".into() };
        let unit = Path::new("/home/ada b/.config/systemd/user/mcp-authd-tokens.socket");
        let config = "cannot read /home/ada b/.config/mcp-authd/config.toml: Permission denied (os error 13) (exit code 78)";
        vec![
            not_told(&NotRun::Hangs),
            not_done(&no, &Call::new("systemctl", ["--user", "daemon-reload"])),
            unwritten(unit, &io::Error::from_raw_os_error(30)),
            no_answer(),
            fails(config),
            fails("it has ended (exit code 1)"),
            not_ended(),
        ]
    }
}
