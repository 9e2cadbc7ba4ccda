//! ksqlDB, the REST proxy and Control Center: files whose settings for the clients inside begin with a prefix.

use super::sheet::{Item, Sheet};
use crate::audit::fact::{Component, Dialect, Unit};
use crate::audit::recognise::Program;
use crate::text::properties::Entry;

/// What a part of a program reads: settings under one of these prefixes, and settings of other names that stand for one of its own.
struct Part {
    dialect: Dialect,
    component: Component,
    /// The last is of this part alone.
    prefixes: &'static [&'static str],
    names: &'static [(&'static str, &'static str)],
}

const KSQLDB: &[Part] = &[
    Part {
        dialect: Dialect::KafkaStreams,
        component: Component::KafkaStreams,
        prefixes: &["ksql.streams."],
        names: &[("ksql.internal.topic.replicas", "replication.factor")],
    },
    Part {
        dialect: Dialect::KafkaConnect,
        component: Component::KafkaConnect,
        prefixes: &["ksql.connect."],
        names: &[],
    },
];

const REST_PROXY: &[Part] = &[
    Part {
        dialect: Dialect::KafkaProducer,
        component: Component::KafkaClients,
        prefixes: &["client.", "producer."],
        names: &[],
    },
    Part {
        dialect: Dialect::KafkaConsumer,
        component: Component::KafkaClients,
        prefixes: &["client.", "consumer."],
        names: &[],
    },
];

const CONTROL_CENTER: &[Part] = &[Part {
    dialect: Dialect::KafkaStreams,
    component: Component::KafkaStreams,
    prefixes: &["confluent.controlcenter.streams."],
    names: &[(
        "confluent.controlcenter.internal.topics.replication",
        "replication.factor",
    )],
}];

/// A unit for every part that is given settings.
pub(super) fn units(sheet: &Sheet<'_>, program: Program, entries: &[Entry]) -> Vec<Unit> {
    let parts = match program {
        Program::KsqlDb => KSQLDB,
        Program::RestProxy => REST_PROXY,
        Program::ControlCenter => CONTROL_CENTER,
    };
    let mut out = Vec::new();
    for part in parts {
        let own = part.prefixes.last().copied().unwrap_or_default();
        let is_own = |e: &Entry| e.key.starts_with(own) || part.names.iter().any(|(name, _)| e.key == *name);
        if !entries.iter().any(is_own) {
            continue;
        }
        let items: Vec<Item> = entries
            .iter()
            .filter_map(|e| {
                let named = part.names.iter().find(|(name, _)| e.key == *name).map(|(_, key)| *key);
                let key = named.or_else(|| part.prefixes.iter().find_map(|p| e.key.strip_prefix(p)))?;
                Some(sheet.item(key, &e.value, e.key_span, e.value_span))
            })
            .collect();
        let mut unit = sheet.unit(part.dialect, part.component, items);
        unit.carrier = Some("framework");
        unit.fragment = Some("the program gives its clients settings of its own");
        out.push(unit);
    }
    out
}

#[cfg(test)]
mod tests {
    use crate::audit::rules::testing::{found, undecided};

    #[test]
    fn clients_inside_of_programs_are_judged() {
        let ksql = "bootstrap.servers=a:9092\nksql.service.id=default_\nksql.internal.topic.replicas=1\nksql.streams.producer.acks=1\n\
                    ksql.connect.offset.storage.replication.factor=1\n";
        assert_eq!(
            found("KX002", "ksql-server.properties", ksql),
            [
                "medium 3:1 replication.factor=1",
                "medium 4:1 producer.acks=1",
                "medium 5:1 offset.storage.replication.factor=1"
            ]
        );
        let rest =
            "id=rest\nkafka.rest.id=1\nbootstrap.servers=a:9092\nproducer.acks=1\nconsumer.enable.auto.commit=true\n";
        assert_eq!(found("KP001", "kafka-rest.properties", rest), ["high 4:1 acks=1"]);
        assert_eq!(
            found("KC001", "kafka-rest.properties", rest),
            ["high 5:1 enable.auto.commit=true"]
        );
        let center = "bootstrap.servers=a:9092\nconfluent.controlcenter.id=1\nconfluent.controlcenter.internal.topics.replication=1\n";
        assert_eq!(
            found("KX002", "control-center.properties", center),
            ["medium 3:1 replication.factor=1"]
        );
    }

    #[test]
    fn what_they_do_not_say_is_theirs_to_choose() {
        let rest = "kafka.rest.id=1\nbootstrap.servers=a:9092\nproducer.linger.ms=5\n";
        for code in ["KP001", "KP002", "KC001", "KC002"] {
            assert!(found(code, "kafka-rest.properties", rest).is_empty(), "{code}");
        }
        assert_eq!(undecided("KP001", "kafka-rest.properties", rest).len(), 1);
        assert!(
            found(
                "KX002",
                "ksql.properties",
                "ksql.service.id=a\nksql.streams.replication.factor=3\n"
            )
            .is_empty()
        );
    }
}
