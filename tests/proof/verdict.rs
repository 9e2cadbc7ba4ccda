//! What makes a proof: a line that differs, a rule that tells the two apart, and messages that are lost with one of them only.

use crate::proofs::{Of, PROOFS, Proof, Side};
use crate::support;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::process::{Command, Stdio};
use std::time::Instant;

/// What happened to one side.
#[derive(Debug, Default, Clone)]
pub(crate) struct Ran {
    /// The configuration that it ran with.
    pub(crate) text: String,
    /// Messages of which a producer was told that they are safe.
    pub(crate) told: BTreeSet<String>,
    /// Messages that somebody read afterwards, or worked on.
    pub(crate) found: BTreeSet<String>,
}

impl Ran {
    pub(crate) fn lost(&self) -> usize {
        self.told.difference(&self.found).count()
    }
}

/// Both sides of a proof after the trouble.
#[derive(Debug)]
pub(crate) struct Shown {
    pub(crate) proof: &'static Proof,
    pub(crate) bad: Ran,
    pub(crate) good: Ran,
}

/// The lines of two texts that differ, as `diff` shows them.
fn difference(bad: &str, good: &str) -> Vec<String> {
    let (bad, good): (Vec<&str>, Vec<&str>) = (bad.lines().collect(), good.lines().collect());
    let common = |pairs: &mut dyn Iterator<Item = (&&str, &&str)>| pairs.take_while(|(a, b)| a == b).count();
    let head = common(&mut bad.iter().zip(&good));
    let tail = common(&mut bad[head..].iter().rev().zip(good[head..].iter().rev()));
    let of = |sign: char, lines: &[&str]| -> Vec<String> {
        let changed = &lines[head..lines.len() - tail];
        changed.iter().map(|l| format!("{sign} {}", l.trim())).collect()
    };
    [of('-', &bad), of('+', &good)].concat()
}

/// Whether `audit` names the rule in this text.
fn named(proof: &Proof, text: &str) -> bool {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join(proof.file), text).unwrap();
    let done = Command::new(env!("CARGO_BIN_EXE_mqsafe"))
        .current_dir(dir.path())
        .env_clear()
        .args(["audit", "--profile", "finance", "--format", "json"])
        .args([
            "--kafka-version",
            "4.1",
            "--rabbitmq-version",
            "3.10",
            "--rocketmq-version",
            "5.3",
        ])
        .arg(proof.file)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let report: Value = serde_json::from_slice(&done.stdout)
        .unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&done.stderr)));
    assert_eq!(report["unrecognised"], serde_json::json!([]), "{report}");
    let findings = report["findings"].as_array().unwrap();
    findings.iter().any(|f| f["rule"] == proof.rule)
}

impl Shown {
    /// Why this is no proof.
    pub(crate) fn flaw(&self) -> Option<String> {
        let name = self.proof.name();
        let lines = difference(&self.bad.text, &self.good.text);
        let one = |sign: char| lines.iter().filter(|l| l.starts_with(sign)).count() <= 1;
        if lines.is_empty() || !one('-') || !one('+') {
            return Some(format!("{name}: the texts differ in other than one line: {lines:?}"));
        }
        let audits = [&self.bad, &self.good].map(|ran| named(self.proof, &ran.text));
        if audits != [true, false] {
            return Some(format!("{name}: audit names the rule for [bad, good]: {audits:?}"));
        }
        if self.bad.told.is_empty() || self.good.told.is_empty() {
            return Some(format!(
                "{name}: no producer was told of success, so nothing can be lost"
            ));
        }
        match (self.bad.lost(), self.good.lost()) {
            (0, _) => Some(format!("{name}: nothing was lost with the bad line")),
            (_, 0) => None,
            (_, lost) => Some(format!(
                "{name}: {lost} of {} were lost with the good line",
                self.good.told.len()
            )),
        }
    }
}

/// Runs all proofs of a broker, ten times where the long series are asked for; every one must hold every time.
pub(crate) fn series(of: Of, mut run: impl FnMut() -> Vec<Shown>) {
    let rounds = if support::full() { 10 } else { 1 };
    let mut held: BTreeMap<String, usize> = BTreeMap::new();
    let mut flaws = Vec::new();
    for round in 1..=rounds {
        let start = Instant::now();
        let all = run();
        let shown: BTreeSet<String> = all.iter().map(|s| s.proof.name()).collect();
        let wanted: BTreeSet<String> = PROOFS.iter().filter(|p| p.of == of).map(Proof::name).collect();
        assert_eq!(shown, wanted, "a proof without a run, or a run that is no proof");
        for one in &all {
            print(one, round == 1);
            match one.flaw() {
                Some(flaw) => flaws.push(format!("round {round}: {flaw}")),
                None => *held.entry(one.proof.name()).or_default() += 1,
            }
        }
        println!("{of:?}, round {round}: {:.1?}", start.elapsed());
    }
    for (name, held) in &held {
        println!("{name}: {held} of {rounds}");
    }
    assert!(flaws.is_empty(), "{}", flaws.join("\n"));
}

fn print(shown: &Shown, whole: bool) {
    let name = shown.proof.name();
    if whole {
        println!("{name}: {}", shown.proof.trouble);
        for line in difference(&shown.bad.text, &shown.good.text) {
            println!("  {line}");
        }
    }
    for (side, ran) in [(Side::Bad, &shown.bad), (Side::Good, &shown.good)] {
        let (lost, told) = (ran.lost(), ran.told.len());
        println!("  {name}, {}: {lost} lost of {told} that were called safe", side.name());
    }
}

// --- what must not pass for a proof

fn ran(text: &str, told: &[&str], found: &[&str]) -> Ran {
    let set = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect();
    Ran {
        text: text.to_owned(),
        told: set(told),
        found: set(found),
    }
}

fn shown(bad: Ran, good: Ran) -> Shown {
    let proof = crate::proofs::of("RQT005");
    Shown { proof, bad, good }
}

#[test]
fn what_shows_nothing_is_no_proof() {
    let proof = crate::proofs::of("RQT005");
    let (bad, good) = (proof.text(Side::Bad), proof.text(Side::Good));
    let lossy = |text: &str| ran(text, &["1", "2"], &["1"]);
    let whole = |text: &str| ran(text, &["1", "2"], &["2", "1"]);
    assert_eq!(shown(lossy(&bad), whole(&good)).flaw(), None);
    let flaws = [
        // The same on both sides, whatever else was seen.
        (shown(lossy(&bad), whole(&bad)), "differ"),
        (shown(lossy(&good), whole(&good)), "differ"),
        // More than the one line.
        (shown(lossy(&bad), whole(&good.replace("classic", "quorum"))), "differ"),
        // The rule tells them apart the other way round.
        (shown(lossy(&good), whole(&bad)), "audit names"),
        (shown(whole(&bad), whole(&good)), "nothing was lost"),
        (shown(lossy(&bad), lossy(&good)), "1 of 2 were lost"),
        (shown(lossy(&bad), ran(&good, &[], &[])), "no producer was told"),
    ];
    for (case, why) in flaws {
        let flaw = case.flaw().unwrap_or_default();
        assert!(flaw.contains(why), "{why}: {flaw}");
    }
}

#[test]
fn every_proof_has_one_line_that_audit_judges() {
    for proof in PROOFS.iter().filter(|p| p.of != Of::Rocket) {
        let (bad, good) = (proof.text(Side::Bad), proof.text(Side::Good));
        let lines = difference(&bad, &good);
        assert!(matches!(lines.len(), 1 | 2), "{}: {lines:?}", proof.name());
        let names = [bad, good].map(|text| named(proof, &text.replace("{bootstrap}", "127.0.0.1:9092")));
        assert_eq!(names, [true, false], "{}", proof.name());
    }
}

/// `audit` says "demonstrated" of exactly the rules that are proved here.
#[test]
fn what_is_called_demonstrated_is_proved_here_and_nothing_else() {
    let mqsafe = |arguments: &[&str]| {
        let done = Command::new(env!("CARGO_BIN_EXE_mqsafe"))
            .arg("audit")
            .args(arguments)
            .output()
            .unwrap();
        assert!(done.status.success(), "{arguments:?}");
        String::from_utf8(done.stdout).unwrap()
    };
    let list = mqsafe(&["--list-rules"]);
    let proved: BTreeSet<&str> = PROOFS.iter().map(|p| p.rule).collect();
    let (mut rules, mut listed) = (0, BTreeSet::new());
    for line in list.lines() {
        let Some(code) = line
            .split_whitespace()
            .next()
            .filter(|w| w.chars().any(|c| c.is_ascii_digit()))
        else {
            continue;
        };
        rules += 1;
        let explained = mqsafe(&["--explain", code]);
        let says = explained.contains("\nDemonstrated: a test loses messages with the bad value");
        assert_eq!(says, proved.contains(code), "--explain {code}");
        if line.split_whitespace().any(|word| word == "demonstrated") {
            listed.insert(code.to_owned());
        }
    }
    assert!(rules > 100, "{list}");
    assert_eq!(listed, proved.iter().map(|c| (*c).to_owned()).collect());
    assert!(proved.len() >= 14, "{}", proved.len());
}
