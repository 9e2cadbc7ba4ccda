//! What a search of RabbitMQ cannot know it says, and where a tap would disturb others it is refused.

use crate::broker::{Broker, Sender};
use crate::tool::{Over, run_over, said};
use mqsafe::broker::rabbitmq::{RabbitEndpoint, RabbitScan};
use mqsafe::model::{Coverage, Record, Scan, ScanPlan, Visit};
use serde_json::{Value, json};
use std::ops::ControlFlow;
use std::process::Output;
use std::time::{Duration, Instant};

fn search(broker: &Broker, over: Over, queue: &str, arguments: &[&str]) -> Output {
    let management = match over {
        Over::Plain => &broker.management,
        Over::Tls => &broker.secured.management,
    };
    let mut all = vec!["query-key", "--format", "json", "-t", queue, "--management", management];
    all.extend(arguments);
    run_over(broker, over, &broker.password, &all, "")
}

#[track_caller]
fn answer(output: &Output, code: i32) -> Value {
    assert_eq!(output.status.code(), Some(code), "{}", said(output));
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {}", said(output)))
}

fn fill(broker: &Broker, queue: &str, count: u64) {
    let endpoint = RabbitEndpoint::new(&broker.connection(), queue).unwrap();
    let mut sender = Sender::new(&endpoint);
    for n in 1..=count {
        sender.offer(n, &format!("|{queue}"), format!("value {n}").as_bytes());
    }
    sender.wait_for(count as usize, Duration::from_secs(120));
}

/// Does something to the broker once the first messages are there.
struct Once<'a>(Option<Box<dyn FnOnce() + Send + 'a>>, u64);

impl Visit for Once<'_> {
    fn batch(&mut self, records: &[Record<'_>]) -> ControlFlow<()> {
        self.1 += records.len() as u64;
        if let Some(act) = self.0.take() {
            act();
        }
        ControlFlow::Continue(())
    }

    fn progress(&mut self, _done: u64, _total: u64) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

#[test]
fn what_ends_in_the_middle_is_partial() {
    let Some(broker) = Broker::alone("what_ends_in_the_middle_is_partial") else {
        return;
    };
    // The connections go away, as when a broker ends or somebody closes them; and the stream goes away.
    let closed = "[rabbit_networking:close_connection(Pid, \"test\") || Pid <- rabbit_networking:connections()], ok.";
    // Whoever closes connections says why (320 is CONNECTION_FORCED), which is told where it is heard before the connection is gone.
    for (about, expected) in [
        ("closed", &["the connection was closed", "test (320)"][..]),
        ("deleted", &["ended the consumer"]),
    ] {
        let queue = broker.queue(about, "stream", json!({}));
        fill(&broker, &queue, 20_000);
        let act = || match about {
            "closed" => drop(broker.eval(closed)),
            _ => drop(broker.http("DELETE", &format!("queues/%2F/{queue}"), &Value::Null)),
        };
        let mut once = Once(Some(Box::new(act)), 0);
        let mut scan = RabbitScan::new(&broker.connection(), &queue).unwrap();
        let report = scan.scan(&ScanPlan::default(), &mut once).unwrap();
        assert!(once.1 > 0 && once.1 < 20_000, "{about}: {} were read", once.1);
        let Coverage::Partial(why) = report.coverage() else {
            panic!("{about}: {report:?}");
        };
        assert!(expected.iter().any(|words| why.contains(words)), "{about}: {why}");
    }
    // A queue that is defined and whose node is down is not an empty one.
    let queue = broker.queue("down", "classic", json!({}));
    broker.put(&queue, json!({"correlation_id": "k"}), "v");
    broker.down(&queue, true);
    let asked = search(&broker, Over::Plain, &queue, &["--peek", "k"]);
    broker.down(&queue, false);
    let unknown = answer(&asked, 3);
    assert!(
        unknown["coverage"].as_str().unwrap().starts_with("PARTIAL"),
        "{unknown}"
    );
    assert!(!said(&asked).contains("does not exist"), "{}", said(&asked));
}

#[test]
fn nothing_young_enough_is_known_and_not_waited_for() {
    let Some(broker) = Broker::shared("nothing_young_enough_is_known_and_not_waited_for") else {
        return;
    };
    let queue = broker.queue("young", "stream", json!({}));
    fill(&broker, &queue, 3000);
    // The broker would wait for the next message.
    let start = Instant::now();
    let none = answer(
        &search(&broker, Over::Plain, &queue, &["--since", "now+1h", "--all"]),
        1,
    );
    assert_eq!(none["coverage"], "COMPLETE", "{none}");
    assert!(start.elapsed() < Duration::from_secs(60), "{:?}", start.elapsed());
    // A queue without history shows what waits, and nothing else can be said of it.
    let empty = broker.queue("empty", "classic", json!({}));
    let nothing = answer(&search(&broker, Over::Plain, &empty, &["--peek", "k"]), 3);
    assert!(
        nothing["coverage"]
            .as_str()
            .unwrap()
            .starts_with("COMPLETE-IF no consumer has it"),
        "{nothing}"
    );
    assert!(nothing["why_absent"].is_null(), "{nothing}");
}

#[test]
fn a_stream_is_read_from_its_end() {
    let Some(broker) = Broker::shared("a_stream_is_read_from_its_end") else {
        return;
    };
    let queue = broker.queue("newest", "stream", json!({}));
    fill(&broker, &queue, 9000);
    let offsets = |answer: &Value| -> Vec<u64> {
        let records = answer["records"].as_array().unwrap();
        records.iter().map(|r| r["offset"].as_u64().unwrap()).collect()
    };
    let search = |arguments: &[&str], code: i32| {
        let all = [&["--newest-first"][..], arguments].concat();
        answer(&search(&broker, Over::Plain, &queue, &all), code)
    };
    let three = search(&["--all", "--limit", "3"], 0);
    assert_eq!(
        (offsets(&three), three["coverage"].as_str()),
        (vec![8999, 8998, 8997], Some("PARTIAL stopped at --limit 3"))
    );
    // Only the end was read for it.
    let read = three["partitions"][0]["records"].as_u64().unwrap();
    assert!(read < 3000, "{three}");
    // Nothing is missing, and nothing is there twice.
    let every = search(&["--all"], 0);
    let mut all = offsets(&every);
    assert!(all[0] > 7000 && all[8999] < 7000, "the newest window comes first");
    all.sort_unstable();
    assert_eq!(all, (0..9000).collect::<Vec<_>>());
    assert_eq!(every["coverage"], "COMPLETE", "{}", every["partitions"]);
    assert_eq!(offsets(&search(&["k17"], 0)), [16]);
    assert_eq!(search(&["absent"], 1)["coverage"], "COMPLETE");
    assert_eq!(search(&["--since", "now+1h", "--all"], 1)["coverage"], "COMPLETE");
    assert_eq!(search(&["--since", "2020-01-01", "k9000"], 0)["coverage"], "COMPLETE");
}

#[test]
fn a_tap_is_refused_where_it_would_take_messages_away() {
    let Some(broker) = Broker::shared("a_tap_is_refused_where_it_would_take_messages_away") else {
        return;
    };
    for plugin in ["rabbitmq_consistent_hash_exchange", "rabbitmq_random_exchange"] {
        broker.eval(&format!(
            "[Dir] = filelib:wildcard(filename:join(filename:dirname(code:lib_dir(rabbit)), \"{plugin}-*\")), \
             code:add_patha(filename:join(Dir, \"ebin\")), rabbit:start_apps([{plugin}])."
        ));
    }
    let refused = |queue: &str, expected: &str, code: i32| {
        let output = search(&broker, Over::Plain, queue, &["--tap", "--for", "1s", "k"]);
        assert_eq!(output.status.code(), Some(code), "{}", said(&output));
        assert!(said(&output).contains(expected), "{expected}: {}", said(&output));
    };
    for kind in ["x-consistent-hash", "x-random"] {
        let queue = broker.queue("spread", "classic", json!({}));
        let exchange = format!("{queue}.ex");
        // Not durable: after a restart the plugin may be missing.
        let body = json!({"type": kind, "durable": false, "arguments": {}});
        let made = broker.http("PUT", &format!("exchanges/%2F/{exchange}"), &body);
        assert_eq!(made.0, 201, "{}", made.1);
        let bound = broker.http(
            "POST",
            &format!("bindings/%2F/e/{exchange}/q/{queue}"),
            &json!({"routing_key": "1"}),
        );
        assert_eq!(bound.0, 201, "{}", bound.1);
        refused(&queue, kind, 2);
        // Nothing was bound by trying.
        let (_, bindings) = broker.http(
            "GET",
            &format!("exchanges/%2F/{exchange}/bindings/source"),
            &Value::Null,
        );
        assert_eq!(bindings.as_array().unwrap().len(), 1, "{bindings}");
        broker.http("DELETE", &format!("exchanges/%2F/{exchange}"), &Value::Null);
        // Where only the default exchange routes to it, nothing can be bound beside it.
        refused(&queue, "only the default exchange", 2);
    }
    // An absent queue is not one that nothing is bound to.
    refused("no.such.queue", "does not know it", 3);
    refused("exchange|key", "only a queue can be watched", 2);
}

#[test]
fn a_journey_over_tls_reaches_the_dead_letters_behind_an_exchange() {
    let Some(broker) = Broker::shared("a_journey_over_tls_reaches_the_dead_letters_behind_an_exchange") else {
        return;
    };
    let dead = broker.queue("letters", "quorum", json!({}));
    let exchange = format!("{dead}.dlx");
    let made = broker.http(
        "PUT",
        &format!("exchanges/%2F/{exchange}"),
        &json!({"type": "fanout", "durable": true}),
    );
    assert_eq!(made.0, 201, "{}", made.1);
    let bound = broker.http(
        "POST",
        &format!("bindings/%2F/e/{exchange}/q/{dead}"),
        &json!({"routing_key": ""}),
    );
    assert_eq!(bound.0, 201, "{}", bound.1);
    let queue = broker.queue("rejects", "classic", json!({"x-dead-letter-exchange": exchange}));
    for value in ["rejected", "waits"] {
        broker.put(&queue, json!({"correlation_id": "k"}), value);
    }
    // A consumer rejects the first.
    let reject = json!({"count": 1, "ackmode": "reject_requeue_false", "encoding": "auto"});
    assert_eq!(broker.http("POST", &format!("queues/%2F/{queue}/get"), &reject).0, 200);
    let start = Instant::now();
    while broker.count(&dead) == 0 {
        assert!(start.elapsed() < Duration::from_secs(120), "the letter never came");
        std::thread::sleep(Duration::from_millis(100));
    }
    for over in [Over::Plain, Over::Tls] {
        let more: &[&str] = match over {
            Over::Plain => &[],
            // The management API is asked with the same authority.
            Over::Tls => &["--yes"],
        };
        let words = [&["--peek", "--journey", "k"][..], more].concat();
        // Whoever looked before has given them back.
        broker.await_count(&queue, 1);
        broker.await_count(&dead, 1);
        let found = answer(&search(&broker, over, &queue, &words), 0);
        let stops = found["journey"]["stops"].as_array().unwrap();
        let topics: Vec<&str> = stops.iter().map(|s| s["topic"].as_str().unwrap()).collect();
        assert_eq!(topics.len(), 2, "{over:?}: {found}");
        assert!(
            topics.contains(&dead.as_str()) && topics.contains(&queue.as_str()),
            "{over:?}: {found}"
        );
        assert_eq!(found["journey"]["unknown"], json!([]), "{over:?}: {found}");
        let notes = found["journey"]["notes"].to_string();
        assert!(
            notes.contains("consumer") && notes.contains("keeps no history"),
            "{over:?}: {notes}"
        );
    }
    // Both are still where they were.
    broker.await_count(&queue, 1);
    broker.await_count(&dead, 1);
}
