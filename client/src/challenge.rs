//! What a resource server says that is missing: the Bearer challenge of a 403 (RFC 6750, section 3; RFC 9110, 11.6.1).
//!
//! Must never: take a parameter of another scheme, or one whose end is not certain. What cannot be read asks for nothing.

/// So much of one header value is looked at.
const LONGEST: usize = 8 * 1024;
/// More scopes than this are no challenge: the daemon takes no longer list.
const MOST_SCOPES: usize = 100;
const LONGEST_SCOPE: usize = 256;

/// The scopes that a resource server wants, by the `WWW-Authenticate` values of its 403: those of the first Bearer challenge with
/// `error="insufficient_scope"` and a `scope` (RFC 6750, 3.1). `None`: it names none, and no other token is known to help.
///
/// A need for these and for what was needed before ([`Need::scopes`](crate::Need::scopes)) leads to a login for more access.
///
/// ```
/// let headers = [r#"Bearer error="insufficient_scope", scope="files:read files:write", resource_metadata="https://..""#];
/// assert_eq!(mcp_authd_client::challenge::insufficient_scope(headers).unwrap(), ["files:read", "files:write"]);
/// ```
pub fn insufficient_scope<S: AsRef<str>>(www_authenticate: impl IntoIterator<Item = S>) -> Option<Vec<String>> {
    www_authenticate.into_iter().find_map(|value| challenges(value.as_ref()).iter().find_map(Challenge::missing))
}

struct Challenge<'a> {
    scheme: &'a str,
    parameters: Vec<(&'a str, String)>,
}

impl Challenge<'_> {
    fn missing(&self) -> Option<Vec<String>> {
        if !self.scheme.eq_ignore_ascii_case("Bearer") || self.parameter("error")? != "insufficient_scope" {
            return None;
        }
        let scopes: Vec<String> = self.parameter("scope")?.split(' ').filter(|word| is_scope(word)).map(str::to_owned).collect();
        (!scopes.is_empty() && scopes.len() <= MOST_SCOPES).then_some(scopes)
    }

    /// A name that came twice has no value: nobody can tell which one counts (RFC 9110, 11.2).
    fn parameter(&self, name: &str) -> Option<&str> {
        let mut values = self.parameters.iter().filter(|(found, _)| found.eq_ignore_ascii_case(name));
        let (_, value) = values.next()?;
        values.next().is_none().then_some(value)
    }
}

/// The challenges of one header value, as far as its grammar goes.
fn challenges(value: &str) -> Vec<Challenge<'_>> {
    let mut found: Vec<Challenge<'_>> = Vec::new();
    let mut rest = if value.len() <= LONGEST { value } else { "" };
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        let (name, behind) = word(rest);
        if name.is_empty() {
            return found;
        }
        // "name = value" belongs to the scheme before it; a word without a value is the next scheme.
        match (behind.trim_start_matches([' ', '\t']).strip_prefix('='), found.last_mut()) {
            (Some(value), Some(challenge)) => {
                let Some((value, behind)) = parameter_value(value) else { return found };
                challenge.parameters.push((name, value));
                rest = behind;
            }
            (Some(_), None) => return found,
            (None, _) => {
                found.push(Challenge { scheme: name, parameters: Vec::new() });
                if !behind.is_empty() && !behind.starts_with([' ', '\t', ',']) {
                    return found;
                }
                rest = token68(behind).unwrap_or(behind);
            }
        }
    }
}

/// A token (RFC 9110, 5.6.2) and what stands behind it.
fn word(text: &str) -> (&str, &str) {
    let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    text.split_at(text.find(|c| !is_token(c)).unwrap_or(text.len()))
}

/// What stands behind a token68 (RFC 9110, 11.2), where one is all that the scheme has.
fn token68(text: &str) -> Option<&str> {
    let text = text.trim_start_matches([' ', '\t']);
    let behind = text.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || "-._~+/".contains(c)).trim_start_matches('=');
    let behind = behind.trim_start_matches([' ', '\t']);
    (behind.len() < text.len() && (behind.is_empty() || behind.starts_with(','))).then_some(behind)
}

/// A value, quoted or not, and what stands behind it: the end, a comma, or a blank.
fn parameter_value(text: &str) -> Option<(String, &str)> {
    let text = text.trim_start_matches([' ', '\t']);
    let (value, behind) = match text.strip_prefix('"') {
        None => {
            let (value, behind) = word(text);
            (value.to_owned(), behind)
        }
        Some(quoted) => unquoted(quoted)?,
    };
    let ends = behind.is_empty() || behind.starts_with([' ', '\t', ',']);
    (ends && (!value.is_empty() || text.starts_with('"'))).then_some((value, behind))
}

/// A quoted string from behind its first quote (RFC 9110, 5.6.4). `None`: it has no end.
fn unquoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.chars();
    loop {
        match characters.next()? {
            '"' => return Some((value, characters.as_str())),
            '\\' => value.push(characters.next()?),
            plain => value.push(plain),
        }
    }
}

/// A scope-token (RFC 6749, 3.3).
fn is_scope(word: &str) -> bool {
    let fits = word.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\'));
    fits && (1..=LONGEST_SCOPE).contains(&word.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(value: &str) -> Option<String> {
        insufficient_scope([value]).map(|scopes| scopes.join(" "))
    }

    #[test]
    fn the_scopes_of_a_bearer_challenge_are_found_among_others() {
        for value in [
            r#"Bearer error="insufficient_scope", scope="a b""#,
            r#"bearer ERROR=insufficient_scope , Scope = "a b""#,
            r#"Basic realm="x, y", Bearer realm="z", error="insufficient_scope", scope="a b", resource_metadata="https://h/""#,
            r#"Negotiate abc==, Bearer scope="a b",error="insufficient_scope",, DPoP algs="ES256""#,
            r#"Bearer error="insufficient_scope" scope="a b""#,
            r#"Bearer error="insufficient_scope", error_description="say \"please\"", scope="a  b""#,
            r#"Bearer error="invalid_token", Bearer error="insufficient_scope", scope="a b""#,
        ] {
            assert_eq!(of(value).as_deref(), Some("a b"), "{value}");
        }
        assert_eq!(
            insufficient_scope(["Basic", r#"Bearer error="insufficient_scope", scope="c""#]).as_deref(),
            Some(&["c".to_owned()][..])
        );
    }

    #[test]
    fn what_is_no_such_challenge_asks_for_nothing() {
        let endless = format!(r#"Bearer error="insufficient_scope", scope="a", x="{}""#, "x".repeat(LONGEST));
        let many = format!(r#"Bearer error="insufficient_scope", scope="{}""#, "a ".repeat(MOST_SCOPES + 1));
        for value in [
            "",
            "Bearer",
            r#"error="insufficient_scope", scope="a""#,
            r#"Bearer error="invalid_token", scope="a""#,
            r#"Bearer scope="a""#,
            r#"Bearer error="insufficient_scope""#,
            r#"Bearer error="insufficient_scope", scope="""#,
            r#"Bearer error="insufficient_scope", scope="a\\\"b""#,
            r#"Bearer error="insufficient_scope", scope="a", scope="b""#,
            r#"Bearer error="insufficient_scope", scope="a"#,
            r#"Bearer error="insufficient_scope"x, scope="a""#,
            r#"Bearer error="insufficient_scope", DPoP scope="a""#,
            r#"DPoP error="insufficient_scope", scope="a""#,
            r#"Basic realm="Bearer error=\"insufficient_scope\", scope=a""#,
            &endless,
            &many,
        ] {
            assert_eq!(of(value), None, "{value}");
        }
    }

    proptest! {
        #[test]
        fn nothing_that_a_server_sends_stops_the_reading(value in ".{0,200}") {
            insufficient_scope([value]);
        }

        #[test]
        fn what_is_found_is_a_list_of_scopes(value in "(Bearer|Basic|error|scope|=|\"|insufficient_scope| |,|\\\\|a){0,30}") {
            for scope in insufficient_scope([value]).unwrap_or_default() {
                prop_assert!(is_scope(&scope));
            }
        }
    }
}
