//! Why a request that is invalid or too large is refused. The form of the response is the server's choice.

use std::io;

use super::status::Status;

/// The reason to refuse a request before its end. The connection closes after the response, because the start of the
/// next request is unknown.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: Status,
    pub(super) why: String,
}

impl Refusal {
    pub(super) fn bad(why: impl Into<String>) -> Self {
        Self { status: Status::BadRequest, why: why.into() }
    }

    pub(super) fn body_too_large(most: u64) -> Self {
        Self { status: Status::ContentTooLarge, why: format!("the body is over {most} bytes") }
    }
}

/// A client that only stopped sending can read the response. If the client is gone, writing fails.
impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
                Self { status: Status::RequestTimeout, why: "the request took too long".to_owned() }
            }
            _ => Self::bad("the request ended too early"),
        }
    }
}
