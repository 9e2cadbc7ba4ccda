//! The behaviours, the same for every broker.

use crate::knock::{self, Home, Knock};
use crate::support;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{RwLock, RwLockReadGuard};
use std::time::{Duration, Instant};

/// Held for reading by whoever only talks to a broker, for writing by whoever disturbs it.
static BROKERS: [RwLock<()>; 3] = [const { RwLock::new(()) }; 3];

/// Why a broker, or the check of its certificate, says no.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    Authentication,
    WrongHost,
    Expired,
    Foreign,
}

impl Refusal {
    /// The step that must be named, and words of which one must be said.
    fn told(self) -> (&'static str, &'static [&'static str]) {
        match self {
            Refusal::Authentication => ("authentication", &[]),
            Refusal::WrongHost => ("TLS", &["name", "host"]),
            Refusal::Expired => ("TLS", &["expired"]),
            Refusal::Foreign => (
                "TLS",
                &["authority", "issuer", "self-signed", "self signed", "certificate"],
            ),
        }
    }
}

/// How one broker is knocked at.
pub(crate) struct Door {
    /// A topic that every right knock may write and read.
    pub(crate) topic: String,
    /// A topic that exists and that the users of `denied` may not touch.
    pub(crate) forbidden: String,
    pub(crate) right: Vec<Knock>,
    pub(crate) refused: Vec<(Refusal, Knock)>,
    pub(crate) denied: Vec<Knock>,
    /// The broker and its nodes, as the scripts of `tests/brokers` call them.
    pub(crate) nodes: &'static [&'static str],
    /// A message of so many bytes is larger than the broker takes, where the tool could send one.
    pub(crate) too_large: Option<usize>,
    /// Whether a key may hold spaces and control characters.
    pub(crate) keeps_any_key: bool,
    /// The property that makes the heartbeat short, where there is one.
    pub(crate) heartbeat: Option<(&'static str, &'static str)>,
}

fn lock(door: &Door) -> &'static RwLock<()> {
    let at = ["kafka", "rabbitmq", "rocketmq_acl"]
        .iter()
        .position(|n| *n == door.nodes[0]);
    &BROKERS[at.unwrap()]
}

pub(crate) fn talking(door: &Door) -> RwLockReadGuard<'static, ()> {
    lock(door).read().unwrap_or_else(|e| e.into_inner())
}

fn script(name: &str, arguments: &[&str]) {
    script_with(name, arguments, "");
}

/// The same with something on its stdin.
fn script_with(name: &str, arguments: &[&str], input: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/brokers").join(name);
    let mut child = Command::new(path)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A script that reads nothing may be gone already.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let done = child.wait_with_output().unwrap();
    assert!(
        done.status.success(),
        "{name} {arguments:?}: {}",
        String::from_utf8_lossy(&done.stderr)
    );
}

pub(crate) fn right(door: &Option<Door>) {
    let Some(door) = door else { return };
    let _talking = talking(door);
    for knock in &door.right {
        let (home, label) = (Home::new(), &knock.label);
        let steps = knock::run(home.test(knock, &door.topic), b"").expect(label, 0).json();
        assert_eq!(steps["schema"], "mqsafe.context/1", "{label}");
        let steps = steps["steps"].as_array().unwrap();
        assert!(
            steps.len() >= 3 && steps.iter().all(|s| s["result"] == "ok"),
            "{label}: {steps:?}"
        );
        // Without spaces: RocketMQ would split the key at them.
        let key = format!("{}-{:08x}", label.replace(' ', "-"), rand::random::<u32>());
        // Who may not read cannot read back either.
        let read_back: &[&str] = if knock.blind.is_none() { &["--ensure"] } else { &[] };
        let words = [&["-k", &key], read_back].concat();
        let sent = knock::run(home.send(knock, &door.topic, &words), b"one line\n").expect(label, 0);
        assert!(sent.stderr.contains("stored 1"), "{label}: {}", sent.stderr);
        let told = "read back: of 1 acknowledged, found 1, different 0, not found 0; COMPLETE";
        assert!(
            knock.blind.is_some() || sent.stderr.contains(told),
            "{label}: {}",
            sent.stderr
        );
        assert_eq!(home.stats(), (0, 0, 1), "{label}");
        if let Some(why) = knock.blind {
            let asked = knock::run(home.query(knock, &door.topic, &key), b"").expect(label, 3);
            assert!(asked.stderr.contains(why), "{label}: {}", asked.stderr);
            continue;
        }
        home.found(knock, &door.topic, &key, 1);
        let found = knock::run(home.query(knock, &door.topic, &key), b"")
            .expect(label, 0)
            .json();
        assert_eq!(
            (&found["found"], &found["records"][0]["value"]),
            (&1.into(), &"one line".into()),
            "{label}"
        );
    }
}

pub(crate) fn refused(door: &Option<Door>, why: Refusal) {
    let Some(door) = door else { return };
    let _talking = talking(door);
    let (stage, words) = why.told();
    let knocks: Vec<&Knock> = door.refused.iter().filter(|(w, _)| *w == why).map(|(_, k)| k).collect();
    assert!(!knocks.is_empty(), "nobody knocks with {why:?}");
    for knock in knocks {
        let (home, label) = (Home::new(), &knock.label);
        let test = knock::run(home.test(knock, &door.topic), b"").expect(label, 3);
        let answer = test.json();
        let failed: Vec<_> = answer["steps"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|s| s["result"] != "ok")
            .collect();
        assert!(
            !failed.is_empty() && failed.iter().all(|s| s["step"] == stage),
            "{label}: {answer:#}"
        );
        let said = |text: &str| words.is_empty() || words.iter().any(|w| text.to_lowercase().contains(w));
        assert!(
            failed.iter().all(|s| said(s["message"].as_str().unwrap())),
            "{label}: {answer:#}"
        );
        // Nothing is lost: the line is in the spool, and the way out is told.
        let sent = knock::run(home.send(knock, &door.topic, &["-k", "key"]), b"one line\n").expect(label, 4);
        assert!(
            sent.stderr.contains(stage) && said(&sent.stderr),
            "{label}: {}",
            sent.stderr
        );
        assert!(sent.stderr.contains("spool flush"), "{label}: {}", sent.stderr);
        assert_eq!(home.stats(), (1, 0, 0), "{label}");
        // The secret that was tried is nowhere, however much is told.
        let mut loud = home.query(knock, &door.topic, "key");
        loud.arg("-vvv").env("MQSAFE_LOG", "trace");
        let loud = knock::run(loud, b"");
        for (_, secret) in knock.environment.iter().filter(|(_, secret)| secret.len() >= 8) {
            for done in [&sent, &test, &loud] {
                let told = done.stderr.contains(secret) || String::from_utf8_lossy(&done.stdout).contains(secret);
                assert!(!told, "{label}: the secret is told: {}", done.stderr);
            }
        }
        // An answer that is no does not change by waiting for it.
        assert!(sent.took < Duration::from_secs(30), "{label}: {:?}", sent.took);
        let asked = knock::run(home.query(knock, &door.topic, "key"), b"").expect(label, 3);
        assert!(
            asked.stderr.contains(stage) && said(&asked.stderr),
            "{label}: {}",
            asked.stderr
        );
        assert!(
            asked.json()["coverage"].as_str().unwrap().starts_with("PARTIAL"),
            "{label}"
        );
    }
}

pub(crate) fn denied(door: &Option<Door>) {
    let Some(door) = door else { return };
    let _talking = talking(door);
    assert!(!door.denied.is_empty());
    for knock in &door.denied {
        let label = &knock.label;
        let (home, sent) = knock::answered_in_time(|home| home.send(knock, &door.forbidden, &["-k", "key"]));
        match sent.code {
            // Known before anything was accepted.
            2 => assert_eq!(home.stats(), (0, 0, 0), "{label}: {}", sent.stderr),
            // Known only by publishing: refused for good, and kept for a person.
            1 => assert_eq!(home.stats(), (0, 1, 0), "{label}: {}", sent.stderr),
            // The broker does not let this user in at all.
            4 => assert_eq!(home.stats(), (1, 0, 0), "{label}: {}", sent.stderr),
            other => panic!("{label}: exit {other}\n{}", sent.stderr),
        }
        let test = knock::run(home.test(knock, &door.forbidden), b"");
        let answer = test.json();
        let steps = answer["steps"].as_array().unwrap();
        let failed: Vec<_> = steps.iter().filter(|s| s["result"] != "ok").collect();
        if sent.code == 1 && failed.is_empty() {
            // Where nothing short of a message tells, that is said.
            let last = steps.last().unwrap()["message"].as_str().unwrap();
            assert!(
                last.contains("known when the first message is sent"),
                "{label}: {answer:#}"
            );
        } else {
            let all = failed.iter().all(|s| s["step"] == "authorisation");
            assert!(test.code == 3 && all, "{label}: {answer:#}");
        }
        let asked = knock::run(home.query(knock, &door.forbidden, "key"), b"").expect(label, 3);
        assert!(
            asked.json()["coverage"].as_str().unwrap().starts_with("PARTIAL"),
            "{label}"
        );
    }
}

/// Lines, each of which can be told from all others.
fn lines(name: &str, from: usize, to: usize) -> Vec<u8> {
    (from..to).flat_map(|n| format!("{name} {n}\n").into_bytes()).collect()
}

/// The brokers are killed in the middle and come back.
pub(crate) fn closes_midway(door: &Option<Door>) {
    let Some(door) = door else { return };
    let _alone = lock(door).write().unwrap_or_else(|e| e.into_inner());
    let (home, knock) = (Home::new(), &door.right[0]);
    let key = format!("midway-{:08x}", rand::random::<u32>());
    let mut running = knock::start(home.send(knock, &door.topic, &["-k", &key, "--delivery-timeout", "240s"]));
    running.feed(&lines(&key, 0, 200));
    let since = Instant::now();
    while !home.spool().join("spool.redb").exists() && since.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(20));
    }
    std::thread::sleep(Duration::from_millis(500));
    if door.nodes[0] == "rabbitmq" {
        script_with("rabbitmq-eval", &[], support::DECLARED);
    }
    script("kill", door.nodes);
    running.feed(&lines(&key, 200, 400));
    std::thread::sleep(Duration::from_secs(2));
    assert!(!running.is_over(), "it gave up while the broker may come back");
    script("restart", door.nodes);
    let done = running.wait().expect(&knock.label, 0);
    assert!(done.stderr.contains("accepted 400 = stored 400"), "{}", done.stderr);
    home.found(knock, &door.topic, &key, 400);
    let found = knock::run(home.query(knock, &door.topic, &key), b"")
        .expect(&knock.label, 0)
        .json();
    let values: std::collections::HashSet<String> = found["records"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| r["value"].as_str().unwrap().to_owned())
        .collect();
    let wanted: std::collections::HashSet<String> = (0..400).map(|n| format!("{key} {n}")).collect();
    assert_eq!(values, wanted);
}

/// The brokers are stopped (SIGSTOP): every connection stays open, and nothing answers.
pub(crate) fn half_open(door: &Option<Door>) {
    let Some(door) = door else { return };
    let _alone = lock(door).write().unwrap_or_else(|e| e.into_inner());
    let home = Home::new();
    let mut knock = door.right[0].clone();
    if let Some((key, value)) = door.heartbeat {
        knock = knock.x(key, value);
    }
    let key = format!("silent-{:08x}", rand::random::<u32>());
    let mut running = knock::start(home.send(&knock, &door.topic, &["-k", &key, "--delivery-timeout", "8s"]));
    running.feed(&lines(&key, 0, 10));
    // They are there, and a moment later that is confirmed and in the spool.
    home.found(&knock, &door.topic, &key, 10);
    std::thread::sleep(Duration::from_secs(2));
    script("stop", door.nodes);
    running.feed(&lines(&key, 10, 20));
    // Whoever watches is told what is waited for, within two seconds and the time of a busy machine.
    let since = Instant::now();
    while !running.told().contains("waiting: ") && since.elapsed() < Duration::from_secs(7) {
        std::thread::sleep(Duration::from_millis(100));
    }
    let told = running.told();
    let done = running.wait();
    // Readers do not wait for ever either.
    let asked = knock::run(home.query(&knock, &door.topic, &key), b"");
    let tested = knock::run(home.test(&knock, &door.topic), b"");
    script("cont", door.nodes);
    let done = done.expect(&knock.label, 4);
    assert!(done.took < Duration::from_secs(150), "{:?}", done.took);
    assert!(done.stderr.contains("spool flush"), "{}", done.stderr);
    assert_eq!(home.stats(), (10, 0, 10), "{}", done.stderr);
    assert!(told.contains("waiting: "), "{told}");
    // Found, and not only given up: the heartbeats of this connection were not answered.
    if door.heartbeat.is_some() {
        let found = ["heartbeat", "silent", "nothing was heard"];
        assert!(found.iter().any(|w| done.stderr.contains(w)), "{}", done.stderr);
    }
    assert!(asked.took < Duration::from_secs(75) && tested.took < Duration::from_secs(75));
    let asked = asked.expect(&knock.label, 3);
    assert!(
        asked.json()["coverage"].as_str().unwrap().starts_with("PARTIAL"),
        "{}",
        asked.stderr
    );
    tested.expect(&knock.label, 3);
    // A cluster of which all were silent for longer than a session needs a moment to be one again; until then it is told so.
    knock::eventually("what was kept is delivered", || {
        let mut flush = home.command(&["spool", "flush", "--spool"], &Knock::default());
        flush.arg(home.spool());
        flush
            .args(knock.settings())
            .envs(knock.environment.iter().map(|(k, v)| (k, v)));
        let done = knock::run(flush, b"");
        assert!([0, 4].contains(&done.code), "{}: {}", knock.label, done.stderr);
        done.code == 0
    });
    assert_eq!(home.stats(), (0, 0, 20));
}
