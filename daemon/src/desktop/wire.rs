//! The words of D-Bus, as far as they are spoken here (D-Bus specification 0.43, "Type System" and "Message Protocol"): method calls
//! out; answers, errors and signals in.
//!
//! Must never: believe a length that the other end tells, or take in more than [`LARGEST`].

/// No message that is for us is longer.
pub(super) const LARGEST: usize = 64 * 1024;

/// What a message holds, with its signature.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Body {
    signature: String,
    bytes: Vec<u8>,
}

/// A value whose type stands beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Variant<'t> {
    /// `y`
    Byte(u8),
    /// `b`
    Boolean(bool),
    /// `s`
    String(&'t str),
}

impl Body {
    /// `s`
    pub(super) fn string(mut self, text: &str) -> Self {
        self.signature.push('s');
        put_string(&mut self.bytes, text);
        self
    }

    /// `u`
    pub(super) fn unsigned(mut self, number: u32) -> Self {
        self.signature.push('u');
        put_number(&mut self.bytes, number.to_le_bytes());
        self
    }

    /// `i`
    pub(super) fn signed(mut self, number: i32) -> Self {
        self.signature.push('i');
        put_number(&mut self.bytes, number.to_le_bytes());
        self
    }

    /// `as`
    pub(super) fn strings(mut self, texts: &[&str]) -> Self {
        self.signature.push_str("as");
        put_array(&mut self.bytes, 4, |bytes| texts.iter().for_each(|text| put_string(bytes, text)));
        self
    }

    /// `a{sv}`
    pub(super) fn options(mut self, options: &[(&str, Variant<'_>)]) -> Self {
        self.signature.push_str("a{sv}");
        put_array(&mut self.bytes, 8, |bytes| {
            for (key, value) in options {
                align(bytes, 8);
                put_string(bytes, key);
                match value {
                    Variant::Byte(byte) => {
                        put_signature(bytes, "y");
                        bytes.push(*byte);
                    }
                    Variant::Boolean(truth) => {
                        put_signature(bytes, "b");
                        put_number(bytes, u32::from(*truth).to_le_bytes());
                    }
                    Variant::String(text) => {
                        put_signature(bytes, "s");
                        put_string(bytes, text);
                    }
                }
            }
        });
        self
    }
}

/// Whom a method call is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Service<'n> {
    /// Its name on the bus.
    pub(super) name: &'n str,
    /// The object.
    pub(super) path: &'static str,
    /// Whose methods and signals.
    pub(super) interface: &'static str,
}

/// A method call that wants an answer.
pub(super) fn call(service: Service<'_>, method: &str, (serial, body): (u32, &Body)) -> Vec<u8> {
    let length = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes();
    let mut bytes = vec![b'l', Kind::CALL, 0, 1];
    bytes.extend(length(&body.bytes));
    bytes.extend(serial.to_le_bytes());
    put_array(&mut bytes, 8, |bytes| {
        let texts = [(1, "o", service.path), (2, "s", service.interface), (3, "s", method), (6, "s", service.name)];
        for (field, signature, text) in texts {
            put_field(bytes, field, signature);
            put_string(bytes, text);
        }
        if !body.signature.is_empty() {
            put_field(bytes, 8, "g");
            put_signature(bytes, &body.signature);
        }
    });
    align(&mut bytes, 8);
    bytes.extend(&body.bytes);
    bytes
}

fn put_field(bytes: &mut Vec<u8>, field: u8, signature: &str) {
    align(bytes, 8);
    bytes.push(field);
    put_signature(bytes, signature);
}

fn align(bytes: &mut Vec<u8>, to: usize) {
    bytes.resize(bytes.len().next_multiple_of(to), 0);
}

fn put_number(bytes: &mut Vec<u8>, number: [u8; 4]) {
    align(bytes, 4);
    bytes.extend(number);
}

fn put_string(bytes: &mut Vec<u8>, text: &str) {
    // "The UTF-8 string must not contain NUL bytes."
    let text = text.split('\0').next().unwrap_or_default();
    put_number(bytes, u32::try_from(text.len()).unwrap_or(u32::MAX).to_le_bytes());
    bytes.extend(text.as_bytes());
    bytes.push(0);
}

fn put_signature(bytes: &mut Vec<u8>, signature: &str) {
    bytes.push(u8::try_from(signature.len()).unwrap_or(u8::MAX));
    bytes.extend(signature.as_bytes());
    bytes.push(0);
}

/// Its length counts from the first element, which is aligned even where there is none.
fn put_array(bytes: &mut Vec<u8>, alignment: usize, put: impl FnOnce(&mut Vec<u8>)) {
    put_number(bytes, [0; 4]);
    let place = bytes.len() - 4;
    align(bytes, alignment);
    let begin = bytes.len();
    put(bytes);
    let length = u32::try_from(bytes.len() - begin).unwrap_or(u32::MAX);
    if let Some(written) = bytes.get_mut(place..place + 4) {
        written.copy_from_slice(&length.to_le_bytes());
    }
}

/// A message that has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Message {
    /// What it is.
    pub(super) kind: Kind,
    /// Who sends it, by the unique name that the bus gave.
    pub(super) sender: String,
    order: Order,
    signature: String,
    body: Vec<u8>,
}

/// What a message is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// The answer to the call of this serial.
    Answer(u32),
    /// The same, an error: its name.
    Error(u32, String),
    /// A signal: its interface and its name.
    Signal(String, String),
    /// A call, or something newer.
    Other,
}

impl Kind {
    const CALL: u8 = 1;
    const ANSWER: u8 = 2;
    const ERROR: u8 = 3;
    const SIGNAL: u8 = 4;
}

/// What D-Bus does not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed;

/// Takes the first message out of what has come. `None`: not all of it has.
///
/// # Errors
/// Where it is none, or too long.
pub(super) fn take(inbox: &mut Vec<u8>) -> Result<Option<Message>, Malformed> {
    let Some(length) = length(inbox)? else { return Ok(None) };
    if inbox.len() < length {
        return Ok(None);
    }
    let bytes: Vec<u8> = inbox.drain(..length).collect();
    message(&bytes).map(Some).ok_or(Malformed)
}

/// The length of the message that begins here, once it can be known.
fn length(inbox: &[u8]) -> Result<Option<usize>, Malformed> {
    let Some(begin) = inbox.get(..16) else { return Ok(None) };
    let mut reader = Reader::of_message(begin).ok_or(Malformed)?;
    let mut numbers = || reader.unsigned().and_then(|number| usize::try_from(number).ok()).ok_or(Malformed);
    let (body, _, fields) = (numbers()?, numbers()?, numbers()?);
    if body > LARGEST || fields > LARGEST {
        return Err(Malformed);
    }
    Ok(Some((16 + fields).next_multiple_of(8) + body))
}

fn message(bytes: &[u8]) -> Option<Message> {
    let kind = *bytes.get(1)?;
    let mut reader = Reader::of_message(bytes)?;
    let order = reader.order;
    let (_body, _serial, fields) = (reader.unsigned()?, reader.unsigned()?, reader.unsigned()?);
    let end = reader.at + usize::try_from(fields).ok()?;
    let mut texts = std::collections::BTreeMap::new();
    let mut answers = None;
    while reader.at < end {
        reader.align(8)?;
        let field = reader.byte()?;
        match (field, reader.signature()?) {
            (5, "u") => answers = Some(reader.unsigned()?),
            (8, "g") => drop(texts.insert(field, reader.signature()?)),
            (_, "s" | "o") => drop(texts.insert(field, reader.string()?)),
            // Unknown fields must be ignored; what the bus may add by itself is a plain value.
            (_, "g") => drop(reader.signature()?),
            (_, "u" | "i" | "b" | "h") => drop(reader.unsigned()?),
            (_, "y") => drop(reader.byte()?),
            _ => return None,
        }
    }
    if reader.at != end {
        return None;
    }
    reader.align(8)?;
    let mut text = |field| texts.remove(&field).unwrap_or_default().to_owned();
    let kind = match kind {
        0 => return None,
        Kind::ANSWER => Kind::Answer(answers?),
        Kind::ERROR => Kind::Error(answers?, text(4)),
        Kind::SIGNAL => Kind::Signal(text(2), text(3)),
        _ => Kind::Other,
    };
    Some(Message { kind, sender: text(7), order, signature: text(8), body: reader.rest.to_vec() })
}

impl Message {
    /// What it holds, where that has this signature.
    pub(super) fn body(&self, signature: &str) -> Option<Reader<'_>> {
        (self.signature == signature).then_some(Reader { rest: &self.body, at: 0, order: self.order })
    }
}

/// Whose first byte of a number comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Little,
    Big,
}

/// Reads values one after the other. `None`: there is no such value.
#[derive(Debug)]
pub(super) struct Reader<'b> {
    rest: &'b [u8],
    at: usize,
    order: Order,
}

impl<'b> Reader<'b> {
    /// After the first four bytes.
    fn of_message(bytes: &'b [u8]) -> Option<Self> {
        let order = match bytes.first()? {
            b'l' => Order::Little,
            b'B' => Order::Big,
            _ => return None,
        };
        let mut reader = Self { rest: bytes, at: 0, order };
        let is_known = reader.bytes(4)?.last() == Some(&1);
        is_known.then_some(reader)
    }

    /// `u`
    pub(super) fn unsigned(&mut self) -> Option<u32> {
        self.align(4)?;
        let bytes = self.bytes(4)?.try_into().ok()?;
        Some(match self.order {
            Order::Little => u32::from_le_bytes(bytes),
            Order::Big => u32::from_be_bytes(bytes),
        })
    }

    /// `s`, `o`
    pub(super) fn string(&mut self) -> Option<&'b str> {
        let length = usize::try_from(self.unsigned()?).ok()?;
        self.text(length)
    }

    /// `as`
    pub(super) fn strings(&mut self) -> Option<Vec<&'b str>> {
        let length = usize::try_from(self.unsigned()?).ok()?;
        let end = self.at.checked_add(length)?;
        let mut strings = Vec::new();
        while self.at < end {
            strings.push(self.string()?);
        }
        (self.at == end).then_some(strings)
    }

    fn signature(&mut self) -> Option<&'b str> {
        let length = self.byte()?;
        self.text(length.into())
    }

    fn byte(&mut self) -> Option<u8> {
        self.bytes(1)?.first().copied()
    }

    fn text(&mut self, length: usize) -> Option<&'b str> {
        let text = self.bytes(length)?;
        (self.byte()? == 0).then_some(std::str::from_utf8(text).ok()?)
    }

    fn align(&mut self, to: usize) -> Option<()> {
        self.bytes(self.at.next_multiple_of(to) - self.at).map(drop)
    }

    fn bytes(&mut self, length: usize) -> Option<&'b [u8]> {
        let (taken, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        self.at += length;
        Some(taken)
    }
}

#[cfg(test)]
pub(super) mod tests;
