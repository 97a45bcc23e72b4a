//! The points at which a fault is tried, and the toxic for each. Pure: from the messages of a run to a list.

use std::fmt;

use serde_json::{Value, json};

use super::fault::Fault;
use super::only::Only;
use super::recorded::{Recorded, Sketch};

/// A point of a conversation, and what is done there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Point {
    /// The route.
    pub route: String,
    /// The number of the connection on the route.
    pub connection: u64,
    /// Where the fault strikes.
    pub place: Place,
}

/// Where a fault strikes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// The connection is reset as soon as it is accepted.
    Refused,
    /// The connection is accepted, and nothing ever passes.
    Silent,
    /// At a part of a message.
    Message(Sketch, Part, Fault),
}

/// A part of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Before its first byte.
    Begin,
    /// Before the byte after its middle.
    Middle,
    /// After its last byte.
    End,
}

/// All points of these connections, in the order of the conversation.
#[must_use]
pub fn points(connections: &[Recorded], faults: &[Fault], only: &Only) -> Vec<Point> {
    let of_connection = |Recorded { route, number, messages }: &Recorded| {
        let point = |place| Point { route: route.clone(), connection: *number, place };
        let whole = [Place::Refused, Place::Silent].into_iter().filter(|_| only.has_whole(route, *number));
        let messages = messages.iter().filter(|message| only.has_stream(route, *number, message.stream));
        let places = whole.chain(messages.flat_map(|message| places(message, faults)));
        places.map(point).collect::<Vec<_>>()
    };
    connections.iter().flat_map(of_connection).collect()
}

fn places(message: &Sketch, faults: &[Fault]) -> Vec<Place> {
    let parts = [Part::Begin, Part::Middle, Part::End].into_iter().filter(|part| message.has(*part));
    let of_part = |part| faults.iter().map(move |fault| Place::Message(message.clone(), part, *fault));
    parts.flat_map(of_part).collect()
}

/// At most `most` of the points, evenly spread.
#[must_use]
pub fn sampled(points: Vec<Point>, most: Option<usize>) -> Vec<Point> {
    let all = points.len();
    let most = most.unwrap_or(all).min(all);
    // The n-th of `most` stands for its share of all.
    let is_taken = |index: usize| (index + 1) * most / all > index * most / all;
    points.into_iter().enumerate().filter(|(index, _)| is_taken(*index)).map(|(_, point)| point).collect()
}

impl Sketch {
    /// A message of one byte has no middle.
    fn has(&self, part: Part) -> bool {
        part != Part::Middle || self.length >= 2
    }

    fn trigger(&self, part: Part) -> Value {
        let (number, stream) = (self.number, self.stream.as_str());
        match part {
            Part::Begin => json!({ "stream": stream, "message": number }),
            Part::Middle => json!({ "stream": stream, "message": format!("{number}:{}", self.length / 2 + 1) }),
            Part::End => json!({ "stream": stream, "message": format!("{number}:last"), "then": "after" }),
        }
    }
}

impl Part {
    /// As part of a sentence.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Begin => "before",
            Self::Middle => "inside",
            Self::End => "after",
        }
    }
}

impl Point {
    /// The toxic of this name that does it, as in a config file.
    #[must_use]
    pub fn toxic(&self, name: &str) -> Value {
        let mut toxic = match &self.place {
            Place::Refused => json!({ "type": "reset_peer", "stream": "downstream" }),
            Place::Silent => json!({ "type": "timeout", "stream": "both" }),
            Place::Message(.., fault) => fault.toxic(),
        };
        toxic["name"] = name.into();
        toxic["connections"] = self.connection.to_string().into();
        if let Place::Message(message, part, _) = &self.place {
            toxic["when"] = message.trigger(*part);
        }
        toxic
    }

    /// The fault in a word.
    #[must_use]
    pub fn fault(&self) -> String {
        match &self.place {
            Place::Refused => "refused".to_owned(),
            Place::Silent => "silent".to_owned(),
            Place::Message(.., fault) => fault.to_string(),
        }
    }
}

/// Distinct for each point of a run: `db#1 upstream 2 after: reset`.
impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.route, self.connection)?;
        if let Place::Message(Sketch { stream, number, .. }, part, _) = &self.place {
            write!(f, " {} {} {number}", part.as_str(), stream.as_str())?;
        }
        write!(f, ": {}", self.fault())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Direction;

    fn sketch(stream: Direction, number: u64, length: u64) -> Sketch {
        Sketch { stream, number, length, preview: String::new() }
    }

    fn recorded() -> Vec<Recorded> {
        let messages = vec![sketch(Direction::Upstream, 1, 9), sketch(Direction::Downstream, 1, 1)];
        vec![
            Recorded { route: "db".to_owned(), number: 1, messages },
            Recorded { route: "web".to_owned(), number: 1, messages: Vec::new() },
        ]
    }

    fn names(only: &str) -> Vec<String> {
        let only = only.parse().expect("a selection");
        points(&recorded(), &[Fault::Reset], &only).iter().map(Point::to_string).collect()
    }

    #[test]
    fn every_message_has_a_point_before_inside_and_after_it() {
        let of_messages = [
            "db#1 before upstream 1: reset",
            "db#1 inside upstream 1: reset",
            "db#1 after upstream 1: reset",
            "db#1 before downstream 1: reset",
            "db#1 after downstream 1: reset",
        ];
        let whole = ["db#1: refused", "db#1: silent"];
        assert_eq!(names("db"), [&whole[..], &of_messages].concat());
        assert_eq!(names("db#1:upstream"), of_messages[..3]);
        assert_eq!(names("db:downstream"), of_messages[3..]);
        assert_eq!(names("web"), ["web#1: refused", "web#1: silent"]);
        assert_eq!(names("db#2"), [""; 0]);
    }

    #[test]
    fn each_point_has_its_toxic() {
        let all = points(&recorded(), &[Fault::Close, "stall=5s".parse().expect("a fault")], &Only::default());
        let toxic = |name: &str| all.iter().find(|point| point.to_string() == name).expect(name).toxic("x");
        let when = json!({ "stream": "upstream", "message": "1:5" });
        let attributes = json!({ "time": 0 });
        let expected = json!({ "type": "limit_time", "stream": "downstream", "attributes": attributes, "name": "x",
            "connections": "1", "when": when });
        assert_eq!(toxic("db#1 inside upstream 1: close"), expected);
        let stall = toxic("db#1 after downstream 1: stall=5s");
        assert_eq!((&stall["attributes"]["duration"], &stall["when"]["message"]), (&json!(5000), &json!("1:last")));
        for point in &all {
            let text = point.toxic("x").to_string();
            crate::config::parse_toxic("it", &text, crate::config::Syntax::Json)
                .unwrap_or_else(|report| panic!("{report}"));
        }
    }

    #[test]
    fn a_sample_is_even_and_never_larger() {
        let all = || points(&recorded(), &[Fault::Reset, Fault::Close], &Only::default());
        let count = all().len();
        for most in 0..count + 3 {
            let sample = sampled(all(), Some(most));
            assert_eq!(sample.len(), most.min(count));
        }
        assert_eq!(sampled(all(), None), all());
        let half: Vec<usize> = sampled(all(), Some(count / 2))
            .iter()
            .map(|point| all().iter().position(|other| other == point).expect("one of them"))
            .collect();
        assert!(half.windows(2).all(|pair| (1..=3).contains(&(pair[1] - pair[0]))), "{half:?}");
    }
}
