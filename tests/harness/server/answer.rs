//! An answer as a value: built right, and then spoilt on purpose where a script says so.
//!
//! Must never: decide what is granted. That is the book's work.

use serde_json::Value;

/// A complete answer, and what the log calls it.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) content: Content,
    /// What the server decided: `ok`, an OAuth error, or the name of a misbehaviour.
    pub(super) outcome: String,
}

/// What an answer says.
#[derive(Debug, Clone)]
pub(super) enum Content {
    /// Members in order; a name may stand twice (D42).
    Json(Members),
    /// The same, form-encoded (GitHub without an `Accept` header).
    Form(Members),
    /// Anything else.
    Text { content_type: String, text: String },
}

/// The members of a JSON object, in order.
pub(super) type Members = Vec<(String, Value)>;

/// What can be wrong with an answer that is right otherwise: it holds real new tokens.
#[derive(Debug, Clone)]
pub enum Spoilt {
    /// A member is missing.
    Without(&'static str),
    /// A member has this value, whether it was there or not: `With("token_type", json!("mac"))`.
    With(&'static str, Value),
    /// A member stands twice: first as it should be, then with this value (D42).
    Twice(&'static str, Value),
    /// A member goes by another name.
    Renamed(&'static str, &'static str),
    /// A member's text holds a control character (D39).
    ControlCharacterIn(&'static str),
    /// Every number is a string of digits (D38).
    NumbersAsStrings,
    /// `application/x-www-form-urlencoded` in the place of JSON.
    FormEncoded,
    /// This `Content-Type` over the same body.
    ContentType(&'static str),
    /// This status over the same body.
    Status(u16),
    /// This text before the body: a byte order mark, an XSSI guard.
    Preceded(&'static str),
}

impl Answer {
    pub(super) fn json(status: u16, members: Members) -> Self {
        Self { status, headers: Vec::new(), content: Content::Json(members), outcome: "ok".to_owned() }
    }

    pub(super) fn error(status: u16, error: &str) -> Self {
        Self { outcome: error.to_owned(), ..Self::json(status, vec![member("error", error)]) }
    }

    pub(super) fn html(status: u16, text: String) -> Self {
        let content = Content::Text { content_type: "text/html; charset=utf-8".to_owned(), text };
        Self {
            status,
            headers: Vec::new(),
            content,
            outcome: if status < 400 { "ok".to_owned() } else { format!("status {status}") },
        }
    }

    pub(super) fn text(status: u16, content_type: &str, text: String) -> Self {
        let content = Content::Text { content_type: content_type.to_owned(), text };
        Self { status, headers: Vec::new(), content, outcome: format!("status {status}") }
    }

    pub(super) fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(super) fn called(mut self, outcome: &str) -> Self {
        outcome.clone_into(&mut self.outcome);
        self
    }

    pub(super) fn is_success(&self) -> bool {
        self.outcome == "ok"
    }

    pub(super) fn spoilt(self, spoilt: &[Spoilt]) -> Self {
        spoilt.iter().fold(self, Self::spoilt_once)
    }

    fn spoilt_once(mut self, spoilt: &Spoilt) -> Self {
        match spoilt {
            Spoilt::Status(status) => self.status = *status,
            Spoilt::ContentType(content_type) => {
                self.content = Content::Text { content_type: (*content_type).to_owned(), text: self.content.into_text().1 };
            }
            Spoilt::Preceded(by) => {
                let (content_type, text) = self.content.into_text();
                self.content = Content::Text { content_type, text: format!("{by}{text}") };
            }
            Spoilt::FormEncoded => {
                if let Content::Json(members) = self.content {
                    self.content = Content::Form(members);
                }
            }
            of_members => {
                if let Content::Json(members) | Content::Form(members) = &mut self.content {
                    spoil_members(members, of_members);
                }
            }
        }
        self
    }
}

impl Content {
    /// The `Content-Type`, and the body.
    pub(super) fn into_text(self) -> (String, String) {
        match self {
            Self::Json(members) => ("application/json".to_owned(), json_text(&members)),
            Self::Form(members) => {
                let mut form = url::form_urlencoded::Serializer::new(String::new());
                for (name, value) in &members {
                    form.append_pair(name, value.as_str().map_or_else(|| value.to_string(), str::to_owned).as_str());
                }
                ("application/x-www-form-urlencoded".to_owned(), form.finish())
            }
            Self::Text { content_type, text } => (content_type, text),
        }
    }
}

/// One member of an answer.
pub(super) fn member(name: &str, value: impl Into<Value>) -> (String, Value) {
    (name.to_owned(), value.into())
}

/// Written by hand: `serde_json`'s map would lose the second of two members of one name.
fn json_text(members: &Members) -> String {
    let written: Vec<String> = members.iter().map(|(name, value)| format!("{}:{value}", Value::from(name.as_str()))).collect();
    format!("{{{}}}", written.join(","))
}

fn spoil_members(members: &mut Members, spoilt: &Spoilt) {
    match spoilt {
        Spoilt::Without(name) => members.retain(|(found, _)| found != name),
        Spoilt::With(name, value) => match members.iter_mut().find(|(found, _)| found == name) {
            Some((_, old)) => *old = value.clone(),
            None => members.push(member(name, value.clone())),
        },
        Spoilt::Twice(name, value) => members.push(member(name, value.clone())),
        Spoilt::Renamed(from, to) => {
            for (found, _) in members.iter_mut().filter(|(found, _)| found == from) {
                (*to).clone_into(found);
            }
        }
        Spoilt::ControlCharacterIn(name) => {
            for (_, value) in members.iter_mut().filter(|(found, _)| found == name) {
                *value = Value::from(format!("{}\r\nX-Injected: 1", value.as_str().unwrap_or_default()));
            }
        }
        Spoilt::NumbersAsStrings => {
            for (_, value) in members.iter_mut().filter(|(_, value)| value.is_number()) {
                *value = Value::from(value.to_string());
            }
        }
        Spoilt::FormEncoded | Spoilt::ContentType(_) | Spoilt::Status(_) | Spoilt::Preceded(_) => {}
    }
}
