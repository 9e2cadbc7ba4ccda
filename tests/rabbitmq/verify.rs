//! `verify` on queues that keep no history: watched by a tap, or drained; and what of them may leave by itself.

use crate::broker::{Broker, nonce};
use crate::tool::{self, Over, run, said};
use serde_json::{Value, json};
use std::process::Output;
use std::time::{Duration, Instant};
use tempfile::TempDir;

fn answer(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {}", said(output)))
}

/// The exit code, and the totals that are not 0.
fn told(output: &Output) -> (i32, Vec<(String, u64)>) {
    let json = answer(output);
    let totals = json["totals"].as_object().unwrap().iter();
    let totals = totals.filter_map(|(name, n)| Some((name.clone(), n.as_u64().filter(|n| *n > 0)?)));
    (output.status.code().unwrap(), totals.collect())
}

fn totals(all: &[(&str, u64)]) -> Vec<(String, u64)> {
    all.iter().map(|(name, n)| ((*name).to_owned(), *n)).collect()
}

fn verify(broker: &Broker, queue: &str, arguments: &[&str]) -> Output {
    let mut all = vec![
        "verify",
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

fn stamped(broker: &Broker, queue: &str, n: u64, more: Value) {
    let mut properties = more;
    properties["headers"] = json!({"mqsafe-id": format!("{n} p |{queue}")});
    broker.put(queue, properties, "x");
}

fn lines(from: usize, count: usize) -> String {
    (from..from + count).map(|n| format!("line {n}\n")).collect()
}

#[test]
fn a_drained_queue_is_judged_and_empty_and_goes_on_from_its_state() {
    let Some(broker) = Broker::shared("a_drained_queue_is_judged_and_empty_and_goes_on_from_its_state") else {
        return;
    };
    let home = TempDir::new().unwrap();
    let (spool, state) = (home.path().join("spool"), home.path().join("state"));
    let (spool, state) = (spool.to_str().unwrap(), state.to_str().unwrap());
    for kind in ["classic", "quorum"] {
        let queue = broker.queue("drain", kind, json!({}));
        let spool = format!("{spool}-{kind}");
        let state = format!("{state}-{kind}");
        let send = |from, count| {
            let sent = run(
                &broker,
                &broker.password,
                &["send", "-t", &queue, "--spool", &spool],
                &lines(from, count),
            );
            assert_eq!(sent.status.code(), Some(0), "{}", said(&sent));
        };
        send(0, 3000);
        // Nobody has agreed, so nothing is taken.
        let drain = ["--drain", "--state", &state];
        let refused = verify(&broker, &queue, &drain);
        assert_eq!(refused.status.code(), Some(2), "{}", said(&refused));
        assert!(said(&refused).contains("say --yes"), "{}", said(&refused));
        assert_eq!(broker.count(&queue), 3000, "{kind}");
        let alone = ["--drain", "--state", &state, "--yes", "--alone", "--journal", &spool];
        let drained = verify(&broker, &queue, &alone);
        assert_eq!(
            told(&drained),
            (0, totals(&[("read", 3000), ("stamped", 3000)])),
            "{kind}: {}",
            said(&drained)
        );
        assert_eq!(broker.count(&queue), 0, "{kind}");
        // What comes later is counted together with what is gone by now; one is taken by somebody else.
        send(3000, 10);
        let taken = broker.http(
            "POST",
            &format!("queues/%2F/{queue}/get"),
            &json!({"count": 1, "ackmode": "ack_requeue_false", "encoding": "auto"}),
        );
        assert_eq!(taken.0, 200);
        let drained = verify(&broker, &queue, &alone);
        assert_eq!(
            told(&drained),
            (1, totals(&[("read", 3009), ("stamped", 3009), ("lost", 1)])),
            "{kind}: {}",
            said(&drained)
        );
        // Without the word that nobody else consumes, that is no loss and no answer.
        let fresh = format!("{state}-fresh");
        send(3010, 2);
        let unsure = verify(&broker, &queue, &["--drain", "--state", &fresh, "--yes"]);
        assert_eq!(told(&unsure).0, 3, "{}", said(&unsure));
        assert!(
            said(&unsure).contains("COMPLETE-IF nobody else consumed"),
            "{}",
            said(&unsure)
        );
    }
    let stream = broker.queue("drain", "stream", json!({}));
    let refused = verify(&broker, &stream, &["--drain", "--state", state, "--yes"]);
    assert_eq!(refused.status.code(), Some(2), "{}", said(&refused));
}

#[test]
fn what_may_leave_a_queue_by_itself_is_named_and_not_lost() {
    let Some(broker) = Broker::shared("what_may_leave_a_queue_by_itself_is_named_and_not_lost") else {
        return;
    };
    let home = TempDir::new().unwrap();
    let drain = |queue: &str| {
        let state = home.path().join(queue);
        let arguments = ["--drain", "--yes", "--alone", "--state", state.to_str().unwrap()];
        verify(&broker, queue, &arguments)
    };
    for (arguments, expiration, word) in [
        (json!({"x-message-ttl": 86_400_000}), None, "message-ttl"),
        (json!({"x-max-length": 1000}), None, "max-length"),
        (
            json!({"x-dead-letter-exchange": "amq.fanout"}),
            None,
            "dead-letter-exchange",
        ),
        (json!({}), Some("86400000"), "expiration"),
    ] {
        let queue = broker.queue("leaves", "classic", arguments);
        for n in [1, 2, 4] {
            let more = expiration.map_or_else(|| json!({}), |ms| json!({"expiration": ms}));
            stamped(&broker, &queue, n, more);
        }
        let drained = drain(&queue);
        assert_eq!(
            told(&drained),
            (0, totals(&[("read", 3), ("stamped", 3), ("expired", 1)])),
            "{word}: {}",
            said(&drained)
        );
        assert!(said(&drained).contains(word), "{}", said(&drained));
    }
    // Where nothing else explains it, it is a gap.
    let queue = broker.queue("leaves", "classic", json!({}));
    for n in [1, 2, 4] {
        stamped(&broker, &queue, n, json!({}));
    }
    let drained = drain(&queue);
    assert_eq!(
        told(&drained),
        (1, totals(&[("read", 3), ("stamped", 3), ("gap", 1)])),
        "{}",
        said(&drained)
    );
}

#[test]
fn a_tap_counts_what_is_routed_and_takes_nothing() {
    let Some(broker) = Broker::shared("a_tap_counts_what_is_routed_and_takes_nothing") else {
        return;
    };
    let queue = broker.queue("tapped", "classic", json!({}));
    let exchange = format!("t.tap.{}", nonce());
    let (status, said_by_it) = broker.http("PUT", &format!("exchanges/%2F/{exchange}"), &json!({"type": "direct"}));
    assert_eq!(status, 201, "{said_by_it}");
    let bind = json!({"routing_key": "k"});
    assert_eq!(
        broker
            .http("POST", &format!("bindings/%2F/e/{exchange}/q/{queue}"), &bind)
            .0,
        201
    );
    let arguments = [
        "verify",
        "--format",
        "json",
        "-t",
        &queue,
        "--management",
        &broker.management,
        "--tap",
        "--for",
        "10s",
    ];
    let (mut command, _home) = tool::tool(&broker, Over::Plain, &broker.password, &arguments);
    let child = command.spawn().unwrap();
    let bindings = || {
        broker
            .http("GET", &format!("exchanges/%2F/{exchange}/bindings/source"), &json!({}))
            .1
    };
    let began = Instant::now();
    while bindings().as_array().map_or(0, Vec::len) < 2 {
        assert!(began.elapsed() < Duration::from_secs(60), "the tap was never set");
        std::thread::sleep(Duration::from_millis(50));
    }
    for n in [7, 8, 10] {
        let message = json!({
            "properties": {"headers": {"mqsafe-id": format!("{n} p {exchange}|k")}},
            "routing_key": "k", "payload": "x", "payload_encoding": "string",
        });
        let (status, routed) = broker.http("POST", &format!("exchanges/%2F/{exchange}/publish"), &message);
        assert_eq!((status, &routed["routed"]), (200, &json!(true)));
    }
    let seen = child.wait_with_output().unwrap();
    let (code, all) = told(&seen);
    assert_eq!(
        (code, all),
        (1, totals(&[("read", 3), ("stamped", 3), ("gap", 1), ("expired", 6)])),
        "{}",
        said(&seen)
    );
    assert!(said(&seen).contains("COMPLETE-IF"), "{}", said(&seen));
    assert_eq!(broker.count(&queue), 3);
}

/// What PerfTest wrote has its number in the first four bytes; nothing of this project has had a hand in it.
#[test]
fn what_perf_test_wrote_is_counted() {
    let Some(broker) = Broker::shared("what_perf_test_wrote_is_counted") else {
        return;
    };
    let home = TempDir::new().unwrap();
    let ended = |mut child: std::process::Child| {
        let began = Instant::now();
        while child.try_wait().unwrap().is_none() {
            if began.elapsed() > Duration::from_secs(180) {
                child.kill().unwrap();
                panic!("PerfTest did not come to its end");
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let done = child.wait_with_output().unwrap();
        assert!(done.status.success(), "{}", said(&done));
    };
    let numbered = ["--seq-from", "body:int32@0"];

    // A stream: read again and again, and everything is there.
    let stream = broker.queue("perf", "stream", json!({}));
    ended(broker.perf_test("amq.default", &stream, &["-C", "1200", "-s", "40"]));
    let clean = verify(&broker, &stream, &numbered);
    assert_eq!(
        told(&clean),
        (0, totals(&[("read", 1200), ("stamped", 1200)])),
        "{}",
        said(&clean)
    );
    let lane = &answer(&clean)["lanes"][0];
    assert_eq!((&lane["first"], &lane["last"]), (&json!(1), &json!(1200)));
    // Without the word where the number is, nothing is known.
    assert_eq!(told(&verify(&broker, &stream, &[])).0, 3);
    // What its bytes are not, is no number: the time after it, read as a number, does not count from 0.
    let wrong = verify(&broker, &stream, &["--seq-from", "body:int64@100"]);
    assert_eq!(told(&wrong), (3, totals(&[("read", 1200)])), "{}", said(&wrong));

    // A queue whose binding is gone for a while: what was routed nowhere is missing in the middle, and in the middle only.
    let queue = broker.queue("perf", "classic", json!({}));
    let exchange = format!("t.perf.{}", nonce());
    let made = broker.http("PUT", &format!("exchanges/%2F/{exchange}"), &json!({"type": "direct"}));
    assert_eq!(made.0, 201, "{}", made.1);
    let bindings = format!("bindings/%2F/e/{exchange}/q/{queue}");
    let bind = || assert_eq!(broker.http("POST", &bindings, &json!({"routing_key": "k"})).0, 201);
    bind();
    let sender = broker.perf_test(&exchange, "k", &["-C", "3600", "-r", "300", "-s", "12"]);
    let await_more_than = |least: u64| {
        let began = Instant::now();
        while broker.count(&queue) <= least {
            assert!(began.elapsed() < Duration::from_secs(120), "nothing came");
        }
    };
    await_more_than(50);
    assert_eq!(broker.http("DELETE", &format!("{bindings}/k"), &json!({})).0, 204);
    std::thread::sleep(Duration::from_millis(700));
    let before = broker.count(&queue);
    bind();
    await_more_than(before);
    ended(sender);
    let there = broker.count(&queue);
    assert!(there > before && there < 3600, "{before} before, {there} at the end");
    let state = home.path().join("state");
    let drain = ["--drain", "--yes", "--alone", "--state", state.to_str().unwrap()];
    let holed = verify(&broker, &queue, &[&drain[..], &numbered[..]].concat());
    assert_eq!(
        told(&holed),
        (1, totals(&[("read", there), ("stamped", there), ("gap", 3600 - there)])),
        "{}",
        said(&holed)
    );
    assert_eq!(
        answer(&holed)["lanes"][0]["gaps"],
        json!([[before + 1, before + 3600 - there]]),
        "{}",
        said(&holed)
    );
}

/// Confirmed, and not written to disk: a restart forgets it.
#[test]
fn transient_messages_over_a_restart_are_lost_and_named() {
    let Some(broker) = Broker::alone("transient_messages_over_a_restart_are_lost_and_named") else {
        return;
    };
    let home = TempDir::new().unwrap();
    let (spool, state) = (home.path().join("spool"), home.path().join("state"));
    let queue = broker.queue("transient", "classic", json!({}));
    let send = |from, count, more: &[&str]| {
        let mut all = vec!["send", "-t", &queue, "--spool", spool.to_str().unwrap()];
        all.extend(more);
        let sent = run(&broker, &broker.password, &all, &lines(from, count));
        assert_eq!(sent.status.code(), Some(0), "{}", said(&sent));
    };
    send(0, 20, &[]);
    // What its sender marked as not persistent, as another client does by default.
    for n in 1..=5 {
        stamped(&broker, &queue, n, json!({"delivery_mode": 1}));
    }
    assert_eq!(broker.count(&queue), 25);
    broker.script("restart");
    broker.await_count(&queue, 20);
    stamped(&broker, &queue, 6, json!({}));
    let arguments = ["--drain", "--yes", "--alone", "--state", state.to_str().unwrap()];
    let drained = verify(&broker, &queue, &arguments);
    let json = answer(&drained);
    // Of sender `p` only the last is there, and everything before it is missing: nobody but the broker has forgotten it.
    let lane = json["lanes"]
        .as_array()
        .unwrap()
        .iter()
        .find(|lane| lane["producer"] == "p")
        .unwrap();
    assert_eq!(lane["gaps"], json!([[1, 5]]), "{json}");
    assert_eq!(drained.status.code(), Some(1), "{}", said(&drained));
    assert_eq!(json["totals"]["read"], 21);
}
