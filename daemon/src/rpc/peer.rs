//! The peer of a connection, made once at accept and handed to every call on it, with what the connection was given.

use std::sync::Arc;

use tonic::transport::server::Connected;
use tonic::{Request, Status};

use super::audit::Given;
use crate::host::peer::Peer;
use crate::host::sockets::Connection;

/// Who is at the other end, as every call sees it.
#[derive(Debug, Clone)]
pub struct Caller(Arc<OneConnection>);

#[derive(Debug)]
struct OneConnection {
    peer: Arc<Peer>,
    given: Given,
}

impl Connected for Connection {
    type ConnectInfo = Caller;

    fn connect_info(&self) -> Caller {
        Caller(Arc::new(OneConnection { peer: self.peer(), given: Given::default() }))
    }
}

impl Caller {
    /// Who asks. Nobody is served whose connection is not known.
    pub(super) fn of<T>(request: &Request<T>) -> Result<Self, Status> {
        request.extensions().get().cloned().ok_or_else(|| Status::internal("the connection of this call is not known"))
    }

    /// By the kernel.
    pub(super) fn peer(&self) -> &Arc<Peer> {
        &self.0.peer
    }

    /// What this connection was given.
    pub(super) fn given(&self) -> &Given {
        &self.0.given
    }

    /// The name of the calling program as the kernel tells it, where it does.
    pub(super) fn program(&self) -> Option<String> {
        self.0.peer.executable.clone()
    }
}

impl Drop for OneConnection {
    fn drop(&mut self) {
        self.given.tell_the_rest(&self.peer);
    }
}
