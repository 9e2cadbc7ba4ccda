//! `--journey`: who consumed each hit, its copies elsewhere, and the messages beside it.

use super::{Place, Run, sink::Sink};
use crate::broker;
use crate::cli::{BrokerArgs, SettingArgs};
use crate::command::resolve;
use crate::connect::{BrokerKind, Connection};
use crate::model::{Coverage, Following, Problem, Record, Result, ScanPlan, Visit};
use crate::query::{Hit, Journey, Neighbours, Stop};
use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::time::Duration;

/// How long a broker may take to tell of a topic's readers.
const PATIENCE: Duration = Duration::from_secs(20);
/// So far around a message its neighbours are looked for.
const AROUND_MS: i64 = 60_000;
/// So many hits are followed; more would be no screen.
const MOST_HITS: usize = 100;
/// Of so many the neighbours are looked for.
const MOST_NEIGHBOURS: usize = 10;

/// Another place to look in.
struct Other {
    connection: Connection,
    topic: String,
}

/// Follows what was found in the first place to everywhere else.
pub(super) fn follow(
    run: &Run<'_>,
    first: &Place,
    connection: &Connection,
    sink: &mut Sink<'_>,
) -> Result<(Journey, u64, Vec<(String, Coverage)>)> {
    let mut journey = Journey::default();
    let mut coverage = vec![(run.args.topic.clone(), first.coverage.clone())];
    let mut found = first.found;
    let mut others = Vec::new();
    for name in &run.args.follow.also {
        others.push(other(run, name, connection)?);
    }
    let known = readers(connection, &run.args.topic, &first.hits, &mut journey);
    for topic in known.iter().flat_map(|known| &known.copies) {
        if !others
            .iter()
            .any(|o| o.topic == *topic && o.connection.url == connection.url)
        {
            others.push(Other {
                connection: connection.clone(),
                topic: topic.clone(),
            });
        }
    }
    add(run, connection, &first.hits, known.as_ref(), &mut journey);
    for other in &others {
        if run.asked.signal().is_some() {
            coverage.push((
                other.topic.clone(),
                Coverage::Partial("stopped before it was read".to_owned()),
            ));
            continue;
        }
        let name = match other.connection.url == connection.url {
            true => other.topic.clone(),
            false => format!("{} of {}", other.topic, other.connection.url),
        };
        let place = run.search(&other.connection, &other.topic, None, sink)?;
        if let Some(problem) = &place.problem {
            journey.unknown.push(problem.to_string());
        }
        found += place.found;
        coverage.push((name, place.coverage.clone()));
        if !place.hits.is_empty() {
            let known = readers(&other.connection, &other.topic, &place.hits, &mut journey);
            add(run, &other.connection, &place.hits, known.as_ref(), &mut journey);
        }
    }
    if found as usize > journey.stops.len() {
        journey
            .notes
            .push(format!("{found} were found, and {} are followed", journey.stops.len()));
    }
    journey.searched = coverage
        .iter()
        .map(|(name, coverage)| (name.clone(), coverage.word()))
        .collect();
    journey.sort();
    Ok((journey, found, coverage))
}

/// A topic of this broker, or `@CONTEXT/TOPIC`.
fn other(run: &Run<'_>, name: &str, connection: &Connection) -> Result<Other> {
    let Some(rest) = name.strip_prefix('@') else {
        return Ok(Other {
            connection: connection.clone(),
            topic: name.to_owned(),
        });
    };
    let (context, topic) = rest.split_once('/').ok_or_else(|| {
        Problem::usage(format!("--also {name:?} names no topic")).next("write --also @CONTEXT/TOPIC, or --also TOPIC")
    })?;
    let named = BrokerArgs {
        broker: None,
        settings: SettingArgs {
            context: Some(context.to_owned()),
            ..SettingArgs::default()
        },
    };
    Ok(Other {
        connection: resolve::connection(&named, run.ui)?,
        topic: topic.to_owned(),
    })
}

fn readers(connection: &Connection, topic: &str, hits: &[Hit], journey: &mut Journey) -> Option<Following> {
    let places: BTreeSet<(Option<String>, i32)> = hits.iter().map(|hit| (hit.node.clone(), hit.partition)).collect();
    let places: Vec<(Option<String>, i32)> = places.into_iter().collect();
    let asked = broker::follow(connection, topic).and_then(|mut follow| follow.follow(&places, PATIENCE));
    match asked {
        Ok(known) => {
            journey
                .notes
                .extend(known.notes.iter().map(|note| format!("{topic}: {note}")));
            journey
                .unknown
                .extend(known.unknown.iter().map(|why| format!("{topic}: {why}")));
            // A broker that knows groups was asked and shows none: silence would look as if nobody had asked. Kafka leaves out,
            // without a word, the groups that a user may not describe.
            let knows_groups = connection.url.kind() != BrokerKind::RabbitMq;
            if knows_groups && !hits.is_empty() && known.groups.is_empty() && known.unknown.is_empty() {
                journey
                    .notes
                    .push(format!("{topic}: no group that this user may see reads it"));
            }
            Some(known)
        }
        Err(problem) => {
            journey.unknown.push(problem.to_string());
            None
        }
    }
}

fn add(run: &Run<'_>, connection: &Connection, hits: &[Hit], known: Option<&Following>, journey: &mut Journey) {
    for hit in hits.iter().take(MOST_HITS.saturating_sub(journey.stops.len())) {
        let groups = known.map_or_else(Vec::new, |known| {
            known
                .groups
                .iter()
                .filter(|position| hit.is_in(position))
                .cloned()
                .collect()
        });
        let neighbours = match journey.stops.len() < MOST_NEIGHBOURS {
            true => beside(run, connection, hit, &mut journey.unknown),
            false => None,
        };
        journey.stops.push(Stop {
            hit: hit.clone(),
            groups,
            neighbours,
        });
    }
}

/// Reads what lies around a message that has a stamp of its place.
fn beside(run: &Run<'_>, connection: &Connection, hit: &Hit, unknown: &mut Vec<String>) -> Option<Neighbours> {
    let (stamp, at) = (hit.stamp.as_ref()?, hit.timestamp_ms?);
    // A queue that is looked into is not looked into again and again.
    if run.args.place.peek || run.asked.signal().is_some() {
        return None;
    }
    let plan = ScanPlan {
        partitions: vec![hit.partition],
        read_uncommitted: true,
        since_ms: Some(at - AROUND_MS),
        until_ms: Some(at + AROUND_MS),
        ..ScanPlan::default()
    };
    let mut around = Around {
        neighbours: Neighbours::new(stamp),
        run,
    };
    let read = broker::scan(connection, &hit.topic).and_then(|mut scan| scan.scan(&plan, &mut around));
    match read.map(|report| report.coverage()) {
        Ok(Coverage::Complete | Coverage::CompleteIf(_)) => Some(around.neighbours),
        Ok(Coverage::Partial(why)) => {
            unknown.push(format!(
                "what lies beside offset {} of {}: {why}",
                hit.offset, hit.topic
            ));
            None
        }
        Err(problem) => {
            unknown.push(format!(
                "what lies beside offset {} of {}: {problem}",
                hit.offset, hit.topic
            ));
            None
        }
    }
}

struct Around<'a> {
    neighbours: Neighbours,
    run: &'a Run<'a>,
}

impl Visit for Around<'_> {
    fn batch(&mut self, records: &[Record<'_>]) -> ControlFlow<()> {
        records.iter().for_each(|record| self.neighbours.see(record));
        ControlFlow::Continue(())
    }

    fn progress(&mut self, _done: u64, _total: u64) -> ControlFlow<()> {
        match self.run.asked.signal() {
            Some(_) => ControlFlow::Break(()),
            None => ControlFlow::Continue(()),
        }
    }
}
