//! One entry in a route's list of toxics, and its form in a config. Whether it acts on a connection is decided by its
//! `value::Selector`.

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::Effect;
use super::keys::{
    AFTER, ATTRIBUTES, CLIENTS, CONNECTIONS, CONTAINS, CONTAINS_HEX, DESTINATIONS, FOR, MESSAGE, NAME, NTH, OFFSETS,
    STREAM, THEN, TOXICITY, TYPE, WATCHED, WHEN,
};
use crate::value::{
    Connections, Mark, Millis, Notation, Nth, Probability, Scalar, Selector, Stream, ToxicName, Trigger, Written,
};

/// A fault, and where and when it applies.
#[derive(Clone, Debug, PartialEq)]
pub struct Toxic {
    /// The name in logs and random draws, unique on its route.
    pub name: ToxicName,
    /// The directions that it acts in.
    pub stream: Stream,
    /// The share of the selected connections that it acts on. Drawn once per connection, for both directions.
    pub toxicity: Probability,
    /// The connections that it applies to, and when.
    pub selector: Selector,
    /// The point of the conversation from which it acts. `None`: from the accept on.
    pub when: Option<Trigger>,
    /// What it does.
    pub effect: Effect,
}

/// The form of a config file. Selector keys with default values are left out, because Toxiproxy's API does not have
/// them.
impl Serialize for Toxic {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry(TYPE.name, self.effect.as_str())?;
        map.serialize_entry(NAME.name, &self.name.write())?;
        map.serialize_entry(STREAM.name, &self.stream.write())?;
        map.serialize_entry(TOXICITY.name, &self.toxicity.write())?;
        map.serialize_entry(ATTRIBUTES.name, &self.effect)?;
        serialize_selector(&self.selector, &mut map)?;
        if let Some(trigger) = &self.when {
            map.serialize_entry(WHEN.name, &PrintedTrigger(trigger))?;
        }
        map.end()
    }
}

fn serialize_selector<M: SerializeMap>(selector: &Selector, map: &mut M) -> Result<(), M::Error> {
    let Selector { connections, clients, destinations, window, offsets } = selector;
    if *connections != Connections::default() {
        map.serialize_entry(CONNECTIONS.name, &connections.write())?;
    }
    if !clients.is_empty() {
        map.serialize_entry(CLIENTS.name, &clients.iter().map(Written::write).collect::<Vec<Scalar>>())?;
    }
    if !destinations.is_empty() {
        map.serialize_entry(DESTINATIONS.name, &destinations.iter().map(Written::write).collect::<Vec<Scalar>>())?;
    }
    if window.after != Millis::default() {
        map.serialize_entry(AFTER.name, &window.after.write())?;
    }
    if let Some(lasts) = window.lasts {
        map.serialize_entry(FOR.name, &lasts.write())?;
    }
    if !offsets.is_all() {
        map.serialize_entry(OFFSETS.name, &offsets.write())?;
    }
    Ok(())
}

/// The form of a config file, without defaults.
struct PrintedTrigger<'a>(&'a Trigger);

impl Serialize for PrintedTrigger<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(Trigger { stream, mark, then }) = self;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry(WATCHED.name, &stream.write())?;
        match mark {
            Mark::Message(point) => map.serialize_entry(MESSAGE.name, &point.to_string())?,
            Mark::Pattern(pattern, nth) => {
                let key = match pattern.notation() {
                    Notation::Text => CONTAINS,
                    Notation::Hex => CONTAINS_HEX,
                };
                map.serialize_entry(key.name, &pattern.written())?;
                if *nth != Nth::default() {
                    map.serialize_entry(NTH.name, &nth.write())?;
                }
            }
        }
        if *then != mark.usual_order() {
            map.serialize_entry(THEN.name, &then.write())?;
        }
        map.end()
    }
}

/// An object with all attributes.
impl Serialize for Effect {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.attributes())
    }
}
