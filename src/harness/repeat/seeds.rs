//! The seeds of a series, written as `7`, `1-100` or `1,5,9-12`.

use std::ops::RangeInclusive;
use std::str::FromStr;

/// One seed or more, in the order in which they are used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seeds(Vec<RangeInclusive<u64>>);

impl Seeds {
    /// This number of consecutive seeds. After the largest comes 0.
    #[must_use]
    pub fn consecutive(first: u64, count: u64) -> Self {
        match first.checked_add(count.saturating_sub(1)) {
            Some(last) => Self(vec![first..=last]),
            None => Self(vec![first..=u64::MAX, 0..=first.wrapping_add(count - 1)]),
        }
    }

    /// All seeds.
    pub fn iter(&self) -> impl Iterator<Item = u64> {
        self.0.iter().cloned().flatten()
    }

    /// The number of seeds.
    #[must_use]
    pub fn len(&self) -> u128 {
        self.0.iter().map(|range| u128::from(range.end() - range.start()) + 1).sum()
    }

    /// Always false: an empty text is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromStr for Seeds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.split(',').map(range).collect::<Result<_, _>>().map(Self)
    }
}

fn range(text: &str) -> Result<RangeInclusive<u64>, String> {
    let number = |text: &str| text.parse::<u64>().map_err(|_| HINT.to_owned());
    let (first, last) = match text.split_once('-') {
        Some((first, last)) => (number(first)?, number(last)?),
        None => (number(text)?, number(text)?),
    };
    if first <= last { Ok(first..=last) } else { Err(format!("write {last}-{first}")) }
}

const HINT: &str = "use seeds such as 7, 1-100 or 1,5,9-12";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_are_numbers_and_ranges() {
        for (text, expected) in [("7", &[7][..]), ("3-5", &[3, 4, 5]), ("1,5,9-11,5", &[1, 5, 9, 10, 11, 5])] {
            let seeds: Seeds = text.parse().expect(text);
            assert_eq!(seeds.iter().collect::<Vec<_>>(), expected);
            assert_eq!(seeds.len(), expected.len() as u128);
        }
        let all: Seeds = "0-18446744073709551615".parse().expect("all");
        assert_eq!(all.len(), 1 << 64);
        for text in ["", "a", "1-", "-1", "1,,2", "1-2-3", "18446744073709551616", " 1"] {
            assert_eq!(text.parse::<Seeds>(), Err(HINT.to_owned()), "{text}");
        }
        assert_eq!("9-1".parse::<Seeds>(), Err("write 1-9".to_owned()));
    }

    #[test]
    fn consecutive_seeds_wrap_around() {
        assert_eq!(Seeds::consecutive(5, 3).iter().collect::<Vec<_>>(), [5, 6, 7]);
        assert_eq!(Seeds::consecutive(u64::MAX, 1).iter().collect::<Vec<_>>(), [u64::MAX]);
        assert_eq!(Seeds::consecutive(u64::MAX, 3).iter().collect::<Vec<_>>(), [u64::MAX, 0, 1]);
    }
}
