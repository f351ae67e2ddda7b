//! The logins that wait at one port, found by the hash of their `state` (D26): who gets what a request brings.
//!
//! Must never: end a login because of a request that is not its own answer, or hand out one answer twice.

use std::collections::{HashMap, VecDeque};
use std::num::NonZeroU16;

use mcp_authd_oauth::authorization_code::response::AuthorizationResponse;
use mcp_authd_oauth::secret::{State, TokenHash};
use tokio::sync::oneshot;

use super::page::Page;
use super::redirect::{Redirect, RedirectHost};
use super::request::{Method, Request};
use crate::accounts::AccountName;

/// How many answered logins are remembered, so that a reload of the page is told what it is.
const REMEMBERED: usize = 64;

/// Those of one port.
#[derive(Debug)]
pub(super) struct Logins {
    port: NonZeroU16,
    /// Every redirect that a login has asked for at this port.
    redirects: Vec<Redirect>,
    waiting: HashMap<TokenHash, Waiting>,
    answered: VecDeque<TokenHash>,
    next: Ticket,
}

/// Which expectation it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ticket(u64);

#[derive(Debug)]
struct Waiting {
    ticket: Ticket,
    redirect: Redirect,
    whose: Option<AccountName>,
    answer: oneshot::Sender<AuthorizationResponse>,
}

/// What became of an answer that a person has brought.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Brought {
    /// Its login has it; whose that is, where it was said.
    Taken(Option<AccountName>),
    /// Its login had one before.
    AnsweredBefore,
}

impl Logins {
    pub(super) fn at(port: NonZeroU16) -> Self {
        let (redirects, waiting, answered) = (Vec::new(), HashMap::new(), VecDeque::new());
        Self { port, redirects, waiting, answered, next: Ticket(0) }
    }

    /// A login will come that is answered here.
    pub(super) fn announce(&mut self, redirect: &Redirect) {
        if !self.redirects.contains(redirect) {
            self.redirects.push(redirect.clone());
        }
    }

    /// It has come.
    pub(super) fn expect(
        &mut self,
        state: &State,
        (redirect, whose): (Redirect, Option<AccountName>),
    ) -> (Ticket, oneshot::Receiver<AuthorizationResponse>) {
        let (answer, arrives) = oneshot::channel();
        let ticket = self.next;
        self.next = Ticket(ticket.0.wrapping_add(1));
        self.waiting.insert(state.sha256(), Waiting { ticket, redirect, whose, answer });
        (ticket, arrives)
    }

    /// It has gone, answered or not.
    pub(super) fn forget(&mut self, ticket: Ticket) {
        self.waiting.retain(|_, waiting| waiting.ticket != ticket);
    }

    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.waiting.len()
    }

    /// Hands an answer to the login that it belongs to. Whatever is not one changes nothing.
    pub(super) fn answer(&mut self, request: &Request) -> Page {
        if request.method != Method::Get {
            return Page::MethodNotAllowed;
        }
        let Some(host) = self.own_host(&request.host) else { return Page::WrongHost };
        if host == RedirectHost::Localhost && !self.redirects.iter().any(|redirect| redirect.host == host) {
            return Page::WrongHost;
        }
        if !self.redirects.iter().any(|redirect| redirect.path.requested() == request.path) {
            return Page::NotFound;
        }
        let Ok(response) = AuthorizationResponse::parse(request.query.expose()) else { return Page::NotExpected };
        let name = response.state.sha256();
        if self.answered.contains(&name) {
            return Page::AlreadyArrived;
        }
        match self.waiting.remove(&name) {
            Some(waiting) if waiting.redirect.leads_to(host, &request.path) => self.hand_over(name, waiting, response),
            Some(waiting) => {
                self.waiting.insert(name, waiting);
                Page::NotExpected
            }
            None => Page::NotExpected,
        }
    }

    /// The same for an answer that a person has brought: the browser was on another machine, and whatever host and path stood there,
    /// the `state` names the login. `None`: no login of this port waits for it.
    pub(super) fn bring(&mut self, response: &AuthorizationResponse) -> Option<Brought> {
        let name = response.state.sha256();
        if self.answered.contains(&name) {
            return Some(Brought::AnsweredBefore);
        }
        let waiting = self.waiting.remove(&name)?;
        let whose = waiting.whose.clone();
        match self.hand_over(name, waiting, response.clone()) {
            Page::Arrived => Some(Brought::Taken(whose)),
            _ => None,
        }
    }

    fn hand_over(&mut self, name: TokenHash, waiting: Waiting, response: AuthorizationResponse) -> Page {
        if waiting.answer.send(response).is_err() {
            return Page::NotExpected;
        }
        if self.answered.len() == REMEMBERED {
            self.answered.pop_front();
        }
        self.answered.push_back(name);
        Page::Arrived
    }

    /// D30: the addresses of this port and the one name, exactly as a browser writes them.
    fn own_host(&self, host: &str) -> Option<RedirectHost> {
        let port = self.port.to_string();
        [RedirectHost::Ipv4, RedirectHost::Ipv6, RedirectHost::Localhost]
            .into_iter()
            .find(|own| host.strip_prefix(own.as_str()).and_then(|rest| rest.strip_prefix(':')) == Some(&port))
    }
}

impl Redirect {
    /// Whether a request with this Host and path is its answer. A person who forwards the port may have put in an address.
    fn leads_to(&self, host: RedirectHost, path: &str) -> bool {
        let is_host = host != RedirectHost::Localhost || self.host == RedirectHost::Localhost;
        is_host && self.path.requested() == path
    }
}
