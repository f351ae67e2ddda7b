//! How a request is written: its body, and the names of its parameters.
//!
//! Must never: put a parameter into a URL (D64).

use std::collections::BTreeMap;

use crate::http::Method;
use crate::wire::{form, json_body};

/// How a request is written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RequestShape {
    /// What carries the parameters.
    pub body: BodyKind,
    /// Parameters of the RFCs, by their names there, that go under another name or not at all. Any other goes as it is.
    pub names: BTreeMap<String, SentAs>,
    /// Further parameters, by the names that are sent. One of a name that is sent already changes nothing.
    pub constants: BTreeMap<String, String>,
}

/// What carries the parameters of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BodyKind {
    /// `application/x-www-form-urlencoded` (RFC 6749, appendix B).
    #[default]
    Form,
    /// One flat JSON object of strings.
    Json,
    /// Nothing: a POST without a body. Then no parameter is sent at all.
    Empty,
}

/// What becomes of a parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SentAs {
    /// It goes under this name.
    Named(String),
    /// It is not sent.
    Nothing,
}

impl RequestShape {
    /// The method, with these parameters of the RFCs in its body.
    pub(crate) fn method(&self, parameters: &[(&str, &str)]) -> Method {
        match self.body {
            BodyKind::Form => Method::PostForm(form::encode(&self.written(parameters))),
            BodyKind::Json => Method::PostJson(json_body::encode(&self.written(parameters))),
            BodyKind::Empty => Method::PostEmpty,
        }
    }

    /// What goes out, under the names under which it goes: each name once. What the protocol is about goes before what only has
    /// the same name.
    fn written<'a>(&'a self, parameters: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
        let mut written: Vec<(&str, &str)> = Vec::with_capacity(parameters.len() + self.constants.len());
        for (name, value) in parameters {
            let (sent, is_renamed) = match self.names.get(*name) {
                None => (*name, false),
                Some(SentAs::Named(other)) => (other.as_str(), true),
                Some(SentAs::Nothing) => continue,
            };
            match written.iter_mut().find(|(taken, _)| *taken == sent) {
                None => written.push((sent, *value)),
                Some((_, taken)) if is_renamed => *taken = *value,
                Some(_) => {}
            }
        }
        for (name, value) in &self.constants {
            if !written.iter().any(|(sent, _)| sent == name) {
                written.push((name, value));
            }
        }
        written
    }
}
