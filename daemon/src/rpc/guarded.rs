//! A connection whose peer must come to the point: what it begins is whole in time, and it does not flood (B24, B25).
//!
//! Without it a peer that only connects holds a place for ever, and the daemon when it leaves. HTTP/2 itself notices a silent peer
//! only after the handshake.
//!
//! Must never: end a connection that is merely quiet: programs keep theirs for days.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use mcp_authd_oauth::time::Instant;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tonic::transport::server::Connected;

use super::frames::{Frames, Unfinished};
use crate::host::clock::Clock;
use crate::host::tasks::Tasks;

/// How long a handshake or a frame may take from its beginning to its end. What has arrived is looked at first, so that a daemon
/// that was stopped for a while blames nobody.
const WHOLE_WITHIN: Duration = Duration::from_secs(5);
/// So many frames that ask for nothing, in this time, are a flood. A quiet connection sends a handful, a busy one some with each request.
const FLOOD: u32 = 10_000;
const FLOOD_WITHIN: Duration = Duration::from_secs(10);

/// Guards a connection. What goes through it is not touched.
pub(super) struct Guarded<C> {
    connection: C,
    came: Frames,
    /// A server that does nothing but refuse is flooded, too.
    went: Frames,
    clock: Clock,
    tasks: Tasks,
    counted_since: Instant,
    deadline: Option<Deadline>,
}

struct Deadline {
    of: Unfinished,
    over: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl<C> Guarded<C> {
    pub(super) fn new(connection: C, clock: &Clock, tasks: &Tasks) -> Self {
        let counted_since = clock.now().instant;
        let (clock, tasks) = (clock.clone(), tasks.clone());
        let (came, went) = (Frames::of_a_client(), Frames::of_a_server());
        Self { connection, came, went, clock, tasks, counted_since, deadline: None }
    }

    /// Something came.
    fn judged(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.came.follow(bytes);
        if self.came.idle().max(self.went.idle()) < FLOOD {
            return Ok(());
        }
        let now = self.clock.now().instant;
        if now.since(self.counted_since) < FLOOD_WITHIN {
            tracing::debug!("closed a connection: a flood of frames that ask for nothing");
            return Err(io::Error::other("a flood of frames that ask for nothing"));
        }
        self.counted_since = now;
        self.came.forget_idle();
        self.went.forget_idle();
        Ok(())
    }

    /// Nothing came.
    fn poll_patience(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(of) = self.came.unfinished() else {
            self.deadline = None;
            return Poll::Pending;
        };
        let deadline = match self.deadline.take() {
            Some(deadline) if deadline.of == of => deadline,
            _ => Deadline { of, over: self.patience(of) },
        };
        match self.deadline.insert(deadline).over.as_mut().poll(context) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(()) => {
                tracing::debug!(?of, "closed a connection: its peer did not come to an end");
                Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
            }
        }
    }

    /// A leaving daemon waits for no handshake: nothing was asked yet.
    fn patience(&self, of: Unfinished) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let (clock, tasks) = (self.clock.clone(), self.tasks.clone());
        let at = clock.now().instant + WHOLE_WITHIN;
        Box::pin(async move {
            tokio::select! {
                () = clock.sleep_until(at) => {}
                () = tasks.stopping(), if of == Unfinished::Handshake => {}
            }
        })
    }
}

impl<C> fmt::Debug for Guarded<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guarded").field("came", &self.came).finish_non_exhaustive()
    }
}

impl<C: Connected> Connected for Guarded<C> {
    type ConnectInfo = C::ConnectInfo;

    fn connect_info(&self) -> C::ConnectInfo {
        self.connection.connect_info()
    }
}

impl<C: AsyncRead + Unpin> AsyncRead for Guarded<C> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        match Pin::new(&mut self.connection).poll_read(context, buffer) {
            Poll::Ready(Ok(())) => Poll::Ready(self.judged(buffer.filled().get(before..).unwrap_or_default())),
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => self.poll_patience(context),
        }
    }
}

impl<C: AsyncWrite + Unpin> AsyncWrite for Guarded<C> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.connection).poll_write(context, bytes);
        if let Poll::Ready(Ok(length)) = &written {
            self.went.follow(bytes.get(..*length).unwrap_or_default());
        }
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.connection).poll_write_vectored(context, slices);
        if let Poll::Ready(Ok(length)) = &written {
            let mut left = *length;
            for slice in slices {
                let here = left.min(slice.len());
                self.went.follow(slice.get(..here).unwrap_or_default());
                left -= here;
            }
        }
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.connection.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.connection).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.connection).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::host::clock::follows_tokio;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

    const OPENING: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    const PING: &[u8] = &[0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8];
    const LONG: Duration = Duration::from_secs(24 * 3600);

    fn guarded() -> (DuplexStream, Guarded<DuplexStream>, Tasks) {
        let (peer, connection) = duplex(64 * 1024);
        let tasks = Tasks::new();
        (peer, Guarded::new(connection, &follows_tokio(), &tasks), tasks)
    }

    /// How long the guard held out, and with what it ended.
    async fn held_out(mut guarded: Guarded<DuplexStream>) -> (Duration, io::Result<()>) {
        let begin = tokio::time::Instant::now();
        let mut buffer = [0; 1024];
        loop {
            match tokio::time::timeout(LONG, guarded.read(&mut buffer)).await {
                Err(_) => return (LONG, Ok(())),
                Ok(Ok(0)) => return (begin.elapsed(), Ok(())),
                Ok(Ok(_)) => {}
                Ok(Err(error)) => return (begin.elapsed(), Err(error)),
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_only_connects_or_says_half_is_dropped_within_ten_seconds() {
        for said in [0, 1, 12, 24, 25, OPENING.len() - 1] {
            let (mut peer, guarded, _tasks) = guarded();
            peer.write_all(OPENING.get(..said).unwrap()).await.unwrap();
            let (after, ended) = held_out(guarded).await;
            assert_eq!(ended.unwrap_err().kind(), io::ErrorKind::TimedOut, "after {said} bytes");
            assert!(after >= WHOLE_WITHIN && after < Duration::from_secs(10), "{after:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_sends_a_byte_a_second_is_dropped_within_ten_seconds() {
        let (mut peer, guarded, _tasks) = guarded();
        let drip = async {
            for byte in OPENING {
                peer.write_all(&[*byte]).await?;
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            io::Result::Ok(())
        };
        let ((after, ended), dripped) = tokio::join!(held_out(guarded), drip);
        assert!(ended.is_err() && dripped.is_err() && after < Duration::from_secs(10), "{after:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_frame_that_does_not_end_is_dropped_and_a_quiet_connection_is_kept() {
        let (mut peer, kept, _tasks) = guarded();
        peer.write_all(OPENING).await.unwrap();
        peer.write_all(PING).await.unwrap();
        assert!(matches!(held_out(kept).await, (LONG, Ok(()))));

        let (mut peer, dropped, _tasks) = guarded();
        peer.write_all(OPENING).await.unwrap();
        peer.write_all(PING.get(..16).unwrap()).await.unwrap();
        assert!(held_out(dropped).await.1.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn each_frame_has_its_own_time() {
        let (mut peer, guarded, _tasks) = guarded();
        let slowly = async {
            peer.write_all(OPENING).await.unwrap();
            for half in PING.chunks(9).cycle().take(100) {
                peer.write_all(half).await.unwrap();
                tokio::time::sleep(WHOLE_WITHIN * 9 / 10).await;
            }
            drop(peer);
        };
        let ((_, ended), ()) = tokio::join!(held_out(guarded), slowly);
        ended.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn what_has_arrived_counts_though_the_daemon_was_stopped_meanwhile() {
        let (mut peer, mut guarded, _tasks) = guarded();
        let mut buffer = [0; 1024];
        let first = tokio::time::timeout(Duration::from_secs(1), guarded.read(&mut buffer)).await;
        assert!(first.is_err(), "nothing came yet");
        peer.write_all(OPENING).await.unwrap();
        tokio::time::advance(WHOLE_WITHIN * 2).await;
        assert_eq!(guarded.read(&mut buffer).await.unwrap(), OPENING.len());
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_is_ended_and_as_many_frames_over_a_long_time_are_not() {
        for (pause, is_flood) in [(Duration::ZERO, true), (Duration::from_millis(2), false)] {
            let (mut peer, guarded, _tasks) = guarded();
            let send = async {
                peer.write_all(OPENING).await?;
                for _ in 0..FLOOD * 2 {
                    peer.write_all(PING).await?;
                    if !pause.is_zero() {
                        tokio::time::sleep(pause).await;
                    }
                }
                drop(peer);
                io::Result::Ok(())
            };
            let ((_, ended), _) = tokio::join!(held_out(guarded), send);
            assert_eq!(ended.is_err(), is_flood);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_leaving_daemon_waits_for_no_handshake() {
        let (_peer, guarded, tasks) = guarded();
        tasks.stop();
        assert!(matches!(held_out(guarded).await, (Duration::ZERO, Err(_))));
    }
}
