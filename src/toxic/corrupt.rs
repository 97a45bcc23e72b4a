//! `corrupt`: some bytes have one bit flipped.

use fastrand::Rng;

use super::behaviour::{Behaviour, Place};
use super::declaration::declare;
use super::link::Out;
use super::stats::Amount;
use super::{Span, Stage};
use crate::dice::ToxicRng;
use crate::value::Probability;

/// Hits are drawn separately for each block of this size: where the toxic begins to act after gigabytes, no draws for
/// them are needed.
const BLOCK: u64 = 64 * 1024;

declare! {
    /// Flips one bit in some of the bytes.
    pub struct Corrupt("corrupt", Changes, Offset) {
        /// The share of bytes with a flipped bit.
        pub rate: Probability, such as Probability::literal(0.0001);
    }
}

impl Behaviour for Corrupt {
    fn stage(&self, place: &Place<'_>) -> Box<dyn Stage> {
        Box::new(CorruptStage::new(*self, place.rng))
    }
}

pub(super) struct CorruptStage {
    corrupt: Corrupt,
    toxic_rng: ToxicRng,
    /// The block that `rng` draws for.
    block: u64,
    rng: Rng,
    hit: Hit,
}

/// The next byte that is changed, and how.
struct Hit {
    offset: u64,
    mask: u8,
}

impl CorruptStage {
    pub(super) fn new(corrupt: Corrupt, toxic_rng: ToxicRng) -> Self {
        let mut rng = toxic_rng.of_block(0);
        let hit = draw(corrupt, &mut rng, 0);
        Self { corrupt, toxic_rng, block: 0, rng, hit }
    }

    /// Goes to the block of byte `offset`.
    fn go_to(&mut self, offset: u64) {
        if self.block != offset / BLOCK {
            self.block = offset / BLOCK;
            self.rng = self.toxic_rng.of_block(self.block);
            self.hit = draw(self.corrupt, &mut self.rng, self.block * BLOCK);
        }
    }
}

impl Stage for CorruptStage {
    fn pass(&mut self, mut span: Span, out: &mut Out<'_>) {
        while !span.range.is_empty() {
            let offset = span.range.start;
            self.go_to(offset);
            let part = span.take(BLOCK - offset % BLOCK);
            let end = part.range.end;
            while self.hit.offset < end {
                // What came while the toxic did not act has passed, and stays as it was.
                if self.hit.offset >= offset {
                    out.flip(self.hit.offset, self.hit.mask);
                    out.stats().record(self.hit.offset, Amount::Bytes(1));
                }
                self.hit = draw(self.corrupt, &mut self.rng, self.hit.offset + 1);
            }
            out.pass(part);
        }
    }
}

/// The first hit from byte `from` on. The number of bytes before it has a geometric distribution, which takes one draw
/// by inversion: a draw for each byte would cost more than everything else that is done to it.
fn draw(corrupt: Corrupt, rng: &mut Rng, from: u64) -> Hit {
    let (rate, u, mask) = (corrupt.rate.get(), 1.0 - rng.f64(), 1 << rng.u8(..8));
    // u is in (0, 1]. At a rate of 1 the quotient is 0, at one of 0 it is infinite or, for u = 1, no number.
    let spared = if rate > 0.0 { (u.ln() / (-rate).ln_1p()).floor() } else { f64::INFINITY };
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is not negative, and `as` saturates"
    )]
    Hit { offset: from.saturating_add(spared as u64), mask }
}

#[cfg(test)]
#[expect(clippy::cast_precision_loss, reason = "counts of some thousands")]
mod tests {
    use super::*;
    use crate::dice::Dice;
    use crate::toxic::trial::{chain_of, corrupt, ms, send, share, stream};
    use crate::value::Direction;

    /// Which bytes of a stream are hit, the first ones of seed 42, and which bits of them.
    fn hits(rate: f64, length: usize) -> Vec<(usize, u8)> {
        let sent = stream(length);
        let outcome = send(&mut chain_of([corrupt(rate)]), &sent, [(length, ms(0))]);
        let flips = outcome.bytes.iter().zip(&sent).map(|(one, other)| one ^ other).enumerate();
        let hits: Vec<_> = flips.filter(|(_, flip)| *flip != 0).collect();
        assert!(hits.iter().all(|(_, flip)| flip.is_power_of_two()));
        hits
    }

    /// A seed must give the same draws in every release.
    #[test]
    fn a_seed_always_flips_the_same_bits() {
        assert_eq!(hits(0.1, 100), [(15, 2), (29, 16), (68, 32), (69, 64)]);
        let in_the_second_block: Vec<_> = hits(0.1, 65_590).into_iter().filter(|(place, _)| *place >= 65_536).collect();
        assert_eq!(in_the_second_block, [(65_557, 1), (65_562, 1), (65_565, 8), (65_571, 128)]);
    }

    /// A petabyte may have passed before the toxic acts: a draw for each byte would take a year.
    #[test]
    fn skipped_blocks_need_no_draws() {
        const FAR: u64 = 1 << 50;
        let name = "corrupt".parse().expect("a name");
        let rng = Dice::new(42, &"8180".parse().expect("a name")).of_toxic(1, &name, Direction::Downstream);
        let mut stage = CorruptStage::new(Corrupt { rate: share(1.0) }, rng);
        stage.go_to(FAR + 7);
        assert_eq!(stage.hit.offset, FAR);
    }

    #[test]
    fn rates_of_0_and_1_are_exact() {
        assert_eq!(hits(0.0, 100_000), []);
        assert_eq!(hits(1.0, 100_000).len(), 100_000);
        // A chance of 100,000 * 2^-53 for one to be spared, and of as many times 5e-324 for one to be hit.
        assert_eq!(hits(1.0 - f64::EPSILON / 2.0, 100_000).len(), 100_000);
        assert_eq!(hits(f64::from_bits(1), 100_000), []);
    }

    /// n bytes at rate p: mean n * p, standard deviation sqrt(n * p * (1 - p)), and six of those either way.
    #[test]
    fn the_rate_is_kept() {
        for (rate, length) in [(0.001, 400_000), (0.1, 400_000), (0.9, 100_000)] {
            let (hits, mean) = (hits(rate, length).len() as f64, length as f64 * rate);
            assert!((hits - mean).abs() < 6.0 * (mean * (1.0 - rate)).sqrt(), "{hits} at {rate}");
        }
    }

    /// Hits are independent of each other if a byte after a hit is hit as often as any: some 40,000 pairs at 0.1 have mean
    /// 4,000 and a standard deviation of sqrt(40,000 * 0.1 * 0.9) = 60; six are 360, and six more of 0.1 * 190 for the
    /// number of hits itself, whose standard deviation that is: 475.
    #[test]
    fn hits_are_independent() {
        let neighbours = hits(0.1, 400_000).windows(2).filter(|pair| pair[0].0 + 1 == pair[1].0).count();
        assert!(neighbours.abs_diff(4000) < 475, "{neighbours}");
    }

    /// Each of the 8 bits has a share of 1/8: 100,000 hits, mean 12,500, standard deviation
    /// sqrt(100,000 * 1/8 * 7/8) = 105, and six of those are 628.
    #[test]
    fn each_bit_is_as_likely() {
        let hits = hits(1.0, 100_000);
        for bit in 0..8 {
            let flips = hits.iter().filter(|(_, flip)| *flip == 1 << bit).count();
            assert!(flips.abs_diff(12_500) < 628, "bit {bit}: {flips}");
        }
    }
}
