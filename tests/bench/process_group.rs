//! The CPU and memory of a target: every process in its group, from process clocks and proc(5).

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use nix::time::{ClockId, clock_getcpuclockid};
use nix::unistd::Pid;

/// `USER_HZ`, the unit of times in /proc: `include/uapi/asm-generic/param.h`.
const TICKS_PER_SECOND: f64 = 100.0;

/// Memory that goes on falling is taken as it is then.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(15);
const READING_INTERVAL: Duration = Duration::from_millis(50);

/// A process group.
#[derive(Clone, Copy)]
pub struct ProcessGroup(pub u32);

impl ProcessGroup {
    /// User and system time so far, in seconds, including that of children that have ended and been waited for.
    pub fn cpu_seconds(self) -> f64 {
        self.stats().map(|stat| own_cpu_seconds(stat.pid) + stat.ended_children_ticks as f64 / TICKS_PER_SECOND).sum()
    }

    /// Resident memory in KiB, once it has had no new minimum for `settle_time`: a proxy may free memory only some time after
    /// it was used.
    pub fn settled_rss_kib(self, settle_time: Duration) -> f64 {
        let start = Instant::now();
        let (mut lowest, mut since) = (self.rss_kib(), start);
        while since.elapsed() < settle_time && start.elapsed() < SETTLE_TIMEOUT {
            thread::sleep(READING_INTERVAL);
            let now = self.rss_kib();
            if now < lowest {
                (lowest, since) = (now, Instant::now());
            }
        }
        lowest as f64
    }

    fn rss_kib(self) -> u64 {
        self.stats().filter_map(|stat| rss_kib(stat.pid)).sum()
    }

    fn stats(self) -> impl Iterator<Item = Stat> {
        let names = fs::read_dir("/proc").into_iter().flatten().flatten().map(|entry| entry.file_name());
        let pids = names.filter_map(|name| name.to_str()?.parse().ok());
        pids.filter_map(stat).filter(move |stat| stat.group == self.0)
    }
}

struct Stat {
    pid: u32,
    group: u32,
    ended_children_ticks: u64,
}

/// From the clock of the process, in nanoseconds: utime and stime of /proc lose up to a tick of 10 ms for each process,
/// and a target with a process for each connection has hundreds. 0 if the process has ended.
fn own_cpu_seconds(pid: u32) -> f64 {
    let clock = i32::try_from(pid).ok().and_then(|pid| clock_getcpuclockid(Pid::from_raw(pid)).ok());
    clock.and_then(|clock| ClockId::now(clock).ok()).map_or(0.0, |time| Duration::from(time).as_secs_f64())
}

fn stat(pid: u32) -> Option<Stat> {
    parse_stat(pid, &fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// The second field is the program's name in parentheses, and may contain some itself: the third follows the last of them.
fn parse_stat(pid: u32, text: &str) -> Option<Stat> {
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
    // cutime and cstime.
    let ended_children_ticks = field(16)? + field(17)?;
    Some(Stat { pid, group: u32::try_from(field(5)?).ok()?, ended_children_ticks })
}

fn rss_kib(pid: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("Rss:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}
