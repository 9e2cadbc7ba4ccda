//! The exit codes of the contract, and the summary that explains each.

use crate::common::Setup;

const GOOD: &str = "bootstrap.servers=a:9092\nkey.serializer=x\nacks=all\nenable.idempotence=true\n";
const HIGH: &str = "bootstrap.servers=a:9092\nkey.serializer=x\nenable.idempotence=true\nretries=3\n";
const MEDIUM: &str = "bootstrap.servers=a:9092\nkey.serializer=x\nenable.idempotence=false\n";
const LOW: &str = "brokerName=a\nbrokerRole=SYNC_MASTER\ninSyncReplicas=2\nautoCreateTopicEnable=false\n";

fn setup() -> Setup {
    Setup::with(&[
        ("good.properties", GOOD),
        ("high.properties", HIGH),
        ("medium.properties", MEDIUM),
        ("low.conf", LOW),
        ("role.properties", "bootstrap.servers=a:9092\n"),
        ("notes.txt", "milk\neggs\n"),
        ("broken.json", "{\"queues\": [\n  {\"name\": ],\n\"exchanges\": []}"),
    ])
}

#[test]
fn clean_findings_and_what_is_below_the_line() {
    let s = setup();
    for (args, code) in [
        (&["good.properties"][..], 0),
        (&["high.properties"], 1),
        (&["medium.properties"], 1),
        (&["medium.properties", "--fail-on", "high"], 0),
        (&["high.properties", "--fail-on", "critical"], 0),
        (&["low.conf"], 0),
        (&["low.conf", "--fail-on", "low"], 1),
        (&["good.properties", "high.properties"], 1),
        (&["."], 1),
    ] {
        assert_eq!(s.run(args).code, code, "{args:?}");
    }
}

#[test]
fn unknown_is_never_clean() {
    let s = setup();
    for args in [
        &["missing.properties"][..],
        &["notes.txt"],
        &["good.properties", "notes.txt"],
        &["role.properties"],
        &["broken.json"],
        &["good.properties", "missing.properties"],
    ] {
        let ran = s.run(args);
        assert_eq!(ran.code, 3, "{args:?}: {}", ran.stderr);
        assert!(!ran.stderr.contains("clean"), "{args:?}: {}", ran.stderr);
    }
    s.write("empty/readme.md", b"x");
    assert_eq!(s.run(&["empty"]).code, 3);
}

#[test]
fn a_finding_is_louder_than_what_is_unknown() {
    let s = setup();
    assert_eq!(s.run(&["high.properties", "missing.properties"]).code, 1);
    assert_eq!(s.run(&["high.properties", "broken.json", "role.properties"]).code, 1);
    assert_eq!(s.run(&["low.conf", "missing.properties"]).code, 3);
}

#[test]
fn usage_errors_do_nothing() {
    let s = setup();
    s.write("bad.yaml", b"rules: {KP999: low}\n");
    for args in [
        &["high.properties", "--profile", "nothing"][..],
        &["high.properties", "--profile", "missing.yaml"],
        &["high.properties", "--profile", "bad.yaml"],
        &["high.properties", "--fail-on", "severe"],
        &["high.properties", "--format", "xml"],
        &["high.properties", "--dialect", "kafka"],
        &[".", "--dialect", "kafka-broker"],
        &["--explain", "KP999"],
        &[],
    ] {
        let ran = s.run(args);
        assert_eq!(ran.code, 2, "{args:?}");
        assert_eq!(ran.stdout, "", "{args:?}");
    }
    assert!(s.run(&["x", "--profile", "bad.yaml"]).stderr.contains("KP999"));
}

#[test]
fn the_summary_names_the_profile_and_the_line() {
    let s = setup();
    insta::assert_snapshot!(s.run(&["good.properties"]).stderr, @"clean; 1 file judged; profile orders, fails on medium or above");
    insta::assert_snapshot!(s.run(&["low.conf", "--profile", "orders"]).stderr, @"passed: 1 finding (1 low); 1 file judged; profile orders, fails on medium or above");
    insta::assert_snapshot!(s.run(&["-q", "high.properties", "--profile", "finance", "--fail-on", "high"]).stderr, @"2 findings (1 critical, 1 medium), 1 at high or above; 1 file judged; profile finance, fails on high or above");
    insta::assert_snapshot!(s.run(&["role.properties", "notes.txt", "broken.json", "missing.properties"]).stderr, @r#"
    warning: role.properties: not decided: nothing in the file tells whether a producer or a consumer reads it (KC001, KC002, KC003, KC005, KC006, KP001, KP002, KP003, KP004, KP005, KP006, KP007, KP008, KP009)
    warning: notes.txt: not judged: no key in it tells a Kafka, RabbitMQ or RocketMQ configuration
    error: cannot read broken.json:2:12
      caused by: unexpected close bracket
      next: correct the file there; nothing in it was judged
    error: cannot read missing.properties
      caused by: No such file or directory (os error 2)
    unknown: no finding, but not everything could be judged; 1 file judged, 1 not judged, 2 not readable, 14 undecided; profile orders, fails on medium or above
    "#);
    assert_eq!(s.run(&["-qq", "high.properties"]).stderr, "");
}

#[test]
fn profiles_change_the_verdict() {
    let s = Setup::with(&[
        ("p.properties", "acks=1\nenable.idempotence=true\n"),
        ("mine.yaml", "extends: logs\nrules:\n  KP001: high\n"),
    ]);
    for (profile, code) in [
        ("finance", 1),
        ("orders", 1),
        ("logs", 0),
        ("mine.yaml", 1),
        ("./mine.yaml", 1),
    ] {
        assert_eq!(s.run(&["p.properties", "--profile", profile]).code, code, "{profile}");
    }
    let from_env = s.command(&["p.properties"]).env("MQSAFE_PROFILE", "logs").output();
    assert_eq!(from_env.map(|o| o.status.code()).ok().flatten(), Some(0));
}

#[cfg(unix)]
#[test]
fn a_closed_stdout_changes_nothing() {
    use std::process::{Command, Stdio};
    let s = setup();
    let binary = assert_cmd::cargo::cargo_bin!("mqsafe");
    for file in ["high.properties", "good.properties"] {
        for format in ["full", "json"] {
            let expected = s.run(&[file, "--format", format]).code;
            let (reader, writer) = std::io::pipe().unwrap_or_else(|e| panic!("{e}"));
            drop(reader);
            let output = Command::new(binary)
                .args(["audit", file, "--format", format])
                .current_dir(s.path())
                .stdout(Stdio::from(writer))
                .stderr(Stdio::piped())
                .output()
                .unwrap_or_else(|e| panic!("{e}"));
            assert_eq!(output.status.code(), Some(expected), "{file} {format}");
            assert!(
                !String::from_utf8_lossy(&output.stderr).contains("rror"),
                "{file} {format}"
            );
        }
    }
}

#[cfg(unix)]
#[test]
fn what_may_not_be_read_is_named() {
    use std::os::unix::fs::PermissionsExt;
    let s = setup();
    let path = s.path().join("good.properties");
    let Ok(()) = std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o000)) else {
        return;
    };
    if std::fs::read(&path).is_ok() {
        return; // the super-user reads everything
    }
    let ran = s.run(&["good.properties"]);
    assert_eq!(ran.code, 3);
    assert!(ran.stderr.contains("good.properties"), "{}", ran.stderr);
}
