//! Properties of every type of toxic, and of chains of them. The attributes are drawn from the
//! declarations, so that a new toxic is tried without a line here. Properties of one type are at the end of its
//! file.

mod chains;
mod chunks;
mod exchange;
mod extremes;
mod windows;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::trial::{aimed, effect, ms, route, target, toxic};
use super::{Basis, Effect, Moment, TYPES, Toxic, ToxicType, Treatment};
use crate::value::{Direction, Key, Kind, Scalar};

/// Failures are not written to files: one that shrinks to a clear case becomes a test with a name.
fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

/// Toxics whose treatment of a byte depends on nothing but its offset.
fn drawing() -> impl Strategy<Value = Effect> {
    effect_of(|it| it.basis == Basis::Offset, usual)
}

/// Toxics that neither change nor discard bytes, nor end the connection.
fn harmless() -> impl Strategy<Value = Effect> {
    effect_of(|it| it.treatment == Treatment::Keeps, usual)
}

/// Every type.
fn any_effect() -> impl Strategy<Value = Effect> {
    effect_of(|_| true, usual)
}

/// Without toxics that may depend on chunks: with a bandwidth, bytes that came together leave together.
fn drawn_or_counted() -> impl Strategy<Value = Effect> {
    effect_of(|it| it.basis != Basis::Load, usual)
}

/// An effect of one of the wanted types that acts at all, with attributes that its declaration allows.
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

/// A value of an attribute, or none, which leaves it out.
fn value_of(
    attribute: &'static Key,
    scalar: fn(Kind) -> BoxedStrategy<Scalar>,
) -> impl Strategy<Value = Option<(&'static str, Scalar)>> {
    option::weighted(0.9, scalar(attribute.kind).prop_map(|scalar| (attribute.name, scalar)))
}

/// A value as people write it.
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

/// One of a few values, each as likely as the others.
fn choice(kind: Kind) -> BoxedStrategy<Scalar> {
    match kind {
        Kind::Word(words) => select(words).prop_map(|word| Scalar::Text(word.to_owned())).boxed(),
        Kind::Flag => any::<bool>().prop_map(Scalar::Flag).boxed(),
        other => unreachable!("{other:?} is no choice: add how to draw it"),
    }
}

/// Any share; the ends and small ones are drawn more often.
fn rate() -> impl Strategy<Value = f64> {
    prop_oneof![1 => Just(0.0), 1 => Just(1.0), 2 => 0.0..0.001, 4 => 0.0..=1.0]
}

/// Toxics of these effects, in this order, each at any time or in a window of the first seconds.
fn toxics(effect: impl Strategy<Value = Effect>) -> impl Strategy<Value = Vec<Toxic>> {
    let window = || prop_oneof![3 => Just(None), 1 => (0..1500_u32, 1..1500_u32).prop_map(Some)];
    vec((effect, window()), 1..6).prop_map(|effects| {
        let placed = effects.into_iter().enumerate();
        placed.map(|(place, (effect, window))| aimed(window, toxic(place, effect))).collect()
    })
}

/// Chunks of different lengths, with pauses between some of them.
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
