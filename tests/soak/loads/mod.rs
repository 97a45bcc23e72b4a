//! The kinds of load and their routes. One run of a load opens and closes one connection or a batch, and checks what
//! the other end sees wherever that is deterministic.

mod aborted;
mod bulk;
mod chatty;
mod dialled;
mod dropped;
mod early;
mod ended;
mod half_closed;
mod idle;
mod leaving;
mod short;
mod stuck;

use crate::failure::Outcome;
use crate::peer::Peer;
use crate::route::Dial;
use crate::workers::Worker;

/// The load of one worker, and its route.
pub struct Load {
    /// The name in status lines.
    pub kind: &'static str,
    /// Further keys of its route, each after a comma.
    pub keys: &'static str,
    pub dial: Dial,
    pub run: fn(&mut Worker) -> Outcome,
}

/// Delays longer than any run, so that a client always leaves before the delay ends.
const HOUR_OF_LATENCY: &str = r#", "latencyMs": 3600000"#;
const HOUR_TO_CONNECT: &str = r#", "connectTimeoutMs": 3600000"#;

/// A chain of toxics that lose no data.
const LOSSLESS_CHAIN: &str = r#", "toxics": [
    {"type": "latency", "stream": "both", "attributes": {"latency": 1, "jitter": 1, "distribution": "pareto"}},
    {"type": "packet_loss", "stream": "both", "attributes": {"loss_rate": 0.002, "retransmit": 10}},
    {"type": "bandwidth", "stream": "both", "attributes": {"rate": 50000, "burst": 4000}},
    {"type": "slicer", "stream": "both", "attributes": {"average_size": 3000, "size_variation": 2999}}]"#;

/// Toxics that forward nothing until the client leaves: `stall` holds data, `timeout` discards it.
const STALLED: &str = r#", "toxics": [{"type": "stall", "stream": "both"}]"#;
const DISCARDED: &str = r#", "toxics": [{"type": "timeout", "stream": "both"}]"#;

const LATENCY: &str = r#", "toxics": [{"type": "latency", "stream": "both", "attributes": {"latency": 50}}]"#;

const fn load(kind: &'static str, keys: &'static str, run: fn(&mut Worker) -> Outcome) -> Load {
    Load { kind, keys, dial: Dial::Accepted, run }
}

const fn unreachable(kind: &'static str, keys: &'static str, dial: Dial, run: fn(&mut Worker) -> Outcome) -> Load {
    Load { kind, keys, dial, run }
}

/// All loads.
pub const LOADS: &[Load] = &[
    load("bulk", "", bulk::both_ways),
    load("bulk", r#", "latencyMs": 20"#, bulk::both_ways),
    load("chatty", "", chatty::round_trips),
    load("chatty", r#", "latencyMs": 5"#, chatty::round_trips),
    load("short", "", short::request_and_response),
    load("short", "", short::request_and_response),
    load("short", r#", "latencyMs": 10"#, short::request_and_response),
    load("half-closed", "", half_closed::by_either_side),
    load("half-closed", r#", "latencyMs": 10"#, half_closed::by_either_side),
    load("aborted", "", aborted::in_any_phase),
    load("aborted", r#", "latencyMs": 10"#, aborted::in_any_phase),
    load("at-once", "", aborted::at_once),
    load("idle", "", idle::batch),
    load("idle", r#", "latencyMs": 500"#, idle::batch),
    load("stuck", "", stuck::reader),
    load("stuck", "", stuck::reader),
    load("stuck", r#", "latencyMs": 10"#, stuck::reader),
    load("early", r#", "latencyMs": 50"#, early::before_the_delay_is_over),
    load("leaving", HOUR_OF_LATENCY, leaving::during_the_delay),
    load("leaving", HOUR_OF_LATENCY, leaving::during_the_delay),
    load("chain", LOSSLESS_CHAIN, bulk::both_ways),
    load("chain", LOSSLESS_CHAIN, chatty::round_trips),
    load("chain", LOSSLESS_CHAIN, half_closed::by_either_side),
    load("chain", LOSSLESS_CHAIN, aborted::in_any_phase),
    load("latency", LATENCY, early::before_the_delay_is_over),
    load("held", STALLED, leaving::during_the_delay),
    load("held", DISCARDED, leaving::during_the_delay),
    load("ended", ended::CLOSED_AT_THE_LIMIT, ended::by_a_fin),
    load("ended", ended::RESET_AT_THE_LIMIT, ended::by_a_reset),
    load("ended", ended::RESET_AFTER_A_TIME, ended::in_the_middle),
    load("dropped", r#", "dropRate": 0.5"#, dropped::closed),
    load("dropped", r#", "dropRate": 0.5, "dropMode": "reset""#, dropped::reset),
    load("dropped", r#", "dropRate": 1.0, "dropMode": "hang""#, dropped::hanging),
    unreachable("dialling", HOUR_TO_CONNECT, Dial::TimesOut, dialled::reset_in_the_dial),
    unreachable("dialling", r#", "connectTimeoutMs": 1000"#, Dial::TimesOut, dialled::closed_in_the_dial),
    unreachable("timed-out", r#", "connectTimeoutMs": 50"#, Dial::TimesOut, dialled::fails),
    unreachable("refused", "", Dial::Refused, dialled::fails),
];

/// Closes a connection cleanly: `first` sends a FIN, `second` receives it and sends its own, `first` receives that.
#[track_caller]
fn close_in_order(mut first: Peer, mut second: Peer) -> Outcome {
    first.send_fin()?;
    second.expect_fin()?;
    second.send_fin()?;
    first.expect_fin()
}
