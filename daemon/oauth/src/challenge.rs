//! What a server says about the token that it wants: the Bearer challenge in `WWW-Authenticate` (RFC 9110, 11.6.1; RFC 6750,
//! section 3; RFC 9728, 5.1).
//!
//! Read strictly where a mistake could move a parameter from one scheme to another: a scheme begins at the start of a field value
//! or after a comma, and where the grammar ends, the reading of that value ends. Read leniently where nothing can move: commas
//! that are missing between parameters, values without quotes. Must never: take a parameter of another scheme, or one whose end
//! is not certain.

use crate::terms::{self, Scopes};
use crate::wire::shown;

/// So much of all field values together is looked at; a value that goes beyond is not read.
const MOST_BYTES: usize = 8 * 1024;
/// More field values than this are not read.
const MOST_VALUES: usize = 16;
const LONGEST_URL: usize = 2048;
const LONGEST_ERROR: usize = 64;
const LONGEST_DESCRIPTION: usize = 200;
const MOST_SCOPES: usize = 256;

/// The Bearer challenge.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BearerChallenge {
    /// `resource_metadata` (RFC 9728, 5.1): as it came, not yet checked.
    pub resource_metadata: Option<String>,
    /// `scope` (RFC 6750, section 3). Never empty.
    pub scope: Option<Scopes>,
    /// `error` (RFC 6750, 3.1), fit to be shown, at most 64 characters.
    pub error: Option<String>,
    /// `error_description`, fit to be shown, at most 200 characters.
    pub error_description: Option<String>,
}

/// The Bearer challenge among the values of `WWW-Authenticate`, one for each header line. Where there are more: the first that
/// has a `resource_metadata`, else the first. What another one says does not count.
#[must_use]
pub fn bearer<S: AsRef<str>>(values: &[S]) -> Option<BearerChallenge> {
    let mut left = MOST_BYTES;
    let mut found: Vec<BearerChallenge> = Vec::new();
    for value in values.iter().take(MOST_VALUES).map(AsRef::as_ref) {
        let Some(rest) = left.checked_sub(value.len()) else { continue };
        left = rest;
        let challenges = Reader { text: value }.challenges();
        found.extend(challenges.iter().filter(|one| one.scheme.eq_ignore_ascii_case("Bearer")).map(understood));
    }
    let best = found.iter().position(|one| one.resource_metadata.is_some()).unwrap_or(0);
    found.into_iter().nth(best)
}

fn understood(challenge: &Challenge<'_>) -> BearerChallenge {
    let fit = |name, longest| challenge.parameter(name).map(|text| shown::fit(text, longest)).filter(|text| !text.is_empty());
    BearerChallenge {
        resource_metadata: challenge
            .parameter("resource_metadata")
            .filter(|url| !url.is_empty() && url.len() <= LONGEST_URL)
            .map(str::to_owned),
        scope: challenge.parameter("scope").map(scopes).filter(|scopes| !scopes.is_empty()),
        error: fit("error", LONGEST_ERROR),
        error_description: fit("error_description", LONGEST_DESCRIPTION),
    }
}

/// Separated by spaces alone: a comma may stand in a scope (RFC 6749, 3.3).
fn scopes(text: &str) -> Scopes {
    Scopes::from_words(text.split(' ').filter(|word| terms::is_scope_token(word)).take(MOST_SCOPES))
}

/// One challenge as it is written.
#[derive(Debug)]
struct Challenge<'a> {
    scheme: &'a str,
    parameters: Vec<(&'a str, String)>,
}

impl Challenge<'_> {
    /// The value of a parameter. A name that came twice has none: nobody can tell which one counts (RFC 9110, 11.2).
    fn parameter(&self, name: &str) -> Option<&str> {
        let mut values = self.parameters.iter().filter(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value);
        let first = values.next()?;
        values.next().is_none().then_some(first)
    }
}

/// Reads one field value, from left to right, never back by more than a name.
struct Reader<'a> {
    text: &'a str,
}

/// The grammar has ended: nothing behind this point can be told.
struct Ended;

impl<'a> Reader<'a> {
    fn challenges(mut self) -> Vec<Challenge<'a>> {
        let mut challenges = Vec::new();
        loop {
            self.take_while(|c| matches!(c, ' ' | '\t' | ','));
            let scheme = self.take_while(is_token_character);
            if scheme.is_empty() {
                return challenges;
            }
            let mut challenge = Challenge { scheme, parameters: Vec::new() };
            let ended = self.parameters(&mut challenge.parameters);
            challenges.push(challenge);
            if ended.is_err() {
                return challenges;
            }
        }
    }

    /// Reads what belongs to a scheme: up to the comma before the next one, or to the end.
    fn parameters(&mut self, parameters: &mut Vec<(&'a str, String)>) -> Result<(), Ended> {
        if !self.text.starts_with([' ', '\t', ',']) {
            return if self.text.is_empty() { Ok(()) } else { Err(Ended) };
        }
        if self.token68() {
            return Ok(());
        }
        loop {
            let before = self.text;
            let separator = self.take_while(|c| matches!(c, ' ' | '\t' | ','));
            if self.text.is_empty() {
                return Ok(());
            }
            let name = self.take_while(is_token_character);
            if name.is_empty() {
                return Err(Ended);
            }
            self.space();
            let Some(value) = self.text.strip_prefix('=') else {
                // No parameter: after a comma it is the next scheme.
                self.text = before;
                return if separator.contains(',') { Ok(()) } else { Err(Ended) };
            };
            self.text = value;
            self.space();
            let value = self.value()?;
            if !self.text.is_empty() && !self.text.starts_with([' ', '\t', ',']) {
                return Err(Ended);
            }
            if self.goes_on_without_a_name() {
                return Err(Ended);
            }
            parameters.push((name, value));
        }
    }

    /// Reads over a token68 (RFC 9110, 11.2), where one is all that a scheme has.
    fn token68(&mut self) -> bool {
        let before = self.text;
        self.space();
        let is_char = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | '~' | '+' | '/');
        let filled = !self.take_while(is_char).is_empty();
        self.take_while(|c| c == '=');
        self.space();
        if filled && (self.text.is_empty() || self.text.starts_with(',')) {
            return true;
        }
        self.text = before;
        false
    }

    /// A quoted string, or whatever stands there up to a space or a comma.
    fn value(&mut self) -> Result<String, Ended> {
        let Some(quoted) = self.text.strip_prefix('"') else {
            let bare = self.take_while(|c| c.is_ascii_graphic() && !matches!(c, ',' | '"' | '\\'));
            return if bare.is_empty() { Err(Ended) } else { Ok(bare.to_owned()) };
        };
        let mut value = String::new();
        let mut characters = quoted.chars();
        while let Some(character) = characters.next() {
            match character {
                '"' => {
                    self.text = characters.as_str();
                    return Ok(value);
                }
                '\\' => value.push(characters.next().ok_or(Ended)?),
                plain => value.push(plain),
            }
        }
        Err(Ended)
    }

    /// Whether something stands behind a value, with no comma between them, that is no parameter: the value had spaces and no
    /// quotes, and nobody can tell where it ends.
    fn goes_on_without_a_name(&self) -> bool {
        let rest = self.text.trim_start_matches([' ', '\t']);
        if rest.is_empty() || rest.starts_with(',') {
            return false;
        }
        let behind = rest.trim_start_matches(is_token_character);
        behind.len() == rest.len() || !behind.trim_start_matches([' ', '\t']).starts_with('=')
    }

    fn space(&mut self) {
        self.take_while(|c| matches!(c, ' ' | '\t'));
    }

    fn take_while(&mut self, belongs: impl Fn(char) -> bool) -> &'a str {
        let end = self.text.find(|c| !belongs(c)).unwrap_or(self.text.len());
        let (taken, rest) = self.text.split_at_checked(end).unwrap_or((self.text, ""));
        self.text = rest;
        taken
    }
}

/// RFC 9110, 5.6.2.
fn is_token_character(character: char) -> bool {
    character.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(character)
}

#[cfg(test)]
mod tests;
