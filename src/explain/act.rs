//! What each type of toxic does to a stream, read from a rehearsal.

use std::ops::Range;

use super::rehearsal::{ACTS, Rehearsal, SEGMENT, delay_of_end, rehearse};
use crate::toxic::{Amount, Chain, Effect, LimitData, Moment, NEVER, ToxicEvent};
use crate::value::{CloseMode, Scalar, Trigger};

/// What a toxic does to a stream. Lists have the first 16 acts, or all of the first MiB of the stream. Segments are counted
/// from 0, for a stream of full segments, without bytes in the other direction.
#[derive(Clone, Debug, PartialEq)]
pub enum Act {
    /// Delays the bytes of each segment, and the end of the stream.
    Delay {
        /// The delays of the first segments.
        segments: Vec<Moment>,
    },
    /// Delays lost segments until they are sent again. What follows waits for them.
    Lose {
        /// The lost segments.
        segments: Vec<Loss>,
    },
    /// Flips bits.
    Flip {
        /// The changed bytes.
        bytes: Vec<Flip>,
    },
    /// Cuts the stream into writes.
    Cut {
        /// The sizes of the writes in bytes.
        sizes: Vec<u64>,
    },
    /// Sends at a limited rate.
    Pace {
        /// The attributes of the toxic.
        limit: Vec<(&'static str, Scalar)>,
    },
    /// Ends the connection after a number of bytes.
    EndAfter {
        /// The number of bytes that pass.
        bytes: u64,
        /// How it ends.
        mode: CloseMode,
    },
    /// Ends the connection at a time.
    EndAt {
        /// As a duration after the accept.
        at: Moment,
        /// How it ends.
        mode: CloseMode,
    },
    /// Discards everything. If bytes were discarded, the connection ends.
    Discard {
        /// When, as a duration after the accept. `NEVER` if another direction or no toxic ends it.
        ends: Moment,
    },
    /// Holds everything for a time.
    Hold {
        /// Until then, as a duration after the accept.
        until: Moment,
    },
    /// Waits for its trigger: when that comes is not known in advance.
    Wait {
        /// The trigger.
        trigger: Trigger,
    },
    /// Delays the end of the stream.
    DelayEnd {
        /// By this duration.
        by: Moment,
    },
}

/// A segment that is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loss {
    /// Its number, from 0.
    pub segment: u64,
    /// The time until it is sent again.
    pub delay: Moment,
}

/// A byte that is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flip {
    /// Its offset in the stream, from 0.
    pub offset: u64,
    /// The bits that are flipped.
    pub mask: u8,
}

/// What the toxic of `chain` does in this time. `None` if it has no effect there.
pub(super) fn of(effect: &Effect, mut chain: Chain, time: Range<Moment>) -> Option<Act> {
    let deadline = chain.deadline();
    if let (Effect::LimitTime(_) | Effect::ResetPeer(_), Some((at, mode))) = (effect, deadline) {
        return Some(Act::EndAt { at: at.max(time.start), mode });
    }
    if time.is_empty() && deadline.is_none() {
        return None;
    }
    if let Effect::SlowClose(_) = effect {
        return Some(Act::DelayEnd { by: delay_of_end(&mut chain, time.start) });
    }
    let rehearsal = rehearse(&mut chain, time.start);
    match effect {
        Effect::Latency(_) => Some(Act::Delay { segments: rehearsal.delays() }),
        Effect::PacketLoss(_) => Some(Act::Lose { segments: rehearsal.losses() }),
        Effect::Corrupt(_) => Some(Act::Flip { bytes: rehearsal.flips() }),
        Effect::Slicer(_) => Some(Act::Cut { sizes: rehearsal.sizes() }),
        Effect::Bandwidth(_) => Some(Act::Pace { limit: effect.attributes().collect() }),
        Effect::LimitData(LimitData { bytes, reset }) => Some(Act::EndAfter { bytes: bytes.get(), mode: *reset }),
        Effect::TimeoutToxic(_) => {
            Some(Act::Discard { ends: chain.deadline().map_or(NEVER, |(at, _)| at.max(time.start)) })
        }
        Effect::Stall(_) => rehearsal.longest_delay().map(|held| Act::Hold { until: time.start.saturating_add(held) }),
        Effect::SlowClose(_) | Effect::LimitTime(_) | Effect::ResetPeer(_) | Effect::Noop(_) => None,
    }
}

impl Rehearsal {
    /// The acts that are shown, with their offsets.
    fn first_acts(&self) -> impl Iterator<Item = (u64, Amount)> {
        self.acts.iter().take(ACTS).map(|ToxicEvent { offset, amount, .. }| (*offset, *amount))
    }

    /// A segment without an act has no delay.
    fn delays(&self) -> Vec<Moment> {
        let of_segment = |start: usize| {
            let mut acts = self.acts.iter().filter(|act| act.offset == start as u64);
            acts.find_map(|act| delay(act.amount)).unwrap_or_default()
        };
        (0..self.sent).step_by(SEGMENT).take(ACTS).map(of_segment).collect()
    }

    fn losses(&self) -> Vec<Loss> {
        let loss = |(offset, amount)| Some(Loss { segment: offset / SEGMENT as u64, delay: delay(amount)? });
        self.first_acts().filter_map(loss).collect()
    }

    /// Every byte was sent as 0, so it arrives as the flipped bits.
    fn flips(&self) -> Vec<Flip> {
        let mask = |offset: u64| usize::try_from(offset).ok().and_then(|offset| self.passed.get(offset).copied());
        self.first_acts().filter_map(|(offset, _)| Some(Flip { offset, mask: mask(offset)? })).collect()
    }

    fn sizes(&self) -> Vec<u64> {
        let size = |amount| match amount {
            Amount::Bytes(size) => Some(size),
            Amount::Delay(_) => None,
        };
        self.first_acts().filter_map(|(_, amount)| size(amount)).collect()
    }

    fn longest_delay(&self) -> Option<Moment> {
        self.acts.iter().filter_map(|act| delay(act.amount)).max()
    }
}

fn delay(amount: Amount) -> Option<Moment> {
    match amount {
        Amount::Delay(delay) => Some(delay),
        Amount::Bytes(_) => None,
    }
}
