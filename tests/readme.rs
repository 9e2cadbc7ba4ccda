//! The console blocks of the README are run, in order, in one directory, and must print what they show.
//!
//! `...` stands for any lines and `[..]` for anything within a line. Blocks that talk to `localhost:9092` need a real cluster
//! (`KAFKA_BOOTSTRAP`), which takes that name's place.
#![cfg(feature = "kafka")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod support;

use std::path::Path;
use std::process::Command;

/// One command of a console block and the lines that it must print.
#[derive(Debug, Default)]
struct Step {
    command: String,
    shown: Vec<String>,
}

fn console_blocks(readme: &str) -> Vec<Vec<Step>> {
    let mut blocks = Vec::new();
    let mut open: Option<Vec<Step>> = None;
    for line in readme.lines() {
        match (&mut open, line) {
            (None, "```console") => open = Some(Vec::new()),
            (Some(_), "```") => blocks.extend(open.take()),
            (Some(steps), line) => match (line.strip_prefix("$ "), steps.last_mut()) {
                (Some(command), _) => steps.push(Step {
                    command: command.to_owned(),
                    shown: Vec::new(),
                }),
                (None, Some(step)) => step.shown.push(line.to_owned()),
                (None, None) => panic!("a console block begins with output: {line}"),
            },
            (None, _) => {}
        }
    }
    blocks
}

/// Whether a printed line is what a shown line says.
fn line_matches(shown: &str, printed: &str) -> bool {
    let mut rest = printed.trim_end();
    let mut parts = shown.trim_end().split("[..]").peekable();
    let Some(first) = parts.next() else {
        return rest.is_empty();
    };
    let Some(after) = rest.strip_prefix(first) else {
        return false;
    };
    rest = after;
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    true
}

/// Whether the printed lines are what the shown lines say.
fn lines_match(shown: &[String], printed: &[&str]) -> bool {
    match shown.split_first() {
        None => printed.is_empty(),
        Some((dots, rest)) if dots == "..." => (0..=printed.len()).any(|skip| lines_match(rest, &printed[skip..])),
        Some((line, rest)) => printed
            .split_first()
            .is_some_and(|(p, after)| line_matches(line, p) && lines_match(rest, after)),
    }
}

fn run(step: &Step, dir: &Path, broker: Option<&str>, last: &mut i32) -> Option<String> {
    if step.command == "echo $?" {
        return (step.shown != [last.to_string()]).then(|| format!("exit {last}, and {:?} is shown", step.shown));
    }
    let binary = Path::new(env!("CARGO_BIN_EXE_mqsafe"));
    let path = format!(
        "{}:{}",
        binary.parent().unwrap().display(),
        std::env::var("PATH").unwrap()
    );
    let topic = "-t orders";
    let command = step
        .command
        .replace("kafka://localhost:9092", broker.unwrap_or("kafka://localhost:9092"));
    let command = command.replace(topic, &format!("-t {}", topic_of(dir)));
    let output = Command::new("bash")
        .args(["-c", &format!("{command} 2>&1")])
        .current_dir(dir)
        .env_clear()
        .envs([
            ("PATH", path.as_str()),
            ("HOME", dir.to_str().unwrap()),
            ("COLUMNS", "120"),
            ("LANG", "C.UTF-8"),
        ])
        .output()
        .unwrap();
    *last = output.status.code().unwrap_or(-1);
    let printed = String::from_utf8_lossy(&output.stdout).replace(&topic_of(dir), "orders");
    let lines: Vec<&str> = printed.lines().collect();
    (!lines_match(&step.shown, &lines)).then(|| format!("it printed (exit {last})\n{printed}"))
}

fn create_topic(broker: &str, topic: &str) {
    let tool = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/brokers/kafka-tool");
    let mut create = Command::new(tool);
    create.args([
        "org.apache.kafka.tools.TopicCommand",
        "--bootstrap-server",
        broker,
        "--create",
        "--partitions",
        "3",
    ]);
    let output = create.args(["--topic", topic]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// A topic of this run's own, so that counts are those of the README.
fn topic_of(dir: &Path) -> String {
    format!(
        "readme{}",
        dir.file_name()
            .unwrap()
            .to_string_lossy()
            .replace(|c: char| !c.is_ascii_alphanumeric(), "")
    )
}

#[test]
fn console_blocks_print_what_they_show() {
    let readme = include_str!("../README.md");
    let dir = tempfile::tempdir().unwrap();
    let properties = "bootstrap.servers=localhost:9092\nkey.serializer=org.apache.kafka.common.serialization.StringSerializer\nacks=1\n";
    std::fs::write(dir.path().join("producer.properties"), properties).unwrap();
    let broker = support::kafka("readme: blocks that talk to a broker");
    if let Some(broker) = &broker {
        create_topic(broker, &topic_of(dir.path()));
    }
    let (mut last, mut ran, mut wrong) = (0, 0, Vec::new());
    for block in console_blocks(readme) {
        let needs_broker = block.iter().any(|step| step.command.contains("kafka://localhost:9092"));
        if needs_broker && broker.is_none() {
            continue;
        }
        for step in &block {
            ran += 1;
            if let Some(what) = run(step, dir.path(), broker.as_deref(), &mut last) {
                wrong.push(format!("$ {}\n{what}", step.command));
            }
        }
    }
    assert!(ran >= 5, "the README has console blocks");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_matcher_finds_a_planted_difference() {
    let shown = |lines: &[&str]| lines.iter().map(|l| (*l).to_owned()).collect::<Vec<_>>();
    assert!(lines_match(
        &shown(&["a [..] c", "...", "z"]),
        &["a b c", "x", "y", "z"]
    ));
    assert!(lines_match(&shown(&["...", "z"]), &["z"]));
    assert!(!lines_match(&shown(&["a [..] c"]), &["a b d"]));
    assert!(!lines_match(&shown(&["a"]), &["a", "b"]));
    assert!(!lines_match(&shown(&["a", "b"]), &["a"]));
    assert!(!lines_match(&shown(&["lost 0"]), &["lost 01"]));
}
