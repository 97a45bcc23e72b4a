//! The address of an admin server and its token, checked once.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use crate::plan::ListenAddress;
use crate::value::has_host_characters;

/// The address of an admin server: a host, a port, and the path before those of its API, empty in most cases.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    host: String,
    port: u16,
    path: String,
}

impl Address {
    /// The host to connect to, without the brackets of an IPv6 address.
    pub(super) fn host(&self) -> &str {
        self.host.trim_start_matches('[').trim_end_matches(']')
    }

    /// The port to connect to.
    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// The value of the `Host` header.
    pub(super) fn authority(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// The path before those of the API.
    pub(super) fn path(&self) -> &str {
        &self.path
    }
}

/// Where the admin server listens unless its address is given.
impl Default for Address {
    fn default() -> Self {
        Self { host: "127.0.0.1".to_owned(), port: ListenAddress::ADMIN_PORT, path: String::new() }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}:{}{}", self.host, self.port, self.path)
    }
}

/// `http://HOST:PORT/PATH`, or `HOST:PORT`. Only a URL may leave its port out: that of HTTP is 80.
impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (rest, default_port) = match text.split_once("://") {
            Some(("http", rest)) => (rest, Some(80)),
            Some(("https", rest)) => {
                return Err(format!("the admin server speaks HTTP without TLS; write http://{rest}"));
            }
            Some((scheme, rest)) => return Err(format!("{scheme} is not HTTP; write http://{rest}")),
            None => (text, None),
        };
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (host, port) = host_and_port(authority, default_port).ok_or_else(|| hint(rest))?;
        let path = path.trim_end_matches('/').to_owned();
        if !path.chars().all(|letter| letter.is_ascii_graphic() && !"?#".contains(letter)) {
            return Err(format!("a query or a space has no meaning here; write http://{authority}"));
        }
        Ok(Self { host, port, path })
    }
}

/// The hosts of URLs are names or addresses, with brackets around IPv6.
fn host_and_port(authority: &str, default_port: Option<u16>) -> Option<(String, u16)> {
    if let Ok(address) = authority.parse::<SocketAddr>() {
        let host = address.to_string();
        return Some((host.rsplit_once(':')?.0.to_owned(), address.port())).filter(|(_, port)| *port != 0);
    }
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !authority.ends_with(']') => (host, port.parse().ok()?),
        _ => (authority, default_port?),
    };
    let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let is_name = !host.is_empty() && has_host_characters(host);
    let is_host = address.map_or(is_name, |address| address.parse::<std::net::Ipv6Addr>().is_ok());
    (is_host && port != 0).then(|| (host.to_owned(), port))
}

/// What to write instead of an address that is none.
fn hint(rest: &str) -> String {
    let host = rest.trim_matches([':', '/']);
    if rest.contains('@') {
        "a password has no meaning here; use --token TOKEN".to_owned()
    } else if host.parse::<u16>().is_ok_and(|port| port != 0) {
        format!("write 127.0.0.1:{host}")
    } else if !host.contains(':') && host_and_port(host, Some(80)).is_some() {
        format!("write {host}:8474")
    } else {
        "use a URL such as http://127.0.0.1:8474, or IP:PORT".to_owned()
    }
}

/// The token that the admin server asks for: characters that a header may have.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// The characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Hides the token.
impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

impl FromStr for Token {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic()) {
            Ok(Self(text.to_owned()))
        } else {
            Err("use ASCII characters without spaces".to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_url_or_a_host_with_a_port() {
        for (text, expected) in [
            ("http://127.0.0.1:8474", "http://127.0.0.1:8474"),
            ("http://127.0.0.1:8474/", "http://127.0.0.1:8474"),
            ("127.0.0.1:8475", "http://127.0.0.1:8475"),
            ("[::1]:8474", "http://[::1]:8474"),
            ("http://[::1]", "http://[::1]:80"),
            ("localhost:1", "http://localhost:1"),
            ("http://proxy.example/chaos/", "http://proxy.example:80/chaos"),
        ] {
            assert_eq!(text.parse::<Address>().expect(text).to_string(), expected, "{text}");
        }
        assert_eq!("[::1]:8474".parse::<Address>().expect("an address").host(), "::1");
        assert_eq!(Address::default().to_string(), "http://127.0.0.1:8474");
    }

    #[test]
    fn other_addresses_are_refused_with_what_to_write() {
        let general = "use a URL such as http://127.0.0.1:8474, or IP:PORT";
        for (text, expected) in [
            ("https://a:1", "the admin server speaks HTTP without TLS; write http://a:1"),
            ("ftp://a:1", "ftp is not HTTP; write http://a:1"),
            ("8474", "write 127.0.0.1:8474"),
            (":8474", "write 127.0.0.1:8474"),
            ("localhost", "write localhost:8474"),
            ("127.0.0.1", "write 127.0.0.1:8474"),
            ("http://u:p@a:1", "a password has no meaning here; use --token TOKEN"),
            ("http://a:1/?b", "a query or a space has no meaning here; write http://a:1"),
            ("", general),
            ("http://", general),
            ("::1:8474", general),
            ("a b:1", general),
            ("a:0", general),
            ("127.0.0.1:0", general),
            ("a:99999", general),
            ("a\r\nb:1", general),
        ] {
            assert_eq!(text.parse::<Address>(), Err(expected.to_owned()), "{text}");
        }
    }

    #[test]
    fn a_token_fits_a_header_and_is_not_printed() {
        let token: Token = "s3cret+/=".parse().expect("a token");
        assert_eq!((token.as_str(), format!("{token:?}").as_str()), ("s3cret+/=", "Token"));
        for text in ["", "a b", "a\nb", "ä"] {
            assert!(text.parse::<Token>().is_err(), "{text:?}");
        }
    }
}
