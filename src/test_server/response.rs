//! What is sent: status, headers, content. Not which of them answers what, nor when a connection ends.

use std::io::{self, Write};
use std::sync::LazyLock;

use super::head::After;

/// An answer, ready to be written.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Response {
    pub(super) status: Status,
    /// A header's value as it came or as it is to be sent: any bytes but control characters.
    pub(super) content_type: Vec<u8>,
    pub(super) content: Content,
    /// The methods of a resource that was asked for with another.
    pub(super) allow: Option<&'static str>,
}

/// The statuses that the test server knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    Ok,
    BadRequest,
    NotFound,
    MethodNotAllowed,
    RequestTimeout,
    ContentTooLarge,
    HeadersTooLarge,
    NotImplemented,
    VersionNotSupported,
}

/// What follows the header.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// These bytes.
    Bytes(Vec<u8>),
    /// So many bytes of [`PATTERN`], over and over.
    Pattern(u64),
    /// Nothing, where GET would have sent so many bytes.
    Omitted(u64),
}

/// Why a request is not read to its end. The connection closes after it: where the next request would begin is unknown.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: Status,
    pub(super) why: &'static str,
}

impl Refusal {
    pub(super) fn bad(why: &'static str) -> Self {
        Self { status: Status::BadRequest, why }
    }
}

/// A client that is gone altogether won't see this, and writing to it fails soon enough; one that only stopped sending
/// will.
impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
                Self { status: Status::RequestTimeout, why: "the request took too long" }
            }
            _ => Self::bad("the request ended too early"),
        }
    }
}

impl From<Refusal> for Response {
    fn from(refusal: Refusal) -> Self {
        Self::text(refusal.status, refusal.why)
    }
}

impl Response {
    /// One line of text.
    pub(super) fn text(status: Status, line: &str) -> Self {
        let content = Content::Bytes(format!("{line}\n").into_bytes());
        Self { status, content_type: b"text/plain; charset=utf-8".to_vec(), content, allow: None }
    }

    /// As HEAD is to be answered: what GET would get, but for the content (RFC 9110, 9.3.2).
    pub(super) fn without_content(self) -> Self {
        Self { content: Content::Omitted(self.content.length()), ..self }
    }

    /// The header, up to and with the empty line.
    pub(super) fn head(&self, after: After) -> Vec<u8> {
        let connection = match after {
            After::KeepAlive => "keep-alive",
            After::Close => "close",
        };
        let allow = self.allow.map(|methods| format!("Allow: {methods}\r\n")).unwrap_or_default();
        let mut head = format!(
            "HTTP/1.1 {}\r\nContent-Length: {}\r\nConnection: {connection}\r\n{allow}Content-Type: ",
            self.status.line(),
            self.content.length(),
        )
        .into_bytes();
        head.extend_from_slice(&self.content_type);
        head.extend_from_slice(b"\r\n\r\n");
        head
    }
}

impl Status {
    fn line(self) -> &'static str {
        match self {
            Self::Ok => "200 OK",
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

impl Content {
    fn length(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Pattern(length) | Self::Omitted(length) => *length,
        }
    }

    pub(super) fn write_to(&self, output: &mut impl Write) -> io::Result<()> {
        match self {
            Self::Bytes(bytes) => output.write_all(bytes),
            Self::Pattern(length) => write_pattern(*length, output),
            Self::Omitted(_) => Ok(()),
        }
    }
}

/// The largest prime that fits a byte: no power of two is a multiple of it, so that a block of any usual size that is
/// lost, sent twice or swapped shows.
const PERIOD: u8 = 251;

/// About 64 KiB, and whole periods, so that the pattern runs on where the buffer begins again. Made when it is first asked
/// for: as a constant it would be a fortieth of the binary.
static PATTERN: LazyLock<Vec<u8>> = LazyLock::new(|| (0..PERIOD).cycle().take(256 * usize::from(PERIOD)).collect());

fn write_pattern(length: u64, output: &mut impl Write) -> io::Result<()> {
    let mut left = length;
    while left > 0 {
        let piece = PATTERN.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        output.write_all(&PATTERN[..piece])?;
        left -= piece as u64;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pattern_is_the_offset_mod_251_across_buffers() {
        for length in [0, 1, 251, 64_256, 64_257, 200_000] {
            let mut sent = Vec::new();
            Content::Pattern(length).write_to(&mut sent).expect("a Vec takes all");
            assert_eq!(sent.len() as u64, length);
            assert!(sent.iter().enumerate().all(|(offset, &byte)| usize::from(byte) == offset % 251), "{length}");
        }
    }

    #[test]
    fn the_header_is_as_the_rfc_writes_it() {
        let response = Response { allow: Some("GET"), ..Response::text(Status::MethodNotAllowed, "no") };
        let expected = "HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 3\r\nConnection: close\r\nAllow: GET\r\n\
                        Content-Type: text/plain; charset=utf-8\r\n\r\n";
        assert_eq!(String::from_utf8_lossy(&response.head(After::Close)), expected);
    }
}
