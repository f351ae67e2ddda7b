//! How the bytes of an answer leave: whole, cut in half, byte by byte, or far too many.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::Sleep;

use super::serve::Open;

const PIECE: usize = 64 * 1024;

/// The body of one answer. A token request counts as open until this is gone.
pub(super) struct Outgoing {
    pace: Pace,
    _open: Option<Open>,
}

/// How fast, and how far.
pub(super) enum Pace {
    Whole(Bytes),
    /// This much, flushed, and then the connection ends.
    Cut(Bytes),
    CutNow,
    Drip {
        left: Bytes,
        each: Duration,
        next: Pin<Box<Sleep>>,
    },
    Flood {
        left: usize,
    },
    Over,
}

/// The connection is to end in the middle of the answer.
#[derive(Debug)]
pub(super) struct CutOff;

impl std::fmt::Display for CutOff {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("cut off, as the script says")
    }
}

impl std::error::Error for CutOff {}

impl Outgoing {
    pub(super) fn new(pace: Pace, open: Option<Open>) -> Self {
        Self { pace, _open: open }
    }
}

impl Pace {
    pub(super) fn drip(left: Bytes, each: Duration) -> Self {
        Self::Drip { left, each, next: Box::pin(tokio::time::sleep(each)) }
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = CutOff;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, CutOff>>> {
        let (frame, next_pace) = match std::mem::replace(&mut self.pace, Pace::Over) {
            Pace::Over => return Poll::Ready(None),
            Pace::CutNow => return Poll::Ready(Some(Err(CutOff))),
            Pace::Whole(all) => (all, Pace::Over),
            // What was written is flushed only when the body says "not yet": so it says it once, with nothing left to give.
            Pace::Cut(half) if half.is_empty() => {
                self.pace = Pace::CutNow;
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            Pace::Cut(half) => (half, Pace::Cut(Bytes::new())),
            Pace::Drip { left, .. } if left.is_empty() => return Poll::Ready(None),
            Pace::Drip { mut left, each, mut next } => {
                if next.as_mut().poll(cx).is_pending() {
                    self.pace = Pace::Drip { left, each, next };
                    return Poll::Pending;
                }
                (left.split_to(1), Pace::drip(left, each))
            }
            Pace::Flood { left: 0 } => return Poll::Ready(None),
            Pace::Flood { left } => {
                let piece = left.min(PIECE);
                (Bytes::from(vec![b'A'; piece]), Pace::Flood { left: left - piece })
            }
        };
        self.pace = next_pace;
        Poll::Ready(Some(Ok(Frame::data(frame))))
    }

    fn is_end_stream(&self) -> bool {
        match &self.pace {
            Pace::Over => true,
            Pace::Whole(all) => all.is_empty(),
            _ => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.pace {
            Pace::Whole(all) => SizeHint::with_exact(all.len() as u64),
            Pace::Over => SizeHint::with_exact(0),
            _ => SizeHint::default(),
        }
    }
}
