//! What makes a finding the same one in the next run, although lines were added above it.

use super::report::{Finding, Report};
use std::collections::HashMap;

/// A name for each finding of a report, in its order: sixteen hexadecimal digits that depend on rule, file, thing, key and value, and on
/// how many equal ones come before. They stay the same when the finding moves to another line.
pub fn fingerprints(report: &Report) -> Vec<String> {
    let mut seen: HashMap<u64, u64> = HashMap::new();
    let mut names = Vec::with_capacity(report.findings.len());
    for finding in &report.findings {
        let base = hash(finding);
        let before = seen.entry(base).or_insert(0);
        names.push(format!(
            "{:016x}",
            base.wrapping_add(before.wrapping_mul(0x9e37_79b9_7f4a_7c15))
        ));
        *before += 1;
    }
    names
}

/// FNV-1a: the same on every machine and in every release, which the standard library's is not.
fn hash(finding: &Finding) -> u64 {
    let file = finding.places.primary.file.replace('\\', "/");
    let parts = [
        finding.rule.code,
        file.trim_start_matches("./"),
        finding.subject.as_deref().unwrap_or_default(),
        &finding.key,
        // What a live broker tells of its state changes from one run to the next, and the finding is the same.
        finding
            .value
            .as_deref()
            .filter(|_| !finding.key.starts_with('@'))
            .unwrap_or("\u{1}"),
    ];
    fnv(&parts)
}

/// The fingerprint of something that is no finding.
pub fn fingerprint_of(parts: &[&str]) -> String {
    format!("{:016x}", fnv(parts))
}

fn fnv(parts: &[&str]) -> u64 {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for byte in parts.join("\0").bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    hash
}
