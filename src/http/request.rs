//! What a handler gets.

use std::net::SocketAddr;

use super::headers::Headers;
use super::target::Target;

/// A request that has arrived in full.
#[derive(Debug)]
pub struct Request {
    /// As sent. HEAD is passed on too; the server omits the content of its answer.
    pub method: String,
    /// Path and query.
    pub target: Target,
    /// The header lines.
    pub headers: Headers,
    /// Empty if the request had none.
    pub body: Vec<u8>,
    /// The address that the client connects from.
    pub client: SocketAddr,
    /// The address that the client connected to.
    pub server: SocketAddr,
}
