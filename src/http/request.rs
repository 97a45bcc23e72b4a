//! What a handler gets.

use std::net::SocketAddr;

use super::headers::Headers;

/// A request that has arrived in full.
#[derive(Debug)]
pub struct Request {
    /// As sent. HEAD is passed on too; the server omits the content of its answer.
    pub method: String,
    /// Without query, scheme and host.
    pub path: String,
    /// The header lines.
    pub headers: Headers,
    /// Empty if the request had none.
    pub body: Vec<u8>,
    /// The address that the client connected to.
    pub server: SocketAddr,
}
