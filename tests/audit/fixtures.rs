//! Every rule has a file that triggers it and one that does not; the good one is clean under the strictest profile.

#![allow(clippy::unwrap_used)]

use crate::common::Setup;
use mqsafe::audit::registry::RULES;
use std::path::{Path, PathBuf};

/// The file of a rule; `None` when its facts are fed by hand, which a test beside the rules does.
fn fixture(code: &str, kind: &str) -> Option<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/audit")
        .join(code);
    let found = std::fs::read_dir(&dir)
        .unwrap_or_else(|e| panic!("no fixtures for {code}: {e}"))
        .map(|e| e.unwrap().path())
        .find(|p| p.file_stem().is_some_and(|s| s == kind));
    let path = found.unwrap_or_else(|| panic!("no {kind} fixture for {code}"));
    Some(path).filter(|p| p.extension().is_none_or(|e| e != "facts"))
}

#[test]
fn every_rule_has_a_bad_and_a_good_file() {
    let s = Setup::new();
    for rule in RULES {
        let (Some(bad), Some(good)) = (fixture(rule.code, "bad"), fixture(rule.code, "good")) else {
            continue;
        };
        let (bad, good) = (bad.to_str().unwrap(), good.to_str().unwrap());
        assert!(
            s.rules(&[bad, "--profile", "finance"]).iter().any(|r| r == rule.code),
            "{} does not trigger {}",
            bad,
            rule.code
        );
        let (code, report) = s.json(&[good, "--profile", "finance", "--fail-on", "low"]);
        assert_eq!(code, 0, "{good}: {report:#}");
    }
}

#[test]
fn no_fixture_is_without_a_rule() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/audit");
    for entry in std::fs::read_dir(root).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(RULES.iter().any(|r| r.code == name), "{name}");
    }
}

#[test]
fn every_rule_is_explained_and_listed() {
    let s = Setup::new();
    let list = s.run(&["--list-rules"]);
    assert_eq!(list.code, 0);
    for rule in RULES {
        assert!(
            list.stdout.contains(rule.code) && list.stdout.contains(rule.name),
            "{}",
            rule.code
        );
        let explained = s.run(&["--explain", &rule.code.to_lowercase()]);
        assert_eq!(explained.code, 0);
        assert!(
            explained.stdout.starts_with(rule.code) && explained.stdout.contains("# Instead"),
            "{}",
            rule.code
        );
    }
}
