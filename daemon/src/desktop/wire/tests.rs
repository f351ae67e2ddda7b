//! The words of D-Bus, against bytes that other programs write.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use proptest::prelude::*;

use super::*;

const SERVICE: Service<'_> = Service { name: "a.b", path: "/c", interface: "d.e" };

/// `NotificationClosed(7, 2)` from `:1.5`, with the numbers in the other order.
const BIG_ENDIAN: &[u8] = b"B\x04\x01\x01\0\0\0\x08\0\0\0\x09\0\0\0\x48\
    \x01\x01o\0\0\0\0\x02/a\0\0\0\0\0\0\
    \x02\x01s\0\0\0\0\x03d.e\0\0\0\0\0\
    \x03\x01s\0\0\0\0\x06Closed\0\0\
    \x07\x01s\0\0\0\0\x04:1.5\0\0\0\0\
    \x08\x01g\0\x02uu\0\0\0\0\x07\0\0\0\x02";

fn one(bytes: &[u8]) -> Result<Option<Message>, Malformed> {
    take(&mut bytes.to_vec())
}

/// A call, as the answer to the call of serial 9 would be.
fn as_answer(body: &Body) -> Vec<u8> {
    answer(9, body)
}

/// The answer to a call, from `:1.2`.
pub(in crate::desktop) fn answer(to: u32, body: &Body) -> Vec<u8> {
    let mut bytes = vec![b'l', Kind::ANSWER, 0, 1];
    bytes.extend(u32::try_from(body.bytes.len()).unwrap().to_le_bytes());
    bytes.extend(77_u32.to_le_bytes());
    put_array(&mut bytes, 8, |bytes| {
        put_field(bytes, 5, "u");
        put_number(bytes, to.to_le_bytes());
        put_field(bytes, 7, "s");
        put_string(bytes, ":1.2");
        if !body.signature.is_empty() {
            put_field(bytes, 8, "g");
            put_signature(bytes, &body.signature);
        }
    });
    align(&mut bytes, 8);
    bytes.extend(&body.bytes);
    bytes
}

#[test]
fn a_call_is_written_as_the_specification_has_it() {
    let body = Body::default().string("x").unsigned(1).signed(-1);
    let wanted = b"l\x01\0\x01\x10\0\0\0\x09\0\0\0\x49\0\0\0\
        \x01\x01o\0\x02\0\0\0/c\0\0\0\0\0\0\
        \x02\x01s\0\x03\0\0\0d.e\0\0\0\0\0\
        \x03\x01s\0\x01\0\0\0M\0\0\0\0\0\0\0\
        \x06\x01s\0\x03\0\0\0a.b\0\0\0\0\0\
        \x08\x01g\0\x03sui\0\0\0\0\0\0\0\0\
        \x01\0\0\0x\0\0\0\x01\0\0\0\xff\xff\xff\xff";
    let written = call(SERVICE, "M", (9, &body));
    assert_eq!(written, wanted, "{}", written.escape_ascii());
}

#[test]
fn arrays_are_written_as_the_specification_has_it() {
    let strings = Body::default().strings(&["ab", ""]);
    assert_eq!(strings.bytes, b"\x0d\0\0\0\x02\0\0\0ab\0\0\0\0\0\0\0");
    assert_eq!(Body::default().strings(&[]).bytes, [0; 4]);
    let options = Body::default().options(&[("u", Variant::Byte(1)), ("r", Variant::Boolean(true))]);
    assert_eq!(options.bytes, b"\x20\0\0\0\0\0\0\0\x01\0\0\0u\0\x01y\0\x01\0\0\0\0\0\0\x01\0\0\0r\0\x01b\0\0\0\0\x01\0\0\0"[..]);
    let text = Body::default().options(&[("u", Variant::String("ab"))]);
    assert_eq!(text.bytes, b"\x13\0\0\0\0\0\0\0\x01\0\0\0u\0\x01s\0\0\0\0\x02\0\0\0ab\0"[..]);
    assert_eq!(Body::default().options(&[]).bytes, [0; 8], "the first entry would be aligned");
}

#[test]
fn a_signal_in_the_other_order_of_bytes_is_read() {
    let signal = one(BIG_ENDIAN).unwrap().unwrap();
    assert_eq!(signal.kind, Kind::Signal("d.e".to_owned(), "Closed".to_owned()));
    assert_eq!(signal.sender, ":1.5");
    let mut body = signal.body("uu").unwrap();
    assert_eq!((body.unsigned(), body.unsigned(), body.unsigned()), (Some(7), Some(2), None));
    assert!(signal.body("us").is_none());
}

#[test]
fn what_is_no_message_or_too_long_is_told_before_it_is_taken_in() {
    for bad in [
        *b"x\x02\0\x01\0\0\0\0\x01\0\0\0\0\0\0\0",
        *b"l\x02\0\x02\0\0\0\0\x01\0\0\0\0\0\0\0",
        *b"l\x02\0\x01\x01\0\x01\0\x01\0\0\0\0\0\0\0",
        *b"l\x02\0\x01\0\0\0\0\x01\0\0\0\x01\0\x01\0",
        *b"l\x02\0\x01\xff\xff\xff\xff\x01\0\0\0\xff\xff\xff\xff",
        // an answer to nothing, and a message of no type
        *b"l\x02\0\x01\0\0\0\0\x01\0\0\0\0\0\0\0",
        *b"l\x00\0\x01\0\0\0\0\x01\0\0\0\0\0\0\0",
    ] {
        assert_eq!(one(&bad), Err(Malformed), "{}", bad.escape_ascii());
    }
}

#[test]
fn messages_come_out_one_by_one_and_not_before_they_are_whole() {
    let answer = as_answer(&Body::default().strings(&["actions", "body"]));
    let mut inbox = Vec::new();
    for byte in answer.iter().chain(BIG_ENDIAN) {
        inbox.push(*byte);
        if inbox.len() < answer.len() {
            assert_eq!(take(&mut inbox), Ok(None));
        }
    }
    let first = take(&mut inbox).unwrap().unwrap();
    assert_eq!((first.kind.clone(), first.sender.as_str()), (Kind::Answer(9), ":1.2"));
    assert_eq!(first.body("as").unwrap().strings(), Some(vec!["actions", "body"]));
    assert_eq!(inbox, BIG_ENDIAN);
    assert!(take(&mut inbox).unwrap().is_some());
    assert!(inbox.is_empty());
}

proptest! {
    #[test]
    fn whatever_comes_is_read_or_refused_and_never_held_beyond_its_length(
        begin in prop_oneof![Just(Vec::new()), Just(BIG_ENDIAN.to_vec()), Just(as_answer(&Body::default().strings(&["a", "b"])))],
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        more in proptest::collection::vec(any::<u8>(), 0..64),
    ) {
        let mut inbox = [begin, more].concat();
        for (at, byte) in changes {
            if !inbox.is_empty() {
                let at = at.index(inbox.len());
                inbox[at] = byte;
            }
        }
        let before = inbox.len();
        match take(&mut inbox) {
            Ok(Some(message)) => {
                prop_assert!(inbox.len() + 16 <= before);
                let _ = message.body("as").and_then(|mut body| body.strings());
                let _ = message.body("us").and_then(|mut body| (body.unsigned(), body.string()).1.map(drop));
            }
            Ok(None) => prop_assert_eq!(inbox.len(), before),
            Err(Malformed) => {}
        }
    }

    #[test]
    fn what_is_written_is_read_again(texts in proptest::collection::vec("[^\0]{0,20}", 0..6), number: u32, text in "[^\0]{0,40}") {
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let list = one(&as_answer(&Body::default().strings(&texts))).unwrap().unwrap();
        prop_assert_eq!(list.body("as").unwrap().strings(), Some(texts));
        let pair = one(&as_answer(&Body::default().unsigned(number).string(&text))).unwrap().unwrap();
        let mut body = pair.body("us").unwrap();
        prop_assert_eq!((body.unsigned(), body.string()), (Some(number), Some(text.as_str())));
    }
}
