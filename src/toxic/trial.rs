//! Test support: sends a stream through toxics and observes the outcome. The tests are in `properties` and at the end
//! of each toxic's file.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::ops::Range;

use super::Recorded;
use super::span::Edge;
use super::{
    ActiveTime, Amount, Boundary, Chain, Corrupt, Distribution, Effect, EndKind, LimitData, Misfit, Moment, NEVER,
    Sharing, Source, Target, Toxic, Toxics,
};
use crate::dice::{Dice, ToxicRng};
use crate::value::{
    Bytes, CloseMode, Direction, Key, Micros, Millis, Probability, Rate, Scalar, Selector, Size, Stream, StreamLength,
    Window, Written,
};

pub(super) const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// The outcome of a stream.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Outcome {
    /// The bytes that pass.
    pub bytes: Vec<u8>,
    /// When each of them is due.
    pub due: Vec<Moment>,
    /// The number of bytes before each cut.
    pub cuts: Vec<usize>,
    /// The events: toxic, sequence number, offset and amount.
    pub events: Vec<(String, u64, u64, Amount)>,
    pub ended: Option<(Moment, CloseMode)>,
}

/// Sends `sent` in chunks, each with a length and an arrival time, until all is sent or a toxic ends the stream.
pub(super) fn send(chain: &mut Chain, sent: &[u8], chunks: impl IntoIterator<Item = (usize, Moment)>) -> Outcome {
    let (mut outcome, mut left) = (Outcome::default(), sent);
    for (length, now) in chunks {
        let (chunk, rest) = left.split_at(length.min(left.len()));
        outcome.take(chain, chunk, now);
        left = rest;
        if left.is_empty() || outcome.ended.is_some() {
            break;
        }
    }
    outcome
}

impl Outcome {
    /// Sends one chunk. Waiting does not change what a toxic does, so the chunk is processed at once.
    pub(super) fn take(&mut self, chain: &mut Chain, chunk: &[u8], now: Moment) {
        let mut left = chunk;
        while !left.is_empty() && chain.read_limit(now) > 0 {
            let (piece, rest) = left.split_at(left.len().min(chain.read_limit(now)));
            chain.push(now, Boundary::None, piece);
            self.take_all(chain);
            left = rest;
        }
    }

    fn take_all(&mut self, chain: &mut Chain) {
        self.take_due(chain, NEVER);
    }

    /// Collects the bytes that are due by `now`, with their due times.
    pub(super) fn take_due(&mut self, chain: &mut Chain, now: Moment) {
        chain.advance(now);
        for span in chain.output.take() {
            chain.buffer.slices(&span.range).for_each(|slice| self.bytes.extend(slice));
            self.due.resize(self.bytes.len(), span.at);
            if span.edge == Edge::Cut {
                self.cuts.push(self.bytes.len());
            }
        }
        let events =
            chain.events().map(|event| (event.toxic.name.to_string(), event.times, event.offset, event.amount));
        self.events.extend(events);
        self.ended = chain.end.and_then(|end| match end.kind {
            EndKind::Toxic(close_mode) => Some((end.at, close_mode)),
            EndKind::Fin | EndKind::Reset => None,
        });
    }

    /// Groups the events by toxic, so that outcomes with another order of events compare equal.
    pub(super) fn sorted(mut self) -> Self {
        self.events.sort_by(|(name, times, ..), (other, others, ..)| (name, times).cmp(&(other, others)));
        self
    }
}

/// Chunks of one length that all arrive at one time.
pub(super) fn chunks(length: usize, at: Moment) -> impl Iterator<Item = (usize, Moment)> {
    std::iter::repeat((length, at))
}

/// Bytes that differ from their neighbours.
pub(super) fn stream(length: usize) -> Vec<u8> {
    (0..=250).cycle().take(length).collect()
}

/// When a FIN that arrives at `at` is due.
pub(super) fn finish(chain: &mut Chain, at: Moment) -> Moment {
    chain.push_end(at, Boundary::None, EndKind::Fin);
    chain.advance(NEVER);
    chain.end.expect("it goes through every toxic").at
}

/// The sums of each toxic that acted.
pub(super) fn summaries(chain: &Chain) -> Vec<(u64, Amount)> {
    chain.sums().filter_map(|sum| sum.summary()).map(|summary| (summary.times, summary.amount)).collect()
}

/// A connection of the route. Its conversation lives as long as the test process.
pub(super) fn target(number: u64, opened: Moment) -> Target<'static> {
    Target { number, client: CLIENT, destination: None, opened, conversation: Box::leak(Box::default()) }
}

/// The chain of a route's first connection with seed 42.
pub(super) fn chain(toxics: &[Toxic]) -> Chain {
    route(toxics).chain(&target(1, ms(0)), Direction::Downstream, 0).expect("a toxic that acts")
}

/// A chain of toxics that always act.
pub(super) fn chain_of<const N: usize>(effects: [Effect; N]) -> Chain {
    chain(&effects.into_iter().enumerate().map(|(place, effect)| toxic(place, effect)).collect::<Vec<_>>())
}

/// The active time of a toxic without a window.
pub(super) const ALWAYS: ActiveTime = ActiveTime { begins: Moment::ZERO, ends: NEVER };

/// The draws of a toxic of that name with seed 42.
pub(super) fn rng(name: &str) -> ToxicRng {
    let dice = Dice::new(42, &"8180".parse().expect("a name"));
    dice.of_toxic(1, &name.parse().expect("a name"), Direction::Downstream)
}

pub(super) fn route(toxics: &[Toxic]) -> Toxics {
    Toxics::new(toxics, Dice::new(42, &"8180".parse().expect("a name")), Recorded::default())
}

pub(super) fn toxic(place: usize, effect: Effect) -> Toxic {
    Toxic {
        name: format!("{}_{place}", effect.as_str()).parse().expect("a name"),
        stream: Stream::Both,
        toxicity: share(1.0),
        selector: Selector::default(),
        when: None,
        effect,
    }
}

/// A toxic with an optional window: its start and its duration in ms.
pub(super) fn with_window(window: Option<(u32, u32)>, toxic: Toxic) -> Toxic {
    let Some((after, lasts)) = window else { return toxic };
    let lasts = Some(i128::from(lasts).try_into().expect("milliseconds, not 0"));
    Toxic { selector: Selector { window: Window { after: millis(after), lasts }, ..toxic.selector }, ..toxic }
}

/// A toxic that acts in this window in ms, the end excluded.
pub(super) fn within(window: Range<u32>, toxic: Toxic) -> Toxic {
    with_window(Some((window.start, window.end - window.start)), toxic)
}

pub(super) const fn ms(number: u64) -> Moment {
    Moment::from_millis(number)
}

pub(super) fn millis(number: u32) -> Millis {
    i128::from(number).try_into().expect("milliseconds")
}

pub(super) fn share(number: f64) -> Probability {
    number.try_into().expect("a share")
}

pub(super) fn latency(mean: u32, jitter: u32, correlation: f64, distribution: Distribution) -> Effect {
    let attributes = [
        ("latency", millis(mean).write()),
        ("jitter", millis(jitter).write()),
        ("correlation", share(correlation).write()),
        ("distribution", distribution.write()),
    ];
    effect("latency", attributes).expect("some jitter for what follows from it")
}

pub(super) fn steady(mean: u32) -> Effect {
    latency(mean, 0, 0.0, Distribution::Uniform)
}

pub(super) fn bandwidth(rate: u32, burst: u32, sharing: Sharing) -> Effect {
    let attributes =
        [("rate", Rate::literal(rate).write()), ("burst", Bytes::literal(burst).write()), ("shared", sharing.write())];
    effect("bandwidth", attributes).expect("no burst where nothing passes")
}

pub(super) fn loss(rate: f64, correlation: f64) -> Effect {
    effect("packet_loss", [("loss_rate", share(rate).write()), ("correlation", share(correlation).write())])
        .expect("any shares")
}

pub(super) fn corrupt(rate: f64) -> Effect {
    Effect::Corrupt(Corrupt { rate: share(rate) })
}

pub(super) fn slicer(size: u32, variation: u32, micros: u32) -> Effect {
    let attributes = [
        ("average_size", Size::literal(size).write()),
        ("size_variation", Bytes::literal(variation).write()),
        ("delay", Micros::literal(micros).write()),
    ];
    effect("slicer", attributes).expect("less variation than size")
}

pub(super) fn limit_data(bytes: u64, close_mode: CloseMode) -> Effect {
    Effect::LimitData(LimitData { bytes: StreamLength::literal(bytes), reset: close_mode })
}

/// An effect with these attributes, or the problems with them.
pub(super) fn effect(
    type_name: &str,
    attributes: impl IntoIterator<Item = (&'static str, Scalar)>,
) -> Result<Effect, Vec<Misfit>> {
    let mut given = Given { attributes: attributes.into_iter().collect(), problems: Vec::new() };
    Effect::read(type_name, &mut given).ok_or(given.problems)
}

/// Attribute values by name.
struct Given {
    attributes: HashMap<&'static str, Scalar>,
    problems: Vec<Misfit>,
}

impl Source for Given {
    fn value<T: Written>(&mut self, attribute: &'static Key) -> Option<T> {
        let scalar = self.attributes.remove(attribute.name).or(attribute.value())?;
        T::read(scalar).map_err(|reason| self.reject(Misfit { attribute: attribute.name, reason })).ok()
    }

    fn reject(&mut self, misfit: Misfit) {
        self.problems.push(misfit);
    }
}
