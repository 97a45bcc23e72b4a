//! The segments of a stream: what a network delays or loses as one. A segment ends after 1,448 bytes, where the
//! conversation turns, and after a pause. The bytes are counted anew where the conversation turns, so that each small
//! request and reply is a segment of its own, in every run the same one. A pause ends a segment and leaves the counting
//! as it is: a sender that is held up by a busy machine changes one segment of a bulk stream, not all that follow.

/// What fits into an Ethernet frame of 1,500 bytes beside the headers of IPv4 and TCP, with TCP's timestamps:
/// 1500 - 20 - 20 - 12.
pub(super) const BYTES: u64 = 1448;

/// What lies between a chunk and the one before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Boundary {
    /// Nothing that a network would see.
    #[default]
    None,
    /// A time without bytes in this direction.
    Pause,
    /// Bytes in the other direction.
    Turn,
}

/// How the bytes of a chunk are cut into segments. Offsets are those of the stream as its sender sent it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Segments {
    /// Where the conversation last turned.
    counted_from: u64,
    /// Where bytes last came after a pause.
    resumed_at: u64,
}

impl Segments {
    /// The segments from byte `offset` on.
    pub(super) fn after(self, boundary: Boundary, offset: u64) -> Self {
        match boundary {
            Boundary::None => self,
            Boundary::Pause => Self { resumed_at: offset, ..self },
            Boundary::Turn => Self { counted_from: offset, resumed_at: offset },
        }
    }

    /// Where the segment of byte `offset` begins. This is what segments are known by.
    pub(super) fn start(self, offset: u64) -> u64 {
        (self.end(offset) - BYTES).max(self.resumed_at)
    }

    /// Where the segment of byte `offset` ends, at the latest.
    pub(super) fn end(self, offset: u64) -> u64 {
        self.counted_from + ((offset - self.counted_from) / BYTES + 1) * BYTES
    }

    /// The segment of an end of stream at `offset`: that of the last byte, unless something lies between the two.
    pub(super) fn of_end(self, boundary: Boundary, offset: u64) -> u64 {
        match boundary {
            Boundary::None => self.start(offset.saturating_sub(1).max(self.counted_from)),
            Boundary::Pause | Boundary::Turn => offset,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bulk_is_cut_every_1448_bytes() {
        let segments = Segments::default();
        assert_eq!([0, 1447, 1448, 2896].map(|offset| segments.start(offset)), [0, 0, 1448, 2896]);
        assert_eq!([0, 1447, 1448].map(|offset| segments.end(offset)), [1448, 1448, 2896]);
    }

    #[test]
    fn a_turn_starts_the_counting_anew() {
        let segments = Segments::default().after(Boundary::Turn, 20);
        assert_eq!([20, 1467, 1468].map(|offset| segments.start(offset)), [20, 20, 1468]);
    }

    #[test]
    fn a_pause_ends_one_segment_and_moves_no_other() {
        let segments = Segments::default().after(Boundary::Pause, 20);
        assert_eq!([20, 1447, 1448, 2896].map(|offset| segments.start(offset)), [20, 20, 1448, 2896]);
    }

    #[test]
    fn an_end_belongs_to_the_bytes_right_before_it() {
        let segments = Segments::default().after(Boundary::Turn, 20);
        assert_eq!(segments.of_end(Boundary::None, 20 + BYTES), 20);
        assert_eq!(segments.of_end(Boundary::None, 20), 20);
        assert_eq!(segments.of_end(Boundary::Turn, 40), 40);
        assert_eq!(Segments::default().of_end(Boundary::None, 0), 0);
    }
}
