//! An HTTP client for tests: sends bytes as they are, reads one answer at a time. What is sent is up to the test.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Longer than any answer takes.
pub const HANGS: Duration = Duration::from_secs(30);

/// A connection to an HTTP server.
pub struct Client(pub BufReader<TcpStream>);

/// What a server answered.
#[derive(Debug, PartialEq)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<String>,
    pub body: Vec<u8>,
}

impl Client {
    pub fn connect(addr: SocketAddr) -> Self {
        let stream = TcpStream::connect(addr).unwrap();
        stream.set_read_timeout(Some(HANGS)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self(BufReader::new(stream))
    }

    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        self.0.get_mut().write_all(bytes.as_ref()).unwrap();
        self
    }

    pub fn answer(&mut self) -> Answer {
        let mut answer = self.head();
        let length = answer.header("Content-Length").unwrap().parse().unwrap();
        answer.body.resize(length, 0);
        self.0.read_exact(&mut answer.body).unwrap();
        answer
    }

    pub fn head(&mut self) -> Answer {
        let lines: Vec<String> = self.0.by_ref().lines().map(Result::unwrap).take_while(|it| !it.is_empty()).collect();
        let (status, headers) = lines.split_first().expect("a status line");
        let status = status.strip_prefix("HTTP/1.1 ").unwrap()[..3].parse().unwrap();
        Answer { status, headers: headers.to_vec(), body: Vec::new() }
    }

    #[track_caller]
    pub fn assert_end(&mut self) {
        let mut rest = Vec::new();
        self.0.read_to_end(&mut rest).expect("the end of stream, and no reset");
        assert_eq!(String::from_utf8_lossy(&rest), "");
    }
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        let fields = self.headers.iter().filter_map(|line| line.split_once(':'));
        fields.filter(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim()).next()
    }

    pub fn text(&self) -> &str {
        str::from_utf8(&self.body).unwrap()
    }
}
