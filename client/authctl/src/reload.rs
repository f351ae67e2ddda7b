//! `authctl reload`: the daemon reads `config.toml` again, and says what that changed, or every mistake with its line.
//!
//! Must never: leave an account unsaid that has to be logged in anew.

use mcp_authd_client::AdminClient;
use mcp_authd_client::admin::{Reloaded, Reloading};
use mcp_authd_client::shell::word;
use serde_json::json;

use crate::account::{ByHand, Teller, config_path};
use crate::cli::account::Reload;
use crate::exit::{Exit, Failure};
use crate::json;
use crate::screen::{self, Page};

/// `authctl reload`.
pub(crate) async fn run(reload: Reload) -> Result<Exit, Failure> {
    let teller = Teller::of(reload.json);
    let admin = AdminClient::find()?.never_starting();
    let reloading = admin.reload().await?;
    let path = config_path(&admin).await;
    let changes = match reloading {
        Reloading::Done(changes) => changes,
        Reloading::Refused(why) => return teller.not_written(&why, ByHand::PutIn, path.as_deref()),
    };
    let text = match teller {
        Teller::Program => to_json(&changes, path.as_deref()),
        Teller::Person => report(&changes, path.as_deref(), Page::of_stdout()),
    };
    screen::print(&text)?;
    Ok(Exit::Done)
}

fn report(changes: &Reloaded, path: Option<&str>, page: Page) -> String {
    let Reloaded { added, removed, changed, signed_out, unchanged, network_changed } = changes;
    let accounts = match unchanged.len() {
        1 => "1 account".to_owned(),
        number => format!("{number} accounts"),
    };
    let something = [added, removed, changed, signed_out].iter().any(|names| !names.is_empty()) || *network_changed;
    let mut text = page.paragraph(if something { "The configuration was read again." } else { "Nothing has changed." });
    if let Some(path) = path {
        text.push_str(&page.whole("config", path, None));
    }
    for (what, names) in [("added", added), ("removed", removed), ("changed", changed), ("log in to", signed_out)] {
        if !names.is_empty() {
            text.push_str(&page.field(what, &names.join(", ")));
        }
    }
    if *network_changed {
        text.push_str(&page.field("network", "changed"));
    }
    text.push_str(&page.field("unchanged", &accounts));
    for name in signed_out {
        text.push_str(&page.whole("next", &format!("authctl login {}", word(name)), None));
    }
    if !added.is_empty() && signed_out.is_empty() {
        text.push_str(&page.whole("next", "authctl account list", None));
    }
    text
}

fn to_json(changes: &Reloaded, path: Option<&str>) -> String {
    json::line(&json!({
        "outcome": "reloaded",
        "added": changes.added,
        "removed": changes.removed,
        "changed": changes.changed,
        "signed_out": changes.signed_out,
        "unchanged": changes.unchanged,
        "network_changed": changes.network_changed,
        "config_path": path,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::screen::Paint;

    const PAGE: Page = Page { width: 80, paint: Paint::Plain };
    const PATH: Option<&str> = Some("/home/a/.config/mcp-authd/config.toml");

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn much() -> Reloaded {
        Reloaded {
            added: names(&["files", "github"]),
            removed: names(&["old"]),
            changed: names(&["work"]),
            signed_out: names(&["gitlab", "sentry"]),
            unchanged: names(&["linear"]),
            network_changed: true,
        }
    }

    #[test]
    fn what_has_changed_is_told_with_the_logins_that_it_costs() {
        insta::assert_snapshot!(report(&much(), PATH, PAGE));
    }

    #[test]
    fn a_reload_that_changes_little_says_little() {
        let nothing = Reloaded { unchanged: names(&["a", "b"]), ..Reloaded::default() };
        let one = Reloaded { added: names(&["files"]), ..nothing.clone() };
        insta::assert_snapshot!(report(&nothing, PATH, PAGE) + "\n" + &report(&one, PATH, PAGE));
    }

    #[test]
    fn a_name_of_200_characters_is_told_whole_and_only_its_command_is_wide() {
        let name = format!("{}-{}", "a".repeat(99), "b".repeat(100));
        let shown = report(&Reloaded { signed_out: vec![name.clone()], ..Reloaded::default() }, PATH, PAGE);
        insta::assert_snapshot!(shown);
        let wide: Vec<&str> = shown.lines().filter(|line| line.chars().count() > 80).collect();
        assert_eq!(wide, [format!("  next      authctl login {name}")]);
    }

    #[test]
    fn the_json_of_a_reload_is_as_documented() {
        insta::assert_snapshot!(to_json(&much(), PATH));
    }
}
