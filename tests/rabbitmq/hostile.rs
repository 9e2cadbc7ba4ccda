//! What nobody should send, and what nobody should send it to; plain and over TLS.

use crate::broker::{Broker, Sender};
use crate::tool::{Over, code, run_over, said};
use mqsafe::broker::rabbitmq::RabbitEndpoint;
use mqsafe::model::{Delivery, How};
use serde_json::json;
use std::time::Duration;

const BOTH: [Over; 2] = [Over::Plain, Over::Tls];

#[test]
fn a_missing_exchange_and_a_wrong_password_cost_nothing() {
    let Some(broker) = Broker::shared("a_missing_exchange_and_a_wrong_password_cost_nothing") else {
        return;
    };
    for over in BOTH {
        let to_nobody = ["send", "-e", "no.such.exchange", "-r", "k"];
        let absent = run_over(&broker, over, &broker.password, &to_nobody, "v\n");
        assert_eq!(code(&absent), 2, "{over:?}");
        assert!(said(&absent).contains("does not exist"));
        let wrong = run_over(&broker, over, "wrong-canary-5121", &["send", "-t", "any"], "v\n");
        assert_eq!(code(&wrong), 4, "{over:?}");
        assert!(said(&wrong).contains("spooled 1") && !said(&wrong).contains("canary-5121"));
        let bare = ["send", "-t", "any", "--no-spool"];
        assert_eq!(
            code(&run_over(&broker, over, "wrong-canary-5121", &bare, "v\n")),
            3,
            "{over:?}"
        );
    }
}

#[test]
fn a_key_of_control_characters_arrives_as_it_is() {
    let Some(broker) = Broker::shared("a_key_of_control_characters_arrives_as_it_is") else {
        return;
    };
    for over in BOTH {
        let queue = broker.queue("control", "classic", json!({}));
        let arguments = ["send", "--no-spool", "-t", &queue, "-K", "|"];
        let sent = run_over(&broker, over, &broker.password, &arguments, "a\u{1b}[2J\rb\u{7}|v\n");
        assert_eq!(code(&sent), 0);
        assert!(!said(&sent).contains('\u{1b}'), "{:?}", said(&sent));
        let there = broker.take(&queue);
        assert_eq!(there.len(), 1);
        assert_eq!(
            there[0]["properties"]["headers"]["mqsafe-key"],
            json!("a\u{1b}[2J\rb\u{7}")
        );
        assert_eq!(there[0]["payload"], json!("v"));
    }
}

/// The server's limit is lowered for the time of this test, which therefore runs alone.
#[test]
fn a_message_larger_than_the_broker_takes_is_refused_and_no_other() {
    let Some(broker) = Broker::alone("a_message_larger_than_the_broker_takes_is_refused_and_no_other") else {
        return;
    };
    broker.eval("persistent_term:put(mqsafe_size, application:get_env(rabbit, max_message_size)).");
    broker.eval("application:set_env(rabbit, max_message_size, 100000).");
    let mut outcomes = Vec::new();
    for (over, way) in [
        (Over::Plain, None),
        (Over::Tls, None),
        (Over::Plain, Some("--tx")),
        (Over::Tls, Some("--ordered")),
    ] {
        let queue = broker.queue("large", "classic", json!({}));
        let large = "x".repeat(100_001);
        let input: String = (1..=50)
            .map(|n| {
                if n == 20 || n == 30 {
                    format!("{large}\n")
                } else {
                    format!("{n}\n")
                }
            })
            .collect();
        let mut arguments = vec!["send", "--no-spool", "-t", &queue];
        arguments.extend(way);
        let sent = run_over(&broker, over, &broker.password, &arguments, &input);
        let mut there: Vec<u64> = Vec::new();
        for message in broker.take(&queue) {
            there.push(message["payload"].as_str().unwrap().parse().unwrap());
        }
        outcomes.push((over, way, sent, there));
    }
    broker.eval(
        "case persistent_term:get(mqsafe_size) of {ok, N} -> application:set_env(rabbit, max_message_size, N); \
         undefined -> application:unset_env(rabbit, max_message_size) end.",
    );
    for (over, way, sent, mut there) in outcomes {
        assert_eq!(code(&sent), 1, "{over:?} {way:?}");
        let words = said(&sent);
        assert!(
            words.contains("stored 48 + refused 2 + in doubt 0 + spooled 0"),
            "{over:?} {way:?} {words}"
        );
        assert!(words.contains("larger than"), "{words}");
        // What was on its way beside them came twice, but in a run that keeps the order or commits.
        if way.is_none() {
            there.sort_unstable();
            there.dedup();
        }
        let wanted: Vec<u64> = (1..=50).filter(|n| ![20, 30].contains(n)).collect();
        assert_eq!(there, wanted, "{over:?} {way:?}");
    }
}

/// A queue that rejects makes the broker say nack, which may concern one queue of several: it is in doubt.
#[test]
fn a_rejected_message_is_in_doubt_and_stops_only_an_ordered_run() {
    let Some(broker) = Broker::shared("a_rejected_message_is_in_doubt_and_stops_only_an_ordered_run") else {
        return;
    };
    let verdicts = |how: How| {
        let limits = json!({"x-max-length": 1, "x-overflow": "reject-publish"});
        let queue = broker.queue("rejects", "classic", limits);
        let endpoint = RabbitEndpoint::new(&broker.connection(), &queue)
            .unwrap()
            .publishing(how)
            .unwrap();
        let mut sender = Sender::new(&endpoint);
        for n in 1..=5 {
            sender.offer(n, &format!("|{queue}"), b"v");
        }
        sender.wait_for(5, Duration::from_secs(90));
        assert_eq!(broker.count(&queue), 1);
        let word = |delivery: &Delivery| match delivery {
            Delivery::Stored(_) => "stored",
            Delivery::Refused(_) => "refused",
            Delivery::NotSent(_) => "not sent",
            Delivery::InDoubt(_) => "in doubt",
        };
        let words: Vec<&str> = sender.verdicts.values().map(word).collect();
        (words, sender.publisher.must_renew())
    };
    let doubt = "in doubt";
    let plain = verdicts(How::default());
    assert_eq!(plain, (vec!["stored", doubt, doubt, doubt, doubt], false));
    // Nothing goes before the second, which must be sent again.
    let ordered = verdicts(How {
        ordered: true,
        ..How::default()
    });
    assert_eq!(
        ordered,
        (vec!["stored", doubt, "not sent", "not sent", "not sent"], true)
    );
    // A group of which one message is stored and others are not: nobody knows which.
    let (group, must_renew) = verdicts(How {
        amqp_tx: true,
        ..How::default()
    });
    assert!(
        group.iter().all(|word| ["stored", doubt, "not sent"].contains(word)) && must_renew,
        "{group:?}"
    );
    assert!(group.contains(&doubt), "{group:?}");
}
