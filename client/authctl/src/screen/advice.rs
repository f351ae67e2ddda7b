//! Sentences that end in what to type: filled like any other, but for the command, which stays whole so that it can be copied.
//!
//! Must never: break a command, or leave a word out.

/// What commands begin with, as far as we name any.
const PROGRAMS: [&str; 22] = [
    "authctl",
    "systemctl",
    "launchctl",
    "journalctl",
    "loginctl",
    "export",
    "unset",
    "ls",
    "ps",
    "kill",
    "ulimit",
    "chmod",
    "chown",
    "tail",
    "ssh",
    "sudo",
    "rm",
    "mkdir",
    "mv",
    "cp",
    "echo",
    "systemd-analyze",
];

/// The lines. One that is wider than this is a command.
pub(crate) fn fill(text: &str, width: usize) -> Vec<String> {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if text.chars().count() <= width || is_command(&text) {
        return vec![text];
    }
    match before_command(&text) {
        Some(begin) => {
            let (words, command) = text.split_at(begin);
            let mut lines = super::fill(words, width);
            lines.push(command.to_owned());
            lines
        }
        None => super::fill(&text, width),
    }
}

/// Where the command begins that the text ends in: after the last colon that one stands behind, in its last clause.
pub(crate) fn before_command(text: &str) -> Option<usize> {
    let clause = ["; ", " Next: "].into_iter().filter_map(|mark| text.rfind(mark).map(|at| at + mark.len())).max();
    let clause = clause.unwrap_or(0);
    let rest = text.get(clause..)?;
    if is_command(rest) {
        return Some(clause);
    }
    let mut colons = rest.rmatch_indices(": ").map(|(at, mark)| clause + at + mark.len());
    colons.find(|begin| text.get(*begin..).is_some_and(is_command))
}

/// Whether it begins as a command does.
pub(crate) fn is_command(text: &str) -> bool {
    text.split(' ').next().is_some_and(|program| PROGRAMS.contains(&program)) && text.contains(' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_at_the_end_of_a_long_sentence_has_its_own_line() {
        let absent = "mcp-authd is not running (nothing answers at /run/user/1000/mcp-authd/admin.sock); \
                      start it with: authctl daemon start";
        assert_eq!(
            fill(absent, 80),
            [
                "mcp-authd is not running (nothing answers at",
                "/run/user/1000/mcp-authd/admin.sock); start it with:",
                "authctl daemon start"
            ]
        );
        let allowed =
            "MCP_AUTHD_START=never forbids it; run it with: authctl daemon run, or allow it with: unset MCP_AUTHD_START";
        assert_eq!(fill(allowed, 60).last().map(String::as_str), Some("unset MCP_AUTHD_START"));
        let next = format!("No account matches {}. Next: see the accounts with: authctl status", "x".repeat(60));
        assert_eq!(fill(&next, 60).last().map(String::as_str), Some("authctl status"));
        let long = format!("authctl login {} --again", "a".repeat(200));
        assert_eq!(fill(&long, 60), [long.as_str()]);
        let next = format!("It was refused. Next: {long}");
        assert_eq!(fill(&next, 60), ["It was refused. Next:", long.as_str()]);
    }

    #[test]
    fn a_sentence_without_a_command_is_filled_and_a_short_one_stays_a_line() {
        let plain = "the daemon's log names what opens it; the daemon goes on by itself then";
        assert_eq!(fill(plain, 68), ["the daemon's log names what opens it; the daemon goes on by itself", "then"]);
        let colon = format!("the operating system says: {}", "no such file ".repeat(9));
        assert!(fill(&colon, 60).iter().all(|line| line.len() <= 60));
        assert_eq!(fill("see why with: authctl status", 60), ["see why with: authctl status"]);
    }
}
