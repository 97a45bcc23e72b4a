//! The bytes that are sent and verified. Each direction of each connection has an endless payload, which reads one
//! shared loop of random bytes from its own start.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use fastrand::Rng;

use crate::failure::{Failure, Outcome};

/// The first prime above 2^20. No buffer size divides it, so that lost, repeated or reordered buffers can't go
/// unnoticed by realigning with the loop.
const LOOP_BYTES: usize = 1_048_583;

static NOISE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut noise = vec![0; LOOP_BYTES];
    Rng::with_seed(1).fill(&mut noise);
    noise
});

static VERIFIED: AtomicU64 = AtomicU64::new(0);

/// The number of bytes verified so far, on all connections.
pub fn verified_bytes() -> u64 {
    VERIFIED.load(Ordering::Relaxed)
}

/// The bytes of one direction and the position in them.
#[derive(Debug)]
pub struct Payload {
    start: usize,
    position: u64,
}

impl Payload {
    /// The payload of `key`. Another key starts elsewhere in the loop, so that bytes of two connections can't be
    /// confused, except with a chance of one in a million.
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

    /// Advances by `bytes`, and fails if they are not the next bytes.
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

    fn difference(&self, received: &[u8], due: &[u8]) -> Failure {
        let at = received.iter().zip(due).take_while(|(received, due)| received == due).count();
        let byte = self.position + at as u64;
        Failure::new(format!("byte {byte} arrived as {:#04x}, but was sent as {:#04x}", received[at], due[at]))
    }
}
