//! Single messages: sent, found, not found, refused.

use crate::cluster;

#[test]
fn what_is_sent_is_found_by_mqadmin_and_by_key() {
    let Some(case) = cluster::shared("what_is_sent_is_found_by_mqadmin_and_by_key", 2) else {
        return;
    };
    let sent = case.send("grüße\n", &["-k", "order-1", "-H", "färbe=röt"]);
    assert!(sent.expect(0).err.contains("stored 1"));
    let seen = case.mqadmin(&["queryMsgByKey", "-t", &case.topic, "-k", "order-1"]);
    assert_eq!(
        seen.lines()
            .filter(|line| line.contains(" 0 ") || line.ends_with('0'))
            .count(),
        1,
        "{seen}"
    );
    let unique = seen
        .lines()
        .find_map(|line| {
            line.split_whitespace()
                .next()
                .filter(|id| id.len() == 32 && !id.starts_with('#'))
        })
        .unwrap_or_else(|| panic!("{seen}"));
    let detail = case.mqadmin(&["queryMsgByUniqueKey", "-t", &case.topic, "-i", unique]);
    for part in ["order-1", "mqsafe-id=1 ", "färbe=röt"] {
        assert!(detail.contains(part), "{part} in {detail}");
    }

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
    let sent = case.mqadmin(&["sendMessage", "-t", &case.topic, "-k", "a b", "-p", "body", "-c", "red"]);
    assert!(sent.contains("SEND_OK"), "{sent}");
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
    assert!(!case.mqadmin(&["topicList"]).contains(&absent));
}

#[test]
fn what_rocketmq_cannot_keep_is_refused_and_the_rest_is_stored() {
    let Some(case) = cluster::shared("what_rocketmq_cannot_keep_is_refused_and_the_rest_is_stored", 1) else {
        return;
    };
    // An empty line, a key with a space, more than the broker's maxMessageSize (4 MiB).
    let input = format!("a|1\nb c|2\nd|\ne|{}\nf|3\n", "x".repeat(5 << 20));
    let sent = case.send(&input, &["-K", "|"]).expect(1);
    assert!(sent.err.contains("stored 2 + refused 3"), "{}", sent.err);
    assert_eq!(case.held(), 2);
    // The numbers that were given and then refused come with the next message.
    case.send("g|4\n", &["-K", "|"]).expect(0);
    let verified = case.verify().expect(0).json();
    let totals = &verified["totals"];
    assert_eq!((&totals["gap"], &totals["void"]), (&0.into(), &3.into()), "{verified}");
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
