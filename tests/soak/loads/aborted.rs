//! Connections that one side resets: the other must see a RST, never a FIN.

use crate::failure::Outcome;
use crate::peer::Peer;
use crate::workers::Worker;

const MAX_BYTES: u64 = 1 << 20;

pub fn in_any_phase(worker: &mut Worker) -> Outcome {
    worker.step("connecting");
    let (client, upstream) = worker.route.open_pair()?;
    let (aborter, other) = worker.in_random_order(client, upstream);
    match worker.rng.u8(..4) {
        0 => while_idle(worker, aborter, other),
        1 => mid_stream(worker, aborter, other),
        2 => after_its_own_fin(worker, aborter, other),
        _ => after_the_other_fin(worker, aborter, other),
    }
}

/// Resets right after the handshake, so that the RST arrives before the accept, during the dial or just after it. An
/// upstream that was dialled must see the RST. Some are dialled so late that the next run accepts them.
pub fn at_once(worker: &mut Worker) -> Outcome {
    worker.step("resetting at once");
    worker.route.connect()?.reset()?;
    worker.step("checking the dialled upstreams");
    worker.route.accept_waiting()?.into_iter().try_for_each(|mut upstream| upstream.expect_reset())?;
    worker.pause_briefly();
    Ok(())
}

fn while_idle(worker: &Worker, aborter: Peer, mut other: Peer) -> Outcome {
    worker.step("resetting while idle");
    aborter.reset()?;
    other.expect_reset()
}

fn mid_stream(worker: &mut Worker, mut aborter: Peer, mut other: Peer) -> Outcome {
    worker.step("resetting mid-stream");
    let sent = aborter.send_some(worker.rng.u64(..MAX_BYTES))?;
    other.send_some(worker.rng.u64(..MAX_BYTES))?;
    other.receive(worker.rng.u64(..=sent))?;
    aborter.reset()?;
    other.expect_reset()
}

fn after_its_own_fin(worker: &Worker, aborter: Peer, mut other: Peer) -> Outcome {
    worker.step("resetting after its own FIN");
    aborter.send_fin()?;
    other.expect_fin()?;
    aborter.reset()?;
    other.expect_reset_after_fin()
}

fn after_the_other_fin(worker: &Worker, mut aborter: Peer, mut other: Peer) -> Outcome {
    worker.step("resetting after the other's FIN");
    other.send_fin()?;
    aborter.expect_fin()?;
    aborter.reset()?;
    other.expect_reset()
}
