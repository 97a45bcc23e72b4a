//! Sends one request over one connection. The requests are HTTP/1.0: then a response ends with its length or with the
//! connection, and never comes in chunks. Proxies of the environment (`http_proxy`) are ignored, because the admin
//! server is on this machine or near it.
//!
//! The HTTP crates that were tried cost more than these lines: ureq adds 286 KB to the binary, and minreq can't connect
//! to an IPv6 address.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use super::request::Request;
use super::{ADDRESS_VARIABLE, Address, CtlError, Token};

/// How long the server may take to accept, and between two parts of a response.
const PATIENCE: Duration = Duration::from_secs(10);

/// The most bytes in the head of a response, and the most header lines.
const MAX_HEAD: u64 = 16 * 1024;
const MAX_HEADERS: usize = 64;

/// A server and the token for it.
#[derive(Debug)]
pub(super) struct Client {
    pub address: Address,
    pub token: Option<Token>,
}

/// A response that has arrived.
#[derive(Debug)]
pub(super) struct Response {
    /// The URL that was asked.
    pub url: String,
    pub status: u16,
    pub text: String,
}

/// A response whose body has not been read.
pub(super) struct Opened {
    pub url: String,
    pub status: u16,
    length: Option<u64>,
    stream: BufReader<TcpStream>,
}

impl Client {
    /// Sends a request and waits for the whole response.
    pub fn send(&self, request: &Request) -> Result<Response, CtlError> {
        self.open(request)?.read().map_err(|error| self.unreachable(&error))
    }

    /// Sends a request and waits for the head of the response.
    pub fn open(&self, request: &Request) -> Result<Opened, CtlError> {
        self.exchange(request).map_err(|error| self.unreachable(&error))
    }

    fn exchange(&self, request: &Request) -> io::Result<Opened> {
        let mut stream = self.connect()?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.write_all(&self.head_and_body(request))?;
        let mut stream = BufReader::new(stream);
        let (status, length) = read_head(&mut stream)?;
        Ok(Opened { url: format!("{}{}", self.address, request.path), status, length, stream })
    }

    /// Connects to the first address of the host that accepts.
    fn connect(&self) -> io::Result<TcpStream> {
        let mut failed = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
        for address in (self.address.host(), self.address.port()).to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, PATIENCE) {
                Ok(stream) => return Ok(stream),
                Err(error) => failed = error,
            }
        }
        Err(failed)
    }

    fn head_and_body(&self, request: &Request) -> Vec<u8> {
        let body = request.body.as_ref().map(ToString::to_string).unwrap_or_default();
        let mut head = format!(
            "{} {}{} HTTP/1.0\r\nHost: {}\r\nUser-Agent: chaos-proxy/{}\r\nContent-Length: {}\r\n",
            request.method,
            self.address.path(),
            request.path,
            self.address.authority(),
            env!("CARGO_PKG_VERSION"),
            body.len(),
        );
        if request.body.is_some() {
            head.push_str("Content-Type: application/json\r\n");
        }
        if let Some(token) = &self.token {
            head.extend(["Authorization: Bearer ", token.as_str(), "\r\n"]);
        }
        head.extend(["\r\n", &body]);
        head.into_bytes()
    }

    fn unreachable(&self, error: &io::Error) -> CtlError {
        let address = &self.address;
        CtlError::Refused(match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
                format!("{address} did not answer within {} s", PATIENCE.as_secs())
            }
            io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset => {
                format!("{address} ended the connection before its answer did: {error}")
            }
            io::ErrorKind::InvalidData => format!("{address} does not speak HTTP: {error}; is it the admin address?"),
            _ => format!(
                "can't reach {address}: {error}\nstart chaos-proxy with --admin, or give the address of its admin \
                 server with --admin or {ADDRESS_VARIABLE}"
            ),
        })
    }
}

impl Opened {
    /// Waits for the rest of the body.
    pub fn read(mut self) -> io::Result<Response> {
        let mut text = String::new();
        match self.length {
            None => self.stream.read_to_string(&mut text)?,
            Some(length) => self.stream.take(length).read_to_string(&mut text)?,
        };
        if self.length.is_some_and(|length| length != text.len() as u64) {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the connection ended within the answer"));
        }
        Ok(Response { url: self.url, status: self.status, text })
    }

    /// The body as it arrives, without a time limit.
    pub fn into_stream(self) -> io::Result<impl Read + Send> {
        self.stream.get_ref().set_read_timeout(None)?;
        Ok(self.stream)
    }
}

/// Reads the status and the length of the body, if the response has one.
fn read_head(stream: &mut impl BufRead) -> io::Result<(u16, Option<u64>)> {
    let mut head = Vec::new();
    let mut limited = stream.take(MAX_HEAD);
    while !head.ends_with(b"\r\n\r\n") {
        if limited.read_until(b'\n', &mut head)? == 0 {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "there is no head of a response"));
        }
    }
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    response.parse(&head).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    let status = response.code.unwrap_or_default();
    let length = response.headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-length"));
    let length = length.and_then(|header| str::from_utf8(header.value).ok()?.trim().parse().ok());
    Ok((status, if status == 204 { Some(0) } else { length }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn sent(client: &Client, request: &Request) -> String {
        String::from_utf8(client.head_and_body(request)).expect("ASCII").replace(env!("CARGO_PKG_VERSION"), "VERSION")
    }

    #[test]
    fn a_request_has_a_host_a_length_and_the_token() {
        let client = Client { address: Address::default(), token: "secret".parse().ok() };
        let request = Request { body: Some(json!({ "enabled": true })), ..Request::new("PATCH", "/proxies/web") };
        let expected = "PATCH /proxies/web HTTP/1.0\r\nHost: 127.0.0.1:8474\r\nUser-Agent: chaos-proxy/VERSION\r\n\
                        Content-Length: 16\r\nContent-Type: application/json\r\nAuthorization: Bearer secret\r\n\r\n\
                        {\"enabled\":true}";
        assert_eq!(sent(&client, &request), expected);
        let client = Client { address: "http://[::1]:1/a".parse().expect("an address"), token: None };
        let expected = "GET /a/v1/seed HTTP/1.0\r\nHost: [::1]:1\r\nUser-Agent: chaos-proxy/VERSION\r\n\
                        Content-Length: 0\r\n\r\n";
        assert_eq!(sent(&client, &Request::new("GET", "/v1/seed")), expected);
    }

    #[test]
    fn reads_the_head_of_a_response() {
        let read = |head: &str| read_head(&mut head.as_bytes()).map_err(|error| error.kind());
        assert_eq!(read("HTTP/1.1 200 OK\r\ncontent-length:  5\r\n\r\nhello"), Ok((200, Some(5))));
        assert_eq!(read("HTTP/1.0 404 Not Found\r\nA: b\r\n\r\n"), Ok((404, None)));
        assert_eq!(read("HTTP/1.1 204 No Content\r\n\r\n"), Ok((204, Some(0))));
        for broken in ["", "220 mail.example ESMTP\r\n\r\n", "HTTP/1.1 200 OK\r\n", &"a".repeat(20_000)] {
            assert_eq!(read(broken), Err(io::ErrorKind::InvalidData), "{broken}");
        }
    }
}
