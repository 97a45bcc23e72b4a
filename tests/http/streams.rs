//! Responses that are streams: their end, and their limit.

use std::io::{BufRead, Read};
use std::net::{Shutdown, SocketAddr};
use std::sync::Mutex;
use std::time::Duration;

use chaos_proxy::http::{Piece, Response, Status, Stream};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, unbounded};

use super::http_client::{Client, HANGS};
use super::{GET, greet, serve};

/// Lines as they come, until their sender is dropped. Reports its own end.
struct Events {
    lines: Receiver<&'static str>,
    _ended: EndReport,
}

struct EndReport(Sender<()>);

impl Drop for EndReport {
    fn drop(&mut self) {
        // A test that ends earlier does not want it.
        let _ = self.0.send(());
    }
}

impl Stream for Events {
    fn next(&mut self, timeout: Duration) -> Piece {
        match self.lines.recv_timeout(timeout) {
            Ok(line) => Piece::Bytes(line.as_bytes().to_vec()),
            Err(RecvTimeoutError::Timeout) => Piece::Pending,
            Err(RecvTimeoutError::Disconnected) => Piece::End,
        }
    }
}

/// A server with the streams `/events`.
struct Streaming {
    addr: SocketAddr,
    publish: Sender<&'static str>,
    ended: Receiver<()>,
}

fn serve_events() -> Streaming {
    let ((publish, lines), (report, ended)) = (unbounded(), unbounded());
    let report = Mutex::new(report);
    let addr = serve(move |request| match request.target.path().as_slice() {
        ["events"] => {
            let end_report = EndReport(report.lock().unwrap().clone());
            Response::stream(Status::Ok, "application/jsonl", Events { lines: lines.clone(), _ended: end_report })
        }
        _ => greet(request),
    });
    Streaming { addr, publish, ended }
}

const GET_EVENTS: &str = "GET /events HTTP/1.1\r\nHost: a\r\n\r\n";

/// A client that reads a stream.
fn listen(addr: SocketAddr) -> Client {
    let mut client = Client::connect(addr);
    let head = client.send(GET_EVENTS).head();
    assert_eq!((head.status, head.header("Transfer-Encoding")), (200, Some("chunked")));
    client
}

#[test]
fn a_stream_arrives_as_it_is_written() {
    let Streaming { addr, publish, .. } = serve_events();
    let mut client = listen(addr);
    for event in ["{\"a\":1}\n", "{}\n"] {
        publish.send(event).unwrap();
        let chunk: Vec<String> = client.0.by_ref().lines().take(3).map(Result::unwrap).collect();
        assert_eq!(chunk, [&format!("{:x}", event.len()), event.trim_end(), ""]);
    }
    drop(publish);
    let mut end = [0; 5];
    client.0.read_exact(&mut end).unwrap();
    assert_eq!(&end, b"0\r\n\r\n");
    assert_eq!(client.send(GET).answer().status, 200, "the connection is kept");
}

#[test]
fn a_stream_without_events_ends_with_its_client() {
    let Streaming { addr, publish: _publish, ended, .. } = serve_events();
    drop(listen(addr));
    ended.recv_timeout(HANGS).expect("a close is a FIN");
    let client = listen(addr);
    client.0.get_ref().shutdown(Shutdown::Write).unwrap();
    ended.recv_timeout(HANGS).expect("so is a half-close");
    let mut impatient = listen(addr);
    impatient.send(GET);
    drop(impatient);
    ended.recv_timeout(HANGS).expect("an unread request does not hide it");
}

#[test]
fn a_stream_ends_with_a_client_that_resets() {
    let Streaming { addr, publish: _publish, ended, .. } = serve_events();
    let mut client = Client::connect(addr);
    client.send(GET_EVENTS);
    // A close with unread input is a reset.
    while client.0.get_ref().peek(&mut [0]).unwrap() == 0 {}
    drop(client);
    ended.recv_timeout(HANGS).unwrap();
}

#[test]
fn streams_leave_connections_for_requests() {
    let Streaming { addr, publish, ended, .. } = serve_events();
    let mut first = listen(addr);
    let mut second = Client::connect(addr);
    let refused = second.send(GET_EVENTS).answer();
    assert_eq!((refused.status, refused.text()), (503, "the number of open streams is limited to 1: close one\n"));
    ended.recv_timeout(HANGS).expect("the second is dropped unread");
    assert_eq!(second.send(GET).answer().status, 200, "the connection is kept");
    for _ in 0..10 {
        assert_eq!(Client::connect(addr).send(GET).answer().status, 200);
    }
    publish.send("{}\n").unwrap();
    let line = first.0.by_ref().lines().nth(1).unwrap().unwrap();
    assert_eq!(line, "{}", "requests replace no stream");
    drop(first);
    ended.recv_timeout(HANGS).unwrap();
    // It is counted until its connection has ended.
    while Client::connect(addr).send(GET_EVENTS).head().status != 200 {}
}

#[test]
fn a_head_request_begins_no_stream() {
    let Streaming { addr, publish: _publish, ended, .. } = serve_events();
    let mut client = Client::connect(addr);
    let head = client.send(GET_EVENTS.replace("GET", "HEAD")).head();
    assert_eq!((head.status, head.header("Transfer-Encoding")), (200, Some("chunked")));
    ended.recv_timeout(HANGS).unwrap();
    assert_eq!(client.send(GET).answer().status, 200);
}
