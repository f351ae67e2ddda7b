//! Records that a broken disk has changed or cut off while no daemon ran (B10).

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use mcp_authd_client::admin::StartSignIn;
use mcp_authd_client::{Reason, Token};
use mcp_authd_tests::daemon::Daemon;
use mcp_authd_tests::programs::{look, program, records as names_of_records, token, tool, until};
use mcp_authd_tests::server::Settings;

use super::logged_in::{Machine, mode_of, records, refused};
use crate::change::records as kept;
use crate::effort::{figures, is_whole, rounds};
use crate::random::{self, Random};

/// So many records are damaged for one start, and one is not.
const AT_ONCE: usize = 16;

/// Which record of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Grant,
    /// What is lost with it are counters: the grant goes on serving.
    SignIn,
}

#[derive(Debug, Clone, Copy)]
enum Damage {
    /// One bit is another.
    Flip { byte: usize, bit: usize },
    /// Only so much is left.
    Cut(usize),
}

impl Damage {
    fn done_to(self, good: &[u8]) -> Vec<u8> {
        match self {
            Self::Flip { byte, bit } => {
                let mut bytes = good.to_vec();
                bytes[byte] ^= 1 << bit;
                bytes
            }
            Self::Cut(left) => good[..left].to_vec(),
        }
    }
}

/// Wherever, in a record of this length.
fn flip(length: usize, chance: &mut Random) -> Damage {
    Damage::Flip { byte: chance.below(length), bit: chance.below(8) }
}

/// An account's records as they were.
fn name(kind: Kind, account: &str) -> String {
    let kind = if kind == Kind::Grant { "grant" } else { "sign-in" };
    format!("{kind}-{account}.sealed")
}

fn cases(length: impl Fn(Kind) -> usize, chance: &mut Random) -> Vec<(Kind, Damage)> {
    let mut cases = Vec::new();
    for (kind, whole, short) in [(Kind::Grant, 1000, 24), (Kind::SignIn, 200, 8)] {
        cases.extend((0..rounds(whole, short)).map(|_| (kind, flip(length(kind), chance))));
        cases.extend(cuts(length(kind)).map(|left| (kind, Damage::Cut(left))));
    }
    cases
}

/// Every length that is too short; some of them in the short form.
fn cuts(length: usize) -> impl Iterator<Item = usize> {
    (0..length).step_by(if is_whole() { 1 } else { length / 12 + 1 })
}

/// One start with damaged records: account n has the n-th.
async fn start_with(machine: &mut Machine, good: &BTreeMap<String, Vec<u8>>, batch: &[(Kind, Damage)], tokens: &[Token]) {
    let folder = records(&machine.daemon);
    let mut damaged = BTreeMap::new();
    for ((kind, damage), account) in batch.iter().zip(&machine.accounts) {
        let record = name(*kind, account);
        damaged.insert(record.clone(), damage.done_to(&good[&record]));
    }
    for (record, bytes) in good {
        write_private(folder.join(record), damaged.get(record).unwrap_or(bytes));
    }
    machine.daemon.start_again().await;

    // then whoever lost a grant is told to log in, and all others are served
    let client = program(&machine.daemon);
    for (number, account) in machine.accounts.iter().enumerate() {
        let answer = look(&client, account).await;
        let case = batch.get(number);
        if case.is_some_and(|(kind, _)| *kind == Kind::Grant) {
            let refusal = refused(answer);
            assert!(refusal.reason == Reason::LoginRequired && refusal.message.contains("damaged"), "{case:?}: {refusal:?}");
        } else {
            assert_eq!(token(answer).sha256(), tokens[number].sha256(), "{case:?}");
        }
    }
    machine.daemon.kill();

    // and each damaged record stands aside, whole and private, and nothing else has changed
    for entry in fs::read_dir(&folder).unwrap().map(Result::unwrap) {
        let found = entry.file_name().into_string().unwrap();
        let Some((record, _)) = found.split_once(".corrupt-") else {
            assert!(!damaged.contains_key(&found), "{found} was taken for good");
            if let Some(bytes) = good.get(&found) {
                assert_eq!(&fs::read(entry.path()).unwrap(), bytes, "{found} was touched");
            }
            continue;
        };
        let bytes = damaged.remove(record).unwrap_or_else(|| panic!("{found} was not damaged, or stands aside twice"));
        assert_eq!((mode_of(&entry.path()), fs::read(entry.path()).unwrap()), (0o600, bytes), "{found}");
        fs::remove_file(entry.path()).unwrap();
    }
    assert!(damaged.is_empty(), "accepted, or erased: {:?}", damaged.keys());
}

fn write_private(path: PathBuf, bytes: &[u8]) {
    fs::write(&path, bytes).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

#[tokio::test]
async fn b10_a_record_that_is_changed_or_cut_off_is_set_aside_and_no_other_is_touched() {
    // given accounts that are logged in, and their records as they were
    let (mut machine, tokens) = Machine::with(AT_ONCE + 1, Settings::default()).await;
    until("the ends of the logins are saved", || names_of_records(&machine.daemon).len() == 2 * (AT_ONCE + 1)).await;
    machine.daemon.stop().await;
    let folder = records(&machine.daemon);
    let names = names_of_records(&machine.daemon).into_iter();
    let good: BTreeMap<String, Vec<u8>> = names.map(|name| (name.clone(), fs::read(folder.join(name)).unwrap())).collect();

    // when they are damaged in every way
    let seed = random::seed("b10");
    let mut chance = Random::of(seed);
    let shortest = |kind| machine.accounts.iter().map(|account| good[&name(kind, account)].len()).min().unwrap();
    let cases = cases(shortest, &mut chance);
    for batch in cases.chunks(AT_ONCE) {
        start_with(&mut machine, &good, batch, &tokens).await;
    }

    // then nothing panicked, and no token was spent
    assert!(!machine.daemon.logs().contains("panicked"));
    assert_eq!(machine.server.counts().refreshes, 0);
    let flips = cases.iter().filter(|(_, damage)| matches!(damage, Damage::Flip { .. })).count();
    let cuts = cases.len() - flips;
    figures("b10", format!("{flips} flips and {cuts} truncations, 0 accepted, 0 panics, 0 others touched (seed {seed})"));
}

/// The records of clients: one start with a damaged one of each kind, beside a grant.
async fn start_with_clients(daemon: &mut Daemon, good: &BTreeMap<String, Vec<u8>>, damage: &[(String, Damage)]) {
    let folder = records(daemon);
    for entry in fs::read_dir(&folder).unwrap().map(Result::unwrap) {
        fs::remove_file(entry.path()).unwrap();
    }
    let damaged: BTreeMap<_, _> = damage.iter().map(|(record, damage)| (record, damage.done_to(&good[record]))).collect();
    for (record, bytes) in good {
        write_private(folder.join(record), damaged.get(record).unwrap_or(bytes));
    }
    daemon.start_again().await;

    // when the clients are looked at, and the secret of one is wanted for a login, then there is neither; the grant serves
    assert_eq!(tool(daemon).clients().await.unwrap().clients, [], "{damage:?}");
    let start = StartSignIn { account: Some(kept::SECRETIVE.to_owned()), ..StartSignIn::default() };
    let _in_vain = tool(daemon).start_sign_in(start).await;
    drop(token(look(&program(daemon), "work").await));
    daemon.kill();

    // and each stands aside, whole and private, and nothing else has changed
    let mut aside = BTreeMap::new();
    for entry in fs::read_dir(&folder).unwrap().map(Result::unwrap) {
        let (found, bytes) = (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap());
        assert!(!damaged.contains_key(&found), "{damage:?}: {found} was taken for good");
        if let Some((record, _)) = found.split_once(".corrupt-") {
            assert_eq!(mode_of(&entry.path()), 0o600, "{found}");
            assert!(aside.insert(record.to_owned(), bytes).is_none(), "{found} stands aside twice");
        } else if let Some(good) = good.get(&found) {
            assert_eq!(&bytes, good, "{found} was touched");
        }
    }
    assert!(aside.iter().eq(damaged.iter().map(|(record, bytes)| (*record, bytes))), "{damage:?}: {:?}", aside.keys());
}

#[tokio::test]
async fn b10_a_record_of_a_client_that_is_changed_or_cut_off_is_set_aside_and_no_other_is_touched() {
    // given the kept records of clients, and a grant
    let mut daemon = kept::on_records(kept::PRESENT, &["work"]);
    let folder = records(&daemon);
    let names = names_of_records(&daemon).into_iter();
    let good: BTreeMap<String, Vec<u8>> = names.map(|name| (name.clone(), fs::read(folder.join(name)).unwrap())).collect();
    let clients: Vec<&String> = good.keys().filter(|name| kept::OF_CLIENTS.iter().any(|kind| name.starts_with(kind))).collect();
    assert_eq!(clients.len(), kept::OF_CLIENTS.len());

    // when they are damaged in every way
    let seed = random::seed("b10");
    let mut chance = Random::of(seed);
    let flips = rounds(200, 8);
    for _ in 0..flips {
        let damage: Vec<_> = clients.iter().map(|name| ((*name).clone(), flip(good[*name].len(), &mut chance))).collect();
        start_with_clients(&mut daemon, &good, &damage).await;
    }
    let mut truncations = 0;
    for left in cuts(clients.iter().map(|name| good[*name].len()).max().unwrap()) {
        let longer = clients.iter().filter(|name| good[**name].len() > left);
        // (what is not cut any more is flipped)
        truncations += longer.count();
        let damage = clients.iter().map(|name| match good[*name].len() {
            length if length > left => ((*name).clone(), Damage::Cut(left)),
            length => ((*name).clone(), flip(length, &mut chance)),
        });
        let damage: Vec<_> = damage.collect();
        start_with_clients(&mut daemon, &good, &damage).await;
    }

    // then nothing panicked
    assert!(!daemon.logs().contains("panicked"));
    let flips = flips * clients.len();
    figures(
        "b10",
        format!("clients: at least {flips} flips and {truncations} truncations, 0 accepted, 0 others touched (seed {seed})"),
    );
}
