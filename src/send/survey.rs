//! What a run would do: reads and judges the whole input, and sends and stores nothing.

use super::event::{Event, Events};
use super::input::{Credit, Input};
use super::observe::{Observer, Receipt};
use super::partitioner::Partitioner;
use super::places::{Places, Wish};
use crate::model::{Fate, Lanes, Problem, Result};
use std::collections::{BTreeMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// What was found.
#[derive(Debug, Default)]
pub struct Survey {
    /// How many messages, and bytes of key and payload, would go to each lane; empty while the lanes are not known.
    pub lanes: BTreeMap<String, (u64, u64)>,
    /// Messages that would be accepted.
    pub messages: u64,
    /// Bytes of their keys and payloads.
    pub bytes: u64,
    /// What could not be read.
    pub rejected: u64,
    /// Messages that the business gave before.
    pub repeated: u64,
    /// Lines read.
    pub lines: u64,
    /// Why the input was not read to its end.
    pub troubles: Vec<Problem>,
}

/// Reads an input to its end. `lanes` are those of the topic, with the names of partitions made by `lane_name`; `None` when they
/// are not known. `was_seen` says which ids were accepted before, and is asked once for each chunk.
///
/// # Errors
/// When the input thread cannot start, or `was_seen` fails.
pub fn survey(
    input: Input,
    lanes: Option<&Lanes>,
    partition_name: impl Fn(i32) -> String,
    mut partitioner: Partitioner,
    default_key: Option<&[u8]>,
    mut was_seen: impl FnMut(&[&[u8]]) -> Result<Vec<bool>>,
    observer: &mut dyn Observer,
) -> Result<Survey> {
    let (Events { sender, receiver }, credit) = (Events::default(), Arc::new(Credit::default()));
    input
        .start(sender, Arc::new(AtomicBool::new(false)), Arc::clone(&credit))
        .map_err(|e| Problem::usage("cannot start the thread that reads the input").because(e))?;
    let places = lanes.map(|lanes| match lanes {
        Lanes::Partitions(count) => Places::Partitions(*count),
        Lanes::Named(named) => Places::Named((0i32..).zip(named.iter().map(|lane| lane.queue)).collect()),
    });
    let name = |place: i32| match lanes {
        Some(Lanes::Named(named)) => usize::try_from(place)
            .ok()
            .and_then(|i| named.get(i))
            .map_or_else(String::new, |lane| lane.name.clone()),
        Some(Lanes::Partitions(_)) | None => partition_name(place),
    };
    let mut told = |line: u64, fate: Fate, reason: &str| {
        observer.receipt(&Receipt {
            line,
            id: None,
            fate,
            partition: None,
            offset: None,
            attempts: 0,
            latency_ms: 0,
            reason: Some(reason),
        });
    };
    let (mut found, mut by_place) = (Survey::default(), BTreeMap::<i32, (u64, u64)>::new());
    // Their hashes alone: there may be more ids than memory.
    let (mut ids, hasher) = (HashSet::new(), RandomState::new());
    while let Ok(event) = receiver.recv() {
        let chunk = match event {
            Event::Chunk(chunk) => chunk,
            Event::InputEnd(end) => {
                found.lines = end.lines;
                if let Some(error) = end.error {
                    let what = format!("cannot read the input after line {}", end.lines);
                    found.troubles.push(Problem::unknown(what).because(error));
                }
                break;
            }
            // Nobody else has the sender.
            Event::Delivered | Event::Topology(_) | Event::Stop(_) => continue,
        };
        credit.give();
        let id = |line| {
            chunk
                .extra(line)
                .and_then(|extra| extra.id.as_ref())
                .map(|id| chunk.bytes(id))
        };
        let of_chunk: Vec<&[u8]> = chunk.lines.iter().filter_map(id).collect();
        let seen = was_seen(&of_chunk)?;
        let mut seen = seen.into_iter();
        for rejected in &chunk.rejected {
            found.rejected += 1;
            told(rejected.line, Fate::Rejected, &rejected.reason);
        }
        for line in &chunk.lines {
            let (id, was_seen) = match id(line) {
                Some(id) => (Some(id), seen.next().unwrap_or(false)),
                None => (None, false),
            };
            if was_seen {
                found.repeated += 1;
                continue;
            }
            let key = line.key.as_ref().map(|key| chunk.bytes(key)).or(default_key);
            let wish = chunk.extra(line).and_then(|extra| extra.partition);
            if let (Some(places), Some(wish)) = (&places, wish)
                && !places.has(wish)
            {
                found.rejected += 1;
                told(
                    line.number,
                    Fate::Rejected,
                    &format!("there is no partition {wish}; there are {}", places.words()),
                );
                continue;
            }
            // Of those that would be accepted in this run the first counts.
            if id.is_some_and(|id| !ids.insert(hasher.hash_one(id))) {
                found.repeated += 1;
                continue;
            }
            let size = (key.map_or(0, <[u8]>::len) + line.value.len()) as u64;
            found.messages += 1;
            found.bytes += size;
            if let Some(places) = &places {
                let wish = wish.map_or_else(|| partitioner.wish(), Wish::Lane).keep();
                let place = by_place.entry(places.choose(&mut partitioner, key, wish)).or_default();
                place.0 += 1;
                place.1 += size;
            }
        }
    }
    found.lanes = by_place
        .into_iter()
        .map(|(place, counts)| (name(place), counts))
        .collect();
    Ok(found)
}
