//! What happens to an account, on its way to the one task that keeps it.
//!
//! Each piece of news is boxed: a channel keeps a few blocks of 32 places for good, for each account, and a place for the largest
//! event that there is would make each block as large as all else that an account holds.

use tokio::sync::mpsc;

use super::machine::Event;

/// Whoever has something to tell.
#[derive(Debug, Clone)]
pub(super) struct Teller(mpsc::UnboundedSender<Box<Event>>);

/// The other end.
#[derive(Debug)]
pub(super) struct News(mpsc::UnboundedReceiver<Box<Event>>);

/// Both ends.
pub(super) fn channel() -> (Teller, News) {
    let (teller, news) = mpsc::unbounded_channel();
    (Teller(teller), News(news))
}

impl Teller {
    /// Tells it. Where the keeper has ended, nobody wants to know.
    pub(super) fn tell(&self, event: Event) {
        let _ = self.0.send(Box::new(event));
    }
}

impl News {
    /// The next piece. `None`: nobody is left who could tell any.
    pub(super) async fn next(&mut self) -> Option<Event> {
        self.0.recv().await.map(|event| *event)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[tokio::test]
    async fn news_come_in_the_order_in_which_they_were_told_and_end_with_the_last_teller() {
        let (teller, mut news) = channel();
        teller.tell(Event::Tick);
        teller.clone().tell(Event::Leaving);
        drop(teller);
        assert!(matches!(news.next().await, Some(Event::Tick)));
        assert!(matches!(news.next().await, Some(Event::Leaving)));
        assert!(news.next().await.is_none());
    }

    #[test]
    fn a_place_in_the_channel_is_no_larger_than_a_pointer() {
        let (teller, mut news) = channel();
        teller.tell(Event::Tick);
        assert_eq!(size_of_val(&news.0.try_recv().unwrap()), size_of::<usize>());
        assert!(size_of::<Event>() > 256, "then the box is not worth its price any more");
    }
}
