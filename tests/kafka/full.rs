//! The broker's disk is full: a node of its own, whose files may not grow beyond a limit. A write beyond it fails as one on a full
//! disk does, and the node ends itself, because it has no other log directory. With the limit gone there is room again.

use crate::cluster::Seen;
use crate::judge;
use crate::support;
use crate::tool::{self, Done};
use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Larger than an index, which a node makes whole at once, and smaller than what is sent.
const LIMIT_KIB: u64 = 16 << 10;
const LINES: usize = 20_000;
const LINE_BYTES: usize = 1000;

/// A node that is both broker and controller. It is killed when this is dropped.
struct Node {
    dir: TempDir,
    jars: String,
    port: u16,
    child: Option<Child>,
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Node {
    fn new(jars: String) -> Node {
        let dir = TempDir::new().unwrap();
        let [port, controller] = support::free_ports();
        let path = dir.path().display();
        let properties = format!(
            "process.roles=broker,controller\nnode.id=1\ncontroller.quorum.voters=1@127.0.0.1:{controller}\n\
             listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}\n\
             advertised.listeners=PLAINTEXT://127.0.0.1:{port}\ncontroller.listener.names=CONTROLLER\n\
             listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT\n\
             log.dirs={path}/data\nauto.create.topics.enable=false\nlog.cleaner.dedupe.buffer.size=16777216\n\
             offsets.topic.replication.factor=1\n"
        );
        std::fs::write(dir.path().join("node.properties"), properties).unwrap();
        let node = Node {
            dir,
            jars,
            port,
            child: None,
        };
        let mut format = node.java(
            None,
            &[
                "kafka.tools.StorageTool",
                "format",
                "-t",
                "AAAAAAAAQACAAAAAAAAAAQ",
                "-c",
            ],
        );
        format.arg(node.dir.path().join("node.properties"));
        let formatted = format.status().unwrap();
        assert!(formatted.success(), "{}", node.said());
        node
    }

    fn said(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("out.log")).unwrap_or_default()
    }

    /// A JVM whose files may not grow beyond a limit, where there is one.
    fn java(&self, limit_kib: Option<u64>, arguments: &[&str]) -> Command {
        let limit = limit_kib.map_or_else(String::new, |kib| format!("ulimit -f {kib} && "));
        let mut java = Command::new("bash");
        java.args(["-c", &format!("{limit}exec java \"$@\""), "java"])
            .args([
                "-XX:+UseSerialGC",
                "-XX:TieredStopAtLevel=1",
                "-XX:-UsePerfData",
                "-Xmx256m",
            ])
            .arg(format!("-Djava.io.tmpdir={}", self.dir.path().display()))
            .args(["-cp", &format!("{}/*", self.jars)])
            .args(arguments);
        let out = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.dir.path().join("out.log"))
            .unwrap();
        java.stdin(Stdio::null()).stdout(out.try_clone().unwrap()).stderr(out);
        java
    }

    fn start(&mut self, limit_kib: Option<u64>) {
        let mut kafka = self.java(limit_kib, &["kafka.Kafka"]);
        kafka.arg(self.dir.path().join("node.properties"));
        self.child = Some(kafka.spawn().unwrap());
        self.wait("the node answers", |node| {
            let list = Command::new("kcat")
                .args(["-L", "-m", "1", "-b", &node.address()])
                .output()
                .unwrap();
            String::from_utf8_lossy(&list.stdout).contains("broker 1 at ")
        });
    }

    fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    fn wait(&mut self, what: &str, mut so: impl FnMut(&mut Node) -> bool) {
        let began = Instant::now();
        while !so(self) {
            assert!(began.elapsed() < Duration::from_secs(180), "{what}: {}", self.said());
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    fn read(&self, topic: &str) -> Vec<Seen> {
        let began = Instant::now();
        loop {
            let read = Command::new("kcat")
                .args([
                    "-C",
                    "-b",
                    &self.address(),
                    "-t",
                    topic,
                    "-e",
                    "-q",
                    "-f",
                    "%p %o %K %S %h\n%k%s\n",
                ])
                .output()
                .unwrap();
            if read.status.success() {
                return crate::cluster::parse(&read.stdout);
            }
            // A node that has only just come back may not lead its partitions yet.
            let said = String::from_utf8_lossy(&read.stderr);
            assert!(
                began.elapsed() < Duration::from_secs(120),
                "kcat cannot read {topic}: {said}"
            );
            std::thread::sleep(Duration::from_millis(200));
        }
    }
}

fn mqsafe(home: &Path, arguments: &[&str], input: &[u8]) -> Done {
    let mut mqsafe = Command::new(env!("CARGO_BIN_EXE_mqsafe"));
    for name in ["MQSAFE_BROKER", "MQSAFE_SPOOL", "MQSAFE_LOG", "MQSAFE_COLOR"] {
        mqsafe.env_remove(name);
    }
    mqsafe.env("HOME", home).env("XDG_STATE_HOME", home);
    mqsafe.arg("--no-progress").args(arguments);
    tool::run_with(mqsafe, input)
}

#[test]
fn a_full_disk_of_the_broker_costs_nothing() {
    // Whoever has the brokers of the tests has what this one is made of.
    if support::kafka("kafka::a_full_disk_of_the_broker_costs_nothing").is_none() {
        return;
    }
    let mut node = Node::new(std::env::var("KAFKA_JARS").expect("`tests/brokers/up kafka` prints it"));
    let home = TempDir::new().unwrap();
    let spool = home.path().join("spool");
    let (spool, receipts) = (spool.to_str().unwrap(), home.path().join("receipts"));
    node.start(Some(LIMIT_KIB));
    let lines = judge::lines(0, LINES, LINE_BYTES);
    let address = node.address();
    let done = mqsafe(
        home.path(),
        &[
            "send",
            "-b",
            &address,
            "-t",
            "orders",
            "--spool",
            spool,
            "--create-topic=1x1",
            "--connect-timeout",
            "30s",
            "--delivery-timeout",
            "8s",
            "--receipts",
            receipts.to_str().unwrap(),
        ],
        &judge::text(&lines),
    )
    .expect(4);
    let full = |node: &Node| node.said().contains("File too large") || node.said().contains("No space left");
    node.wait("the disk is full", |node| full(node));
    let told = tool::Receipts::read(&receipts);
    let [stored, refused, in_doubt, spooled] =
        ["stored", "refused", "in_doubt", "spooled"].map(|name| told.count(name));
    assert_eq!(stored + refused + in_doubt + spooled, LINES as u64, "{}", done.stderr);
    assert!(refused == 0 && stored > 0 && stored < LINES as u64, "{}", done.stderr);
    println!("stored {stored}, in doubt {in_doubt}, spooled {spooled} when the disk was full");
    let acknowledged: BTreeSet<u64> = told.with("stored").map(|r| r["line"].as_u64().unwrap()).collect();

    // Room again.
    node.kill();
    node.start(None);
    let there: BTreeSet<Vec<u8>> = node.read("orders").into_iter().map(|s| s.value).collect();
    let lost = acknowledged
        .iter()
        .filter(|line| !there.contains(&lines[**line as usize - 1]));
    assert_eq!(lost.count(), 0, "what was acknowledged survived the full disk");
    mqsafe(home.path(), &["spool", "flush", "--spool", spool], b"").expect(0);
    let seen = node.read("orders");
    let all: BTreeSet<Vec<u8>> = seen.iter().map(|s| s.value.clone()).collect();
    assert_eq!(all, lines.iter().cloned().collect());
    let again = (seen.len() - LINES) as u64;
    let verified = mqsafe(
        home.path(),
        &["verify", "-b", &address, "-t", "orders", "--format", "json"],
        b"",
    )
    .expect(0);
    let totals = &verified.json()["totals"];
    assert_eq!(
        (totals["gap"].as_u64(), totals["duplicate"].as_u64()),
        (Some(0), Some(again)),
        "{totals}"
    );
}
