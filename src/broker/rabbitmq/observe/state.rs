//! Where the copies of each queue are, and what the death of a node could take.

use super::topology::text;
use crate::audit::live::{AtRisk, Loss};
use serde_json::Value;
use std::collections::BTreeMap;

/// The types of queues that keep messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Classic,
    Quorum,
    Stream,
}

impl Kind {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Kind::Classic => "classic",
            Kind::Quorum => "quorum",
            Kind::Stream => "stream",
        }
    }

    fn of(text: &str) -> Option<Kind> {
        match text {
            "classic" | "rabbit_classic_queue" => Some(Kind::Classic),
            "quorum" | "rabbit_quorum_queue" => Some(Kind::Quorum),
            "stream" | "rabbit_stream_queue" => Some(Kind::Stream),
            _ => None,
        }
    }
}

/// What the API tells of one queue, as far as it decides what can be lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct QueueState<'v> {
    pub(super) vhost: &'v str,
    pub(super) name: &'v str,
    /// `None` for a type of a plug-in.
    pub(super) kind: Option<Kind>,
    durable: bool,
    exclusive: bool,
    node: Option<&'v str>,
    pub(super) members: Vec<&'v str>,
    pub(super) online: Vec<&'v str>,
    /// Nodes with a synchronised mirror, on 3.x.
    mirrors: Vec<&'v str>,
    /// Whether there are mirrors that are not synchronised.
    stale: bool,
    messages: Option<u64>,
    persistent: Option<u64>,
}

impl<'v> QueueState<'v> {
    pub(super) fn of(queue: &'v Value) -> QueueState<'v> {
        let list = |key: &str| -> Vec<&'v str> {
            let items = queue[key].as_array().into_iter().flatten();
            items.filter_map(Value::as_str).collect()
        };
        let mirrors = list("synchronised_slave_nodes");
        let text_of = |key: &str| queue[key].as_str().filter(|t| !t.is_empty());
        QueueState {
            vhost: text(queue, "vhost"),
            name: text(queue, "name"),
            kind: Kind::of(text(queue, "type")),
            durable: queue["durable"].as_bool() != Some(false),
            exclusive: queue["exclusive"].as_bool() == Some(true),
            node: text_of("node").or(text_of("leader")),
            members: list("members"),
            online: list("online"),
            stale: list("slave_nodes").len() > mirrors.len(),
            mirrors,
            messages: queue["messages"].as_u64(),
            persistent: queue["messages_persistent"].as_u64(),
        }
    }

    /// How many of the messages that wait in a durable classic queue are transient; the other types store every message.
    pub(super) fn transient(&self) -> Option<(u64, u64)> {
        if self.kind != Some(Kind::Classic) || !self.durable {
            return None;
        }
        let all = self.messages?;
        Some((all.checked_sub(self.persistent?)?, all))
    }

    /// Whether looking into it could show transient messages that a restart discards.
    pub(super) fn may_hold_transient(&self) -> bool {
        self.kind == Some(Kind::Classic) && self.durable && !self.exclusive
    }

    /// On which nodes acknowledged messages of it could be the last copy, and why.
    fn last_copies(&self) -> Vec<(&'v str, String)> {
        match self.kind {
            // It ends with the connection that made it, whatever its node does.
            Some(Kind::Classic) if self.exclusive => Vec::new(),
            Some(Kind::Classic) if !self.mirrors.is_empty() => Vec::new(),
            Some(Kind::Classic) => {
                let why = match (self.durable, self.stale) {
                    (false, _) => "it is not durable: it goes with its node, with or without the disk",
                    (true, true) => "no mirror of it is synchronised",
                    (true, false) => "a classic queue lives on one node",
                };
                self.node.map(|node| (node, why.to_owned())).into_iter().collect()
            }
            Some(kind @ (Kind::Quorum | Kind::Stream)) => self.replicated(kind),
            None => Vec::new(),
        }
    }

    fn replicated(&self, kind: Kind) -> Vec<(&'v str, String)> {
        let (all, there) = (self.members.len(), self.online.len());
        let what = if kind == Kind::Quorum { "quorum queue" } else { "stream" };
        if all == 1 {
            let why = format!("the {what} has one member");
            return self.members.iter().map(|node| (*node, why.clone())).collect();
        }
        // Of a queue that has only just been made nothing may be told yet; that is not the same as nothing at risk.
        if all == 0 {
            let why = format!("the server does not tell the members of the {what}");
            return self.node.map(|node| (node, why)).into_iter().collect();
        }
        // With a majority there, every acknowledged message is also on a member that stays.
        if there > all / 2 {
            return Vec::new();
        }
        let why =
            format!("{there} of the {all} members of the {what} are there: they may have what the others have not");
        self.online.iter().map(|node| (*node, why.clone())).collect()
    }
}

/// Takes nodes that do not run out of what is there of each queue. A stream whose coordinator has lost its majority goes on telling of
/// members that are dead. `running`: the nodes that run; empty when they could not be read.
pub(super) fn without_the_dead(queues: &mut [Value], running: &[String]) {
    if running.is_empty() {
        return;
    }
    let is_there = |node: &Value| node.as_str().is_some_and(|name| running.iter().any(|n| n == name));
    for queue in queues {
        for key in ["online", "synchronised_slave_nodes"] {
            if let Some(Value::Array(nodes)) = queue.get_mut(key) {
                nodes.retain(is_there);
            }
        }
    }
}

/// What could be lost, by node. `whole` when every virtual host is asked for, so that names need theirs.
pub(super) fn at_risk<'v>(queues: impl Iterator<Item = &'v Value>, hosts: usize) -> Vec<AtRisk> {
    let mut by_node: BTreeMap<&str, Vec<Loss>> = BTreeMap::new();
    for queue in queues {
        let state = QueueState::of(queue);
        let name = match hosts {
            0 | 1 => state.name.to_owned(),
            _ => format!("{} in virtual host {}", state.name, state.vhost),
        };
        for (node, why) in state.last_copies() {
            let why = match state.messages {
                Some(n) if n > 0 => format!("{why}; {n} messages are in it"),
                Some(_) | None => why,
            };
            by_node.entry(node).or_default().push(Loss {
                name: name.clone(),
                why,
            });
        }
    }
    by_node
        .into_iter()
        .map(|(node, mut losses)| {
            losses.sort_by(|a, b| a.name.cmp(&b.name));
            AtRisk {
                node: node.to_owned(),
                losses,
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn named(queues: &[Value]) -> Vec<String> {
        let all = at_risk(queues.iter(), 1);
        let of = |r: AtRisk| {
            r.losses
                .into_iter()
                .map(move |l| format!("{}: {}: {}", r.node, l.name, l.why))
        };
        all.into_iter().flat_map(of).collect()
    }

    #[test]
    fn one_copy_is_lost_with_its_node() {
        let classic = |more: Value| {
            let mut queue =
                json!({"name": "q", "vhost": "/", "type": "classic", "durable": true, "node": "a", "exclusive": false});
            for (key, value) in more.as_object().unwrap() {
                queue[key] = value.clone();
            }
            queue
        };
        assert_eq!(
            named(&[classic(json!({"messages": 3}))]),
            ["a: q: a classic queue lives on one node; 3 messages are in it"]
        );
        assert_eq!(
            named(&[classic(json!({"durable": false}))]),
            ["a: q: it is not durable: it goes with its node, with or without the disk"]
        );
        assert!(named(&[classic(json!({"exclusive": true}))]).is_empty());
        assert!(
            named(&[classic(
                json!({"slave_nodes": ["b"], "synchronised_slave_nodes": ["b"]})
            )])
            .is_empty()
        );
        assert_eq!(
            named(&[classic(json!({"slave_nodes": ["b"], "synchronised_slave_nodes": []}))]),
            ["a: q: no mirror of it is synchronised"]
        );
    }

    #[test]
    fn replicated_queues_lose_with_their_last_members() {
        let queue = |kind: &str, members: &[&str], online: &[&str]| json!({"name": "q", "vhost": "/", "type": kind, "durable": true, "leader": "a", "members": members, "online": online});
        assert!(named(&[queue("quorum", &["a", "b", "c"], &["a", "b", "c"])]).is_empty());
        assert!(named(&[queue("quorum", &["a", "b", "c"], &["a", "b"])]).is_empty());
        assert_eq!(
            named(&[queue("quorum", &["a", "b", "c"], &["a"])]),
            ["a: q: 1 of the 3 members of the quorum queue are there: they may have what the others have not"]
        );
        assert_eq!(
            named(&[queue("quorum", &["a"], &["a"])]),
            ["a: q: the quorum queue has one member"]
        );
        assert_eq!(
            named(&[queue("stream", &["a"], &["a"])]),
            ["a: q: the stream has one member"]
        );
        assert!(named(&[queue("stream", &["a", "b", "c"], &["a", "c"])]).is_empty());
        assert_eq!(
            named(&[queue("quorum", &[], &[])]),
            ["a: q: the server does not tell the members of the quorum queue"]
        );
        assert_eq!(named(&[queue("stream", &["a", "b"], &["b"])]).len(), 1);
    }

    #[test]
    fn who_does_not_run_is_not_there() {
        let running = ["a".to_owned()];
        let stream =
            json!({"name": "s", "vhost": "/", "type": "stream", "members": ["a", "b", "c"], "online": ["b", "a"]});
        let mirrored = json!({"name": "m", "vhost": "/", "type": "classic", "durable": true, "node": "a", "slave_nodes": ["b"],
            "synchronised_slave_nodes": ["b"]});
        let mut queues = [stream, mirrored];
        assert!(named(&queues).is_empty());
        without_the_dead(&mut queues, &[]);
        assert!(named(&queues).is_empty());
        without_the_dead(&mut queues, &running);
        assert_eq!(
            named(&queues),
            [
                "a: m: no mirror of it is synchronised",
                "a: s: 1 of the 3 members of the stream are there: they may have what the others have not"
            ]
        );
    }

    #[test]
    fn transient_messages_are_those_that_are_not_persistent() {
        let of = |queue: Value| QueueState::of(&queue).transient();
        let classic = json!({"type": "classic", "durable": true, "messages": 5, "messages_persistent": 3});
        assert_eq!(of(classic), Some((2, 5)));
        let none = json!({"type": "classic", "durable": true});
        assert_eq!(of(none), None);
        let quorum = json!({"type": "quorum", "durable": true, "messages": 5, "messages_persistent": 0});
        assert_eq!(of(quorum), None);
    }
}
