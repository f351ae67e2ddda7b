//! The ring against the plain list of all that was said.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
use super::share::{MOST, MOST_BYTES};
use super::*;
use futures_util::FutureExt as _;
use mcp_authd_oauth::time::WallTime;
use proptest::prelude::*;

const AT: WallTime = WallTime::from_millis(1_790_000_000_000);
const EVENT: &str = "mcp_authd";
const AUDIT: &str = super::super::AUDIT;

fn say_as(target: &'static str, ring: &Ring, account: &str, value: &str) {
    let (account, fields) = (Some(account.to_owned()), vec![("why", value.to_owned())]);
    ring.keep(AT, &Line { level: Level::INFO, target, message: "said".to_owned(), account, fields });
}

fn say(ring: &Ring, account: &str, value: &str) {
    say_as(EVENT, ring, account, value);
}

fn about<'a>(account: &'a str) -> impl Fn(&Entry) -> bool + 'a {
    move |entry| entry.account.as_deref() == Some(account)
}

fn numbers(entries: &[Entry]) -> Vec<u64> {
    entries.iter().map(|entry| entry.number).collect()
}

#[test]
fn the_last_ones_of_an_account_come_in_their_order() {
    let ring = Ring::new(7);
    ["a", "b", "a", "a", "b"].iter().for_each(|account| say(&ring, account, "x"));
    let last = |most, account| numbers(&ring.last(most, &about(account)));
    assert_eq!((last(2, "a"), last(9, "b"), last(9, "c")), (vec![9, 10], vec![8, 11], vec![]));
    assert_eq!(ring.latest(), 11);
}

#[test]
fn tokens_that_are_given_push_out_nothing_that_has_happened_and_the_other_way_round() {
    for (few, many) in [(EVENT, AUDIT), (AUDIT, EVENT)] {
        let ring = Ring::new(1);
        (0..20).for_each(|_| say_as(few, &ring, "a", "x"));
        (0..5000).for_each(|_| say_as(many, &ring, "a", "x"));
        let of = |kind: &str, most| ring.last(most, &|entry| entry.is_audit == (kind == AUDIT)).len();
        assert_eq!((of(few, usize::MAX), of(many, usize::MAX)), (20, MOST));
        // Of the few that are told first, too, half are of either kind where there are so many.
        let told = |most| {
            let last = ring.last(most, &|_| true);
            (last.iter().filter(|entry| entry.is_audit == (few == AUDIT)).count(), last.len())
        };
        assert_eq!([told(0), told(1), told(7), told(10), told(50)], [(0, 0), (0, 1), (3, 7), (5, 10), (20, 50)]);
        let newest = numbers(&ring.last(10, &|_| true));
        assert_eq!(newest, [16, 17, 18, 19, 20, 5016, 5017, 5018, 5019, 5020]);
    }
}

#[tokio::test]
async fn a_follower_waits_for_what_comes_and_sees_only_what_it_wants() {
    let ring = Ring::new(1);
    let mut follower = ring.follow(0);
    let wanted = about("a");
    assert_eq!(follower.next(&wanted).now_or_never(), None);
    let (told, ()) = tokio::join!(follower.next(&wanted), async {
        say(&ring, "b", "x");
        tokio::task::yield_now().await;
        say_as(AUDIT, &ring, "a", "x");
    });
    assert_eq!((told.entry.number, told.missed), (2, 0));
    assert_eq!(follower.next(&wanted).now_or_never(), None);
}

#[test]
fn who_goes_on_after_a_number_gets_what_came_since_and_after_one_of_the_future_all() {
    let ring = Ring::new(100);
    [EVENT, AUDIT, AUDIT, EVENT, AUDIT].into_iter().for_each(|kind| say_as(kind, &ring, "a", "x"));
    let first = |after| ring.follow(after).next(&|_| true).now_or_never().map(|told| (told.entry.number, told.missed));
    assert_eq!(first(102), Some((103, 0)));
    assert_eq!(first(104), None);
    assert_eq!(first(105), Some((100, 0)));
    assert_eq!(first(3), Some((100, 0)), "nothing was said before the first");
    (0..MOST).for_each(|_| say(&ring, "a", "x"));
    assert_eq!(first(102), Some((104, 1)), "the event between is told as missed, and the token after it is kept");
}

/// What was said, by its number: the first is 1.
struct Said(Vec<(bool, String)>);

impl Said {
    fn is(&self, entry: &Entry) -> bool {
        let (is_audit, value) = &self.0[usize::try_from(entry.number).unwrap() - 1];
        entry.is_audit == *is_audit
            && entry.fields == [("why".to_owned(), value.clone())]
            && entry.account.as_deref() == Some("a")
    }

    fn of(&self, is_audit: bool) -> Vec<u64> {
        (1..).zip(&self.0).filter(|(_, said)| said.0 == is_audit).map(|(number, _)| number).collect()
    }
}

const LONGEST: usize = 700;
/// Whatever they hold, and whatever is said of the other kind.
const AT_LEAST: usize = MOST_BYTES / (LONGEST + 64);

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Bounded, in order, nothing that could be kept is let go of, and every gap is told.
    #[test]
    fn after_any_mix_the_last_of_both_kinds_are_there_in_order_within_bounds_and_a_follower_is_told_every_gap(
        steps in prop::collection::vec((0_usize..1500, 0_u8..=10, 0_usize..LONGEST, 0_usize..400), 1..8)
    ) {
        let ring = Ring::new(1);
        let mut follower = ring.follow(0);
        let (mut said, mut seen) = (Said(vec![]), 0_u64);
        for (says, audits_in_ten, length, reads) in steps {
            let value = "\u{e9}".repeat(length / 2);
            for at in 0..says {
                // Not in turn: 7 and 10 have no common divisor.
                let is_audit = (at * 7) % 10 < usize::from(audits_in_ten);
                say_as(if is_audit { AUDIT } else { EVENT }, &ring, "a", &value);
                said.0.push((is_audit, value.clone()));
            }
            {
                let kept = ring.kept();
                prop_assert!(kept.events.is_bounded() && kept.audits.is_bounded());
                prop_assert_eq!(usize::try_from(kept.next).unwrap(), said.0.len() + 1);
            }
            let kept = ring.last(usize::MAX, &|_| true);
            prop_assert!(kept.iter().all(|entry| said.is(entry)) && kept.is_sorted_by(|one, next| one.number < next.number));
            for is_audit in [false, true] {
                let (all, kept) = (said.of(is_audit), numbers(&ring.last(usize::MAX, &|entry| entry.is_audit == is_audit)));
                prop_assert!(kept.len() >= all.len().min(AT_LEAST) && all.ends_with(&kept), "{} of {}", kept.len(), all.len());
            }
            for most in [1, 50] {
                let last = ring.last(most, &|_| true);
                prop_assert_eq!(last.len(), most.min(kept.len()));
                prop_assert_eq!(last.last(), kept.last());
                for is_audit in [false, true] {
                    let [of_all, of_last] = [&kept, &last].map(|all| all.iter().filter(|entry| entry.is_audit == is_audit));
                    prop_assert!(of_last.count() >= of_all.count().min(most / 2));
                }
            }
            for _ in 0..reads {
                let expected = kept.iter().find(|entry| entry.number > seen);
                let told = follower.next(&|_| true).now_or_never();
                prop_assert_eq!(told.as_ref().map(|told| &told.entry), expected);
                let Some(told) = told else { break };
                prop_assert_eq!(told.entry.number, seen + told.missed + 1);
                seen = told.entry.number;
            }
        }
    }
}
