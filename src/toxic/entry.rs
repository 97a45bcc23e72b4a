//! One entry in a route's list of toxics: what it does, and to which bytes of which connections.

use super::Effect;
use crate::value::{Probability, Selector, Stream, ToxicName};

/// One fault, and where it is aimed.
#[derive(Clone, Debug, PartialEq)]
pub struct Toxic {
    /// What logs and random draws know it by; no other toxic of the route has it.
    pub name: ToxicName,
    /// The directions that it acts in.
    pub stream: Stream,
    /// The share of the connections it is aimed at that it acts on: drawn once for each, for both directions.
    pub toxicity: Probability,
    /// The connections and the time that it is meant for.
    pub selector: Selector,
    /// What it does to them.
    pub effect: Effect,
}
