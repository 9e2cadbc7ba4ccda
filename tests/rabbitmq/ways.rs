//! Ways of publishing: in order, in transactions, to a queue that is made first.

use crate::broker::{Broker, Sender, nonce};
use crate::tool;
use mqsafe::broker::rabbitmq::RabbitEndpoint;
use mqsafe::model::{Acks, Create, Delivery, Endpoint, How, Outcome, Topology};
use serde_json::json;
use std::time::{Duration, Instant};

const SOON: Duration = Duration::from_secs(90);

fn endpoint(broker: &Broker, place: &str, how: How) -> RabbitEndpoint {
    RabbitEndpoint::new(&broker.connection(), place)
        .unwrap()
        .publishing(how)
        .unwrap()
}

#[test]
fn every_way_stores_everything_in_order() {
    let Some(broker) = Broker::shared("every_way_stores_everything_in_order") else {
        return;
    };
    let ways = [(false, true, 300_u64), (true, false, 3000), (true, true, 100)];
    for (amqp_tx, ordered, count) in ways {
        let how = How {
            amqp_tx,
            ordered,
            ..How::default()
        };
        for kind in ["classic", "quorum"] {
            let queue = broker.queue("ways", kind, json!({}));
            let mut sender = Sender::new(&endpoint(&broker, &queue, how));
            let start = Instant::now();
            for n in 1..=count {
                sender.offer(n, &format!("|{queue}"), n.to_string().as_bytes());
            }
            sender.wait_for(count as usize, SOON);
            println!("{how:?} {kind}: {:.0}/s", count as f64 / start.elapsed().as_secs_f64());
            assert_eq!(sender.stored().len() as u64, count);
            let there = broker.take(&queue);
            assert_eq!(there.len() as u64, count);
            for (n, message) in (1..).zip(&there) {
                assert_eq!(message["payload"], json!(n.to_string()));
                assert_eq!(message["properties"]["delivery_mode"], json!(2));
            }
        }
    }
}

#[test]
fn a_transaction_refuses_what_came_back_and_stores_the_rest() {
    let Some(broker) = Broker::shared("a_transaction_refuses_what_came_back_and_stores_the_rest") else {
        return;
    };
    let how = How {
        amqp_tx: true,
        ..How::default()
    };
    let queue = broker.queue("tx", "quorum", json!({}));
    let mut sender = Sender::new(&endpoint(&broker, &queue, how));
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
            Delivery::Stored(_) => assert!(!is_lost(*n), "{n} is called stored"),
            Delivery::Refused(why) => assert!(is_lost(*n) && why.contains("NO_ROUTE"), "{n} {why}"),
            other => panic!("{n} {other:?}"),
        }
    }
    assert_eq!(broker.count(&queue), 4900);
}

#[test]
fn a_queue_is_made_only_when_that_is_wanted() {
    let Some(broker) = Broker::shared("a_queue_is_made_only_when_that_is_wanted") else {
        return;
    };
    let queue = format!("t.made.{}", nonce());
    let how = How {
        create: Some(Create::default()),
        ..How::default()
    };
    assert_eq!(
        endpoint(&broker, &queue, How::default()).topology(SOON),
        Ok(Topology::NoSuchTopic)
    );
    let makes = endpoint(&broker, &queue, how);
    assert!(matches!(makes.topology(SOON), Ok(Topology::Known(_))));
    assert!(makes.note().unwrap().contains("was created"));
    let (status, made) = broker.http("GET", &format!("queues/%2F/{queue}"), &json!({}));
    assert_eq!(
        (status, &made["durable"], &made["type"]),
        (200, &json!(true), &json!("quorum"))
    );
    // The second time it is simply there.
    let again = endpoint(&broker, &queue, how);
    assert!(matches!(again.topology(SOON), Ok(Topology::Known(_))));
    assert!(!again.note().unwrap().contains("created"));
    // A queue that is down is there.
    broker.down(&queue, true);
    assert!(endpoint(&broker, &queue, how).topology(SOON).is_err());
    broker.down(&queue, false);

    let few = std::env::var("RABBITMQ_FEW_PASSWORD_FILE").unwrap();
    let password = std::fs::read_to_string(few).unwrap();
    let url = format!("amqp://few@{}", broker.amqp);
    let denied = RabbitEndpoint::new(&broker.connection_as(&url, &password, &[]), "t.not.made")
        .unwrap()
        .publishing(how)
        .unwrap();
    let Ok(Topology::Unfit(problem)) = denied.topology(SOON) else {
        panic!("it may not declare")
    };
    assert_eq!(problem.outcome, Outcome::Usage);
}

#[test]
fn what_rabbitmq_does_not_have_is_no_choice() {
    // Nothing is connected for this.
    let connection = mqsafe::connect::Connection {
        url: mqsafe::connect::BrokerUrl::parse("amqp://127.0.0.1:1").unwrap(),
        properties: mqsafe::connect::ClientProperties::parse(&[], |p| std::fs::read_to_string(p), |_| None).unwrap(),
        management: None,
    };
    let refused = |place: &str, how: How| {
        let problem = RabbitEndpoint::new(&connection, place)
            .unwrap()
            .publishing(how)
            .unwrap_err();
        assert_eq!(problem.outcome, Outcome::Usage);
        assert!(problem.next.is_some());
    };
    let create = Some(Create::default());
    refused(
        "ex|k",
        How {
            create,
            ..How::default()
        },
    );
    let partitions = Some(Create {
        partitions: Some(3),
        replicas: None,
    });
    refused(
        "q",
        How {
            create: partitions,
            ..How::default()
        },
    );
    for acks in [Acks::One, Acks::Zero] {
        refused("q", How { acks, ..How::default() });
    }
}

#[test]
fn one_lane_for_an_exchange_numbers_all_of_its_keys() {
    let Some(broker) = Broker::shared("one_lane_for_an_exchange_numbers_all_of_its_keys") else {
        return;
    };
    let queue = broker.queue("lane", "stream", json!({}));
    let exchange = format!("lane-{queue}");
    let (made, _) = broker.http(
        "PUT",
        &format!("exchanges/%2F/{exchange}"),
        &json!({"type": "fanout", "durable": true}),
    );
    assert!(made < 300, "{made}");
    let (bound, _) = broker.http("POST", &format!("bindings/%2F/e/{exchange}/q/{queue}"), &json!({}));
    assert!(bound < 300, "{bound}");
    let home = tempfile::TempDir::new().unwrap();
    let spool = home.path().join("spool");
    let spool = spool.to_str().unwrap();
    for (key, lane, input) in [
        ("a", "exchange", "1\n2\n"),
        ("b", "exchange", "3\n"),
        ("c", "key", "4\n"),
        ("d", "exchange", "5\n"),
    ] {
        let to = ["send", "-e", &exchange, "-r", key, "--lane", lane, "--spool", spool];
        let sent = tool::run(&broker, &broker.password, &to, input);
        assert_eq!(tool::code(&sent), 0, "{}", tool::said(&sent));
    }
    // Accepted while nobody could be asked, and delivered by a run that was not told. Now and then the broker has answered before the
    // end of the input was read; then it is delivered at once, and the next one must do.
    let nobody = [
        "send",
        "-e",
        &exchange,
        "-r",
        "e",
        "--lane",
        "exchange",
        "--spool",
        spool,
        "--connect-timeout",
        "0s",
    ];
    let mut last = 5;
    loop {
        last += 1;
        assert!(last < 25, "20 times the broker answered at once");
        let kept = tool::run(&broker, &broker.password, &nobody, &format!("{last}\n"));
        match tool::code(&kept) {
            4 => break,
            other => assert_eq!(other, 0, "{}", tool::said(&kept)),
        }
    }
    let mut flush = std::process::Command::new(env!("CARGO_BIN_EXE_mqsafe"));
    flush.env("HOME", home.path()).env("PW", &broker.password);
    flush.args(["spool", "flush", "--spool", spool, "-X", "sasl.password=env:PW"]);
    let flushed = flush.output().unwrap();
    assert_eq!(tool::code(&flushed), 0, "{}", tool::said(&flushed));
    let verified = tool::run(
        &broker,
        &broker.password,
        &["verify", "-t", &queue, "--format", "json"],
        "",
    );
    let told: serde_json::Value = serde_json::from_slice(&verified.stdout).unwrap();
    for (name, expected) in [("stamped", last), ("gap", 0), ("moved", 0), ("duplicate", 0)] {
        assert_eq!(told["totals"][name], expected, "{name}: {told}");
    }
    let lanes: Vec<(String, u64)> = told["lanes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|lane| {
            (
                lane["lane"].as_str().unwrap().to_owned(),
                lane["last"].as_u64().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        lanes,
        [(format!("{exchange}|*"), last - 1), (format!("{exchange}|c"), 1)]
    );
}
