//! The processes of one measurement: an upstream, a proxy in front of it unless the target is none, and a load.

use crate::Outcome;
use crate::load::{Figures, Load};
use crate::process_group::ProcessGroup;
use crate::subprocess::Subprocess;
use crate::target::{Proxy, Target};

/// The upstream has this number of threads more than the load has connections: a proxy may still hold connections that have
/// ended, and the check that it listens opens one too.
const SPARE_THREADS: usize = 56;

/// Ends the proxy before the upstream: fields drop in this order.
pub struct Testbed {
    proxy: Option<Proxy>,
    upstream: u16,
    _upstream_process: Subprocess,
}

impl Testbed {
    pub fn new(target: &Target, connections: usize) -> Outcome<Self> {
        Self::with_threads(connections, |upstream| target.start(upstream))
    }

    /// With a proxy that `start` starts.
    pub fn around(connections: usize, start: impl FnOnce(u16) -> Outcome<Proxy>) -> Outcome<Self> {
        Self::with_threads(connections, |upstream| start(upstream).map(Some))
    }

    /// With an event loop as the upstream.
    pub fn with_event_loop(target: &Target) -> Outcome<Self> {
        Self::with(&["event-loop"], |upstream| target.start(upstream))
    }

    fn with_threads(connections: usize, start: impl FnOnce(u16) -> Outcome<Option<Proxy>>) -> Outcome<Self> {
        Self::with(&["threads", &(connections + SPARE_THREADS).to_string()], start)
    }

    fn with(kind: &[&str], start: impl FnOnce(u16) -> Outcome<Option<Proxy>>) -> Outcome<Self> {
        let mut process = Subprocess::start(["upstream"].iter().chain(kind).copied())?;
        let upstream = process.read_line()?.parse()?;
        Ok(Self { proxy: start(upstream)?, upstream, _upstream_process: process })
    }

    pub fn processes(&self) -> Option<ProcessGroup> {
        self.proxy.as_ref().map(|proxy| proxy.processes)
    }

    /// Starts a workload.
    pub fn load(&self, workload: &str) -> Outcome<Load> {
        let port = self.proxy.as_ref().map_or(self.upstream, |proxy| proxy.port);
        Load::start(port, workload)
    }

    /// Runs a workload; returns its figures and the CPU that the proxy used for it, in seconds.
    pub fn run(&mut self, workload: &str) -> Outcome<(Figures, Option<f64>)> {
        let before = self.cpu_seconds();
        let load = self.load(workload)?;
        self.finish(load, before)
    }

    /// The same for an event loop, without the CPU of opening its connections.
    pub fn run_event_loop(&mut self, workload: &str) -> Outcome<(Figures, Option<f64>)> {
        let mut load = self.load(workload)?;
        load.wait_until_connected()?;
        let before = self.cpu_seconds();
        load.begin()?;
        self.finish(load, before)
    }

    fn finish(&mut self, mut load: Load, before: Option<f64>) -> Outcome<(Figures, Option<f64>)> {
        let figures = load.figures()?;
        let took = self.cpu_seconds().zip(before).map(|(after, before)| after - before);
        if self.proxy.as_mut().is_some_and(Proxy::has_ended) {
            return Err("ended under load".into());
        }
        Ok((figures, took))
    }

    fn cpu_seconds(&self) -> Option<f64> {
        self.processes().map(ProcessGroup::cpu_seconds)
    }
}
