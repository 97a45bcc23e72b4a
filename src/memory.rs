//! The default limit on the bytes that toxics hold: a share of the memory that the machine or the cgroup has left at
//! startup.

use std::fs;
use std::num::NonZeroUsize;
use std::path::Path;

/// The limit is this fraction of the free memory. The rest is for the threads and sockets of connections, and for other
/// processes.
const SHARE: u64 = 4;

/// Assumed if the system does not report its free memory.
const UNKNOWN: u64 = 1 << 30;

/// The number of bytes that toxics may hold if `--max-buffered` is not given.
#[must_use]
pub fn default_buffers() -> NonZeroUsize {
    let free = [machine(), cgroup()].into_iter().flatten().min().unwrap_or(UNKNOWN);
    usize::try_from(free / SHARE).ok().and_then(NonZeroUsize::new).unwrap_or(NonZeroUsize::MIN)
}

/// The free memory of the machine: `MemAvailable` in proc(5), which is available without swapping.
fn machine() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    available(&text)
}

fn available(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()?.saturating_mul(1024))
}

/// The least free memory of any cgroup (version 2) from that of this process up to the root.
fn cgroup() -> Option<u64> {
    let own = fs::read_to_string("/proc/self/cgroup").ok()?;
    let path = own.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let number = |file: &Path| fs::read_to_string(file).ok()?.trim().parse::<u64>().ok();
    let left = |folder: &Path| {
        Some(number(&folder.join("memory.max"))?.saturating_sub(number(&folder.join("memory.current"))?))
    };
    Path::new("/sys/fs/cgroup").join(path).ancestors().filter_map(left).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_available_memory_is_read_in_bytes() {
        assert_eq!(available("MemTotal:  9 kB\nMemAvailable:   1234 kB\nBuffers: 1 kB\n"), Some(1234 * 1024));
        assert_eq!(available("MemTotal:  9 kB\n"), None);
    }

    #[test]
    fn there_is_always_a_budget() {
        assert!(default_buffers().get() > 0);
    }
}
