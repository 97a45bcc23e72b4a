//! The response to a request: status, headers, content, and how they are written. Which response a request gets and
//! when a connection ends is decided elsewhere.

use std::io::{self, Write};

use super::chunked_writer::ChunkedWriter;
use super::head::{After, ContentMode, Form, Version};
use super::headers::HeaderValue;
use super::status::Status;
use super::stream::{self, Stream};

/// A response.
pub struct Response {
    status: Status,
    headers: Vec<(&'static str, HeaderValue)>,
    body: Body,
}

/// It is dropped unwritten if the response has no content: to HEAD, or with 204.
enum Body {
    Content(Box<dyn Content>),
    Stream(Box<dyn Stream>),
}

/// Content of known length.
pub trait Content {
    /// The length in bytes.
    fn length(&self) -> u64;

    /// Writes exactly `length` bytes.
    ///
    /// # Errors
    /// Errors of `output`: the client is gone or does not read.
    fn write(self: Box<Self>, output: &mut dyn Write) -> io::Result<()>;
}

impl Content for Vec<u8> {
    fn length(&self) -> u64 {
        self.len() as u64
    }

    fn write(self: Box<Self>, output: &mut dyn Write) -> io::Result<()> {
        output.write_all(&self)
    }
}

impl Response {
    /// Creates a response with content of the given media type.
    #[must_use]
    pub fn new(status: Status, media_type: impl Into<HeaderValue>, content: impl Content + 'static) -> Self {
        let body = Body::Content(Box::new(content));
        Self { status, headers: vec![("Content-Type", media_type.into())], body }
    }

    /// Creates a response whose content is sent as it is produced. If too many streams are open, the client gets a 503.
    #[must_use]
    pub fn stream(status: Status, media_type: impl Into<HeaderValue>, stream: impl Stream + 'static) -> Self {
        let body = Body::Stream(Box::new(stream));
        Self { status, headers: vec![("Content-Type", media_type.into())], body }
    }

    /// Creates a response without content.
    #[must_use]
    pub fn empty(status: Status) -> Self {
        Self { status, headers: Vec::new(), body: Body::Content(Box::new(Vec::new())) }
    }

    /// Creates a response with one line of text.
    #[must_use]
    pub fn text(status: Status, line: &str) -> Self {
        Self::new(status, "text/plain; charset=utf-8", format!("{line}\n").into_bytes())
    }

    /// Adds a header.
    #[must_use]
    pub fn with_header(mut self, name: &'static str, value: impl Into<HeaderValue>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Whether a stream would be sent.
    pub(super) fn streams(&self, form: Form) -> bool {
        let sends_content = form.content == ContentMode::Sent && self.status.has_content();
        sends_content && matches!(self.body, Body::Stream(_))
    }

    /// Writes the response. Returns what happens to the connection. HEAD gets the same head as GET (RFC 9110, 9.3.2).
    /// A stream ends as soon as it is not read any more.
    pub(super) fn write(self, form: Form, output: &mut impl Write, is_read: &dyn Fn() -> bool) -> io::Result<After> {
        let end = self.end(form.version);
        let after = if end == ContentEnd::Close { After::Close } else { form.after };
        output.write_all(&self.head(end, after))?;
        if form.content == ContentMode::Sent {
            self.write_content(end, output, is_read)?;
        }
        output.flush()?;
        Ok(after)
    }

    fn end(&self, version: Version) -> ContentEnd {
        match (&self.body, version) {
            _ if !self.status.has_content() => ContentEnd::Head,
            (Body::Content(content), _) => ContentEnd::Length(content.length()),
            (Body::Stream(_), Version::Http11) => ContentEnd::LastChunk,
            (Body::Stream(_), Version::Http10) => ContentEnd::Close,
        }
    }

    fn write_content(self, end: ContentEnd, output: &mut impl Write, is_read: &dyn Fn() -> bool) -> io::Result<()> {
        match (self.body, end) {
            (_, ContentEnd::Head) => Ok(()),
            (Body::Content(content), _) => content.write(output),
            (Body::Stream(stream), ContentEnd::LastChunk) => {
                // The first piece may take a while.
                output.flush()?;
                let mut chunks = ChunkedWriter(output);
                stream::send(stream, &mut chunks, is_read)?;
                chunks.finish()
            }
            (Body::Stream(stream), _) => {
                output.flush()?;
                stream::send(stream, output, is_read)
            }
        }
    }

    /// The status line, the headers and the empty line.
    fn head(&self, end: ContentEnd, after: After) -> Vec<u8> {
        let connection = match after {
            After::KeepAlive => "keep-alive",
            After::Close => "close",
        };
        let length = match end {
            ContentEnd::Length(length) => format!("Content-Length: {length}\r\n"),
            ContentEnd::LastChunk => "Transfer-Encoding: chunked\r\n".to_owned(),
            ContentEnd::Head | ContentEnd::Close => String::new(),
        };
        let (code, phrase) = self.status.parts();
        let mut head = format!("HTTP/1.1 {code} {phrase}\r\n{length}Connection: {connection}\r\n").into_bytes();
        for (name, value) in &self.headers {
            head.extend([name.as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
        }
        head.extend(b"\r\n");
        head
    }
}

/// How a response ends (RFC 9112, 6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ContentEnd {
    /// With its head.
    Head,
    /// After this number of bytes.
    Length(u64),
    /// With a chunk of length 0.
    LastChunk,
    /// With the connection.
    Close,
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::time::Duration;

    use super::super::stream::Piece;
    use super::*;

    const HTTP_1_1: Form = Form { version: Version::Http11, content: ContentMode::Sent, after: After::KeepAlive };

    /// A stream of these lines. Each is awaited once in vain.
    struct Lines(Vec<Piece>);

    impl Lines {
        fn new(lines: &[&str]) -> Self {
            let pieces = lines.iter().map(|line| Piece::Bytes(line.as_bytes().to_vec()));
            Self(pieces.flat_map(|piece| [Piece::Pending, piece]).rev().collect())
        }
    }

    impl Stream for Lines {
        fn next(&mut self, _: Duration) -> Piece {
            self.0.pop().unwrap_or(Piece::End)
        }
    }

    #[track_caller]
    fn assert_written(response: Response, form: Form, expected: &str, after: After) {
        let mut written = Vec::new();
        assert_eq!(response.write(form, &mut written, &|| true).expect("a Vec takes all"), after);
        assert_eq!(String::from_utf8_lossy(&written), expected);
    }

    #[test]
    fn writes_status_headers_and_content() {
        let expected = "HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 3\r\nConnection: close\r\n\
                        Content-Type: text/plain; charset=utf-8\r\nAllow: GET\r\n\r\nno\n";
        let response = Response::text(Status::MethodNotAllowed, "no").with_header("Allow", "GET");
        assert_written(response, Form::LAST, expected, After::Close);
    }

    #[test]
    fn head_requests_get_the_headers_only() {
        let expected = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: keep-alive\r\n\
                        Content-Type: text/plain; charset=utf-8\r\n\r\n";
        let form = Form { content: ContentMode::Omitted, ..HTTP_1_1 };
        assert_written(Response::text(Status::Ok, "ok"), form, expected, After::KeepAlive);
    }

    #[test]
    fn a_status_without_content_ends_with_the_head() {
        let expected = "HTTP/1.1 204 No Content\r\nConnection: keep-alive\r\n\r\n";
        assert_written(Response::empty(Status::NoContent), HTTP_1_1, expected, After::KeepAlive);
        let expected = "HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n";
        assert_written(Response::empty(Status::MethodNotAllowed), HTTP_1_1, expected, After::KeepAlive);
    }

    #[test]
    fn streams_are_chunked() {
        let expected = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive\r\n\
                        Content-Type: a/b\r\n\r\n4\r\none\n\r\n4\r\ntwo\n\r\n0\r\n\r\n";
        let response = Response::stream(Status::Ok, "a/b", Lines::new(&["one\n", "", "two\n"]));
        assert_written(response, HTTP_1_1, expected, After::KeepAlive);
    }

    #[test]
    fn streams_end_with_the_connection_in_http_1_0() {
        let expected = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: a/b\r\n\r\none\ntwo\n";
        let form = Form { version: Version::Http10, ..HTTP_1_1 };
        assert_written(
            Response::stream(Status::Ok, "a/b", Lines::new(&["one\n", "two\n"])),
            form,
            expected,
            After::Close,
        );
    }
    #[test]
    fn streams_end_when_they_are_not_read() {
        let checks_left = Cell::new(3);
        let is_read = || checks_left.replace(checks_left.get() - 1) > 0;
        let response = Response::stream(Status::Ok, "a/b", Lines::new(&["one\n", "two\n"]));
        let mut written = Vec::new();
        assert_eq!(response.write(HTTP_1_1, &mut written, &is_read).expect("a Vec takes all"), After::KeepAlive);
        assert!(written.ends_with(b"\r\n\r\n4\r\none\n\r\n0\r\n\r\n"), "{}", String::from_utf8_lossy(&written));
    }

    #[test]
    fn only_responses_with_content_stream() {
        let response = |status| Response::stream(status, "a/b", Lines::new(&[]));
        assert!(response(Status::Ok).streams(HTTP_1_1));
        assert!(!response(Status::Ok).streams(Form { content: ContentMode::Omitted, ..HTTP_1_1 }));
        assert!(!response(Status::NoContent).streams(HTTP_1_1));
        assert!(!Response::text(Status::Ok, "a").streams(HTTP_1_1));
    }
}
