//! `latency`: each byte is sent a delay after its arrival. Delays overlap, so they don't reduce throughput.
//!
//! All bytes of a segment have the same delay. With the correlation as probability, a segment repeats the delay of the
//! one before; otherwise it gets a new one. So single delays are distributed as without correlation, and the
//! correlation of two delays that are n segments apart is its nth power.

use std::f64::consts::TAU;
use std::time::Duration;

use fastrand::Rng;

use super::behaviour::{Behaviour, Misfit, Place};
use super::declaration::declare;
use super::out::Out;
use super::stats::ToxicStats;
use super::{End, Moment, Span, Stage};
use crate::dice::ToxicRng;
use crate::value::{Millis, Probability, Written, words};

declare! {
    /// Delays every byte, and the end of the stream too. Bytes stay in order. Delays overlap: throughput stays the
    /// same, up to some 27 MiB in flight.
    pub struct Latency("latency", Keeps, Offset) {
        /// The delay.
        latency: Millis, such as Millis::literal(100);
        /// How far delays lie from the latency; a delay that would be negative is none.
        jitter: Millis = Millis::literal(0);
        /// The share of segments that meet the same delay as the one before.
        correlation: Probability = Probability::NEVER;
        /// How delays lie around the latency.
        distribution: Distribution = Distribution::Uniform;
    }
}

impl Latency {
    /// Uniform, independent delays. The compiler checks the numbers.
    pub(crate) const fn literal(latency: u32, jitter: u32) -> Self {
        let (latency, jitter) = (Millis::literal(latency), Millis::literal(jitter));
        Self { latency, jitter, correlation: Probability::NEVER, distribution: Distribution::Uniform }
    }
}

impl Behaviour for Latency {
    /// Without jitter all delays are equal, so correlation and distribution have no effect.
    fn misfits(&self) -> Vec<Misfit> {
        let Self { jitter, correlation, distribution, .. } = *self;
        let is_steady = jitter.get() == 0;
        let mut misfits = Vec::new();
        if is_steady && correlation != Probability::NEVER {
            let what = format!("a correlation of {} changes nothing without a jitter", correlation.write());
            misfits.push(Misfit::new("correlation", what, "use 0, or a jitter of 1 ms or more"));
        }
        if is_steady && distribution != Distribution::Uniform {
            let what = format!("a {} distribution changes nothing without a jitter", distribution.as_str());
            misfits.push(Misfit::new("distribution", what, "use uniform, or a jitter of 1 ms or more"));
        }
        misfits
    }

    fn stage(&self, place: &Place<'_>) -> Box<dyn Stage> {
        Box::new(LatencyStage::new(*self, place.rng))
    }
}

words! {
    /// The distribution of delays.
    pub enum Distribution("is not a distribution", "use uniform, normal or pareto") {
        /// Uniform from one jitter below the latency to one jitter above it.
        Uniform = "uniform",
        /// Normal with the jitter as standard deviation.
        Normal = "normal",
        /// Mostly a little below the latency, sometimes far above it: a Pareto distribution of shape 3. Its mean is the
        /// latency, and its minimum is a third of the jitter below.
        Pareto = "pareto",
    }
}

pub(super) struct LatencyStage {
    latency: Latency,
    rng: ToxicRng,
    /// The segment of the last draw, and its delay.
    last: Option<(u64, Duration)>,
}

impl LatencyStage {
    pub(super) fn new(latency: Latency, rng: ToxicRng) -> Self {
        Self { latency, rng, last: None }
    }

    fn delay_of(&mut self, segment: u64) -> Duration {
        let drawn = self.last.filter(|(last, _)| *last == segment).map(|(_, delay)| delay);
        let delay = drawn.unwrap_or_else(|| next(&self.latency, &mut self.rng.of_block(segment), self.last));
        self.last = Some((segment, delay));
        delay
    }
}

impl Stage for LatencyStage {
    fn pass(&mut self, mut span: Span, out: &mut Out<'_>) {
        while !span.range.is_empty() {
            let (segment, mut part) = span.take_segment();
            let delay = self.delay_of(segment);
            out.stats().record_delay(&part, delay);
            part.at = part.at.saturating_add(delay);
            out.pass(part);
        }
    }

    /// A FIN has the delay of its segment, like data.
    fn finish(&mut self, end: End, stats: &mut ToxicStats) -> Moment {
        let delay = self.delay_of(end.segment);
        stats.record_segment_delay(end.segment, end.offset, delay);
        end.at.saturating_add(delay)
    }
}

fn next(latency: &Latency, rng: &mut Rng, last: Option<(u64, Duration)>) -> Duration {
    let kept = rng.f64() < latency.correlation.get();
    let fresh = draw(latency, rng);
    last.filter(|_| kept).map_or(fresh, |(_, delay)| delay)
}

fn draw(latency: &Latency, rng: &mut Rng) -> Duration {
    let deviation = latency.jitter.duration().as_secs_f64() * deviation(latency.distribution, rng.f64(), rng.f64());
    let seconds = latency.latency.duration().as_secs_f64() + deviation;
    // It is finite. A negative delay becomes 0; one that exceeds a `Duration` never ends.
    Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::MAX)
}

/// The deviation from the mean in units of the jitter, from two uniform draws in [0, 1).
fn deviation(distribution: Distribution, u: f64, v: f64) -> f64 {
    match distribution {
        Distribution::Uniform => 2.0 * u - 1.0,
        // Box and Muller 1958; 1 - u is never 0.
        Distribution::Normal => (-2.0 * (1.0 - u).ln()).sqrt() * (TAU * v).cos(),
        // Shape 3 and a minimum of 2/3 give a mean of 1, and the standard deviation of the uniform distribution,
        // 1/sqrt(3).
        Distribution::Pareto => 2.0 / 3.0 / (1.0 - u).cbrt() - 1.0,
    }
}

#[cfg(test)]
#[expect(clippy::cast_precision_loss, reason = "counts of some thousands")]
mod tests {
    use super::*;
    use crate::toxic::trial::{self, chain_of, millis, ms, send, share, stream};
    use crate::toxic::{Effect, until};

    fn latency(correlation: f64, distribution: Distribution) -> Latency {
        Latency { latency: millis(100), jitter: millis(60), correlation: share(correlation), distribution }
    }

    /// The delays of consecutive segments.
    fn delays(latency: &Latency, count: u64) -> Vec<f64> {
        let mut stage = LatencyStage::new(*latency, trial::rng("latency"));
        (0..count).map(|index| stage.delay_of(index * 1448).as_secs_f64() * 1e3).collect()
    }

    /// The largest difference between the share of `samples` below a value and the expected share.
    fn distance(mut samples: Vec<f64>, below: impl Fn(f64) -> f64) -> f64 {
        samples.sort_by(f64::total_cmp);
        let count = samples.len() as f64;
        let at = |(index, sample): (usize, &f64)| (below(*sample) - index as f64 / count).abs();
        samples.iter().enumerate().map(at).fold(0.0, f64::max)
    }

    /// The Dvoretzky-Kiefer-Wolfowitz inequality with Massart's constant: the distance exceeds e with a probability of
    /// at most 2 exp(-2 n e²). For n = 40,000 and e = 0.016 that is 3e-9. The seed never changes.
    #[test]
    fn delays_are_distributed_as_defined() {
        const FAR: f64 = 0.016;
        let uniform = delays(&latency(0.0, Distribution::Uniform), 40_000);
        assert!(distance(uniform, |x| ((x - 40.0) / 120.0).clamp(0.0, 1.0)) < FAR);
        let pareto = delays(&latency(0.0, Distribution::Pareto), 40_000);
        assert!(distance(pareto, |x| if x < 80.0 { 0.0 } else { 1.0 - (40.0 / (x - 40.0)).powi(3) }) < FAR);
    }

    /// Between -200 and 400 ms, a third of the delays would be negative. The bound is the same as above.
    #[test]
    fn a_delay_that_would_be_negative_is_none() {
        let wide = Latency { jitter: millis(300), ..latency(0.0, Distribution::Uniform) };
        let delays = delays(&wide, 40_000);
        assert!(delays.iter().all(|delay| *delay >= 0.0));
        let none = delays.iter().filter(|delay| **delay <= 0.0).count() as f64 / 40_000.0;
        assert!((none - 1.0 / 3.0).abs() < 0.016, "{none}");
    }

    /// The shares of a normal distribution below one standard deviation under the mean, below the mean, and below two
    /// deviations above it, from any table. The bound is the same as above.
    #[test]
    fn normal_delays_have_the_jitter_as_standard_deviation() {
        let normal = delays(&latency(0.0, Distribution::Normal), 40_000);
        for (limit, share) in [(40.0, 0.1587), (100.0, 0.5), (220.0, 0.9772)] {
            let below = normal.iter().filter(|&&delay| delay < limit).count() as f64 / 40_000.0;
            assert!((below - share).abs() < 0.016, "{below} below {limit}");
        }
    }

    /// With a correlation of 0.8, a delay repeats the one before in 80 % of all cases: 32,000 of 40,000 pairs, with a
    /// standard deviation of sqrt(40,000 * 0.8 * 0.2) = 80. The bound is six of those.
    #[test]
    fn a_correlated_delay_often_repeats() {
        let delays = delays(&latency(0.8, Distribution::Uniform), 40_001);
        let kept = delays.windows(2).filter(|pair| pair[0].total_cmp(&pair[1]).is_eq()).count();
        assert!(kept.abs_diff(32_000) < 480, "{kept}");
    }

    /// A seed must give the same draws in every release. Compared in whole microseconds, because the last bits of a
    /// logarithm may differ between machines.
    #[test]
    fn a_seed_always_gives_the_same_delays() {
        for (correlation, distribution, expected) in [
            (0.0, Distribution::Uniform, [45274, 140_233, 92249, 109_463, 123_725, 143_290]),
            (0.1, Distribution::Normal, [102_352, 11604, 50563, 50563, 117_495, 128_967]),
            (0.0, Distribution::Pareto, [80603, 112_970, 88396, 93364, 99600, 117_173]),
        ] {
            let delays = six(Effect::Latency(latency(correlation, distribution)));
            assert_eq!(delays, expected, "{distribution:?}");
        }
    }

    /// The delays of the first six segments with seed 42, one second apart.
    fn six(effect: Effect) -> [u128; 6] {
        let mut chain = chain_of([effect]);
        [0, 1, 2, 3, 4, 5].map(|second| {
            let at = ms(second * 1000);
            let due = send(&mut chain, &stream(1448), [(1448, at)]).due;
            assert!(due.iter().all(|other| *other == due[0]));
            until(due[0], at).as_micros()
        })
    }
}
