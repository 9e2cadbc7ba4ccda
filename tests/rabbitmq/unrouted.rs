//! A queue that took nothing: because it is not there, or because its node is down.

use crate::broker::{Broker, Sender};
use crate::tool::{Over, code, run_over, said, tool, watch};
use mqsafe::broker::rabbitmq::{RabbitEndpoint, probe};
use mqsafe::model::{Delivery, Endpoint, How, Topology};
use serde_json::{Value, json};
use std::io::Write;
use std::time::{Duration, Instant};

const SOON: Duration = Duration::from_secs(90);

#[test]
fn a_queue_whose_node_is_down_is_not_an_absent_one() {
    let Some(broker) = Broker::shared("a_queue_whose_node_is_down_is_not_an_absent_one") else {
        return;
    };
    for amqp_tx in [false, true] {
        let queue = broker.queue("down", "classic", json!({}));
        let how = How {
            amqp_tx,
            ..How::default()
        };
        let endpoint = RabbitEndpoint::new(&broker.connection(), &queue)
            .unwrap()
            .publishing(how)
            .unwrap();
        let mut sender = Sender::new(&endpoint);
        let lane = format!("|{queue}");
        sender.offer(1, &lane, b"before");
        sender.wait_for(1, SOON);
        assert!(matches!(sender.verdicts[&1], Delivery::Stored(_)));

        broker.down(&queue, true);
        // Many at once, and some for a queue that is really not there.
        for n in 2..=101 {
            let lane = if n % 10 == 0 { "|no.such.queue" } else { &lane };
            sender.offer(n, lane, b"down");
        }
        sender.wait_for(101, SOON);
        for n in 2..=101 {
            match &sender.verdicts[&n] {
                Delivery::Refused(why) => assert!(n % 10 == 0 && why.contains("no queue 'no.such.queue'"), "{n} {why}"),
                Delivery::NotSent(why) => assert!(n % 10 != 0 && why.contains("is down or inaccessible"), "{n} {why}"),
                other => panic!("{n} {other:?}"),
            }
        }
        assert!(!sender.publisher.must_renew(), "the connection has no fault");
        // Asked before publishing, it is no absent queue either, and waiting helps.
        let unreached = endpoint.topology(SOON).unwrap_err();
        assert!(
            !unreached.is_refusal() && unreached.why.contains("is down or inaccessible"),
            "{unreached}"
        );
        let steps = probe(&broker.connection(), Some(&queue), SOON).unwrap();
        let failed = steps.last().unwrap().result.as_ref().unwrap_err();
        assert!(
            failed.contains("is down or inaccessible") && !failed.contains("does not exist"),
            "{failed}"
        );

        broker.down(&queue, false);
        assert!(matches!(endpoint.topology(SOON), Ok(Topology::Known(_))));
        sender.offer(102, &lane, b"after");
        sender.wait_for(102, SOON);
        assert!(
            matches!(sender.verdicts[&102], Delivery::Stored(_)),
            "{:?}",
            sender.verdicts[&102]
        );
        let there: Vec<Value> = broker.take(&queue).iter().map(|m| m["payload"].clone()).collect();
        assert_eq!(there, [json!("before"), json!("after")]);
    }
}

/// The whole tool: it waits while the queue is down, says so, and goes on when it is back.
#[test]
fn a_run_outlives_a_queue_that_is_down_for_a_while() {
    let Some(broker) = Broker::shared("a_run_outlives_a_queue_that_is_down_for_a_while") else {
        return;
    };
    let queue = broker.queue("away", "quorum", json!({}));
    let (command, _home) = tool(&broker, Over::Plain, &broker.password, &["send", "-t", &queue]);
    let mut running = watch(command);
    let mut stdin = running.stdin();
    stdin.write_all(b"1\n2\n3\n").unwrap();
    stdin.flush().unwrap();
    wait_for_count(&broker, &queue, 3);
    broker.down(&queue, true);
    stdin.write_all(b"4\n5\n6\n").unwrap();
    stdin.flush().unwrap();
    running.await_said("is down or inaccessible");
    broker.down(&queue, false);
    drop(stdin);
    let done = running.end();
    assert_eq!(code(&done), 0);
    let words = said(&done);
    assert!(
        words.contains("waiting: ") && words.contains("is down or inaccessible"),
        "{words}"
    );
    assert!(
        words.contains("stored 6 + refused 0 + in doubt 0 + spooled 0"),
        "{words}"
    );
    assert_eq!(broker.count(&queue), 6);
}

fn wait_for_count(broker: &Broker, queue: &str, count: u64) {
    let start = Instant::now();
    while broker.count(queue) < count {
        assert!(start.elapsed() < SOON, "{count} never came");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_queue_that_is_deleted_in_the_middle_refuses_the_rest_and_no_more() {
    let Some(broker) = Broker::shared("a_queue_that_is_deleted_in_the_middle_refuses_the_rest_and_no_more") else {
        return;
    };
    for (over, way) in [(Over::Plain, None), (Over::Tls, None), (Over::Plain, Some("--tx"))] {
        let queue = broker.queue("deleted", "classic", json!({}));
        let mut arguments = vec!["send", "-t", &queue, "--receipts", "-"];
        arguments.extend(way);
        let (mut command, _home) = tool(&broker, over, &broker.password, &arguments);
        let mut child = command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let lines = |from: u64, to: u64| (from..=to).map(|n| format!("{n}\n")).collect::<String>();
        stdin.write_all(lines(1, 1000).as_bytes()).unwrap();
        stdin.flush().unwrap();
        wait_for_count(&broker, &queue, 1000);
        assert_eq!(broker.http("DELETE", &format!("queues/%2F/{queue}"), &json!({})).0, 204);
        stdin.write_all(lines(1001, 1500).as_bytes()).unwrap();
        drop(stdin);
        let done = child.wait_with_output().unwrap();
        assert_eq!(code(&done), 1, "{over:?} {way:?}");
        assert!(said(&done).contains("accepted 1500 = stored 1000 + refused 500 + in doubt 0 + spooled 0"));
        let receipts = String::from_utf8(done.stdout).unwrap();
        let mut told = 0;
        for receipt in receipts
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap())
        {
            let Some(line) = receipt["line"].as_u64() else { continue };
            told += 1;
            let wanted = if line <= 1000 { "stored" } else { "refused" };
            assert_eq!(receipt["status"], json!(wanted), "{over:?} {way:?} {receipt}");
        }
        assert_eq!(told, 1500);
    }
}

#[test]
fn a_queue_that_is_down_all_the_time_leaves_everything_in_the_spool() {
    let Some(broker) = Broker::shared("a_queue_that_is_down_all_the_time_leaves_everything_in_the_spool") else {
        return;
    };
    let queue = broker.queue("dark", "classic", json!({}));
    broker.down(&queue, true);
    for over in [Over::Plain, Over::Tls] {
        let arguments = ["send", "-t", &queue, "--connect-timeout", "4s"];
        let done = run_over(&broker, over, &broker.password, &arguments, "a\nb\n");
        assert_eq!(code(&done), 4);
        let words = said(&done);
        assert!(
            words.contains("is down or inaccessible") && words.contains("spooled 2"),
            "{words}"
        );
    }
    broker.down(&queue, false);
    assert_eq!(broker.count(&queue), 0);
}

/// The broker forgets the bindings of a queue while its node is down, so only the management API can tell that one is.
#[test]
fn an_exchange_refuses_nothing_while_a_queue_is_down() {
    // Alone, because a queue of another test that is down would be one too.
    let Some(broker) = Broker::alone("an_exchange_refuses_nothing_while_a_queue_is_down") else {
        return;
    };
    let queue = broker.queue("behind", "classic", json!({}));
    let exchange = format!("ex-{queue}");
    let (made, _) = broker.http(
        "PUT",
        &format!("exchanges/%2F/{exchange}"),
        &json!({"type": "direct", "durable": true}),
    );
    assert!(made < 300, "{made}");
    let (bound, _) = broker.http(
        "POST",
        &format!("bindings/%2F/e/{exchange}/q/{queue}"),
        &json!({"routing_key": "rk"}),
    );
    assert!(bound < 300, "{bound}");
    let management = std::env::var("RABBITMQ_MANAGEMENT").unwrap();
    for (with_management, down, expected) in [
        (true, false, "unroutable"),
        (true, true, "is down"),
        (false, true, "unroutable"),
    ] {
        let mut connection = broker.connection();
        connection.management = with_management.then(|| management.clone());
        let endpoint = RabbitEndpoint::new(&connection, &format!("{exchange}|rk")).unwrap();
        let mut sender = Sender::new(&endpoint);
        if down {
            broker.down(&queue, true);
        }
        // A key that nothing is bound to: what the broker makes of every key while the node of its queue is down.
        sender.offer(1, &format!("{exchange}|nobody"), b"v");
        sender.wait_for(1, SOON);
        if down {
            broker.down(&queue, false);
        }
        let why = match (&sender.verdicts[&1], down && with_management) {
            (Delivery::NotSent(why), true) | (Delivery::Refused(why), false) => why,
            (other, _) => panic!("management {with_management}, down {down}: {other:?}"),
        };
        assert!(why.contains(expected), "{why}");
    }
}
