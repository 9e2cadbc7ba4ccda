//! `verify` on real queues: what waits in the broker, what others wrote, and what a broker forgot that had not written it to disk.

use crate::cluster::{self, Case, Done, eventually, run_script, run_with};
use crate::direct::Direct;
use crate::support;
use mqsafe::model::{Decision, Endpoint, Prepared};
use serde_json::Value;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

fn verify(case: &Case, arguments: &[&str]) -> Done {
    let mut verify = case.mqsafe(&["verify", "--format", "json"]);
    verify
        .args(["-b", &case.connection().url.to_string(), "-t", &case.topic])
        .args(arguments);
    run_with(verify, "")
}

fn total(done: &Done, name: &str) -> u64 {
    done.json()["totals"][name].as_u64().unwrap_or(0)
}

#[test]
fn a_prepared_message_is_no_gap() {
    let Some(case) = cluster::alone("a_prepared_message_is_no_gap", 1) else {
        return;
    };
    // Not given up while the test goes on: five questions are over after as many seconds.
    let _patient = case.configured("transactionCheckMax=1000", "transactionCheckMax=5");
    let direct = Direct::new(&case);
    let mut preparer = direct
        .endpoint
        .preparer(direct.producer(), Box::new(|_| Decision::Open))
        .unwrap()
        .unwrap();
    let prepared: Vec<Prepared> = (1..=3)
        .map(|n| direct.with(n, None, |message| preparer.prepare(message)).unwrap())
        .collect();
    for n in [0, 2] {
        preparer.end(&prepared[n], true);
    }
    eventually("two are there", || case.held() == 2);
    let seen = verify(&case, &[]);
    assert_eq!(
        (seen.code, total(&seen, "gap"), total(&seen, "read")),
        (0, 0, 2),
        "{}",
        seen.err
    );
    let explained = &seen.json()["explained"][0];
    assert_eq!(
        (&explained["what"], &explained["count"]),
        (&"half".into(), &1.into()),
        "{}",
        seen.err
    );
    // What is nowhere stays missing.
    let four = direct.with(5, None, |message| preparer.prepare(message)).unwrap();
    preparer.end(&four, true);
    eventually("three are there", || case.held() == 3);
    let seen = verify(&case, &[]);
    assert_eq!((seen.code, total(&seen, "gap")), (1, 1), "{}", seen.err);
    assert_eq!(seen.json()["lanes"][0]["gaps"], serde_json::json!([[4, 4]]));
}

/// A consumer gives messages back as RocketMQ's own does (`CONSUMER_SEND_MSG_BACK`), and nobody names its group to `verify`.
#[test]
fn what_a_consumer_gave_back_is_set_aside_and_not_missing() {
    let Some(case) = cluster::shared("what_a_consumer_gave_back_is_set_aside_and_not_missing", 1) else {
        return;
    };
    let direct = Direct::new(&case);
    for n in [1, 3, 5, 6] {
        direct.store(&case, n);
    }
    // Two of the messages are not in the topic by now, as when the log that they came with is gone.
    let gone = format!("{}-gone", case.topic);
    case.make(&gone, 1, "");
    let first = case.query("k1", &[]).expect(0).json();
    let unique = first["records"][0]["properties"]["UNIQ_KEY"].as_str().unwrap();
    let unique = |n: u64| format!("{}{n:04}", &unique[..unique.len() - 4]);
    for n in [2, 4] {
        let (stamp, unique) = (direct.stamp(n), unique(n));
        let properties = format!("KEYS\u{1}k{n}\u{2}UNIQ_KEY\u{1}{unique}\u{2}mqsafe-id\u{1}{stamp}\u{2}");
        let now_ms = std::time::UNIX_EPOCH.elapsed().unwrap().as_millis().to_string();
        let fields = [
            ("producerGroup", "somebody"),
            ("topic", &gone),
            ("defaultTopic", "TBW102"),
            ("defaultTopicQueueNums", "1"),
            ("queueId", "0"),
            ("sysFlag", "0"),
            ("bornTimestamp", &now_ms),
            ("flag", "0"),
            ("properties", &properties),
            ("reconsumeTimes", "0"),
            ("unitMode", "false"),
            ("batch", "false"),
        ];
        case.call(&case.master, 10, &fields, "body").unwrap();
    }
    let seen = verify(&case, &[]);
    assert_eq!((seen.code, total(&seen, "gap")), (1, 2), "{}", seen.err);
    // A group reads the topic, and has had both.
    let group = format!("{}-group", case.topic);
    case.call(&case.master, 200, &[], &format!("{{\"groupName\":\"{group}\"}}"))
        .unwrap();
    let fields = [
        ("consumerGroup", group.as_str()),
        ("topic", &case.topic),
        ("queueId", "0"),
        ("commitOffset", "1"),
    ];
    case.call(&case.master, 15, &fields, "").unwrap();
    for (n, level) in [(2_u64, "-1"), (4, "1")] {
        let mut found = Value::Null;
        eventually("it is found by its id", || {
            let done = case.search(&gone, &["--format", "json", "--id", &unique(n)]);
            found = if done.code == 0 { done.json() } else { Value::Null };
            found["records"][0]["properties"]["OFFSET_ID"].is_string()
        });
        let at = found["records"][0]["properties"]["OFFSET_ID"]
            .as_str()
            .unwrap()
            .to_owned();
        // Its last eight bytes are the place in the log.
        let physical = u64::from_str_radix(&at[at.len() - 16..], 16).unwrap().to_string();
        let fields = [
            ("offset", physical.as_str()),
            ("group", &group),
            ("delayLevel", level),
            ("originMsgId", &at),
            ("originTopic", &case.topic),
            ("unitMode", "false"),
            ("maxReconsumeTimes", "16"),
        ];
        case.call(&case.master, 36, &fields, "").unwrap();
    }
    let (retry, dead) = (format!("%RETRY%{group}"), format!("%DLQ%{group}"));
    eventually("the name server knows both", || {
        case.route_of(&retry).is_ok() && case.route_of(&dead).is_ok()
    });
    eventually("both are there", || {
        case.held_in(&retry) == 1 && case.held_in(&dead) == 1
    });
    let seen = verify(&case, &[]);
    assert_eq!(
        (seen.code, total(&seen, "gap"), total(&seen, "read")),
        (0, 0, 4),
        "{}",
        seen.err
    );
    let json = seen.json();
    let explained = |what: &str| {
        let all = json["explained"].as_array().unwrap();
        all.iter().find(|e| e["what"] == what).map(|e| e["count"].clone())
    };
    assert_eq!(explained("dead-letters"), Some(1.into()), "{json}");
    assert_eq!(explained("retry"), Some(1.into()), "{json}");
    // A topic that holds what was given back is read as what it is.
    for topic in [&retry, &dead] {
        let mut of = case.mqsafe(&["verify", "--format", "json"]);
        of.args(["-b", &case.connection().url.to_string(), "-t", topic]);
        let seen = run_with(of, "");
        assert_eq!((seen.code, total(&seen, "gap")), (0, 0), "{}", seen.err);
        assert!(seen.err.contains("what consumers gave"), "{}", seen.err);
    }
    // What is nowhere stays missing.
    direct.store(&case, 8);
    let seen = verify(&case, &[]);
    assert_eq!((seen.code, total(&seen, "gap")), (1, 1), "{}", seen.err);
    assert_eq!(seen.json()["lanes"][0]["gaps"], serde_json::json!([[7, 7]]));
}

#[test]
fn what_mqadmin_wrote_is_counted_and_compared_with_a_list() {
    let Some(case) = cluster::shared("what_mqadmin_wrote_is_counted_and_compared_with_a_list", 1) else {
        return;
    };
    for n in [0, 1, 3] {
        let (key, body) = (format!("order-{n}"), format!("body {n}"));
        // On a busy machine mqadmin gives up early, and one that was sent twice is the same order.
        eventually("mqadmin sends it", || {
            let said = case.mqadmin(&["sendMessage", "-t", &case.topic, "-p", &body, "-k", &key]);
            said.contains("SEND_OK")
        });
    }
    eventually("all are there", || case.held() >= 3);
    for from in ["value:[0-9]+", "key:order-([0-9]+)"] {
        let seen = verify(&case, &["--seq-from", from]);
        assert_eq!(
            (seen.code, total(&seen, "gap"), total(&seen, "moved")),
            (1, 1, 0),
            "{from}: {}",
            seen.err
        );
        // Numbers of others begin with 0.
        assert_eq!(seen.json()["lanes"][0]["gaps"], serde_json::json!([[3, 3]]));
    }
    let list = case.path("orders");
    std::fs::write(&list, "order-0\norder-1\norder-2\norder-3\n").unwrap();
    let seen = verify(&case, &["--expect", list.to_str().unwrap()]);
    let expected = &seen.json()["expected"];
    assert_eq!(
        (seen.code, &expected["missing_ids"], &expected["unexpected"]),
        (1, &serde_json::json!(["order-2"]), &0.into()),
        "{}",
        seen.err
    );
}

/// The files of the master's commit log.
fn commit_log() -> Vec<PathBuf> {
    let out = std::env::var("ROCKETMQ_OUT_MASTER").unwrap();
    let store = Path::new(&out).parent().unwrap().join("store/commitlog");
    let mut files: Vec<PathBuf> = std::fs::read_dir(store)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files
}

/// Cuts the log before the message with this text, as a loss of power does with what was not written.
fn cut_before(text: &str) {
    /// Stands at the fifth byte of each message.
    const MAGIC: [u8; 4] = [0xda, 0xa3, 0x20, 0xa7];
    for path in commit_log() {
        let bytes = std::fs::read(&path).unwrap();
        let Some(at) = bytes.windows(text.len()).position(|w| w == text.as_bytes()) else {
            continue;
        };
        let magic = bytes[..at].windows(4).rposition(|w| w == MAGIC).unwrap();
        let zeros = vec![0; bytes.len() - (magic - 4)];
        let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
        file.write_all_at(&zeros, magic as u64 - 4).unwrap();
        file.sync_all().unwrap();
        return;
    }
    panic!("{text} is not in the log");
}

/// ASYNC_FLUSH: acknowledged from memory, and the machine is gone before it was written. A restart of the broker takes its time.
#[test]
fn what_was_not_flushed_is_lost_and_named() {
    if !support::full() {
        return support::skip("what_was_not_flushed_is_lost_and_named", "needs the long series");
    }
    let Some(case) = cluster::alone("what_was_not_flushed_is_lost_and_named", 1) else {
        return;
    };
    let spool = case.path("spool");
    let lines = |from: usize, count: usize| {
        (from..from + count)
            .map(|n| format!("line-{n:05}.\n"))
            .collect::<String>()
    };
    case.send(&lines(0, 50), &[]).expect(0);
    // Nobody else has what comes now.
    run_script("kill", &["slave"]);
    {
        let weak = "inSyncReplicas=1\nbrokerRole=ASYNC_MASTER\nflushDiskType=ASYNC_FLUSH\n";
        case.call(&case.master, 25, &[], weak).unwrap();
        case.send(&lines(50, 50), &[]).expect(0);
    }
    run_script("kill", &["master"]);
    cut_before("line-00080.");
    run_script("up", &[]);
    eventually("the broker answers", || case.verify().code != 3);
    let seen = verify(&case, &["--journal", spool.to_str().unwrap()]);
    assert_eq!(
        (seen.code, total(&seen, "lost"), total(&seen, "read")),
        (1, 20, 80),
        "{}",
        seen.err
    );
    assert_eq!(seen.json()["lanes"][0]["lost"], serde_json::json!([[81, 100]]));
    // Without the journal nothing is seen of a tail that is gone.
    assert_eq!(total(&verify(&case, &[]), "gap"), 0);
}
