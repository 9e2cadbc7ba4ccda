//! Asks a running cluster everything that rules judge, in few requests and without a trace.
//!
//! One broker tells the topics and their settings; each tells its own settings, its disks and its groups. It needs, and names when they
//! are missing: Describe and DescribeConfigs on the cluster and on all topics, Describe on all groups.

mod ask;
mod at_risk;
mod facts;
mod groups;
mod release;
mod seen;
mod unread;

use super::config::KafkaTarget;
use super::endpoint::checked;
use super::wire::{Connection as Wire, Limits, Settings};
use crate::audit::live::{Observation, Wanted};
use crate::connect::Connection;
use crate::model::{Problem, Result, Unreached};
use ask::{Answer, Asker, Refusal};
use seen::{Cluster, Directory, Node, Setting, Topic};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use unread::Unknown;

/// How long one broker may take: a cluster is asked although one of its brokers hangs.
const EACH: Duration = Duration::from_secs(4);
/// Steps that the progress tells of.
const STEPS: u64 = 5;

/// How the brokers of a run are reached.
struct Way<'a> {
    settings: &'a Settings,
    limits: Limits,
    count: &'a AtomicU64,
}

impl Way<'_> {
    fn open(&self, host: &str) -> std::result::Result<Asker<'_>, Unreached> {
        Ok(Asker {
            connection: Wire::open(host, self.settings, &self.limits)?,
            count: self.count,
        })
    }
}

/// What one broker told of itself.
struct Told {
    settings: Answer<Vec<Setting>>,
    disks: Answer<(Vec<Directory>, BTreeMap<(String, i32), i64>)>,
    groups: Answer<groups::Told>,
}

/// What a cluster tells. `heard` hears of the steps.
///
/// # Errors
/// When no named broker answers, or the properties are of no use.
pub fn observe(connection: &Connection, wanted: &Wanted, heard: &dyn Fn(u64, u64, &str)) -> Result<Observation> {
    let target = KafkaTarget::cluster(connection, "-")?;
    checked(&target)?;
    let settings = Settings::of(&target).map_err(|why| {
        Problem::usage("an audit cannot reach this cluster")
            .because(why)
            .next("leave the property out, or use SASL PLAIN, SCRAM or OAUTHBEARER and TLS with PEM files")
    })?;
    let count = AtomicU64::new(0);
    let way = Way {
        settings: &settings,
        limits: Limits {
            patience: wanted.patience.min(EACH),
            stop: Arc::new(AtomicBool::new(false)),
        },
        count: &count,
    };
    heard(0, STEPS, "metadata");
    let (mut asker, metadata) = first(&way, target.broker.hosts())?;
    let mut unknown = Unknown::default();
    let mut cluster = Cluster {
        topics: metadata.topics,
        ..Cluster::default()
    };
    for (topic, code) in metadata.refused.iter().filter(|(topic, _)| wanted.takes_topic(topic)) {
        unknown.topic(topic, &Refusal::Code(*code));
    }
    for (id, (host, rack)) in metadata.brokers {
        let node = Node {
            host,
            rack,
            ..Node::default()
        };
        cluster.nodes.insert(id, node);
    }
    absent(&mut cluster, &mut unknown);
    match asker.features() {
        Ok((features, newest)) => (cluster.features, cluster.newest_metadata_version) = (features, newest),
        Err(why) => tracing::debug!("features are not known: {}", why.words()),
    }
    match asker.voters() {
        Ok(voters) => cluster.voters = voters,
        Err(why) => unknown.quorum(&why),
    }
    heard(1, STEPS, "topics");
    let takes = |name: &str| wanted.takes_topic(name);
    topic_settings(&mut asker, &mut cluster, &takes, &mut unknown)?;
    drop(asker);
    heard(2, STEPS, "brokers");
    let known = cluster.nodes.iter().filter(|(_, n)| !n.host.is_empty());
    let hosts: Vec<(i32, String)> = known.map(|(id, n)| (*id, n.host.clone())).collect();
    let told = each(&way, &hosts, |asker, id| Told {
        settings: asker.broker_settings(id),
        disks: asker.log_dirs(),
        groups: groups::of_broker(asker),
    });
    let mut committed = Vec::new();
    for (id, answer) in told {
        let Some(node) = cluster.nodes.get_mut(&id) else {
            continue;
        };
        let told = match answer {
            Ok(told) => told,
            Err(why) => {
                unknown.broker(id, &node.host, &why);
                continue;
            }
        };
        node.is_reached = true;
        match told.settings {
            Ok(settings) => node.settings = settings,
            Err(why) => unknown.settings(id, &why),
        }
        match told.disks {
            Ok((directories, sizes)) => {
                node.directories = directories;
                node.sizes = Some(sizes);
            }
            Err(why) => unknown.disks(id, &why),
        }
        match told.groups {
            Ok(its) => {
                for (group, why) in its.refused {
                    unknown.group(&group, &why);
                }
                cluster.members.extend(its.members);
                committed.extend(its.committed);
            }
            Err(why) => unknown.groups(id, &why),
        }
    }
    unknown.hidden(&cluster, &takes);
    heard(3, STEPS, "consumer groups");
    committed.retain(|c| takes(&c.topic));
    groups::positions(&way, &mut cluster, committed, &mut unknown);
    heard(4, STEPS, "replicas");
    cluster.behind = behind(&way, &cluster, &takes);
    heard(STEPS, STEPS, "");
    let shown: Arc<str> = Arc::from(connection.url.to_string());
    let mut observation = Observation::new(shown.clone());
    observation.at_risk = at_risk::of(&cluster, &takes);
    observation.units = facts::units(&shown, &cluster, &takes);
    observation.unread = unknown.told(&cluster);
    observation.notes.extend(apart(&cluster));
    observation.requests = count.load(Ordering::Relaxed);
    Ok(observation)
}

/// Brokers that hold replicas and are in no list: a broker that has been down for some seconds is left out of the metadata without a word.
fn absent(cluster: &mut Cluster, unknown: &mut Unknown) {
    let partitions = cluster.topics.values().flat_map(|t| &t.partitions);
    let holders: std::collections::BTreeSet<i32> = partitions.flat_map(|p| p.replicas.iter().copied()).collect();
    for id in holders {
        if !cluster.nodes.contains_key(&id) {
            unknown.broker(
                id,
                "",
                &Unreached::new("it is not part of the cluster now, and holds replicas"),
            );
            cluster.nodes.insert(id, Node::default());
        }
    }
}

/// The first of the named brokers that answers.
fn first<'w>(way: &'w Way<'_>, hosts: &[String]) -> Result<(Asker<'w>, ask::Metadata)> {
    let mut causes = Vec::new();
    for host in hosts {
        let answer = way.open(host).map_err(Refusal::from).and_then(|mut asker| {
            let metadata = asker.metadata()?;
            Ok((asker, metadata))
        });
        match answer {
            Ok(reached) => return Ok(reached),
            Err(why) => causes.push(why.words()),
        }
    }
    causes.dedup();
    Err(Problem::unknown("the cluster")
        .because(causes.join("; "))
        .next("check that a named broker runs and answers there: mqsafe context test"))
}

/// Reads the settings of the topics that are asked for, and of the broker's own.
fn topic_settings(
    asker: &mut Asker<'_>,
    cluster: &mut Cluster,
    takes: &dyn Fn(&str) -> bool,
    unknown: &mut Unknown,
) -> Result<()> {
    let names: Vec<&String> = cluster
        .topics
        .keys()
        .filter(|name| takes(name) || name.starts_with("__"))
        .collect();
    if names.is_empty() {
        return Ok(());
    }
    let answers = match asker.topic_settings(&names) {
        Ok(answers) => answers,
        Err(why) => {
            unknown.all_settings(&why);
            return Ok(());
        }
    };
    for (name, answer) in answers {
        match answer {
            Ok(settings) => {
                if let Some(topic) = cluster.topics.get_mut(&name) {
                    topic.settings = settings;
                }
            }
            Err(why) => unknown.topic_settings(&name, &why),
        }
    }
    Ok(())
}

/// Asks every broker at the same time.
fn each<T: Send>(
    way: &Way<'_>,
    hosts: &[(i32, String)],
    question: impl Fn(&mut Asker<'_>, i32) -> T + Sync,
) -> Vec<(i32, std::result::Result<T, Unreached>)> {
    let question = &question;
    std::thread::scope(|scope| {
        let running: Vec<_> = hosts
            .iter()
            .map(|(id, host)| {
                let one = scope.spawn(move || way.open(host).map(|mut asker| question(&mut asker, *id)));
                (*id, one)
            })
            .collect();
        running
            .into_iter()
            .map(|(id, one)| {
                let answer = one
                    .join()
                    .unwrap_or_else(|_| Err(Unreached::new("the question failed")));
                (id, answer)
            })
            .collect()
    })
}

/// What of a partition is compared: topic, partition and broker.
type Replica = (String, i32, i32);

/// Replicas that are in sync by name and lack records of their leader.
///
/// Sizes tell cheaply where to look: a follower with fewer bytes may lack records, or its leader keeps segments that it has deleted. The
/// leader's log end against what all replicas in sync have tells which: while some of them lack records the second stays behind the first.
fn behind(way: &Way<'_>, cluster: &Cluster, takes: &dyn Fn(&str) -> bool) -> std::collections::BTreeSet<Replica> {
    let size = |id: i32, name: &str, partition: i32| {
        let sizes = cluster.nodes.get(&id)?.sizes.as_ref()?;
        sizes.get(&(name.to_owned(), partition)).copied()
    };
    let mut smaller: Vec<(Replica, i32, i32)> = Vec::new();
    let suspects = |name: &str, topic: &Topic| {
        let mut found = Vec::new();
        for p in &topic.partitions {
            let Some(whole) = size(p.leader, name, p.id) else {
                continue;
            };
            for id in p.isr.iter().filter(|id| **id != p.leader) {
                if size(*id, name, p.id).is_some_and(|bytes| bytes < whole) {
                    found.push(((name.to_owned(), p.id, *id), p.leader, p.epoch));
                }
            }
        }
        found
    };
    for (name, topic) in cluster.topics.iter().filter(|(name, _)| takes(name)) {
        smaller.extend(suspects(name, topic));
    }
    let mut leaders: BTreeMap<i32, Vec<(String, i32, i32)>> = BTreeMap::new();
    for ((name, partition, _), leader, epoch) in &smaller {
        leaders
            .entry(*leader)
            .or_default()
            .push((name.clone(), *partition, *epoch));
    }
    let hosts: Vec<(i32, String)> = leaders
        .keys()
        .filter_map(|id| Some((*id, cluster.nodes.get(id)?.host.clone())))
        .collect();
    let answers = each(way, &hosts, |asker, id| {
        let asked = leaders.get(&id).map(Vec::as_slice).unwrap_or_default();
        // First where the log ends, so that what comes meanwhile makes no replica look worse than it is.
        let ends = asker.log_ends(asked)?;
        let latest = asked
            .iter()
            .map(|(name, partition, _)| ((name.clone(), *partition), super::wire::ask::LATEST));
        let everywhere = asker.offsets(&latest.collect())?;
        let lacks = ends.into_iter().filter(|(at, end)| match everywhere.get(at) {
            Some(Ok(everywhere)) => everywhere < end,
            Some(Err(_)) | None => true,
        });
        Ok::<_, Refusal>(lacks.map(|(at, _)| at).collect::<std::collections::BTreeSet<_>>())
    });
    let mut lacking = std::collections::BTreeSet::new();
    let mut unanswered = Vec::new();
    for (id, answer) in answers {
        match answer {
            Ok(Ok(its)) => lacking.extend(its),
            // Nobody told, so the sizes count.
            Ok(Err(_)) | Err(_) => unanswered.push(id),
        }
    }
    smaller
        .into_iter()
        .filter(|((name, partition, _), leader, _)| {
            unanswered.contains(leader) || lacking.contains(&(name.clone(), *partition))
        })
        .map(|(replica, ..)| replica)
        .collect()
}

/// What is said of controllers that are no brokers: clients of brokers cannot ask them.
fn apart(cluster: &Cluster) -> Option<String> {
    let voters = cluster.voters.as_ref()?;
    let apart: Vec<String> = voters
        .iter()
        .filter(|id| !cluster.nodes.contains_key(id))
        .map(i32::to_string)
        .collect();
    (!apart.is_empty()).then(|| {
        format!(
            "the settings of controllers {} are not read: they answer on their own listeners only; audit their files",
            apart.join(", ")
        )
    })
}
