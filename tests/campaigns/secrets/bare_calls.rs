//! Calls of any method with any bytes, and everything that comes back: messages, status, metadata.
//!
//! Must never: understand an answer. What is looked for is looked for in the bytes.

use std::time::Duration;

use bytes::Bytes;
use mcp_authd_proto::FILE_DESCRIPTOR_SET;
use prost::Message as _;
use prost_types::FileDescriptorSet;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};

use crate::as_it_is::AsItIs;

/// Who waits longer for an answer hangs up: some calls ask to be kept waiting.
const PATIENCE: Duration = Duration::from_millis(300);
/// A watch answers at once; what it tells later is not waited for.
const MESSAGES: usize = 2;

/// The paths of all methods of a service of ours.
pub(super) fn methods(service: &str) -> Vec<String> {
    let descriptors = FileDescriptorSet::decode(FILE_DESCRIPTOR_SET).expect("the committed descriptors decode");
    let services = descriptors.file.iter().flat_map(|file| &file.service).filter(|found| found.name() == service);
    services.flat_map(|found| &found.method).map(|method| format!("/authd.v1.{service}/{}", method.name())).collect()
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// With this status; a watch that goes on counts as well.
    Status(Code),
    /// Nobody waited for it.
    HungUp,
}

/// One call. Everything that came back, one behind the other.
pub(super) async fn call(channel: &Channel, path: &str, request: Vec<u8>) -> (Vec<u8>, End) {
    let mut said = Vec::new();
    let end = match tokio::time::timeout(PATIENCE, answered(channel, path, request, &mut said)).await {
        Ok(Ok(())) => End::Status(Code::Ok),
        Ok(Err(status)) => {
            said.extend_from_slice(status.message().as_bytes());
            said.extend_from_slice(status.details());
            said.extend_from_slice(format!("{:?}", status.metadata()).as_bytes());
            End::Status(status.code())
        }
        Err(_) => End::HungUp,
    };
    (said, end)
}

async fn answered(channel: &Channel, path: &str, request: Vec<u8>, said: &mut Vec<u8>) -> Result<(), Status> {
    let mut client = tonic::client::Grpc::new(channel.clone());
    client.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
    let path: PathAndQuery = path.parse().expect("a method has a path");
    // A call with one answer is a stream of one.
    let answer = client.server_streaming(Request::new(Bytes::from(request)), path, AsItIs).await?;
    said.extend_from_slice(format!("{:?}", answer.metadata()).as_bytes());
    let mut messages = answer.into_inner();
    for _ in 0..MESSAGES {
        match tokio::time::timeout(PATIENCE / 10, messages.message()).await {
            Ok(Ok(Some(message))) => said.extend_from_slice(&message),
            Ok(Ok(None)) => break,
            Ok(Err(status)) => return Err(status),
            Err(_) if said.is_empty() => return Err(Status::deadline_exceeded("")),
            Err(_) => return Ok(()),
        }
    }
    if let Ok(Ok(Some(trailers))) = tokio::time::timeout(PATIENCE / 100, messages.trailers()).await {
        said.extend_from_slice(format!("{trailers:?}").as_bytes());
    }
    Ok(())
}
