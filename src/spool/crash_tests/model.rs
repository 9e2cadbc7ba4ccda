//! What a store must hold after a series of changes, by the rules of the contract and not by the code under test.

use super::super::{Accepted, InputProgress, Pending, Place, Spool, SpoolError, Verdict, schema};
use crate::model::Voids;
use redb::{ReadableDatabase, ReadableTable};
use std::collections::{BTreeMap, BTreeSet};

/// What one message carries at most of numbers given up before it.
const VOID_BYTES: usize = 200;

/// Everything that a store holds and that somebody relies on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Model {
    pub(crate) next_id: u64,
    /// `(broker, topic)` by number.
    pub(crate) targets: Vec<(String, String)>,
    /// The name signed with, by broker.
    pub(crate) producers: BTreeMap<String, String>,
    /// The lanes with names, by target.
    pub(crate) lane_names: BTreeMap<u32, Vec<String>>,
    /// By producer and lane: the next number, and the numbers given up since the last message.
    pub(crate) lanes: BTreeMap<(String, String), (u64, Voids)>,
    pub(crate) pending: BTreeMap<(u32, u64), Pending>,
    /// Why, the message, and whether its number is void.
    pub(crate) failed: BTreeMap<(u32, u64), (String, Pending, bool)>,
    /// By producer and lane.
    pub(crate) confirmed: BTreeMap<(String, String), BTreeSet<u64>>,
    pub(crate) inputs: BTreeMap<(u32, Vec<u8>), InputProgress>,
}

/// A message to accept.
#[derive(Debug, Clone)]
pub(crate) struct New {
    pub(crate) line: u64,
    pub(crate) place: Place,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) headers: Vec<(String, Option<Vec<u8>>)>,
    pub(crate) tag: Option<String>,
}

/// One commit.
#[derive(Debug, Clone, Default)]
pub(crate) struct Commit {
    pub(crate) target: u32,
    pub(crate) accept: Vec<New>,
    pub(crate) place: Vec<(u64, i32)>,
    pub(crate) settle: Vec<(u64, Verdict)>,
    pub(crate) input: Option<InputProgress>,
    pub(crate) now_ms: i64,
}

impl Model {
    /// What a store says that it holds.
    pub(crate) fn of(spool: &Spool) -> Result<Model, SpoolError> {
        let mut model = Model {
            next_id: spool.next_id(),
            ..Model::default()
        };
        for target in spool.targets()? {
            assert_eq!(target.no as usize, model.targets.len(), "targets are numbered from 0");
            for message in spool.pending(&target, 0, usize::MAX, usize::MAX)? {
                model.pending.insert((target.no, message.id), message);
            }
            if !target.lanes.is_empty() {
                model.lane_names.insert(target.no, target.lanes.to_vec());
            }
            model.producers.insert(target.broker.clone(), target.producer);
            model.targets.push((target.broker, target.topic));
        }
        model.read_tables(spool).map_err(|e| spool.failed(e))?;
        Ok(model)
    }

    /// What no part of the program reads back one by one.
    fn read_tables(&mut self, spool: &Spool) -> Result<(), redb::Error> {
        let db = spool.db.as_ref().ok_or(redb::Error::PreviousIo)?;
        let txn = db.begin_read()?;
        for row in txn.open_table(schema::FAILED)?.iter()? {
            let (key, row) = row?;
            let ((target, id), (reason, void, _, _, body)) = (key.value(), row.value());
            self.failed
                .insert((target, id), (reason.to_owned(), Pending::from_body(id, body), void));
        }
        for row in txn.open_table(schema::LANES)?.iter()? {
            let (key, row) = row?;
            let ((producer, lane), row) = (key.value(), row.value());
            let voids = Voids::parse(row.1.as_bytes()).expect("the voids of a lane can be read");
            self.lanes
                .insert((producer.to_owned(), lane.to_owned()), (row.0, voids));
        }
        for row in txn.open_table(schema::CONFIRMED)?.iter()? {
            let (key, row) = row?;
            let ((producer, lane, first), last) = (key.value(), row.value().0);
            let numbers = self
                .confirmed
                .entry((producer.to_owned(), lane.to_owned()))
                .or_default();
            for number in first..=last {
                assert!(numbers.insert(number), "{number} of {lane} is in two runs");
            }
        }
        for row in txn.open_table(schema::INPUTS)?.iter()? {
            let (key, row) = row?;
            let ((target, path), (offset, lines, size, hash)) = (key.value(), row.value());
            let progress = InputProgress {
                path: path.to_owned(),
                offset,
                lines,
                size,
                prefix_sha256: hash.try_into().expect("the hash is whole"),
            };
            self.inputs.insert((target, path.to_owned()), progress);
        }
        Ok(())
    }

    /// The lane of a partition.
    pub(crate) fn lane(&self, target: u32, partition: i32) -> String {
        let named = self
            .lane_names
            .get(&target)
            .and_then(|names| names.get(partition as usize));
        named.cloned().unwrap_or_else(|| {
            let topic = &self.targets[target as usize].1;
            format!("{topic}/{partition}")
        })
    }

    fn producer(&self, target: u32) -> String {
        self.producers[&self.targets[target as usize].0].clone()
    }

    /// A target that is new or known; `id` is the name of the store.
    pub(crate) fn target(&mut self, id: &str, broker: &str, topic: &str) {
        let others = self.producers.len();
        self.producers.entry(broker.to_owned()).or_insert_with(|| match others {
            0 => id.to_owned(),
            others => format!("{id}-{}", others + 1),
        });
        let target = (broker.to_owned(), topic.to_owned());
        if !self.targets.contains(&target) {
            self.targets.push(target);
        }
    }

    pub(crate) fn number_lanes(&mut self, target: u32, names: &[String]) {
        let all = self.lane_names.entry(target).or_default();
        for name in names {
            if !all.contains(name) {
                all.push(name.clone());
            }
        }
    }

    /// A commit, all of it; what each message got.
    pub(crate) fn commit(&mut self, commit: &Commit) -> Vec<Accepted> {
        let (no, producer) = (commit.target, self.producer(commit.target));
        let mut got = Vec::new();
        for new in &commit.accept {
            let mut message = Pending {
                id: self.next_id,
                partition: None,
                wish: None,
                seq: 0,
                accepted_ms: commit.now_ms,
                line: new.line,
                producer: producer.clone(),
                voids: String::new(),
                key: new.key.clone(),
                value: new.value.clone(),
                headers: new.headers.clone(),
                tag: new.tag.clone(),
                await_ms: 0,
            };
            self.next_id += 1;
            match new.place {
                Place::Now(partition) => self.number(no, partition, &mut message),
                Place::Later(wish) => message.wish = wish,
            }
            got.push(accepted(&message));
            self.pending.insert((no, message.id), message);
        }
        for (id, partition) in &commit.place {
            let mut message = self.pending.remove(&(no, *id)).unwrap();
            message.producer.clone_from(&producer);
            self.number(no, *partition, &mut message);
            got.push(accepted(&message));
            self.pending.insert((no, *id), message);
        }
        for (id, verdict) in &commit.settle {
            // A verdict is given once; a second one changes nothing.
            let Some(message) = self.pending.remove(&(no, *id)) else {
                continue;
            };
            let lane = (message.producer.clone(), self.lane(no, message.partition.unwrap()));
            match verdict {
                Verdict::Confirmed(_) => {
                    let is_new = self.confirmed.entry(lane).or_default().insert(message.seq);
                    assert!(is_new, "the model gave number {} twice", message.seq);
                }
                Verdict::Failed(reason) | Verdict::GivenUp(reason) => {
                    let (_, voids) = self.lanes.get_mut(&lane).unwrap();
                    let void = matches!(verdict, Verdict::Failed(_));
                    if void {
                        voids.add(message.seq);
                    }
                    voids.merge(&Voids::parse(message.voids.as_bytes()).unwrap());
                    self.failed.insert((no, *id), (reason.clone(), message, void));
                }
            }
        }
        if let Some(input) = &commit.input {
            self.inputs.insert((no, input.path.clone()), input.clone());
        }
        got
    }

    fn number(&mut self, target: u32, partition: i32, message: &mut Pending) {
        let lane = (message.producer.clone(), self.lane(target, partition));
        let (next, voids) = self.lanes.entry(lane).or_insert((1, Voids::default()));
        (message.partition, message.wish, message.seq) = (Some(partition), None, *next);
        message.voids = voids.take(VOID_BYTES).to_string();
        *next += 1;
    }

    /// How two stores differ, part by part; `None` when they do not.
    pub(crate) fn difference(&self, held: &Model) -> Option<String> {
        let mut parts = Vec::new();
        let mut compare = |what: &str, same: bool, should: String, is: String| {
            if !same {
                parts.push(format!("{what}: should be {should}, is {is}"));
            }
        };
        macro_rules! part {
            ($($name:ident),*) => {$(
                compare(
                    stringify!($name),
                    self.$name == held.$name,
                    format!("{:?}", self.$name),
                    format!("{:?}", held.$name),
                );
            )*};
        }
        if self == held {
            return None;
        }
        part!(
            next_id, targets, producers, lane_names, lanes, pending, failed, confirmed, inputs
        );
        let mut text = parts.join("\n    ");
        if text.len() > 3000 {
            text.truncate(text.floor_char_boundary(3000));
            text.push('…');
        }
        Some(text)
    }
}

fn accepted(message: &Pending) -> Accepted {
    Accepted {
        id: message.id,
        seq: message.seq,
        voids: message.voids.clone(),
    }
}
