//! The throughput of one downstream stream through toxics, on chaos-proxy alone.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use super::Figure;
use super::compared::GIB;
use crate::Outcome;
use crate::options::Effort;
use crate::target::Proxy;
use crate::testbed::Testbed;

const LATENCY_MILLIS: u64 = 100;

/// Many times the latency: a delayed stream arrives in bursts, one for each latency, and is measured over several bursts.
const MIN_WINDOW: Duration = Duration::from_secs(1);

/// In KB/s. The proxy's CPU is reported for the last, the fastest.
const RATES: [u32; 3] = [10, 1000, 200_000];

/// The CPU includes that of the start, and of bytes still in flight at the end.
struct StreamFigures {
    bytes: f64,
    seconds: f64,
    cpu_seconds: f64,
}

pub fn latency(binary: &Path, jitter_millis: u64, effort: &Effort) -> Outcome<Vec<Figure>> {
    let attributes = json!({ "latency": LATENCY_MILLIS, "jitter": jitter_millis });
    let stream = measure_stream(binary, &json!({ "type": "latency", "attributes": attributes }), effort)?;
    Ok(vec![
        Figure::higher("throughput", "MB/s", stream.bytes / 1e6 / stream.seconds),
        Figure::lower("proxy CPU", "s/GiB", stream.cpu_seconds / (stream.bytes / GIB)),
    ])
}

pub fn bandwidth(binary: &Path, effort: &Effort) -> Outcome<Vec<Figure>> {
    let (mut deviation, mut cpu) = (0.0_f64, 0.0);
    for rate in RATES {
        let stream = measure_stream(binary, &json!({ "type": "bandwidth", "attributes": { "rate": rate } }), effort)?;
        let expected = f64::from(rate) * 1e3 * stream.seconds;
        deviation = deviation.max((stream.bytes / expected - 1.0).abs());
        cpu = stream.cpu_seconds / stream.seconds;
    }
    Ok(vec![
        Figure::lower("deviation, 10 KB/s to 200 MB/s", "%", deviation * 100.0),
        Figure::lower("proxy CPU at 200 MB/s", "s/s", cpu),
    ])
}

fn measure_stream(binary: &Path, toxic: &Value, effort: &Effort) -> Outcome<StreamFigures> {
    let mut testbed = Testbed::around(1, |upstream| Proxy::with_toxic(binary, upstream, toxic))?;
    let duration = effort.window.max(MIN_WINDOW);
    let (figures, cpu) = testbed.run(&format!("steady {}", duration.as_millis()))?;
    Ok(StreamFigures {
        bytes: figures["bytes"],
        seconds: figures["seconds"],
        cpu_seconds: cpu.ok_or("there is no proxy")?,
    })
}
