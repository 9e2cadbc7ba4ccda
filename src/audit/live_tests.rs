//! What is said of where a live value comes from, and what of several nodes is one finding.

use super::fact::{Component, Dialect, FactValue, Given, Layer, Unit};
use super::live::{Observation, Sheet, canonical};
use super::registry::{RULES, profile_names};
use super::{Finding, Options, Places, Report, ShownPlace, audit_with};
use crate::config::{Profile, Severity};
use crate::text::Spot;
use std::path::PathBuf;
use std::sync::Arc;

fn text(value: &str) -> FactValue {
    FactValue::Text(value.to_owned())
}

fn given(origin: &'static str, key: &str, value: &str) -> Given {
    Given {
        origin,
        key: key.to_owned(),
        value: value.to_owned(),
    }
}

fn judged(units: Vec<Unit>, files: &[PathBuf]) -> Report {
    let profile = Profile::built_in("orders", &profile_names()).unwrap().unwrap();
    let mut seen = Observation::new(Arc::from("kafka://h:9092"));
    seen.units = units;
    audit_with(files, &[seen], &Options::new(&profile), |_, _, _| {})
}

fn of<'r>(report: &'r Report, rule: &str) -> Vec<&'r Finding> {
    report.findings.iter().filter(|f| f.rule.code == rule).collect()
}

fn broker(id: i32, settings: &[(&str, &str, Vec<Given>)]) -> Unit {
    let target = Arc::from("kafka://h:9092");
    let mut sheet = Sheet::new(&target);
    sheet.put(Layer::Broker, "node.id", text(&id.to_string()), "the broker's own file");
    for (key, value, places) in settings {
        sheet.put(Layer::Broker, *key, text(value), places[0].origin);
        sheet.given(places.clone());
    }
    sheet.unit(
        Dialect::KafkaBroker,
        Component::KafkaBroker,
        Some(format!("broker {id}")),
    )
}

#[test]
fn a_queue_whose_value_is_a_policy_s_is_told_with_the_policy() {
    let target = Arc::from("amqp://h");
    let mut sheet = Sheet::new(&target);
    for (name, own) in [("limited", None), ("own", Some("9"))] {
        sheet.subject(Layer::Queue, Some("/"), name);
        sheet.put(Layer::Queue, "durable", FactValue::Bool(true), "the queue itself");
        sheet.put(Layer::Queue, "type", text("classic"), "the queue itself");
        if let Some(own) = own {
            sheet.put(Layer::Queue, "arguments.x-max-length", text(own), "the queue itself");
        }
    }
    sheet.subject(Layer::Policy, Some("/"), "limits");
    for (key, value) in [
        ("pattern", "^limited$"),
        ("apply-to", "queues"),
        ("priority", "1"),
        ("definition.max-length", "7"),
    ] {
        sheet.put(Layer::Policy, key, text(value), "the policy");
    }
    let report = judged(
        vec![sheet.unit(Dialect::RabbitmqDefinitions, Component::RabbitMq, None)],
        &[],
    );
    let told: Vec<_> = of(&report, "RQT005")
        .into_iter()
        .map(|f| (f.subject.clone().unwrap(), f.key.clone(), f.origin.clone().unwrap()))
        .collect();
    let expect = |queue: &str, key: &str, origin: &str| {
        let queue = format!("queue `{queue}` in virtual host `/`");
        (queue, key.to_owned(), origin.to_owned())
    };
    assert_eq!(
        told,
        [
            expect("limited", "definition.max-length", "the policy `limits`"),
            expect("own", "arguments.x-max-length", "the queue itself"),
        ]
    );
}

#[test]
fn a_broker_that_runs_other_than_its_file_is_told_what_stands_above_it_and_how_it_goes() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("server.properties");
    std::fs::write(&file, "node.id=1\nmin.insync.replicas=2\n").unwrap();
    let key = "min.insync.replicas";
    let drift = |places: Vec<Given>| {
        let value = places[0].value.clone();
        let report = judged(vec![broker(1, &[(key, &value, places)])], std::slice::from_ref(&file));
        let [found] = of(&report, "X-K14")[..] else {
            panic!("{:?}", report.findings)
        };
        (found.places.related[0].label.clone(), found.fix.clone())
    };
    let (label, fix) = drift(vec![
        given(canonical::ORIGIN_BROKER, key, "1"),
        given(canonical::ORIGIN_CLUSTER, key, "1"),
        given("the broker's own file", key, "2"),
        given(canonical::ORIGIN_DEFAULT, key, "1"),
    ]);
    assert_eq!(
        label,
        "broker 1 runs with min.insync.replicas=1, set by the dynamic configuration of this broker; otherwise the dynamic configuration of \
         the cluster: min.insync.replicas=1; the broker's own file: min.insync.replicas=2; Kafka's default: min.insync.replicas=1"
    );
    let alter = "kafka-configs.sh --bootstrap-server h:9092 --alter --entity-type brokers";
    assert_eq!(
        fix,
        format!(
            "if the file is right, run: {alter} --entity-name 1 --delete-config min.insync.replicas && {alter} --entity-default \
             --delete-config min.insync.replicas"
        )
    );
    // The file of the running broker is another: taking a dynamic value away helps nothing.
    let (_, fix) = drift(vec![
        given(canonical::ORIGIN_CLUSTER, key, "1"),
        given("the broker's own file", key, "1"),
    ]);
    assert!(fix.starts_with("restart the broker with this file"), "{fix}");
    let (label, _) = drift(vec![given("the broker's own file", key, "1")]);
    assert_eq!(
        label,
        "broker 1 runs with min.insync.replicas=1, set by the broker's own file"
    );
}

#[test]
fn nodes_are_joined_where_they_say_the_same_for_the_same_reason() {
    let auto = "auto.create.topics.enable";
    let own = |value: &str| given("the broker's own file", auto, value);
    let default = given(canonical::ORIGIN_DEFAULT, auto, "true");
    let both = vec![own("true"), default.clone()];
    let dynamic = vec![given(canonical::ORIGIN_CLUSTER, auto, "true"), own("false"), default];
    let report = judged(
        vec![
            broker(1, &[(auto, "true", both.clone())]),
            broker(2, &[(auto, "true", both)]),
            broker(3, &[(auto, "true", dynamic)]),
        ],
        &[],
    );
    let told: Vec<_> = of(&report, "KB005")
        .into_iter()
        .map(|f| f.subject.as_deref().unwrap())
        .collect();
    assert_eq!(told, ["broker 1, broker 2", "broker 3"]);
}

#[test]
fn equal_headlines_with_other_reasons_stay_apart() {
    let found = |node: &str, story: &str, fix: &str, severity: Severity| Finding {
        rule: RULES[0],
        severity,
        places: Places {
            primary: ShownPlace {
                file: Arc::from("kafka://h"),
                spot: Spot { line: 0, column: 0 },
                excerpt: None,
                label: "here".to_owned(),
            },
            related: Vec::new(),
        },
        key: "k".to_owned(),
        value: Some("v".to_owned()),
        subject: Some(node.to_owned()),
        headline: "the same".to_owned(),
        story: story.to_owned(),
        fix: fix.to_owned(),
        edit: None,
        origin: None,
        given: Vec::new(),
        command: Some(format!("mend {node}")),
    };
    let mut report = Report {
        findings: vec![
            found("a", "because", "do", Severity::High),
            found("b", "because", "do", Severity::High),
            found("c", "other", "do", Severity::High),
            found("d", "because", "other", Severity::High),
            found("e", "because", "do", Severity::Low),
        ],
        ..Report::default()
    };
    report.join_nodes();
    let told: Vec<_> = report
        .findings
        .iter()
        .map(|f| (f.subject.as_deref().unwrap(), f.command.as_deref().unwrap()))
        .collect();
    assert_eq!(
        told,
        [
            ("a, b", "mend a && mend b"),
            ("c", "mend c"),
            ("d", "mend d"),
            ("e", "mend e")
        ]
    );
}

#[test]
fn a_consumer_without_acknowledgements_is_told_where_others_could_have_had_the_message() {
    let target = Arc::from("amqp://h");
    let mut sheet = Sheet::new(&target);
    for (name, exclusive) in [
        ("orders", false),
        ("mine", true),
        ("amq.gen-x", false),
        ("rpc.reply", false),
    ] {
        sheet.subject(Layer::Queue, Some("/"), name);
        sheet.put(
            Layer::Queue,
            "exclusive",
            FactValue::Bool(exclusive),
            "the queue itself",
        );
        sheet.put(Layer::Queue, canonical::ACK_REQUIRED, FactValue::Bool(false), "");
    }
    let report = judged(
        vec![sheet.unit(Dialect::RabbitmqDefinitions, Component::RabbitMq, None)],
        &[],
    );
    let told: Vec<_> = of(&report, "RQC001")
        .iter()
        .map(|f| f.subject.clone().unwrap())
        .collect();
    assert_eq!(told, ["queue `orders` in virtual host `/`"]);
}

#[test]
fn one_policy_mends_everything_of_a_queue_and_repeats_what_is_in_force() {
    let target = Arc::from("amqp://h");
    let mut sheet = Sheet::new(&target);
    for (name, policy, number) in [("both", "", "7"), ("--dash", "keyed", "7"), ("odd", "unknown", "7")] {
        sheet.subject(Layer::Queue, Some("/"), name);
        sheet.put(Layer::Queue, "durable", FactValue::Bool(true), "the queue itself");
        sheet.put(Layer::Queue, "type", text("quorum"), "the queue itself");
        sheet.put(Layer::Queue, "arguments.x-max-length", text(number), "the queue itself");
        sheet.put(Layer::Queue, canonical::POLICY, text(policy), "");
    }
    for (name, pattern, key) in [
        ("keyed", "^--dash$", "dead-letter-routing-key"),
        ("unknown", "^odd$", "of-a-plugin"),
    ] {
        sheet.subject(Layer::Policy, Some("/"), name);
        sheet.put(Layer::Policy, "pattern", text(pattern), "the policy");
        sheet.put(Layer::Policy, "apply-to", text("queues"), "the policy");
        sheet.put(Layer::Policy, "priority", text("3"), "the policy");
        sheet.put(Layer::Policy, format!("definition.{key}"), text("42"), "the policy");
    }
    let report = judged(
        vec![sheet.unit(Dialect::RabbitmqDefinitions, Component::RabbitMq, None)],
        &[],
    );
    let commands = |rule: &str, queue: &str| -> Vec<Option<String>> {
        let found = of(&report, rule).into_iter();
        let of_queue = found.filter(|f| f.subject.as_deref() == Some(&format!("queue `{queue}` in virtual host `/`")));
        of_queue.map(|f| f.command.clone()).collect()
    };
    let whole = "rabbitmqadmin declare queue name=both.dead-letters durable=true arguments='{\"x-queue-type\":\"quorum\"}' && \
                 rabbitmqctl set_policy --priority 0 --apply-to queues both.durability '^both$' \
                 '{\"overflow\":\"reject-publish\",\"dead-letter-exchange\":\"\",\"dead-letter-routing-key\":\"both.dead-letters\"}'";
    for rule in ["RQT005", "RQT009"] {
        assert_eq!(commands(rule, "both"), [Some(whole.to_owned())], "{rule}");
    }
    // A routing key stays a text, and a name is no option.
    let dash = commands("RQT005", "--dash");
    let dash = dash[0].as_deref().unwrap();
    assert!(dash.contains("queues -- --dash.durability '^--dash$' '{"), "{dash}");
    let keyed = of(&report, "RQT005");
    assert!(
        keyed.iter().any(|f| f
            .command
            .as_deref()
            .is_some_and(|c| c.contains(r#""dead-letter-routing-key":"#))),
        "{dash}"
    );
    // Nobody knows whether the plug-in takes a number or a text.
    assert_eq!(commands("RQT005", "odd"), [None]);
}

#[test]
fn a_changelog_of_windows_is_kept_as_long_as_its_windows() {
    let target = Arc::from("kafka://h:9092");
    let mut sheet = Sheet::new(&target);
    for name in ["app-store-changelog", "orders"] {
        sheet.subject(Layer::Topic, None, name);
        sheet.put(
            Layer::Topic,
            "cleanup.policy",
            text("compact,delete"),
            "the topic itself",
        );
        sheet.put(Layer::Topic, "retention.ms", text("86400000"), "the topic itself");
    }
    let report = judged(
        vec![sheet.unit(Dialect::KafkaTopics, Component::KafkaBroker, None)],
        &[],
    );
    let told: Vec<_> = of(&report, "KT005")
        .iter()
        .map(|f| f.subject.clone().unwrap())
        .collect();
    assert_eq!(told, ["topic `orders`"]);
}

#[test]
fn a_command_for_a_group_repeats_what_it_would_reset() {
    let target = Arc::from("rocketmq://h:9876");
    let mut sheet = Sheet::new(&target);
    for name in ["plain", "policy"] {
        sheet.subject(Layer::Consumer, None, name);
        sheet.put(Layer::Consumer, "retryMaxTimes", text("0"), "the broker's own table");
        sheet.put(Layer::Consumer, "consumeBroadcastEnable", FactValue::Bool(true), "");
        sheet.put(Layer::Consumer, "retryQueueNums", text("4"), "");
        if name == "policy" {
            sheet.put(Layer::Consumer, "groupRetryPolicy", FactValue::Composite, "");
        }
    }
    sheet.subject(Layer::Topic, None, "ordered");
    sheet.put(Layer::Topic, "readQueueNums", text("2"), "");
    sheet.put(Layer::Topic, "writeQueueNums", text("8"), "");
    sheet.put(Layer::Topic, "perm", text("6"), "");
    sheet.put(Layer::Topic, "order", FactValue::Bool(true), "");
    let node = Some("broker-a at h:10911".to_owned());
    let report = judged(
        vec![sheet.unit(Dialect::RocketmqTopics, Component::RocketMq, node)],
        &[],
    );
    let commands =
        |rule: &str| -> Vec<Option<String>> { of(&report, rule).iter().map(|f| f.command.clone()).collect() };
    assert_eq!(
        commands("RMC004"),
        [
            Some("mqadmin updateSubGroup -n h:9876 -b h:10911 -g plain -r 16 -d true -q 4".to_owned()),
            None
        ]
    );
    assert_eq!(
        commands("RMT002"),
        [Some(
            "mqadmin updateTopic -n h:9876 -b h:10911 -t ordered -r 8 -w 8 -p 6 -o true".to_owned()
        )]
    );
}
