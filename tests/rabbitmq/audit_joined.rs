//! Rules over several things of one running RabbitMQ, and over it and a file together, on each release.

use crate::audit::{Host, eventually, finding, found, runtime};
use crate::broker::Broker;
use lapin::options::BasicConsumeOptions;
use lapin::types::FieldTable;
use serde_json::{Value, json};

/// What is the same on every release; `with` are those that are not.
fn is_told(broker: &Broker, with: &[&str]) {
    let host = Host::new(broker);
    let quorum = |more: Value| {
        let mut arguments = more;
        arguments["x-queue-type"] = json!("quorum");
        arguments
    };
    // A durable exchange and a queue that is not; dead letters whose key no binding has; a strategy that falls back.
    host.exchange("shop", true);
    host.queue("fleeting", false, json!({}));
    host.bind("shop", "fleeting");
    host.exchange("letters", true);
    host.queue("letters.dead", true, quorum(json!({})));
    host.bind("letters", "letters.dead");
    let to = |key: &str| json!({"x-dead-letter-exchange": "letters", "x-dead-letter-routing-key": key});
    host.queue("work", true, quorum(to("another")));
    let mut sure = to("k");
    sure["x-dead-letter-strategy"] = json!("at-least-once");
    host.queue("sure", true, quorum(sure));
    host.queue(
        "limited",
        true,
        quorum(json!({"x-overflow": "reject-publish", "x-max-length": 5})),
    );
    host.queue("brief", true, json!({"x-message-ttl": 60_000}));
    host.queue("leaving", true, json!({"x-expires": 600_000}));
    let threads = runtime();
    let (connection, channel) = host.channel(&threads);
    let _consumer = threads.block_on(async {
        let options = BasicConsumeOptions::default();
        let consumer = channel.basic_consume("work".into(), "tag".into(), options, FieldTable::default());
        consumer.await.unwrap()
    });
    let home = tempfile::TempDir::new().unwrap();
    let file = home.path().join("application.properties");
    let application = "spring.rabbitmq.host=mq\nspring.rabbitmq.publisher-confirm-type=none\n\
                       spring.rabbitmq.listener.simple.prefetch=50\n";
    std::fs::write(&file, application).unwrap();
    let mut expected: Vec<&str> = [
        "RQC003 work",
        "RQT007 brief",
        "RQT008 leaving",
        "X-R01 limited",
        "X-R02 fleeting",
        "X-R04 work",
        "X-R05 sure",
    ]
    .iter()
    .chain(with)
    .copied()
    .collect();
    expected.sort_unstable();
    let rules: Vec<&str> = expected
        .iter()
        .map(|l| l.split_once(' ').unwrap().0)
        .chain(["X-R06"])
        .collect();
    let told = |report: &Value| -> Vec<String> {
        let all = found(report).into_iter();
        all.filter(|l| rules.iter().any(|rule| l.starts_with(rule))).collect()
    };
    let mut report = Value::Null;
    eventually("the server tells of channels", || {
        report = host.as_guest(&[file.to_str().unwrap()]).1;
        told(&report).iter().any(|l| l.starts_with("RQC003"))
    });
    assert_eq!(told(&report), expected);
    // Over both: where it is in the cluster, and in the file.
    let refused = finding(&report, "X-R01", "limited");
    assert!(refused["file"].as_str().unwrap().starts_with("amqp://"), "{refused}");
    let related = refused["related"][0]["file"].as_str().unwrap();
    assert!(related.ends_with("application.properties"), "{refused}");
    let held = finding(&report, "RQC003", "work")["message"].as_str().unwrap();
    assert!(
        held.starts_with("one consumer may hold all of queue `work` (1 of 1 consumers: "),
        "{held}"
    );
    threads.block_on(connection.close(200, "bye".into())).unwrap();
}

#[test]
fn rules_over_several_things_on_release_3() {
    let Some(broker) = Broker::shared("rabbitmq::rules_over_several_things_on_release_3") else {
        return;
    };
    is_told(&broker, &[]);
}

#[test]
fn rules_over_several_things_on_release_4() {
    let Some(broker) = Broker::second("rabbitmq::rules_over_several_things_on_release_4") else {
        return;
    };
    // Its limit of deliveries meets a listener that puts back what fails.
    is_told(&broker, &["X-R06 limited"]);
}
