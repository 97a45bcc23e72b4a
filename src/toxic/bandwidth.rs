//! `bandwidth`: a token bucket that paces bytes instead of passing bursts. The due time of a byte follows exactly from
//! the number of bytes before it, so rounding errors don't add up.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::behaviour::{Behaviour, Misfit, Place};
use super::bucket::{Bucket, Buckets};
use super::declaration::declare;
use super::out::Out;
use super::stats::ToxicStats;
use super::{ActiveTime, End, Moment, NEVER, Span, Stage, TAKEN_AT_ONCE, until};
use crate::value::{Bytes, Rate, flag};

declare! {
    /// Limits the rate of the stream. A token bucket paces the bytes; 1 KB is 1000 bytes, and a rate of 0 lets nothing
    /// pass. `shared`: one bucket for each direction, for all connections of the route.
    pub struct Bandwidth("bandwidth", Keeps, Load) {
        /// What passes; 0 is nothing at all.
        rate: Rate, such as Rate::literal(128);
        /// What passes at once after a pause.
        burst: Bytes = Bytes::literal(0);
        /// Whether all connections of the route take from one bucket, for each direction.
        shared: Sharing = Sharing::Own;
    }
}

impl Bandwidth {
    /// A bandwidth without a burst.
    pub(crate) const fn literal(kilobytes_per_second: u32, shared: Sharing) -> Self {
        Self { rate: Rate::literal(kilobytes_per_second), burst: Bytes::literal(0), shared }
    }
}

impl Behaviour for Bandwidth {
    /// A burst has no effect at a rate of 0, which passes no bytes at all.
    fn misfits(&self) -> Vec<Misfit> {
        if self.burst.get() == 0 || self.rate.get() > 0 {
            return Vec::new();
        }
        let what = format!("a burst of {} bytes changes nothing at a rate of 0: nothing passes", self.burst.get());
        vec![Misfit::new("burst", what, "use 0, or a rate of 1 KB/s or more")]
    }

    fn stage(&self, place: &Place<'_>) -> Box<dyn Stage> {
        let buckets = match self.shared {
            Sharing::Own => Arc::default(),
            Sharing::Shared => Arc::clone(place.shared),
        };
        Box::new(BandwidthStage::new(*self, place.active, place.opened, buckets))
    }
}

/// The connections that share a token bucket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sharing {
    /// Each connection has its own bucket for each direction.
    #[default]
    Own,
    /// All connections of the route share one for each direction.
    Shared,
}

flag!(Sharing: Own, Shared);

/// Bytes are sent in steps of this duration: short enough for a smooth stream, long enough for few writes.
const STEP: Duration = Duration::from_millis(5);

/// The number of steps to read from the sender at a time.
const STEPS_TAKEN: u64 = 5;

pub(super) struct BandwidthStage {
    bandwidth: Bandwidth,
    active: ActiveTime,
    /// When the connection was accepted, by the route's clock.
    opened: Moment,
    buckets: Arc<Buckets>,
}

impl BandwidthStage {
    pub(super) fn new(bandwidth: Bandwidth, active: ActiveTime, opened: Moment, buckets: Arc<Buckets>) -> Self {
        Self { bandwidth, active, opened, buckets }
    }

    /// The number of bytes in a step.
    fn step(&self) -> u64 {
        let bytes = u128::from(self.bandwidth.rate.bytes_per_second()) * STEP.as_nanos() / 1_000_000_000;
        u64::try_from(bytes).unwrap_or(u64::MAX).clamp(1, TAKEN_AT_ONCE as u64)
    }

    /// When the last of `bytes`, which enter the bucket at `at`, passes the link.
    fn due(&self, bucket: &Mutex<Bucket>, bytes: u64, at: Moment) -> Moment {
        let due = match self.bandwidth.rate.bytes_per_second() {
            0 => NEVER,
            rate => {
                let mut bucket = bucket.lock().unwrap_or_else(PoisonError::into_inner);
                let due = bucket.put(bytes, self.opened.saturating_add(at), rate, self.bandwidth.burst.get());
                until(due, self.opened)
            }
        };
        due.min(self.active.ends)
    }
}

impl Stage for BandwidthStage {
    fn pass(&mut self, mut span: Span, out: &mut Out<'_>) {
        while !span.range.is_empty() {
            let mut part = span.take(self.step());
            let due = self.due(&self.buckets.exit, part.length(), part.at);
            out.stats().record_delay(&part, until(due, part.at));
            part.at = due;
            out.pass(part);
        }
    }

    /// A link that passes no bytes passes no end of stream either.
    fn finish(&mut self, end: End, stats: &mut ToxicStats) -> Moment {
        let passes = self.bandwidth.rate.bytes_per_second() > 0;
        stats.record_held_end(end, if passes { end.at } else { self.active.ends })
    }

    fn pace(&self) -> Option<u64> {
        Some((self.step() * STEPS_TAKEN).max(self.bandwidth.burst.get().into()))
    }

    fn admit(&mut self, bytes: u64, now: Moment) -> Moment {
        self.due(&self.buckets.entrance, bytes, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::toxic::trial::{
        bandwidth, chain, chain_of, chunks, finish, loss, ms, route, send, stream, target, toxic, within,
    };
    use crate::toxic::{Amount, Chain, Sharing, Toxic};
    use crate::value::Direction;

    /// From 1 KB/s to 200 MB/s.
    const RATES: [u32; 8] = [1, 3, 10, 128, 1000, 12_500, 99_999, 200_000];

    /// How far the sent bytes are ahead of `rate` and behind it at most, for a stream in chunks.
    fn lead(rate: u32, chunk: usize) -> (i128, i128) {
        let sent = stream(if chunk == 1 { 20_000 } else { 600_000 });
        let outcome = send(&mut chain_of([bandwidth(rate, 0, Sharing::Own)]), &sent, chunks(chunk, ms(0)));
        let due_by = |at: Moment| i128::try_from(at.as_nanos() * u128::from(rate) / 1_000_000).expect("some bytes");
        let steps = outcome.due.chunk_by(|one, other| one == other).scan(0, |left, step| {
            let before = *left;
            *left += i128::try_from(step.len()).expect("some bytes");
            // The lead right after a step, and right before it.
            Some((*left - due_by(step[0]), before - due_by(step[0])))
        });
        steps.fold((0, 0), |(most, least), (after, before)| (most.max(after), least.min(before)))
    }

    /// All bytes of a step are due with its last one: never before the rate allows, and at most a step later. Times are
    /// rounded down to nanoseconds, which may amount to one byte.
    #[test]
    fn bytes_are_due_within_a_step_of_the_rate() {
        for rate in RATES {
            for chunk in [1, 1460, TAKEN_AT_ONCE] {
                let step = i128::from(rate) * 5;
                let (ahead, behind) = lead(rate, chunk);
                assert!(ahead <= 1 && -behind <= step, "{rate} KB/s by {chunk}: {ahead} {behind}");
            }
        }
    }

    #[test]
    fn a_burst_passes_at_once_and_refills() {
        let mut chain = chain_of([bandwidth(10, 5000, Sharing::Own)]);
        let mut send = |length, at| send(&mut chain, &stream(length), [(length, ms(at))]).due;
        assert_eq!(send(5000, 0), vec![ms(0); 5000]);
        // After 200 ms the bucket has 2,000 bytes again, and then gains 10 bytes per ms.
        assert_eq!(send(2000, 200), vec![ms(200); 2000]);
        assert_eq!(send(100, 200).last(), Some(&ms(210)));
        // After a long pause it has 5,000 bytes and no more.
        let late = send(5100, 10_000);
        assert_eq!((late[4999], late[5099]), (ms(10_000), ms(10_010)));
    }

    #[test]
    fn an_idle_link_without_a_burst_gains_nothing() {
        let mut chain = chain_of([bandwidth(10, 0, Sharing::Own)]);
        for at in [0, 1000, 1010, 60_000] {
            assert_eq!(send(&mut chain, &stream(100), [(100, ms(at))]).due.last(), Some(&ms(at + 10)));
        }
    }

    #[test]
    fn nothing_passes_at_a_rate_of_0() {
        let mut chain = chain_of([bandwidth(0, 0, Sharing::Own)]);
        let outcome = send(&mut chain, &stream(9), [(9, ms(5))]);
        assert_eq!(outcome.due, [NEVER; 9]);
        assert_eq!(outcome.events[0], ("bandwidth_0".to_owned(), 1, 0, Amount::Delay(NEVER)));
        assert_eq!((finish(&mut chain, ms(9)), chain.resumes()), (NEVER, NEVER));
        assert_eq!(finish(&mut chain_of([bandwidth(0, 0, Sharing::Own)]), ms(9)), NEVER);
    }

    #[test]
    fn the_end_of_the_window_releases_held_bytes() {
        for rate in [0, 1] {
            let mut chain = chain(&[within(0..100, toxic(0, bandwidth(rate, 0, Sharing::Own)))]);
            let outcome = send(&mut chain, &stream(1001), [(1000, ms(0)), (1, ms(100))]);
            assert_eq!(outcome.due[999..], [ms(100), ms(100)]);
            assert!(chain.resumes() <= ms(100));
        }
    }

    #[test]
    fn connections_share_a_bucket_in_each_direction() {
        let route = route(&[toxic(0, bandwidth(10, 0, Sharing::Shared))]);
        let last = |connection, direction| {
            let mut chain = route.chain(&target(connection, ms(0)), direction, 0).expect("it acts");
            send(&mut chain, &stream(1000), [(1000, ms(0))]).due.last().copied()
        };
        assert_eq!(last(1, Direction::Downstream), Some(ms(100)));
        assert_eq!(last(2, Direction::Downstream), Some(ms(200)));
        assert_eq!(last(3, Direction::Upstream), Some(ms(100)));
    }

    /// Times count from the accept of each connection, but the shared bucket uses the route's clock.
    #[test]
    fn connections_of_any_age_share_a_bucket() {
        let route = route(&[toxic(0, bandwidth(10, 0, Sharing::Shared))]);
        let chain = |connection, opened| {
            route.chain(&target(connection, ms(opened)), Direction::Downstream, 0).expect("it acts")
        };
        let last = |chain: &mut Chain, at| send(chain, &stream(1000), [(1000, ms(at))]).due.last().copied();
        let (mut old, mut young) = (chain(1, 0), chain(2, 60_000));
        assert_eq!(last(&mut young, 0), Some(ms(100)));
        assert_eq!(last(&mut old, 60_000), Some(ms(60_200)));
        assert_eq!(last(&mut young, 0), Some(ms(300)));
    }

    /// Bytes that never reach a shared link don't use its bandwidth.
    #[test]
    fn lost_bytes_use_no_bandwidth() {
        let mut lossy = toxic(0, loss(1.0, 0.0));
        lossy.selector.connections = "1".parse().expect("a connection");
        let route = route(&[lossy, toxic(1, bandwidth(10, 0, Sharing::Shared))]);
        let last = |connection| {
            let mut chain = route.chain(&target(connection, ms(0)), Direction::Downstream, 0).expect("it acts");
            send(&mut chain, &stream(1000), [(1000, ms(0))]).due.last().copied()
        };
        assert_eq!((last(1), last(2)), (Some(NEVER), Some(ms(100))));
    }

    /// A sender that always writes is slowed down, and its bytes are due within 75 ms: 50 ms for the longest queue, and
    /// 25 ms for the bytes of one read.
    #[test]
    fn the_queue_is_short_and_never_empty() {
        for rate in RATES {
            let mut chain = chain_of([bandwidth(rate, 0, Sharing::Own)]);
            let mut last = ms(0);
            for _ in 0..500 {
                let (now, most) = (chain.resumes(), chain.read_limit(ms(0)));
                assert!(now == ms(0) || now < last, "{rate}: empty at {now:?}, {last:?}");
                last = send(&mut chain, &stream(most), [(most, now)]).due[most - 1];
                assert!(until(last, now) <= ms(75), "{rate}: {now:?} {last:?}");
            }
        }
    }

    /// A burst is read at once, and so is any number of bytes while the toxic does not act.
    #[test]
    fn a_burst_is_read_at_once() {
        let taken = |toxic: Toxic, now| chain(&[toxic]).read_limit(now);
        assert_eq!(taken(toxic(0, bandwidth(1, 0, Sharing::Own)), ms(0)), 25);
        assert_eq!(taken(toxic(0, bandwidth(1, 5000, Sharing::Own)), ms(0)), 5000);
        let late = within(100..200, toxic(0, bandwidth(1, 0, Sharing::Own)));
        assert_eq!(taken(late.clone(), ms(99)), TAKEN_AT_ONCE);
        assert_eq!(taken(late, ms(100)), 25);
    }
}
