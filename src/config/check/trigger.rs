//! The trigger of a toxic, and whether it fits the toxic.

use super::Check;
use super::keys::{Keys, MapKind};
use crate::config::document::Node;
use crate::config::problem::{Problem, SourceSpan};
use crate::toxic::keys::{CONTAINS, CONTAINS_HEX, MESSAGE, NTH, THEN, WATCHED, WHEN};
use crate::toxic::{Effect, Stall};
use crate::value::{Direction, Mark, MessagePoint, Millis, Pattern, Rejected, Scalar, Stream, Timeout, Trigger};

impl<'t> Check<'t> {
    /// The trigger of a toxic that acts on `own`.
    pub(super) fn trigger(&mut self, node: &'t Node, own: Option<Stream>) -> Option<Trigger> {
        if node.scalar().is_some() {
            return self.expected(
                "a trigger (an object)",
                node,
                r#"write what it waits for: { "contains": "COMMIT" }"#,
            );
        }
        let known_problems = self.problems.len();
        let mut keys = Keys::of(self, node, MapKind::A("trigger"))?;
        let stream = match own {
            Some(Stream::Both) => keys.read_or_report(&WATCHED, Check::value, unnamed_stream),
            Some(Stream::Upstream) => keys.read_with(&WATCHED, Check::value, Direction::Upstream),
            Some(Stream::Downstream) => keys.read_with(&WATCHED, Check::value, Direction::Downstream),
            None => keys.read_with(&WATCHED, Check::value, None),
        };
        let text = keys.read_with(&CONTAINS, |check, node| check.pattern(node, Pattern::of_text), None);
        let hex = keys.read_with(&CONTAINS_HEX, |check, node| check.pattern(node, Pattern::of_hex), None);
        let nth = keys.read(&NTH);
        let message = keys.read_with(&MESSAGE, Check::message_point, None);
        let then = keys.read_with(&THEN, |check, node| check.value(node).map(Some), Some(None));
        keys.finish();
        if self.problems.len() == known_problems {
            self.one_mark(node)?;
        }
        let mark = match (text.or(hex), message) {
            (Some(pattern), None) => Mark::Pattern(pattern, nth?),
            (_, message) => Mark::Message(message?),
        };
        Some(Trigger { stream: stream?, then: then?.unwrap_or(mark.usual_order()), mark })
    }

    fn pattern(&mut self, node: &Node, read: fn(&str) -> Result<Pattern, Rejected>) -> Option<Pattern> {
        match node.scalar() {
            Some(Scalar::Text(text)) => self.accept(node, read(&text)),
            _ => self.expected("text", node, &format!("put it in quotes: \"{}\"", self.written(node))),
        }
    }

    fn message_point(&mut self, node: &Node) -> Option<MessagePoint> {
        let text = match node.scalar() {
            Some(Scalar::Whole(number)) => number.to_string(),
            Some(Scalar::Text(text)) => text,
            _ => {
                return self.expected(
                    "a message",
                    node,
                    "write its number, such as 3, or \"3:last\" for its last byte",
                );
            }
        };
        self.accept(node, text.parse())
    }

    /// Reports a trigger that waits for nothing or for several things. `None` after a problem.
    fn one_mark(&mut self, trigger: &Node) -> Option<()> {
        let marks: Vec<&str> = [CONTAINS, CONTAINS_HEX, MESSAGE]
            .iter()
            .map(|key| key.name)
            .filter(|key| trigger.get(key).is_some())
            .collect();
        let at = |key: &str| trigger.get(key).unwrap_or(trigger).place.written;
        match marks[..] {
            [] => {
                let hint =
                    "add what it waits for: \"contains\": \"COMMIT\", \"containsHex\": \"0d0a\" or \"message\": 3";
                self.report(Problem::at(trigger.place.written, "this trigger waits for nothing", hint))
            }
            [_] if trigger.get(NTH.name).is_some() && marks == [MESSAGE.name] => {
                let hint = "remove it, and write the number of the message: \"message\": 3";
                self.report(Problem::at(at(NTH.name), "`nth` numbers the matches of a text, not messages", hint))
            }
            [_] => Some(()),
            [first, second, ..] => {
                let what = format!("a trigger waits for one thing, not for `{first}` and `{second}`");
                let problem = Problem::at(at(second), what, "remove one of the two, or write a toxic for each");
                self.report(problem.also(at(first), "the other one"))
            }
        }
    }

    fn report<T>(&mut self, problem: Problem) -> Option<T> {
        self.problems.push(problem);
        None
    }

    /// Reports a trigger that acts on each match, of a toxic that acts only once.
    pub(super) fn acts_again(&mut self, toxic: &Node, trigger: &Trigger, effect: &Effect, lasts: Option<Timeout>) {
        if !trigger.repeats() || (!ends_connection(effect) && (lasts.is_some() || heals(effect))) {
            return;
        }
        let kind = effect.as_str();
        let (what, hint) = if ends_connection(effect) {
            (
                format!("a {kind} toxic ends the connection at the first match"),
                "write the number of that match: \"nth\": 1",
            )
        } else {
            let hint = "add `for` to the toxic: the time that it acts after each match";
            (format!("this {kind} toxic acts from the first match on, and has nothing to begin again"), hint)
        };
        let when = toxic.get(WHEN.name).unwrap_or(toxic);
        self.problems.push(Problem::at(when.get(NTH.name).unwrap_or(when).place.written, what, hint));
    }
}

fn unnamed_stream(at: SourceSpan) -> Problem {
    let hint = "add \"stream\": \"upstream\" or \"stream\": \"downstream\", since the toxic acts on both";
    Problem::at(at, "this trigger has no `stream` to watch", hint)
}

fn ends_connection(effect: &Effect) -> bool {
    effect.due().is_some() || matches!(effect, Effect::LimitData(_))
}

/// Whether the toxic stops acting by itself.
fn heals(effect: &Effect) -> bool {
    matches!(effect, Effect::Stall(Stall { duration }) if *duration != Millis::default())
}
