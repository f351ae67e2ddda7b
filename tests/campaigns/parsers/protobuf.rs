//! Changes a protobuf message so that it still is one: the lengths hold, text is text.
//!
//! Bytes alone hardly ever get behind the decoder; what lies behind it is what a caller meets.

use super::Mutator;
use crate::random::Random;

/// The value of a field; the other wire types do not occur in `authd.v1`.
enum Value {
    Number(u64),
    Bytes(Vec<u8>),
}

/// A message with one field changed, doubled or left out, however deep.
pub(crate) fn changed(message: &[u8], mutator: &Mutator, random: &mut Random) -> Vec<u8> {
    let Some(mut fields) = fields(message).filter(|fields| !fields.is_empty()) else { return message.to_vec() };
    let at = random.below(fields.len());
    match random.below(10) {
        0 => drop(fields.remove(at)),
        1 => {
            let again = encoded(&fields[at..=at]);
            return [message, &again].concat();
        }
        _ => match &mut fields[at].1 {
            Value::Number(number) => *number = if random.below(2) == 0 { random.number() } else { random.number() % 8 },
            Value::Bytes(bytes) if random.below(2) == 0 && self::fields(bytes).is_some_and(|inner| !inner.is_empty()) => {
                *bytes = changed(bytes, mutator, random);
            }
            Value::Bytes(bytes) => {
                mutator.change(bytes, random);
                *bytes = String::from_utf8_lossy(bytes).into_owned().into_bytes();
            }
        },
    }
    encoded(&fields)
}

fn fields(mut message: &[u8]) -> Option<Vec<(u64, Value)>> {
    let mut fields = Vec::new();
    while !message.is_empty() {
        let tag = varint(&mut message)?;
        let value = match tag & 7 {
            0 => Value::Number(varint(&mut message)?),
            2 => {
                let length = usize::try_from(varint(&mut message)?).ok()?;
                let (bytes, rest) = message.split_at_checked(length)?;
                message = rest;
                Value::Bytes(bytes.to_vec())
            }
            _ => return None,
        };
        fields.push((tag, value));
    }
    Some(fields)
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

fn encoded(fields: &[(u64, Value)]) -> Vec<u8> {
    let mut message = Vec::new();
    for (tag, value) in fields {
        put(*tag, &mut message);
        match value {
            Value::Number(number) => put(*number, &mut message),
            Value::Bytes(bytes) => {
                put(u64::try_from(bytes.len()).expect("it fits"), &mut message);
                message.extend_from_slice(bytes);
            }
        }
    }
    message
}

fn put(mut number: u64, into: &mut Vec<u8>) {
    while number >= 0x80 {
        into.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    into.push(number.to_le_bytes()[0]);
}

#[test]
fn a_message_is_read_and_written_as_it_is_and_a_changed_one_still_decodes() {
    use mcp_authd_proto::v1;
    use prost::Message as _;
    let need = v1::Need { scopes: vec!["a".to_owned(), "b".repeat(300)], client_name: "c".to_owned(), ..v1::Need::default() };
    let message = v1::GetTokenRequest { need: Some(need), sign_in: 3, ..v1::GetTokenRequest::default() }.encode_to_vec();
    assert_eq!(encoded(&fields(&message).unwrap()), message);
    let (mutator, mut random) = (Mutator::new(vec![message.clone()], &["x"]), Random::of(1));
    let made: Vec<_> = (0..1000).map(|_| changed(&message, &mutator, &mut random)).collect();
    let decoded = made.iter().filter(|made| v1::GetTokenRequest::decode(made.as_slice()).is_ok()).count();
    assert!(decoded > 600, "{decoded}");
}
