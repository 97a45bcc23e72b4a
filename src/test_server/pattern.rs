//! The content of `/bytes/N`.

use std::io::{self, Write};
use std::sync::LazyLock;

use crate::http::Content;

/// Content of this length. The byte at offset i is i mod 251.
pub(super) struct Pattern(pub(super) u64);

/// The largest prime that fits a byte. No power of two is a multiple of it, so a lost, repeated or swapped block of any
/// usual size is visible.
const PERIOD: u8 = 251;

/// Whole periods of about 64 KiB in all, so that the pattern continues across writes. Computed on first use: as a
/// constant it would be a fortieth of the binary.
static PERIODS: LazyLock<Vec<u8>> = LazyLock::new(|| (0..PERIOD).cycle().take(256 * usize::from(PERIOD)).collect());

impl Content for Pattern {
    fn length(&self) -> u64 {
        self.0
    }

    fn write(self: Box<Self>, output: &mut dyn Write) -> io::Result<()> {
        let mut left = self.0;
        while left > 0 {
            let piece = PERIODS.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            output.write_all(&PERIODS[..piece])?;
            left -= piece as u64;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_byte_is_its_offset_mod_251() {
        for length in [0, 1, 251, 64_256, 64_257, 200_000] {
            let mut sent = Vec::new();
            Box::new(Pattern(length)).write(&mut sent).expect("a Vec takes all");
            assert_eq!(sent.len() as u64, length);
            assert!(sent.iter().enumerate().all(|(offset, &byte)| usize::from(byte) == offset % 251), "{length}");
        }
    }
}
