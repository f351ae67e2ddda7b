//! `authctl client forget`: the client of an issuer is forgotten, so that the next login registers another one.
//!
//! Must never: call one forgotten that was not there.

use mcp_authd_client::AdminClient;
use serde_json::json;

use crate::cli::client::Forget;
use crate::exit::{Exit, Failure};
use crate::json;
use crate::screen::{self, Page};

/// `authctl client forget`.
pub(super) async fn run(forget: Forget) -> Result<Exit, Failure> {
    let gone = AdminClient::find()?.forget_client(forget.issuer.clone()).await?;
    match (gone, forget.json) {
        (true, false) => screen::print(&forgotten(&forget.issuer, Page::of_stdout()))?,
        (true, true) => screen::print(&to_json("forgotten", &forget.issuer))?,
        (false, true) => {
            screen::print(&to_json("not_there", &forget.issuer))?;
            return Ok(Exit::Failed);
        }
        (false, false) => return Err(not_there(&forget.issuer)),
    }
    Ok(Exit::Done)
}

fn forgotten(issuer: &str, page: Page) -> String {
    page.paragraph(&format!("The client at {issuer} is forgotten; the server keeps its part."))
        + &page.paragraph("The next login there registers another one.")
}

fn not_there(issuer: &str) -> Failure {
    Failure::new(
        Exit::Failed,
        format!("no client is registered at {issuer}"),
        "authctl client list (an issuer counts byte for byte)",
    )
}

fn to_json(outcome: &str, issuer: &str) -> String {
    json::line(&json!({ "outcome": outcome, "issuer": issuer }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::screen::Paint;

    #[test]
    fn what_was_forgotten_is_told_with_what_follows() {
        let page = Page { width: 80, paint: Paint::Plain };
        let shown = forgotten("https://as.example", page) + &to_json("forgotten", "https://as.example");
        insta::assert_snapshot!(shown);
        assert_eq!(not_there("https://as.example/").exit, Exit::Failed);
    }
}
