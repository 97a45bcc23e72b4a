//! Measurements of chaos-proxy alone: its delays, log, start and size.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use super::Figure;
use super::compared::{INTERVAL_MILLIS, WORKERS, arrivals, connections_for, rate};
use crate::Outcome;
use crate::load::Figures;
use crate::options::Effort;
use crate::summary::median;
use crate::target::{Proxy, free_port};
use crate::testbed::Testbed;

const HELD_CONNECTIONS: usize = 1000;
const START_COUNT: usize = 20;
const ROUTE_COUNT: usize = 6;

pub fn delay(binary: &Path, millis: u64, effort: &Effort) -> Outcome<Vec<Figure>> {
    let figures = after_a_delay(binary, millis, effort.delays, INTERVAL_MILLIS)?;
    Ok(overshoot(&figures, millis))
}

/// Opens connections without a pause between them, so that all are delayed at once.
pub fn held(binary: &Path, millis: u64) -> Outcome<Vec<Figure>> {
    let figures = after_a_delay(binary, millis, HELD_CONNECTIONS, 0)?;
    let at_once = Figure::higher("held at once", "", figures["held"]);
    let latest = Figure::lower("overshoot, latest", "ms", figures["latest"] - millis as f64);
    Ok([at_once].into_iter().chain(overshoot(&figures, millis)).chain([latest]).collect())
}

fn after_a_delay(binary: &Path, millis: u64, connections: usize, interval_millis: u32) -> Outcome<Figures> {
    let delayed = |upstream| Proxy::chaos_proxy(binary, upstream, &["--quiet", "--latency-ms", &millis.to_string()]);
    arrivals(|upstream| delayed(upstream).map(Some), connections, interval_millis)
}

fn overshoot(figures: &Figures, millis: u64) -> Vec<Figure> {
    let over = |name| figures[name] - millis as f64;
    vec![
        Figure::lower("overshoot, earliest", "ms", over("earliest")),
        Figure::lower("overshoot, p50", "ms", over("p50")),
        Figure::lower("overshoot, p99", "ms", over("p99")),
    ]
}

/// The rate of connections with the default log, which is read and discarded, and without a log.
pub fn logging(binary: &Path, effort: &Effort) -> Outcome<Vec<Figure>> {
    let rate_with = |flags: &[&str]| -> Outcome<f64> {
        let mut testbed = Testbed::around(WORKERS, |upstream| Proxy::chaos_proxy(binary, upstream, flags))?;
        Ok(rate(&testbed.run(&connections_for(effort))?.0))
    };
    let (logged, quiet) = (rate_with(&[])?, rate_with(&["--quiet"])?);
    Ok(vec![
        Figure::higher("connections, default log", "/s", logged),
        Figure::higher("connections, --quiet", "/s", quiet),
        Figure::lower("cost of the log", "%", (1.0 - logged / quiet) * 100.0),
    ])
}

/// Rates with the admin server and without it.
pub fn admin(binary: &Path, effort: &Effort) -> Outcome<Vec<Figure>> {
    let admin = format!("127.0.0.1:{}", free_port()?);
    let measured = |load: &str, of: fn(&Figures) -> f64| -> Outcome<[f64; 2]> {
        let with = |flags: &[&str]| -> Outcome<f64> {
            let mut testbed = Testbed::around(WORKERS, |upstream| Proxy::chaos_proxy(binary, upstream, flags))?;
            Ok(of(&testbed.run(load)?.0))
        };
        Ok([with(&["--quiet", "--admin", &admin])?, with(&["--quiet"])?])
    };
    let round_trips = format!("round-trips {WORKERS} {}", effort.window.as_millis());
    let [trips, trips_without] = measured(&round_trips, |figures| figures["per_second"])?;
    let [connections, connections_without] = measured(&connections_for(effort), rate)?;
    Ok(vec![
        Figure::higher("round trips", "/s", trips),
        Figure::lower("cost for round trips", "%", (1.0 - trips / trips_without) * 100.0),
        Figure::higher("connections", "/s", connections),
        Figure::lower("cost for connections", "%", (1.0 - connections / connections_without) * 100.0),
    ])
}

pub fn start(binary: &Path) -> Outcome<Vec<Figure>> {
    let took: Outcome<Vec<f64>> =
        (0..START_COUNT).map(|_| start_once(binary).or_else(|_| start_once(binary))).collect();
    Ok(vec![Figure::lower("until ready, six routes", "ms", median(&took?))])
}

/// Returns the time from spawn to the line that reports readiness, in ms. Fails if another process takes one of the free
/// ports before it is bound, which happens about once in a hundred starts.
fn start_once(binary: &Path) -> Outcome<f64> {
    let config = six_routes()?;
    let mut command = Command::new(binary);
    command.arg("--config").arg(config).arg("--quiet").stdin(Stdio::null()).stdout(Stdio::piped());
    let start = Instant::now();
    let mut child = command.spawn()?;
    let mut line = String::new();
    let read = child.stdout.take().map(|stdout| BufReader::new(stdout).read_line(&mut line));
    let took = start.elapsed().as_secs_f64() * 1e3;
    child.kill()?;
    child.wait()?;
    read.transpose()?;
    if line.starts_with("ready") { Ok(took) } else { Err("did not become ready".into()) }
}

fn six_routes() -> Outcome<PathBuf> {
    let routes: Outcome<Vec<String>> = (0..ROUTE_COUNT).map(|_| route()).collect();
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("six-routes.json");
    fs::write(&path, format!("[{}]", routes?.join(", ")))?;
    Ok(path)
}

fn route() -> Outcome<String> {
    Ok(format!(r#"{{"localPort": {}, "upstream": "127.0.0.1:9"}}"#, free_port()?))
}

pub fn size(binary: &Path) -> Outcome<Vec<Figure>> {
    let bytes = fs::metadata(binary)?.len();
    Ok(vec![Figure::lower("binary", "MB", bytes as f64 / 1e6)])
}
