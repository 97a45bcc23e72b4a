//! The memory for held data is bounded over all connections (`--max-buffered`). What a single direction holds is in
//! `buffering`.

use std::io::{ErrorKind, Write};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use super::buffering::peak_memory;
use super::{End, HOUR, noise, start, toxic, transfer};
use crate::harness::{Setup, TIMEOUT, accept};

const BUDGET: usize = 16 << 20;

const CONNECTIONS: usize = 40;

/// What a connection may add to the budget: 64 KiB that it reads when there is room for a byte, the buffer that it
/// reads into, and the rest of a block.
const BEYOND: usize = 3 * 64 * 1024;

/// For stacks, the allocator and all else that a proxy takes for these connections.
const OVERHEAD: usize = 8 << 20;

/// A sender that could not write for this long is held up.
const IDLE: Duration = Duration::from_secs(1);

/// Writes until the stream takes no more.
fn write_until_full(mut from: &TcpStream) {
    from.set_write_timeout(Some(IDLE)).unwrap();
    let full = loop {
        if let Err(error) = from.write(&[1; 65_536]) {
            break error.kind();
        }
    };
    assert_eq!(full, ErrorKind::WouldBlock);
}

/// Each of the servers sends for a client what is due in an hour. Without the budget they would fill 32 MiB each.
#[test]
fn all_connections_share_the_budget() {
    let latency = |millis: &str| toxic("latency", "downstream", &format!(r#""latency": {millis}"#));
    let route = |setup: Setup, port, millis| setup.route(port, 9090, &format!(r#""toxics": [{}]"#, latency(millis)));
    let setup = route(route(Setup::new(), 8180, HOUR), 8181, "5").args(["--max-buffered", "16"]);
    let run = start(setup);
    let mut pairs: Vec<_> = (0..CONNECTIONS).map(|_| (run.proxy.connect(), accept(&run.upstream))).collect();
    let before = peak_memory(&run);
    thread::scope(|scope| pairs.iter().for_each(|(_, server)| drop(scope.spawn(|| write_until_full(server)))));

    let grown = peak_memory(&run) - before;
    assert!((BUDGET / 2..BUDGET + CONNECTIONS * BEYOND + OVERHEAD).contains(&grown), "{grown}");
    run.proxy.logged(&["buffer limit reached", &format!("max_buffered={BUDGET}")]);

    // A connection that holds nothing goes on.
    let client = run.proxy.connect_to(8181);
    let (modest, bytes) = ((accept(&run.upstream), client), noise(1 << 20));
    assert!(transfer(&modest, &bytes, 65_536) == (bytes, End::Fin));

    // One that is held up goes on once others have left.
    let (_client, mut server) = pairs.pop().unwrap();
    drop(pairs);
    server.set_write_timeout(Some(TIMEOUT)).unwrap();
    server.write_all(&noise(BUDGET / 2)).unwrap();
    assert_eq!(run.proxy.lines(&["buffer limit reached"]).len(), 1);
}
