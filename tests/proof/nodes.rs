//! The nodes of the brokers, steered by the scripts of `tests/brokers`.

use crate::proofs::Of;
use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// A script of `tests/brokers`, run to its end.
#[track_caller]
pub(crate) fn script(name: &str, arguments: &[&str]) {
    script_with(name, arguments, "");
}

/// The same with something on its stdin.
#[track_caller]
pub(crate) fn script_with(name: &str, arguments: &[&str], input: &str) {
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/brokers").join(name);
    let start = Instant::now();
    let mut child = Command::new(path)
        .args(arguments)
        // Half the work of a start; these brokers live for seconds.
        .env("JAVA_TOOL_OPTIONS", "-XX:TieredStopAtLevel=1")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A script that reads nothing may be gone already.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let done = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{name} {arguments:?}: {said}");
    println!("{name} {}: {:.1?}", arguments.join(" "), start.elapsed());
}

/// Waits until something is so.
#[track_caller]
pub(crate) fn eventually(what: &str, mut so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !so() {
        assert!(start.elapsed() < Duration::from_secs(180), "never: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Puts a broker right when a test ends, also in the middle: what is dead is started, what is held goes on.
pub(crate) struct Healed(pub(crate) &'static str);

impl Drop for Healed {
    fn drop(&mut self) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/brokers/up");
        let quiet = || Stdio::null();
        let _ = Command::new(path)
            .arg(self.0)
            .stdin(quiet())
            .stdout(quiet())
            .stderr(quiet())
            .status();
    }
}

/// The Java that the brokers run with.
pub(crate) fn java() -> String {
    let lib = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/brokers/lib.sh");
    let found = Command::new("bash")
        .args(["-c", ". \"$1\"; find_java && printf %s \"$JAVA\"", "java"])
        .arg(lib)
        .output()
        .unwrap();
    let java = String::from_utf8(found.stdout).unwrap();
    assert!(!java.is_empty(), "{}", String::from_utf8_lossy(&found.stderr));
    java
}

/// Held by a test that kills nodes of a broker or takes their disks: tests of one program run side by side, those of one broker do not.
pub(crate) struct Alone {
    _held: Vec<MutexGuard<'static, ()>>,
}

/// Waits for a broker. RocketMQ is proved when no other is: a slave that has too little of the machine falls behind its master, which then
/// refuses what both sides of a proof must write.
pub(crate) fn alone(of: Of) -> Alone {
    static KAFKA: Mutex<()> = Mutex::new(());
    static RABBIT: Mutex<()> = Mutex::new(());
    let (kafka, rabbit): (&'static Mutex<()>, &'static Mutex<()>) = (&KAFKA, &RABBIT);
    let needed = match of {
        Of::Kafka => vec![kafka],
        Of::Rabbit => vec![rabbit],
        Of::Rocket => vec![kafka, rabbit],
    };
    let hold = |one: &'static Mutex<()>| one.lock().unwrap_or_else(|e| e.into_inner());
    Alone {
        _held: needed.into_iter().map(hold).collect(),
    }
}

/// What `audit` of a running cluster tells: its report, whatever it found.
#[track_caller]
pub(crate) fn audit(arguments: &[&str]) -> serde_json::Value {
    let done = Command::new(env!("CARGO_BIN_EXE_mqsafe"))
        .args(["--no-progress", "audit", "--format", "json"])
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(matches!(done.status.code(), Some(0 | 1 | 3)), "{said}");
    serde_json::from_slice(&done.stdout).unwrap_or_else(|e| panic!("{e}: {said}"))
}

/// What a report names as lost with a node that is called so.
pub(crate) fn named(report: &serde_json::Value, is_node: impl Fn(&str) -> bool) -> BTreeSet<String> {
    let text = |v: &serde_json::Value| v.as_str().unwrap().to_owned();
    let all = report["running"][0]["at_risk"].as_array().unwrap().iter();
    let its = all.filter(|r| is_node(r["node"].as_str().unwrap()));
    its.flat_map(|r| r["losses"].as_array().unwrap())
        .map(|l| text(&l["name"]))
        .collect()
}

/// A name that nothing has.
pub(crate) fn fresh(about: &str) -> String {
    format!("{about}-{:08x}", rand::random::<u32>())
}
