//! What the proxy's process holds, as the kernel counts it.

use std::fmt;
use std::fs;

use crate::wrong::{Outcome, Wrong};

/// One look at a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gauge {
    pub rss_kib: u64,
    pub threads: u64,
    pub descriptors: u64,
}

impl Gauge {
    /// # Errors
    /// There is no such process any more.
    pub fn read(pid: u32) -> Outcome<Self> {
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        let number = |field: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(field));
            let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
            number.ok_or_else(|| Wrong::new(format!("the proxy has ended: no {field} in its status")))
        };
        let descriptors = fs::read_dir(format!("/proc/{pid}/fd"))?.count() as u64;
        Ok(Self { rss_kib: number("VmRSS:")?, threads: number("Threads:")?, descriptors })
    }

    /// Whether it has no more threads and descriptors than `other`.
    pub fn is_within(&self, other: &Self) -> bool {
        self.threads <= other.threads && self.descriptors <= other.descriptors
    }
}

impl fmt::Display for Gauge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rss_kib, threads, descriptors } = self;
        write!(f, "rss {rss_kib} KiB, {threads} threads, {descriptors} fds")
    }
}
