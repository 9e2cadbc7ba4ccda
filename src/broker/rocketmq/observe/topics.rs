//! The topics and consumer groups of one broker.

use super::super::members::Members;
use super::super::route;
use super::config::Config;
use crate::audit::fact::{Component, Dialect, FactValue, Layer, Unit};
use crate::audit::live::Sheet;
use crate::audit::live::canonical::{MEMBERS_MODEL, MEMBERS_START, MEMBERS_UNPLACED};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What applications have there; what the broker makes for itself is left out.
#[derive(Debug, Default)]
pub(super) struct Held {
    topics: BTreeMap<String, TopicText>,
    groups: BTreeMap<String, GroupText>,
    /// The members that are connected, by group.
    pub(super) members: BTreeMap<String, Members>,
    /// Where connected members have messages before them and no position, by group, in words.
    pub(super) unplaced: BTreeMap<String, String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Text {
    topic_config_table: BTreeMap<String, TopicText>,
    subscription_group_table: BTreeMap<String, GroupText>,
}

#[derive(Deserialize, Default, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase", default)]
struct TopicText {
    read_queue_nums: Option<i64>,
    write_queue_nums: Option<i64>,
    perm: Option<i64>,
    order: Option<bool>,
    attributes: BTreeMap<String, String>,
}

#[derive(Deserialize, Default, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase", default)]
struct GroupText {
    retry_max_times: Option<i64>,
    retry_queue_nums: Option<i64>,
    consume_enable: Option<bool>,
    consume_from_min_enable: Option<bool>,
    consume_broadcast_enable: Option<bool>,
    consume_message_orderly: Option<bool>,
    broker_id: Option<i64>,
    which_broker_when_consume_slowly: Option<i64>,
    notify_consumer_ids_changed_enable: Option<bool>,
    group_retry_policy: RetryPolicyText,
}

#[derive(Deserialize, Default, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase", default)]
struct RetryPolicyText {
    exponential_retry_policy: Option<serde_json::Value>,
    customized_retry_policy: Option<serde_json::Value>,
}

/// Topics that every broker makes for itself (`TopicValidator`, `TopicConfigManager`).
const OWN_TOPICS: [&str; 7] = [
    "TBW102",
    "SCHEDULE_TOPIC_XXXX",
    "BenchmarkTest",
    "TRANS_CHECK_MAX_TIME_TOPIC",
    "SELF_TEST_TOPIC",
    "OFFSET_MOVED_EVENT",
    "DefaultHeartBeatSyncerTopic",
];

/// Groups that every broker makes for itself (`MixAll`, `SubscriptionGroupManager`).
const OWN_GROUPS: [&str; 10] = [
    "TOOLS_CONSUMER",
    "TOOLS_PRODUCER",
    "FILTERSRV_CONSUMER",
    "SELF_TEST_C_GROUP",
    "SELF_TEST_P_GROUP",
    "CID_ONS-HTTP-PROXY",
    "CID_ONSAPI_PULL",
    "CID_ONSAPI_PERMISSION",
    "CID_ONSAPI_OWNER",
    "CLIENT_INNER_PRODUCER",
];

/// Whether a group is the broker's own.
pub(super) fn is_own_group(name: &str) -> bool {
    OWN_GROUPS.contains(&name) || name.starts_with("CID_RMQ_SYS_") || name.starts_with("CID_SYS_RMQ_")
}

/// Whether a topic is the broker's own.
fn is_own_topic(name: &str, config: &Config) -> bool {
    let cluster = config.get("brokerClusterName");
    OWN_TOPICS.contains(&name)
        || name.starts_with("rmq_sys_")
        || name.starts_with("RMQ_SYS_")
        || name == cluster
        || name == config.get("brokerName")
        || name.strip_suffix("_REPLY_TOPIC") == Some(cluster)
}

impl Held {
    /// Takes in the answer about topics or about groups.
    ///
    /// # Errors
    /// That it cannot be read.
    pub(super) fn add(&mut self, body: &[u8], config: &Config) -> Result<(), String> {
        let text: Text = route::parse(body)?;
        let topics = text.topic_config_table.into_iter();
        self.topics
            .extend(topics.filter(|(name, _)| !is_own_topic(name, config)));
        let groups = text.subscription_group_table.into_iter();
        self.groups.extend(groups.filter(|(name, _)| !is_own_group(name)));
        Ok(())
    }

    /// The names of the topics.
    pub(super) fn names(&self) -> Vec<String> {
        self.topics.keys().cloned().collect()
    }

    /// The names of the consumer groups.
    pub(super) fn groups(&self) -> impl Iterator<Item = &str> {
        self.groups.keys().map(String::as_str)
    }

    /// Who is connected and is handed messages of a topic.
    pub(super) fn pushed(&self, topic: &str) -> impl Iterator<Item = &str> {
        let of = |(_, its): &(&String, &Members)| its.is_pushed_to() && its.subscription_table.contains_key(topic);
        self.members.iter().filter(of).map(|(group, _)| group.as_str())
    }

    /// All of it as a unit.
    pub(super) fn unit(&self, target: &Arc<str>, node: &str) -> Unit {
        const ORIGIN: &str = "the broker's own table";
        let mut sheet = Sheet::new(target);
        let number = |n: i64| FactValue::Text(n.to_string());
        for (name, topic) in &self.topics {
            sheet.subject(Layer::Topic, None, name);
            for (key, value) in [
                ("readQueueNums", topic.read_queue_nums),
                ("writeQueueNums", topic.write_queue_nums),
                ("perm", topic.perm),
            ] {
                if let Some(value) = value {
                    sheet.put(Layer::Topic, key, number(value), ORIGIN);
                }
            }
            if let Some(order) = topic.order {
                sheet.put(Layer::Topic, "order", FactValue::Bool(order), ORIGIN);
            }
            for (key, value) in &topic.attributes {
                let key = format!("attributes.{}", key.trim_start_matches('+'));
                sheet.put(Layer::Topic, key, FactValue::Text(value.clone()), ORIGIN);
            }
        }
        for (name, group) in &self.groups {
            sheet.subject(Layer::Consumer, None, name);
            if let Some(times) = group.retry_max_times {
                sheet.put(Layer::Consumer, "retryMaxTimes", number(times), ORIGIN);
            }
            // What a command that sets one of them has to repeat.
            for (key, value) in [
                ("retryQueueNums", group.retry_queue_nums),
                ("brokerId", group.broker_id),
                ("whichBrokerWhenConsumeSlowly", group.which_broker_when_consume_slowly),
            ] {
                if let Some(value) = value {
                    sheet.put(Layer::Consumer, key, number(value), ORIGIN);
                }
            }
            for (key, value) in [
                ("consumeEnable", group.consume_enable),
                ("consumeFromMinEnable", group.consume_from_min_enable),
                ("consumeBroadcastEnable", group.consume_broadcast_enable),
                ("consumeMessageOrderly", group.consume_message_orderly),
                (
                    "notifyConsumerIdsChangedEnable",
                    group.notify_consumer_ids_changed_enable,
                ),
            ] {
                if let Some(value) = value {
                    sheet.put(Layer::Consumer, key, FactValue::Bool(value), ORIGIN);
                }
            }
            let members = self.members.get(name);
            for (key, value) in [
                (MEMBERS_MODEL, members.map(|m| &m.message_model)),
                (MEMBERS_START, members.map(|m| &m.consume_from_where)),
                (MEMBERS_UNPLACED, self.unplaced.get(name)),
            ] {
                if let Some(value) = value {
                    sheet.put(
                        Layer::Consumer,
                        key,
                        FactValue::Text(value.clone()),
                        "its connected members",
                    );
                }
            }
            let policy = &group.group_retry_policy;
            if policy.exponential_retry_policy.is_some() || policy.customized_retry_policy.is_some() {
                sheet.put(Layer::Consumer, "groupRetryPolicy", FactValue::Composite, ORIGIN);
            }
        }
        sheet.unit(Dialect::RocketmqTopics, Component::RocketMq, Some(node.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_applications_have_is_kept() {
        let config = Config::parse(b"brokerClusterName=c\nbrokerName=broker-a\n");
        let mut held = Held::default();
        held.add(
            br#"{"dataVersion":{"counter":0},"topicConfigTable":{"orders":{"attributes":{"cleanup.policy":"COMPACTION"},"perm":6,"readQueueNums":4,"writeQueueNums":8},
            "c":{"perm":7},"c_REPLY_TOPIC":{},"broker-a":{},"rmq_sys_x":{},"TBW102":{},"%DLQ%g":{"perm":2}}}"#,
            &config,
        )
        .unwrap();
        held.add(
            br#"{"subscriptionGroupTable":{"g":{"retryMaxTimes":0},"TOOLS_CONSUMER":{},"CID_RMQ_SYS_TRANS":{}}}"#,
            &config,
        )
        .unwrap();
        assert!(held.add(b"no", &config).is_err());
        assert_eq!(held.names(), ["%DLQ%g", "orders"]);
        let unit = held.unit(&Arc::from("rocketmq://h"), "broker-a at h:1");
        let told: Vec<String> = unit
            .subjects
            .iter()
            .flat_map(|s| {
                let facts = unit.facts_of(s).iter();
                facts.map(move |f| format!("{} {}={}", s.name, f.key, f.value.show()))
            })
            .collect();
        assert_eq!(
            told,
            [
                "%DLQ%g perm=2",
                "orders readQueueNums=4",
                "orders writeQueueNums=8",
                "orders perm=6",
                "orders attributes.cleanup.policy=COMPACTION",
                "g retryMaxTimes=0"
            ]
        );
    }
}
