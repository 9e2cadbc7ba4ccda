//! Where is the message of this key? Plan, scan, match, and how complete the search was.

mod absent;
mod journey;
mod plan;
mod wanted;

pub use absent::{Absence, explain};
pub use journey::{Hit, Neighbour, Neighbours, Read, copies_of, standing};
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
    fn what_was_left_out_on_purpose_is_told() {
        let mut report = ScanReport::default();
        assert_eq!(coverage(&report, None, None, 0), Coverage::Complete);
        assert_eq!(coverage(&report, Some("a"), None, 0).word(), "COMPLETE-IF a");
        report.assumption = Some("b".to_owned());
        assert_eq!(coverage(&report, Some("a"), None, 0).word(), "COMPLETE-IF b, and a");
        report.stopped = true;
        assert_eq!(coverage(&report, Some("a"), None, 0).word(), "PARTIAL stopped before the end");
        assert_eq!(coverage(&report, None, Some(2), 2).word(), "PARTIAL stopped at --limit 2");
        assert_eq!(coverage(&report, None, Some(2), 1).word(), "PARTIAL stopped before the end");
    }
}
