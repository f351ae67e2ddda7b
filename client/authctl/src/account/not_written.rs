//! That the configuration is as it was: why, every mistake with its line, and the text that a person copies.
//!
//! Must never: put anything but that text on standard output, or indent, wrap or colour it: it has to be TOML in any clipboard.

use std::io::IsTerminal as _;

use mcp_authd_client::admin::{ConfigProblem, NotWritten};
use serde_json::json;

use crate::exit::{Exit, Failure};
use crate::json;
use crate::screen::{self, Page};

/// What a person would do with the text by hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ByHand {
    /// Paste it.
    PutIn,
    /// Delete it.
    TakeOut,
}

/// Who is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Teller {
    /// A person, in words.
    Person,
    /// A program, in JSON.
    Program,
}

impl Teller {
    /// As `--json` says.
    pub(crate) fn of(json: bool) -> Self {
        if json { Self::Program } else { Self::Person }
    }

    /// Tells it.
    pub(crate) fn not_written(self, why: &NotWritten, by_hand: ByHand, path: Option<&str>) -> Result<Exit, Failure> {
        match self {
            Self::Program => screen::print(&to_json(why, path))?,
            Self::Person => {
                let screen = Screen::of(why, by_hand, path, Page::of_stderr());
                screen::complain(&screen.before);
                if let Some(text) = &screen.text {
                    // Beside a pipe, the text is not where this is read.
                    let seen = std::io::stdout().is_terminal();
                    screen::complain(if seen { "\n" } else { "(It stands alone on standard output.)\n" });
                    screen::print(text)?;
                    screen::complain(if seen { "\n" } else { "" });
                }
                screen::complain(&screen.after);
            }
        }
        Ok(Exit::Failed)
    }
}

/// The same in JSON.
fn to_json(why: &NotWritten, path: Option<&str>) -> String {
    let problems: Vec<_> =
        why.problems.iter().map(|problem| json!({ "line": problem.line, "message": problem.message })).collect();
    json::line(&json!({
        "outcome": "not_written",
        "message": why.message,
        "next_step": why.next_step,
        "text": why.text,
        "config_path": path,
        "problems": problems,
    }))
}

/// What is told, in the order in which it is read.
#[derive(Debug)]
struct Screen {
    /// Why, and the mistakes: standard error.
    before: String,
    /// The text, byte for byte but for what could steer a terminal: standard output.
    text: Option<String>,
    /// The next step: standard error.
    after: String,
}

impl Screen {
    fn of(why: &NotWritten, by_hand: ByHand, path: Option<&str>, page: Page) -> Self {
        let mut before = page.paragraph(&format!("authctl: {}", why.message));
        let has_lines = why.problems.iter().any(|problem| problem.line.is_some());
        if let Some(path) = path.filter(|path| has_lines && !why.message.contains(path)) {
            before.push_str(&format!("in {}:\n", screen::clean(path)));
        }
        before.extend(why.problems.iter().map(|problem| told(problem, page)));
        if why.text.is_some() {
            before.push_str(match by_hand {
                ByHand::PutIn => "\nPut this into the file yourself:\n",
                ByHand::TakeOut => "\nTake this out of the file yourself:\n",
            });
        }
        let next_step = why.next_step.as_deref().unwrap_or("authctl reload");
        Self { before, text: why.text.as_deref().map(as_it_is), after: format!("next: {}\n", screen::clean(next_step)) }
    }
}

/// A mistake, hanging under its line.
fn told(problem: &ConfigProblem, page: Page) -> String {
    let head = problem.line.map(|line| format!("line {line}: ")).unwrap_or_default();
    let filled = screen::fill(&screen::clean(&format!("{head}{}", problem.message)), page.width.saturating_sub(4));
    let indented = |(index, line): (usize, &String)| format!("{}{line}\n", if index == 0 { "  " } else { "    " });
    filled.iter().enumerate().map(indented).collect()
}

fn as_it_is(text: &str) -> String {
    text.lines().map(|line| format!("{}\n", screen::clean(line).trim_end())).collect()
}

#[cfg(test)]
mod tests {
    use super::super::sample::{PAGE, long_name};
    use super::*;

    fn read_only(name: &str) -> NotWritten {
        NotWritten {
            message: "/etc/mcp-authd/config.toml cannot be written: Read-only file system".into(),
            next_step: Some("authctl reload, once it stands there".into()),
            text: Some(format!(
                "[accounts.{name}]\nissuer = \"https://auth.example.com\"\nclient_id = \"abc\"\nscopes = [\"{}\"]\n",
                "mcp:read\", \"mcp:write\", \"offline_access\", \"openid"
            )),
            problems: vec![],
        }
    }

    fn broken() -> NotWritten {
        let problem = |line, message: &str| ConfigProblem { line, message: message.into() };
        NotWritten {
            message: "the file as it stands does not hold, so nothing was written into it".into(),
            next_step: Some("authctl account add work ..., once it holds".into()),
            text: None,
            problems: vec![
                problem(Some(2), "`isuer` is no key of [accounts.work]. Did you mean `issuer`?"),
                problem(Some(31), "`client_id` must be a string, not an integer. Write: client_id = \"...\""),
                problem(None, "the group or others may write this file, and could send your logins elsewhere. Run: chmod go-w c"),
            ],
        }
    }

    fn shown(why: &NotWritten, by_hand: ByHand) -> String {
        let screen = Screen::of(why, by_hand, Some("/etc/mcp-authd/config.toml"), PAGE);
        format!("{}--- stdout\n{}--- stderr\n{}", screen.before, screen.text.unwrap_or_default(), screen.after)
    }

    #[test]
    fn a_file_that_cannot_be_written_is_answered_with_the_text_to_paste() {
        insta::assert_snapshot!(shown(&read_only("work"), ByHand::PutIn));
    }

    #[test]
    fn a_file_that_cannot_be_written_is_answered_with_the_text_to_take_out() {
        insta::assert_snapshot!(shown(&read_only(&long_name()), ByHand::TakeOut));
    }

    #[test]
    fn every_mistake_is_told_with_its_line() {
        let shown = shown(&broken(), ByHand::PutIn);
        insta::assert_snapshot!(shown);
        assert!(shown.lines().all(|line| line.chars().count() <= 80));
    }

    #[test]
    fn a_name_of_200_characters_is_told_whole_in_lines_that_fit_but_for_the_text_to_copy() {
        let name = long_name();
        let taken = NotWritten {
            message: format!("There is another account \"{name}\" already."),
            next_step: Some(format!("see it with: authctl account show {name}; or take another name")),
            text: read_only(&name).text,
            problems: vec![ConfigProblem { line: Some(3), message: format!("`{name}` is no key of [accounts.{name}].") }],
        };
        let screen = Screen::of(&taken, ByHand::PutIn, Some("/etc/mcp-authd/config.toml"), PAGE);
        assert!(screen.before.lines().all(|line| line.chars().count() <= 80), "{}", screen.before);
        assert_eq!(screen.before.replace(['\n', ' '], "").matches(&name).count(), 3, "{}", screen.before);
        assert!(screen.text.is_some_and(|text| text.starts_with(&format!("[accounts.{name}]\n"))));
        assert!(screen.after.contains(&format!("authctl account show {name};")), "a command is never broken");
    }

    #[test]
    fn the_text_reaches_the_clipboard_as_it_was_sent_but_for_what_steers_a_terminal() {
        let text = "# a\u{1b}[2J\n[a]\nb = [\n    \"c\",\n]\n";
        assert_eq!(as_it_is(text), "# a\n[a]\nb = [\n    \"c\",\n]\n");
    }

    #[test]
    fn the_json_of_what_was_not_written_is_as_documented() {
        insta::assert_snapshot!(to_json(&broken(), Some("/etc/mcp-authd/config.toml")) + &to_json(&read_only("work"), None));
    }
}
