//! One answer for many who ask the same at once: one looks, the others wait for what it finds, and who asks soon after is told it again.
//!
//! Must never: look twice at once, or wait without a limit.

use std::time::Duration;

use tokio::sync::Mutex;

use crate::clock::{Clock, Moment};

/// How long a look may take. What has not come by then is not known.
const LOOK_LIMIT: Duration = Duration::from_secs(2);
/// How long an answer is good for others who ask.
const FRESH: Duration = Duration::from_secs(1);

/// What was found last, and when.
#[derive(Debug)]
pub(crate) struct Asked<T> {
    clock: Clock,
    last: Mutex<Option<(Moment, Option<T>)>>,
}

impl<T: Clone> Asked<T> {
    pub(crate) fn by(clock: Clock) -> Self {
        Self { clock, last: Mutex::new(None) }
    }

    /// What is known by now, or what `look` finds.
    pub(crate) async fn or(&self, look: impl Future<Output = Option<T>>) -> Option<T> {
        let mut last = self.last.lock().await;
        if let Some((at, found)) = &*last
            && self.clock.now().since(*at) < FRESH
        {
            return found.clone();
        }
        let found = tokio::time::timeout(LOOK_LIMIT, look).await.ok().flatten();
        *last = Some((self.clock.now(), found.clone()));
        found
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;
    use crate::clock::tests::Hand;

    #[tokio::test(start_paused = true)]
    async fn many_who_ask_at_once_and_soon_after_cost_one_look_and_later_ones_another() {
        let hand = Arc::new(Hand::default());
        let (asked, looks) = (Asked::by(Clock::Hand(hand.clone())), AtomicU32::new(0));
        let ask = || {
            asked.or(async {
                tokio::time::sleep(LOOK_LIMIT / 2).await;
                Some(looks.fetch_add(1, Ordering::SeqCst))
            })
        };
        assert_eq!(tokio::join!(ask(), ask(), ask()), (Some(0), Some(0), Some(0)));
        hand.forward(FRESH * 9 / 10);
        assert_eq!(ask().await, Some(0));
        hand.forward(FRESH / 5);
        assert_eq!(ask().await, Some(1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_look_without_an_end_holds_nobody_longer_than_its_limit() {
        let (asked, begun) = (Asked::<()>::by(Clock::Kernel), tokio::time::Instant::now());
        let ask = || asked.or(std::future::pending());
        assert_eq!(tokio::join!(ask(), ask(), ask()), (None, None, None));
        assert_eq!(begun.elapsed(), LOOK_LIMIT);
    }
}
