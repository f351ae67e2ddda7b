//! One direction of a connection, followed by the heads of its HTTP/2 frames (RFC 9113, 3.4 and 4.1): whether something is begun and
//! not whole, and how much of it asks for nothing and answers nothing.
//!
//! Must never: judge what a frame says, or keep any of it: that is the protocol's own work. Pure: no clock, no I/O.

/// The connection preface of a client (RFC 9113, 3.4).
const PREFACE: usize = 24;
const HEAD: u32 = 9;
const DATA: u32 = 0x0;
const HEADERS: u32 = 0x1;
const RST_STREAM: u32 = 0x3;
const CONTINUATION: u32 = 0x9;
/// So many frames that ask for nothing may come with each request: acknowledgements, windows, measures of the way. A stream that is
/// reset weighs as much: who resets what it has begun is even, who has every stream refused is not.
const WITH_A_REQUEST: u32 = 8;

/// The frames of one connection so far.
#[derive(Debug)]
pub(super) struct Frames {
    at: At,
    whole: u64,
    idle: u32,
}

#[derive(Debug, Clone, Copy)]
enum At {
    Preface {
        left: usize,
    },
    /// `word` gathers the length and the type, the first four bytes.
    Head {
        seen: u32,
        word: u32,
    },
    Payload {
        left: usize,
    },
}

/// Between two frames.
const BETWEEN: At = At::Head { seen: 0, word: 0 };

/// What has begun and is not whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unfinished {
    /// The preface with the first frame, which is a client's SETTINGS.
    Handshake,
    /// The frame with this number.
    Frame(u64),
}

impl Frames {
    /// What a client sends.
    pub(super) fn of_a_client() -> Self {
        Self { at: At::Preface { left: PREFACE }, whole: 0, idle: 0 }
    }

    /// What a server sends.
    pub(super) fn of_a_server() -> Self {
        Self { at: BETWEEN, whole: 0, idle: 0 }
    }

    /// This was sent.
    pub(super) fn follow(&mut self, mut bytes: &[u8]) {
        while let Some((byte, rest)) = bytes.split_first() {
            match self.at {
                At::Preface { left } => match skip(left, &mut bytes) {
                    0 => self.at = BETWEEN,
                    left => self.at = At::Preface { left },
                },
                At::Head { seen, word } => {
                    bytes = rest;
                    let word = if seen < 4 { word << 8 | u32::from(*byte) } else { word };
                    self.at = At::Head { seen: seen + 1, word };
                    if seen + 1 == HEAD {
                        self.begun(word >> 8, word & 0xff);
                    }
                }
                At::Payload { left } => match skip(left, &mut bytes) {
                    0 => self.ended(),
                    left => self.at = At::Payload { left },
                },
            }
        }
    }

    /// What is begun and not whole.
    pub(super) fn unfinished(&self) -> Option<Unfinished> {
        match self.at {
            _ if self.whole == 0 => Some(Unfinished::Handshake),
            At::Head { seen: 0, .. } => None,
            _ => Some(Unfinished::Frame(self.whole)),
        }
    }

    /// How many frames that ask for nothing were sent beyond what goes with requests, since [`Frames::forget_idle`].
    pub(super) fn idle(&self) -> u32 {
        self.idle
    }

    /// Counts them anew.
    pub(super) fn forget_idle(&mut self) {
        self.idle = 0;
    }

    fn begun(&mut self, length: u32, kind: u32) {
        match kind {
            HEADERS => self.idle = self.idle.saturating_sub(WITH_A_REQUEST),
            // The protocol itself bounds the one by its window, the other by the size of a header block.
            DATA if length > 0 => {}
            CONTINUATION => {}
            RST_STREAM => self.idle = self.idle.saturating_add(WITH_A_REQUEST),
            _ => self.idle = self.idle.saturating_add(1),
        }
        match usize::try_from(length) {
            Ok(left) if left > 0 => self.at = At::Payload { left },
            _ => self.ended(),
        }
    }

    fn ended(&mut self) {
        self.whole = self.whole.saturating_add(1);
        self.at = BETWEEN;
    }
}

/// Leaves out up to `left` bytes; how many are still to come.
fn skip(left: usize, bytes: &mut &[u8]) -> usize {
    let here = left.min(bytes.len());
    *bytes = bytes.get(here..).unwrap_or_default();
    left - here
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    const OPENING: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\x06\x04\0\0\0\0\0\0\x03\0\0\0\x01";

    fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        [&length[1..], &[kind, 0, 0, 0, 0, 1], payload].concat()
    }

    #[test]
    fn a_handshake_is_whole_with_the_first_frame_however_it_is_cut() {
        for pieces in 1..=OPENING.len() {
            let mut frames = Frames::of_a_client();
            for piece in OPENING.chunks(pieces) {
                assert_eq!(frames.unfinished(), Some(Unfinished::Handshake));
                frames.follow(piece);
            }
            assert_eq!(frames.unfinished(), None);
        }
    }

    #[test]
    fn a_frame_is_unfinished_from_its_first_byte_to_its_last_and_each_has_its_own_number() {
        let mut frames = Frames::of_a_client();
        frames.follow(OPENING);
        for number in 1..4 {
            let bytes = frame(0, &[7; 300]);
            let (last, first) = bytes.split_last().unwrap();
            for byte in first {
                frames.follow(&[*byte]);
                assert_eq!(frames.unfinished(), Some(Unfinished::Frame(number)));
            }
            frames.follow(&[*last]);
            assert_eq!(frames.unfinished(), None);
        }
    }

    #[test]
    fn only_what_asks_for_nothing_is_idle_and_requests_make_up_for_some_of_it() {
        let mut frames = Frames::of_a_client();
        frames.follow(OPENING);
        frames.forget_idle();
        let (ping, headers, data) = (frame(6, &[0; 8]), frame(1, b"x"), frame(0, b"x"));
        frames.follow(&[headers.clone(), data.clone(), frame(9, b"x")].concat());
        assert_eq!(frames.idle(), 0);
        (0..20).for_each(|_| frames.follow(&ping));
        assert_eq!(frames.idle(), 20);
        frames.follow(&headers);
        assert_eq!(frames.idle(), 20 - WITH_A_REQUEST);
        frames.follow(&frame(0, b""));
        assert_eq!(frames.idle(), 21 - WITH_A_REQUEST, "an empty DATA frame brings nothing");
    }

    #[test]
    fn who_resets_what_it_has_begun_is_even_and_who_refuses_everything_is_not() {
        let (headers, reset) = (frame(1, b"x"), frame(3, &[0; 4]));
        let mut client = Frames::of_a_client();
        client.follow(OPENING);
        (0..1000).for_each(|_| client.follow(&[headers.clone(), reset.clone()].concat()));
        assert_eq!(client.idle(), WITH_A_REQUEST);
        let mut server = Frames::of_a_server();
        (0..1000).for_each(|_| server.follow(&reset));
        assert_eq!(server.idle(), 1000 * WITH_A_REQUEST);
    }
}
