//! What toxics let through of one stream down, on chaos-proxy alone.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use super::Figure;
use super::beside::GIB;
use crate::Outcome;
use crate::options::Effort;
use crate::rig::Rig;
use crate::target::Proxy;

const LATENCY_MILLIS: u64 = 100;

/// Many times the latency: a stream through it comes in surges, one each time, and should be measured over many of them.
const SHORTEST: Duration = Duration::from_secs(1);

/// In KB/s, the fastest last.
const RATES: [u32; 3] = [10, 1000, 200_000];

/// In steady state. The CPU is also that of the start, and of what is still under way in the end.
struct Passed {
    bytes: f64,
    seconds: f64,
    cpu_seconds: f64,
}

pub fn latency(binary: &Path, jitter_millis: u64, effort: &Effort) -> Outcome<Vec<Figure>> {
    let attributes = json!({ "latency": LATENCY_MILLIS, "jitter": jitter_millis });
    let passed = through(binary, &json!({ "type": "latency", "attributes": attributes }), effort)?;
    Ok(vec![
        Figure::higher("throughput", "MB/s", passed.bytes / 1e6 / passed.seconds),
        Figure::lower("proxy CPU", "s/GiB", passed.cpu_seconds / (passed.bytes / GIB)),
    ])
}

pub fn bandwidth(binary: &Path, effort: &Effort) -> Outcome<Vec<Figure>> {
    let (mut deviation, mut cpu) = (0.0_f64, 0.0);
    for rate in RATES {
        let passed = through(binary, &json!({ "type": "bandwidth", "attributes": { "rate": rate } }), effort)?;
        let due = f64::from(rate) * 1e3 * passed.seconds;
        deviation = deviation.max((passed.bytes / due - 1.0).abs());
        cpu = passed.cpu_seconds / passed.seconds;
    }
    Ok(vec![
        Figure::lower("deviation, 10 KB/s to 200 MB/s", "%", deviation * 100.0),
        Figure::lower("proxy CPU at 200 MB/s", "s/s", cpu),
    ])
}

fn through(binary: &Path, toxic: &Value, effort: &Effort) -> Outcome<Passed> {
    let mut rig = Rig::around(1, |upstream| Proxy::with_toxic(binary, upstream, toxic))?;
    let lasting = effort.window.max(SHORTEST);
    let (figures, cpu) = rig.run(&format!("steady {}", lasting.as_millis()))?;
    Ok(Passed { bytes: figures["bytes"], seconds: figures["seconds"], cpu_seconds: cpu.ok_or("there is no proxy")? })
}
