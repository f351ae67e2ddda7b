//! The account of a file with a moved clock: when it is read, who is answered with what, who is pushed.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use mcp_authd_oauth::secret::{AccessToken, TokenHash};
use mcp_authd_oauth::terms::{Resource, Scopes};
use mcp_authd_oauth::time::{Instant, Now, WallTime};

use super::machine::{Effect, FileAccount, Happening, Moment, Watched};
use super::{TokenFileRefusal, Unusable, keep};
use crate::accounts::handle::{AccountHandle, KeeperGone, Order};
use crate::accounts::machine::WaiterId;
use crate::accounts::need::{AnswerState, Need, PersonWants, Refusal, SignInMode};
use crate::accounts::status::{Health, Status, Trouble};
use crate::accounts::{AccountName, TokenFileConfig};
use crate::host::clock::{Clock, follows_tokio};
use crate::host::private_file::Reason;
use crate::host::tasks::Tasks;

const BEGIN: Now = Now { instant: Instant::from_millis(1_000_000), wall: WallTime::from_millis(1_790_000_000_000) };

/// The account, its file, and everybody around it.
struct World {
    account: Option<FileAccount>,
    now: Now,
    watched: Watched,
    /// What the file holds; it is read when `read` says so.
    file: Result<&'static str, Reason>,
    reading: bool,
    reads: usize,
    answers: BTreeMap<u64, AnswerState>,
    published: Vec<Status>,
    ended: bool,
    next: u64,
}

impl World {
    fn new(scopes: &str) -> Self {
        let config = config(path(), scopes);
        let (account, effects) = FileAccount::new(Arc::new(config), 0, BEGIN);
        let mut world = Self {
            account: Some(account),
            now: BEGIN,
            watched: Watched::No,
            file: Ok("first"),
            reading: false,
            reads: 0,
            answers: BTreeMap::new(),
            published: Vec::new(),
            ended: false,
            next: 0,
        };
        world.perform(effects);
        world
    }

    fn read(scopes: &str) -> Self {
        let mut world = Self::new(scopes);
        world.finish_reading();
        world
    }

    fn tell(&mut self, happening: Happening) {
        let moment = Moment { now: self.now, watched: self.watched };
        let (account, effects) = self.account.take().unwrap().handle(happening, moment);
        self.account = Some(account);
        self.perform(effects);
    }

    fn perform(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Answer(id, answer) => {
                    assert!(self.answers.insert(id.0, answer.state).is_none(), "answered twice");
                }
                Effect::Publish(status) => {
                    let last = self.published.last().map_or(0, |last| last.revision);
                    assert!(status.revision > last, "a revision rises");
                    self.published.push(status);
                }
                Effect::Read => {
                    assert!(!std::mem::replace(&mut self.reading, true), "two reads at once");
                    self.reads += 1;
                }
                Effect::End => self.ended = true,
            }
        }
    }

    fn finish_reading(&mut self) {
        assert!(std::mem::replace(&mut self.reading, false), "nobody reads");
        let content = self.file.clone().map(AccessToken::new).map_err(|why| Unusable { path: path(), why });
        self.tell(Happening::Read(content));
    }

    fn pass(&mut self, time: Duration) {
        self.now = Now { instant: self.now.instant + time, wall: self.now.wall + time };
        self.tell(Happening::TimePassed);
    }

    fn ask_with(&mut self, change: impl FnOnce(&mut Need)) -> u64 {
        let mut need = Need {
            scopes: Scopes::default(),
            min_validity: Duration::ZERO,
            rejected: None,
            sign_in: SignInMode::StartAndWait,
            client_name: String::new(),
            deadline: self.now.instant + Duration::from_secs(20),
        };
        change(&mut need);
        self.next += 1;
        self.tell(Happening::Wanted(WaiterId(self.next), need));
        self.next
    }

    fn ask(&mut self) -> u64 {
        self.ask_with(|_| ())
    }

    fn report(&mut self, token: &str) -> u64 {
        let hash: TokenHash = AccessToken::new(token).sha256();
        self.ask_with(|need| need.rejected = Some(hash))
    }

    fn token(&self, id: u64) -> Option<&str> {
        match self.answers.get(&id)? {
            AnswerState::Token(token) => Some(token.access_token.expose()),
            other => panic!("no token but {other:?}"),
        }
    }

    fn refusal(&self, id: u64) -> Option<&Refusal> {
        match self.answers.get(&id)? {
            AnswerState::Refusal(refusal) => Some(refusal),
            other => panic!("no refusal but {other:?}"),
        }
    }
}

fn config(token_file: PathBuf, scopes: &str) -> TokenFileConfig {
    TokenFileConfig {
        name: AccountName::parse("ci").unwrap(),
        token_file,
        scopes: Scopes::parse(scopes),
        resource: Some(Resource::new("https://mcp.example/")),
    }
}

fn path() -> PathBuf {
    PathBuf::from("/run/secrets/token")
}

#[test]
fn the_first_callers_wait_for_the_first_read_and_all_get_its_token() {
    let mut world = World::new("");
    let (one, two) = (world.ask(), world.ask());
    assert!(world.answers.is_empty());
    world.finish_reading();
    assert_eq!((world.token(one), world.token(two), world.reads), (Some("first"), Some("first"), 1));
    let AnswerState::Token(token) = &world.answers[&one] else { panic!() };
    assert_eq!((token.expires, token.resource.as_ref().unwrap().as_str()), (None, "https://mcp.example/"));
    assert_eq!(world.published.last().unwrap().health, Health::Good);
}

#[test]
fn within_a_second_callers_are_answered_from_memory_and_after_it_the_file_is_read_once_for_all() {
    let mut world = World::read("");
    world.pass(Duration::from_millis(999));
    let id = world.ask();
    assert_eq!((world.token(id), world.reads), (Some("first"), 1));
    world.pass(Duration::from_millis(1));
    world.file = Ok("second");
    let waiting = [world.ask(), world.ask(), world.ask()];
    assert!(world.token(waiting[0]).is_none(), "it waits for a look");
    world.finish_reading();
    assert!(waiting.iter().all(|id| world.token(*id) == Some("second")));
    assert_eq!(world.reads, 2);
}

#[test]
fn a_report_of_the_present_token_reads_at_once_and_is_answered_with_a_new_one_only() {
    let mut world = World::read("");
    let id = world.report("first");
    assert_eq!((world.answers.len(), world.reads), (0, 2), "no look is too young for that");
    world.finish_reading();
    let expected = Refusal::TokenFile(TokenFileRefusal::Rejected(path()));
    assert_eq!(world.refusal(id), Some(&expected));

    world.file = Ok("second");
    let id = world.report("first");
    world.finish_reading();
    assert_eq!(world.token(id), Some("second"));
    let late = world.report("first");
    assert_eq!((world.token(late), world.reads), (Some("second"), 3), "a report of an older token reads nothing");
}

#[test]
fn a_report_during_a_read_waits_for_one_that_begins_after_it() {
    let mut world = World::read("");
    world.pass(Duration::from_secs(5));
    let caller = world.ask();
    let reporter = world.report("first");
    // The read under way has begun before the report: it may have seen the file as it was.
    world.finish_reading();
    assert_eq!(world.token(caller), Some("first"));
    assert_eq!((world.answers.contains_key(&reporter), world.reads), (false, 3));
    world.file = Ok("second");
    world.finish_reading();
    assert_eq!(world.token(reporter), Some("second"));
}

#[test]
fn a_watched_file_is_looked_at_every_ten_seconds_and_its_changes_are_published() {
    let mut world = World::read("");
    world.pass(Duration::from_secs(3600));
    assert_eq!(world.reads, 1, "nobody watches, nobody reads");
    world.watched = Watched::Yes;
    world.pass(Duration::ZERO);
    world.finish_reading();
    let (reads, told) = (world.reads, world.published.len());
    world.pass(Duration::from_millis(9_999));
    assert_eq!((world.reads, world.published.len()), (reads, told), "what has not changed is not told");
    world.file = Ok("second");
    world.pass(Duration::from_millis(1));
    world.finish_reading();
    assert_eq!((world.reads, world.published.len()), (reads + 1, told + 1));
    let id = world.ask();
    assert_eq!(world.token(id), Some("second"));
}

#[test]
fn a_file_that_does_not_hold_is_refused_degraded_and_looked_at_again_soon() {
    let mut world = World::read("");
    world.watched = Watched::Yes;
    world.file = Err(Reason::Missing);
    world.pass(Duration::from_secs(10));
    world.finish_reading();
    let unusable = Unusable { path: path(), why: Reason::Missing };
    assert_eq!(world.published.last().unwrap().health, Health::Degraded(Trouble::TokenFile(unusable.clone())));
    let id = world.ask();
    assert_eq!(world.refusal(id), Some(&Refusal::TokenFile(TokenFileRefusal::Unusable(unusable))), "the token of before is gone");
    // A writer may be half way: whoever watches hears soon.
    world.file = Ok("second");
    world.pass(Duration::from_secs(1));
    world.finish_reading();
    assert_eq!(world.published.last().unwrap().health, Health::Good);
}

#[test]
fn scopes_are_a_question_and_nothing_configured_covers_everything() {
    let wants = |need: &mut Need| need.scopes = Scopes::parse("a b");
    let mut world = World::read("");
    let id = world.ask_with(wants);
    assert_eq!(world.token(id), Some("first"));
    let mut world = World::read("a c");
    let id = world.ask_with(wants);
    assert_eq!(world.refusal(id), Some(&Refusal::TokenFile(TokenFileRefusal::NotCovered(Scopes::parse("b")))));
}

#[test]
fn nobody_waits_beyond_its_deadline_for_a_disk_that_hangs() {
    let mut world = World::new("");
    let id = world.ask_with(|need| need.deadline = BEGIN.instant + Duration::from_secs(3));
    let moment = Moment { now: world.now, watched: Watched::No };
    assert_eq!(world.account.as_ref().unwrap().next_deadline(moment), Some(BEGIN.instant + Duration::from_secs(3)));
    world.pass(Duration::from_secs(3));
    assert!(matches!(world.refusal(id), Some(Refusal::Unavailable { retry_after: Some(_), .. })));
}

#[test]
fn a_person_is_told_who_keeps_the_token_and_no_login_begins() {
    let mut world = World::new("");
    for wants in [PersonWants::ToBeSignedIn, PersonWants::Again, PersonWants::Replace] {
        let id = world.ask_with(|need| need.sign_in = SignInMode::Person(wants));
        assert_eq!(world.refusal(id), Some(&Refusal::TokenFile(TokenFileRefusal::KeptElsewhere(path()))));
    }
}

#[test]
fn an_account_that_is_gone_answers_everybody_and_ends() {
    let mut world = World::new("");
    let id = world.ask();
    world.tell(Happening::Removed);
    assert_eq!(world.refusal(id), Some(&Refusal::NoSuchAccount));
    assert_eq!((&world.published.last().unwrap().health, world.ended), (&Health::Removed, true));
    world.finish_reading();
    assert_eq!(world.published.last().unwrap().health, Health::Removed, "nothing comes back to life");
}

#[test]
fn a_caller_that_has_gone_is_not_answered_and_holds_nobody_up() {
    let mut world = World::new("");
    let (gone, waiting) = (world.ask(), world.ask());
    world.tell(Happening::Gone(WaiterId(gone)));
    world.finish_reading();
    assert!(!world.answers.contains_key(&gone) && world.token(waiting) == Some("first"));
}

/// The task itself, with a real file.
struct Kept {
    folder: tempfile::TempDir,
    clock: Clock,
    account: AccountHandle,
}

impl Kept {
    fn holding(token: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (clock, path) = (follows_tokio(), folder.path().join("token"));
        write(&path, token);
        let account = keep(&Arc::new(config(path, "")), 0, (&clock, &Tasks::new()));
        Self { folder, clock, account }
    }

    fn write(&self, token: &str) {
        write(&self.folder.path().join("token"), token);
    }

    async fn token(&self) -> Result<String, KeeperGone> {
        let need = Need {
            scopes: Scopes::default(),
            min_validity: Duration::ZERO,
            rejected: None,
            sign_in: SignInMode::Never,
            client_name: String::new(),
            deadline: self.clock.now().instant + Duration::from_secs(20),
        };
        match self.account.token(need).await?.state {
            AnswerState::Token(token) => Ok(token.access_token.expose().to_owned()),
            other => panic!("{other:?}"),
        }
    }
}

fn write(path: &std::path::Path, token: &str) {
    use std::os::unix::fs::PermissionsExt;
    let new = path.with_extension("new");
    std::fs::write(&new, token).unwrap();
    std::fs::set_permissions(&new, std::fs::Permissions::from_mode(0o600)).unwrap();
    std::fs::rename(new, path).unwrap();
}

#[tokio::test(start_paused = true)]
async fn whoever_watches_hears_of_a_new_token_within_ten_seconds() {
    let kept = Kept::holding("first");
    let mut status = kept.account.status();
    assert_eq!(kept.token().await.unwrap(), "first");
    kept.write("second");
    let begun = kept.clock.now().instant;
    let known = status.borrow_and_update().revision;
    status.wait_for(|status| status.revision > known).await.unwrap();
    let waited = kept.clock.now().instant.since(begun);
    assert!(waited <= Duration::from_secs(10), "{waited:?}");
    assert_eq!(kept.token().await.unwrap(), "second");
}

#[tokio::test(start_paused = true)]
async fn a_leaving_daemon_waits_for_nothing_here_and_an_account_that_is_taken_out_ends() {
    let kept = Kept::holding("first");
    kept.account.leave().await;
    assert_eq!(kept.token().await.unwrap(), "first", "it answers to the end");
    kept.account.obey(Order::Remove).await.unwrap();
    let mut status = kept.account.status();
    status.wait_for(|status| status.health == Health::Removed).await.unwrap();
    assert_eq!(kept.token().await, Err(KeeperGone));
}
