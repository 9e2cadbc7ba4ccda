//! Reading streams and looking into queues.

use crate::broker::{Broker, Sender};
use mqsafe::broker::rabbitmq::{RabbitEndpoint, RabbitScan};
use mqsafe::model::{Coverage, Outcome, Record, Scan, ScanPlan, Visit};
use serde_json::json;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

/// What a scan handed over.
#[derive(Default)]
struct Seen(Vec<(i64, Option<Vec<u8>>, Vec<u8>, String)>);

impl Visit for Seen {
    fn batch(&mut self, records: &[Record<'_>]) -> ControlFlow<()> {
        for record in records {
            let lane = format!("{}|{}", record.exchange.unwrap(), record.routing_key.unwrap());
            assert!(record.stamp().is_none_or(|s| s.is_ok_and(|s| record.is_in(s.lane, ""))));
            self.0.push((
                record.offset,
                record.key.map(<[u8]>::to_vec),
                record.value.unwrap().to_vec(),
                lane,
            ));
        }
        ControlFlow::Continue(())
    }

    fn progress(&mut self, _done: u64, _total: u64) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

fn peek() -> ScanPlan {
    ScanPlan {
        peek: true,
        peek_at_risk: true,
        ..ScanPlan::default()
    }
}

#[test]
fn a_stream_is_read_to_the_end_that_it_had() {
    let Some(broker) = Broker::shared("a_stream_is_read_to_the_end_that_it_had") else {
        return;
    };
    for arguments in [json!({}), json!({"x-max-age": "1D", "x-max-length-bytes": 100_000_000})] {
        let queue = broker.queue("whole", "stream", arguments);
        let endpoint = RabbitEndpoint::new(&broker.connection(), &queue).unwrap();
        let mut sender = Sender::new(&endpoint);
        for n in 1..=7000 {
            sender.offer(n, &format!("|{queue}"), format!("value {n}").as_bytes());
        }
        sender.wait_for(7000, Duration::from_secs(120));
        assert_eq!(sender.stored().len(), 7000);
        let mut seen = Seen::default();
        let mut scan = RabbitScan::new(&broker.connection(), &queue).unwrap();
        let start = Instant::now();
        let report = scan.scan(&ScanPlan::default(), &mut seen).unwrap();
        println!("7000 messages read in {:?}", start.elapsed());
        assert_eq!(report.coverage(), Coverage::Complete, "{report:?}");
        let read = &report.partitions[0];
        assert_eq!(
            (read.partition, read.from, read.to, read.read_to, read.records),
            (0, 0, 7000, 7000, 7000)
        );
        for (n, (offset, key, value, lane)) in (0..).zip(&seen.0) {
            assert_eq!(*offset, n);
            assert_eq!(key.as_deref(), Some(format!("k{}", n + 1).as_bytes()));
            assert_eq!(*value, format!("value {}", n + 1).as_bytes());
            assert_eq!(*lane, format!("|{queue}"));
        }
    }
}

#[test]
fn an_empty_stream_ends_too() {
    let Some(broker) = Broker::shared("an_empty_stream_ends_too") else {
        return;
    };
    let queue = broker.queue("empty", "stream", json!({}));
    let mut seen = Seen::default();
    let start = Instant::now();
    let mut scan = RabbitScan::new(&broker.connection(), &queue).unwrap();
    let report = scan.scan(&ScanPlan::default(), &mut seen).unwrap();
    assert_eq!(report.coverage(), Coverage::Complete, "{report:?}");
    assert_eq!((report.partitions[0].to, seen.0.len()), (0, 0));
    assert!(start.elapsed() < Duration::from_secs(25), "{:?}", start.elapsed());
}

#[test]
fn a_queue_without_history_is_not_touched_unasked() {
    let Some(broker) = Broker::shared("a_queue_without_history_is_not_touched_unasked") else {
        return;
    };
    for (kind, arguments) in [
        ("classic", json!({})),
        ("classic", json!({"x-message-ttl": 86_400_000})),
        ("quorum", json!({})),
    ] {
        let queue = broker.queue("history", kind, arguments);
        for n in 0..250 {
            broker.put(&queue, json!({"correlation_id": format!("c{n}")}), &format!("v{n}"));
        }
        let mut seen = Seen::default();
        let mut scan = RabbitScan::new(&broker.connection(), &queue).unwrap();
        let problem = scan.scan(&ScanPlan::default(), &mut seen).unwrap_err();
        assert_eq!((problem.outcome, seen.0.len()), (Outcome::Unknown, 0));
        assert!(problem.what.contains("keeps no history"), "{problem}");
        assert!(problem.next.unwrap().contains("--peek"));

        let report = scan.scan(&peek(), &mut seen).unwrap();
        // What a consumer holds is not among it, so this is never all that there was.
        assert!(matches!(report.coverage(), Coverage::CompleteIf(_)), "{report:?}");
        assert_eq!((seen.0.len(), report.partitions[0].to), (250, 250));
        assert_eq!(seen.0[7].1.as_deref(), Some(&b"c7"[..]));
        // All of them are back; in a quorum queue not in their order.
        broker.await_count(&queue, 250);
        let mut there: Vec<String> = broker
            .take(&queue)
            .iter()
            .map(|m| m["payload"].as_str().unwrap().to_owned())
            .collect();
        if kind == "quorum" {
            there.sort_by_key(|v| v[1..].parse::<u32>().unwrap());
        }
        assert_eq!(there, (0..250).map(|n| format!("v{n}")).collect::<Vec<_>>(), "{queue}");
    }
}

#[test]
fn a_reader_of_few_rights_is_told_what_to_ask_for() {
    let Some(broker) = Broker::shared("a_reader_of_few_rights_is_told_what_to_ask_for") else {
        return;
    };
    let (user, password) = ("reader", "r1");
    broker.http(
        "PUT",
        &format!("users/{user}"),
        &json!({"password": password, "tags": ""}),
    );
    let rights = json!({"configure": "", "write": "", "read": ".*"});
    broker.http("PUT", &format!("permissions/%2F/{user}"), &rights);
    let url = format!("amqp://{user}@{}", broker.amqp);
    let queue = broker.queue("rights", "stream", json!({}));
    broker.put(&queue, json!({}), "v");
    let mut scan = RabbitScan::new(&broker.connection_as(&url, password, &[]), &queue).unwrap();
    let problem = scan.scan(&ScanPlan::default(), &mut Seen::default()).unwrap_err();
    println!("{problem}");
    assert_eq!(problem.outcome, Outcome::Unknown);
    // Whoever may look into it reads the stream, which nothing happens to.
    let mut seen = Seen::default();
    let report = scan.scan(&peek(), &mut seen).unwrap();
    assert_eq!((report.coverage(), seen.0.len()), (Coverage::Complete, 1), "{report:?}");
}
