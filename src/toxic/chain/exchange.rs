//! The exchange of a chain's toxics in the middle of a stream.

use std::sync::Arc;

use super::Chain;
use crate::toxic::link::Link;
use crate::toxic::route_toxic::RouteToxic;
use crate::toxic::{Conversation, History, Moment};

impl Chain {
    /// Replaces the toxics from `now` on. A toxic that stays keeps its state and its bytes, and one whose attributes
    /// change keeps its bytes; one that moves before another that stays is replaced by a new one. The bytes of a
    /// removed toxic are released. A new one acts on bytes that reach its place from now on.
    pub(in crate::toxic) fn exchange(&mut self, toxics: Vec<Arc<RouteToxic>>, now: Moment) {
        let received = self.buffer.end();
        let mut old = std::mem::take(&mut self.links);
        for toxic in toxics {
            let link = match self.keep(&mut old, &toxic, now) {
                Some(kept) if kept.has_toxic(&toxic) => kept,
                Some(kept) => kept.updated_to(toxic, &self.stages, now, &mut self.buffer),
                None => Link::new(toxic, &self.stages, received, History::default()),
            };
            self.links.push(link);
        }
        self.remove(old.into_iter(), now);
        let is_revoked = self.links.iter_mut().fold(false, |is_revoked, link| link.revoke_end(is_revoked));
        self.end = self.end.filter(|_| !is_revoked);
        self.links.retain(|link| !link.is_spent());
        self.resumes = Moment::ZERO;
    }

    /// Watches for the triggers of these toxics from `now` on. A point of one with a link in the other direction is
    /// announced there.
    pub(in crate::toxic) fn watch(&mut self, toxics: Vec<Arc<RouteToxic>>, conversation: &Conversation, now: Moment) {
        let has_triggers = !toxics.is_empty() || self.links.iter().any(Link::has_trigger);
        self.reached = has_triggers.then(|| Arc::clone(conversation.reached()));
        self.intake.watch(toxics);
        self.intake.record(conversation.messages(), self.stages.direction);
        self.take_decided(now);
    }

    /// Takes the link of a toxic, or of an earlier version of it, out of `old`. Those before it are removed.
    fn keep(&mut self, old: &mut Vec<Link>, toxic: &Arc<RouteToxic>, now: Moment) -> Option<Link> {
        let place = old.iter().position(|link| link.has_toxic(toxic) || link.has_version_of(toxic))?;
        let kept = old.remove(place);
        self.remove(old.drain(..place), now);
        Some(kept)
    }

    /// A removed link stays in the chain until its bytes have moved on.
    fn remove(&mut self, links: impl Iterator<Item = Link>, now: Moment) {
        for mut link in links {
            self.has_gap |= link.has_gap();
            link.remove_toxic(now);
            self.links.push(link);
        }
    }
}
