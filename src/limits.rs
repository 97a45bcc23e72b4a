//! How many connections this machine can carry. Running out of descriptors would cost connections; running out of memory
//! maps in the middle of starting a thread would cost the process, which Rust aborts (rust-lang/rust#78497). So the cap
//! is worked out at the start, and past it connections wait in the kernel's backlog.

use std::fs;
use std::num::NonZeroUsize;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The cap on simultaneous connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cap {
    /// So many.
    pub connections: NonZeroUsize,
    /// What it is that allows no more.
    pub limited_by: &'static str,
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

/// A thread of std is four maps: a stack and its guard page, an alternate signal stack and its guard page.
const MAPS_PER_THREAD: u64 = 4;

/// Left free of each resource for what is not a connection: the log, signals, DNS-less odds and ends of std, the heap's
/// own maps (glibc: two for each of up to eight arenas a core), files that are read in passing.
const RESERVED_DESCRIPTORS: u64 = 32;
const RESERVED_MAPS: u64 = 256;
const RESERVED_THREADS: u64 = 32;

/// Where the system names no limit: more than any machine of today has ports for.
const OUR_OWN_LIMIT: u64 = 1 << 20;

/// Raises the soft limit of descriptors to the hard one, then works out how many connections there is room for beside
/// `listeners`. `asked` lowers the cap, but can't lift it.
#[must_use]
pub fn connection_cap(asked: Option<NonZeroUsize>, each: Footprint, listeners: usize) -> Cap {
    let asked = asked.map(|asked| Room { limited_by: "--max-connections", connections: asked.get() as u64 });
    tightest(rooms(each, listeners as u64).into_iter().chain(asked))
}

/// How many connections one limit allows.
#[derive(Clone, Copy, Debug)]
struct Room {
    limited_by: &'static str,
    connections: u64,
}

impl Room {
    fn new(limited_by: &'static str, free: Option<u64>, each: u64) -> Option<Self> {
        free.map(|free| Self { limited_by, connections: free / each })
    }
}

fn tightest(rooms: impl Iterator<Item = Room>) -> Cap {
    let start = Room { limited_by: "chaos-proxy itself", connections: OUR_OWN_LIMIT };
    let least = rooms.fold(start, |least, room| if room.connections < least.connections { room } else { least });
    let connections = usize::try_from(least.connections).ok().and_then(NonZeroUsize::new);
    Cap { connections: connections.unwrap_or(NonZeroUsize::MIN), limited_by: least.limited_by }
}

fn rooms(each: Footprint, listeners: u64) -> Vec<Room> {
    let free = |limit: Option<u64>, used: u64| Some(limit?.saturating_sub(used));
    let descriptors = free(raise_descriptors(), entries("/proc/self/fd") + listeners + RESERVED_DESCRIPTORS);
    let maps_used = lines("/proc/self/maps") + listeners * MAPS_PER_THREAD + RESERVED_MAPS;
    let maps = free(max_map_count(), maps_used);
    let threads_used = running_threads() + listeners + RESERVED_THREADS;
    let threads = |path| free(number(path), threads_used);
    let cgroup = cgroup_pids().map(|(max, current)| max.saturating_sub(current + listeners + RESERVED_THREADS));
    [
        Room::new("the open files limit (ulimit -n)", descriptors, each.descriptors),
        Room::new("vm.max_map_count", maps, each.threads * MAPS_PER_THREAD),
        Room::new("kernel.threads-max", threads("/proc/sys/kernel/threads-max"), each.threads),
        Room::new("kernel.pid_max", threads("/proc/sys/kernel/pid_max"), each.threads),
        Room::new("the cgroup's pids.max", cgroup, each.threads),
    ]
    .into_iter()
    .flatten()
    .collect()
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

/// The fourth field of /proc/loadavg is `running/all`, in threads, of the whole machine (proc(5)).
fn running_threads() -> u64 {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let all = text.split_whitespace().nth(3).and_then(|field| field.split_once('/')).map(|(_, all)| all);
    all.and_then(|all| all.parse().ok()).unwrap_or(0)
}

/// The limit and the use of the cgroup (version 2) that this process is in; a version 1 hierarchy is not looked for.
fn cgroup_pids() -> Option<(u64, u64)> {
    let own = fs::read_to_string("/proc/self/cgroup").ok()?;
    let path = own.lines().find_map(|line| line.strip_prefix("0::"))?;
    let folder = format!("/sys/fs/cgroup{path}");
    Some((number(&format!("{folder}/pids.max"))?, number(&format!("{folder}/pids.current"))?))
}

fn number(path: &str) -> Option<u64> {
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

    fn room(limited_by: &'static str, connections: u64) -> Room {
        Room { limited_by, connections }
    }

    #[test]
    fn the_tightest_limit_counts_and_is_named() {
        let cap = tightest([room("files", 500), room("maps", 80), room("threads", 90)].into_iter());
        assert_eq!((cap.connections.get(), cap.limited_by), (80, "maps"));
    }

    #[test]
    fn there_is_always_room_for_one() {
        assert_eq!(tightest([room("files", 0)].into_iter()).connections.get(), 1);
    }

    #[test]
    fn asking_for_more_than_the_machine_has_changes_nothing() {
        let machine = connection_cap(None, Footprint::PROXIED, 1);
        assert_eq!(connection_cap(NonZeroUsize::new(usize::MAX), Footprint::PROXIED, 1), machine);
        assert_eq!(connection_cap(NonZeroUsize::new(3), Footprint::PROXIED, 1).limited_by, "--max-connections");
    }
}
