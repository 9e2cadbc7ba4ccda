//! What could be lost if one broker, or everything in one rack, died now with its disk.
//!
//! A partition survives a death when another replica has everything that was acknowledged: one that is in sync, answers, and does not
//! lack records of its leader. A replica that is in sync by name only, because its broker hangs or is cut off and nobody has noticed
//! yet, does not count; so in doubt a partition is named.

use super::seen::{Cluster, Partition};
use crate::audit::live::{AtRisk, Loss};
use std::collections::{BTreeMap, BTreeSet};

/// Every broker and rack whose death could lose something. `takes` says which topics are asked for.
pub(super) fn of(cluster: &Cluster, takes: &dyn Fn(&str) -> bool) -> Vec<AtRisk> {
    let mut all = Vec::new();
    for id in cluster.nodes.keys() {
        all.extend(one(cluster, takes, format!("broker {id}"), &BTreeSet::from([*id])));
    }
    let mut racks: BTreeMap<&str, BTreeSet<i32>> = BTreeMap::new();
    for (id, node) in &cluster.nodes {
        if let Some(rack) = &node.rack {
            racks.entry(rack).or_default().insert(*id);
        }
    }
    // A rack of one broker is that broker, and with a single rack there is no other to survive in.
    if racks.len() > 1 {
        for (rack, its) in racks.iter().filter(|(_, its)| its.len() > 1) {
            all.extend(one(cluster, takes, format!("rack {rack}"), its));
        }
    }
    all
}

fn one(cluster: &Cluster, takes: &dyn Fn(&str) -> bool, node: String, dead: &BTreeSet<i32>) -> Option<AtRisk> {
    let mut losses = Vec::new();
    for (name, topic) in cluster.topics.iter().filter(|(name, _)| takes(name)) {
        for partition in &topic.partitions {
            if let Some(why) = lost(cluster, name, partition, dead) {
                losses.push(Loss {
                    name: format!("{name}/{}", partition.id),
                    why,
                });
            }
        }
    }
    (!losses.is_empty()).then_some(AtRisk { node, losses })
}

/// Why the death of these brokers could lose something of a partition.
fn lost(cluster: &Cluster, topic: &str, partition: &Partition, dead: &BTreeSet<i32>) -> Option<String> {
    let (within, outside): (Vec<i32>, Vec<i32>) = partition.isr.iter().partition(|id| dead.contains(id));
    if within.is_empty() || is_empty(cluster, topic, partition) {
        return None;
    }
    let is_silent = |id: &i32| cluster.nodes.get(id).is_none_or(|n| !n.is_reached);
    let mut doubts = Vec::new();
    // What it took last nobody can compare.
    if !outside.is_empty() && dead.contains(&partition.leader) && is_silent(&partition.leader) {
        doubts.push(format!("its leader, broker {}, does not answer", partition.leader));
    }
    let is_in_doubt = !doubts.is_empty();
    for id in &outside {
        if is_silent(id) {
            doubts.push(format!("broker {id} does not answer"));
        } else if cluster.behind.contains(&(topic.to_owned(), partition.id, *id)) {
            doubts.push(format!("the replica on broker {id} lacks records"));
        } else if !is_in_doubt {
            return None;
        }
    }
    let replicas = partition.replicas.len();
    let why = match (replicas, doubts.is_empty()) {
        (1, _) => "the only replica".to_owned(),
        (n, true) if within.len() == 1 => format!("the only one of {n} replicas that is in sync"),
        (n, true) => format!("no other of {n} replicas is in sync"),
        (_, false) => format!("in sync elsewhere by name only: {}", doubts.join(", ")),
    };
    Some(why)
}

/// Whether nothing lies in a partition, as every replica in sync tells: one that does not answer may have what the others have not.
fn is_empty(cluster: &Cluster, topic: &str, partition: &Partition) -> bool {
    let size = |id: &i32| {
        let sizes = cluster.nodes.get(id)?.sizes.as_ref()?;
        sizes.get(&(topic.to_owned(), partition.id)).copied()
    };
    !partition.isr.is_empty() && partition.isr.iter().all(|id| size(id) == Some(0))
}

#[cfg(test)]
mod tests {
    use super::super::seen::{Node, Topic};
    use super::*;

    fn cluster(isr: &[i32], reached: &[i32]) -> Cluster {
        let mut cluster = Cluster::default();
        for id in 1..=3 {
            let node = Node {
                is_reached: reached.contains(&id),
                rack: Some(if id < 3 { "a" } else { "b" }.to_owned()),
                ..Node::default()
            };
            cluster.nodes.insert(id, node);
        }
        let partition = Partition {
            id: 0,
            leader: isr.first().copied().unwrap_or(-1),
            epoch: 0,
            replicas: vec![1, 2, 3],
            isr: isr.to_vec(),
        };
        let topic = Topic {
            partitions: vec![partition],
            settings: Vec::new(),
        };
        cluster.topics.insert("orders".to_owned(), topic);
        cluster
    }

    fn named(cluster: &Cluster) -> Vec<String> {
        of(cluster, &|_| true).into_iter().map(|a| a.node).collect()
    }

    #[test]
    fn only_the_last_copy_is_at_risk() {
        assert!(named(&cluster(&[1, 3], &[1, 2, 3])).is_empty());
        assert_eq!(named(&cluster(&[1], &[1, 2, 3])), ["broker 1", "rack a"]);
        // Both copies stand in one rack.
        assert_eq!(named(&cluster(&[1, 2], &[1, 2, 3])), ["rack a"]);
        // The others are in sync by name, and hang.
        assert_eq!(named(&cluster(&[1, 2, 3], &[1])), ["broker 1", "rack a"]);
    }

    #[test]
    fn a_replica_that_lacks_records_is_no_copy() {
        let mut one = cluster(&[1, 3], &[1, 2, 3]);
        one.behind.insert(("orders".to_owned(), 0, 3));
        assert_eq!(named(&one), ["broker 1", "rack a"]);
    }

    #[test]
    fn of_a_leader_that_hangs_nobody_knows_what_it_has_alone() {
        // As acks=1 lets it: the others are in sync by what the controller knows.
        assert_eq!(named(&cluster(&[1, 2, 3], &[2, 3])), ["broker 1", "rack a"]);
    }

    #[test]
    fn what_is_empty_loses_nothing() {
        let mut one = cluster(&[1], &[1, 2, 3]);
        if let Some(node) = one.nodes.get_mut(&1) {
            node.sizes = Some(BTreeMap::from([(("orders".to_owned(), 0), 0)]));
        }
        assert!(named(&one).is_empty());
        // What the leader took last may not have come to the one that answers.
        let mut hung = cluster(&[1, 2], &[2]);
        if let Some(node) = hung.nodes.get_mut(&2) {
            node.sizes = Some(BTreeMap::from([(("orders".to_owned(), 0), 0)]));
        }
        assert!(!named(&hung).is_empty());
    }
}
