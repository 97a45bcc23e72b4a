//! Why a server has no port.

use std::fmt;
use std::io;
use std::net::SocketAddr;

use crate::listen;

/// Why a server does not serve.
#[derive(Debug)]
pub struct BindError {
    /// The server, such as `admin server`.
    pub server: &'static str,
    /// How to do without this address.
    pub alternative: &'static str,
    /// The address that was to be served.
    pub addr: SocketAddr,
    /// The system's error.
    pub source: io::Error,
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { server, alternative, addr, source } = self;
        write!(f, "the {server} can't serve {addr}: {source}; {}; {alternative}", listen::hint(source))
    }
}

// Without `source()`, because the text includes the cause, and a printed chain would repeat it.
impl std::error::Error for BindError {}
