//! `authctl token`: one access token on standard output, and nothing else there.
//!
//! Must never: print a token on a terminal unless it is forced to (D62), or on standard error.

use std::io::{self, IsTerminal as _};

use mcp_authd_client::shell::word;
use mcp_authd_client::{Answer, Client, Need, Refusal, Request, SignIn, SignInMode, WatchError};
use tokio::signal::unix::{SignalKind, signal};

use crate::cli::Token;
use crate::exit::{Exit, Failure};
use crate::screen::{self, Page};
use crate::{json, login};

/// `authctl token`.
pub(crate) async fn run(options: Token) -> Result<Exit, Failure> {
    if io::stdout().is_terminal() && !options.force {
        return Err(on_a_terminal(&options));
    }
    let client = Client::find()?;
    let answer = client.token(Request::new(need(&options)).sign_in(mode(&options))).await?;
    let token = match answer {
        Answer::UseToken(token) => token,
        Answer::ShowSignIn(sign_in) if options.wait => wait_for_it(&client, &options, Some(sign_in)).await?,
        Answer::TryLater(_) if options.wait => wait_for_it(&client, &options, None).await?,
        Answer::ShowSignIn(sign_in) => return Err(login_waits(&sign_in, &options)),
        Answer::TryLater(refusal) | Answer::GiveUp(refusal) => return Err(refused(&refusal, &options)),
    };
    let text = if options.json { json::line(&json::token(&token)) } else { format!("{}\n", token.expose()) };
    screen::print_to_a_reader(&text).map_err(|error| unread(&error, &options))?;
    Ok(Exit::Done)
}

/// Never [`SignInMode::StartAndWait`]: it would keep the prompt back until the daemon's longest wait is over.
fn mode(options: &Token) -> SignInMode {
    if options.wait { SignInMode::StartAndReturn } else { SignInMode::Never }
}

/// What is asked. The name that a person sees beside a prompt says which tool asks.
fn need(options: &Token) -> Need {
    let need = match (&options.account, &options.resource) {
        (Some(account), _) => Need::account(account),
        (None, Some(resource)) => Need::resource(resource),
        (None, None) => Need::only_account(),
    };
    let need = options.scopes.iter().fold(need, Need::scope).client_name("authctl token");
    match options.min_validity {
        Some(life) => need.min_validity(life),
        None => need,
    }
}

/// Waits as long as it takes; Ctrl-C ends the waiting and nothing else.
async fn wait_for_it(client: &Client, options: &Token, sign_in: Option<SignIn>) -> Result<mcp_authd_client::Token, Failure> {
    // Before a prompt is shown: from then on Ctrl-C must not end us without a word.
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        token = watch_for_it(client, options, sign_in) => token,
        _ = interrupt.recv() => Err(stopped_waiting()),
    }
}

async fn watch_for_it(client: &Client, options: &Token, sign_in: Option<SignIn>) -> Result<mcp_authd_client::Token, Failure> {
    let mut shown = None;
    show_once(sign_in, &mut shown);
    let mut watch = client.watch(need(options));
    loop {
        match watch.token() {
            Ok(Answer::UseToken(token)) => return Ok(token),
            Ok(Answer::ShowSignIn(sign_in)) => show_once(Some(sign_in), &mut shown),
            Ok(Answer::GiveUp(refusal)) => return Err(refused(&refusal, options)),
            // A daemon that restarts comes back; the watch goes on trying.
            Ok(Answer::TryLater(_)) | Err(WatchError::NotYet | WatchError::Lost(_)) => {}
            Err(ended) => return Err(ended.into()),
        }
        watch.changed().await?;
    }
}

/// On standard error: standard output is for the token.
fn show_once(sign_in: Option<SignIn>, shown: &mut Option<String>) {
    if let Some(sign_in) = sign_in.filter(|sign_in| shown.as_ref() != Some(&sign_in.id)) {
        screen::complain(&login::prompt(&sign_in, Page::of_stderr()));
        *shown = Some(sign_in.id);
    }
}

fn stopped_waiting() -> Failure {
    Failure::new(Exit::Interrupted, "stopped waiting; a login that waits goes on without us", "authctl status")
}

fn unread(error: &io::Error, options: &Token) -> Failure {
    Failure::new(Exit::Failed, format!("nobody read the token: {error}"), format!("authctl token{} | cat", named(options)))
}

fn on_a_terminal(options: &Token) -> Failure {
    let message = "a token does not belong on a screen; standard output is a terminal (--force shows it all the same)";
    Failure::new(Exit::Usage, message, format!("authctl token{} | COMMAND", named(options)))
}

fn login_waits(sign_in: &SignIn, options: &Token) -> Failure {
    let next = format!("authctl login {} (or wait for it: authctl token{} --wait)", word(&sign_in.account), named(options));
    Failure::new(Exit::LoginRequired, format!("a login to {} waits for you", sign_in.account), next)
}

fn refused(refusal: &Refusal, options: &Token) -> Failure {
    let account = refusal.account.as_ref().or(options.account.as_ref());
    let exit = Exit::for_reason(refusal.reason);
    let next_step = match (refusal.next_step.as_str(), exit, account) {
        ("", Exit::LoginRequired, Some(account)) => format!("authctl login {}", word(account)),
        ("", Exit::LoginRequired, None) => "authctl login".to_owned(),
        ("", ..) => "authctl status".to_owned(),
        (next_step, ..) => next_step.to_owned(),
    };
    let message = if refusal.message.is_empty() { "there is no token" } else { &refusal.message };
    Failure::new(exit, message, next_step)
}

/// The arguments that name the same token again.
fn named(options: &Token) -> String {
    let account = options.account.as_ref().map(|account| format!(" {}", word(account)));
    let resource = options.resource.as_ref().map(|resource| format!(" --resource {}", word(resource)));
    account.or(resource).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::rooms;
    use crate::login::tests::sign_in;
    use mcp_authd_client::Reason;

    fn options() -> Token {
        Token {
            account: Some("github".into()),
            resource: None,
            scopes: vec![],
            min_validity: None,
            wait: false,
            force: false,
            json: false,
        }
    }

    fn refusal(reason: Reason, next_step: &str) -> Refusal {
        Refusal { account: None, reason, message: String::new(), next_step: next_step.into(), retry_after: None }
    }

    #[test]
    fn every_refusal_names_the_next_command() {
        let reasons = [
            (Reason::LoginRequired, Exit::LoginRequired, "authctl login github"),
            (Reason::SignedOut, Exit::LoginRequired, "authctl login github"),
            (Reason::Unavailable, Exit::Degraded, "authctl status"),
            (Reason::Locked, Exit::Locked, "authctl status"),
            (Reason::Other, Exit::Failed, "authctl status"),
        ];
        for (reason, exit, next_step) in reasons {
            let failure = refused(&refusal(reason, ""), &options());
            assert_eq!((failure.exit, failure.next_step.as_deref()), (exit, Some(next_step)));
        }
        let failure = refused(&refusal(Reason::Ambiguous, "authctl token github"), &options());
        assert_eq!(failure.next_step.as_deref(), Some("authctl token github"));
    }

    #[test]
    fn every_failure_is_as_committed_on_80_columns() {
        let spaced = || Token { account: Some("ada's work".into()), ..options() };
        let resource = || Token { account: None, resource: Some("https://mcp.example.com/mcp".into()), ..options() };
        let said = Refusal {
            message: "The server is not reached (connection refused). It is tried again in 12 s.".into(),
            ..refusal(Reason::Unavailable, "")
        };
        let mut all = vec![
            on_a_terminal(&options()),
            login_waits(&sign_in("ada's work"), &spaced()),
            login_waits(&sign_in("github"), &resource()),
            stopped_waiting(),
            unread(&io::Error::from_raw_os_error(32), &options()),
            refused(&said, &options()),
        ];
        let reasons = [Reason::LoginRequired, Reason::Unavailable, Reason::Locked, Reason::Other];
        all.extend(reasons.map(|reason| refused(&refusal(reason, ""), &options())));
        all.push(refused(&refusal(Reason::LoginRequired, ""), &resource()));
        insta::assert_snapshot!(rooms::page_of("token", [all]));
    }

    #[test]
    fn a_login_that_is_waited_for_is_shown_at_once() {
        assert_eq!(mode(&Token { wait: true, ..options() }), SignInMode::StartAndReturn);
        assert_eq!(mode(&options()), SignInMode::Never);
    }

    #[test]
    fn a_terminal_is_refused_with_the_two_ways_on() {
        let failure = on_a_terminal(&options());
        assert_eq!((failure.exit, failure.next_step.as_deref()), (Exit::Usage, Some("authctl token github | COMMAND")));
        assert!(failure.message.contains("--force"), "{}", failure.message);
    }

    #[test]
    fn a_resource_is_quoted_for_the_shell() {
        let options = Token { account: None, resource: Some("https://a.example/?x='y".into()), ..options() };
        assert_eq!(named(&options), " --resource $'https://a.example/?x=\\047y'");
    }
}
