//! Where is the message of this key? Plan, scan, match, and how complete the search was.

mod absent;
mod journey;
mod plan;
mod wanted;

pub use absent::{Absence, explain};
pub use journey::{Hit, Journey, Neighbour, Neighbours, Read, Stop, copies_of, standing};
pub use plan::{Placing, Plan};
pub use wanted::{KeyFrom, Wanted};

use crate::model::{Coverage, Outcome, ScanReport};

/// What a search comes to. "Not found" is said only when everything was read.
pub fn outcome(found: u64, coverage: &Coverage) -> Outcome {
    match (found, coverage.is_complete()) {
        (0, true) => Outcome::Negative,
        (0, false) => Outcome::Unknown,
        (_, _) => Outcome::Good,
    }
}

/// How complete a search was: what the scan says, and what was left out on purpose.
pub fn coverage(report: &ScanReport, assumption: Option<&str>, limit: Option<u64>, found: u64) -> Coverage {
    let is_limit = report.stopped && limit.is_some_and(|limit| found >= limit);
    match report.coverage() {
        Coverage::Partial(_) if is_limit => Coverage::Partial(format!("stopped at --limit {found}")),
        Coverage::Partial(why) => Coverage::Partial(why),
        Coverage::Complete => assumption.map_or(Coverage::Complete, |a| Coverage::CompleteIf(a.to_owned())),
        Coverage::CompleteIf(one) => {
            Coverage::CompleteIf(assumption.map_or(one.clone(), |other| format!("{one}, and {other}")))
        }
    }
}

/// How complete a search of several places was: the least complete of them, each by its name.
pub fn all_of(places: &[(String, Coverage)]) -> Coverage {
    let partial: Vec<String> = places
        .iter()
        .filter_map(|(name, coverage)| match coverage {
            Coverage::Partial(why) => Some(format!("{name}: {why}")),
            Coverage::Complete | Coverage::CompleteIf(_) => None,
        })
        .collect();
    if !partial.is_empty() {
        return Coverage::Partial(partial.join("; "));
    }
    let assumed: Vec<String> = places
        .iter()
        .filter_map(|(name, coverage)| match coverage {
            Coverage::CompleteIf(what) => Some(format!("{name}: {what}")),
            Coverage::Complete | Coverage::Partial(_) => None,
        })
        .collect();
    match assumed.is_empty() {
        true => Coverage::Complete,
        false => Coverage::CompleteIf(assumed.join(", and ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn not_found_is_not_the_same_as_could_not_look() {
        let partial = Coverage::Partial("broker down".to_owned());
        assert_eq!(outcome(0, &Coverage::Complete), Outcome::Negative);
        assert_eq!(outcome(0, &partial), Outcome::Unknown);
        assert_eq!(
            outcome(0, &Coverage::CompleteIf("murmur2".to_owned())),
            Outcome::Unknown
        );
        assert_eq!(outcome(1, &partial), Outcome::Good);
    }

    #[test]
    fn several_places_are_as_complete_as_the_least() {
        let place = |name: &str, coverage| (name.to_owned(), coverage);
        let whole = place("a", Coverage::Complete);
        let assumed = place("b", Coverage::CompleteIf("x".to_owned()));
        let partial = place("c", Coverage::Partial("y".to_owned()));
        assert_eq!(all_of(std::slice::from_ref(&whole)), Coverage::Complete);
        assert_eq!(all_of(&[whole.clone(), assumed.clone()]).word(), "COMPLETE-IF b: x");
        assert_eq!(all_of(&[whole, assumed, partial]).word(), "PARTIAL c: y");
    }

    #[test]
    fn what_was_left_out_on_purpose_is_told() {
        let mut report = ScanReport::default();
        assert_eq!(coverage(&report, None, None, 0), Coverage::Complete);
        assert_eq!(coverage(&report, Some("a"), None, 0).word(), "COMPLETE-IF a");
        report.assumption = Some("b".to_owned());
        assert_eq!(coverage(&report, Some("a"), None, 0).word(), "COMPLETE-IF b, and a");
        report.stopped = true;
        assert_eq!(
            coverage(&report, Some("a"), None, 0).word(),
            "PARTIAL stopped before the end"
        );
        assert_eq!(
            coverage(&report, None, Some(2), 2).word(),
            "PARTIAL stopped at --limit 2"
        );
        assert_eq!(
            coverage(&report, None, Some(2), 1).word(),
            "PARTIAL stopped before the end"
        );
    }
}
