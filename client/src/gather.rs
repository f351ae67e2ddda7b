//! A stream whose small writes go out together.
//!
//! The HTTP/2 client learns only while it writes a request's head that its body may follow, so that each small call would cost two
//! writes and wake the daemon twice. Here the first flush waits for one turn of the runtime, in which the body comes.
//!
//! Must never: hold bytes back for longer than that turn, or change them.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// More than this goes out at once.
const MOST: usize = 16 * 1024;

/// The stream, and what is written and not yet sent.
#[derive(Debug)]
pub(crate) struct Gathered<S> {
    stream: S,
    held: Vec<u8>,
    /// How much of `held` has been sent.
    sent: usize,
    /// A flush has waited for its turn.
    waited: bool,
}

impl<S: AsyncWrite + Unpin> Gathered<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self { stream, held: Vec::new(), sent: 0, waited: false }
    }

    fn poll_send(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(rest) = self.held.get(self.sent..).filter(|rest| !rest.is_empty()) {
            match ready!(Pin::new(&mut self.stream).poll_write(context, rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                sent => self.sent += sent,
            }
        }
        self.held.clear();
        (self.sent, self.waited) = (0, false);
        Poll::Ready(Ok(()))
    }

    /// Room for one more write.
    fn poll_room(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.held.len() < MOST { Poll::Ready(Ok(())) } else { self.poll_send(context) }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Gathered<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Gathered<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.poll_room(context))?;
        self.held.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_room(context))?;
        slices.iter().for_each(|slice| self.held.extend_from_slice(slice));
        Poll::Ready(Ok(slices.iter().map(|slice| slice.len()).sum()))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.held.is_empty() && !self.waited {
            self.waited = true;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        ready!(self.poll_send(context))?;
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_send(context))?;
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use proptest::prelude::*;
    use std::task::Waker;
    use tokio::io::AsyncWriteExt as _;

    /// Takes so many bytes of each write, and keeps each write.
    struct Taker {
        writes: Vec<Vec<u8>>,
        at_once: usize,
        full: bool,
    }

    fn taking(at_once: usize) -> Gathered<Taker> {
        Gathered::new(Taker { writes: Vec::new(), at_once, full: false })
    }

    impl AsyncWrite for Taker {
        fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
            if self.full {
                return Poll::Pending;
            }
            let taken = bytes.len().min(self.at_once);
            self.writes.push(bytes.iter().take(taken).copied().collect());
            Poll::Ready(Ok(taken))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    fn poll(gathered: &mut Gathered<Taker>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(gathered).poll_write(&mut Context::from_waker(Waker::noop()), bytes)
    }

    fn flush(gathered: &mut Gathered<Taker>) -> Poll<io::Result<()>> {
        Pin::new(gathered).poll_flush(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn what_is_written_in_the_turn_after_a_flush_goes_out_with_it() {
        let mut gathered = taking(usize::MAX);
        for _ in 0..3 {
            assert!(poll(&mut gathered, b"head").is_ready());
            assert!(flush(&mut gathered).is_pending(), "it waits for one turn");
            assert!(poll(&mut gathered, b"body").is_ready());
            assert!(flush(&mut gathered).is_ready(), "and no more");
            assert!(flush(&mut gathered).is_ready(), "nothing is held");
        }
        assert_eq!(gathered.stream.writes, [b"headbody"; 3]);
    }

    #[tokio::test]
    async fn a_flush_that_waits_wakes_itself() {
        let mut gathered = taking(usize::MAX);
        gathered.write_all(b"head").await.unwrap();
        gathered.flush().await.unwrap();
        assert_eq!(gathered.stream.writes, [b"head"]);
    }

    #[tokio::test]
    async fn who_shuts_down_has_sent_all() {
        let mut gathered = taking(3);
        gathered.write_all(b"goodbye").await.unwrap();
        gathered.shutdown().await.unwrap();
        assert_eq!(gathered.stream.writes.concat(), b"goodbye");
    }

    #[test]
    fn a_peer_that_does_not_read_holds_the_writer_and_not_its_memory() {
        let mut gathered = taking(usize::MAX);
        gathered.stream.full = true;
        let written = (0..100).take_while(|_| poll(&mut gathered, &[0; 1024]).is_ready()).count();
        assert_eq!(written, MOST / 1024);
        gathered.stream.full = false;
        assert!(poll(&mut gathered, &[0; 1024]).is_ready());
        assert_eq!(gathered.stream.writes.concat().len(), MOST);
    }

    proptest! {
        #[test]
        fn bytes_come_out_as_they_went_in(
            pieces in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..5000), any::<bool>()), 0..20),
            at_once in 1..6000_usize,
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let mut gathered = taking(at_once);
            runtime.block_on(async {
                for (piece, flushed) in &pieces {
                    gathered.write_all(piece).await.unwrap();
                    if *flushed {
                        gathered.flush().await.unwrap();
                    }
                }
                gathered.flush().await.unwrap();
            });
            let whole: Vec<u8> = pieces.into_iter().flat_map(|(piece, _)| piece).collect();
            prop_assert_eq!(gathered.stream.writes.concat(), whole);
        }
    }
}
