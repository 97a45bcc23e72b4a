//! What toxics have done to a connection, as a value of its closing log line.

use std::collections::BTreeMap;

use super::micros;
use crate::logging::LogfmtValue;
use crate::toxic::{Amount, NEVER, ToxicSummary};

/// `corrupt_downstream=3,3B latency_both=12,200000us`: the number of acts of each toxic, and their total extent. Both
/// directions of a toxic are added up. Names are quoted as values of logfmt are.
pub(super) fn toxic_sums(summaries: &[ToxicSummary]) -> String {
    let mut sums: BTreeMap<(&str, &str), (u64, Amount)> = BTreeMap::new();
    for ToxicSummary { toxic, times, amount } in summaries {
        let sum = |(count, total): &mut (u64, Amount)| (*count, *total) = (*count + times, total.and(*amount));
        sums.entry((toxic.name.as_str(), toxic.effect.as_str())).and_modify(sum).or_insert((*times, *amount));
    }
    let text = |((name, _), (times, amount)): (&(&str, &str), &(u64, Amount))| {
        let name = LogfmtValue(name);
        match *amount {
            Amount::Delay(NEVER) => format!("{name}={times},forever"),
            Amount::Delay(delay) => format!("{name}={times},{}us", micros(delay)),
            Amount::Bytes(bytes) => format!("{name}={times},{bytes}B"),
        }
    };
    sums.iter().map(text).collect::<Vec<_>>().join(" ")
}
