//! Running a program of the system: without a shell, found in PATH, for a few seconds at most, and what it says kept.
//!
//! Must never: wait without a limit, run a program of whatever folder we are in, or leave one behind that hangs.

use std::io;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use super::step::Call;

/// How long a service manager may take to answer. What takes it longer is begun, and then asked about again and again.
pub(crate) const LIMIT: Duration = Duration::from_secs(8);
/// What is told of a complaint.
const LONGEST_COMPLAINT: usize = 600;

/// How it did not work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NotRun {
    /// There is no such program.
    Missing,
    /// It gave no answer within [`LIMIT`].
    Hangs,
    /// It says no.
    SaysNo {
        /// Its words; of several lines the sentences in one. Empty: none.
        said: String,
    },
    /// The system did not run it.
    Refused(String),
}

impl NotRun {
    /// What happened to this call, as a sentence without its end.
    pub(crate) fn sentence(&self, call: &Call) -> String {
        let typed = call.typed();
        match self {
            Self::Missing => format!("there is no {} in PATH", call.program),
            Self::Hangs => format!("`{typed}` gave no answer within {} s", LIMIT.as_secs()),
            Self::SaysNo { said } if said.is_empty() => format!("`{typed}` failed"),
            Self::SaysNo { said } => format!("`{typed}` failed: {said}"),
            Self::Refused(why) => format!("`{typed}` could not be run: {why}"),
        }
    }
}

/// Where a program of this name stands in PATH. A relative folder there does not count.
pub(crate) fn file_of(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).filter(|folder| folder.is_absolute()).map(|folder| folder.join(name)).find(|file| file.is_file())
}

/// Runs it, and gives what it has written to standard output.
pub(crate) async fn run(call: &Call) -> Result<String, NotRun> {
    let program = file_of(call.program).ok_or(NotRun::Missing)?;
    let mut command = tokio::process::Command::new(program);
    command.args(&call.arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    // No colours and no pager, whatever the person's terminal wants.
    command.env("SYSTEMD_COLORS", "0").env("SYSTEMD_PAGER", "");
    match tokio::time::timeout(LIMIT, command.output()).await {
        Err(_) => Err(NotRun::Hangs),
        Ok(Err(error)) if error.kind() == io::ErrorKind::NotFound => Err(NotRun::Missing),
        Ok(Err(error)) => Err(NotRun::Refused(error.to_string())),
        Ok(Ok(output)) if output.status.success() => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        Ok(Ok(output)) => Err(NotRun::SaysNo { said: complaint(&output.stderr) }),
    }
}

/// Its words in one line, without what steers a terminal, and not the whole of a long one.
fn complaint(stderr: &[u8]) -> String {
    let lines = String::from_utf8_lossy(stderr);
    let lines: Vec<String> = lines.lines().map(crate::screen::clean).map(|line| line.trim().to_owned()).collect();
    let said = lines.into_iter().filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ");
    said.trim_end_matches('.').chars().take(LONGEST_COMPLAINT).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[tokio::test]
    async fn what_a_program_writes_is_given_and_what_it_complains_of_is_kept_clean() {
        assert_eq!(run(&Call::new("echo", ["a b", "$HOME"])).await.unwrap(), "a b $HOME\n");
        let complains = Call::new("sh", ["-c", "printf 'first\\033[2J line\\nsecond.\\n' >&2; exit 3"]);
        assert_eq!(run(&complains).await, Err(NotRun::SaysNo { said: "first line second".into() }));
        assert_eq!(run(&Call::new("no-such-program-of-ours", [])).await, Err(NotRun::Missing));
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_hangs_is_ended_and_told() {
        let call = Call::new("sleep", ["1000"]);
        assert_eq!(run(&call).await, Err(NotRun::Hangs));
        assert_eq!(NotRun::Hangs.sentence(&call), "`sleep 1000` gave no answer within 8 s");
    }
}
