//! authctl: the person's tool. Log in, look, log out, hand a token to a script.
//!
//! Must never: see a refresh token, parse the daemon's configuration, print a token without being asked for it by name, or panic
//! because nobody reads its output.

mod account;
mod browser;
mod cli;
mod client;
mod daemon;
mod doctor;
mod exit;
#[cfg(test)]
mod fixture;
mod json;
mod log;
mod login;
mod logout;
mod provider;
mod reload;
mod screen;
mod service;
mod status;
mod token;

use std::process::ExitCode;

use clap::Parser as _;
use clap::error::ErrorKind;

use crate::cli::{Cli, Command};
use crate::exit::{Exit, Failure};

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(answer) => {
            if answer.use_stderr() && answer.kind() != ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
                screen::complain(&exit::usage(&answer.render().to_string(), screen::width_of_stderr()));
                return Exit::Usage.into();
            }
            // Help and version are no failure; a closed pipe under them is none either.
            let exit = if answer.use_stderr() { Exit::Usage } else { Exit::Done };
            answer.print().ok();
            return exit.into();
        }
    };
    run(cli.command).unwrap_or_else(|failure| failure.tell()).into()
}

/// One thread is enough: the tool waits, it does not work.
fn run(command: Command) -> Result<Exit, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        match command {
            Command::Login(login) => login::run(login).await,
            Command::Logout(logout) => logout::run(logout).await,
            Command::Token(token) => token::run(token).await,
            Command::Status(status) => status::run(status).await,
            Command::Doctor(doctor) => doctor::run(doctor).await,
            Command::Log(log) => log::run(log).await,
            Command::Account { command } => account::run(command).await,
            Command::Client { command } => client::run(command).await,
            Command::Provider { command } => provider::run(command).await,
            Command::Reload(reload) => reload::run(reload).await,
            Command::Service { command } => service::run(command).await,
            Command::Daemon { command } => daemon::rule(command).await,
        }
    })
}
