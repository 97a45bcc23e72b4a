//! A proxy with an admin server, and requests to it.

use std::io::{BufRead, Read};
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use chaos_proxy::admin::{Admin, Api};
use chaos_proxy::config::Defaults;

use crate::harness::TIMEOUT;
use crate::http_client::{Answer, Client};
use crate::proxy::Proxy;

/// Serves the API of a proxy on its address, until the process ends.
pub fn serve(proxy: &Proxy) -> SocketAddr {
    serve_with(proxy, |api| api)
}

pub fn serve_with(proxy: &Proxy, set: impl FnOnce(Api) -> Api) -> SocketAddr {
    let admin = Admin::bind(SocketAddr::from((proxy.ip, 8474))).unwrap();
    let addr = admin.local_addr();
    admin
        .serve(set(Api::new(Arc::clone(&proxy.supervisor), Defaults { bind: proxy.ip.into(), ..Defaults::default() })))
        .unwrap();
    addr
}

/// The answer to one request on a connection of its own.
pub fn ask(addr: SocketAddr, method: &str, target: &str, body: &str) -> Answer {
    let mut client = Client::connect(addr);
    let length = body.len();
    client.send(format!("{method} {target} HTTP/1.1\r\nHost: {addr}\r\nContent-Length: {length}\r\n\r\n{body}"));
    let mut answer = client.head();
    if method != "HEAD" {
        let length = answer.header("Content-Length").map_or(0, |length| length.parse().unwrap());
        answer.body.resize(length, 0);
        client.0.read_exact(&mut answer.body).unwrap();
    }
    answer
}

/// The status and the body of an answer. The proxy's address is written as `IP`.
pub fn text(proxy: &Proxy, answer: &Answer) -> (u16, String) {
    (answer.status, answer.text().replace(&proxy.ip.to_string(), "IP"))
}

pub fn get(addr: SocketAddr, target: &str) -> String {
    let answer = ask(addr, "GET", target, "");
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.text().to_owned()
}

/// Reads the lines of a chunked answer, without the lines that frame the chunks.
pub fn next_event(client: &mut Client) -> String {
    loop {
        let mut line = String::new();
        client.0.read_line(&mut line).unwrap();
        if line.starts_with('{') {
            return line;
        }
    }
}

/// Waits until `condition` holds.
#[track_caller]
pub fn until(condition: impl Fn() -> bool) {
    let due = Instant::now() + TIMEOUT;
    while !condition() {
        assert!(Instant::now() < due, "the condition did not hold in time");
        thread::yield_now();
    }
}
