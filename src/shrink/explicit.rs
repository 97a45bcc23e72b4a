//! A config in which nothing is left to chance: each fault says on which connections and bytes it acts, and does so each
//! time.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::acts::{Act, Hit};
use super::faults::{name_of, toxics_mut};
use crate::plan::keys::{DROP_MODE, DROP_RATE, ROUTES};
use crate::toxic::keys::{ATTRIBUTES, CONNECTIONS, NAME, OFFSETS, STREAM, TOXICITY, TYPE};

/// Rewrites drops, and toxics with draws, as faults that always act where these have acted.
pub(super) fn explicit(config: &Value, hits: &[Hit], acts: &[Act]) -> Value {
    let mut config = without_drop_rates(config, hits);
    let mut by_toxic: BTreeMap<(&str, &str), Vec<&Act>> = BTreeMap::new();
    for act in acts {
        by_toxic.entry((&act.route, &act.toxic)).or_default().push(act);
    }
    for ((route, toxic), acts) in by_toxic {
        let Some(toxics) = toxics_mut(&mut config, route) else { continue };
        let Some(place) = toxics.iter().position(|found| name_of(found) == toxic) else { continue };
        let rewritten = rewritten(&toxics[place], &acts);
        toxics.splice(place..=place, rewritten);
    }
    for route in config[ROUTES.name].as_array_mut().into_iter().flatten() {
        let toxics = route["toxics"].as_array_mut().into_iter().flatten();
        toxics.for_each(|toxic| toxic[TOXICITY.name] = json!(1.0));
    }
    config
}

/// The toxics that do what this one has done.
fn rewritten(toxic: &Value, acts: &[&Act]) -> Vec<Value> {
    match toxic[TYPE.name].as_str().unwrap_or_default() {
        "latency" | "packet_loss" => numbered(acts.iter().map(|act| delay(toxic, act))),
        "corrupt" => numbered(acts.iter().map(|act| flip(toxic, act))),
        _ => {
            let mut connections: Vec<u64> = acts.iter().map(|act| act.connection).collect();
            connections.dedup();
            let numbers: Vec<String> = connections.iter().map(u64::to_string).collect();
            let mut toxic = toxic.clone();
            toxic[CONNECTIONS.name] = numbers.join(",").into();
            vec![toxic]
        }
    }
}

/// A delay of a segment is one of its first byte: what follows waits for it.
fn delay(toxic: &Value, act: &Act) -> Value {
    let mut delay = at(toxic, act);
    delay[TYPE.name] = "latency".into();
    delay[ATTRIBUTES.name] = json!({ "latency": act.delay_ms });
    delay
}

fn flip(toxic: &Value, act: &Act) -> Value {
    let mut flip = at(toxic, act);
    flip[ATTRIBUTES.name] = json!({ "rate": 1.0 });
    flip
}

/// The toxic at the place of the act only.
fn at(toxic: &Value, act: &Act) -> Value {
    let mut toxic = toxic.clone();
    toxic[STREAM.name] = act.stream.as_str().into();
    toxic[CONNECTIONS.name] = act.connection.to_string().into();
    toxic[OFFSETS.name] = act.offset.to_string().into();
    toxic
}

/// Gives each a name of its own, if there are several.
fn numbered(toxics: impl Iterator<Item = Value>) -> Vec<Value> {
    let mut toxics: Vec<Value> = toxics.collect();
    if toxics.len() > 1 {
        for (number, toxic) in (1..).zip(&mut toxics) {
            toxic[NAME.name] = format!("{}_{number}", name_of(toxic)).into();
        }
    }
    toxics
}

/// A dropped connection becomes one that a toxic ends at once.
fn without_drop_rates(config: &Value, hits: &[Hit]) -> Value {
    let mut config = config.clone();
    for route in config[ROUTES.name].as_array_mut().into_iter().flatten() {
        let name = name_of(route);
        let dropped: Vec<String> = hits
            .iter()
            .filter(|hit| hit.route == name && hit.toxic.is_none())
            .map(|hit| hit.connection.to_string())
            .collect();
        let is_set = route[DROP_RATE.name].as_f64().is_some_and(|rate| rate > 0.0);
        route[DROP_RATE.name] = json!(0.0);
        if is_set && !dropped.is_empty() {
            let mut toxic = drop_toxic(route[DROP_MODE.name].as_str().unwrap_or_default());
            toxic[CONNECTIONS.name] = dropped.join(",").into();
            route["toxics"].as_array_mut().into_iter().for_each(|toxics| toxics.insert(0, toxic.clone()));
        }
    }
    config
}

fn drop_toxic(mode: &str) -> Value {
    match mode {
        "reset" => json!({ "name": "dropped", "type": "reset_peer", "stream": "downstream" }),
        "hang" => json!({ "name": "dropped", "type": "timeout", "stream": "both" }),
        _ => json!({ "name": "dropped", "type": "limit_time", "stream": "downstream", "attributes": { "time": 0 } }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn act(toxic: &str, offset: u64) -> Act {
        let (route, stream) = ("r".to_owned(), "upstream".to_owned());
        Act { route, toxic: toxic.to_owned(), connection: 2, stream, offset, delay_ms: 30 }
    }

    #[test]
    fn nothing_is_left_to_chance() {
        let corrupt =
            json!({ "name": "c", "type": "corrupt", "stream": "both", "toxicity": 0.5, "attributes": { "rate": 0.1 } });
        let loss = json!({ "name": "l", "type": "packet_loss", "stream": "both", "attributes": { "loss_rate": 0.1 } });
        let route = json!({ "name": "r", "dropRate": 0.3, "dropMode": "reset", "toxics": [corrupt, loss] });
        let drop = Hit { route: "r".to_owned(), toxic: None, connection: 4 };
        let acts = [act("c", 7), act("l", 0), act("l", 1448)];
        let config = explicit(&json!({ "routes": [route] }), &[drop], &acts);
        let expected = json!([
            { "name": "dropped", "type": "reset_peer", "stream": "downstream", "connections": "4", "toxicity": 1.0 },
            { "name": "c", "type": "corrupt", "stream": "upstream", "toxicity": 1.0, "connections": "2", "offsets": "7",
              "attributes": { "rate": 1.0 } },
            { "name": "l_1", "type": "latency", "stream": "upstream", "toxicity": 1.0, "connections": "2", "offsets": "0",
              "attributes": { "latency": 30 } },
            { "name": "l_2", "type": "latency", "stream": "upstream", "toxicity": 1.0, "connections": "2", "offsets": "1448",
              "attributes": { "latency": 30 } },
        ]);
        assert_eq!((&config["routes"][0]["toxics"], &config["routes"][0]["dropRate"]), (&expected, &json!(0.0)));
        for toxic in expected.as_array().into_iter().flatten() {
            crate::config::parse_toxic("it", &toxic.to_string(), crate::config::Syntax::Json)
                .unwrap_or_else(|report| panic!("{report}"));
        }
    }
}
