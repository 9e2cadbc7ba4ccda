//! Which files a change touches: what `git` says differs from a revision, and what it does not know yet.

use crate::model::{Problem, Result};
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The files that differ from a revision, by their real paths.
pub(super) fn since(revision: &str) -> Result<HashSet<PathBuf>> {
    // What begins with a dash would be an option.
    if revision.is_empty() || revision.starts_with('-') {
        return Err(Problem::usage(format!("`{revision}` is no revision")).next("give a commit, a tag or a branch"));
    }
    let root = git(&["rev-parse", "--show-toplevel"])?;
    let root = PathBuf::from(String::from_utf8_lossy(&root).trim_end_matches(['\n', '\r']));
    let changed = git(&["diff", "--name-only", "--diff-filter=d", "-z", revision, "--"])?;
    let new = git(&["ls-files", "--others", "--exclude-standard", "--full-name", "-z", ":/"])?;
    let names = changed.split(|b| *b == 0).chain(new.split(|b| *b == 0));
    Ok(names
        .filter(|name| !name.is_empty())
        .map(|name| root.join(String::from_utf8_lossy(name).as_ref()))
        .map(|path| std::fs::canonicalize(&path).unwrap_or(path))
        .collect())
}

/// Whether a file of the report is one of them.
pub(super) fn holds(changed: &HashSet<PathBuf>, file: &str) -> bool {
    let path = Path::new(file);
    changed.contains(&std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned()))
}

fn git(words: &[&str]) -> Result<Vec<u8>> {
    let failed = |why: String| {
        Problem::usage("cannot tell what has changed")
            .because(why)
            .next("--changed-since needs git, a repository around the working directory, and a revision that it knows")
    };
    let ran = Command::new("git").args(words).output();
    let ran = ran.map_err(|e| failed(format!("git: {e}")))?;
    if ran.status.success() {
        return Ok(ran.stdout);
    }
    let said = String::from_utf8_lossy(&ran.stderr);
    Err(failed(
        said.lines().next().unwrap_or("git failed and said nothing").to_owned(),
    ))
}
