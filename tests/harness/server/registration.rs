//! Dynamic client registration (RFC 7591): every client that asks becomes a public one.

use serde_json::json;

use super::answer::{Answer, member};
use super::asked::Asked;
use super::book::Book;

/// Whether clients may register themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Registration {
    /// They may, and the metadata says where.
    Open,
    /// They may not.
    None,
}

/// RFC 7591, section 3.2.1. Each gets a name of its own.
pub(super) fn answer(book: &Book, asked: &Asked) -> Answer {
    if book.settings.registration == Registration::None || asked.method != "POST" {
        return Answer::text(404, "text/plain", "Nobody is registered here.\n".to_owned());
    }
    let number = book.log.iter().filter(|request| request.path.ends_with("/register")).count();
    let members = vec![
        member("client_id", format!("registered-{number}")),
        member("token_endpoint_auth_method", "none"),
        member("grant_types", json!(["urn:ietf:params:oauth:grant-type:device_code", "authorization_code", "refresh_token"])),
    ];
    Answer::json(201, members).called("ok")
}
