//! The command line and PEERS.

use std::env;
use std::path::PathBuf;
use std::time::Duration;

use pico_args::Arguments;

use crate::Outcome;
use crate::scenario::{SCENARIOS, Scenario};
use crate::target::Target;

pub const HELP: &str = "\
Compares chaos-proxy with no proxy and with its peers, in interleaved rounds.

Usage: cargo bench --bench bench -- [options]

  --only NAME,...  measure only these: bulk, round-trips, event-loop,
                   connections, idle, first-bytes, delay, toxics, logging,
                   admin, start, size, or one of them such as bulk-8-up,
                   event-loop-50, delay-50
  --rounds N       take medians of N rounds [3]
  --quick          short measurements: two minutes for four targets
  --json FILE      write every reading to FILE
  --svg FILE       write a chart of the ratios to chaos-proxy to FILE
  --binary FILE    measure this build of chaos-proxy [cargo's release build]
  --help           print this

The environment variable PEERS lists proxies to compare with, one a line:
name=command, with {listen} and {upstream} in place of its ports.
Prints Markdown tables to stdout.
";

pub enum Request {
    Help,
    /// `cargo test --benches` runs this program without `--bench`.
    Nothing,
    Measure(Options),
}

pub struct Options {
    pub targets: Vec<Target>,
    pub scenarios: Vec<&'static Scenario>,
    pub effort: Effort,
    pub json: Option<PathBuf>,
    pub svg: Option<PathBuf>,
}

/// How often and for how long to measure.
pub struct Effort {
    pub rounds: usize,
    /// The duration of every load that has no end of its own.
    pub window: Duration,
    pub idle_connections: usize,
    /// Memory has settled after this time without a new minimum.
    pub settle_time: Duration,
    /// The number of delays to measure, one after the other.
    pub delays: usize,
}

const FULL: Effort = Effort {
    rounds: 3,
    window: Duration::from_secs(3),
    idle_connections: 1000,
    settle_time: Duration::from_secs(1),
    delays: 300,
};
const QUICK: Effort = Effort {
    rounds: 3,
    window: Duration::from_millis(300),
    idle_connections: 200,
    settle_time: Duration::from_millis(500),
    delays: 50,
};

pub fn parse(args: &[&str]) -> Outcome<Request> {
    let mut args = Arguments::from_vec(args.iter().map(Into::into).collect());
    if args.contains(["-h", "--help"]) {
        return Ok(Request::Help);
    }
    if !args.contains("--bench") {
        return Ok(Request::Nothing);
    }
    let options = options(&mut args)?;
    match args.finish().first() {
        Some(word) => Err(format!("unknown argument {}; see --help", word.display()).into()),
        None => Ok(Request::Measure(options)),
    }
}

fn options(args: &mut Arguments) -> Outcome<Options> {
    let effort = if args.contains("--quick") { QUICK } else { FULL };
    let rounds = args.opt_value_from_str("--rounds")?.unwrap_or(effort.rounds);
    let binary: Option<PathBuf> = args.opt_value_from_str("--binary")?;
    let only: Option<String> = args.opt_value_from_str("--only")?;
    Ok(Options {
        targets: targets(binary)?,
        scenarios: scenarios(only.as_deref())?,
        effort: Effort { rounds: rounds.max(1), ..effort },
        json: args.opt_value_from_str("--json")?,
        svg: args.opt_value_from_str("--svg")?,
    })
}

/// In the order of the indices in `results`.
fn targets(binary: Option<PathBuf>) -> Outcome<Vec<Target>> {
    let ours = binary.unwrap_or_else(|| env!("CARGO_BIN_EXE_chaos-proxy").into());
    let peers = env::var("PEERS").unwrap_or_default();
    let peers = peers.lines().map(str::trim).filter(|line| !line.is_empty()).map(Target::peer);
    let targets: Result<Vec<Target>, String> =
        [Ok(Target::Direct), Ok(Target::ChaosProxy(ours))].into_iter().chain(peers).collect();
    Ok(targets?)
}

fn scenarios(only: Option<&str>) -> Outcome<Vec<&'static Scenario>> {
    let Some(only) = only else { return Ok(SCENARIOS.iter().collect()) };
    let names: Vec<&str> = only.split(',').collect();
    if let Some(unknown) = names.iter().find(|name| !SCENARIOS.iter().any(|scenario| scenario.is_selected_by(name))) {
        return Err(format!("--only {unknown}: no such measurement; see --help").into());
    }
    Ok(SCENARIOS.iter().filter(|scenario| names.iter().any(|name| scenario.is_selected_by(name))).collect())
}
