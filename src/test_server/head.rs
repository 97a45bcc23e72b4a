//! From bytes to the [`Head`] of a request: what it asks for and where it ends. Pure; the tokens are httparse's work,
//! what they mean together is told here.

use super::body::{self, Framing};
use super::response::{Refusal, Status};

/// What is known of a request before its body.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) method: String,
    /// Without query, scheme and host.
    pub(super) path: String,
    pub(super) content_type: Option<Vec<u8>>,
    pub(super) framing: Framing,
    pub(super) before_body: BeforeBody,
    pub(super) after: After,
}

/// Whether the client waits for leave to send its body (RFC 9110, 10.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BeforeBody {
    Nothing,
    SendContinue,
}

/// What becomes of the connection once a request is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum After {
    KeepAlive,
    Close,
}

/// The longest head, from the first byte to the empty line. nginx gives 8 KiB to a line, Apache to a header.
pub(super) const LONGEST: usize = 16 * 1024;

/// Browsers send about 20; Apache takes 100.
const MOST_HEADERS: usize = 100;

const TOO_LARGE: Refusal = Refusal { status: Status::HeadersTooLarge, why: "the header is over 16 KiB or 100 lines" };

/// The head at the beginning of `bytes` and its length, or `None` while its end has not arrived.
pub(super) fn parse(bytes: &[u8]) -> Result<Option<(Head, usize)>, Refusal> {
    let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    match request.parse(bytes).map_err(refuse)? {
        httparse::Status::Complete(length) if length <= LONGEST => Ok(Some((understand(&request)?, length))),
        httparse::Status::Partial if bytes.len() < LONGEST => Ok(None),
        _ => Err(TOO_LARGE),
    }
}

fn refuse(error: httparse::Error) -> Refusal {
    match error {
        httparse::Error::TooManyHeaders => TOO_LARGE,
        httparse::Error::Version => Refusal { status: Status::VersionNotSupported, why: "this is HTTP/1.1 and 1.0" },
        _ => Refusal::bad("this is not an HTTP request"),
    }
}

fn understand(request: &httparse::Request<'_, '_>) -> Result<Head, Refusal> {
    let fields = Fields(request.headers);
    let version = if request.version == Some(0) { Version::Http10 } else { Version::Http11 };
    if version == Version::Http11 && fields.values("host").count() != 1 {
        return Err(Refusal::bad("HTTP/1.1 needs one Host header"));
    }
    Ok(Head {
        method: request.method.unwrap_or_default().to_owned(),
        path: path_of(request.path.unwrap_or_default()).to_owned(),
        content_type: fields.values("content-type").next().map(<[u8]>::to_vec),
        framing: framing(&fields, version)?,
        before_body: before_body(&fields, version),
        after: after(&fields, version),
    })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Version {
    Http10,
    Http11,
}

/// RFC 9112, 6.3. What two readers could frame in two ways is refused, as request smuggling lives on it.
fn framing(fields: &Fields<'_>, version: Version) -> Result<Framing, Refusal> {
    let codings: Vec<&[u8]> = fields.items("transfer-encoding").collect();
    let mut lengths = fields.items("content-length");
    match (codings.as_slice(), lengths.next()) {
        ([], None) => Ok(Framing::Length(0)),
        ([], Some(length)) if lengths.all(|other| other == length) => declared(length),
        ([], Some(_)) => Err(Refusal::bad("the Content-Lengths differ")),
        (_, Some(_)) => Err(Refusal::bad("a request has a Content-Length or a Transfer-Encoding, not both")),
        _ if version == Version::Http10 => Err(Refusal::bad("HTTP/1.0 has no Transfer-Encoding")),
        ([coding], None) if coding.eq_ignore_ascii_case(b"chunked") => Ok(Framing::Chunked),
        _ => Err(Refusal { status: Status::NotImplemented, why: "the one Transfer-Encoding here is chunked" }),
    }
}

/// `str::parse` alone would take `+5`.
fn declared(length: &[u8]) -> Result<Framing, Refusal> {
    let digits = str::from_utf8(length).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    match digits.and_then(|digits| digits.parse().ok()) {
        Some(length) if length <= body::LARGEST => Ok(Framing::Length(length)),
        Some(_) => Err(body::TOO_LARGE),
        None => Err(Refusal::bad("the Content-Length is not a number")),
    }
}

/// An expectation in HTTP/1.0 is to be ignored, since 1.0 has no interim answers.
fn before_body(fields: &Fields<'_>, version: Version) -> BeforeBody {
    let waits = version == Version::Http11 && fields.has("expect", "100-continue");
    if waits { BeforeBody::SendContinue } else { BeforeBody::Nothing }
}

/// RFC 9112, 9.3.
fn after(fields: &Fields<'_>, version: Version) -> After {
    let stays = version == Version::Http11 || fields.has("connection", "keep-alive");
    if stays && !fields.has("connection", "close") { After::KeepAlive } else { After::Close }
}

/// A proxy's clients may send the whole URL; a server must take it (RFC 9112, 3.2.2).
fn path_of(target: &str) -> &str {
    let path = match target.split_once("://") {
        Some((scheme, rest)) if !scheme.starts_with('/') => rest.find('/').map_or("/", |slash| &rest[slash..]),
        _ => target,
    };
    path.split('?').next().unwrap_or_default()
}

/// The header lines, looked up by their names in any case.
struct Fields<'a>(&'a [httparse::Header<'a>]);

impl<'a> Fields<'a> {
    fn values(&self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        self.0.iter().filter(move |header| header.name.eq_ignore_ascii_case(name)).map(|header| header.value)
    }

    /// The elements of a list, be it on one line or on several (RFC 9110, 5.3).
    fn items(&self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        self.values(name).flat_map(|value| value.split(|&byte| byte == b',')).map(<[u8]>::trim_ascii)
    }

    fn has(&self, name: &str, item: &str) -> bool {
        self.items(name).any(|found| found.eq_ignore_ascii_case(item.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The head of a request to `/` with these further lines.
    fn with(lines: &str) -> Result<Head, Refusal> {
        whole(&format!("GET / HTTP/1.1\r\nHost: a\r\n{lines}\r\n"))
    }

    fn whole(text: &str) -> Result<Head, Refusal> {
        let (head, length) = parse(text.as_bytes())?.expect("the head is complete");
        assert_eq!(length, text.len());
        Ok(head)
    }

    #[track_caller]
    fn assert_refused(result: Result<Head, Refusal>, expected: Status) {
        assert_eq!(result.map_err(|refusal| refusal.status), Err(expected));
    }

    #[test]
    fn a_head_is_taken_once_its_empty_line_is_there() {
        let text = b"POST /echo?x=/y HTTP/1.1\r\nhOST: a\r\nContent-Type: text/html\r\nContent-Length: 5\r\n\r\nhello";
        let end = text.len() - 5;
        for length in 0..end {
            assert_eq!(parse(&text[..length]), Ok(None), "{length}");
        }
        let head = Head {
            method: "POST".to_owned(),
            path: "/echo".to_owned(),
            content_type: Some(b"text/html".to_vec()),
            framing: Framing::Length(5),
            before_body: BeforeBody::Nothing,
            after: After::KeepAlive,
        };
        assert_eq!(parse(text), Ok(Some((head, end))));
    }

    #[test]
    fn a_target_may_be_a_url() {
        for (target, path) in [
            ("/", "/"),
            ("/echo?a?b", "/echo"),
            ("http://host:80/bytes/7?x", "/bytes/7"),
            ("http://host", "/"),
            ("/a://b/c", "/a://b/c"),
            ("*", "*"),
        ] {
            assert_eq!(path_of(target), path, "{target}");
        }
    }

    #[test]
    fn http_1_1_stays_open_and_1_0_closes_unless_they_say_otherwise() {
        for (head, after) in [
            ("GET / HTTP/1.1\r\nHost:\r\n\r\n", After::KeepAlive),
            ("GET / HTTP/1.1\r\nHost:\r\nConnection: x, CLOSE\r\n\r\n", After::Close),
            ("GET / HTTP/1.1\r\nHost:\r\nConnection: keep-alive\r\nConnection: close\r\n\r\n", After::Close),
            ("GET / HTTP/1.0\r\n\r\n", After::Close),
            ("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", After::KeepAlive),
        ] {
            assert_eq!(whole(head).map(|head| head.after), Ok(after), "{head}");
        }
    }

    #[test]
    fn a_body_is_framed_in_one_way() {
        let framing = |lines| with(lines).map(|head| head.framing);
        assert_eq!(framing(""), Ok(Framing::Length(0)));
        assert_eq!(framing("Content-Length: 7\r\n"), Ok(Framing::Length(7)));
        assert_eq!(framing("Content-Length: 7, 7\r\nContent-Length: 7\r\n"), Ok(Framing::Length(7)));
        assert_eq!(framing("Transfer-Encoding: Chunked\r\n"), Ok(Framing::Chunked));
    }

    #[test]
    fn a_body_that_could_be_framed_in_two_ways_is_refused() {
        for lines in [
            "Content-Length: 7\r\nContent-Length: 8\r\n",
            "Content-Length: 7, 8\r\n",
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
        assert_refused(with("Content-Length: 67108865\r\n"), Status::ContentTooLarge);
    }

    #[test]
    fn http_1_1_has_one_host() {
        assert_refused(whole("GET / HTTP/1.1\r\n\r\n"), Status::BadRequest);
        assert_refused(with("Host: b\r\n"), Status::BadRequest);
    }

    #[test]
    fn leave_to_send_is_given_in_http_1_1_only() {
        let before = |head| whole(head).map(|head| head.before_body);
        let (new, old) = (
            "GET / HTTP/1.1\r\nHost:\r\nExpect: 100-Continue\r\n\r\n",
            "GET / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n",
        );
        assert_eq!(before(new), Ok(BeforeBody::SendContinue));
        assert_eq!(before(old), Ok(BeforeBody::Nothing));
    }

    #[test]
    fn what_is_no_http_1_is_refused_at_once() {
        for garbage in [&b"\x16\x03\x01\x02"[..], b"\0", b"GET /\r\n\r\n", b"{}\r\n", b"GET / HTTP/1.1\r\n: x\r\n"] {
            assert_eq!(parse(garbage).map_err(|refusal| refusal.status), Err(Status::BadRequest), "{garbage:?}");
        }
        assert_refused(whole("PRI * HTTP/2.0\r\n\r\n"), Status::VersionNotSupported);
    }

    #[test]
    fn a_head_is_16_kib_and_100_lines_at_most() {
        let padded = |length: usize| {
            let rest = "GET / HTTP/1.1\r\nHost: a\r\nX: \r\n\r\n".len();
            with(&format!("X: {}\r\n", "x".repeat(length - rest)))
        };
        padded(LONGEST).expect("it just fits");
        assert_refused(padded(LONGEST + 1), Status::HeadersTooLarge);
        assert_refused(with(&"X: y\r\n".repeat(MOST_HEADERS)), Status::HeadersTooLarge);
        let endless = format!("GET /{}", "x".repeat(LONGEST));
        assert_refused(whole(&endless), Status::HeadersTooLarge);
    }
}
