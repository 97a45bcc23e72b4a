//! A small HTTP/1.1 server (RFC 9110, RFC 9112) with a thread per connection. This module has the protocol and its
//! limits. The module that starts a [`Server`] chooses the addresses and the responses.
//!
//! Supports keep-alive, pipelining, HEAD, chunked requests, `Expect: 100-continue` and HTTP/1.0. Sends no `Date`, so
//! that the same request always gets the same bytes. No TLS.
//!
//! `server` accepts, `open_connections` limits and closes connections, `connection` serves one client, and
//! `timed_reader` enforces its time limits. `head`, `target`, `headers` and `body` read a request, and `refusal` is
//! the reason why an invalid one is not answered. `response`, `status`, `stream` and `chunked_writer` write the response.

mod bind_error;
mod body;
mod chunked_writer;
mod connection;
mod head;
mod headers;
mod limits;
mod open_connections;
#[cfg(test)]
mod properties;
mod refusal;
mod request;
mod response;
mod server;
mod status;
mod stream;
mod target;
mod timed_reader;

pub use bind_error::BindError;
pub use headers::{ControlCharacter, HeaderValue, Headers};
pub use limits::Limits;
pub use request::Request;
pub use response::{Content, Response};
pub use server::{Refuse, Server};
pub use status::Status;
pub use stream::{Piece, Stream};
pub use target::Target;
