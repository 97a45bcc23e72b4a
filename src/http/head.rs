//! Parses the [`Head`] of a request. httparse splits it into tokens; this module interprets them.

use std::io::{self, BufRead};

use super::body::Framing;
use super::headers::Headers;
use super::limits::Limits;
use super::refusal::Refusal;
use super::status::Status;
use super::target::Target;

/// A request without its body.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) method: String,
    pub(super) target: Target,
    pub(super) headers: Headers,
    pub(super) framing: Framing,
    pub(super) before_body: BeforeBody,
    pub(super) form: Form,
}

/// Whether the client waits for permission to send its body (RFC 9110, 10.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BeforeBody {
    Nothing,
    SendContinue,
}

/// The parts of the response that the request determines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Form {
    pub(super) version: Version,
    pub(super) content: ContentMode,
    pub(super) after: After,
}

/// Whether the content of a response is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ContentMode {
    Sent,
    Omitted,
}

/// What happens to the connection after a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum After {
    KeepAlive,
    Close,
}

impl Form {
    /// The form of the response to an invalid request.
    pub(super) const LAST: Self = Self { version: Version::Http11, content: ContentMode::Sent, after: After::Close };
}

/// The client's version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    Http10,
    Http11,
}

/// Reads exactly the bytes of the head. Parses again whenever bytes arrive, so that an invalid request is refused at
/// once, even if its sender waits. In the worst case, with one byte per packet, each packet costs the parsing of half
/// of the longest head, which is no more than the packet itself costs.
pub(super) fn read(input: &mut impl BufRead, limits: &Limits) -> Result<Head, Refusal> {
    let mut received = Vec::new();
    loop {
        let arrived = input.fill_buf()?;
        let (before, length) = (received.len(), arrived.len());
        received.extend_from_slice(arrived);
        if let Some((head, end)) = parse(&received, limits)? {
            // The end is in the bytes that arrived last: otherwise an earlier iteration would have found it.
            input.consume(end - before);
            return Ok(head);
        }
        if length == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        input.consume(length);
    }
}

/// Returns the head at the start of `bytes` and its length. `None` if its end has not arrived yet.
fn parse(bytes: &[u8], limits: &Limits) -> Result<Option<(Head, usize)>, Refusal> {
    let mut headers = vec![httparse::EMPTY_HEADER; limits.header_lines];
    let mut request = httparse::Request::new(&mut headers);
    match request.parse(bytes).map_err(|error| refuse(error, limits))? {
        httparse::Status::Complete(length) if length <= limits.head_bytes => {
            Ok(Some((interpret(&request, limits)?, length)))
        }
        httparse::Status::Partial if bytes.len() < limits.head_bytes => Ok(None),
        _ => Err(too_large(limits)),
    }
}

fn refuse(error: httparse::Error, limits: &Limits) -> Refusal {
    match error {
        httparse::Error::TooManyHeaders => too_large(limits),
        httparse::Error::Version => {
            Refusal { status: Status::VersionNotSupported, why: "unsupported HTTP version: use HTTP/1.1".to_owned() }
        }
        _ => Refusal::bad("malformed request: send HTTP/1.1"),
    }
}

fn too_large(limits: &Limits) -> Refusal {
    let Limits { head_bytes, header_lines, .. } = limits;
    let why = format!("the header is over {head_bytes} bytes or {header_lines} lines");
    Refusal { status: Status::HeadersTooLarge, why }
}

fn interpret(request: &httparse::Request<'_, '_>, limits: &Limits) -> Result<Head, Refusal> {
    let headers = Headers::from(&*request.headers);
    let version = if request.version == Some(0) { Version::Http10 } else { Version::Http11 };
    if version == Version::Http11 && headers.values("host").count() != 1 {
        return Err(Refusal::bad("send one Host header"));
    }
    let method = request.method.unwrap_or_default().to_owned();
    let content = if method == "HEAD" { ContentMode::Omitted } else { ContentMode::Sent };
    Ok(Head {
        target: Target::parse(request.path.unwrap_or_default())?,
        framing: framing(&headers, version, limits.body_bytes)?,
        before_body: before_body(&headers, version),
        form: Form { version, content, after: after(&headers, version) },
        method,
        headers,
    })
}

/// Implements RFC 9112, 6.3. Refuses heads that two parsers could frame differently, which request smuggling relies on.
fn framing(headers: &Headers, version: Version, largest: u64) -> Result<Framing, Refusal> {
    let codings: Vec<&[u8]> = headers.items("transfer-encoding").collect();
    let lengths: Vec<&[u8]> = headers.items("content-length").collect();
    match (codings.as_slice(), lengths.as_slice()) {
        ([], []) => Ok(Framing::Length(0)),
        ([], [length]) => declared(length, largest),
        ([], _) => Err(Refusal::bad("send one Content-Length")),
        (_, [_, ..]) => Err(Refusal::bad("send a Content-Length or a Transfer-Encoding, not both")),
        _ if version == Version::Http10 => Err(Refusal::bad("HTTP/1.0 has no Transfer-Encoding: use HTTP/1.1")),
        ([coding], []) if coding.eq_ignore_ascii_case(b"chunked") => Ok(Framing::Chunked),
        _ => Err(Refusal {
            status: Status::NotImplemented,
            why: "unsupported Transfer-Encoding: use chunked".to_owned(),
        }),
    }
}

/// Accepts digits only: `str::parse` would accept `+5`.
fn declared(length: &[u8], largest: u64) -> Result<Framing, Refusal> {
    let digits = str::from_utf8(length).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    match digits.and_then(|digits| digits.parse().ok()) {
        Some(length) if length <= largest => Ok(Framing::Length(length)),
        Some(_) => Err(Refusal::body_too_large(largest)),
        None => Err(Refusal::bad("the Content-Length must be a number")),
    }
}

/// An expectation in HTTP/1.0 is ignored, because 1.0 has no interim responses.
fn before_body(headers: &Headers, version: Version) -> BeforeBody {
    let waits = version == Version::Http11 && headers.has("expect", "100-continue");
    if waits { BeforeBody::SendContinue } else { BeforeBody::Nothing }
}

/// Implements RFC 9112, 9.3.
fn after(headers: &Headers, version: Version) -> After {
    let stays = version == Version::Http11 || headers.has("connection", "keep-alive");
    if stays && !headers.has("connection", "close") { After::KeepAlive } else { After::Close }
}

#[cfg(test)]
mod tests {
    use super::super::headers::HeaderValue;
    use super::*;

    /// Parses the head of a request to `/` with these further lines.
    fn with(lines: &str) -> Result<Head, Refusal> {
        whole(&format!("GET / HTTP/1.1\r\nHost: a\r\n{lines}\r\n"))
    }

    fn whole(text: &str) -> Result<Head, Refusal> {
        let (head, length) = parse(text.as_bytes(), &Limits::SMALL)?.expect("the head is complete");
        assert_eq!(length, text.len());
        Ok(head)
    }

    #[track_caller]
    fn assert_refused(result: Result<Head, Refusal>, expected: Status) {
        assert_eq!(result.map_err(|refusal| refusal.status), Err(expected));
    }

    #[test]
    fn a_head_ends_with_its_empty_line() {
        let text = b"POST /echo?x=/y HTTP/1.1\r\nhOST: a\r\nContent-Type: text/html\r\nContent-Length: 5\r\n\r\nhello";
        let end = text.len() - 5;
        for length in 0..end {
            assert_eq!(parse(&text[..length], &Limits::SMALL), Ok(None), "{length}");
        }
        let (head, length) = parse(text, &Limits::SMALL).expect("it is well-formed").expect("it is complete");
        assert_eq!((head.method.as_str(), head.target.path(), length), ("POST", vec!["echo"], end));
        assert_eq!(head.headers.get("content-TYPE").map(HeaderValue::as_bytes), Some(&b"text/html"[..]));
        assert_eq!((head.framing, head.before_body), (Framing::Length(5), BeforeBody::Nothing));
        assert_eq!(head.form, Form { version: Version::Http11, content: ContentMode::Sent, after: After::KeepAlive });
    }

    #[test]
    fn http_1_1_keeps_the_connection_and_1_0_closes_it_by_default() {
        for (head, after) in [
            ("GET / HTTP/1.1\r\nHost:\r\n\r\n", After::KeepAlive),
            ("GET / HTTP/1.1\r\nHost:\r\nConnection: x, CLOSE\r\n\r\n", After::Close),
            ("GET / HTTP/1.1\r\nHost:\r\nConnection: keep-alive\r\nConnection: close\r\n\r\n", After::Close),
            ("GET / HTTP/1.0\r\n\r\n", After::Close),
            ("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", After::KeepAlive),
        ] {
            assert_eq!(whole(head).map(|head| head.form.after), Ok(after), "{head}");
        }
    }

    #[test]
    fn reads_the_framing_of_a_body() {
        let framing = |lines| with(lines).map(|head| head.framing);
        assert_eq!(framing(""), Ok(Framing::Length(0)));
        assert_eq!(framing("Content-Length: 7\r\n"), Ok(Framing::Length(7)));
        assert_eq!(framing("Transfer-Encoding: Chunked\r\n"), Ok(Framing::Chunked));
    }

    #[test]
    fn refuses_ambiguous_framing() {
        for lines in [
            "Content-Length: 7\r\nContent-Length: 8\r\n",
            "Content-Length: 7\r\nContent-Length: 7\r\n",
            "Content-Length: 7, 7\r\n",
            "Content-Length: 7,\r\n",
            "Content-Length: \r\n",
            "Content-Length: +7\r\n",
            "Content-Length: -7\r\n",
            "Content-Length: 0x7\r\n",
            "Content-Length: 99999999999999999999\r\n",
            "Content-Length: 7\r\nTransfer-Encoding: chunked\r\n",
            "Content-Length : 7\r\n",
            "Content-Length: 7\r\n 8\r\n",
        ] {
            assert_refused(with(lines), Status::BadRequest);
        }
        assert_refused(whole("GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"), Status::BadRequest);
        assert_refused(with("Transfer-Encoding: gzip, chunked\r\n"), Status::NotImplemented);
        assert_refused(with("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), Status::NotImplemented);
        assert_refused(with("Content-Length: 4097\r\n"), Status::ContentTooLarge);
    }

    #[test]
    fn http_1_1_requires_one_host() {
        assert_refused(whole("GET / HTTP/1.1\r\n\r\n"), Status::BadRequest);
        assert_refused(with("Host: b\r\n"), Status::BadRequest);
    }

    #[test]
    fn sends_100_continue_in_http_1_1_only() {
        let before = |head| whole(head).map(|head| head.before_body);
        let (new, old) = (
            "GET / HTTP/1.1\r\nHost:\r\nExpect: 100-Continue\r\n\r\n",
            "GET / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n",
        );
        assert_eq!(before(new), Ok(BeforeBody::SendContinue));
        assert_eq!(before(old), Ok(BeforeBody::Nothing));
    }

    #[test]
    fn refuses_other_protocols_at_once() {
        for garbage in [&b"\x16\x03\x01\x02"[..], b"\0", b"GET /\r\n\r\n", b"{}\r\n", b"GET / HTTP/1.1\r\n: x\r\n"] {
            assert_eq!(
                parse(garbage, &Limits::SMALL).map_err(|refusal| refusal.status),
                Err(Status::BadRequest),
                "{garbage:?}"
            );
        }
        assert_refused(whole("PRI * HTTP/2.0\r\n\r\n"), Status::VersionNotSupported);
    }

    #[test]
    fn limits_the_bytes_and_lines_of_a_head() {
        let Limits { head_bytes, header_lines, .. } = Limits::SMALL;
        let padded = |length: usize| {
            let rest = "GET / HTTP/1.1\r\nHost: a\r\nX: \r\n\r\n".len();
            with(&format!("X: {}\r\n", "x".repeat(length - rest)))
        };
        padded(head_bytes).expect("it is as long as the limit");
        assert_refused(padded(head_bytes + 1), Status::HeadersTooLarge);
        assert_refused(with(&"X: y\r\n".repeat(header_lines)), Status::HeadersTooLarge);
        let endless = format!("GET /{}", "x".repeat(head_bytes));
        assert_refused(whole(&endless), Status::HeadersTooLarge);
    }
}
