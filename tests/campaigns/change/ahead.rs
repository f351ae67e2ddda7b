//! The version after: every message of it says more than ours. A program of it, and a daemon of it: ours, behind a door that adds to
//! each answer what we cannot know.
//!
//! Must never: change what is known.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf as _, BufMut as _, Bytes};
use mcp_authd_proto::v1::admin_server::AdminServer;
use mcp_authd_proto::v1::tokens_server::TokensServer;
use mcp_authd_tests::bare::channel;
use prost::encoding::{WireType, decode_key, decode_varint, encode_key, encode_varint};
use prost_types::field_descriptor_proto::Type;
use tokio::net::UnixListener;
use tokio::task::JoinHandle;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::UnixListenerStream;
use tonic::body::Body;
use tonic::codegen::http;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::server::NamedService;
use tonic::transport::Channel;
use tonic::{Request, Response, Status};

use super::descriptors;
use crate::as_it_is::AsItIs;

/// Numbers that no field of ours has.
const UNKNOWN: u32 = 1900;

/// A message as the version after writes it: the same, and in it and in every message inside it a field of each kind that nobody
/// knows here.
pub(super) fn ahead(message: &[u8], name: &str) -> Vec<u8> {
    let wire = descriptors::present();
    let messages = descriptors::messages(&wire);
    let described = messages.get(name).unwrap_or_else(|| panic!("{name} is a message of ours"));
    let inside: BTreeMap<u32, &str> = described
        .field
        .iter()
        .filter(|field| field.r#type() == Type::Message && field.type_name().starts_with(".authd.v1."))
        .map(|field| (u32::try_from(field.number()).expect("numbers are positive"), field.type_name()))
        .collect();
    let (mut rest, mut more) = (message, Vec::new());
    while rest.has_remaining() {
        let (number, kind) = decode_key(&mut rest).expect("a field");
        encode_key(number, kind, &mut more);
        match kind {
            WireType::Varint => encode_varint(decode_varint(&mut rest).expect("a number"), &mut more),
            WireType::SixtyFourBit => more.put_u64(rest.get_u64()),
            WireType::ThirtyTwoBit => more.put_u32(rest.get_u32()),
            WireType::LengthDelimited => {
                let length = usize::try_from(decode_varint(&mut rest).expect("a length")).expect("it fits");
                let content = rest.copy_to_bytes(length);
                let content = inside.get(&number).map_or_else(|| content.to_vec(), |name| ahead(&content, name));
                put_bytes(&content, &mut more);
            }
            WireType::StartGroup | WireType::EndGroup => panic!("proto3 has no groups"),
        }
    }
    encode_key(UNKNOWN, WireType::Varint, &mut more);
    encode_varint(u64::MAX, &mut more);
    encode_key(UNKNOWN + 1, WireType::SixtyFourBit, &mut more);
    more.put_u64(7);
    encode_key(UNKNOWN + 2, WireType::LengthDelimited, &mut more);
    put_bytes(b"what nobody knows yet \xff", &mut more);
    encode_key(UNKNOWN + 3, WireType::ThirtyTwoBit, &mut more);
    more.put_u32(7);
    more
}

fn put_bytes(content: &[u8], into: &mut Vec<u8>) {
    encode_varint(u64::try_from(content.len()).expect("it fits"), into);
    into.extend_from_slice(content);
}

/// Calls a method, whether it exists or not.
pub(super) async fn call(channel: Channel, path: &str, message: Vec<u8>) -> Result<Bytes, Status> {
    let mut grpc = tonic::client::Grpc::new(channel);
    ready(&mut grpc).await?;
    let path = path.parse::<PathAndQuery>().expect("a path");
    Ok(grpc.unary(Request::new(Bytes::from(message)), path, AsItIs).await?.into_inner())
}

async fn ready(grpc: &mut tonic::client::Grpc<Channel>) -> Result<(), Status> {
    grpc.ready().await.map_err(|error| Status::unavailable(error.to_string()))
}

/// A daemon of the version after. Its door ends when it is dropped.
pub(super) struct NewerDaemon {
    folder: tempfile::TempDir,
    doors: [JoinHandle<Result<(), tonic::transport::Error>>; 2],
}

impl NewerDaemon {
    /// Before a daemon with these sockets.
    pub(super) async fn before(tokens: &Path, admin: &Path) -> Self {
        let folder = tempfile::Builder::new().prefix("authd-").tempdir().expect("a folder");
        let listen = |name: &str| UnixListenerStream::new(UnixListener::bind(folder.path().join(name)).expect("a socket"));
        let door = tonic::transport::Server::builder().add_service(Door::<TokensServer<()>>::to(tokens).await);
        let admin_door = tonic::transport::Server::builder().add_service(Door::<AdminServer<()>>::to(admin).await);
        let doors = [
            tokio::spawn(door.serve_with_incoming(listen("tokens.sock"))),
            tokio::spawn(admin_door.serve_with_incoming(listen("admin.sock"))),
        ];
        Self { folder, doors }
    }

    pub(super) fn tokens_socket(&self) -> PathBuf {
        self.folder.path().join("tokens.sock")
    }
}

impl Drop for NewerDaemon {
    fn drop(&mut self) {
        self.doors.iter().for_each(JoinHandle::abort);
    }
}

/// Passes each call on, and the answers back with more in them.
struct Door<S> {
    house: Channel,
    service: PhantomData<fn(S)>,
}

impl<S> Clone for Door<S> {
    fn clone(&self) -> Self {
        Self { house: self.house.clone(), service: PhantomData }
    }
}

impl<S> Door<S> {
    async fn to(socket: &Path) -> Self {
        Self { house: channel(socket).await, service: PhantomData }
    }
}

impl<S: NamedService> NamedService for Door<S> {
    const NAME: &'static str = S::NAME;
}

impl<S> tower::Service<http::Request<Body>> for Door<S> {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let (house, path) = (self.house.clone(), request.uri().path().to_owned());
        Box::pin(async move {
            let Some((answer, streams)) = descriptors::answer_of(&path) else {
                return Ok(Status::unimplemented("").into_http());
            };
            let mut outside = tonic::server::Grpc::new(AsItIs);
            let through = PathAndQuery::try_from(path).expect("it was one");
            let inside = tonic::client::Grpc::new(house);
            if streams {
                let pass = tower::service_fn(move |request: Request<Bytes>| {
                    let (mut inside, through, answer) = (inside.clone(), through.clone(), answer.clone());
                    async move {
                        ready(&mut inside).await?;
                        let answers = inside.server_streaming(Request::new(request.into_inner()), through, AsItIs).await?;
                        let more = answers.into_inner().map(move |each| each.map(|each| Bytes::from(ahead(&each, &answer))));
                        Ok::<_, Status>(Response::new(Box::pin(more)))
                    }
                });
                return Ok(outside.server_streaming(pass, request).await);
            }
            let pass = tower::service_fn(move |request: Request<Bytes>| {
                let (mut inside, through, answer) = (inside.clone(), through.clone(), answer.clone());
                async move {
                    ready(&mut inside).await?;
                    let one = inside.unary(Request::new(request.into_inner()), through, AsItIs).await?;
                    Ok::<_, Status>(Response::new(Bytes::from(ahead(one.get_ref(), &answer))))
                }
            });
            Ok(outside.unary(pass, request).await)
        })
    }
}
