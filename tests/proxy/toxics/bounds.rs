//! A delay holds no more than it may: what does not fit stays with the sender.

use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::{Run, STREAMS, run, toxic};

/// What the gate's delay line may hold.
const LINE: usize = 32 << 20;

const SENT: usize = 400 << 20;

/// Writes until nothing more is taken for so long that nothing more will be, and returns how much was.
fn taken_of(bytes: usize, mut from: &TcpStream) -> usize {
    from.set_nonblocking(true).unwrap();
    let (chunk, mut taken, mut idle_since) = (vec![1; 65_536], 0, Instant::now());
    while taken < bytes && idle_since.elapsed() < Duration::from_secs(1) {
        if let Ok(written) = from.write(&chunk) {
            (taken, idle_since) = (taken + written, Instant::now());
        }
    }
    taken
}

/// The most that kernels hold of a stream between a writer and a reader: tcp(7), `tcp_wmem` and `tcp_rmem`.
fn most_in_kernel() -> usize {
    let most = |name| {
        let limits = fs::read_to_string(format!("/proc/sys/net/ipv4/{name}")).unwrap();
        limits.split_whitespace().next_back().unwrap().parse::<usize>().unwrap()
    };
    most("tcp_wmem") + most("tcp_rmem")
}

/// The most memory that it has had.
fn peak(run: &Run) -> usize {
    let status = fs::read_to_string(format!("/proc/{}/status", run.proxy.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 1024
}

/// Between the sender and the line is one stretch of kernel, and the other is still empty: everything is held for longer
/// than the test looks. Beside the line there are 8 MiB for stacks, allocators and buffers.
#[test]
fn what_a_long_delay_does_not_hold_stays_with_the_sender() {
    for stream in STREAMS {
        let run = run(&[toxic("latency", stream, r#""latency": 60000"#)]);
        let (from, _to) = run.ends(stream);
        let before = peak(&run);
        let taken = taken_of(SENT, &from);
        assert!(taken <= LINE + most_in_kernel(), "{taken}");
        assert!(taken >= LINE / 2, "{taken}");
        let grown = peak(&run) - before;
        assert!(grown <= LINE + (8 << 20), "{grown}");
    }
}

/// The delay is over, and the reader reads nothing: two stretches of kernel are full then, and the line.
#[test]
fn a_reader_that_is_stuck_holds_its_sender_up() {
    for stream in STREAMS {
        let run = run(&[toxic("latency", stream, r#""latency": 100"#)]);
        let (from, _to) = run.ends(stream);
        let before = peak(&run);
        let taken = taken_of(SENT, &from);
        assert!(taken <= LINE + 2 * most_in_kernel(), "{taken}");
        let grown = peak(&run) - before;
        assert!(grown <= LINE + (8 << 20), "{grown}");
    }
}

/// What waits behind a narrow link waits with the sender, as on a real one; the link takes a queue of 50 ms at most, and
/// 64 KiB at a time.
#[test]
fn a_narrow_link_takes_little() {
    for kind_and_attributes in [("bandwidth", r#""rate": 1"#), ("bandwidth", r#""rate": 0"#), ("stall", "")] {
        for stream in STREAMS {
            let run = run(&[toxic(kind_and_attributes.0, stream, kind_and_attributes.1)]);
            let (from, _to) = run.ends(stream);
            let before = peak(&run);
            let taken = taken_of(SENT, &from);
            assert!(taken <= most_in_kernel() + (1 << 20), "{taken}");
            let grown = peak(&run) - before;
            assert!(grown <= 8 << 20, "{grown}");
        }
    }
}
