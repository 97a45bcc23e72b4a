//! The number of connections that the system's limits allow. A process out of descriptors loses connections. A process
//! out of memory maps while it spawns a thread is aborted by Rust (rust-lang/rust#78497). So the connection cap is
//! computed at start, and connections over it wait in the kernel's backlog. This module also grows the descriptor table
//! up front, so that no connection waits for the kernel to do it.

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
    /// The number of connections served at once.
    pub connections: NonZeroUsize,
    /// The limit that sets this number, as named in the log.
    pub limited_by: &'static str,
    /// The number of connections that may be accepted over the cap and wait for a permit. Each takes one descriptor.
    pub overflow: NonZeroUsize,
}

/// The resources that one connection takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Footprint {
    /// Open files.
    pub descriptors: u64,
    /// Threads.
    pub threads: u64,
}

impl Footprint {
    /// Two sockets, and a thread per direction.
    pub const PROXIED: Self = Self { descriptors: 2, threads: 2 };
    /// The same, plus the upstream's end in this process, for `--test-server`.
    pub const PROXIED_AND_SERVED: Self = Self { descriptors: 3, threads: 3 };
}

/// What the process needs before it has any connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Baseline {
    /// The routes, each with a listener on its own thread.
    pub listeners: usize,
    /// The clients of the admin server, each with its own thread.
    pub admin_clients: usize,
}

impl Baseline {
    /// A listener has its socket, and a latch that stops it; its route has a latch for changes. A latch is a pipe.
    const DESCRIPTORS_PER_LISTENER: u64 = 5;

    fn descriptors(self) -> u64 {
        self.listeners as u64 * Self::DESCRIPTORS_PER_LISTENER + self.admin_clients as u64
    }

    fn threads(self) -> u64 {
        self.listeners as u64 + self.admin_clients as u64
    }
}

/// A std thread takes four maps: its stack, its alternate signal stack, and a guard page for each.
const MAPS_PER_THREAD: u64 = 4;

/// Reserve for everything that is not a connection: the threads of the log and the signals, and files read from /proc.
const RESERVED_DESCRIPTORS: u64 = 32;
const RESERVED_THREADS: u64 = 32;

/// The plain path borrows up to 48 pipes of two descriptors each (`proxy::forward::pipe_pool`). At most an eighth of
/// the descriptors is reserved for them; without a pipe the plain path copies.
const PIPE_DESCRIPTORS: u64 = 96;

/// Maps of the heap: glibc has up to eight arenas per core with two maps each (mallopt(3), `M_ARENA_MAX`).
const MAPS_PER_CORE: u64 = 16;
const RESERVED_MAPS: u64 = 64;

/// Bounds the memory that is spent up front: the kernel's table takes 8 bytes per descriptor.
const MAX_PREALLOCATED_DESCRIPTORS: u64 = 1 << 16;

/// The cap on a system without limits.
const MAX_CONNECTIONS: u64 = 1 << 20;

/// Raises the soft descriptor limit to the hard limit, computes the connection cap from what is left of each resource,
/// and grows the descriptor table to the size that the cap needs. Call it while the process has one thread, when the
/// kernel grows the table without waiting. `requested` can lower the cap but not raise it.
#[must_use]
pub fn connection_cap(requested: Option<NonZeroUsize>, each: Footprint, baseline: Baseline) -> Cap {
    let available = Available::measure(baseline);
    let requested =
        requested.map(|requested| Limit { limited_by: "--max-connections", connections: requested.get() as u64 });
    let lowest = lowest_limit(available.limits(each).into_iter().chain(requested));
    let taken = lowest.connections.saturating_mul(each.descriptors);
    grow_descriptor_table(taken + PIPE_DESCRIPTORS + RESERVED_DESCRIPTORS + baseline.descriptors());
    // The drain may use half of the reserve for overflow connections: it happens once, and ends with the process.
    let overflow =
        available.descriptors.map_or(MAX_CONNECTIONS, |free| free.saturating_sub(taken) + RESERVED_DESCRIPTORS / 2);
    Cap {
        connections: at_least_one(lowest.connections),
        limited_by: lowest.limited_by,
        overflow: at_least_one(overflow.min(MAX_CONNECTIONS)),
    }
}

/// The number of connections that one system limit allows.
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

/// What is left of each resource after the process's own needs. `None` means that there is no limit.
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
        let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get) as u64;
        let descriptors = raise_descriptors();
        let pipes = descriptors.map_or(PIPE_DESCRIPTORS, |limit| PIPE_DESCRIPTORS.min(limit / 8));
        let threads = baseline.threads() + RESERVED_THREADS;
        let heap = RESERVED_MAPS + cores * MAPS_PER_CORE;
        let left = |limit: Option<u64>, used: u64| limit.map(|limit| limit.saturating_sub(used));
        Self {
            descriptors: left(
                descriptors,
                entries("/proc/self/fd") + baseline.descriptors() + RESERVED_DESCRIPTORS + pipes,
            ),
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

/// Linux enforces this limit even if /proc is not mounted, for example in a bare chroot. The default is
/// `DEFAULT_MAX_MAP_COUNT` in `include/linux/mm.h`.
fn max_map_count() -> Option<u64> {
    let default = cfg!(target_os = "linux").then_some(65_530);
    number("/proc/sys/vm/max_map_count").or(default)
}

/// Raises the soft limit to the hard limit and returns the one in force. `None` means unlimited.
fn raise_descriptors() -> Option<u64> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    // macOS rejects a limit above kern.maxfilesperproc and keeps the old one.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    getrlimit(Resource::Nofile).current
}

/// Opens and closes a descriptor with a high number, which grows the kernel's table to that size. Otherwise the table
/// doubles whenever it is full, and in a process with several threads each doubling waits for an RCU grace period
/// (`expand_fdtable` in `fs/file.c`). That blocks accept and connect for 3 to 15 ms, measured at descriptors 64, 128,
/// 256, …
fn grow_descriptor_table(descriptors: u64) {
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let last = descriptors.min(MAX_PREALLOCATED_DESCRIPTORS).min(limit).saturating_sub(1);
    // On failure the table grows on demand.
    let _ = fcntl_dupfd_cloexec(stdin(), i32::try_from(last).unwrap_or(i32::MAX));
}

/// The number of threads on the system: the fourth field of /proc/loadavg is `runnable/all` (proc(5)).
fn running_threads() -> u64 {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let all = text.split_whitespace().nth(3).and_then(|field| field.split_once('/')).map(|(_, all)| all);
    all.and_then(|all| all.parse().ok()).unwrap_or(0)
}

/// What is left of `RLIMIT_NPROC`, which counts all threads of the user and does not apply to root (`getrlimit(2)`).
/// The number of threads on the system is used instead: it is never lower.
fn user_threads() -> Option<u64> {
    let limit = getrlimit(Resource::Nproc).current.filter(|_| !geteuid().is_root())?;
    Some(limit.saturating_sub(running_threads()))
}

/// What is left of the lowest `pids.max` among the process's cgroup (version 2) and its ancestors.
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
    fn lowest_limit_sets_the_cap_and_is_named() {
        let available =
            Available { descriptors: Some(1000), maps: Some(640), pid_max: Some(180), ..Available::default() };
        let lowest = lowest_limit(available.limits(Footprint::PROXIED).into_iter());
        assert_eq!((lowest.connections, lowest.limited_by), (80, "vm.max_map_count"));
        let with_servers = lowest_limit(available.limits(Footprint::PROXIED_AND_SERVED).into_iter());
        assert_eq!(with_servers.connections, 53);
    }

    #[test]
    fn requested_cap_lowers_but_never_raises() {
        let requested =
            |connections| lowest_limit([limit("files", 500), limit("--max-connections", connections)].into_iter());
        assert_eq!((requested(3).connections, requested(3).limited_by), (3, "--max-connections"));
        assert_eq!((requested(501).connections, requested(501).limited_by), (500, "files"));
    }

    #[test]
    fn cap_is_at_least_one() {
        assert_eq!(at_least_one(0).get(), 1);
    }

    #[test]
    fn system_without_limits_gets_the_default_cap() {
        let lowest = lowest_limit(Available::default().limits(Footprint::PROXIED).into_iter());
        assert_eq!((lowest.connections, lowest.limited_by), (MAX_CONNECTIONS, "chaos-proxy itself"));
    }
}
