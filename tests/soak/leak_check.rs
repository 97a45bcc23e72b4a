//! What may be left of a load once it is over, and what is. Nothing is taken on trust: threads, descriptors and memory
//! are the kernel's count, and that each connection was closed is the proxy's own word.

use std::thread;
use std::time::{Duration, Instant};

use crate::failure::{Outcome, ensure};
use crate::proxy::{POLL_INTERVAL, Proxy};
use crate::usage::Usage;

/// A proxy may keep threads for a while to use them again, and clients that were dropped have some seconds to close.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The proxy keeps up to sixteen pipes, of two descriptors each, for the next stream that has much to send.
const KEPT_DESCRIPTORS: u64 = 32;

/// By how much the resident memory may grow between two quiet moments. A heap is as large as its worst moment left it:
/// glibc has up to 8 arenas a core, and each keeps up to 128 KiB free at its top (`M_TRIM_THRESHOLD`, mallopt(3)) and
/// what lies below a block that is still in use. A leak of 100 bytes a connection is beyond it after 20,000 of them,
/// which take some 20 s; 150,000 connections that leak nothing made it 400 KiB.
const GROWTH_KIB: u64 = 2048;

/// The most that may be left. Of sockets and threads it is what was there before the first connection.
#[derive(Clone, Copy)]
pub struct Limits {
    max: Usage,
}

impl Limits {
    /// Of a proxy that has not seen a connection yet: its memory says nothing so far.
    pub fn before_load(now: Usage) -> Self {
        Self { max: Usage { rss_kib: u64::MAX, others: now.others + KEPT_DESCRIPTORS, ..now } }
    }

    /// The same once it has carried all kinds of load, and came to rest with `now`.
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

/// Waits until `proxy` has let go of everything, and returns what is left.
///
/// # Errors
/// Connections that were not told closed, and threads, descriptors and memory beyond `limits`.
pub fn check(proxy: &Proxy, limits: &Limits) -> Outcome<Usage> {
    let left = settled(proxy, limits)?;
    let open = proxy.log.open_connections();
    ensure(open.is_empty(), || format!("{} connections have no closing log line:\n{}", open.len(), open.join("\n")))?;
    let (held, most) = (left.held(), limits.max.held());
    let leaked = || format!("leaked: {held} are left after {} s of quiet, at most {most} may be", TIMEOUT.as_secs());
    ensure(limits.hold_except_memory(&left), leaked)?;
    let grown = || format!("memory grows: {} KiB are resident, at most {} may be", left.rss_kib, limits.max.rss_kib);
    ensure(limits.hold(&left), grown)?;
    proxy.check_log()?;
    Ok(left)
}

/// The state in which nothing is open and the limits hold, or that in which patience ends.
fn settled(proxy: &Proxy, limits: &Limits) -> Outcome<Usage> {
    let deadline = Instant::now() + TIMEOUT;
    loop {
        let now = proxy.usage()?;
        let settled = proxy.log.open_connections().is_empty() && limits.hold(&now);
        if settled || Instant::now() > deadline {
            return Ok(now);
        }
        // /proc can't be waited on.
        thread::sleep(POLL_INTERVAL);
    }
}
