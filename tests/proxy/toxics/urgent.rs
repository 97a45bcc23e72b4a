//! Urgent data (`MSG_OOB`), as FTP's ABOR and Oracle's breaks use it: its byte stays in its place in the stream, and
//! the mark is no end.

use std::io::Write;
use std::net::{Shutdown, TcpStream};
use std::thread;

use rustix::net::{SendFlags, send};

use super::{End, STREAMS, noise, read_all, run, start, toxic};
use crate::harness::one_route;

/// Sends `bytes` in pieces, the last byte of each piece as urgent data, and does not wait in between, so that the
/// receiver's kernel may hold several marks.
fn send_urgently(mut from: &TcpStream, bytes: &[u8], piece: usize) {
    for piece in bytes.chunks(piece) {
        let (last, rest) = piece.split_last().unwrap();
        from.write_all(rest).unwrap();
        send(from, &[*last], SendFlags::OOB).unwrap();
    }
}

/// No toxics, and toxics of each kind that moves bytes its own way.
fn paths(stream: &str) -> [Vec<String>; 4] {
    [
        Vec::new(),
        vec![toxic("latency", stream, r#""latency": 50"#)],
        vec![toxic("slicer", stream, r#""average_size": 700"#)],
        vec![toxic("bandwidth", stream, r#""rate": 100000"#)],
    ]
}

/// 4,001 bytes with the urgent one in the middle are copied in small reads; 4 MiB with an urgent byte in each 100,000
/// go through splice(2), which stops at every mark. A single urgent byte has nothing around it.
#[test]
fn urgent_bytes_stay_in_the_stream() {
    for stream in STREAMS {
        for toxics in paths(stream) {
            let run = run(&toxics);
            for (length, urgent_each) in [(4001, 2001), (4 << 20, 100_000), (1, 1), (20, 1)] {
                let ((from, to), bytes) = (run.endpoints(stream), noise(length));
                let (received, end) = thread::scope(|scope| {
                    scope.spawn(|| {
                        send_urgently(&from, &bytes, urgent_each);
                        from.shutdown(Shutdown::Write).unwrap();
                    });
                    read_all(&to)
                });
                let count = received.len();
                assert!(received == bytes && end == End::Fin, "{count} of {length} and {end:?}, {toxics:?}");
            }
        }
    }
}

/// The connection is closed in good order, and what comes is discarded: the mark does not end that early, which would
/// make a RST of the FIN.
#[test]
fn urgent_bytes_are_discarded_like_others() {
    let dropped = start(one_route(r#""dropRate": 1"#));
    for _ in 0..20 {
        let client = dropped.proxy.connect();
        send_urgently(&client, &noise(4001), 2001);
        assert_eq!(read_all(&client), (Vec::new(), End::Fin));
    }
    for stream in STREAMS {
        let run = run(&[toxic("limit_data", stream, r#""bytes": 0"#)]);
        let (from, to) = run.endpoints(stream);
        send_urgently(&from, &noise(4001), 2001);
        assert_eq!((read_all(&to), read_all(&from)), ((Vec::new(), End::Fin), (Vec::new(), End::Fin)));
    }
}

/// The marks are in the proxy's kernel before it has taken the connection up: its server has not accepted, or the
/// route's latency is not over.
#[test]
fn urgent_bytes_may_come_before_the_forwarding() {
    let run = start(one_route(r#""latencyMs": 100"#));
    for stream in STREAMS {
        let ((from, to), bytes) = (run.endpoints(stream), noise(5));
        send_urgently(&from, &bytes, 1);
        from.shutdown(Shutdown::Write).unwrap();
        assert_eq!(read_all(&to), (bytes, End::Fin));
    }
}
