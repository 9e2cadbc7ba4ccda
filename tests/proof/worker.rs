//! A consumer in a process of its own, so that it can be killed in the middle of its work.
//!
//! The process is this test program again, asked for one test that does nothing otherwise, or Java with `Consume.java`. It works on a
//! message by writing its name into a file, and never gets done with the one whose name ends in `slow`; only its successor does.

use crate::{kafka, nodes, rabbit};
use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const KIND: &str = "MQSAFE_PROOF_WORKER";
const DIR: &str = "MQSAFE_PROOF_DIR";
const PLACE: &str = "MQSAFE_PROOF_PLACE";
const SUCCESSOR: &str = "MQSAFE_PROOF_SUCCESSOR";

/// What the worker works with.
pub(crate) struct Job {
    dir: PathBuf,
    /// The topic, or the virtual host.
    pub(crate) place: String,
    successor: bool,
}

impl Job {
    /// The configuration that it was given.
    pub(crate) fn text(&self) -> String {
        std::fs::read_to_string(self.dir.join("text")).unwrap()
    }

    /// Works on a message. With `slow` the work has begun and does not end.
    pub(crate) fn work(&self, id: &str) {
        if id.ends_with("slow") && !self.successor {
            std::fs::write(self.dir.join("begun"), id).unwrap();
            // Longer than anybody waits; it ends with the process.
            std::thread::sleep(Duration::from_secs(600));
        }
        let mut done = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.dir.join("done"))
            .unwrap();
        done.write_all(format!("{id}\n").as_bytes()).unwrap();
    }
}

#[test]
fn worker_of_a_proof() {
    let Some(kind) = std::env::var_os(KIND) else { return };
    let job = Job {
        dir: std::env::var_os(DIR).unwrap().into(),
        place: std::env::var(PLACE).unwrap(),
        successor: std::env::var_os(SUCCESSOR).is_some(),
    };
    match kind.to_str() {
        Some("kafka") => kafka::consume(&job),
        Some("rabbit") => rabbit::consume(&job),
        // Java is started as such.
        other => panic!("{other:?}"),
    }
}

/// A worker with Kafka's own client for Java.
pub(crate) const JAVA: &str = "java";

/// A worker that runs; it dies with this.
pub(crate) struct Worker {
    child: Child,
    dir: tempfile::TempDir,
    kind: &'static str,
    place: String,
}

impl Worker {
    pub(crate) fn start(kind: &'static str, text: &str, place: &str) -> Worker {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("text"), text).unwrap();
        Worker {
            child: spawn(kind, dir.path(), place, false),
            dir,
            kind,
            place: place.to_owned(),
        }
    }

    /// Waits until it works on the message that takes long.
    #[track_caller]
    pub(crate) fn await_slow(&self) {
        let begun = self.dir.path().join("begun");
        nodes::eventually("the worker is in the middle of its work", || begun.exists());
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Another process takes over.
    pub(crate) fn succeed(&mut self) {
        self.child = spawn(self.kind, self.dir.path(), &self.place, true);
    }

    /// What any of them got done.
    pub(crate) fn done(&self) -> BTreeSet<String> {
        let text = std::fs::read_to_string(self.dir.path().join("done")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(kind: &str, dir: &Path, place: &str, successor: bool) -> Child {
    let mut program = match kind {
        JAVA => java(dir, place, successor),
        _ => Command::new(std::env::current_exe().unwrap()),
    };
    if kind != JAVA {
        program.args(["--exact", "worker::worker_of_a_proof", "--nocapture"]);
        program.env(KIND, kind).env(DIR, dir).env(PLACE, place);
        if successor {
            program.env(SUCCESSOR, "1");
        }
    }
    let log = std::fs::File::create(dir.join(if successor { "said-2" } else { "said-1" })).unwrap();
    let (out, err) = (log.try_clone().unwrap(), log);
    program.stdin(Stdio::null()).stdout(out).stderr(err).spawn().unwrap()
}

/// The program, with the clients that the brokers of the tests bring. Java compiles it as it starts, in the process that then runs it.
fn java(dir: &Path, topic: &str, successor: bool) -> Command {
    let jars = std::env::var("KAFKA_JARS").expect("`tests/brokers/up kafka` prints it");
    let mut program = Command::new(nodes::java());
    program
        .args(["-Xmx128m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp"])
        .arg(format!("{jars}/*"))
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/proof/Consume.java"))
        .arg(dir.join("text"))
        .arg(topic)
        .arg(dir)
        .arg(successor.to_string());
    program
}
