//! Measurements of every target.

use super::Figure;
use crate::Outcome;
use crate::load::{Figures, Load};
use crate::options::Effort;
use crate::target::{Proxy, Target, free_port};
use crate::testbed::Testbed;
use crate::wire::Direction;

/// The number of threads that open and close connections.
pub const WORKERS: usize = 8;
/// Long enough that one connection does not slow the next. It divides no measured delay, so that no delay ends just when
/// another connection opens.
pub const INTERVAL_MILLIS: u32 = 7;

pub const GIB: f64 = (1 << 30) as f64;

pub fn bulk(target: &Target, streams: usize, direction: Direction, effort: &Effort) -> Outcome<Vec<Figure>> {
    let mut testbed = Testbed::new(target, streams)?;
    let way = match direction {
        Direction::Up => "up",
        Direction::Down => "down",
        Direction::Both => "both",
    };
    let (figures, cpu) = testbed.run(&format!("bulk {streams} {way} {}", effort.window.as_millis()))?;
    let gib = figures["bytes"] / GIB;
    let throughput = Figure::higher("throughput", "GiB/s", gib / figures["seconds"]);
    let cost = cpu.map(|seconds| Figure::lower("proxy CPU", "s/GiB", seconds / gib));
    Ok([throughput].into_iter().chain(cost).collect())
}

pub fn round_trips(target: &Target, connections: usize, effort: &Effort) -> Outcome<Vec<Figure>> {
    let mut testbed = Testbed::new(target, connections)?;
    let (figures, _) = testbed.run(&format!("round-trips {connections} {}", effort.window.as_millis()))?;
    Ok(vec![
        Figure::higher("rate", "/s", figures["per_second"]),
        Figure::lower("p50", "us", figures["p50"]),
        Figure::lower("p99", "us", figures["p99"]),
    ])
}

pub fn event_loop(target: &Target, connections: usize, effort: &Effort) -> Outcome<Vec<Figure>> {
    let mut testbed = Testbed::with_event_loop(target)?;
    let (figures, cpu) = testbed.run_event_loop(&format!("event-loop {connections} {}", effort.window.as_millis()))?;
    let answers = figures["answers"];
    let cost = cpu.map(|seconds| Figure::lower("proxy CPU", "us each", seconds * 1e6 / answers));
    let rate = Figure::higher("rate", "/s", answers / figures["seconds"]);
    let p99 = Figure::lower("p99", "us", figures["p99"]);
    Ok([rate, p99].into_iter().chain(cost).collect())
}

pub fn connections(target: &Target, effort: &Effort) -> Outcome<Vec<Figure>> {
    let mut testbed = Testbed::new(target, WORKERS)?;
    let (figures, cpu) = testbed.run(&connections_for(effort))?;
    if figures["done"] == 0.0 {
        return Err("every connection failed".into());
    }
    let cost = cpu.map(|seconds| Figure::lower("proxy CPU", "us each", seconds * 1e6 / figures["done"]));
    let failed = Figure::lower("failed", "", figures["failed"]);
    let rate = Figure::higher("rate", "/s", rate(&figures));
    Ok([rate].into_iter().chain(cost).chain([failed]).collect())
}

pub fn connections_for(effort: &Effort) -> String {
    format!("connections {WORKERS} {}", effort.window.as_millis())
}

/// Connections a second.
pub fn rate(figures: &Figures) -> f64 {
    figures["done"] / figures["seconds"]
}

pub fn idle(target: &Target, exchanges: usize, effort: &Effort) -> Outcome<Vec<Figure>> {
    let connections = effort.idle_connections;
    let testbed = Testbed::new(target, connections)?;
    let processes = testbed.processes().ok_or("there is no proxy")?;
    let before = processes.settled_rss_kib(effort.settle_time);
    let mut load = testbed.load(&format!("idle {connections} {exchanges}"))?;
    load.figures()?;
    let each = (processes.settled_rss_kib(effort.settle_time) - before) / connections as f64;
    Ok(vec![Figure::lower("RSS", "KiB each", each)])
}

/// From before the connect to the arrival of the first bytes, on one connection after the other.
pub fn first_bytes(target: &Target, effort: &Effort) -> Outcome<Vec<Figure>> {
    let figures = arrivals(|upstream| target.start(upstream), effort.delays, INTERVAL_MILLIS)?;
    Ok(vec![Figure::lower("p50", "ms", figures["p50"]), Figure::lower("p99", "ms", figures["p99"])])
}

/// The load is the upstream too: both ends need one clock.
pub fn arrivals(
    start: impl FnOnce(u16) -> Outcome<Option<Proxy>>,
    connections: usize,
    interval_millis: u32,
) -> Outcome<Figures> {
    let upstream = free_port()?;
    let proxy = start(upstream)?;
    let port = proxy.as_ref().map_or(upstream, |proxy| proxy.port);
    Load::start(port, &format!("delay {upstream} {connections} {interval_millis}"))?.figures()
}
