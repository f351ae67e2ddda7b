//! The peer of a connection, made once at accept and handed to every call on it.

use std::sync::Arc;

use tonic::Request;
use tonic::transport::server::Connected;

use crate::host::peer::Peer;
use crate::host::sockets::Connection;

/// Who is at the other end, as every call sees it.
#[derive(Debug, Clone)]
pub struct Caller(Arc<Peer>);

impl Connected for Connection {
    type ConnectInfo = Caller;

    fn connect_info(&self) -> Caller {
        Caller(self.peer())
    }
}

/// The name of the calling program as the kernel tells it, where it does.
pub(super) fn program<T>(request: &Request<T>) -> Option<String> {
    request.extensions().get::<Caller>().and_then(|caller| caller.0.executable.clone())
}
