//! What `audit` says of a running RabbitMQ depends on its release, and is held against what that server does.

use crate::audit::{Host, finding, found, unread};
use crate::audit_user::User;
use crate::broker::Broker;
use serde_json::{Value, json};

/// How often a message comes that is put back each time; up to `most`.
fn deliveries(host: &Host<'_>, queue: &str, most: usize) -> usize {
    let message =
        json!({"properties": {"delivery_mode": 2}, "routing_key": queue, "payload": "x", "payload_encoding": "string"});
    let path = format!("exchanges/{}/amq.default/publish", host.name);
    let routed = host.broker.http("POST", &path, &message);
    assert_eq!(routed, (200, json!({"routed": true})));
    let take = json!({"count": 1, "ackmode": "reject_requeue_true", "encoding": "auto"});
    let path = format!("queues/{}/{queue}/get", host.name);
    let comes = |_: &usize| !host.broker.http("POST", &path, &take).1.as_array().unwrap().is_empty();
    (0..most).take_while(comes).count()
}

/// The policy that the server says a queue has.
fn policy_of(host: &Host<'_>, queue: &str) -> Value {
    let path = format!("queues/{}/{queue}?columns=policy,name", host.name);
    host.broker.http("GET", &path, &json!({})).1["policy"].clone()
}

/// The same things on any release, and a policy that leaves its classic queue out.
fn furnished(broker: &Broker) -> Host<'_> {
    let host = Host::new(broker);
    let quorum = |more: Value| {
        let mut arguments = more;
        arguments["x-queue-type"] = json!("quorum");
        arguments
    };
    host.queue("silent", true, quorum(json!({})));
    host.queue("endless", true, quorum(json!({"x-delivery-limit": -1})));
    host.queue("kept", true, quorum(json!({"x-consumer-timeout": 5000})));
    host.queue("kept.dead", true, quorum(json!({})));
    host.queue("old", true, json!({"x-queue-type": "classic"}));
    host.queue("fleeting", false, json!({}));
    host.queue("log", true, json!({"x-queue-type": "stream", "x-max-age": "1h"}));
    let letters = json!({"dead-letter-exchange": "", "dead-letter-routing-key": "kept.dead", "delivery-limit": 50,
        "dead-letter-strategy": "at-least-once", "overflow": "reject-publish", "max-length": 1000});
    host.policy("letters", "^(kept|old)$", 1, letters);
    host
}

/// What is so on every release. The classic queue gets nothing of its policy, so it has no dead letter exchange either.
const EVERYWHERE: [&str; 12] = [
    "RQT001 fleeting",
    "RQT002 old",
    "RQT009 endless",
    "RQT009 old",
    "RQT009 silent",
    "RQT011 endless",
    "RQT012 endless",
    "RQT012 kept",
    "RQT012 kept.dead",
    "RQT012 silent",
    "RQT013 log",
    "RQT014 letters",
];

#[track_caller]
fn is_told(broker: &Broker, host: &Host<'_>, more: &[&str]) -> Value {
    let mut expected: Vec<String> = EVERYWHERE.iter().chain(more).map(|l| (*l).to_owned()).collect();
    expected.sort();
    let auditor = User::new(broker, "monitoring");
    auditor.enters(host, "");
    let mut last = Value::Null;
    for (code, report) in [host.as_guest(&[]), auditor.audit(host, &[])] {
        assert_eq!((code, unread(&report)), (1, Vec::new()));
        assert_eq!(found(&report), expected);
        last = report;
    }
    let left_out = finding(&last, "RQT014", "letters")["message"].as_str().unwrap();
    assert!(
        left_out.starts_with(
            "classic queue `old` does not get policy `letters`, whose `dead-letter-strategy` its type does not know, nor its \
             `dead-letter-exchange`, `overflow`."
        ),
        "{left_out}"
    );
    // The server's own word.
    crate::audit::eventually("the server tells the policies", || {
        (policy_of(host, "kept"), policy_of(host, "old")) == (json!("letters"), Value::Null)
    });
    last
}

#[test]
fn release_3_delivers_without_end() {
    let Some(broker) = Broker::shared("rabbitmq::release_3_delivers_without_end") else {
        return;
    };
    let host = furnished(&broker);
    is_told(&broker, &host, &[]);
    assert_eq!(deliveries(&host, "silent", 30), 30);
}

#[test]
fn release_4_deletes_after_twenty() {
    let Some(broker) = Broker::second("rabbitmq::release_4_deletes_after_twenty") else {
        return;
    };
    let host = furnished(&broker);
    let report = is_told(
        &broker,
        &host,
        &[&format!("RQT002 {}", host.name), "RQT011 silent", "X-R08 kept"],
    );
    let limit = finding(&report, "RQT011", "silent")["message"].as_str().unwrap();
    assert!(
        limit.starts_with("queue `silent` deletes a message after 20 deliveries, which is the default since 4.0."),
        "{limit}"
    );
    // The twenty-first delivery is the last.
    assert_eq!(deliveries(&host, "silent", 30), 21);
    assert_eq!(deliveries(&host, "endless", 30), 30);
    // What it has got no more, it does not take.
    let mirrors = json!({"pattern": "^old$", "apply-to": "queues", "definition": {"ha-mode": "all"}});
    let (status, answer) = broker.http("PUT", &format!("policies/{}/mirrors", host.name), &mirrors);
    assert_eq!(status, 400, "{answer}");
}
