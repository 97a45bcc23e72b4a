//! The kinds of toxics, with what each has to be told. A new kind begins here, with one arm and what it holds; the
//! compiler then names its word below and its stage in `toxic`. `config::check::attributes` needs a row for it. What a
//! kind is told has a file of its own beside this one where its values have to fit each other.

use std::num::NonZeroU32;

use super::{Bandwidth, Latency, Slicer};
use crate::value::{CloseMode, Millis, Probability, Timeout};

/// What a toxic does.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Lets each byte leave later.
    Latency(Latency),
    /// Lets bytes leave at a rate.
    Bandwidth(Bandwidth),
    /// Lets segments arrive as late as if they had been sent again.
    PacketLoss(PacketLoss),
    /// Flips bits.
    Corrupt(Corrupt),
    /// Sends small pieces.
    Slicer(Slicer),
    /// Ends the connection after so many bytes.
    LimitData(LimitData),
    /// Ends the connection after a time.
    LimitTime(LimitTime),
    /// Discards everything, and ends the connection after a time.
    Timeout(TimeoutToxic),
    /// Holds everything for a time.
    Stall(Stall),
    /// Delays the end of the stream.
    SlowClose(SlowClose),
    /// Resets the connection after a time.
    ResetPeer(ResetPeer),
    /// Does nothing.
    Noop,
}

impl Effect {
    /// What configs and logs call it: its type.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Latency(_) => "latency",
            Self::Bandwidth(_) => "bandwidth",
            Self::PacketLoss(_) => "packet_loss",
            Self::Corrupt(_) => "corrupt",
            Self::Slicer(_) => "slicer",
            Self::LimitData(_) => "limit_data",
            Self::LimitTime(_) => "limit_time",
            Self::Timeout(_) => "timeout",
            Self::Stall(_) => "stall",
            Self::SlowClose(_) => "slow_close",
            Self::ResetPeer(_) => "reset_peer",
            Self::Noop => "noop",
        }
    }
}

/// What loss does to a TCP stream: a lost segment comes late, and what follows waits for it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PacketLoss {
    /// The share of segments that are lost, and of those sent again that are lost again.
    pub loss_rate: Probability,
    /// The share of segments that share the fate of the one before.
    pub correlation: Probability,
    /// How long the first retransmission takes; each further one takes twice as long as the one before.
    pub retransmit: Timeout,
}

impl PacketLoss {
    /// A retransmission where nothing is said: 200 ms, Linux' shortest (`TCP_RTO_MIN` in `include/net/tcp.h`).
    pub const RETRANSMIT: Timeout = Timeout::literal(NonZeroU32::new(200).expect("200 is not 0"));
}

/// One bit of some bytes is flipped.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Corrupt {
    /// The share of the bytes.
    pub rate: Probability,
}

/// A stream of exactly so many bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitData {
    /// How many pass.
    pub bytes: u64,
    /// What comes then.
    pub close_mode: CloseMode,
}

/// A connection of a length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitTime {
    /// From when the toxic begins to act.
    pub time: Millis,
    /// What comes then.
    pub close_mode: CloseMode,
}

/// A black hole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeoutToxic {
    /// From when the toxic begins to act to the close of the connection; 0 is never.
    pub timeout: Millis,
}

impl TimeoutToxic {
    /// One that ends nothing.
    pub const FOR_EVER: Self = Self { timeout: Millis::literal(0) };
}

/// A partition that heals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stall {
    /// From when the toxic begins to act; 0 is for as long as it does.
    pub duration: Millis,
}

/// An end of stream that is late.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlowClose {
    /// By how much.
    pub delay: Millis,
}

/// A reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResetPeer {
    /// From when the toxic begins to act.
    pub timeout: Millis,
}
