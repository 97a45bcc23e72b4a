//! Receivers that are slow, stop reading, or are gone, while data for them is buffered.

use std::io::{ErrorKind, Write};
use std::thread;
use std::time::Instant;

use rustix::net::sockopt::set_socket_recv_buffer_size;

use super::{End, HOUR, STREAMS, millis, noise, read_all, read_exactly, run, toxic, wait_until_acknowledged};
use crate::harness::{TIMEOUT, reset};

/// A toxic closes the connection with a FIN, which can't be sent before the data that the reader does not take.
#[test]
fn gives_up_on_a_stopped_reader() {
    let ended = |stream: &str| {
        let run = run(&[toxic("limit_time", stream, r#""time": 300"#)]);
        let (mut from, _to) = run.endpoints(stream);
        while from.write_all(&[1; 65_536]).is_ok() {}
        run.proxy.logged(&["connection closed", "why=\"closed by a toxic\""]);
    };
    thread::scope(|scope| STREAMS.map(|stream| scope.spawn(move || ended(stream))).map(|ended| ended.join().unwrap()));
}

/// The reply is larger than the socket buffers, and the client starts reading when they are full: 200 ms after the
/// reply is due, and long before the proxy gives up on it.
#[test]
fn delivers_a_large_reply_before_a_reset() {
    let run = run(&[toxic("latency", "downstream", r#""latency": 300"#)]);
    let (client, mut server) = run.pair();
    set_socket_recv_buffer_size(&client, 65_536).unwrap();
    let answer = noise(20 << 20);
    server.write_all(&answer).unwrap();
    wait_until_acknowledged(&server);
    reset(server);
    thread::sleep(millis(500));
    let received = read_all(&client);
    assert!(received == (answer, End::Reset), "{} bytes and {:?}", received.0.len(), received.1);
}

/// The client's request and the server's reply are delayed for an hour. The client leaves, so the proxy must discard
/// the reply but keep the request. If it kept the reply, the server could send no more than the buffers hold.
#[test]
fn drops_reply_of_gone_client_while_its_data_is_delayed() {
    const MORE_THAN_BUFFERED: usize = 200 << 20;
    let run = run(&[toxic("latency", "both", &format!(r#""latency": {HOUR}"#))]);
    let (mut client, mut server) = run.pair();
    client.write_all(b"request").unwrap();
    run.proxy.logged(&["fault injected", "stream=upstream"]);
    drop(client);
    let began = Instant::now();
    server.set_write_timeout(Some(TIMEOUT)).unwrap();
    let mut taken = 0;
    while taken < MORE_THAN_BUFFERED {
        taken += match server.write(&[1; 65_536]) {
            Ok(written) => written,
            Err(error) if error.kind() == ErrorKind::Interrupted => 0,
            Err(error) => panic!("after {taken} bytes and {:?}: {error}", began.elapsed()),
        };
    }
    assert!(run.proxy.lines(&["connection closed"]).is_empty());
}

/// The reader's kernel buffers 64 KiB. The rest is in the proxy's send buffer, which a reset would discard.
#[test]
fn reset_does_not_wait_for_a_stopped_reader() {
    let reset = |stream: &str| {
        let run = run(&[toxic("limit_data", stream, r#""bytes": 1000000, "reset": true"#)]);
        let (mut from, to) = run.endpoints(stream);
        set_socket_recv_buffer_size(&to, 65_536).unwrap();
        while from.write_all(&[1; 65_536]).is_ok() {}
        run.proxy.logged(&["connection closed", "why=\"reset by a toxic\""]);
    };
    thread::scope(|scope| STREAMS.map(|stream| scope.spawn(move || reset(stream))).map(|reset| reset.join().unwrap()));
}

/// The reader reads 5 KB/s for 12 s. Its kernel opens the receive window only after 128 KiB are free, and the proxy
/// gives up on a reader without progress for 5 s.
#[test]
fn reset_waits_for_a_slow_reader() {
    const BYTES: usize = 4_000_000;
    let read = |stream: &str| {
        let run = run(&[toxic("limit_data", stream, &format!(r#""bytes": {BYTES}, "reset": true"#))]);
        let ((mut from, to), sent) = (run.endpoints(stream), noise(BYTES));
        from.write_all(&sent).unwrap();
        let mut received = Vec::new();
        for _ in 0..60 {
            received.extend(read_exactly(&to, 1000));
            thread::sleep(millis(200));
        }
        let (rest, end) = read_all(&to);
        received.extend(rest);
        assert!(received == sent && end == End::Reset, "{} bytes and {end:?}", received.len());
    };
    thread::scope(|scope| STREAMS.map(|stream| scope.spawn(move || read(stream))).map(|read| read.join().unwrap()));
}
