//! Numbers that are written with a unit, such as `1s` or `5%`, and the number that a config or a flag has for them. No
//! value is read this way: hints quote the result.

use super::{Kind, Scalar, Unit};

impl Kind {
    /// The number to write for `text`: 1000 for `1s` where milliseconds are counted, 0.05 for `5%`, 0.1 for `0,1`.
    /// `None` if `text` is no such number, or no whole one where the kind takes only those.
    #[must_use]
    pub fn amount(self, text: &str) -> Option<Scalar> {
        let text = text.trim().replace('_', "");
        let is_number = |c: char| c.is_ascii_digit() || c == '.' || (c == ',' && self == Self::Share);
        let (number, unit) = text.split_at(text.find(|c| !is_number(c)).unwrap_or(text.len()));
        let number: f64 = number.replace(',', ".").parse().ok()?;
        match (self, unit.trim().to_ascii_lowercase().as_str()) {
            (Self::Whole(bounds) | Self::WholeOr(bounds, _), unit) => whole(number * bounds.unit.times(unit)?),
            (Self::Share, "") => Some(Scalar::Real(number)),
            // Rounded, because 1.1 / 100.0 prints as 0.011000000000000001.
            (Self::Share, "%") => Some(Scalar::Real((number * 1e6).round() / 1e8)),
            _ => None,
        }
    }

    /// What to write for a number with a unit, as a hint.
    #[must_use]
    pub fn amount_hint(self, text: &str) -> Option<String> {
        let amount = self.amount(text)?;
        Some(match self.unit() {
            Unit::None => format!("write {amount}"),
            unit => format!("write {amount}, in {}", unit.explained()),
        })
    }
}

#[expect(clippy::cast_possible_truncation, reason = "up to 2^53 every whole f64 is an integer")]
fn whole(number: f64) -> Option<Scalar> {
    (number.fract() == 0.0 && number < 2_f64.powi(53)).then_some(Scalar::Whole(number as i128))
}

impl Unit {
    /// How many of it one of the unit named `name`, in lower case, is.
    fn times(self, name: &str) -> Option<f64> {
        match self {
            // The unit may be left out.
            _ if name.is_empty() => Some(1.0),
            Self::Micros => micros(name),
            Self::Millis => micros(name).map(|micros| micros / 1e3),
            Self::Bytes => bytes(name),
            Self::KilobytesPerSecond => bytes_per_second(name).map(|bytes| bytes / 1e3),
            Self::None => None,
        }
    }
}

fn micros(name: &str) -> Option<f64> {
    Some(match name {
        "us" | "µs" => 1.0,
        "ms" | "msec" | "millis" => 1e3,
        "s" | "sec" | "second" | "seconds" => 1e6,
        "m" | "min" | "minute" | "minutes" => 6e7,
        "h" | "hour" | "hours" => 3.6e9,
        _ => return None,
    })
}

fn bytes(name: &str) -> Option<f64> {
    Some(match name {
        "b" | "byte" | "bytes" => 1.0,
        "k" | "kb" => 1e3,
        "kib" => 1024.0,
        "m" | "mb" => 1e6,
        "mib" => 1024.0 * 1024.0,
        "g" | "gb" => 1e9,
        "gib" => 1024.0 * 1024.0 * 1024.0,
        _ => return None,
    })
}

/// `kbps` and `mbps` are bits, as network equipment has them.
fn bytes_per_second(name: &str) -> Option<f64> {
    let per_second = name.strip_suffix("/s").unwrap_or(name);
    Some(match per_second {
        "kbit" | "kbps" => 125.0,
        "mbit" | "mbps" => 125e3,
        "gbit" | "gbps" => 125e6,
        _ => return bytes(per_second),
    })
}

#[cfg(test)]
mod tests {
    use crate::value::{Kind, Micros, Millis, Port, Probability, Rate, Size, Written};

    #[test]
    fn a_number_with_a_unit_becomes_the_number_to_write() {
        for (kind, text, expected) in [
            (Millis::KIND, "100ms", Some("write 100, in ms")),
            (Millis::KIND, "1.5 s", Some("write 1500, in ms")),
            (Millis::KIND, "2m", Some("write 120000, in ms")),
            (Millis::KIND, "3000us", Some("write 3, in ms")),
            (Millis::KIND, "0.5ms", None),
            (Millis::KIND, "5kb", None),
            (Micros::KIND, "1ms", Some("write 1000, in µs")),
            (Size::KIND, "128kb", Some("write 128000, in bytes")),
            (Size::KIND, "1KiB", Some("write 1024, in bytes")),
            (Rate::KIND, "128kb", Some("write 128, in KB/s (1 KB = 1000 bytes)")),
            (Rate::KIND, "8Mbit/s", Some("write 1000, in KB/s (1 KB = 1000 bytes)")),
            (Port::KIND, "18_180", Some("write 18180")),
            (Port::KIND, "1,000", None),
            (Probability::KIND, "5%", Some("write 0.05")),
            (Probability::KIND, "1.1 %", Some("write 0.011")),
            (Probability::KIND, "0,1", Some("write 0.1")),
            (Probability::KIND, "", None),
            (Kind::Text, "5", None),
        ] {
            assert_eq!(kind.amount_hint(text).as_deref(), expected, "{kind:?} {text}");
        }
    }
}
