//! The bytes that the closing line counts: those that a peer's kernel has, where a reset discards the others.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use rustix::net::sockopt::set_socket_recv_buffer_size;

use super::{HOUR, STREAMS, noise, read_all, run, toxic};
use crate::harness::reset;

/// The bytes of one direction in the closing line.
fn counted(run: &super::Run, stream: &str) -> usize {
    let key = if stream == "upstream" { "bytes_up=" } else { "bytes_down=" };
    let closed = run.proxy.logged(&["connection closed"]);
    closed.split(key).nth(1).unwrap().split(' ').next().unwrap().parse().unwrap()
}

/// Writes until the stream fails, or until it takes nothing for a second.
fn write_until_full(mut from: &TcpStream) {
    from.set_write_timeout(Some(Duration::from_secs(1))).unwrap();
    while from.write_all(&[1; 65_536]).is_ok() {}
}

/// What the reader's kernel had at the reset.
fn read_before_reset(mut to: &TcpStream) -> usize {
    let (mut received, mut buffer) = (0, vec![0; 65_536]);
    loop {
        match to.read(&mut buffer) {
            Ok(read) if read > 0 => received += read,
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return received,
            other => panic!("no reset after {received} bytes: {other:?}"),
        }
    }
}

/// The reader does not read, so what its kernel lacks stays in the proxy's, which discards it with the reset.
#[test]
fn bytes_that_a_reset_discards_are_not_counted() {
    let reset_peer = |stream: &str| vec![toxic("reset_peer", stream, r#""timeout": 3000"#)];
    let cut_short = |stream: &str, toxics: &[String]| {
        let run = run(toxics);
        let (from, to) = run.endpoints(stream);
        set_socket_recv_buffer_size(&to, 65_536).unwrap();
        write_until_full(&from);
        reset(from);
        let counted = counted(&run, stream);
        let received = read_before_reset(&to);
        assert!((1..=received).contains(&counted), "{counted} counted and {received} received, {stream} {toxics:?}");
    };
    thread::scope(|scope| {
        for stream in STREAMS {
            for toxics in [vec![], vec![toxic("latency", stream, r#""latency": 10"#)], reset_peer(stream)] {
                scope.spawn(move || cut_short(stream, &toxics));
            }
        }
    });
}

/// A client that leaves frees the reply that is held for it, and is no reason to reset its server: that gets all of
/// what the proxy's kernel still has for it. The request is larger than the window of the server, which inherits its
/// receive buffer from the listener, and smaller than the send buffer of the proxy (`tcp_wmem` in tcp(7)).
#[test]
fn bytes_of_a_client_that_left_are_counted() {
    let run = run(&[toxic("latency", "downstream", &format!(r#""latency": {HOUR}"#))]);
    set_socket_recv_buffer_size(&run.upstream, 4096).unwrap();
    let (mut client, mut server) = run.pair();
    server.write_all(b"held").unwrap();
    run.proxy.logged(&["fault injected"]);
    let request = noise(12_000);
    client.write_all(&request).unwrap();
    drop(client);
    assert_eq!(counted(&run, "upstream"), request.len());
    assert!(read_all(&server).0 == request);
}
