//! What launchd holds: a socket for each name in the agent's `Sockets`, asked for by that name (launch(3)).
//!
//! Must never: take a process that launchd does not manage for one that it does.

use std::io;
use std::os::unix::net::UnixListener;

use raunch::Error;
use service_binding::{Binding, Listener};

use super::{ADMIN, Handed, TOKENS, Unfit, listening};

/// Takes what the agent names. Without an agent there is nothing.
pub(super) fn take() -> Result<Vec<Handed>, Unfit> {
    let mut taken = Vec::new();
    for name in [TOKENS, ADMIN] {
        let descriptors = match raunch::activate_socket(name) {
            Ok(descriptors) => descriptors,
            Err(Error::NotManaged | Error::NotInPlist) => continue,
            Err(other) => return Err(Unfit::NotListening { name, source: io::Error::other(other) }),
        };
        let &[descriptor] = descriptors.as_slice() else { return Err(Unfit::Twice(name)) };
        let listener = listening(unix(descriptor)).map_err(|source| Unfit::NotListening { name, source })?;
        taken.push(Handed { name, listener });
    }
    Ok(taken)
}

/// There is no safe way from a number to a socket without somebody else's word for it.
fn unix(descriptor: i32) -> Option<UnixListener> {
    match Listener::try_from(Binding::FileDescriptor(descriptor)) {
        Ok(Listener::Unix(listener)) => Some(listener),
        _ => None,
    }
}
