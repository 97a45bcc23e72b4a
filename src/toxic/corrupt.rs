//! `corrupt`: some bytes have one bit flipped.

use fastrand::Rng;

use super::chain::{Amount, Out};
use super::{Span, Stage};
use crate::plan::Corrupt;

pub(super) struct Corrupting {
    corrupt: Corrupt,
    rng: Rng,
    hit: Hit,
}

/// The next byte that is changed, and how.
struct Hit {
    offset: u64,
    mask: u8,
}

impl Corrupting {
    pub(super) fn new(corrupt: Corrupt, mut rng: Rng) -> Self {
        let hit = draw(corrupt, &mut rng, 0);
        Self { corrupt, rng, hit }
    }
}

impl Stage for Corrupting {
    fn pass(&mut self, span: Span, offset: u64, bytes: &mut [u8], out: &mut Out<'_>) {
        let end = offset + span.length() as u64;
        while self.hit.offset < end {
            // What came while the toxic did not act is behind us, and stays as it was.
            if let Some(place) = self.hit.offset.checked_sub(offset).and_then(|into| usize::try_from(into).ok()) {
                bytes[span.range.start + place] ^= self.hit.mask;
                out.tell(self.hit.offset, Amount::Bytes(1));
            }
            self.hit = draw(self.corrupt, &mut self.rng, self.hit.offset + 1);
        }
        out.pass(span);
    }
}

/// The first hit from byte `from` on. How many bytes are spared in between has a geometric distribution, which is drawn
/// at once by inverting it: a draw for each byte would cost more than everything else that is done to it.
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
