//! `authctl account set-secret`: the secret of an account's client, from standard input into the daemon.
//!
//! Must never: print the secret, or keep it longer than the call.

use mcp_authd_client::AdminClient;
use mcp_authd_client::shell::word;
use mcp_authd_client::status::AccountStatus;

use super::read_secret::read_secret;
use super::{find, next_step};
use crate::cli::account::SetSecret;
use crate::exit::{Exit, Failure};
use crate::screen::{self, Page};

/// `authctl account set-secret`.
pub(super) async fn run(set_secret: SetSecret) -> Result<Exit, Failure> {
    let admin = AdminClient::find()?;
    if set_secret.forget {
        let name = admin.set_client_secret(set_secret.name, None).await?;
        screen::print(&forgotten(&name, Page::of_stdout()))?;
        return Ok(Exit::Done);
    }
    // Before the person types a secret for nothing.
    let account = find(admin.status().await?.accounts, set_secret.name.as_deref())?;
    if account.token_file.is_some() {
        return Err(has_no_client(&account.name));
    }
    let secret = read_secret(&question(&account, Page::of_stderr())).await?;
    let name = admin.set_client_secret(Some(account.name), Some(secret)).await?;
    let next = find(admin.status().await?.accounts, Some(&name)).ok().as_ref().and_then(next_step);
    screen::print(&kept(&name, next.as_deref(), Page::of_stdout()))?;
    Ok(Exit::Done)
}

fn has_no_client(name: &str) -> Failure {
    let message = format!("{name} reads its token from a file; there is no client that could have a secret");
    Failure::new(Exit::Failed, message, format!("authctl account show {}", word(name)))
}

/// Whose secret is wanted, so that nobody types it for another server.
fn question(account: &AccountStatus, page: Page) -> String {
    let whose = format!("The secret of the client of {}; it is not shown.", account.name);
    let secret = "  secret    ";
    page.paragraph(&whose) + &page.field("server", &account.issuer) + &page.field("client", &account.client_id) + secret
}

fn kept(name: &str, next: Option<&str>, page: Page) -> String {
    let text = page.paragraph(&format!("The secret of the client of {name} is kept, encrypted."));
    match next {
        Some(next) => text + &page.whole("next", next, None),
        None => text,
    }
}

fn forgotten(name: &str, page: Page) -> String {
    page.paragraph(&format!("No secret is kept for the client of {name} any more. To give one:"))
        + &page.whole("", &format!("authctl account set-secret {}", word(name)), None)
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::sample::{PAGE, account, long_name};
    use super::*;
    use mcp_authd_client::status::Health;

    pub(in crate::account) fn failures() -> Vec<Failure> {
        vec![has_no_client("ci")]
    }

    #[test]
    fn the_question_names_the_server_and_the_client() {
        let shown = question(&account("work", Health::LoginRequired), PAGE)
            + "\n\n"
            + &question(&account(&long_name(), Health::LoginRequired), PAGE);
        insta::assert_snapshot!(shown.replace("    \n", "    <here it is typed>\n"));
    }

    #[test]
    fn a_name_of_200_characters_is_told_whole_and_only_its_command_is_wide() {
        let name = long_name();
        let far = AccountStatus {
            issuer: format!("https://{}.example", "i".repeat(190)),
            client_id: "c".repeat(200),
            ..account(&name, Health::LoginRequired)
        };
        for shown in [question(&far, PAGE), kept(&name, None, PAGE)] {
            assert!(shown.lines().all(|line| line.chars().count() <= 80), "{shown}");
            assert!(shown.replace('\n', "").contains(&name), "{shown}");
        }
        for (shown, command) in [
            (forgotten(&name, PAGE), format!("            authctl account set-secret {name}")),
            (kept(&name, Some(&format!("authctl login {name}")), PAGE), format!("  next      authctl login {name}")),
        ] {
            let wide: Vec<&str> = shown.lines().filter(|line| line.chars().count() > 80).collect();
            assert_eq!(wide, [command]);
        }
    }

    #[test]
    fn what_was_done_is_told_with_the_login_that_comes_next() {
        let shown = kept("work", Some("authctl login work"), PAGE) + &kept("work", None, PAGE) + &forgotten("work", PAGE);
        insta::assert_snapshot!(shown + &kept(&long_name(), None, PAGE));
        assert_eq!(has_no_client("ci").exit, Exit::Failed);
    }
}
