//! Real files from public projects, which stay outside of the repository: each is recognised, or named as not about messaging.

#![allow(clippy::unwrap_used)]

use mqsafe::audit::{Options, audit_bytes, registry};
use mqsafe::config::Profile;
use std::fmt::Write;
use std::path::{Path, PathBuf};

fn files_below(dir: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> = std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        match path.is_dir() {
            true => files_below(&path, found),
            false => found.push(path),
        }
    }
}

/// The table of path, dialects with their numbers of facts, or the reason why a file is not judged.
#[test]
#[ignore = "needs files outside the repository: the directory of real files that MQSAFE_CORPUS names"]
fn real_files_are_recognised_or_named() {
    let root = PathBuf::from(std::env::var("MQSAFE_CORPUS").unwrap());
    let profile = Profile::built_in("orders", &registry::profile_names())
        .unwrap()
        .unwrap();
    let mut files = Vec::new();
    files_below(&root, &mut files);
    let mut table = String::new();
    for file in &files {
        let name = file.strip_prefix(&root).unwrap().to_string_lossy().into_owned();
        let report = audit_bytes(&name, &std::fs::read(file).unwrap(), &Options::new(&profile));
        let judged = report
            .files
            .iter()
            .map(|f| format!("{} ({})", f.dialect.name(), f.facts));
        let unjudged = report.unrecognised.iter().map(|u| format!("not judged: {}", u.reason));
        let errors = report.errors.iter().map(|e| match e.spot {
            Some(spot) => format!("error at {}:{}: {}", spot.line, spot.column, e.what),
            None => format!("error: {}", e.what),
        });
        let said: Vec<String> = judged.chain(unjudged).chain(errors).collect();
        assert!(!said.is_empty(), "{name}: nothing is said of it");
        let _ = writeln!(table, "{name}: {}", said.join(", "));
    }
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!("corpus", table));
}
