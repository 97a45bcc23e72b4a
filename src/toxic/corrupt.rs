//! `corrupt`: some bytes have one bit flipped.

use fastrand::Rng;

use super::behaviour::{Behaviour, Place};
use super::declaration::declare;
use super::out::Out;
use super::stats::Amount;
use super::{Span, Stage};
use crate::dice::ToxicRng;
use crate::value::Probability;

/// Each block of this size has its own draws. So a toxic that begins to act after gigabytes need not draw for the bytes
/// before.
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
    /// The current block, which `rng` draws for.
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

    /// Moves to the block that contains `offset`.
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
                // Bytes that arrived while the toxic did not act stay unchanged.
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

/// Draws the first hit at or after `from`. The number of unchanged bytes before it has a geometric distribution, which
/// takes one draw by inversion. A draw for each byte would cost more than all other work on it.
fn draw(corrupt: Corrupt, rng: &mut Rng, from: u64) -> Hit {
    let (rate, u, mask) = (corrupt.rate.get(), 1.0 - rng.f64(), 1 << rng.u8(..8));
    // u is in (0, 1]. At a rate of 1 the quotient is 0. At a rate of 0 it would be infinite, or NaN for u = 1.
    let skipped = if rate > 0.0 { (u.ln() / (-rate).ln_1p()).floor() } else { f64::INFINITY };
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is not negative, and `as` saturates"
    )]
    Hit { offset: from.saturating_add(skipped as u64), mask }
}

#[cfg(test)]
#[expect(clippy::cast_precision_loss, reason = "counts of some thousands")]
mod tests {
    use super::*;
    use crate::dice::Dice;
    use crate::toxic::trial::{chain_of, corrupt, ms, send, share, stream};
    use crate::value::Direction;

    /// The changed bytes of a stream with seed 42, and their changed bits.
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
        // The chance of one unchanged byte is 100,000 * 2^-53, and that of one changed byte is 100,000 * 5e-324.
        assert_eq!(hits(1.0 - f64::EPSILON / 2.0, 100_000).len(), 100_000);
        assert_eq!(hits(f64::from_bits(1), 100_000), []);
    }

    /// n bytes at rate p have n * p hits on average, with a standard deviation of sqrt(n * p * (1 - p)). The bound is
    /// six of those.
    #[test]
    fn the_rate_is_kept() {
        for (rate, length) in [(0.001, 400_000), (0.1, 400_000), (0.9, 100_000)] {
            let (hits, mean) = (hits(rate, length).len() as f64, length as f64 * rate);
            assert!((hits - mean).abs() < 6.0 * (mean * (1.0 - rate)).sqrt(), "{hits} at {rate}");
        }
    }

    /// If hits are independent, a byte after a hit is hit as often as any other: of 40,000 hits at 0.1, 4,000 are
    /// followed by one, with a standard deviation of sqrt(40,000 * 0.1 * 0.9) = 60. The number of hits varies with a
    /// standard deviation of 190, of which 0.1 counts here. The bound is six of each: 360 + 114 = 474.
    #[test]
    fn hits_are_independent() {
        let neighbours = hits(0.1, 400_000).windows(2).filter(|pair| pair[0].0 + 1 == pair[1].0).count();
        assert!(neighbours.abs_diff(4000) < 475, "{neighbours}");
    }

    /// 100,000 hits flip each of the 8 bits 12,500 times on average, with a standard deviation of sqrt(100,000 * 1/8 *
    /// 7/8) = 105. The bound is six of those.
    #[test]
    fn all_bits_are_equally_likely() {
        let hits = hits(1.0, 100_000);
        for bit in 0..8 {
            let flips = hits.iter().filter(|(_, flip)| *flip == 1 << bit).count();
            assert!(flips.abs_diff(12_500) < 628, "bit {bit}: {flips}");
        }
    }
}
