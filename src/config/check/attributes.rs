//! What each type of toxic is told, in Toxiproxy's words where it has them. A new type is one row of `TYPES` and a
//! function with a line for each attribute. What all toxics are told lives in `toxics`.

use super::Check;
use super::keys::Keys;
use crate::config::document::Node;
use crate::toxic::{
    Bandwidth, Corrupt, Distribution, Effect, Latency, LimitData, LimitTime, PacketLoss, ResetPeer, Sharing, Slicer,
    SlowClose, Stall, TimeoutToxic,
};
use crate::value::{CloseMode, Micros, Millis, Probability};

/// Makes an effect of the attributes.
pub(super) type Read = fn(&mut Keys<'_, '_>) -> Option<Effect>;

pub(super) const TYPES: &[(&str, Read)] = &[
    ("latency", latency),
    ("bandwidth", bandwidth),
    ("packet_loss", packet_loss),
    ("corrupt", corrupt),
    ("slicer", slicer),
    ("limit_data", limit_data),
    ("limit_time", limit_time),
    ("timeout", timeout),
    ("stall", stall),
    ("slow_close", slow_close),
    ("reset_peer", reset_peer),
    ("noop", |_| Some(Effect::Noop)),
];

fn latency(keys: &mut Keys<'_, '_>) -> Option<Effect> {
    let latency = keys.required("latency", "the delay in ms, such as 100", Check::whole);
    let jitter = keys.optional("jitter", Check::whole, Millis::default());
    let correlation = keys.optional("correlation", Check::real, Probability::default());
    let distribution = keys.optional("distribution", Check::word, Distribution::default());
    let latency = keys.join("jitter", Latency::new(latency?, jitter?))?;
    // Where the one is refused the other goes on without it, so that both are told at once.
    let correlated = keys.join("correlation", latency.correlated(correlation?));
    let distributed = keys.join("distribution", correlated.unwrap_or(latency).distributed(distribution?));
    correlated.and(distributed).map(Effect::Latency)
}

fn bandwidth(keys: &mut Keys<'_, '_>) -> Option<Effect> {
    let rate = keys.required("rate", "what passes in KB/s (1 KB = 1000 bytes), such as 128", Check::whole);
    let burst = keys.optional("burst", Check::bytes, 0);
    let sharing = |check: &mut Check<'_>, node| check.either(node, Sharing::Own, Sharing::Shared);
    let sharing = keys.optional("shared", sharing, Sharing::default());
    keys.join("burst", Bandwidth::new(rate?, burst?, sharing?)).map(Effect::Bandwidth)
}

fn packet_loss(keys: &mut Keys<'_, '_>) -> Option<Effect> {
    let loss_rate = keys.required("loss_rate", "the share of segments that are lost, such as 0.01", Check::real);
    let correlation = keys.optional("correlation", Check::real, Probability::default());
    let retransmit = keys.optional("retransmit", Check::whole, PacketLoss::RETRANSMIT);
    Some(Effect::PacketLoss(PacketLoss { loss_rate: loss_rate?, correlation: correlation?, retransmit: retransmit? }))
}

fn corrupt(keys: &mut Keys<'_, '_>) -> Option<Effect> {
    let rate = keys.required("rate", "the share of bytes with a flipped bit, such as 0.0001", Check::real);
    Some(Effect::Corrupt(Corrupt { rate: rate? }))
}

fn slicer(keys: &mut Keys<'_, '_>) -> Option<Effect> {
    let average_size = keys.required("average_size", "the size of a piece in bytes, such as 64", Check::bytes);
    let size_variation = keys.optional("size_variation", Check::bytes, 0);
    let delay = keys.optional("delay", Check::whole, Micros::default());
    let made = Slicer::new(average_size?, size_variation?, delay?);
    keys.join("size_variation", made).map(Effect::Slicer)
}

fn limit_data(keys: &mut Keys<'_, '_>) -> Option<Effect> {
    let bytes = keys.required("bytes", "how many bytes pass before it ends, such as 1000", Check::bytes);
    let close_mode = keys.optional("reset", close_mode, CloseMode::default());
    Some(Effect::LimitData(LimitData { bytes: bytes?, close_mode: close_mode? }))
}

fn limit_time(keys: &mut Keys<'_, '_>) -> Option<Effect> {
    let time = keys.required("time", "after how many ms it ends, such as 1000", Check::whole);
    let close_mode = keys.optional("reset", close_mode, CloseMode::default());
    Some(Effect::LimitTime(LimitTime { time: time?, close_mode: close_mode? }))
}

fn timeout(keys: &mut Keys<'_, '_>) -> Option<Effect> {
    let timeout = keys.optional("timeout", Check::whole, Millis::default());
    Some(Effect::Timeout(TimeoutToxic { timeout: timeout? }))
}

fn stall(keys: &mut Keys<'_, '_>) -> Option<Effect> {
    let duration = keys.optional("duration", Check::whole, Millis::default());
    Some(Effect::Stall(Stall { duration: duration? }))
}

fn slow_close(keys: &mut Keys<'_, '_>) -> Option<Effect> {
    let delay = keys.required("delay", "how many ms late the end is, such as 1000", Check::whole);
    Some(Effect::SlowClose(SlowClose { delay: delay? }))
}

fn reset_peer(keys: &mut Keys<'_, '_>) -> Option<Effect> {
    let timeout = keys.optional("timeout", Check::whole, Millis::default());
    Some(Effect::ResetPeer(ResetPeer { timeout: timeout? }))
}

fn close_mode(check: &mut Check<'_>, node: &Node) -> Option<CloseMode> {
    check.either(node, CloseMode::Close, CloseMode::Reset)
}
