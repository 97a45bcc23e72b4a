//! `limit_data`: ends the connection after an exact number of bytes.

use super::behaviour::{Behaviour, Place};
use super::declaration::declare;
use super::out::Out;
use super::segment::Boundary;
use super::stats::Amount;
use super::{History, Span, Stage};
use crate::value::{CloseMode, StreamLength};

declare! {
    /// Ends the connection after a number of bytes. Exactly this many bytes pass, then both sides get a FIN or a RST; 0
    /// ends the connection at the first byte.
    pub struct LimitData("limit_data", Ends, Offset) {
        /// The length of the stream; bytes after that are discarded.
        pub bytes: StreamLength, such as StreamLength::literal(1000);
        /// Whether it ends with a RST.
        pub reset: CloseMode = CloseMode::Close;
    }
}

impl Behaviour for LimitData {
    fn stage(&self, place: &Place<'_>) -> Box<dyn Stage> {
        Box::new(LimitDataStage::new(*self, place.history.passed))
    }
}

pub(super) struct LimitDataStage {
    limit: LimitData,
    passed: u64,
    left: u64,
}

impl LimitDataStage {
    /// Counts on after `passed` bytes.
    fn new(limit: LimitData, passed: u64) -> Self {
        Self { limit, passed, left: limit.bytes.get().saturating_sub(passed) }
    }
}

impl Stage for LimitDataStage {
    /// A limit of 0 ends the connection at the first byte, as in Toxiproxy: without a byte no limit is reached.
    fn pass(&mut self, mut span: Span, out: &mut Out<'_>) {
        let at = span.at;
        let passed = span.take(self.left);
        self.passed += passed.length();
        self.left -= passed.length();
        let offset = passed.range.end;
        let segment = passed.segments.of_end(Boundary::None, offset);
        out.pass(passed);
        if self.left == 0 {
            out.stats().record(offset, Amount::Bytes(self.limit.bytes.get()));
            out.end(at, offset, segment, self.limit.reset);
        }
    }

    fn left(&self) -> Option<u64> {
        Some(self.left)
    }

    fn history(&self) -> History {
        History { passed: self.passed, ..History::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::toxic::trial::{chain, chain_of, chunks, finish, limit_data, ms, send, stream, toxic, within};
    use crate::value::CloseMode;

    /// Tries streams that are longer than the limit, as long and shorter, and limits that are reached in a later chunk.
    #[test]
    fn ends_with_the_last_byte_of_the_limit() {
        for (limit, length, ended) in
            [(0, 1, true), (10, 10, true), (10, 9, false), (10, 25, true), (u64::MAX, 25, false)]
        {
            for chunk in [1, 5, 10, 25] {
                let outcome =
                    send(&mut chain_of([limit_data(limit, CloseMode::Reset)]), &stream(length), chunks(chunk, ms(7)));
                let passed = usize::try_from(limit).unwrap_or(length).min(length);
                assert_eq!(outcome.bytes, stream(passed), "{limit} of {length} by {chunk}");
                assert_eq!(outcome.ended, ended.then_some((ms(7), CloseMode::Reset)), "{limit} of {length} by {chunk}");
                let event = ("limit_data_0".to_owned(), 1, limit, Amount::Bytes(limit));
                assert_eq!(outcome.events, if ended { vec![event] } else { vec![] });
            }
        }
    }

    #[test]
    fn a_silent_connection_stays_open() {
        let mut chain = chain_of([limit_data(0, CloseMode::Close)]);
        assert_eq!((finish(&mut chain, ms(5)), chain.deadline()), (ms(5), None));
    }

    /// Only bytes that arrive while it acts count.
    #[test]
    fn counts_bytes_in_its_window_only() {
        let mut chain = chain(&[within(10..20, toxic(0, limit_data(3, CloseMode::Close)))]);
        let outcome = send(&mut chain, &stream(9), [(4, ms(0)), (2, ms(10)), (3, ms(19))]);
        assert_eq!((outcome.bytes.len(), outcome.ended), (7, Some((ms(19), CloseMode::Close))));
    }
}
