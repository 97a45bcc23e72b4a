//! Numbers with a range: ports, probabilities, durations, sizes and rates.

use std::fmt;
use std::num::NonZeroU16;
use std::str::FromStr;
use std::time::Duration;

use super::{Bounds, Kind, Rejected, Scalar, Unit, Written};

/// A TCP port to listen on: 1 to 65535.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Port(NonZeroU16);

impl Port {
    /// The number, never 0.
    #[must_use]
    pub fn get(self) -> u16 {
        self.0.get()
    }
}

impl TryFrom<i128> for Port {
    type Error = Rejected;

    fn try_from(number: i128) -> Result<Self, Rejected> {
        let port = u16::try_from(number).ok().and_then(NonZeroU16::new);
        port.map(Self).ok_or_else(|| Rejected::new(format!("port {number} is out of range"), "use 1 to 65535"))
    }
}

impl FromStr for Port {
    type Err = Rejected;

    fn from_str(text: &str) -> Result<Self, Rejected> {
        let number = text.parse::<i128>();
        let number = number.map_err(|_| Rejected::new(format!("`{text}` is not a number"), "use 1 to 65535"))?;
        Self::try_from(number)
    }
}

impl Written for Port {
    const KIND: Kind = Kind::Whole(Bounds { least: 1, most: u16::MAX as u64, unit: Unit::None });

    fn read(scalar: Scalar) -> Result<Self, Rejected> {
        match scalar {
            Scalar::Whole(number) => Self::try_from(number),
            _ => Err(Self::KIND.mismatch()),
        }
    }

    fn write(&self) -> Scalar {
        Scalar::Whole(self.get().into())
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The seed of all random draws: any number of 64 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seed(u64);

impl Seed {
    /// The number alone.
    #[must_use]
    pub fn get(self) -> u64 {
        self.0
    }
}

impl Written for Seed {
    const KIND: Kind = Kind::Whole(Bounds { least: 0, most: u64::MAX, unit: Unit::None });

    fn read(scalar: Scalar) -> Result<Self, Rejected> {
        let Scalar::Whole(number) = scalar else { return Err(Self::KIND.mismatch()) };
        u64::try_from(number).map(Self).map_err(|_| {
            let hint = format!("use a whole number from 0 to {}", u64::MAX);
            Rejected::new(format!("the seed {number} is out of range"), hint)
        })
    }

    fn write(&self) -> Scalar {
        Scalar::Whole(self.0.into())
    }
}

/// A probability from 0.0 (never) to 1.0 (always), both included.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub struct Probability(f64);

impl Probability {
    /// 0.0.
    pub const NEVER: Self = Self(0.0);

    /// 1.0.
    pub const ALWAYS: Self = Self(1.0);

    /// A constant, for which the compiler checks the range.
    pub(crate) const fn literal(share: f64) -> Self {
        assert!(0.0 <= share && share <= 1.0, "a probability is 0.0 to 1.0");
        Self(share)
    }

    /// As a number from 0.0 to 1.0.
    #[must_use]
    pub fn get(self) -> f64 {
        self.0
    }
}

impl TryFrom<f64> for Probability {
    type Error = Rejected;

    fn try_from(number: f64) -> Result<Self, Rejected> {
        if (0.0..=1.0).contains(&number) {
            // -0.0 is in the range; plus 0.0 makes it print as 0.
            return Ok(Self(number + 0.0));
        }
        let mut hint = "use 0.0 (never) to 1.0 (always)".to_owned();
        if (1.0..=100.0).contains(&number) {
            // Rounded, because 1.1 / 100.0 prints as 0.011000000000000001.
            let share = (number * 1e6).round() / 1e8;
            hint = format!("{hint}; {number} % is {share}");
        }
        // Debug prints an exponent where Display would print 300 digits.
        let number = format!("{number:?}");
        Err(Rejected::new(format!("{} is not a probability", number.trim_end_matches(".0")), hint))
    }
}

impl Written for Probability {
    const KIND: Kind = Kind::Share;

    #[expect(clippy::cast_precision_loss, reason = "the range has no border where f64 skips integers")]
    fn read(scalar: Scalar) -> Result<Self, Rejected> {
        match scalar {
            Scalar::Whole(number) => Self::try_from(number as f64),
            Scalar::Real(number) => Self::try_from(number),
            _ => Err(Self::KIND.mismatch()),
        }
    }

    fn write(&self) -> Scalar {
        Scalar::Real(self.0)
    }
}

/// Declares a type of whole numbers by its range and unit.
macro_rules! whole {
    ($($(#[$attribute:meta])* pub struct $name:ident($number:ty) from $least:literal $unit:ident;)+) => {
        $($(#[$attribute])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub struct $name($number);

        impl $name {
            const BOUNDS: Bounds = Bounds { least: $least, most: <$number>::MAX as u64, unit: Unit::$unit };

            /// A constant, for which the compiler checks the range.
            pub(crate) const fn literal(number: $number) -> Self {
                assert!(Self::BOUNDS.least <= number as u64, "the number is out of range");
                Self(number)
            }

            /// The number alone.
            #[must_use]
            pub fn get(self) -> $number {
                self.0
            }
        }

        impl TryFrom<i128> for $name {
            type Error = Rejected;

            fn try_from(number: i128) -> Result<Self, Rejected> {
                Self::BOUNDS.admit(number).map(Self)
            }
        }

        impl Written for $name {
            const KIND: Kind = Kind::Whole(Self::BOUNDS);

            fn read(scalar: Scalar) -> Result<Self, Rejected> {
                match scalar {
                    Scalar::Whole(number) => Self::try_from(number),
                    _ => Err(Self::KIND.mismatch()),
                }
            }

            fn write(&self) -> Scalar {
                Scalar::Whole(self.0.into())
            }
        })+
    };
}

whole! {
    /// A duration of 0 to 4,294,967,295 ms (49 days): short enough that adding it to a clock never overflows.
    #[derive(Default)]
    pub struct Millis(u32) from 0 Millis;

    /// A timeout of 1 to 4,294,967,295 ms.
    pub struct Timeout(u32) from 1 Millis;

    /// A duration of 0 to 4,294,967,295 µs (71 minutes).
    pub struct Micros(u32) from 0 Micros;

    /// A rate in KB/s of 1,000 bytes per second; 0 lets no bytes pass.
    pub struct Rate(u32) from 0 KilobytesPerSecond;

    /// A number of bytes, 0 to 4,294,967,295.
    pub struct Bytes(u32) from 0 Bytes;

    /// A number of bytes, 1 to 4,294,967,295.
    pub struct Size(u32) from 1 Bytes;

    /// The number of bytes in a stream, 0 to 2^64 - 1.
    pub struct StreamLength(u64) from 0 Bytes;
}

impl Millis {
    /// As a duration.
    #[must_use]
    pub fn duration(self) -> Duration {
        Duration::from_millis(self.0.into())
    }
}

impl Timeout {
    /// The default time for an upstream to accept: 10 s.
    pub const CONNECT: Self = Self::literal(10_000);

    /// As a duration, never zero.
    #[must_use]
    pub fn duration(self) -> Duration {
        Duration::from_millis(self.0.into())
    }
}

impl Micros {
    /// As a duration.
    #[must_use]
    pub fn duration(self) -> Duration {
        Duration::from_micros(self.0.into())
    }
}

impl Rate {
    /// The rate in bytes per second.
    #[must_use]
    pub fn bytes_per_second(self) -> u64 {
        u64::from(self.0) * 1000
    }
}
