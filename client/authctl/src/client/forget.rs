//! `authctl client forget`: the client of an issuer is forgotten, so that the next login registers another one.
//!
//! Must never: call one forgotten that was not there.

use mcp_authd_client::AdminClient;
use mcp_authd_client::admin::ForgottenClient;
use mcp_authd_client::shell::word;
use serde_json::json;

use crate::cli::client::Forget;
use crate::exit::{Exit, Failure};
use crate::json;
use crate::screen::{self, Page};

/// `authctl client forget`.
pub(super) async fn run(forget: Forget) -> Result<Exit, Failure> {
    let gone = AdminClient::find()?.forget_client(forget.issuer.clone()).await?;
    match (gone, forget.json) {
        (Some(gone), false) => screen::print(&forgotten(&forget.issuer, &gone, Page::of_stdout()))?,
        (Some(gone), true) => screen::print(&to_json("forgotten", &forget.issuer, &gone))?,
        (None, true) => {
            screen::print(&to_json("not_there", &forget.issuer, &ForgottenClient::default()))?;
            return Ok(Exit::Failed);
        }
        (None, false) => return Err(not_there(&forget.issuer)),
    }
    Ok(Exit::Done)
}

fn forgotten(issuer: &str, gone: &ForgottenClient, page: Page) -> String {
    let mut text = page.paragraph(&format!("The client at {issuer} is forgotten; the server keeps its part."))
        + &page.paragraph("The next login there registers another one.");
    let accounts = &gone.renewed_no_more;
    if accounts.is_empty() {
        return text;
    }
    text.push_str(&page.paragraph(match accounts.len() {
        1 => "One login was renewed with its secret, and lasts no longer than its token now. Log in again:",
        _ => "These logins were renewed with its secret, and last no longer than their tokens now. Log in again:",
    }));
    text.extend(accounts.iter().map(|name| page.whole("", &format!("authctl login {} --again", word(name)), None)));
    text
}

fn not_there(issuer: &str) -> Failure {
    Failure::new(
        Exit::Failed,
        format!("no client is registered at {issuer}"),
        "authctl client list (an issuer counts byte for byte)",
    )
}

fn to_json(outcome: &str, issuer: &str, gone: &ForgottenClient) -> String {
    json::line(&json!({ "outcome": outcome, "issuer": issuer, "renewed_no_more": gone.renewed_no_more }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::rooms;
    use crate::screen::Paint;

    #[test]
    fn every_failure_is_as_committed_on_80_columns() {
        let all = ["https://as.example/", "https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0"];
        insta::assert_snapshot!(rooms::page_of("client", [all.map(not_there).into()]));
    }

    #[test]
    fn what_was_forgotten_is_told_with_what_follows() {
        let page = Page { width: 80, paint: Paint::Plain };
        let issuer = "https://as.example";
        let costs = |names: &[&str]| ForgottenClient { renewed_no_more: names.iter().map(|name| (*name).to_owned()).collect() };
        let shown = [costs(&[]), costs(&["work"]), costs(&["files", "work"])].map(|gone| forgotten(issuer, &gone, page));
        insta::assert_snapshot!(shown.join("\n") + &to_json("forgotten", issuer, &costs(&["work"])));
        assert_eq!(not_there("https://as.example/").exit, Exit::Failed);
    }

    #[test]
    fn long_names_are_told_whole_and_only_a_command_is_wide() {
        let page = Page { width: 80, paint: Paint::Plain };
        let (name, issuer) = ("a".repeat(200), format!("https://{}.example", "b".repeat(190)));
        let shown = forgotten(&issuer, &ForgottenClient { renewed_no_more: vec![name.clone()] }, page);
        let wide: Vec<&str> = shown.lines().filter(|line| line.chars().count() > 80).collect();
        assert_eq!(wide, [format!("            authctl login {name} --again")]);
        assert!(shown.replace('\n', "").contains(&issuer), "{shown}");
    }
}
