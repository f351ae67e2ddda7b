//! What a browser is shown: a few pages that never change. They hold nothing of what was asked (D31).
//!
//! Must never: repeat a byte of a request, load anything, run anything, or claim that a login has succeeded.

use super::request::Refused;

/// An answer, by what it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Page {
    /// A login has its answer.
    Arrived,
    /// It has had it before: a state serves once (D26).
    AlreadyArrived,
    /// No login waits for this, or it is no answer.
    NotExpected,
    /// Another Host: a name that was made to lead here (DNS rebinding).
    WrongHost,
    /// No login has this path.
    NotFound,
    /// Another method than GET.
    MethodNotAllowed,
    /// A body, which a redirect never has.
    Body,
    /// More than 8 KiB.
    TooLong,
}

/// Of the text between `<style>` and `</style>`, the same in every page.
const STYLE: &str = "sha256-SKNXdqaESgD3b7dkFjCwbWI+Q6PKeuZl7MtpfAaixJs=";

impl Page {
    /// Status and reason (RFC 9110, 15).
    pub(super) fn status(self) -> &'static str {
        match self {
            Self::Arrived => "200 OK",
            Self::NotExpected => "400 Bad Request",
            Self::WrongHost => "403 Forbidden",
            Self::NotFound => "404 Not Found",
            Self::MethodNotAllowed => "405 Method Not Allowed",
            Self::AlreadyArrived => "409 Conflict",
            Self::Body => "413 Content Too Large",
            Self::TooLong => "431 Request Header Fields Too Large",
        }
    }

    fn html(self) -> &'static str {
        match self {
            Self::Arrived => include_str!("pages/arrived.html"),
            Self::AlreadyArrived => include_str!("pages/already_arrived.html"),
            Self::TooLong => include_str!("pages/too_long.html"),
            Self::NotExpected | Self::WrongHost | Self::NotFound | Self::MethodNotAllowed | Self::Body => {
                include_str!("pages/not_expected.html")
            }
        }
    }

    /// The whole answer, ready to be sent.
    pub(super) fn response(self) -> Vec<u8> {
        let (status, html) = (self.status(), self.html());
        let allow = if self == Self::MethodNotAllowed { "Allow: GET\r\n" } else { "" };
        let length = html.len();
        format!(
            "HTTP/1.1 {status}\r\n{allow}\
             Content-Type: text/html; charset=utf-8\r\n\
             Content-Length: {length}\r\n\
             Content-Security-Policy: default-src 'none'; style-src '{STYLE}'; base-uri 'none'; form-action 'none'; \
             frame-ancestors 'none'\r\n\
             Referrer-Policy: no-referrer\r\n\
             X-Content-Type-Options: nosniff\r\n\
             Cache-Control: no-store\r\n\
             Connection: close\r\n\r\n{html}"
        )
        .into_bytes()
    }
}

impl From<Refused> for Page {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::TooLong => Self::TooLong,
            Refused::Body => Self::Body,
            Refused::NotHttp | Refused::RequestLine | Refused::Field | Refused::Host => Self::NotExpected,
        }
    }
}

#[cfg(test)]
pub(super) const ALL: [Page; 8] = [
    Page::Arrived,
    Page::AlreadyArrived,
    Page::NotExpected,
    Page::WrongHost,
    Page::NotFound,
    Page::MethodNotAllowed,
    Page::Body,
    Page::TooLong,
];

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use sha2::{Digest, Sha256};

    #[test]
    fn d31_every_answer_forbids_scripts_framing_sniffing_storing_and_the_referrer() {
        for page in ALL {
            let response = String::from_utf8(page.response()).unwrap();
            let (head, body) = response.split_once("\r\n\r\n").unwrap();
            for line in [
                "Content-Type: text/html; charset=utf-8",
                "Referrer-Policy: no-referrer",
                "X-Content-Type-Options: nosniff",
                "Cache-Control: no-store",
                "Connection: close",
                &format!("Content-Length: {}", body.len()),
            ] {
                assert!(head.lines().any(|found| found == line), "{page:?}: {line}");
            }
            assert!(head.contains("\r\nContent-Security-Policy: default-src 'none'; style-src 'sha256-"), "{page:?}");
            assert!(head.contains("frame-ancestors 'none'"), "{page:?}");
            assert!(!head.to_ascii_lowercase().contains("access-control"), "{page:?}");
        }
    }

    #[test]
    fn the_style_of_every_page_is_the_one_whose_hash_is_allowed() {
        for page in ALL {
            let (_, rest) = page.html().split_once("<style>").unwrap();
            let (style, rest) = rest.split_once("</style>").unwrap();
            assert_eq!(format!("sha256-{}", STANDARD.encode(Sha256::digest(style))), STYLE, "{page:?}");
            assert!(!rest.contains("style"), "{page:?}: the policy allows no second one");
        }
    }

    #[test]
    fn d31_no_page_holds_a_script_a_link_or_anything_to_load() {
        for page in ALL {
            let html = page.html().to_ascii_lowercase();
            for never in
                ["<script", "javascript:", "http:", "https:", "src=", "href=", "<form", "<iframe", " on", "url(", "@import"]
            {
                let text = if never == " on" { html.split("<body>").next().unwrap() } else { &html };
                assert!(!text.contains(never), "{page:?}: {never}");
            }
        }
    }

    #[test]
    fn no_page_claims_that_a_login_has_succeeded() {
        for page in ALL {
            let html = page.html().to_ascii_lowercase();
            for claim in ["success", "logged in", "signed in", "welcome"] {
                assert!(!html.contains(claim), "{page:?}: {claim}");
            }
        }
        assert!(Page::Arrived.html().contains("You can close this window"));
    }
}
