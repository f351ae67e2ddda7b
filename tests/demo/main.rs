//! `cargo demo`: the whole promise in half a minute. Several programs, one login, one refresh, and the same after a 401.
//!
//! With an account in the person's own `config.toml` it is shown there ([`own_account`]); else at a test server on this machine, in a
//! temporary home ([`test_server`]).
//!
//! Must never: open a browser by itself, show a token, or leave a process behind.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "the demo is a part of the proof")]

mod arguments;
mod fresh_build;
mod own_account;
mod page;
mod program;
mod programs;
mod test_server;

use std::process::ExitCode;

use anyhow::Result;
use arguments::{Arguments, Order};

fn main() -> ExitCode {
    let order = match arguments::read(std::env::args().skip(1)) {
        Ok(order) => order,
        Err(complaint) => {
            page::complain(&format!("demo: {complaint}\nnext: cargo demo --help"));
            return ExitCode::from(2);
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime can be built");
    runtime.block_on(async {
        match order {
            Order::Help => {
                page::line(arguments::HELP);
                ExitCode::SUCCESS
            }
            Order::Program => program::run().await,
            Order::Show(arguments) => shown(arguments).await,
        }
    })
}

/// What the show leaves is tidied up by what is dropped here, also after Ctrl-C.
async fn shown(arguments: Arguments) -> ExitCode {
    let ended = tokio::select! {
        ended = show(arguments) => ended,
        _ = tokio::signal::ctrl_c() => {
            page::line("\nStopped. Nothing is left running.");
            return ExitCode::from(130);
        }
    };
    match ended {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            page::complain(&format!("\ndemo: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Whether every count was right.
async fn show(arguments: Arguments) -> Result<bool> {
    fresh_build::make()?;
    match own_account::configured(&arguments)? {
        Some(name) => own_account::show(&arguments, &name).await,
        None => test_server::show(&arguments).await,
    }
}
