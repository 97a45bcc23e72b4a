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
mod buffer;
mod chain;
mod corrupt;
mod deadline;
mod latency;
mod limit_data;
mod link;
mod live;
mod packet_loss;
mod route_toxic;
mod segment;
mod slicer;
mod slow_close;
mod span;
mod stall;
mod stats;
mod timeout;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod trial;

use std::time::Duration;

pub use chain::{Chain, TAKEN_AT_ONCE};
pub use live::{Target, Toxics};
pub use segment::Boundary;
pub use span::{End, EndKind};
pub use stats::{Amount, RunningSum, ToxicEvent, ToxicSummary};

use crate::plan::{CloseMode, Millis, Window};
use link::Out;
use span::Span;
use stats::ToxicStats;

/// A time, counted from the accept of the connection.
pub type Moment = Duration;

/// Later than every moment that comes.
pub const NEVER: Moment = Moment::MAX;

/// How long it is until a moment: for ever, if that never comes.
fn until(to: Moment, from: Moment) -> Duration {
    if from < to && to == NEVER { NEVER } else { to.saturating_sub(from) }
}

/// When a toxic acts on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct ActiveTime {
    begins: Moment,
    ends: Moment,
}

impl ActiveTime {
    /// The window of a toxic that is there `since` a moment.
    fn of(window: Window, since: Moment) -> Self {
        Self { begins: since.saturating_add(window.begins()), ends: since.saturating_add(window.ends()) }
    }

    fn contains(self, moment: Moment) -> bool {
        (self.begins..self.ends).contains(&moment)
    }

    /// That long after its begin, if it has not ended by then.
    fn moment(self, after: Millis) -> Option<Moment> {
        Some(self.begins.saturating_add(after.duration())).filter(|&moment| self.contains(moment))
    }
}

/// One toxic at work in one direction of one connection. What is not overridden does nothing.
trait Stage: Send {
    /// Lets `span` go, later, or cut up, or not at all. Only called while the toxic acts, so that offsets may jump.
    fn pass(&mut self, span: Span, out: &mut Out<'_>) {
        out.pass(span);
    }

    /// When the end of the stream goes on.
    fn finish(&mut self, end: End, _stats: &mut ToxicStats) -> Moment {
        end.at
    }

    /// When it ends the connection, no matter what has come until then.
    fn deadline(&self) -> Option<(Moment, CloseMode)> {
        None
    }

    /// For a toxic that ends the stream: the number of bytes that come through before that.
    fn left(&self) -> Option<u64> {
        None
    }

    /// Whether it discards what comes at that moment.
    fn discards(&self, _now: Moment) -> bool {
        false
    }

    /// Whether it has discarded bytes of the middle of the stream, so that no byte may follow.
    fn has_torn(&self) -> bool {
        false
    }

    /// For a toxic that makes bytes queue: the most bytes to take from the sender at a time. The others stay with the
    /// sender, as they would on a narrow link.
    fn pace(&self) -> Option<u64> {
        None
    }

    /// For such a toxic: until when its queue lasts, once these bytes have come to it that the sender has sent `now`.
    fn admit(&mut self, _bytes: u64, now: Moment) -> Moment {
        now
    }
}
