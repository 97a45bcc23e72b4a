//! An explanation as JSON. Times are in milliseconds, exact to a microsecond; one that never comes is null.

use serde_json::{Map, Value, json};

use super::act::{Act, Flip, Loss};
use super::{ConnectionOutcome, Explanation, Fate, Peers, RouteOutcome, ToxicOutcome};
use crate::toxic::{Moment, NEVER};
use crate::value::CloseMode;

impl Explanation {
    /// The explanation as JSON.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let routes: Vec<Value> = self.routes.iter().map(RouteOutcome::to_json).collect();
        let scenario = millis(self.holds_until);
        let Peers { client, destination } = self.peers;
        json!({ "seed": self.seed, "client": client, "destination": destination, "routes": routes, "scenarioFromMs": scenario })
    }
}

impl RouteOutcome {
    fn to_json(&self) -> Value {
        let connections: Vec<Value> = self.connections.iter().map(ConnectionOutcome::to_json).collect();
        let name = self.name.as_str();
        json!({ "name": name, "listen": self.listen, "upstream": self.upstream.to_string(), "connections": connections })
    }
}

impl ConnectionOutcome {
    fn to_json(&self) -> Value {
        match &self.fate {
            Fate::Dropped { mode } => json!({ "number": self.number, "dropped": mode.as_str() }),
            Fate::Forwarded { latency_ms, toxics } => {
                let toxics: Vec<Value> = toxics.iter().map(ToxicOutcome::to_json).collect();
                json!({ "number": self.number, "latencyMs": latency_ms, "toxics": toxics })
            }
        }
    }
}

impl ToxicOutcome {
    fn to_json(&self) -> Value {
        let mut object = Map::new();
        let (name, stream) = (self.name.as_str(), self.stream.as_str());
        for (key, value) in [("name", name), ("type", self.toxic_type), ("stream", stream)] {
            object.insert(key.to_owned(), value.into());
        }
        object.insert("fromMs".to_owned(), millis(self.from));
        object.insert("untilMs".to_owned(), millis(self.until));
        let (key, value) = self.act.to_json();
        object.insert(key.to_owned(), value);
        object.into()
    }
}

impl Act {
    /// What it does, as a key and its value.
    fn to_json(&self) -> (&'static str, Value) {
        match self {
            Self::Delay { segments } => ("delaysSegmentsMs", segments.iter().copied().map(millis).collect()),
            Self::Lose { segments } => ("losesSegments", segments.iter().copied().map(Loss::to_json).collect()),
            Self::Flip { bytes } => ("flipsBytes", bytes.iter().copied().map(Flip::to_json).collect()),
            Self::Cut { sizes } => ("writesBytes", sizes.as_slice().into()),
            Self::Pace { limit } => {
                ("paces", limit.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect())
            }
            Self::EndAfter { bytes, mode } => ("endsAfter", json!({ "bytes": bytes, "reset": is_reset(*mode) })),
            Self::EndAt { at, mode } => ("endsAt", json!({ "ms": millis(*at), "reset": is_reset(*mode) })),
            Self::Discard { ends } => ("discards", json!({ "endsAtMs": millis(*ends) })),
            Self::Hold { until } => ("holdsUntilMs", millis(*until)),
            Self::DelayEnd { by } => ("delaysEndMs", millis(*by)),
            Self::Wait { trigger } => ("acts", trigger.to_string().into()),
        }
    }
}

impl Loss {
    fn to_json(self) -> Value {
        json!({ "segment": self.segment, "delayMs": millis(self.delay) })
    }
}

impl Flip {
    fn to_json(self) -> Value {
        json!({ "offset": self.offset, "mask": self.mask })
    }
}

fn is_reset(mode: CloseMode) -> bool {
    mode == CloseMode::Reset
}

#[expect(clippy::cast_precision_loss, reason = "285 years have fewer than 2^53 microseconds")]
fn millis(moment: Moment) -> Value {
    if moment == NEVER { Value::Null } else { json!(moment.as_micros() as f64 / 1e3) }
}
