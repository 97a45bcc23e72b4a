//! Durations and numbers of bytes as people read them: three digits and a unit.

use std::time::Duration;

/// Units of seconds, each with its length in microseconds.
const SECONDS: [(u64, &str); 3] = [(1, "µs"), (1_000, "ms"), (1_000_000, "s")];

const BYTES: [(u64, &str); 5] =
    [(1, "B"), (1_000, "kB"), (1_000_000, "MB"), (1_000_000_000, "GB"), (1_000_000_000_000, "TB")];

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// `109 µs`, `1.25 ms`, `12.5 s`, `2 min 3 s`, `5 h 7 min`, `3 d 4 h`.
#[must_use]
pub fn duration(duration: Duration) -> String {
    match duration.as_secs() {
        0..MINUTE => rounded_down(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX), &SECONDS),
        seconds @ MINUTE..HOUR => format!("{} min {} s", seconds / MINUTE, seconds % MINUTE),
        seconds @ HOUR..DAY => format!("{} h {} min", seconds / HOUR, seconds % HOUR / MINUTE),
        seconds => format!("{} d {} h", seconds / DAY, seconds % DAY / HOUR),
    }
}

/// `119 B`, `1.44 kB`, `20 MB`.
#[must_use]
pub fn bytes(number: u64) -> String {
    rounded_down(number, &BYTES)
}

/// Three digits in the largest unit that is not more than the number, without zeros at the end of a fraction.
fn rounded_down(number: u64, units: &[(u64, &str)]) -> String {
    let (size, unit) = units.iter().rev().find(|(size, _)| number >= *size).copied().unwrap_or(units[0]);
    // Below 1000 times the size in every unit but the last one.
    let hundredths = number % size * 100 / size;
    let (whole, digits) = match number / size {
        whole @ 0..10 => (whole, format!("{hundredths:02}")),
        whole @ 10..100 => (whole, format!("{}", hundredths / 10)),
        whole => (whole, String::new()),
    };
    match digits.trim_end_matches('0') {
        "" => format!("{whole} {unit}"),
        digits => format!("{whole}.{digits} {unit}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_digits_of_a_number_are_shown() {
        for (number, expected) in [
            (0, "0 B"),
            (999, "999 B"),
            (1_000, "1 kB"),
            (1_446, "1.44 kB"),
            (1_400, "1.4 kB"),
            (1_004, "1 kB"),
            (1_050, "1.05 kB"),
            (12_560, "12.5 kB"),
            (125_600, "125 kB"),
            (999_999, "999 kB"),
            (20_000_000, "20 MB"),
            (u64::MAX, "18446744 TB"),
        ] {
            assert_eq!(bytes(number), expected);
        }
    }

    #[test]
    fn durations_have_the_unit_that_suits_them() {
        for (micros, expected) in [
            (0, "0 µs"),
            (109, "109 µs"),
            (1_250, "1.25 ms"),
            (102_788, "102 ms"),
            (5_400_000, "5.4 s"),
            (59_999_999, "59.9 s"),
            (123_000_000, "2 min 3 s"),
            (3_720_000_000, "1 h 2 min"),
            (273_600_000_000, "3 d 4 h"),
        ] {
            assert_eq!(duration(Duration::from_micros(micros)), expected);
        }
    }
}
