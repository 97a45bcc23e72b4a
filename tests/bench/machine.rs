//! The machine that the figures are from: they mean nothing without it.

use std::fmt;
use std::fs;
use std::thread::available_parallelism;

pub struct Machine {
    pub cpu: String,
    pub cores: usize,
    pub kernel: String,
    /// The load average of the last minute, taken before the run: near 0 on an idle machine.
    pub load: f64,
}

impl Machine {
    pub fn detect() -> Self {
        let cpuinfo = read("/proc/cpuinfo");
        let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
        Self {
            cpu: model.map_or("unknown CPU", |(_, model)| model).to_owned(),
            cores: available_parallelism().map_or(1, usize::from),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            load: read("/proc/loadavg").split(' ').next().and_then(|load| load.parse().ok()).unwrap_or(f64::NAN),
        }
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cpu, cores, kernel, load } = self;
        write!(f, "{cpu}, {cores} cores, Linux {kernel}, load average {load:.2} at the start")
    }
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}
