//! What findings look like, to people and to machines.

#![allow(clippy::unwrap_used)]

use crate::common::Setup;

#[test]
fn full_points_at_the_line() {
    let s = Setup::with(&[(
        "conf/producer.properties",
        "# orders\nbootstrap.servers=a:9092\nacks=0\nenable.idempotence=true\n",
    )]);
    insta::assert_snapshot!(s.run(&["--profile", "logs", "conf/producer.properties"]).stdout, @r#"
    medium[KP001]: acks=0: the producer waits for no broker at all
     --> conf/producer.properties:3:1
      |
    3 | acks=0
      | ^^^^^^ nobody confirms
      |
      = loss: A send counts as done once it is in the socket buffer. A broker that restarts,
              refuses the record or never gets it is not noticed, and there is nothing left to
              retry.
      = fix: acks=all, with min.insync.replicas of 2 or more on the topic
    "#);
}

#[test]
fn full_shows_what_is_absent_what_is_dead_and_where_else() {
    let s = Setup::with(&[(
        "broker.conf",
        "brokerName=a\nbrokerRole=SYNC_MASTER\ntotalReplicas=2\nflushDiskType=SYNC_FLUSH\nflushDiskType=ASYNC_FLUSH\nautoCreateTopicEnable=false\n",
    )]);
    let ran = s.run(&["broker.conf"]);
    insta::assert_snapshot!(ran.stdout, @r#"
    high[RMB003]: SYNC_MASTER with inSyncReplicas=1 (not set; the default) waits for no slave
     --> broker.conf:1:1
      |
     ::: broker.conf:2:1
      |
    2 | brokerRole=SYNC_MASTER
      | ---------------------- asks for a synchronous slave
      |
      = loss: The master acknowledges as soon as inSyncReplicas copies exist, itself included;
              with 1 it waits for nobody. What it acknowledged alone is gone when its disk dies.
      = fix: inSyncReplicas=2 and totalReplicas=2 or more; 4.x ignores both

    medium[RMB001]: flushDiskType is ASYNC_FLUSH
     --> broker.conf:5:1
      |
    5 | flushDiskType=ASYNC_FLUSH
      | ^^^^^^^^^^^^^^^^^^^^^^^^^ acknowledged before it is on disk
      |
     ::: broker.conf:4:1
      |
    4 | flushDiskType=SYNC_FLUSH
      | ------------------------ has no effect: given again on line 5
      |
      = loss: The broker acknowledges when the message is in the page cache. When the host or its
              power fails, what is not yet on disk is gone: half a second of messages on a busy
              broker, up to ten seconds on a quiet one.
      = fix: flushDiskType=SYNC_FLUSH on master and slave, or two in-sync copies on separate
             power
    "#);
    insta::assert_snapshot!(ran.stderr, @r#"
    warning: broker.conf:4: `flushDiskType` is given again on line 5; this value has no effect
    2 findings (1 high, 1 medium), 2 at medium or above; 1 file judged; profile orders, fails on medium or above
    "#);
}

#[test]
fn full_names_the_real_column_of_a_long_line() {
    let users = "{\"name\":\"someone\",\"tags\":\"\"}".to_owned() + &",{\"name\":\"u\",\"tags\":\"\"}".repeat(40);
    let text =
        format!("{{\"users\":[{users}],\"queues\":[{{\"name\":\"orders\",\"vhost\":\"/\",\"durable\":false}}]}}");
    let s = Setup::with(&[("definitions.json", &text)]);
    insta::assert_snapshot!(s.run(&["definitions.json"]).stdout, @r#"
    critical[RQT001]: queue `orders` does not survive a restart
     --> definitions.json:1:1000
      |
    1 | …ame":"u","tags":""}],"queues":[{"name":"orders","vhost":"/","durable":false}]}
      |                                                              ^^^^^^^^^^^^^^^ deleted when the node restarts
      |
      = in: queue `orders` in virtual host `/`
      = loss: A restart of the node deletes the queue with everything in it, persistent messages
              too. Its bindings go with it, so what is published afterwards is dropped as
              unroutable.
      = fix: "durable": true, better with "x-queue-type": "quorum"; an import skips a queue that
             exists, so the broker's own must be replaced
    "#);
}

#[test]
fn json_is_the_contract() {
    let s = Setup::with(&[
        (
            "server.properties",
            "broker.id=0\ndefault.replication.factor=3\nunclean.leader.election.enable = true\nlog.dirs=/srv/kafka\nauto.create.topics.enable=false\nbroker.rack=a\n",
        ),
        ("readme.md", "x"),
        (
            "registry.properties",
            "listeners=http://a\nkafkastore.bootstrap.servers=a\n",
        ),
    ]);
    let ran = s.run(&["--format", "json", "."]);
    assert_eq!(ran.code, 1);
    insta::assert_snapshot!(ran.stdout, @r#"
    {
      "schema": "mqsafe.audit/1",
      "profile": "orders",
      "findings": [
        {
          "rule": "KB002",
          "name": "one-in-sync-replica",
          "severity": "high",
          "file": "server.properties",
          "line": 1,
          "column": 1,
          "subject": null,
          "key": "min.insync.replicas",
          "value": null,
          "message": "acks=all is satisfied by 1 in-sync replica (not set; the default is 1). Followers fall behind or restart, the in-sync set shrinks to the leader, and acks=all still succeeds. When the leader dies then, what it confirmed alone is gone.",
          "fix": "min.insync.replicas=2 with a replication factor of 3",
          "related": [],
          "fingerprint": "002187d328eddc3a"
        },
        {
          "rule": "KB003",
          "name": "unclean-leader-election",
          "severity": "high",
          "file": "server.properties",
          "line": 3,
          "column": 1,
          "subject": null,
          "key": "unclean.leader.election.enable",
          "value": "true",
          "message": "a replica that is behind may become leader. When no in-sync replica is alive, one that is behind becomes leader and the others cut their logs to its length. Records that every in-sync replica had acknowledged are deleted.",
          "fix": "remove the line (the default is false); the partition then waits for a replica that has everything",
          "related": [],
          "fingerprint": "8890792406468eae"
        }
      ],
      "files": [
        {
          "file": "server.properties",
          "dialect": "kafka-broker",
          "component": "kafka"
        }
      ],
      "unrecognised": [
        {
          "file": "registry.properties",
          "reason": "it belongs to a schema registry, which is not judged yet"
        }
      ],
      "errors": [],
      "undecided": [],
      "notes": [],
      "ignored": 0,
      "passed": 0,
      "not_opened": 1
    }
    "#);
}

#[test]
fn json_is_one_object_whatever_happens() {
    let s = Setup::with(&[("x.json", "{\"queues\":1,\"exchanges\":")]);
    for args in [&["x.json"][..], &["missing"], &["."]] {
        let (code, report) = s.json(args);
        assert_eq!(code, 3);
        assert_eq!(report["schema"], "mqsafe.audit/1");
        assert!(!report["errors"].as_array().unwrap().is_empty(), "{args:?}");
    }
    let (_, report) = s.json(&["x.json"]);
    assert_eq!(
        (&report["errors"][0]["line"], &report["errors"][0]["column"]),
        (&1.into(), &25.into())
    );
}

#[test]
fn findings_come_in_the_order_of_path_line_column_and_code() {
    let bad = "acks=1\nretries=0\n";
    let s = Setup::with(&[("b/p.properties", bad), ("a/p.properties", bad), ("c.properties", bad)]);
    let (_, report) = s.json(&["c.properties", "b", "a"]);
    let keys: Vec<String> = report["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| {
            format!(
                "{}:{} {}",
                f["file"].as_str().unwrap(),
                f["line"],
                f["rule"].as_str().unwrap()
            )
        })
        .collect();
    let mut sorted = keys.clone();
    sorted.sort();
    assert_eq!(keys, sorted);
    assert_eq!(keys.len(), 9);
    assert_eq!(s.run(&["."]).stdout, s.run(&["."]).stdout);
}

#[test]
fn colour_only_when_asked_for() {
    let s = Setup::with(&[("p.properties", "acks=1\n")]);
    assert!(!s.run(&["p.properties"]).stdout.contains('\x1b'));
    assert!(s.run(&["p.properties", "--color", "always"]).stdout.contains('\x1b'));
}

#[test]
fn notes_are_told_to_who_asks() {
    let s = Setup::with(&[("p.properties", "acks=all\n")]);
    assert!(!s.run(&["p.properties"]).stderr.contains("kafka-clients"));
    assert!(
        s.run(&["-v", "p.properties"])
            .stderr
            .contains("kafka-clients 2.1 or later")
    );
    let (code, report) = s.json(&["p.properties"]);
    assert_eq!(code, 0);
    assert!(report["notes"].to_string().contains("kafka-clients 3.0.1"));
}
