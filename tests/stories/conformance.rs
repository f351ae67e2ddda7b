//! The public MCP conformance suite: every scenario of a client that concerns authorization, in both revisions, through the daemon by
//! the small MCP client of `tests/conformance`.

use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mcp_authd_tests::conformance::{CLIENT, Played, Suite};
use mcp_authd_tests::skip::skipped;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Each is a Node, a client and a daemon.
const AT_ONCE: usize = 2;
/// Ten times longer than it takes.
const WATCHDOG: Duration = Duration::from_secs(300);

/// How the client ends, by its own words.
#[derive(Debug, Clone, Copy)]
enum End {
    /// The server has answered everything.
    Done,
    /// It had to be refused, and was for this.
    Refused(&'static str),
}

/// What both revisions require.
const IN_BOTH: [(&str, End); 14] = [
    ("auth/metadata-default", End::Done),
    ("auth/metadata-var1", End::Done),
    ("auth/metadata-var2", End::Done),
    ("auth/metadata-var3", End::Done),
    ("auth/basic-cimd", End::Done),
    ("auth/scope-from-www-authenticate", End::Done),
    ("auth/scope-from-scopes-supported", End::Done),
    ("auth/scope-omitted-when-undefined", End::Done),
    ("auth/scope-step-up", End::Done),
    ("auth/scope-retry-limit", End::Refused("(403): scope mcp:admin; but nothing is known to be missing from it.")),
    ("auth/token-endpoint-auth-basic", End::Done),
    ("auth/token-endpoint-auth-post", End::Done),
    ("auth/token-endpoint-auth-none", End::Done),
    ("auth/pre-registration", End::Done),
];

/// What 2026-07-28 requires beside it.
const IN_2026: [(&str, End); 11] = [
    ("auth/resource-mismatch", End::Refused("(RFC 9728, 3.3)")),
    ("auth/offline-access-scope", End::Done),
    ("auth/offline-access-not-supported", End::Done),
    ("auth/authorization-server-migration", End::Done),
    ("auth/iss-supported", End::Done),
    ("auth/iss-not-advertised", End::Done),
    (
        "auth/iss-supported-missing",
        End::Refused("does not name its server, which the server's metadata promises (RFC 9207, 2.4)"),
    ),
    ("auth/iss-wrong-issuer", End::Refused("not from the server that was asked (RFC 9207, 2.4)")),
    ("auth/iss-unexpected", End::Refused("not from the server that was asked (RFC 9207, 2.4)")),
    ("auth/iss-normalized", End::Refused("not from the server that was asked (RFC 9207, 2.4)")),
    ("auth/metadata-issuer-mismatch", End::Refused("is not the configured one (RFC 8414, 3.3)")),
];

/// What the suite runs and never counts: extensions of the specification, none of which is a login of a person. The daemon owns the
/// credentials of a person, and offers none of them.
const LEFT_OUT: [&str; 6] = [
    // A client that is an account itself (RFC 6749, 4.4), and nobody who logs in; here with a key of its own (RFC 7523).
    "auth/client-credentials-jwt",
    // The same, with a secret.
    "auth/client-credentials-basic",
    // An employer's identity provider trades one assertion for another, so that nobody is asked (SEP-990).
    "auth/enterprise-managed-authorization",
    // Tokens that are bound to a key of the client (RFC 9449): the programs would need the key that the daemon holds.
    "auth/dpop",
    "auth/dpop-nonce",
    // A machine proves what it is by an assertion of its platform (RFC 7523), and nobody logs in.
    "auth/wif-jwt-bearer",
];

#[tokio::test]
async fn every_scenario_about_authorization_of_the_stateless_revision_passes() {
    passes("2026-07-28", &[&IN_BOTH[..], &IN_2026[..]].concat()).await;
}

#[tokio::test]
async fn every_scenario_about_authorization_of_the_revision_with_sessions_passes() {
    passes("2025-11-25", &IN_BOTH).await;
}

#[tokio::test]
async fn a_client_that_does_nothing_passes_nothing() {
    let Some(suite) = suite() else { return };
    for (scenario, end) in [IN_BOTH[0], IN_2026[0]] {
        let played = suite.play(scenario, "2026-07-28", "true").await;
        let complaints = complaints(scenario, end, &played);
        assert!(complaints.contains("FAILURE") && complaints.contains("the client says"), "{complaints}");
    }
}

fn suite() -> Option<Suite> {
    Suite::find().map_err(|reason| skipped("the MCP conformance suite", &reason)).ok()
}

async fn passes(revision: &'static str, scenarios: &[(&'static str, End)]) {
    let Some(suite) = suite() else { return };
    let story = tokio::time::timeout(WATCHDOG, all_pass(suite, revision, scenarios)).await;
    story.expect("the suite comes to its end");
}

async fn all_pass(suite: Suite, revision: &'static str, scenarios: &[(&'static str, End)]) {
    // given every scenario that the suite has
    let listed = suite.list(revision).await;
    assert_eq!(listed.required, scenarios.iter().map(|(name, _)| *name).collect::<Vec<_>>(), "{revision}");
    assert_eq!(listed.uncounted, LEFT_OUT, "{revision}");

    // when they are played
    let begun = Instant::now();
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let mut running = JoinSet::new();
    for (scenario, end) in scenarios.iter().copied() {
        let (suite, places) = (suite.clone(), Arc::clone(&places));
        running.spawn(async move {
            let _place = places.acquire().await.expect("the places are open");
            let played = suite.play(scenario, revision, CLIENT).await;
            (complaints(scenario, end, &played), played)
        });
    }
    let (mut wrong, mut checks, mut informed) = (String::new(), 0, 0);
    for (complaints, played) in running.join_all().await {
        wrong += &complaints;
        checks += with_status(&played, "SUCCESS");
        informed += with_status(&played, "INFO");
    }

    // then each passes
    assert!(wrong.is_empty(), "{revision}:\n{wrong}");
    let seconds = begun.elapsed().as_secs_f64();
    let count = scenarios.len();
    // Not println: libtest would show it only where a test fails.
    let _no_matter = writeln!(
        std::io::stderr().lock(),
        "FIGURES: MCP {revision}: {count} of {count} scenarios about authorization pass, {checks} checks passed, 0 failed, 0 warnings, \
         {informed} notes; {seconds:.1} s"
    );
}

fn with_status(played: &Played, status: &str) -> usize {
    played.checks.iter().filter(|check| check["status"] == status).count()
}

/// What is wrong with a scenario: empty where it has passed, as it had to.
fn complaints(scenario: &str, end: End, played: &Played) -> String {
    let mut wrong = String::new();
    for check in played.checks.iter().filter(|check| check["status"] != "SUCCESS" && check["status"] != "INFO") {
        let _never_fails = writeln!(wrong, "{scenario}: {} {}: {}", check["status"], check["id"], check["description"]);
    }
    if with_status(played, "SUCCESS") == 0 || !played.passed {
        let _never_fails = writeln!(wrong, "{scenario}: the suite does not call it passed");
    }
    let told = played.told.trim();
    let as_it_has_to = match end {
        End::Done => told == "done",
        End::Refused(why) => told.starts_with("refused: ") && told.contains(why),
    };
    if !as_it_has_to || !played.complained.is_empty() {
        let _never_fails = writeln!(wrong, "{scenario}: the client says {told:?}, and not {end:?}\n{}", played.complained);
    }
    wrong
}
