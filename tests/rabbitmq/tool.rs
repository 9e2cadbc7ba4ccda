//! The tool as a process.

use crate::broker::{Broker, eventually};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use tempfile::TempDir;

/// How the broker is reached.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Over {
    Plain,
    Tls,
}

/// The tool with a home of its own, at the broker; its streams are pipes.
pub(crate) fn tool(broker: &Broker, over: Over, password: &str, arguments: &[&str]) -> (Command, TempDir) {
    let home = TempDir::new().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_mqsafe"));
    command
        .env_remove("MQSAFE_LOG")
        .env("XDG_STATE_HOME", home.path())
        .env("HOME", home.path())
        .env("PW", password)
        .arg("--no-progress")
        .args(arguments)
        .args(["-X", "sasl.password=env:PW"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    match over {
        Over::Plain => command.args(["-b", &broker.url()]),
        Over::Tls => command
            .args(["-b", &format!("amqps://guest@{}", broker.secured.amqp)])
            .args(["-X", &format!("ssl.ca.location={}", broker.secured.ca)]),
    };
    (command, home)
}

pub(crate) fn run(broker: &Broker, password: &str, arguments: &[&str], input: &str) -> Output {
    run_over(broker, Over::Plain, password, arguments, input)
}

pub(crate) fn run_over(broker: &Broker, over: Over, password: &str, arguments: &[&str], input: &str) -> Output {
    let (mut command, _home) = tool(broker, over, password, arguments);
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // It may refuse before it reads.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    child.wait_with_output().unwrap()
}

/// A run that is listened to while it goes on.
pub(crate) struct Watched {
    child: Child,
    said: Arc<Mutex<Vec<u8>>>,
    reader: JoinHandle<()>,
}

pub(crate) fn watch(mut command: Command) -> Watched {
    let mut child = command.spawn().unwrap();
    let mut from = child.stderr.take().unwrap();
    let said = Arc::<Mutex<Vec<u8>>>::default();
    let heard = Arc::clone(&said);
    let reader = std::thread::spawn(move || {
        let mut some = [0; 4096];
        while let Ok(read @ 1..) = from.read(&mut some) {
            heard.lock().unwrap().extend_from_slice(&some[..read]);
        }
    });
    Watched { child, said, reader }
}

impl Watched {
    pub(crate) fn stdin(&mut self) -> ChildStdin {
        self.child.stdin.take().unwrap()
    }

    /// Waits until it has said this.
    #[track_caller]
    pub(crate) fn await_said(&self, words: &str) {
        eventually(&format!("it says {words:?}"), || {
            String::from_utf8_lossy(&self.said.lock().unwrap()).contains(words)
        });
    }

    /// Waits until it ends.
    pub(crate) fn end(self) -> Output {
        let mut output = self.child.wait_with_output().unwrap();
        self.reader.join().unwrap();
        output.stderr = std::mem::take(&mut *self.said.lock().unwrap());
        output
    }
}

pub(crate) fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

pub(crate) fn code(output: &Output) -> i32 {
    eprintln!("{}", String::from_utf8_lossy(&output.stderr));
    output.status.code().unwrap()
}

#[test]
fn send_then_query_key_on_a_stream() {
    let Some(broker) = Broker::shared("send_then_query_key_on_a_stream") else {
        return;
    };
    let queue = broker.queue("tool", "stream", json!({}));
    let input: String = (0..500).map(|n| format!("key{n}:value {n}\n")).collect();
    let sent = run(&broker, &broker.password, &["send", "-t", &queue, "-K", ":"], &input);
    assert_eq!(code(&sent), 0);
    let found = run(
        &broker,
        &broker.password,
        &["query-key", "-t", &queue, "key77", "--format", "jsonl"],
        "",
    );
    assert_eq!(code(&found), 0);
    let first: Value = serde_json::from_slice(found.stdout.split(|b| *b == b'\n').next().unwrap()).unwrap();
    assert_eq!((&first["value"], &first["key"]), (&json!("value 77"), &json!("key77")));
    let absent = run(&broker, &broker.password, &["query-key", "-t", &queue, "nobody"], "");
    assert_eq!(code(&absent), 1);
    let verified = run(&broker, &broker.password, &["verify", "-t", &queue], "");
    assert_eq!(code(&verified), 0);
}

#[test]
fn what_cannot_be_is_told_by_the_exit_code() {
    let Some(broker) = Broker::shared("what_cannot_be_is_told_by_the_exit_code") else {
        return;
    };
    let send = |queue: &str, password: &str| run(&broker, password, &["send", "-t", queue, "--no-spool"], "v\n");
    assert_eq!(code(&send("no.such.queue", &broker.password)), 2);
    let queue = broker.queue("codes", "classic", json!({}));
    assert_eq!(code(&send(&queue, &broker.password)), 0);
    assert_eq!(broker.take(&queue).len(), 1);
    // A message may be with a consumer, so what is not in the queue is not certainly nowhere.
    let look = |key: &str| {
        run(
            &broker,
            &broker.password,
            &["query-key", "-t", &queue, "--peek", key],
            "",
        )
    };
    let keyed = ["send", "-t", &queue, "--no-spool", "-k", "k1"];
    assert_eq!(code(&run(&broker, &broker.password, &keyed, "v\n")), 0);
    assert_eq!(code(&look("k1")), 0);
    let absent = look("k2");
    assert_eq!(code(&absent), 3);
    let said = String::from_utf8_lossy(&absent.stderr).into_owned();
    assert!(said.contains("COMPLETE-IF no consumer has it"), "{said}");
    // An empty stream is certainly empty.
    let empty = broker.queue("empty", "stream", json!({}));
    let nothing = run(&broker, &broker.password, &["query-key", "-t", &empty, "k"], "");
    assert_eq!(code(&nothing), 1, "{}", String::from_utf8_lossy(&nothing.stderr));
    let refused = send(&queue, "hunter2");
    assert_ne!(code(&refused), 0);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("authentication") && !said.contains("hunter2"), "{said}");
    // Nobody is bound behind this exchange.
    let nobody = ["send", "-e", "amq.direct", "-r", "nobody", "--no-spool"];
    assert_eq!(code(&run(&broker, &broker.password, &nobody, "v\n")), 1);
}

/// What no queue takes is kept as failed and goes to the dead letters, with its reason and the stamp that it had.
#[test]
fn what_failed_for_good_becomes_a_dead_letter() {
    let Some(broker) = Broker::shared("what_failed_for_good_becomes_a_dead_letter") else {
        return;
    };
    let queue = broker.queue("dead", "quorum", json!({}));
    let home = TempDir::new().unwrap();
    let spool = home.path().join("spool");
    let spool = spool.to_str().unwrap();
    let send = [
        "send",
        "-e",
        "amq.direct",
        "-r",
        "nobody",
        "-k",
        "order-1",
        "--spool",
        spool,
    ];
    let dead = ["--dead-letter", &queue];
    let sent = run(&broker, &broker.password, &[&send[..], &dead].concat(), "one\ntwo\n");
    assert_eq!(code(&sent), 1);
    let said = String::from_utf8_lossy(&sent.stderr).into_owned();
    assert!(said.contains("accepted 2 = stored 0 + refused 2"), "{said}");
    assert!(
        said.contains(&format!("{queue}: accepted 2 = stored 2 + refused 0")),
        "{said}"
    );
    let last = said.lines().last().unwrap();
    assert!(
        last.starts_with("amq.direct|nobody: accepted 2 = stored 0 + refused 2"),
        "{said}"
    );
    let letters = broker.take(&queue);
    let mut values: Vec<&str> = letters.iter().map(|m| m["payload"].as_str().unwrap()).collect();
    values.sort_unstable();
    assert_eq!(values, ["one", "two"]);
    for letter in &letters {
        let headers = &letter["properties"]["headers"];
        assert_eq!(headers["mqsafe-key"], "order-1", "{letter}");
        let origin = headers["mqsafe-origin-id"].as_str().unwrap();
        assert!(origin.ends_with(" amq.direct|nobody"), "{origin}");
        let why = headers["mqsafe-failed-reason"].as_str().unwrap();
        assert!(why.contains("unroutable"), "{why}");
        assert!(
            headers["mqsafe-id"].as_str().unwrap().ends_with(&format!("|{queue}")),
            "{letter}"
        );
    }
}
