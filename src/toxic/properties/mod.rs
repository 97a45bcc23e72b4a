//! Properties of all types of toxics and of chains of them. Attributes are drawn from the declarations, so a new toxic
//! is covered without a change here. Properties of a single type are at the end of its file.

mod chains;
mod chunks;
mod exchange;
mod extremes;
mod triggers;
mod windows;

use std::num::NonZeroU64;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::trial::{effect, ms, route, target, toxic, with_window};
use super::{Basis, Effect, Moment, TYPES, Toxic, ToxicType, Treatment};
use crate::value::{
    Direction, Key, Kind, Mark, MessagePart, MessagePoint, Nth, Offsets, Pattern, Scalar, Selector, Then, Trigger,
};

/// Failures are not saved to files: a failure that shrinks to a clear case becomes its own test.
fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

/// Toxics whose effect on a byte depends only on its offset.
fn drawing() -> impl Strategy<Value = Effect> {
    effect_of(|it| it.basis == Basis::Offset, usual)
}

/// Toxics that neither change nor discard bytes, nor end the connection.
fn keeping() -> impl Strategy<Value = Effect> {
    effect_of(|it| it.treatment == Treatment::Keeps, usual)
}

/// Toxics of every type.
fn any_effect() -> impl Strategy<Value = Effect> {
    effect_of(|_| true, usual)
}

/// Toxics whose effect does not depend on chunks. A bandwidth does: it sends bytes together that arrived together.
fn drawn_or_counted() -> impl Strategy<Value = Effect> {
    effect_of(|it| it.basis != Basis::Load, usual)
}

/// An effect of a wanted type that acts, with attributes that its declaration allows.
fn effect_of(
    wanted: fn(&ToxicType) -> bool,
    scalar: fn(Kind) -> BoxedStrategy<Scalar>,
) -> impl Strategy<Value = Effect> {
    let wanted: Vec<&ToxicType> = TYPES.iter().copied().filter(|it| wanted(it)).collect();
    let attributes = move |it: &'static ToxicType| {
        let each = it.attributes.iter().map(|attribute| value_of(attribute, scalar)).collect::<Vec<_>>();
        (Just(it.name), each)
    };
    let effects = select(wanted)
        .prop_flat_map(attributes)
        .prop_filter_map("invalid", |(type_name, attributes)| effect(type_name, attributes.into_iter().flatten()).ok());
    let acts = |effect: &Effect| {
        route(&[toxic(0, effect.clone())]).chain(&target(1, ms(0)), Direction::Downstream, 0).is_some()
    };
    effects.prop_filter("does nothing", acts)
}

/// A value of an attribute. `None` leaves the attribute out.
fn value_of(
    attribute: &'static Key,
    scalar: fn(Kind) -> BoxedStrategy<Scalar>,
) -> impl Strategy<Value = Option<(&'static str, Scalar)>> {
    option::weighted(0.9, scalar(attribute.kind).prop_map(|scalar| (attribute.name, scalar)))
}

/// A typical value.
fn usual(kind: Kind) -> BoxedStrategy<Scalar> {
    match kind {
        Kind::Whole(range) => {
            let few = range.least..=range.most.min(range.least + 3000);
            prop_oneof![1 => Just(range.least), 9 => few].prop_map(|number| Scalar::Whole(number.into())).boxed()
        }
        Kind::Share => rate().prop_map(Scalar::Real).boxed(),
        other => choice(other),
    }
}

/// One of a few equally likely values.
fn choice(kind: Kind) -> BoxedStrategy<Scalar> {
    match kind {
        Kind::Word(words) => select(words).prop_map(|word| Scalar::Text(word.to_owned())).boxed(),
        Kind::Flag => any::<bool>().prop_map(Scalar::Flag).boxed(),
        other => unreachable!("{other:?} is no choice: add how to draw it"),
    }
}

/// Any share, with more weight on the ends and on small ones.
fn rate() -> impl Strategy<Value = f64> {
    prop_oneof![1 => Just(0.0), 1 => Just(1.0), 2 => 0.0..0.001, 4 => 0.0..=1.0]
}

/// Toxics with these effects, in this order. Some of them act only in a window in the first seconds.
fn toxics(effect: impl Strategy<Value = Effect>) -> impl Strategy<Value = Vec<Toxic>> {
    let window = || prop_oneof![3 => Just(None), 1 => (0..1500_u32, 1..1500_u32).prop_map(Some)];
    let offsets = option::weighted(0.2, (0..5000_u64, 0..3000_u64)).prop_map(|range| {
        range.map_or_else(Offsets::default, |(first, more)| {
            let text = format!("{first}-{},{}-", first + more, first + 2 * more + 2);
            text.parse().expect("offsets")
        })
    });
    vec((effect, window(), option::weighted(0.3, trigger()), offsets), 1..6).prop_map(|effects| {
        let toxic = |(place, (effect, window, when, offsets))| {
            let toxic: Toxic = with_window(window, toxic(place, effect));
            Toxic { when, selector: Selector { offsets, ..toxic.selector }, ..toxic }
        };
        effects.into_iter().enumerate().map(toxic).collect()
    })
}

/// A trigger that watches the stream that the toxic acts on. Most patterns are in the stream, several times.
fn trigger() -> impl Strategy<Value = Trigger> {
    let pattern = (0..=250_u8, 1..4_u8).prop_map(|(first, length)| {
        let bytes = (0..length).map(|next| u8::try_from((u16::from(first) + u16::from(next)) % 251).expect("small"));
        let digits = |byte: u8| [byte >> 4, byte & 15].map(|digit| char::from_digit(digit.into(), 16));
        let hex: String = bytes.flat_map(digits).flatten().collect();
        Pattern::of_hex(&hex).expect("a few bytes")
    });
    let nth = prop_oneof![3 => (1..6_u64).prop_map(|nth| Nth::Only(number(nth))), 1 => Just(Nth::Each)];
    let byte = prop_oneof![(1..5000_u64).prop_map(|byte| MessagePart::Byte(number(byte))), Just(MessagePart::Last)];
    let mark = prop_oneof![
        2 => (pattern, nth).prop_map(|(pattern, nth)| Mark::Pattern(pattern, nth)),
        1 => byte.prop_map(|part| Mark::Message(MessagePoint { message: number(1), part })),
    ];
    (mark, select(Then::ALL)).prop_map(|(mark, then)| Trigger { stream: Direction::Downstream, mark, then })
}

fn number(number: u64) -> NonZeroU64 {
    NonZeroU64::new(number).expect("not 0")
}

/// Chunks of different lengths. Some follow a pause.
fn arrivals() -> impl Strategy<Value = Vec<(usize, Moment)>> {
    let length = prop_oneof![Just(1), Just(1460), 1..4000_usize];
    vec((length, prop_oneof![2 => Just(0), 1 => 0..800_u64]), 1..30).prop_map(|chunks| {
        let mut now = Moment::ZERO;
        chunks
            .into_iter()
            .map(|(length, pause)| {
                now += ms(pause);
                (length, now)
            })
            .collect()
    })
}
