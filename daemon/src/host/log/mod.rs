//! What the daemon says of itself: to standard error or to the systemd journal at the level that is asked for, and to a ring in memory
//! that keeps the last of what matters, for the person who asks. Where standard error is a regular file, see [`file`].
//!
//! Must never: wait for a reader, keep more than its bounds, or hold a secret: whoever writes a line leaves them out.

mod file;
mod journal;
mod line;
mod ring;

use std::io::IsTerminal;
use std::sync::Mutex;

use tracing::level_filters::LevelFilter;
use tracing::{Event, Subscriber};
use tracing_subscriber::filter::{self, Targets};
use tracing_subscriber::layer::{Context, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer, Registry};

use super::clock::Clock;
use file::RegularFile;
use journal::Journal;
use line::Line;
pub use ring::{Entry, Follower, Ring, Told};

/// The target of audit lines: who was given which token (P12).
pub const AUDIT: &str = "mcp_authd::audit";

/// The name of the field that says which account a line is about.
const ACCOUNT: &str = "account";

/// Sets up the log of this process, once. What is said from now on is kept in the ring, too.
#[must_use]
pub fn begin() -> Ring {
    let ring = Ring::of_this_process(&Clock::system());
    tracing_subscriber::registry().with(voice()).with(kept(ring.clone())).init();
    ring
}

/// To whom it is said.
fn voice() -> Box<dyn Layer<Registry> + Send + Sync> {
    let level = wished(std::env::var("MCP_AUTHD_LOG").ok().as_deref());
    if let Some(journal) = Journal::of_this_process() {
        return journal.with_filter(level).boxed();
    }
    if let Some(file) = RegularFile::behind(&std::io::stderr(), file::ours()) {
        return written(file, level);
    }
    let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(colour).with_filter(level).boxed()
}

/// To a file.
fn written<S>(file: RegularFile, level: Targets) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    tracing_subscriber::fmt::layer().with_writer(Mutex::new(file)).with_ansi(false).with_filter(file::level(level)).boxed()
}

/// A level, or one for each target: `info,mcp_authd=debug`. What does not hold counts as not said.
fn wished(said: Option<&str>) -> Targets {
    // A word alone is a level, and not the name of a target.
    let holds = |part: &str| part.contains('=') || !part.trim().is_empty() && part.trim().parse::<LevelFilter>().is_ok();
    let said = said.filter(|said| said.split(',').all(holds)).and_then(|said| said.parse().ok());
    said.unwrap_or_else(|| Targets::new().with_default(LevelFilter::INFO))
}

/// What is kept: our own words, whatever level is asked for.
fn kept<S: Subscriber + for<'a> LookupSpan<'a>>(ring: Ring) -> impl Layer<S> {
    let ours = filter::filter_fn(|metadata| {
        metadata.is_event() && *metadata.level() <= LevelFilter::INFO && metadata.target().starts_with("mcp_authd")
    });
    Keeping { ring, clock: Clock::system() }.with_filter(ours.with_max_level_hint(LevelFilter::INFO))
}

struct Keeping {
    ring: Ring,
    clock: Clock,
}

impl<S: Subscriber> Layer<S> for Keeping {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        // Whatever the values do to write themselves, they do before the ring is held.
        let line = Line::of(event);
        self.ring.keep(self.clock.now().wall, &line);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;
    use mcp_authd_oauth::time::WallTime;
    use tracing::Level;

    #[test]
    fn the_level_is_the_one_that_is_wished_and_info_where_none_is_or_it_does_not_hold() {
        let usual = wished(None);
        assert_eq!(usual.default_level(), Some(LevelFilter::INFO));
        for nothing in ["", " ", "loud", "mcp_authd=loud"] {
            assert_eq!(wished(Some(nothing)), usual, "{nothing:?}");
        }
        assert_eq!(wished(Some("trace")).default_level(), Some(LevelFilter::TRACE));
        let by_target = wished(Some("warn,mcp_authd::upstream=debug"));
        assert!(by_target.would_enable("mcp_authd::upstream::drive", &Level::DEBUG));
        assert!(!by_target.would_enable("mcp_authd::store", &Level::INFO));
    }

    #[test]
    fn a_file_has_the_lines_of_tokens_only_for_who_wishes_for_details() {
        let told = |said: Option<&str>| {
            let path = tempfile::NamedTempFile::new().unwrap();
            let layer = written(RegularFile::behind(path.as_file(), None).unwrap(), wished(said));
            tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
                tracing::info!(target: "mcp_authd::accounts", account = %"work", "a refresh has ended");
                tracing::info!(target: AUDIT, account = %"work", "a token was given");
            });
            let text = std::fs::read_to_string(path.path()).unwrap();
            (text.contains("a refresh has ended account=work"), text.contains("a token was given account=work"))
        };
        let (events, both, audits, neither) = ((true, false), (true, true), (false, true), (false, false));
        for (said, expected) in [
            (None, events),
            (Some("info"), events),
            (Some("warn"), neither),
            (Some("info,mcp_authd=info"), events),
            (Some("debug"), both),
            (Some("trace"), both),
            (Some("info,mcp_authd::audit=debug"), both),
            (Some("warn,mcp_authd::audit=debug"), audits),
            (Some("info,mcp_authd::accounts=debug"), events),
        ] {
            assert_eq!(told(said), expected, "{said:?}");
        }
    }

    #[test]
    fn what_matters_is_kept_with_its_account_and_fields_and_nothing_below_it_or_of_others() {
        let ring = Ring::new(1);
        let subscriber = tracing_subscriber::registry().with(kept(ring.clone()));
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!(account = %"work", outcome = "success", times = 3, "a refresh has ended");
            tracing::debug!(account = %"work", "a detail");
            tracing::error!(target: "hyper", "somebody else's word");
            tracing::warn!(target: AUDIT, why = ?Some("x"), "said");
        });
        let all = ring.last(10, &|_| true);
        assert_eq!(all.len(), 2);
        let Entry { number, level, message, account, .. } = &all[0];
        let told = (*number, *level, message.as_str(), account.as_deref());
        assert_eq!(told, (1, Level::INFO, "a refresh has ended", Some("work")));
        let fields: Vec<_> = all[0].fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(fields, [("outcome", "success"), ("times", "3")]);
        assert!(all[0].at > WallTime::from_millis(1_700_000_000_000) && !all[0].is_audit);
        assert_eq!((all[1].level, all[1].account.as_deref(), all[1].fields[0].1.as_str()), (Level::WARN, None, "Some(\"x\")"));
        assert!(all[1].is_audit);
    }
}
