//! Sends a made-up stream through a chain of one toxic, and records what happens to it.

use crate::toxic::{Boundary, Chain, EndKind, Moment, NEVER, ToxicEvent};

/// The bytes that are pushed at once: one segment, so that the rehearsal stops soon after the acts that it shows.
pub(super) const SEGMENT: usize = 1448;

/// The length of the stream, unless enough acts come first.
pub(super) const STREAM: usize = 1024 * 1024;

/// The number of acts to show.
pub(super) const ACTS: usize = 16;

/// What happened to the stream.
#[derive(Debug, Default)]
pub(super) struct Rehearsal {
    /// The number of bytes sent into the chain. Each of them is 0.
    pub sent: usize,
    /// The bytes that came out of it. They are the first ones, because a single toxic leaves out none before others.
    pub passed: Vec<u8>,
    /// Every act of the toxic, up to [`ACTS`] and those of one more segment.
    pub acts: Vec<ToxicEvent>,
}

/// Sends the stream, all of it at `at` and without bytes in the other direction.
pub(super) fn rehearse(chain: &mut Chain, at: Moment) -> Rehearsal {
    let mut rehearsal = Rehearsal::default();
    while rehearsal.sent < STREAM && rehearsal.acts.len() < ACTS {
        let bytes = chain.read_limit(at).min(SEGMENT);
        if bytes == 0 {
            break;
        }
        chain.push(at, Boundary::None, &[0; SEGMENT][..bytes]);
        rehearsal.sent += bytes;
        rehearsal.collect(chain);
    }
    rehearsal
}

/// The delay of a FIN that arrives at `at`, without bytes before it.
pub(super) fn delay_of_end(chain: &mut Chain, at: Moment) -> Moment {
    chain.push_end(at, Boundary::None, EndKind::Fin);
    chain.advance(NEVER);
    chain.take_end().map_or(Moment::ZERO, |end| end.at.saturating_sub(at))
}

impl Rehearsal {
    /// Waiting does not change what a toxic does, so everything is processed at once.
    fn collect(&mut self, chain: &mut Chain) {
        chain.advance(NEVER);
        self.acts.extend(chain.events());
        while chain.has_output() {
            let before = self.passed.len();
            chain.output().iter().for_each(|piece| self.passed.extend_from_slice(piece));
            chain.written(self.passed.len() - before);
        }
    }
}
