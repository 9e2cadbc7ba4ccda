//! The publisher itself, without the tool around it: what goes together, and what is never made by accident.

use crate::cluster::{self, Case, eventually};
use mqsafe::broker::rocketmq::RocketEndpoint;
use mqsafe::model::{Create, Delivery, Endpoint, How, Lanes, Offer, Outgoing, Position, Publish, Topology};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);

/// An endpoint for the topic of a test, and a message of its own for each number.
pub(crate) struct Direct {
    pub(crate) endpoint: RocketEndpoint,
    lane: String,
    producer: String,
}

impl Direct {
    pub(crate) fn new(case: &Case) -> Direct {
        Direct {
            endpoint: RocketEndpoint::new(&case.connection(), &case.topic).unwrap(),
            lane: format!("{}/broker-a/0", case.topic),
            producer: format!("p{:08x}", rand::random::<u32>()),
        }
    }

    /// Publishes message `n`, and waits until it is stored and readers get it.
    pub(crate) fn store(&self, case: &Case, n: u64) {
        let (mut publisher, deliveries) = self.publisher();
        assert!(matches!(self.endpoint.topology(PATIENCE), Ok(Topology::Known(_))));
        let offer = self.with(n, None, |message| publisher.offer(message));
        assert_eq!(offer, Offer::Taken, "{n}");
        let (_, delivery) = deliveries.recv_timeout(PATIENCE).unwrap();
        assert!(matches!(delivery, Delivery::Stored(_)), "{delivery:?}");
        case.await_dispatched();
    }

    pub(crate) fn producer(&self) -> &str {
        &self.producer
    }

    pub(crate) fn stamp(&self, n: u64) -> String {
        format!("{n} {} {}", self.producer, self.lane)
    }

    /// Message `n`, with the key `kN` and the value `body N`, as it is handed over each time.
    pub(crate) fn with<T>(&self, n: u64, tag: Option<&str>, run: impl FnOnce(&Outgoing<'_>) -> T) -> T {
        let (key, value, stamp) = (format!("k{n}"), format!("body {n}"), self.stamp(n));
        run(&Outgoing {
            ticket: n,
            partition: 0,
            lane: &self.lane,
            // Long ago, as what waited in a spool.
            timestamp_ms: 1_700_000_000_000,
            key: Some(key.as_bytes()),
            value: Some(value.as_bytes()),
            headers: &[],
            tag,
            stamp: &stamp,
            voids: None,
        })
    }

    fn publisher(&self) -> (Box<dyn Publish>, Receiver<(u64, Delivery)>) {
        let (sender, deliveries) = channel();
        let deliver = Box::new(move |ticket, delivery| drop(sender.send((ticket, delivery))));
        (self.endpoint.publisher(deliver).unwrap(), deliveries)
    }
}

#[test]
fn what_goes_together_keeps_its_order_its_keys_and_its_tags() {
    let Some(case) = cluster::shared("what_goes_together_keeps_its_order_its_keys_and_its_tags", 1) else {
        return;
    };
    const COUNT: u64 = 5000;
    let direct = Direct::new(&case);
    assert!(matches!(direct.endpoint.topology(PATIENCE), Ok(Topology::Known(_))));
    let (mut publisher, deliveries) = direct.publisher();
    let color = |n: u64| if n.is_multiple_of(3) { "red" } else { "blue" };
    for n in 0..COUNT {
        let offer = direct.with(n, Some(color(n)), |message| publisher.offer(message));
        assert_eq!(offer, Offer::Taken, "{n}");
    }
    for n in 0..COUNT {
        let expected = Position {
            partition: 0,
            offset: i64::try_from(n).ok(),
        };
        assert_eq!(
            deliveries.recv_timeout(PATIENCE).unwrap(),
            (n, Delivery::Stored(expected))
        );
    }
    case.await_dispatched();
    assert_eq!(case.held(), COUNT);

    // On a busy machine mqadmin gives up early.
    let mut printed = String::new();
    eventually("mqadmin prints them all", || {
        let at = ["-t", &case.topic, "-a", "broker-a", "-i", "0"];
        printed = case.mqadmin(&[&["printMsgByQueue"][..], &at, &["-p", "true", "-d", "true"]].concat());
        printed.matches("MSGID").count() as u64 == COUNT
    });
    let messages: Vec<&str> = printed.lines().filter(|line| line.starts_with("MSGID")).collect();
    assert_eq!(messages.len() as u64, COUNT);
    for (message, n) in messages.iter().zip(0u64..) {
        let parts = [
            format!("queueOffset={n},"),
            format!("KEYS=k{n},"),
            format!("TAGS={}", color(n)),
            format!("mqsafe-id={},", direct.stamp(n)),
        ];
        for part in parts {
            assert!(message.contains(&part), "{part} in {message}");
        }
        assert!(message.ends_with(&format!("BODY: body {n}")), "{message}");
    }
    // Fewer requests than messages, or this test shows nothing: what went together shares its time of storing.
    let times: std::collections::HashSet<&str> = messages
        .iter()
        .filter_map(|message| message.split("storeTimestamp=").nth(1)?.split(',').next())
        .collect();
    assert!(times.len() < 500, "{} requests for {COUNT} messages", times.len());

    for n in [0, 2500, COUNT - 1] {
        eventually("the index knows it", || {
            let found = case.indexed(&case.topic, &format!("k{n}"));
            found.contains(&format!("body {n}"))
        });
    }
    assert_eq!(case.indexed(&case.topic, "k5000"), "");
    let pulled = case.call(
        &case.master,
        11,
        &[
            ("consumerGroup", "TOOLS_CONSUMER"),
            ("topic", &case.topic),
            ("queueId", "0"),
            ("queueOffset", "0"),
            ("maxMsgNums", "32"),
            ("sysFlag", "4"),
            ("commitOffset", "0"),
            ("suspendTimeoutMillis", "0"),
            ("subscription", "red"),
            ("subVersion", "0"),
            ("expressionType", "TAG"),
        ],
        "",
    );
    let pulled = String::from_utf8_lossy(&pulled.unwrap()).into_owned();
    assert!(pulled.matches("\u{1}red\u{2}").count() >= 10, "{pulled}");
    assert!(!pulled.contains("\u{1}blue\u{2}"), "{pulled}");
}

#[test]
fn sending_never_makes_a_topic() {
    let Some(case) = cluster::shared("sending_never_makes_a_topic", 1) else {
        return;
    };
    let direct = Direct::new(&case);
    let (mut publisher, deliveries) = direct.publisher();
    assert_eq!(direct.with(1, None, |message| publisher.offer(message)), Offer::Taken);
    assert!(matches!(
        deliveries.recv_timeout(PATIENCE).unwrap().1,
        Delivery::Stored(_)
    ));
    // Deleted while the publisher knows its route: now only the broker can say that it is not there.
    let topic = [("topic", case.topic.as_str())];
    case.call(&case.master, 215, &topic, "").unwrap();
    for n in 2..300 {
        let delivery = match direct.with(n, None, |message| publisher.offer(message)) {
            Offer::Settled(delivery) => delivery,
            Offer::Taken => continue,
            Offer::Full => panic!("{n}"),
        };
        assert!(
            matches!(&delivery, Delivery::NotSent(why) if why.contains("not exist")),
            "{n}: {delivery:?}"
        );
    }
    let (n, delivery) = deliveries.recv_timeout(PATIENCE).unwrap();
    assert_eq!(n, 2);
    assert!(
        matches!(&delivery, Delivery::NotSent(why) if why.contains("not exist")),
        "{delivery:?}"
    );
    let is_there = || {
        case.call(
            &case.master,
            351,
            &[("topic", case.topic.as_str()), ("lo", "false")],
            "",
        )
        .is_ok()
    };
    assert!(!is_there());
    // The broker would have made it: the same request that names the usual model topic does.
    let fields = |model| {
        [
            ("a", "g"),
            ("b", case.topic.as_str()),
            ("c", model),
            ("d", "1"),
            ("e", "0"),
            ("f", "0"),
            ("g", "0"),
            ("h", "0"),
            ("i", "WAIT\u{1}true\u{2}"),
            ("j", "0"),
            ("k", "false"),
            ("m", "false"),
            ("n", "broker-a"),
        ]
    };
    let refused = case
        .call(&case.master, 310, &fields(case.topic.as_str()), "x")
        .unwrap_err();
    assert!(refused.starts_with("17:"), "{refused}");
    assert!(!is_there());
    case.call(&case.master, 310, &fields("TBW102"), "x").unwrap();
    assert!(is_there());
}

#[test]
fn a_topic_is_made_when_that_is_asked_and_only_once() {
    let Some(case) = cluster::shared("a_topic_is_made_when_that_is_asked_and_only_once", 1) else {
        return;
    };
    let topology = |name: &str, create: Option<Create>| {
        let how = How {
            create,
            ..How::default()
        };
        let endpoint = RocketEndpoint::new(&case.connection(), &format!("{}-{name}", case.topic)).unwrap();
        endpoint.publishing(how).topology(PATIENCE).unwrap()
    };
    let lanes = |topology: Topology| match topology {
        Topology::Known(Lanes::Named(lanes)) => lanes.len(),
        other @ (Topology::Known(Lanes::Partitions(_))
        | Topology::NoSuchTopic
        | Topology::Denied(_)
        | Topology::CannotMake(_)
        | Topology::Unfit(_)) => {
            panic!("{other:?}")
        }
    };
    let of = |partitions| {
        Some(Create {
            partitions,
            replicas: None,
        })
    };
    assert_eq!(topology("a", None), Topology::NoSuchTopic);
    assert_eq!(lanes(topology("a", of(Some(3)))), 3);
    assert_eq!(lanes(topology("a", of(Some(5)))), 3);
    assert_eq!(lanes(topology("a", None)), 3);
    assert_eq!(lanes(topology("b", of(None))), 8);
    let replicated = Create {
        partitions: None,
        replicas: Some(2),
    };
    assert!(matches!(topology("c", Some(replicated)), Topology::Denied(why) if why.contains("slaves")));
    assert!(case.route_of(&format!("{}-c", case.topic)).is_err());
    eventually("the slave or mqadmin know it too", || {
        case.route_of(&format!("{}-a", case.topic)).is_ok()
    });
}
