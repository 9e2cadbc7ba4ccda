//! How far groups have come, against what is still there and what is about to go.

use super::ask::{Answer, Asker, Refusal};
use super::facts::retention_ms;
use super::seen::{Cluster, Position};
use super::unread::Unknown;
use super::{Way, each};
use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

/// A committed position.
pub(super) struct Committed {
    pub(super) group: String,
    pub(super) topic: String,
    pub(super) partition: i32,
    pub(super) offset: i64,
}

/// What one broker knows of the groups that it coordinates.
#[derive(Default)]
pub(super) struct Told {
    pub(super) committed: Vec<Committed>,
    pub(super) members: BTreeMap<String, usize>,
    pub(super) refused: Vec<(String, Refusal)>,
}

/// The groups of a broker, with their members and positions.
pub(super) fn of_broker(asker: &mut Asker<'_>) -> Answer<Told> {
    let listed = asker.groups()?;
    let mut told = Told::default();
    if listed.is_empty() {
        return Ok(told);
    }
    let lively: Vec<String> = listed.iter().filter(|(_, may)| *may).map(|(g, _)| g.clone()).collect();
    let groups: Vec<String> = listed.into_iter().map(|(group, _)| group).collect();
    let members = match lively.is_empty() {
        true => Vec::new(),
        false => asker.members(&lively)?,
    };
    for (group, answer) in members {
        match answer {
            Ok(0) => {}
            Ok(count) => {
                told.members.insert(group, count);
            }
            // One of the newer protocol is not described so; its positions are told all the same.
            Err(why) if why == Refusal::Code(kafka_protocol::error::ResponseError::GroupIdNotFound.code()) => {}
            Err(why) => told.refused.push((group, why)),
        }
    }
    for (group, answer) in asker.committed(&groups)? {
        match answer {
            Ok(positions) => told
                .committed
                .extend(positions.into_iter().map(|(topic, partition, offset)| Committed {
                    group: group.clone(),
                    topic,
                    partition,
                    offset,
                })),
            Err(why) if told.refused.iter().all(|(known, _)| *known != group) => told.refused.push((group, why)),
            Err(_) => {}
        }
    }
    Ok(told)
}

/// What is asked of one partition: which end, or from when on.
type Asked = BTreeMap<(String, i32), i64>;

/// A partition that groups read: the lowest of their positions, and from when on a record is younger than half of what is kept.
struct Reading {
    lowest: i64,
    half_ms: Option<i64>,
}

/// Where the logs begin that groups read, and which of their positions are older than half of what is kept.
///
/// Asked in rounds, each about fewer partitions: who has read up to the end misses nothing, and who has read what is younger than half has
/// missed nothing that is gone. Looking up a time is what costs a broker most.
pub(super) fn positions(way: &Way<'_>, cluster: &mut Cluster, committed: Vec<Committed>, unknown: &mut Unknown) {
    use super::super::wire::ask::{EARLIEST, LATEST};
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now_ms = i64::try_from(now.as_millis()).unwrap_or(i64::MAX);
    let mut leaders: BTreeMap<i32, BTreeMap<(String, i32), Reading>> = BTreeMap::new();
    for c in &committed {
        let Some(topic) = cluster.topics.get(&c.topic) else {
            continue;
        };
        let Some(partition) = topic.partitions.iter().find(|p| p.id == c.partition && p.leader >= 0) else {
            continue;
        };
        let its = leaders.entry(partition.leader).or_default();
        let reading = its.entry((c.topic.clone(), c.partition)).or_insert_with(|| Reading {
            lowest: c.offset,
            half_ms: retention_ms(cluster, &c.topic).map(|keeps| now_ms - keeps / 2),
        });
        reading.lowest = reading.lowest.min(c.offset);
    }
    let hosts: Vec<(i32, String)> = leaders
        .keys()
        .filter_map(|id| Some((*id, cluster.nodes.get(id).filter(|n| n.is_reached)?.host.clone())))
        .collect();
    let answers = each(way, &hosts, |asker, id| {
        let Some(read) = leaders.get(&id) else {
            return Ok((BTreeMap::new(), BTreeMap::new()));
        };
        let mut ask = |asked: Asked| match asked.is_empty() {
            true => Ok(BTreeMap::new()),
            false => asker.offsets(&asked),
        };
        let ends = ask(read.keys().map(|at| (at.clone(), LATEST)).collect())?;
        let late = read.iter().filter(|(at, reading)| match ends.get(at) {
            Some(Ok(end)) => reading.lowest < *end,
            Some(Err(_)) | None => false,
        });
        let late: Vec<_> = late.collect();
        let halves = late.iter().filter_map(|(at, r)| Some(((*at).clone(), r.half_ms?)));
        let mut young = ask(halves.collect())?;
        for (at, offset) in young.iter_mut().filter(|(_, offset)| **offset == Ok(-1)) {
            // Nothing is that young: everything up to the end is old.
            if let Some(end) = ends.get(at) {
                *offset = end.clone();
            }
        }
        let maybe_gone = late.iter().filter(|(at, reading)| match young.get(*at) {
            Some(Ok(first)) => reading.lowest < *first,
            Some(Err(_)) | None => true,
        });
        let mut starts = ask(maybe_gone.map(|(at, _)| ((*at).clone(), EARLIEST)).collect())?;
        // Whose end is refused is not known either.
        starts.extend(ends.into_iter().filter(|(_, end)| end.is_err()));
        Ok::<_, Refusal>((starts, young))
    });
    let (mut starts, mut young) = (BTreeMap::new(), BTreeMap::new());
    for (id, answer) in answers {
        match answer {
            Ok(Ok((its_starts, its_young))) => {
                starts.extend(its_starts);
                young.extend(its_young);
            }
            Ok(Err(why)) => unknown.offsets(id, &why),
            Err(why) => unknown.offsets(id, &Refusal::from(why)),
        }
    }
    let known = |all: &BTreeMap<(String, i32), Answer<i64>>, at: &(String, i32)| match all.get(at) {
        Some(Ok(offset)) if *offset >= 0 => Some(*offset),
        _ => None,
    };
    for c in committed {
        let at = (c.topic.clone(), c.partition);
        if let Some(Err(why)) = starts.get(&at) {
            unknown.topic(&c.topic, why);
        }
        cluster.positions.push(Position {
            start: known(&starts, &at),
            half: known(&young, &at),
            group: c.group,
            topic: c.topic,
            partition: c.partition,
            committed: c.offset,
        });
    }
}
