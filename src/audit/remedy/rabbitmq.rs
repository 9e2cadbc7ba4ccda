//! Commands of RabbitMQ's own tools.
//!
//! Of all policies that match a queue one counts. So a policy for one queue repeats what the one in force gives it, and outranks it.

use super::quoted;
use crate::audit::fact::{Dialect, FactValue, Layer, Subject, Unit};
use crate::audit::judge::Hit;
use crate::audit::terms::canonical::{MEMBER_NODES, NODES, POLICY};
use crate::config::Profile;
use serde_json::{Map, Value, json};

/// The command, where there is one.
pub(super) fn command(unit: &Unit, subject: Option<&Subject>, hit: &Hit, profile: &Profile) -> Option<String> {
    match (unit.dialect, subject) {
        (Dialect::RabbitmqConf, _) => of_node(unit, hit),
        (Dialect::RabbitmqDefinitions, Some(subject)) => match subject.layer {
            Layer::Queue => of_queue(unit, subject, hit, profile),
            Layer::Policy => of_policy(unit, subject, hit),
            Layer::VirtualHost if hit.key == "default_queue_type" => Some(format!(
                "rabbitmqctl update_vhost_metadata {} --default-queue-type quorum",
                quoted(&subject.name)
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

fn of_queue(unit: &Unit, queue: &Subject, hit: &Hit, profile: &Profile) -> Option<String> {
    let argument = |key: &str| unit.of(queue, &format!("arguments.x-{key}"));
    let kind = unit.of(queue, "type").and_then(|f| f.value.text());
    match hit.rule.code {
        // On a classic queue an argument outranks every policy.
        "RQT005" | "RQT006" | "X-R05" if kind != Some("classic") || argument("overflow").is_none() => {
            set_policy(unit, queue, &[("overflow", json!("reject-publish"))])
        }
        // Everything that wants a place for dead letters: a queue of its own, by the default exchange, so that nothing needs binding.
        "RQT007" | "RQT009" | "RQT011" if argument("dead-letter-exchange").is_none() && !is_end(hit) => {
            let letters = format!("{}.dead-letters", queue.name);
            let policy = set_policy(
                unit,
                queue,
                &[
                    ("dead-letter-exchange", json!("")),
                    ("dead-letter-routing-key", json!(letters)),
                ],
            )?;
            Some(format!("{} && {policy}", declare_quorum(unit, queue, &letters)))
        }
        "RQT010" if argument("dead-letter-strategy").is_none() => set_policy(
            unit,
            queue,
            &[
                ("dead-letter-strategy", json!("at-least-once")),
                ("overflow", json!("reject-publish")),
            ],
        ),
        "RQT012" => add_members(unit, queue, profile),
        "RQT013" if hit.key.ends_with("max-age") => set_policy(
            unit,
            queue,
            &[("max-age", json!(format!("{}h", profile.thresholds.retention_hours)))],
        ),
        _ => None,
    }
}

/// A quorum queue beside another one. 4.3 comes with the second rabbitmqadmin, which has other words.
fn declare_quorum(unit: &Unit, beside: &Subject, name: &str) -> String {
    let name = quoted(name);
    match unit.release.is_some_and(|r| (r.0, r.1) >= (4, 3)) {
        true => format!(
            "rabbitmqadmin {}queues declare --name {name} --type quorum --durable true",
            in_host("--vhost", beside)
        ),
        false => format!(
            "rabbitmqadmin {}declare queue name={name} durable=true arguments={}",
            in_host("-V", beside),
            quoted(r#"{"x-queue-type":"quorum"}"#)
        ),
    }
}

/// Whether the finding is about the place where dead letters end, which needs none itself.
fn is_end(hit: &Hit) -> bool {
    hit.key == "durable"
}

/// A policy for this queue alone, with what the one in force gives it and these keys.
fn set_policy(unit: &Unit, queue: &Subject, keys: &[(&str, Value)]) -> Option<String> {
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
    for (key, value) in keys {
        definition.insert((*key).to_owned(), value.clone());
    }
    let pattern = format!("^{}$", literal(&queue.name));
    Some(format!(
        "rabbitmqctl set_policy {}--priority {priority} --apply-to queues {} {} {}",
        in_host("-p", queue),
        quoted(&format!("{}.durability", queue.name)),
        quoted(&pattern),
        quoted(&Value::Object(definition).to_string())
    ))
}

/// What a policy sets; `None` when a value of it cannot be repeated.
fn definition(unit: &Unit, policy: &Subject) -> Option<Map<String, Value>> {
    let mut all = Map::new();
    for fact in unit.facts_of(policy) {
        let Some(key) = fact.key.strip_prefix("definition.") else {
            continue;
        };
        let value = match &fact.value {
            FactValue::Text(text) => text.parse::<i64>().map_or_else(|_| json!(text), |n| json!(n)),
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
        return Some(format!("rabbitmqctl clear_policy {host}{}", quoted(&policy.name)));
    }
    let text = |key: &str| unit.of(policy, key).and_then(|f| f.value.text());
    Some(format!(
        "rabbitmqctl set_policy {host}--priority {} --apply-to {} {} {} {}",
        text("priority").unwrap_or("0"),
        quoted(text("apply-to").unwrap_or("all")),
        quoted(&policy.name),
        quoted(text("pattern")?),
        quoted(&Value::Object(definition).to_string())
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
                "rabbitmq-queues add_member {}{} {}",
                in_host("-p", queue),
                quoted(&queue.name),
                quoted(node)
            )
        })
        .collect();
    (!commands.is_empty() && commands.len() == missing).then(|| commands.join(" && "))
}

/// The option for a virtual host, with the space after it; nothing for the default one.
fn in_host(option: &str, subject: &Subject) -> String {
    match subject.vhost.as_deref() {
        None | Some("/") => String::new(),
        Some(vhost) => format!("{option} {} ", quoted(vhost)),
    }
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
