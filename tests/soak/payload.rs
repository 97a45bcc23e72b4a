//! The bytes that are sent, so that whoever receives them knows what they must be: an endless tape for each direction of
//! each connection, all cut from one loop of noise at different places.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use fastrand::Rng;

use crate::failure::{Failure, Outcome};

/// The first prime above 2^20: bytes that are missing, doubled or out of place can't fall on their like again, as they
/// would if a buffer's size divided the loop.
const LOOP_BYTES: usize = 1_048_583;

static NOISE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut noise = vec![0; LOOP_BYTES];
    Rng::with_seed(1).fill(&mut noise);
    noise
});

static VERIFIED: AtomicU64 = AtomicU64::new(0);

/// How many bytes have arrived and were right, on all connections so far.
pub fn verified_bytes() -> u64 {
    VERIFIED.load(Ordering::Relaxed)
}

/// One direction's bytes, and how far they have got.
#[derive(Debug)]
pub struct Payload {
    start: usize,
    position: u64,
}

impl Payload {
    /// The tape of `key`: another key begins elsewhere, so that the bytes of two connections are not taken for each
    /// other's, but for one chance in a million.
    pub fn new(key: u64) -> Self {
        Self { start: Rng::with_seed(key).usize(..LOOP_BYTES), position: 0 }
    }

    pub fn position(&self) -> u64 {
        self.position
    }

    /// The next bytes: at least one and at most `most`.
    pub fn next_bytes(&self, most: u64) -> &'static [u8] {
        let turn = self.position % LOOP_BYTES as u64;
        let rest = &NOISE[(self.start + usize::try_from(turn).unwrap_or(0)) % LOOP_BYTES..];
        &rest[..rest.len().min(usize::try_from(most).unwrap_or(usize::MAX))]
    }

    pub fn advance(&mut self, bytes: usize) {
        self.position += bytes as u64;
    }

    /// Goes on by `bytes`, which must be the next ones.
    pub fn verify(&mut self, mut bytes: &[u8]) -> Outcome {
        VERIFIED.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        while !bytes.is_empty() {
            let due = self.next_bytes(bytes.len() as u64);
            let (now, later) = bytes.split_at(due.len());
            if now != due {
                return Err(self.difference(now, due));
            }
            self.advance(due.len());
            bytes = later;
        }
        Ok(())
    }

    fn difference(&self, came: &[u8], due: &[u8]) -> Failure {
        let at = came.iter().zip(due).take_while(|(came, due)| came == due).count();
        let byte = self.position + at as u64;
        Failure::new(format!("byte {byte} came as {:#04x} and was sent as {:#04x}", came[at], due[at]))
    }
}
