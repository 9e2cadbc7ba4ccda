//! One `client.properties` for Kafka's own console tools and for this one: unchanged, for each mechanism.

use crate::behaviour;
use crate::kafka::FILES;
use crate::knock::{self, Home, Knock};
use std::path::Path;
use std::process::{Command, Stdio};

/// Kafka's console consumer with this file: the values of a topic.
fn console_consumer(bootstrap: &str, file: &str, topic: &str, messages: usize) -> Vec<String> {
    let tool = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/brokers/kafka-tool");
    let read = Command::new(tool)
        .arg("org.apache.kafka.tools.consumer.ConsoleConsumer")
        .args([
            "--bootstrap-server",
            bootstrap,
            "--consumer.config",
            file,
            "--topic",
            topic,
        ])
        .args([
            "--from-beginning",
            "--timeout-ms",
            "120000",
            "--max-messages",
            &messages.to_string(),
        ])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&read.stderr).into_owned();
    let values = String::from_utf8(read.stdout).unwrap();
    assert!(!values.is_empty(), "{file}: {said}");
    values.lines().map(str::to_owned).collect()
}

#[test]
fn the_files_of_the_console_tools_work_unchanged() {
    let Some(door) = crate::kafka::door("the_files_of_the_console_tools_work_unchanged") else {
        return;
    };
    let _talking = behaviour::talking(&door);
    let clients = std::env::var("KAFKA_CLIENTS_DIR").unwrap();
    for name in FILES {
        let file = format!("{clients}/{name}.properties");
        let text = std::fs::read_to_string(&file).unwrap();
        let bootstrap = text.lines().find_map(|l| l.strip_prefix("bootstrap.servers=")).unwrap();
        let topic = crate::kafka::topic(&format!("same-{name}"));
        let (home, knock) = (Home::new(), Knock::new(name).arg("-F").arg(&file));
        let values: Vec<String> = (0..20).map(|n| format!("{name} {n}")).collect();
        let sent = home.send(&knock, &topic, &["-k", "key"]);
        knock::run(sent, values.join("\n").as_bytes()).expect(name, 0);
        assert_eq!(
            console_consumer(bootstrap, &file, &topic, values.len()),
            values,
            "{name}"
        );
        let found = knock::run(home.query(&knock, &topic, "key"), b"")
            .expect(name, 0)
            .json();
        assert_eq!(found["found"], 20, "{name}");
        let mut verify = home.command(&["verify", "--format", "json"], &knock);
        verify.args(["-t", &topic]);
        let verdict = knock::run(verify, b"").expect(name, 0).json();
        assert_eq!(
            (&verdict["coverage"], &verdict["totals"]["stamped"]),
            (&"COMPLETE".into(), &20.into()),
            "{name}"
        );
    }
    assert!(door.right.len() > FILES.len());
}
