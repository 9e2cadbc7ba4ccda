//! A random series of changes on a store whose disk remembers everything.

use super::super::disk::{Disk, Done, Image};
use super::super::{Change, InputProgress, NewMessage, Place, Settled, Spool, Verdict};
use super::model::{Commit, Model, New};
use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

/// One change.
#[derive(Debug, Clone)]
pub(super) enum Op {
    Target {
        broker: String,
        topic: String,
    },
    Lanes {
        target: u32,
        names: Vec<String>,
    },
    Commit(Commit),
    /// Closed and opened again: by the same process, or by another.
    Reopen {
        same: bool,
    },
}

/// An operation, and which of the things that were done to the disk belong to it.
pub(super) struct Span {
    pub(super) op: Op,
    pub(super) from: usize,
    pub(super) to: usize,
}

/// What was done, and what had to be there before and after each operation.
pub(super) struct History {
    pub(super) log: Vec<Done>,
    /// From here on there is a store: a new one is made aside, and moved into its place when it is whole.
    pub(super) made: usize,
    pub(super) spans: Vec<Span>,
    /// One more than spans.
    pub(super) states: Vec<Model>,
}

impl History {
    /// Makes a store and changes it. `unsynced` plants a fault: commits that accept something are not synced.
    pub(super) fn new(rng: &mut StdRng, unsynced: bool) -> History {
        let disk = Disk::holding(Image::default());
        drop(Spool::on(&disk).unwrap());
        let made = disk.done();
        let mut store = Store::open(&disk, unsynced);
        // Some histories have messages that make the file grow and shrink.
        let large = rng.random_ratio(1, 16);
        let mut states = vec![store.model.clone()];
        let mut spans = Vec::new();
        for _ in 0..rng.random_range(4..=12) {
            let op = next_op(&store.model, rng, large);
            let from = disk.done();
            store.run(&op);
            let to = disk.done();
            states.push(store.model.clone());
            spans.push(Span { op, from, to });
        }
        let from = disk.done();
        drop(store);
        let (op, to) = (Op::Reopen { same: false }, disk.done());
        states.extend(states.last().cloned());
        spans.push(Span { op, from, to });
        History {
            log: disk.take_log(),
            made,
            spans,
            states,
        }
    }

    /// What a crash after so many things may leave: the state after what had returned, or after what was under way.
    pub(super) fn may_hold(&self, done: usize) -> &[Model] {
        let returned = self.spans.iter().take_while(|span| span.to <= done).count();
        let under_way = self.spans.get(returned).is_some_and(|span| span.from < done);
        &self.states[returned..=returned + usize::from(under_way)]
    }

    /// What was under way then, in words.
    pub(super) fn words(&self, done: usize) -> String {
        let span = self.spans.iter().find(|span| span.from < done && done <= span.to);
        span.map_or_else(|| "nothing".to_owned(), |span| format!("{:?}", span.op))
    }
}

/// A store, and the model that goes along with it.
pub(super) struct Store {
    spool: Option<Spool>,
    pub(super) disk: Disk,
    pub(super) model: Model,
    unsynced: bool,
}

impl Store {
    /// Opens what is there, and believes it.
    fn open(disk: &Disk, unsynced: bool) -> Store {
        let spool = Spool::on(disk).unwrap();
        let model = Model::of(&spool).unwrap();
        Store::with(spool, disk, model, unsynced)
    }

    pub(super) fn with(mut spool: Spool, disk: &Disk, model: Model, unsynced: bool) -> Store {
        spool.testing.unsynced = unsynced;
        Store {
            spool: Some(spool),
            disk: disk.clone(),
            model,
            unsynced,
        }
    }

    /// Does it, and holds what comes of it against the model.
    pub(super) fn run(&mut self, op: &Op) {
        let spool = self.spool.as_mut().unwrap();
        match op {
            Op::Target { broker, topic } => {
                let target = spool.target(broker, topic).unwrap();
                self.model.target(&spool.id, broker, topic);
                assert_eq!(target.producer, self.model.producers[broker]);
            }
            Op::Lanes { target, names } => {
                let mut known = spool.targets().unwrap().swap_remove(*target as usize);
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                let numbers = spool.number_lanes(&mut known, &names).unwrap();
                self.model
                    .number_lanes(*target, &names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>());
                let lanes: Vec<String> = numbers.iter().map(|n| known.lane(*n)).collect();
                assert_eq!(lanes, names);
            }
            Op::Commit(commit) => {
                let before = self.model.clone();
                let expected = self.model.commit(commit);
                assert_eq!(do_commit(spool, commit, &before), expected);
            }
            Op::Reopen { same: true } => spool.reopen().unwrap(),
            Op::Reopen { same: false } => {
                self.spool = None;
                let mut spool = Spool::on(&self.disk).unwrap();
                spool.testing.unsynced = self.unsynced;
                self.spool = Some(spool);
            }
        }
        let held = Model::of(self.spool.as_ref().unwrap()).unwrap();
        if let Some(difference) = self.model.difference(&held) {
            panic!("after {op:?} without any crash: {difference}");
        }
    }
}

fn do_commit(spool: &mut Spool, commit: &Commit, before: &Model) -> Vec<super::super::Accepted> {
    let target = spool.targets().unwrap().swap_remove(commit.target as usize);
    let headers: Vec<Vec<(&str, Option<&[u8]>)>> = commit
        .accept
        .iter()
        .map(|new| new.headers.iter().map(|(n, v)| (n.as_str(), v.as_deref())).collect())
        .collect();
    let accept: Vec<NewMessage<'_>> = commit
        .accept
        .iter()
        .zip(&headers)
        .map(|(new, headers)| NewMessage {
            line: new.line,
            place: new.place,
            key: new.key.as_deref(),
            value: new.value.as_deref(),
            headers,
            tag: new.tag.as_deref(),
        })
        .collect();
    let settled = |(id, verdict): &(u64, Verdict)| {
        // One that was settled before is named by whatever it was then.
        let message = before.pending.get(&(commit.target, *id));
        Settled {
            id: *id,
            producer: message.map_or("gone", |m| m.producer.as_str()).into(),
            partition: message.and_then(|m| m.partition).unwrap_or(0),
            seq: message.map_or(1, |m| m.seq),
            attempts: 1,
            verdict: verdict.clone(),
        }
    };
    let settle: Vec<Settled> = commit.settle.iter().map(settled).collect();
    let change = Change {
        accept: &accept,
        place: &commit.place,
        settle: &settle,
        input: commit.input.as_ref(),
        now_ms: commit.now_ms,
        ..Change::default()
    };
    spool.commit(&target, &change).unwrap()
}

const BROKERS: [&str; 2] = ["kafka://a:1", "rocketmq://b:1"];
/// The second has lanes with names.
const TOPICS: [&str; 2] = ["orders", "queues"];

pub(super) fn next_op(model: &Model, rng: &mut StdRng, large: bool) -> Op {
    let known = model.targets.len() as u32;
    match rng.random_range(0..20) {
        _ if known == 0 => target_op(rng),
        0 => target_op(rng),
        1 => lanes_op(model, rng).unwrap_or_else(|| target_op(rng)),
        2..4 => Op::Reopen { same: rng.random() },
        _ => Op::Commit(commit(model, rng, large)),
    }
}

fn target_op(rng: &mut StdRng) -> Op {
    let broker = (*BROKERS.choose(rng).unwrap()).to_owned();
    let topic = (*TOPICS.choose(rng).unwrap()).to_owned();
    Op::Target { broker, topic }
}

fn lanes_op(model: &Model, rng: &mut StdRng) -> Option<Op> {
    let named: Vec<u32> = (0..model.targets.len() as u32)
        .filter(|no| model.targets[*no as usize].1 == TOPICS[1])
        .collect();
    let target = *named.choose(rng)?;
    let count = rng.random_range(1..=3);
    let names = (0..count).map(|_| format!("queues/b-{}/{}", rng.random_range(0..2), rng.random_range(0..2)));
    Some(Op::Lanes {
        target,
        names: names.collect(),
    })
}

/// A commit such as the pump makes: any of its parts, at least one.
fn commit(model: &Model, rng: &mut StdRng, large: bool) -> Commit {
    let target = rng.random_range(0..model.targets.len() as u32);
    let partitions = match model.targets[target as usize].1 == TOPICS[1] {
        true => model.lane_names.get(&target).map_or(0, |names| names.len() as i32),
        false => 3,
    };
    let mut commit = Commit {
        target,
        now_ms: rng.random_range(1..1_000_000),
        ..Commit::default()
    };
    let waiting = model
        .pending
        .range((target, 0)..=(target, u64::MAX))
        .map(|(_, message)| message);
    if rng.random_ratio(2, 3) {
        let count = rng.random_range(1..=if large { 2 } else { 5 });
        commit.accept = (0..count).map(|n| new(n, partitions, rng, large)).collect();
        if rng.random() {
            commit.input = Some(progress(model, &commit, rng));
        }
    }
    let share = rng.random_range(0..=4);
    for message in waiting {
        if rng.random_range(0..4) >= share {
            continue;
        }
        match message.partition {
            Some(_) => commit.settle.push((message.id, verdict(rng))),
            // Not together with new messages, as in the pump.
            None if partitions > 0 && commit.accept.is_empty() => {
                commit.place.push((message.id, rng.random_range(0..partitions)));
            }
            None => {}
        }
    }
    if rng.random_ratio(1, 8) && model.next_id > 0 {
        // A second verdict on something, as after a commit that reported a failure and landed.
        let id = rng.random_range(0..model.next_id);
        let no_lane = model.pending.get(&(target, id)).is_some_and(|m| m.partition.is_none());
        if !no_lane && commit.settle.iter().all(|(known, _)| *known != id) {
            commit.settle.push((id, verdict(rng)));
        }
    }
    if commit.accept.is_empty() && commit.place.is_empty() && commit.settle.is_empty() {
        commit.accept.push(new(0, partitions, rng, large));
    }
    commit
}

fn verdict(rng: &mut StdRng) -> Verdict {
    match rng.random_range(0..4) {
        0 => Verdict::Failed("too large".to_owned()),
        1 => Verdict::Confirmed(None),
        _ => Verdict::Confirmed(Some(rng.random_range(0..1000))),
    }
}

fn new(n: u64, partitions: i32, rng: &mut StdRng, large: bool) -> New {
    let place = match rng.random_range(0..6) {
        0 => Place::Later(rng.random::<bool>().then_some(1)),
        _ if partitions == 0 => Place::Later(None),
        _ => Place::Now(rng.random_range(0..partitions)),
    };
    let length = match rng.random_range(0..20) {
        _ if large => rng.random_range(50_000..400_000),
        0 => rng.random_range(5000..12_000),
        1..5 => rng.random_range(200..1500),
        _ => rng.random_range(0..40),
    };
    let mut value = vec![0; length];
    rng.fill(&mut value[..length.min(64)]);
    let header = ("source".to_owned(), rng.random::<bool>().then(|| vec![7; 3]));
    New {
        line: n + 1,
        place,
        key: rng.random::<bool>().then(|| vec![rng.random(); 5]),
        value: rng.random_ratio(19, 20).then_some(value),
        headers: if rng.random() { vec![header] } else { Vec::new() },
        tag: rng.random_ratio(1, 4).then(|| "paid".to_owned()),
    }
}

/// Goes on from what was accepted of the file before.
fn progress(model: &Model, commit: &Commit, rng: &mut StdRng) -> InputProgress {
    let path = b"/in/orders.txt".to_vec();
    let before = model.inputs.get(&(commit.target, path.clone()));
    let (offset, lines) = before.map_or((0, 0), |p| (p.offset, p.lines));
    InputProgress {
        path,
        offset: offset + rng.random_range(1..5000),
        lines: lines + commit.accept.len() as u64,
        size: 1 << 20,
        prefix_sha256: rng.random(),
    }
}
