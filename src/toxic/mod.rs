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
//! A chunk is what one read has returned. A `Span` is a part of it and the [`Moment`] at which it reaches that place of
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
//!    the types, and fails until there is an entry in `configs/valid/toxics.json`, an example in `configs/README.md` and
//!    a test over real sockets in `tests/proxy/toxics`. Each failure says what to add.
//!
//! The rest follows from the declaration: the config check with its hints, the serialised form, the schema, and the
//! property tests, which try the toxic in chains with all others.
//!
//! One rule: what happens to a byte depends on its offset, not on the chunk that it came in. So each draw belongs to a
//! segment (`Span::take_segment`) or to an offset. `properties` holds every toxic to it, unless it declares `Basis::Load`.

mod bandwidth;
mod behaviour;
mod bucket;
mod buffer;
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
mod link;
mod live;
mod noop;
mod packet_loss;
mod reset_peer;
mod route_toxic;
mod segment;
mod slicer;
mod slow_close;
mod span;
mod stall;
mod stats;
mod target;
mod timeout;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod trial;

use std::time::Duration;

pub use bandwidth::Sharing;
pub use behaviour::Misfit;
pub use chain::Chain;
pub use declaration::{Basis, Source, ToxicType, Treatment};
// The enum, the list of types, and the struct of each.
pub use effect::*;
pub use entry::Toxic;
pub use latency::Distribution;
pub use live::Toxics;
pub use segment::Boundary;
pub use span::{End, EndKind};
pub use stats::{Amount, RunningSum, ToxicEvent, ToxicSummary};
pub use target::Target;

use crate::value::{CloseMode, Millis, Window};
use link::Out;
use span::Span;
use stats::ToxicStats;

/// The most bytes that are handed to a chain at once.
pub const TAKEN_AT_ONCE: usize = 64 * 1024;

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
