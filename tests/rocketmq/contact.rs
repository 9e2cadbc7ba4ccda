//! Single messages: sent, found, not found, refused.

use crate::cluster;

#[test]
fn what_is_sent_is_found_by_mqadmin_and_by_key() {
    let Some(case) = cluster::shared("what_is_sent_is_found_by_mqadmin_and_by_key", 2) else {
        return;
    };
    let sent = case.send("grüße\n", &["-k", "order-1", "-H", "färbe=röt"]);
    assert!(sent.expect(0).err.contains("stored 1"));
    let mut indexed = String::new();
    cluster::eventually("the index knows it", || {
        indexed = case.indexed(&case.topic, "order-1");
        indexed.matches("UNIQ_KEY\u{1}").count() == 1
    });
    let unique = indexed
        .split("UNIQ_KEY\u{1}")
        .nth(1)
        .and_then(|rest| rest.split('\u{2}').next());
    let unique = unique.unwrap_or_else(|| panic!("{indexed}"));
    // On a busy machine mqadmin gives up early, and says so in its own way.
    cluster::eventually("mqadmin shows it as it was sent", || {
        let detail = case.mqadmin(&["queryMsgByUniqueKey", "-t", &case.topic, "-i", unique]);
        ["order-1", "mqsafe-id=1 ", "färbe=röt"]
            .iter()
            .all(|part| detail.contains(part))
    });

    let found = case.query("order-1", &[]).expect(0).json();
    assert_eq!(
        (found["found"].as_u64(), found["coverage"].as_str()),
        (Some(1), Some("COMPLETE"))
    );
    let record = &found["records"][0];
    assert_eq!(record["value"], "grüße");
    assert_eq!(record["key"], "order-1");
    assert_eq!(record["headers"][0], serde_json::json!(["färbe", "röt"]));
    assert_eq!(
        record["id"]["lane"],
        format!("{}/broker-a/{}", case.topic, record["partition"])
    );
    let absent = case.query("order-2", &[]).expect(1).json();
    assert_eq!(
        (absent["found"].as_u64(), absent["coverage"].as_str()),
        (Some(0), Some("COMPLETE"))
    );
}

#[test]
fn what_mqadmin_sends_is_found_by_each_of_its_keys() {
    let Some(case) = cluster::shared("what_mqadmin_sends_is_found_by_each_of_its_keys", 1) else {
        return;
    };
    // On a busy machine mqadmin gives up early; what it sent twice is found all the same.
    cluster::eventually("mqadmin sends it", || {
        let words = ["sendMessage", "-t", &case.topic, "-k", "a b", "-p", "body", "-c", "red"];
        case.mqadmin(&words).contains("SEND_OK")
    });
    case.await_dispatched();
    for key in ["a", "b", "a b"] {
        let found = case.query(key, &[]).expect(0).json();
        assert_eq!(found["records"][0]["key"], key);
        assert_eq!(found["records"][0]["value"], "body");
    }
    case.query("c", &[]).expect(1);
}

#[test]
fn many_messages_keep_their_order_and_none_is_missing() {
    let Some(case) = cluster::shared("many_messages_keep_their_order_and_none_is_missing", 4) else {
        return;
    };
    let lines: String = (0..2000).map(|n| format!("line {n}\n")).collect();
    case.send(&lines, &[]).expect(0);
    assert_eq!(case.held(), 2000);
    let verified = case.verify().expect(0).json();
    assert_eq!(verified["coverage"], "COMPLETE", "{verified}");
    for (total, expected) in [
        ("stamped", 2000),
        ("gap", 0),
        ("duplicate", 0),
        ("reordered", 0),
        ("moved", 0),
    ] {
        assert_eq!(verified["totals"][total], expected, "{total} in {verified}");
    }
}

#[test]
fn a_topic_that_is_not_there_stays_so() {
    let Some(case) = cluster::shared("a_topic_that_is_not_there_stays_so", 1) else {
        return;
    };
    let absent = format!("{}-absent", case.topic);
    let sent = case.send_to(&absent, "x\n", &[]).expect(2);
    assert!(sent.err.contains("does not exist"), "{}", sent.err);
    let query = case.query_in(&absent, "k", &[]).expect(3);
    assert!(query.err.contains("does not exist"), "{}", query.err);
    let route = case.route_of(&absent).unwrap_err();
    assert!(route.starts_with("17:"), "{route}");
}

#[test]
fn what_rocketmq_cannot_keep_is_refused_and_the_rest_is_stored() {
    let Some(case) = cluster::shared("what_rocketmq_cannot_keep_is_refused_and_the_rest_is_stored", 1) else {
        return;
    };
    // A key with a space, an empty value, more than the broker's maxMessageSize (4 MiB), a key with a separator of properties.
    let input = format!("a|1\nb c|2\nd|\ne|{}\ng\u{1}h|5\nf|3\n", "x".repeat(5 << 20));
    let sent = case.send(&input, &["-K", "|"]).expect(1);
    assert!(sent.err.contains("stored 2 + refused 4"), "{}", sent.err);
    for why in ["split it at its spaces", "no empty values", "U+0001"] {
        assert!(sent.err.contains(why), "{why} in {}", sent.err);
    }
    assert_eq!(case.held(), 2);
    // The numbers that were given and then refused come with the next message.
    case.send("g|4\n", &["-K", "|"]).expect(0);
    let verified = case.verify().expect(0).json();
    let totals = &verified["totals"];
    assert_eq!((&totals["gap"], &totals["void"]), (&0.into(), &4.into()), "{verified}");
}

#[test]
fn queues_can_be_chosen() {
    let Some(case) = cluster::shared("queues_can_be_chosen", 3) else {
        return;
    };
    case.send("x\n", &["-k", "k", "-p", "2"]).expect(0);
    let found = case.query("k", &["-p", "2"]).expect(0).json();
    assert_eq!(found["records"][0]["partition"], 2);
    case.query("k", &["-p", "0-1"]).expect(1);
    case.query("k", &["-p", "7"]).expect(2);
}

#[test]
fn a_topic_that_keeps_the_last_of_each_key_takes_nothing_without_a_key() {
    let Some(case) = cluster::shared("a_topic_that_keeps_the_last_of_each_key_takes_nothing_without_a_key", 1) else {
        return;
    };
    // Several at once, which the broker would take unseen if they came as a batch.
    let topic = format!("{}-last", case.topic);
    case.make(&topic, 1, "+cleanup.policy=COMPACTION");
    let sent = case.send_to(&topic, "a\nb\nc\n", &[]).expect(1);
    assert!(sent.err.contains("stored 0 + refused 3"), "{}", sent.err);
    let keyed: String = (0..500).map(|n| format!("k{n}|{n}\n")).collect();
    let sent = case.send_to(&topic, &keyed, &["-K", "|"]).expect(0);
    assert!(sent.err.contains("stored 500"), "{}", sent.err);
    assert_eq!(case.held_in(&topic), 500);
}

#[test]
fn a_broker_that_takes_little_gets_little_at_once() {
    let Some(case) = cluster::alone("a_broker_that_takes_little_gets_little_at_once", 1) else {
        return;
    };
    let _small = case.configured("maxMessageSize=65536", "maxMessageSize=4194304");
    let mut lines: Vec<String> = (0..1500).map(|n| format!("{n:0500}\n")).collect();
    lines.insert(700, "x".repeat(100_000) + "\n");
    let sent = case.send(&lines.concat(), &[]).expect(1);
    assert!(sent.err.contains("stored 1500 + refused 1 "), "{}", sent.err);
    assert_eq!(case.held(), 1500);
    let totals = &case.verify().json()["totals"];
    assert_eq!(
        (&totals["stamped"], &totals["reordered"]),
        (&1500.into(), &0.into()),
        "{totals}"
    );
}
