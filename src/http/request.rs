//! The request that a handler receives.

use std::net::SocketAddr;

use super::headers::Headers;
use super::target::Target;

/// A complete request.
#[derive(Debug)]
pub struct Request {
    /// The method as sent. The handler receives HEAD as well; the server omits the content of its response.
    pub method: String,
    /// Path and query.
    pub target: Target,
    /// The header lines.
    pub headers: Headers,
    /// The body. Empty if the request had none.
    pub body: Vec<u8>,
    /// The address that the client connected from.
    pub client: SocketAddr,
    /// The address that the client connected to.
    pub server: SocketAddr,
}
