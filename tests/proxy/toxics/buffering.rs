//! Toxics buffer a bounded amount of data, then apply back-pressure to the sender.

use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

use super::{HOUR, Run, STREAMS, run, toxic};
use crate::harness::TIMEOUT;

/// The most bytes that the delay queue holds.
const MAX_QUEUED: usize = 32 << 20;

const MAX_SENT: usize = 400 << 20;

/// A socket that is not writable for this long counts as full. If the proxy is only slow, the test measures too little,
/// and only too much would fail it.
const IDLE: Duration = Duration::from_secs(1);

/// Writes while `more` is true and each write succeeds within `timeout`. Returns the number of bytes written.
fn write_until_full(mut from: &TcpStream, timeout: Duration, more: impl Fn() -> bool) -> usize {
    from.set_write_timeout(Some(timeout)).unwrap();
    let (chunk, mut sent) = (vec![1; 65_536], 0);
    while sent < MAX_SENT
        && more()
        && let Ok(written) = from.write(&chunk)
    {
        sent += written;
    }
    sent
}

/// The most bytes in kernel buffers between a writer and a reader: `tcp_wmem` and `tcp_rmem` in tcp(7).
fn max_kernel_buffers() -> usize {
    let most = |name| {
        let limits = fs::read_to_string(format!("/proc/sys/net/ipv4/{name}")).unwrap();
        limits.split_whitespace().next_back().unwrap().parse::<usize>().unwrap()
    };
    most("tcp_wmem") + most("tcp_rmem")
}

/// The peak resident memory of the proxy, in bytes.
pub fn peak_memory(run: &Run) -> usize {
    let status = fs::read_to_string(format!("/proc/{}/status", run.proxy.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 1024
}

/// The kernel buffers between the sender and the delay queue fill up. Those after the queue stay empty, because the
/// delay outlasts the test. The bound on memory includes 8 MiB for stacks, allocators and buffers. The lower bound on
/// memory shows that the queue is used, because the kernel alone could hold as much.
#[test]
fn long_delay_applies_back_pressure() {
    for stream in STREAMS {
        let run = run(&[toxic("latency", stream, &format!(r#""latency": {HOUR}"#))]);
        let (from, _to) = run.endpoints(stream);
        let before = peak_memory(&run);
        let grown = || peak_memory(&run) - before;
        let sent = write_until_full(&from, TIMEOUT, || grown() < MAX_QUEUED / 2);
        assert!(grown() >= MAX_QUEUED / 2, "{} of {sent}", grown());
        let sent = sent + write_until_full(&from, IDLE, || true);
        assert!(sent <= MAX_QUEUED + max_kernel_buffers(), "{sent}");
        assert!(grown() <= MAX_QUEUED + (8 << 20), "{}", grown());
    }
}

/// The delay is over and the reader does not read, so the kernel buffers on both legs and the delay queue fill up.
#[test]
fn stopped_reader_applies_back_pressure() {
    for stream in STREAMS {
        let run = run(&[toxic("latency", stream, r#""latency": 100"#)]);
        let (from, _to) = run.endpoints(stream);
        let before = peak_memory(&run);
        let sent = write_until_full(&from, IDLE, || true);
        assert!(sent <= MAX_QUEUED + 2 * max_kernel_buffers(), "{sent}");
        let grown = peak_memory(&run) - before;
        assert!(grown <= MAX_QUEUED + (8 << 20), "{grown}");
    }
}

/// As on a real link, data waits at the sender. The link queues at most 50 ms of data, and 64 KiB per read.
#[test]
fn bandwidth_and_stall_buffer_little() {
    for kind_and_attributes in [("bandwidth", r#""rate": 1"#), ("bandwidth", r#""rate": 0"#), ("stall", "")] {
        for stream in STREAMS {
            let run = run(&[toxic(kind_and_attributes.0, stream, kind_and_attributes.1)]);
            let (from, _to) = run.endpoints(stream);
            let before = peak_memory(&run);
            let sent = write_until_full(&from, IDLE, || true);
            assert!(sent <= max_kernel_buffers() + (1 << 20), "{sent}");
            let grown = peak_memory(&run) - before;
            assert!(grown <= 8 << 20, "{grown}");
        }
    }
}
