//! Findings as the workflow commands of GitHub Actions: an annotation at each line of a pull request.

use super::audit_live::{at_risk, fix_of, place_of, spot_of, unread};
use crate::audit::Report;
use crate::config::Severity;
use std::fmt::Write;

/// `::error file=…,line=…,col=…,title=…::message`, one line for each finding.
pub fn audit_github(report: &Report) -> String {
    let mut out = String::new();
    for f in &report.findings {
        let level = match f.severity {
            Severity::Critical | Severity::High => "error",
            Severity::Medium => "warning",
            Severity::Low => "notice",
        };
        let place = &f.places.primary;
        let _ = writeln!(
            out,
            "::{level} {}title={}::{}",
            spot_of(place).map_or_else(String::new, |(line, column)| format!(
                "file={},line={line},col={column},",
                property(&place.file)
            )),
            property(&format!("{} {}", f.rule.code, f.headline)),
            message(&match spot_of(place) {
                Some(_) => format!("{}\nfix: {}", f.story, f.fix),
                None => format!("{}\n{}\nfix: {}", place_of(f), f.story, fix_of(f)),
            }),
        );
    }
    for (target, u) in report.unread() {
        let _ = writeln!(
            out,
            "::warning title={}::{}",
            property(&format!("{target}: not read")),
            message(&unread(u))
        );
    }
    for (target, a) in report.at_risk() {
        let _ = writeln!(out, "::notice title={}::{}", property(target), message(&at_risk(a)));
    }
    out
}

/// What ends a command or a property is written in percent, as the runner reads it back.
fn message(text: &str) -> String {
    let text = text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    text.chars()
        .filter(|c| !c.is_control() && !super::is_hostile(*c))
        .collect()
}

fn property(text: &str) -> String {
    message(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_ends_a_command_early() {
        assert_eq!(property("a:b,c%\n::error::x"), "a%3Ab%2Cc%25%0A%3A%3Aerror%3A%3Ax");
        assert_eq!(message("a\r\nb\u{1b}[2J"), "a%0D%0Ab[2J");
    }
}
