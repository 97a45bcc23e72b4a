//! How many connections this machine can carry. Running out of descriptors would cost connections; running out of memory
//! maps in the middle of starting a thread would cost the process, which Rust aborts (rust-lang/rust#78497). So the cap
//! is worked out at the start, and past it connections wait in the kernel's backlog. Up to it, no connection waits for the
//! kernel to make room for another descriptor: that is done here as well.

use std::fs;
use std::io::stdin;
use std::num::NonZeroUsize;
use std::path::Path;
use std::thread;

use rustix::io::fcntl_dupfd_cloexec;
use rustix::process::{Resource, Rlimit, geteuid, getrlimit, setrlimit};

/// The cap on simultaneous connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cap {
    /// So many are served at once.
    pub connections: NonZeroUsize,
    /// What it is that allows no more.
    pub limited_by: &'static str,
    /// So many more descriptors there are, each good for a connection that is accepted and not yet served.
    pub overflow: NonZeroUsize,
}

/// What one connection takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Footprint {
    /// Open files.
    pub descriptors: u64,
    /// Threads.
    pub threads: u64,
}

impl Footprint {
    /// Two sockets; a thread for each direction.
    pub const PROXIED: Self = Self { descriptors: 2, threads: 2 };
    /// The same with the upstream's end of it in this very process.
    pub const PROXIED_AND_SERVED: Self = Self { descriptors: 3, threads: 3 };
}

/// What the process opens besides connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Baseline {
    /// Sockets that listen, each with a thread of its own.
    pub listeners: usize,
}

/// A thread of std is four maps: a stack and its guard page, an alternate signal stack and its guard page.
const MAPS_PER_THREAD: u64 = 4;

/// Left free for what comes and goes: the log and the signals have threads, files are read in passing.
const RESERVED_DESCRIPTORS: u64 = 32;
const RESERVED_THREADS: u64 = 32;

/// The relay borrows pipes (`proxy::pipe`), 48 of two descriptors at the most. Where there are few descriptors it gets
/// no more than an eighth of them set aside, and copies when it can't have one.
const PIPE_DESCRIPTORS: u64 = 96;

/// The heap's own maps: glibc has up to eight arenas a core, of two maps each (mallopt(3), `M_ARENA_MAX`).
const MAPS_PER_CORE: u64 = 16;
const RESERVED_MAPS: u64 = 64;

/// Beyond these the kernel's table, of 8 bytes each, grows as it is filled.
const MAX_PREALLOCATED_DESCRIPTORS: u64 = 1 << 16;

/// Where the system names no limit, so that the places are a number that can be counted out.
const MAX_CONNECTIONS: u64 = 1 << 20;

/// Raises the soft limit of descriptors to the hard one, then works out how many connections there is room for, and has
/// the kernel make room for their descriptors, which is quick as long as there is one thread. `asked` lowers the cap, but
/// can't lift it.
#[must_use]
pub fn connection_cap(requested: Option<NonZeroUsize>, each: Footprint, baseline: Baseline) -> Cap {
    let available = Available::measure(baseline);
    let requested =
        requested.map(|requested| Limit { limited_by: "--max-connections", connections: requested.get() as u64 });
    let lowest = lowest_limit(available.limits(each).into_iter().chain(requested));
    let taken = lowest.connections.saturating_mul(each.descriptors);
    grow_descriptor_table(taken + PIPE_DESCRIPTORS + RESERVED_DESCRIPTORS + baseline.listeners as u64);
    // Half of what is reserved may be stood on: the drain comes once, and its end gives everything back.
    let overflow =
        available.descriptors.map_or(MAX_CONNECTIONS, |free| free.saturating_sub(taken) + RESERVED_DESCRIPTORS / 2);
    Cap {
        connections: at_least_one(lowest.connections),
        limited_by: lowest.limited_by,
        overflow: at_least_one(overflow.min(MAX_CONNECTIONS)),
    }
}

/// How many connections one limit allows.
#[derive(Clone, Copy, Debug)]
struct Limit {
    limited_by: &'static str,
    connections: u64,
}

fn lowest_limit(limits: impl Iterator<Item = Limit>) -> Limit {
    let start = Limit { limited_by: "chaos-proxy itself", connections: MAX_CONNECTIONS };
    limits.fold(start, |lowest, limit| if limit.connections < lowest.connections { limit } else { lowest })
}

fn at_least_one(number: u64) -> NonZeroUsize {
    usize::try_from(number).ok().and_then(NonZeroUsize::new).unwrap_or(NonZeroUsize::MIN)
}

/// What this machine has left of each resource; absent where it has no such limit.
#[derive(Clone, Copy, Debug, Default)]
struct Available {
    descriptors: Option<u64>,
    maps: Option<u64>,
    threads_max: Option<u64>,
    pid_max: Option<u64>,
    user_threads: Option<u64>,
    cgroup_threads: Option<u64>,
}

impl Available {
    fn measure(baseline: Baseline) -> Self {
        let listeners = baseline.listeners as u64;
        let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get) as u64;
        let descriptors = raise_descriptors();
        let pipes = descriptors.map_or(PIPE_DESCRIPTORS, |limit| PIPE_DESCRIPTORS.min(limit / 8));
        let threads = listeners + RESERVED_THREADS;
        let heap = RESERVED_MAPS + cores * MAPS_PER_CORE;
        let left = |limit: Option<u64>, used: u64| limit.map(|limit| limit.saturating_sub(used));
        Self {
            descriptors: left(descriptors, entries("/proc/self/fd") + listeners + RESERVED_DESCRIPTORS + pipes),
            maps: left(max_map_count(), lines("/proc/self/maps") + threads * MAPS_PER_THREAD + heap),
            threads_max: left(number("/proc/sys/kernel/threads-max"), running_threads() + threads),
            pid_max: left(number("/proc/sys/kernel/pid_max"), running_threads() + threads),
            user_threads: left(user_threads(), threads),
            cgroup_threads: left(cgroup_threads(), threads),
        }
    }

    fn limits(&self, each: Footprint) -> Vec<Limit> {
        let limit =
            |limited_by, left: Option<u64>, each| left.map(|left| Limit { limited_by, connections: left / each });
        [
            limit("the open files limit (ulimit -n)", self.descriptors, each.descriptors),
            limit("vm.max_map_count", self.maps, each.threads * MAPS_PER_THREAD),
            limit("kernel.threads-max", self.threads_max, each.threads),
            limit("kernel.pid_max", self.pid_max, each.threads),
            limit("the user's process limit (ulimit -u)", self.user_threads, each.threads),
            limit("the cgroup's pids.max", self.cgroup_threads, each.threads),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

/// Linux has this limit also where /proc is not there to be read, in a bare chroot, say. The default is that of
/// `include/linux/mm.h`, `DEFAULT_MAX_MAP_COUNT`.
fn max_map_count() -> Option<u64> {
    let default = cfg!(target_os = "linux").then_some(65_530);
    number("/proc/sys/vm/max_map_count").or(default)
}

/// The soft limit that is in force after trying to raise it; none if there is none.
fn raise_descriptors() -> Option<u64> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    // macOS refuses what is above its own kern.maxfilesperproc; the old limit stands then.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    getrlimit(Resource::Nofile).current
}

/// Opens and closes a descriptor with a high number. The kernel's table of them doubles when it is full, and in a process
/// with several threads each doubling waits for an RCU grace period (`expand_fdtable` in `fs/file.c`): whoever accepts or
/// connects then stands still, for 3 to 15 ms as measured at the 64th, 128th, 256th, … descriptor.
fn grow_descriptor_table(descriptors: u64) {
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let last = descriptors.min(MAX_PREALLOCATED_DESCRIPTORS).min(limit).saturating_sub(1);
    // Refused, the table grows as it is filled.
    let _ = fcntl_dupfd_cloexec(stdin(), i32::try_from(last).unwrap_or(i32::MAX));
}

/// The fourth field of /proc/loadavg is `running/all`, in threads, of the whole machine (proc(5)).
fn running_threads() -> u64 {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let all = text.split_whitespace().nth(3).and_then(|field| field.split_once('/')).map(|(_, all)| all);
    all.and_then(|all| all.parse().ok()).unwrap_or(0)
}

/// What `RLIMIT_NPROC` leaves; it does not bind root (`getrlimit(2)`). It counts the threads of the user over all
/// processes, which are at most those of the machine.
fn user_threads() -> Option<u64> {
    let limit = getrlimit(Resource::Nproc).current.filter(|_| !geteuid().is_root())?;
    Some(limit.saturating_sub(running_threads()))
}

/// What the tightest of the cgroups (version 2) leaves that this process is in, from its own up to the root.
fn cgroup_threads() -> Option<u64> {
    let own = fs::read_to_string("/proc/self/cgroup").ok()?;
    let path = own.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let folders = Path::new("/sys/fs/cgroup").join(path);
    let left =
        |folder: &Path| Some(number(folder.join("pids.max"))?.saturating_sub(number(folder.join("pids.current"))?));
    folders.ancestors().filter_map(left).min()
}

fn number(path: impl AsRef<Path>) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

fn lines(path: &str) -> u64 {
    fs::read_to_string(path).map_or(0, |text| text.lines().count() as u64)
}

fn entries(path: &str) -> u64 {
    fs::read_dir(path).map_or(0, |entries| entries.count() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(limited_by: &'static str, connections: u64) -> Limit {
        Limit { limited_by, connections }
    }

    #[test]
    fn the_tightest_limit_counts_and_is_named() {
        let available =
            Available { descriptors: Some(1000), maps: Some(640), pid_max: Some(180), ..Available::default() };
        let lowest = lowest_limit(available.limits(Footprint::PROXIED).into_iter());
        assert_eq!((lowest.connections, lowest.limited_by), (80, "vm.max_map_count"));
        let with_servers = lowest_limit(available.limits(Footprint::PROXIED_AND_SERVED).into_iter());
        assert_eq!(with_servers.connections, 53);
    }

    #[test]
    fn whoever_asks_gets_less_but_never_more() {
        let requested =
            |connections| lowest_limit([limit("files", 500), limit("--max-connections", connections)].into_iter());
        assert_eq!((requested(3).connections, requested(3).limited_by), (3, "--max-connections"));
        assert_eq!((requested(501).connections, requested(501).limited_by), (500, "files"));
    }

    #[test]
    fn there_is_always_room_for_one() {
        assert_eq!(at_least_one(0).get(), 1);
    }

    #[test]
    fn a_machine_without_limits_has_ours() {
        let lowest = lowest_limit(Available::default().limits(Footprint::PROXIED).into_iter());
        assert_eq!((lowest.connections, lowest.limited_by), (MAX_CONNECTIONS, "chaos-proxy itself"));
    }
}
