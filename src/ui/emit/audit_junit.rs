//! Findings as JUnit reports them: a suite for each file, a failed case for each finding, a passed one for a clean file.

use super::audit_live;
use super::is_hostile;
use crate::audit::{Finding, Report};
use crate::config::Severity;
use std::collections::BTreeMap;
use std::fmt::Write;

/// One XML document. What is below `fail_on` is told and fails nothing; what could not be read or told is an error.
pub fn audit_junit(report: &Report, fail_on: Severity) -> String {
    let mut suites: BTreeMap<&str, Vec<&Finding>> = report.files.iter().map(|j| (&*j.file, Vec::new())).collect();
    for f in &report.findings {
        suites.entry(&f.places.primary.file).or_default().push(f);
    }
    let unread: Vec<(&str, &str)> = report.errors.iter().map(|e| (&*e.file, e.what.as_str())).collect();
    let open = report.undecided.iter().map(|u| (&*u.file, u.reason.as_str()));
    let of_clusters: Vec<(&str, String)> = report
        .unread()
        .map(|(target, u)| (&**target, audit_live::unread(u)))
        .collect();
    let of_clusters = of_clusters.iter().map(|(target, what)| (*target, what.as_str()));
    let errors: Vec<(&str, &str)> = unread.into_iter().chain(open).chain(of_clusters).collect();
    let failures = report.at_least(fail_on);
    let tests: usize = suites.values().map(|f| f.len().max(1)).sum::<usize>() + errors.len();
    let mut out = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"mqsafe audit\" tests=\"{tests}\" failures=\"{failures}\" errors=\"{}\">\n",
        errors.len()
    );
    for (file, findings) in &suites {
        let failed = findings.iter().filter(|f| f.severity >= fail_on).count();
        let _ = writeln!(
            out,
            "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{failed}\" errors=\"0\">",
            xml(file),
            findings.len().max(1)
        );
        if findings.is_empty() {
            let _ = writeln!(out, "    <testcase name=\"audit\" classname=\"{}\"/>", xml(file));
        }
        for f in findings {
            case(&mut out, f, fail_on);
        }
        let at_risk: Vec<String> = report
            .at_risk()
            .filter(|(target, _)| ***target == **file)
            .map(|(_, a)| audit_live::at_risk(a))
            .collect();
        if !at_risk.is_empty() {
            let _ = writeln!(out, "    <system-out>{}</system-out>", xml(&at_risk.join("\n")));
        }
        out.push_str("  </testsuite>\n");
    }
    if !errors.is_empty() {
        let _ = writeln!(
            out,
            "  <testsuite name=\"not judged\" tests=\"{0}\" failures=\"0\" errors=\"{0}\">",
            errors.len()
        );
        for (file, what) in &errors {
            let _ = writeln!(
                out,
                "    <testcase name=\"audit\" classname=\"{}\">\n      <error message=\"{}\"/>\n    </testcase>",
                xml(file),
                xml(what)
            );
        }
        out.push_str("  </testsuite>\n");
    }
    out.push_str("</testsuites>\n");
    out
}

fn case(out: &mut String, f: &Finding, fail_on: Severity) {
    let name = match audit_live::spot_of(&f.places.primary) {
        Some((line, column)) => format!("{} {line}:{column} {}", f.rule.code, f.headline),
        None => format!(
            "{} {} {}",
            f.rule.code,
            f.subject.as_deref().unwrap_or_default(),
            f.headline
        ),
    };
    let text = format!("{}\nfix: {}", f.story, audit_live::fix_of(f));
    let _ = writeln!(
        out,
        "    <testcase name=\"{}\" classname=\"{}\">",
        xml(&name),
        xml(&f.places.primary.file)
    );
    if f.severity >= fail_on {
        let _ = writeln!(
            out,
            "      <failure message=\"{}\" type=\"{}\">{}</failure>",
            xml(&f.headline),
            f.severity,
            xml(&text)
        );
    } else {
        let _ = writeln!(
            out,
            "      <system-out>{}</system-out>",
            xml(&format!("{}: {text}", f.severity))
        );
    }
    out.push_str("    </testcase>\n");
}

/// Text between tags or quotes. XML has no way to write most control characters, so they are shown as a question mark.
fn xml(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push_str("&#10;"),
            c if c.is_control() || is_hostile(c) || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('?'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::xml;

    #[test]
    fn nothing_leaves_its_quotes() {
        assert_eq!(xml("a<\"&\u{1}\n"), "a&lt;&quot;&amp;?&#10;");
    }
}
