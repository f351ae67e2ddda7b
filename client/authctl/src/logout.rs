//! `authctl logout`: the daemon forgets a grant, here and upstream.
//!
//! Must never: call a record erased that is not (exit code 8).

use mcp_authd_client::status::{Revocation, SignedOut};
use mcp_authd_client::{AdminClient, StaticToken};

use crate::cli::Logout;
use crate::exit::{Exit, Failure};
use crate::login;
use crate::screen::{self, Page};

/// `authctl logout`.
pub(crate) async fn run(logout: Logout) -> Result<Exit, Failure> {
    if let Some(token) = StaticToken::find()? {
        return Err(login::static_token_in_use(token.variable(), "log out of"));
    }
    let signed_out = AdminClient::find()?.sign_out(logout.account).await?;
    if !signed_out.erased {
        return Err(not_erased(&signed_out.account));
    }
    screen::print(&report(&signed_out, Page::of_stdout()))?;
    Ok(Exit::Done)
}

fn not_erased(account: &str) -> Failure {
    let message = format!(
        "{account} is logged out and its token is no longer handed out, but the record could not be erased yet; mcp-authd goes on trying"
    );
    Failure::new(Exit::NotErased, message, "authctl status")
}

fn report(signed_out: &SignedOut, page: Page) -> String {
    let upstream = upstream(signed_out.revocation);
    page.paragraph(&format!("{} is logged out and erased. {upstream}", signed_out.account))
}

/// What was done at the server, in a sentence.
pub(crate) fn upstream(revocation: Revocation) -> &'static str {
    match revocation {
        Revocation::Nothing => "There was nothing to revoke.",
        Revocation::NoEndpoint => "The server offers no revocation: what it has issued ends by itself.",
        Revocation::Sent => "The revocation is being sent to the server.",
        _ => "What happened at the server is in the daemon's log.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::rooms;
    use crate::screen::Paint;

    #[test]
    fn a_logout_tells_what_happened_upstream() {
        let account = "a".repeat(200);
        let shown = report(
            &SignedOut { account, erased: true, revocation: Revocation::NoEndpoint },
            Page { width: 80, paint: Paint::Plain },
        );
        insta::assert_snapshot!(shown);
    }

    #[test]
    fn every_failure_is_as_committed_on_80_columns() {
        let in_use = login::static_token_in_use("MCP_AUTHD_STATIC_TOKEN", "log out of");
        insta::assert_snapshot!(rooms::page_of("logout", [vec![not_erased("ada's work"), in_use]]));
    }

    #[test]
    fn a_record_that_is_not_erased_is_a_failure_of_its_own() {
        assert_eq!(not_erased("github").exit, Exit::NotErased);
    }
}
