//! `packet_loss`: the effect of lost segments on a TCP stream. A lost segment arrives with its retransmission, and later
//! segments wait for it. No byte is lost.

use std::time::Duration;

use fastrand::Rng;

use super::behaviour::{Behaviour, Place};
use super::declaration::declare;
use super::link::Out;
use super::stats::ToxicStats;
use super::{ActiveTime, End, Moment, NEVER, Span, Stage, until};
use crate::dice::ToxicRng;
use crate::value::{Probability, Timeout};

/// A segment arrives with the last of these, where Linux would close the connection (`tcp_retries2` in tcp(7)): a loss
/// delays bytes, and ends nothing.
const MOST_RETRANSMISSIONS: usize = 15;

/// The limit of doubling (`TCP_RTO_MAX` in `include/net/tcp.h`).
const LONGEST_RETRANSMISSION: Duration = Duration::from_secs(120);

/// Linux' shortest retransmission time-out (`TCP_RTO_MIN` in `include/net/tcp.h`).
const SHORTEST_RETRANSMISSION: Timeout = Timeout::literal(200);

declare! {
    /// Delays lost segments until they are sent again; loses no byte. A lost segment of at most 1448 bytes comes
    /// `retransmit` later, and the bytes after it wait for it. Each repeated loss takes twice as long, up to 120 s, and
    /// at most 15 in a row. A `loss_rate` of 1 is an outage: nothing passes until the first retransmission after the
    /// end of `for`.
    pub struct PacketLoss("packet_loss", Keeps, Offset) {
        /// The share of segments that are lost; of those sent again, the same share is lost again.
        pub loss_rate: Probability, such as Probability::literal(0.01);
        /// The share of segments that are lost or not like the one before.
        pub correlation: Probability = Probability::NEVER;
        /// The delay of the first retransmission; each further one takes twice as long.
        pub retransmit: Timeout = SHORTEST_RETRANSMISSION;
    }
}

impl Behaviour for PacketLoss {
    fn stage(&self, place: &Place<'_>) -> Box<dyn Stage> {
        Box::new(PacketLossStage::new(*self, place.active, place.rng))
    }
}

pub(super) struct PacketLossStage {
    loss: PacketLoss,
    active: ActiveTime,
    rng: ToxicRng,
    last: Option<Way>,
}

/// The delay of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Way {
    segment: u64,
    late: Duration,
    /// When it arrives. Set when its first byte comes: later bytes of the segment are not lost again.
    there: Moment,
}

impl PacketLossStage {
    pub(super) fn new(loss: PacketLoss, active: ActiveTime, rng: ToxicRng) -> Self {
        Self { loss, active, rng, last: None }
    }

    /// The way of a segment whose next byte comes `at` that moment.
    fn way_of(&mut self, segment: u64, at: Moment) -> Way {
        if let Some(way) = self.last.filter(|last| last.segment == segment) {
            return way;
        }
        let drawn = draw(&self.loss, &mut self.rng.of_block(segment), self.last);
        let late = match drawn {
            Duration::ZERO => Duration::ZERO,
            late => first_from(&self.loss, late.min(until(self.active.ends, at))),
        };
        let way = Way { segment, late, there: at.saturating_add(late) };
        self.last = Some(way);
        way
    }
}

impl Stage for PacketLossStage {
    fn pass(&mut self, mut span: Span, out: &mut Out<'_>) {
        while !span.range.is_empty() {
            let (segment, mut part) = span.take_segment();
            let way = self.way_of(segment, part.at);
            out.stats().record_segment_delay(segment, part.range.start, way.late);
            part.at = part.at.max(way.there);
            out.pass(part);
        }
    }

    /// A FIN may be lost like any segment.
    fn finish(&mut self, end: End, stats: &mut ToxicStats) -> Moment {
        let way = self.way_of(end.segment, end.at);
        stats.record_segment_delay(end.segment, end.offset, way.late);
        end.at.max(way.there)
    }
}

/// By how much a segment is late.
fn draw(loss: &PacketLoss, rng: &mut Rng, last: Option<Way>) -> Duration {
    let like_the_last = rng.f64() < loss.correlation.get();
    let fresh = rng.f64() < loss.loss_rate.get();
    let is_lost = last.filter(|_| like_the_last).map_or(fresh, |last| !last.late.is_zero());
    if is_lost { retransmission(loss, rng) } else { Duration::ZERO }
}

/// Each retransmission may be lost as well, and the next one then takes twice as long.
fn retransmission(loss: &PacketLoss, rng: &mut Rng) -> Duration {
    let mut late = Duration::ZERO;
    for after in retransmissions(loss).take(MOST_RETRANSMISSIONS) {
        late = after;
        if rng.f64() >= loss.loss_rate.get() {
            return late;
        }
    }
    if loss.loss_rate < Probability::ALWAYS { late } else { NEVER }
}

/// The delay of the first retransmission that is not before `least`: the one that was drawn, or the first one after the
/// end of the window.
fn first_from(loss: &PacketLoss, least: Duration) -> Duration {
    if least == NEVER { NEVER } else { retransmissions(loss).find(|late| *late >= least).unwrap_or(NEVER) }
}

/// The delay of each retransmission.
fn retransmissions(loss: &PacketLoss) -> impl Iterator<Item = Duration> + use<> {
    let first = loss.retransmit.duration();
    let longest = first.max(LONGEST_RETRANSMISSION);
    let waits = std::iter::successors(Some(first), move |wait| Some((*wait * 2).min(longest)));
    waits.scan(Duration::ZERO, |late, wait| {
        *late += wait;
        Some(*late)
    })
}

#[cfg(test)]
#[expect(clippy::cast_precision_loss, reason = "counts of some thousands")]
mod tests {
    use super::*;
    use crate::toxic::Amount;
    use crate::toxic::trial::{self, ALWAYS, chain, chain_of, ms, send, stream, toxic, within};

    fn loss(rate: f64, correlation: f64) -> PacketLoss {
        let share = |number: f64| number.try_into().expect("a share");
        PacketLoss { loss_rate: share(rate), correlation: share(correlation), retransmit: SHORTEST_RETRANSMISSION }
    }

    /// How late segments are that follow each other.
    fn ways(loss: &PacketLoss, count: u64) -> Vec<Duration> {
        let mut stage = PacketLossStage::new(*loss, ALWAYS, trial::rng("packet_loss"));
        (0..count).map(|index| stage.way_of(index * 1448, ms(0)).late).collect()
    }

    fn lost(ways: &[Duration]) -> usize {
        ways.iter().filter(|late| !late.is_zero()).count()
    }

    /// 40,000 draws at 0.1: mean 4,000, standard deviation sqrt(40,000 * 0.1 * 0.9) = 60, and six of those are 360.
    #[test]
    fn the_loss_rate_is_kept() {
        let lost = lost(&ways(&loss(0.1, 0.0), 40_000));
        assert!(lost.abs_diff(4000) < 360, "{lost}");
    }

    /// A share of 0.8 that is like the one before stretches the variance by (1 + 0.8) / (1 - 0.8) = 9, and so the
    /// standard deviation to 180: six are 1,080. And of those that follow a lost one 0.8 + 0.2 * 0.1 = 82 % are lost:
    /// some 4,000 pairs have a standard deviation of sqrt(0.82 * 0.18 / 4000) = 0.6 %, six are 3.7 %.
    #[test]
    fn correlation_makes_bursts_and_keeps_the_rate() {
        let ways = ways(&loss(0.1, 0.8), 40_000);
        assert!(lost(&ways).abs_diff(4000) < 1080, "{}", lost(&ways));
        let after_a_loss: Vec<Duration> =
            ways.windows(2).filter(|pair| !pair[0].is_zero()).map(|pair| pair[1]).collect();
        let share = lost(&after_a_loss) as f64 / after_a_loss.len() as f64;
        assert!((share - 0.82).abs() < 0.037, "{share}");
    }

    /// Of the lost ones half are lost again at 0.5, and a quarter twice: 20,000 of 40,000 are lost, so that a share of
    /// those has a standard deviation of at most sqrt(0.25 / 20,000) = 0.35 %, six are 2.1 % (and a little for the 20,000
    /// that are not exactly that many).
    #[test]
    fn a_repeated_loss_doubles_the_wait() {
        let ways = ways(&loss(0.5, 0.0), 40_000);
        let share = |millis| {
            let late = ways.iter().filter(|late| late.as_millis() == millis).count();
            late as f64 / lost(&ways) as f64
        };
        for (millis, expected) in [(200, 0.5), (600, 0.25), (1400, 0.125)] {
            assert!((share(millis) - expected).abs() < 0.022, "{millis}: {}", share(millis));
        }
    }

    /// 0.99 is lost again and again, and comes with the fifteenth retransmission at the latest: 200 ms doubled nine times are
    /// 204.6 s in all, and the five after that take 120 s each.
    #[test]
    fn a_loss_rate_below_1_loses_nothing() {
        let latest = ways(&loss(0.99, 0.0), 1000).into_iter().max();
        assert_eq!(latest, Some(Duration::from_millis(204_600 + 5 * 120_000)));
    }

    #[test]
    fn a_loss_rate_of_1_passes_nothing() {
        assert!(ways(&loss(1.0, 0.0), 10).iter().all(|&late| late == NEVER));
    }

    /// Sent at 50, 100 and 350 ms and again after 200, 600 and 1,400 ms: the first of those after the outage
    /// are at 650, 700 and 550 ms. Later bytes are delayed no further.
    #[test]
    fn the_first_retransmission_after_an_outage_arrives() {
        for (sent, there) in [(50, 650), (100, 700), (350, 550), (499, 699), (500, 500)] {
            let mut chain = chain(&[within(50..500, toxic(0, trial::loss(1.0, 0.0)))]);
            let outcome = send(&mut chain, &stream(2000), [(1, ms(sent)), (1999, ms(900))]);
            assert_eq!((outcome.leaves[0], outcome.leaves[1999]), (ms(there), ms(900)), "{sent}");
            let event = ("packet_loss_0".to_owned(), 1, 0, Amount::Delay(ms(there - sent)));
            assert_eq!(outcome.acts, if there > sent { vec![event] } else { vec![] });
        }
    }

    /// The lost ones of the first 40 segments of seed 42, and their delays in ms. They come so far apart that none delays
    /// another.
    fn lost_of_40() -> Vec<(u32, u128)> {
        let mut chain = chain_of([trial::loss(0.2, 0.3)]);
        let mut late = |segment: u32| {
            let at = ms(100_000) * segment;
            until(send(&mut chain, &stream(1448), [(1448, at)]).leaves[0], at).as_millis()
        };
        (0..40).map(|segment| (segment, late(segment))).filter(|(_, late)| *late > 0).collect()
    }

    /// A seed must give the same draws in every release.
    #[test]
    fn a_seed_always_loses_the_same_segments() {
        let golden = [
            (0, 200),
            (3, 600),
            (4, 3000),
            (6, 200),
            (7, 200),
            (14, 200),
            (15, 200),
            (26, 200),
            (27, 200),
            (28, 600),
            (29, 200),
            (33, 200),
        ];
        assert_eq!(lost_of_40(), golden);
    }

    /// Bytes of a lost segment wait for its retransmission, and are not lost again after it. Later segments wait too.
    #[test]
    fn a_segment_is_lost_once_and_delays_later_ones() {
        let (segment, late) = lost_of_40()[0];
        let before = segment as usize * 1448;
        let chunks = [(before, ms(0)), (1, ms(10)), (1, ms(20)), (1, ms(9000)), (1445, ms(9000)), (1448, ms(9000))];
        let mut chain = chain_of([trial::loss(0.2, 0.3)]);
        let outcome = send(&mut chain, &stream(before + 2 * 1448), chunks);
        assert_eq!(until(outcome.leaves[before], ms(10)).as_millis(), late);
        assert_eq!(outcome.leaves[before + 1], outcome.leaves[before]);
        assert_eq!(outcome.leaves[before + 2..before + 1448], vec![ms(9000); 1446]);
    }
}
