//! `stall`: a partition that heals. Holds all bytes and loses none.

use super::behaviour::{Behaviour, Place};
use super::declaration::declare;
use super::out::Out;
use super::stats::ToxicStats;
use super::{ActiveTime, End, Moment, Span, Stage, TAKEN_AT_ONCE, until};
use crate::value::Millis;

declare! {
    /// Holds everything for a time, then lets all of it pass. This is a partition that heals. A `duration` of 0 holds
    /// for as long as the toxic acts.
    pub struct Stall("stall", Keeps, Arrival) {
        /// The time until everything passes; 0 is as long as the toxic acts.
        pub duration: Millis = Millis::literal(0);
    }
}

impl Behaviour for Stall {
    fn stage(&self, place: &Place<'_>) -> Box<dyn Stage> {
        Box::new(StallStage::new(*self, place.active))
    }
}

pub(super) struct StallStage {
    heals: Moment,
}

impl StallStage {
    pub(super) fn new(stall: Stall, active: ActiveTime) -> Self {
        let is_endless = stall.duration == Millis::default();
        let heals = active.moment(stall.duration).filter(|_| !is_endless);
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
        stats.record_held_end(end, end.at.max(self.heals))
    }

    /// Unread bytes stay with the sender, as in a real partition.
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
    use crate::toxic::trial::{chain, finish, millis, ms, send, stream, toxic, within};
    use crate::toxic::{Amount, Effect, NEVER, Toxic};

    fn stall(duration: u32) -> Toxic {
        toxic(0, Effect::Stall(Stall { duration: millis(duration) }))
    }

    #[test]
    fn holds_everything_until_the_partition_heals() {
        for (stall, arrival, heals) in [
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
            assert_eq!(finish(&mut silent, ms(arrival)), heals, "{stall:?}");
            let mut chain = chain(&[stall]);
            let outcome = send(&mut chain, &stream(9), [(9, ms(arrival))]);
            assert_eq!((outcome.bytes, outcome.due), (stream(9), vec![heals; 9]));
            assert_eq!(finish(&mut chain, ms(arrival)), heals);
            assert_eq!(outcome.ended.or(chain.deadline()), None);
        }
    }

    /// A held end of stream is reported, unless held bytes before it are reported already.
    #[test]
    fn reports_a_held_end_of_a_silent_stream() {
        let mut silent = chain(&[stall(100)]);
        finish(&mut silent, ms(30));
        assert_eq!(silent.events().map(|act| act.amount).collect::<Vec<_>>(), [Amount::Delay(ms(70))]);
        let mut chatty = chain(&[stall(100)]);
        send(&mut chatty, &stream(9), [(9, ms(30))]);
        finish(&mut chatty, ms(30));
        assert_eq!(chatty.events().count(), 0);
    }

    /// An endless delay must be `NEVER`: the log prints a word for it, and the liveness probe depends on it.
    #[test]
    fn a_stall_without_duration_never_ends() {
        let mut chain = chain(&[stall(0)]);
        let outcome = send(&mut chain, &stream(9), [(9, ms(5))]);
        assert_eq!(outcome.events, [("stall_0".to_owned(), 1, 0, Amount::Delay(NEVER))]);
        assert_eq!(chain.resumes(), NEVER);
    }

    /// Once it holds bytes, the rest stays with the sender until shortly before the partition heals.
    #[test]
    fn reads_again_shortly_before_the_partition_heals() {
        let mut chain = chain(&[stall(1000)]);
        assert_eq!(chain.resumes(), ms(0));
        send(&mut chain, &stream(9), [(9, ms(5))]);
        assert_eq!(chain.resumes(), ms(950));
    }
}
