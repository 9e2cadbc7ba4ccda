//! One spelling for every name: frameworks bind loosely, and variables know neither dots nor dashes.

/// Names that are written with dashes, which a variable has not.
const DASHED: [&str; 38] = [
    "spring.kafka.bootstrap-servers",
    "spring.kafka.client-id",
    "spring.kafka.producer.batch-size",
    "spring.kafka.producer.bootstrap-servers",
    "spring.kafka.producer.buffer-memory",
    "spring.kafka.producer.client-id",
    "spring.kafka.producer.compression-type",
    "spring.kafka.producer.key-serializer",
    "spring.kafka.producer.transaction-id-prefix",
    "spring.kafka.producer.value-serializer",
    "spring.kafka.consumer.auto-commit-interval",
    "spring.kafka.consumer.auto-offset-reset",
    "spring.kafka.consumer.bootstrap-servers",
    "spring.kafka.consumer.client-id",
    "spring.kafka.consumer.enable-auto-commit",
    "spring.kafka.consumer.fetch-max-wait",
    "spring.kafka.consumer.group-id",
    "spring.kafka.consumer.isolation-level",
    "spring.kafka.consumer.key-deserializer",
    "spring.kafka.consumer.max-poll-records",
    "spring.kafka.consumer.max-poll-interval",
    "spring.kafka.consumer.value-deserializer",
    "spring.kafka.listener.ack-mode",
    "spring.kafka.listener.async-acks",
    "spring.kafka.streams.application-id",
    "spring.kafka.streams.replication-factor",
    "spring.rabbitmq.publisher-confirm-type",
    "spring.rabbitmq.publisher-confirms",
    "spring.rabbitmq.publisher-returns",
    "spring.rabbitmq.listener.simple.acknowledge-mode",
    "spring.rabbitmq.listener.simple.default-requeue-rejected",
    "spring.rabbitmq.listener.direct.acknowledge-mode",
    "spring.rabbitmq.listener.direct.default-requeue-rejected",
    "spring.rabbitmq.listener.simple.missing-queues-fatal",
    "spring.cloud.stream.kafka.binder.required-acks",
    "spring.cloud.stream.kafka.binder.replication-factor",
    "spring.cloud.stream.kafka.binder.auto-create-topics",
    "spring.cloud.stream.kafka.binder.min-partition-count",
];

/// The full name that a variable binds to, when it is one of a framework's.
pub(super) fn of_variable(name: &str) -> Option<String> {
    let begins = [
        "SPRING_KAFKA_",
        "SPRING_RABBITMQ_",
        "SPRING_CLOUD_STREAM_",
        "MP_MESSAGING_",
    ];
    if !begins.iter().any(|b| name.starts_with(b)) {
        return None;
    }
    let squashed = |text: &str| {
        text.chars()
            .filter(|c| !matches!(c, '.' | '-' | '_'))
            .collect::<String>()
    };
    let lower = name.to_lowercase();
    let bare = squashed(&lower);
    if let Some(known) = DASHED.iter().find(|k| squashed(k) == bare) {
        return Some((*known).to_owned());
    }
    Some(lower.replace('_', "."))
}

/// A full name in the spelling of the documentation: dashes, lower case, dots for brackets. What a raw map holds stays as it is.
pub(super) fn canonical(path: &str) -> String {
    let path = path.replace('[', ".").replace(']', "").replace("..", ".");
    if !(path.starts_with("spring") || path.starts_with("rocketmq")) {
        return path;
    }
    let mut out: Vec<String> = Vec::new();
    let (mut raw, mut name) = (false, false);
    for segment in path.split('.') {
        if raw || name {
            out.push(segment.to_owned());
            name = false;
            continue;
        }
        let dashed = kebab(segment);
        raw = matches!(
            dashed.as_str(),
            "properties" | "configuration" | "producer-properties" | "consumer-properties" | "admin-properties"
        );
        name = matches!(dashed.as_str(), "bindings" | "binders");
        out.push(dashed);
    }
    // Boot 1 had one kind of listener.
    if out.len() > 3 && out[..3] == ["spring", "rabbitmq", "listener"] && OF_LISTENERS.contains(&out[3].as_str()) {
        out.insert(3, "simple".to_owned());
    }
    out.join(".")
}

/// Settings of a listener, which have stood below `simple` or `direct` since Boot 1.5.
const OF_LISTENERS: [&str; 4] = ["acknowledge-mode", "default-requeue-rejected", "prefetch", "retry"];

fn kebab(segment: &str) -> String {
    let mut out = String::with_capacity(segment.len() + 4);
    let mut last_lower = false;
    for c in segment.chars() {
        if c == '_' {
            out.push('-');
            last_lower = false;
        } else {
            if c.is_uppercase() && last_lower {
                out.push('-');
            }
            last_lower = c.is_lowercase() || c.is_ascii_digit();
            out.extend(c.to_lowercase());
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_comes_to_one() {
        for (written, full) in [
            (
                "spring.kafka.consumer.autoOffsetReset",
                "spring.kafka.consumer.auto-offset-reset",
            ),
            (
                "spring.kafka.consumer.auto_offset_reset",
                "spring.kafka.consumer.auto-offset-reset",
            ),
            (
                "spring.kafka.producer.properties[enable.idempotence]",
                "spring.kafka.producer.properties.enable.idempotence",
            ),
            (
                "spring.cloud.stream.rabbit.bindings.myIn.consumer.autoBindDlq",
                "spring.cloud.stream.rabbit.bindings.myIn.consumer.auto-bind-dlq",
            ),
            (
                "spring.rabbitmq.listener.retry.enabled",
                "spring.rabbitmq.listener.simple.retry.enabled",
            ),
            (
                "mp.messaging.incoming.myIn.failure-strategy",
                "mp.messaging.incoming.myIn.failure-strategy",
            ),
            (
                "rocketmq.producer.sendMessageTimeout",
                "rocketmq.producer.send-message-timeout",
            ),
        ] {
            assert_eq!(canonical(written), full);
        }
        for (variable, full) in [
            (
                "SPRING_KAFKA_CONSUMER_AUTOOFFSETRESET",
                Some("spring.kafka.consumer.auto-offset-reset"),
            ),
            (
                "SPRING_KAFKA_CONSUMER_AUTO_OFFSET_RESET",
                Some("spring.kafka.consumer.auto-offset-reset"),
            ),
            (
                "SPRING_KAFKA_PRODUCER_PROPERTIES_ENABLE_IDEMPOTENCE",
                Some("spring.kafka.producer.properties.enable.idempotence"),
            ),
            ("SPRING_DATASOURCE_URL", None),
        ] {
            assert_eq!(of_variable(variable).as_deref(), full);
        }
    }
}
