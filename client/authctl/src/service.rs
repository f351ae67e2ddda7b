//! `authctl service`: the daemon as a service of this user, under the service manager of the machine.
//!
//! ```text
//! install.rs, uninstall.rs, status.rs, logs.rs   the commands: they look, have a plan made, show it or carry it out, and tell
//! systemd.rs      from what is so to a plan, purely                     launchd.rs     the same commands with launchd
//! step.rs         a plan as data, and how `--dry-run` prints it       carry_out.rs   does it
//! reach.rs        whether the manager can be asked; where not, what to type
//! unit.rs         the units as they are written, and whether somebody has edited them     exec_start.rs   a path in them
//! units_now.rs    what the manager says of them                       trouble.rs     what is wrong with that
//! managed.rs      for the other commands: whether a manager rules the daemon
//! here.rs         all that is so, looked at                           program.rs     runs a program, within its time
//! ```
//!
//! Must never: use a shell, overwrite or remove a file that somebody has edited, or touch a credential.

mod carry_out;
mod exec_start;
mod here;
mod install;
mod launchd;
mod linger;
mod logs;
mod managed;
mod own_mark;
mod program;
mod quoted;
mod reach;
mod status;
mod step;
mod systemd;
mod trouble;
mod uninstall;
mod unit;
mod units_now;

use mcp_authd_client::{AdminClient, Sockets};

use crate::cli::service::ServiceCommand;
use crate::exit::{Exit, Failure};
pub(crate) use managed::{Managed, may_look};
pub(crate) use reach::Unreachable;
pub(crate) use systemd::Mark;
pub(crate) use trouble::Trouble;
pub(crate) use units_now::Runs;
#[cfg(test)]
pub(crate) use units_now::UnitsNow;

/// What the manager says of units that are installed and run, for every test that begins with that.
#[cfg(test)]
pub(crate) fn installed() -> UnitsNow {
    systemd::tests::installed().now
}

/// Ends the service and its sockets, where any of it runs; a refresh in flight is finished first.
pub(crate) async fn stop(managed: &Managed) -> Result<Stopped, Failure> {
    let steps = if cfg!(target_vendor = "apple") {
        launchd::stop().await?
    } else {
        managed.units().map(systemd::stop).unwrap_or_default()
    };
    let client = AdminClient::new(&Sockets::find()?).never_starting();
    carry_out::carry_out(&steps, &client).await?;
    Ok(if steps.is_empty() { Stopped::Nothing } else { Stopped::Service })
}

/// Has the manager listen again, where a stop has taken its sockets away and no call brings them back.
pub(crate) async fn listen() -> Result<(), Failure> {
    let steps = if cfg!(target_vendor = "apple") { launchd::listen().await? } else { Vec::new() };
    carry_out::carry_out(&steps, &AdminClient::find()?).await.map(drop)
}

/// What has been ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stopped {
    /// The service, or its sockets alone.
    Service,
    /// Nothing of it was running.
    Nothing,
}

/// `authctl service ..`.
pub(crate) async fn run(command: ServiceCommand) -> Result<Exit, Failure> {
    if cfg!(target_vendor = "apple") {
        return launchd::run(command).await;
    }
    match command {
        ServiceCommand::Install(options) => install::run(options).await,
        ServiceCommand::Uninstall(options) => uninstall::run(options).await,
        ServiceCommand::Status(options) => status::run(options).await,
        ServiceCommand::Logs(options) => logs::run(options).await,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    pub(crate) use super::managed::tests::asleep;
    use super::{carry_out, here, install, logs, own_mark, reach, uninstall};
    use crate::exit::rooms;

    #[test]
    fn every_failure_is_as_committed_on_80_columns() {
        let before = [reach::tests::failures(), here::tests::failures(), install::tests::failures()];
        let after = [carry_out::tests::failures(), own_mark::tests::failures(), uninstall::tests::failures()];
        let others = [asleep().into(), logs::tests::failures()];
        insta::assert_snapshot!(rooms::page_of("service", before.into_iter().chain(after).chain(others)));
    }
}
