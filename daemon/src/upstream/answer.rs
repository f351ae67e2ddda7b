//! An answer as it comes in: its body counted while it streams (D6), kept in memory that is wiped.
//!
//! No compression is asked for, so what is counted is what is kept. Must never: show a body, or go on past the limit.

use bytes::Bytes;
use mcp_authd_oauth::http::{AnswerLost, Body, HttpAnswer};
use mcp_authd_oauth::reach::Reach;
use reqwest::Response;
use reqwest::header::{CONTENT_TYPE, HeaderName, RETRY_AFTER, WWW_AUTHENTICATE};
use zeroize::{Zeroize, Zeroizing};

/// More challenges than this are not looked at.
const MOST_CHALLENGES: usize = 16;
const FIRST_ROOM: usize = 4 * 1024;

/// Reads the whole answer.
pub(super) async fn read(mut response: Response, limit: usize) -> Result<HttpAnswer, AnswerLost> {
    let announced = response.content_length().map(|length| usize::try_from(length).unwrap_or(usize::MAX));
    if announced.is_some_and(|length| length > limit) {
        return Err(AnswerLost::TooLarge(limit));
    }
    let mut body = Zeroizing::new(Vec::with_capacity(announced.unwrap_or(FIRST_ROOM)));
    // A body shorter than its Content-Length, or without its last chunk, is an error here: never half an answer (D56).
    while let Some(chunk) = response.chunk().await.map_err(|_| AnswerLost::ConnectionEnded)? {
        if chunk.len() > limit - body.len() {
            return Err(AnswerLost::TooLarge(limit));
        }
        make_room(&mut body, chunk.len());
        body.extend_from_slice(&chunk);
        wipe(chunk);
    }
    Ok(HttpAnswer { body: Body::new(std::mem::take(&mut *body)), ..head(&response) })
}

/// The answer without its body, which may be a stream that never ends.
pub(super) fn head(response: &Response) -> HttpAnswer {
    HttpAnswer {
        status: response.status().as_u16(),
        content_type: header(response, &CONTENT_TYPE),
        retry_after: header(response, &RETRY_AFTER),
        www_authenticate: challenges(response),
        peer: response.remote_addr().map_or(Reach::Public, |peer| Reach::of_address(peer.ip())),
        body: Body::new(Vec::new()),
    }
}

/// A description may hold more than ASCII, although it must not (RFC 6750, section 3): the rest counts all the same.
fn challenges(response: &Response) -> Vec<String> {
    let values = response.headers().get_all(WWW_AUTHENTICATE).iter().take(MOST_CHALLENGES);
    values.filter_map(|value| std::str::from_utf8(value.as_bytes()).ok()).map(str::to_owned).collect()
}

fn header(response: &Response, name: &HeaderName) -> Option<String> {
    response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
}

/// Grows by hand: a `Vec` that grows by itself leaves its old content behind, unwiped.
fn make_room(body: &mut Zeroizing<Vec<u8>>, more: usize) {
    if body.capacity() - body.len() < more {
        let mut larger = Zeroizing::new(Vec::with_capacity((body.len() + more).max(body.capacity() * 2)));
        larger.extend_from_slice(body);
        *body = larger;
    }
}

/// Wipes a part of the network buffer where nobody else holds it: the best that can be done from here (P9).
fn wipe(chunk: Bytes) {
    if let Ok(mut bytes) = chunk.try_into_mut() {
        bytes.as_mut().zeroize();
    }
}
