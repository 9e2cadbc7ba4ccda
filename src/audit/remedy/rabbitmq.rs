//! Commands of RabbitMQ's own tools.
//!
//! Of all policies that match a queue one counts. So a policy for one queue repeats what the one in force gives it, and outranks it.

use super::quoted;
use crate::audit::fact::{Dialect, FactValue, Layer, Subject, Unit};
use crate::audit::judge::{Hit, describe};
use crate::audit::report::Finding;
use crate::audit::terms::canonical::{MEMBER_NODES, NODES, POLICY};
use crate::config::Profile;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The command, where there is one.
pub(super) fn command(unit: &Unit, subject: Option<&Subject>, hit: &Hit, profile: &Profile) -> Option<String> {
    match (unit.dialect, subject) {
        (Dialect::RabbitmqConf, _) => of_node(unit, hit),
        (Dialect::RabbitmqDefinitions, Some(subject)) => match subject.layer {
            Layer::Queue => of_queue(unit, subject, hit, profile),
            Layer::Policy => of_policy(unit, subject, hit),
            Layer::VirtualHost if hit.key == "default_queue_type" => Some(format!(
                "rabbitmqctl update_vhost_metadata --default-queue-type quorum {}",
                words(&[&subject.name])
            )),
            _ => None,
        },
        _ => None,
    }
}

fn of_node(unit: &Unit, hit: &Hit) -> Option<String> {
    let node = quoted(unit.name.as_deref()?);
    match hit.key.as_str() {
        // As much as the node may have in its memory when it is told to stop publishers; until the next start of the node.
        "disk_free_limit.absolute" => Some(format!("rabbitmqctl -n {node} set_disk_free_limit mem_relative 1.0")),
        "vm_memory_high_watermark.relative" => Some(format!("rabbitmqctl -n {node} set_vm_memory_high_watermark 0.6")),
        _ => None,
    }
}

/// What mends a queue by a policy of its own.
#[derive(Default)]
struct Plan {
    /// The queue for dead letters, which must be there first.
    letters: Option<String>,
    /// What the policy has to set beside what the one in force sets.
    keys: Vec<(&'static str, Value)>,
}

fn of_queue(unit: &Unit, queue: &Subject, hit: &Hit, profile: &Profile) -> Option<String> {
    if hit.rule.code == "RQT012" {
        return add_members(unit, queue, profile);
    }
    with_policy(unit, queue, plan(unit, queue, hit.rule.code, &hit.key, profile)?)
}

fn plan(unit: &Unit, queue: &Subject, rule: &str, key: &str, profile: &Profile) -> Option<Plan> {
    let argument = |key: &str| unit.of(queue, &format!("arguments.x-{key}"));
    let kind = unit.of(queue, "type").and_then(|f| f.value.text());
    let keys = |keys| Plan { letters: None, keys };
    match rule {
        // On a classic queue an argument outranks every policy.
        "RQT005" | "RQT006" | "X-R05" if kind != Some("classic") || argument("overflow").is_none() => {
            Some(keys(vec![("overflow", json!("reject-publish"))]))
        }
        // Everything that wants a place for dead letters: a queue of its own, by the default exchange, so that nothing needs binding.
        "RQT007" | "RQT009" | "RQT011" if argument("dead-letter-exchange").is_none() && !is_end(key) => {
            let letters = format!("{}.dead-letters", queue.name);
            let keys = vec![
                ("dead-letter-exchange", json!("")),
                ("dead-letter-routing-key", json!(letters)),
            ];
            Some(Plan {
                letters: Some(letters),
                keys,
            })
        }
        "RQT010" if argument("dead-letter-strategy").is_none() => Some(keys(vec![
            ("dead-letter-strategy", json!("at-least-once")),
            ("overflow", json!("reject-publish")),
        ])),
        "RQT013" if key.ends_with("max-age") => Some(keys(vec![(
            "max-age",
            json!(format!("{}h", profile.thresholds.retention_hours)),
        )])),
        _ => None,
    }
}

/// Of the policies for one queue only one counts, so several findings about a queue are mended by one policy that holds everything.
pub(super) fn join(unit: &Unit, findings: &mut [Finding], profile: &Profile) {
    let mut planned: BTreeMap<String, (Plan, Vec<usize>)> = BTreeMap::new();
    let queues: BTreeMap<String, &Subject> = match findings.iter().any(|f| f.command.is_some()) {
        true => unit.subjects_of(Layer::Queue).map(|q| (describe(q), q)).collect(),
        false => BTreeMap::new(),
    };
    for (i, finding) in findings.iter().enumerate().filter(|(_, f)| f.command.is_some()) {
        let Some(name) = &finding.subject else { continue };
        let Some(queue) = queues.get(name) else { continue };
        let Some(plan) = plan(unit, queue, finding.rule.code, &finding.key, profile) else {
            continue;
        };
        let (all, of) = planned.entry(name.clone()).or_default();
        all.letters = all.letters.take().or(plan.letters);
        all.keys.extend(plan.keys);
        of.push(i);
    }
    for (name, (plan, of)) in planned.into_iter().filter(|(_, (_, of))| of.len() > 1) {
        let command = queues.get(&name).and_then(|queue| with_policy(unit, queue, plan));
        for i in of {
            if let Some(finding) = findings.get_mut(i) {
                finding.command.clone_from(&command);
            }
        }
    }
}

/// A quorum queue beside another one. 4.3 comes with the second rabbitmqadmin, which has other words.
fn declare_quorum(unit: &Unit, beside: &Subject, name: &str) -> String {
    match unit.release.is_some_and(|r| (r.0, r.1) >= (4, 3)) {
        true => format!(
            "rabbitmqadmin {}queues declare --name {} --type quorum --durable true",
            in_host("--vhost", beside),
            quoted(name)
        ),
        false => format!(
            "rabbitmqadmin {}declare queue {} durable=true arguments={}",
            in_host("-V", beside),
            quoted(&format!("name={name}")),
            quoted(r#"{"x-queue-type":"quorum"}"#)
        ),
    }
}

/// Whether the finding is about the place where dead letters end, which needs none itself.
fn is_end(key: &str) -> bool {
    key == "durable"
}

/// A policy for this queue alone, with what the one in force gives it and what is planned.
fn with_policy(unit: &Unit, queue: &Subject, plan: Plan) -> Option<String> {
    // Without its policy a command would take away what that one gives.
    let name = unit.of(queue, POLICY)?.value.text()?;
    let (mut definition, mut priority) = (Map::new(), 0);
    if !name.is_empty() {
        let policy = unit
            .subjects_of(Layer::Policy)
            .find(|p| p.vhost == queue.vhost && p.name == name)?;
        definition = self::definition(unit, policy)?;
        // A policy that an upgrade kept; whoever sets one anew is refused.
        if unit.release.is_some_and(|r| r.0 >= 4) {
            definition.retain(|key, _| !key.starts_with("ha-"));
        }
        let text = unit.of(policy, "priority").and_then(|f| f.value.text());
        priority = text.and_then(|t| t.parse::<i64>().ok()).unwrap_or(0).saturating_add(1);
    }
    for (key, value) in plan.keys {
        definition.insert(key.to_owned(), value);
    }
    let policy = format!(
        "rabbitmqctl set_policy {}--priority {priority} --apply-to queues {}",
        in_host("-p", queue),
        words(&[
            &format!("{}.durability", queue.name),
            &format!("^{}$", literal(&queue.name)),
            &Value::Object(definition).to_string()
        ])
    );
    Some(match plan.letters {
        Some(letters) => format!("{} && {policy}", declare_quorum(unit, queue, &letters)),
        None => policy,
    })
}

/// Keys of policies that take a number.
const NUMBERS: [&str; 17] = [
    "consumer-timeout",
    "delivery-limit",
    "expires",
    "ha-params",
    "ha-sync-batch-size",
    "initial-cluster-size",
    "max-in-memory-bytes",
    "max-in-memory-length",
    "max-length",
    "max-length-bytes",
    "message-ttl",
    "queue-version",
    "stream-filter-size-bytes",
    "stream-max-segment-size-bytes",
    "target-group-size",
    "quorum-initial-group-size",
    "quorum-target-group-size",
];

/// Keys of policies that take a text, which may look like a number.
const TEXTS: [&str; 6] = [
    "alternate-exchange",
    "dead-letter-exchange",
    "dead-letter-routing-key",
    "federation-upstream",
    "federation-upstream-set",
    "max-age",
];

/// What a policy sets; `None` when a value of it cannot be repeated.
fn definition(unit: &Unit, policy: &Subject) -> Option<Map<String, Value>> {
    let mut all = Map::new();
    for fact in unit.facts_of(policy) {
        let Some(key) = fact.key.strip_prefix("definition.") else {
            continue;
        };
        let value = match &fact.value {
            FactValue::Text(text) if TEXTS.contains(&key) => json!(text),
            FactValue::Text(text) if NUMBERS.contains(&key) => json!(text.parse::<i64>().ok()?),
            // Of another key nobody knows here whether `5` is a number or a text.
            FactValue::Text(text) if text.parse::<f64>().is_ok() => return None,
            FactValue::Text(text) => json!(text),
            FactValue::Bool(truth) => json!(truth),
            FactValue::Null | FactValue::Composite | FactValue::Secret => return None,
        };
        all.insert(key.to_owned(), value);
    }
    Some(all)
}

/// Mirroring that does nothing: the policy without it, or no policy.
fn of_policy(unit: &Unit, policy: &Subject, hit: &Hit) -> Option<String> {
    if hit.rule.code != "RQT003" || unit.release.is_none_or(|r| r.0 < 4) {
        return None;
    }
    let mut definition = definition(unit, policy)?;
    definition.retain(|key, _| !key.starts_with("ha-"));
    let host = in_host("-p", policy);
    if definition.is_empty() {
        return Some(format!("rabbitmqctl clear_policy {host}{}", words(&[&policy.name])));
    }
    let text = |key: &str| unit.of(policy, key).and_then(|f| f.value.text());
    Some(format!(
        "rabbitmqctl set_policy {host}--priority {} --apply-to {} {}",
        text("priority").unwrap_or("0"),
        quoted(text("apply-to").unwrap_or("all")),
        words(&[&policy.name, text("pattern")?, &Value::Object(definition).to_string()])
    ))
}

/// A member on each node that runs and has none, up to what the profile wants.
fn add_members(unit: &Unit, queue: &Subject, profile: &Profile) -> Option<String> {
    let wanted = usize::try_from(profile.thresholds.replication_factor).ok()?;
    let members: Vec<&str> = unit.of(queue, MEMBER_NODES)?.value.text()?.split(' ').collect();
    let nodes = unit.surrounding(NODES).next()?.value.text()?;
    let missing = wanted.checked_sub(members.len())?;
    let others = nodes.split(' ').filter(|n| !members.contains(n)).take(missing);
    let commands: Vec<String> = others
        .map(|node| {
            format!(
                "rabbitmq-queues add_member {}{}",
                in_host("-p", queue),
                words(&[&queue.name, node])
            )
        })
        .collect();
    (!commands.is_empty() && commands.len() == missing).then(|| commands.join(" && "))
}

/// The option for a virtual host, with the space after it; nothing for the default one.
fn in_host(option: &str, subject: &Subject) -> String {
    match subject.vhost.as_deref() {
        None | Some("/") => String::new(),
        // What begins like an option would be taken for one.
        Some(vhost) if vhost.starts_with('-') => format!("{} ", quoted(&format!("--vhost={vhost}"))),
        Some(vhost) => format!("{option} {} ", quoted(vhost)),
    }
}

/// Words that are no options, whatever they begin with.
fn words(words: &[&str]) -> String {
    let all: Vec<String> = words.iter().map(|w| quoted(w)).collect();
    let end = if words.iter().any(|w| w.starts_with('-')) {
        "-- "
    } else {
        ""
    };
    format!("{end}{}", all.join(" "))
}

/// A name as a regular expression that matches it and nothing else.
fn literal(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars() {
        if r"\.+*?()|[]{}^$#".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::literal;

    #[test]
    fn a_name_is_matched_by_its_pattern_alone() {
        assert_eq!(literal("a.b|c"), r"a\.b\|c");
        assert_eq!(literal("plain-name_1"), "plain-name_1");
    }
}
