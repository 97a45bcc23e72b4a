//! The messages of a run, as the file of `--messages` has them: how it is written, and how it is read.

use serde_json::{Value, json};

use crate::proxy::RecordedConnection;
use crate::toxic::Message;
use crate::value::Direction;

/// The text of the file: a list of connections in the order of their accepts.
#[must_use]
pub fn text(connections: &[RecordedConnection]) -> String {
    let list: Vec<Value> = connections.iter().map(connection_json).collect();
    format!("{:#}\n", Value::from(list))
}

fn connection_json(connection: &RecordedConnection) -> Value {
    let messages: Vec<Value> = connection.messages.iter().map(message_json).collect();
    json!({ "route": connection.route.as_str(), "connection": connection.number, "messages": messages })
}

fn message_json(Message { stream, number, offset, length, preview }: &Message) -> Value {
    let preview = preview.escape_ascii().to_string();
    json!({ "stream": stream.as_str(), "message": number, "offset": offset, "bytes": length, "preview": preview })
}

/// A connection of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// The name of its route.
    pub route: String,
    /// Its number on the route.
    pub number: u64,
    /// Its messages, in the order in which they began.
    pub messages: Vec<Sketch>,
}

/// What is known of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sketch {
    /// The direction of its bytes.
    pub stream: Direction,
    /// Its number in this stream, from 1.
    pub number: u64,
    /// The number of its bytes.
    pub length: u64,
    /// Its first bytes, with escapes for those that are not printable.
    pub preview: String,
}

/// The connections of a file. `None` if it is not one that [`text`] has written.
#[must_use]
pub fn read(text: &str) -> Option<Vec<Recorded>> {
    let file: Value = serde_json::from_str(text).ok()?;
    file.as_array()?.iter().map(read_connection).collect()
}

fn read_connection(connection: &Value) -> Option<Recorded> {
    let messages = connection["messages"].as_array()?.iter().map(read_message).collect::<Option<_>>()?;
    let route = connection["route"].as_str()?.to_owned();
    Some(Recorded { route, number: connection["connection"].as_u64()?, messages })
}

fn read_message(message: &Value) -> Option<Sketch> {
    Some(Sketch {
        stream: message["stream"].as_str()?.parse().ok()?,
        number: message["message"].as_u64()?,
        length: message["bytes"].as_u64()?,
        preview: message["preview"].as_str()?.to_owned(),
    })
}
