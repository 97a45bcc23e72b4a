//! What may be left of a load once it is over, and what is. Nothing is taken on trust: threads, descriptors and memory
//! are the kernel's count, and that each connection was closed is the proxy's own word.

use std::thread;
use std::time::{Duration, Instant};

use crate::gauge::Gauge;
use crate::proxy::{LOOK, Proxy};
use crate::wrong::{Outcome, ensure};

/// A proxy may keep threads for a while to use them again, and clients that were dropped have some seconds to close.
const PATIENCE: Duration = Duration::from_secs(30);

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
    most: Gauge,
}

impl Limits {
    /// Of a proxy that has not seen a connection yet: its memory says nothing so far.
    pub fn of_one_who_is_ready(now: Gauge) -> Self {
        Self { most: Gauge { rss_kib: u64::MAX, others: now.others + KEPT_DESCRIPTORS, ..now } }
    }

    /// The same once it has carried all kinds of load, and came to rest with `now`.
    pub fn of_one_who_is_warm(self, now: Gauge) -> Self {
        Self { most: Gauge { rss_kib: now.rss_kib + GROWTH_KIB, ..self.most } }
    }

    fn hold(&self, now: &Gauge) -> bool {
        self.hold_but_for_memory(now) && now.rss_kib <= self.most.rss_kib
    }

    fn hold_but_for_memory(&self, now: &Gauge) -> bool {
        now.threads <= self.most.threads && now.sockets <= self.most.sockets && now.others <= self.most.others
    }
}

/// Waits until `proxy` has let go of everything, and returns what is left.
///
/// # Errors
/// Connections that were not told closed, and threads, descriptors and memory beyond `limits`.
pub fn what_is_left(proxy: &Proxy, limits: &Limits) -> Outcome<Gauge> {
    let left = settled(proxy, limits)?;
    let open = proxy.log.left_open();
    ensure(open.is_empty(), || format!("{} connections were not told closed:\n{}", open.len(), open.join("\n")))?;
    let (held, most) = (left.held(), limits.most.held());
    let leaked = || format!("leaked: {held} are left after {} s of quiet, at most {most} may be", PATIENCE.as_secs());
    ensure(limits.hold_but_for_memory(&left), leaked)?;
    let grown = || format!("memory grows: {} KiB are resident, at most {} may be", left.rss_kib, limits.most.rss_kib);
    ensure(limits.hold(&left), grown)?;
    proxy.complain_of_alarms()?;
    Ok(left)
}

/// The state in which nothing is open and the limits hold, or that in which patience ends.
fn settled(proxy: &Proxy, limits: &Limits) -> Outcome<Gauge> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let now = proxy.gauge()?;
        let settled = proxy.log.left_open().is_empty() && limits.hold(&now);
        if settled || Instant::now() > deadline {
            return Ok(now);
        }
        // /proc can't be waited on.
        thread::sleep(LOOK);
    }
}
