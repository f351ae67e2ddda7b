//! `authctl account remove`: the daemon takes an account out of `config.toml` and forgets its login, here and upstream.
//!
//! Must never: remove what nobody has agreed to, or call a record erased that is not (exit code 8).

use std::io::{self, IsTerminal as _};

use mcp_authd_client::AdminClient;
use mcp_authd_client::admin::Removed;
use mcp_authd_client::shell::word;
use mcp_authd_client::status::{AccountStatus, Revocation, SignedOut};
use serde_json::json;

use super::{ByHand, Teller, config_path, find};
use crate::cli::account::Remove;
use crate::exit::{Exit, Failure};
use crate::screen::{self, Page};
use crate::{json, logout};

/// `authctl account remove`.
pub(super) async fn run(remove: Remove) -> Result<Exit, Failure> {
    if !remove.yes && !io::stdin().is_terminal() {
        return Err(nobody_to_ask(&remove.name));
    }
    let teller = Teller::of(remove.json);
    let admin = AdminClient::find()?;
    if !remove.yes {
        let account = find(admin.status().await?.accounts, Some(&remove.name))?;
        screen::complain(&question(&account, Page::of_stderr()));
        let mut answer = String::new();
        io::stdin().read_line(&mut answer)?;
        if !agrees(&answer) {
            return Err(refused(&remove.name));
        }
    }
    match admin.remove_account(remove.name).await? {
        Removed::Gone(signed_out) => tell(&signed_out, teller),
        Removed::NotWritten(why) => teller.not_written(&why, ByHand::TakeOut, config_path(&admin).await.as_deref()),
    }
}

fn tell(signed_out: &SignedOut, teller: Teller) -> Result<Exit, Failure> {
    let exit = if signed_out.erased { Exit::Done } else { Exit::NotErased };
    match teller {
        Teller::Program => screen::print(&to_json(signed_out))?,
        Teller::Person if exit == Exit::Done => screen::print(&report(signed_out, Page::of_stdout()))?,
        Teller::Person => return Err(not_erased(&signed_out.account)),
    }
    Ok(exit)
}

fn nobody_to_ask(name: &str) -> Failure {
    let message = format!("this removes {name} and its login, and there is no terminal to ask on");
    Failure::new(Exit::Usage, message, format!("authctl account remove {} --yes", word(name)))
}

fn refused(name: &str) -> Failure {
    Failure::new(Exit::Failed, "nothing was removed", format!("authctl account show {}", word(name)))
}

fn agrees(answer: &str) -> bool {
    matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes")
}

/// What will happen, and the question whether it shall.
fn question(account: &AccountStatus, page: Page) -> String {
    let name = &account.name;
    let what = match &account.token_file {
        Some(file) => format!("This takes {name} out of config.toml. The token file {file} stays as it is."),
        None => format!(
            "This takes {name} out of config.toml, forgets its login, and revokes it at {} where the server offers that.",
            account.issuer
        ),
    };
    let programs = "Programs that use it get no token any more.";
    let asked = format!("Remove {}? [y/N] ", screen::clean(name));
    // What is above names it whole.
    let asked = if asked.chars().count() > page.width { "Remove it? [y/N] " } else { &asked };
    format!("{}{asked}", page.paragraph(&format!("{what} {programs}")))
}

fn not_erased(account: &str) -> Failure {
    let message = format!(
        "{account} is removed and its token is no longer handed out, but the record could not be erased yet; mcp-authd goes on trying"
    );
    Failure::new(Exit::NotErased, message, "authctl status")
}

fn report(signed_out: &SignedOut, page: Page) -> String {
    let upstream = logout::upstream(signed_out.revocation);
    page.paragraph(&format!("{} is removed, and nothing of it is kept. {upstream}", signed_out.account))
}

fn to_json(signed_out: &SignedOut) -> String {
    let revocation = match signed_out.revocation {
        Revocation::Nothing => "nothing",
        Revocation::NoEndpoint => "no_endpoint",
        Revocation::Sent => "sent",
        _ => "unknown",
    };
    json::line(&json!({
        "outcome": "removed",
        "account": signed_out.account,
        "erased": signed_out.erased,
        "revocation": revocation,
    }))
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::sample::{PAGE, account, long_name, token_file};
    use super::*;
    use mcp_authd_client::status::Health;

    pub(in crate::account) fn failures() -> Vec<Failure> {
        vec![nobody_to_ask("ada's work"), refused("work"), not_erased("github")]
    }

    #[test]
    fn the_question_says_what_will_happen() {
        let shown = [
            question(&account("work", Health::Good), PAGE),
            question(&token_file("ci", "/run/secrets/ci-token"), PAGE),
            question(&account(&long_name(), Health::Good), PAGE),
        ];
        insta::assert_snapshot!(shown.join("\n\n"));
    }

    #[test]
    fn a_name_of_200_characters_is_asked_for_and_told_whole_on_lines_that_fit() {
        let gone = SignedOut { account: long_name(), erased: true, revocation: Revocation::Sent };
        let kept = AccountStatus { token_file: Some(format!("/{}", "t".repeat(200))), ..account(&long_name(), Health::Good) };
        for shown in [question(&account(&long_name(), Health::Good), PAGE), question(&kept, PAGE), report(&gone, PAGE)] {
            assert!(shown.lines().all(|line| line.chars().count() <= 80), "{shown}");
            assert!(shown.replace('\n', "").contains(&long_name()), "{shown}");
        }
        assert!(nobody_to_ask(&long_name()).next_step.is_some_and(|next| next.contains(&long_name())));
    }

    #[test]
    fn only_a_yes_is_a_yes() {
        for yes in ["y\n", "Y\n", "yes\n", " YES \n"] {
            assert!(agrees(yes), "{yes:?}");
        }
        for no in ["", "\n", "n\n", "no\n", "yy\n", "work\n"] {
            assert!(!agrees(no), "{no:?}");
        }
    }

    #[test]
    fn what_was_done_is_told_as_after_a_logout() {
        let gone = |account: &str, revocation| SignedOut { account: account.into(), erased: true, revocation };
        let shown = report(&gone("work", Revocation::Sent), PAGE)
            + &report(&gone("ci", Revocation::Nothing), PAGE)
            + &report(&gone(&long_name(), Revocation::NoEndpoint), PAGE)
            + &to_json(&gone("work", Revocation::Sent));
        insta::assert_snapshot!(shown);
        assert_eq!(not_erased("work").exit, Exit::NotErased);
        assert_eq!(nobody_to_ask("a; b").next_step.as_deref(), Some("authctl account remove 'a; b' --yes"));
    }
}
