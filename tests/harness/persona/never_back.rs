//! A server that shows its errors to the person alone: nothing ever comes back through the browser unless all is well.
//!
//! Must never: send a browser to the callback with an error.

use super::heard::{Door, Heard};
use super::said::Said;
use super::{Persona, habits};
use crate::server::{AuthorizationResponses, Settings};

/// Such a server, at which no login goes well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NeverBack;

impl Persona for NeverBack {
    fn doors(&self) -> Vec<(String, Door)> {
        [("/authorize", Door::Authorization), ("/token", Door::Token)].map(|(path, door)| (path.to_owned(), door)).to_vec()
    }

    fn habits(&self, _: &str) -> Settings {
        Settings { responses: AuthorizationResponses::None, ..habits() }
    }

    fn refuses(&self, _: &Heard) -> Option<Said> {
        None
    }

    fn says(&self, _: &Heard, said: Said) -> Said {
        said
    }
}
