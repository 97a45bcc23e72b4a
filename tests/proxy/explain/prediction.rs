//! What `--explain --json` predicts for one direction of a connection: each toxic's effect, combined in the order in
//! which bytes pass them.

use std::time::Duration;

use serde_json::Value;

/// The bytes of a segment.
const SEGMENT: usize = 1448;

/// The number of acts that are listed.
const LISTED: usize = 16;

pub struct Prediction<'a> {
    /// The toxics of both directions that act during the test.
    acting: Vec<&'a Value>,
    stream: &'a str,
    /// The time from the accept to the first byte.
    pub latency: Duration,
}

impl<'a> Prediction<'a> {
    pub fn new(connection: &'a Value, stream: &'a str) -> Self {
        let toxics = connection["toxics"].as_array().unwrap().iter();
        let acting = toxics.filter(|toxic| toxic["fromMs"] == 0.0).collect();
        Self { acting, stream, latency: millis(&connection["latencyMs"]).unwrap() }
    }

    /// The values of that effect of the toxics in this direction.
    fn here(&self, effect: &'static str) -> impl Iterator<Item = &'a Value> {
        self.acting.iter().filter(|toxic| toxic["stream"] == self.stream).filter_map(move |toxic| toxic.get(effect))
    }

    /// Whether no byte arrives.
    pub fn blocks(&self) -> bool {
        self.here("discards").next().is_some() || self.here("holdsUntilMs").any(Value::is_null)
    }

    /// When toxics end the connection at a time: the first of the times, and whether it ends with a RST for any of the
    /// toxics with that time.
    pub fn deadline(&self) -> Option<(Duration, Vec<bool>)> {
        let of_toxic = |toxic: &&Value| match (toxic.get("endsAt"), toxic.get("discards")) {
            (Some(end), _) => Some((millis(&end["ms"])?, end["reset"] == true)),
            (_, Some(discards)) => Some((millis(&discards["endsAtMs"])?, false)),
            _ => None,
        };
        let ends: Vec<(Duration, bool)> = self.acting.iter().filter_map(of_toxic).collect();
        let first = ends.iter().map(|(at, _)| *at).min()?;
        Some((first, ends.iter().filter(|(at, _)| *at == first).map(|(_, reset)| *reset).collect()))
    }

    /// The number of bytes after which the connection ends, and whether with a RST. If two toxics have the same number,
    /// the stream ends at the last one first.
    pub fn limit(&self) -> Option<(usize, bool)> {
        let limit = |limit: &Value| (limit["bytes"].as_u64().unwrap() as usize, limit["reset"] == true);
        self.here("endsAfter").map(limit).reduce(|first, next| if next.0 <= first.0 { next } else { first })
    }

    /// The bits that are flipped in each of the first bytes, up to the last one that is known.
    pub fn flips(&self, length: usize) -> Vec<u8> {
        let lists: Vec<&Vec<Value>> = self.here("flipsBytes").map(|flips| flips.as_array().unwrap()).collect();
        let offset = |flip: &Value| flip["offset"].as_u64().unwrap() as usize;
        let known = lists.iter().filter(|list| list.len() == LISTED).map(|list| offset(&list[LISTED - 1]) + 1).min();
        let mut flips = vec![0; known.unwrap_or(length).min(length)];
        for flip in lists.iter().copied().flatten() {
            if let Some(byte) = flips.get_mut(offset(flip)) {
                *byte ^= flip["mask"].as_u64().unwrap() as u8;
            }
        }
        flips
    }

    /// The least delay of byte `offset`, from when it is read.
    pub fn delay(&self, offset: usize) -> Duration {
        let segment = offset / SEGMENT;
        let delays = self.here("delaysSegmentsMs").map(|delays| &delays[segment]);
        let is_lost = move |loss: &&Value| loss["segment"] == segment;
        let losses = self.here("losesSegments").flat_map(|losses| losses.as_array().unwrap()).filter(is_lost);
        delays.chain(losses.map(|loss| &loss["delayMs"])).map(|delay| millis(delay).unwrap()).sum()
    }

    /// When byte `offset` is released, from the accept.
    pub fn released(&self) -> Duration {
        self.here("holdsUntilMs").map(|until| millis(until).unwrap()).max().unwrap_or_default().max(self.latency)
    }

    /// The delay of the end of the stream by toxics that delay nothing else.
    pub fn delay_of_end(&self) -> Duration {
        self.here("delaysEndMs").map(|delay| millis(delay).unwrap()).sum()
    }
}

/// `None` if it never comes.
fn millis(number: &Value) -> Option<Duration> {
    number.as_f64().map(|millis| Duration::from_secs_f64(millis / 1e3))
}
