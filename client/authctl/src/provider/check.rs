//! `authctl provider check`: the daemon looks behind a URL, and tells what is there and how a login would go.
//!
//! Must never: end well where nobody can log in.

use mcp_authd_client::AdminClient;
use mcp_authd_client::admin::{NotProbed, Probing, Question};
use serde_json::json;

use super::found;
use crate::cli::provider::Check;
use crate::exit::{Exit, Failure};
use crate::json;
use crate::screen::{self, Page};

/// `authctl provider check`.
pub(super) async fn run(check: Check) -> Result<Exit, Failure> {
    let Check { url, issuer, client_id, json } = check;
    match AdminClient::find()?.probe(Question { url, issuer, client_id }).await? {
        Probing::Found(found) => {
            screen::print(&if json { found::to_json(&found) } else { found::report(&found, Page::of_stdout()) })?;
            Ok(if found.login_possible { Exit::Done } else { Exit::Failed })
        }
        Probing::Nothing(why) if json => {
            screen::print(&to_json(&why))?;
            Ok(Exit::Failed)
        }
        Probing::Nothing(why) => Err(not_probed(why)),
    }
}

fn not_probed(NotProbed { message, next_step }: NotProbed) -> Failure {
    Failure::new(Exit::Failed, message, next_step.unwrap_or_else(|| "authctl provider check --help".to_owned()))
}

fn to_json(why: &NotProbed) -> String {
    json::line(&json!({ "outcome": "not_found", "message": why.message, "next_step": why.next_step }))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::provider) fn failures() -> Vec<Failure> {
        let message = "Nothing at https://mcp.example.com/mcp says where its tokens come from (RFC 9728, 3).";
        let next = "authctl provider check https://mcp.example.com/mcp (when it can be reached)";
        [Some(next.to_owned()), None].map(|next_step| not_probed(NotProbed { message: message.into(), next_step })).into()
    }

    #[test]
    fn the_json_of_what_was_not_found_is_as_documented() {
        let why = NotProbed { message: "The URL is not https.".into(), next_step: None };
        let expected = "{\"message\":\"The URL is not https.\",\"next_step\":null,\"outcome\":\"not_found\"}\n";
        assert_eq!(to_json(&why), expected);
    }
}
