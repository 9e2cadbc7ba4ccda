//! The audit settings of a repository: `.mqsafe.yaml`. Nothing that names a broker, a secret or a command: those are the user's own.

use super::near::near;
use ignore::gitignore::{Gitignore, GitignoreBuilder};
use serde::Deserialize;
use std::collections::BTreeMap;

/// What a repository says of its audit.
#[derive(Debug)]
pub struct Repository {
    /// The profile, when the command line names none.
    pub profile: Option<String>,
    select: Vec<String>,
    ignore: Vec<String>,
    per_path: Vec<(Gitignore, Vec<String>)>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Raw {
    profile: Option<String>,
    #[serde(default)]
    select: Vec<String>,
    #[serde(default)]
    ignore: Vec<String>,
    #[serde(default)]
    per_path: BTreeMap<String, Vec<String>>,
}

/// The keys that the file may have.
const KEYS: [&str; 4] = ["profile", "select", "ignore", "per-path"];

impl Repository {
    /// Reads the text of the file. `codes` are the codes of all rules; a name in a list is a code, the begin of codes (`KB`), or `ALL`.
    ///
    /// # Errors
    /// Words that name the key and the line, or the rule that does not exist.
    pub fn parse(text: &str, codes: &[String]) -> Result<Repository, String> {
        let raw: Raw = serde_yaml::from_str(text).map_err(|e| hint(&e.to_string()))?;
        let lists = raw.per_path.values().flatten();
        for name in raw.select.iter().chain(&raw.ignore).chain(lists) {
            if !codes.iter().any(|code| names(name, code)) {
                let close = near(name, codes.iter().map(String::as_str));
                let close = close.map(|c| format!("; did you mean `{c}`?")).unwrap_or_default();
                return Err(format!("no rule `{name}`{close}"));
            }
        }
        let mut per_path = Vec::new();
        for (glob, rules) in raw.per_path {
            let mut builder = GitignoreBuilder::new("");
            builder
                .add_line(None, &glob)
                .map_err(|e| format!("`per-path: {glob}` is no pattern: {e}"))?;
            let matcher = builder
                .build()
                .map_err(|e| format!("`per-path: {glob}` is no pattern: {e}"))?;
            per_path.push((matcher, rules));
        }
        Ok(Repository {
            profile: raw.profile,
            select: raw.select,
            ignore: raw.ignore,
            per_path,
        })
    }

    /// Whether a finding of this rule in this file is to be told.
    pub fn tells(&self, code: &str, file: &str) -> bool {
        let any = |list: &[String]| list.iter().any(|name| names(name, code));
        let selected = self.select.is_empty() || any(&self.select);
        let file = file.trim_start_matches("./");
        let here = || {
            let matching = self.per_path.iter().filter(|(glob, _)| {
                // An absolute path belongs to no pattern of the repository.
                !file.starts_with('/') && glob.matched_path_or_any_parents(file, false).is_ignore()
            });
            matching.into_iter().any(|(_, rules)| any(rules))
        };
        selected && !any(&self.ignore) && !here()
    }
}

/// Whether a name in a list stands for a code.
fn names(name: &str, code: &str) -> bool {
    let name = name.to_ascii_uppercase();
    name == "ALL"
        || code == name
        || !name.is_empty() && !name.ends_with(|c: char| c.is_ascii_digit()) && code.starts_with(&name)
}

/// Adds to an error about an unknown key the one that was probably meant.
fn hint(error: &str) -> String {
    let unknown = error
        .split("unknown field `")
        .nth(1)
        .and_then(|rest| rest.split('`').next());
    match unknown.and_then(|key| near(key, KEYS.into_iter())) {
        Some(key) => format!("{error}; did you mean `{key}`?"),
        None => error.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes() -> Vec<String> {
        ["KB001", "KB002", "KP001", "X-K01"].map(str::to_owned).to_vec()
    }

    #[test]
    fn lists_and_paths() -> Result<(), String> {
        let read = Repository::parse(
            "select: [K]\nignore: [KB002]\nper-path:\n  tests/**: [ALL]\n  '*.dev.yaml': [kb]\n",
            &codes(),
        )?;
        assert!(read.tells("KB001", "conf/server.properties"));
        assert!(!read.tells("KB002", "conf/server.properties"));
        assert!(!read.tells("X-K01", "conf/server.properties"));
        assert!(!read.tells("KP001", "./tests/a/p.properties"));
        assert!(!read.tells("KB001", "a/b.dev.yaml") && read.tells("KP001", "a/b.dev.yaml"));
        assert!(read.tells("KB001", "/tests/a"));
        Ok(())
    }

    #[test]
    fn what_is_unknown_is_named() {
        let error = |text: &str| Repository::parse(text, &codes()).err().unwrap_or_default();
        assert!(
            error("selekt: [KB]").contains("did you mean `select`"),
            "{}",
            error("selekt: [KB]")
        );
        assert!(error("ignore: [KB01]").contains("KB001"), "{}", error("ignore: [KB01]"));
        assert!(error("broker: kafka://x").contains("broker"));
    }
}
