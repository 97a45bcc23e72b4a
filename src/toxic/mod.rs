//! What toxics do to a stream, as arithmetic: bytes come in at a moment, and go out with the moment at which each leaves.
//! Time, bytes and draws are handed in. Nothing here sleeps, reads a clock or knows a socket; what is decided here is
//! carried out by `proxy::gate`.
//!
//! # A stream in a chain
//!
//! ```text
//! (now, chunk) ──► latency ──► bandwidth ──► slicer ──► spans: [0..700 at 210 ms] [700..1448 at 212 ms, own write] …
//!                  each link gets the spans of the one before, in order
//! ```
//!
//! A chunk is whatever a read has brought. A [`Span`] is a stretch of it and the [`Moment`] at which it gets to that
//! place of the chain: a link passes it on, later, or cut in two, or not at all. No link needs to know of the others,
//! and none lets a byte overtake another: [`Chain`] sees to that.
//!
//! # How to add a toxic
//!
//! Begin with the arm: the compiler asks for the rest of the first two steps, and the tests for most of the others.
//!
//! 1. The arm, what it is told: in `plan::Effect` (`src/plan/toxic/effect.rs`), with its type's word, and a struct that
//!    `plan::toxic` and `plan` export. Values that make no sense can't be written there; where they have to fit each other,
//!    they get a file of their own, as in `slicer.rs`.
//! 2. The file, what it does: here, with a `mod` line below, a struct that implements `Stage` and, at its end, tests, for
//!    which `trial` sends streams through chains. Most toxics have a method or two; `limit_data.rs` is a good one to begin
//!    with, `slicer.rs` one that draws. `Toxics::stage` (`live.rs`) makes one for each direction of a connection.
//! 3. The row, how it is written: in `TYPES` of `src/config/check/attributes.rs`, and a function with a line for each
//!    attribute. Then `cargo test --test config --test config_properties` asks for a row in the tables of `README.md` and
//!    `configs/README.md`, at the same place as in `TYPES`, for an entry in `configs/valid/toxics.json`, and for lines in
//!    those tests themselves.
//!
//! Nobody asks for these, so that they are easily left out:
//!
//! - Lines among the effects that are tried in every combination, in `properties/mod.rs`: in `drawing` if it draws, in
//!   `harmless` if it changes, discards and ends nothing, else in `any_effect`. And the ends of its ranges, in
//!   `properties/extremes.rs`.
//! - If it ends the connection at a time: `acts_in` (`live.rs`), or `ends_in` if it does more, so that it does so once for both directions, and `due`
//!   (`src/config/check/toxics.rs`), so that nobody asks for an end after its own.
//! - A file of mistakes in `configs/invalid`; its line in `configs/README.md` is asked for. `BLESS=1 cargo test --test
//!   config` writes down what is said of them, and of a type that there isn't.
//! - A test over real sockets, in a file of `tests/proxy/toxics` that its `mod.rs` names, and what the log says of it, in
//!   `fault_log.rs` there.
//!
//! One rule: what happens to a byte depends on its offset, not on the chunk that it came in. So whatever is drawn is
//! drawn in the order of the offsets, as with `segment::Segments`. `properties` holds every toxic to it but `bandwidth`: its
//! steps are about when bytes come.

mod bandwidth;
mod chain;
mod corrupt;
mod deadline;
mod latency;
mod limit_data;
mod live;
mod packet_loss;
mod segment;
mod slicer;
mod slow_close;
mod stall;
mod stats;
mod timeout;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod trial;

use std::ops::Range;
use std::time::Duration;

pub use chain::{Chain, TAKEN_AT_ONCE};
pub use live::Toxics;
pub use stats::{Amount, ToxicEvent, ToxicSummary};

use crate::plan::CloseMode;
use chain::Out;
use stats::ToxicStats;

/// A time, counted from the accept of the connection.
pub type Moment = Duration;

/// Later than every moment that comes.
pub const NEVER: Moment = Moment::MAX;

/// How long it is until a moment: for ever, if that never comes.
fn until(to: Moment, from: Moment) -> Duration {
    if from < to && to == NEVER { NEVER } else { to.saturating_sub(from) }
}

/// A stretch of a chunk, all of which is at one place of the chain at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// Where in the chunk.
    pub range: Range<usize>,
    /// When it is there.
    pub at: Moment,
    /// What follows it.
    pub edge: Edge,
}

/// Whether a span and the one behind it may be written as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edge {
    /// They may.
    Joined,
    /// They may not.
    Cut,
}

impl Span {
    /// How many bytes.
    fn length(&self) -> usize {
        self.range.len()
    }

    /// Takes at most `length` bytes off its front. The edge stays where it is, at the end.
    fn take(&mut self, length: usize) -> Self {
        if length >= self.length() {
            let all = self.clone();
            self.range.start = self.range.end;
            return all;
        }
        let middle = self.range.start + length;
        let front = Self { range: self.range.start..middle, at: self.at, edge: Edge::Joined };
        self.range.start = middle;
        front
    }
}

/// One toxic at work in one direction of one connection. What is not overridden does nothing.
trait Stage: Send {
    /// What becomes of `span`, whose first byte is the stream's byte `offset` at this stage. Only called while the toxic
    /// acts, so that offsets may jump.
    fn pass(&mut self, span: Span, _offset: u64, _bytes: &mut [u8], out: &mut Out<'_>) {
        out.pass(span);
    }

    /// When an end of stream goes on that comes `at` then.
    fn finish(&mut self, at: Moment, _offset: u64, _ledger: &mut ToxicStats) -> Moment {
        at
    }

    /// When it ends the connection, whatever has come until then.
    fn deadline(&self) -> Option<(Moment, CloseMode)> {
        None
    }

    /// For a stage that ends the stream: how many bytes come through before that.
    fn left(&self) -> Option<u64> {
        None
    }

    /// Whether it discards what comes then.
    fn discards(&self, _now: Moment) -> bool {
        false
    }

    /// For a stage that makes bytes queue: how many of them are worth taking from the sender at a time. The others stay
    /// with the sender, as it would be on a narrow link.
    fn pace(&self) -> Option<usize> {
        None
    }
}
