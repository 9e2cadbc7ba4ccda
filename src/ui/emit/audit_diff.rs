//! What `--fix` would change, in the look of a unified diff. Lines are cut and blanked as everywhere, so it is to be read, not applied.

use crate::audit::{Finding, Report};
use crate::ui::escape;
use std::fmt::Write;

/// One hunk of one line for each change; empty when there is none.
pub fn audit_diff(report: &Report) -> String {
    let mut out = String::new();
    let mut file: Option<&str> = None;
    let mut done: Vec<(&str, usize, &str)> = Vec::new();
    for f in &report.findings {
        let Some(edit) = &f.edit else { continue };
        let place = &f.places.primary;
        let is_added = edit.span.start == edit.span.end;
        if place.excerpt.is_none() && !is_added {
            continue;
        }
        // Two rules may ask for the same change.
        let change = (&*place.file, edit.span.start, if is_added { &*edit.text } else { "" });
        if done.contains(&change) {
            continue;
        }
        done.push(change);
        if file != Some(&place.file) {
            let name = escape(&place.file);
            let _ = write!(out, "--- {name}\n+++ {name}\n");
            file = Some(&place.file);
        }
        if is_added {
            let line = edit.text.trim_matches(['\r', '\n']);
            let _ = writeln!(out, "@@ -{0},0 +{0} @@ {1}\n+{2}", edit.line, f.rule.code, escape(line));
            continue;
        }
        let Some(excerpt) = &place.excerpt else { continue };
        let line = |marked: &str| escape(&format!("{}{marked}{}", excerpt.before, excerpt.after));
        let _ = writeln!(out, "@@ -{0} +{0} @@ {1}", place.spot.line, f.rule.code);
        let _ = writeln!(out, "-{}", line(&excerpt.marked));
        let _ = writeln!(out, "+{}", line(&changed(f, &excerpt.marked, &edit.text)));
    }
    out
}

fn changed(f: &Finding, marked: &str, text: &str) -> String {
    let value = f.value.as_deref().unwrap_or_default().trim();
    match marked.rfind(value) {
        Some(at) if !value.is_empty() => {
            let (before, rest) = marked.split_at(at);
            format!("{before}{text}{}", rest.get(value.len()..).unwrap_or_default())
        }
        _ => marked.to_owned(),
    }
}
