//! A delay holds no more than it may: what does not fit stays with the sender.

use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

use super::{HOUR, Run, STREAMS, run, toxic};
use crate::harness::TIMEOUT;

/// What the gate's delay line may hold.
const LINE: usize = 32 << 20;

const SENT: usize = 400 << 20;

/// When nothing is taken for so long, nothing more will be. Where the proxy is only starved, less is taken than could be:
/// no harm, as it is asked whether that is too much.
const IDLE: Duration = Duration::from_secs(1);

/// Writes as long as `more` is wanted and is taken with so much patience, and returns how much was.
fn taken_of(mut from: &TcpStream, timeout: Duration, more: impl Fn() -> bool) -> usize {
    from.set_write_timeout(Some(timeout)).unwrap();
    let (chunk, mut taken) = (vec![1; 65_536], 0);
    while taken < SENT
        && more()
        && let Ok(written) = from.write(&chunk)
    {
        taken += written;
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
/// than the test looks. Beside the line there are 8 MiB for stacks, allocators and buffers. That the line is there at all
/// is told by the memory, since the kernel could hold as much.
#[test]
fn long_delay_applies_back_pressure() {
    for stream in STREAMS {
        let run = run(&[toxic("latency", stream, &format!(r#""latency": {HOUR}"#))]);
        let (from, _to) = run.endpoints(stream);
        let before = peak(&run);
        let grown = || peak(&run) - before;
        let taken = taken_of(&from, TIMEOUT, || grown() < LINE / 2);
        assert!(grown() >= LINE / 2, "{} of {taken}", grown());
        let taken = taken + taken_of(&from, IDLE, || true);
        assert!(taken <= LINE + most_in_kernel(), "{taken}");
        assert!(grown() <= LINE + (8 << 20), "{}", grown());
    }
}

/// The delay is over, and the reader reads nothing: two stretches of kernel are full then, and the line.
#[test]
fn stopped_reader_applies_back_pressure() {
    for stream in STREAMS {
        let run = run(&[toxic("latency", stream, r#""latency": 100"#)]);
        let (from, _to) = run.endpoints(stream);
        let before = peak(&run);
        let taken = taken_of(&from, IDLE, || true);
        assert!(taken <= LINE + 2 * most_in_kernel(), "{taken}");
        let grown = peak(&run) - before;
        assert!(grown <= LINE + (8 << 20), "{grown}");
    }
}

/// What waits behind a narrow link waits with the sender, as on a real one; the link takes a queue of 50 ms at most, and
/// 64 KiB at a time.
#[test]
fn bandwidth_and_stall_buffer_little() {
    for kind_and_attributes in [("bandwidth", r#""rate": 1"#), ("bandwidth", r#""rate": 0"#), ("stall", "")] {
        for stream in STREAMS {
            let run = run(&[toxic(kind_and_attributes.0, stream, kind_and_attributes.1)]);
            let (from, _to) = run.endpoints(stream);
            let before = peak(&run);
            let taken = taken_of(&from, IDLE, || true);
            assert!(taken <= most_in_kernel() + (1 << 20), "{taken}");
            let grown = peak(&run) - before;
            assert!(grown <= 8 << 20, "{grown}");
        }
    }
}
