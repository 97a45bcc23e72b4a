//! The segments of a stream: the units that a network delays or loses. A segment ends after 1,448 bytes, at a turn of
//! the conversation, and at a pause. At a turn the count of bytes starts again, so that each small request and reply is
//! its own segment, the same one in every run. A pause ends a segment but does not restart the count: if a busy machine
//! delays the sender of a bulk stream, one segment changes and not all later ones.

/// The payload of a 1,500-byte Ethernet frame after the IPv4 and TCP headers with TCP timestamps: 1500 - 20 - 20 - 12.
pub(super) const BYTES: u64 = 1448;

/// What separates a chunk from the one before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Boundary {
    /// Nothing that is visible to a network.
    #[default]
    None,
    /// A period without bytes in this direction.
    Pause,
    /// Bytes in the other direction.
    Turn,
}

/// The division of a chunk into segments. Offsets are those of the stream as sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Segments {
    /// The offset of the last turn.
    counted_from: u64,
    /// The offset of the first byte after the last turn or pause.
    resumed_at: u64,
}

impl Segments {
    /// The division from byte `offset` on, after a boundary.
    pub(super) fn after(self, boundary: Boundary, offset: u64) -> Self {
        match boundary {
            Boundary::None => self,
            Boundary::Pause => Self { resumed_at: offset, ..self },
            Boundary::Turn => Self { counted_from: offset, resumed_at: offset },
        }
    }

    /// The start of the segment that contains byte `offset`. It identifies the segment.
    pub(super) fn start(self, offset: u64) -> u64 {
        (self.end(offset) - BYTES).max(self.resumed_at)
    }

    /// The latest end of the segment that contains byte `offset`.
    pub(super) fn end(self, offset: u64) -> u64 {
        self.counted_from + ((offset - self.counted_from) / BYTES + 1) * BYTES
    }

    /// The segment of an end of stream at `offset`: that of the last byte, unless a boundary separates the two.
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
    fn a_turn_restarts_the_count() {
        let segments = Segments::default().after(Boundary::Turn, 20);
        assert_eq!([20, 1467, 1468].map(|offset| segments.start(offset)), [20, 20, 1468]);
    }

    #[test]
    fn a_pause_ends_one_segment_and_shifts_no_other() {
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
