//! The pages where a person approves a login (RFC 8628, 3.3; RFC 6749, 3.1): plain HTML, readable by a screen reader, no script.
//!
//! Must never: write anything into the page unescaped, or act on a GET.

use std::time::Instant;

use base64::Engine as _;
use sha2::{Digest as _, Sha256};

use super::answer::Answer;
use super::asked::Asked;
use super::book::Book;
use super::login::{CannotAnswer, PendingLogin, Said};

const STYLE: &str = "
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #57606a; --paper: #ffffff; --ground: #f3f4f6; --line: #d0d7de; --go: #0b5c36; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --soft: #9da7b3; --paper: #161b22; --ground: #0d1117; --line: #3d444d; --go: #23834f; } }
* { box-sizing: border-box; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 1.5rem; background: var(--ground); color: var(--ink);
  font: 1.0625rem/1.5 system-ui, -apple-system, 'Segoe UI', sans-serif; }
main { width: 100%; max-width: 30rem; padding: 2rem; background: var(--paper); border: 1px solid var(--line); border-radius: 0.75rem; }
h1 { margin: 0 0 0.5rem; font-size: 1.5rem; line-height: 1.25; }
p { margin: 0 0 1rem; } .soft { color: var(--soft); font-size: 0.9375rem; }
dl { margin: 1.25rem 0; padding: 1rem; border: 1px solid var(--line); border-radius: 0.5rem; }
dt { color: var(--soft); font-size: 0.875rem; } dd { margin: 0 0 0.75rem; overflow-wrap: anywhere; } dd:last-child { margin: 0; }
dd ul { margin: 0; padding-left: 1.25rem; }
label { display: block; margin-bottom: 0.375rem; font-weight: 600; }
input { width: 100%; padding: 0.625rem 0.75rem; border: 1px solid var(--soft); border-radius: 0.5rem; background: var(--paper); color: inherit;
  font: 1.375rem/1.4 ui-monospace, 'DejaVu Sans Mono', monospace; letter-spacing: 0.08em; text-transform: uppercase; }
.buttons { display: flex; flex-wrap: wrap; gap: 0.75rem; margin-top: 1.25rem; }
button { flex: 1 1 8rem; min-height: 2.75rem; padding: 0.5rem 1rem; border: 1px solid var(--soft); border-radius: 0.5rem; background: transparent;
  color: inherit; font: inherit; font-weight: 600; cursor: pointer; }
button.go { background: var(--go); border-color: var(--go); color: #ffffff; }
:focus-visible { outline: 3px solid #1a73e8; outline-offset: 2px; }
";

/// GET shows, POST answers.
pub(super) fn answer(book: &mut Book, asked: &Asked, now: Instant) -> Answer {
    match asked.method.as_str() {
        "GET" | "HEAD" => shown(book, asked.query.one("user_code").unwrap_or_default(), now),
        "POST" => answered(book, asked, now),
        _ => page(405, "This page only takes GET and POST", ""),
    }
}

fn shown(book: &Book, typed: &str, now: Instant) -> Answer {
    if typed.trim().is_empty() {
        return page(200, "Connect a program", &code_form("", None));
    }
    match book.pending_login(typed, now) {
        Ok(login) => page(200, "Approve this login?", &approve_form(&login, &book.settings.subject)),
        Err(why) => refused(why, typed),
    }
}

fn answered(book: &mut Book, asked: &Asked, now: Instant) -> Answer {
    let typed = asked.form.one("user_code").unwrap_or_default().to_owned();
    let said = match asked.form.one("answer") {
        Some("approve") => Said::Approve { subject: asked.form.one("subject").unwrap_or(&book.settings.subject).to_owned() },
        Some("deny") => Said::Deny,
        _ => return page(400, "Choose Approve or Deny", &code_form(&typed, None)),
    };
    let approved = matches!(said, Said::Approve { .. });
    match book.answer_login(&typed, said, now) {
        Ok(()) if approved => {
            let text = "<p role=\"status\">The program now gets its access. You can close this window.</p>";
            page(200, "Approved", text)
        }
        Ok(()) => page(200, "Denied", "<p role=\"status\">The program gets no access. You can close this window.</p>"),
        Err(why) => refused(why, &typed),
    }
}

fn refused(why: CannotAnswer, typed: &str) -> Answer {
    let (status, sentence) = match why {
        CannotAnswer::Unknown => (404, "No login has this code. Look at it again and type it as it is shown."),
        CannotAnswer::Expired => (410, "This code has expired. Start the login again in your program."),
        CannotAnswer::Answered => (409, "This code has been used already. Start the login again in your program."),
    };
    page(status, "This code cannot be used", &code_form(typed, Some(sentence)))
}

/// Leads to the page that says who asks.
fn code_form(typed: &str, complaint: Option<&str>) -> String {
    let complaint = complaint.map_or_else(String::new, |text| format!("<p id=\"complaint\" role=\"alert\">{text}</p>"));
    let described = if complaint.is_empty() { "" } else { " aria-describedby=\"complaint\" aria-invalid=\"true\"" };
    format!(
        "{complaint}<form method=\"get\">\
         <label for=\"user_code\">Code shown by your program</label>\
         <input id=\"user_code\" name=\"user_code\" value=\"{}\" autocomplete=\"off\" autocapitalize=\"characters\" spellcheck=\"false\" required{described}>\
         <div class=\"buttons\"><button class=\"go\">Continue</button></div></form>",
        escaped(typed)
    )
}

/// Who asks for what.
pub(super) struct Asks<'a> {
    pub(super) client_id: &'a str,
    pub(super) scopes: &'a [String],
    pub(super) resource: Option<&'a str>,
    pub(super) subject: &'a str,
}

impl Asks<'_> {
    fn html(&self) -> String {
        let scopes: String = match self.scopes {
            [] => "what the server gives by default".to_owned(),
            scopes => {
                format!("<ul>{}</ul>", scopes.iter().map(|scope| format!("<li>{}</li>", escaped(scope))).collect::<String>())
            }
        };
        let resource = self.resource.map_or_else(String::new, |resource| format!("<dt>Where</dt><dd>{}</dd>", escaped(resource)));
        format!(
            "<p>A program asks for access in your name.</p>\
             <dl><dt>Program</dt><dd>{}</dd><dt>Access</dt><dd>{scopes}</dd>{resource}<dt>You</dt><dd>{}</dd></dl>",
            escaped(self.client_id),
            escaped(self.subject)
        )
    }
}

/// The page of a login that goes back through this browser, to `redirect_uri`.
pub(super) fn approve_or_deny(asks: &Asks<'_>, redirect_uri: &str) -> Answer {
    let form = "<form method=\"post\"><div class=\"buttons\">\
         <button class=\"go\" name=\"answer\" value=\"approve\">Approve</button>\
         <button name=\"answer\" value=\"deny\">Deny</button></div></form>";
    // A form's target counts over redirects too.
    let back = url::Url::parse(redirect_uri).map(|uri| uri.origin().ascii_serialization()).unwrap_or_default();
    page_with_form_to(&back, (200, "Approve this login?"), &(asks.html() + form))
}

/// A page with a sentence.
pub(super) fn told(status: u16, title: &str, sentence: &str) -> Answer {
    page(status, title, &format!("<p role=\"status\">{sentence}</p>"))
}

fn approve_form(login: &PendingLogin, subject: &str) -> String {
    let PendingLogin { client_id, scopes, resource, .. } = login;
    let asks = Asks { client_id, scopes, resource: resource.as_deref(), subject };
    format!(
        "{}<form method=\"post\">\
         <label for=\"user_code\">Code</label>\
         <input id=\"user_code\" name=\"user_code\" value=\"{}\" autocomplete=\"off\" spellcheck=\"false\" aria-describedby=\"same\" required>\
         <p class=\"soft\" id=\"same\">Approve only if your own program shows the same code.</p>\
         <div class=\"buttons\"><button class=\"go\" name=\"answer\" value=\"approve\">Approve</button>\
         <button name=\"answer\" value=\"deny\">Deny</button></div></form>",
        asks.html(),
        escaped(&login.user_code)
    )
}

fn page(status: u16, title: &str, content: &str) -> Answer {
    page_with_form_to("", (status, title), content)
}

fn page_with_form_to(further: &str, (status, title): (u16, &str), content: &str) -> Answer {
    let text = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>{title}</title><style>{STYLE}</style></head>\n<body><main><h1>{title}</h1>\n{content}\n\
         <p class=\"soft\">This is a test server. It protects nothing.</p></main></body></html>\n"
    );
    let style = base64::engine::general_purpose::STANDARD.encode(Sha256::digest(STYLE));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{style}'; form-action 'self' {further}; base-uri 'none'; frame-ancestors 'none'"
    );
    Answer::html(status, text)
        .with_header("content-security-policy", policy)
        .with_header("referrer-policy", "no-referrer")
        .with_header("x-content-type-options", "nosniff")
        .with_header("cache-control", "no-store")
}

fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c => safe.push(c),
        }
    }
    safe
}
