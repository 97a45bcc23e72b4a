//! Checks what the proxy still holds after a load. The kernel counts its threads, descriptors and memory; the log shows
//! that each connection was closed.

use std::thread;
use std::time::{Duration, Instant};

use crate::failure::{Outcome, ensure};
use crate::proxy::{POLL_INTERVAL, Proxy};
use crate::usage::Usage;

/// The proxy keeps idle threads for a few seconds, and dropped clients have some seconds to close.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The proxy keeps up to sixteen pipes of two descriptors each for the next bulk stream.
const KEPT_DESCRIPTORS: u64 = 32;

/// How much resident memory may grow between two leak checks. A heap does not shrink to what is in use: glibc has up to
/// 8 arenas per core, and each keeps up to 128 KiB free at its top (`M_TRIM_THRESHOLD`, mallopt(3)) and everything
/// below a block in use. A leak of 100 bytes per connection exceeds this after 20,000 connections, which take about
/// 20 s. Without a leak, 150,000 connections grew memory by 400 KiB.
const GROWTH_KIB: u64 = 2048;

/// The most that the proxy may hold without connections. For sockets and threads it is what it held before the first
/// one.
#[derive(Clone, Copy)]
pub struct Limits {
    max: Usage,
}

impl Limits {
    /// The limits from the usage before the first connection. Memory is not limited yet.
    pub fn before_load(now: Usage) -> Self {
        Self { max: Usage { rss_kib: u64::MAX, others: now.others + KEPT_DESCRIPTORS, ..now } }
    }

    /// Adds the memory limit, from the usage after the warm-up.
    pub fn after_warm_up(self, now: Usage) -> Self {
        Self { max: Usage { rss_kib: now.rss_kib + GROWTH_KIB, ..self.max } }
    }

    fn hold(&self, now: &Usage) -> bool {
        self.hold_except_memory(now) && now.rss_kib <= self.max.rss_kib
    }

    fn hold_except_memory(&self, now: &Usage) -> bool {
        now.threads <= self.max.threads && now.sockets <= self.max.sockets && now.others <= self.max.others
    }
}

/// Waits until `proxy` has released everything, and returns its usage.
///
/// # Errors
/// A connection without a closing log line, or more threads, descriptors or memory than `limits` allows.
pub fn check(proxy: &Proxy, limits: &Limits) -> Outcome<Usage> {
    let left = settled(proxy, limits)?;
    let open = proxy.log.open_connections();
    ensure(open.is_empty(), || format!("{} connections have no closing log line:\n{}", open.len(), open.join("\n")))?;
    let (held, most) = (left.held(), limits.max.held());
    let leaked =
        || format!("leaked: {held} are left after {} s without load, at most {most} are allowed", TIMEOUT.as_secs());
    ensure(limits.hold_except_memory(&left), leaked)?;
    let grown =
        || format!("memory grows: {} KiB are resident, at most {} are allowed", left.rss_kib, limits.max.rss_kib);
    ensure(limits.hold(&left), grown)?;
    proxy.check_log()?;
    Ok(left)
}

/// The usage once nothing is open and the limits hold, or at the timeout.
fn settled(proxy: &Proxy, limits: &Limits) -> Outcome<Usage> {
    let deadline = Instant::now() + TIMEOUT;
    loop {
        let now = proxy.usage()?;
        let settled = proxy.log.open_connections().is_empty() && limits.hold(&now);
        if settled || Instant::now() > deadline {
            return Ok(now);
        }
        // /proc can only be polled.
        thread::sleep(POLL_INTERVAL);
    }
}
