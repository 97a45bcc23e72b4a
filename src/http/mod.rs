//! A small HTTP/1.1 server (RFC 9110, RFC 9112) with a thread per connection. Here are the protocol and its limits; which
//! addresses are served and what answers a request belong to the module that starts a [`Server`].
//!
//! Keep-alive, pipelining, HEAD, chunked requests and `Expect: 100-continue`; HTTP/1.0 as well. No `Date`, so that the same
//! request gets the same bytes each time. No TLS.
//!
//! `server` accepts, `open_connections` limits and closes, `connection` serves one client, `timed_reader` keeps its time
//! limits. `head`, `target`, `headers` and `body` read a request, `refusal` explains why one is not read, `response`,
//! `status` and `chunked_writer` write the answer.

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
mod target;
mod timed_reader;

pub use headers::{HeaderValue, Headers};
pub use limits::Limits;
pub use request::Request;
pub use response::{Content, Response};
pub use server::Server;
pub use status::Status;
pub use target::Target;
