//! Proxies and toxics as Toxiproxy's API prints them.

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::error::ToxiproxyError;
use super::toxic_draft::is_toxiproxys;
use crate::http::{Response, Status};
use crate::plan::{Route, RouteState};
use crate::toxic::keys::{
    AFTER, ATTRIBUTES, CLIENTS, CONNECTIONS, DESTINATIONS, FOR, NAME, OFFSETS, STREAM, TOXICITY, TYPE, WHEN,
};
use crate::toxic::{Effect, Toxic};
use crate::value::{Direction, Key, Presence, Scalar, Written};

/// A response with JSON.
pub fn answer(status: Status, content: &impl Serialize) -> Result<Response, ToxiproxyError> {
    let json = serde_json::to_vec(content).map_err(|error| ToxiproxyError::Internal(error.to_string()))?;
    Ok(Response::new(status, "application/json", json))
}

/// A route as a proxy.
pub struct Proxy<'a>(pub &'a Route);

impl Serialize for Proxy<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(route) = self;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("name", route.name.as_str())?;
        map.serialize_entry("listen", &route.listen())?;
        map.serialize_entry("upstream", &route.upstream.to_string())?;
        map.serialize_entry("enabled", &(route.state == RouteState::Enabled))?;
        // Toxiproxy prints it by accident, and clients may rely on it.
        map.serialize_entry("Logger", &serde_json::Map::new())?;
        map.serialize_entry("toxics", &toxics(route))?;
        map.end()
    }
}

/// The toxics of a route: those of the upstream direction, including those of both, and then the others.
pub fn toxics(route: &Route) -> Vec<PrintedToxic<'_>> {
    let (upstream, downstream): (Vec<_>, Vec<_>) =
        route.toxics.iter().partition(|toxic| toxic.stream.covers(Direction::Upstream));
    upstream.into_iter().chain(downstream).map(PrintedToxic).collect()
}

/// A toxic, with the keys that Toxiproxy does not have if their values are not the defaults. Clients may not expect
/// them.
pub struct PrintedToxic<'a>(pub &'a Toxic);

impl Serialize for PrintedToxic<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(toxic) = self;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry(ATTRIBUTES.name, &Attributes(&toxic.effect))?;
        map.serialize_entry(NAME.name, toxic.name.as_str())?;
        map.serialize_entry(TYPE.name, toxic.effect.as_str())?;
        map.serialize_entry(STREAM.name, toxic.stream.as_str())?;
        map.serialize_entry(TOXICITY.name, &Number(&toxic.toxicity.write()))?;
        let config = serde_json::to_value(toxic).map_err(serde::ser::Error::custom)?;
        for key in [CONNECTIONS, CLIENTS, DESTINATIONS, AFTER, FOR, OFFSETS, WHEN] {
            if let Some(value) = config.get(key.name) {
                map.serialize_entry(key.name, value)?;
            }
        }
        map.end()
    }
}

struct Attributes<'a>(&'a Effect);

impl Serialize for Attributes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(effect) = self;
        let toxic_type = effect.toxic_type();
        let is_printed = |key: &Key, value: &Scalar| is_toxiproxys(toxic_type, key) || !is_default(key, value);
        let printed = toxic_type.attributes.iter().zip(effect.attributes());
        let printed = printed.filter(|(key, (_, value))| is_printed(key, value));
        let printed: Vec<_> = printed.map(|(_, attribute)| attribute).collect();
        serializer.collect_map(printed.iter().map(|(name, value)| (name, Number(value))))
    }
}

/// A key that is required has no default: its value for examples is not one.
fn is_default(key: &Key, value: &Scalar) -> bool {
    matches!(key.presence, Presence::Optional(default) if default() == *value)
}

/// A value, of which a whole number is printed without a fraction, as in Go.
struct Number<'a>(&'a Scalar);

impl Serialize for Number<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Scalar::Real(0.0) => serializer.serialize_u8(0),
            Scalar::Real(1.0) => serializer.serialize_u8(1),
            other => other.serialize(serializer),
        }
    }
}
