//! Writes content of unknown length in chunks (RFC 9112, 7.1). `body` reads chunks.

use std::io::{self, Write};

/// A writer that sends each write as a chunk.
pub(super) struct ChunkedWriter<W>(pub(super) W);

impl<W: Write> ChunkedWriter<W> {
    /// Ends the content. Without this chunk the client treats the content as incomplete.
    pub(super) fn finish(mut self) -> io::Result<()> {
        self.0.write_all(b"0\r\n\r\n")
    }
}

impl<W: Write> Write for ChunkedWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // A chunk of length 0 would end the content.
        if !bytes.is_empty() {
            write!(self.0, "{:x}\r\n", bytes.len())?;
            self.0.write_all(bytes)?;
            self.0.write_all(b"\r\n")?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::super::body::{self, Framing};
    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn chunks_are_read_as_they_were_written(pieces in vec(vec(any::<u8>(), 0..300), 0..20)) {
            let mut sent = Vec::new();
            let mut writer = ChunkedWriter(&mut sent);
            for piece in &pieces {
                writer.write_all(piece).expect("a Vec takes all");
            }
            writer.finish().expect("a Vec takes all");
            let mut input = sent.as_slice();
            prop_assert_eq!(body::read(&mut input, Framing::Chunked, u64::MAX), Ok(pieces.concat()));
            prop_assert!(input.is_empty());
        }
    }
}
