//! `stall`: a partition that heals. Everything is held, and none of it lost.

use super::chain::TAKEN_AT_ONCE;
use super::link::Out;
use super::stats::ToxicStats;
use super::{ActiveTime, End, Moment, Span, Stage, until};
use crate::plan::{Millis, Stall};

pub(super) struct StallStage {
    heals: Moment,
}

impl StallStage {
    pub(super) fn new(stall: Stall, active: ActiveTime) -> Self {
        let for_ever = stall.duration == Millis::default();
        let heals = active.moment(stall.duration).filter(|_| !for_ever);
        Self { heals: heals.unwrap_or(active.ends) }
    }
}

impl Stage for StallStage {
    fn pass(&mut self, mut span: Span, out: &mut Out<'_>) {
        out.stats().record_delay(&span, until(self.heals, span.at));
        span.at = span.at.max(self.heals);
        out.pass(span);
    }

    fn finish(&mut self, end: End, stats: &mut ToxicStats) -> Moment {
        stats.hold_the_end(end, end.at.max(self.heals))
    }

    /// What is not taken yet stays with the sender, as it does where the network is cut.
    fn pace(&self) -> Option<u64> {
        Some(TAKEN_AT_ONCE as u64)
    }

    fn admit(&mut self, _bytes: u64, _now: Moment) -> Moment {
        self.heals
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Effect, Toxic};
    use crate::toxic::trial::{chain, finish, millis, ms, send, stream, toxic, within};
    use crate::toxic::{Amount, NEVER};

    fn stall(duration: u32) -> Toxic {
        toxic(0, Effect::Stall(Stall { duration: millis(duration) }))
    }

    #[test]
    fn everything_is_held_until_the_partition_heals() {
        for (stall, came, heals) in [
            (stall(100), 30, ms(100)),
            (stall(0), 30, NEVER),
            (within(20..500, stall(100)), 30, ms(120)),
            (within(20..90, stall(100)), 30, ms(90)),
            (within(20..90, stall(0)), 30, ms(90)),
            (within(20..90, stall(100)), 10, ms(10)),
            (within(20..90, stall(100)), 90, ms(90)),
            (stall(100), 100, ms(100)),
        ] {
            let mut silent = chain(std::slice::from_ref(&stall));
            assert_eq!(finish(&mut silent, ms(came)), heals, "{stall:?}");
            let mut chain = chain(&[stall]);
            let outcome = send(&mut chain, &stream(9), [(9, ms(came))]);
            assert_eq!((outcome.bytes, outcome.leaves), (stream(9), vec![heals; 9]));
            assert_eq!(finish(&mut chain, ms(came)), heals);
            assert_eq!(outcome.ended.or(chain.deadline()), None);
        }
    }

    /// An end that is held is a fault like any other; behind bytes that are held it is told with them.
    #[test]
    fn a_held_end_of_a_silent_stream_is_told() {
        let mut silent = chain(&[stall(100)]);
        finish(&mut silent, ms(30));
        assert_eq!(silent.events().map(|act| act.amount).collect::<Vec<_>>(), [Amount::Delay(ms(70))]);
        let mut chatty = chain(&[stall(100)]);
        send(&mut chatty, &stream(9), [(9, ms(30))]);
        finish(&mut chatty, ms(30));
        assert_eq!(chatty.events().count(), 0);
    }

    /// What waits for ever must be known as that: it is told in words, and a client that leaves meanwhile is seen.
    #[test]
    fn a_stall_without_end_is_for_ever() {
        let mut chain = chain(&[stall(0)]);
        let outcome = send(&mut chain, &stream(9), [(9, ms(5))]);
        assert_eq!(outcome.acts, [("stall_0".to_owned(), 1, 0, Amount::Delay(NEVER))]);
        assert_eq!(chain.resumes(), NEVER);
    }

    /// Once it holds something the rest stays with the sender, until a little before it heals.
    #[test]
    fn the_sender_waits_until_just_before_it_heals() {
        let mut chain = chain(&[stall(1000)]);
        assert_eq!(chain.resumes(), ms(0));
        send(&mut chain, &stream(9), [(9, ms(5))]);
        assert_eq!(chain.resumes(), ms(950));
    }
}
