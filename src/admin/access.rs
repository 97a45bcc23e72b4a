//! Which requests may use the admin server. Decides by the headers alone: no sockets, no clock.
//!
//! The server can't see whether a request was written by a web page, so it checks what a page can't choose. A page of
//! another site has its own `Origin`. A page whose host name was rebound to this machine's address has that name as
//! `Host`: so a name must be known, while an IP address can't be rebound. Any program can claim any `User-Agent`, so it
//! decides nothing.

use std::hint::black_box;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::dashboard;
use super::error_response::error_response;
use crate::http::{HeaderValue, Headers, Request, Response, Status};

/// The conditions of access.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// Acceptable host names beside `localhost`, without ports, in any case.
    pub hosts: Vec<String>,
    /// The secret that each request must have as its bearer token, except `GET /v1/health` and the files of the dashboard. An empty one fits no
    /// request.
    pub token: Option<String>,
}

/// The reason to deny a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denied {
    /// The request was made by a page of another site.
    ForeignOrigin,
    /// The request names a host that may belong to another site.
    UnknownHost,
    /// The request has no token, or the wrong one.
    NoToken,
}

impl Access {
    /// Checks one request.
    ///
    /// # Errors
    /// The reason to deny it.
    pub fn check(&self, request: &Request) -> Result<(), Denied> {
        match self.check_headers(&request.headers) {
            Err(Denied::NoToken) if needs_no_token(request) => Ok(()),
            result => result,
        }
    }

    /// A token makes any host acceptable, because no page of another site has it.
    fn check_headers(&self, headers: &Headers) -> Result<(), Denied> {
        check_origin(headers)?;
        match &self.token {
            Some(token) => check_token(headers, token),
            None => self.check_host(headers),
        }
    }

    /// HTTP/1.0 permits requests without a Host. They are accepted: no browser sends one, and simple health probes do.
    fn check_host(&self, headers: &Headers) -> Result<(), Denied> {
        let is_known = |value: &HeaderValue| host(value.as_bytes()).is_some_and(|host| self.knows(host));
        if headers.values("host").all(is_known) { Ok(()) } else { Err(Denied::UnknownHost) }
    }

    fn knows(&self, host: Host<'_>) -> bool {
        match host {
            Host::Address => true,
            Host::Name(name) => {
                let names = self.hosts.iter().map(String::as_str);
                names.chain(["localhost"]).any(|known| known.eq_ignore_ascii_case(name))
            }
        }
    }
}

/// Probes have no token, such as those of Kubernetes, and the answer reveals nothing. A browser can't send one for the page
/// that asks for it, which is the same in every run.
fn needs_no_token(request: &Request) -> bool {
    let reads = matches!(request.method.as_str(), "GET" | "HEAD");
    reads && (request.target.path() == ["v1", "health"] || dashboard::has(request))
}

/// Browsers send the origin with all requests that change something, and with all others whose answer a page may read.
/// It is `null` for pages that have none, such as a sandboxed frame of any site.
fn check_origin(headers: &Headers) -> Result<(), Denied> {
    let own = headers.get("host").map(|host| [b"http://", host.as_bytes()].concat());
    let is_own = |origin: &HeaderValue| Some(origin.as_bytes()) == own.as_deref();
    if headers.values("origin").all(is_own) { Ok(()) } else { Err(Denied::ForeignOrigin) }
}

fn check_token(headers: &Headers, expected: &str) -> Result<(), Denied> {
    let mut sent = headers.values("authorization").map(|value| bearer_token(value.as_bytes()));
    match (sent.next().flatten(), sent.next()) {
        (Some(token), None) if is_equal(token, expected.as_bytes()) => Ok(()),
        _ => Err(Denied::NoToken),
    }
}

/// The token of `Bearer TOKEN` (RFC 6750, 2.1). The case of the scheme does not matter (RFC 9110, 11.1).
fn bearer_token(value: &[u8]) -> Option<&[u8]> {
    let (scheme, rest) = value.split_at_checked("Bearer".len())?;
    let token = rest.strip_prefix(b" ")?.trim_ascii();
    (scheme.eq_ignore_ascii_case(b"Bearer") && !token.is_empty()).then_some(token)
}

/// Takes the same time for all tokens of one length, so that the time does not reveal the number of matching bytes.
fn is_equal(token: &[u8], expected: &[u8]) -> bool {
    let difference = token.iter().zip(expected).fold(0, |bits, (a, b)| black_box(bits | (a ^ b)));
    token.len() == expected.len() && difference == 0
}

/// A host as named by a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Host<'a> {
    Address,
    Name(&'a str),
}

/// Parses the host of `host` or `host:port`. The forms of addresses are strict: `127.1` and `0x7f.1` are names here,
/// and unknown.
fn host(value: &[u8]) -> Option<Host<'_>> {
    let text = str::from_utf8(value).ok()?;
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (text, None),
    };
    if !port.is_none_or(is_port) {
        return None;
    }
    match host.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']')?.parse::<Ipv6Addr>().ok().map(|_| Host::Address),
        None if host.parse::<Ipv4Addr>().is_ok() => Some(Host::Address),
        None => Some(Host::Name(host)),
    }
}

/// Accepts digits only: `str::parse` would accept `+80`.
fn is_port(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u16>().is_ok()
}

impl Denied {
    fn status(self) -> Status {
        match self {
            Self::ForeignOrigin | Self::UnknownHost => Status::Forbidden,
            Self::NoToken => Status::Unauthorized,
        }
    }

    /// The reason, and what to do instead.
    fn why(self) -> &'static str {
        match self {
            Self::ForeignOrigin => {
                "this request was made by a page of another site: open the page from this server, or send no Origin"
            }
            Self::UnknownHost => {
                "this host name is unknown: connect by IP address or localhost, or start chaos-proxy with \
                 --admin-host NAME"
            }
            Self::NoToken => "bearer token missing or wrong: send `Authorization: Bearer TOKEN`",
        }
    }
}

impl From<Denied> for Response {
    fn from(denied: Denied) -> Self {
        let response = error_response(denied.status(), denied.why());
        match denied {
            Denied::NoToken => response.with_header("WWW-Authenticate", "Bearer"),
            Denied::ForeignOrigin | Denied::UnknownHost => response,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(access: &Access, lines: &[(&str, &str)]) -> Result<(), Denied> {
        let headers = lines.iter().map(|(name, value)| httparse::Header { name, value: value.as_bytes() });
        access.check_headers(&Headers::from(&*headers.collect::<Vec<_>>()))
    }

    fn with_token() -> Access {
        Access { hosts: Vec::new(), token: Some("s3cret".to_owned()) }
    }

    #[test]
    fn addresses_and_localhost_are_acceptable_hosts() {
        for host in [
            "127.0.0.1",
            "127.0.0.1:8474",
            "10.1.2.3:80",
            "0.0.0.0:8474",
            "[::1]",
            "[::1]:8474",
            "[2001:DB8::1]:65535",
            "[::ffff:127.0.0.1]:8474",
            "localhost",
            "localhost:8474",
            "LocalHost:0",
        ] {
            assert_eq!(check(&Access::default(), &[("Host", host)]), Ok(()), "{host}");
        }
    }

    #[test]
    fn other_hosts_are_denied() {
        for host in [
            "",
            ":",
            ":8474",
            "evil.com",
            "localhost.evil.com",
            "evil.localhost",
            "localhost.",
            "localhost.:8474",
            "127.0.0.1.evil.com",
            "127.0.0.1.",
            "127.1",
            "0177.0.0.1",
            "2130706433",
            "0x7f.0.0.1",
            "user@localhost",
            "user@127.0.0.1:8474",
            "127.0.0.1@evil.com",
            "localhost/",
            "localhost#",
            "localhost,evil.com",
            "localhost evil.com",
            "localhost:",
            "localhost:x",
            "localhost:+80",
            "localhost:80:80",
            "localhost:65536",
            "::1",
            "[::1",
            "[::1]:",
            "[::1]x",
            "[::1].evil.com",
            "[::1]:x",
            "::1]",
            "[]",
            "[localhost]",
            "[127.0.0.1]",
            "[::1%25lo]",
            "\u{ff4c}ocalhost",
        ] {
            assert_eq!(check(&Access::default(), &[("Host", host)]), Err(Denied::UnknownHost), "{host}");
        }
    }

    #[test]
    fn named_hosts_are_acceptable_in_any_case() {
        let access = Access { hosts: vec!["Chaos.Test".to_owned()], token: None };
        for (host, expected) in [
            ("chaos.test", Ok(())),
            ("CHAOS.TEST:8474", Ok(())),
            ("localhost", Ok(())),
            ("a.chaos.test", Err(Denied::UnknownHost)),
            ("chaos.test.", Err(Denied::UnknownHost)),
            ("chaos.tes", Err(Denied::UnknownHost)),
        ] {
            assert_eq!(check(&access, &[("Host", host)]), expected, "{host}");
        }
    }

    /// HTTP/1.1 requires exactly one Host, so only HTTP/1.0 gets here with none or two.
    #[test]
    fn no_host_is_acceptable_and_each_of_two_is_checked() {
        assert_eq!(check(&Access::default(), &[]), Ok(()));
        let two = [("Host", "localhost"), ("Host", "evil.com")];
        assert_eq!(check(&Access::default(), &two), Err(Denied::UnknownHost));
    }

    #[test]
    fn an_origin_is_acceptable_if_it_is_this_server() {
        for (host, origin, expected) in [
            ("localhost:8474", "http://localhost:8474", Ok(())),
            ("[::1]:8474", "http://[::1]:8474", Ok(())),
            ("localhost", "http://localhost", Ok(())),
            ("localhost:8474", "null", Err(Denied::ForeignOrigin)),
            ("localhost:8474", "", Err(Denied::ForeignOrigin)),
            ("localhost:8474", "http://localhost", Err(Denied::ForeignOrigin)),
            ("localhost:8474", "http://localhost:8475", Err(Denied::ForeignOrigin)),
            ("localhost:8474", "https://localhost:8474", Err(Denied::ForeignOrigin)),
            ("localhost:8474", "http://localhost:8474/", Err(Denied::ForeignOrigin)),
            ("localhost:8474", "http://localhost:8474.evil.com", Err(Denied::ForeignOrigin)),
            ("localhost:8474", "http://127.0.0.1:8474", Err(Denied::ForeignOrigin)),
            // A rebound name is its own origin.
            ("evil.com:8474", "http://evil.com:8474", Err(Denied::UnknownHost)),
        ] {
            let lines = [("Host", host), ("Origin", origin)];
            assert_eq!(check(&Access::default(), &lines), expected, "{host} {origin}");
        }
        let two = [("Host", "localhost"), ("Origin", "http://localhost"), ("Origin", "http://evil.com")];
        assert_eq!(check(&Access::default(), &two), Err(Denied::ForeignOrigin));
        assert_eq!(check(&Access::default(), &[("Origin", "http://")]), Err(Denied::ForeignOrigin));
    }

    #[test]
    fn a_user_agent_decides_nothing() {
        let agent = ("User-Agent", "Mozilla/5.0");
        assert_eq!(check(&Access::default(), &[("Host", "localhost"), agent]), Ok(()));
        assert_eq!(check(&Access::default(), &[("Host", "evil.com"), agent]), Err(Denied::UnknownHost));
    }

    #[test]
    fn a_token_is_demanded_and_makes_any_host_acceptable() {
        for (value, expected) in [
            ("Bearer s3cret", Ok(())),
            ("bearer   s3cret", Ok(())),
            ("Bearer s3cre", Err(Denied::NoToken)),
            ("Bearer s3cret2", Err(Denied::NoToken)),
            ("Bearer S3cret", Err(Denied::NoToken)),
            ("Bearer s3cret s3cret", Err(Denied::NoToken)),
            ("Bearers3cret", Err(Denied::NoToken)),
            ("Bearer\ts3cret", Err(Denied::NoToken)),
            ("Bearer ", Err(Denied::NoToken)),
            ("Bearer", Err(Denied::NoToken)),
            ("Basic s3cret", Err(Denied::NoToken)),
            ("s3cret", Err(Denied::NoToken)),
            ("", Err(Denied::NoToken)),
            ("Beare\u{e9}", Err(Denied::NoToken)),
        ] {
            let lines = [("Host", "chaos.test"), ("Authorization", value)];
            assert_eq!(check(&with_token(), &lines), expected, "{value:?}");
        }
        assert_eq!(check(&with_token(), &[("Host", "localhost")]), Err(Denied::NoToken));
        let right = ("Authorization", "Bearer s3cret");
        assert_eq!(check(&with_token(), &[right, right]), Err(Denied::NoToken), "which one counts is unclear");
        let foreign = [("Host", "chaos.test"), ("Origin", "http://evil.com"), right];
        assert_eq!(check(&with_token(), &foreign), Err(Denied::ForeignOrigin));
    }

    #[test]
    fn an_empty_token_fits_no_request() {
        let access = Access { token: Some(String::new()), ..Access::default() };
        for value in ["Bearer ", "Bearer", "", "Bearer  "] {
            assert_eq!(check(&access, &[("Host", "localhost"), ("Authorization", value)]), Err(Denied::NoToken));
        }
    }
}
