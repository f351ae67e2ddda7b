//! `authctl login --paste`: the answer of a browser on another machine (SSH, containers, WSL), taken by hand.
//!
//! Must never: read it from anywhere but standard input, or show a part of it.

use std::convert::Infallible;
use std::future::pending;

use mcp_authd_client::admin::Completion;
use mcp_authd_client::shell::word;
use mcp_authd_client::{AdminClient, Secret};

use super::pasted::{Line, Lines, Source};
use super::teller::Teller;
use crate::exit::{Exit, Failure};

/// Takes addresses until one is taken, and then leaves the rest to whoever watches the login. A terminal and a program may try again,
/// a plain pipe may not.
pub(super) async fn bring(admin: &AdminClient, account: &str, teller: &Teller) -> Result<Infallible, Failure> {
    // A login by a code takes nothing by hand: this waits for ever then.
    teller.browser_is_prompted().await;
    let source = Source::of_stdin();
    let mut lines = Lines::begin(source);
    loop {
        teller.ask(source)?;
        let Some(line) = lines.next().await? else { return Err(nothing_given(account)) };
        let refused = match taken(line, admin, account).await? {
            Outcome::Taken => {
                teller.taken(account)?;
                pending().await
            }
            Outcome::Refused(refused) => refused,
        };
        if source == Source::Pipe && !teller.is_for_a_program() {
            return Err(refused);
        }
        teller.not_taken(&refused)?;
    }
}

enum Outcome {
    Taken,
    Refused(Failure),
}

async fn taken(line: Line, admin: &AdminClient, account: &str) -> Result<Outcome, Failure> {
    let text = match text_of(line, account) {
        Ok(text) => text,
        Err(refused) => return Ok(Outcome::Refused(refused)),
    };
    Ok(match admin.complete_sign_in(Some(account.to_owned()), text).await? {
        Completion::Taken { account: whose } if whose == account => Outcome::Taken,
        Completion::Taken { account: whose } => Outcome::Refused(taken_by_another(&whose, account)),
        Completion::NotTaken { message, next_step } => Outcome::Refused(refused(&message, next_step.as_deref().unwrap_or(COPY))),
    })
}

fn text_of(line: Line, account: &str) -> Result<Secret, Failure> {
    match line {
        Line::Text(text) => Ok(text),
        Line::CutOff => Err(refused("a terminal cuts lines as long as this", &through_a_pipe(account))),
        Line::TooLong => Err(refused("no address is as long as this", COPY)),
        Line::NoText => Err(refused("what was given is no text", COPY)),
    }
}

fn taken_by_another(whose: &str, account: &str) -> Failure {
    let message = format!("this was the answer of the login to {whose}, which has it now; the login to {account} waits on");
    refused(&message, &format!("open the address of the login to {account}, and paste what comes of that"))
}

const COPY: &str = "copy the whole address from the address bar of the browser, and paste it again";

fn through_a_pipe(account: &str) -> String {
    format!("put the address into a private file, and then: authctl login {} --paste < FILE", word(account))
}

fn refused(message: &str, next_step: &str) -> Failure {
    Failure::new(Exit::Failed, message, next_step)
}

fn nothing_given(account: &str) -> Failure {
    let message = format!("standard input has ended without the address; the login to {account} still waits");
    Failure::new(Exit::Usage, message, format!("authctl login {} --paste", word(account)))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::login) fn failures() -> Vec<Failure> {
        let unusable = [Line::CutOff, Line::TooLong, Line::NoText].map(|line| text_of(line, "github").err());
        let message = "What was pasted holds no `state` (RFC 6749, 4.1.2).";
        let others = [taken_by_another("github", "work"), refused(message, COPY), nothing_given("github")];
        unusable.into_iter().flatten().chain(others).collect()
    }
}
