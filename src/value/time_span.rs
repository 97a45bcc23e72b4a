//! A length of time as people write it: a whole number and its unit.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::word::text;
use super::{Millis, Rejected, Scalar, Written};

/// A length of time, written as `500ms`, `10s`, `2m` or `1h`. It is at most that of [`Millis`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct TimeSpan(Millis);

/// The units and their milliseconds, the longest first.
const UNITS: [(&str, i128); 4] = [("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];

impl TimeSpan {
    /// As a duration.
    #[must_use]
    pub fn duration(self) -> Duration {
        self.0.duration()
    }

    /// Whether it is 0.
    #[must_use]
    pub fn is_zero(self) -> bool {
        self == Self::default()
    }

    pub(crate) fn of_millis(millis: i128) -> Result<Self, Rejected> {
        Millis::try_from(millis)
            .map(Self)
            .map_err(|_| Rejected::new("the time is too long", "use at most 1193h, 49 days"))
    }
}

impl FromStr for TimeSpan {
    type Err = Rejected;

    fn from_str(text: &str) -> Result<Self, Rejected> {
        let (digits, name) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
        let unit = UNITS.iter().find(|(unit, _)| *unit == name);
        match (digits.parse::<u64>(), unit) {
            (Ok(number), Some((_, millis))) => Self::of_millis(i128::from(number) * millis),
            _ => Err(reject(text)),
        }
    }
}

fn reject(text: &str) -> Rejected {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let hint = match Millis::KIND.amount(text) {
        _ if is_number => format!("add a unit: \"{text}s\" or \"{text}ms\""),
        Some(Scalar::Whole(millis)) if !text.ends_with(|c: char| c.is_ascii_digit()) => meant(millis),
        _ => EXAMPLE.to_owned(),
    };
    Rejected::new(format!("`{text}` is not a time"), hint)
}

const EXAMPLE: &str = "use a whole number and ms, s, m or h, such as \"500ms\" or \"10s\"";

fn meant(millis: i128) -> String {
    TimeSpan::of_millis(millis).map_or_else(|rejected| rejected.hint, |span| format!("write \"{span}\""))
}

/// In the longest unit of which it is a whole number.
impl fmt::Display for TimeSpan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = i128::from(self.0.get());
        match UNITS.iter().find(|(_, unit)| millis > 0 && millis % unit == 0) {
            Some((name, unit)) => write!(f, "{}{name}", millis / unit),
            None => f.write_str("0s"),
        }
    }
}

text!(TimeSpan);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_written_in_its_longest_unit() {
        for (text, written) in
            [("0ms", "0s"), ("500ms", "500ms"), ("1500ms", "1500ms"), ("90s", "90s"), ("120s", "2m"), ("60m", "1h")]
        {
            let span: TimeSpan = text.parse().expect(text);
            assert_eq!(span.to_string(), written);
            assert_eq!(span.to_string().parse(), Ok(span));
        }
        assert_eq!("1193h".parse::<TimeSpan>().map(TimeSpan::duration), Ok(Duration::from_secs(1193 * 3600)));
    }

    #[test]
    fn every_other_text_has_a_hint() {
        for (text, hint) in [
            ("", EXAMPLE),
            ("s", EXAMPLE),
            ("10", "add a unit: \"10s\" or \"10ms\""),
            ("10 s", "write \"10s\""),
            ("1.5s", "write \"1500ms\""),
            ("2min", "write \"2m\""),
            ("10S", "write \"10s\""),
            ("0.5ms", EXAMPLE),
            ("1d", EXAMPLE),
            ("-1s", EXAMPLE),
            ("1200h", "use at most 1193h, 49 days"),
            ("99999999999999999999s", EXAMPLE),
        ] {
            assert_eq!(text.parse::<TimeSpan>().expect_err(text).hint, hint, "{text}");
        }
    }
}
