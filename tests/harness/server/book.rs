//! The book: every grant, every token, and what RFC 6749 says about them. The time is passed in.
//!
//! Must never: do I/O, read a clock, or wait.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::answer::{Answer, Members, member};
use super::asked::Asked;
use super::authorization::Authorization;
use super::counts::{Counts, RequestRecord};
use super::login::Login;
use super::misbehaviour::Script;
use super::settings::{OlderAccessTokens, RefreshTokens, Rotation, Settings};

/// Everything the server knows.
#[derive(Debug)]
pub(super) struct Book {
    pub(super) settings: Settings,
    pub(super) issuer: String,
    pub(super) script: Script,
    pub(super) counts: Counts,
    pub(super) log: Vec<RequestRecord>,
    pub(super) clock_offset: Duration,
    pub(super) logins: Vec<Login>,
    pub(super) authorizations: Vec<Authorization>,
    grants: Vec<Grant>,
    access_tokens: HashMap<String, AccessToken>,
    refresh_tokens: HashMap<String, RefreshToken>,
    open_refreshes: HashMap<usize, u64>,
    issued: u64,
    /// Every secret so far, for whoever looks for a piece of one.
    pub(super) minted: Vec<String>,
}

/// One grant: the family of all tokens that came of one login.
#[derive(Debug, Clone)]
pub(super) struct Grant {
    pub(super) subject: String,
    pub(super) client_id: String,
    pub(super) scopes: Vec<String>,
    pub(super) resource: Option<String>,
    standing: Standing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Living,
    Ended,
}

#[derive(Debug)]
struct AccessToken {
    grant: usize,
    expires: Instant,
    scopes: Vec<String>,
    standing: Standing,
}

#[derive(Debug)]
struct RefreshToken {
    grant: usize,
    spent: Option<Instant>,
}

/// What an access token is worth at the resource.
pub(super) enum Worth {
    Nothing,
    Serves { subject: String, scopes: Vec<String> },
}

impl Book {
    pub(super) fn new(settings: Settings, issuer: String) -> Self {
        Self {
            settings,
            issuer,
            script: Script::default(),
            counts: Counts::default(),
            log: Vec::new(),
            clock_offset: Duration::ZERO,
            logins: Vec::new(),
            authorizations: Vec::new(),
            grants: Vec::new(),
            access_tokens: HashMap::new(),
            refresh_tokens: HashMap::new(),
            open_refreshes: HashMap::new(),
            issued: 0,
            minted: Vec::new(),
        }
    }

    /// A new secret: marked, so that a leak can be found by its mark (P5, P10), and never the same twice.
    pub(super) fn mint(&mut self, kind: &str) -> String {
        self.issued += 1;
        let mut random = [0_u8; 16];
        getrandom::fill(&mut random).expect("the system has randomness");
        let secret = format!("SNTL_{kind}_{:06}_{:032x}", self.issued, u128::from_be_bytes(random));
        self.minted.push(secret.clone());
        secret
    }

    pub(super) fn token_error(&self, error: &str) -> Answer {
        let status = if error == "invalid_client" { 401 } else { self.settings.error_status };
        Answer::error(status, error)
    }

    /// Starts a grant and pays out its first tokens (RFC 8628, 3.5; RFC 6749, 5.1).
    pub(super) fn start_grant(&mut self, grant: GrantTerms, now: Instant) -> Answer {
        let GrantTerms { subject, client_id, scopes, resource } = grant;
        let scopes = self.settings.granted_scopes.clone().unwrap_or(scopes);
        self.grants.push(Grant { subject, client_id, scopes: scopes.clone(), resource, standing: Standing::Living });
        self.counts.grants_started += 1;
        let number = self.grants.len() - 1;
        let refresh_token = match self.settings.refresh_tokens {
            RefreshTokens::Issued => Some(self.issue_refresh_token(number)),
            RefreshTokens::Withheld => None,
        };
        self.success(number, &scopes, refresh_token, now)
    }

    /// The number that the next grant will have (`RequestRecord::grant`).
    pub(super) fn next_grant(&self) -> usize {
        self.grants.len()
    }

    /// The refresh grant (RFC 6749, section 6), with rotation and its reuse detection (RFC 9700, 4.14.2).
    pub(super) fn refresh(&mut self, asked: &Asked, now: Instant) -> Answer {
        let Some(presented) = asked.form.one("refresh_token").map(str::to_owned) else {
            return self.token_error("invalid_request");
        };
        let Some(&RefreshToken { grant: number, spent }) = self.refresh_tokens.get(&presented) else {
            return self.token_error("invalid_grant");
        };
        let grant = self.grants[number].clone();
        if asked.client_id() != Some(grant.client_id.as_str()) {
            return self.token_error("invalid_grant");
        }
        match (spent, self.settings.rotation) {
            (None, _) => {}
            (Some(spent), Rotation::Grace(window)) if now <= spent + window && grant.standing == Standing::Living => {
                self.counts.grace_replays += 1;
            }
            (Some(_), _) => {
                self.counts.reuses_detected += 1;
                self.counts.families_revoked += u64::from(self.end_grant(number));
                return self.token_error("invalid_grant");
            }
        }
        if grant.standing == Standing::Ended {
            return self.token_error("invalid_grant");
        }
        let scopes: Vec<String> = match asked.form.one("scope") {
            Some(scope) => scope.split_whitespace().map(str::to_owned).collect(),
            None => grant.scopes.clone(),
        };
        if scopes.iter().any(|scope| !grant.scopes.contains(scope)) {
            return self.token_error("invalid_scope");
        }
        if asked.form.one("resource").is_some_and(|resource| Some(resource) != grant.resource.as_deref()) {
            return self.token_error("invalid_target");
        }
        let next = self.rotate(presented, number, now);
        if self.settings.after_refresh == OlderAccessTokens::End {
            self.end_access_tokens(number);
        }
        self.success(number, &scopes, next, now)
    }

    fn rotate(&mut self, presented: String, number: usize, now: Instant) -> Option<String> {
        match self.settings.rotation {
            Rotation::Strict | Rotation::Grace(_) => {
                if let Some(token) = self.refresh_tokens.get_mut(&presented) {
                    token.spent.get_or_insert(now);
                }
                Some(self.issue_refresh_token(number))
            }
            Rotation::Never => Some(presented),
            Rotation::Omit => None,
        }
    }

    fn success(&mut self, number: usize, scopes: &[String], refresh_token: Option<String>, now: Instant) -> Answer {
        let access_token = self.mint("AT");
        let life = self.settings.access_token_life;
        let token = AccessToken { grant: number, expires: now + life, scopes: scopes.to_vec(), standing: Standing::Living };
        self.access_tokens.insert(access_token.clone(), token);
        self.counts.access_tokens_issued += 1;
        let mut members: Members = vec![
            member("access_token", access_token),
            member("token_type", "Bearer"),
            member("expires_in", life.as_secs()),
            member("scope", scopes.join(" ")),
        ];
        members.extend(refresh_token.map(|token| member("refresh_token", token)));
        if scopes.iter().any(|scope| scope == "openid") {
            members.push(member("id_token", self.id_token(number)));
        }
        Answer::json(200, members).with_header("cache-control", "no-store").spoilt(&self.settings.token_answers)
    }

    /// An ID token without a true signature: a client reads it from the token endpoint itself (OpenID Connect Core, 3.1.3.7, 6).
    fn id_token(&mut self, number: usize) -> String {
        use base64::Engine as _;
        let encode = |text: String| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text);
        let seconds = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let (subject, client_id) = (self.grants[number].subject.clone(), self.grants[number].client_id.clone());
        let claims = serde_json::json!({
            "iss": self.issuer, "sub": subject, "aud": client_id, "iat": seconds, "exp": seconds + 3600, "jti": self.mint("ID"),
        });
        format!(
            "{}.{}.{}",
            encode(r#"{"alg":"RS256","typ":"JWT"}"#.to_owned()),
            encode(claims.to_string()),
            encode("unsigned".to_owned())
        )
    }

    fn issue_refresh_token(&mut self, grant: usize) -> String {
        let token = self.mint("RT");
        self.refresh_tokens.insert(token.clone(), RefreshToken { grant, spent: None });
        self.counts.refresh_tokens_issued += 1;
        token
    }

    /// RFC 7009, 2.1 and 2.2: a refresh token takes its whole grant along; an unknown token is no error.
    pub(super) fn revoke(&mut self, asked: &Asked) -> Answer {
        self.counts.revocations += 1;
        let Some(token) = asked.form.one("token") else { return Answer::error(400, "invalid_request") };
        let was_living = match (self.refresh_tokens.get(token).map(|found| found.grant), self.access_tokens.get_mut(token)) {
            (Some(number), _) => self.end_grant(number),
            (None, Some(found)) => std::mem::replace(&mut found.standing, Standing::Ended) == Standing::Living,
            (None, None) => false,
        };
        self.counts.revocations_effective += u64::from(was_living);
        Answer::text(200, "text/plain", String::new()).called("ok")
    }

    /// What a token is worth now (RFC 6750, section 3).
    pub(super) fn worth(&self, access_token: &str, now: Instant) -> Worth {
        match self.access_tokens.get(access_token) {
            Some(token) if token.standing == Standing::Living && now < token.expires => {
                Worth::Serves { subject: self.grants[token.grant].subject.clone(), scopes: token.scopes.clone() }
            }
            _ => Worth::Nothing,
        }
    }

    /// Ends a grant with all its tokens. Whether it lived.
    pub(super) fn end_grant(&mut self, number: usize) -> bool {
        let Some(grant) = self.grants.get_mut(number) else { return false };
        let was = std::mem::replace(&mut grant.standing, Standing::Ended);
        self.end_access_tokens(number);
        was == Standing::Living
    }

    pub(super) fn end_grants(&mut self) -> usize {
        (0..self.grants.len()).filter(|number| self.end_grant(*number)).count()
    }

    fn end_access_tokens(&mut self, number: usize) {
        for token in self.access_tokens.values_mut().filter(|token| token.grant == number) {
            token.standing = Standing::Ended;
        }
    }

    pub(super) fn end_access_token(&mut self, access_token: &str) -> bool {
        let found = self.access_tokens.get_mut(access_token);
        found.is_some_and(|token| std::mem::replace(&mut token.standing, Standing::Ended) == Standing::Living)
    }

    pub(super) fn expire_all_access_tokens(&mut self, now: Instant) {
        for token in self.access_tokens.values_mut() {
            token.expires = token.expires.min(now);
        }
    }

    /// The grant that a request's token belongs to.
    pub(super) fn grant_of(&self, asked: &Asked) -> Option<usize> {
        let refresh =
            asked.form.one("refresh_token").or(asked.form.one("token")).and_then(|token| self.refresh_tokens.get(token));
        let access = asked.bearer.as_deref().or(asked.form.one("token")).and_then(|token| self.access_tokens.get(token));
        refresh.map(|token| token.grant).or(access.map(|token| token.grant))
    }

    pub(super) fn token_request_opens(&mut self, refreshed: Option<usize>) {
        self.counts.token_requests_open += 1;
        self.counts.max_concurrent_token_requests =
            self.counts.max_concurrent_token_requests.max(self.counts.token_requests_open);
        if let Some(number) = refreshed {
            let open = self.open_refreshes.entry(number).or_default();
            *open += 1;
            self.counts.max_concurrent_refreshes_of_one_grant = self.counts.max_concurrent_refreshes_of_one_grant.max(*open);
        }
    }

    pub(super) fn token_request_closes(&mut self, refreshed: Option<usize>) {
        self.counts.token_requests_open -= 1;
        if let Some(open) = refreshed.and_then(|number| self.open_refreshes.get_mut(&number)) {
            *open -= 1;
        }
    }
}

/// What a new grant is made of.
pub(super) struct GrantTerms {
    pub(super) subject: String,
    pub(super) client_id: String,
    pub(super) scopes: Vec<String>,
    pub(super) resource: Option<String>,
}
