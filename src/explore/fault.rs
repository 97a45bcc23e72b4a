//! The faults that are tried at each point.

use std::fmt;
use std::str::FromStr;

use serde_json::{Value, json};

use crate::value::TimeSpan;

/// A fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The connection is reset.
    Reset,
    /// The connection is closed.
    Close,
    /// Nothing passes for this time, in either direction.
    Stall(TimeSpan),
}

impl Fault {
    /// The faults that are tried if none are named.
    pub const USUAL: [Self; 2] = [Self::Reset, Self::Close];

    /// The type, the stream and the attributes of the toxic.
    pub(super) fn toxic(self) -> Value {
        match self {
            Self::Reset => json!({ "type": "reset_peer", "stream": "downstream" }),
            Self::Close => json!({ "type": "limit_time", "stream": "downstream", "attributes": { "time": 0 } }),
            Self::Stall(time) => {
                let millis = u64::try_from(time.duration().as_millis()).unwrap_or(u64::MAX);
                json!({ "type": "stall", "stream": "both", "attributes": { "duration": millis } })
            }
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reset => f.write_str("reset"),
            Self::Close => f.write_str("close"),
            Self::Stall(time) => write!(f, "stall={time}"),
        }
    }
}

impl FromStr for Fault {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            None if text == "reset" => Ok(Self::Reset),
            None if text == "close" => Ok(Self::Close),
            None if text == "stall" => Err("a stall needs its time: write stall=5s".to_owned()),
            Some(("stall", time)) => {
                let time: TimeSpan = time.parse().map_err(|error: crate::value::Rejected| error.hint)?;
                if time.is_zero() { Err("a stall of 0 changes nothing".to_owned()) } else { Ok(Self::Stall(time)) }
            }
            _ => Err("the faults are reset, close and stall=TIME, such as stall=5s".to_owned()),
        }
    }
}
