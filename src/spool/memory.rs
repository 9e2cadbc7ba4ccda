//! What waits while there is no spool (`--no-spool`): in memory, for as long as it waits and no longer.
//!
//! Messages that were accepted together lie together, so that accepting and settling one costs no allocation of its own. The
//! bodies of a group are given back when the last of its messages has ended.

use super::change::{Accepted, Change, Place, VOID_BYTES, Verdict};
use super::{Pending, Target, Waiting};
use crate::model::Voids;
use std::collections::{HashMap, VecDeque};
use std::ops::Range;

/// What waits, in the order in which it was accepted.
#[derive(Debug, Default)]
pub(super) struct Memory {
    groups: VecDeque<Group>,
    /// `(target, producer, partition)` is one lane; there is one target and one producer in a run without a spool.
    lanes: HashMap<i32, (u64, Voids)>,
}

/// What was accepted in one change.
#[derive(Debug)]
struct Group {
    first: u64,
    accepted_ms: i64,
    bytes: Vec<u8>,
    messages: Vec<Message>,
    left: usize,
}

#[derive(Debug)]
struct Message {
    line: u64,
    /// The partition once there is a number, before that the one that is wished for.
    partition: Option<i32>,
    seq: u64,
    voids: String,
    key: Option<Range<usize>>,
    value: Option<Range<usize>>,
    headers: Vec<(Range<usize>, Option<Range<usize>>)>,
    tag: Option<Range<usize>>,
    ended: bool,
}

impl Group {
    fn keep(&mut self, bytes: &[u8]) -> Range<usize> {
        let from = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        from..self.bytes.len()
    }

    fn bytes(&self, range: &Range<usize>) -> Vec<u8> {
        self.bytes[range.clone()].to_vec()
    }

    fn text(&self, range: &Range<usize>) -> String {
        String::from_utf8_lossy(&self.bytes[range.clone()]).into_owned()
    }

    fn pending(&self, at: usize, producer: &str) -> Pending {
        let message = &self.messages[at];
        let has_lane = message.seq > 0;
        let bytes = |range: &Option<Range<usize>>| range.as_ref().map(|r| self.bytes(r));
        Pending {
            id: self.first + at as u64,
            partition: message.partition.filter(|_| has_lane),
            wish: message.partition.filter(|_| !has_lane),
            seq: message.seq,
            accepted_ms: self.accepted_ms,
            line: message.line,
            producer: producer.to_owned(),
            voids: message.voids.clone(),
            key: bytes(&message.key),
            value: bytes(&message.value),
            headers: message.headers.iter().map(|(n, v)| (self.text(n), bytes(v))).collect(),
            tag: message.tag.as_ref().map(|t| self.text(t)),
            await_ms: 0,
        }
    }
}

impl Memory {
    /// As [`super::Spool::commit`]; nothing can fail. Returns what each got, and the next local number.
    pub(super) fn commit(&mut self, change: &Change<'_>, next_id: u64) -> (Vec<Accepted>, u64) {
        let mut got = Vec::with_capacity(change.accept.len() + change.place.len());
        let size = |bytes: Option<&[u8]>| bytes.map_or(0, <[u8]>::len);
        let bytes = change.accept.iter().map(|m| size(m.key) + size(m.value)).sum();
        let mut group = Group {
            first: next_id,
            accepted_ms: change.now_ms,
            bytes: Vec::with_capacity(bytes),
            messages: Vec::with_capacity(change.accept.len()),
            left: change.accept.len(),
        };
        for (id, m) in (next_id..).zip(change.accept) {
            let (partition, (seq, voids)) = match m.place {
                Place::Now(partition) => (Some(partition), self.take(partition)),
                Place::Later(wish) => (wish, (0, String::new())),
            };
            let message = Message {
                line: m.line,
                partition,
                seq,
                voids: voids.clone(),
                key: m.key.map(|key| group.keep(key)),
                value: m.value.map(|value| group.keep(value)),
                headers: m
                    .headers
                    .iter()
                    .map(|(name, value)| (group.keep(name.as_bytes()), value.map(|v| group.keep(v))))
                    .collect(),
                tag: m.tag.map(|tag| group.keep(tag.as_bytes())),
                ended: false,
            };
            group.messages.push(message);
            got.push(Accepted { id, seq, voids });
        }
        if group.left > 0 {
            self.groups.push_back(group);
        }
        for &(id, partition) in change.place {
            let (seq, voids) = self.take(partition);
            if let Some((group, at)) = self.find(id) {
                let message = &mut group.messages[at];
                (message.partition, message.seq, message.voids) = (Some(partition), seq, voids.clone());
                got.push(Accepted { id, seq, voids });
            }
        }
        for settled in change.settle {
            let Some((group, at)) = self.find(settled.id) else {
                continue;
            };
            let message = &mut group.messages[at];
            message.ended = true;
            let voids = std::mem::take(&mut message.voids);
            group.left -= 1;
            if group.left == 0 {
                group.bytes = Vec::new();
            }
            match &settled.verdict {
                Verdict::Confirmed(_) => {}
                verdict @ (Verdict::Failed(_) | Verdict::GivenUp(_)) => {
                    let lane = self.lane(settled.partition);
                    // Nobody has read the numbers that its message carried, nor its own where it was refused.
                    if matches!(verdict, Verdict::Failed(_)) {
                        lane.1.add(settled.seq);
                    }
                    lane.1.merge(&Voids::parse(voids.as_bytes()).unwrap_or_default());
                }
            }
        }
        while self.groups.front().is_some_and(|group| group.left == 0) {
            self.groups.pop_front();
        }
        (got, next_id + change.accept.len() as u64)
    }

    fn lane(&mut self, partition: i32) -> &mut (u64, Voids) {
        self.lanes.entry(partition).or_insert_with(|| (1, Voids::default()))
    }

    fn take(&mut self, partition: i32) -> (u64, String) {
        let (next, voids) = self.lane(partition);
        let seq = *next;
        *next += 1;
        let carried = if voids.is_empty() {
            String::new()
        } else {
            voids.take(VOID_BYTES).to_string()
        };
        (seq, carried)
    }

    /// A message that has not ended.
    fn find(&mut self, id: u64) -> Option<(&mut Group, usize)> {
        let after = self.groups.partition_point(|group| group.first <= id);
        let group = self.groups.get_mut(after.checked_sub(1)?)?;
        let at = usize::try_from(id - group.first).ok()?;
        let waits = group.messages.get(at).is_some_and(|message| !message.ended);
        waits.then_some((group, at))
    }

    /// As [`super::Spool::pending`].
    pub(super) fn pending(&self, target: &Target, from: u64, messages: usize, bytes: usize) -> Vec<Pending> {
        let (mut found, mut size) = (Vec::new(), 0);
        let first = self
            .groups
            .partition_point(|group| group.first <= from)
            .saturating_sub(1);
        for group in self.groups.range(first.min(self.groups.len())..) {
            for at in 0..group.messages.len() {
                if group.first + (at as u64) < from || group.messages[at].ended {
                    continue;
                }
                let pending = group.pending(at, &target.producer);
                size += pending.size();
                found.push(pending);
                if found.len() >= messages || size >= bytes {
                    return found;
                }
            }
        }
        found
    }

    /// As [`super::Spool::waiting`].
    pub(super) fn waiting(&self) -> Waiting {
        let mut waiting = Waiting::default();
        for group in &self.groups {
            for (id, message) in (group.first..).zip(&group.messages).filter(|(_, m)| !m.ended) {
                waiting.first.get_or_insert(id);
                waiting.count += 1;
                match message.partition {
                    Some(partition) if message.seq > 0 => {
                        waiting.last_with_lane = Some(id);
                        *waiting.lanes.entry(partition).or_default() += 1;
                    }
                    Some(_) | None => waiting.last_without_lane = Some(id),
                }
            }
        }
        waiting
    }
}

#[cfg(test)]
mod tests {
    use crate::spool::{Change, NewMessage, Pending, Place, Settled, Spool, Target, Verdict};
    use proptest::prelude::*;

    /// One step of a run.
    #[derive(Debug, Clone)]
    enum Step {
        /// Accept so many messages: to a lane, or later with or without a wish.
        Accept(Vec<Option<i32>>, bool),
        /// Give those without a lane one.
        Place(i32),
        /// End some of what waits: every so-many-th, refused or confirmed.
        Settle(usize, bool),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (prop::collection::vec(prop::option::of(0..3), 0..6), any::<bool>())
                .prop_map(|(p, now)| Step::Accept(p, now)),
            (0..3).prop_map(Step::Place),
            (1_usize..4, any::<bool>()).prop_map(|(every, refused)| Step::Settle(every, refused)),
        ]
    }

    fn play(spool: &mut Spool, target: &Target, steps: &[Step]) -> Vec<String> {
        let mut seen = Vec::new();
        let all = |spool: &Spool| -> Vec<Pending> { spool.pending(target, 0, usize::MAX, usize::MAX).unwrap() };
        for (now_ms, step) in (0..).zip(steps) {
            let waiting = all(spool);
            let mut change = Change {
                now_ms,
                ..Change::default()
            };
            let (mut accept, mut place, mut settle) = (Vec::new(), Vec::new(), Vec::new());
            match step {
                Step::Accept(partitions, now) => accept.extend(partitions.iter().map(|partition| NewMessage {
                    line: 3,
                    place: match (now, partition) {
                        (true, Some(partition)) => Place::Now(*partition),
                        (_, wish) => Place::Later(*wish),
                    },
                    key: partition.map(|_| &b"key"[..]),
                    value: (*now).then_some(b"value"),
                    headers: &[("name", Some(b"x")), ("empty", None)],
                    tag: Some("tag").filter(|_| *now),
                })),
                Step::Place(partition) => {
                    let without = waiting.iter().filter(|m| m.partition.is_none());
                    place.extend(without.map(|m| (m.id, m.wish.unwrap_or(*partition))));
                }
                Step::Settle(every, refused) => {
                    let some = waiting.iter().filter(|m| m.partition.is_some()).step_by(*every);
                    settle.extend(some.map(|m| Settled {
                        id: m.id,
                        producer: m.producer.as_str().into(),
                        partition: m.partition.unwrap(),
                        seq: m.seq,
                        attempts: 1,
                        verdict: match refused {
                            true => Verdict::Failed("too large".to_owned()),
                            false => Verdict::Confirmed(Some(7)),
                        },
                    }));
                }
            }
            (change.accept, change.place, change.settle) = (&accept, &place, &settle);
            let got = spool.commit(target, &change).unwrap();
            let from = spool.next_id() / 2;
            let part = spool.pending(target, from, 2, 100).unwrap();
            let told = (got, spool.next_id(), spool.waiting(target).unwrap(), all(spool), part);
            seen.push(format!("{told:?}").replace(&target.producer, "us"));
        }
        seen
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]

        /// Without a spool a run goes as with one.
        #[test]
        fn as_the_store_does_it(steps in prop::collection::vec(step(), 1..12)) {
            let mut spools = [Spool::in_memory().unwrap(), Spool::without().unwrap()];
            let [store, memory] = spools.each_mut().map(|spool| {
                let target = spool.target("kafka://a:1", "orders").unwrap();
                play(spool, &target, &steps)
            });
            prop_assert_eq!(store, memory);
        }
    }

    /// It would be offered by itself, outside of its group.
    #[test]
    fn what_is_to_be_held_back_is_not_accepted() {
        let mut spool = Spool::without().unwrap();
        let target = spool.target("kafka://a:1", "orders").unwrap();
        let message = NewMessage {
            line: 1,
            place: Place::Later(None),
            key: None,
            value: Some(b"v"),
            headers: &[],
            tag: None,
        };
        let change = Change {
            accept: &[message],
            hold: Some(1),
            ..Change::default()
        };
        assert!(spool.commit(&target, &change).is_err());
        assert!(spool.pending(&target, 0, usize::MAX, usize::MAX).unwrap().is_empty());
    }

    #[test]
    fn what_has_ended_takes_no_room() {
        let mut spool = Spool::without().unwrap();
        let target = spool.target("kafka://a:1", "orders").unwrap();
        let steps = [Step::Accept(vec![Some(0); 5], true), Step::Settle(1, false)];
        for _ in 0..50 {
            play(&mut spool, &target, &steps);
            assert!(spool.memory.as_ref().unwrap().groups.is_empty());
        }
        assert_eq!(spool.next_id(), 250);
    }
}
