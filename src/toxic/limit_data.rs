//! `limit_data`: exactly so many bytes pass, then the connection ends.

use super::chain::{Amount, Out};
use super::{Span, Stage};
use crate::plan::LimitData;

pub(super) struct Limited {
    limit: LimitData,
    left: u64,
}

impl Limited {
    pub(super) fn new(limit: LimitData) -> Self {
        Self { limit, left: limit.bytes }
    }
}

impl Stage for Limited {
    /// A limit of 0 ends the connection at the first byte, as in Toxiproxy: whoever sends nothing is let alone.
    fn pass(&mut self, mut span: Span, offset: u64, _: &mut [u8], out: &mut Out<'_>) {
        let (at, length) = (span.at, span.length() as u64);
        let passed = self.left.min(length);
        // No more than the span has, which is a usize.
        out.pass(span.take(usize::try_from(passed).unwrap_or(usize::MAX)));
        self.left -= passed;
        if self.left == 0 {
            out.tell(offset + passed, Amount::Bytes(self.limit.bytes));
            out.end(at, self.limit.ending);
        }
    }
}
