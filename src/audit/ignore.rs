//! Comments that silence findings: `# mqsafe: ignore[KB002] one broker on a laptop`, on the line or above it.
//!
//! They are looked for in the text and not by a parser, so that they work in every language that has comments, and in a file inside a
//! file. A comment that is a part of the value, as behind a setting in a properties file, silences nothing and is told.

use super::registry;
use super::report::{Finding, Note, Report};
use crate::text::SourceFile;
use std::sync::Arc;

const MARK: &str = "mqsafe: ignore";

/// One such comment.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Comment {
    /// The line it stands on.
    line: usize,
    /// The line that it speaks of.
    target: usize,
    /// Whether nothing but comments stands above it: it then also speaks of what the file does not say.
    leading: bool,
    /// The codes or names between the brackets.
    rules: Vec<String>,
    /// What stands behind them.
    reason: String,
}

/// Takes the findings away that comments silence, and tells which comments silence nothing. `strict` asks each for a reason.
pub(super) fn apply<'s>(
    files: impl Iterator<Item = (&'s Arc<str>, &'s SourceFile)>,
    strict: bool,
    report: &mut Report,
) {
    for (file, source) in files {
        let comments = comments(source);
        if comments.is_empty() {
            continue;
        }
        let mut used: Vec<Vec<bool>> = comments.iter().map(|c| vec![false; c.rules.len()]).collect();
        let before = report.findings.len();
        report.findings.retain(|finding| {
            if finding.places.primary.file != *file {
                return true;
            }
            let mut silenced = false;
            for (comment, used) in comments.iter().zip(&mut used) {
                if strict && comment.reason.is_empty() || !speaks_of(comment, finding) {
                    continue;
                }
                for (rule, used) in comment.rules.iter().zip(used.iter_mut()) {
                    if names(rule, finding) {
                        *used = true;
                        silenced = true;
                    }
                }
            }
            !silenced
        });
        report.ignored += before - report.findings.len();
        for (comment, used) in comments.iter().zip(&used) {
            remark(file, comment, used, strict, report);
        }
    }
}

fn names(rule: &str, finding: &Finding) -> bool {
    finding.rule.code.eq_ignore_ascii_case(rule) || finding.rule.name.eq_ignore_ascii_case(rule)
}

fn speaks_of(comment: &Comment, finding: &Finding) -> bool {
    let place = &finding.places.primary;
    if place.spot.line == comment.target {
        // What is pointed at reaches over the comment when the comment is a part of it.
        return comment.line != comment.target || !place.excerpt.as_ref().is_some_and(|e| e.marked.contains(MARK));
    }
    comment.leading && place.excerpt.is_none() && place.spot.line <= comment.target
}

fn remark(file: &Arc<str>, comment: &Comment, used: &[bool], strict: bool, report: &mut Report) {
    let mut note = |what: String| {
        report.notes.push(Note {
            file: file.clone(),
            line: Some(comment.line),
            what,
            verbose: false,
        });
    };
    if comment.rules.is_empty() {
        note("this comment names no rule, so it silences nothing: write ignore[CODE] and a reason".to_owned());
    }
    if strict && comment.reason.is_empty() && !comment.rules.is_empty() {
        note("this comment gives no reason, so it silences nothing under --strict".to_owned());
        return;
    }
    for (rule, used) in comment.rules.iter().zip(used) {
        if registry::find(rule).is_none() {
            note(format!(
                "there is no rule `{rule}` to ignore; mqsafe audit --list-rules names them all"
            ));
        } else if !used {
            note(format!("ignore[{rule}] silences nothing here; remove it"));
        }
    }
}

fn comments(source: &SourceFile) -> Vec<Comment> {
    let bytes = source.bytes();
    let contains = bytes.windows(MARK.len()).any(|w| w == MARK.as_bytes());
    if !contains {
        return Vec::new();
    }
    let text = String::from_utf8_lossy(bytes);
    let mut found: Vec<Comment> = Vec::new();
    let mut open: Vec<usize> = Vec::new();
    let mut leading = true;
    for (number, line) in text.split('\n').enumerate().map(|(i, l)| (i + 1, l)) {
        let trimmed = line.trim();
        let is_comment = trimmed.starts_with(['#', '!']) || trimmed.starts_with("//");
        if let Some(mut comment) = comment_in(line, number) {
            comment.leading = leading && is_comment;
            if is_comment {
                open.push(found.len());
            }
            found.push(comment);
        }
        if !is_comment && !trimmed.is_empty() && trimmed != "---" {
            leading = false;
            for i in open.drain(..) {
                if let Some(comment) = found.get_mut(i) {
                    comment.target = number;
                }
            }
        }
    }
    found
}

/// The comment in a line, when there is one behind a sign that begins comments.
fn comment_in(line: &str, number: usize) -> Option<Comment> {
    let mark = line.find(MARK)?;
    let before = line.get(..mark)?.trim_end();
    if !before.ends_with(['#', '!']) && !before.ends_with("//") {
        return None;
    }
    let rest = line.get(mark + MARK.len()..)?;
    let (rules, reason) = match rest.strip_prefix('[').and_then(|r| r.split_once(']')) {
        Some((rules, reason)) => (rules, reason),
        None => ("", rest),
    };
    Some(Comment {
        line: number,
        target: number,
        leading: false,
        rules: rules
            .split(',')
            .map(str::trim)
            .filter(|r| !r.is_empty())
            .map(str::to_owned)
            .collect(),
        reason: reason.trim().trim_start_matches([':', '-', ' ']).to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::{Options, audit_bytes};
    use crate::config::Profile;
    use proptest::prelude::*;

    fn audit(name: &str, text: &str, strict: bool) -> (Vec<String>, usize, Vec<String>) {
        let profile = Profile::built_in("orders", &registry::profile_names())
            .unwrap()
            .unwrap();
        let report = audit_bytes(
            name,
            text.as_bytes(),
            &Options {
                strict,
                ..Options::new(&profile)
            },
        );
        let codes = report.findings.iter().map(|f| f.rule.code.to_owned()).collect();
        let notes = report
            .notes
            .iter()
            .filter(|n| !n.verbose)
            .map(|n| format!("{}: {}", n.line.unwrap_or(0), n.what));
        (codes, report.ignored, notes.collect())
    }

    #[test]
    fn above_the_line_and_behind_it() {
        let above = "enable.idempotence=true\n# mqsafe: ignore[KP003] metrics only\n# more\n\nretries=3\n";
        assert_eq!(audit("p.properties", above, false), (vec![], 1, vec![]));
        let yaml = "services:\n  k:\n    image: apache/kafka:4.0.0\n    environment:\n      KAFKA_UNCLEAN_LEADER_ELECTION_ENABLE: 'true' # mqsafe: ignore[KB003]\n";
        let (codes, ignored, notes) = audit("compose.yaml", yaml, false);
        assert!(
            !codes.contains(&"KB003".to_owned()) && ignored == 1 && notes.is_empty(),
            "{codes:?} {notes:?}"
        );
        let (codes, _, notes) = audit("compose.yaml", yaml, true);
        assert!(codes.contains(&"KB003".to_owned()));
        assert!(notes[0].starts_with("5: this comment gives no reason"), "{notes:?}");
    }

    #[test]
    fn what_the_file_does_not_say_is_silenced_at_its_begin() {
        let text = "# a\n# mqsafe: ignore[one-in-sync-replica, KB001] laptop\n\nbroker.id=1\n";
        let (codes, ignored, notes) = audit("server.properties", text, false);
        assert!(
            !codes.iter().any(|c| c == "KB002" || c == "KB001") && ignored == 2,
            "{codes:?} {notes:?}"
        );
    }

    #[test]
    fn a_part_of_the_value_a_rule_that_is_none_and_one_that_finds_nothing() {
        let (codes, _, notes) = audit(
            "p.properties",
            "enable.idempotence=true\nacks=1 # mqsafe: ignore[KP001] x\n",
            false,
        );
        assert!(
            notes.iter().any(|n| n.contains("silences nothing")),
            "{codes:?} {notes:?}"
        );
        let (_, _, notes) = audit(
            "p.properties",
            "# mqsafe: ignore[KP999] x\nacks=all\n# mqsafe: ignore\n",
            false,
        );
        assert!(
            notes[0].contains("no rule `KP999`") && notes[1].contains("names no rule"),
            "{notes:?}"
        );
        let (_, _, notes) = audit("p.properties", "# mqsafe: ignore[KP001] x\nacks=all\n", false);
        assert!(notes[0].contains("ignore[KP001] silences nothing here"), "{notes:?}");
    }

    proptest! {
        #[test]
        fn any_bytes_are_looked_through(bytes in proptest::collection::vec(any::<u8>(), 0..60), tail in "[#! \\[\\],A1\n]{0,30}") {
            let text = [&bytes[..], b"# mqsafe: ignore", tail.as_bytes()].concat();
            let _ = comments(&SourceFile::new(text));
        }
    }
}
