//! Toxics, and their effect on a stream as arithmetic: bytes enter a chain with their arrival time, and get the time at
//! which each is due. Time, bytes and random draws are arguments. Nothing here sleeps, reads a clock or uses a socket;
//! `proxy::forward` does all of that.
//!
//! # A stream in a chain
//!
//! ```text
//! (now, chunk) ──► latency ──► bandwidth ──► slicer ──► spans: [0..700 at 210 ms] [700..1448 at 212 ms, own write] …
//!                  each link receives the spans of the one before, in order
//! ```
//!
//! A chunk is the result of one read. A `Span` is a part of it, with the [`Moment`] at which it is due at the next
//! link. A link passes a span on, delays it, cuts it in two or discards it. Links do not know each other. [`Chain`]
//! keeps all bytes in order.
//!
//! A toxic with a trigger waits for a point of the stream, or of the stream in the other direction: `Intake` searches
//! for it with a `Search`, and `Points` announces it to the chain of the other direction. Each link lets its toxic act
//! from its points on, so a toxic needs no code for this.
//!
//! # How to add a toxic
//!
//! 1. Write `src/toxic/<type>.rs`: a `declare!` with the attributes, an `impl Behaviour` that creates the stage, and
//!    the stage. Models: `latency.rs` delays, `slicer.rs` cuts and draws per segment, `corrupt.rs` changes bytes and
//!    draws per offset, `limit_data.rs` ends a connection. Declare the strictest `Treatment` and `Basis` that hold: the
//!    properties try a toxic only for what it declares. Its own tests are at the end of the file; `trial` sends streams
//!    through chains.
//! 2. Add `mod <type>;` below, `<type>::<Struct>` to the list in `effect.rs`, and what `--explain` prints of it to
//!    `explain/act.rs`.
//! 3. Run `BLESS=1 cargo test --test config`. It writes the tables of the documentation and the expected messages that
//!    list the types. It fails until there is an entry in `configs/valid/toxics.json`, an example in
//!    `configs/README.md` and a test over real sockets in `tests/proxy/toxics`. Each failure names what to add.
//!
//! Everything else is derived from the declaration: the config check with its hints, the serialised form, the schema,
//! and the property tests, which combine the toxic with all others.
//!
//! One rule: the effect on a byte depends on its offset, not on the chunk that it arrived in. So each draw belongs to a
//! segment (`Span::take_segment`) or to an offset (`ToxicRng::of_block`). `properties` checks this for every toxic,
//! unless it declares `Basis::Load`.

mod bandwidth;
mod behaviour;
mod bucket;
mod buffer;
mod chain;
mod change;
mod conversation;
mod corrupt;
mod deadline;
mod declaration;
mod effect;
mod entry;
mod intake;
pub mod keys;
mod latency;
mod limit_data;
mod limit_time;
mod link;
mod live;
mod messages;
mod noop;
mod out;
mod output;
mod packet_loss;
mod points;
mod reset_peer;
mod route_toxic;
mod search;
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
pub use conversation::Conversation;
pub use declaration::{Basis, Source, ToxicType, Treatment};
// The enum, the list of types, and the struct of each type.
pub use effect::*;
pub use entry::Toxic;
pub use latency::Distribution;
pub use live::Toxics;
pub use messages::{Message, Messages};
pub use segment::Boundary;
pub use span::{End, EndKind};
pub use stats::{AddedDelay, Amount, Recorded, RunningSum, ToxicEvent, ToxicSummary};
pub use target::Target;

use crate::value::{CloseMode, Millis, Window};
use out::Out;
use span::Span;
use stats::ToxicStats;

/// The most bytes that are added to a chain at once.
pub const TAKEN_AT_ONCE: usize = 64 * 1024;

/// A point in time, as the duration since the accept of the connection, or since the start of the route if a comment
/// says so.
pub type Moment = Duration;

/// A time that never arrives.
pub const NEVER: Moment = Moment::MAX;

/// The duration from `from` to `to`. `NEVER` if `to` never arrives.
fn until(to: Moment, from: Moment) -> Duration {
    if from < to && to == NEVER { NEVER } else { to.saturating_sub(from) }
}

/// The time in which a toxic acts on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct ActiveTime {
    begins: Moment,
    ends: Moment,
}

impl ActiveTime {
    /// The window of a toxic that was added at `since`.
    fn of(window: Window, since: Moment) -> Self {
        Self { begins: since.saturating_add(window.begins()), ends: since.saturating_add(window.ends()) }
    }

    fn contains(self, moment: Moment) -> bool {
        (self.begins..self.ends).contains(&moment)
    }

    /// The time `after` the start, if it is before the end.
    fn moment(self, after: Millis) -> Option<Moment> {
        Some(self.begins.saturating_add(after.duration())).filter(|&moment| self.contains(moment))
    }
}

/// What a toxic has done to a stream before its attributes changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct History {
    /// For a toxic that ends the stream after a number of bytes: the number of bytes that have passed.
    passed: u64,
    /// Whether bytes were discarded.
    has_discarded: bool,
}

/// The state of one toxic in one direction of one connection. The default methods have no effect.
trait Stage: Send {
    /// Passes `span` on, delays, cuts or discards it. Only called while the toxic acts, so offsets may jump.
    fn pass(&mut self, span: Span, out: &mut Out<'_>) {
        out.pass(span);
    }

    /// When the end of the stream is due at the next link.
    fn finish(&mut self, end: End, _stats: &mut ToxicStats) -> Moment {
        end.at
    }

    /// When the toxic ends the connection, even if bytes are in flight.
    fn deadline(&self) -> Option<(Moment, CloseMode)> {
        None
    }

    /// For a toxic that ends the stream: the number of bytes that still pass before the end.
    fn left(&self) -> Option<u64> {
        None
    }

    /// What the stage has done to the stream so far, for the stage that replaces it after a change of the toxic.
    fn history(&self) -> History {
        History::default()
    }

    /// Whether bytes that arrive at `now` are discarded.
    fn discards(&self, _now: Moment) -> bool {
        false
    }

    /// Whether the toxic has discarded bytes from the middle of the stream, so that no byte may follow.
    fn has_gap(&self) -> bool {
        false
    }

    /// For a toxic with a queue: the most bytes to read from the sender at a time. The rest stays with the sender, as
    /// at a slow link.
    fn pace(&self) -> Option<u64> {
        None
    }

    /// For a toxic with a queue: when the queue will be empty again, if the sender's next `bytes` arrive at `now`.
    fn admit(&mut self, _bytes: u64, now: Moment) -> Moment {
        now
    }
}
