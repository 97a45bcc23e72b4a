//! A comparison of a figure with a number: how it is written, and whether it holds.

use std::fmt;
use std::str::FromStr;

use crate::value::{Rejected, Scalar};

/// A comparison with a number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Comparison {
    operator: Operator,
    number: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    AtLeast,
    Above,
    AtMost,
    Below,
    Equal,
    Unequal,
}

/// Longer operators come before those that they begin with.
const OPERATORS: [(&str, Operator); 6] = [
    (">=", Operator::AtLeast),
    ("<=", Operator::AtMost),
    ("==", Operator::Equal),
    ("!=", Operator::Unequal),
    (">", Operator::Above),
    ("<", Operator::Below),
];

/// What others write for an operator.
const MISTAKEN: [(&str, &str); 8] =
    [("=>", ">="), ("=<", "<="), ("≥", ">="), ("≤", "<="), ("<>", "!="), ("≠", "!="), ("===", "=="), ("=", "==")];

/// The largest number such that f64 has it and all whole numbers below: 2^53.
const MAX_NUMBER: f64 = 9_007_199_254_740_992.0;

impl Comparison {
    /// Parses a number, which has to be equal, or an operator and a number.
    ///
    /// # Errors
    /// It is neither.
    pub fn read(scalar: &Scalar) -> Result<Self, Rejected> {
        match scalar {
            #[expect(clippy::cast_precision_loss, reason = "numbers above 2^53 are rejected")]
            Scalar::Whole(number) => Self::new(Operator::Equal, *number as f64, scalar),
            Scalar::Real(number) => Self::new(Operator::Equal, *number, scalar),
            Scalar::Text(text) => text.parse(),
            Scalar::Flag(_) => Err(Rejected::new(format!("{scalar} is not a comparison"), EXAMPLE)),
        }
    }

    fn new(operator: Operator, number: f64, written: impl fmt::Display) -> Result<Self, Rejected> {
        if (0.0..=MAX_NUMBER).contains(&number) {
            Ok(Self { operator, number })
        } else {
            Err(Rejected::new(format!("{written} is out of range"), format!("use a number, 0 to {MAX_NUMBER}")))
        }
    }

    /// Writes the comparison as a scalar that `read` accepts.
    #[must_use]
    pub fn write(&self) -> Scalar {
        match self.operator {
            Operator::Equal => Scalar::Real(self.number),
            _ => Scalar::Text(self.to_string()),
        }
    }

    /// Whether `figure` is what is wanted.
    #[must_use]
    #[expect(clippy::float_cmp, reason = "equal means equal; counts are exact")]
    pub fn holds(&self, figure: f64) -> bool {
        match self.operator {
            Operator::AtLeast => figure >= self.number,
            Operator::Above => figure > self.number,
            Operator::AtMost => figure <= self.number,
            Operator::Below => figure < self.number,
            Operator::Equal => figure == self.number,
            Operator::Unequal => figure != self.number,
        }
    }
}

const EXAMPLE: &str = "write an operator and a number, such as \">= 100\", or a number alone";

impl FromStr for Comparison {
    type Err = Rejected;

    fn from_str(text: &str) -> Result<Self, Rejected> {
        match parts(text.trim()) {
            Some((operator, number)) => Self::new(operator, number, format_args!("`{text}`")),
            None => Err(Rejected::new(format!("`{text}` is not a comparison"), hint(text.trim()))),
        }
    }
}

/// The operator and the number of a comparison.
fn parts(text: &str) -> Option<(Operator, f64)> {
    let found = OPERATORS.iter().find_map(|(word, operator)| Some((*operator, text.strip_prefix(word)?)));
    let (operator, number) = found.unwrap_or((Operator::Equal, text));
    Some((operator, number.trim().parse().ok()?))
}

fn hint(text: &str) -> String {
    let split = text.find(|c: char| c.is_ascii_digit()).unwrap_or(text.len());
    let (operator, number) = (text[..split].trim(), &text[split..]);
    let operator = MISTAKEN.iter().find(|(wrong, _)| *wrong == operator).map_or(operator, |(_, right)| right);
    let number = number.trim_end_matches(|c: char| !c.is_ascii_digit());
    let fixed = format!("{operator} {number}");
    match parts(fixed.trim()) {
        Some(_) => format!("write \"{}\"; times are in ms", fixed.trim()),
        None => EXAMPLE.to_owned(),
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = OPERATORS.iter().find(|(_, operator)| *operator == self.operator).map_or("", |(word, _)| word);
        write!(f, "{word} {}", self.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compares_with_each_operator() {
        for (text, holds) in [
            (">= 2", [false, true, true]),
            ("> 2", [false, false, true]),
            ("<=2", [true, true, false]),
            ("<  2", [true, false, false]),
            ("== 2", [false, true, false]),
            ("2", [false, true, false]),
            ("!= 2.0", [true, false, true]),
        ] {
            let comparison: Comparison = text.parse().expect("valid");
            assert_eq!([1.0, 2.0, 2.5].map(|figure| comparison.holds(figure)), holds, "{text}");
            assert_eq!(Comparison::read(&comparison.write()), Ok(comparison), "{text}");
        }
        assert_eq!(Comparison::read(&Scalar::Whole(2)), "== 2".parse());
    }

    #[test]
    fn a_bad_comparison_says_what_to_write() {
        for (text, hint) in [
            ("=> 5", "write \">= 5\"; times are in ms"),
            ("=5", "write \"== 5\"; times are in ms"),
            ("< 500ms", "write \"< 500\"; times are in ms"),
            ("≥ 5", "write \">= 5\"; times are in ms"),
            ("many", EXAMPLE),
            ("", EXAMPLE),
            (">", EXAMPLE),
            ("> -1", "use a number, 0 to 9007199254740992"),
            ("> NaN", "use a number, 0 to 9007199254740992"),
            ("1e300", "use a number, 0 to 9007199254740992"),
        ] {
            assert_eq!(text.parse::<Comparison>().expect_err(text).hint, hint, "{text}");
        }
    }
}
