//! Finding: by key, by id, in a window, and being honest about what was not read.

use crate::cluster::{self, Case, eventually};
use serde_json::Value;
use std::collections::BTreeSet;
use std::time::Instant;

fn values(answer: &Value) -> BTreeSet<String> {
    let records = answer["records"].as_array().unwrap();
    let values: BTreeSet<String> = records
        .iter()
        .map(|r| r["value"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(values.len(), records.len(), "one is there twice");
    values
}

fn coverage(answer: &Value) -> &str {
    answer["coverage"].as_str().unwrap()
}

/// So many that the index is asked first, and none of them in the way.
fn fill(case: &Case) {
    let arguments = ["--template", "filler {seq}", "--count", "6000"];
    assert!(case.send("", &arguments).expect(0).err.contains("stored 6000"));
}

#[test]
fn two_hundred_of_one_key_within_a_second_are_all_found() {
    let Some(case) = cluster::shared("two_hundred_of_one_key_within_a_second_are_all_found", 2) else {
        return;
    };
    fill(&case);
    let lines: String = (0..200).map(|n| format!("v{n}\n")).collect();
    case.send(&lines, &["-k", "hot"]).expect(0);
    case.send("one\n", &["-k", "cold"]).expect(0);
    let expected: BTreeSet<String> = (0..200).map(|n| format!("v{n}")).collect();
    eventually("the index knows the last one", || {
        case.indexed(&case.topic, "cold").contains("one")
    });
    // No window of time shows more of them by the index alone.
    let shown = case.indexed(&case.topic, "hot").matches("mqsafe-id\u{1}").count();
    assert!(shown <= 64, "{shown}");
    for (arguments, complete) in [
        (&["--exhaustive"][..], "COMPLETE"),
        (&[], "COMPLETE-IF the brokers' indexes of keys have no hole"),
        (
            &["--index-only"],
            "COMPLETE-IF the brokers' indexes of keys have no hole",
        ),
    ] {
        let start = Instant::now();
        let found = case.query("hot", arguments).expect(0).json();
        println!("{arguments:?}: {:?}", start.elapsed());
        assert_eq!(values(&found), expected, "{arguments:?}");
        assert_eq!(coverage(&found), complete);
    }
    // Several keys, and one that is nowhere: then everything is read.
    let both = case
        .search(&case.topic, &["--format", "json", "hot", "cold"])
        .expect(0)
        .json();
    assert_eq!(both["found"], 201);
    let with_absent = case
        .search(&case.topic, &["--format", "json", "cold", "absent"])
        .expect(0)
        .json();
    assert_eq!(
        (coverage(&with_absent), with_absent["found"].as_u64()),
        ("COMPLETE", Some(1))
    );
    // A miss of the index alone is never "not found".
    case.query("absent", &["--index-only"]).expect(3);
    assert_eq!(coverage(&case.query("absent", &[]).expect(1).json()), "COMPLETE");
    // What the index finds and another condition excludes is not the end of the search.
    let none = case.query("hot", &["--value-contains", "nowhere"]).expect(1).json();
    assert_eq!(coverage(&none), "COMPLETE");
}

#[test]
fn ids_lead_to_the_message_and_mqadmin_agrees() {
    let Some(case) = cluster::shared("ids_lead_to_the_message_and_mqadmin_agrees", 2) else {
        return;
    };
    case.send("a\nfound by its id\nb\n", &["-k", "k"]).expect(0);
    let all = case.query("k", &["--value-contains", "its id"]).expect(0).json();
    let unique = all["records"][0]["properties"]["UNIQ_KEY"].as_str().unwrap().to_owned();
    let by_unique = case
        .search(&case.topic, &["--format", "json", "--id", &unique])
        .expect(0)
        .json();
    assert_eq!(values(&by_unique), BTreeSet::from(["found by its id".to_owned()]));
    let place = by_unique["records"][0]["properties"]["OFFSET_ID"]
        .as_str()
        .unwrap()
        .to_owned();
    let by_place = case
        .search(&case.topic, &["--format", "json", "--id", &place])
        .expect(0)
        .json();
    assert_eq!(values(&by_place), values(&by_unique));
    eventually("mqadmin finds it there", || {
        case.mqadmin(&["queryMsgById", "-t", &case.topic, "-i", &place])
            .contains(&unique)
    });
    let absent = case.search(
        &case.topic,
        &["--format", "json", "--id", "0123456789ABCDEF0123456789ABCDEF"],
    );
    assert_eq!(coverage(&absent.expect(1).json()), "COMPLETE");
}

#[test]
fn windows_patterns_and_order() {
    let Some(case) = cluster::shared("windows_patterns_and_order", 1) else {
        return;
    };
    fill(&case);
    for n in 0..3 {
        case.send(&format!("{{\"n\":{n}}}\n"), &["-k", &format!("order-{n}")])
            .expect(0);
    }
    let search = |arguments: &[&str], code| {
        let mut all = vec!["--format", "json"];
        all.extend(arguments);
        case.search(&case.topic, &all).expect(code).json()
    };
    let all = search(&["--glob", "order-*"], 0);
    assert_eq!((all["found"].as_u64(), coverage(&all)), (Some(3), "COMPLETE"));
    let time = |n: usize| all["records"][n]["timestamp"].as_str().unwrap().to_owned();
    // Exact on both ends, whatever was read.
    let window = search(&["--regex", "^order-", "--since", &time(1), "--until", &time(2)], 0);
    assert_eq!(window["records"], serde_json::json!([all["records"][1]]));
    let read = window["partitions"][0].clone();
    assert!(read["log_start"] == 0 && read["to"].as_i64() == Some(6003), "{read}");
    // A window after everything is empty, and all of it was read.
    assert_eq!(coverage(&search(&["--since", "now+1h", "order-1"], 1)), "COMPLETE");
    let last = search(&["--glob", "*", "--newest-first", "--limit", "1"], 0);
    assert_eq!(last["records"][0]["key"], "order-2");
    assert!(coverage(&last).starts_with("PARTIAL stopped at --limit 1"), "{last}");
    let backwards = search(&["--newest-first", "--json", "/n=0"], 0);
    assert_eq!(
        (backwards["found"].as_u64(), coverage(&backwards)),
        (Some(1), "COMPLETE")
    );
    let every = search(&["--all", "--newest-first"], 0);
    assert_eq!(every["found"], 6003);
    assert_eq!(
        case.search(&case.topic, &["--raw", "--json", "/n=1"]).expect(0).out,
        "{\"n\":1}\n"
    );
}

#[test]
fn an_archive_is_restored_and_a_damaged_one_is_noticed() {
    let Some(case) = cluster::shared("an_archive_is_restored_and_a_damaged_one_is_noticed", 2) else {
        return;
    };
    case.send("a\nb\nc\n", &["-k", "k", "-H", "h=1", "--tag", "T"])
        .expect(0);
    let archive = case.search(&case.topic, &["--all", "--format", "jsonl"]).expect(0).out;
    let copy = format!("{}-copy", case.topic);
    case.make(&copy, 1, "");
    let restored = case.send_to(&copy, &archive, &["--input", "jsonl"]).expect(0);
    assert!(restored.err.contains("stored 3"), "{}", restored.err);
    let records = case.query_in(&copy, "k", &["-H", "mqsafe-redrive=1"]).expect(0).json();
    assert_eq!(values(&records), ["a", "b", "c"].map(str::to_owned).into());
    let first = &records["records"][0];
    let headers = first["headers"].as_array().unwrap();
    assert!(
        first["tag"] == "T" && headers.contains(&serde_json::json!(["h", "1"])),
        "{first}"
    );
    // One line lost: the records that are left are sent, and the end says that it is not what was written.
    let (_, damaged) = archive.split_once('\n').unwrap();
    let sent = case.send_to(&copy, damaged, &["--input", "jsonl"]).expect(1);
    assert!(
        sent.err.contains("stored 2") && sent.err.contains("its hash of them differs"),
        "{}",
        sent.err
    );
    // Round and round, until the guard holds it.
    for turn in 2..=6 {
        let one = case
            .search(&copy, &["--format", "jsonl", "--newest-first", "--limit", "1", "k"])
            .expect(0)
            .out;
        let code = i32::from(turn == 6);
        let sent = case.send_to(&copy, &one, &["--input", "jsonl"]).expect(code);
        assert_eq!(sent.err.contains("--max-redrives"), turn == 6, "{turn}: {}", sent.err);
    }
}

#[test]
fn a_journey_tells_each_group_and_finds_its_dead_letters() {
    let Some(case) = cluster::shared("a_journey_tells_each_group_and_finds_its_dead_letters", 1) else {
        return;
    };
    case.send("a:1\nb:2\nc:3\n", &["-K", ":"]).expect(0);
    let commit = |group: &str, offset: &str| {
        // As `mqadmin updateSubGroup`: a group is made before it commits.
        case.call(&case.master, 200, &[], &format!("{{\"groupName\":\"{group}\"}}"))
            .unwrap();
        let fields = [
            ("consumerGroup", group),
            ("topic", &case.topic),
            ("queueId", "0"),
            ("commitOffset", offset),
        ];
        case.call(&case.master, 15, &fields, "").unwrap();
    };
    let (done, waits) = (format!("{}-done", case.topic), format!("{}-waits", case.topic));
    commit(&done, "2");
    commit(&waits, "1");
    let dead = format!("%DLQ%{waits}");
    case.make(&dead, 1, "");
    case.send_to(&dead, "dead\n", &["-k", "b"]).expect(0);
    let found = case.query("b", &["--journey"]).expect(0).json();
    assert_eq!(values(&found), BTreeSet::from(["2".to_owned(), "dead".to_owned()]));
    assert_eq!(coverage(&found), "COMPLETE");
    let stops = found["journey"]["stops"].as_array().unwrap();
    assert_eq!(stops[1]["topic"], dead);
    let first = &stops[0];
    assert_eq!(
        (first["before"]["offset"].as_i64(), first["after"]["offset"].as_i64()),
        (Some(0), Some(2))
    );
    let group = |name: &str| {
        first["groups"]
            .as_array()
            .unwrap()
            .iter()
            .find(|g| g["group"] == name)
            .unwrap()
    };
    assert_eq!(
        (&group(&done)["status"], &group(&done)["online"]),
        (&Value::from("consumed"), &Value::from(false))
    );
    let waiting = group(&waits);
    assert_eq!(
        (&waiting["status"], waiting["before"].as_i64(), waiting["lag"].as_i64()),
        (&Value::from("not_yet"), Some(0), Some(2))
    );
    // mqadmin says the same of who reads the topic; asking made no group.
    eventually("mqadmin knows the groups", || {
        let said = case.call(&case.master, 300, &[("topic", &case.topic)], "").unwrap();
        let said = String::from_utf8_lossy(&said).into_owned();
        said.contains(&done) && said.contains(&waits) && !said.contains("TOOLS_CONSUMER")
    });
}
