//! A TLS front before a token endpoint, that breaks connections at a chosen point: what a network does, and a server cannot do to itself.
//!
//! Must never: pass anything of a connection on that it breaks.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use mcp_authd_tests::server::AuthorizationServer;
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncReadExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

/// Where a connection breaks: it is reset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Break {
    /// As soon as it stands.
    BeforeTheHandshake,
    /// After the client's first words (RFC 8446, 4.1.2).
    InTheHandshake,
    /// When the request has begun to arrive; none of it goes on to the server.
    AfterTheRequest,
}

/// A front. It ends with the runtime.
pub(super) struct Front {
    endpoint: String,
    certificate: String,
    breaks: Arc<Mutex<VecDeque<Break>>>,
    /// Ends the connections that stand, so that the next request needs a new one.
    end: watch::Sender<()>,
}

impl Front {
    pub(super) fn of(server: &AuthorizationServer) -> Self {
        let (config, certificate) = certified();
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port on loopback is free");
        listener.set_nonblocking(true).expect("a listener can be non-blocking");
        let port = listener.local_addr().expect("a bound listener has an address").port();
        let inner = url::Url::parse(&server.token_endpoint()).expect("an endpoint is a URL");
        let behind = inner.socket_addrs(|| None).expect("it is on loopback")[0];
        let (breaks, end) = (Arc::default(), watch::Sender::new(()));
        let front = Self { endpoint: format!("https://127.0.0.1:{port}{}", inner.path()), certificate, breaks, end };
        let (breaks, end) = (Arc::clone(&front.breaks), front.end.clone());
        let listener = TcpListener::from_std(listener).expect("the listener is non-blocking");
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let next = breaks.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                let mut ended = end.subscribe();
                let served = serve(stream, (next, behind), TlsAcceptor::from(Arc::clone(&config)));
                tokio::spawn(async move {
                    tokio::select! {
                        () = served => {}
                        _ = ended.changed() => {}
                    }
                });
            }
        });
        front
    }

    pub(super) fn token_endpoint(&self) -> String {
        self.endpoint.clone()
    }

    /// What a client must trust, as a file holds it.
    pub(super) fn certificate(&self) -> &str {
        &self.certificate
    }

    /// How many in a row lose nothing: what was sent may be sent once more, what was not may be sent for ever.
    pub(super) fn harmless(breaking: Break) -> usize {
        if breaking == Break::AfterTheRequest { 1 } else { 3 }
    }

    pub(super) fn break_next(&self, breaking: Break) {
        self.breaks.lock().unwrap_or_else(PoisonError::into_inner).push_back(breaking);
        self.end.send_replace(());
    }

    /// How many breaks have not happened yet.
    pub(super) fn left(&self) -> usize {
        self.breaks.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

async fn serve(mut stream: TcpStream, (breaking, behind): (Option<Break>, SocketAddr), tls: TlsAcceptor) {
    // What is dropped with a linger of zero goes with RST.
    if breaking.is_some() {
        stream.set_zero_linger().expect("a connection can be reset");
    }
    let mut begun = [0_u8; 256];
    match breaking {
        Some(Break::BeforeTheHandshake) => {}
        Some(Break::InTheHandshake) => drop(stream.read(&mut begun).await),
        Some(Break::AfterTheRequest) => {
            if let Ok(mut stream) = tls.accept(stream).await {
                drop(stream.read(&mut begun).await);
            }
        }
        None => {
            if let (Ok(mut stream), Ok(mut server)) = (tls.accept(stream).await, TcpStream::connect(behind).await) {
                // Either side may end it.
                let _ended = copy_bidirectional(&mut stream, &mut server).await;
            }
        }
    }
}

fn certified() -> (Arc<ServerConfig>, String) {
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).expect("a certificate can be made");
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the provider has the versions")
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .expect("the certificate is right");
    (Arc::new(config), made.cert.pem())
}
