//! `slow_close`: delays the end of the stream.

use super::behaviour::{Behaviour, Place};
use super::declaration::declare;
use super::stats::{Amount, ToxicStats};
use super::{End, EndKind, Moment, Stage};
use crate::value::Millis;

declare! {
    /// Delays the end of the stream (FIN).
    pub struct SlowClose("slow_close", Keeps, Arrival) {
        /// The delay of the end.
        pub delay: Millis, such as Millis::literal(1000);
    }
}

impl Behaviour for SlowClose {
    fn stage(&self, _: &Place<'_>) -> Box<dyn Stage> {
        Box::new(SlowCloseStage(*self))
    }
}

struct SlowCloseStage(SlowClose);

impl Stage for SlowCloseStage {
    fn finish(&mut self, end: End, stats: &mut ToxicStats) -> Moment {
        if end.kind == EndKind::Reset {
            return end.at;
        }
        let delay = self.0.delay.duration();
        stats.record(end.offset, Amount::Delay(delay));
        end.at.saturating_add(delay)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::toxic::Effect;
    use crate::toxic::trial::{chain, finish, millis, ms, send, steady, stream, toxic, within};

    /// The delay counts from when the end reaches the toxic: after the bytes that a latency before it still holds.
    #[test]
    fn delays_the_end_only() {
        let slow_close = toxic(1, Effect::SlowClose(SlowClose { delay: millis(70) }));
        let mut chain = chain(&[toxic(0, steady(30)), slow_close]);
        assert_eq!(send(&mut chain, &stream(2), [(2, ms(5))]).due, [ms(35); 2]);
        assert_eq!(finish(&mut chain, ms(6)), ms(106));
        let events: Vec<_> = chain.events().map(|act| (act.toxic.effect.as_str(), act.offset, act.amount)).collect();
        assert_eq!(events, [("slow_close", 2, Amount::Delay(ms(70)))]);
    }

    #[test]
    fn does_not_delay_an_end_outside_its_window() {
        let slow_close = within(10..20, toxic(0, Effect::SlowClose(SlowClose { delay: millis(70) })));
        for (arrival, due) in [(9, 9), (10, 80), (19, 89), (20, 20)] {
            assert_eq!(finish(&mut chain(std::slice::from_ref(&slow_close)), ms(arrival)), ms(due));
        }
    }
}
