//! Between which offsets each partition is to be read, taken once at the start.

use super::super::config::KafkaTarget;
use super::super::wire::ask::{self, Cluster, EARLIEST, LATEST};
use super::super::wire::{Connection, Limits, Settings, is_moved, words};
use super::job::Job;
use super::reach;
use crate::model::{PartitionRead, ScanPlan, Unreached};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a leader may take to answer a question about offsets.
const EACH: Duration = Duration::from_secs(5);
/// How long all of them may take; a partition without a leader must not keep the others.
const ALL: Duration = Duration::from_secs(10);
/// Between two rounds.
const PAUSE: Duration = Duration::from_millis(200);
/// How much later than its own time a message may have been written and still be found before `--until`. Producers set the time
/// (CreateTime), and a retry or a slow batch writes it later. `--since` needs no margin: the broker answers with the first message
/// that is not older, so that all before it are older, in whichever order they were written.
pub(super) const MARGIN: Duration = Duration::from_secs(3600);

/// What was learnt of the partitions.
pub(super) struct Ranges {
    /// Those that are to be read.
    pub(super) jobs: Vec<Job>,
    /// Those that are read already: empty, or their offsets are not to be had.
    pub(super) done: Vec<PartitionRead>,
    /// Connections that can go on.
    pub(super) connections: HashMap<String, Connection>,
    /// Where the topic lies now.
    pub(super) cluster: Cluster,
    /// Whether a part was left out because of `--until`.
    pub(super) cut_by_time: bool,
}

/// The offsets of one partition.
#[derive(Debug, Clone, Copy, Default)]
struct Ends {
    first: i64,
    end: i64,
    stable: i64,
    since: Option<i64>,
    until: Option<i64>,
}

type Found = BTreeMap<i32, Result<Ends, i16>>;

/// Asks the leaders of the partitions.
pub(super) fn ask(
    target: &KafkaTarget,
    settings: &Settings,
    plan: &ScanPlan,
    wanted: &[i32],
    cluster: Cluster,
    limits: &Limits,
) -> Ranges {
    let start = Instant::now();
    let mut all = Ranges {
        jobs: Vec::new(),
        done: Vec::new(),
        connections: HashMap::new(),
        cluster,
        cut_by_time: false,
    };
    let mut left: BTreeMap<i32, String> = wanted.iter().map(|p| (*p, "there is no leader".to_owned())).collect();
    let each = Limits {
        patience: EACH,
        stop: Arc::clone(&limits.stop),
    };
    loop {
        round(target, settings, plan, &mut all, &mut left, &each);
        if left.is_empty() || start.elapsed() >= ALL || limits.is_stopped() {
            break;
        }
        std::thread::sleep(PAUSE);
        match reach::again(target, settings, &all.cluster, &each) {
            Ok(cluster) => all.cluster = cluster,
            Err(why) => tracing::debug!("{}", why.why),
        }
    }
    for (partition, why) in left {
        let error = match limits.is_stopped() {
            true => "stopped before it was read".to_owned(),
            false => {
                let why = target.properties.without_secrets(&why);
                format!("its offsets cannot be asked: {why}")
            }
        };
        all.done.push(PartitionRead {
            partition,
            error: Some(error),
            ..PartitionRead::default()
        });
    }
    all
}

/// Asks every leader once, all at the same time; what cannot be asked stays in `left` with the reason.
fn round(
    target: &KafkaTarget,
    settings: &Settings,
    plan: &ScanPlan,
    all: &mut Ranges,
    left: &mut BTreeMap<i32, String>,
    limits: &Limits,
) {
    let mut leaders: HashMap<String, Vec<(i32, i32)>> = HashMap::new();
    for (partition, why) in left.iter_mut() {
        let place = all.cluster.partitions.get(partition);
        match place.and_then(|p| Some((p, all.cluster.brokers.get(&p.leader)?))) {
            Some((place, host)) => leaders.entry(host.clone()).or_default().push((*partition, place.epoch)),
            None => *why = "there is no leader".to_owned(),
        }
    }
    let answers: Vec<_> = std::thread::scope(|scope| {
        let asked: Vec<_> = leaders
            .into_iter()
            .map(|(host, parts)| {
                let known = all.connections.remove(&host);
                scope.spawn(move || {
                    let answer = one(target, settings, plan, &host, &parts, known, limits);
                    (host, parts, answer)
                })
            })
            .collect();
        asked.into_iter().filter_map(|thread| thread.join().ok()).collect()
    });
    for (host, parts, answer) in answers {
        match answer {
            Ok((connection, found)) => {
                all.connections.insert(host, connection);
                for (partition, epoch) in parts {
                    take(target, plan, all, left, partition, epoch, found.get(&partition));
                }
            }
            Err(why) => {
                for (partition, _) in parts {
                    left.insert(partition, why.why.clone());
                }
            }
        }
    }
}

fn take(
    target: &KafkaTarget,
    plan: &ScanPlan,
    all: &mut Ranges,
    left: &mut BTreeMap<i32, String>,
    partition: i32,
    epoch: i32,
    found: Option<&Result<Ends, i16>>,
) {
    let mut read = PartitionRead {
        partition,
        ..PartitionRead::default()
    };
    let ends = match found {
        Some(Ok(ends)) => ends,
        Some(Err(code)) if is_moved(*code) => {
            left.insert(partition, words(*code));
            return;
        }
        Some(Err(code)) => {
            left.remove(&partition);
            read.error = Some(format!(
                "topic {}: its offsets cannot be asked: {}",
                target.topic,
                words(*code)
            ));
            all.done.push(read);
            return;
        }
        None => {
            left.insert(partition, "its leader said nothing of it".to_owned());
            return;
        }
    };
    left.remove(&partition);
    let to = ends.until.map_or(ends.end, |until| until.clamp(ends.first, ends.end));
    all.cut_by_time |= to < ends.end;
    let known = plan
        .from
        .iter()
        .find(|(p, _)| *p == partition)
        .map(|(_, offset)| *offset);
    let from = ends.since.unwrap_or(ends.first).max(known.unwrap_or(ends.first));
    (read.from, read.to) = (from.clamp(ends.first, to), to);
    (read.read_to, read.log_start) = (read.from, Some(ends.first));
    let end = ends.stable.clamp(read.from, to);
    let job = Job::new(read, epoch, end, plan.newest_first);
    match job.read.from >= end {
        true => all.done.push(job.finish(None)),
        false => all.jobs.push(job),
    }
}

/// Asks one leader for all that is to be known of its partitions.
fn one(
    target: &KafkaTarget,
    settings: &Settings,
    plan: &ScanPlan,
    host: &str,
    parts: &[(i32, i32)],
    known: Option<Connection>,
    limits: &Limits,
) -> Result<(Connection, Found), Unreached> {
    let mut connection = match known {
        Some(connection) => connection,
        None => Connection::open(host, settings, limits)?,
    };
    let topic = &target.topic;
    let first = ask::offsets(&mut connection, topic, parts, EARLIEST, false)?;
    let end = ask::offsets(&mut connection, topic, parts, LATEST, false)?;
    let stable = match plan.read_uncommitted {
        true => end.clone(),
        false => ask::offsets(&mut connection, topic, parts, LATEST, true)?,
    };
    let mut at = |time: Option<i64>| {
        time.map(|ms| ask::offsets(&mut connection, topic, parts, ms.max(0), false))
            .transpose()
    };
    let since = at(plan.since_ms)?;
    let margin = i64::try_from(MARGIN.as_millis()).unwrap_or(i64::MAX);
    let until = at(plan.until_ms.map(|ms| ms.saturating_add(margin)))?;
    let of = |all: &BTreeMap<i32, Result<i64, i16>>, partition: i32| all.get(&partition).copied();
    let ends = |partition: i32| {
        let all = (of(&first, partition)?, of(&end, partition)?, of(&stable, partition)?);
        let (first, end, stable) = match all {
            (Ok(first), Ok(end), Ok(stable)) => (first, end, stable),
            (Err(code), ..) | (_, Err(code), _) | (.., Err(code)) => return Some(Err(code)),
        };
        // An offset below 0 says that there is no such message; no answer only costs reading.
        let since = since.as_ref().and_then(|all| of(all, partition)?.ok());
        let until = until.as_ref().and_then(|all| of(all, partition)?.ok());
        Some(Ok(Ends {
            first,
            end,
            stable,
            since: since.map(|offset| if offset < 0 { end } else { offset }),
            until: until.filter(|offset| *offset >= 0),
        }))
    };
    let found = parts.iter().filter_map(|(p, _)| Some((*p, ends(*p)?))).collect();
    Ok((connection, found))
}
