//! One attempt, on a thread of its own: gathers, decides, does, and waits for the end of what it has spawned.
//!
//! The thread stays as long as the daemon lives that it has spawned: somebody has to take note of its end, or it would stand in the
//! process table for ever.
//!
//! Must never: be waited for by a program that ends.

use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Child, ExitStatus};
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::log::Log;
use super::owner::Owner;
use super::plan::{Plan, SocketPlace, State};
use super::refusal::NotStarted;
use super::{facts, launch, places, plan};

/// Exit codes of the daemon (`mcp-authd --help`). It leaves in order where it was asked to: at its very start perhaps by another one that
/// takes the store over, and then that one serves.
const LEFT_IN_ORDER: i32 = 0;
const ANOTHER_SERVES: i32 = 75;
const STOPPED_BY_HAND: i32 = 77;

/// What an attempt tells.
#[derive(Debug)]
pub(super) enum News {
    /// It came to nothing, or what it has spawned has ended.
    Failed(NotStarted),
    /// Another daemon owns the store; who, where that is known.
    GaveWay(Option<Owner>),
}

/// Begins an attempt after a while. Its news end when it has nothing more to tell.
pub(super) fn begin(place: SocketPlace, after: Duration) -> Result<UnboundedReceiver<News>, NotStarted> {
    let (tell, news) = unbounded_channel();
    let thread = std::thread::Builder::new().name("mcp-authd-start".to_owned());
    let work = move || {
        std::thread::sleep(after);
        // Whoever wanted it may have been answered, or have gone, meanwhile.
        if !tell.is_closed() {
            attempt(place, &tell);
        }
    };
    match thread.spawn(work) {
        Ok(_detached) => Ok(news),
        Err(error) => Err(NotStarted::NoThread(error.to_string())),
    }
}

/// Why the daemon does not serve although its service manager takes connections for it. `None`: nothing is known to be wrong.
pub(super) async fn explained(place: SocketPlace) -> Option<NotStarted> {
    let (tell, mut told) = unbounded_channel();
    let look = move || {
        let variable = &places::of_this_process;
        if let Plan::AskManager(service) = plan::decide(facts::gather(place, variable))
            && let Some(said) = launch::last_words(&service, variable)
        {
            // Whoever asked may have gone.
            let _nobody_listens = tell.send(NotStarted::ManagerFailed { service, said });
        }
    };
    std::thread::Builder::new().name("mcp-authd-look".to_owned()).spawn(look).ok()?;
    told.recv().await
}

fn attempt(place: SocketPlace, tell: &UnboundedSender<News>) {
    let variable = &places::of_this_process;
    let facts = facts::gather(place, variable);
    let folder = if let State::At(folder) = &facts.state { folder.clone() } else { Default::default() };
    let told = match plan::decide(facts) {
        Plan::Never(why) => Some(News::Failed(why)),
        Plan::AskManager(service) => launch::ask(&service, variable).err().map(News::Failed),
        Plan::Spawn(program) => Some(match launch::spawn(&program, &folder, variable) {
            Ok((child, log)) => end(child, &log, (&program, &folder)),
            Err(why) => News::Failed(why),
        }),
    };
    // Nobody listens any more where the daemon has served meanwhile.
    let _nobody_listens = told.map(|news| tell.send(news));
}

/// Waits for the end of the daemon: mostly that of a daemon that has served for days, which interests nobody.
fn end(mut child: Child, log: &Log, (program, folder): (&Path, &Path)) -> News {
    let ended = child.wait();
    let code = ended.as_ref().ok().and_then(ExitStatus::code);
    match code {
        Some(ANOTHER_SERVES | LEFT_IN_ORDER) => News::GaveWay(Owner::read(folder)),
        Some(STOPPED_BY_HAND) => News::Failed(NotStarted::StoppedByHand { mark: folder.join(places::STOP_MARK) }),
        _ => {
            let end = ended.map_or_else(|error| error.to_string(), how);
            News::Failed(NotStarted::Ended { program: program.to_owned(), end, said: log.last_sentence() })
        }
    }
}

fn how(ended: ExitStatus) -> String {
    match (ended.code(), ended.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => ended.to_string(),
    }
}
