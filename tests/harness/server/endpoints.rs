//! What each endpoint answers when nothing goes wrong.

use std::time::Instant;

use serde_json::json;

use super::answer::{Answer, Members, member};
use super::asked::{Asked, Place};
use super::authorization;
use super::book::Book;
use super::counts::one_more;
use super::misbehaviour::At;
use super::page;
use super::protected;
use super::registration::{self, Registration};
use super::settings::{IssPromise, MetadataForm, Offer, Pkce};

const DEVICE_GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// Does the work of one request: this is the commit.
pub(super) fn answer(book: &mut Book, place: Place, asked: &Asked, now: Instant) -> Answer {
    if let Some(refusal) = book.refused_client(place, asked) {
        return refusal;
    }
    match place {
        Place::Metadata(form) => metadata(book, form),
        Place::ProtectedResourceMetadata => protected::metadata(book, asked),
        Place::DeviceAuthorization if book.settings.device_grant == Offer::Yes => book.device_authorization(asked, now),
        Place::Token => token(book, asked, now),
        Place::Revocation => book.revoke(asked),
        Place::Page => page::answer(book, asked, now),
        Place::Registration => registration::answer(book, asked),
        Place::Authorization => authorization::answer(book, asked, now),
        Place::Resource => protected::resource(book, asked, now),
        Place::DeviceAuthorization | Place::Nowhere => Answer::text(404, "text/plain", "There is nothing here.\n".to_owned()),
    }
}

/// Counts what became of a request, whether it was served or spoilt.
pub(super) fn count_outcome(book: &mut Book, place: Place, asked: &Asked, outcome: &str) {
    match place {
        Place::Metadata(_) | Place::ProtectedResourceMetadata => book.counts.metadata_reads += 1,
        Place::DeviceAuthorization => book.counts.device_authorizations += 1,
        Place::Token => match asked.at(place) {
            Some(At::Refresh) => one_more(&mut book.counts.refresh_outcomes, outcome),
            Some(At::Exchange) => one_more(&mut book.counts.exchange_outcomes, outcome),
            _ => one_more(&mut book.counts.poll_outcomes, outcome),
        },
        Place::Resource if outcome == "ok" => book.counts.resource_served += 1,
        Place::Resource => book.counts.resource_refused += 1,
        Place::Revocation | Place::Page | Place::Authorization | Place::Registration | Place::Nowhere => {}
    }
}

/// RFC 8414, section 2.
fn metadata(book: &Book, form: MetadataForm) -> Answer {
    if !book.settings.metadata.contains(&form) {
        return Answer::text(404, "text/plain", "No metadata here.\n".to_owned());
    }
    let issuer = &book.issuer;
    let (has_device, has_code) = (book.settings.device_grant == Offer::Yes, book.settings.code_grant == Offer::Yes);
    let grants = [("authorization_code", has_code), (DEVICE_GRANT, has_device), ("refresh_token", true)];
    let grants: Vec<&str> = grants.into_iter().filter_map(|(grant, has_it)| has_it.then_some(grant)).collect();
    let mut members = vec![
        member("issuer", issuer.as_str()),
        member("token_endpoint", format!("{issuer}/token")),
        member("revocation_endpoint", format!("{issuer}/revoke")),
        member("grant_types_supported", json!(grants)),
        member("response_types_supported", if has_code { json!(["code"]) } else { json!([]) }),
        member("token_endpoint_auth_methods_supported", json!(["none", "client_secret_basic", "client_secret_post"])),
    ];
    if book.settings.registration == Registration::Open {
        members.push(member("registration_endpoint", format!("{issuer}/register")));
    }
    if has_device {
        members.push(member("device_authorization_endpoint", format!("{issuer}/device_authorization")));
    }
    if has_code {
        members.extend(code_members(book));
    }
    Answer::json(200, members).spoilt(&book.settings.metadata_answers)
}

/// What belongs to the authorization endpoint.
fn code_members(book: &Book) -> Members {
    let mut members = vec![member("authorization_endpoint", format!("{}/authorize", book.issuer))];
    match book.settings.pkce {
        Pkce::S256 => members.push(member("code_challenge_methods_supported", json!(["S256"]))),
        Pkce::PlainOnly => members.push(member("code_challenge_methods_supported", json!(["plain"]))),
        Pkce::Unstated => {}
    }
    if book.settings.iss_promise == IssPromise::Given {
        members.push(member("authorization_response_iss_parameter_supported", true));
    }
    members
}

fn token(book: &mut Book, asked: &Asked, now: Instant) -> Answer {
    if asked.method != "POST" || asked.form.has_doubles() {
        return book.token_error("invalid_request");
    }
    if asked.client_id().is_none() {
        return book.token_error("invalid_client");
    }
    match asked.form.one("grant_type") {
        Some("refresh_token") => book.refresh(asked, now),
        Some(DEVICE_GRANT) if book.settings.device_grant == Offer::Yes => book.poll(asked, now),
        Some("authorization_code") if book.settings.code_grant == Offer::Yes => book.exchange(asked, now),
        Some(_) => book.token_error("unsupported_grant_type"),
        None => book.token_error("invalid_request"),
    }
}
