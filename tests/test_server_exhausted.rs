//! The test server without a descriptor left. In a process of its own, as the limit applies to the whole process.
#![allow(clippy::unwrap_used)]

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use chaos_proxy::test_server::TestServer;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

#[test]
fn serves_a_waiting_client_once_descriptors_are_free() {
    let server = TestServer::bind("127.0.2.7:0".parse().unwrap()).unwrap();
    let addr = server.local_addr();
    let mut client = TcpStream::connect(addr).unwrap();
    client.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();

    // Open descriptors stay open, and those of stdin, stdout and stderr are all that the limit covers. It is not 0,
    // since poll(2) takes no more entries than RLIMIT_NOFILE and would fail before accept(2) does.
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: Some(3), ..limit }).unwrap();
    server.serve().unwrap();
    client.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    assert_eq!(client.read(&mut [0]).map_err(|error| error.kind()), Err(ErrorKind::WouldBlock));

    setrlimit(Resource::Nofile, limit).unwrap();
    client.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert!(answer.ends_with(&format!("{addr}\n")), "{answer}");
}
