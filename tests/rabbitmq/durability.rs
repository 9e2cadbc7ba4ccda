//! What `--management` tells about the place, before anything is published to it.

use crate::broker::{Broker, nonce};
use crate::tool::{Over, code, run_over, said};
use serde_json::{Value, json};

const NOT_KNOWN: &str = "durability not known";

struct Bench<'a> {
    broker: &'a Broker,
}

impl Bench<'_> {
    fn declare(&self, what: &str, about: &str, body: Value) -> String {
        let name = format!("t.place.{about}.{}", nonce());
        let (status, answer) = self.broker.http("PUT", &format!("{what}s/%2F/{name}"), &body);
        assert_eq!(status, 201, "{answer}");
        name
    }

    fn bind(&self, exchange: &str, queue: &str, key: &str) {
        let path = format!("bindings/%2F/e/{exchange}/q/{queue}");
        assert_eq!(self.broker.http("POST", &path, &json!({"routing_key": key})).0, 201);
    }

    /// The exit code and what was said.
    fn send(&self, to: &[&str], more: &[&str]) -> (i32, String) {
        self.send_over(Over::Plain, &self.broker.management, to, more)
    }

    fn send_over(&self, over: Over, url: &str, to: &[&str], more: &[&str]) -> (i32, String) {
        let arguments = [&["send", "--no-spool", "--management", url], to, more].concat();
        let done = run_over(self.broker, over, &self.broker.password, &arguments, "v\n");
        (code(&done), said(&done))
    }
}

#[test]
fn a_transient_queue_is_refused_unless_it_is_allowed() {
    let Some(broker) = Broker::shared("a_transient_queue_is_refused_unless_it_is_allowed") else {
        return;
    };
    let bench = Bench { broker: &broker };
    let volatile = bench.declare("queue", "volatile", json!({"durable": false}));
    let deleting = bench.declare("queue", "deleting", json!({"durable": true, "auto_delete": true}));
    for (queue, why) in [(&volatile, "is not durable"), (&deleting, "auto-delete")] {
        let (exit, words) = bench.send(&["-t", queue], &[]);
        assert_eq!(exit, 2, "{words}");
        assert!(words.contains(why) && words.contains("--allow-transient"), "{words}");
        assert_eq!(broker.count(queue), 0);
    }
    let (exit, words) = bench.send(&["-t", &volatile], &["--allow-transient"]);
    assert_eq!(exit, 0, "{words}");
    assert!(
        words.trim_end().ends_with("is not durable"),
        "told in the last line: {words}"
    );
    assert_eq!(broker.count(&volatile), 1);
    // Nobody was asked, so nothing is known, and that is said.
    let blind = run_over(
        &broker,
        Over::Plain,
        &broker.password,
        &["send", "--no-spool", "-t", &volatile],
        "v\n",
    );
    assert_eq!(code(&blind), 0);
    assert!(said(&blind).contains(NOT_KNOWN) && said(&blind).contains("--management"));
    // Who asks and gets no answer goes on.
    let (exit, words) = bench.send_over(Over::Plain, "http://127.0.0.1:1", &["-t", &volatile], &[]);
    assert!(
        exit == 0 && words.contains(NOT_KNOWN) && words.contains("connection refused"),
        "{exit} {words}"
    );
}

#[test]
fn a_durable_queue_needs_no_words() {
    let Some(broker) = Broker::shared("a_durable_queue_needs_no_words") else {
        return;
    };
    let bench = Bench { broker: &broker };
    for (over, url) in [
        (Over::Plain, &broker.management),
        (Over::Tls, &broker.secured.management),
    ] {
        for kind in ["classic", "quorum", "stream"] {
            let queue = broker.queue("kept", kind, json!({}));
            let (exit, words) = bench.send_over(over, url, &["-t", &queue], &[]);
            assert!(exit == 0 && !words.contains("durab"), "{exit} {words}");
        }
    }
}

#[test]
fn an_exchange_is_as_durable_as_the_queues_behind_it() {
    let Some(broker) = Broker::shared("an_exchange_is_as_durable_as_the_queues_behind_it") else {
        return;
    };
    let bench = Bench { broker: &broker };
    let volatile = bench.declare("queue", "volatile", json!({"durable": false}));
    let kept = bench.declare("queue", "kept", json!({"durable": true}));
    let transient = bench.declare("exchange", "exchange", json!({"type": "direct", "durable": false}));
    bench.bind(&transient, &kept, "k");
    let (exit, words) = bench.send(&["-e", &transient, "-r", "k"], &[]);
    assert!(exit == 2 && words.contains("is not durable"), "{exit} {words}");

    for (kind, binding) in [("direct", "a.b"), ("topic", "a.#"), ("fanout", "")] {
        let exchange = bench.declare("exchange", kind, json!({"type": kind, "durable": true}));
        let to = ["-e", &exchange, "-r", "a.b"];
        bench.bind(&exchange, &volatile, binding);
        let (exit, words) = bench.send(&to, &[]);
        assert!(exit == 2 && words.contains(&volatile), "{kind}: {exit} {words}");
        assert_eq!(bench.send(&to, &["--allow-transient"]).0, 0, "{kind}");
        // One durable queue keeps it.
        bench.bind(&exchange, &kept, binding);
        let (exit, words) = bench.send(&to, &[]);
        assert!(exit == 0 && !words.contains("durab"), "{kind}: {exit} {words}");
    }
    let headers = bench.declare("exchange", "headers", json!({"type": "headers", "durable": true}));
    bench.bind(&headers, &volatile, "");
    let (exit, words) = bench.send(&["-e", &headers, "-r", "a.b"], &[]);
    assert!(exit == 0 && words.contains(NOT_KNOWN), "{exit} {words}");
}
