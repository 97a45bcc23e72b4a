//! The config keys that all toxics have. The attributes of a type are declared beside its stage.

use super::effect::TYPE_NAMES;
use crate::value::Presence::{Optional, Otherwise, Required};
use crate::value::{
    Connections, Direction, Key, Kind, Millis, Nth, Offsets, Probability, Scalar, Stream, Then, Timeout, ToxicName,
    Written,
};

/// The keys of a toxic, in the order in which it is written.
pub const TOXIC: &[Key] =
    &[TYPE, NAME, STREAM, TOXICITY, ATTRIBUTES, CONNECTIONS, CLIENTS, DESTINATIONS, AFTER, FOR, OFFSETS, WHEN];

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

/// The destinations that a toxic applies to.
pub const DESTINATIONS: Key = Key::new(
    "destinations",
    "The destinations that it is meant for; `\":443\"`, or a list of networks and ports: `[\"10.0.0.0/8:5432\", \"[fd00::/8]:80-99\"]`.",
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

/// The bytes that a toxic acts on.
pub const OFFSETS: Key = Key::new(
    "offsets",
    "The bytes of the stream that it acts on, numbered from 0; `\"0-99,1448,5000-\"`. Then it does not act on the end.",
    Offsets::KIND,
    Otherwise("all, and the end"),
);

/// The point of the conversation from which a toxic acts.
pub const WHEN: Key = Key::new(
    "when",
    "The point of the conversation from which it acts; see [Triggers](#triggers).",
    Kind::Nested("an object"),
    Otherwise("from the start"),
);

/// The keys of a trigger, in the order in which it is written.
pub const TRIGGER: &[Key] = &[WATCHED, CONTAINS, CONTAINS_HEX, NTH, MESSAGE, THEN];

/// The stream that a trigger watches.
pub const WATCHED: Key =
    Key::new("stream", "The stream that is watched.", Direction::KIND, Otherwise("the toxic's own"));

/// The text that a trigger waits for.
pub const CONTAINS: Key = Key::new("contains", "The text to wait for, in UTF-8.", Kind::Text, Otherwise("none"));

/// The bytes that a trigger waits for.
pub const CONTAINS_HEX: Key =
    Key::new("containsHex", "The bytes to wait for, as hexadecimal digits; `\"0d0a\"`.", Kind::Text, Otherwise("none"));

/// Which match of a pattern counts.
pub const NTH: Key = Key::new(
    "nth",
    "Which match of the text or bytes counts; `\"*\"` is each of them, for a toxic that can act again.",
    Nth::KIND,
    Optional(|| Nth::default().write()),
);

/// The message that a trigger waits for.
pub const MESSAGE: Key = Key::new(
    "message",
    "The message of that stream to wait for, from 1; `\"3:10\"` is the tenth byte of the third one, `\"3:last\"` its last.",
    Kind::Nested("a number or text"),
    Otherwise("none"),
);

/// Whether the mark passes before the toxic acts.
pub const THEN: Key = Key::new(
    "then",
    "Whether it acts from the first of these bytes on, which is held back, or from the byte after them on.",
    Then::KIND,
    Otherwise("`before` for a message, else `after`"),
);
