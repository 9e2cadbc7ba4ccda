//! What the management API tells of queues, exchanges, bindings, policies, consumers and publishers, as the facts of a topology.

use super::state::{Kind, QueueState};
use crate::audit::fact::{Component, Dialect, FactValue, Layer, Unit};
use crate::audit::live::Sheet;
use crate::audit::live::canonical::{
    ACK_REQUIRED, ACK_REQUIRED_WHO, MEMBER_NODES, MEMBERS, NODES, ONLINE, OPERATOR_POLICY, POLICY, UNBOUNDED,
    UNCONFIRMED, UNROUTABLE, WAITING_TRANSIENT,
};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What was read. A list that could not be read is empty, and `incomplete` says so.
#[derive(Debug, Default)]
pub(super) struct Raw {
    /// The nodes that run.
    pub(super) nodes: Vec<String>,
    pub(super) vhosts: Vec<Value>,
    pub(super) queues: Vec<Value>,
    pub(super) exchanges: Vec<Value>,
    pub(super) bindings: Vec<Value>,
    pub(super) policies: Vec<Value>,
    pub(super) operator_policies: Vec<Value>,
    pub(super) consumers: Vec<Value>,
    pub(super) channels: Vec<Value>,
    /// Transient messages that were seen by looking into queues: how many of how many, by virtual host and queue.
    pub(super) looked: BTreeMap<(String, String), (u64, u64)>,
    /// Why there may be more than what was read: rules must not take what is absent for what does not exist.
    pub(super) incomplete: Option<&'static str>,
    pub(super) release: Option<(u16, u16, u16)>,
}

const ITSELF: &str = "the queue itself";
const POLICY_SETS: &str = "the policy";
const OPERATOR_SETS: &str = "the operator policy";

/// The topology as a unit.
pub(super) fn unit(target: &Arc<str>, raw: &Raw) -> Unit {
    let mut sheet = Sheet::new(target);
    for host in &raw.vhosts {
        virtual_host(&mut sheet, host);
    }
    let acks = acknowledgements(raw);
    for queue in &raw.queues {
        self::queue(&mut sheet, queue, &acks, raw);
    }
    for exchange in &raw.exchanges {
        self::exchange(&mut sheet, exchange);
    }
    // Every queue is bound to the default exchange; rules know that.
    for binding in raw.bindings.iter().filter(|b| !text(b, "source").is_empty()) {
        sheet.subject(Layer::Binding, Some(text(binding, "vhost")), text(binding, "source"));
        for key in ["destination", "destination_type", "routing_key"] {
            sheet.put(Layer::Binding, key, word(text(binding, key)), "");
        }
        arguments(&mut sheet, Layer::Binding, binding, "");
    }
    for (layer, list) in [
        (Layer::Policy, &raw.policies),
        (Layer::OperatorPolicy, &raw.operator_policies),
    ] {
        for policy in list {
            self::policy(&mut sheet, layer, policy);
        }
    }
    for ((vhost, user), seen) in publishers(&raw.channels) {
        sheet.subject(Layer::Producer, Some(vhost), user);
        sheet.put(Layer::Producer, UNCONFIRMED, word(&seen), "");
    }
    if !raw.nodes.is_empty() {
        sheet.surround(Layer::Broker, NODES, raw.nodes.join(" "));
    }
    let mut unit = sheet.unit(Dialect::RabbitmqDefinitions, Component::RabbitMq, None);
    unit.release = raw.release;
    unit.fragment = raw.incomplete;
    unit
}

fn virtual_host(sheet: &mut Sheet, host: &Value) {
    sheet.subject(Layer::VirtualHost, None, text(host, "name"));
    let kind = host["default_queue_type"]
        .as_str()
        .or(host["metadata"]["default_queue_type"].as_str());
    if let Some(kind) = kind.filter(|k| *k != "undefined") {
        sheet.put(
            Layer::VirtualHost,
            "default_queue_type",
            word(kind),
            "the virtual host itself",
        );
    }
    if let Some(dropped) = host["message_stats"]["drop_unroutable"].as_u64().filter(|n| *n > 0) {
        sheet.put(Layer::VirtualHost, UNROUTABLE, word(&dropped.to_string()), "");
    }
}

fn queue(sheet: &mut Sheet, queue: &Value, acks: &BTreeMap<(&str, &str), Acks<'_>>, raw: &Raw) {
    let (vhost, name) = (text(queue, "vhost"), text(queue, "name"));
    let state = QueueState::of(queue);
    sheet.subject(Layer::Queue, Some(vhost), name);
    for key in ["durable", "auto_delete", "exclusive"] {
        // A server that has no statistics of a queue yet says null.
        if let Some(truth) = queue[key].as_bool() {
            sheet.put(Layer::Queue, key, FactValue::Bool(truth), ITSELF);
        }
    }
    if let Some(kind) = state.kind {
        sheet.put(Layer::Queue, "type", word(kind.name()), ITSELF);
    }
    arguments(sheet, Layer::Queue, queue, ITSELF);
    for (field, key) in [("policy", POLICY), ("operator_policy", OPERATOR_POLICY)] {
        // Absent: not known yet. Null: none.
        match queue.get(field) {
            Some(Value::String(name)) => sheet.put(Layer::Queue, key, word(name), ""),
            Some(Value::Null) => sheet.put(Layer::Queue, key, word(""), ""),
            _ => {}
        }
    }
    if state.kind != Some(Kind::Classic) && !state.members.is_empty() {
        sheet.put(Layer::Queue, MEMBERS, word(&state.members.len().to_string()), "");
        sheet.put(Layer::Queue, ONLINE, word(&state.online.len().to_string()), "");
        sheet.put(Layer::Queue, MEMBER_NODES, word(&state.members.join(" ")), "");
    }
    if let Some(acks) = acks.get(&(vhost, name)) {
        sheet.put(Layer::Queue, ACK_REQUIRED, FactValue::Bool(acks.automatic == 0), "");
        if let Some(example) = acks.example {
            let words = format!("{} of {} consumers: {example}", acks.automatic, acks.all);
            sheet.put(Layer::Queue, ACK_REQUIRED_WHO, word(&words), "");
        }
        if let Some(example) = acks.boundless {
            let words = format!("{} of {} consumers: {example}", acks.unbounded, acks.all);
            sheet.put(Layer::Queue, UNBOUNDED, word(&words), "");
        }
    }
    let looked = raw.looked.get(&(vhost.to_owned(), name.to_owned())).copied();
    if let Some((transient, all)) = looked.or(state.transient())
        && transient > 0
    {
        sheet.put(
            Layer::Queue,
            WAITING_TRANSIENT,
            word(&format!("{transient} of {all}")),
            "",
        );
    }
}

fn exchange(sheet: &mut Sheet, exchange: &Value) {
    sheet.subject(Layer::Exchange, Some(text(exchange, "vhost")), text(exchange, "name"));
    for key in ["durable", "auto_delete", "internal"] {
        if let Some(truth) = exchange[key].as_bool() {
            sheet.put(Layer::Exchange, key, FactValue::Bool(truth), "the exchange itself");
        }
    }
    sheet.put(
        Layer::Exchange,
        "type",
        word(text(exchange, "type")),
        "the exchange itself",
    );
    arguments(sheet, Layer::Exchange, exchange, "the exchange itself");
    if let Some(policy) = exchange["policy"].as_str() {
        sheet.put(Layer::Exchange, POLICY, word(policy), "");
    }
}

fn policy(sheet: &mut Sheet, layer: Layer, policy: &Value) {
    let origin = if layer == Layer::OperatorPolicy {
        OPERATOR_SETS
    } else {
        POLICY_SETS
    };
    sheet.subject(layer, Some(text(policy, "vhost")), text(policy, "name"));
    for key in ["pattern", "apply-to"] {
        sheet.put(layer, key, word(text(policy, key)), origin);
    }
    if let Some(priority) = policy["priority"].as_i64() {
        sheet.put(layer, "priority", word(&priority.to_string()), origin);
    }
    for (key, value) in policy["definition"].as_object().into_iter().flatten() {
        sheet.put(layer, format!("definition.{key}"), fact(value), origin);
    }
}

fn arguments(sheet: &mut Sheet, layer: Layer, of: &Value, origin: &'static str) {
    for (key, value) in of["arguments"].as_object().into_iter().flatten() {
        sheet.put(layer, format!("arguments.{key}"), fact(value), origin);
    }
}

/// The consumers of one queue.
#[derive(Debug, Default, PartialEq, Eq)]
struct Acks<'a> {
    all: usize,
    automatic: usize,
    /// One that does not acknowledge: its channel, which names both ends of its connection.
    example: Option<&'a str>,
    /// How many acknowledge, and may hold as much as they are sent.
    unbounded: usize,
    /// One of these, by its channel.
    boundless: Option<&'a str>,
}

/// Channels that say that they have no limit for all of their consumers together; 4.x does not say.
fn without_limit(channels: &[Value]) -> BTreeSet<&str> {
    let free = channels
        .iter()
        .filter(|c| c["global_prefetch_count"].as_u64() == Some(0));
    free.map(|c| text(c, "name")).collect()
}

/// Quorum queues, for which the limit of a whole channel does not count.
fn quorum(queues: &[Value]) -> BTreeSet<(&str, &str)> {
    let quorum = queues.iter().filter(|q| QueueState::of(q).kind == Some(Kind::Quorum));
    quorum.map(|q| (text(q, "vhost"), text(q, "name"))).collect()
}

fn acknowledgements(raw: &Raw) -> BTreeMap<(&str, &str), Acks<'_>> {
    let (free, quorum) = (without_limit(&raw.channels), quorum(&raw.queues));
    let mut found: BTreeMap<(&str, &str), Acks<'_>> = BTreeMap::new();
    for consumer in &raw.consumers {
        let queue = &consumer["queue"];
        let name = (text(queue, "vhost"), text(queue, "name"));
        let acks = found.entry(name).or_default();
        acks.all += 1;
        let channel = text(&consumer["channel_details"], "name");
        if consumer["ack_required"].as_bool() == Some(false) {
            acks.automatic += 1;
            acks.example = acks.example.or(Some(channel));
        } else if consumer["prefetch_count"].as_u64() == Some(0) && (free.contains(channel) || quorum.contains(&name)) {
            acks.unbounded += 1;
            acks.boundless = acks.boundless.or(Some(channel));
        }
    }
    found
}

/// Who publishes without confirms, by virtual host and user: many instances of one application are one finding.
fn publishers(channels: &[Value]) -> BTreeMap<(&str, &str), String> {
    let mut found: BTreeMap<(&str, &str), (usize, &str)> = BTreeMap::new();
    for channel in channels {
        let publishes = channel["message_stats"]["publish"].as_u64().is_some_and(|n| n > 0);
        let sure = ["confirm", "transactional"]
            .iter()
            .any(|key| channel[*key].as_bool() == Some(true));
        // An answer that says neither is no proof.
        if !publishes || sure || channel["confirm"].as_bool().is_none() {
            continue;
        }
        let user = match text(channel, "user") {
            "" => text(channel, "user_who_performed_action"),
            user => user,
        };
        let entry = found
            .entry((text(channel, "vhost"), user))
            .or_insert((0, text(channel, "name")));
        entry.0 += 1;
    }
    let words = |(n, example): (usize, &str)| match n {
        1 => format!("1 channel: {example}"),
        n => format!("{n} channels, as {example}"),
    };
    found.into_iter().map(|(who, seen)| (who, words(seen))).collect()
}

/// A field that is a text; empty when it is none.
pub(super) fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key].as_str().unwrap_or_default()
}

fn word(text: &str) -> FactValue {
    FactValue::Text(text.to_owned())
}

fn fact(value: &Value) -> FactValue {
    match value {
        Value::String(text) => FactValue::Text(text.clone()),
        Value::Number(number) => FactValue::Text(number.to_string()),
        Value::Bool(truth) => FactValue::Bool(*truth),
        Value::Null => FactValue::Null,
        Value::Array(_) | Value::Object(_) => FactValue::Composite,
    }
}
