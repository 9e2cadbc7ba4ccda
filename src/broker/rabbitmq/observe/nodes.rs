//! What the management API tells of the nodes.

use super::topology::text;
use crate::audit::fact::{Component, Dialect, FactValue, Layer, Unit};
use crate::audit::live::Sheet;
use crate::audit::live::canonical::{ALARMS, PARTITIONS, RUNNING};
use serde_json::Value;
use std::sync::Arc;

/// Each node as a unit, and one more for what is true of the cluster.
pub(super) fn units(target: &Arc<str>, nodes: &[Value], cluster: &str, release: Option<(u16, u16, u16)>) -> Vec<Unit> {
    let put = |sheet: &mut Sheet, key: &str, value: String, origin| {
        sheet.put(Layer::Broker, key, FactValue::Text(value), origin);
    };
    let mut units = Vec::new();
    for node in nodes {
        let mut sheet = Sheet::new(target);
        if node["running"].as_bool() == Some(false) {
            put(&mut sheet, RUNNING, "false".to_owned(), "");
        }
        if let Some(limit) = node["disk_free_limit"].as_u64() {
            put(&mut sheet, "disk_free_limit.absolute", limit.to_string(), "the node");
        }
        // The limit in bytes does not tell the part of the memory that it is; none at all does.
        if node["mem_limit"].as_u64() == Some(0) {
            put(
                &mut sheet,
                "vm_memory_high_watermark.relative",
                "0".to_owned(),
                "the node",
            );
        }
        let lost = node["partitions"].as_array().into_iter().flatten();
        let lost: Vec<&str> = lost.filter_map(Value::as_str).collect();
        if !lost.is_empty() {
            put(&mut sheet, PARTITIONS, lost.join(", "), "");
        }
        let alarms = [("mem_alarm", "memory"), ("disk_free_alarm", "disk")];
        let alarms = alarms.iter().filter(|(key, _)| node[*key].as_bool() == Some(true));
        let alarms: Vec<&str> = alarms.map(|(_, what)| *what).collect();
        if !alarms.is_empty() {
            put(&mut sheet, ALARMS, alarms.join(" and "), "");
        }
        let mut unit = sheet.unit(
            Dialect::RabbitmqConf,
            Component::RabbitMq,
            Some(text(node, "name").to_owned()),
        );
        unit.release = release;
        unit.brokers = Some(nodes.len());
        units.push(unit);
    }
    if !nodes.is_empty() {
        let mut sheet = Sheet::new(target);
        sheet.surround(Layer::Broker, "replicas", nodes.len().to_string());
        let mut unit = sheet.unit(
            Dialect::RabbitmqConf,
            Component::RabbitMq,
            Some(format!("cluster {cluster}")),
        );
        unit.release = release;
        units.push(unit);
    }
    units
}

/// `3.10.8` or `4.0.0-beta.1` as numbers.
pub(super) fn release(text: &str) -> Option<(u16, u16, u16)> {
    let plain = text.split(['-', '+']).next()?;
    let mut parts = plain.split('.').map(|part| part.parse::<u16>().ok());
    Some((parts.next()??, parts.next()??, parts.next().flatten().unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn releases_are_read() {
        assert_eq!(release("3.10.8"), Some((3, 10, 8)));
        assert_eq!(release("4.0.0-beta.1"), Some((4, 0, 0)));
        assert_eq!(release("4.1"), Some((4, 1, 0)));
        assert_eq!(release("x"), None);
    }

    #[test]
    fn what_is_wrong_with_a_node_is_a_fact() {
        let nodes = [
            json!({"name": "a", "running": true, "disk_free_limit": 50_000_000, "mem_limit": 5, "partitions": ["b"], "mem_alarm": true, "disk_free_alarm": true}),
            json!({"name": "b", "running": false}),
        ];
        let units = units(&Arc::from("amqp://h"), &nodes, "c", Some((3, 10, 8)));
        let told = |unit: &Unit| -> Vec<String> {
            unit.facts
                .iter()
                .map(|f| format!("{}={}", f.key, f.value.show()))
                .collect()
        };
        assert_eq!(
            told(&units[0]),
            [
                "disk_free_limit.absolute=50000000",
                "@node.partitions=b",
                "@node.alarms=memory and disk"
            ]
        );
        assert_eq!(told(&units[1]), ["@node.running=false"]);
        assert_eq!(units[2].surroundings[0].value.show(), "2");
        assert!(units.iter().all(Unit::is_live));
    }
}
