//! One entry in a route's list of toxics: what it does, and to which bytes of which connections.

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::Effect;
use super::keys::{AFTER, ATTRIBUTES, CLIENTS, CONNECTIONS, FOR, NAME, STREAM, TOXICITY, TYPE};
use crate::value::{Connections, Millis, Probability, Scalar, Selector, Stream, ToxicName, Written};

/// One fault, and where it is aimed.
#[derive(Clone, Debug, PartialEq)]
pub struct Toxic {
    /// What logs and random draws know it by; no other toxic of the route has it.
    pub name: ToxicName,
    /// The directions that it acts in.
    pub stream: Stream,
    /// The share of the connections it is aimed at that it acts on: drawn once for each, for both directions.
    pub toxicity: Probability,
    /// The connections and the time that it is meant for.
    pub selector: Selector,
    /// What it does to them.
    pub effect: Effect,
}

/// As a config has it. What a selector leaves out it leaves out here, as Toxiproxy's API has no such keys.
impl Serialize for Toxic {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry(TYPE.name, self.effect.as_str())?;
        map.serialize_entry(NAME.name, &self.name.write())?;
        map.serialize_entry(STREAM.name, &self.stream.write())?;
        map.serialize_entry(TOXICITY.name, &self.toxicity.write())?;
        map.serialize_entry(ATTRIBUTES.name, &self.effect)?;
        serialize_selector(&self.selector, &mut map)?;
        map.end()
    }
}

fn serialize_selector<M: SerializeMap>(selector: &Selector, map: &mut M) -> Result<(), M::Error> {
    let Selector { connections, clients, window } = selector;
    if *connections != Connections::default() {
        map.serialize_entry(CONNECTIONS.name, &connections.write())?;
    }
    if !clients.is_empty() {
        map.serialize_entry(CLIENTS.name, &clients.iter().map(Written::write).collect::<Vec<Scalar>>())?;
    }
    if window.after != Millis::default() {
        map.serialize_entry(AFTER.name, &window.after.write())?;
    }
    if let Some(lasts) = window.lasts {
        map.serialize_entry(FOR.name, &lasts.write())?;
    }
    Ok(())
}

/// Its attributes, all of them.
impl Serialize for Effect {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.attributes())
    }
}
