//! What faults have done in a run, as its log has it, and configs in which a toxic does only a part of that. Rates and
//! names stay, so that each draw stays what it was.

use std::collections::BTreeSet;

use serde_json::Value;

use super::faults::{Fault, FaultKind, name_of, toxics_mut};
use crate::toxic::keys::{CONNECTIONS, OFFSETS};

/// An act of a toxic on a byte.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Act {
    pub(super) route: String,
    pub(super) toxic: String,
    pub(super) connection: u64,
    pub(super) stream: String,
    pub(super) offset: u64,
    /// In milliseconds, rounded up; 0 if it was no delay.
    pub(super) delay_ms: u64,
}

/// A connection on which a fault has acted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Hit {
    pub(super) route: String,
    /// `None` for the drop rate.
    pub(super) toxic: Option<String>,
    pub(super) connection: u64,
}

/// All acts on bytes in a log, in order of their streams.
pub(super) fn acts(log: &[Value]) -> Vec<Act> {
    let act = |line: &Value| {
        Some(Act {
            route: line["route"].as_str()?.to_owned(),
            toxic: line["toxic"].as_str()?.to_owned(),
            connection: line["conn"].as_u64()?,
            stream: line["stream"].as_str()?.to_owned(),
            offset: line["offset"].as_u64()?,
            delay_ms: line["delay_us"].as_u64().unwrap_or_default().div_ceil(1000),
        })
    };
    let acts: BTreeSet<Act> = injected(log).filter_map(act).collect();
    acts.into_iter().collect()
}

/// All connections on which toxics and drop rates have acted.
pub(super) fn hits(log: &[Value]) -> Vec<Hit> {
    let hit = |line: &Value| {
        let toxic = line["toxic"].as_str().map(str::to_owned);
        let is_known = toxic.is_some() || line["fault"] == "drop";
        let hit = Hit { route: line["route"].as_str()?.to_owned(), toxic, connection: line["conn"].as_u64()? };
        is_known.then_some(hit)
    };
    let hits: BTreeSet<Hit> = injected(log).filter_map(hit).collect();
    hits.into_iter().collect()
}

fn injected(log: &[Value]) -> impl Iterator<Item = &Value> {
    log.iter().filter(|line| line["msg"] == "fault injected")
}

/// The config in which toxics act on these of the connections that they have hit. A drop rate can't be restricted, and
/// stays.
pub(super) fn on_connections(config: &Value, hits: &[Hit], kept: &[Hit]) -> Value {
    let mut config = config.clone();
    let toxics: BTreeSet<(&String, &String)> =
        hits.iter().filter_map(|hit| Some((&hit.route, hit.toxic.as_ref()?))).collect();
    for (route, toxic) in toxics {
        let numbers = |hits: &[Hit]| -> Vec<u64> {
            let of_toxic = hits.iter().filter(|hit| hit.route == *route && hit.toxic.as_ref() == Some(toxic));
            of_toxic.map(|hit| hit.connection).collect()
        };
        restrict(&mut config, route, toxic, CONNECTIONS.name, ranges(&numbers(hits), &numbers(kept)));
    }
    config
}

/// The config in which a toxic acts on the bytes of these acts only.
pub(super) fn on_bytes(config: &Value, acts: &[Act], kept: &[Act]) -> Value {
    let mut config = config.clone();
    let Some(first) = acts.first() else { return config };
    let offsets =
        |acts: &[Act]| acts.iter().map(|act| act.offset).collect::<BTreeSet<u64>>().into_iter().collect::<Vec<_>>();
    restrict(&mut config, &first.route, &first.toxic, OFFSETS.name, ranges(&offsets(acts), &offsets(kept)));
    config
}

/// Sets a selector of a toxic, or removes the toxic if nothing is selected.
fn restrict(config: &mut Value, route: &str, toxic: &str, key: &str, selection: Option<String>) {
    let Some(toxics) = toxics_mut(config, route) else { return };
    match selection {
        None => toxics.retain(|found| name_of(found) != toxic),
        Some(selection) => {
            for found in toxics.iter_mut().filter(|found| name_of(found) == toxic) {
                found[key] = selection.as_str().into();
            }
        }
    }
}

/// Ranges with the kept numbers and no other of `all`: what is between two of them that follow each other in `all` does not
/// matter. `None` if none is kept.
fn ranges(all: &[u64], kept: &[u64]) -> Option<String> {
    let mut ranges: Vec<(u64, u64)> = Vec::new();
    let mut previous = None;
    for number in all {
        let is_kept = kept.contains(number);
        match ranges.last_mut().filter(|_| previous == Some(true)) {
            Some((_, last)) if is_kept => *last = *number,
            _ if is_kept => ranges.push((*number, *number)),
            _ => {}
        }
        previous = Some(is_kept);
    }
    let written =
        ranges.iter().map(|(first, last)| if first == last { first.to_string() } else { format!("{first}-{last}") });
    Some(written.collect::<Vec<_>>().join(",")).filter(|text| !text.is_empty())
}

impl Hit {
    /// The fault that has hit.
    pub(super) fn fault(&self) -> Fault {
        let kind = self.toxic.clone().map_or(FaultKind::Drops, FaultKind::Toxic);
        Fault { route: self.route.clone(), kind }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn ranges_leave_out_what_is_not_kept() {
        let all = [1, 4, 5, 9, 12];
        for (kept, expected) in [
            (&[1, 4, 5][..], Some("1-5")),
            (&[1, 5, 9], Some("1,5-9")),
            (&[12], Some("12")),
            (&[1, 4, 5, 9, 12], Some("1-12")),
            (&[], None),
        ] {
            assert_eq!(ranges(&all, kept).as_deref(), expected, "{kept:?}");
        }
    }

    #[test]
    fn a_log_has_acts_and_hits() {
        let line = |toxic: &str, conn: u64, offset: u64| {
            json!({ "msg": "fault injected", "route": "r", "conn": conn, "fault": "latency", "toxic": toxic,
                "stream": "upstream", "offset": offset, "delay_us": 1500 })
        };
        let drop = json!({ "msg": "fault injected", "route": "r", "conn": 3, "fault": "drop", "mode": "close" });
        let log = [line("x", 2, 7), line("x", 2, 5), line("y", 1, 0), drop, json!({ "msg": "other", "conn": 9 })];
        let offsets: Vec<(u64, u64, u64)> =
            acts(&log).iter().map(|act| (act.connection, act.offset, act.delay_ms)).collect();
        assert_eq!(offsets, [(2, 5, 2), (2, 7, 2), (1, 0, 2)]);
        let hit: Vec<(Option<String>, u64)> = hits(&log).into_iter().map(|hit| (hit.toxic, hit.connection)).collect();
        assert_eq!(hit, [(None, 3), (Some("x".to_owned()), 2), (Some("y".to_owned()), 1)]);
    }
}
