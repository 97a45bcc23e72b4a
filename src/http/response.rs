//! The answer to a request: status, headers, content, and how they are written. Not which request gets which answer, nor
//! when a connection ends.

use std::io::{self, Write};

use super::head::{After, Form, Presence};
use super::headers::HeaderValue;
use super::status::Status;

/// An answer, ready to be written.
pub struct Response {
    status: Status,
    headers: Vec<(&'static str, HeaderValue)>,
    content: Box<dyn Content>,
}

/// What follows the head of an answer.
pub trait Content {
    /// Length in bytes.
    fn length(&self) -> u64;

    /// Writes exactly as many bytes.
    ///
    /// # Errors
    /// Those of `output`: the client is gone or reads nothing.
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
    /// An answer with content of the given media type.
    #[must_use]
    pub fn new(status: Status, media_type: impl Into<HeaderValue>, content: impl Content + 'static) -> Self {
        Self { status, headers: vec![("Content-Type", media_type.into())], content: Box::new(content) }
    }

    /// One line of text.
    #[must_use]
    pub fn text(status: Status, line: &str) -> Self {
        Self::new(status, "text/plain; charset=utf-8", format!("{line}\n").into_bytes())
    }

    /// The same with one more header.
    #[must_use]
    pub fn with_header(mut self, name: &'static str, value: impl Into<HeaderValue>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Writes all of it and returns what becomes of the connection. HEAD gets the head that GET would get (RFC 9110, 9.3.2).
    pub(super) fn write(self, form: Form, output: &mut impl Write) -> io::Result<After> {
        output.write_all(&self.head(form.after))?;
        if form.content == Presence::Sent {
            self.content.write(output)?;
        }
        output.flush()?;
        Ok(form.after)
    }

    /// The status line and the headers, with the empty line.
    fn head(&self, after: After) -> Vec<u8> {
        let connection = match after {
            After::KeepAlive => "keep-alive",
            After::Close => "close",
        };
        let (status, length) = (self.status.line(), self.content.length());
        let start = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: {connection}\r\n");
        let mut head = start.into_bytes();
        for (name, value) in &self.headers {
            head.extend([name.as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
        }
        head.extend(b"\r\n");
        head
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_is_as_the_rfc_writes_it() {
        let response = Response::text(Status::MethodNotAllowed, "no").with_header("Allow", "GET");
        let expected = "HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 3\r\nConnection: close\r\n\
                        Content-Type: text/plain; charset=utf-8\r\nAllow: GET\r\n\r\n";
        assert_eq!(String::from_utf8_lossy(&response.head(After::Close)), expected);
    }
}
