//! The broker is killed or stopped in the middle.

use crate::broker::{Broker, Sender};
use crate::support;
use crate::tool::{self, Over, code, said, tool};
use mqsafe::broker::rabbitmq::RabbitEndpoint;
use mqsafe::model::{Delivery, Endpoint, How};
use serde_json::json;
use std::collections::BTreeSet;
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Sends until the end, again and again what came back, and notes every number that was ever called stored.
fn send_all(sender: &mut Sender, lane: &str, first: u64, count: u64, mut disturb: impl FnMut(usize)) -> BTreeSet<u64> {
    let mut ticket = sender.verdicts.keys().next_back().copied().unwrap_or(0);
    let (mut waiting, mut stored) = ((first..first + count).collect::<Vec<u64>>(), BTreeSet::new());
    let end = Instant::now() + Duration::from_secs(300);
    let mut sent: Vec<(u64, u64)> = Vec::new();
    while stored.len() < count as usize {
        let open = (sent.len(), sender.publisher.must_renew());
        assert!(Instant::now() < end, "{} of {count} stored, {open:?}", stored.len());
        let mut left = waiting.split_off(0).into_iter().peekable();
        while let Some(n) = left.peek() {
            if !sender.try_offer(ticket + 1, lane, n.to_string().as_bytes()) {
                break;
            }
            ticket += 1;
            sent.extend(left.next().map(|n| (ticket, n)));
        }
        waiting = left.collect();
        sender.hear(Duration::from_millis(5));
        let mut open = Vec::new();
        for (ticket, n) in sent {
            match sender.verdicts.get(&ticket) {
                None => open.push((ticket, n)),
                Some(Delivery::Stored(_)) => {
                    stored.insert(n);
                }
                Some(Delivery::InDoubt(_) | Delivery::NotSent(_)) => waiting.insert(0, n),
                Some(Delivery::Refused(why)) => panic!("{n} is refused: {why}"),
            }
        }
        sent = open;
        if sent.is_empty() && sender.publisher.must_renew() {
            sender.publisher.renew().unwrap();
        }
        disturb(stored.len());
    }
    stored
}

/// A thing that goes on beside the test, until it is told that the disturbance is over.
fn beside<'scope>(
    scope: &'scope std::thread::Scope<'scope, '_>,
    endpoint: &'scope RabbitEndpoint,
    lane: String,
    killed: &'scope AtomicBool,
) -> std::thread::ScopedJoinHandle<'scope, BTreeSet<u64>> {
    scope.spawn(move || {
        let mut sender = Sender::new(endpoint);
        let (mut stored, mut next, end) = (BTreeSet::new(), 1, Instant::now() + Duration::from_secs(300));
        // Batches with numbers of their own, until one went through after the kill.
        loop {
            let over = killed.load(Ordering::Relaxed);
            let some = send_all(&mut sender, &lane, next, 1000, |_| {});
            stored.extend(some);
            next += 1000;
            if over {
                return stored;
            }
            assert!(Instant::now() < end, "the broker was never killed");
        }
    })
}

#[test]
fn nothing_is_called_stored_that_a_kill_took() {
    let Some(broker) = Broker::alone("nothing_is_called_stored_that_a_kill_took") else {
        return;
    };
    let queue = broker.queue("killed", "classic", json!({}));
    let endpoint = RabbitEndpoint::new(&broker.connection(), &queue).unwrap();
    let mut sender = Sender::new(&endpoint);
    // In the same kill: another queue in transactions, and one by quorum.
    let tx_queue = broker.queue("killed.tx", "classic", json!({}));
    let how = How {
        amqp_tx: true,
        ..How::default()
    };
    let in_tx = RabbitEndpoint::new(&broker.connection(), &tx_queue)
        .unwrap()
        .publishing(how)
        .unwrap();
    let quorum_queue = broker.queue("killed.quorum", "quorum", json!({}));
    let by_quorum = RabbitEndpoint::new(&broker.connection(), &quorum_queue).unwrap();
    broker.eval(support::DECLARED);
    let killed = AtomicBool::new(false);
    let mut said = String::new();
    let (stored, stored_in_tx, stored_by_quorum) = std::thread::scope(|scope| {
        let tx = beside(scope, &in_tx, format!("|{tx_queue}"), &killed);
        let quorum = beside(scope, &by_quorum, format!("|{quorum_queue}"), &killed);
        let stored = send_all(&mut sender, &format!("|{queue}"), 1, 12_000, |stored| {
            let error = endpoint.last_error().unwrap_or_default();
            if error != said {
                println!("{stored} stored: {error}");
                said = error;
            }
            if stored > 3000 && !killed.load(Ordering::Relaxed) {
                broker.script("kill");
                broker.script("restart");
                killed.store(true, Ordering::Relaxed);
            }
        });
        (stored, tx.join().unwrap(), quorum.join().unwrap())
    });
    assert!(killed.load(Ordering::Relaxed) && !stored_in_tx.is_empty() && !stored_by_quorum.is_empty());
    let all = [
        (queue, stored),
        (tx_queue, stored_in_tx),
        (quorum_queue, stored_by_quorum),
    ];
    for (queue, stored) in all {
        let there: BTreeSet<u64> = broker
            .take(&queue)
            .iter()
            .map(|m| m["payload"].as_str().unwrap().parse().unwrap())
            .collect();
        println!("{queue}: {} stored, {} there", stored.len(), there.len());
        assert_eq!(stored.difference(&there).count(), 0, "{queue}");
    }
}

/// Memory alarm: the broker reads nothing more from whoever publishes, and says so.
#[test]
fn a_blocked_publisher_says_so_and_goes_on() {
    let Some(broker) = Broker::alone("a_blocked_publisher_says_so_and_goes_on") else {
        return;
    };
    broker.eval("rabbit_alarm:set_alarm({{resource_limit, memory, node()}, []}).");
    let running = [None, Some("--tx")].map(|way| {
        let queue = broker.queue("blocked", "classic", json!({}));
        let mut arguments = vec!["send", "--no-spool", "-t", &queue];
        arguments.extend(way);
        let (command, home) = tool(&broker, Over::Plain, &broker.password, &arguments);
        let mut running = tool::watch(command);
        let input: String = (1..=3000).map(|n| format!("{n}\n")).collect();
        running.stdin().write_all(input.as_bytes()).unwrap();
        (queue, running, home)
    });
    for (_, running, _) in &running {
        running.await_said("the broker blocks publishers: low on memory");
    }
    std::thread::sleep(Duration::from_secs(1));
    let meanwhile: Vec<u64> = running.iter().map(|(queue, _, _)| broker.count(queue)).collect();
    broker.eval("rabbit_alarm:clear_alarm({resource_limit, memory, node()}).");
    assert_eq!(meanwhile, [0, 0], "nothing was taken while it was blocked");
    for (queue, running, _home) in running {
        let done = running.end();
        assert_eq!(code(&done), 0, "{queue}");
        let words = said(&done);
        assert!(
            words.contains("waiting: ") && words.contains("the broker blocks publishers: low on memory"),
            "{words}"
        );
        assert!(words.contains("stored 3000 "), "{words}");
        assert_eq!(broker.count(&queue), 3000);
    }
}

/// Disk alarm: whoever publishes is blocked, is told why, keeps everything, and goes on when there is room.
#[test]
fn a_full_disk_of_the_broker_blocks_and_costs_nothing() {
    let Some(broker) = Broker::alone("a_full_disk_of_the_broker_blocks_and_costs_nothing") else {
        return;
    };
    let limit = |bytes: &str| broker.eval(&format!("rabbit_disk_monitor:set_disk_free_limit({bytes})."));
    let queue = broker.queue("full", "classic", json!({}));
    let home = tempfile::TempDir::new().unwrap();
    let spool = home.path().join("spool");
    let spool = spool.to_str().unwrap();
    // No disk has so much room: a petabyte.
    limit("1000000000000000");
    let arguments = ["send", "-t", &queue, "--spool", spool, "--delivery-timeout", "6s"];
    let input: String = (1..=2000).map(|n| format!("{n}\n")).collect();
    let blocked = tool::run(&broker, &broker.password, &arguments, &input);
    let meanwhile = broker.count(&queue);
    limit("50000000");
    let words = said(&blocked);
    assert_eq!(code(&blocked), 4, "{words}");
    assert!(words.contains("the broker blocks publishers: low on disk"), "{words}");
    assert!(words.contains("accepted 2000 = stored 0 + refused 0"), "{words}");
    // A broker says that it is full when something arrives: that may be in its socket, and is in doubt.
    let (_, rest) = words.rsplit_once("in doubt ").unwrap();
    let in_doubt: usize = rest.split(' ').next().unwrap().parse().unwrap();
    assert_eq!(meanwhile, 0);
    let next = tool::run(
        &broker,
        &broker.password,
        &["send", "-t", &queue, "--spool", spool],
        "2001\n",
    );
    assert_eq!(code(&next), 0, "{}", said(&next));
    let there = broker.take(&queue);
    let all: BTreeSet<u64> = there
        .iter()
        .map(|m| m["payload"].as_str().unwrap().parse().unwrap())
        .collect();
    assert_eq!(all, (1..=2001).collect());
    assert!(
        there.len() <= 2001 + in_doubt,
        "{} of which {in_doubt} were in doubt",
        there.len()
    );
}
