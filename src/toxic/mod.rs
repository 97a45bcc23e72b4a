//! What toxics are, and what they do to a stream, as arithmetic: bytes come in at a moment, and go out with the moment at
//! which each leaves. Time, bytes and draws are handed in. Nothing here sleeps, reads a clock or knows a socket;
//! `proxy::forward` carries out what is decided here.
//!
//! # A stream in a chain
//!
//! ```text
//! (now, chunk) ──► latency ──► bandwidth ──► slicer ──► spans: [0..700 at 210 ms] [700..1448 at 212 ms, own write] …
//!                  each link gets the spans of the one before, in order
//! ```
//!
//! A chunk is what one read has returned. A [`Span`] is a part of it and the [`Moment`] at which it reaches that place of
//! the chain. A link passes it on, later, or cut in two, or not at all. No link needs to know the others, and no byte
//! overtakes another: [`Chain`] sees to that.
//!
//! # How to add a toxic
//!
//! 1. Write `src/toxic/<type>.rs`: a `declare!` with the attributes, an `impl Behaviour` that makes the stage, and the
//!    stage. `limit_data.rs` is a good model, `slicer.rs` is one that draws. Its own tests go to the end of the file;
//!    `trial` sends streams through chains.
//! 2. Add `mod <type>;` below, and `<type>::<Struct>` to the list in `effect.rs`.
//! 3. Run `BLESS=1 cargo test --test config`. It writes the tables of the documents and the expected messages that list
//!    the types, and fails until there is an entry in `configs/valid/toxics.json`, an example in `README.md` and a test
//!    over real sockets in `tests/proxy/toxics`. Each failure says what to add.
//!
//! The rest follows from the declaration: the config check with its hints, the serialised form, the schema, and the
//! property tests, which try the toxic in chains with all others.
//!
//! One rule: what happens to a byte depends on its offset, not on the chunk that it came in. So draws are made in the
//! order of the offsets, as with `segment::Segments`. `properties` holds every toxic to it, unless it declares
//! `Basis::Load`.

mod bandwidth;
mod behaviour;
mod chain;
mod corrupt;
mod deadline;
mod declaration;
mod effect;
mod entry;
pub mod keys;
mod latency;
mod limit_data;
mod limit_time;
mod live;
mod noop;
mod packet_loss;
mod reset_peer;
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

pub use bandwidth::Sharing;
pub use behaviour::Misfit;
pub use chain::{Chain, TAKEN_AT_ONCE};
pub use declaration::{Basis, Source, ToxicType, Treatment};
// The enum, the list of types, and the struct of each.
pub use effect::*;
pub use entry::Toxic;
pub use latency::Distribution;
pub use live::Toxics;
pub use stats::{Amount, ToxicEvent, ToxicSummary};

use crate::value::CloseMode;
use chain::Out;
use stats::ToxicStats;

/// A time, counted from the accept of the connection.
pub type Moment = Duration;

/// Later than every moment that comes.
pub const NEVER: Moment = Moment::MAX;

/// The duration until a moment; `NEVER` if it never comes.
fn until(to: Moment, from: Moment) -> Duration {
    if from < to && to == NEVER { NEVER } else { to.saturating_sub(from) }
}

/// A part of a chunk that is at one place of the chain at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// Its place in the chunk.
    pub range: Range<usize>,
    /// The moment at which it is there.
    pub at: Moment,
    /// What follows it.
    pub edge: Edge,
}

/// Whether a span and the next one may be written together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edge {
    /// They may.
    Joined,
    /// They may not.
    Cut,
}

impl Span {
    /// The number of bytes.
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
