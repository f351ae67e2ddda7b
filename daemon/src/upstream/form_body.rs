//! A form (or a JSON object) on its way: the body of a request that may spend a secret, with a receipt that tells whether it left
//! our hands.
//!
//! The receipt decides between "nothing was sent" and "the answer was lost" (D48, D56). The HTTP stack asks for the body only when
//! it has a connected, verified peer to write it to; before that no secret of it can have left. Must never: give the body out
//! after the request was withdrawn, or leave it in memory when the last reader is gone.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use mcp_authd_oauth::secret::SecretText;
use tokio::sync::oneshot;

/// The body, as the HTTP stack takes it: once.
pub(super) struct FormBody {
    length: u64,
    rest: Option<(Bytes, oneshot::Sender<()>)>,
}

/// Tells whether the body was handed to the peer's connection.
pub(super) struct Receipt(oneshot::Receiver<()>);

/// Bytes that are wiped when the last reader of them is gone.
pub(super) fn wiped_after_use(secret: SecretText) -> Bytes {
    struct Owner(SecretText);
    impl AsRef<[u8]> for Owner {
        fn as_ref(&self) -> &[u8] {
            self.0.expose().as_bytes()
        }
    }
    Bytes::from_owner(Owner(secret))
}

impl FormBody {
    /// The body of one request, and its receipt.
    pub(super) fn new(form: SecretText) -> (Self, Receipt) {
        let (handed, receipt) = oneshot::channel();
        let length = u64::try_from(form.expose().len()).unwrap_or(u64::MAX);
        (Self { length, rest: Some((wiped_after_use(form), handed)) }, Receipt(receipt))
    }
}

impl Receipt {
    /// Ends when the body is handed out. Never ends where the request died before.
    pub(super) async fn handed_out(&mut self) {
        if (&mut self.0).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Withdraws the body where it is not handed out yet: from here on it cannot be. Returns whether that came in time.
    pub(super) fn withdraw(&mut self) -> bool {
        self.0.close();
        self.0.try_recv().is_err()
    }
}

/// Withdrawn: our own time limit for connecting was over.
#[derive(Debug, thiserror::Error)]
#[error("the request was withdrawn before it was sent")]
pub(super) struct Withdrawn;

impl http_body::Body for FormBody {
    type Data = Bytes;
    type Error = Withdrawn;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Withdrawn>>> {
        Poll::Ready(self.rest.take().map(|(form, handed)| match handed.send(()) {
            Ok(()) => Ok(Frame::data(form)),
            Err(()) => Err(Withdrawn),
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(if self.rest.is_some() { self.length } else { 0 })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::future::poll_fn;

    use super::*;

    async fn next(body: &mut FormBody) -> Option<Result<Bytes, Withdrawn>> {
        let frame = poll_fn(|cx| http_body::Body::poll_frame(Pin::new(&mut *body), cx)).await?;
        Some(frame.map(|frame| frame.into_data().unwrap()))
    }

    #[tokio::test]
    async fn a_body_that_was_handed_out_cannot_be_withdrawn() {
        let (mut body, mut receipt) = FormBody::new(SecretText::new("a=b"));
        assert_eq!(http_body::Body::size_hint(&body).exact(), Some(3));
        assert_eq!(next(&mut body).await.unwrap().unwrap(), "a=b");
        assert!(next(&mut body).await.is_none());
        assert!(!receipt.withdraw());
    }

    #[tokio::test]
    async fn a_withdrawn_body_is_never_handed_out() {
        let (mut body, mut receipt) = FormBody::new(SecretText::new("a=b"));
        assert!(receipt.withdraw());
        assert!(next(&mut body).await.unwrap().is_err());
    }

    #[tokio::test]
    async fn a_body_that_died_with_its_connection_was_not_handed_out() {
        let (body, mut receipt) = FormBody::new(SecretText::new("a=b"));
        drop(body);
        assert!(receipt.withdraw());
    }
}
