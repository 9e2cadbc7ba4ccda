//! What could not be read, gathered so that each reason is told once, with the permission that is missing.

use super::ask::Refusal;
use super::seen::Cluster;
use crate::audit::live::Unread;
use crate::model::Unreached;
use kafka_protocol::error::ResponseError as Code;
use std::collections::{BTreeMap, BTreeSet};

/// So many names stand in one sentence.
const NAMED: usize = 10;

/// What is asked for and kept back, by kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Broker,
    BrokerSettings,
    Disks,
    Quorum,
    Topic,
    TopicSettings,
    Group,
    Groups,
    Offsets,
}

impl Kind {
    /// What it is, of one and of several.
    const fn words(self) -> (&'static str, &'static str) {
        match self {
            Kind::Broker => ("broker", "brokers"),
            Kind::BrokerSettings => ("the configuration of broker", "the configuration of brokers"),
            Kind::Disks => ("the log directories of broker", "the log directories of brokers"),
            Kind::Quorum => ("the quorum of controllers", "the quorum of controllers"),
            Kind::Topic => ("topic", "topics"),
            Kind::TopicSettings => ("the configuration of topic", "the configuration of topics"),
            Kind::Group => ("consumer group", "consumer groups"),
            Kind::Groups => ("the consumer groups of broker", "the consumer groups of brokers"),
            Kind::Offsets => (
                "the offsets of topics led by broker",
                "the offsets of topics led by brokers",
            ),
        }
    }

    /// The permission that it needs.
    const fn permission(self) -> &'static str {
        match self {
            Kind::BrokerSettings => "grant DescribeConfigs on the cluster",
            Kind::Broker | Kind::Disks | Kind::Quorum | Kind::Groups => "grant Describe on the cluster",
            Kind::Topic | Kind::Offsets => "grant Describe on the topic, or on all topics (*)",
            Kind::TopicSettings => "grant DescribeConfigs on the topic, or on all topics (*)",
            Kind::Group => "grant Describe on the group, or on all groups (*)",
        }
    }
}

/// What is not known of a cluster.
#[derive(Debug, Default)]
pub(super) struct Unknown {
    all: BTreeMap<(Kind, String, bool), BTreeSet<String>>,
    /// Whether this user may not describe the cluster: then lists are shorter without a word.
    is_short: bool,
}

impl Unknown {
    fn put(&mut self, kind: Kind, name: String, why: &Refusal) {
        let denied = [
            Code::ClusterAuthorizationFailed,
            Code::TopicAuthorizationFailed,
            Code::GroupAuthorizationFailed,
        ];
        let is_denied = denied.iter().any(|code| *why == Refusal::Code(code.code()));
        if *why == Refusal::Code(Code::ClusterAuthorizationFailed.code()) && kind != Kind::BrokerSettings {
            self.is_short = true;
        }
        let names = self.all.entry((kind, why.words(), is_denied)).or_default();
        if !name.is_empty() {
            names.insert(name);
        }
    }

    /// A broker does not answer.
    pub(super) fn broker(&mut self, id: i32, host: &str, why: &Unreached) {
        let name = match host {
            "" => id.to_string(),
            host => format!("{id} at {host}"),
        };
        self.put(Kind::Broker, name, &Refusal::Unreached(why.why.clone()));
    }

    /// A broker does not tell its settings.
    pub(super) fn settings(&mut self, id: i32, why: &Refusal) {
        self.put(Kind::BrokerSettings, id.to_string(), why);
    }

    /// A broker does not tell of its disks.
    pub(super) fn disks(&mut self, id: i32, why: &Refusal) {
        self.put(Kind::Disks, id.to_string(), why);
    }

    /// Nobody tells of the controllers.
    pub(super) fn quorum(&mut self, why: &Refusal) {
        self.put(Kind::Quorum, String::new(), why);
    }

    /// A topic is there, and nothing else is told of it.
    pub(super) fn topic(&mut self, name: &str, why: &Refusal) {
        self.put(Kind::Topic, name.to_owned(), why);
    }

    /// The settings of a topic are not told.
    pub(super) fn topic_settings(&mut self, name: &str, why: &Refusal) {
        self.put(Kind::TopicSettings, name.to_owned(), why);
    }

    /// No settings of any topic are told.
    pub(super) fn all_settings(&mut self, why: &Refusal) {
        self.put(Kind::TopicSettings, "(all)".to_owned(), why);
    }

    /// A group does not tell its positions.
    pub(super) fn group(&mut self, name: &str, why: &Refusal) {
        self.put(Kind::Group, name.to_owned(), why);
    }

    /// A broker does not tell its groups.
    pub(super) fn groups(&mut self, id: i32, why: &Refusal) {
        self.put(Kind::Groups, id.to_string(), why);
    }

    /// A broker does not tell where the logs that it leads begin.
    pub(super) fn offsets(&mut self, id: i32, why: &Refusal) {
        self.put(Kind::Offsets, id.to_string(), why);
    }

    /// Topics that lie on the disks and are in no list: this user may not know of them.
    pub(super) fn hidden(&mut self, cluster: &Cluster, takes: &dyn Fn(&str) -> bool) {
        let sizes = cluster.nodes.values().filter_map(|n| n.sizes.as_ref());
        let names: BTreeSet<&String> = sizes.flat_map(|s| s.keys().map(|(topic, _)| topic)).collect();
        let denied = Refusal::Code(Code::TopicAuthorizationFailed.code());
        for name in names {
            // The log of the quorum is no topic.
            if takes(name) && !cluster.topics.contains_key(name) && name != "__cluster_metadata" {
                self.topic(name, &denied);
            }
        }
    }

    /// Everything, in sentences.
    pub(super) fn told(self, cluster: &Cluster) -> Vec<Unread> {
        let mut told: Vec<Unread> = self
            .all
            .into_iter()
            .map(|((kind, why, is_denied), names)| {
                let (one, several) = kind.words();
                let what = match names.len() {
                    0 => one.to_owned(),
                    1 => format!("{one} {}", list(&names)),
                    _ => format!("{several} {}", list(&names)),
                };
                let next = match (is_denied, kind) {
                    (true, _) => kind.permission().to_owned(),
                    (false, Kind::Broker) => {
                        "start the broker, or check that its advertised listener is reached from here".to_owned()
                    }
                    (false, _) => "run the audit again, and look at the broker's log when it stays".to_owned(),
                };
                Unread { what, why, next }
            })
            .collect();
        if self.is_short {
            told.push(Unread {
                what: "topics and consumer groups that this user may not describe".to_owned(),
                why: format!(
                    "Kafka leaves them out of its lists without a word; {} topics were told",
                    cluster.topics.len()
                ),
                next: "grant Describe on the cluster, on all topics (*) and on all groups (*)".to_owned(),
            });
        }
        told
    }
}

fn list(names: &BTreeSet<String>) -> String {
    let shown: Vec<&str> = names.iter().take(NAMED).map(String::as_str).collect();
    match names.len().saturating_sub(NAMED) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}
