//! The person: opens the page that a prompt names, reads it, and presses a button of the form that stands there.
//!
//! [`in_browser`]: the same where the answer goes back through the browser.
//!
//! Works on any page whose form holds a `user_code` and an `answer`; only [`crate::server`]'s has one.
//!
//! Must never: reach into the server by another way. The page itself is what is proven.

pub mod in_browser;

use anyhow::{Context as _, Result, ensure};

use crate::plain_http;

/// Opens the page, checks that it shows this code, and presses Approve.
///
/// # Errors
/// The page does not show the login, or does not take the answer.
pub async fn approve(verification_uri: &str, user_code: &str) -> Result<()> {
    press("approve", verification_uri, user_code, &[]).await
}

/// The same, as somebody else (D23).
///
/// # Errors
/// The page does not show the login, or does not take the answer.
pub async fn approve_as(subject: &str, verification_uri: &str, user_code: &str) -> Result<()> {
    press("approve", verification_uri, user_code, &[("subject", subject)]).await
}

/// Opens the page, checks that it shows this code, and presses Deny.
///
/// # Errors
/// The page does not show the login, or does not take the answer.
pub async fn deny(verification_uri: &str, user_code: &str) -> Result<()> {
    press("deny", verification_uri, user_code, &[]).await
}

async fn press(button: &str, verification_uri: &str, user_code: &str, more: &[(&str, &str)]) -> Result<()> {
    let mut address = url::Url::parse(verification_uri).context("the prompt names no page")?;
    // The page may have been opened by `verification_uri_complete`, which holds the code already (RFC 8628, 3.3.1).
    address.set_query(None);
    address.query_pairs_mut().append_pair("user_code", user_code);
    let page = plain_http::fetch(address.as_str()).await.context("the page did not open")?;
    ensure!(page.status == 200, "the page does not take the code: status {}", page.status);
    let text = page.text();
    ensure!(text.contains(&format!("value=\"{user_code}\"")), "the page shows another code than the prompt");
    ensure!(text.contains(&format!("name=\"answer\" value=\"{button}\"")), "the page has no button to {button}");

    let mut form = vec![("user_code", user_code), ("answer", button)];
    form.extend_from_slice(more);
    let after = plain_http::post_form(address.as_str(), &form).await.context("the page did not take the answer")?;
    ensure!(after.status == 200, "the page refused the answer: status {}", after.status);
    Ok(())
}
