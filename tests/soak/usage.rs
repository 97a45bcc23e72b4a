//! The resource usage of the proxy's process, from /proc.

use std::fmt;
use std::fs;
use std::path::PathBuf;

use crate::failure::{Failure, Outcome};

/// The resources of a process at one time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    pub rss_kib: u64,
    pub threads: u64,
    pub sockets: u64,
    /// Descriptors other than sockets, mostly pipes.
    pub others: u64,
}

impl Usage {
    /// # Errors
    /// The process has ended.
    pub fn read(pid: u32) -> Outcome<Self> {
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        let number = |field: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(field));
            let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
            number.ok_or_else(|| Failure::new(format!("the proxy has ended: no {field} in its status")))
        };
        let (sockets, others) = descriptors(pid)?;
        Ok(Self { rss_kib: number("VmRSS:")?, threads: number("Threads:")?, sockets, others })
    }

    /// Everything except memory, as text.
    pub fn held(&self) -> String {
        format!("{} threads, {} sockets, {} other fds", self.threads, self.sockets, self.others)
    }
}

/// The number of sockets and of other descriptors. Skips descriptors that are closed while they are counted.
fn descriptors(pid: u32) -> Outcome<(u64, u64)> {
    let entries = fs::read_dir(format!("/proc/{pid}/fd"))?;
    let targets = entries.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    let is_socket = |target: &PathBuf| target.to_string_lossy().starts_with("socket:");
    let (sockets, others): (Vec<_>, Vec<_>) = targets.partition(is_socket);
    Ok((sockets.len() as u64, others.len() as u64))
}

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rss {} KiB, {}", self.rss_kib, self.held())
    }
}
