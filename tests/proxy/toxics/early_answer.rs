//! A server that answers before it has read the request and closes: the input that it leaves unread makes a RST of its
//! FIN (RFC 2525, section 2.17), and that RST follows an answer which is still on its way.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

use super::{noise, read_all, run, toxic, wait_until_acknowledged};
use crate::harness::{accept, unique_ip, with_timeouts};

const TRIES: usize = 60;

/// When the server closes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Close {
    /// Once its peer's kernel has all of the answer.
    Acknowledged,
    /// At once. Its own kernel discards what the peer's has not acknowledged.
    AtOnce,
}

/// The number of tries in which `connect` gets all of an answer of 100 kB. The request is larger than what the server
/// reads of it.
fn whole_answers(upstream: &TcpListener, connect: impl Fn() -> TcpStream, close: Close) -> usize {
    let answer = noise(100_000);
    let serve = || {
        let mut server = accept(upstream);
        server.read_exact(&mut [0; 10]).unwrap();
        server.write_all(&answer).unwrap();
        if close == Close::Acknowledged {
            wait_until_acknowledged(&server);
        }
    };
    let is_whole = |_: &usize| {
        thread::scope(|scope| {
            scope.spawn(serve);
            let mut client = with_timeouts(connect());
            client.write_all(&[1; 1000]).unwrap();
            read_all(&client).0 == answer
        })
    };
    (0..TRIES).filter(is_whole).count()
}

/// Whether the server's kernel still holds a part of the answer when the server closes is a race that no proxy takes
/// part in, so the counts for that are only printed. Where it holds none, the answer is whole without the proxy, and so
/// it must be with it: the proxy's kernel had everything before the reset.
#[test]
#[expect(clippy::print_stdout, reason = "counts to compare, not to assert")]
fn early_answer_arrives_before_the_reset() {
    let direct = TcpListener::bind((unique_ip(), 9090)).unwrap();
    let dial = || TcpStream::connect(direct.local_addr().unwrap()).unwrap();
    let count = |close| whole_answers(&direct, dial, close);
    println!("direct: {} of {TRIES} at once", count(Close::AtOnce));
    assert_eq!(count(Close::Acknowledged), TRIES);
    for toxics in [vec![], vec![toxic("latency", "downstream", r#""latency": 5"#)]] {
        let run = run(&toxics);
        let count = |close| whole_answers(&run.upstream, || run.proxy.connect(), close);
        println!("through {toxics:?}: {} of {TRIES} at once", count(Close::AtOnce));
        assert_eq!(count(Close::Acknowledged), TRIES, "{toxics:?}");
    }
}
