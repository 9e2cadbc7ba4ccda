//! What others wrote is found, and an index that lies by omission is never believed when it finds nothing.

use crate::cluster::{self, Case, disturb, eventually, script};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

fn values(answer: &Value) -> BTreeSet<&str> {
    let records = answer["records"].as_array().unwrap();
    let values: BTreeSet<&str> = records.iter().map(|r| r["value"].as_str().unwrap()).collect();
    assert_eq!(values.len(), records.len(), "one is there twice");
    values
}

fn coverage(answer: &Value) -> &str {
    answer["coverage"].as_str().unwrap()
}

/// More than are read without asking the index.
fn fill(case: &Case) {
    let arguments = ["--template", "filler {seq}", "--count", "6000"];
    assert!(case.send("", &arguments).expect(0).err.contains("stored 6000"));
}

/// Runs a Java program of this directory with RocketMQ's own client, and gives what it printed.
fn java(case: &Case, program: &str, arguments: &[&str]) -> String {
    let output = java_command(case, program, arguments).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    String::from_utf8(output.stdout).unwrap()
}

/// A Java program of this directory, with RocketMQ's own client.
pub(crate) fn java_command(case: &Case, program: &str, arguments: &[&str]) -> Command {
    let jars = std::env::var("ROCKETMQ_JARS").unwrap();
    let lib = script("lib.sh");
    let found = Command::new("bash")
        .args(["-c", ". \"$1\"; find_java && printf %s \"$JAVA\"", "java"])
        .arg(lib)
        .output()
        .unwrap();
    let java = String::from_utf8(found.stdout).unwrap();
    assert!(!java.is_empty(), "{}", String::from_utf8_lossy(&found.stderr));
    std::fs::write(
        case.path("logback.xml"),
        "<configuration><root level=\"OFF\"/></configuration>",
    )
    .unwrap();
    let source = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/rocketmq")
        .join(program);
    let mut command = Command::new(java);
    command
        .args(["-Xmx128m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"])
        .arg(format!("-Duser.home={}", case.path("").display()))
        .arg(format!(
            "-Drmq.logback.configurationFile={}",
            case.path("logback.xml").display()
        ))
        .args(["-cp", &format!("{jars}/*")])
        .arg(source)
        .args(arguments);
    command
}

#[test]
fn what_a_java_producer_wrote_is_found_by_key_and_by_id() {
    let Some(case) = cluster::shared("what_a_java_producer_wrote_is_found_by_key_and_by_id", 2) else {
        return;
    };
    // Enough that the index is asked, and trusted with what it finds.
    fill(&case);
    let printed = java(&case, "Put.java", &[case.name_server(), &case.topic]);
    let ids: Vec<(&str, &str)> = printed.lines().filter_map(|line| line.split_once(' ')).collect();
    assert_eq!(ids.len(), 3, "{printed}");
    let large = "large ".repeat(2000);
    eventually("the index knows the last of them", || {
        !case.indexed(&case.topic, "java-hot").is_empty()
    });
    for arguments in [&[][..], &["--exhaustive"], &["--index-only"]] {
        for (key, value) in [
            ("java-one", "one"),
            ("java-a", "two"),
            ("java-b", "two"),
            ("java-large", &large),
        ] {
            let found = case.query(key, arguments).expect(0).json();
            assert_eq!(values(&found), BTreeSet::from([value]), "{key} {arguments:?}");
        }
        let hot = case.query("java-hot", arguments).expect(0).json();
        assert_eq!(values(&hot).len(), 100, "{arguments:?}: {}", hot["coverage"]);
    }
    let one = case.query("java-one", &["-H", "colour=blue"]).expect(0).json();
    assert_eq!(one["records"][0]["tag"], "red");
    for ((unique, place), value) in ids.iter().zip(["one", "two", &large]) {
        for id in [unique, place] {
            let found = case
                .search(&case.topic, &["--format", "json", "--id", id])
                .expect(0)
                .json();
            assert_eq!(values(&found), BTreeSet::from([value]), "{id}");
        }
    }
    case.query("java-", &[]).expect(1);
    case.query("java-a java-b", &["--exhaustive"]).expect(0);
}

#[test]
fn each_group_stands_as_mqadmin_says() {
    let Some(case) = cluster::shared("each_group_stands_as_mqadmin_says", 1) else {
        return;
    };
    case.send("a:1\nb:2\n", &["-K", ":"]).expect(0);
    let found = case.query("b", &[]).expect(0).json();
    let unique = found["records"][0]["properties"]["UNIQ_KEY"]
        .as_str()
        .unwrap()
        .to_owned();
    let by_id = |format: &str| {
        let words = ["--format", format, "--journey", "--id", &unique];
        case.search(&case.topic, &words).expect(0)
    };
    // Nobody reads it: that is said, and is not the same as nothing.
    let screen = by_id("human").out;
    assert!(
        screen.contains(&format!("{}: no group that this user may see reads it", case.topic)),
        "{screen}"
    );
    let group = format!("{}-group", case.topic);
    case.call(&case.master, 200, &[], &format!("{{\"groupName\":\"{group}\"}}"))
        .unwrap();
    // Its first member would have made it; mqadmin asks there for the members.
    case.make(&format!("%RETRY%{group}"), 1, "");
    let fields = [
        ("consumerGroup", group.as_str()),
        ("topic", &case.topic),
        ("queueId", "0"),
        ("commitOffset", "1"),
    ];
    case.call(&case.master, 15, &fields, "").unwrap();
    let screen = by_id("human").out;
    assert!(
        screen.contains(&format!("group   {group}: NOT YET, 0 before it")) && screen.contains("not online"),
        "{screen}"
    );
    let journey = by_id("json").json();
    let its = &journey["journey"]["stops"][0]["groups"][0];
    assert_eq!(
        (&its["group"], &its["online"]),
        (&Value::from(group.as_str()), &false.into())
    );
    // mqadmin looks at the members first, and says no more of a group that has none.
    eventually("mqadmin tells of the group", || {
        let said = case.mqadmin(&["queryMsgByUniqueKey", "-t", &case.topic, "-i", &unique]);
        said.contains(&format!("consumerGroup={group}")) && said.contains("NOT_ONLINE")
    });
}

/// The only file of the master's index of keys.
fn index_of_master() -> PathBuf {
    let log = std::env::var("ROCKETMQ_OUT_MASTER").unwrap();
    let directory = Path::new(&log).parent().unwrap().join("store/index");
    let files = std::fs::read_dir(directory).unwrap().map(|file| file.unwrap().path());
    // The newest: its name is a time.
    files.max().unwrap()
}

const SLOTS: usize = 50_000;
const HEAD: usize = 40;
const ENTRY: usize = 20;

/// Where the entries of an index file lie (`IndexFile`): after a head and the slots, 20 bytes each; the first is number 1.
fn entries(file: &[u8]) -> std::ops::Range<usize> {
    let count = u32::from_be_bytes(file[36..40].try_into().unwrap()) as usize;
    let first = HEAD + SLOTS * 4;
    first + ENTRY..first + count * ENTRY
}

/// Takes entries out of the index as if their page had never come to the disk, and makes the checkpoint say that it had: so a
/// broker keeps the file after a hard end, instead of writing it anew from the messages that it reads again.
fn make_hole(places: &[u64]) {
    let path = index_of_master();
    let mut file = std::fs::read(&path).unwrap();
    let mut taken = 0;
    for entry in entries(&file).step_by(ENTRY) {
        let place = u64::from_be_bytes(file[entry + 4..entry + 12].try_into().unwrap());
        if places.contains(&place) {
            file[entry..entry + ENTRY].fill(0);
            taken += 1;
        }
    }
    // One entry by its key, and one by its unique key.
    assert_eq!(taken, 2 * places.len(), "the hole is not there");
    std::fs::write(&path, file).unwrap();
    let checkpoint = path.parent().unwrap().with_file_name("checkpoint");
    let mut times = std::fs::read(&checkpoint).unwrap();
    let late = u64::MAX >> 1;
    times[16..24].copy_from_slice(&late.to_be_bytes());
    std::fs::write(&checkpoint, times).unwrap();
}

/// The place in the commit log, which is the end of an offset id.
fn place_of(case: &Case, value: &str) -> u64 {
    let found = case
        .search(&case.topic, &["--format", "json", "--value-contains", value])
        .expect(0)
        .json();
    let unique = found["records"][0]["properties"]["UNIQ_KEY"]
        .as_str()
        .unwrap()
        .to_owned();
    let found = case
        .search(&case.topic, &["--format", "json", "--id", &unique])
        .expect(0)
        .json();
    let id = found["records"][0]["properties"]["OFFSET_ID"].as_str().unwrap();
    u64::from_str_radix(&id[16..], 16).unwrap()
}

#[test]
fn with_the_master_dead_nothing_is_called_absent() {
    let Some(case) = cluster::alone("with_the_master_dead_nothing_is_called_absent", 1) else {
        return;
    };
    fill(&case);
    // One that is alone, and several of one key, of which the index will know some only. The last message is indexed again.
    case.send("alone\n", &["-k", "alone"]).expect(0);
    case.send("first\nmiddle\nsecond\n", &["-k", "several"]).expect(0);
    // What was stored shortly before the last entry of an index is read in any case.
    std::thread::sleep(Duration::from_millis(2500));
    case.send("late\n", &["-k", "late"]).expect(0);
    eventually("the index knows the last one", || {
        !case.indexed(&case.topic, "late").is_empty()
    });
    let places = ["middle", "alone"].map(|value| place_of(&case, value));
    {
        let _killed = disturb("kill", &["master"]);
        for arguments in [&[][..], &["--index-only"], &["--exhaustive"], &["--since", "-1h"]] {
            let query = case.query("absent", arguments).expect(3);
            assert!(coverage(&query.json()).starts_with("PARTIAL"), "{query:?}");
        }
        make_hole(&places);
    }
    eventually("the master reads again", || {
        let found = case.query("several", &["--exhaustive"]);
        found.code == 0 && coverage(&found.json()) == "COMPLETE"
    });
    // The hole is real: the message is there, and the index has not got it.
    assert!(
        case.indexed(&case.topic, "alone").is_empty(),
        "the broker has mended its index"
    );
    let assumed = "COMPLETE-IF the brokers' indexes of keys have no hole";
    // What the index does not know is read.
    let alone = case.query("alone", &[]).expect(0).json();
    assert_eq!(
        (values(&alone), coverage(&alone)),
        (BTreeSet::from(["alone"]), "COMPLETE")
    );
    // The index alone proves nothing.
    let missed = case.query("alone", &["--index-only"]).expect(3).json();
    assert_eq!((missed["found"].as_u64(), coverage(&missed)), (Some(0), assumed));
    // Where it knows some, that these are all is only promised under a condition that is named, and --exhaustive finds it.
    let some = case.query("several", &["--index-only"]).expect(0).json();
    assert_eq!((values(&some), coverage(&some)), (BTreeSet::from(["second"]), assumed));
    let some = case.query("several", &[]).expect(0).json();
    assert!(values(&some).contains("second") && coverage(&some) == assumed, "{some}");
    let all = case.query("several", &["--exhaustive"]).expect(0).json();
    assert_eq!(
        (values(&all), coverage(&all)),
        (BTreeSet::from(["first", "middle", "second"]), "COMPLETE")
    );
    let absent = case.query("absent", &[]).expect(1).json();
    assert_eq!(coverage(&absent), "COMPLETE");
}
