//! What the tests of rules share.

use crate::audit::{Options, Report, audit_bytes, registry};
use crate::config::Profile;

fn report(profile: &str, name: &str, text: &str) -> Report {
    match Profile::built_in(profile, &registry::profile_names()) {
        Ok(Some(profile)) => audit_bytes(
            name,
            text.as_bytes(),
            &Options {
                profile: &profile,
                dialect: None,
            },
        ),
        other => panic!("no profile {profile}: {other:?}"),
    }
}

/// What one rule finds in a file under a profile, as `severity line:column key=value`.
pub(crate) fn found_under(profile: &str, code: &str, name: &str, text: &str) -> Vec<String> {
    report(profile, name, text)
        .findings
        .iter()
        .filter(|f| f.rule.code == code)
        .map(|f| {
            let spot = f.places.primary.spot;
            let value = f.value.as_deref().unwrap_or("(absent)");
            format!("{} {}:{} {}={value}", f.severity, spot.line, spot.column, f.key)
        })
        .collect()
}

/// As [`found_under`] the default profile.
pub(crate) fn found(code: &str, name: &str, text: &str) -> Vec<String> {
    found_under("orders", code, name, text)
}

/// Why one rule could not tell.
pub(crate) fn undecided(code: &str, name: &str, text: &str) -> Vec<String> {
    let report = report("orders", name, text);
    report
        .undecided
        .into_iter()
        .filter(|u| u.rule.code == code)
        .map(|u| u.reason)
        .collect()
}
