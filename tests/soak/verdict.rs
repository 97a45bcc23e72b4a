//! What may be left of a load once it is over, and what is. Nothing is taken on trust: threads, descriptors and memory
//! are the kernel's count, and that each connection was closed is the proxy's own word.

use std::thread;
use std::time::{Duration, Instant};

use crate::gauge::Gauge;
use crate::proxy::{LOOK, Proxy};
use crate::wrong::{Outcome, ensure};

/// A proxy may keep threads for a while to use them again, and clients that were dropped have some seconds to close.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a proxy may open at the first connection and then keep: an eventfd or a pipe, a thread that looks after others.
const KEPT_DESCRIPTORS: u64 = 8;
const KEPT_THREADS: u64 = 2;

/// By how much the resident memory may grow between two quiet moments. A heap is as large as its worst moment left it:
/// glibc has up to 8 arenas a core, and each keeps up to 128 KiB free at its top (`M_TRIM_THRESHOLD`, mallopt(3)) and
/// what lies below a block that is still in use. A leak of 100 bytes a connection is beyond it after 40,000 of them.
const GROWTH_KIB: u64 = 4096;

/// The most that may be left.
pub struct Limits {
    /// What was there, which is what must be reached again.
    before: Gauge,
    kept: Kept,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kept {
    Nothing,
    FirstUse,
}

impl Limits {
    /// Of a proxy that has not seen a connection yet: its memory says nothing so far.
    pub fn of_one_who_is_ready(before: Gauge) -> Self {
        Self { before, kept: Kept::FirstUse }
    }

    /// Of a proxy that has carried all kinds of load, and came to rest with `before`.
    pub fn of_one_who_is_warm(before: Gauge) -> Self {
        Self { before, kept: Kept::Nothing }
    }

    fn most(&self) -> Gauge {
        let Gauge { rss_kib, threads, descriptors } = self.before;
        match self.kept {
            Kept::Nothing => Gauge { rss_kib: rss_kib + GROWTH_KIB, threads, descriptors },
            Kept::FirstUse => Gauge {
                rss_kib: u64::MAX,
                threads: threads + KEPT_THREADS,
                descriptors: descriptors + KEPT_DESCRIPTORS,
            },
        }
    }
}

/// Waits until `proxy` has let go of everything, and returns what is left.
///
/// # Errors
/// Connections that were not told closed, and threads, descriptors and memory beyond `limits`.
pub fn what_is_left(proxy: &Proxy, limits: &Limits) -> Outcome<Gauge> {
    let left = settled(proxy, &limits.before)?;
    let open = proxy.log.left_open();
    ensure(open.is_empty(), || format!("{} connections were not told closed:\n{}", open.len(), open.join("\n")))?;
    let (before, most) = (limits.before, limits.most());
    let within = left.is_within(&most);
    ensure(within, || format!("leaked: {left} are left after {PATIENCE:?} of quiet, and were {before}"))?;
    ensure(left.rss_kib <= most.rss_kib, || format!("memory grows: {left}, and it was {before}"))?;
    proxy.complain_of_alarms()?;
    Ok(left)
}

/// The state in which nothing is open and nothing is held beyond `before`, or that in which patience ends.
fn settled(proxy: &Proxy, before: &Gauge) -> Outcome<Gauge> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let now = proxy.gauge()?;
        let settled = proxy.log.left_open().is_empty() && now.is_within(before);
        if settled || Instant::now() > deadline {
            return Ok(now);
        }
        // /proc can't be waited on.
        thread::sleep(LOOK);
    }
}
