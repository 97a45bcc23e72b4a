//! The toxics of requests. They are put into the form of a config file and checked as those of a file, so that they
//! have the same hints.

use serde_json::{Map, Value};

use super::body::Fields;
use super::error::ToxiproxyError;
use crate::config::{CHANGEABLE_KEYS, Syntax, parse_toxic};
use crate::toxic::keys::{ATTRIBUTES, NAME, STREAM, TYPE, WHEN};
use crate::toxic::{TYPES, Toxic, ToxicType};
use crate::value::{Key, Kind, Presence, Stream};

/// The toxics of Toxiproxy and their attributes.
const TOXIPROXY: &[(&str, &[&str])] = &[
    ("latency", &["latency", "jitter"]),
    ("bandwidth", &["rate"]),
    ("slow_close", &["delay"]),
    ("timeout", &["timeout"]),
    ("slicer", &["average_size", "size_variation", "delay"]),
    ("limit_data", &["bytes"]),
    ("reset_peer", &["timeout"]),
];

/// Whether Toxiproxy has this attribute too.
pub fn is_toxiproxys(toxic_type: &ToxicType, attribute: &Key) -> bool {
    TOXIPROXY.iter().any(|(name, attributes)| *name == toxic_type.name && attributes.contains(&attribute.name))
}

/// A toxic of a request, of which the attributes are not checked yet.
#[derive(Debug)]
pub struct ToxicDraft {
    pub name: String,
    stream: Stream,
    toxic_type: &'static ToxicType,
    fields: Fields,
}

impl ToxicDraft {
    /// Checks the stream first, then the type. The default name has the stream as it was sent.
    pub fn read(fields: Fields) -> Result<Self, ToxiproxyError> {
        let (name, toxic_type) = (fields.text(NAME.name)?, fields.text(TYPE.name)?.unwrap_or_default());
        let sent = fields.text(STREAM.name)?.unwrap_or_else(|| Stream::default().as_str());
        let stream = sent.to_ascii_lowercase().parse().map_err(|_| ToxiproxyError::InvalidStream)?;
        let name = name.filter(|name| !name.is_empty());
        let name = name.map_or_else(|| format!("{toxic_type}_{sent}"), str::to_owned);
        let toxic_type = TYPES.iter().find(|known| known.name == toxic_type).ok_or(ToxiproxyError::InvalidType)?;
        Ok(Self { name, stream, toxic_type, fields })
    }

    /// The toxic. An attribute of Toxiproxy that is missing is 0, as there, unless 0 is out of range.
    pub fn toxic(&self) -> Result<Toxic, ToxiproxyError> {
        let zeros = self.toxic_type.attributes.iter().filter(|attribute| is_zero_if_absent(self.toxic_type, attribute));
        let zeros: Map<String, Value> = zeros.map(|attribute| (attribute.name.to_owned(), 0.into())).collect();
        let mut config = Map::from_iter([
            (NAME.name.to_owned(), self.name.clone().into()),
            (TYPE.name.to_owned(), self.toxic_type.name.into()),
            (STREAM.name.to_owned(), self.stream.as_str().into()),
            (ATTRIBUTES.name.to_owned(), zeros.into()),
        ]);
        apply(&self.fields, self.toxic_type, &mut config)?;
        check(config)
    }
}

/// The toxic with the changes of an update, which can't change its name, type and stream.
pub fn updated(toxic: &Toxic, changes: &Fields) -> Result<Toxic, ToxiproxyError> {
    let config = serde_json::to_value(toxic).map_err(|error| ToxiproxyError::Internal(error.to_string()))?;
    let Value::Object(mut config) = config else { return Ok(toxic.clone()) };
    apply(changes, toxic.effect.toxic_type(), &mut config)?;
    check(config)
}

fn is_zero_if_absent(toxic_type: &ToxicType, attribute: &Key) -> bool {
    let has_zero = matches!(attribute.kind, Kind::Whole(bounds) if bounds.least == 0);
    has_zero && matches!(attribute.presence, Presence::Required(_)) && is_toxiproxys(toxic_type, attribute)
}

/// Sets what the fields have. Unknown ones are ignored, as in Toxiproxy.
fn apply(fields: &Fields, toxic_type: &ToxicType, config: &mut Map<String, Value>) -> Result<(), ToxiproxyError> {
    for key in CHANGEABLE_KEYS.iter().chain([&WHEN]) {
        if let Some(value) = fields.get(key.name) {
            config.insert(key.name.to_owned(), value.clone());
        }
    }
    let given = fields.get(ATTRIBUTES.name).cloned().unwrap_or_default();
    let given = Fields::of(ATTRIBUTES.name, given)?;
    let Some(Value::Object(attributes)) = config.get_mut(ATTRIBUTES.name) else { return Ok(()) };
    for attribute in toxic_type.attributes {
        if let Some(value) = given.get(attribute.name) {
            attributes.insert(attribute.name.to_owned(), value.clone());
        }
    }
    Ok(())
}

fn check(config: Map<String, Value>) -> Result<Toxic, ToxiproxyError> {
    parse_toxic("toxic", &Value::Object(config).to_string(), Syntax::Json)
        .map_err(|report| ToxiproxyError::of_toxic(&report))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_attribute_of_toxiproxy_is_declared() {
        for (name, attributes) in TOXIPROXY {
            let toxic_type = TYPES.iter().find(|it| it.name == *name).expect(name);
            let declared = |attribute: &str| toxic_type.attributes.iter().any(|key| key.name == attribute);
            assert!(attributes.iter().all(|attribute| declared(attribute)), "{name}");
        }
    }
}
