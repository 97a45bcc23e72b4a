//! The config keys that all toxics have. The attributes of a type are declared beside its stage.

use super::effect::TYPE_NAMES;
use crate::value::Presence::{Optional, Otherwise, Required};
use crate::value::{Connections, Key, Kind, Millis, Probability, Scalar, Stream, Timeout, ToxicName, Written};

/// The keys of a toxic, in the order in which it is written.
pub const TOXIC: &[Key] = &[TYPE, NAME, STREAM, TOXICITY, ATTRIBUTES, CONNECTIONS, CLIENTS, AFTER, FOR];

/// The name of a type.
pub const TYPE: Key = Key::new(
    "type",
    "What it does; see below.",
    Kind::Word(TYPE_NAMES),
    Required(Some(|| Scalar::Text(TYPE_NAMES[0].to_owned()))),
);

/// The name of a toxic.
pub const NAME: Key = Key::new(
    "name",
    "What logs and random draws call it; 1 to 100 characters, distinct on the route.",
    ToxicName::KIND,
    Otherwise("`<type>_<stream>`"),
);

/// The streams that a toxic acts on.
pub const STREAM: Key = Key::new(
    "stream",
    "The direction of the bytes; from the client to the server, from the server to the client, or both.",
    Stream::KIND,
    Optional(|| Stream::default().write()),
);

/// The share of connections that a toxic acts on.
pub const TOXICITY: Key = Key::new(
    "toxicity",
    "The share of connections that it acts on; drawn once for a connection.",
    Probability::KIND,
    Optional(|| Probability::ALWAYS.write()),
);

/// The attributes of the type.
pub const ATTRIBUTES: Key =
    Key::new("attributes", "What its type needs; see below.", Kind::Nested("an object"), Otherwise("`{}`"));

/// The connections that a toxic applies to, by their numbers.
pub const CONNECTIONS: Key = Key::new(
    "connections",
    "The connections that it is meant for, numbered from 1; `\"1-2,5,10-\"`, or `\"*/3\"` for every third.",
    Connections::KIND,
    Otherwise("all"),
);

/// The clients that a toxic applies to.
pub const CLIENTS: Key = Key::new(
    "clients",
    "The clients that it is meant for; `\"::1\"`, or a list of addresses and networks: `[\"10.0.0.0/8\", \"::1\"]`.",
    Kind::Texts,
    Otherwise("all"),
);

/// When a toxic begins to act.
pub const AFTER: Key = Key::new(
    "after",
    "The time from the accept of a connection until it acts.",
    Millis::KIND,
    Optional(|| Millis::default().write()),
);

/// For how long a toxic acts.
pub const FOR: Key = Key::new("for", "The time that it acts then.", Timeout::KIND, Otherwise("to the end"));
