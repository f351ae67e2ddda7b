//! `authctl login`: begins a login or joins the one that waits, shows it, opens the browser, waits for its end.
//!
//! Must never: end a login because nobody waits any more (D21); only `--cancel` does. Never show a code without the plain address
//! and its host beside it (D19, D20).

mod by_hand;
mod course;
mod live;
mod pasted;
mod prompt;
mod seat;
mod teller;

use std::time::Duration;

use mcp_authd_client::admin::StartSignIn;
use mcp_authd_client::shell::word;
use mcp_authd_client::{AdminClient, CallError, ConnectError, StaticToken};
use tokio::signal::unix::{SignalKind, signal};

use crate::cli::Login;
use crate::exit::{Exit, Failure};
use course::{Course, Ending};
use live::Waiting;
use teller::Teller;

pub(crate) use prompt::prompt;

/// How often and how long a daemon that restarts is looked for: a hand-over may take 90 s (DESIGN, section 5).
const PAUSE: Duration = Duration::from_secs(1);
const PATIENCE: u32 = 95;

/// `authctl login`.
pub(crate) async fn run(options: Login) -> Result<Exit, Failure> {
    if let Some(token) = StaticToken::find()? {
        return Err(static_token_in_use(token.variable(), "log in to"));
    }
    let admin = AdminClient::find()?;
    let teller = Teller::new(&options);
    if options.cancel {
        let account = admin.cancel_sign_in(options.account).await?;
        teller.cancelled(&account.name)?;
        return Ok(Exit::Done);
    }
    // Before anything is shown: from then on Ctrl-C must not end us without a word.
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let named = options.account.clone();
    // Another user cannot come into an account that begins no login because it is good.
    let again = options.again || options.replace;
    let order = StartSignIn { account: options.account, again, replace: options.replace };
    tokio::select! {
        ended = log_in(&admin, order, &teller) => ended,
        Err(error) = teller.keep_time() => Err(error),
        _ = interrupt.recv() => Err(stopped_waiting(named.as_deref())),
        _ = terminate.recv() => Err(stopped_waiting(named.as_deref())),
    }
}

async fn log_in(admin: &AdminClient, order: StartSignIn, teller: &Teller) -> Result<Exit, Failure> {
    let begun = admin.start_sign_in(order).await?;
    let account = begun.name.clone();
    match Course::after_start(begun) {
        Course::Waits(sign_in) => teller.show(sign_in.as_deref()).await?,
        Course::Granted => {
            teller.already(&account)?;
            return Ok(Exit::Done);
        }
        Course::NotGranted(ending) => return teller.not_granted(&account, ending),
    }
    let ended = tokio::select! {
        ended = settle(admin, &account, teller) => ended?,
        Err(failure) = by_hand::bring(admin, &account, teller), if teller.takes_by_hand() => return Err(failure),
    };
    match ended {
        None => {
            teller.granted(&account)?;
            Ok(Exit::Done)
        }
        Some(ending) => teller.not_granted(&account, ending),
    }
}

/// Waits for the end; `None` is a grant. A daemon that restarts under the login has it still, so it is looked for.
async fn settle(admin: &AdminClient, account: &str, teller: &Teller) -> Result<Option<Ending>, Failure> {
    let mut patience = PATIENCE;
    loop {
        let error = match admin.watch_accounts(Some(account.to_owned())).await {
            Ok(mut changes) => loop {
                match changes.next().await {
                    Ok(status) if status.name != account => {}
                    Ok(status) => match Course::of(status) {
                        Course::Waits(sign_in) => teller.show(sign_in.as_deref()).await?,
                        Course::Granted => return Ok(None),
                        Course::NotGranted(ending) => return Ok(Some(ending)),
                    },
                    Err(error) => break error,
                }
                patience = PATIENCE;
            },
            Err(error) => error,
        };
        let passes = matches!(error, CallError::Interrupted | CallError::Connect(ConnectError::NoDaemon { .. }));
        patience = patience.saturating_sub(1);
        if !passes || patience == 0 {
            return Err(error.into());
        }
        teller.waits_for(Waiting::Daemon)?;
        tokio::time::sleep(PAUSE).await;
    }
}

fn stopped_waiting(account: Option<&str>) -> Failure {
    let again = account.map_or_else(|| "authctl login".to_owned(), |account| format!("authctl login {}", word(account)));
    let to = account.map(|account| format!(" to {account}")).unwrap_or_default();
    let message = format!("stopped waiting; the login{to} still waits for you");
    Failure::new(Exit::Interrupted, message, format!("{again} (to see it again), or {again} --cancel (to end it)"))
}

/// Why nothing can be done about a login where this variable gives the token: `what` is "log in to" or "log out of".
pub(crate) fn static_token_in_use(variable: &str, what: &str) -> Failure {
    let message = format!("a static token is in use, from {variable}: there is nothing to {what}, and no daemon is asked");
    Failure::new(Exit::Usage, message, format!("unset {variable} (to use mcp-authd), or authctl token (to use the static token)"))
}

#[cfg(test)]
pub(crate) mod tests {
    pub(crate) use super::prompt::tests::sign_in;
    use super::*;
    use crate::exit::rooms;

    #[test]
    fn every_failure_is_as_committed_on_80_columns() {
        let own = vec![
            stopped_waiting(None),
            stopped_waiting(Some("ada's work")),
            static_token_in_use("MCP_AUTHD_STATIC_TOKEN_FILE", "log in to"),
        ];
        insta::assert_snapshot!(rooms::page_of("login", [own, by_hand::tests::failures(), course::tests::failures()]));
    }

    #[test]
    fn stopping_to_wait_says_that_the_login_goes_on_and_how_to_end_it() {
        let failure = stopped_waiting(Some("github"));
        assert!(failure.message.contains("still waits"));
        assert!(failure.next_step.is_some_and(|next| next.contains("authctl login github --cancel")));
    }
}
