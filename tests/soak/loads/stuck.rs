//! Readers that stop reading: the other side sends until all buffers are full. Then one of the two reads, closes or
//! resets.

use super::close_in_order;
use crate::failure::Outcome;
use crate::peer::Peer;
use crate::workers::Worker;

pub fn reader(worker: &mut Worker) -> Outcome {
    worker.step("connecting");
    let (client, upstream) = worker.route.open_pair()?;
    let (mut sender, reader) = worker.in_random_order(client, upstream);
    worker.step("filling the buffers between sender and reader");
    let sent = sender.fill()?;
    match worker.rng.u8(..6) {
        0 => reads_on(worker, sender, reader, sent),
        1 => resets(worker, sender, reader),
        2 => leaves(worker, sender, reader),
        3 => sender_finishes(worker, sender, reader, sent),
        4 => sender_leaves(worker, sender, reader, sent),
        _ => sender_resets(worker, sender, reader),
    }
}

fn reads_on(worker: &Worker, sender: Peer, mut reader: Peer, sent: u64) -> Outcome {
    worker.step("reading on");
    reader.receive(sent)?;
    close_in_order(sender, reader)
}

fn resets(worker: &Worker, mut sender: Peer, reader: Peer) -> Outcome {
    worker.step("resetting as the stuck reader");
    reader.reset()?;
    sender.expect_reset()
}

/// The reader has unread data, so its close sends a RST (RFC 2525, section 2.17).
fn leaves(worker: &Worker, mut sender: Peer, reader: Peer) -> Outcome {
    worker.step("leaving as the stuck reader");
    drop(reader);
    sender.expect_reset()
}

fn sender_finishes(worker: &Worker, mut sender: Peer, mut reader: Peer, sent: u64) -> Outcome {
    worker.step("half-closing towards the stuck reader");
    sender.send_fin()?;
    reader.receive(sent)?;
    reader.expect_fin()?;
    reader.send_fin()?;
    sender.expect_fin()
}

fn sender_leaves(worker: &Worker, sender: Peer, mut reader: Peer, sent: u64) -> Outcome {
    worker.step("closing towards the stuck reader");
    drop(sender);
    reader.receive(sent)?;
    reader.expect_fin()
}

fn sender_resets(worker: &Worker, sender: Peer, mut reader: Peer) -> Outcome {
    worker.step("resetting towards the stuck reader");
    sender.reset()?;
    reader.expect_reset()
}
