//! `packet_loss`: the effect of lost segments on a TCP stream. A lost segment arrives with its retransmission, and
//! later segments wait for it. No byte is lost.

use std::time::Duration;

use fastrand::Rng;

use super::behaviour::{Behaviour, Place};
use super::declaration::declare;
use super::out::Out;
use super::stats::ToxicStats;
use super::{ActiveTime, End, Moment, NEVER, Span, Stage, until};
use crate::dice::ToxicRng;
use crate::value::{Probability, Timeout};

/// The last retransmission always arrives. Linux would close the connection after it (`tcp_retries2` in tcp(7)), but
/// this toxic only delays bytes.
const MAX_RETRANSMISSIONS: usize = 15;

/// The longest retransmission timeout (`TCP_RTO_MAX` in `include/net/tcp.h`).
const LONGEST_RETRANSMISSION: Duration = Duration::from_secs(120);

/// The shortest retransmission timeout of Linux (`TCP_RTO_MIN` in `include/net/tcp.h`).
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
    last: Option<Transmission>,
}

/// The delay and the arrival of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Transmission {
    segment: u64,
    delay: Duration,
    /// When the segment arrives. Drawn for its first byte, so later bytes of the segment are not lost again.
    arrives: Moment,
}

impl PacketLossStage {
    pub(super) fn new(loss: PacketLoss, active: ActiveTime, rng: ToxicRng) -> Self {
        Self { loss, active, rng, last: None }
    }

    /// Returns the transmission of a segment whose next byte was sent at `at`.
    fn transmission_of(&mut self, segment: u64, at: Moment) -> Transmission {
        if let Some(transmission) = self.last.filter(|last| last.segment == segment) {
            return transmission;
        }
        let drawn = draw(&self.loss, &mut self.rng.of_block(segment), self.last);
        let delay = match drawn {
            Duration::ZERO => Duration::ZERO,
            delay => first_from(&self.loss, delay.min(until(self.active.ends, at))),
        };
        let transmission = Transmission { segment, delay, arrives: at.saturating_add(delay) };
        self.last = Some(transmission);
        transmission
    }
}

impl Stage for PacketLossStage {
    fn pass(&mut self, mut span: Span, out: &mut Out<'_>) {
        while !span.range.is_empty() {
            let (segment, mut part) = span.take_segment();
            let transmission = self.transmission_of(segment, part.at);
            out.stats().record_segment_delay(segment, part.range.start, transmission.delay);
            part.at = part.at.max(transmission.arrives);
            out.pass(part);
        }
    }

    /// A FIN may be lost like data.
    fn finish(&mut self, end: End, stats: &mut ToxicStats) -> Moment {
        let transmission = self.transmission_of(end.segment, end.at);
        stats.record_segment_delay(end.segment, end.offset, transmission.delay);
        end.at.max(transmission.arrives)
    }
}

/// Draws the delay of a segment: zero if it is not lost.
fn draw(loss: &PacketLoss, rng: &mut Rng, last: Option<Transmission>) -> Duration {
    let like_the_last = rng.f64() < loss.correlation.get();
    let fresh = rng.f64() < loss.loss_rate.get();
    let is_lost = last.filter(|_| like_the_last).map_or(fresh, |last| !last.delay.is_zero());
    if is_lost { retransmission(loss, rng) } else { Duration::ZERO }
}

/// Draws the delay of a lost segment. Each retransmission may be lost as well, and the next one takes twice as long.
fn retransmission(loss: &PacketLoss, rng: &mut Rng) -> Duration {
    let mut delay = Duration::ZERO;
    for after in retransmissions(loss).take(MAX_RETRANSMISSIONS) {
        delay = after;
        if rng.f64() >= loss.loss_rate.get() {
            return delay;
        }
    }
    if loss.loss_rate < Probability::ALWAYS { delay } else { NEVER }
}

/// The delay of the first retransmission at or after `least`: the drawn one, or the first one after the end of the
/// window.
fn first_from(loss: &PacketLoss, least: Duration) -> Duration {
    if least == NEVER { NEVER } else { retransmissions(loss).find(|delay| *delay >= least).unwrap_or(NEVER) }
}

/// The delays of all retransmissions.
fn retransmissions(loss: &PacketLoss) -> impl Iterator<Item = Duration> + use<> {
    let first = loss.retransmit.duration();
    let longest = first.max(LONGEST_RETRANSMISSION);
    let waits = std::iter::successors(Some(first), move |wait| Some((*wait * 2).min(longest)));
    waits.scan(Duration::ZERO, |delay, wait| {
        *delay += wait;
        Some(*delay)
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

    /// The delays of consecutive segments.
    fn delays(loss: &PacketLoss, count: u64) -> Vec<Duration> {
        let mut stage = PacketLossStage::new(*loss, ALWAYS, trial::rng("packet_loss"));
        (0..count).map(|index| stage.transmission_of(index * 1448, ms(0)).delay).collect()
    }

    fn lost(delays: &[Duration]) -> usize {
        delays.iter().filter(|delay| !delay.is_zero()).count()
    }

    /// 40,000 draws at 0.1 have a mean of 4,000 and a standard deviation of sqrt(40,000 * 0.1 * 0.9) = 60. The bound is
    /// six of those.
    #[test]
    fn the_loss_rate_is_kept() {
        let lost = lost(&delays(&loss(0.1, 0.0), 40_000));
        assert!(lost.abs_diff(4000) < 360, "{lost}");
    }

    /// A correlation of 0.8 multiplies the variance by (1 + 0.8) / (1 - 0.8) = 9, and so the standard deviation by 3,
    /// to 180; six are 1,080. After a lost segment 0.8 + 0.2 * 0.1 = 82 % are lost: for about 4,000 pairs the standard
    /// deviation is sqrt(0.82 * 0.18 / 4000) = 0.6 %, and six are 3.7 %.
    #[test]
    fn correlation_makes_bursts_and_keeps_the_rate() {
        let delays = delays(&loss(0.1, 0.8), 40_000);
        assert!(lost(&delays).abs_diff(4000) < 1080, "{}", lost(&delays));
        let after_a_loss: Vec<Duration> =
            delays.windows(2).filter(|pair| !pair[0].is_zero()).map(|pair| pair[1]).collect();
        let share = lost(&after_a_loss) as f64 / after_a_loss.len() as f64;
        assert!((share - 0.82).abs() < 0.037, "{share}");
    }

    /// At 0.5 half of the 40,000 segments are lost. Of those, half are lost at least twice, and a quarter at least
    /// three times. A share of 20,000 has a standard deviation of at most sqrt(0.25 / 20,000) = 0.35 %. Six are 2.1 %,
    /// and a little more because the number of lost segments varies too.
    #[test]
    fn a_repeated_loss_doubles_the_wait() {
        let delays = delays(&loss(0.5, 0.0), 40_000);
        let share = |millis| {
            let delay = delays.iter().filter(|delay| delay.as_millis() == millis).count();
            delay as f64 / lost(&delays) as f64
        };
        for (millis, expected) in [(200, 0.5), (600, 0.25), (1400, 0.125)] {
            assert!((share(millis) - expected).abs() < 0.022, "{millis}: {}", share(millis));
        }
    }

    /// At 0.99 the fifteenth retransmission is the latest: the first ten timeouts, from 200 ms doubled nine times, are
    /// 204.6 s in all, and the other five take 120 s each.
    #[test]
    fn a_loss_rate_below_1_loses_no_byte() {
        let latest = delays(&loss(0.99, 0.0), 1000).into_iter().max();
        assert_eq!(latest, Some(Duration::from_millis(204_600 + 5 * 120_000)));
    }

    #[test]
    fn a_loss_rate_of_1_passes_nothing() {
        assert!(delays(&loss(1.0, 0.0), 10).iter().all(|&delay| delay == NEVER));
    }

    /// Bytes sent at 50, 100 and 350 ms are retransmitted after 200, 600 and 1,400 ms. The first retransmissions after
    /// the outage are at 650, 700 and 550 ms. Later bytes are not delayed further.
    #[test]
    fn the_first_retransmission_after_an_outage_arrives() {
        for (sent, arrives) in [(50, 650), (100, 700), (350, 550), (499, 699), (500, 500)] {
            let mut chain = chain(&[within(50..500, toxic(0, trial::loss(1.0, 0.0)))]);
            let outcome = send(&mut chain, &stream(2000), [(1, ms(sent)), (1999, ms(900))]);
            assert_eq!((outcome.due[0], outcome.due[1999]), (ms(arrives), ms(900)), "{sent}");
            let event = ("packet_loss_0".to_owned(), 1, 0, Amount::Delay(ms(arrives - sent)));
            assert_eq!(outcome.events, if arrives > sent { vec![event] } else { vec![] });
        }
    }

    /// The lost segments among the first 40 with seed 42, and their delays in ms. The segments are far enough apart not
    /// to delay each other.
    fn lost_of_40() -> Vec<(u32, u128)> {
        let mut chain = chain_of([trial::loss(0.2, 0.3)]);
        let mut delay = |segment: u32| {
            let at = ms(100_000) * segment;
            until(send(&mut chain, &stream(1448), [(1448, at)]).due[0], at).as_millis()
        };
        (0..40).map(|segment| (segment, delay(segment))).filter(|(_, delay)| *delay > 0).collect()
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

    /// All bytes of a lost segment wait for its retransmission. Bytes of it that arrive after that are not lost again.
    /// Later segments wait too.
    #[test]
    fn a_segment_is_lost_once_and_delays_later_ones() {
        let (segment, delay) = lost_of_40()[0];
        let before = segment as usize * 1448;
        let chunks = [(before, ms(0)), (1, ms(10)), (1, ms(20)), (1, ms(9000)), (1445, ms(9000)), (1448, ms(9000))];
        let mut chain = chain_of([trial::loss(0.2, 0.3)]);
        let outcome = send(&mut chain, &stream(before + 2 * 1448), chunks);
        assert_eq!(until(outcome.due[before], ms(10)).as_millis(), delay);
        assert_eq!(outcome.due[before + 1], outcome.due[before]);
        assert_eq!(outcome.due[before + 2..before + 1448], vec![ms(9000); 1446]);
    }
}
