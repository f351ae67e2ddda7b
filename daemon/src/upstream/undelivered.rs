//! Why a request was not sent: the failures of name, connection and TLS in the words of the flows (D10, D48).
//!
//! Must never: decide whether something was sent. That is what the receipt of the body is for.

use std::error::Error;
use std::io;

use mcp_authd_oauth::http::NothingSent;
use nix::errno::Errno;

use super::names::LeadsNearer;

/// What kept the request from being sent.
pub(super) fn nothing_sent(failure: &reqwest::Error) -> NothingSent {
    if chain(failure).any(lacks_resources) {
        NothingSent::NoResources
    } else if chain(failure).any(|error| error.is::<LeadsNearer>()) {
        NothingSent::LeadsNearer
    } else if failure.is_dns() {
        NothingSent::NameNotResolved
    } else if chain(failure).any(is_bad_certificate) {
        NothingSent::NotVerified
    } else if failure.is_timeout() {
        NothingSent::TooSlow
    } else {
        NothingSent::NotConnected
    }
}

/// Every error below `failure`. An `io::Error` hides the one that it carries from `source()`, so it is opened.
fn chain<'e>(failure: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(Some(failure), |&error| match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(carried) => Some(carried as &(dyn Error + 'static)),
        None => error.source(),
    })
}

fn lacks_resources(error: &(dyn Error + 'static)) -> bool {
    error
        .downcast_ref::<io::Error>()
        .and_then(io::Error::raw_os_error)
        .map(Errno::from_raw)
        .is_some_and(|errno| matches!(errno, Errno::EMFILE | Errno::ENFILE | Errno::ENOMEM | Errno::ENOBUFS))
}

fn is_bad_certificate(error: &(dyn Error + 'static)) -> bool {
    use rustls::Error::{InvalidCertRevocationList, InvalidCertificate, NoCertificatesPresented, UnsupportedNameType};
    error.downcast_ref::<rustls::Error>().is_some_and(|tls| {
        matches!(tls, InvalidCertificate(_) | InvalidCertRevocationList(_) | NoCertificatesPresented | UnsupportedNameType)
    })
}
