//! The code login against a scripted server, browser and clock.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod exchange;
mod judge;
mod request;

use std::collections::BTreeMap;
use std::time::Duration;

use super::judge::IssParameter;
use super::pkce::{PkceRule, PkceSupport};
use super::request::{CodeRequest, begin};
use crate::endpoint::{Endpoint, Loopback};
use crate::sign_in::PendingCode;
use crate::terms::{ClientId, Issuer, RedirectUri, Resource, Scopes};
use crate::time::{Instant, Now, WallTime};
use crate::token::Binding;

const LIFETIME: Duration = Duration::from_secs(600);

fn at(seconds: u64) -> Now {
    let millis = seconds * 1000;
    Now { instant: Instant::from_millis(millis.cast_signed()), wall: WallTime::from_millis(1_000_000_000 + millis) }
}

fn code_request() -> CodeRequest {
    let endpoint = |path: &str| Endpoint::parse(&format!("https://as.example/{path}"), Loopback::Refused).unwrap();
    CodeRequest {
        authorization_endpoint: endpoint("authorize"),
        binding: Binding {
            issuer: Some(Issuer::new("https://as.example")),
            token_endpoint: endpoint("token"),
            revocation_endpoint: None,
            client_id: ClientId::new("me"),
            resource: Some(Resource::new("https://Mcp.example/a b")),
        },
        sent_resource: Some(Resource::new("https://Mcp.example/a b")),
        redirect_uri: RedirectUri::new("http://127.0.0.1:49152/callback"),
        scopes: Scopes::default(),
        audience: None,
        extra_parameters: BTreeMap::new(),
        pkce: PkceSupport::S256,
        pkce_rule: PkceRule::Required,
        iss_parameter: IssParameter::NotPromised,
    }
}

/// 64 bytes, each another, and none that stands in a test's other secrets.
fn randomness() -> [u8; 64] {
    std::array::from_fn(|at| 0x80 + u8::try_from(at).unwrap())
}

/// A login that began at second 0.
fn pending() -> PendingCode {
    begin(code_request(), randomness(), at(0), LIFETIME).unwrap()
}
