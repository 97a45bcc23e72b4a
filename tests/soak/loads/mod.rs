//! The kinds of load, and the lanes that they run on. Each runs one connection, or a batch, from its beginning to its end
//! and leaves nothing open; what the proxy must tell the other end is checked wherever it is certain.

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

/// One worker's load and its lane.
pub struct Load {
    /// What a status line counts it under.
    pub kind: &'static str,
    /// Further keys of its route, each behind a comma.
    pub keys: &'static str,
    pub dial: Dial,
    pub run: fn(&mut Worker) -> Outcome,
}

/// No connection sits these out: who leaves in them is still in them, however slow the machine.
const AN_HOUR: &str = r#", "latencyMs": 3600000"#;
const AN_HOUR_TO_ANSWER: &str = r#", "connectTimeoutMs": 3600000"#;

/// Toxics that lose nothing, one behind the other.
const ROUGH: &str = r#", "toxics": [
    {"type": "latency", "stream": "both", "attributes": {"latency": 1, "jitter": 1, "distribution": "pareto"}},
    {"type": "packet_loss", "stream": "both", "attributes": {"loss_rate": 0.002, "retransmit": 10}},
    {"type": "bandwidth", "stream": "both", "attributes": {"rate": 50000, "burst": 4000}},
    {"type": "slicer", "stream": "both", "attributes": {"average_size": 3000, "size_variation": 2999}}]"#;

/// What is held for ever: who leaves frees it.
const STALLED: &str = r#", "toxics": [{"type": "stall", "stream": "both"}]"#;
const SWALLOWED: &str = r#", "toxics": [{"type": "timeout", "stream": "both"}]"#;

const LATE: &str = r#", "toxics": [{"type": "latency", "stream": "both", "attributes": {"latency": 50}}]"#;

const fn load(kind: &'static str, keys: &'static str, run: fn(&mut Worker) -> Outcome) -> Load {
    Load { kind, keys, dial: Dial::Accepted, run }
}

const fn unreachable(kind: &'static str, keys: &'static str, dial: Dial, run: fn(&mut Worker) -> Outcome) -> Load {
    Load { kind, keys, dial, run }
}

/// All of it.
pub const LOADS: &[Load] = &[
    load("bulk", "", bulk::both_ways),
    load("bulk", r#", "latencyMs": 20"#, bulk::both_ways),
    load("chatty", "", chatty::round_trips),
    load("chatty", r#", "latencyMs": 5"#, chatty::round_trips),
    load("short", "", short::question_and_answer),
    load("short", "", short::question_and_answer),
    load("short", r#", "latencyMs": 10"#, short::question_and_answer),
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
    load("leaving", AN_HOUR, leaving::during_the_delay),
    load("leaving", AN_HOUR, leaving::during_the_delay),
    load("rough", ROUGH, bulk::both_ways),
    load("rough", ROUGH, chatty::round_trips),
    load("rough", ROUGH, half_closed::by_either_side),
    load("rough", ROUGH, aborted::in_any_phase),
    load("late", LATE, early::before_the_delay_is_over),
    load("held", STALLED, leaving::during_the_delay),
    load("held", SWALLOWED, leaving::during_the_delay),
    load("ended", ended::CLOSED_AT_THE_LIMIT, ended::by_a_fin),
    load("ended", ended::RESET_AT_THE_LIMIT, ended::by_a_reset),
    load("ended", ended::RESET_AFTER_A_TIME, ended::in_the_middle),
    load("dropped", r#", "dropRate": 0.5"#, dropped::closed),
    load("dropped", r#", "dropRate": 0.5, "dropMode": "reset""#, dropped::reset),
    load("dropped", r#", "dropRate": 1.0, "dropMode": "hang""#, dropped::hanging),
    unreachable("dialling", AN_HOUR_TO_ANSWER, Dial::TimesOut, dialled::reset_in_the_dial),
    unreachable("dialling", r#", "connectTimeoutMs": 1000"#, Dial::TimesOut, dialled::closed_in_the_dial),
    unreachable("timed-out", r#", "connectTimeoutMs": 50"#, Dial::TimesOut, dialled::in_vain),
    unreachable("refused", "", Dial::Refused, dialled::in_vain),
];

/// Ends a connection in good order: `first` closes, `second` is told and closes, `first` is told.
#[track_caller]
fn close_in_order(mut first: Peer, mut second: Peer) -> Outcome {
    first.send_fin()?;
    second.expect_fin()?;
    second.send_fin()?;
    first.expect_fin()
}
