//! The output of a chain: spans that have passed all links, which can be written.

use std::collections::VecDeque;
use std::io::IoSlice;
use std::ops::Range;
use std::sync::Arc;

use super::Moment;
use super::buffer::Buffer;
use super::route_toxic::RouteToxic;
use super::span::{Edge, Span};
use super::stats::AddedDelay;
use crate::value::Then;

/// The most bytes in one write. With this size the cost of the calls is small compared with that of copying.
const WRITTEN_AT_ONCE: u64 = 256 * 1024;

/// The most pieces in one write. sendmsg(2) fails with more than 1,024 (`UIO_MAXIOV` in `include/uapi/linux/uio.h`).
const MAX_PIECES: usize = 512;

/// The spans to write, in order.
#[derive(Debug, Default)]
pub(super) struct Output {
    spans: VecDeque<Span>,
    /// The points to announce, in order.
    announcements: VecDeque<Announcement>,
}

/// A point of the stream that the other direction must know of.
#[derive(Debug)]
struct Announcement {
    /// The byte that must not be written before.
    offset: u64,
    toxic: Arc<RouteToxic>,
}

impl Output {
    pub(super) fn push(&mut self, span: Span) {
        self.spans.push_back(span);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    pub(super) fn discard(&mut self) {
        self.spans.clear();
        self.announcements.clear();
    }

    /// Plans to announce a point. One after a mark is announced before the last byte of the mark is written, because
    /// the receiver may answer this byte at once.
    pub(super) fn announce_at(&mut self, toxic: &Arc<RouteToxic>, point: u64) {
        let is_after = toxic.toxic.when.as_ref().is_some_and(|trigger| trigger.then == Then::After);
        let offset = if is_after { point.saturating_sub(1) } else { point };
        let place = self.announcements.partition_point(|other| other.offset <= offset);
        self.announcements.insert(place, Announcement { offset, toxic: Arc::clone(toxic) });
    }

    /// Takes the announcements that are due before the first byte is written.
    pub(super) fn take_announcements(&mut self) -> Vec<Arc<RouteToxic>> {
        let next = self.first_offset().unwrap_or_default();
        let due = self.announcements.partition_point(|announcement| announcement.offset <= next);
        self.announcements.drain(..due).map(|announcement| announcement.toxic).collect()
    }

    /// The offset of the first byte.
    pub(super) fn first_offset(&self) -> Option<u64> {
        self.spans.front().map(|span| span.range.start)
    }

    /// The memory of the queue in bytes.
    pub(super) fn memory(&self) -> usize {
        self.spans.capacity() * size_of::<Span>()
    }

    /// The bytes to send in one write, up to the next announcement. Spans that follow each other in the stream are one
    /// piece.
    pub(super) fn pieces<'b>(&self, buffer: &'b Buffer) -> Vec<IoSlice<'b>> {
        let (mut ranges, mut length) = (Vec::<Range<u64>>::new(), 0);
        let stop = self.announcements.front().map_or(u64::MAX, |announcement| announcement.offset);
        for span in self.spans.iter().take_while(|span| span.range.start < stop) {
            let end = span.range.end.min(stop);
            match ranges.last_mut() {
                Some(last) if last.end == span.range.start => last.end = end,
                _ => ranges.push(span.range.start..end),
            }
            length += span.length();
            if span.edge == Edge::Cut || length >= WRITTEN_AT_ONCE || ranges.len() == MAX_PIECES {
                break;
            }
        }
        ranges.iter().flat_map(|range| buffer.slices(range)).map(IoSlice::new).take(MAX_PIECES).collect()
    }

    /// The delay of the first byte, if it is written `now`. `None` if no toxic delays it.
    pub(super) fn delay(&self, now: Moment) -> Option<AddedDelay> {
        let Span { arrived, at, .. } = *self.spans.front()?;
        let asked = at.checked_sub(arrived).filter(|asked| !asked.is_zero())?;
        Some(AddedDelay { asked, measured: now.saturating_sub(arrived) })
    }

    /// Removes `bytes` bytes after they were written.
    pub(super) fn written(&mut self, bytes: usize) {
        let mut left = bytes as u64;
        while let Some(span) = self.spans.front_mut().filter(|_| left > 0) {
            left -= span.take(left).length();
            if span.range.is_empty() {
                self.spans.pop_front();
            }
        }
    }

    /// Takes all spans.
    #[cfg(test)]
    pub(super) fn take(&mut self) -> VecDeque<Span> {
        std::mem::take(&mut self.spans)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::toxic::Boundary;
    use crate::toxic::trial::{chain_of, ms, steady, stream};

    /// Each byte has its own due time, and so its own span.
    #[test]
    fn spans_that_follow_each_other_are_one_piece() {
        let mut chain = chain_of([steady(1)]);
        stream(5000).iter().zip(0..).for_each(|(byte, at)| chain.push(ms(at), Boundary::None, &[*byte]));
        chain.advance(ms(6000));
        assert_eq!(chain.output.spans.len(), 5000);
        let pieces = chain.output();
        assert_eq!((pieces.len(), &*pieces[0]), (1, stream(5000).as_slice()));
    }

    /// Discarded bytes leave gaps.
    #[test]
    fn a_write_has_no_more_pieces_than_the_system_takes() {
        let mut chain = chain_of([steady(0)]);
        chain.push(ms(0), Boundary::None, &stream(5000));
        chain.advance(ms(0));
        let whole = chain.output.spans.pop_front().expect("all of it");
        chain.output.spans = (0..2500).map(|index| Span { range: index * 2..index * 2 + 1, ..whole.clone() }).collect();
        let mut written = Vec::new();
        while chain.has_output() {
            let pieces = chain.output();
            assert!((1..=MAX_PIECES).contains(&pieces.len()));
            let bytes: Vec<u8> = pieces.iter().flat_map(|piece| piece.to_vec()).collect();
            chain.written(bytes.len());
            written.extend(bytes);
        }
        assert_eq!(written, stream(5000).into_iter().step_by(2).collect::<Vec<u8>>());
    }
}
