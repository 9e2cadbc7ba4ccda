//! Publishing through the library's traits.

use crate::broker::{Broker, Sender};
use mqsafe::broker::rabbitmq::{RabbitEndpoint, probe};
use mqsafe::model::{Delivery, Endpoint, Lanes, Stage, Topology};
use serde_json::json;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(90);

#[test]
fn what_is_called_stored_is_there() {
    let Some(broker) = Broker::shared("what_is_called_stored_is_there") else {
        return;
    };
    for kind in ["classic", "quorum"] {
        let queue = broker.queue("stored", kind, json!({}));
        let endpoint = RabbitEndpoint::new(&broker.connection(), &queue).unwrap();
        let Topology::Known(Lanes::Named(lanes)) = endpoint.topology(SOON).unwrap() else {
            panic!("the queue is there")
        };
        assert_eq!(
            (lanes.len(), lanes[0].name.as_str(), lanes[0].queue),
            (1, format!("|{queue}").as_str(), 0)
        );
        let mut sender = Sender::new(&endpoint);
        for n in 1..=3000 {
            sender.offer(n, &lanes[0].name, format!("value {n}").as_bytes());
        }
        sender.wait_for(3000, SOON);
        assert_eq!(sender.stored().len(), 3000);
        let there = broker.take(&queue);
        assert_eq!(there.len(), 3000);
        for (n, message) in (1..).zip(&there) {
            let properties = &message["properties"];
            assert_eq!(message["payload"], json!(format!("value {n}")), "in order");
            assert_eq!(properties["headers"]["mqsafe-id"], json!(format!("{n} test |{queue}")));
            assert_eq!(properties["headers"]["mqsafe-key"], json!(format!("k{n}")));
            assert_eq!(properties["correlation_id"], json!(format!("k{n}")));
            assert_eq!(properties["delivery_mode"], json!(2));
            assert_eq!(properties["timestamp"], json!(1_700_000_000));
        }
    }
}

/// lapin attaches a return to whichever confirm it resolves next, so plain acks for unroutable messages are common here.
#[test]
fn each_of_a_hundred_unroutable_messages_is_refused_and_no_other() {
    let Some(broker) = Broker::shared("each_of_a_hundred_unroutable_messages_is_refused_and_no_other") else {
        return;
    };
    for run in 0..20 {
        let queue = broker.queue("mixed", if run % 2 == 0 { "classic" } else { "quorum" }, json!({}));
        let endpoint = RabbitEndpoint::new(&broker.connection(), &queue).unwrap();
        let mut sender = Sender::new(&endpoint);
        let is_lost = |n: u64| n % 50 == 7;
        for n in 1..=5000 {
            let lane = if is_lost(n) {
                "|no.such.queue".to_owned()
            } else {
                format!("|{queue}")
            };
            sender.offer(n, &lane, b"v");
        }
        sender.wait_for(5000, SOON);
        for (n, delivery) in &sender.verdicts {
            match delivery {
                Delivery::Stored(_) => assert!(!is_lost(*n), "run {run}: {n} is called stored"),
                Delivery::Refused(why) => assert!(
                    is_lost(*n) && why.contains("NO_ROUTE") && why.contains("no queue 'no.such.queue'"),
                    "run {run}: {n} {why}"
                ),
                other => panic!("run {run}: {n} {other:?}"),
            }
        }
        assert_eq!((sender.stored().len(), broker.count(&queue)), (4900, 4900), "run {run}");
    }
}

#[test]
fn a_place_that_is_not_there_is_no_empty_one() {
    let Some(broker) = Broker::shared("a_place_that_is_not_there_is_no_empty_one") else {
        return;
    };
    for absent in ["no.such.queue", "|no.such.queue", "no.such.exchange|k"] {
        let endpoint = RabbitEndpoint::new(&broker.connection(), absent).unwrap();
        assert_eq!(endpoint.topology(SOON), Ok(Topology::NoSuchTopic), "{absent}");
    }
    let endpoint = RabbitEndpoint::new(&broker.connection(), "amq.direct|nobody").unwrap();
    assert!(matches!(endpoint.topology(SOON), Ok(Topology::Known(_))));
    let mut sender = Sender::new(&endpoint);
    sender.offer(1, "amq.direct|nobody", b"v");
    sender.wait_for(1, SOON);
    assert!(matches!(&sender.verdicts[&1], Delivery::Refused(why) if why.contains("unroutable")));
    // The exchange vanished: nothing is stored, and it can be made again.
    sender.offer(2, "no.such.exchange|k", b"v");
    sender.wait_for(2, SOON);
    assert!(
        matches!(&sender.verdicts[&2], Delivery::NotSent(why) if why.contains("404")),
        "{:?}",
        sender.verdicts[&2]
    );
    assert!(sender.publisher.must_renew());
    sender.publisher.renew().unwrap();
    sender.offer(3, "amq.direct|nobody", b"v");
    sender.wait_for(3, SOON);
}

#[test]
fn a_message_that_the_broker_refuses_is_found_among_many() {
    let Some(broker) = Broker::shared("a_message_that_the_broker_refuses_is_found_among_many") else {
        return;
    };
    let (user, password) = ("writer", "w1");
    let queue = broker.queue("rights", "classic", json!({}));
    broker.http(
        "PUT",
        &format!("users/{user}"),
        &json!({"password": password, "tags": ""}),
    );
    let rights = json!({"configure": "", "write": "^amq\\.default$", "read": ""});
    broker.http("PUT", &format!("permissions/%2F/{user}"), &rights);
    let url = format!("amqp://{user}@{}", broker.amqp);
    let endpoint = RabbitEndpoint::new(&broker.connection_as(&url, password, &[]), &queue).unwrap();
    println!("topology without configure: {:?}", endpoint.topology(SOON));
    let mut sender = Sender::new(&endpoint);
    let lane = format!("|{queue}");
    let mut next = 0;
    let mut again: Vec<u64> = (1..=20).collect();
    while !again.is_empty() {
        let mut sent = Vec::new();
        for n in again.drain(..) {
            next += 1;
            sent.push((next, n));
            sender.offer(
                next,
                if n == 10 { "amq.direct|x" } else { &lane },
                format!("{n}").as_bytes(),
            );
        }
        sender.wait_for(next as usize, SOON);
        for (ticket, n) in sent {
            match &sender.verdicts[&ticket] {
                Delivery::Stored(_) => assert_ne!(n, 10),
                Delivery::Refused(why) => assert!(n == 10 && why.contains("403"), "{n}: {why}"),
                Delivery::InDoubt(_) | Delivery::NotSent(_) => again.push(n),
            }
        }
        if sender.publisher.must_renew() {
            sender.publisher.renew().unwrap();
        }
    }
    let there: std::collections::BTreeSet<String> = broker
        .take(&queue)
        .iter()
        .map(|m| m["payload"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(there.len(), 19);
}

#[test]
fn who_is_refused_is_told_at_which_step() {
    let Some(broker) = Broker::shared("who_is_refused_is_told_at_which_step") else {
        return;
    };
    let stage = |url: &str, password: &str, more: &[&str]| {
        let endpoint = RabbitEndpoint::new(&broker.connection_as(url, password, more), "q").unwrap();
        let failed = endpoint.topology(SOON).unwrap_err();
        assert!(!failed.why.contains("secret"), "{failed}");
        assert_eq!(endpoint.last_error().unwrap(), failed.to_string());
        println!("{failed}");
        failed.stage
    };
    let guest = broker.url();
    assert_eq!(stage(&guest, "secret", &[]), Some(Stage::Authentication));
    assert_eq!(
        stage(&guest, "secret", &["sasl.mechanism=AMQPLAIN"]),
        Some(Stage::Authentication)
    );
    assert_eq!(
        stage(&format!("{guest}/nowhere"), &broker.password, &[]),
        Some(Stage::Authorisation)
    );
    assert_eq!(stage("amqp://guest@127.0.0.1:1", "secret", &[]), Some(Stage::Tcp));
    assert_eq!(
        stage("amqp://guest@no.such.host.invalid", "secret", &[]),
        Some(Stage::Dns)
    );
    assert_eq!(
        stage(&guest.replace("amqp:", "amqps:"), "secret", &[]),
        Some(Stage::Tls)
    );
    let plain = RabbitEndpoint::new(&broker.connection_with(&["sasl.mechanism=AMQPLAIN"]), "no.such.queue").unwrap();
    assert_eq!(plain.topology(SOON), Ok(Topology::NoSuchTopic));
}

#[test]
fn a_probe_tells_every_step() {
    let Some(broker) = Broker::shared("a_probe_tells_every_step") else {
        return;
    };
    let queue = broker.queue("probe", "classic", json!({}));
    let ask = |password: &str, topic: &str| {
        let mut connection = broker.connection_as(&broker.url(), password, &[]);
        connection.management = Some(broker.management.clone());
        let steps = probe(&connection, Some(topic), SOON).unwrap();
        for step in &steps {
            println!("{} {} {:?}", step.stage.word(), step.at, step.result);
            assert!(!format!("{step:?}").contains("hunter2"));
        }
        steps
    };
    let good = ask(&broker.password, &queue);
    assert!(good.iter().all(|s| s.result.is_ok()), "{good:?}");
    let words: Vec<&str> = good.iter().filter_map(|s| s.result.as_deref().ok()).collect();
    assert!(
        words
            .iter()
            .any(|w| w.contains("RabbitMQ 3.") || w.contains("RabbitMQ 4.")),
        "{words:?}"
    );
    assert!(words.iter().any(|w| w.contains("is durable")), "{words:?}");
    let bad = ask("hunter2", &queue);
    let failed: Vec<Stage> = bad.iter().filter(|s| s.result.is_err()).map(|s| s.stage).collect();
    assert_eq!(
        failed,
        [Stage::Authentication, Stage::Authentication],
        "by AMQP and by the management API"
    );
    let absent = ask(&broker.password, "no.such.queue");
    assert_eq!(absent.iter().filter(|s| s.result.is_err()).count(), 2, "{absent:?}");
}
