//! Reads the body of a request with a length or in chunks (RFC 9112, 6 and 7.1). Uses no socket and no clock.

use std::io::{self, BufRead, Read};

use super::refusal::Refusal;

/// How a body ends. A request without one has a body of length 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// After this number of bytes.
    Length(u64),
    /// After a chunk of length 0.
    Chunked,
}

/// The longest line between chunks, in bytes, and the most trailers. Extensions and trailers are rare, and ignored
/// here.
const MAX_LINE: u64 = 1024;
const MAX_TRAILERS: usize = 64;

/// Reads exactly the bytes of the body. The length of a body that declares one was checked with the head.
pub(super) fn read(input: &mut impl BufRead, framing: Framing, largest: u64) -> Result<Vec<u8>, Refusal> {
    let mut body = Vec::new();
    match framing {
        Framing::Length(length) => append(&mut body, input, length)?,
        Framing::Chunked => append_chunks(&mut body, input, largest)?,
    }
    Ok(body)
}

/// Memory grows as bytes arrive, so that a large Content-Length alone costs nothing.
fn append(body: &mut Vec<u8>, input: &mut impl BufRead, length: u64) -> io::Result<()> {
    let read = input.take(length).read_to_end(body)?;
    if read as u64 == length { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

fn append_chunks(body: &mut Vec<u8>, input: &mut impl BufRead, largest: u64) -> Result<(), Refusal> {
    loop {
        let length = chunk_length(&line(input)?)?;
        if length == 0 {
            return skip_trailers(input);
        }
        if length > largest - body.len() as u64 {
            return Err(Refusal::body_too_large(largest));
        }
        append(body, input, length)?;
        if line(input)? != b"\r\n" {
            return Err(Refusal::bad("a chunk is longer than its length"));
        }
    }
}

/// httparse reads a line without digits as 0, which would end the body.
fn chunk_length(line: &[u8]) -> Result<u64, Refusal> {
    let begins_well = line.first().is_some_and(u8::is_ascii_hexdigit);
    match httparse::parse_chunk_size(line) {
        Ok(httparse::Status::Complete((end, length))) if begins_well && end == line.len() => Ok(length),
        _ => Err(Refusal::bad("a chunk does not begin with its length")),
    }
}

fn skip_trailers(input: &mut impl BufRead) -> Result<(), Refusal> {
    for _ in 0..=MAX_TRAILERS {
        if line(input)? == b"\r\n" {
            return Ok(());
        }
    }
    Err(Refusal::bad("too many trailers"))
}

/// Reads the next line, including its end. A bare LF is refused, because parsers disagree on whether it ends a line.
fn line(input: &mut impl BufRead) -> Result<Vec<u8>, Refusal> {
    let mut line = Vec::new();
    let read = input.take(MAX_LINE).read_until(b'\n', &mut line)?;
    match line.as_slice() {
        [.., b'\r', b'\n'] => Ok(line),
        [.., b'\n'] => Err(Refusal::bad("a line of a chunked body ends without CR")),
        _ if read as u64 == MAX_LINE => Err(Refusal::bad("a line of a chunked body is over 1 KiB")),
        _ => Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::status::Status;
    use super::*;

    const LARGEST: u64 = 64 * 1024 * 1024;

    /// Returns the body and the bytes after it.
    fn split(mut input: &[u8], framing: Framing) -> Result<(Vec<u8>, &[u8]), Status> {
        let body = read(&mut input, framing, LARGEST).map_err(|refusal| refusal.status)?;
        Ok((body, input))
    }

    fn chunked(input: &str) -> Result<(Vec<u8>, &[u8]), Status> {
        split(input.as_bytes(), Framing::Chunked)
    }

    #[test]
    fn reads_exactly_the_declared_length() {
        assert_eq!(split(b"hello GET", Framing::Length(5)), Ok((b"hello".to_vec(), &b" GET"[..])));
        assert_eq!(split(b"GET", Framing::Length(0)), Ok((Vec::new(), &b"GET"[..])));
        assert_eq!(split(b"hell", Framing::Length(5)), Err(Status::BadRequest));
    }

    #[test]
    fn joins_chunks_and_ignores_extensions_and_trailers() {
        let expected = Ok((b"hello world".to_vec(), &b"GET"[..]));
        assert_eq!(chunked("5\r\nhello\r\n6\r\n world\r\n0\r\n\r\nGET"), expected);
        assert_eq!(chunked("00b;a=\"b;c\";d\r\nhello world\r\n0;e\r\nTrailer: x\r\nY: z\r\n\r\nGET"), expected);
        assert_eq!(chunked("B \r\nhello world\r\n000\r\n\r\nGET"), expected);
        assert_eq!(chunked("0\r\n\r\n"), Ok((Vec::new(), &b""[..])));
    }

    #[test]
    fn refuses_malformed_chunks() {
        for input in [
            "",
            "5",
            "5\r\nhell",
            "5\r\nhello",
            "5\r\nhello\r\n",
            "5\r\nhello\r\n0\r\n",
            "5\r\nhello!\r\n0\r\n\r\n",
            "5\nhello\n0\n\n",
            "0\r\n\n\r\n",
            "0\r\nTrailer: x\n\r\n",
            "\r\n\r\n",
            ";x\r\n\r\n",
            "-1\r\n\r\n",
            "0x1\r\na\r\n0\r\n\r\n",
            "10000000000000000\r\n",
        ] {
            assert_eq!(chunked(input), Err(Status::BadRequest), "{input:?}");
        }
        assert_eq!(chunked(&format!("1;{}\r\n", "x".repeat(2000))), Err(Status::BadRequest));
        assert_eq!(chunked(&format!("0\r\n{}\r\n", "a: b\r\n".repeat(100))), Err(Status::BadRequest));
    }

    #[test]
    fn limits_the_sum_of_all_chunks() {
        assert_eq!(chunked("4000001\r\n"), Err(Status::ContentTooLarge));
        assert_eq!(chunked("1\r\nx\r\n4000000\r\n"), Err(Status::ContentTooLarge));
        assert_eq!(chunked("ffffffffffffffff\r\n"), Err(Status::ContentTooLarge));
        assert_eq!(chunked("4000000\r\n"), Err(Status::BadRequest), "64 MiB are permitted, but did not arrive");
    }
}
