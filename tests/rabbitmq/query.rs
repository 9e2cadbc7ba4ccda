//! Finding in queues and streams: by key, by id, by tap, and with what follows.

use crate::broker::{Broker, eventually};
use crate::tool::{Over, run, tool};
use serde_json::{Value, json};
use std::process::Output;
use std::time::{Duration, Instant};

fn search(broker: &Broker, queue: &str, arguments: &[&str]) -> Output {
    let mut all = vec![
        "query-key",
        "--format",
        "json",
        "-t",
        queue,
        "--management",
        &broker.management,
    ];
    all.extend(arguments);
    run(broker, &broker.password, &all, "")
}

#[track_caller]
fn answer(output: Output, code: i32) -> Value {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{said}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {said}"))
}

fn values(answer: &Value) -> Vec<&str> {
    let records = answer["records"].as_array().unwrap();
    records.iter().map(|r| r["value"].as_str().unwrap()).collect()
}

#[test]
fn a_stream_is_searched_by_every_name_of_a_message() {
    let Some(broker) = Broker::shared("a_stream_is_searched_by_every_name_of_a_message") else {
        return;
    };
    let queue = broker.queue("names", "stream", json!({}));
    broker.put(&queue, json!({"message_id": "m1", "correlation_id": "c1"}), "by id");
    broker.put(
        &queue,
        json!({"headers": {"mqsafe-key": "k1", "no": 7}, "message_id": "m2"}),
        "by header",
    );
    broker.put(&queue, json!({"timestamp": 1_700_000_000}), "{\"order\":{\"id\":123}}");
    for (arguments, expected) in [
        (&["m1"][..], &["by id"][..]),
        (&["c1"], &["by id"]),
        (&["k1"], &["by header"]),
        (&["m2"], &[]),
        (&["--id", "m2"], &["by header"]),
        (&["--header", "no=7"], &["by header"]),
        (&["--key-from", "header:no", "7"], &["by header"]),
        (&["--key-from", "property:message_id", "m2"], &["by header"]),
        (&["--key-from", "json:/order/id", "123"], &["{\"order\":{\"id\":123}}"]),
        (&["--json", "/order/id=123", "--no-key"], &["{\"order\":{\"id\":123}}"]),
        (&["--glob", "[mc]1"], &["by id"]),
        (
            &["--value-contains", "by ", "--regex", "^[ck]1$"],
            &["by id", "by header"],
        ),
        (
            &["--all", "--until", "2023-11-15"],
            &["by id", "by header", "{\"order\":{\"id\":123}}"],
        ),
        (&["--all", "--since", "now-1h"], &["by id", "by header"]),
    ] {
        let found = answer(search(&broker, &queue, arguments), i32::from(expected.is_empty()));
        assert_eq!(values(&found), expected, "{arguments:?}");
        assert_eq!(found["coverage"], "COMPLETE", "{arguments:?}");
    }
}

#[test]
fn a_look_that_can_cost_messages_wants_a_yes() {
    let Some(broker) = Broker::shared("a_look_that_can_cost_messages_wants_a_yes") else {
        return;
    };
    let limited = broker.queue("limited", "quorum", json!({"x-delivery-limit": 5}));
    let free = broker.queue("free", "quorum", json!({}));
    for queue in [&limited, &free] {
        broker.put(queue, json!({"correlation_id": "c"}), "v");
    }
    let refused = search(&broker, &limited, &["--peek", "c"]);
    assert_eq!(refused.status.code(), Some(2));
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("delivery limit is 5") && said.contains("--yes"), "{said}");
    assert_eq!(
        values(&answer(search(&broker, &limited, &["--peek", "--yes", "c"]), 0)),
        ["v"]
    );
    // 3.10 has no limit that nobody asked for.
    assert_eq!(values(&answer(search(&broker, &free, &["--peek", "c"]), 0)), ["v"]);
    // Without a look nothing can be known, and the answer says what to set up.
    let unknown = search(&broker, &free, &["c"]);
    assert_eq!(unknown.status.code(), Some(3));
    let said = String::from_utf8_lossy(&unknown.stderr).into_owned();
    assert!(
        said.contains("keeps no history") && said.contains("bind a stream"),
        "{said}"
    );
}

#[test]
fn a_tap_sees_what_is_routed_and_takes_nothing_away() {
    let Some(broker) = Broker::shared("a_tap_sees_what_is_routed_and_takes_nothing_away") else {
        return;
    };
    let queue = broker.queue("tap", "classic", json!({}));
    let exchange = format!("{queue}.ex");
    let make = |name: &str, arguments: Value| {
        let made = broker.http(
            "PUT",
            &format!("exchanges/%2F/{name}"),
            &json!({"type": "topic", "durable": true, "arguments": arguments}),
        );
        assert_eq!(made.0, 201, "{}", made.1);
    };
    make(&exchange, json!({}));
    let only_default = search(&broker, &queue, &["--tap", "k"]);
    assert_eq!(only_default.status.code(), Some(2), "{only_default:?}");
    let bind = |exchange: &str, queue: &str| {
        let bound = broker.http(
            "POST",
            &format!("bindings/%2F/e/{exchange}/q/{queue}"),
            &json!({"routing_key": "a.*"}),
        );
        assert_eq!(bound.0, 201, "{}", bound.1);
    };
    bind(&exchange, &queue);

    let words = [
        "query-key",
        "--format",
        "json",
        "-t",
        &queue,
        "--management",
        &broker.management,
        "--tap",
        "--for",
        "60s",
        "--limit",
        "2",
        "k",
    ];
    let (mut command, _home) = tool(&broker, Over::Plain, &broker.password, &words);
    let child = command.spawn().unwrap();
    let start = Instant::now();
    let publish = |key: &str, id: &str, value: &str| {
        let message = json!({"properties": {"correlation_id": id}, "routing_key": key, "payload": value, "payload_encoding": "string"});
        let (status, _) = broker.http("POST", &format!("exchanges/%2F/{exchange}/publish"), &message);
        assert_eq!(status, 200);
    };
    // The tap is there when the exchange has two bindings.
    loop {
        let (_, bindings) = broker.http(
            "GET",
            &format!("exchanges/%2F/{exchange}/bindings/source"),
            &Value::Null,
        );
        if bindings.as_array().is_some_and(|b| b.len() == 2) {
            break;
        }
        assert!(start.elapsed() < Duration::from_secs(45), "{bindings}");
        std::thread::sleep(Duration::from_millis(100));
    }
    publish("a.b", "k", "one");
    publish("b.b", "k", "elsewhere");
    publish("a.c", "other", "no");
    publish("a.c", "k", "two");
    let found = answer(child.wait_with_output().unwrap(), 0);
    assert_eq!(values(&found), ["one", "two"]);
    // Its consumers lost nothing, and nothing of the tap is left.
    let payloads: Vec<Value> = broker.take(&queue).iter().map(|m| m["payload"].clone()).collect();
    assert_eq!(payloads, [json!("one"), json!("no"), json!("two")]);
    // The server takes the tap's queue away when it has noticed that its connection has ended.
    eventually("the binding of the tap is gone", || {
        let path = format!("exchanges/%2F/{exchange}/bindings/source");
        let (_, bindings) = broker.http("GET", &path, &Value::Null);
        bindings.as_array().is_some_and(|all| all.len() == 1)
    });
    let quiet = search(&broker, &queue, &["--tap", "--for", "1s", "k"]);
    let quiet = answer(quiet, 3);
    assert!(
        quiet["coverage"].as_str().unwrap().starts_with("COMPLETE-IF"),
        "{quiet}"
    );

    let careful = format!("{queue}.careful");
    make(&careful, json!({"alternate-exchange": "amq.fanout"}));
    bind(&careful, &queue);
    let refused = search(&broker, &queue, &["--tap", "k"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(
        String::from_utf8_lossy(&refused.stderr).contains("amq.fanout"),
        "{refused:?}"
    );
}

#[test]
fn a_journey_goes_on_to_the_dead_letters() {
    let Some(broker) = Broker::shared("a_journey_goes_on_to_the_dead_letters") else {
        return;
    };
    let dead = broker.queue("dead", "classic", json!({}));
    let arguments = json!({"x-dead-letter-exchange": "", "x-dead-letter-routing-key": dead, "x-max-length": 1});
    let queue = broker.queue("alive", "classic", arguments);
    broker.put(&queue, json!({"correlation_id": "k"}), "first");
    broker.put(&queue, json!({"correlation_id": "k"}), "second");
    let found = answer(search(&broker, &queue, &["--peek", "--journey", "k"]), 0);
    let mut all = values(&found);
    all.sort_unstable();
    assert_eq!(all, ["first", "second"]);
    let journey = &found["journey"];
    let topics: Vec<&str> = journey["stops"]
        .as_array()
        .unwrap()
        .iter()
        .map(|s| s["topic"].as_str().unwrap())
        .collect();
    assert!(
        topics.contains(&queue.as_str()) && topics.contains(&dead.as_str()),
        "{journey}"
    );
    assert!(journey["notes"].to_string().contains("keeps no history"), "{journey}");
}
