//! The HTTP server over real sockets, with handlers of these tests. The resources of `--test-server` are tested
//! in `test_server`.
#![allow(clippy::unwrap_used)]

mod access;
#[path = "../http_client/mod.rs"]
mod http_client;
mod slow_clients;
mod streams;

use std::io::{self, Write};
use std::net::{SocketAddr, TcpStream};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use chaos_proxy::http::{HeaderValue, Limits, Request, Response, Server, Status};
use crossbeam_channel::{Receiver, Sender, unbounded};
use http_client::{Client, HANGS};

const LIMITS: Limits = Limits {
    connections: NonZeroUsize::new(2).unwrap(),
    streams: 1,
    replaceable_after: Duration::ZERO,
    head_bytes: 16 * 1024,
    header_lines: 100,
    body_bytes: 1024 * 1024,
    first_request: HANGS,
    next_request: HANGS,
    head: HANGS,
    stall: HANGS,
    linger: HANGS,
};

/// A server on a free port.
fn serve(handler: impl Fn(Request) -> Response + Send + Sync + 'static) -> SocketAddr {
    serve_with(LIMITS, handler)
}

fn serve_with(limits: Limits, handler: impl Fn(Request) -> Response + Send + Sync + 'static) -> SocketAddr {
    let server = Server::bind("127.0.2.8:0".parse().unwrap()).unwrap();
    let addr = server.local_addr();
    server.serve(limits, Response::text, handler).unwrap();
    addr
}

fn greet(_: Request) -> Response {
    Response::text(Status::Ok, "hello")
}

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/// A handler that reports each request and answers it when the test permits.
fn gated() -> (impl Fn(Request) -> Response + Send + Sync, Receiver<()>, Sender<()>) {
    let (report, begun) = unbounded();
    let (permit, permits) = unbounded();
    let handler = move |request| {
        report.send(()).unwrap();
        permits.recv().unwrap();
        greet(request)
    };
    (handler, begun, permit)
}

#[test]
fn a_handler_gets_the_whole_request() {
    let addr = serve(|request| {
        let Request { method, target, headers, body, client, .. } = &request;
        let origin = headers.get("ORIGIN").map(HeaderValue::as_bytes).map(String::from_utf8_lossy);
        let reset = target.parameter("reset");
        Response::text(Status::Ok, &format!("{method} {:?} {reset:?} {origin:?} {body:?} {client}", target.path()))
    });
    let request = "PATCH /proxies/a%2Fb?reset=true HTTP/1.1\r\nHost: a\r\nOrigin: b\r\nContent-Length: 1\r\n\r\n\x07";
    let mut client = Client::connect(addr);
    let here = client.0.get_ref().local_addr().unwrap();
    let expected = format!("PATCH [\"proxies\", \"a/b\"] Some(\"true\") Some(\"b\") [7] {here}\n");
    assert_eq!(client.send(request).answer().text(), expected);
}

#[test]
fn head_is_answered_as_get_unless_the_handler_refuses_it() {
    let addr = serve(|request| match request.target.path().as_slice() {
        ["get-only"] if request.method != "GET" => Response::empty(Status::MethodNotAllowed),
        _ => greet(request),
    });
    let mut client = Client::connect(addr);
    let head = client.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n").head();
    assert_eq!((head.status, head.header("Content-Length")), (200, Some("6")));
    assert_eq!(client.send("HEAD /get-only HTTP/1.1\r\nHost: a\r\n\r\n").head().status, 405);
    assert_eq!(client.send("GET /get-only HTTP/1.1\r\nHost: a\r\n\r\n").answer().text(), "hello\n");
}

#[test]
fn an_answer_without_content_keeps_the_connection() {
    let addr = serve(|request| match request.method.as_str() {
        "DELETE" => Response::empty(Status::NoContent),
        _ => greet(request),
    });
    let mut client = Client::connect(addr);
    let deleted = client.send("DELETE / HTTP/1.1\r\nHost: a\r\n\r\n").head();
    assert_eq!((deleted.status, deleted.header("Content-Length")), (204, None));
    assert_eq!(client.send(GET).answer().text(), "hello\n");
}

#[test]
fn a_new_client_replaces_the_one_that_was_idle_longest() {
    let addr = serve(greet);
    // They are accepted in this order.
    let [mut first, mut second] = [Client::connect(addr), Client::connect(addr)];
    assert_eq!(Client::connect(addr).send(GET).answer().status, 200);
    first.assert_end();
    assert_eq!(second.send(GET).answer().status, 200);
}

#[test]
fn clients_that_never_finish_a_request_keep_no_other_out() {
    let addr = serve(greet);
    let mut slow = [Client::connect(addr), Client::connect(addr)];
    for client in &mut slow {
        let expects = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n";
        // The head has arrived: only the body is missing.
        assert_eq!(client.send(expects).head().status, 100);
    }
    assert_eq!(Client::connect(addr).send(GET).answer().status, 200);
}

/// The answer to one request, or what a connection that was replaced yields.
fn try_get(addr: SocketAddr) -> io::Result<String> {
    let mut stream = TcpStream::connect(addr)?;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")?;
    io::read_to_string(stream)
}

#[test]
fn every_request_that_is_handled_is_answered_while_clients_replace_each_other() {
    let handled = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&handled);
    let addr = serve(move |request| {
        counter.fetch_add(1, Ordering::SeqCst);
        greet(request)
    });
    let answered = answers_to_8_clients(addr);
    assert!(answered > 0);
    assert_eq!(handled.load(Ordering::SeqCst), answered);
}

#[test]
fn more_clients_than_connections_are_answered_in_turn_if_they_are_quick() {
    let limits = Limits { replaceable_after: HANGS, ..LIMITS };
    let addr = serve_with(limits, greet);
    assert_eq!(answers_to_8_clients(addr), 8 * 200);
}

/// The number of requests that are answered, of 200 by each client.
fn answers_to_8_clients(addr: SocketAddr) -> usize {
    let get_often = || (0..200).filter(|_| try_get(addr).is_ok_and(|answer| answer.ends_with("hello\n"))).count();
    thread::scope(|scope| {
        let clients: Vec<_> = (0..8).map(|_| scope.spawn(get_often)).collect();
        clients.into_iter().map(|client| client.join().unwrap()).sum()
    })
}

#[test]
fn a_client_waits_while_all_others_are_being_answered() {
    let (handler, begun, permit) = gated();
    let addr = serve(handler);
    let mut busy: Vec<Client> = (0..2).map(|_| Client::connect(addr)).collect();
    for client in &mut busy {
        client.send(GET);
        begun.recv_timeout(HANGS).unwrap();
    }
    let mut waiting = Client::connect(addr);
    waiting.send(GET);
    assert!(begun.recv_timeout(Duration::from_millis(300)).is_err(), "there is no room for a third");
    permit.send(()).unwrap();
    begun.recv_timeout(HANGS).expect("the one that was answered makes room");
    (0..2).for_each(|_| permit.send(()).unwrap());
    assert_eq!(waiting.answer().status, 200);
}
