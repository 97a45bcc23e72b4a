//! The status codes in use (RFC 9110, 15). Add a line to each match for a new one.

/// The status of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is named by its phrase")]
pub enum Status {
    Ok,
    NoContent,
    NotModified,
    BadRequest,
    NotFound,
    MethodNotAllowed,
    RequestTimeout,
    ContentTooLarge,
    HeadersTooLarge,
    NotImplemented,
    VersionNotSupported,
}

impl Status {
    /// Responses with these two statuses end with their head, whatever it contains (RFC 9112, 6.3).
    pub(super) fn has_content(self) -> bool {
        !matches!(self, Self::NoContent | Self::NotModified)
    }

    /// The code and the phrase of the status line.
    pub(super) fn line(self) -> &'static str {
        match self {
            Self::Ok => "200 OK",
            Self::NoContent => "204 No Content",
            Self::NotModified => "304 Not Modified",
            Self::BadRequest => "400 Bad Request",
            Self::NotFound => "404 Not Found",
            Self::MethodNotAllowed => "405 Method Not Allowed",
            Self::RequestTimeout => "408 Request Timeout",
            Self::ContentTooLarge => "413 Content Too Large",
            Self::HeadersTooLarge => "431 Request Header Fields Too Large",
            Self::NotImplemented => "501 Not Implemented",
            Self::VersionNotSupported => "505 HTTP Version Not Supported",
        }
    }
}
