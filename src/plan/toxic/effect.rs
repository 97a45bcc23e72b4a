//! The kinds of toxics, with what each has to be told. A new kind begins here, with one arm and what it holds; the
//! compiler then names its word below and its stage in `toxic`. `config::check::attributes` needs a row for it.

use std::num::NonZeroU32;
use std::str::FromStr;
use std::time::Duration;

use crate::plan::{Millis, Probability, Rejected, Timeout};

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

/// A delay of `latency`, give or take the jitter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Latency {
    mean: Millis,
    jitter: Millis,
    correlation: Probability,
    distribution: Distribution,
}

impl Latency {
    /// Delays that are uniform, each for itself.
    ///
    /// # Errors
    /// The jitter is larger than the latency: some bytes would have to leave before they came.
    pub fn new(latency: Millis, jitter: Millis) -> Result<Self, Rejected> {
        if jitter > latency {
            let what = format!("a jitter of {} ms is more than the latency of {} ms", jitter.get(), latency.get());
            return Err(Rejected::new(what, format!("use 0 to {}", latency.get())));
        }
        let (correlation, distribution) = (Probability::default(), Distribution::default());
        Ok(Self { mean: latency, jitter, correlation, distribution })
    }

    /// The same with that share of segments that meet the delay of the one before.
    ///
    /// # Errors
    /// The correlation is not 0, but there is no jitter: all delays are the same anyway.
    pub fn correlated(self, correlation: Probability) -> Result<Self, Rejected> {
        if self.is_steady() && correlation != Probability::default() {
            // Debug turns to an exponent where Display writes out 300 digits.
            let what = format!("a correlation of {:?} changes nothing without a jitter", correlation.get());
            return Err(Rejected::new(what, "use 0, or a jitter of 1 ms or more"));
        }
        Ok(Self { correlation, ..self })
    }

    /// The same with delays that lie so around the latency.
    ///
    /// # Errors
    /// The distribution is not the default, but there is no jitter: all delays are the latency.
    pub fn distributed(self, distribution: Distribution) -> Result<Self, Rejected> {
        if self.is_steady() && distribution != Distribution::default() {
            let what = format!("a {} distribution changes nothing without a jitter", distribution.as_str());
            return Err(Rejected::new(what, "use uniform, or a jitter of 1 ms or more"));
        }
        Ok(Self { distribution, ..self })
    }

    fn is_steady(&self) -> bool {
        self.jitter == Millis::default()
    }

    /// One of which the compiler sees that it can be.
    pub(in crate::plan) const fn literal(latency: u32, jitter: u32) -> Self {
        assert!(jitter <= latency, "some bytes would have to leave before they came");
        let (mean, jitter) = (Millis::literal(latency), Millis::literal(jitter));
        Self { mean, jitter, correlation: Probability::per_mille(0), distribution: Distribution::Uniform }
    }

    /// The delay in the middle.
    #[must_use]
    pub fn mean(&self) -> Duration {
        self.mean.duration()
    }

    /// How far delays lie apart from it, at most the latency.
    #[must_use]
    pub fn jitter(&self) -> Duration {
        self.jitter.duration()
    }

    /// The share of segments that meet the same delay as the one before.
    #[must_use]
    pub fn correlation(&self) -> Probability {
        self.correlation
    }

    /// How the delays lie around the latency.
    #[must_use]
    pub fn distribution(&self) -> Distribution {
        self.distribution
    }
}

/// How delays lie around their mean.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Distribution {
    /// Evenly, from one jitter below the latency to one above.
    #[default]
    Uniform,
    /// In a bell with the jitter as standard deviation; what would be negative is no delay.
    Normal,
    /// Most a little below the latency, some far above: a Pareto distribution of shape 3 with the latency as its mean,
    /// whose least is a third of the jitter below.
    Pareto,
}

impl Distribution {
    const ALL: [Self; 3] = [Self::Uniform, Self::Normal, Self::Pareto];

    fn as_str(self) -> &'static str {
        match self {
            Self::Uniform => "uniform",
            Self::Normal => "normal",
            Self::Pareto => "pareto",
        }
    }
}

impl FromStr for Distribution {
    type Err = Rejected;

    fn from_str(text: &str) -> Result<Self, Rejected> {
        let found = Self::ALL.into_iter().find(|distribution| distribution.as_str() == text);
        found.ok_or_else(|| Rejected::new(format!("`{text}` is not a distribution"), "use uniform, normal or pareto"))
    }
}

/// A token bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bandwidth {
    rate: Rate,
    burst: u32,
    sharing: Sharing,
}

impl Bandwidth {
    /// A bucket that is filled at `rate` and holds `burst` bytes.
    ///
    /// # Errors
    /// There is a burst, but the rate is 0: nothing passes, the first bytes neither.
    pub fn new(rate: Rate, burst: u32, sharing: Sharing) -> Result<Self, Rejected> {
        if burst > 0 && rate == Rate::NOTHING {
            let what = format!("a burst of {burst} bytes changes nothing at a rate of 0: nothing passes");
            return Err(Rejected::new(what, "use 0, or a rate of 1 KB/s or more"));
        }
        Ok(Self { rate, burst, sharing })
    }

    /// One without a burst, which can be at any rate.
    pub(in crate::plan) const fn literal(kilobytes_per_second: u32, sharing: Sharing) -> Self {
        Self { rate: Rate(kilobytes_per_second), burst: 0, sharing }
    }

    /// What it is filled at.
    #[must_use]
    pub fn rate(&self) -> Rate {
        self.rate
    }

    /// How many bytes it holds: what passes at once after a pause.
    #[must_use]
    pub fn burst(&self) -> u32 {
        self.burst
    }

    /// Who takes from it.
    #[must_use]
    pub fn sharing(&self) -> Sharing {
        self.sharing
    }
}

/// A number of KB/s, each 1,000 bytes a second; 0 is a link that nothing passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate(u32);

impl Rate {
    const NOTHING: Self = Self(0);

    /// Bytes a second.
    #[must_use]
    pub fn bytes_per_second(self) -> u64 {
        u64::from(self.0) * 1000
    }
}

impl TryFrom<i128> for Rate {
    type Error = Rejected;

    fn try_from(number: i128) -> Result<Self, Rejected> {
        let in_range = u32::try_from(number).map(Self);
        in_range.map_err(|_| {
            let what = format!("{number} KB/s {}", if number < 0 { "is negative" } else { "is out of range" });
            Rejected::new(what, format!("use whole KB/s (1 KB = 1000 bytes), 0 (nothing passes) to {}", u32::MAX))
        })
    }
}

/// Who takes from a token bucket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sharing {
    /// Each connection has its own for each direction.
    #[default]
    Own,
    /// All connections of the route take from one for each direction.
    Shared,
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

/// Pieces of about one size, and a pause between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slicer {
    average_size: NonZeroU32,
    size_variation: u32,
    /// From one piece to the next.
    pub delay: Micros,
}

impl Slicer {
    /// # Errors
    /// The variation is not smaller than the size: some pieces would be empty.
    pub fn new(average_size: NonZeroU32, size_variation: u32, delay: Micros) -> Result<Self, Rejected> {
        if size_variation >= average_size.get() {
            let what = format!("a variation of {size_variation} bytes leaves nothing of a size of {average_size}");
            return Err(Rejected::new(what, format!("use 0 to {}", average_size.get() - 1)));
        }
        Ok(Self { average_size, size_variation, delay })
    }

    /// The sizes of pieces in bytes, each as likely as the others; none is 0.
    #[must_use]
    pub fn sizes(&self) -> std::ops::RangeInclusive<u64> {
        let (average, variation) = (u64::from(self.average_size.get()), u64::from(self.size_variation));
        average - variation..=average + variation
    }
}

/// A duration of 0 to 4,294,967,295 µs (71 minutes).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Micros(u32);

impl Micros {
    /// As a duration.
    #[must_use]
    pub fn duration(self) -> Duration {
        Duration::from_micros(self.0.into())
    }
}

impl TryFrom<i128> for Micros {
    type Error = Rejected;

    fn try_from(number: i128) -> Result<Self, Rejected> {
        u32::try_from(number).map(Self).map_err(|_| {
            let what = format!("{number} µs {}", if number < 0 { "is negative" } else { "is out of range" });
            Rejected::new(what, format!("use whole microseconds, 0 to {}", u32::MAX))
        })
    }
}

/// How a toxic ends a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ending {
    /// With a FIN to both sides.
    #[default]
    Close,
    /// With a RST to both sides.
    Reset,
}

/// A stream of exactly so many bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitData {
    /// How many pass.
    pub bytes: u64,
    /// What comes then.
    pub ending: Ending,
}

/// A connection of a length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitTime {
    /// From when the toxic begins to act.
    pub time: Millis,
    /// What comes then.
    pub ending: Ending,
}

/// A black hole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeoutToxic {
    /// From when the toxic begins to act to the close of the connection; 0 is never.
    pub timeout: Millis,
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
