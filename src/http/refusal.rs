//! Why a request is not read to its end.

use std::io;

use super::response::Response;
use super::status::Status;

/// The answer to a request that is not read to its end. The connection closes after it, as the start of the next request
/// is unknown.
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

/// A client that only stopped sending reads this. To one that is gone, writing fails.
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

impl From<Refusal> for Response {
    fn from(refusal: Refusal) -> Self {
        Self::text(refusal.status, &refusal.why)
    }
}
