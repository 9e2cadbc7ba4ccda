//! Variables that a compose file takes from files beside it are its containers' settings.

#![allow(clippy::unwrap_used)]

use crate::common::Setup;

/// What is found, as `CODE file:line`.
fn found(s: &Setup, args: &[&str]) -> Vec<String> {
    let (_, report) = s.json(args);
    let findings = report["findings"].as_array().unwrap();
    findings
        .iter()
        .map(|f| {
            format!(
                "{} {}:{}",
                f["rule"].as_str().unwrap(),
                f["file"].as_str().unwrap(),
                f["line"]
            )
        })
        .collect()
}

/// Three brokers whose settings but these lines stand in a file.
fn compose(env_file: &str, environment: &str) -> String {
    let broker = |n: usize| {
        format!(
            "  kafka-{n}:\n    image: apache/kafka:4.1.0\n    env_file: {env_file}\n    environment:\n      KAFKA_NODE_ID: {n}\n{environment}    \
             volumes:\n      - data-{n}:/var/lib/kafka/data\n"
        )
    };
    format!(
        "services:\n{}{}{}volumes:\n  data-1:\n  data-2:\n  data-3:\n",
        broker(1),
        broker(2),
        broker(3)
    )
}

const SAFE: &str = "KAFKA_DEFAULT_REPLICATION_FACTOR=3\nKAFKA_MIN_INSYNC_REPLICAS=2\nKAFKA_AUTO_CREATE_TOPICS_ENABLE=false\n\
                    KAFKA_BROKER_RACK=a\nKAFKA_LOG_DIRS=/var/lib/kafka/data\n";

#[test]
fn what_a_file_says_is_the_containers_and_is_shown_where_it_stands() {
    let s = Setup::with(&[
        ("deploy/docker-compose.yml", &compose("kafka.env", "")),
        (
            "deploy/kafka.env",
            &format!("# all brokers\n{SAFE}KAFKA_UNCLEAN_LEADER_ELECTION_ENABLE=true\n"),
        ),
    ]);
    let here = "KB003 deploy/kafka.env:7";
    assert_eq!(found(&s, &["deploy/docker-compose.yml"]), [here]);
    // In a walk the file is met by itself too, and is told of once all the same.
    assert_eq!(found(&s, &["."]), [here]);
    let shown = s.run(&["deploy/docker-compose.yml"]).stdout;
    assert!(shown.contains("KAFKA_UNCLEAN_LEADER_ELECTION_ENABLE=true"), "{shown}");
}

#[test]
fn the_service_itself_wins_and_then_the_later_file() {
    let bad = SAFE.replace("REPLICAS=2", "REPLICAS=1");
    let in_order = |first: &str, second: &str, own: &str| {
        let files = "\n      - path: a.env\n        required: true\n      - ./b.env";
        let s = Setup::with(&[
            ("docker-compose.yml", &compose(files, own)),
            ("a.env", first),
            ("b.env", second),
        ]);
        found(&s, &["docker-compose.yml"])
    };
    assert_eq!(in_order(SAFE, &bad, ""), ["KB002 b.env:2"]);
    assert_eq!(in_order(&bad, SAFE, ""), Vec::<String>::new());
    assert_eq!(
        in_order(SAFE, &bad, "      KAFKA_MIN_INSYNC_REPLICAS: 2\n"),
        Vec::<String>::new()
    );
}

#[test]
fn a_file_that_is_not_there_may_hold_anything() {
    let s = Setup::with(&[("docker-compose.yml", &compose("kafka.env", ""))]);
    assert_eq!(found(&s, &["docker-compose.yml"]), Vec::<String>::new());
    let outside = Setup::with(&[("docker-compose.yml", &compose("/etc/kafka.env", ""))]);
    assert_eq!(found(&outside, &["docker-compose.yml"]), Vec::<String>::new());
    // Canary: the same without the file says what is missing.
    let none = Setup::with(&[(
        "docker-compose.yml",
        &compose("kafka.env", "").replace("    env_file: kafka.env\n", ""),
    )]);
    assert!(!found(&none, &["docker-compose.yml"]).is_empty());
}

#[test]
fn the_directory_above_and_a_comment_that_silences_are_heeded() {
    let unclean = format!("{SAFE}# mqsafe: ignore[KB003] a laptop\nKAFKA_UNCLEAN_LEADER_ELECTION_ENABLE=true\n");
    let s = Setup::with(&[
        ("a/docker-compose.yml", &compose("../common.env", "")),
        ("common.env", &unclean),
    ]);
    let (_, report) = s.json(&["a/docker-compose.yml"]);
    assert_eq!(report["findings"].as_array().unwrap().len(), 0, "{report:#}");
    assert_eq!(report["ignored"], 3);
}

#[test]
fn secrets_of_a_file_are_never_shown() {
    let secret = format!(
        "{SAFE}KAFKA_UNCLEAN_LEADER_ELECTION_ENABLE=true\nKAFKA_SASL_JAAS_CONFIG=PlainLoginModule required password=\"hunter2\";\n\
         KAFKA_SSL_KEYSTORE_PASSWORD=hunter2\n"
    );
    let s = Setup::with(&[
        ("docker-compose.yml", &compose("kafka.env", "")),
        ("kafka.env", &secret),
    ]);
    for format in ["full", "json", "sarif", "markdown"] {
        let ran = s.run(&["docker-compose.yml", "--format", format]);
        assert!(ran.stdout.contains("KB003"), "{format}: {}", ran.stderr);
        assert!(
            !ran.stdout.contains("hunter2") && !ran.stderr.contains("hunter2"),
            "{format}"
        );
    }
}
