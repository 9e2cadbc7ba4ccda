//! A hundred thousand lines with every kind of key, while a node is killed and comes back; and a node killed under `verify`.

use crate::cluster::{self, Cluster, Seen};
use crate::tool::{self, Case, Receipts, Verified};
use std::collections::HashMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Lines with a key (text, not UTF-8, empty: in turns), and lines without one.
const KEYED: usize = 75_000;
const KEYLESS: usize = 25_000;
const PARTS: usize = 50;
const PLANTED: &str = "planted-key-4711";
const PLANTED_BINARY: &[u8] = b"\xff\xfeplanted\x80";

type Ledger = HashMap<(Option<Vec<u8>>, Vec<u8>), usize>;

fn keyed(n: usize) -> (Vec<u8>, Vec<u8>) {
    let key = match n % 3 {
        0 if n == 33_333 => PLANTED.as_bytes().to_vec(),
        0 => format!("key-{n}").into_bytes(),
        1 if n == 33_334 => PLANTED_BINARY.to_vec(),
        1 => [b"\xff\xfe\x00\x80".as_slice(), &(n as u32).to_be_bytes()]
            .concat()
            .iter()
            .map(|b| if matches!(b, b'\n' | b':') { 0xf7 } else { *b })
            .collect(),
        _ => Vec::new(),
    };
    (key, format!("keyed {n} \u{17c}\u{f3}\u{142}w").into_bytes())
}

fn keyless(n: usize) -> Vec<u8> {
    let mut line = format!("keyless {n} ").into_bytes();
    line.extend([0x80, 0x00, 0xff, b':', b'=']);
    line
}

/// Feeds a run part by part, so that it lasts as long as what happens to the cluster meanwhile; the last parts wait until it did.
fn feed(command: Command, lines: &[Vec<u8>], pause: Duration, killed: &AtomicBool) -> tool::Done {
    let mut running = tool::start(command);
    for (n, part) in lines.chunks(lines.len().div_ceil(PARTS)).enumerate() {
        let began = Instant::now();
        while n >= PARTS / 2 && !killed.load(Ordering::Relaxed) {
            assert!(began.elapsed() < Duration::from_secs(120), "the node was never killed");
            thread::sleep(Duration::from_millis(20));
        }
        let mut text = part.join(&b'\n');
        text.push(b'\n');
        running.feed(&text);
        thread::sleep(pause);
    }
    running.close();
    running.wait()
}

#[test]
fn every_line_of_a_hundred_thousand_is_there_while_a_node_is_killed_and_comes_back() {
    let test = "every_line_of_a_hundred_thousand_is_there_while_a_node_is_killed_and_comes_back";
    let Some(cluster) = cluster::alone(test) else { return };
    let case = Case::new(&cluster, "ledger", 3);
    let mut ledger = Ledger::new();
    let mut keyed_lines = Vec::new();
    for n in 0..KEYED {
        let (key, value) = keyed(n);
        keyed_lines.push([key.as_slice(), b":", &value].concat());
        *ledger.entry((Some(key), value)).or_default() += 1;
    }
    let keyless_lines: Vec<Vec<u8>> = (0..KEYLESS).map(keyless).collect();
    for line in &keyless_lines {
        *ledger.entry((None, line.clone())).or_default() += 1;
    }

    let node = cluster.await_leader(&case.topic, 0).to_string();
    let receipts = [case.path("keyed.jsonl"), case.path("keyless.jsonl")];
    let mut with_keys = case.send_with("spool", &["-K", ":"]);
    with_keys.arg("--receipts").arg(&receipts[0]);
    let mut without = case.send_with("other-spool", &[]);
    without.arg("--receipts").arg(&receipts[1]);
    let pause = Duration::from_millis(120);
    let killed = AtomicBool::new(false);
    let killed = &killed;
    thread::scope(|scope| {
        let runs = [
            scope.spawn(move || feed(with_keys, &keyed_lines, pause, killed)),
            scope.spawn(move || feed(without, &keyless_lines, pause, killed)),
        ];
        thread::sleep(pause * PARTS as u32 / 3);
        cluster.script("kill", &["kafka", &node]);
        assert!(runs.iter().all(|r| !r.is_finished()), "the node was killed too late");
        killed.store(true, Ordering::Relaxed);
        thread::sleep(Duration::from_secs(1));
        cluster.script("restart", &["kafka", &node]);
        for run in runs {
            run.join().unwrap().expect(0);
        }
    });

    let seen = cluster.read(&case.topic);
    all_there(&ledger, &seen);
    where_the_receipts_say(&receipts.map(|path| Receipts::read(&path)), &seen);
    as_many_says_kafkas_own_consumer(&cluster, &case.topic, &seen);

    let verified = case.verify(&[]);
    verified.expect_clean(seen.len() as u64);
    assert_eq!(verified.total("duplicate"), (seen.len() - KEYED - KEYLESS) as u64);

    let found = tool::run(case.query(&["--format", "json", PLANTED])).expect(0).json();
    let planted: Vec<&Seen> = seen
        .iter()
        .filter(|s| s.key.as_deref() == Some(PLANTED.as_bytes()))
        .collect();
    assert_eq!(found["found"].as_u64().unwrap(), planted.len() as u64);
    assert_eq!(found["records"][0]["partition"], planted[0].partition);
    assert_eq!(found["records"][0]["offset"], planted[0].offset);
    assert_eq!(
        found["records"][0]["value"].as_str().unwrap().as_bytes(),
        planted[0].value
    );
    let mut binary = case.query(&[]);
    binary.arg(OsStr::from_bytes(PLANTED_BINARY));
    let found = tool::run(binary).expect(0);
    assert!(
        found.stderr.contains(r"key \xff\xfeplanted\x80: found 1"),
        "{}",
        found.stderr
    );
    let absent = tool::run(case.query(&["--format", "json", "planted-key-471"]))
        .expect(1)
        .json();
    assert_eq!((&absent["found"], &absent["coverage"]), (&0.into(), &"COMPLETE".into()));

    a_leader_killed_under_verify(&cluster, &case, seen.len() as u64);
}

fn all_there(ledger: &Ledger, seen: &[Seen]) {
    let mut read = Ledger::new();
    for record in seen {
        *read.entry((record.key.clone(), record.value.clone())).or_default() += 1;
    }
    let missing: Vec<_> = ledger.iter().filter(|(line, n)| read.get(*line) < Some(n)).collect();
    assert!(
        missing.is_empty(),
        "{} missing, such as {:?}",
        missing.len(),
        missing[0]
    );
    let strange: Vec<_> = read.keys().filter(|line| !ledger.contains_key(*line)).collect();
    assert!(
        strange.is_empty(),
        "{} of no line, such as {:?}",
        strange.len(),
        strange[0]
    );
    // A line may be there twice only under one number.
    let mut ids: HashMap<&[u8], &str> = HashMap::new();
    for record in seen {
        let id = record.id.as_deref().unwrap();
        assert_eq!(*ids.entry(&record.value).or_insert(id), id);
    }
}

/// A receipt is a promise about a place: the record there is the one with that id.
fn where_the_receipts_say(receipts: &[Receipts], seen: &[Seen]) {
    let at: HashMap<(i64, i64), &Seen> = seen.iter().map(|s| ((s.partition.into(), s.offset), s)).collect();
    for (receipts, lines) in receipts.iter().zip([KEYED, KEYLESS]) {
        assert_eq!(receipts.count("stored"), lines as u64, "{}", receipts.summary);
        assert_eq!(receipts.lines(), (1..=lines as u64).collect::<Vec<_>>());
        for receipt in &receipts.each {
            let id = &receipt["id"];
            let id = format!(
                "{} {} {}",
                id["seq"],
                id["producer"].as_str().unwrap(),
                id["lane"].as_str().unwrap()
            );
            // The acknowledgement of a message that was there already tells no offset.
            if let Some(offset) = receipt["offset"].as_i64() {
                let record = at[&(receipt["partition"].as_i64().unwrap(), offset)];
                assert_eq!(record.id.as_ref(), Some(&id), "{receipt}");
            }
        }
    }
}

fn as_many_says_kafkas_own_consumer(cluster: &Cluster, topic: &str, seen: &[Seen]) {
    let count = seen.len().to_string();
    let arguments = [
        "org.apache.kafka.tools.consumer.ConsoleConsumer",
        "--bootstrap-server",
        cluster.bootstrap(),
        "--topic",
        topic,
        "--from-beginning",
        "--max-messages",
        &count,
        "--timeout-ms",
        "120000",
    ];
    let read = cluster.script("kafka-tool", &arguments).stdout;
    let mut values: Vec<&[u8]> = read.split(|b| *b == b'\n').collect();
    assert_eq!(values.pop(), Some(&b""[..]));
    let mut expected: Vec<&[u8]> = seen.iter().map(|s| s.value.as_slice()).collect();
    values.sort_unstable();
    expected.sort_unstable();
    assert!(
        values == expected,
        "{} values, where kcat has {}",
        values.len(),
        expected.len()
    );
}

/// Either all was read from the new leader, or `verify` says that it was not. Nothing else.
fn a_leader_killed_under_verify(cluster: &Cluster, case: &Case<'_>, stamped: u64) {
    // A leader that falls silent first: the reading outlasts the kill.
    let node = cluster.await_leader(&case.topic, 0).to_string();
    cluster.script("stop", &["kafka", &node]);
    let mut running = tool::start(case.verify_command(&[]));
    thread::sleep(Duration::from_millis(1500));
    assert!(!running.is_over(), "verify was done before the kill");
    cluster.script("kill", &["kafka", &node]);
    assert!(!running.is_over(), "verify was done before the kill");
    let verified = Verified::from(running.wait());
    println!("a leader killed under verify: {}", verified.coverage());
    if verified.coverage() == "COMPLETE" {
        verified.expect_clean(stamped);
    } else {
        assert!(verified.coverage().starts_with("PARTIAL"), "{}", verified.coverage());
        assert_eq!((verified.code, verified.total("gap")), (3, 0));
    }
}
